"""File systems in images, mounted through loop devices, whose power can be cut, or that become read-only."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness.tools import program
from harness.waiting import wait_for

# EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN: from now on nothing reaches the disk; the log is not flushed either.
_SHUTDOWN = 0x8004587D
_WITHOUT_LOG_FLUSH = (2).to_bytes(4, "little")

# Without work that the kernel would finish after the mount.
MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
}
SIZE = 512 << 20  # sparse; xfs wants 300 MiB at least
RELEASE_SECONDS = 20


def _run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, check=False)


def make(kind, place):
    """Makes one on an image or a device; a visible skip where the tool is not installed."""
    tool, *options = MAKE[kind]
    done = _run(program(tool), *options, place)
    assert done.returncode == 0, done.stderr


def mount(source, folder, *options):
    """What mount said against it; empty where it is mounted."""
    done = _run("mount", *options, source, folder)
    return done.stderr.strip() if done.returncode != 0 else ""


def unmount(folder):
    done = _run("umount", folder)
    assert done.returncode == 0, done.stderr


def forget(folder):
    """Ends a mount that a run left when it was broken off; the last user of it may be there still."""
    if os.path.ismount(folder):
        _run("umount", "--lazy", folder)


def shut_down(folder):
    """From this call on, the file system is as after a power cut: what was not synced is lost."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, _SHUTDOWN, _WITHOUT_LOG_FLUSH)
    finally:
        os.close(descriptor)


class FileSystem:
    """One file system in an image of its own, mounted at `folder`."""

    def __init__(self, kind):
        self.directory = Path(tempfile.mkdtemp(prefix="sternpost-disk-", dir=os.environ.get(
            "STERNPOST_TEST_DIR", "/var/tmp")))
        self.directory.chmod(0o755)
        self.kind, self.image, self.folder = kind, self.directory / "image", self.directory / "mnt"
        self.folder.mkdir()
        try:
            with open(self.image, "wb") as image:
                image.truncate(SIZE)
            make(kind, self.image)
            refused = self._mount()
            if refused:
                pytest.skip(f"no {kind} through a loop device here: {refused}")
            self.folder.chmod(0o755)
        except BaseException:
            self.remove()
            raise

    def _mount(self):
        return mount(self.image, self.folder, "-o", "loop,errors=remount-ro" if self.kind == "ext4" else "loop")

    def cut_power(self):
        shut_down(self.folder)

    def become_read_only(self):
        """As ext4 makes itself where it meets an error: writes fail with EROFS, and only a new mount ends it."""
        refused = mount(self.image, self.folder, "-o", "remount,abort")
        assert not refused, refused

    def restart(self):
        """As the next boot does: mounts it anew, whereby the journal is replayed. Nobody may use it."""
        self._unmount()
        refused = self._mount()
        assert not refused, refused

    def _unmount(self):
        unmount(self.folder)
        # The loop device goes with the last user of what was mounted; before that, mount would find it again.
        wait_for(lambda: not _run("losetup", "--associated", self.image).stdout, RELEASE_SECONDS,
                 "the end of the loop device")

    def remove(self):
        try:
            if os.path.ismount(self.folder):
                self._unmount()
        finally:
            forget(self.folder)
            shutil.rmtree(self.directory, ignore_errors=True)
