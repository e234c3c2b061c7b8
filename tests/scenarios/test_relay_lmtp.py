"""Mail is handed to Dovecot by LMTP, by TCP and at a Unix-domain socket, and each recipient has his own answer."""

import re

import pytest
from harness import fate, notices
from harness.instance import Instance
from harness.mail_servers import Dovecot
from harness.scripted_peer import CLOSE, ScriptedPeer
from harness.waiting import wait_for

pytestmark = pytest.mark.release_only

CONTENT = b"Subject: hello\r\n\r\n.a dot\r\n" + b"x" * 60 + b"\r\n.\r\n"


@pytest.fixture(scope="module")
def dovecot():
    with Dovecot() as made:
        yield made


@pytest.fixture(scope="module")
def instance(dovecot):
    routes = {"tcp.example": f"lmtp:{dovecot.next_hop}", "unix.example": f"lmtp:unix:{dovecot.path}",
              "gone.example": f"lmtp:unix:{dovecot.folder}/no-such-socket"}
    # Dovecot syncs before it answers. Given up while it does, it has the message, and is handed it once more.
    made = Instance(routes=routes, queue=fate.RETRIES)
    try:
        yield made.start()
    finally:
        made.remove()


def delivered(dovecot, user, before):
    (message,) = [text for text in dovecot.messages(user) if text not in before]
    return message


@pytest.mark.root_only
@pytest.mark.parametrize("domain", ["tcp.example", "unix.example"])
def test_mail_arrives_whole(instance, dovecot, domain):
    before = dovecot.messages("ann")
    queue_id = fate.submit(instance, f"ann@{domain}", content=CONTENT)
    (record,) = fate.wait_records(instance, queue_id, "delivered")
    message = delivered(dovecot, "ann", before)
    assert message.endswith(CONTENT.replace(b"\r\n", b"\n"))
    assert b"Return-Path: <alice@example.org>\n" in message
    assert "Saved" in record["outcome"] and record["facts"]["host"] in ("[127.0.0.1]", str(dovecot.path))
    assert record["facts"]["site"].startswith("lmtp ")


@pytest.mark.root_only
@pytest.mark.parametrize("domain", ["tcp.example", "unix.example"])
def test_each_recipient_has_his_own_answer(instance, dovecot, domain):
    """One is unknown at RCPT, one is full after the content, and the others have their mail."""
    before = {user: dovecot.messages(user) for user in ("ann", "ben")}
    queue_id = fate.submit(instance, *[f"{user}@{domain}" for user in ("ann", "nobody", "full", "ben")],
                           content=CONTENT, sender=f"alice+{domain}@example.org")
    assert len(fate.wait_records(instance, queue_id, "delivered", number=2)) == 2
    failed = {record["recipient"]: record["outcome"] for record in
              fate.wait_records(instance, queue_id, "failed", number=2)}
    assert failed[f"nobody@{domain}"].startswith("550 5.1.1 ")
    assert failed[f"full@{domain}"].startswith("552 5.2.2 ")
    for user, messages in before.items():
        delivered(dovecot, user, messages)
    instance.wait_queue_empty()
    told = [notice for notice in notices.read(instance, "alice")
            if notice.delivered.delivered_to == f"alice+{domain}@example.org"]
    assert [notice.failed for notice in told] == [[f"full@{domain}", f"nobody@{domain}"]]


@pytest.mark.root_only
def test_many_recipients_share_a_transaction(instance, dovecot):
    before = len(dovecot.messages("ann"))
    queue_id = fate.submit(instance, *[f"ann+{n}@tcp.example" for n in range(20)], content=CONTENT)
    told = fate.wait_records(instance, queue_id, "delivered", number=20)
    # Dovecot's answers carry the number of the transaction, with that of the recipient behind it.
    transactions = {record["outcome"].split()[3].split(":")[0] for record in told}
    assert len(transactions) == 1
    assert len(dovecot.messages("ann")) == before + 20


@pytest.mark.root_only
def test_a_socket_that_is_not_there_makes_mail_wait(instance, dovecot):
    queue_id = fate.submit(instance, "ann@gone.example")
    (record, *_) = fate.wait_records(instance, queue_id, "deferred")
    assert record["outcome"].startswith("451 4.4.1 ")
    assert f"{dovecot.folder}/no-such-socket" in record["outcome"] and "No such file" in record["outcome"]
    assert instance.run("queue", "delete", queue_id).returncode == 0


