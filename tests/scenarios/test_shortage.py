"""Master without what it needs to start processes: it waits, and everything comes back."""

import os
import resource
import signal
import time

import pytest
from harness import maildir
from harness.injection import Fault, injected
from harness.session import Session
from harness.waiting import wait_for

TOLD = {"spool", "qmgr", "log", "admin"}
RENEWED = {"smtpd", "router", "users", "dns", "virtual", "smtp", "bounce"}
CONTENT = b"Subject: shortage\r\n\r\nsome text\r\n"


@pytest.fixture
def no_descriptors():
    """Lets a process have no descriptor beyond those it holds; gives them back at the end."""
    before = {}

    def take(pid, limit=1):
        current = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        before.setdefault(pid, current)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, current[1]))

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


def settled(instance):
    """Whether every compartment runs, and none beside it that is being started or drained."""
    processes = instance.status()["processes"]
    return {p["program"] for p in processes} - {"master"} == TOLD | RENEWED and all(p["state"] == "running" for p in processes)


def test_a_reload_without_descriptors_costs_no_process_that_serves(instance, no_descriptors):
    pid = instance.master.pid
    wait_for(lambda: settled(instance), 20, lambda: f"all to run\n{instance.report()}")
    told = {process for process in instance.compartments() if process.name in TOLD}
    refused = taken = 0
    for spare in range(0, 60, 2):
        no_descriptors(pid, max(map(int, os.listdir(f"/proc/{pid}/fd"))) + 1 + spare)
        done = instance.run("reload")
        no_descriptors.give_back()
        refused, taken = refused + (done.returncode != 0), taken + (done.returncode == 0)
        wait_for(lambda: settled(instance), 20, lambda: f"all to run\n{instance.report()}")
        assert told == {process for process in instance.compartments() if process.name in TOLD}, instance.report()
    assert refused > 1 and taken > 1


def test_a_restart_that_waits_while_a_reload_fails_is_made_at_last(instance, no_descriptors):
    router = next(process for process in instance.compartments() if process.name == "router")
    no_descriptors(instance.master.pid)
    os.kill(router.pid, signal.SIGKILL)
    wait_for(lambda: any("cannot be started" in record["outcome"] for record in instance.history()), 20,
             lambda: f"a record of it\n{instance.report()}")
    assert instance.run("reload").returncode != 0
    no_descriptors.give_back()
    wait_for(lambda: settled(instance), 20, lambda: f"a new router\n{instance.report()}")
    with Session(instance.port) as session:
        assert session.deliver("ann@client.example.net", ["alice@example.org"], CONTENT)[0] == 250
    wait_for(lambda: maildir.count(instance.mailbox("alice")) == 1, 20, lambda: instance.report())


@pytest.mark.root_only  # only root may attach to a compartment
@pytest.mark.release_only
def test_a_spool_without_descriptors_refuses_what_it_cannot_grow_for_and_goes_on(make_instance):
    instance = make_instance(smtp={"hold": True, "max_message": "256 KiB"}, spool={"segment": "1 MiB"}).start()
    spool = next(process for process in instance.compartments() if process.name == "spool")
    content = b"Subject: large\r\n\r\n" + (b"y" * 76 + b"\r\n") * 700  # not so large that it has a file of its own

    def answer():
        with Session(instance.port) as session:
            return session.deliver("ann@client.example.net", ["alice@example.org"], content)[0]

    codes = [answer()]
    with injected(Fault("openat", "error=EMFILE", "1+"), spool, instance.directory / "strace"):
        while codes[-1] == 250 and len(codes) < 400:
            codes.append(answer())
    assert 400 <= codes[-1] < 500, codes
    wait_for(lambda: answer() == 250, 30, lambda: f"an accepted message\n{instance.report()}")
    assert spool in instance.compartments(), instance.report()
    assert len(instance.queue()) == codes.count(250) + 1
