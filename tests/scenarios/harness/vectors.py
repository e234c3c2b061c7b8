"""The public corpora: where they are, and the messages in them with the numbers that must be there."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


def directory():
    """The folder of the vectors, or a visible skip."""
    path = Path(os.environ.get("STERNPOST_VECTORS", REPOSITORY.parent / "shared" / "vectors"))
    if not path.is_dir():
        pytest.skip(f"the public corpora are not at {path} (set STERNPOST_VECTORS)")
    return path


@dataclass(frozen=True)
class Message:
    """One message of a corpus, as it stands in the file."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Corpus:
    """Files by pattern below a folder, and how many of them there must be."""

    folder: str
    pattern: str
    expected: int

    def messages(self, root):
        paths = sorted(path for path in (root / self.folder).glob(self.pattern) if path.is_file())
        paths = [path for path in paths if not path.name.startswith((".", "LICENSE", "COPYING"))]
        assert len(paths) >= self.expected, (
            f"{self.folder}/{self.pattern}: {len(paths)} files, expected {self.expected}"
        )
        return [Message(str(path.relative_to(root)), path.read_bytes()) for path in paths]


@dataclass(frozen=True)
class MailboxFile:
    """An mbox with the offsets of its messages, written by others."""

    name: str
    expected: int

    def messages(self, root):
        folder = root / "mbox-mimekit"
        data = (folder / f"{self.name}.mbox.txt").read_bytes()
        entries = json.loads((folder / f"{self.name}.unix-offsets.json").read_text())
        assert len(entries) == self.expected, f"{self.name}: {len(entries)} messages"
        return [
            Message(f"mbox-mimekit/{self.name}#{number}", data[entry["beginOffset"]:entry["endOffset"]])
            for number, entry in enumerate(entries)
        ]


@dataclass(frozen=True)
class ChainTests:
    """The messages in the YAML of the ARC tests: the block scalars under the key `message`."""

    path: str
    expected: int

    def messages(self, root):
        found, block = [], None
        for line in (root / self.path).read_bytes().splitlines(keepends=True):
            if block is not None and (not line.strip() or line.startswith(b" " * 6)):
                block.append(line[6:] if line.strip() else b"\n")
                continue
            if block is not None:
                found.append(b"".join(block).rstrip(b"\n") + b"\n" if b"".join(block).strip() else b"")
            block = [] if line.startswith(b"    message: ") else None
        assert len(found) == self.expected, f"{self.path}: {len(found)} messages, expected {self.expected}"
        return [Message(f"{self.path}#{number}", data) for number, data in enumerate(found)]


# All folders with messages. The others hold no messages but fields, addresses, names, zones or cases.
CORPORA = (
    Corpus("messages-mimekit", "*", 32),
    Corpus("mime-rfc", "*.eml", 10),
    Corpus("mime-malformed", "*.eml", 23),
    Corpus("bounces-sisimai", "*.eml", 442),
    Corpus("dkim-canon", "email.*", 21),
    Corpus("dkim-chasquid", "*.msg", 11),
    Corpus("dkim-dkimpy", "*.msg", 4),
    Corpus("dkim-dkimpy", "*.message", 4),
    Corpus("authres-headers", "*", 21),
    Corpus("reports-arf", "*.eml", 5),
    Corpus("reports-dmarc-feedback", "*.eml", 5),
    Corpus("reports-tlsrpt", "*.eml", 2),
    Corpus("maildir-names", "**/new/*", 3),
    Corpus("maildir-names", "**/cur/*", 3),
    Corpus("maildir-kumo", "maildir/*/*", 2),
    MailboxFile("content-length", 29),
    MailboxFile("issue1189", 4),
    ChainTests("arc-validation/arc-draft-validation-tests.yml", 175),
)
