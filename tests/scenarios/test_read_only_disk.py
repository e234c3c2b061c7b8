"""A disk that takes no writes any more: ext4 makes itself read-only where it meets an error (errors=remount-ro).

Then mail is refused for now, the queue can be read, and what is in it stays there. ext4 becomes writable again only by
a new mount, so by a restart of the server; a disk that takes writes again without one costs none.
"""

import smtplib

import pytest
from harness.injection import Fault, injected
from harness.instance import StartFailed
from harness.session import Session
from harness.waiting import wait_for
from power_cut_run import MESSAGES, PowerCutRun, power_cut_run

pytestmark = [pytest.mark.root_only, pytest.mark.release_only]

TIMES = 2
SECONDS = 200
CONTENT = b"Subject: read-only\r\n\r\nsome text\r\n"


def answer(instance):
    """The code by which a message is taken or refused."""
    try:
        with Session(instance.port) as session:
            return session.deliver("ann@client.example.net", [f"{instance.users[0]}@example.org"], CONTENT)[0]
    except smtplib.SMTPResponseException as refused:
        return refused.smtp_code


class ReadOnlyRun(PowerCutRun):
    """The disk becomes read-only under load; the server is stopped, and cannot start before a new mount."""

    def _end_server(self):
        self.file_system.become_read_only()
        for _ in range(3):
            code = answer(self.instance)
            assert 400 <= code < 500, f"answered with {code}\n{self.instance.report()}"
        assert all(self.instance.run("queue", "show", message["id"]).returncode == 0
                   for message in self.instance.queue()[:3]), self.instance.report()
        self.instance.stop()
        with pytest.raises(StartFailed, match="Read-only file system"):
            self.instance.start()


def test_a_disk_that_becomes_read_only_under_load_loses_nothing():
    with power_cut_run("ext4", run_class=ReadOnlyRun) as run:
        findings = run.run(TIMES, SECONDS)
        print(findings.table())
        assert not findings.failures, "\n".join(findings.failures[:20])
        assert findings.kills == {"power": TIMES}
        assert findings.acknowledged >= TIMES * MESSAGES


@pytest.mark.parametrize("error", ["EROFS", "EDQUOT"])
def test_a_disk_that_takes_writes_again_needs_no_restart(make_instance, error):
    instance = make_instance(smtp={"hold": True}).start()
    assert answer(instance) == 250
    spool = next(process for process in instance.compartments() if process.name == "spool")
    with injected(Fault("pwritev2,fdatasync,openat,ftruncate", f"error={error}", "1+"), spool,
                  instance.directory / "strace"):
        assert {answer(instance) // 100 for _ in range(4)} == {4}, instance.report()
        assert len(instance.queue()) == 1
    wait_for(lambda: answer(instance) == 250, 30, lambda: f"an accepted message\n{instance.report()}")
    assert spool in instance.compartments(), instance.report()
