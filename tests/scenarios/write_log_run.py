"""Logs every write of the installed server's disk, and audits each state in which a power cut could have left it.

A few numbered messages go to mailboxes on the disk; how long the log is when the client reads a 250 is noted. Later
every prefix of the log is a disk of its own: it is mounted, its spool is recovered, and it must hold each message
that was acknowledged by then, in the queue or in its mailbox, whole. A disk may also have done any of the writes since
the last flush and not others.
"""

import random
import shutil
import tempfile
from pathlib import Path

import kill_client
import pytest
from harness import file_system, maildir, spool_folder
from harness.instance import Instance
from harness.write_log import LoggedDisk, Replay, entries, some_of

DISK = {"ext4": 64 << 20, "xfs": 320 << 20}
SEGMENT = 1 << 20
USERS = ("alice", "bob", "carol", "dave")
SESSIONS = 4
SECONDS = 120
# Prefixes are made where writing and syncing cost nothing.
FAST_FOLDER = Path("/dev/shm")


class WriteLogRun:
    """record() and then audit(); close() at the end."""

    def __init__(self, kind, messages, seed=None):
        self.kind, self.messages = kind, messages
        self.seed = random.randrange(1 << 32) if seed is None else seed
        self.random = random.Random(self.seed)
        self.noted = []  # (length of the log, attempt), by rising length
        self.prefixes = self.reordered = 0  # that were audited
        self.disk = LoggedDisk(DISK[kind])
        self.scratch = None
        self._start = 0  # the log's length when the server was started

    def record(self, launcher=()):
        """The run of the server, which `launcher` starts."""
        file_system.make(self.kind, self.disk.device)
        folder = self.disk.directory / "mnt"
        folder.mkdir()
        refused = file_system.mount(self.disk.device, folder)
        if refused:
            pytest.skip(f"no {self.kind} here: {refused}")
        try:
            folder.chmod(0o755)
            self._serve(folder, launcher)
        finally:
            file_system.unmount(folder)
            self.disk.close()

    def _serve(self, folder, launcher):
        self._start = self.disk.length()
        instance = Instance(users=USERS, state=folder / "state", smtp={"max_message": "256 KiB"},
                            spool={"segment": f"{SEGMENT >> 20} MiB", "min_free": "1 MiB"})
        instance.launcher = list(launcher)
        client = kill_client.NumberedClient(
            instance.port, instance.directory / "client.jsonl", USERS, sessions=SESSIONS, total=self.messages,
            on_acknowledged=lambda attempt: self.noted.append((self.disk.length(), attempt)))
        try:
            instance.start()
            client.start().join(SECONDS)
            instance.wait_queue_empty()
            instance.run("stop", timeout=60)  # SIGTERM would reach the launcher
            instance.wait_ended()
        finally:
            client.abandon()
            instance.remove()

    def audit(self, reorder_every=1):
        """What is missing or unreadable behind each prefix, in words; a generator, for each that has a complaint.

        Every so many prefixes another disk is audited besides: some of the writes since the last flush are not there.
        """
        self.scratch = Path(tempfile.mkdtemp(prefix="sternpost-replay-", dir=FAST_FOLDER if FAST_FOLDER.is_dir()
                                             else None))
        replay = Replay(self.disk.log, self.scratch / "image", self.disk.size)
        unflushed = []
        try:
            for number, entry in enumerate(entries(self.disk.log)):
                # The base has what is flushed; the rest comes on top of each copy.
                unflushed.append(entry)
                if entry.flushes:
                    for durable in unflushed:
                        replay.apply(durable)
                    unflushed = []
                if entry.end <= self._start:
                    continue
                self.prefixes += 1
                yield from self._audit_disk(replay, unflushed, entry.end, f"{number + 1} writes")
                if unflushed and number % reorder_every == 0:
                    self.reordered += 1
                    yield from self._audit_disk(replay, some_of(unflushed, self.random), entry.end,
                                                f"some of {number + 1} writes")
        finally:
            replay.close()

    def _audit_disk(self, replay, unflushed, length, what):
        image, folder = self.scratch / "copy", self.scratch / "mnt"
        replay.copy_with(unflushed, image)
        folder.mkdir(exist_ok=True)
        refused = file_system.mount(image, folder, "-o", "loop")
        if refused:
            yield f"{what}: no file system: {refused}"
            return
        try:
            acknowledged = [attempt for noted, attempt in self.noted if noted <= length]
            complaints = self._audit_state(folder / "state", acknowledged)
        finally:
            file_system.unmount(folder)
            image.unlink()  # mount is not to take the next one for this one
        if complaints:
            yield f"{what}: " + "; ".join(complaints)

    def _audit_state(self, state, acknowledged):
        complaints, queued = [], {}
        if (state / "spool").is_dir():
            holding = spool_folder.recover(state / "spool", SEGMENT)
            complaints, queued = holding.complaints + holding.quarantined, holding.contents
        delivered = {user: {message.queue_id: message for message in maildir.read(state / "mail" / user)}
                     for user in USERS}
        for attempt in acknowledged:
            content = kill_client.content_of(attempt.number)
            if attempt.id in queued and queued[attempt.id].encode().endswith(content):
                continue
            for user in kill_client.recipients_of(attempt.number, USERS):
                message = delivered[user].get(attempt.id)
                if message is None:
                    complaints.append(f"LOST: number {attempt.number}, {attempt.id}, of {user}")
                elif message.content != content:
                    complaints.append(f"number {attempt.number} is damaged in {message.path}")
        return complaints

    def close(self):
        file_system.forget(self.disk.directory / "mnt")
        self.disk.remove()
        if self.scratch:
            file_system.forget(self.scratch / "mnt")
            shutil.rmtree(self.scratch)
