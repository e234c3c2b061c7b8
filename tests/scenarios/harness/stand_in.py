"""A small SMTP server that delivers to Maildirs: what the harness itself is tested against.

It can be told to misbehave, so that tests show that the audit notices.
"""

import asyncio
import os
import re
import threading
from pathlib import Path


class StandIn:
    """Serves on a port of its own, in a thread. `fault(number_of_message)` may answer the name of a fault."""

    def __init__(self, mail, users, fault=lambda _: None):
        self.mail, self.fault, self.port = Path(mail), fault, 0
        for user in users:
            for sub in ("tmp", "new", "cur"):
                (self.mail / user / sub).mkdir(parents=True, exist_ok=True)
        self._count = 0
        self._files = 0
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 22)
        server = self._loop.run_until_complete(starting)
        self.port = server.sockets[0].getsockname()[1]
        self._up.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader, writer):
        writer.write(b"220 stand-in\r\n")
        sender, recipients = "", []
        try:
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb in (b"EHLO", b"HELO"):
                    writer.write(b"250 stand-in\r\n")
                elif verb == b"MAIL":
                    sender, recipients = re.search(rb"<(.*)>", line)[1].decode(), []
                    writer.write(b"250 2.1.0 sender\r\n")
                elif verb == b"RCPT":
                    recipients.append(re.search(rb"<(.*)>", line)[1].decode())
                    writer.write(b"250 2.1.5 recipient\r\n")
                elif verb == b"DATA":
                    writer.write(b"354 go on\r\n")
                    if not self._take(writer, sender, recipients, await self._content(reader)):
                        break
                elif verb == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                else:
                    writer.write(b"250 done\r\n")
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def _content(reader):
        """The content up to the line that is a dot, undone of dot-stuffing; bare LF is no line end."""
        lines = [b""]
        while True:
            lines[-1] += await reader.readuntil(b"\n")
            if lines[-1] == b".\r\n":
                return b"".join(line.removeprefix(b".") for line in lines[:-1])
            if lines[-1].endswith(b"\r\n"):
                lines.append(b"")

    def _take(self, writer, sender, recipients, content):
        """Delivers and answers, or does what the fault says; whether the session goes on."""
        self._count += 1
        fault = self.fault(self._count)
        queue_id = f"id{self._count:06}"
        if fault == "defer":
            writer.write(b"451 4.3.0 later\r\n")
            return True
        if fault == "damage":
            content = content.replace(b"Subject:", b"Object: ", 1)
        if fault != "lose":
            for recipient in recipients:
                for _ in range(2 if fault == "duplicate" else 1):
                    self._deliver(queue_id, sender, recipient, content)
        if fault in ("cut", "cut and lose"):
            writer.transport.abort()
            return False
        writer.write(f"250 2.0.0 queued as {queue_id}\r\n".encode())
        return True

    def _deliver(self, queue_id, sender, recipient, content):
        self._files += 1
        trace = (f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n"
                 f"Received: from client by stand-in\r\n\twith ESMTP id {queue_id}; today\r\n").encode()
        folder = self.mail / recipient.split("@")[0].split("+")[0]
        name = f"{self._files}.{queue_id}"
        (folder / "tmp" / name).write_bytes((trace + content).replace(b"\r\n", b"\n"))
        os.rename(folder / "tmp" / name, folder / "new" / name)
