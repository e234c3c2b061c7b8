"""What a message costs in each compartment: at most six frames and, under load, two wake-ups."""

import pytest
from harness import maildir, tools

MESSAGES = 3000
MAX_FRAMES = 6
MAX_WAKEUPS = 2
# The way of a message leads through these; users is asked only where mailboxes are the system's users.
ON_THE_WAY = ("smtpd", "spool", "qmgr", "router", "virtual", "log")


def counters(instance):
    """Compartment -> counter -> sum over its processes."""
    sums = {}
    for process in instance.status()["processes"]:
        of_row = sums.setdefault(process["program"], {})
        for name, value in process["counters"].items():
            of_row[name] = of_row.get(name, 0) + value
    return sums


@pytest.mark.release_only  # a slow compartment gathers more for each wake-up than it would otherwise
def test_frames_and_wakeups_for_a_message(make_instance):
    # As many workers on every machine: fewer share their wake-ups among more messages.
    instance = make_instance(smtp={"workers": 2}).start()
    source = tools.postfix_program("smtp-source")
    before = counters(instance)
    tools.run(source, "-d", "-s", "50", "-l", "4096", "-m", str(MESSAGES), "-M", "client.example.net", "-f",
              "ann@client.example.net", "-t", "alice@example.org", f"127.0.0.1:{instance.port}")
    instance.wait_queue_empty()
    assert maildir.count(instance.mailbox("alice")) == MESSAGES
    after = counters(instance)
    lines, complaints = [], []
    for row in ON_THE_WAY:
        spent = {name: (value - before[row].get(name, 0)) / MESSAGES for name, value in after[row].items()}
        frames, wakeups = spent["frames_in"] + spent["frames_out"], spent["wakeups"]
        lines.append(f"{row:<10} {frames:6.2f} frames {wakeups:6.2f} wake-ups for a message")
        if frames > MAX_FRAMES or wakeups > MAX_WAKEUPS:
            complaints.append(row)
    print("\n".join(lines))
    assert not complaints, f"{complaints}\n" + "\n".join(lines)
