"""What a spool folder holds, as the engine finds it when it recovers: spool_audit of tests/probes."""

import json
import subprocess
from dataclasses import dataclass

from harness import tools

RECOVERY_SECONDS = 60


@dataclass(frozen=True)
class Holding:
    """`contents`: queue id -> what is stored of the live messages; `complaints`: what cannot be read, in words;
    `quarantined`: what is kept as it is, because something there was not as it should be, in words.
    """

    contents: dict
    complaints: list
    quarantined: list


def recover(folder, segment):
    """Recovers the folder, which nobody else may use; `segment` is the size of its files."""
    done = subprocess.run([tools.probe("spool_audit"), folder, "--segment", str(segment)], capture_output=True,
                          text=True, timeout=RECOVERY_SECONDS, check=False)
    if done.returncode != 0:
        return Holding({}, [f"no recovery: {done.stderr.strip() or done.returncode}"], [])
    *messages, summary = map(json.loads, done.stdout.splitlines())
    complaints = [f"{one['id']}: {one['unreadable']}" for one in messages if "unreadable" in one]
    return Holding({one["id"]: one["content"] for one in messages if "content" in one}, complaints,
                   [f"quarantined: {one}" for one in summary["quarantined"]])
