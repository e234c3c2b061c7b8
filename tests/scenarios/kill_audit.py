#!/usr/bin/python3
"""Joins the logs of client and killer, history and mailboxes: is every acknowledged message there, once?

What is demanded, number by number:
- every 250 is in each of its recipients' mailboxes, whole, in a file that bears the id of the 250;
- a further file needs a reason: another id, an attempt that ended after its final dot without an answer, or
  was put off because the disk was gone, where none of what the group wrote could be taken back;
  the same id, an agent (virtual, or master or a power cut, which take it along) killed with it in hand;
- a delivery that was attempted again, though its file was there, needs that reason, too: it makes no second
  file only because the first one was still where the agent had put it;
- a connection that was cut needs to have been held by the smtpd worker that was killed, and one that was
  refused to have been asked for while master was away;
- nothing is refused for good, and no client waits in vain.

Of what is handed on, and of what fails there:
- every 250 is at the next hop, whole, for each recipient that it relays to; a further copy under the same id needs
  an agent (smtp, or master) that was killed after the first one was begun, before the second was;
- every 250 with a recipient that the next hop refuses has exactly one notice in the mailbox of its sender, which
  names that recipient; the next hop has nothing for it.

In hand means: made before the agent's end, and not recorded in the history as delivered before the kill.
"""

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import kill_client
from harness import maildir
from kill_sink import number_of

# What ends every process: master's end, and that of the power.
EVERYTHING = ("master", "power")
AGENTS = ("virtual", *EVERYTHING)
RELAY_AGENTS = ("smtp", *EVERYTHING)
# Files bear the time of the kernel's last tick before they were made: up to 10 ms too early, never too late.
TICK = 0.01


@dataclass
class Kill:
    """One line of the killer's log. Times are wall clock.

    `at` is before the signal, `gone` when the process had ended, `back` when its replacement ran. `ports` are
    the clients whose connections it held; `work` says what it had in hand.
    """

    at: float
    gone: float
    back: float
    compartment: str
    pid: int
    ports: list = field(default_factory=list)
    work: str = ""


@dataclass(frozen=True)
class Delivery:
    """One record of a delivery; `again`: the agent found the file of an earlier attempt."""

    recorded: float
    attempted: float
    again: bool


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
    relayed: int = 0
    notices: int = 0

    def table(self):
        rows = [("messages acknowledged", self.acknowledged), ("files in mailboxes", self.files),
                ("handed on", self.relayed), ("notices to senders", self.notices),
                ("left in tmp by killed agents", self.leftovers),
                ("queued again: unanswered attempt", self.second_queueings),
                ("delivered again: killed agent", self.second_deliveries)]
        rows += [(f"attempts {name}", count) for name, count in sorted(self.results.items())]
        rows += [(f"kills of {name}", count) for name, count in sorted(self.kills.items())]
        rows += [("failures", len(self.failures))]
        lines = [f"  {name:<36}{count:>9}" for name, count in rows]
        return "\n".join(lines + [f"  FAILURE: {failure}" for failure in self.failures[:30]])


def load_attempts(path):
    return [kill_client.Attempt(**json.loads(line)) for line in Path(path).read_text().splitlines()]


def load_kills(path):
    return [Kill(**json.loads(line)) for line in Path(path).read_text().splitlines()]


def deliveries_of(history):
    """(queue id, user) -> what the history says of its deliveries, in their order."""
    found = defaultdict(list)
    for record in history:
        if record["decision"] == "delivered":
            user = record["recipient"].split("@")[0].split("+")[0]
            facts = record.get("facts", {})
            found[record["id"], user].append(
                Delivery(_seconds(record["at"]), _seconds(facts["attempted"]), "found" in facts))
    for several in found.values():
        several.sort(key=lambda delivery: delivery.recorded)
    return found


def _seconds(text):
    return datetime.fromisoformat(text).timestamp()


def audit(attempts, kills, mail, users, history, sink=None):
    """`mail` is the folder of the Maildirs, one for each of `users`; `history` the decision records; `sink` the
    next hop, where messages were handed on.
    """
    return _Audit(attempts, list(kills), deliveries_of(history), sink).run(Path(mail), users)


