"""What shows that a compartment has work in hand at the moment of its kill, and who gives it that work."""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

from harness import proc
from harness.waiting import TimedOut, wait_for

FREEZE_SECONDS = 30  # it may be in the midst of a sync, on a busy disk
WORK_SECONDS = 5


def await_midst(client, chance, first, portion, deadline):
    """Lets the numbers from `first` on go, and returns in their midst, at a random moment."""
    client.allow(first + portion)
    threshold = first + int(portion * chance.uniform(0, 0.7))
    wait_for(lambda: client.acknowledged >= threshold or not client.running, max(1.0, deadline - time.monotonic()),
             lambda: f"{threshold} acknowledgements, there are {client.acknowledged}", interval=0.001)
    moment = time.monotonic() + chance.uniform(0, 0.004)
    while time.monotonic() < moment:
        pass


class Asker(threading.Thread):
    """Asks for the queue again and again, as administrators do; keeps what went wrong.

    A question may fail while admin, spool or qmgr is away, but must neither hang nor be answered wrongly.
    """

    def __init__(self, instance):
        super().__init__(daemon=True)
        self._instance = instance
        self._end = threading.Event()
        self.answered = self.unanswered = 0
        self.complaints = []

    def run(self):
        while not self._end.is_set():
            try:
                done = self._instance.run("queue", "list", "--json")
            except Exception as error:  # kept for the thread that asks how it went
                self.complaints.append(f"queue list: {error}")
                return
            if done.returncode == 0:
                self.answered += 1
            elif done.stderr.strip():
                self.unanswered += 1
            else:
                self.complaints.append(f"queue list: {done.returncode} without a word")

    def finish(self):
        self._end.set()
        self.join(60)
        return self.complaints


class Frozen:
    """A process between SIGSTOP and SIGCONT, so that one can look at what it has in hand."""

    def __init__(self, process):
        self.process = process

    def __enter__(self):
        os.kill(self.process.pid, signal.SIGSTOP)
        wait_for(lambda: proc.frozen(self.process) or not proc.alive(self.process), FREEZE_SECONDS,
                 f"that {self.process} stands still", interval=0.0005)
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):  # killed meanwhile
            os.kill(self.process.pid, signal.SIGCONT)


def control_connections(pid):
    """How many connections of administrators' commands this process has accepted."""
    held = proc.sockets(pid)
    count = 0
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        connected = len(fields) > 7 and fields[5] == "03"
        if connected and fields[7].endswith("control") and int(fields[6]) in held:
            count += 1
    return count


class Work:
    """Finds out for each compartment what it has in hand. The process stands still meanwhile."""

    def __init__(self, client, port, sink):
        self.client, self.port, self.sink = client, port, sink

    def of(self, process, since):
        """What it has in hand, in words; empty where it has nothing. It stands still since `since`."""
        if process.name == "smtpd":
            held = proc.client_ports(process.pid, self.port)
            return f"{len(held)} sessions" if held else ""
        if process.name == "admin":
            held = control_connections(process.pid)
            return f"{held} commands" if held else ""
        if process.name == "users":
            return self._awaited(lambda: self.client.asks_since(since), "a recipient to be looked up")
        if process.name == "virtual":
            reached = self.client.acknowledged
            return self._awaited(lambda: self.client.acknowledged > reached, "a message to be delivered")
        if process.name == "smtp":
            reached = self.client.acknowledged
            return self._awaited(lambda: self.client.acknowledged > reached + 2, "a message to be handed on")
        if process.name == "bounce":
            reached = self.sink.refused
            return self._awaited(lambda: self.sink.refused > reached, "a notice to be written")
        return f"{self.client.in_flight} sessions of clients" if self.client.in_flight else ""

    @staticmethod
    def _awaited(condition, what):
        try:
            wait_for(condition, WORK_SECONDS, what, interval=0.001)
        except TimedOut:
            return ""
        return what
