#!/usr/bin/python3
"""The kill test: numbered messages go in while compartment after compartment is killed with SIGKILL.

Messages are let go in portions, one for each kill, so that every kill meets work in flight: the killer
waits until a random share of the portion is acknowledged, and a random moment more. Master's children must
end with it; it is then started again, as systemd would. At the end the queue must run empty, and kill_audit
joins the logs.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from dataclasses import asdict

import kill_audit
from harness.instance import Instance
from harness.waiting import wait_for
from kill_client import NumberedClient

# Every row that runs all the time; config is short-lived and has no work in flight.
COMPARTMENTS = ("smtpd", "spool", "qmgr", "router", "users", "virtual", "log", "admin", "master")
USERS = tuple(f"user{number}" for number in range(8))
RESTART_SECONDS = 30


class KillRun:
    """One run against one instance that is already started."""

    def __init__(self, instance, messages, kills_each, sessions=50, seed=None, progress=None):
        self.instance = instance
        self.messages = messages
        self.seed = random.randrange(1 << 32) if seed is None else seed
        self.random = random.Random(self.seed)
        self.progress = progress or (lambda _: None)
        self.targets = []
        for _ in range(kills_each):
            self.targets += self.random.sample(COMPARTMENTS, len(COMPARTMENTS))
        self.client_log = instance.directory / "client.jsonl"
        self.kill_log = instance.directory / "kills.jsonl"
        self.client = NumberedClient(instance.port, self.client_log, USERS, sessions=sessions, allowed=0)
        self.kills = []

    def run(self, seconds):
        """All kills and all messages; the audit's findings. `seconds` bounds the whole."""
        deadline = time.monotonic() + seconds
        self.client.start()
        portion = self.messages // len(self.targets)
        allowed = 0
        for turn, target in enumerate(self.targets):
            killed = False
            while not killed:
                self._await_work(allowed, portion, deadline)
                allowed += portion
                killed = self._kill(target)
            self.progress(f"{turn + 1}/{len(self.targets)} kills, {self.client.acknowledged} acknowledged")
        self.client.finish_at(max(allowed, self.messages))
        self.client.join(max(1.0, deadline - time.monotonic()))
        self.instance.wait_queue_empty(max(1.0, deadline - time.monotonic()))
        code = self.instance.stop()
        findings = kill_audit.audit(kill_audit.load_attempts(self.client_log), self.kills,
                                    self.instance.state / "mail", USERS)
        if code != 0:
            findings.failures.append(f"the instance ended with {code} after SIGTERM")
        return findings

    def _await_work(self, first, portion, deadline):
        """Lets the numbers from `first` on go, and returns in their midst, at a random moment."""
        self.client.allow(first + portion)
        threshold = first + int(portion * self.random.uniform(0, 0.7))
        wait_for(lambda: self.client.acknowledged >= threshold or not self.client.running,
                 max(1.0, deadline - time.monotonic()),
                 lambda: f"{threshold} acknowledgements, there are {self.client.acknowledged}",
                 interval=0.001)
        moment = time.monotonic() + self.random.uniform(0, 0.004)
        while time.monotonic() < moment:
            pass

    def _kill(self, target):
        """Kills one process of that compartment, awaits its successor; False where nothing was in flight."""
        before = self.instance.compartments()
        victim = self.instance.master if target == "master" else self._choose(before, target)
        in_flight = self.client.in_flight
        if in_flight == 0:
            return False
        at = time.time()
        os.kill(victim.pid, signal.SIGKILL)
        if target == "master":
            self.instance.process.wait()
            self.instance.wait_gone(before)
            self.instance.start()
        else:
            self._await_successor(victim, before)
        kill = kill_audit.Kill(at, time.time(), target, victim.pid, in_flight)
        self.kills.append(kill)
        with open(self.kill_log, "a", encoding="ascii") as log:
            log.write(json.dumps(asdict(kill)) + "\n")
        return True

    def _choose(self, processes, target):
        candidates = [process for process in processes if process.name == target]
        assert candidates, f"no {target} runs: {processes}\n{self.instance.report()}"
        return self.random.choice(candidates)

    def _await_successor(self, victim, before):
        """Waits until as many of the compartment run as before, the victim not among them."""
        wanted = sum(1 for process in before if process.name == victim.name)

        def replaced():
            now = [p for p in self.instance.compartments() if p.name == victim.name and p != victim]
            return len(now) >= wanted

        wait_for(replaced, RESTART_SECONDS,
                 lambda: f"a successor of {victim}\n{self.instance.report()}", interval=0.005)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=20, help="of each compartment")
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=1800, help="bound of the whole run")
    parser.add_argument("--seed", type=int, help="of targets and moments")
    parser.add_argument("--keep", action="store_true", help="leave the instance's folder for a look")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("kill test: ended by SIGTERM"))
    instance = Instance(users=USERS)
    run = None
    try:
        instance.start()
        run = KillRun(instance, options.messages, options.kills, options.sessions, options.seed,
                      lambda text: print(f"\r{text}   ", end="", file=sys.stderr, flush=True))
        began = time.monotonic()
        findings = run.run(options.seconds)
        print(file=sys.stderr)
        print(f"kill test: {options.messages} messages, {options.sessions} sessions, seed {run.seed}, "
              f"{time.monotonic() - began:.0f} s")
        print(findings.table())
        return 1 if findings.failures else 0
    except BaseException:
        print(f"\nkill test: seed {run.seed if run else '-'}\n{instance.report()}", file=sys.stderr)
        raise
    finally:
        if options.keep:
            print(f"kept: {instance.directory}", file=sys.stderr)
            if instance.process.poll() is None:
                instance.kill_all()
        else:
            instance.remove()


if __name__ == "__main__":
    sys.exit(main())
