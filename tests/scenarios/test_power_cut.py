"""Power cuts of the installed server: a file system that is shut down under load; scripts/power-cut does thousands.

And the test of the test: a server whose syncs do nothing must be found out.
"""

import contextlib
import time

import pytest
from harness import tools
from harness.file_system import FileSystem
from kill_sink import KillSink
from power_cut_run import PowerCutRun, make_instance_on

pytestmark = [pytest.mark.root_only, pytest.mark.release_only]

CUTS = 30
CUTS_UNTIL_FOUND_OUT = 10
SECONDS = 300
SYNCS = "fsync,fdatasync,syncfs,sync_file_range,sync,msync"


@pytest.fixture
def make_run(request):
    """A function that makes a run on a file system of this kind; `launcher` starts the server."""
    with contextlib.ExitStack() as stack:
        def make(kind, launcher=()):
            file_system = FileSystem(kind)
            stack.callback(file_system.remove)
            sink = KillSink().start()
            stack.callback(sink.stop)
            instance = make_instance_on(file_system, sink)
            stack.callback(instance.remove)
            instance.launcher = list(launcher)
            run = PowerCutRun(instance.start(), file_system, sink).start()
            stack.callback(show, request, run)
            return run

        yield make


def show(request, run):
    """What a failed test should show."""
    report = getattr(request.node, "report_call", None)
    if report is not None and report.failed:
        print(f"replay with: scripts/power-cut file-system --kind {run.file_system.kind} --cuts {CUTS} --seed {run.seed}")
        with contextlib.suppress(OSError):  # where the file system is still shut down
            print(run.instance.report())


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_no_acknowledged_message_is_lost_when_the_power_is_cut(make_run, kind):
    run = make_run(kind)
    deadline = time.monotonic() + SECONDS
    for turn in range(CUTS):
        losses = run.cut(deadline)
        assert not losses, f"cut {turn + 1}, seed {run.seed}: " + "\n".join(losses[:20])
    findings = run.finish(deadline)
    print(findings.table())
    assert not findings.failures, "\n".join(findings.failures[:20])
    assert findings.kills == {"power": CUTS}
    assert findings.acknowledged >= CUTS * run.messages


def test_a_server_whose_syncs_do_nothing_is_found_out(make_run):
    strace = tools.program("strace")
    run = make_run("ext4", [strace, "--follow-forks", "--quiet=all", "--output=/dev/null", f"--trace={SYNCS}",
                            f"--inject={SYNCS}:retval=0"])
    deadline = time.monotonic() + SECONDS
    assert any(run.cut(deadline) for _ in range(CUTS_UNTIL_FOUND_OUT)), "no message was lost, and should have been"
