"""System calls that do nothing, fail, or end their caller: strace injects that."""

from dataclasses import dataclass

from harness.tools import program

_SYNCS = "fsync,fdatasync,syncfs,sync_file_range,sync,msync"


def without_syncs():
    """What to put before a command so that nothing that it or its children sync is synced, though they are told so."""
    return [program("strace"), "--follow-forks", "--quiet=all", "--output=/dev/null", f"--trace={_SYNCS}",
            f"--inject={_SYNCS}:retval=0"]


@dataclass(frozen=True)
class Fault:
    """`effect` is "signal=KILL" or "error=EIO"; `when` counts calls of this name: "7", "7..9", "7+"."""

    call: str
    effect: str
    when: str

    def strace(self, log, quiet="all"):
        """The beginning of a command line; what is behind it is a command, or options that attach."""
        return [program("strace"), f"--quiet={quiet}", f"--output={log}", f"--trace={self.call}",
                f"--inject={self.call}:{self.effect}:when={self.when}"]

    def __str__(self):
        return f"{self.call}:{self.effect}:when={self.when}"
