"""Every message of the public corpora arrives as it was sent, or is refused with the right code.

Those that a mail client can send are sent by clients that are not ours, too: smtplib's own data(), and curl.
"""

import re
import smtplib
from dataclasses import dataclass

import pytest
from harness import maildir, tools
from harness.instance import Instance
from harness.session import Session
from harness.vectors import CORPORA
from harness.waiting import wait_for

RECIPIENT = "alice@example.org"
# RFC 5321 section 4.1.1.4 forbids bare CR and LF, section 4.5.2 the NUL; the text itself is at fault: 5.6.0,
# or 5.5.2, syntax.
REFUSED = (500, 550, 554)
MAX_LINE = 64 * 1024
CURL_EVERY = 10  # one process for each message: a sample
OURS, SMTPLIB, CURL = "ours", "smtplib", "curl"


@dataclass(frozen=True)
class Case:
    """One transmission: the octets after DATA, whether they are legal, and who sends them."""

    name: str
    content: bytes
    legal: bool
    sent_by: str = OURS


def is_legal(content):
    without_line_ends = content.replace(b"\r\n", b"")
    longest = max(map(len, content.split(b"\r\n")))
    return not set(without_line_ends) & {0, 10, 13} and longest <= MAX_LINE - 2


def cases(corpora):
    """Each message with CRLF line ends, and as it stands in its file where that differs."""
    found = []
    for corpus in CORPORA:
        for message in corpus.messages(corpora):
            with_crlf = maildir.to_crlf(message.data)
            found.append(Case(message.name, with_crlf, is_legal(with_crlf)))
            if with_crlf != message.data:
                found.append(Case(message.name + " (as in the file)", message.data, is_legal(message.data)))
    return found + by_others(found)


def by_others(found):
    """What other clients can send: they add an end to the last line, and know no message without a line."""
    fit = [case for case in found if case.legal and case.content]
    senders = [(SMTPLIB, fit), (CURL, fit[::CURL_EVERY])]
    return [Case(f"{case.name}, by {name}", case.content, True, name)
            for name, chosen in senders for case in chosen]


def expected(content):
    """What must arrive: SMTP knows no last line without an end."""
    return content if not content or content.endswith(b"\r\n") else content + b"\r\n"


@pytest.fixture(scope="module")
def sent(corpora, tmp_path_factory):
    """All cases, sent in one session to one instance: (cases, replies, what arrived by case number)."""
    instance = Instance(smtp={"max_errors": 100000})
    try:
        instance.start()
        all_cases = cases(corpora)
        replies = send_all(instance, all_cases, tmp_path_factory.mktemp("corpora") / "message")
        accepted = sum(1 for code, _ in replies if code == 250)
        wait_for(lambda: maildir.count(instance.mailbox("alice")) >= accepted, 60,
                 lambda: f"{accepted} messages in the mailbox\n{instance.report()}")
        instance.wait_queue_empty()
        arrived = {}
        for message in maildir.read(instance.mailbox("alice")):
            number = int(re.search(r"case-(\d+)@", message.return_path)[1])
            arrived.setdefault(number, []).append(message)
        assert instance.stop() == 0
        yield all_cases, replies, arrived
    finally:
        instance.remove()


def send_all(instance, all_cases, file):
    """The replies. One session for all that are ours, and one for all of smtplib."""
    replies = []
    with Session(instance.port) as session, \
            smtplib.SMTP("127.0.0.1", instance.port, "client.example.net", timeout=30) as plain:
        plain.ehlo()
        for number, case in enumerate(all_cases):
            sender = f"case-{number}@client.example.net"
            if case.sent_by == OURS:
                code, text = session.deliver(sender, [RECIPIENT], case.content)
                in_step(session, case, (code, text))
            elif case.sent_by == SMTPLIB:
                assert plain.mail(sender)[0] == 250 and plain.rcpt(RECIPIENT)[0] == 250
                code, text = plain.data(case.content)
                in_step(plain, case, (code, text))
            else:
                file.write_bytes(case.content)
                tools.run(tools.program("curl"), "--silent", "--show-error",
                          f"smtp://127.0.0.1:{instance.port}/client.example.net", "--mail-from", sender,
                          "--mail-rcpt", RECIPIENT, "--upload-file", file)
                code, text = 250, b"by curl"
            replies.append((code, text.decode()))
    return replies


def in_step(session, case, reply):
    """A session that is out of step is noticed at once."""
    noop = session.docmd("NOOP")
    assert noop[0] == 250, f"after {case.name} ({reply}) the session is out of step: {noop}"


def test_every_corpus_is_there(corpora):
    all_cases = cases(corpora)
    assert sum(1 for case in all_cases if case.legal and case.sent_by == OURS) >= 790
    assert sum(1 for case in all_cases if not case.legal) >= 720
    assert any(b"\0" in case.content for case in all_cases)
    assert any(b"ARC-Seal:" in case.content for case in all_cases)
    assert sum(1 for case in all_cases if case.sent_by == SMTPLIB) >= 750
    assert sum(1 for case in all_cases if case.sent_by == CURL) >= 75


def test_legal_messages_arrive_identical(sent):
    all_cases, replies, arrived = sent
    complaints = []
    for number, (case, reply) in enumerate(zip(all_cases, replies)):
        if not case.legal:
            continue
        files = arrived.get(number, [])
        if reply[0] != 250:
            complaints.append(f"{case.name}: refused with {reply}")
        elif len(files) != 1:
            complaints.append(f"{case.name}: {len(files)} files")
        else:
            complaints += compare(case, files[0].path)
    assert not complaints, f"{len(complaints)} of them:\n" + "\n".join(complaints[:40])


def compare(case, path):
    """The complaints about one file: it is three trace fields and then what was sent.

    Where the trace ends is told by the length of what was sent: a message may begin with white space, which
    reads as a continuation of the last field.
    """
    whole, wanted = maildir.to_crlf(path.read_bytes()), expected(case.content)
    found = whole[-len(wanted):] if wanted else b""
    if found != wanted:
        return [f"{case.name}: {difference(found, wanted)}"]
    rest = maildir.parse(path, whole[:len(whole) - len(wanted)]).content
    return [f"{case.name}: {rest[:80]!r} stands between the trace and the message"] if rest else []


def difference(found, wanted):
    """Where two contents part."""
    at = next((i for i, (a, b) in enumerate(zip(found, wanted)) if a != b), min(len(found), len(wanted)))
    return f"{len(found)} octets for {len(wanted)}; at {at} {found[at:at + 40]!r} for {wanted[at:at + 40]!r}"


def test_bare_cr_bare_lf_and_nul_are_refused_for_good(sent):
    all_cases, replies, arrived = sent
    complaints = []
    for number, (case, (code, text)) in enumerate(zip(all_cases, replies)):
        if case.legal:
            continue
        if code not in REFUSED or not re.match(r"5\.[56]\.\d ", text):
            complaints.append(f"{case.name}: answered {code} {text}")
        if number in arrived:
            complaints.append(f"{case.name}: was delivered")
    assert not complaints, f"{len(complaints)} of them:\n" + "\n".join(complaints[:40])
