"""Where a message's CPU goes: what each of a server's programs takes for it, for bench/run --where.

Time and switches are the kernel's own counts in /proc; the split into user and system time is sampled at each
clock tick, so it is right for runs of seconds only. System calls are counted by perf in a run of its own, whose
times nobody looks at; without perf, or without the right to use it, there are none.
"""

import collections
import os
import pathlib
import shutil
import signal
import statistics
import subprocess

TICKS = os.sysconf("SC_CLK_TCK")
# What is counted by name; perf takes a moment for each. The others are counted together.
CALLS = ("epoll_wait epoll_ctl timerfd_settime recvmsg recvfrom sendmsg sendto accept4 shutdown close read write "
         "pwritev2 fdatasync fsync openat renameat renameat2 unlinkat newfstatat fcntl sched_yield futex").split()
ALL_CALLS = "raw_syscalls:sys_enter"
START_SECONDS = 30


def processes(pids):
    """{pid: name} of those that still run."""
    names = {}
    for pid in pids:
        try:
            names[pid] = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            continue
    return names


def usage(pids):
    """{name: {cpu_us, user_us, system_us, waits, preempted}} so far, processes of one name together."""
    total = collections.defaultdict(collections.Counter)
    for pid, name in processes(pids).items():
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            run = pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()
            status = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            continue
        # Workers that are renewed meanwhile: what they took, all told.
        ended = [int(ticks) / TICKS * 1e6 for ticks in stat[13:15]]
        total["ended"].update(cpu_us=sum(ended), user_us=ended[0], system_us=ended[1], waits=0, preempted=0)
        switches = dict(line.split(":") for line in status if "ctxt_switches" in line)
        total[name].update(cpu_us=int(run[0]) / 1e3, user_us=int(stat[11]) / TICKS * 1e6,
                           system_us=int(stat[12]) / TICKS * 1e6,
                           waits=int(switches["voluntary_ctxt_switches"]),
                           preempted=int(switches["nonvoluntary_ctxt_switches"]))
    return total


def per_message(before, after, messages):
    """What came between two answers of usage(), for one message."""
    return {name: {key: (after[name][key] - before.get(name, {}).get(key, 0)) / messages for key in after[name]}
            for name in after}


class CallCounter:
    """perf, counting the system calls of some processes from start() to stop(). Those of a process that is started
    meanwhile go to the one that started it."""

    def __init__(self, folder):
        self.file = folder / "system-calls"
        self.process = None

    @staticmethod
    def works():
        return shutil.which("perf") is not None and subprocess.run(
            ["perf", "stat", "-e", ALL_CALLS, "true"], capture_output=True).returncode == 0

    def start(self, pids):
        """Counts once perf has opened all its counters: it says so by the descriptor that it is given."""
        events = [f"syscalls:sys_enter_{call}" for call in CALLS] + [ALL_CALLS]
        control, ack = os.pipe(), os.pipe()
        self.process = subprocess.Popen(
            ["perf", "stat", "--per-thread", "-x,", "--delay=-1", f"--control=fd:{control[0]},{ack[1]}",
             "-o", self.file, "-e", ",".join(events), "-p", ",".join(map(str, pids))],
            pass_fds=(control[0], ack[1]), stderr=subprocess.PIPE)
        os.close(control[0])
        os.close(ack[1])
        os.write(control[1], b"enable\n")
        os.read(ack[0], 16)
        os.close(control[1])
        os.close(ack[0])

    def stop(self, names):
        """{name: {call: count}}; `names` are those of the pids."""
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate()[1]
        if self.process.returncode not in (0, -signal.SIGINT):
            raise RuntimeError(f"perf ended with {self.process.returncode}: {said.decode(errors='replace')}")
        counts = collections.defaultdict(collections.Counter)
        for line in self.file.read_text().splitlines():
            cells = line.split(",")
            if len(cells) < 4 or not cells[1].isdigit():
                continue
            name = names[int(cells[0].rpartition("-")[2])]
            call = "all" if cells[3] == ALL_CALLS else cells[3].removeprefix("syscalls:sys_enter_")
            counts[name][call] += int(cells[1])
        for of_name in counts.values():
            of_name["others"] = of_name["all"] - sum(of_name[call] for call in CALLS)
        return counts


def table(row, runs, calls):
    """The lines that say it: medians of the runs' per_message(), and the counted calls for one message."""
    median = {}
    for name in runs[0]:
        keys = ("cpu_us", "user_us", "system_us", "waits", "preempted")
        median[name] = {key: statistics.median(run.get(name, {}).get(key, 0) for run in runs) for key in keys}
    order = sorted(median, key=lambda name: -median[name]["cpu_us"])
    order = [name for name in order if median[name]["cpu_us"] >= 0.05]
    lines = [f"{row} for one message:",
             f"| {'program':<9} | CPU µs | user | system | waits | preempted | calls | which |", "|---" * 8 + "|"]
    for name in order + ["all"]:
        cells = median[name] if name != "all" else {
            key: sum(of_name[key] for of_name in median.values()) for key in median[order[0]]}
        of_calls = calls.get(name, {}) if name != "all" else sum(calls.values(), collections.Counter())
        which = ", ".join(f"{call} {count:.2f}" for call, count in sorted(of_calls.items(), key=lambda item: -item[1])
                          if call != "all" and count >= 0.005) if name != "all" else ""
        lines.append(f"| {name:<9} | {cells['cpu_us']:.1f} | {cells['user_us']:.1f} | {cells['system_us']:.1f} | "
                     f"{cells['waits']:.2f} | {cells['preempted']:.2f} | {of_calls.get('all', 0):.2f} | {which} |")
    return lines
