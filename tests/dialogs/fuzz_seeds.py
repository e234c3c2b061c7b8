#!/usr/bin/env python3
"""Writes seeds for fuzz_smtp_server: fuzz_seeds.py FOLDER [VECTORS]

What the client says in each dialog becomes one seed for each of a few set-ups (the first octet, see
src/protocol/smtp/fuzz_smtp_server.cc). With VECTORS, the sessions of its fuzz-seeds/smtpsrv are added: as they are, in
lines of LF, and with CRLF.
"""
import ast
import pathlib
import re
import sys

# Normal, tight limits, refusals, late answers; in groups of 4096 octets, and 16.
SETUPS = (0xC0, 0xC2, 0xC4, 0xC8, 0x40)
NORMALIZE = 0xC1


def unescape(text):
    text = re.sub(r"\\\{(\d+)\*([^}]*)\}", lambda m: m[2] * min(int(m[1]), 300), text)
    names = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
    out = b""
    for part in re.findall(r"\\x[0-9a-fA-F]{2}|\\.|[^\\]+", text):
        if part.startswith("\\x"):
            out += bytes([int(part[2:], 16)])
        elif part.startswith("\\"):
            out += names[part[1]]
        else:
            out += part.encode()
    return out


def said(dialog):
    out = b""
    for line in dialog.read_text().splitlines():
        if line.startswith("C:"):
            out += line[3:].encode() + b"\r\n"
        elif line.startswith("X:"):
            out += unescape(line[3:])
    return out


def go_sessions(vectors):
    for file in sorted((vectors / "fuzz-seeds/smtpsrv").rglob("*")):
        if not file.is_file():
            continue
        for literal in re.findall(r'\[\]byte\("(.*)"\)', file.read_text()):
            # Go escapes in interpreted literals are Python's in bytes, once other characters are UTF-8.
            yield ast.literal_eval("b'" + "".join(
                c if ord(c) < 128 and c != "'" else "".join(f"\\x{b:02x}" for b in c.encode()) for c in literal) + "'")


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    sessions = [(said(dialog), SETUPS + (NORMALIZE,)) for dialog in
                sorted((pathlib.Path(__file__).parent / "smtp").glob("*.txt"))]
    if len(sys.argv) > 2:
        for session in go_sessions(pathlib.Path(sys.argv[2])):
            sessions.append((session, (NORMALIZE,)))
            sessions.append((session.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), SETUPS))
    for number, (session, setups) in enumerate(sessions):
        for setup in setups:
            (folder / f"{number:03d}-{setup:02x}").write_bytes(bytes([setup]) + session)
    print(f"{len(sessions)} sessions")


if __name__ == "__main__":
    main()
