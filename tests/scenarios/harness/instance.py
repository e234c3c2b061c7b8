"""A private instance of the server: its folder, its configuration, its processes."""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from harness import proc, toml
from harness.vectors import REPOSITORY
from harness.waiting import wait_for

START_SECONDS = 30
STOP_SECONDS = 40
DOMAIN = "example.org"
# What a sanitizer build prints before the process that was found out ends.
SANITIZER_REPORT = re.compile(r"ERROR: \w*Sanitizer|: runtime error: ")
USERS = ("alice", "bob", "carol", "dave")


def binary():
    """The program under test: STERNPOST_BIN, or what `make build` leaves."""
    return Path(os.environ.get("STERNPOST_BIN", REPOSITORY / "build" / "bin" / "sternpost")).resolve()


def free_port():
    """A port that nobody has now, below the range from which clients' ports are taken."""
    for _ in range(200):
        port = random.randrange(11000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port between 11000 and 32000")


def configuration(port, users=USERS, smtp=None, **tables):
    """A small working configuration as nested dictionaries; `smtp` and other tables add to it.

    What is no table is a key at the top of the file.

    A value None takes a key out.
    """
    table = {
        "setup": "internet-site",
        "hostname": "mail.example.org",
        "domains": [DOMAIN],
        "smtp": {"listen": [f"127.0.0.1:{port}"], "max_message": "3 MiB", **(smtp or {})},
        # Small segments: quick to prepare, and recycled within a test.
        "spool": {"segment": "8 MiB", "min_free": "16 MiB"},
        "processes": {"restart_delay": "20ms"},
        "mailboxes": {
            "source": "list",
            "list": {f"{user}@{DOMAIN}": f"{user}/" for user in users},
        },
    }
    for name, values in tables.items():
        if not isinstance(values, dict):
            table[name] = values
            continue
        merged = {**table.get(name, {}), **values}
        table[name] = {key: value for key, value in merged.items() if value is not None}
    return table


class StartFailed(AssertionError):
    """The instance ended before it was ready."""


class Instance:
    """One instance under one folder. start() and stop() may be repeated; the folder stays until remove()."""

    def __init__(self, smtp=None, users=USERS, run_as=None, state=None, **tables):
        """`run_as` is a user name to start it as; `state` a folder to use instead of DIR/state."""
        # Not below pytest's own folder, which only its owner may enter, nor on a tmpfs where /tmp is one.
        self.directory = Path(tempfile.mkdtemp(prefix="sternpost-test-", dir=os.environ.get(
            "STERNPOST_TEST_DIR", "/var/tmp")))
        self.directory.chmod(0o755)
        self.state = Path(state) if state else self.directory / "state"
        self.state.mkdir(exist_ok=True)
        self.config = self.directory / "sternpost.toml"
        self.port = free_port()
        self.users = users
        self.run_as = run_as
        self.launcher = []  # a command that starts the command behind it, as env does
        self.process = None
        self.output = []
        self._ready = threading.Event()
        self._reader = None
        self.configure(smtp=smtp, **tables)
        if run_as:
            shutil.chown(self.state, run_as)

    def configure(self, smtp=None, **tables):
        """Writes the configuration anew; a running instance sees it at its next reload."""
        self.write_config(toml.dumps(configuration(self.port, self.users, smtp, **tables)))

    def write_config(self, text):
        fresh = self.config.with_suffix(".new")
        fresh.write_text(text)
        fresh.chmod(0o644)
        fresh.rename(self.config)

    # --- its life ---------------------------------------------------------------------------------------

    def launch(self, **popen):
        """Starts it and returns at once."""
        program = binary()
        assert program.exists(), f"{program} is not there: run `make build`, or set STERNPOST_BIN"
        identity = {"user": self.run_as, "group": "nogroup", "extra_groups": []} if self.run_as else {}
        command = [*self.launcher, program, "start", "--foreground", "--config", self.config, "--state", self.state]
        self._ready = threading.Event()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", cwd="/", **identity, **popen)
        self._reader = threading.Thread(target=self._read, args=(self.process, self._ready), daemon=True)
        self._reader.start()
        return self

    def _read(self, process, ready):
        for line in process.stdout:
            self.output.append(line)
            if re.search(r"\bready\b", line):
                ready.set()
        process.wait()
        ready.set()

    def start(self, seconds=START_SECONDS, **popen):
        """Starts it and waits for its `ready`; StartFailed, with what it said, where it ended instead."""
        self.launch(**popen)
        if not self._ready.wait(seconds):
            raise StartFailed(f"no `ready` within {seconds} s\n{self.report()}")
        if self.process.poll() is not None:
            raise StartFailed(f"ended with {self.process.returncode}\n{self.report()}")
        return self

    def wait_ended(self, seconds=STOP_SECONDS):
        """Waits for its end; the exit status."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {seconds} s\n{self.report()}") from None
        self._reader.join(5)
        return code

    def stop(self, seconds=STOP_SECONDS):
        """SIGTERM, and the exit status; everything it started must have ended too."""
        before = proc.tree(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        code = self.wait_ended(seconds)
        self.wait_gone(before)
        return code

    def kill_all(self):
        """SIGKILL to every process of it, master first, so that nothing is started again."""
        processes = proc.tree(self.process.pid)
        for process in processes:
            if proc.alive(process):
                os.kill(process.pid, signal.SIGKILL)
        self.process.wait()
        self.wait_gone(processes)

    def wait_gone(self, processes, seconds=10):
        """Waits until these processes have ended by themselves."""
        wait_for(lambda: not any(map(proc.alive, processes)), seconds,
                 lambda: f"the end of {[p for p in processes if proc.alive(p)]}\n{self.report()}")

    def remove(self):
        """Ends what still runs and removes the folder; AssertionError where a sanitizer has reported a fault."""
        if self.process and self.process.poll() is None:
            self.kill_all()
        if self._reader:
            self._reader.join(5)
        if self.process:
            self.process.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        reports = [at for at, line in enumerate(self.output) if SANITIZER_REPORT.search(line)]
        assert not reports, "".join(self.output[reports[0]:reports[0] + 60])

    # --- its processes ----------------------------------------------------------------------------------

    @property
    def master(self):
        return next(p for p in proc.tree(self.process.pid) if p.pid == self.process.pid)

    def compartments(self):
        """The processes below master."""
        return [p for p in proc.tree(self.process.pid) if p.pid != self.process.pid]

    # --- its commands -----------------------------------------------------------------------------------

    def run(self, *arguments, timeout=30):
        """`sternpost ARGUMENTS --state DIR`, whatever it answers."""
        return subprocess.run([binary(), *arguments, "--state", self.state], capture_output=True, text=True,
                              timeout=timeout, stdin=subprocess.DEVNULL, check=False)

    def ask(self, *arguments):
        """The same with --json; the value that it printed."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def status(self):
        return self.ask("status")

    def queue(self):
        """The messages in the queue, as `queue list --json` gives them."""
        return self.ask("queue", "list")

    def wait_queue_empty(self, seconds=60):
        wait_for(lambda: not self.queue(), seconds, lambda: f"an empty queue\n{self.report()}", interval=0.1)

    # --- what it left -----------------------------------------------------------------------------------

    def mailbox(self, user):
        return self.state / "mail" / user

    def history(self, killed=False):
        """The decision records, as dictionaries. `killed`: log was, and may have left torn lines."""
        path = self.state / "log" / "history.jsonl"
        if not path.exists():
            return []
        lines = path.read_text(errors="replace").split("\n")
        found = []
        for line in filter(None, lines[:-1]):  # the last one may be half written
            try:
                found.append(json.loads(line))
            except ValueError:
                if not killed:
                    raise
        return found

    def report(self):
        """What a failed test should show."""
        log = self.state / "log" / "mail.log"
        tail = log.read_text(errors="replace").splitlines()[-25:] if log.exists() else ["(no mail.log)"]
        running = self.compartments() if self.process and self.process.poll() is None else "ended"
        said = [line.rstrip() for line in self.output[-25:]]
        return "\n".join([f"--- instance at {self.directory}, port {self.port}", *said,
                          f"--- processes: {running}", "--- mail.log", *tail])
