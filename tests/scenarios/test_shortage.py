"""Master without what it needs to start processes: it waits, and everything comes back."""

import os
import resource
import signal
import time

import pytest
from harness import maildir
from harness.session import Session
from harness.waiting import wait_for

# UBSan needs a pipe, and so descriptors, to look at an object.
pytestmark = pytest.mark.release_only

CONTENT = b"Subject: shortage\r\n\r\nsome text\r\n"


@pytest.fixture
def no_descriptors():
    """Lets a process have no descriptor beyond those it holds; gives them back at the end."""
    before = {}

    def take(pid):
        before[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, before[pid][1]))

    def give_back():
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        before.clear()

    take.give_back = give_back
    yield take
    give_back()


@pytest.mark.parametrize("name", ["router", "smtpd", "virtual"])
def test_a_compartment_that_cannot_be_started_is_started_later(instance, no_descriptors, name):
    victim = next(process for process in instance.compartments() if process.name == name)
    no_descriptors(instance.master.pid)
    os.kill(victim.pid, signal.SIGKILL)
    wait_for(lambda: any("cannot be started" in record["outcome"] for record in instance.history()), 20,
             lambda: f"a record of it\n{instance.report()}")
    time.sleep(0.3)  # many tries of 20 ms
    assert instance.process.poll() is None, instance.report()
    no_descriptors.give_back()
    wait_for(lambda: any(process.name == name and process.pid != victim.pid
                         for process in instance.compartments()), 20, f"a new {name}")

    def deliver():
        with Session(instance.port) as session:
            return session.deliver("ann@client.example.net", ["alice@example.org"], CONTENT)[0] == 250
    wait_for(deliver, 20, "an accepted message")
    wait_for(lambda: maildir.count(instance.mailbox("alice")) >= 1, 20, lambda: instance.report())
