"""What gives servers work and takes it from them: the generator, and the next hop."""

import os
import socket
import struct
import subprocess
import time

import servers

GENERATOR = servers.ROOT / "build/bench/generator"
SINK = servers.ROOT / "build/bench/sink"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Sink:
    """The next hop of the rows that relay: takes everything and counts, or defers everything."""

    def __init__(self, folder, *options):
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.file = free_port(), folder / "counters"
        self.process = subprocess.Popen([SINK, "--port", str(self.port), "--counters", self.file, *options])
        deadline = time.monotonic() + 10
        while not self.file.exists() or self.file.stat().st_size < 16 or not self.listens():
            if time.monotonic() > deadline:
                raise RuntimeError("the sink did not start")
            time.sleep(0.01)
        self.view = open(self.file, "rb")

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def count(self):
        """(messages, recipients) so far."""
        return struct.unpack("=2Q", os.pread(self.view.fileno(), 16, 0))

    def wait(self, which, count, seconds):
        """The time when so many have come since the start, or None when they have not in time."""
        deadline = time.monotonic() + seconds
        while self.count()[which] < count:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.002)
        return time.monotonic()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.view.close()
