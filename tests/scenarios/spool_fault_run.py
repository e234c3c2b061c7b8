"""Attaches to the spool of an installed server under load, and ends it, or lets its disk fail, at its n-th system call.

system_call_run tries every call of the engine; this shows with a few that master, agents and clients live through it.
"""

import contextlib
import random
import time

import kill_audit
import kill_client
from harness import proc
from harness.injection import Fault, injected
from harness.waiting import wait_for
from kill_run import USERS, end_and_audit, let_arrive, make_small_instance
from kill_sink import KillSink

# What spool calls again and again under load: its disk, and those it talks to.
DISK = ("pwritev2", "fdatasync", "pread64")
TALK = ("recvmsg", "sendmsg", "epoll_wait")
EFFECTS = [(call, "signal=KILL") for call in DISK + TALK]
EFFECTS += [(call, error) for call in DISK for error in ("error=EIO", "error=ENOSPC")]
MOST_CALLS = 20
MESSAGES = 40
FAULT_SECONDS = 30


@contextlib.contextmanager
def spool_fault_run(seed=None):
    """A run against a started instance; all is removed at the end."""
    with contextlib.ExitStack() as stack:
        sink = KillSink().start()
        stack.callback(sink.stop)
        instance = make_small_instance(sink)
        stack.callback(instance.remove)
        run = SpoolFaultRun(instance.start(), sink, seed)
        stack.callback(run.client.abandon)
        try:
            yield run
        except BaseException:
            print(instance.report())
            raise


class SpoolFaultRun:
    """One run against one instance that is already started."""

    def __init__(self, instance, sink, seed=None):
        self.instance, self.sink = instance, sink
        self.seed = random.randrange(1 << 32) if seed is None else seed
        self.random = random.Random(self.seed)
        self.client_log = instance.directory / "client.jsonl"
        self.client = kill_client.NumberedClient(instance.port, self.client_log, USERS, sessions=10, allowed=0,
                                                 relays=True)
        self.kills = []
        self._allowed = 0

    def run(self, rounds, seconds):
        """Every effect in each round; the findings of the audit."""
        deadline = time.monotonic() + seconds
        self.client.start()
        for _ in range(rounds):
            for call, effect in self.random.sample(EFFECTS, len(EFFECTS)):
                self._inject(Fault(call, effect, str(self.random.randint(1, MOST_CALLS))))
        let_arrive(self.instance, self.client, self._allowed, deadline)
        return end_and_audit(self.instance, self.client_log, self.kills, self.sink)

    def _inject(self, fault):
        victim = wait_for(self._spool, FAULT_SECONDS, "a spool")
        log = self.instance.directory / "strace"
        with injected(fault, victim, log):
            at = time.time()
            if fault.effect == "signal=KILL":
                self._await_successor(fault, victim, at)
            else:
                self._load_until(lambda: "(INJECTED)" in log.read_text(errors="replace"), fault)

    def _load_until(self, condition, fault):
        """Lets messages go, and more when they are through, until the fault has come."""
        def loaded():
            if condition():
                return True
            if self.client.acknowledged >= self._allowed:
                self._allowed += MESSAGES
                self.client.allow(self._allowed)
            return False

        wait_for(loaded, FAULT_SECONDS, lambda: f"{fault}\n{self.instance.report()}", interval=0.002)

    def _spool(self):
        return next((process for process in self.instance.compartments() if process.name == "spool"), None)

    def _await_successor(self, fault, victim, at):
        self._load_until(lambda: not proc.alive(victim), fault)
        gone = time.time()
        wait_for(self._spool, FAULT_SECONDS, lambda: f"a new spool\n{self.instance.report()}", interval=0.005)
        self.kills.append(kill_audit.Kill(at, gone, time.time(), "spool", victim.pid, work=str(fault)))
