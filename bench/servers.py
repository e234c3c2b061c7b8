"""The servers that bench/run compares: how each is configured, started and stopped.

A server's folder holds all that it writes. RECIPIENT has one mailbox, whose `new` folder is `maildir_new`;
with hold=True everything is accepted, made durable and left in the queue; with a sink all that is for other
domains goes there.
"""

import grp
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECIPIENT = "user@bench.example.org"
START_SECONDS = 30
STOP_SECONDS = 60


class Server:
    """A running instance in a folder of its own, its processes in `account` (see measure.py)."""

    name = ""

    def __init__(self, folder, port, hold, account, sink=None):
        self.folder, self.port, self.hold, self.account, self.sink = folder, port, hold, account, sink
        self.recipient = "user@elsewhere.example.net" if sink else RECIPIENT
        self.maildir_new = folder / "mail" / "user" / "new"
        self.process = None
        folder.mkdir(parents=True)

    def start(self):
        self.prepare()
        with open(self.folder / "output", "wb") as output:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=subprocess.STDOUT, start_new_session=True,
                                            preexec_fn=self.account.enter)
        self.account.follow(self.process.pid)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self.name} did not start; it said:\n" + self.said())
            time.sleep(0.05)

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
                return client.recv(100).startswith(b"220")
        except OSError:
            return False

    def said(self):
        files = [self.folder / "output", *self.logs()]
        return "\n".join(file.read_text(errors="replace")[-2000:] for file in files if file.is_file())

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        for pid in self.account.pids():  # what outlived its master
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def prepare(self):
        """Writes the configuration and what else must be there."""
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def logs(self):
        return []


class Sternpost(Server):
    """The release build of this tree, or STERNPOST_BIN."""

    name = "sternpost"

    def prepare(self):
        (self.folder / "sternpost.toml").write_text(f"""\
setup = "internet-site"
hostname = "bench.example.org"
domains = ["bench.example.org"]
smarthost = "{f"[127.0.0.1]:{self.sink.port}" if self.sink else ""}"

[smtp]
max_recipients = 10000
listen = ["127.0.0.1:{self.port}"]
hold = {"true" if self.hold else "false"}
max_sessions_per_client = 1000

[mailboxes]
source = "list"

[mailboxes.list]
"{RECIPIENT}" = "user/"
""")

    def command(self):
        program = os.environ.get("STERNPOST_BIN", ROOT / "build/bin/sternpost")
        return [program, "start", "--foreground", "--config",
                self.folder / "sternpost.toml", "--state", self.folder]

    def logs(self):
        return sorted((self.folder / "log").glob("*.log"))


def existing(wanted, instead, look_up):
    """`wanted` if there is such an account, else one that every Debian has."""
    try:
        look_up(wanted)
        return wanted
    except KeyError:
        return instead


class Postfix(Server):
    """Debian's Postfix from its extracted package. It changes users, so it needs root.

    Its accounts are taken if they exist; otherwise two of Debian's own that nothing here uses, so that no
    account need be made. Limits are raised where the defaults would slow it down under this load.
    """

    name = "postfix"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.package = pathlib.Path(subprocess.run([ROOT / "scripts/peer-path", "postfix"], check=True, text=True,
                                                   stdout=subprocess.PIPE).stdout.strip())
        self.etc = self.folder / "etc"

    def prepare(self):
        owner = existing("postfix", "mail", pwd.getpwnam)
        group = existing("postdrop", "news", grp.getgrnam)
        mailbox_user = pwd.getpwnam("nobody")
        for name in ("etc", "queue", "data", "mail", "log"):
            (self.folder / name).mkdir()
        os.chown(self.folder / "data", pwd.getpwnam(owner).pw_uid, -1)
        os.chown(self.folder / "mail", mailbox_user.pw_uid, mailbox_user.pw_gid)

        package, lib = self.package, self.package / "usr/lib/postfix"
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": self.folder / "queue", "data_directory": self.folder / "data",
            "command_directory": package / "usr/sbin", "daemon_directory": lib / "sbin",
            "shlib_directory": lib, "meta_directory": package / "etc/postfix",
            "sendmail_path": package / "usr/sbin/sendmail", "mailq_path": package / "usr/bin/mailq",
            "newaliases_path": package / "usr/bin/newaliases",
            "import_environment": "MAIL_CONFIG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH",
            "export_environment": "TZ LANG LD_LIBRARY_PATH",
            "mail_owner": owner, "setgid_group": group,
            "maillog_file": self.folder / "log/postfix.log", "maillog_file_prefixes": self.folder,
            "myhostname": "bench.example.org", "mydestination": "", "alias_maps": "", "local_recipient_maps": "",
            "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "mynetworks": "127.0.0.0/8",
            "smtpd_peername_lookup": "no", "smtpd_client_connection_count_limit": "0",
            "default_process_limit": "300",
            # Without this the client of a busy server waits a second for the delivery to catch up.
            "in_flow_delay": "0",
            "virtual_mailbox_domains": "bench.example.org", "virtual_mailbox_base": self.folder / "mail",
            "virtual_mailbox_maps": "static:user/", "virtual_uid_maps": f"static:{mailbox_user.pw_uid}",
            "virtual_gid_maps": f"static:{mailbox_user.pw_gid}", "virtual_mailbox_limit": "0",
        }
        if self.sink:
            settings["relayhost"] = f"[127.0.0.1]:{self.sink.port}"
            settings["smtpd_recipient_limit"] = "20000"
            settings["smtpd_relay_restrictions"] = "permit_mynetworks, reject"
            # As many connections at once as ours has at most, from the start.
            settings["initial_destination_concurrency"] = settings["default_destination_concurrency_limit"] = "20"
        if self.hold:
            settings["smtpd_client_restrictions"] = "check_client_access static:HOLD"
        (self.etc / "main.cf").write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))

        services = []
        for line in (package / "usr/share/postfix/master.cf.dist").read_text().splitlines():
            words = line.split()
            if words[:2] == ["smtp", "inet"]:
                words[0] = f"127.0.0.1:{self.port}"
            if len(words) > 7 and not line.startswith(("#", " ")):
                words[4] = "n"  # chroot needs files that only an installed package has
                line = " ".join(words)
            services.append(line)
        (self.etc / "master.cf").write_text("\n".join(services) + "\n")

    def command(self):
        return [self.package / "bin/postfix", "-c", self.etc, "start-fg"]

    def logs(self):
        return [self.folder / "log/postfix.log"]
