"""The queue on disk while the server is stopped: sternpost spool check, repair, dump, export and import."""

import collections
import json
import os
import shutil
import subprocess

import pytest

from harness import maildir
from harness.injection import Fault
from harness.instance import Instance, binary
from harness.session import Session
from harness.tools import program
from harness.waiting import wait_for

CONTENTS = {
    "alice": b"Subject: one\r\n\r\n.a dot\r\n\xe4 octet\r\n",
    "bob": b"Subject: two\r\n\r\n" + b"x" * 900 + b"\r\n" + b"y" * 500 + b"\r\n",
}


def spool(instance, command, *arguments):
    return instance.run("spool", command, *arguments, "--config", instance.config)


def counter(instance, name):
    """Of the compartment spool."""
    processes = instance.status()["processes"]
    return next(process["counters"][name] for process in processes if process["program"] == "spool")


def held(make_instance, smtp=None, spool=None):
    """An instance that has accepted a message for each of the users, and is stopped."""
    instance = make_instance(smtp={"hold": True, **(smtp or {})}, spool=spool or {}).start()
    for user, content in CONTENTS.items():
        with Session(instance.port) as session:
            code, text = session.deliver("ann@client.example.net", [f"{user}@example.org"], content)
        assert code == 250, text
    instance.stop()
    return instance


