#!/usr/bin/python3
"""Joins the client's log, the log of kills and the mailboxes: is every acknowledged message there, once?

What is demanded, number by number:
- every 250 is in each of its recipients' mailboxes, whole, in a file that bears the id of the 250;
- a further file needs a reason: another id, an attempt that ended after its final dot without an answer;
  the same id, an agent (virtual, or master, which takes it along) killed while it had the message in hand;
- a connection that was cut or refused needs a kill of smtpd or master at that moment; nothing is refused
  for good, and no client waits in vain.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import kill_client
from harness import maildir

# A connection counts as cut by a kill this many seconds around the time from the kill to the replacement.
AROUND_KILL = 1.0
# An agent has reported a delivery to spool, and spool has recorded it, this many seconds after the rename.
REPORT_SECONDS = 2.0
AGENTS = ("virtual", "master")
ACCEPTORS = ("smtpd", "master")


@dataclass
class Kill:
    """One line of the killer's log. Times are wall clock; `back` is when the replacement ran."""

    at: float
    back: float
    compartment: str
    pid: int
    in_flight: int


@dataclass
class Findings:
    """What the audit found. It passes when `failures` is empty."""

    failures: list = field(default_factory=list)
    results: Counter = field(default_factory=Counter)
    kills: Counter = field(default_factory=Counter)
    acknowledged: int = 0
    files: int = 0
    leftovers: int = 0
    second_queueings: int = 0  # explained by an attempt without an answer
    second_deliveries: int = 0  # explained by a killed agent

    def table(self):
        rows = [("messages acknowledged", self.acknowledged), ("files in mailboxes", self.files),
                ("left in tmp by killed agents", self.leftovers),
                ("duplicates: unanswered attempt", self.second_queueings),
                ("duplicates: killed agent", self.second_deliveries)]
        rows += [(f"attempts {name}", count) for name, count in sorted(self.results.items())]
        rows += [(f"kills of {name}", count) for name, count in sorted(self.kills.items())]
        rows += [("failures", len(self.failures))]
        lines = [f"  {name:<36}{count:>9}" for name, count in rows]
        return "\n".join(lines + [f"  FAILURE: {failure}" for failure in self.failures[:30]])


def load_attempts(path):
    return [kill_client.Attempt(**json.loads(line)) for line in Path(path).read_text().splitlines()]


def load_kills(path):
    return [Kill(**json.loads(line)) for line in Path(path).read_text().splitlines()]


def audit(attempts, kills, mail, users):
    """`mail` is the folder of the Maildirs, one for each of `users`."""
    findings = Findings()
    findings.results.update(attempt.result for attempt in attempts)
    findings.kills.update(kill.compartment for kill in kills)
    by_number = defaultdict(list)
    for attempt in attempts:
        by_number[attempt.number].append(attempt)
    _audit_attempts(findings, by_number, kills)
    delivered = _collect(findings, mail, users, by_number)
    for number, tried in sorted(by_number.items()):
        for user in kill_client.recipients_of(number, users):
            _audit_number(findings, number, user, tried, delivered.pop((number, user), []), kills)
    for (number, user), files in delivered.items():
        findings.failures.append(f"number {number} is not {user}'s, but is in {files[0].path}")
    return findings


def _audit_attempts(findings, by_number, kills):
    """That every number has one 250, and every other end of an attempt its reason."""
    for number, attempts in sorted(by_number.items()):
        acknowledged = [a for a in attempts if a.result == kill_client.ACKNOWLEDGED]
        findings.acknowledged += len(acknowledged)
        if len(acknowledged) != 1:
            findings.failures.append(f"number {number} has {len(acknowledged)} acknowledgements")
        for attempt in acknowledged:
            if not attempt.id:
                findings.failures.append(f"number {number}: no queue id in the 250: {attempt.text!r}")
        for attempt in attempts:
            if attempt.result in (kill_client.REFUSED, kill_client.SILENT):
                findings.failures.append(f"number {number}: {attempt}")
            elif attempt.result in (kill_client.UNSENT, kill_client.AMBIGUOUS, kill_client.NOT_CONNECTED):
                if not _killed_around(kills, ACCEPTORS, attempt.ended, attempt.ended):
                    findings.failures.append(
                        f"number {number}: {attempt.result} at {attempt.ended:.3f} though neither smtpd nor "
                        f"master was killed ({attempt.text})")


