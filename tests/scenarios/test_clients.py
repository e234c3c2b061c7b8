"""Clients that others wrote deliver, and what arrives is what they were given."""

import re
import smtplib
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from harness import maildir, tools
from harness.waiting import wait_for

MESSAGE = (
    b"From: Ann <ann@client.example.net>\r\nTo: alice@example.org\r\nSubject: hello\r\n"
    b"Date: Fri, 20 Nov 2026 10:00:00 +0100\r\nMessage-ID: <1@client.example.net>\r\n\r\n"
    b"A first line.\r\n.a line with a dot\r\n..two\r\n.\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
)


def arrived(instance, user="alice", number=1):
    """Waits for so many messages of a user and returns them."""
    wait_for(lambda: maildir.count(instance.mailbox(user)) >= number, 20,
             lambda: f"{number} messages for {user}\n{instance.report()}")
    messages = maildir.read(instance.mailbox(user))
    assert len(messages) == number
    assert not maildir.leftovers(instance.mailbox(user))
    return messages


def check_trace(message, protocol, recipient="alice@example.org", sender="ann@client.example.net"):
    """What the server adds says how the message came."""
    assert message.return_path == f"<{sender}>"
    assert message.delivered_to == recipient
    assert re.search(rf"from \S+ .*by mail\.example\.org .*with {protocol} id \w+", message.received), (
        message.received)
    assert "127.0.0.1" in message.received


def test_swaks(instance, tmp_path):
    (tmp_path / "message").write_bytes(MESSAGE.replace(b"\r\n", b"\n"))
    tools.run(tools.program("swaks"), "--server", f"127.0.0.1:{instance.port}", "--helo",
              "client.example.net", "--from", "ann@client.example.net", "--to", "alice@example.org", "--data",
              f"@{tmp_path / 'message'}")
    (message,) = arrived(instance)
    assert message.content.rstrip() == MESSAGE.rstrip()  # swaks adds an empty line of its own
    check_trace(message, "ESMTP")


def test_swaks_with_pipelining(instance, tmp_path):
    (tmp_path / "message").write_bytes(MESSAGE.replace(b"\r\n", b"\n"))
    tools.run(tools.program("swaks"), "--server", f"127.0.0.1:{instance.port}", "--helo",
              "client.example.net", "--pipeline", "--from", "ann@client.example.net", "--to",
              "alice@example.org,bob@example.org", "--data", f"@{tmp_path / 'message'}")
    for user in ("alice", "bob"):
        (message,) = arrived(instance, user)
        assert message.content.rstrip() == MESSAGE.rstrip()


def test_curl(instance, tmp_path):
    (tmp_path / "message").write_bytes(MESSAGE)
    tools.run(tools.program("curl"), "--silent", "--show-error",
              f"smtp://127.0.0.1:{instance.port}/client.example.net", "--mail-from", "ann@client.example.net",
              "--mail-rcpt", "alice@example.org", "--upload-file", tmp_path / "message")
    (message,) = arrived(instance)
    assert message.content == MESSAGE
    check_trace(message, "ESMTP")


def test_msmtp(instance):
    tools.run(tools.program("msmtp"), "--host=127.0.0.1", f"--port={instance.port}", "--tls=off",
              "--auth=off", "--domain=client.example.net", "--from=ann@client.example.net",
              "alice@example.org", text=MESSAGE.replace(b"\r\n", b"\n"))
    (message,) = arrived(instance)
    assert message.content == MESSAGE
    check_trace(message, "ESMTP")


def test_smtplib(instance):
    message = EmailMessage()
    message["From"], message["To"] = "ann@client.example.net", "alice@example.org"
    message["Subject"] = "hello"
    message.set_content("one\n.two\n")
    message.add_attachment(bytes(range(256)) * 200, maintype="application", subtype="octet-stream")
    with smtplib.SMTP("127.0.0.1", instance.port, local_hostname="client.example.net") as session:
        assert session.send_message(message) == {}
    (delivered,) = arrived(instance)
    read_back = message_from_bytes(delivered.content, policy=policy.SMTP)
    assert read_back["Subject"] == "hello"
    text, attachment = read_back.iter_parts()
    assert text.get_content().replace("\r\n", "\n") == "one\n.two\n"
    assert attachment.get_content() == bytes(range(256)) * 200
    check_trace(delivered, "ESMTP")


def test_smtplib_with_helo_only(instance):
    with smtplib.SMTP("127.0.0.1", instance.port, local_hostname="client.example.net") as session:
        assert session.helo()[0] == 250
        session.sendmail("ann@client.example.net", ["alice@example.org"], MESSAGE)
    (message,) = arrived(instance)
    assert message.content == MESSAGE
    check_trace(message, "SMTP")


def test_smtplib_with_an_extension_and_the_null_sender(instance):
    with smtplib.SMTP("127.0.0.1", instance.port, local_hostname="client.example.net") as session:
        session.sendmail("", ["Alice+Lists@Example.ORG"], MESSAGE)
    (message,) = arrived(instance)
    assert message.content == MESSAGE
    assert message.return_path == "<>"
    assert message.delivered_to.lower() == "alice+lists@example.org"


@pytest.mark.parametrize("connections", [(), ("-d",)], ids=["one each", "one for many"])
def test_smtp_source(instance, connections):
    tools.run(tools.postfix_program("smtp-source"), *connections, "-s", "5", "-l", "8192", "-m", "200",
              "-M", "client.example.net", "-S", "many", "-f", "ann@client.example.net", "-t",
              "alice@example.org", f"127.0.0.1:{instance.port}")
    messages = arrived(instance, number=200)
    assert len({message.queue_id for message in messages}) == 200
    assert all(b"Subject: many" in message.content for message in messages)
    bodies = {message.content.split(b"\r\n\r\n", 1)[1] for message in messages}
    assert len(bodies) == 1  # it sends the same text each time
    assert sum(map(len, bodies)) > 7000
