"""What bench/run and bench/engine read off the kernel: CPU of a process tree, its memory, the disk's flushes, new mail.

CPU comes from a control group of the server's own (version 1 or 2), which also counts processes that ended.
Where none can be made it is summed over /proc: the tree's processes and the children they have waited for.
Memory is the proportional share (PSS), so that pages which processes share count once. Flushes and octets
are the whole disk's: nothing else should be busy meanwhile.
"""

import ctypes
import os
import pathlib
import platform
import select
import struct
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
V1 = pathlib.Path("/sys/fs/cgroup/cpuacct")
V2 = pathlib.Path("/sys/fs/cgroup")


def machine(root):
    """What a reader of the file must know of where it was made."""
    def first(command):
        done = subprocess.run(command, capture_output=True, text=True, cwd=root)
        return done.stdout.strip() if done.returncode == 0 else None
    return {"cores": os.cpu_count(), "kernel": platform.release(),
            "file_system": first(["findmnt", "-no", "FSTYPE,OPTIONS", "-T", str(root)]),
            "commit": first(["git", "describe", "--always", "--dirty"])}


class ControlGroup:
    """An account kept by the kernel."""

    how = "cgroup"

    def __init__(self, name):
        self.path = (V1 if V1.is_dir() else V2) / f"sternpost-bench-{os.getpid()}-{name}"
        self.path.mkdir()

    def enter(self):
        """In the child, before it becomes the server."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def follow(self, pid):
        """The group needs no pid."""

    def pids(self):
        return [int(word) for word in (self.path / "cgroup.procs").read_text().split()]

    def cpu_seconds(self):
        if (self.path / "cpuacct.usage").exists():
            return int((self.path / "cpuacct.usage").read_text()) / 1e9
        fields = dict(line.split() for line in (self.path / "cpu.stat").read_text().splitlines())
        return int(fields["usage_usec"]) / 1e6

    def close(self):
        for _ in range(100):
            try:
                return self.path.rmdir()
            except OSError:
                time.sleep(0.1)  # its last processes are still being buried


class ProcessTree:
    """An account summed over /proc, where no control group can be made."""

    how = "proc"

    def __init__(self, _name):
        self.root = None

    def enter(self):
        """Nothing marks a process: the tree is found by its parents."""

    def follow(self, pid):
        self.root = pid

    @staticmethod
    def stat(pid):
        """The fields of /proc/PID/stat behind the name, or None."""
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None

    def pids(self):
        children = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (fields := self.stat(entry)):
                children.setdefault(int(fields[1]), []).append(int(entry))
        found, queue = [], [self.root]
        while queue:
            pid = queue.pop()
            if self.stat(pid):
                found.append(pid)
                queue += children.get(pid, [])
        return found

    def cpu_seconds(self):
        return sum(sum(map(int, fields[11:15])) for pid in self.pids() if (fields := self.stat(pid))) / TICKS

    def close(self):
        """Nothing was made."""


def make_account(name):
    try:
        return ControlGroup(name)
    except OSError:
        return ProcessTree(name)


def memory_kib(pids):
    """The proportional share of all these processes together, or None where it may not be read."""
    total = 0
    for pid in pids:
        try:
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except PermissionError:
            return None
        except OSError:
            continue  # it ended meanwhile
    return total


class Disk:
    """The counters of the disk that holds a folder."""

    def __init__(self, folder):
        device = os.stat(folder).st_dev
        entry = pathlib.Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve()
        if (entry / "partition").exists():
            entry = entry.parent  # flushes are counted for whole disks only
        self.stat = entry / "stat"

    def read(self):
        """(flushes, KiB written) so far; (None, None) where the kernel does not say."""
        try:
            fields = list(map(int, self.stat.read_text().split()))
        except OSError:
            return None, None
        return (fields[15] if len(fields) > 15 else None), fields[6] / 2


class Arrivals:
    """Counts the files that appear in a folder, by inotify."""

    IN_MOVED_TO, IN_CREATE, IN_Q_OVERFLOW = 0x80, 0x100, 0x4000
    EVENT = struct.Struct("iIII")

    def __init__(self, folder):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0 or libc.inotify_add_watch(self.fd, os.fsencode(folder), self.IN_MOVED_TO | self.IN_CREATE) < 0:
            raise OSError(ctypes.get_errno(), f"inotify on {folder}")
        self.count = 0

    def drain(self):
        while True:
            try:
                data = os.read(self.fd, 1 << 18)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                _, mask, _, length = self.EVENT.unpack_from(data, at)
                if mask & self.IN_Q_OVERFLOW:
                    raise RuntimeError("inotify lost events; raise fs.inotify.max_queued_events")
                self.count += 1
                at += self.EVENT.size + length

    def wait(self, count, seconds):
        """The time when `count` files have appeared, or None when they have not in time."""
        deadline = time.monotonic() + seconds
        while self.count < count:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            select.select([self.fd], [], [], left)
            self.drain()
            if self.count < count:
                time.sleep(0.002)  # take events in batches: waking for each would be load
        return time.monotonic()

    def close(self):
        os.close(self.fd)
