"""Confinement from outside: a debugger makes every running compartment try what its row forbids, under load.

The debugger is harness/debugger.py; nothing in the server helps it. `config` is short-lived: it is caught at
the moment when it has confined itself.
"""

import errno
import os
import platform
import signal
import stat

import kill_client
import kill_run
import pytest
from harness import proc
from harness.confinement import AF_INET, CONFIG, ROWS, SOCK_STREAM, probes_of
from harness.debugger import Debugger, Gone, meaning, sockaddr_in
from harness.newborn import caught_confined
from harness.waiting import wait_for

pytestmark = [
    pytest.mark.root_only,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the tests' debugger knows x86-64 only"),
]

CAP_SYS_ADMIN = 21
SOCK_NONBLOCK = 0o4000
TRUST_ANCHOR = "/usr/share/dns/root.key"
LOOP = ("anon_inode:[eventpoll]", "anon_inode:[eventfd]", "anon_inode:[timerfd]", "anon_inode:[signalfd]")
# What master holds for its children besides the folders of their rows: their slices and their ends.
OF_MASTER = ("anon_inode:[pidfd]", "/memfd:slice (deleted)")


def row_name(instance, process):
    return "master" if process.pid == instance.process.pid else process.name


def running(instance):
    """Every process of the instance; all rows must be among them."""
    processes = proc.tree(instance.process.pid)
    names = {row_name(instance, process) for process in processes}
    assert names == set(ROWS), f"running: {sorted(names)}, expected {sorted(ROWS)}"
    return processes


@pytest.fixture
def instance(request):
    """A started instance whose mailboxes are the system's users, so that users has to call NSS."""
    made = kill_run.make_instance()
    try:
        yield made.start()
        report = getattr(request.node, "report_call", None)
        if report is not None and report.failed:
            print(made.report())
    finally:
        made.remove()


def lookups(instance):
    """How often users has asked the system's name service."""
    return sum(p["counters"]["lookups"] for p in instance.status()["processes"] if p["program"] == "users")


@pytest.fixture
def loaded(instance):
    """An instance with messages going through it; afterwards every one of them must have gone well."""
    client = kill_client.NumberedClient(instance.port, instance.directory / "client.jsonl", instance.users,
                                        sessions=8, pause=0.01, strangers=True)
    client.start()
    wait_for(lambda: client.acknowledged > 50, 30, "the load to begin")
    before = proc.tree(instance.process.pid)
    yield instance
    reached, asked = client.acknowledged, lookups(instance)
    wait_for(lambda: client.acknowledged > reached + 50, 30, "the load to go on after the probes")
    assert lookups(instance) >= asked + 30, "users was not asked"
    attempts = client.finish()
    bad = [attempt for attempt in attempts if attempt.result != kill_client.ACKNOWLEDGED]
    assert not bad, f"the probes disturbed the load: {bad[:5]}"
    assert all(map(proc.alive, before)), f"ended meanwhile: {[p for p in before if not proc.alive(p)]}"
    instance.wait_queue_empty()


def try_one(debugger, probe):
    """Makes the call; what is wrong with its answer, or nothing."""
    answer = debugger.call(probe.call, *probe.arguments)
    if answer >= 0 and probe.call in ("open", "openat", "socket"):
        debugger.call("close", answer)
    if probe.allowed is None:
        return "" if answer >= 0 else f"{probe.what} answers {meaning(answer)}, but the row grants it"
    if answer in probe.allowed:
        return ""
    return f"{probe.what} answers {meaning(answer)}, expected {' or '.join(map(meaning, probe.allowed))}"


def try_all(pid, thread, row):
    """The complaints about one thread."""
    complaints = []
    for probe in probes_of(row):
        # Attached for each probe anew, so that the process works on between them.
        try:
            with Debugger(pid, thread) as debugger:
                complaints.append(try_one(debugger, probe))
        except Gone as gone:
            return [*complaints, f"{probe.what}: {gone}"]
    return [complaint for complaint in complaints if complaint]


def test_what_the_row_forbids_fails_in_every_compartment_under_load(loaded):
    complaints = {}
    for process in running(loaded):
        name = row_name(loaded, process)
        for thread in proc.threads(process.pid):
            for complaint in try_all(process.pid, thread, ROWS[name]):
                complaints.setdefault(f"{name} {process.pid}/{thread}", []).append(complaint)
    assert not complaints, "\n".join(f"{who}: {what}" for who, list_ in complaints.items() for what in list_)


