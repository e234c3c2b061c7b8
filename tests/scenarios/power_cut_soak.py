"""Power cuts and faults of the disk, by the thousand: what make check does in small. See scripts/power-cut."""

import argparse
import contextlib
import os
import random
import signal
import sys
import time

from power_cut_run import power_cut_run
from spool_fault_run import spool_fault_run
from system_call_run import Sweep
from write_log_run import WriteLogRun

SECONDS_FOR_ONE = 30  # of a cut, or of a round of faults: a bound, not an expectation


def file_system(options, kind, seed):
    with power_cut_run(kind, seed) as run:
        findings = run.run(options.cuts, options.cuts * SECONDS_FOR_ONE)
    return f"{len(run.cuts)} power cuts on {kind}, {findings.acknowledged} messages", findings.failures


def write_log(options, kind, seed):
    with contextlib.closing(WriteLogRun(kind, options.messages, seed)) as run:
        run.record()
        complaints = list(run.audit(options.reorder_every))
    return f"{run.prefixes} prefixes on {kind}, {run.reordered} with some writes since the last flush", complaints


def system_calls(options, _, seed):
    with contextlib.closing(Sweep(seed)) as sweep:
        faults = sweep.faults(options.every)
        complaints = [complaint for fault in faults for complaint in sweep.try_one(fault)]
    return f"{len(faults)} faults of system calls: {dict(sweep.outcomes)}", complaints


def spool(options, _, seed):
    with spool_fault_run(seed) as run:
        findings = run.run(options.rounds, options.rounds * SECONDS_FOR_ONE * 10)
    return f"{len(run.kills)} kills of an installed spool, {findings.acknowledged} messages", findings.failures


# Part -> what does it, and its options that a replay must repeat.
PARTS = {
    "file-system": (file_system, ("kind", "cuts")),
    "write-log": (write_log, ("kind", "messages", "reorder_every")),
    "system-calls": (system_calls, ("every",)),
    "spool": (spool, ("rounds",)),
}


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/power-cut", description=__doc__)
    parser.add_argument("part", nargs="?", choices=(*PARTS, "all"), default="all")
    parser.add_argument("--runs", type=int,
                        help="of each part (40 of file-system, 2 of write-log, else 1; with --seed: 1)")
    parser.add_argument("--seed", type=int, help="of the first run; each further run has the next one")
    parser.add_argument("--kind", choices=("ext4", "xfs"), help="of file system (both, in turn)")
    parser.add_argument("--cuts", type=int, default=100, help="file-system: power cuts of one run (100)")
    parser.add_argument("--messages", type=int, default=100, help="write-log: messages of one run (100)")
    parser.add_argument("--reorder-every", type=int, default=1,
                        help="write-log: leave some writes out behind every so manieth prefix (1)")
    parser.add_argument("--every", type=int, default=1, help="system-calls: every so manieth call of a name (1)")
    parser.add_argument("--rounds", type=int, default=20, help="spool: how often each fault (20)")
    return parser.parse_args()


def replay(name, names, options, kind, seed):
    said = {**vars(options), "kind": kind}
    repeated = " ".join(f"--{one.replace('_', '-')} {said[one]}" for one in names)
    return f"scripts/power-cut {name} {repeated} --seed {seed}"


def main():
    options = arguments()
    if os.geteuid() != 0:
        sys.exit("power-cut: only root may mount, and trace compartments")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("power-cut: ended by SIGTERM"))
    first = random.randrange(1 << 32) if options.seed is None else options.seed
    failed = 0
    for name, (do, names) in PARTS.items():
        if options.part not in (name, "all"):
            continue
        kinds = [options.kind] if options.kind else ["ext4", "xfs"] if "kind" in names else [None]
        usual = (20 if name == "file-system" else 1) * len(kinds)
        runs = options.runs or (usual if options.seed is None else 1)
        for turn in range(runs):
            kind, seed = kinds[turn % len(kinds)], first + turn
            command = replay(name, names, options, kind, seed)
            began = time.monotonic()
            try:
                summary, complaints = do(options, kind, seed)
            except Exception as error:  # a run that broke off must not end the others
                summary, complaints = "broken off", [f"{type(error).__name__}: {error}"]
            print(f"{name}: {summary}, {time.monotonic() - began:.0f} s, {len(complaints)} failures: {command}",
                  flush=True)
            for complaint in complaints[:20]:
                print(f"  FAILURE: {complaint}", flush=True)
            failed += bool(complaints)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
