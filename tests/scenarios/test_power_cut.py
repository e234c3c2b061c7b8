"""Power cuts of the installed server: a file system that is shut down under load; scripts/power-cut does thousands.

And the test of the test: a server whose syncs do nothing must be found out.
"""

import pytest
from harness.injection import under_eatmydata, without_syncs
from power_cut_run import MESSAGES, power_cut_run

pytestmark = [pytest.mark.root_only, pytest.mark.release_only]

CUTS = 30
CUTS_UNTIL_FOUND_OUT = 10
SECONDS = 300


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_no_acknowledged_message_is_lost_when_the_power_is_cut(kind):
    with power_cut_run(kind) as run:
        print(f"replay with: scripts/power-cut file-system --kind {kind} --cuts {CUTS} --seed {run.seed}")
        findings = run.run(CUTS, SECONDS)
        print(findings.table())
        assert not findings.failures, "\n".join(findings.failures[:20])
        assert findings.kills == {"power": CUTS}
        assert findings.acknowledged >= CUTS * MESSAGES


@pytest.mark.parametrize("launcher", [without_syncs, under_eatmydata])
def test_a_server_whose_syncs_do_nothing_is_found_out(launcher):
    with power_cut_run("ext4", launcher=launcher()) as run:
        findings = run.run(CUTS_UNTIL_FOUND_OUT, SECONDS)
        assert any("LOST" in failure for failure in findings.failures), findings.table()