def _killed_around(kills, compartments, begin, end):
    """How many of these were killed between the two times, or were away then."""
    return sum(1 for kill in kills if kill.compartment in compartments
               and kill.at - AROUND_KILL <= end and kill.back + AROUND_KILL >= begin)


def _collect(findings, mail, users, by_number):
    """(number, user) -> files, each compared with the content of its number."""
    delivered = defaultdict(list)
    for user in users:
        findings.leftovers += len(maildir.leftovers(Path(mail) / user))
        for message in maildir.read(Path(mail) / user):
            findings.files += 1
            number = _number_of(message)
            if number is None or number not in by_number:
                findings.failures.append(f"{message.path} is no message of this run")
                continue
            if message.content != kill_client.content_of(number):
                findings.failures.append(f"number {number} is damaged in {message.path}")
            delivered[number, user].append(message)
    return delivered


def _number_of(message):
    for line in message.content.split(b"\r\n\r\n", 1)[0].split(b"\r\n"):
        if line.lower().startswith(b"x-number:") and line[9:].strip().isdigit():
            return int(line[9:])
    return None


def _audit_number(findings, number, user, attempts, files, kills):
    """That one number is in one mailbox as often as it may be."""
    by_id = defaultdict(list)
    for message in files:
        by_id[message.queue_id].append(message)
    for attempt in attempts:
        if attempt.result == kill_client.ACKNOWLEDGED and attempt.id not in by_id:
            findings.failures.append(
                f"LOST: number {number}, acknowledged as {attempt.id} at {attempt.ended:.3f}, is not in "
                f"{user}'s mailbox (there: {sorted(by_id) or 'nothing'})")
    unanswered = [a for a in attempts if a.result == kill_client.AMBIGUOUS]
    known = {a.id for a in attempts if a.result == kill_client.ACKNOWLEDGED}
    further = sorted(set(by_id) - known)
    if len(further) > len(unanswered):
        findings.failures.append(
            f"DUPLICATE: number {number} is in {user}'s mailbox under {further} beside {sorted(known)}, but "
            f"{len(unanswered)} attempts ended without an answer: {attempts}")
    else:
        findings.second_queueings += len(further)
    for queue_id, copies in by_id.items():
        if len(copies) > 1:
            _audit_copies(findings, number, queue_id, copies, kills)


def _audit_copies(findings, number, queue_id, copies, kills):
    """Several files with one id: the agent must have been killed before it could report the first of them."""
    first = min(message.path.stat().st_ctime for message in copies)
    agents = [k for k in kills if k.compartment in AGENTS and first - 0.1 <= k.at <= first + REPORT_SECONDS]
    if len(copies) - 1 > len(agents):
        findings.failures.append(
            f"DUPLICATE: number {number}, id {queue_id}, {len(copies)} files, {len(agents)} agents killed "
            f"with it in hand: {[message.path.name for message in copies]}")
    else:
        findings.second_deliveries += len(copies) - 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--client-log", required=True)
    parser.add_argument("--kill-log", required=True)
    parser.add_argument("--mail", required=True, help="the folder of the Maildirs")
    parser.add_argument("users", nargs="+")
    options = parser.parse_args()
    findings = audit(load_attempts(options.client_log), load_kills(options.kill_log), options.mail,
                     options.users)
    print(findings.table())
    return 1 if findings.failures else 0


if __name__ == "__main__":
    sys.exit(main())
