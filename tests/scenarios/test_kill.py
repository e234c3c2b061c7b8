"""A small kill test: every compartment is killed with work in flight; scripts/kill-test does the whole."""

import pytest
from harness.instance import Instance
from kill_run import COMPARTMENTS, USERS, KillRun

MESSAGES = 3000
KILLS_EACH = 3


@pytest.fixture
def run(request):
    instance = Instance(users=USERS)
    instance.start()
    kill_run = KillRun(instance, MESSAGES, KILLS_EACH)
    yield kill_run
    report = getattr(request.node, "report_call", None)
    if report is not None and report.failed:
        print(f"replay with: scripts/kill-test --messages {MESSAGES} --kills {KILLS_EACH} "
              f"--seed {kill_run.seed}")
        print(instance.report())
    instance.remove()


def test_no_acknowledged_message_is_lost_or_doubled_when_compartments_are_killed(run):
    findings = run.run(seconds=120)
    print(findings.table())
    assert not findings.failures, "\n".join(findings.failures[:20])
    assert findings.acknowledged >= MESSAGES
    assert findings.kills == {compartment: KILLS_EACH for compartment in COMPARTMENTS}
