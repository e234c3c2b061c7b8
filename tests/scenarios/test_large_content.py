"""Messages whose content is in a file of its own: whole at every recipient, or held; the file goes with its message."""

import random

import pytest
from harness import fate, maildir
from harness.instance import free_port
from harness.scripted_peer import ScriptedPeer
from harness.session import Session, wire_form
from harness.waiting import wait_for

MIB = 1 << 20
LARGE = {"max_message": "16 MiB"}


def content_of(subject, size=3 * MIB):
    """Lines of all lengths and octets, of which some begin with dots, and one is a dot."""
    octets = random.Random(subject).randbytes(size).translate(bytes.maketrans(b"\r\n\0", b"..x"))
    lines, at = [b".", b"..", b""], 0
    while at < size:
        end = at + 1 + octets[at] * 3
        lines.append(octets[at:end])
        at = end
    return b"Subject: %s\r\n\r\n" % subject.encode() + b"".join(line + b"\r\n" for line in lines)


def content_files(instance):
    return sorted((instance.state / "spool").glob("content-*"))


def content_file(instance, queue_id):
    return instance.state / "spool" / f"content-{queue_id}"


def wait_gone(instance, kept=()):
    """A file is removed soon after its message is finished."""
    wait_for(lambda: content_files(instance) == sorted(kept), 20,
             lambda: f"{content_files(instance)} to go\n{instance.report()}")


def test_every_octet_arrives_in_a_maildir_and_at_a_next_hop(make_instance):
    content = content_of("whole", 8 * MIB)
    with ScriptedPeer() as peer:
        instance = make_instance(smtp={**LARGE, "hold": True}, routes={"peer.example": peer.next_hop}).start()
        queue_id = fate.submit(instance, "alice@example.org", "bob@example.org", "ann@peer.example", content=content)
        assert content_files(instance) == [content_file(instance, queue_id)]
        assert content_file(instance, queue_id).read_bytes().endswith(content)
        assert instance.run("queue", "release", queue_id).returncode == 0
        instance.wait_queue_empty()
        for user in ("alice", "bob"):
            (delivered,) = maildir.read(instance.mailbox(user))
            assert delivered.content == content
            assert delivered.path.read_bytes().endswith(content.replace(b"\r\n", b"\n"))
        (taken,) = peer.taken
        trace, subject, rest = taken.content.partition(b"Subject: ")
        assert trace.startswith(b"Received: ") and subject + rest == content
    wait_gone(instance)


def flip(path):
    octets = bytearray(path.read_bytes())
    octets[len(octets) // 2] ^= 1
    path.write_bytes(octets)


def cut(path):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)


HARMS = {"damaged": flip, "cut": cut, "removed": lambda path: path.unlink()}


def wait_held(instance, queue_id):
    """It is held, and somebody was told why."""
    held = fate.wait_records(instance, queue_id, "held", by="spool")
    assert len(held) == 1 and held[0]["outcome"].startswith("it cannot be read: "), held
    (entry,) = [entry for entry in instance.queue() if entry["id"] == queue_id]
    assert entry["state"] == "held"


@pytest.mark.parametrize("harm", HARMS)
def test_content_that_is_harmed_while_it_waits_is_held_and_never_sent(make_instance, harm):
    port = free_port()  # where nobody listens yet
    instance = make_instance(smtp=LARGE, routes={"peer.example": f"[127.0.0.1]:{port}"}, queue=fate.RETRIES).start()
    contents = {name: content_of(name) for name in ("victim", "other")}
    ids = {name: fate.submit(instance, "ann@peer.example", sender=f"{name}@example.org", content=content)
           for name, content in contents.items()}
    for queue_id in ids.values():
        fate.wait_records(instance, queue_id, "deferred")
    file = content_file(instance, ids["victim"])
    whole = file.read_bytes()
    HARMS[harm](file)
    with ScriptedPeer(port=port) as peer:
        ids["small"] = fate.submit(instance, "ann@peer.example", sender="small@example.org")
        wait_held(instance, ids["victim"])
        for name in ("other", "small"):
            fate.wait_records(instance, ids[name], "delivered")
        assert not any("victim@" in line for line in peer.said), "nothing was begun of it"
        (large,) = [message.content for message in peer.taken if "other@" in message.mail]
        assert large.endswith(b"\r\n" + contents["other"])

        # Where the file is made good, the message goes its way.
        file.write_bytes(whole)
        file.chmod(0o644)
        assert instance.run("queue", "release", ids["victim"]).returncode == 0
        instance.wait_queue_empty()
        (mended,) = [message.content for message in peer.taken if "victim@" in message.mail]
        assert mended.endswith(b"\r\n" + contents["victim"])
    wait_gone(instance)


@pytest.mark.parametrize("harm", HARMS)
def test_content_that_is_harmed_is_not_delivered_to_a_maildir(make_instance, harm):
    instance = make_instance(smtp={**LARGE, "hold": True}).start()
    contents = {name: content_of(name) for name in ("victim", "other")}
    ids = {name: fate.submit(instance, "alice@example.org", "bob@example.org", content=content)
           for name, content in contents.items()}
    HARMS[harm](content_file(instance, ids["victim"]))
    assert instance.run("queue", "release", "--held").returncode == 0
    wait_for(lambda: len(fate.records(instance, ids["victim"], "held", by="spool")) == 1, 30, instance.report)
    fate.wait_records(instance, ids["other"], "delivered", by="virtual", number=2)
    for user in ("alice", "bob"):
        assert [delivered.content for delivered in maildir.read(instance.mailbox(user))] == [contents["other"]]
        assert not maildir.leftovers(instance.mailbox(user))
    wait_held(instance, ids["victim"])


def test_content_of_a_message_that_was_not_finished_is_removed_at_the_next_start(make_instance):
    instance = make_instance(smtp={**LARGE, "hold": True}).start()
    queue_id = fate.submit(instance, "alice@example.org", content=content_of("kept"))
    kept = content_file(instance, queue_id)
    with Session(instance.port) as session:
        session.begin("ann@client.example.net", ["alice@example.org"])
        assert session.docmd("DATA")[0] == 354
        session.send(wire_form(content_of("half"))[:2 * MIB])
        wait_for(lambda: len(content_files(instance)) == 2, 20, instance.report)
        instance.kill_all()
    assert len(content_files(instance)) == 2
    instance.start()
    wait_gone(instance, [kept])
    wait_for(lambda: any(record["decision"] == "recovered" and record["facts"].get("orphans") == "1"
                         for record in instance.history(killed=True)), 20, instance.report)
    assert instance.run("queue", "release", queue_id).returncode == 0
    instance.wait_queue_empty()
    (delivered,) = maildir.read(instance.mailbox("alice"))
    assert delivered.content == content_of("kept")
    wait_gone(instance)
