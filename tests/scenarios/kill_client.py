"""A client that numbers its messages, keeps a log of every attempt, and never gives a number up.

Each session takes the next number, sends it, and writes one line to the log: what was answered, with the
id, or how the connection ended. A number without a 250 is sent again, under the same number, until it has
one. Content, sender and recipients follow from the number, so that an audit needs the log and the mailboxes
and nothing else.
"""

import asyncio
import hashlib
import json
import random
import re
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass

import kill_sink
from harness.session import wire_form

ANSWER_SECONDS = 30
LARGE_EVERY = 50
TWO_RECIPIENTS_EVERY = 10
RELAYED_EVERY = 2
REFUSED_EVERY = 5

# How an attempt can end.
ACKNOWLEDGED = "acknowledged"  # 250 to the final dot
DEFERRED = "deferred"  # a 4xx
REFUSED = "refused"  # a 5xx
UNSENT = "unsent"  # the connection ended before the final dot was written
AMBIGUOUS = "ambiguous"  # it ended after that, without an answer
NOT_CONNECTED = "not connected"  # refused or reset before a greeting
SILENT = "silent"  # no answer in ANSWER_SECONDS; the final dot may have been written


@dataclass
class Attempt:
    """One line of the client's log. Times are seconds of wall clock; `dot`: the final dot was written.

    `port` is the client's own, by which the server's end of the connection can be found; `connected` is when
    the connection was asked for.
    """

    number: int
    result: str
    began: float
    ended: float
    dot: float = 0.0
    code: int = 0
    id: str = ""
    text: str = ""
    port: int = 0
    connected: float = 0.0


def relayed_of(number):
    """To whom elsewhere the message with this number goes."""
    return [f"number-{number}@{kill_sink.RELAYED}"] if number % RELAYED_EVERY == 0 else []


def refused_of(number):
    """Of whom its sender must be told that they are not there."""
    return [f"nobody-{number}@{kill_sink.REFUSED}"] if number % REFUSED_EVERY == 0 else []


def sender_of(number, users):
    """Somebody with a mailbox here, so that notices arrive."""
    return users[number % len(users)]


def recipients_of(number, users):
    """Whose mailboxes the message with this number belongs in."""
    first = number % len(users)
    if number % TWO_RECIPIENTS_EVERY == 0 and len(users) > 1:
        return [users[first], users[(first + 1) % len(users)]]
    return [users[first]]


def content_of(number):
    """The message with this number: about 1.5 KiB, and 100 KiB for every fiftieth."""
    size = 50_000 if number % LARGE_EVERY == LARGE_EVERY - 1 else 600
    digits = hashlib.shake_256(str(number).encode()).hexdigest(size)
    lines = [digits[at:at + 76] for at in range(0, len(digits), 76)]
    lines.insert(1, f".{number}")  # so that dot-stuffing is part of it
    body = "\r\n".join(lines).encode() + b"\r\n"
    digest = hashlib.sha256(body).hexdigest()
    header = (f"From: Sender <sender-{number}@client.example.net>\r\nSubject: number {number}\r\n"
              f"X-Number: {number}\r\nX-Digest: {digest}\r\n\r\n")
    return header.encode() + body


class _Ended(Exception):
    """The attempt is over; carries its result."""

    def __init__(self, result, code=0, text=""):
        super().__init__(text)
        self.result, self.code, self.text, self.port = result, code, text, 0


