"""Cuts the power of an installed server in the midst of load, again and again, and audits each recovery.

Queue, mailboxes and history are on one file system, which is shut down while numbered messages go in: what was not
synced is lost, and every later write fails. Some moments later all processes are killed, the file system is mounted
anew, and the server started. What clients were told, and what the next hop took, is remembered here, where no power
cut reaches it. Each message that was ever acknowledged must then be in the queue, or in its mailboxes and at the next
hop; at the end kill_audit joins everything.
"""

import contextlib
import random
import time

import kill_audit
import kill_client
from harness import maildir
from harness.file_system import FileSystem
from harness.waiting import wait_for
from kill_run import USERS, end_and_audit, let_arrive, make_small_instance
from kill_sink import KillSink
from kill_work import await_midst

# A cut meets the server with work in flight; it may go on that long without its disk.
LAST_GASP_SECONDS = 0.05
MESSAGES = 40  # for each cut
SESSIONS = 20
SPOOL_SECONDS = 10


@contextlib.contextmanager
def power_cut_run(kind, seed=None, launcher=(), run_class=None):
    """A run under load on a file system of this kind; `launcher` starts the server. All is removed at the end."""
    with contextlib.ExitStack() as stack:
        file_system = FileSystem(kind)
        stack.callback(file_system.remove)
        sink = KillSink().start()
        stack.callback(sink.stop)
        instance = make_small_instance(sink, state=file_system.folder / "state")
        stack.callback(instance.remove)
        instance.launcher = list(launcher)
        run = (run_class or PowerCutRun)(instance.start(), file_system, sink, seed)
        stack.callback(run.client.abandon)
        try:
            yield run
        except BaseException:
            with contextlib.suppress(OSError):  # where the file system is still shut down
                print(instance.report())
            raise


class PowerCutRun:
    """One run of cuts against one instance that is already started, on `file_system`."""

    def __init__(self, instance, file_system, sink, seed=None):
        self.instance, self.file_system, self.sink = instance, file_system, sink
        self.seed = random.randrange(1 << 32) if seed is None else seed
        self.random = random.Random(self.seed)
        self.client_log = instance.directory / "client.jsonl"
        self.client = kill_client.NumberedClient(instance.port, self.client_log, USERS, sessions=SESSIONS, allowed=0,
                                                 relays=True)
        self.cuts = []
        self._allowed = 0
        self._audited = 0  # attempts
        self._files = set()
        self._ids = {user: set() for user in USERS}  # of messages in mailboxes

    def run(self, cuts, seconds):
        """So many cuts, or until one loses something, and the findings of the audit."""
        deadline = time.monotonic() + seconds
        self.client.start()
        for turn in range(cuts):
            losses = self._cut(deadline)
            if losses:
                findings = kill_audit.Findings()
                findings.failures = [f"cut {turn + 1}: {loss}" for loss in losses]
                return findings
        let_arrive(self.instance, self.client, self._allowed, deadline)
        return end_and_audit(self.instance, self.client_log, self.cuts, self.sink)

    def _cut(self, deadline):
        """Cuts the power in the midst of the next messages and starts again; what the recovery lacks."""
        await_midst(self.client, self.random, self._allowed, MESSAGES, deadline)
        self._allowed += MESSAGES
        pid, at = self.instance.process.pid, time.time()
        self._end_server()
        gone = time.time()
        self.file_system.restart()
        self.instance.start()
        self.cuts.append(kill_audit.Kill(at, gone, time.time(), "power", pid))
        return self._losses()

    def _end_server(self):
        self.file_system.cut_power()
        time.sleep(self.random.uniform(0, LAST_GASP_SECONDS))
        self.instance.kill_all()

    # --- after a recovery -------------------------------------------------------------------------------

    def _losses(self):
        """What was acknowledged since the last look and is neither in the queue nor where it should go."""
        attempts = list(self.client.attempts)
        fresh, self._audited = attempts[self._audited:], len(attempts)
        losses = [] if not self._quarantined() else ["parts of the queue are quarantined"]
        # The queue first: what has left it by then is in its mailbox already.
        queued = {message["id"] for message in self.instance.queue()}
        self._look_into_mailboxes()
        for attempt in fresh:
            if attempt.result != kill_client.ACKNOWLEDGED or attempt.id in queued:
                continue
            absent = [user for user in kill_client.recipients_of(attempt.number, USERS)
                      if attempt.id not in self._ids[user]]
            absent += [to for to in kill_client.relayed_of(attempt.number)
                       if attempt.id not in {copy.queue_id for copy in self.sink.copies.get(to, [])}]
            if absent:
                losses.append(f"LOST: number {attempt.number}, acknowledged as {attempt.id} at {attempt.ended:.3f}, "
                              f"is not in the queue, nor has it reached {absent}")
        return losses

    def _quarantined(self):
        def found():
            for process in self.instance.status()["processes"]:
                if process["program"] == "spool" and "counters" in process:
                    return process["counters"]
            return None
        return wait_for(found, SPOOL_SECONDS, "the counters of spool")["quarantined"]

    def _look_into_mailboxes(self):
        for user in USERS:
            for path in set(maildir.files(self.instance.mailbox(user))) - self._files:
                self._files.add(path)
                self._ids[user].add(maildir.parse(path, path.read_bytes()).queue_id)