def test_what_the_row_of_config_forbids_fails_while_it_reads_the_configuration(instance):
    master = instance.process.pid
    with caught_confined(master, lambda: os.kill(master, signal.SIGHUP)) as debugger:
        status = proc.status(debugger.pid)
        assert status["Name"] == "config"
        assert os.listdir(f"/proc/{debugger.pid}/root") == []
        assert "0" not in status["Uid"].split() and status["Groups"] == "" and status["NoNewPrivs"] == "1"
        assert {int(status[name], 16) for name in status if name.startswith("Cap")} == {0}
        complaints = [try_one(debugger, probe) for probe in probes_of(CONFIG)]
    assert not any(complaints), "\n".join(filter(None, complaints))
    wait_for(lambda: any(p["generation"] == 2 for p in instance.status()["processes"]), 20,
             lambda: f"the reload to be finished as if nothing had happened\n{instance.report()}")


def test_a_folder_of_the_row_is_no_way_up_to_the_rest(loaded):
    """A descriptor of a folder outside of the empty root leads there by "..", unless Landlock forbids it."""
    tried = []
    for process in running(loaded):
        name = row_name(loaded, process)
        for number, target in proc.descriptors(process.pid).items():
            if name in ("master", "users") or not os.path.isdir(f"/proc/{process.pid}/fd/{number}"):
                continue
            with Debugger(process.pid) as debugger:
                answer = debugger.call("openat", number, b"../" * 12 + b"etc/passwd\0", 0, 0)
                if answer >= 0:
                    debugger.call("close", answer)
            tried.append(name)
            assert answer < 0, f"{name}: from its descriptor {number} ({target}) it reaches /etc/passwd"
    assert {"spool", "virtual", "log"} <= set(tried)


@pytest.mark.parametrize("name, own, other", [("dns", 53, 25), ("smtp", 25, 53)])
def test_who_connects_does_so_to_the_ports_of_its_task_alone_and_binds_none_in_particular(instance, name, own, other):
    process = next(process for process in running(instance) if process.name == name)
    row = next(row for row in instance.ask("show", "plan") if row["compartment"] == name)
    held_by = next(cell["held_by"] for cell in row["cells"] if cell["name"] == "network")
    if "landlock" not in held_by:
        pytest.skip(f"the Landlock of this kernel has no ports: {held_by}")
    with Debugger(process.pid) as debugger:
        for port, allowed in ((own, (-errno.ECONNREFUSED, -errno.EINPROGRESS, 0)), (other, (-errno.EACCES,)),
                              (instance.port, (-errno.EACCES,))):
            number = debugger.call("socket", AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)
            answer = debugger.call("connect", number, sockaddr_in("127.0.0.1", port), 16)
            bound = debugger.call("bind", number, sockaddr_in("127.0.0.1", 40000), 16)
            debugger.call("close", number)
            assert answer in allowed, f"connecting to port {port}: {meaning(answer)}"
            assert bound in (-errno.EACCES, -errno.EINVAL), f"binding after port {port}: {meaning(bound)}"


def test_the_plan_that_is_printed_grants_what_the_tests_expect(instance):
    rows = {row["compartment"]: {cell["name"]: cell for cell in row["cells"]}
            for row in instance.ask("show", "plan")}
    assert set(rows) == {*ROWS, "config"}
    for name, expected in ROWS.items():
        cells = rows[name]
        files = cells["files"]["right"]
        assert expected.files in files, (name, files)
        assert cells["uid"]["right"] == {"root": "root"}.get(expected.uid, cells["uid"]["right"])
        assert (cells["uid"]["right"] == "root") == (name == "master")
        if not expected.starts_processes:
            assert cells["fork, exec"]["right"] == "none", name
            assert "seccomp" in cells["fork, exec"]["held_by"], name
        if expected.root == "empty":
            assert "empty root" in cells["files"]["held_by"], (name, cells["files"])
        if not expected.listens:
            assert cells["network"]["right"] == expected.network, (name, cells["network"])


