#!/usr/bin/python3
"""read_notices.py WRITE_NOTICES — read the notices that the program writes as others would.

flufl.bounce, with which Mailman finds the addresses that failed, must find exactly those of the case; Python's
own parser must find no defect in any part or field, and give back what was put in. Exits 77, which ctest counts
as skipped, where flufl.bounce is not installed (Debian: python3-flufl.bounce).
"""

import email
import email.policy
import email.utils
import pathlib
import subprocess
import sys
import tempfile

try:
    import flufl.bounce
except ImportError:
    print("skipped: flufl.bounce is not installed (scripts/setup check)")
    sys.exit(77)

LEAST_CASES = 14


class Expected:
    def __init__(self, path):
        lines = [line.split(" ", 1) for line in path.read_text().splitlines()]
        self.failed = [value for key, value in lines if key == "failed"]
        self.delayed = [value for key, value in lines if key == "delayed"]
        self.parts = next(int(value) for key, value in lines if key == "parts")
        self.to = next(value for key, value in lines if key == "to")


def defects(message, where):
    """Every defect that the parser notes in `message`, its fields and its parts."""
    found = [f"{where}: {defect!r}" for defect in message.defects]
    for name, value in message.items():
        found += [f"{where}: {name}: {defect!r}" for defect in getattr(value, "defects", ())]
    if message.is_multipart():
        for number, part in enumerate(message.get_payload(), 1):
            found += defects(part, f"{where}.{number}")
    return found


def check_addresses(octets, expected):
    temporary, permanent = flufl.bounce.all_failures(email.message_from_bytes(octets))
    # What it answers is what its own address parser makes of an address.
    wanted = [{email.utils.parseaddr(address)[1].encode() for address in addresses}
              for addresses in (expected.delayed, expected.failed)]
    assert [temporary, permanent] == wanted, f"flufl.bounce found {temporary}, {permanent}"
    assert flufl.bounce.scan_message(email.message_from_bytes(octets)) == wanted[1]


def check_structure(octets, expected):
    message = email.message_from_bytes(octets, policy=email.policy.default)
    found = defects(message, "message")
    assert not found, "\n".join(found)
    assert message.get_content_type() == "multipart/report"
    assert message["Content-Type"].params["report-type"] == "delivery-status"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["Return-Path"] is None
    [to] = message["To"].addresses
    assert to.addr_spec == expected.to, to
    parts = message.get_payload()
    types = ["text/plain", "message/delivery-status", "text/rfc822-headers"][:expected.parts]
    assert [part.get_content_type() for part in parts] == types
    assert "mx.example.org" in parts[0].get_content()
    return parts


def check_report(part, expected):
    blocks = part.get_payload()
    assert blocks[0]["Reporting-MTA"] == "dns; mx.example.org"
    action, addresses = ("failed", expected.failed) if expected.failed else ("delayed", expected.delayed)
    assert len(blocks) == 1 + len(addresses), f"{len(blocks)} blocks"
    for block, address in zip(blocks[1:], addresses):
        assert block["Final-Recipient"] == f"rfc822; {address}", block["Final-Recipient"]
        assert block["Action"] == action
        assert block["Status"][0] == ("5" if expected.failed else "4")
        assert (block["Will-Retry-Until"] is not None) == (action == "delayed")
        assert len(block.get_all("Diagnostic-Code")) == 1


def check(path):
    octets, expected = path.read_bytes(), Expected(path.with_suffix(".expected"))
    assert max(octets) < 128 and 0 not in octets, "not 7bit"
    lines = octets.split(b"\r\n")
    assert max(map(len, lines)) <= 998, "a line is too long"
    assert not any(b"\r" in line or b"\n" in line for line in lines), "a line ends in CR or LF alone"
    parts = check_structure(octets, expected)
    check_report(parts[1], expected)
    check_addresses(octets, expected)
    # What quoted-printable carries comes back as it was.
    if path.stem == "eight_bit_header":
        assert parts[2].get_payload(decode=True).rstrip(b"\r\n") == "Subject: grün, weiß".encode()
    if path.stem == "broken_header":
        assert parts[2].get_payload(decode=True).startswith(b"Subject: a\rb\nX: \0\xff")


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True, timeout=60)
        notices = sorted(pathlib.Path(folder).glob("*.eml"))
        for path in notices:
            try:
                check(path)
                print(f"{path.stem}: ok")
            except AssertionError as error:
                failed += 1
                print(f"{path.stem}: FAILED: {error}")
    assert len(notices) >= LEAST_CASES, f"only {len(notices)} notices were written"
    print(f"{len(notices)} notices, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
