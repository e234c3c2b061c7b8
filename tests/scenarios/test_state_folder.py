"""`--state DIR` puts every path below DIR: all that an instance changes is traced from its start."""

import os
import re
import shutil
import signal
import subprocess

import pytest
from harness import maildir, tools
from harness.instance import binary
from harness.session import Session
from harness.waiting import wait_for

CONTENT = b"Subject: traced\r\n\r\nsome text\r\n"
# Every call by which something in the file system can be made, changed or removed by its name.
CHANGES = ("creat", "mkdir", "mkdirat", "mknod", "mknodat", "rmdir", "unlink", "unlinkat", "rename", "renameat",
           "renameat2", "link", "linkat", "symlink", "symlinkat", "truncate", "chmod", "fchmodat", "chown",
           "lchown", "fchownat", "setxattr", "bind")
OPENS = ("open", "openat", "openat2")
_CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += \d")
_PLACES = re.compile(r'(?:\d+|AT_FDCWD)<([^>]*)>, "([^"]*)"|"([^"]*)"')


def changed(trace):
    """The paths that were changed or opened for writing, in order, each with its call."""
    found = []
    for line in trace.read_text(errors="replace").splitlines():
        match = _CALL.match(line)
        if not match:
            continue
        call, arguments = match.groups()
        if call in OPENS and not re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", arguments):
            continue
        if call == "bind" and "sun_path=\"" not in arguments:
            continue
        if call in CHANGES or call in OPENS:
            for folder, name, path in _PLACES.findall(arguments):
                found.append((call, os.path.normpath(path or os.path.join(folder, name))))
    return found


def nameless(changes):
    """Folders that were made and removed again: the empty root directory."""
    made = {path for call, path in changes if call == "mkdir"}
    return {path for call, path in changes if call == "rmdir"} & made


@pytest.fixture
def traced(make_instance):
    """An instance that was started, reloaded, used and stopped under strace: (instance, the trace)."""
    strace = tools.program("strace")
    instance = make_instance()
    trace = instance.directory / "trace"
    calls = ",".join(f"?{call}" for call in (*CHANGES, *OPENS))
    process = subprocess.Popen(
        [strace, "--follow-forks", "--decode-fds=path", "--quiet=all", f"--output={trace}", f"--trace={calls}",
         "--string-limit=4096", binary(), "start", "--foreground", "--config", instance.config, "--state",
         instance.state], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said = process.stdout.readline()
        assert "ready" in said, said + process.stdout.read()
        with Session(instance.port) as session:
            assert session.deliver("a@client.example.net", ["alice@example.org"], CONTENT)[0] == 250
        wait_for(lambda: maildir.count(instance.mailbox("alice")) == 1, 30, "the delivery")
        assert instance.run("reload", timeout=60).returncode == 0
        assert instance.run("stop", timeout=60).returncode == 0
        assert process.wait(60) == 0
        yield instance, trace
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        process.stdout.close()


def test_nothing_is_written_but_below_the_state_folder(traced):
    instance, trace = traced
    changes = changed(trace)
    # Its error output is opened anew, for writing alone.
    allowed = nameless(changes) | {"/dev/null", "/proc/self/fd/2"}
    below = str(instance.state) + "/"
    outside = sorted({(call, path) for call, path in changes
                      if not (path + "/").startswith(below) and path not in allowed})
    assert not outside, f"changed outside of {below}: {outside}"
    for folder in ("spool/", "log/", "run/control", "mail/alice/new"):
        assert any(path.startswith(below + folder) for _, path in changes), f"the trace shows nothing of {folder}"


def test_the_folder_can_be_deleted_as_a_whole(traced):
    instance, _ = traced
    shutil.rmtree(instance.state)
    assert not instance.state.exists()
