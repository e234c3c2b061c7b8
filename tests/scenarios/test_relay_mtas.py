"""What Postfix and Exim take from this server is one message, whatever stands in it."""

import os

import pytest
from harness import fate
from harness.instance import Instance
from harness.mail_servers import Exim, Postfix
from harness.scripted_peer import ScriptedPeer
from harness.session import Session

pytestmark = pytest.mark.release_only

# Sequences with which servers were made to see the end of the content where there is none: the rows of the table
# in the notes on SMTP smuggling of 2023 (hannob/smtpsmug, The-Login/SMTP-Smuggling-Tools).
SMUGGLERS = {
    "LF . LF": b"\n.\n", "LF . CR": b"\n.\r", "CR . LF": b"\r.\n", "CR . CR": b"\r.\r", "LF . CRLF": b"\n.\r\n",
    "CR . CRLF": b"\r.\r\n", "CRLF . LF": b"\r\n.\n", "CRLF . CR": b"\r\n.\r", "CRLF NUL . CRLF": b"\r\n\0.\r\n",
    "CRLF . NUL CRLF": b"\r\n.\0\r\n", "CRLF . CR CRLF": b"\r\n.\r\r\n", "CR CRLF . CR CRLF": b"\r\r\n.\r\r\n",
    # And those that hold only where dots are doubled on the way.
    "CRLF . CRLF": b"\r\n.\r\n", "CRLF .. CRLF": b"\r\n..\r\n", "CRLF . text": b"\r\n.hidden\r\n",
    "many dots": b"\r\n" + b".\r\n" * 30_000, "8-bit": b" Gr\xc3\xbc\xc3\x9fe\r\n.\r\n",
}
SMUGGLED = (b"MAIL FROM:<evil@evil.example>\r\nRCPT TO:<victim@peer.example>\r\nDATA\r\n"
            b"Subject: smuggled\r\n\r\nevil\r\n.\r\n")
# What holds a bare CR, a bare LF or a NUL is not taken from anybody. What goes out is without them all the same:
# the writer of content has unit tests with each row.
PASSED_ON = {"CRLF . CRLF", "CRLF .. CRLF", "CRLF . text", "many dots", "8-bit"}


def content_of(name):
    return b"From: alice@example.org\r\nSubject: odd\r\n\r\nfirst" + SMUGGLERS[name] + SMUGGLED + b"the end\r\n"


@pytest.fixture(scope="module", params=[Postfix, Exim], ids=["postfix", "exim"])
def through(request):
    """A server, an instance that hands mail on to it, and the names of the contents that were taken here."""
    if request.param is Postfix and os.geteuid() != 0:
        pytest.skip("Postfix changes users, which needs root")
    with request.param() as peer, ScriptedPeer() as strict:
        instance = Instance(routes={"peer.example": peer.next_hop, "strict.example": strict.next_hop},
                            queue=fate.RETRIES)
        try:
            instance.start()
            taken, refused = [], []
            for name in SMUGGLERS:
                with Session(instance.port) as session:
                    code, _ = session.deliver(fate.SENDER, ["ann@peer.example", "ann@strict.example"],
                                              content_of(name))
                (taken if code == 250 else refused).append(name)
            instance.wait_queue_empty()
            yield peer, strict, instance, taken, refused
        finally:
            instance.remove()


def test_each_message_arrives_as_one(through):
    peer, _, instance, taken, refused = through
    assert set(taken) == PASSED_ON and set(refused) == SMUGGLERS.keys() - PASSED_ON
    messages = peer.messages()
    assert len(messages) == len(taken), f"{len(messages)} messages\n{peer.log()}\n{instance.report()}"
    assert all(b"first" in message and message.rstrip().endswith(b"the end") for message in messages)
    assert all(message.count(b"evil@evil.example") == 1 for message in messages)


def test_what_goes_out_has_no_bare_line_end_and_doubles_dots(through):
    _, strict, _, taken, _ = through
    assert len(strict.taken) == len(taken)
    for message in strict.taken:
        bare = message.wire.replace(b"\r\n", b"")
        assert b"\r" not in bare and b"\n" not in bare
    arrived = [message.content.partition(b"\r\n\r\n")[2] for message in strict.taken]
    assert sorted(arrived) == sorted(content_of(name).partition(b"\r\n\r\n")[2] for name in taken)
