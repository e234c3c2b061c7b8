"""A small kill test: every compartment is killed with work in flight; scripts/kill-test does the whole."""

import pytest
from kill_run import COMPARTMENTS, KillRun, make_instance
from kill_sink import KillSink

pytestmark = pytest.mark.root_only  # only root may look at what a compartment has in hand

MESSAGES = 3000
KILLS_EACH = 3


@pytest.fixture
def run(request):
    sink = KillSink().start()
    instance = make_instance(sink)
    instance.start()
    kill_run = KillRun(instance, sink, MESSAGES, KILLS_EACH)
    yield kill_run
    report = getattr(request.node, "report_call", None)
    if report is not None and report.failed:
        print(f"replay with: scripts/kill-test --messages {MESSAGES} --kills {KILLS_EACH} "
              f"--seed {kill_run.seed}")
        print(instance.report())
    instance.remove()
    sink.stop()


def test_no_acknowledged_message_is_lost_or_doubled_when_compartments_are_killed(run):
    findings = run.run(seconds=240)
    print(findings.table())
    assert not findings.failures, "\n".join(findings.failures[:20])
    assert findings.acknowledged >= MESSAGES
    assert findings.kills == {compartment: KILLS_EACH for compartment in COMPARTMENTS}
