"""Programs beside the server: not ours, from Debian's packages, and the probes that are built with it."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from harness.instance import binary
from harness.vectors import REPOSITORY


def program(name):
    """The path of an installed program, or a visible skip."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (`scripts/setup check` does that)")
    return path


def probe(name):
    """The path of a program of tests/probes, or a visible skip."""
    path = binary().parent.parent / "probes" / name
    if not path.exists():
        pytest.skip(f"{path} is not built")
    return path


@cache
def _peer_folder(package):
    done = subprocess.run([REPOSITORY / "scripts" / "peer-path", package], capture_output=True, text=True,
                          timeout=120, check=False)
    if done.returncode != 0:
        return None, done.stderr.strip()
    return Path(done.stdout.strip()), ""


def peer_folder(package):
    """The folder of a package that scripts/peer-path extracts, or a visible skip where apt cannot fetch it."""
    folder, why = _peer_folder(package)
    if folder is None:
        pytest.skip(f"Debian's {package} could not be fetched: {why}")
    return folder


def peer_program(package, name):
    """A program of such a package."""
    return peer_folder(package) / "bin" / name


def postfix_program(name):
    return peer_program("postfix", name)


def run(*command, text=None, timeout=60):
    """Runs a client; AssertionError with what it said where it fails."""
    done = subprocess.run([str(part) for part in command], input=text, capture_output=True, timeout=timeout,
                          check=False)
    assert done.returncode == 0, (
        f"{command[0]} ended with {done.returncode}\n{done.stdout.decode(errors='replace')}"
        f"{done.stderr.decode(errors='replace')}")
    return done.stdout.decode(errors="replace")