def test_a_unix_domain_socket_is_connected_again_and_again(make_instance):
    """Master connects it each time: for a second connection, after a fault, and when the server comes back."""
    instance = make_instance()
    path = str(instance.directory / "lmtp")
    instance.configure(routes={"peer.example": f"lmtp:unix:{path}"}, queue=fate.RETRIES,
                       smtp_client={**fate.PATIENCE, "max_messages": 1})
    instance.start()
    waiting = fate.submit(instance, "a@peer.example")
    (record, *_) = fate.wait_records(instance, waiting, "deferred")
    assert record["outcome"].startswith("451 4.4.1 ") and path in record["outcome"]
    with ScriptedPeer({"greeting": CLOSE}, address=path) as peer:
        wait_for(lambda: peer.meetings, 20, "a connection")
        peer.mend()
        ids = [fate.submit(instance, f"{name}@peer.example") for name in "bcd"]
        instance.wait_queue_empty()
        assert sorted(message.recipients[0][0] for message in peer.taken) == ["a", "b", "c", "d"]
        (record,) = fate.wait_records(instance, ids[0], "delivered")
        assert record["facts"]["host"] == path


def test_verdicts_are_each_about_one_recipient(make_instance):
    """The second of three is full for now, and the third for good; only the second is tried again."""
    def verdicts(message):
        for recipient in message.recipients:
            name = recipient.split("@")[0]
            yield {"later": b"452 4.2.2 full now\r\n", "never": b"552 5.2.2 full\r\n"}.get(name, b"250 2.0.0 in\r\n")

    with ScriptedPeer({"content": verdicts}) as peer:
        instance = make_instance(routes={"peer.example": f"lmtp:{peer.next_hop}"}, queue=fate.RETRIES).start()
        queue_id = fate.submit(instance, "a@peer.example", "later@peer.example", "never@peer.example")
        (deferred, *_) = fate.wait_records(instance, queue_id, "deferred")
        assert deferred["recipient"] == "later@peer.example" and deferred["outcome"] == "452 4.2.2 full now"
        peer.mend()
        instance.wait_queue_empty()
        transactions = [message.recipients for meeting in peer.meetings for message in meeting.messages]
        assert transactions[0] == ["a@peer.example", "later@peer.example", "never@peer.example"]
        assert all(recipients == ["later@peer.example"] for recipients in transactions[1:])
        assert any(re.match("LHLO", line) for line in peer.said) and not any("EHLO" in line for line in peer.said)
        (notice,) = notices.wait(instance, "alice")
        assert notice.failed == ["never@peer.example"]


def test_a_connection_lost_between_verdicts_repeats_only_those_without_one(make_instance):
    def verdicts(_):
        yield b"250 2.0.0 in\r\n"
        raise OSError("closes")

    with ScriptedPeer({"content": verdicts}) as peer:
        instance = make_instance(routes={"peer.example": f"lmtp:{peer.next_hop}"}, queue=fate.RETRIES).start()
        queue_id = fate.submit(instance, "a@peer.example", "b@peer.example")
        (deferred, *_) = fate.wait_records(instance, queue_id, "deferred")
        assert deferred["recipient"] == "b@peer.example" and "lost connection" in deferred["outcome"]
        peer.mend()
        instance.wait_queue_empty()
        transactions = [message.recipients for meeting in peer.meetings for message in meeting.messages]
        assert transactions[0] == ["a@peer.example", "b@peer.example"]
        assert all(recipients == ["b@peer.example"] for recipients in transactions[1:])


def test_a_server_that_knows_no_lhlo(make_instance):
    with ScriptedPeer({"LHLO": b"500 5.5.1 what?\r\n"}) as peer:
        instance = make_instance(routes={"peer.example": f"lmtp:{peer.next_hop}"}, queue=fate.RETRIES).start()
        queue_id = fate.submit(instance, "a@peer.example")
        (deferred, *_) = fate.wait_records(instance, queue_id, "deferred")
        assert deferred["outcome"].startswith("500 5.5.1 what?")
        assert not any(line.startswith("HELO") for line in peer.said)


def test_lhlo_is_not_answered(make_instance):
    with ScriptedPeer({"LHLO": CLOSE}) as peer:
        instance = make_instance(routes={"peer.example": f"lmtp:{peer.next_hop}"}, queue=fate.RETRIES).start()
        queue_id = fate.submit(instance, "a@peer.example")
        (deferred, *_) = fate.wait_records(instance, queue_id, "deferred")
        assert "lost connection waiting for the reply to LHLO" in deferred["outcome"]
