#!/usr/bin/python3
"""tests/spools/keep_spool.py PROGRAM — keeps a spool as PROGRAM (write_spool) makes it, in the folder of its version."""

import pathlib
import subprocess
import sys
import tarfile
import tempfile

VERSION_AT = 8  # of a segment's first block, after its magic


def anonymous(member):
    """Nothing of who made it, and when."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def main():
    program = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as made:
        made = pathlib.Path(made)
        subprocess.run([program, made], check=True)
        header = (made / "spool" / "segment-0000").read_bytes()
        version = int.from_bytes(header[VERSION_AT:VERSION_AT + 4], "little")
        kept = pathlib.Path(__file__).resolve().parent / str(version)
        kept.mkdir(exist_ok=True)
        with tarfile.open(kept / "spool.tar.xz", "w:xz") as packed:
            for path in sorted((made / "spool").iterdir()):
                packed.add(path, f"spool/{path.name}", filter=anonymous)
        for name in ("messages.jsonl", "ids.txt"):
            (kept / name).write_bytes((made / name).read_bytes())
        print(f"kept a spool of version {version} in {kept}")


if __name__ == "__main__":
    main()
