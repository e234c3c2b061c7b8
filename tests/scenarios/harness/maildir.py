"""Reads what the server delivered, and takes its trace fields apart from the message."""

import re
from dataclasses import dataclass
from pathlib import Path

# What delivery adds, from the top: RFC 5321 section 4.4, and Delivered-To between.
TRACE = (b"return-path", b"delivered-to", b"received")

_FIELD = re.compile(rb"([!-9;-~]+):((?:[^\r\n]*\r\n)(?:[ \t][^\r\n]*\r\n)*)")


@dataclass(frozen=True)
class Delivered:
    """One file of a Maildir. Line ends are CRLF, as on the wire."""

    path: Path
    return_path: str
    delivered_to: str
    received: str
    content: bytes  # what the client sent, without the trace fields

    @property
    def queue_id(self):
        match = re.search(r"\bid\s+<?([0-9A-Za-z]+)", self.received)
        return match[1] if match else ""


def to_crlf(data):
    """LF line ends as CRLF; CRLF stays."""
    return re.sub(rb"(?<!\r)\n", b"\r\n", data)


def parse(path, data):
    """Takes a delivered file apart; AssertionError where its trace fields are not as they must be."""
    text = to_crlf(data)
    values, position = [], 0
    for name in TRACE:
        field = _FIELD.match(text, position)
        assert field and field[1].lower() == name, (
            f"{path}: expected the field {name.decode()} at octet {position}, found "
            f"{text[position:position + 60]!r}"
        )
        values.append(re.sub(rb"\r\n[ \t]+", b" ", field[2]).strip().decode("ascii"))
        position = field.end()
    return Delivered(path, values[0], values[1], values[2], text[position:])


def files(directory):
    """The message files of a Maildir, new and seen."""
    found = []
    for sub in ("new", "cur"):
        folder = Path(directory) / sub
        if folder.is_dir():
            found += [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    return found


def count(directory):
    return len(files(directory))


def read(directory):
    """Every message of a Maildir."""
    return [parse(path, path.read_bytes()) for path in files(directory)]


def leftovers(directory):
    """Files in tmp: what an interrupted delivery leaves."""
    folder = Path(directory) / "tmp"
    return list(folder.iterdir()) if folder.is_dir() else []