def test_proc_shows_own_uids_no_capabilities_and_filters(instance):
    uids = {}
    for process in running(instance):
        name = row_name(instance, process)
        status = proc.status(process.pid)
        assert status["Seccomp"] == "2", f"{name}: no filter"
        if name == "master":
            continue
        assert status["Groups"] == "", f"{name}: groups {status['Groups']}"
        assert status["NoNewPrivs"] == "1", name
        for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[field], 16) == 0, f"{name}: {field} {status[field]}"
        for field in ("Uid", "Gid"):
            numbers = set(status[field].split())
            assert len(numbers) == 1 and numbers != {"0"}, f"{name}: {field} {status[field]}"
        uids.setdefault(status["Uid"].split()[0], set()).add(name)
        assert proc.limits(process.pid)["Max core file size"] == ("0", "0"), name
    assert all(len(names) == 1 for names in uids.values()), f"a uid of several compartments: {uids}"


def test_proc_shows_master_as_root_that_its_children_inherit_nothing_from(instance):
    """Root by its row. A filter without no_new_privs needs a capability that containers often lack."""
    status = proc.status(instance.process.pid)
    may_filter = int(status["CapEff"], 16) & 1 << CAP_SYS_ADMIN
    assert status["Uid"].split() == status["Gid"].split() == ["0"] * 4
    assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0
    assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == int(status["CapBnd"], 16)
    assert status["NoNewPrivs"] == ("0" if may_filter else "1")
    assert status["Seccomp"] == "2"
    assert int(status["Seccomp_filters"]) == int(proc.status("self")["Seccomp_filters"]) + 1
    assert os.listdir(f"/proc/{instance.process.pid}/cwd") == []


def test_proc_shows_an_empty_root_directory(instance):
    for process in running(instance):
        name = row_name(instance, process)
        root = f"/proc/{process.pid}/root"
        if ROWS[name].root == "empty":
            assert os.listdir(root) == [], f"{name}: the root directory holds {os.listdir(root)[:5]}"
            assert os.listdir(f"/proc/{process.pid}/cwd") == [], f"{name}: its working directory is elsewhere"
            mode = os.stat(root).st_mode
            assert not mode & (stat.S_IWGRP | stat.S_IWOTH), f"{name}: its root is writable ({mode:o})"
            assert os.stat(root).st_uid == 0, f"{name}: its root directory is its own"
        else:
            assert os.path.samefile(root, "/"), name


def expected_of_master(instance, pid):
    """A function that says whether a descriptor of master is one that its row or those of its children need."""
    folders = {str(instance.state / row.folder) for row in ROWS.values() if row.folder}
    roots = {str(number) for number, _ in proc.descriptors(pid).items()
             if os.path.samefile(f"/proc/{pid}/fd/{number}", f"/proc/{pid}/root")}

    def expected(number, target):
        return (target in OF_MASTER or target in folders or str(number) in roots
                or target in ("/", "/etc", "/dev/null", TRUST_ANCHOR, str(instance.state / "run" / "lock")))

    return expected


def test_proc_shows_that_master_holds_nothing_but_channels_and_what_it_hands_on(instance):
    pid = instance.process.pid
    expected = expected_of_master(instance, pid)
    complaints = [f"descriptor {number} is {target}" for number, target in proc.descriptors(pid).items()
                  if not target.startswith(("socket:", "pipe:")) and target not in LOOP
                  and not expected(number, target)]
    assert not complaints, "\n".join(complaints)


def test_master_can_read_and_write_nothing_that_it_has_not_opened_for_a_child(loaded):
    """It keeps the real root as a descriptor that names a place and grants no reading by itself."""
    pid = loaded.process.pid
    with Debugger(pid) as debugger:
        for number, target in proc.descriptors(pid).items():
            if target.startswith(("/", str(loaded.state))) and os.path.isdir(f"/proc/{pid}/fd/{number}"):
                assert debugger.call("write", number, b"x", 1) == -9, f"{number} {target}: not opened as a place"


def test_proc_shows_no_descriptors_but_channels_the_loop_and_the_folders_of_the_row(instance):
    complaints = []
    for process in running(instance):
        name = row_name(instance, process)
        if name == "master":
            continue
        row = ROWS[name]
        below = str(instance.state / row.folder) if row.folder else None
        for number, target in proc.descriptors(process.pid).items():
            if target.startswith(("socket:", "pipe:")) or target in LOOP:
                continue
            if number <= 2 and target == "/dev/null":
                continue
            if below and (target == below or target.startswith(below + "/")):
                continue
            if row.reads_passwd and target.startswith("/etc"):
                continue
            complaints.append(f"{name}: descriptor {number} is {target}")
    assert not complaints, "\n".join(complaints)

