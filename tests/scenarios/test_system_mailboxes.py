"""The mailboxes that a server has when nothing is said of them: one folder for each user of the system."""

import shutil
import subprocess

import pytest
from harness import maildir, toml
from harness.session import Session
from harness.waiting import wait_for

pytestmark = pytest.mark.root_only  # an ordinary user's server could not own the folder of another

# A user such as adduser makes, of whom only the instance under test knows.
USER, UID = "postal-test", 61234
CONTENT = b"From: ann@client.example.net\r\nSubject: hello\r\n\r\nsome text\r\n"
SENDER = "ann@client.example.net"
WITH_USERS = 'mount --bind "$1" /etc/passwd && shift && exec "$@"'


def with_user(directory):
    """A command that starts another one in a world where USER exists; a visible skip where that cannot be."""
    users = directory / "passwd"
    shutil.copyfile("/etc/passwd", users)
    with users.open("a") as file:
        file.write(f"{USER}:x:{UID}:{UID}::/nonexistent:/usr/sbin/nologin\n")
    users.chmod(0o644)
    command = ["unshare", "--mount", "sh", "-c", WITH_USERS, "sh", str(users)]
    done = subprocess.run([*command, "true"], capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        pytest.skip(f"no mount namespace for a user of our own: {done.stderr.strip()}")
    return command


@pytest.fixture
def three_lines(make_instance):
    """A function that starts the shortest configuration there is, with a port; `tables` add to it."""

    def start(**tables):
        made = make_instance()
        made.launcher = with_user(made.directory)
        made.write_config(toml.dumps({
            "setup": "internet-site", "hostname": "mail.example.org", "domains": ["example.org", "example.com"],
            "smtp": {"listen": [f"127.0.0.1:{made.port}"]}, **tables}))
        return made.start()

    return start


def send(instance, *recipients):
    with Session(instance.port) as session:
        return session.deliver(SENDER, recipients, CONTENT)


def arrived(instance, folder, number=1):
    """Waits for so many messages in a folder and returns them in the order of their recipients."""
    wait_for(lambda: maildir.count(folder) >= number, 20, lambda: f"{number} in {folder}\n{instance.report()}")
    messages = maildir.read(folder)
    assert [message.content for message in messages] == [CONTENT] * number
    return sorted(messages, key=lambda message: message.delivered_to)


def test_a_user_of_the_system_has_one_folder_for_all_domains_and_extensions(three_lines):
    instance = three_lines()
    for recipient in (f"{USER}@example.org", f"{USER}@example.com", f"{USER}+lists@example.org"):
        assert send(instance, recipient)[0] == 250
    first, second, third = arrived(instance, instance.state / "mail" / USER, 3)
    assert first.delivered_to == f"{USER}+lists@example.org"
    assert second.delivered_to == f"{USER}@example.com"
    assert third.delivered_to == f"{USER}@example.org"
    assert [entry.name for entry in (instance.state / "mail").iterdir()] == [USER]
    instance.wait_queue_empty()
    assert instance.stop() == 0


@pytest.mark.parametrize("recipient", [
    "no-such-user@example.org", "no-such-user+lists@example.org", "root@example.org", "daemon@example.org",
    "nobody@example.org", f"{USER}-lists@example.org",
], ids=["unknown", "unknown with an extension", "root", "uid below first_uid", "nobody", "other delimiter"])
def test_whoever_is_no_user_of_the_system_is_refused_at_rcpt(three_lines, recipient):
    instance = three_lines()
    with Session(instance.port) as session:
        (code, text), = session.begin(SENDER, [recipient])[1:]
        assert code == 550 and text.startswith(b"5.1.1"), text
    assert send(instance, f"{USER}@example.org")[0] == 250
    arrived(instance, instance.state / "mail" / USER)


def test_the_folder_of_all_mailboxes_can_be_another(three_lines):
    instance = three_lines(mailboxes={"directory": "boxes"})
    assert send(instance, f"{USER}@example.org")[0] == 250
    arrived(instance, instance.state / "boxes" / USER)
    assert not (instance.state / "mail").exists()


def test_the_mailboxes_belong_to_their_owner(three_lines):
    instance = three_lines(mailboxes={"owner": USER})
    assert send(instance, f"{USER}@example.org")[0] == 250
    (message,) = arrived(instance, instance.state / "mail" / USER)
    assert message.path.stat().st_uid == UID


def test_the_lowest_uid_with_a_mailbox_can_be_another(three_lines):
    instance = three_lines(mailboxes={"first_uid": 1})
    for user in ("daemon", "bin"):
        assert send(instance, f"{user}@example.org")[0] == 250
        arrived(instance, instance.state / "mail" / user)
    assert send(instance, "root@example.org")[0] == 550  # nothing is delivered as uid 0


def test_mailboxes_that_are_listed_stand_beside_those_of_users_in_domains_of_their_own(three_lines):
    instance = three_lines(virtual_domains=["shop.example"],
                           mailboxes={"list": {"sales@shop.example": "shop/sales/"}})
    with Session(instance.port) as session:
        codes = [code for code, _ in session.begin(SENDER, [
            "sales@shop.example", f"{USER}@shop.example", "sales@example.org", f"{USER}@example.org"])[1:]]
    assert codes == [250, 550, 550, 250]
    for recipient in ("Sales@Shop.Example", f"{USER}@example.org"):
        assert send(instance, recipient)[0] == 250
    arrived(instance, instance.state / "mail" / "shop" / "sales")
    arrived(instance, instance.state / "mail" / USER)
