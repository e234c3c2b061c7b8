"""Whether somebody listens at an address, without connecting to him: he would count it as a session."""

import socket
import struct
from pathlib import Path

_LISTENING = "0A"


def _as_in_proc(address, port):
    if ":" in address:
        packed = socket.inet_pton(socket.AF_INET6, address)
    else:
        packed = socket.inet_pton(socket.AF_INET, address)
    words = [f"{struct.unpack('=I', packed[i:i + 4])[0]:08X}" for i in range(0, len(packed), 4)]
    return f"{''.join(words)}:{port:04X}"


def is_listening(address, port):
    table = Path("/proc/net/tcp6" if ":" in address else "/proc/net/tcp")
    wanted = _as_in_proc(address, port)
    for line in table.read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == wanted and fields[3] == _LISTENING:
            return True
    return False
