"""Whole mail servers of others as next hops, from Debian's packages: Postfix, Exim and Dovecot (by LMTP).

Each is a context manager with a folder of its own, and listens at 127.0.0.1 on a port of its own.
"""

import grp
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import tools
from harness.instance import free_port
from harness.listeners import is_listening
from harness.waiting import wait_for

START_SECONDS = 30
DELIVERY_SECONDS = 30


class MailServer:
    package = ""

    def __init__(self):
        self.root = tools.peer_folder(self.package)
        self.folder = Path(tempfile.mkdtemp(prefix="sternpost-peer-", dir="/var/tmp"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.process = None

    def __enter__(self):
        try:
            command, options = self.prepare()
            with (self.folder / "output").open("wb") as output:
                self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                                stdout=output, stderr=output, start_new_session=True, **options)
            wait_for(lambda: self.process.poll() is not None or is_listening("127.0.0.1", self.port), START_SECONDS,
                     lambda: f"{self.package} to listen\n{self.log()}")
            assert self.process.poll() is None, self.log()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.terminate()  # each ends its own children
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.end_rest()
        shutil.rmtree(self.folder, ignore_errors=True)

    def end_rest(self):
        """Ends what outlives the process that was started."""

    @property
    def next_hop(self):
        return f"[127.0.0.1]:{self.port}"

    def log(self):
        texts = [path.read_text(errors="replace") for path in (self.folder / "output", self.folder / "log")
                 if path.exists()]
        return "\n".join(texts)[-3000:]


def _existing(wanted, instead, look_up):
    """`wanted` if there is such an account, else one that every Debian has."""
    try:
        look_up(wanted)
        return wanted
    except KeyError:
        return instead


class Postfix(MailServer):
    """Delivers all mail for peer.example to one Maildir. It changes users, so it needs root."""

    package = "postfix"

    def prepare(self):
        owner = _existing("postfix", "mail", pwd.getpwnam)
        group = _existing("postdrop", "news", grp.getgrnam)
        nobody = pwd.getpwnam("nobody")
        etc, package, lib = self.folder / "etc", self.root, self.root / "usr/lib/postfix"
        for name in ("etc", "queue", "data", "mail"):
            (self.folder / name).mkdir()
        os.chown(self.folder / "data", pwd.getpwnam(owner).pw_uid, -1)
        os.chown(self.folder / "mail", nobody.pw_uid, nobody.pw_gid)
        settings = {
            "compatibility_level": "3.6", "queue_directory": self.folder / "queue",
            "data_directory": self.folder / "data", "command_directory": package / "usr/sbin",
            "daemon_directory": lib / "sbin", "shlib_directory": lib, "meta_directory": package / "etc/postfix",
            "sendmail_path": package / "usr/sbin/sendmail", "mailq_path": package / "usr/bin/mailq",
            "newaliases_path": package / "usr/bin/newaliases",
            "import_environment": "MAIL_CONFIG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH",
            "export_environment": "TZ LANG LD_LIBRARY_PATH", "mail_owner": owner, "setgid_group": group,
            "maillog_file": self.folder / "log", "maillog_file_prefixes": self.folder,
            "myhostname": "peer.example", "mydestination": "", "alias_maps": "", "local_recipient_maps": "",
            "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "mynetworks": "127.0.0.0/8",
            "smtpd_peername_lookup": "no", "virtual_mailbox_domains": "peer.example",
            "virtual_mailbox_base": self.folder / "mail", "virtual_mailbox_maps": "static:user/",
            "virtual_uid_maps": f"static:{nobody.pw_uid}", "virtual_gid_maps": f"static:{nobody.pw_gid}",
        }
        (etc / "main.cf").write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))
        services = []
        for line in (package / "usr/share/postfix/master.cf.dist").read_text().splitlines():
            words = line.split()
            if words[:2] == ["smtp", "inet"]:
                words[0] = f"127.0.0.1:{self.port}"
            if len(words) > 7 and not line.startswith(("#", " ")):
                words[4] = "n"  # chroot needs files that only an installed package has
                line = " ".join(words)
            services.append(line)
        (etc / "master.cf").write_text("\n".join(services) + "\n")
        return [package / "bin/postfix", "-c", etc, "start-fg"], {}

    def end_rest(self):
        """The process that was started waits for master, which leads a session of its own."""
        pid_file = self.folder / "queue/pid/master.pid"
        if not pid_file.exists():
            return
        pid = int(pid_file.read_text())
        try:
            os.kill(pid, signal.SIGTERM)  # it ends its own children
            wait_for(lambda: not Path(f"/proc/{pid}").exists(), 15, "the end of Postfix's master")
        except ProcessLookupError:
            pass

    def messages(self):
        """What was delivered, with the fields that Postfix adds. It takes mail first, and delivers it then."""
        queues = [self.folder / "queue" / name for name in ("incoming", "active", "deferred")]  # the way of a file
        wait_for(lambda: not any(path.is_file() for queue in queues for path in queue.rglob("*")), DELIVERY_SECONDS,
                 lambda: f"all that Postfix took to be delivered\n{self.log()}")
        return [path.read_bytes() for path in sorted((self.folder / "mail/user/new").glob("*"))]


