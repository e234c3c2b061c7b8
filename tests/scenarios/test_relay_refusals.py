"""What a next hop refuses, or cannot take, comes to the recipients it is about, and to no others."""

import re
import time
from dataclasses import dataclass, field

import pytest
from harness import fate, notices
from harness.instance import Instance
from harness.scripted_peer import ScriptedPeer
from harness.waiting import TimedOut, wait_for

EIGHT_BIT = b"Subject: 8-bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
LONG = b"Subject: long\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 100
SECRET = b"some text"


def in_turn(*replies):
    """Each of the replies once, and the last one from then on."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def by_local_part(**replies):
    """A reply for each local part that has one; 250 for the others."""
    def reply(argument):
        local = re.match(r"TO:<([^@]*)@", argument)[1]
        return replies.get(local, b"250 2.1.5 ok\r\n")
    return reply


def few(most):
    """RCPT: so many in a transaction. Counts by MAIL, which starts anew."""
    named = [0]

    def mail(_):
        named[0] = 0
        return b"250 2.1.0 ok\r\n"

    def recipient(_):
        named[0] += 1
        return b"250 2.1.5 ok\r\n" if named[0] <= most else b"452 4.5.3 too many\r\n"

    return {"MAIL": mail, "RCPT": recipient}


@dataclass
class Case:
    replies: dict
    failed: dict = field(default_factory=dict)  # local part -> what the reply begins with
    deferred: dict = field(default_factory=dict)
    delivered: tuple = ()
    content: bytes = fate.CONTENT
    transactions: int = 1
    peer: ScriptedPeer | None = None
    queue_id: str = ""
    tag: str = ""


CASES = {
    "greets with 554": Case({"greeting": b"554 5.3.2 no service\r\n"}, deferred={"a": "554 5.3.2 no service"},
                            transactions=0),
    "greets with 450": Case({"greeting": b"450 4.3.2 later\r\n"}, deferred={"a": "450 4.3.2 later"}, transactions=0),
    "knows HELO only": Case({"EHLO": b"502 5.5.1 what?\r\n"}, delivered=("a", "b")),
    "knows neither EHLO nor HELO": Case({"EHLO": b"502 5.5.1 what?\r\n", "HELO": b"550 5.7.1 not you\r\n"},
                                        deferred={"a": "550 5.7.1 not you"}, transactions=0),
    "no PIPELINING": Case({"EHLO": b"250-peer\r\n250 8BITMIME\r\n"}, delivered=("a", "b", "c")),
    "no extension and 7-bit": Case({"EHLO": b"250 peer\r\n"}, delivered=("a",)),
    "no 8BITMIME": Case({"EHLO": b"250-peer\r\n250 PIPELINING\r\n"}, content=EIGHT_BIT, transactions=0,
                        failed={"a": "554 5.6.3 ", "b": "554 5.6.3 "}),
    "HELO and 8-bit": Case({"EHLO": b"500 what?\r\n"}, content=EIGHT_BIT, failed={"a": "554 5.6.3 "}, transactions=0),
    "too large for it": Case({"EHLO": b"250-peer\r\n250 SIZE 1000\r\n"}, content=LONG, failed={"a": "552 5.3.4 "},
                             transactions=0),
    "just the size": Case({"EHLO": b"250-peer\r\n250 SIZE 100000\r\n"}, content=LONG, delivered=("a",)),
    "too large, it says": Case({"MAIL": b"552 5.3.4 too large\r\n"}, failed={"a": "552 5.3.4 too large"},
                               transactions=0),
    "refuses the sender": Case({"MAIL": b"550 5.7.1 not you\r\n"}, transactions=0,
                               failed={"a": "550 5.7.1 not you", "b": "550 5.7.1 not you"}),
    "sender later": Case({"MAIL": b"451 4.7.1 greylisted\r\n"}, deferred={"a": "451 4.7.1 greylisted"},
                         transactions=0),
    "a mixture": Case({"RCPT": by_local_part(bad=b"550 5.1.1 unknown\r\n", worse=b"553 no\r\n",
                                             later=b"450 4.2.1 busy\r\n")},
                      delivered=("good", "fine"), failed={"bad": "550 5.1.1 unknown", "worse": "553 5.0.0 no"},
                      deferred={"later": "450 4.2.1 busy"}),
    "a mixture without PIPELINING": Case(
        {"EHLO": b"250 peer\r\n", "RCPT": by_local_part(bad=b"550 5.1.1 unknown\r\n", later=b"450 4.2.1 busy\r\n")},
        delivered=("good",), failed={"bad": "550 5.1.1 unknown"}, deferred={"later": "450 4.2.1 busy"}),
    "refuses all": Case({"RCPT": b"550 5.1.1 unknown\r\n"}, transactions=0,
                        failed={"a": "550 5.1.1 unknown", "b": "550 5.1.1 unknown"}),
    "refuses all and wants content": Case({"RCPT": b"550 5.1.1 unknown\r\n", "DATA": b"354 go on\r\n"},
                                          failed={"a": "550 5.1.1 unknown"}),
    "several lines": Case({"RCPT": b"550-5.1.1 one\r\n550 5.1.1 two\r\n"}, failed={"a": "550 5.1.1 one two"},
                          transactions=0),
    "8-bit in a reply": Case({"RCPT": b"550 5.1.1 caf\xe9\r\n"}, failed={"a": "550 5.1.1 caf"}, transactions=0),
    "a long reply": Case({"RCPT": b"550 5.1.1 " + b"no " * 160 + b"\r\n"}, failed={"a": "550 5.1.1 no no"},
                         transactions=0),
    "forwards": Case({"RCPT": b"251 2.1.5 will forward\r\n"}, delivered=("a",)),
    "refuses DATA": Case({"DATA": b"554 5.7.0 no data\r\n"}, failed={"a": "554 5.7.0 no data"}, transactions=0),
    "DATA later": Case({"DATA": b"451 4.3.0 later\r\n"}, deferred={"a": "451 4.3.0 later"}, transactions=0),
    "refuses the content": Case({"content": b"554 5.7.1 spam\r\n"}, failed={"a": "554 5.7.1 spam",
                                                                           "b": "554 5.7.1 spam"}),
    "content later": Case({"content": b"452 4.3.1 full\r\n"}, deferred={"a": "452 4.3.1 full"}),
    "takes two at a time": Case(few(2), delivered=("a", "b", "c", "d", "e"), transactions=3),
    "says that it takes two": Case({"EHLO": b"250-peer\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=2\r\n"},
                                   delivered=("a", "b", "c", "d", "e"), transactions=3),
    "takes none at a time": Case({"RCPT": b"452 4.5.3 too many\r\n"}, deferred={"a": "452 4.5.3 too many"},
                                 transactions=0),
    "a full mailbox": Case({"RCPT": b"452 4.2.2 full\r\n"}, deferred={"a": "452 4.2.2 full"}, transactions=0),
    "a mailbox full for good": Case({"RCPT": b"552 5.2.2 full\r\n"}, failed={"a": "552 5.2.2 full"}, transactions=0),
    "knows no RSET": Case({"MAIL": in_turn(b"550 5.1.8 no\r\n"), "RSET": b"500 what?\r\n"},
                          failed={"a": "550 5.1.8 no"}, transactions=0),
}


@pytest.fixture(scope="module")
def decided():
    """One instance with a peer for each case, and a message to each; what it decided is durable."""
    for number, case in enumerate(CASES.values()):
        case.peer, case.tag = ScriptedPeer(case.replies), f"n{number}"
    routes = {f"{case.tag}.example": case.peer.next_hop for case in CASES.values()}
    # What is deferred is not tried again while the tests look at it.
    instance = Instance(routes=routes, queue={"retry_min": "5m"}, smtp_client=fate.PATIENCE)
    try:
        instance.start()
        for case in CASES.values():
            locals_ = [*case.delivered, *case.failed, *case.deferred]
            case.queue_id = fate.submit(instance, *[f"{local}@{case.tag}.example" for local in locals_],
                                        content=case.content, sender=f"alice+{case.tag}@example.org")
        waiting = {case.queue_id for case in CASES.values() if case.deferred}
        try:
            wait_for(lambda: {entry["id"] for entry in instance.queue()} == waiting, 20, "the cases to be decided",
                     interval=0.1)
        except TimedOut:
            pass  # the test of the case tells
        yield instance
    finally:
        for case in CASES.values():
            case.peer.__exit__()
        instance.remove()


def outcomes(instance, case, decision):
    """Local part -> reply, of the records by smtp."""
    return {record["recipient"].split("@")[0]: record["outcome"]
            for record in fate.records(instance, case.queue_id, decision, "smtp")}


def begins(found, expected):
    return found.keys() == expected.keys() and all(found[who].startswith(text) for who, text in expected.items())


@pytest.mark.parametrize("name", CASES, ids=lambda name: name.replace(" ", "-"))
def test_each_recipient_gets_what_the_next_hop_said(decided, name):
    case = CASES[name]
    wanted = len(case.delivered) + len(case.failed) + len(case.deferred)
    wait_for(lambda: len([r for r in fate.all_records(decided, case.queue_id) if r["by"] == "smtp"]) >= wanted, 20,
             lambda: f"{wanted} outcomes\n{decided.report()}")
    assert set(outcomes(decided, case, "delivered")) == set(case.delivered)
    assert begins(outcomes(decided, case, "failed"), case.failed), outcomes(decided, case, "failed")
    assert begins(outcomes(decided, case, "deferred"), case.deferred), outcomes(decided, case, "deferred")
    messages = [message for meeting in case.peer.meetings for message in meeting.messages]
    assert len(messages) == case.transactions
    named = [recipient.split("@")[0] for message in messages if message.taken for recipient in message.recipients]
    assert sorted(named) == sorted(case.delivered), "each one once"
    for message in messages:
        assert message.content.endswith(case.content if message.recipients else b"")


@pytest.mark.parametrize("name", CASES, ids=lambda name: name.replace(" ", "-"))
def test_the_sender_is_told_of_failures_in_one_notice(decided, name):
    case = CASES[name]

    def read():
        return [notice for notice in notices.read(decided, "alice")
                if notice.delivered.delivered_to == f"alice+{case.tag}@example.org"]

    told = read()
    if not case.failed:
        assert not told
        return
    told = told or wait_for(read, 20, lambda: f"the notice\n{decided.report()}", interval=0.1)
    (notice,) = told
    assert notice.failed == sorted(f"{local}@{case.tag}.example" for local in case.failed) and not notice.delayed
    assert notice.statuses == {f"{local}@{case.tag}.example": text.split()[1] for local, text in case.failed.items()}
    assert SECRET not in notice.delivered.content, "the body is not returned"
    assert notice.delivered.content.isascii()


def test_what_is_left_in_the_queue_are_the_deferred_recipients(decided):
    left = {entry["id"]: {recipient["address"].split("@")[0]: recipient["last"]["reply"]
                          for recipient in entry["recipients"] if not recipient["finished"]}
            for entry in decided.queue()}
    waiting = {case.queue_id: case.deferred for case in CASES.values() if case.deferred}
    assert left.keys() == waiting.keys()
    assert all(begins(left[queue_id], expected) for queue_id, expected in waiting.items()), left


def test_commands_wait_for_replies_where_they_must(decided):
    assert CASES["knows HELO only"].peer.meetings[0].ahead == []
    assert CASES["no PIPELINING"].peer.meetings[0].ahead == []
    assert set(CASES["forwards"].peer.meetings[0].ahead) == {"MAIL", "RCPT"}


def test_parameters_are_said_where_they_are_offered(decided):
    def mail(name):
        return next(line for line in CASES[name].peer.said if line.startswith("MAIL"))

    assert "SIZE=" not in mail("knows HELO only") and "BODY" not in mail("knows HELO only")
    assert any(line.startswith("HELO mail.example.org") for line in CASES["knows HELO only"].peer.said)
    assert "SIZE=" in mail("just the size") and "BODY" not in mail("no extension and 7-bit")


def test_a_server_that_refuses_in_the_middle_of_the_content_is_believed(make_instance):
    """It hangs up behind its refusal, as servers do that have seen enough, with content unread: a reset follows."""
    def refuse(_):
        yield b"354 go on\r\n"
        time.sleep(0.5)  # until there is no room for more
        yield b"552 5.3.4 enough\r\n"
        raise OSError("hangs up")

    with ScriptedPeer({"DATA": refuse}) as peer:
        peer.narrow()
        instance = make_instance(routes={"peer.example": peer.next_hop}, smtp_client=fate.PATIENCE).start()
        content = b"Subject: large\r\n\r\n" + (b"y" * 70 + b"\r\n") * 40_000
        queue_id = fate.submit(instance, "ann@peer.example", content=content)
        found = fate.wait_for_any(instance, queue_id, ("failed", "deferred"))
        assert found["decision"] == "failed", found
        assert found["outcome"].startswith("552 5.3.4 enough")
        (notice,) = notices.wait(instance, "alice")
        assert notice.failed == ["ann@peer.example"]
