"""Python's smtplib, with the octets of a message left as the test made them."""

import re
import smtplib


class Session(smtplib.SMTP):
    """A client's session. smtplib would mend line ends and add a last one; deliver() here does neither."""

    def __init__(self, port, timeout=30, hello="client.example.net"):
        super().__init__("127.0.0.1", port, local_hostname=hello, timeout=timeout)
        self.ehlo_or_helo_if_needed()

    def begin(self, sender, recipients, options=""):
        """MAIL and RCPT; the replies as a list of (code, text)."""
        replies = [self.docmd("MAIL", f"FROM:<{sender}>{options}")]
        replies += [self.docmd("RCPT", f"TO:<{recipient}>") for recipient in recipients]
        return replies

    def content(self, content):
        """DATA and `content` as it is, dot-stuffed after CRLF only; the reply to it."""
        code, text = self.docmd("DATA")
        if code != 354:
            return code, text
        self.send(wire_form(content))
        return self.getreply()

    def deliver(self, sender, recipients, content, options=""):
        """A whole transaction; the last reply, or the first that refuses."""
        for code, text in self.begin(sender, recipients, options):
            if code != 250:
                self.docmd("RSET")
                return code, text
        return self.content(content)


def wire_form(content):
    """Content as it travels: dots doubled at line starts, CRLF at the end, CRLF.CRLF."""
    stuffed = re.sub(rb"(?:\A|(?<=\r\n))\.", b"..", content)
    if stuffed and not stuffed.endswith(b"\r\n"):
        stuffed += b"\r\n"
    return stuffed + b".\r\n"
