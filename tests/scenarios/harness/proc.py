"""What /proc says of processes, as the tests need it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process of an instance: `name` is that of its program, the compartment's."""

    pid: int
    name: str
    born: int  # clock ticks since boot: with the pid, one process for good


def _stat(pid):
    """(parent, state, start time, program), or None where the process is gone.

    The program is the kernel's short name: /proc/PID/exe is closed to an ordinary user who forbade dumps.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    before, _, after = text.rpartition(")")
    fields = after.split()
    return int(fields[1]), fields[0], int(fields[19]), before.partition("(")[2]


def alive(process):
    """Whether that very process still runs (a zombie does not, unless a thread of it has not ended yet)."""
    stat = _stat(process.pid)
    if stat is None or stat[2] != process.born:
        return False
    return stat[1] not in "ZX" or _threads(process.pid) > 1


def _threads(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except (FileNotFoundError, ProcessLookupError):
        return 0


def tree(root):
    """The process `root` and all below it that run, as a list of Process."""
    children = {}
    stats = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            stat = _stat(int(entry))
            if stat and stat[1] not in "ZX":
                stats[int(entry)] = stat
                children.setdefault(stat[0], []).append(int(entry))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        if pid in stats:
            found.append(Process(pid, stats[pid][3], stats[pid][2]))
        todo.extend(children.get(pid, []))
    return found


def status(pid):
    """/proc/PID/status as a dictionary of strings."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict((part.strip() for part in line.split(":", 1)) for line in lines)


def limits(pid):
    """/proc/PID/limits: name -> (soft, hard), as text."""
    found = {}
    for line in Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]:
        match = re.match(r"(.+?)\s{2,}(\S+)\s+(\S+)", line)
        if match:
            found[match[1]] = (match[2], match[3])
    return found


def descriptors(pid):
    """Open descriptors: number -> what the link says."""
    found = {}
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(entry)] = os.readlink(f"/proc/{pid}/fd/{entry}")
        except FileNotFoundError:
            pass
    return found


def frozen(process):
    """Whether it stands still after SIGSTOP."""
    stat = _stat(process.pid)
    return stat is not None and stat[1] == "T" and stat[2] == process.born


def children(pid):
    """The processes that `pid` has started, in one cheap look."""
    try:
        numbers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    found = []
    for number in map(int, numbers):
        stat = _stat(number)
        if stat:
            found.append(Process(number, stat[3], stat[2]))
    return found


def sockets(pid):
    """The inode numbers of its sockets."""
    return {int(target[8:-1]) for target in descriptors(pid).values() if target.startswith("socket:[")}


def client_ports(pid, port):
    """The ports of the clients whose connections to 127.0.0.1:`port` this process holds."""
    held = sockets(pid)
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote = (int(end.partition(":")[2], 16) for end in fields[1:3])
        if local == port and remote and int(fields[9]) in held:
            found.append(remote)
    return sorted(found)


def threads(pid):
    return [int(entry) for entry in os.listdir(f"/proc/{pid}/task")]
