"""Next hops that mail is handed on to: Postfix's smtp-sink, which keeps what it takes, for the cases without faults."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness import tools
from harness.instance import free_port
from harness.listeners import is_listening
from harness.waiting import wait_for

START_SECONDS = 15
_OWN_FIELD = re.compile(rb"Received: from [^\n]*\n\tby [^\n]*\(smtp-sink\)[^\n]*\n\t[^\n]*\n")
_TRACE = re.compile(rb"Received: [^\n]*\n(?:[ \t][^\n]*\n)*")


@dataclass(frozen=True)
class Taken:
    """A message that a sink has taken. Line ends are LF, as it writes them."""

    client: str
    hello: str
    mail: str  # what stood behind MAIL FROM:
    recipients: tuple
    whole: bytes

    @property
    def trace(self):
        """The Received field of the server under test."""
        match = _TRACE.match(self.whole)
        assert match, f"no Received field at the top of {self.whole[:200]!r}"
        return match[0].decode("ascii")

    @property
    def content(self):
        """What the client sent, without that field."""
        return self.whole[len(self.trace.encode("ascii")):]


def parse(text):
    """Takes a dump apart: the sink's own fields, its Received field, the message, an empty line."""
    fields = {}
    while text.startswith(b"X-"):
        line, text = text.split(b"\n", 1)
        name, value = line.decode("ascii", "surrogateescape").split(": ", 1)
        fields.setdefault(name, []).append(value)
    own = _OWN_FIELD.match(text)
    assert own, f"no field of smtp-sink in {text[:200]!r}"
    assert text.endswith(b"\n\n"), f"a dump that ends {text[-20:]!r}"
    return Taken(fields["X-Client-Addr"][0], fields.get("X-Helo-Args", [""])[0], fields["X-Mail-Args"][0],
                 tuple(fields["X-Rcpt-Args"]), text[own.end():-1])


class Sink:
    """smtp-sink on a port of its own, with `options`; a context manager that ends it."""

    def __init__(self, *options, address="127.0.0.1", port=None):
        self.options, self.address, self.port = options, address, port or free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="sternpost-sink-", dir="/var/tmp"))
        self.folder.chmod(0o777)  # as root it becomes nobody
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def next_hop(self):
        return f"[{self.address}]:{self.port}"

    def start(self):
        identity = ("-u", "nobody") if os.geteuid() == 0 else ()
        at = f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"
        command = [tools.postfix_program("smtp-sink"), *identity, "-h", "sink.example.com", "-d",
                   self.folder / "message.", *self.options, at, "200"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=self.folder)
        wait_for(lambda: self.process.poll() is not None or is_listening(self.address, self.port), START_SECONDS,
                 "smtp-sink to listen")
        assert self.process.poll() is None, (self.folder / "log").read_text()
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait(10)

    def count(self):
        return len(list(self.folder.glob("message.*")))

    def messages(self):
        return [parse(path.read_bytes()) for path in sorted(self.folder.glob("message.*"))]

    def wait(self, number, instance, seconds=30):
        """Waits until the queue is empty, and answers the messages, of which there must be so many."""
        instance.wait_queue_empty(seconds)
        taken = self.messages()
        assert len(taken) == number, f"{len(taken)} messages at the sink instead of {number}\n{instance.report()}"
        return taken