class NumberedClient:
    """Runs in a thread of its own. `total` None: numbers go on until finish().

    `pause` is how long a session rests between two messages, in seconds: a steady load without a flood. With
    `strangers` each transaction names a recipient, too, whom nobody has ever named and who must be refused, so
    that no answer remembered from earlier ones will do. With `relays` some messages go to others besides, and
    some to addresses elsewhere that do not exist. `on_acknowledged` is called with each attempt that got its 250,
    in the client's thread, before anything else is sent.
    """

    def __init__(self, port, log_path, users, domain="example.org", sessions=50, total=None, allowed=None,
                 per_session=40, pause=0.0, strangers=False, relays=False, on_acknowledged=lambda _: None):
        self.port, self.users, self.domain = port, users, domain
        self.sessions, self.total, self.per_session = sessions, total, per_session
        self.pause, self.strangers, self.relays = pause, strangers, relays
        self.on_acknowledged = on_acknowledged
        self.attempts = []
        self.acknowledged = 0
        self.in_flight = 0  # numbers that a session works on now
        self._asking = {}  # port of a session -> when it sent the recipients that are not answered yet
        self._allowed = total if allowed is None else allowed
        self._next = 0
        self._again = deque()
        self._finishing = self._abandoned = False
        self._log = open(log_path, "w", encoding="ascii")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._error = None
        self._random = random.Random(1)

    # --- for the caller's thread --------------------------------------------------------------------------

    def start(self):
        self._thread.start()
        return self

    def allow(self, numbers):
        """Lets the sessions begin numbers below this one."""
        self._allowed = numbers

    def finish_at(self, numbers):
        """Sends all numbers below this one and then ends; the end is awaited by join()."""
        self._allowed = self.total = numbers

    def finish(self, seconds=60):
        """No new numbers; waits until each begun one has its 250. Answers the attempts."""
        self._finishing = True
        return self.join(seconds)

    def abandon(self):
        """Sends nothing more and awaits nothing: for a run that is over before its end."""
        self._abandoned = True

    def join(self, seconds=60):
        """Waits until every number has its 250."""
        self._thread.join(seconds)
        still = self._thread.is_alive()
        if self._error:
            raise self._error
        assert not still, (f"after {seconds} s {self.acknowledged} of {self.total or self._next} numbers are "
                           f"acknowledged; last attempts: {self.attempts[-5:]}")
        return self.attempts

    @property
    def begun(self):
        return self._next

    def asks_since(self, moment):
        """Whether a session has sent recipients after `moment` (wall clock) that are not answered yet."""
        return any(asked > moment for asked in list(self._asking.values()))

    @property
    def running(self):
        return self._thread.is_alive()

    # --- the sessions -------------------------------------------------------------------------------------

    def _run(self):
        try:
            asyncio.run(self._all())
        except Exception as error:  # handed to the caller's thread by join()
            self._error = error
        finally:
            self._log.close()

    async def _all(self):
        async with asyncio.TaskGroup() as group:
            for _ in range(self.sessions):
                group.create_task(self._worker())

    def _done(self):
        end = self._next if self._finishing else self.total
        return self._abandoned or end is not None and self.acknowledged >= end

    def _take(self):
        """A number to send, or None where there is none now."""
        if self._abandoned:
            return None
        if self._again:
            return self._again.popleft()
        if self._finishing or (self._allowed is not None and self._next >= self._allowed):
            return None
        self._next += 1
        return self._next - 1

    async def _worker(self):
        while not self._done():
            number = self._take()
            if number is None:
                await asyncio.sleep(0.002)
                continue
            await self._session(number)

    async def _session(self, number):
        """One connection: some messages, the first of them `number`."""
        began = time.time()
        self.in_flight += 1
        writer = None
        try:
            try:
                reader, writer = await self._connect()
            except _Ended as end:
                self._record(Attempt(number, end.result, began, time.time(), 0.0, end.code, "", end.text,
                                     end.port, began))
                await asyncio.sleep(0.02)  # before the next try to connect
                return
            left = self._random.randrange(1, self.per_session + 1)
            while await self._message(reader, writer, number, began):
                left -= 1
                following = self._take() if left > 0 else None
                if following is None:
                    writer.write(b"QUIT\r\n")
                    return
                number = following
                await asyncio.sleep(self.pause)
        finally:
            self.in_flight -= 1
            if writer is not None:
                writer.close()

    async def _connect(self):
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        except TimeoutError:  # an OSError too, so it comes first
            raise _Ended(SILENT, text="connecting") from None
        except OSError as error:
            raise _Ended(NOT_CONNECTED, text=str(error)) from None
        try:
            await self._expect(reader, 220)
            writer.write(b"EHLO client.example.net\r\n")
            await self._expect(reader, 250)
        except _Ended as end:
            end.port = _port_of(writer)
            writer.close()
            if end.result == UNSENT:
                end.result = NOT_CONNECTED
            raise
        return reader, writer

    async def _message(self, reader, writer, number, connected):
        """One transaction; whether the session can go on."""
        attempt = Attempt(number, "", time.time(), 0.0, port=_port_of(writer), connected=connected)
        try:
            sender = f"sender-{number}@client.example.net"
            to = "".join(f"RCPT TO:<{user}@{self.domain}>\r\n" for user in recipients_of(number, self.users))
            if self.relays:
                sender = f"{sender_of(number, self.users)}+{number}@{self.domain}"
                to += "".join(f"RCPT TO:<{one}>\r\n" for one in relayed_of(number) + refused_of(number))
            wanted = [250] * (1 + to.count("\r\n"))
            if self.strangers:
                to += f"RCPT TO:<stranger-{number}-{len(self.attempts)}@{self.domain}>\r\n"
                wanted.append(550)
            self._asking[attempt.port] = time.time()
            writer.write(f"MAIL FROM:<{sender}>\r\n{to}".encode())
            replies = [await self._reply(reader) for _ in wanted]
            self._asking.pop(attempt.port)
            for (code, text), expected in zip(replies, wanted):
                self._judge(code, text, expected)
            writer.write(b"DATA\r\n")
            await self._expect(reader, 354)
            attempt.dot = time.time()
            writer.write(wire_form(content_of(number)))
            attempt.code, attempt.text = await self._expect(reader, 250)
            attempt.id = queue_id_of(attempt.text)
            attempt.result = ACKNOWLEDGED
        except _Ended as end:
            attempt.result, attempt.code, attempt.text = end.result, end.code, end.text
            if end.result == UNSENT and attempt.dot:
                attempt.result = AMBIGUOUS
        attempt.ended = time.time()
        self._asking.pop(attempt.port, None)
        self._record(attempt)
        return await self._recover(reader, writer, attempt)

    async def _recover(self, reader, writer, attempt):
        """Whether the session may send another message after this attempt."""
        if attempt.result == ACKNOWLEDGED:
            return True
        if attempt.result in (DEFERRED, REFUSED) and attempt.code != 421:
            try:
                writer.write(b"RSET\r\n")
                await self._expect(reader, 250)
                return True
            except _Ended:
                return False
        return False

    async def _expect(self, reader, wanted):
        code, text = await self._reply(reader)
        self._judge(code, text, wanted)
        return code, text

    @staticmethod
    def _judge(code, text, wanted):
        if code != wanted:
            raise _Ended(DEFERRED if 400 <= code < 500 else REFUSED, code, text)

    @staticmethod
    async def _reply(reader):
        while True:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    line = await reader.readline()
            except TimeoutError:  # an OSError too, so it comes first
                raise _Ended(SILENT, text="no reply") from None
            except OSError as error:
                raise _Ended(UNSENT, text=str(error)) from None
            if not line.endswith(b"\n"):
                raise _Ended(UNSENT, text="connection closed")
            if line[3:4] != b"-":
                return int(line[:3]), line[4:].decode("ascii", "replace").strip()

    def _record(self, attempt):
        self.attempts.append(attempt)
        self._log.write(json.dumps(asdict(attempt)) + "\n")
        self._log.flush()
        if attempt.result == ACKNOWLEDGED:
            self.acknowledged += 1
            self.on_acknowledged(attempt)
        else:
            self._again.append(attempt.number)


def _port_of(writer):
    address = writer.get_extra_info("sockname")
    return address[1] if address else 0


def queue_id_of(text):
    """The id in the text of a 250 to the final dot: "2.0.0 queued as 1k9fz"."""
    match = re.search(r"\b(?:queued as|id)[ =:]+([0-9a-zA-Z]+)", text)
    return match[1] if match else ""
