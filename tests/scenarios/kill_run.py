#!/usr/bin/python3
"""The kill test: numbered messages go in while compartment after compartment is killed with SIGKILL.

Messages are let go in portions, one for each kill, so that every kill meets work in flight: the killer
waits until a random share of the portion is acknowledged, and a random moment more. Then it makes the victim
stand still, looks whether it has work in hand, and kills it. Master's children must end with it; it is then
started again, as systemd would. config is killed in the middle of a reload, which must change nothing. At the
end the queue must run empty, and kill_audit joins the logs.

Mailboxes are those of the system's users, and every transaction names a stranger besides, so that users is
asked again and again. Every second message goes to a next hop as well, and every fifth to an address there that is
refused, of which the sender, who has a mailbox here, must be told once.
"""

import argparse
import json
import os
import pwd
import random
import signal
import sys
import time
from dataclasses import asdict

import kill_audit
from harness import proc
from harness.instance import Instance
from harness.waiting import wait_for
from kill_client import NumberedClient
from kill_sink import REFUSED, RELAYED, KillSink
from kill_work import Asker, Frozen, Work, await_midst

COMPARTMENTS = ("smtpd", "spool", "qmgr", "router", "users", "virtual", "log", "admin", "dns", "smtp", "bounce",
                "config", "master")
USERS = tuple(sorted(entry.pw_name for entry in pwd.getpwall() if 0 < entry.pw_uid < 65534)[:8])
RESTART_SECONDS = 30
CONFIG_SECONDS = 2
ANSWER_SECONDS = 70  # master waits for the answers to a reload no longer than 60 s


def make_instance(sink=None, smtp=None, **options):
    """An instance whose mailboxes are those of the first few users that the system has."""
    hop = f"[127.0.0.1]:{sink.port}" if sink else "[127.0.0.1]:1"
    return Instance(users=USERS, smtp={"max_errors": 100_000, **(smtp or {})},
                    mailboxes={"source": "system", "first_uid": 1, "list": None},
                    routes={RELAYED: hop, REFUSED: hop},
                    queue={"retry_min": "1s", "retry_max": "2s"},
                    log={"max_file": "4 GiB"},  # the audit needs the whole history
                    **options)


def make_small_instance(sink, **options):
    """The same with small segments, so that some are recycled within a short run."""
    return make_instance(sink, smtp={"max_message": "256 KiB"}, spool={"segment": "1 MiB"}, **options)


def let_arrive(instance, client, numbers, deadline):
    """Sends all numbers below this one, and waits until each has its 250 and the queue is empty."""
    client.finish_at(numbers)
    client.join(max(1.0, deadline - time.monotonic()))
    instance.wait_queue_empty(max(1.0, deadline - time.monotonic()))


def end_and_audit(instance, client_log, kills, sink):
    """Ends the instance and joins all that is known; the findings."""
    code = instance.stop()
    findings = kill_audit.audit(kill_audit.load_attempts(client_log), kills, instance.state / "mail", USERS,
                                instance.history(killed=True), sink)
    if code != 0:
        findings.failures.append(f"the instance ended with {code} after SIGTERM")
    return findings


