"""Every write of a short run of the installed server as the last one before a power cut; scripts/power-cut does more.

And the test of the test: a server whose syncs do nothing must be found out.
"""

import contextlib

import pytest
from harness.injection import under_eatmydata, without_syncs
from write_log_run import WriteLogRun

pytestmark = [pytest.mark.root_only, pytest.mark.release_only]

MESSAGES = 30
REORDER_EVERY = 4


@pytest.fixture
def run():
    with contextlib.closing(WriteLogRun("ext4", MESSAGES)) as made:
        yield made


def test_every_prefix_of_the_writes_holds_what_was_acknowledged_by_then(run):
    run.record()
    assert len(run.noted) == MESSAGES
    complaints = list(run.audit(REORDER_EVERY))
    print(f"{run.prefixes} prefixes, {run.reordered} with some writes since the last flush\n"
          f"replay with: scripts/power-cut write-log --kind ext4 --messages {MESSAGES} --reorder-every {REORDER_EVERY} --seed {run.seed}")
    assert not complaints, "\n".join(complaints[:20])
    assert run.prefixes > MESSAGES and run.reordered > MESSAGES // 2


@pytest.mark.parametrize("launcher", [without_syncs, under_eatmydata])
def test_a_server_whose_syncs_do_nothing_is_found_out_by_its_writes(run, launcher):
    run.record(launcher())
    assert any("LOST" in complaint for complaint in run.audit()), f"{run.prefixes} prefixes"