def stat_of(folder):
    """What of each file a command that only reads must leave alone."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_uid) for path in folder.iterdir()}


def test_messages_move_to_another_instance_and_are_delivered_as_they_were(make_instance):
    old, new = held(make_instance), make_instance().start()
    new.stop()
    before = stat_of(old.state / "spool")
    out = old.directory / "out"

    checked = spool(old, "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "messages: 2 in the queue" in checked.stdout and "the queue is whole" in checked.stdout
    dumped = spool(old, "dump")
    assert dumped.returncode == 0, dumped.stderr
    assert sum(" message " in line for line in dumped.stdout.splitlines()) == 2, dumped.stdout
    assert "to <alice@example.org>" in dumped.stdout and "a dot" not in dumped.stdout
    exported = spool(old, "export", str(out))
    assert exported.returncode == 0, exported.stdout + exported.stderr
    assert stat_of(old.state / "spool") == before

    envelopes = {path.stem: json.loads(path.read_text()) for path in out.glob("*.envelope")}
    assert len(envelopes) == 2
    for name, envelope in envelopes.items():
        (recipient,) = envelope["recipients"]
        content = CONTENTS[recipient["address"].partition("@")[0]]
        assert (out / f"{name}.eml").read_bytes().endswith(b"\r\n" + content)
        assert envelope["held"] is True and envelope["id"] == name

    again = spool(old, "export", str(out), "--remove")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "messages: 0 in the queue" in spool(old, "check").stdout

    imported = spool(new, "import", str(out))
    assert imported.returncode == 0, imported.stdout + imported.stderr
    second = spool(new, "import", str(out))
    assert second.returncode == 0 and "imported: 0 messages" in second.stdout, second.stdout + second.stderr
    owner = (new.state / "spool").stat()
    assert {(path.stat().st_uid, path.stat().st_gid) for path in (new.state / "spool").iterdir()} == {
        (owner.st_uid, owner.st_gid)}
    if os.geteuid() == 0:
        assert owner.st_uid != 0

    new.start()
    assert [entry["state"] for entry in new.queue()] == ["held", "held"]
    released = new.run("queue", "release", "--held")
    assert released.returncode == 0, released.stderr
    new.wait_queue_empty()
    for user, content in CONTENTS.items():
        files = maildir.files(new.mailbox(user))
        assert len(files) == 1
        assert maildir.parse(files[0], files[0].read_bytes()).content == content

    old.start()
    assert old.queue() == []


MESSAGES = 7  # by hand, to be imported

# An import makes two files and a few groups of the log in one go: it dies at each of their steps.
DEATHS = [Fault("renameat2", "signal=KILL", str(when)) for when in (1, 2, 3, 9, 14)]
DEATHS += [Fault("fsync", "signal=KILL", str(when)) for when in (1, 2, 3, 4)]
DEATHS += [Fault(call, "signal=KILL", "1") for call in ("renameat", "unlinkat")]
DEATHS += [Fault("pwritev2", "signal=KILL", str(when)) for when in (1, 4, 5, 6, 7)]
DEATHS += [Fault("fdatasync", "signal=KILL", str(when)) for when in (6, 7, 8, 9, 10)]


@pytest.fixture(scope="module")
def empty_queue():
    """The files of a queue that a server has made and left, always with as many segments."""
    instance = Instance().start()
    try:
        wait_for(lambda: counter(instance, "spares") == 3, 30, "the spare segments")
        instance.stop()
        yield {path.name: path.read_bytes() for path in (instance.state / "spool").iterdir()}
    finally:
        instance.stop()
        instance.remove()


@pytest.mark.parametrize("death", DEATHS, ids=str)
def test_an_import_that_is_killed_and_run_again_brings_each_message_once(empty_queue, tmp_path, death):
    queue, folder = tmp_path / "queue", tmp_path / "in"
    queue.mkdir()
    folder.mkdir()
    for name, content in empty_queue.items():
        (queue / name).write_bytes(content)
    for number in range(MESSAGES):
        (folder / f"m{number}.eml").write_bytes(b"Subject: %d\r\n\r\n" % number)
        (folder / f"m{number}.envelope").write_text(json.dumps({
            "sternpost_envelope": 1, "reverse_path": f"<s{number}@example.net>", "arrived": "2026-11-21T08:13:32.123456Z",
            "recipients": [{"address": "a@example.org", "state": "open"}]}))
    command = [binary(), "spool", "import", str(folder), "--directory", str(queue)]
    subprocess.run([*death.strace(tmp_path / "strace"), *command], capture_output=True, timeout=60, check=False)
    assert "killed by SIGKILL" in (tmp_path / "strace").read_text(), "it was not met"

    again = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    dumped = subprocess.run([binary(), "spool", "dump", "--directory", str(queue)], capture_output=True, text=True,
                            timeout=60, check=False)
    for number in range(MESSAGES):
        assert dumped.stdout.count(f"from <s{number}@example.net>") == 1, dumped.stdout
    assert all(path.name.endswith(".imported") for path in folder.iterdir() if not path.name.startswith("."))


def test_damage_is_named(make_instance):
    instance = held(make_instance)
    segment = next(path for path in sorted((instance.state / "spool").iterdir()) if b".a dot" in path.read_bytes())
    content = bytearray(segment.read_bytes())
    offset = content.index(b".a dot")
    content[offset] ^= 1
    segment.write_bytes(content)

    checked = instance.run("spool", "check", "--config", instance.config, "--json")
    assert checked.returncode == 1, checked.stdout + checked.stderr
    report = json.loads(checked.stdout)
    assert report["whole"] is False and report["messages"] == 1
    (damage,) = report["damaged"]
    assert damage["file"] == segment.name
    assert damage["offset"] < offset < damage["offset"] + damage["octets"]
    (lost,) = report["lost"]
    assert (lost["id"], lost["sender"], lost["recipients"]) == (
        damage["id"], "<ann@client.example.net>", ["alice@example.org"])
    dumped = spool(instance, "dump", "--id", damage["id"])
    assert dumped.returncode == 0 and " damaged " in dumped.stdout, dumped.stdout

    copy = instance.directory / "copy"
    copy.mkdir()
    for path in (instance.state / "spool").iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert "damaged: " + segment.name in instance.run("spool", "check", "--directory", str(copy)).stdout
    exported = spool(instance, "export", str(instance.directory / "out"))
    assert exported.returncode == 1 and f"not exported {damage['id']}" in exported.stdout, exported.stdout
    assert "\nexported: 1 messages" in exported.stdout, exported.stdout


def damaged(make_instance, **options):
    """A queue of two messages, the first of which cannot be read."""
    instance = held(make_instance, **options)
    segment = next(path for path in sorted((instance.state / "spool").iterdir()) if b".a dot" in path.read_bytes())
    segment.write_bytes(segment.read_bytes().replace(b".a dot", b".A dot"))
    return instance, segment


def test_a_damaged_queue_is_made_whole(make_instance):
    instance, segment = damaged(make_instance)
    evidence = instance.directory / "evidence"
    before = stat_of(instance.state / "spool")
    plan = spool(instance, "repair")
    assert plan.returncode == 1 and f"to do: copy {segment.name}, move" in plan.stdout, plan.stdout + plan.stderr
    assert "nothing was changed" in plan.stderr, plan.stderr
    assert stat_of(instance.state / "spool") == before

    repaired = spool(instance, "repair", "--write", "--keep", str(evidence))
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert repaired.stdout.endswith("\nthe queue is whole\n"), repaired.stdout
    assert (evidence / segment.name).read_bytes() == before[segment.name][0]
    (lost,) = json.loads((evidence / "repair.json").read_text())["lost"]
    assert (lost["sender"], lost["recipients"]) == ("<ann@client.example.net>", ["alice@example.org"])
    assert spool(instance, "check").returncode == 0
    owner = (instance.state / "spool").stat()
    assert {path.stat().st_uid for path in (instance.state / "spool").iterdir()} == {owner.st_uid}

    instance.start()
    (kept,) = instance.queue()
    assert kept["state"] == "held", kept
    assert instance.run("queue", "release", "--held").returncode == 0
    instance.wait_queue_empty()
    (delivered,) = maildir.files(instance.mailbox("bob"))
    assert maildir.parse(delivered, delivered.read_bytes()).content == CONTENTS["bob"]


def test_a_queue_without_one_of_its_files_is_repaired_only_where_that_is_said(make_instance):
    instance, segment = damaged(make_instance)
    segment.unlink()
    evidence = instance.directory / "evidence"
    refused = spool(instance, "repair", "--write", "--keep", str(evidence))
    assert refused.returncode == 1 and "--missing-is-lost" in refused.stderr, refused.stderr
    assert not segment.exists() and not evidence.exists()
    repaired = spool(instance, "repair", "--write", "--keep", str(evidence), "--missing-is-lost")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    instance.start()
    with Session(instance.port) as session:
        code, text = session.deliver("ann@client.example.net", ["bob@example.org"], CONTENTS["bob"])
    assert code == 250, text


STEPS = ("pwritev2", "fdatasync", "fsync", "renameat2", "ftruncate")


@pytest.mark.release_only  # LeakSanitizer cannot look at a traced process
def test_a_repair_that_is_killed_loses_nothing_and_is_finished_by_the_next(make_instance, tmp_path):
    instance, _ = damaged(make_instance, smtp={"max_message": "256 KiB"}, spool={"segment": "1 MiB"})
    queue, log = tmp_path / "queue", tmp_path / "strace"

    def repair(number, *before):
        command = [binary(), "spool", "repair", "--directory", str(queue), "--write", "--keep", str(tmp_path / number)]
        return subprocess.run([*before, *command], capture_output=True, text=True, timeout=120, check=False)

    def again():
        shutil.rmtree(queue, ignore_errors=True)
        shutil.copytree(instance.state / "spool", queue)

    again()
    whole = repair("whole", program("strace"), "--quiet=all", f"--output={log}", f"--trace={','.join(STEPS)}")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    calls = collections.Counter(line.partition("(")[0] for line in log.read_text().splitlines())
    assert min(calls[name] for name in STEPS) > 0, calls
    deaths = [Fault(name, "signal=KILL", str(when)) for name in STEPS for when in range(1, calls[name] + 1)]
    for number, death in enumerate(deaths):
        again()
        repair(f"killed-{number}", *death.strace(log))
        assert "killed by SIGKILL" in log.read_text(), f"{death} was not met"
        finished = repair(f"finished-{number}")
        assert finished.returncode == 0, f"{death}: {finished.stdout}{finished.stderr}"
        checked = instance.run("spool", "check", "--directory", str(queue))
        assert "messages: 1 in the queue" in checked.stdout, f"{death}: {checked.stdout}"
        assert checked.stdout.endswith("the queue is whole\n"), f"{death}: {checked.stdout}"
    shutil.rmtree(queue)


def test_nothing_is_done_beside_a_running_instance(make_instance):
    instance = make_instance().start()
    out = instance.directory / "out"
    out.mkdir()
    for command in (["check"], ["repair"], ["repair", "--write", "--keep", str(out)], ["dump"], ["export", str(out)],
                    ["import", str(out)]):
        for where in (["--config", instance.config], ["--directory", str(instance.state / "spool")]):
            refused = instance.run("spool", *command, *where)
            assert refused.returncode == 1, f"{command} {where}: {refused.stdout}"
            assert "is in use" in refused.stderr and "sternpost stop" in refused.stderr, refused.stderr
    assert list(out.iterdir()) == []

    # spool keeps the folder when master is gone, and another master waits for its end.
    instance.kill_all()
    wait_for(lambda: spool(instance, "check").returncode == 0, 20, "a queue that nobody uses")
    instance.start()
    assert instance.queue() == []