class KillRun:
    """One run against one instance that is already started."""

    def __init__(self, instance, sink, messages, kills_each, sessions=50, seed=None, progress=None):
        self.instance, self.sink = instance, sink
        self.messages = messages
        self.seed = random.randrange(1 << 32) if seed is None else seed
        self.random = random.Random(self.seed)
        self.progress = progress or (lambda _: None)
        self.targets = []
        for _ in range(kills_each):
            self.targets += self.random.sample(COMPARTMENTS, len(COMPARTMENTS))
        self.client_log = instance.directory / "client.jsonl"
        self.kill_log = instance.directory / "kills.jsonl"
        self.client = NumberedClient(instance.port, self.client_log, USERS, sessions=sessions, allowed=0,
                                    strangers=True, relays=True)
        self.asker = Asker(instance)
        self.work = Work(self.client, instance.port, sink)
        self.kills = []

    def run(self, seconds):
        """All kills and all messages; the audit's findings. `seconds` bounds the whole."""
        deadline = time.monotonic() + seconds
        self.client.start()
        self.asker.start()
        portion = self.messages // len(self.targets)
        allowed = 0
        for turn, target in enumerate(self.targets):
            killed = False
            while not killed:
                await_midst(self.client, self.random, allowed, portion, deadline)
                allowed += portion
                killed = self._kill(target)
            self.progress(f"{turn + 1}/{len(self.targets)} kills, {self.client.acknowledged} acknowledged; last: {target}")
        let_arrive(self.instance, self.client, max(allowed, self.messages), deadline)
        complaints = self.asker.finish()
        if self.asker.answered == 0:
            complaints.append("no question for the queue was ever answered")
        done = self.instance.run("reload", timeout=ANSWER_SECONDS)
        if done.returncode != 0:
            complaints.append(f"a reload after all kills is refused: {done.stderr}")
        findings = end_and_audit(self.instance, self.client_log, self.kills, self.sink)
        findings.failures += complaints
        return findings

    def _kill(self, target):
        """Kills one process of that compartment, awaits its successor; False where it had no work in hand."""
        if target == "config":
            kill = self._kill_config()
        elif target == "master":
            kill = self._kill_master()
        else:
            kill = self._kill_compartment(target)
        if kill is None:
            return False
        self.kills.append(kill)
        with open(self.kill_log, "a", encoding="ascii") as log:
            log.write(json.dumps(asdict(kill)) + "\n")
        return True

    def _kill_compartment(self, target):
        before = self.instance.compartments()
        victim = self._choose(before, target)
        with Frozen(victim):
            since = time.time()
            work = self.work.of(victim, since)
            if not work:
                return None
            ports = proc.client_ports(victim.pid, self.instance.port) if target == "smtpd" else []
            at = time.time()
            os.kill(victim.pid, signal.SIGKILL)
        self.instance.wait_gone([victim])
        gone = time.time()
        self._await_successor(victim, before)
        return kill_audit.Kill(at, gone, time.time(), target, victim.pid, ports, work)

    def _kill_master(self):
        before = self.instance.compartments()
        in_flight = self.client.in_flight
        if in_flight == 0:
            return None
        at = time.time()
        pid = self.instance.process.pid
        os.kill(pid, signal.SIGKILL)
        self.instance.process.wait()
        self.instance.wait_gone(before)
        gone = time.time()
        self.instance.start()
        return kill_audit.Kill(at, gone, time.time(), "master", pid, work=f"{in_flight} sessions of clients")

    def _kill_config(self):
        """In the middle of a reload: nothing may change. None where config was faster than the kill."""
        before = set(self.instance.compartments())
        master = self.instance.process.pid
        told = len(self._reloads())
        self.instance.process.send_signal(signal.SIGHUP)
        victim = self._config_of(master)
        if victim is None:
            self._wait_reload(told)
            return None
        at = time.time()
        os.kill(victim.pid, signal.SIGKILL)
        self.instance.wait_gone([victim])
        gone = time.time()
        self._wait_reload(told)
        if "without an answer" not in self._reloads()[-1]["outcome"]:
            return None
        now = {p for p in self.instance.compartments() if p.name not in ("config", "master")}
        assert now == before, f"a reload that was cut short ended {before - now} and started {now - before}"
        return kill_audit.Kill(at, gone, time.time(), "config", victim.pid, work="a reload")

    def _wait_reload(self, told):
        wait_for(lambda: len(self._reloads()) > told, ANSWER_SECONDS,
                 lambda: f"a record of the reload\n{self.instance.report()}", interval=0.005)

    @staticmethod
    def _config_of(master):
        """The config compartment that a reload has started; None where it came and went between two looks."""
        deadline = time.monotonic() + CONFIG_SECONDS
        while time.monotonic() < deadline:
            for process in proc.children(master):
                if process.name == "config":
                    return process
        return None

    def _reloads(self):
        return [record for record in self.instance.history(killed=True) if record["decision"] == "configured"]

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
    if os.geteuid() != 0:
        parser.error("only root may look at what a compartment has in hand")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("kill test: ended by SIGTERM"))
    sink = KillSink().start()
    instance = make_instance(sink)
    run = None
    try:
        instance.start()
        run = KillRun(instance, sink, options.messages, options.kills, options.sessions, options.seed,
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
