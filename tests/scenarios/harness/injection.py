"""System calls that do nothing, fail, or end their caller: strace injects that, and libeatmydata the first."""

import contextlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.tools import program

_SYNCS = "fsync,fdatasync,syncfs,sync_file_range,sync,msync"


def without_syncs():
    """What to put before a command so that nothing that it or its children sync is synced, though they are told so."""
    return [program("strace"), "--follow-forks", "--quiet=all", "--output=/dev/null", f"--trace={_SYNCS}",
            f"--inject={_SYNCS}:retval=0"]


def under_eatmydata():
    """The same by libeatmydata, whose functions stand in for those that sync. Needs root.

    Compartments inherit no environment, so LD_PRELOAD would not reach them: an /etc of the command's own names it.
    """
    library = next(Path("/usr/lib").glob("*/libeatmydata.so"), None)
    if library is None:
        pytest.skip("no libeatmydata here: scripts/setup check installs it")
    preload = (f"mount -t tmpfs tmpfs /mnt && echo {library} >/mnt/ld.so.preload && "
               'mount -t overlay overlay -o lowerdir=/mnt:/etc /etc && umount /mnt && exec "$@"')
    launcher = [program("unshare"), "--mount", "/bin/sh", "-c", preload, "sh"]
    tried = subprocess.run([*launcher, "true"], capture_output=True, text=True, timeout=20, check=False)
    if tried.returncode != 0:
        pytest.skip(f"no /etc of one's own here: {tried.stderr.strip()}")
    return launcher


@dataclass(frozen=True)
class Fault:
    """`effect` is "signal=KILL" or "error=EIO"; `when` counts calls of this name: "7", "7..9", "7+".

    `call` may be some names with commas between them.
    """

    call: str
    effect: str
    when: str

    def strace(self, log, quiet="all"):
        """The beginning of a command line; what is behind it is a command, or options that attach."""
        return [program("strace"), f"--quiet={quiet}", f"--output={log}", f"--trace={self.call}",
                f"--inject={self.call}:{self.effect}:when={self.when}"]

    def __str__(self):
        return f"{self.call}:{self.effect}:when={self.when}"


@contextlib.contextmanager
def injected(fault, process, log):
    """Lets the calls of a running process meet `fault`, until the end of the block; what was met is in `log`."""
    log.write_text("")
    strace = subprocess.Popen([*fault.strace(log, quiet="exit"), f"--attach={process.pid}"],
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert "attached" in strace.stderr.readline(), f"strace did not attach to {process}"
        yield
    finally:
        strace.terminate()
        strace.communicate(timeout=20)
