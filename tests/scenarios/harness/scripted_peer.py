"""A next hop that does what a test tells it, where no program of a package has the fault that is wanted.

`replies` maps a stage to what is answered there; what it does not name is answered as a good server does. The
stages are "greeting", the verbs, and "content" for the end of the content. An answer is the octets of a reply,
HANG, CLOSE, an iterator of pieces to send, or a function of what stood behind the verb that answers one of these.
"""

import os
import re
import select
import socket
import threading
import time
from dataclasses import dataclass, field

from harness.waiting import wait_for

HANG, CLOSE = object(), object()
STAGES = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "content", "QUIT")
_GOOD = {
    "greeting": b"220 peer.example.com ESMTP\r\n",
    "EHLO": b"250-peer.example.com\r\n250-PIPELINING\r\n250-SIZE 0\r\n250 8BITMIME\r\n",
    "LHLO": b"250-peer.example.com\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    "HELO": b"250 peer.example.com\r\n",
    "MAIL": b"250 2.1.0 sender ok\r\n",
    "RCPT": b"250 2.1.5 recipient ok\r\n",
    "DATA": b"354 go on\r\n",
    "content": b"250 2.0.0 taken\r\n",
    "RSET": b"250 2.0.0 forgotten\r\n",
    "QUIT": b"221 2.0.0 bye\r\n",
}


@dataclass
class Message:
    """What stood between DATA and the end, and whether the last word on it was 2xx."""

    mail: str
    recipients: list
    content: bytes = b""  # without dot-stuffing
    wire: bytes = b""  # as it came, without the line that is a dot
    taken: bool = False


@dataclass
class Meeting:
    """One connection."""

    client: str
    began: float
    said: list = field(default_factory=list)
    ahead: list = field(default_factory=list)  # verbs behind which more came before they were answered
    messages: list = field(default_factory=list)
    over: bool = False


class _Over(Exception):
    """The connection ends here."""


class _Lines:
    """What comes in, by lines; it knows whether there is more."""

    def __init__(self, connection):
        self._connection, self._kept = connection, b""

    def readline(self):
        """A line with its end; what is there at the end of the connection, and then nothing."""
        while b"\n" not in self._kept:
            piece = self._connection.recv(1 << 16)
            if not piece:
                break
            self._kept += piece
        line, end, self._kept = self._kept.partition(b"\n")
        return line + end

    def read_content(self):
        """Everything up to the line that is a dot, which counts only between two CRLF."""
        end = b"\r\n.\r\n"
        kept = bytearray(b"\r\n" + self._kept)
        at = kept.find(end)
        while at < 0:
            piece = self._connection.recv(1 << 16)
            if not piece:
                raise _Over
            seen = len(kept)
            kept += piece
            at = kept.find(end, max(0, seen - len(end)))
        self._kept = bytes(kept[at + len(end):])
        return bytes(kept[2:at + 2])

    def read_all(self):
        while self._connection.recv(1 << 16):
            pass

    def more(self):
        return bool(self._kept) or bool(select.select([self._connection], [], [], 0.05)[0])


class ScriptedPeer:
    """Listens as long as the context lasts; a thread for each connection."""

    def __init__(self, replies=None, address="127.0.0.1", port=0):
        self.replies, self.address = dict(replies or {}), address
        self.meetings = []
        self._closing = threading.Event()
        self._sockets = []
        if address.startswith("/"):  # the path of a Unix-domain socket
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(address)
            os.chmod(address, 0o666)
            self._listener.listen(100)
            self.port = 0
        else:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self._listener = socket.create_server((address, port), family=family, backlog=100)
            self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._closing.set()
        # Closing alone would not wake whoever waits in accept() or recv().
        for one in (self._listener, *self._sockets):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._listener.close()

    @property
    def next_hop(self):
        return f"[{self.address}]:{self.port}" if self.port else f"unix:{self.address}"

    @property
    def taken(self):
        """The messages for which it has answered."""
        return [message for meeting in list(self.meetings) for message in meeting.messages if message.taken]

    @property
    def said(self):
        """All command lines of all connections, without their ends."""
        return [line for meeting in list(self.meetings) for line in meeting.said]

    def mend(self):
        """From now on a good server."""
        self.replies = {}

    def narrow(self):
        """From now on little fits into a connection that is not read from."""
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def hang_up(self):
        """Ends all connections that stand, and waits until that is done."""
        for one in self._sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        wait_for(lambda: all(meeting.over for meeting in self.meetings), 10, "the end of all connections")

    def _accept(self):
        while True:
            try:
                connection, address = self._listener.accept()
            except OSError:
                return
            if self._closing.is_set():
                connection.close()
                return
            if self.port:
                # What is said before hanging up must not wait in the kernel, where a reset discards it.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(connection)
            meeting = Meeting(address[0] if address else "", time.time())
            self.meetings.append(meeting)
            threading.Thread(target=self._serve, args=(connection, meeting), daemon=True).start()

    def _serve(self, connection, meeting):
        with connection:
            try:
                self._converse(connection, _Lines(connection), meeting)
            except (_Over, OSError):
                pass
        meeting.over = True

    def _converse(self, connection, lines, meeting):
        def answer(stage, argument=""):
            return self._answer(connection, lines, self.replies.get(stage, _GOOD.get(stage)), argument)

        answer("greeting")
        message = None
        while line := lines.readline():
            text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            meeting.said.append(text)
            verb = text[:4].upper()
            argument = text[4:].strip()
            if lines.more():
                meeting.ahead.append(verb)
            if verb == "MAIL":
                message = Message(argument, [])
                if answer(verb, argument) != 2:
                    message = None
            elif verb == "RCPT":
                if message is None and "RCPT" not in self.replies:
                    self._send(connection, b"503 5.5.1 MAIL first\r\n")
                elif answer(verb, argument) == 2 and message is not None:
                    message.recipients.append(re.match(r"TO:<(.*)>", argument, re.IGNORECASE)[1])
            elif verb == "DATA":
                refused = message is None or not message.recipients
                if refused and "DATA" not in self.replies:
                    self._send(connection, b"503 5.5.1 no recipients\r\n")
                elif answer(verb) == 3:
                    self._take_content(lines, meeting, message, answer)
                    message = None
            else:
                answer(verb, argument)
                if verb == "QUIT":
                    return

    @staticmethod
    def _take_content(lines, meeting, message, answer):
        message.wire = lines.read_content()
        message.content = re.sub(rb"(\A|(?<=\r\n))\.", b"", message.wire)
        meeting.messages.append(message)
        message.taken = answer("content", message) == 2

    def _answer(self, connection, lines, what, argument):
        """Answers; the class of the reply's code, 0 where there is none."""
        if callable(what):
            what = what(argument)
        if what is HANG:
            lines.read_all()  # until the other end gives up
            raise _Over
        if what is CLOSE:
            raise _Over
        if what is None:
            what = b"502 5.5.2 what?\r\n"
        if isinstance(what, bytes):
            self._send(connection, what)
            return int(what[:1]) if what[:1].isdigit() else 0
        for piece in what:
            self._send(connection, piece)
        return 0

    @staticmethod
    def _send(connection, octets):
        connection.sendall(octets)
