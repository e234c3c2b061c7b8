"""The next hop of the kill test: takes what is handed on to it, remembers each copy, and refuses what must fail."""

import asyncio
import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass

RELAYED = "relay.example"
REFUSED = "refused.example"
_ID = re.compile(rb"\bid\s+([0-9a-z]+)")
_NUMBER = re.compile(rb"^X-Number: (\d+)\r$", re.MULTILINE)


@dataclass(frozen=True)
class Copy:
    """One delivery. `begun`: the content was asked for; `ended`: it was acknowledged; wall clock."""

    begun: float
    ended: float
    queue_id: str
    content: bytes  # without the trace field that the server added


class KillSink:
    """An SMTP server in a thread of its own. Recipients at REFUSED are refused for good."""

    def __init__(self):
        self.copies = defaultdict(list)  # recipient -> Copy
        self.refused = 0
        self.sessions = 0  # open now
        self.port = 0
        self._ready = threading.Event()
        self._loop = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def start(self):
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def stop(self):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    async def _serve(self):
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._session, "127.0.0.1", 0, limit=1 << 20)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()

    async def _session(self, reader, writer):
        self.sessions += 1
        try:
            await self._talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # a killed client
        finally:
            self.sessions -= 1
            writer.close()

    async def _talk(self, reader, writer):
        writer.write(b"220 sink ESMTP\r\n")
        recipients = []
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                writer.write(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
            elif verb == b"RCPT":
                recipient = line[line.index(b"<") + 1:line.index(b">")].decode()
                if recipient.endswith("@" + REFUSED):
                    self.refused += 1
                    writer.write(b"550 5.1.1 nobody of this name\r\n")
                else:
                    recipients.append(recipient)
                    writer.write(b"250 2.1.5 Ok\r\n")
            elif verb == b"DATA" and recipients:
                await self._take(reader, writer, recipients)
                recipients = []
            elif verb == b"DATA":
                writer.write(b"554 5.5.1 No recipients\r\n")
            elif verb == b"QUIT":
                writer.write(b"221 2.0.0 Bye\r\n")
                return
            else:
                if verb in (b"MAIL", b"RSET"):
                    recipients = []
                writer.write(b"250 2.0.0 Ok\r\n")

    async def _take(self, reader, writer, recipients):
        begun = time.time()
        writer.write(b"354 go\r\n")
        lines = []
        while (line := await reader.readline()) != b".\r\n":
            if not line.endswith(b"\n"):
                raise asyncio.IncompleteReadError(line, None)
            lines.append(line[1:] if line.startswith(b".") else line)
        data = b"".join(lines)
        trace = re.match(rb"Received:[^\r]*\r\n(?:[ \t][^\r]*\r\n)*", data)
        # Remembered before it is acknowledged: what is not here was not taken.
        copy = Copy(begun, time.time(), _ID.search(trace[0])[1].decode(), data[trace.end():])
        for recipient in recipients:
            self.copies[recipient].append(copy)
        writer.write(b"250 2.0.0 taken\r\n")


def number_of(content):
    """The number of the message that this is, or that the notice is about."""
    match = _NUMBER.search(content)
    return int(match[1]) if match else None
