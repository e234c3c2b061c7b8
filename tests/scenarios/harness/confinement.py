"""What each compartment may and may not do: written down here, beside the plan and docs/architecture.md."""

from dataclasses import dataclass

from harness.debugger import sockaddr_in

AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET = 1, 2, 3, 5
MSG_FASTOPEN = 0x20000000
AT_FDCWD = -100
O_WRONLY, O_CREAT = 1, 0o100
SIGCHLD = 17
EPERM, ENOENT, EACCES, ENOSYS = 1, 2, 13, 38

# The answers that count as forbidden by the filter, and by the view of the file system.
BY_FILTER = (-EPERM,)
BY_VIEW = (-EPERM, -ENOENT, -EACCES)


@dataclass(frozen=True)
class Row:
    """A compartment's row, as far as it can be tried from outside."""

    folder: str = ""  # below the state directory; the only files it can reach
    reads_passwd: bool = False
    starts_processes: bool = False
    starts_threads: bool = False  # the filter denies that there is a clone3, whose flags it cannot see
    makes_sockets: bool = False
    asks_dns: bool = False  # datagrams to anywhere, TCP to port 53
    connects: bool = False  # TCP to port 25 and those of the next hops, from any port
    root: str = "empty"
    uid: str = "own"
    # Descriptors beyond channels and the loop: what the links may begin with.
    listens: bool = False

    @property
    def network(self):
        """What the plan's cell says, where the row listens nowhere."""
        if self.asks_dns:
            return "DNS only"
        return "outbound" if self.connects else "none"

    @property
    def files(self):
        """What the plan's cell has to name."""
        if self.asks_dns:
            return "the trust anchor, read only"
        return "/etc" if self.reads_passwd else self.folder or "none"


ROWS = {
    "master": Row(starts_processes=True, makes_sockets=True, uid="root", listens=True),
    "smtpd": Row(listens=True),
    "spool": Row(folder="spool", starts_threads=True),
    "qmgr": Row(),
    "router": Row(),
    "users": Row(reads_passwd=True, root="/"),
    "virtual": Row(folder="mail"),
    "log": Row(folder="log"),
    "admin": Row(listens=True),
    "dns": Row(asks_dns=True),
    "smtp": Row(connects=True),
    "bounce": Row(),
}

# Short-lived, so that it stands apart from the rows that always run.
CONFIG = Row()

# (what, call, arguments): denied everywhere, master included.
NEVER = (
    ("ptrace", "ptrace", (16, 1, 0, 0)),
    ("bpf", "bpf", (0, 0, 0)),
    ("io_uring_setup", "io_uring_setup", (1, bytes(120))),
    ("userfaultfd", "userfaultfd", (0,)),
    ("keyctl", "keyctl", (0, 0, 0)),
    ("process_vm_readv", "process_vm_readv", (1, 0, 0, 0, 0, 0)),
)

_OPENS = (
    ("openat /etc/passwd", "openat", (AT_FDCWD, b"/etc/passwd\0", 0, 0)),
    ("openat ../etc/passwd", "openat", (AT_FDCWD, b"../../../../etc/passwd\0", 0, 0)),
    ("open /etc/passwd", "open", (b"/etc/passwd\0", 0, 0)),
)

_OPENS_OF_OTHERS = (
    ("openat /etc/shadow", "openat", (AT_FDCWD, b"/etc/shadow\0", 0, 0)),
    ("openat /etc/passwd for writing", "openat", (AT_FDCWD, b"/etc/passwd\0", O_WRONLY, 0)),
    ("openat a new file in /tmp", "openat", (AT_FDCWD, b"/tmp/sternpost-probe\0", O_WRONLY | O_CREAT, 0o600)),
    ("openat /proc/1/environ", "openat", (AT_FDCWD, b"/proc/1/environ\0", 0, 0)),
)

