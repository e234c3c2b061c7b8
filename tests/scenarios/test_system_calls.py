"""The spool is killed, or its disk fails, at its n-th system call; scripts/power-cut tries every n."""

import contextlib

import pytest
from spool_fault_run import EFFECTS, spool_fault_run
from system_call_run import Sweep

pytestmark = pytest.mark.release_only

# Of the calls of each name; scripts/power-cut tries them all.
EVERY = 15
SECONDS = 120


def test_what_the_engine_accepted_outlives_a_fault_at_any_system_call():
    with contextlib.closing(Sweep()) as sweep:
        names = {calls.name for calls in sweep.calls()}
        assert names >= {"openat", "pwritev2", "pread64", "fdatasync", "fsync", "fstatfs", "getdents64"}
        faults = sweep.faults(EVERY)
        complaints = [complaint for fault in faults for complaint in sweep.try_one(fault)]
        print(f"{len(faults)} faults in {', '.join(sorted(names))}: {dict(sweep.outcomes)}\n"
              f"replay with: scripts/power-cut system-calls --every {EVERY} --seed {sweep.seed}")
        assert not complaints, "\n".join(complaints[:20])
        assert sweep.outcomes["killed"] > 30 and sweep.outcomes["not reached"] < len(faults) // 20


@pytest.mark.root_only  # only root may attach to a compartment
def test_the_installed_server_lives_through_faults_of_its_spool():
    with spool_fault_run() as run:
        findings = run.run(1, SECONDS)
        print(f"replay with: scripts/power-cut spool --rounds 1 --seed {run.seed}\n{findings.table()}")
        assert not findings.failures, "\n".join(findings.failures[:20])
        assert findings.kills == {"spool": sum(effect == "signal=KILL" for _, effect in EFFECTS)}