class _Audit:
    def __init__(self, attempts, kills, deliveries, sink):
        self.findings = Findings()
        self.kills, self.deliveries, self.sink = kills, deliveries, sink
        self.notices = defaultdict(lambda: defaultdict(set))  # number -> id of the message -> ids of notices
        self.findings.results.update(attempt.result for attempt in attempts)
        self.findings.kills.update(kill.compartment for kill in kills)
        self.attempts = defaultdict(list)
        for attempt in attempts:
            self.attempts[attempt.number].append(attempt)

    def run(self, mail, users):
        for number, attempts in sorted(self.attempts.items()):
            self._check_attempts(number, attempts)
        delivered = self._collect(mail, users)
        for number in sorted(self.attempts):
            for user in kill_client.recipients_of(number, users):
                self._check_number(number, user, delivered.pop((number, user), []))
            if self.sink:
                self._check_relayed(number)
                self._check_notices(number)
        for (number, user), files in delivered.items():
            self._fail(f"number {number} is not {user}'s, but is in {files[0].path}")
        return self.findings

    def _fail(self, text):
        self.findings.failures.append(text)

    # --- what clients saw -------------------------------------------------------------------------------

    def _check_attempts(self, number, attempts):
        """That the number has one 250, and every other end of an attempt its reason."""
        acknowledged = [a for a in attempts if a.result == kill_client.ACKNOWLEDGED]
        self.findings.acknowledged += len(acknowledged)
        if len(acknowledged) != 1:
            self._fail(f"number {number} has {len(acknowledged)} acknowledgements")
        for attempt in acknowledged:
            if not attempt.id:
                self._fail(f"number {number}: no queue id in the 250: {attempt.text!r}")
        for attempt in attempts:
            if attempt.result in (kill_client.REFUSED, kill_client.SILENT):
                self._fail(f"number {number}: {attempt}")
            elif attempt.result in (kill_client.UNSENT, kill_client.AMBIGUOUS, kill_client.NOT_CONNECTED):
                if not any(_cut(kill, attempt) for kill in self.kills):
                    self._fail(f"number {number}: {attempt.result} at {attempt.ended:.3f}, though no kill cut "
                               f"this session ({attempt})")

    # --- what is in the mailboxes -----------------------------------------------------------------------

    def _collect(self, mail, users):
        """(number, user) -> files, each compared with the content of its number."""
        delivered = defaultdict(list)
        for user in users:
            self.findings.leftovers += len(maildir.leftovers(mail / user))
            for message in maildir.read(mail / user):
                self.findings.files += 1
                if self.sink and message.return_path == "<>":
                    self._take_notice(message, user, users)
                    continue
                number = _number_of(message)
                if number is None or number not in self.attempts:
                    self._fail(f"{message.path} is no message of this run")
                    continue
                if message.content != kill_client.content_of(number):
                    self._fail(f"number {number} is damaged in {message.path}")
                delivered[number, user].append(message)
        return delivered

    def _check_number(self, number, user, files):
        """That one number is in one mailbox as often as it may be."""
        attempts = self.attempts[number]
        by_id = defaultdict(list)
        for message in files:
            by_id[message.queue_id].append(message)
        for attempt in attempts:
            if attempt.result == kill_client.ACKNOWLEDGED and attempt.id not in by_id:
                self._fail(f"LOST: number {number}, acknowledged as {attempt.id} at {attempt.ended:.3f}, is not "
                           f"in {user}'s mailbox (there: {sorted(by_id) or 'nothing'})")
        unanswered = self._open_ended(attempts)
        known = {a.id for a in attempts if a.result == kill_client.ACKNOWLEDGED}
        further = sorted(set(by_id) - known)
        if len(further) > len(unanswered):
            self._fail(f"DUPLICATE: number {number} is in {user}'s mailbox under {further} beside "
                       f"{sorted(known)}, but {len(unanswered)} attempts ended without an answer: {attempts}")
        else:
            self.findings.second_queueings += len(further)
        for queue_id, copies in by_id.items():
            self._check_copies(number, queue_id, user, sorted(map(_made, copies)))

    def _open_ended(self, attempts):
        """Those after which nobody can know whether the message was taken."""
        return [a for a in attempts if a.result == kill_client.AMBIGUOUS
                or any(_refused_without_disk(kill, a) for kill in self.kills)]

    def _check_copies(self, number, queue_id, user, made):
        """That whatever was delivered again was in the hand of an agent that was killed in between."""
        records = self.deliveries.get((queue_id, user), [])
        # Each pair is the end of one delivery and the beginning of the next.
        pairs = list(zip(made, made[1:]))
        pairs += [(made[0], record.attempted) for record in records if record.again]
        for first, second in pairs:
            if any(_in_hand(kill, first, second, records) for kill in self.kills):
                self.findings.second_deliveries += 1
            else:
                self._fail(f"DUPLICATE: number {number}, id {queue_id}, delivered to {user} at {first:.3f} and "
                           f"again at {second:.3f}, though no agent was killed with it in hand; recorded: "
                           f"{records}")
        if len([record for record in records if not record.again]) > len(made):
            self._fail(f"number {number}, id {queue_id}: {len(made)} files of {user} for the records {records}")


    # --- what was handed on, and what failed --------------------------------------------------------------

    def _take_notice(self, message, user, users):
        """Files a notice under the message that it is about."""
        number = number_of(message.content)
        about = re.search(rb"^X-Sternpost-Queue-ID: (\w+)\r$", message.content, re.MULTILINE)
        failed = re.findall(rb"^Final-Recipient: rfc822; (\S+)\r$", message.content, re.MULTILINE)
        if number not in self.attempts or about is None:
            return self._fail(f"{message.path} is no notice about a message of this run")
        if user != kill_client.sender_of(number, users):
            self._fail(f"the notice {message.path} about number {number} went to {user}")
        if [one.decode() for one in failed] != kill_client.refused_of(number):
            self._fail(f"the notice {message.path} about number {number} names {failed}")
        self.notices[number][about[1].decode()].add(message.queue_id)

    def _known_ids(self, number, found, what):
        """That each acknowledged id is among those found, and each other one has an attempt without an answer."""
        attempts = self.attempts[number]
        known = {a.id for a in attempts if a.result == kill_client.ACKNOWLEDGED}
        unanswered = self._open_ended(attempts)
        for missing in known - set(found):
            self._fail(f"LOST: number {number}, acknowledged as {missing}, has {what} for {sorted(found) or 'nothing'}")
        if len(set(found) - known) > len(unanswered):
            self._fail(f"DUPLICATE: number {number} has {what} for {sorted(found)} beside {sorted(known)}, but "
                       f"{len(unanswered)} attempts ended without an answer")

    def _check_relayed(self, number):
        for recipient in kill_client.relayed_of(number):
            by_id = defaultdict(list)
            for copy in self.sink.copies.get(recipient, []):
                self.findings.relayed += 1
                by_id[copy.queue_id].append(copy)
                if copy.content != kill_client.content_of(number):
                    self._fail(f"number {number} is damaged at the next hop")
            self._known_ids(number, by_id, "a copy at the next hop")
            for queue_id, copies in by_id.items():
                copies.sort(key=lambda copy: copy.begun)
                for first, second in zip(copies, copies[1:]):
                    if any(kill.compartment in RELAY_AGENTS and kill.gone >= first.begun - TICK
                           and kill.at <= second.begun for kill in self.kills):
                        self.findings.second_deliveries += 1
                    else:
                        self._fail(f"DUPLICATE: number {number}, id {queue_id}, handed on at {first.ended:.3f} and "
                                   f"again at {second.begun:.3f}, though no agent was killed with it in hand")

    def _check_notices(self, number):
        for recipient in kill_client.refused_of(number):
            if self.sink.copies.get(recipient):
                self._fail(f"number {number}: the next hop took {recipient}")
            found = self.notices.get(number, {})
            self._known_ids(number, found, "a notice")
            for queue_id, notices in found.items():
                self.findings.notices += len(notices)
                if len(notices) > 1:
                    self._fail(f"TOLD TWICE: number {number}, id {queue_id}, has the notices {sorted(notices)}")


