"""Signed zones on loopback: ldnsutils signs, nsd serves, unbound is the recursive server in front of it."""

import os
import shutil
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

from harness.instance import free_port
from harness.tools import peer_program
from harness.waiting import wait_for

ANSWER_SECONDS = 20


def _question(name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 6, 1)


def _answers(port, name):
    """Whether whoever listens there answers a question."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.5)
        try:
            asker.sendto(_question(name), ("127.0.0.1", port))
            return len(asker.recv(4096)) > 12
        except OSError:
            return False


class NameServers:
    """A folder with zones, and the servers that serve them; a context manager that ends them."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sternpost-dns-"))
        os.chmod(self.folder, 0o755)
        self.zones, self.anchors, self.processes = {}, [], []
        self.authority, self.port = free_port(), free_port()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait(10)
        # What nsd had started ends by itself, and may remove its own files meanwhile.
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def server(self):
        return f"127.0.0.1:{self.port}"

    @property
    def trust_anchor(self):
        """A file with the keys of all signed zones."""
        path = self.folder / "anchor"
        path.write_text("".join(self.anchors))
        return path

    def add_zone(self, name, records, signed=True, change=None):
        """A zone of these records; `change` is a function that spoils the signed text."""
        head = (f"$ORIGIN {name}.\n$TTL 600\n@ SOA ns hostmaster 1 7200 3600 1209600 300\n"
                f"@ NS ns\nns A 127.0.0.1\n")
        path = self.folder / f"{name}.zone"
        path.write_text(head + records)
        if signed:
            path = self._sign(name, path)
        if change is not None:
            path.write_text(change(path.read_text()))
        self.zones[name] = path

    def _sign(self, name, path):
        def ldns(tool, *arguments):
            done = subprocess.run([peer_program("ldnsutils", tool), *map(str, arguments)], cwd=self.folder,
                                  capture_output=True, text=True, timeout=60, check=True)
            return done.stdout.strip()

        key = ldns("ldns-keygen", "-k", "-a", "ECDSAP256SHA256", name)
        ldns("ldns-signzone", "-n", "-o", name, path, key)
        self.anchors.append((self.folder / f"{key}.ds").read_text())
        return path.with_name(path.name + ".signed")

    def start(self):
        """Starts both; returns when a question gets through."""
        self.start_authority()
        self.start_recursive()
        return self

    def start_authority(self):
        lines = ["server:", f"  ip-address: 127.0.0.1@{self.authority}", '  username: ""', '  database: ""',
                 f'  zonesdir: "{self.folder}"', f'  pidfile: "{self.folder}/nsd.pid"',
                 f'  xfrdfile: "{self.folder}/xfrd.state"', f'  zonelistfile: "{self.folder}/zone.list"',
                 f'  xfrdir: "{self.folder}"', "  server-count: 1", "  rrl-ratelimit: 0", "remote-control:", "  control-enable: no"]
        for name, path in self.zones.items():
            lines += ["zone:", f'  name: "{name}"', f'  zonefile: "{path.name}"']
        config = self._write("nsd.conf", lines)
        self._launch(peer_program("nsd", "nsd"), "-d", "-c", config)
        wait_for(lambda: _answers(self.authority, next(iter(self.zones))), ANSWER_SECONDS, "nsd to answer")

    def start_recursive(self):
        """It does not validate, so that what is wrong comes through to whoever does."""
        lines = ["server:", f"  interface: 127.0.0.1@{self.port}", '  username: ""', '  chroot: ""',
                 f'  directory: "{self.folder}"', f'  pidfile: "{self.folder}/unbound.pid"',
                 "  do-not-query-localhost: no", '  module-config: "iterator"', "  use-syslog: no",
                 "remote-control:", "  control-enable: no"]
        for name in self.zones:
            lines += ["stub-zone:", f'  name: "{name}"', f"  stub-addr: 127.0.0.1@{self.authority}"]
        config = self._write("unbound.conf", lines)
        self._launch(peer_program("unbound", "unbound"), "-d", "-c", config)
        wait_for(lambda: _answers(self.port, next(iter(self.zones))), ANSWER_SECONDS, "unbound to answer")

    def stop_all(self):
        for process in self.processes:
            process.terminate()
            process.wait(10)
        self.processes.clear()

    def _write(self, name, lines):
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n")
        return path

    def _launch(self, *command):
        with (self.folder / "log").open("ab") as log:
            self.processes.append(subprocess.Popen([str(part) for part in command], stdout=log, stderr=log))