class Exim(MailServer):
    """Takes mail and keeps it in its queue. It insists on an account, which a preloaded library pretends."""

    package = "exim4-daemon-light"

    def prepare(self):
        account = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        uid, gid = account.pw_uid, account.pw_gid
        (self.folder / "passwd").write_text(f"Debian-exim:x:{uid}:{gid}::/:/bin/false\nroot:x:0:0::/:/bin/false\n")
        (self.folder / "group").write_text(f"Debian-exim:x:{gid}:\nroot:x:0:\nmail:x:8:\nadm:x:4:\n")
        config = self.folder / "exim.conf"
        config.write_text(
            f"daemon_smtp_ports = {self.port}\nlocal_interfaces = 127.0.0.1\n"
            f"spool_directory = {self.folder}/spool\nlog_file_path = {self.folder}/%slog\n"
            f"pid_file_path = {self.folder}/pid\nprimary_hostname = peer.example\nqueue_only = true\n"
            "tls_advertise_hosts =\nchunking_advertise_hosts =\nhost_lookup =\nkeep_environment =\n"
            "acl_smtp_rcpt = accept\nacl_smtp_data = accept\n")
        (self.folder / "spool").mkdir()
        identity = {}
        if os.geteuid() == 0:
            identity = {"user": uid, "group": gid, "extra_groups": []}
            for path in (self.folder, self.folder / "spool"):
                os.chown(path, uid, gid)
        (library,) = self.root.glob("usr/lib/*/libnss_wrapper.so")
        environment = {"LD_PRELOAD": str(library), "NSS_WRAPPER_PASSWD": str(self.folder / "passwd"),
                       "NSS_WRAPPER_GROUP": str(self.folder / "group"), "PATH": os.environ["PATH"]}
        return [self.root / "usr/sbin/exim4", "-C", config, "-bdf"], {"env": environment, **identity}

    def messages(self):
        """The bodies of the messages in its queue; their first line there is Exim's."""
        bodies = sorted((self.folder / "spool/input").glob("*-D"))
        return [path.read_bytes().partition(b"\n")[2] for path in bodies]


class Dovecot(MailServer):
    """Takes mail by LMTP for the users of a file, by TCP and at the socket `path`.

    It looks for its parts where an installed package has them: it runs in a mount namespace of its own in which
    they are there. That, and the users that its parts become, need root.
    """

    package = "dovecot-core"
    USERS = {"ann": "", "ben": "", "full": "userdb_quota_rule=*:bytes=10"}

    def prepare(self):
        nobody = pwd.getpwnam("nobody")
        for name in ("run", "state", "mail"):
            (self.folder / name).mkdir()
        os.chown(self.folder / "mail", nobody.pw_uid, nobody.pw_gid)
        self.path = self.folder / "lmtp"
        users = self.folder / "users"
        users.write_text("".join(f"{user}:{{PLAIN}}x:{nobody.pw_uid}:{nobody.pw_gid}::{self.folder}/mail/{user}::"
                                 f"{extra}\n" for user, extra in self.USERS.items()))
        config = self.folder / "dovecot.conf"
        config.write_text(f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/log
protocols = lmtp
listen = 127.0.0.1
mail_location = maildir:{self.folder}/mail/%n
first_valid_uid = 1
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
ssl = no
auth_username_format = %n
passdb {{
  driver = passwd-file
  args = {users}
}}
userdb {{
  driver = passwd-file
  args = {users}
}}
mail_plugins = quota
plugin {{
  quota = maildir:user
}}
service stats {{
  chroot =
}}
service anvil {{
  chroot =
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.port}
  }}
  unix_listener {self.path} {{
    mode = 0666
  }}
}}
""")
        there = f"mount -t overlay overlay -o lowerdir={self.root}/usr:/usr /usr"
        if subprocess.run(["unshare", "--mount", "sh", "-c", there], capture_output=True, check=False).returncode:
            pytest.skip("no overlay can be mounted here: Dovecot does not find its parts")
        return ["unshare", "--mount", "sh", "-c", f"{there} && exec /usr/sbin/dovecot -F -c {config}"], {}

    def messages(self, user):
        """What was delivered to a user, with the fields that Dovecot adds."""
        return [path.read_bytes() for path in sorted((self.folder / "mail" / user / "new").glob("*"))]
