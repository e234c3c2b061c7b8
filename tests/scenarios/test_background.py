"""`sternpost start` without --foreground: it returns when the server is ready, and says why where it is not."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from harness import maildir, proc
from harness.instance import binary
from harness.session import Session
from harness.waiting import wait_for

CONTENT = b"Subject: background\r\n\r\nsome text\r\n"


def start(instance, **popen):
    """Runs the command to its end: that of its output too, which a server left behind must not hold open."""
    return subprocess.run(
        [binary(), "start", "--config", instance.config, "--state", instance.state], capture_output=True,
        text=True, timeout=60, stdin=subprocess.DEVNULL, check=False, **popen)


def master_of(instance):
    return next(p["pid"] for p in instance.status()["processes"] if p["program"] == "master")


@pytest.fixture
def stopped(make_instance):
    """An instance that is not started; whatever of it runs in the end is stopped."""
    instance = make_instance()
    yield instance
    if instance.run("status").returncode == 0:
        processes = proc.tree(master_of(instance))
        assert instance.run("stop").returncode == 0
        instance.wait_gone(processes, seconds=40)


def test_it_returns_when_the_server_serves_and_leaves_it_behind(stopped):
    done = start(stopped)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sternpost: ready on 127.0.0.1:") and str(stopped.state) in done.stdout
    assert done.stderr == ""
    with Session(stopped.port) as session:  # at once: it was ready
        assert session.deliver("a@client.example.net", ["alice@example.org"], CONTENT)[0] == 250
    wait_for(lambda: maildir.count(stopped.mailbox("alice")) == 1, 20, lambda: stopped.report())


def test_what_is_left_behind_has_no_terminal_and_nothing_of_its_starter(stopped, tmp_path):
    with open(tmp_path / "mine", "w", encoding="ascii") as mine:
        done = start(stopped, cwd=tmp_path, pass_fds=(mine.fileno(),))
    assert done.returncode == 0, done.stderr
    pid = master_of(stopped)
    assert os.getsid(pid) == pid != os.getsid(0)
    open_files = proc.descriptors(pid)
    assert open_files[0] == "/dev/null"
    assert open_files[1] == open_files[2] and open_files[1].startswith("/memfd:sternpost-output")
    assert not os.path.exists(f"/proc/{pid}/cwd/mine")
    assert str(tmp_path / "mine") not in open_files.values()
    for process in proc.tree(pid):
        assert str(tmp_path / "mine") not in proc.descriptors(process.pid).values(), process


def test_a_wrong_configuration_ends_with_2_and_the_errors(stopped):
    stopped.write_config("setup = \"internet-site\"\nhostnaem = \"a.example\"\n")
    done = start(stopped)
    assert done.returncode == 2 and done.stdout == ""
    assert f"{stopped.config}:2" in done.stderr and "hostname" in done.stderr


def test_a_port_that_is_taken_ends_with_1_and_names_it(stopped):
    with socket.socket() as other:
        other.bind(("127.0.0.1", stopped.port))
        other.listen()
        done = start(stopped)
    assert done.returncode == 1 and done.stdout == ""
    assert f"127.0.0.1:{stopped.port}" in done.stderr and "in use" in done.stderr.lower()


def test_a_second_one_with_the_same_state_is_refused_and_leaves_the_first_alone(stopped):
    assert start(stopped).returncode == 0
    pid = master_of(stopped)
    again = start(stopped)
    assert again.returncode == 1 and str(stopped.state) in again.stderr
    assert master_of(stopped) == pid


def test_it_reloads_and_stops_by_signals(stopped):
    assert start(stopped).returncode == 0
    pid = master_of(stopped)
    processes = proc.tree(pid)
    os.kill(pid, signal.SIGHUP)
    wait_for(lambda: any(p["generation"] == 2 for p in stopped.status()["processes"]), 30, stopped.report)
    os.kill(pid, signal.SIGTERM)
    stopped.wait_gone(processes, seconds=40)
    assert not Path(f"/proc/{pid}").exists() or not proc.alive(processes[0])
