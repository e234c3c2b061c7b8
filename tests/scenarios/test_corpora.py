"""Every message of the public corpora arrives as it was sent, or is refused with the right code."""

import re
from dataclasses import dataclass

import pytest
from harness import maildir
from harness.instance import Instance
from harness.session import Session
from harness.vectors import CORPORA
from harness.waiting import wait_for

RECIPIENT = "alice@example.org"
# RFC 5321 section 4.1.1.4 forbids bare CR and LF, section 4.5.2 the NUL; the text itself is at fault: 5.6.0,
# or 5.5.2, syntax.
REFUSED = (500, 550, 554)
MAX_LINE = 64 * 1024


@dataclass(frozen=True)
class Case:
    """One transmission: the octets after DATA, and whether they are legal."""

    name: str
    content: bytes
    legal: bool


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
    return found


def expected(content):
    """What must arrive: SMTP knows no last line without an end."""
    return content if not content or content.endswith(b"\r\n") else content + b"\r\n"


@pytest.fixture(scope="module")
def sent(corpora):
    """All cases, sent in one session to one instance: (cases, replies, what arrived by case number)."""
    instance = Instance(smtp={"max_errors": 100000})
    try:
        instance.start()
        all_cases = cases(corpora)
        replies = send_all(instance, all_cases)
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


def send_all(instance, all_cases):
    """One session for all; NOOP after each, so that a session out of step is noticed at once."""
    replies = []
    with Session(instance.port) as session:
        for number, case in enumerate(all_cases):
            reply = session.deliver(f"case-{number}@client.example.net", [RECIPIENT], case.content)
            replies.append((reply[0], reply[1].decode()))
            noop = session.docmd("NOOP")
            assert noop[0] == 250, f"after {case.name} ({reply}) the session is out of step: {noop}"
    return replies


def test_every_corpus_is_there(corpora):
    all_cases = cases(corpora)
    assert sum(1 for case in all_cases if case.legal) >= 600
    assert sum(1 for case in all_cases if not case.legal) >= 500
    assert any(b"\0" in case.content for case in all_cases)


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
