"""A disk that logs every write and every flush, so that each state in which a power cut may leave it can be made.

qemu-nbd writes the log (blklogwrites, the format of dm-log-writes), nbdfuse makes a file of it, a loop device a disk.
"""

import os
import random
import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.tools import program
from harness.waiting import wait_for

_MAGIC = 0x6A736677736872
_SECTOR = 512
_FLUSH, _FUA, _DISCARD = 1, 2, 4
START_SECONDS = 20


@dataclass(frozen=True)
class Entry:
    """One write, or a flush alone. `end` is the log's length with it, `at` where its bytes are in the log."""

    sector: int
    count: int
    flags: int
    at: int
    end: int

    @property
    def flushes(self):
        """Whether what was written before it is durable now."""
        return bool(self.flags & _FLUSH)

    @property
    def may_be_dropped(self):
        """Whether a power cut may lose it where no flush came behind it."""
        return not self.flags & (_FLUSH | _FUA)


def entries(path):
    """All that the log holds, in order."""
    found = []
    with open(path, "rb") as log:
        magic, _, count, sector_size = struct.unpack("<QQQI", log.read(28))
        assert magic == _MAGIC and sector_size == _SECTOR, f"{path} is no write log"
        position = _SECTOR
        for _ in range(count):
            log.seek(position)
            sector, sectors, flags, _ = struct.unpack("<QQQQ", log.read(32))
            at = position + _SECTOR
            position = at + (0 if flags & _DISCARD else sectors * _SECTOR)
            found.append(Entry(sector, sectors, flags, at, position))
    return found


class Replay:
    """Makes the disk anew from a log, in an image, entry by entry."""

    def __init__(self, log, image, size):
        self._log = open(log, "rb")
        self.image = Path(image)
        self._image = open(image, "w+b")
        self._image.truncate(size)

    def apply(self, entry):
        self._write(self._image, entry)
        self._image.flush()

    def copy_with(self, some, path):
        """A copy of what is applied so far, in a file of its own, with these entries besides."""
        subprocess.run(["cp", "--sparse=auto", self.image, path], check=True, timeout=60)
        with open(path, "r+b") as image:
            for entry in some:
                self._write(image, entry)

    def _write(self, image, entry):
        image.seek(entry.sector * _SECTOR)
        if entry.flags & _DISCARD:
            image.write(bytes(entry.count * _SECTOR))
        elif entry.count:
            self._log.seek(entry.at)
            image.write(self._log.read(entry.count * _SECTOR))

    def close(self):
        self._log.close()
        self._image.close()


def some_of(unflushed, chance):
    """A random choice of the writes since the last flush, in order: what a disk may have done when it died."""
    share = chance.random()
    return [entry for entry in unflushed if not entry.may_be_dropped or chance.random() < share]


class LoggedDisk:
    """`device` is a loop device of `size` bytes; what is written to it is in `log`, too."""

    def __init__(self, size):
        tools = {name: program(name) for name in ("qemu-nbd", "nbdfuse", "fusermount3", "losetup")}
        if not Path("/dev/fuse").exists():
            pytest.skip("no FUSE here")
        self._fusermount, self._losetup = tools["fusermount3"], tools["losetup"]
        self.directory = Path(tempfile.mkdtemp(prefix="sternpost-log-", dir=os.environ.get(
            "STERNPOST_TEST_DIR", "/var/tmp")))
        self.directory.chmod(0o755)
        self.size, self.log = size, self.directory / "log"
        self.device = None
        self._servers, self._disk = [], self.directory / "disk"
        try:
            self._start(tools["qemu-nbd"], tools["nbdfuse"])
        except BaseException:
            self.remove()
            raise

    def _start(self, qemu_nbd, nbdfuse):
        medium, socket = self.directory / "medium", self.directory / "socket"
        for path in (medium, self.log, self._disk):
            path.touch()
        os.truncate(medium, self.size)
        image = (f"driver=blklogwrites,file.driver=file,file.filename={medium},"
                 f"log.driver=file,log.filename={self.log}")
        self._serve([qemu_nbd, "--persistent", f"--socket={socket}", "--image-opts", image], socket.exists)
        self._serve([nbdfuse, self._disk, "--unix", socket], lambda: self._disk.stat().st_size == self.size)
        done = subprocess.run([self._losetup, "--find", "--show", self._disk], capture_output=True, text=True,
                              timeout=20, check=False)
        if done.returncode != 0:
            pytest.skip(f"no loop device here: {done.stderr.strip()}")
        self.device = done.stdout.strip()

    def _serve(self, command, ready):
        with open(self.directory / "said", "ab") as said:
            server = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=said,
                                      stderr=said)
        self._servers.append(server)
        wait_for(lambda: server.poll() is not None or ready(), START_SECONDS, f"{command[0]}")
        assert server.poll() is None, (self.directory / "said").read_text()

    def length(self):
        """How long the log is now: every entry that ends by then was written before."""
        return self.log.stat().st_size

    def close(self):
        """Ends the device and its servers; the log stays until remove()."""
        if self.device:
            subprocess.run([self._losetup, "--detach", self.device], check=False, timeout=20)
            self.device = None
        if len(self._servers) == 2:
            subprocess.run([self._fusermount, "-u", self._disk], check=False, capture_output=True, timeout=20)
        for server in reversed(self._servers):
            server.terminate()
            server.wait(20)
        self._servers = []

    def remove(self):
        self.close()
        shutil.rmtree(self.directory)
