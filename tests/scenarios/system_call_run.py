"""Ends the spool engine, or lets its disk fail, at any of its system calls, and audits what the next start finds.

spool_life, of tests/probes, drives the real engine on the real disk through all that a spool does, and says what it
was told. strace kills it at the n-th call of a name, or lets that call fail. Then every message that it accepted and
did not begin to settle must be in the folder, whole, and none that is settled; a second life goes on there as a restart
does, and must find the same, and new ids.
"""

import random
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from harness import spool_folder, tools
from harness.injection import Fault

SEGMENT = 64 << 10
LIFE_SECONDS = 60
# What touches no disk. Everything else that a life calls is tried.
ELSEWHERE = {"write", "brk", "mmap", "munmap", "mprotect", "madvise", "futex", "getrandom", "exit_group", "fcntl"}
READING = ("openat", "newfstatat", "pread64")
EFFECTS = ("signal=KILL", "error=ENOSPC", "error=EIO")
# What calls of a name may meet besides; of each fewer are tried, for the engine treats most of them alike.
ERRORS = {
    "openat": ("EMFILE", "ENFILE", "EROFS", "EDQUOT"),
    "pwritev2": ("EDQUOT", "EROFS", "EINTR"),
    "fdatasync": ("EDQUOT", "EROFS", "EINTR"),
    "fsync": ("EINTR",),
    "sync_file_range": ("EINTR",),
    "ftruncate": ("EROFS", "EINTR"),
    "pread64": ("EINTR",),
}
_CALL = re.compile(r"^(\w+)\(", re.MULTILINE)


@dataclass(frozen=True)
class Calls:
    """Of one name: the first that concerns the folder, and the last, counted from the start of the program."""

    name: str
    first: int
    last: int


class Account:
    """What the lives in one folder said."""

    def __init__(self):
        self.accepted, self.settling, self.settled = set(), set(), set()
        self.complaints = []

    def hear(self, said):
        for line in said.splitlines():
            what, queue_id = line.split()
            if what == "accepted" and queue_id in self.accepted:
                self.complaints.append(f"{queue_id} was given twice")
            getattr(self, what).add(queue_id)

    def audit(self, folder, given_up):
        """Holds against it what the folder holds. `given_up`: the disk did not give back some of it for long."""
        holding = spool_folder.recover(folder, SEGMENT)
        self.complaints += holding.complaints
        self.complaints += [f"LOST: {one}" for one in sorted(self.accepted - self.settling - set(holding.contents))]
        if not given_up:
            self.complaints += holding.quarantined
            self.complaints += [f"BACK: {one}" for one in sorted(self.settled & set(holding.contents))]
        self.complaints += [f"{one} is damaged" for one, content in holding.contents.items()
                            if set(content.splitlines()) != {one}]


class Sweep:
    """All faults of one life; `folder` is made and removed for each."""

    def __init__(self, seed=None):
        self.seed = random.randrange(1 << 32) if seed is None else seed
        # Where syncing costs nothing: a killed process loses nothing that it wrote.
        fast = Path("/dev/shm")
        self.directory = Path(tempfile.mkdtemp(prefix="sternpost-calls-", dir=fast if fast.is_dir() else None))
        self.folder, self._log = self.directory / "spool", self.directory / "log"
        self.life = [tools.probe("spool_life"), self.folder]
        self.outcomes = Counter()

    def close(self):
        shutil.rmtree(self.directory)

    def calls(self):
        """What a life without faults calls."""
        self._fresh_folder()
        self._run([tools.program("strace"), "--quiet=all", f"--output={self._log}", *self.life])
        trace = self._log.read_text(errors="replace")
        start = trace.index(f'"{self.folder}", O_')  # the loader's calls are before it
        before = Counter(_CALL.findall(trace[:trace.rindex("\n", 0, start)]))
        every = Counter(_CALL.findall(trace))
        return [Calls(name, before[name] + 1, every[name]) for name in sorted(every)
                if name not in ELSEWHERE and every[name] > before[name]]

    def faults(self, every=1):
        """Each effect at every so manieth call; from where, is chance."""
        chance = random.Random(self.seed)
        found = []
        for calls in self.calls():
            step = min(every, calls.last - calls.first + 1)
            for effect in EFFECTS:
                found += [Fault(calls.name, effect, str(n))
                          for n in range(calls.first + chance.randrange(step), calls.last + 1, step)]
            for error in ERRORS.get(calls.name, ()):
                found += [Fault(calls.name, f"error={error}", str(n))
                          for n in range(calls.first + chance.randrange(step), calls.last + 1, 4 * step)]
            # A medium that fails as often as it is asked, and one that never works again.
            for n in range(calls.first + chance.randrange(step), calls.last + 1, 4 * step):
                found.append(Fault(calls.name, "error=EIO", f"{n}..{n + 2}"))
                found.append(Fault(calls.name, "error=EIO", f"{n}+"))
                found.append(Fault(calls.name, "error=ENOSPC", f"{n}+"))
        return found

    def try_one(self, fault):
        """What was lost or came back, in words."""
        self._fresh_folder()
        account = Account()
        done = self._run([*fault.strace(self._log), *self.life])
        self.outcomes["killed" if done.returncode < 0 else f"exit {done.returncode}"] += 1
        if "(INJECTED)" not in self._log.read_text(errors="replace") and done.returncode == 0:
            self.outcomes["not reached"] += 1
        account.hear(done.stdout)
        # A process that could not read a segment, however often it tried, goes on without it: what proves that messages
        # are settled may be there. It gets no closing mark, and is reported from then on.
        given_up = fault.call in READING and not fault.when.isdigit()
        account.audit(self.folder, given_up)
        again = self._run(self.life)
        if again.returncode != 0:
            account.complaints.append(f"the next life ended with {again.returncode}: {again.stderr}")
        account.hear(again.stdout)
        account.audit(self.folder, given_up)
        return [f"{fault}: {complaint}" for complaint in account.complaints]

    def _fresh_folder(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()

    @staticmethod
    def _run(command):
        return subprocess.run(command, capture_output=True, text=True, timeout=LIFE_SECONDS, check=False)