def _cut(kill, attempt):
    """Whether this kill explains that the attempt's connection ended, or was never made."""
    if kill.compartment == "smtpd":
        return attempt.port in kill.ports and attempt.connected <= kill.gone and attempt.ended >= kill.at
    # All listening sockets end with master, and are there again when the next one is ready.
    return kill.compartment in EVERYTHING and attempt.connected <= kill.back and attempt.ended >= kill.at


def _refused_without_disk(kill, attempt):
    """Whether it was refused, for now, because the disk failed, and nothing could be written after that."""
    return (kill.compartment == "power" and attempt.result == kill_client.DEFERRED and bool(attempt.dot)
            and kill.at <= attempt.ended and attempt.dot <= kill.gone)


def _in_hand(kill, first, second, records):
    """Whether this kill explains that what was delivered at `first` was delivered again at `second`."""
    if kill.compartment not in AGENTS or first > kill.gone or second + TICK < kill.at:
        return False
    return not any(record.recorded < kill.at for record in records)


def _made(message):
    """When the file got its name; wall clock."""
    return message.path.stat().st_ctime


def _number_of(message):
    for line in message.content.split(b"\r\n\r\n", 1)[0].split(b"\r\n"):
        if line.lower().startswith(b"x-number:") and line[9:].strip().isdigit():
            return int(line[9:])
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--client-log", required=True)
    parser.add_argument("--kill-log", required=True)
    parser.add_argument("--history", required=True, help="history.jsonl")
    parser.add_argument("--mail", required=True, help="the folder of the Maildirs")
    parser.add_argument("users", nargs="+")
    options = parser.parse_args()
    history = [json.loads(line) for line in Path(options.history).read_text().splitlines()]
    findings = audit(load_attempts(options.client_log), load_kills(options.kill_log), options.mail,
                     options.users, history)
    print(findings.table())
    return 1 if findings.failures else 0


if __name__ == "__main__":
    sys.exit(main())