_SOCKETS = (
    ("socket AF_INET", "socket", (AF_INET, SOCK_STREAM, 0)),
    ("socket AF_INET6", "socket", (AF_INET6, SOCK_STREAM, 0)),
    ("socket AF_INET, datagrams", "socket", (AF_INET, SOCK_DGRAM, 0)),
    ("socket AF_UNIX", "socket", (AF_UNIX, SOCK_STREAM, 0)),
    ("socket AF_NETLINK", "socket", (AF_NETLINK, SOCK_DGRAM, 0)),
    # The filter judges before the kernel looks at the descriptor: EBADF would mean that it let the call pass.
    ("connect", "connect", (-1, sockaddr_in("127.0.0.1", 25), 16)),
    ("bind", "bind", (-1, sockaddr_in("127.0.0.1", 25), 16)),
)

# The same for dns and smtp, which make sockets of the two families and no others.
_SOCKETS_BEYOND_THE_INTERNET = (
    ("socket AF_INET, raw", "socket", (AF_INET, SOCK_RAW, 17)),
    ("socket AF_INET, packets", "socket", (AF_INET, SOCK_SEQPACKET, 132)),
    # Streams that Landlock does not count among those of TCP: MPTCP, SCTP.
    ("socket AF_INET, MPTCP", "socket", (AF_INET, SOCK_STREAM, 262)),
    ("socket AF_INET6, SCTP", "socket", (AF_INET6, SOCK_STREAM, 132)),
    ("socket AF_UNIX", "socket", (AF_UNIX, SOCK_STREAM, 0)),
    ("socket AF_NETLINK", "socket", (AF_NETLINK, SOCK_DGRAM, 0)),
    ("listen", "listen", (-1, 1)),
    ("accept4", "accept4", (-1, 0, 0, 0)),
    ("shutdown", "shutdown", (-1, 2)),
    ("sendto with Fast Open", "sendto", (-1, b"x", 1, MSG_FASTOPEN, sockaddr_in("127.0.0.1", 25), 16)),
)

_STREAMS = (
    ("socket AF_INET", "socket", (AF_INET, SOCK_STREAM, 0)),
    ("socket AF_INET6", "socket", (AF_INET6, SOCK_STREAM, 0)),
)
_DATAGRAMS = (("socket AF_INET, datagrams", "socket", (AF_INET, SOCK_DGRAM, 0)),)

_PROCESSES = (
    ("fork", "fork", ()),
    ("vfork", "vfork", ()),
    ("clone", "clone", (SIGCHLD, 0, 0, 0, 0)),
    ("execve", "execve", (b"/bin/true\0", 0, 0)),
    ("execveat", "execveat", (AT_FDCWD, b"/bin/true\0", 0, 0, 0)),
)

# Ways back to root.
_PRIVILEGES = (
    ("setuid 0", "setuid", (0,)),
    ("chroot", "chroot", (b"/\0",)),
)


@dataclass(frozen=True)
class Probe:
    """One call to be made. `allowed` is None where it must succeed, else the answers that are right."""

    what: str
    call: str
    arguments: tuple
    allowed: tuple | None


def probes_of(row):
    """Everything that is tried in a compartment with this row."""
    probes = [Probe(*probe, BY_FILTER) for probe in NEVER]
    for what, call, arguments in _OPENS:
        probes.append(Probe(what, call, arguments, None if row.reads_passwd else BY_VIEW))
    probes += [Probe(*probe, BY_VIEW) for probe in _OPENS_OF_OTHERS]
    if row.asks_dns or row.connects:
        probes += [Probe(*probe, BY_FILTER) for probe in _SOCKETS_BEYOND_THE_INTERNET]
        probes += [Probe(*probe, None) for probe in _STREAMS]
        probes += [Probe(*probe, None if row.asks_dns else BY_FILTER) for probe in _DATAGRAMS]
    elif not row.makes_sockets:
        probes += [Probe(*probe, BY_FILTER) for probe in _SOCKETS]
    if not row.starts_processes:
        probes += [Probe(*probe, BY_FILTER) for probe in _PROCESSES]
        denied = (-ENOSYS,) if row.starts_threads else BY_FILTER
        probes.append(Probe("clone3", "clone3", (bytes(64), 64), denied))
    if row.uid != "root":
        probes += [Probe(*probe, BY_FILTER) for probe in _PRIVILEGES]
    return probes
