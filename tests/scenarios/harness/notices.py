"""Delivery status notifications in a mailbox, read by flufl.bounce, with which Mailman finds who failed."""

import email
import email.policy
import re

import pytest

from harness import maildir
from harness.waiting import wait_for


class Notice:
    """A notification: `failed` and `delayed` are the addresses that flufl.bounce finds in it."""

    def __init__(self, delivered):
        bounce = pytest.importorskip("flufl.bounce", reason="python3-flufl.bounce is not installed")
        temporary, permanent = bounce.all_failures(email.message_from_bytes(delivered.content))
        self.delivered = delivered
        self.failed = sorted(address.decode() for address in permanent)
        self.delayed = sorted(address.decode() for address in temporary)
        self.message = email.message_from_bytes(delivered.content, policy=email.policy.default)

    @property
    def text(self):
        """What a person reads first, as one line."""
        text = self.message.get_payload()[0].get_content()
        return " ".join(re.sub(r"(?m)^[ \t]*>", "", text).split())

    @property
    def statuses(self):
        """The status of each address."""
        blocks = self.message.get_payload()[1].get_payload()[1:]
        return {block["Final-Recipient"].split(";")[1].strip(): block["Status"] for block in blocks}

    @property
    def returned(self):
        """The header of the message that it is about."""
        return self.message.get_payload()[2].get_payload()


def is_notice(delivered):
    return delivered.return_path == "<>" and b"report-type=delivery-status" in delivered.content


def read(instance, user):
    return [Notice(one) for one in maildir.read(instance.mailbox(user)) if is_notice(one)]


def wait(instance, user, number=1, seconds=30):
    """Waits for so many notices to a user and answers them."""
    wait_for(lambda: maildir.count(instance.mailbox(user)) >= number, seconds,
             lambda: f"{number} notices to {user}\n{instance.report()}")
    found = read(instance, user)
    assert len(found) == number, f"{len(found)} notices to {user}"
    return found
