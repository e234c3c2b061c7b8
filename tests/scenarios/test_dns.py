"""The compartment dns, confined as it is in service, against real name servers and zones that are really signed."""

import json
import os
import re
import shutil
import socket
import subprocess
import time

import pytest
from harness import tools
from harness.instance import binary
from harness.name_servers import NameServers

MANY = 80

RECORDS = (
    "@ MX 20 mx2\n@ MX 10 mx1\n@ MX 10 MX1\n"
    "mx1 A 192.0.2.1\nmx1 AAAA 2001:db8::1\nmx2 A 192.0.2.2\n"
    "six AAAA 2001:db8::6\nfour A 192.0.2.4\nfour A 192.0.2.5\n"
    "alias CNAME @\nhost CNAME mx1\nout CNAME mx1.insecure.example.net.\ndangling CNAME nowhere\n"
    "null MX 0 .\ntext TXT \"no mail here\"\nodd MX 10 bad\\032host\n"
    + "".join(f"large MX {n} a-rather-long-name-that-fills-the-answer-{n:02}\n" for n in range(MANY))
)


def spoil(zone):
    """One character of the signature over the MX records is another one."""
    def change(match):
        signature = match[2]
        return match[1] + ("B" if signature[0] != "B" else "C") + signature[1:]

    spoiled, count = re.subn(r"(?m)^(bad\.example\.com\.\s.*RRSIG\s+MX .*\. )(\S+)", change, zone)
    assert count == 1
    return spoiled


@pytest.fixture(scope="module")
def servers():
    with NameServers() as made:
        made.add_zone("example.com", RECORDS)
        made.add_zone("insecure.example.net", "@ MX 10 mx1\nmx1 A 192.0.2.9\n", signed=False)
        made.add_zone("bad.example.com", "@ MX 10 mx\nmx A 192.0.2.3\n", change=spoil)
        made.add_zone("wrong.example.org", "@ MX 10 mx\nmx A 192.0.2.3\n")
        # The key of another zone: as if the parent vouched for a key that the zone does not have.
        name, ours = "wrong.example.org.", made.anchors.pop()
        made.anchors.append(re.sub(r"^\S+", name, made.anchors[0]))
        assert ours not in made.anchors
        yield made.start()


def probe_command(*arguments):
    programs = binary().parent.parent / "libexec" / "sternpost"
    return [str(part) for part in (tools.probe("dns_probe"), "--programs", programs, *arguments)]


def ask(servers, *lookups, timeout=20, server=None, trust_anchor=None, run_as=None):
    """The answers in the order of the lookups, and the counters."""
    command = probe_command("--trust-anchor", trust_anchor or servers.trust_anchor, "--timeout", timeout,
                            "--server", server or servers.server, *lookups)
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout + 60, check=False, user=run_as)
    assert done.returncode == 0, done.stderr
    *answers, summary = map(json.loads, done.stdout.splitlines())
    return answers, summary


def ask_one(servers, lookup, **options):
    (answer,), _ = ask(servers, lookup, **options)
    return answer


def test_mx_records_of_a_signed_zone_are_found_sorted_and_secure(servers):
    answer = ask_one(servers, "mx:example.com")
    assert answer["outcome"] == "found" and answer["secure"]
    assert answer["mx"] == ["10 mx1.example.com", "20 mx2.example.com"]
    assert answer["canonical"] == "example.com" and 0 < answer["ttl"] <= 600


def test_a_zone_without_signatures_is_found_and_not_secure(servers):
    answer = ask_one(servers, "mx:insecure.example.net")
    assert (answer["outcome"], answer["secure"], answer["mx"]) == ("found", False, ["10 mx1.insecure.example.net"])


def test_aliases_are_followed_and_named(servers):
    (mx, host, out), _ = ask(servers, "mx:alias.example.com", "address:host.example.com", "address:out.example.com")
    assert (mx["outcome"], mx["secure"], mx["canonical"]) == ("found", True, "example.com")
    assert mx["mx"] == ["10 mx1.example.com", "20 mx2.example.com"]
    assert (host["canonical"], host["addresses"]) == ("mx1.example.com", ["2001:db8::1", "192.0.2.1"])
    assert host["secure"]
    assert (out["canonical"], out["addresses"]) == ("mx1.insecure.example.net", ["192.0.2.9"])
    assert not out["secure"], "the alias is signed, what it leads to is not"


def test_what_is_not_there_is_told_apart_and_proven(servers):
    (nothing, below, no_mx, no_address), _ = ask(
        servers, "mx:nowhere.example.com", "address:dangling.example.com", "mx:text.example.com",
        "address:text.example.com")
    assert (nothing["outcome"], nothing["secure"]) == ("no_name", True)
    assert 0 < nothing["ttl"] <= 300, "of the SOA record"
    assert (below["outcome"], below["canonical"]) == ("no_name", "nowhere.example.com")
    assert (no_mx["outcome"], no_mx["secure"], no_mx["mx"]) == ("no_data", True, [])
    assert (no_address["outcome"], no_address["secure"]) == ("no_data", True)


def test_a_null_mx_and_one_that_names_no_host(servers):
    (null, odd), _ = ask(servers, "mx:null.example.com", "mx:odd.example.com")
    assert (null["outcome"], null["mx"]) == ("found", ["0 "])
    assert (odd["outcome"], odd["mx"]) == ("found", [])


def test_hosts_of_one_family_have_their_addresses(servers):
    (six, four), _ = ask(servers, "address:six.example.com", "address:four.example.com")
    assert (six["outcome"], six["secure"], six["addresses"]) == ("found", True, ["2001:db8::6"])
    assert (four["outcome"], four["secure"]) == ("found", True)
    assert four["addresses"] == ["192.0.2.4", "192.0.2.5"]


def test_an_answer_too_large_for_a_datagram_comes_by_tcp_and_is_bounded(servers):
    answer = ask_one(servers, "mx:large.example.com")
    assert answer["outcome"] == "found" and answer["secure"]
    assert [int(mx.split()[0]) for mx in answer["mx"]] == list(range(64)), "the best of more"


def test_a_forged_answer_is_bogus_and_its_neighbour_is_not(servers):
    (mx, host), _ = ask(servers, "mx:bad.example.com", "address:mx.bad.example.com")
    assert (mx["outcome"], mx["secure"], mx["mx"]) == ("bogus", False, [])
    assert "DNSSEC" in mx["why"]
    assert (host["outcome"], host["secure"]) == ("found", True)


def test_a_zone_without_the_key_that_is_vouched_for_is_bogus(servers):
    assert ask_one(servers, "mx:wrong.example.org")["outcome"] == "bogus"


def test_without_the_zone_s_key_the_same_answer_is_found_and_not_secure(servers, tmp_path):
    other = tmp_path / "anchor"
    other.write_text("; of another zone\n" + re.sub(r"^\S+", "elsewhere.", servers.anchors[0]))
    os.chmod(tmp_path, 0o755)
    answer = ask_one(servers, "mx:example.com", trust_anchor=other)
    assert (answer["outcome"], answer["secure"]) == ("found", False)


def test_the_same_lookups_at_once_are_asked_once(servers):
    answers, summary = ask(servers, *["mx:example.com"] * 50)
    assert all(answer["mx"] for answer in answers)
    assert summary["lookups"] == 50 and summary["coalesced"] == 49
    assert summary["found"] == summary["secure"] == 50


def test_many_lookups_at_once_are_all_answered(servers):
    answers, summary = ask(servers, *[f"mx:n{n}.example.com" for n in range(400)])
    assert {answer["outcome"] for answer in answers} == {"no_name"}
    assert summary["no_name"] == 400


def test_lookups_beyond_those_under_way_wait_for_their_turn_and_are_all_answered(servers):
    answers, summary = ask(servers, *[f"address:n{n}.example.com" for n in range(2000)])
    assert {answer["outcome"] for answer in answers} == {"no_name"}
    assert summary["no_name"] == 2000 and summary["queued"] > 0


def test_lookups_that_get_no_answer_let_the_others_pass(servers):
    """More names of a server that is silent than lookups are under way, and behind them one that answers at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        answers, summary = ask(servers, *[f"mx:n{n}.example.com" for n in range(600)], "mx:localhost",
                               server=f"127.0.0.1:{silent.getsockname()[1]}", timeout=2)
    assert answers[-1]["outcome"] == "no_data", "libunbound knows this name by itself"
    assert {answer["outcome"] for answer in answers[:-1]} == {"unavailable"}
    assert summary["unavailable"] == 600 and summary["given_up"] >= 88


@pytest.mark.release_only
def test_a_server_that_is_down_makes_lookups_unavailable(servers):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    begin = time.monotonic()
    answer = ask_one(servers, "mx:example.com", server=f"127.0.0.1:{port}", timeout=20)
    assert (answer["outcome"], answer["secure"]) == ("unavailable", False)
    assert answer["why"] and time.monotonic() - begin < 30


def test_a_server_that_never_answers_is_given_up_after_the_timeout(servers):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        begin = time.monotonic()
        (mx, host), summary = ask(servers, "mx:example.com", "address:mx1.example.com",
                                  server=f"127.0.0.1:{silent.getsockname()[1]}", timeout=2)
    assert mx["outcome"] == host["outcome"] == "unavailable"
    assert mx["why"] == "no answer within 2 s"
    assert 1.5 < time.monotonic() - begin < 15 and summary["unavailable"] == 2


@pytest.mark.release_only
def test_a_recursive_server_whose_authority_is_down(servers):
    with NameServers() as alone:
        alone.add_zone("example.com", RECORDS, signed=False)
        alone.start()
        authority, recursive = alone.processes
        authority.kill()
        authority.wait(10)
        answer = ask_one(servers, "mx:example.com", server=alone.server, timeout=30)
        assert answer["outcome"] == "unavailable" and answer["why"]
        assert recursive.poll() is None


def test_a_name_that_is_none_breaks_the_channel(servers):
    command = probe_command("--trust-anchor", servers.trust_anchor, "--server", servers.server, "mx:Example.com")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "channel closed" in done.stderr


def test_a_trust_anchor_of_something_else_is_refused_at_the_start(servers, tmp_path):
    os.chmod(tmp_path, 0o755)
    for text, complaint in (("", "no record"), ("hello\n", "dns.trust_anchor"), ("x" * 100_000, "too large")):
        (tmp_path / "anchor").write_text(text)
        command = probe_command("--trust-anchor", tmp_path / "anchor", "--server", servers.server, "mx:example.com")
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1 and complaint in done.stderr, (text[:10], done.stderr)


@pytest.mark.root_only
def test_it_works_the_same_for_an_ordinary_user(servers):
    (large, host), summary = ask(servers, "mx:large.example.com", "address:host.example.com", run_as="daemon")
    assert large["secure"] and len(large["mx"]) == 64 and host["secure"]
    assert "uid" not in summary["layers"] and "seccomp" in summary["layers"]


def test_a_missing_trust_anchor_is_named_at_the_start_with_its_key_and_package(make_instance, tmp_path):
    instance = make_instance(dns={"trust_anchor": str(tmp_path / "nothing")})
    instance.launch()
    assert instance.process.wait(30) != 0
    instance._reader.join(10)
    said = "".join(instance.output)
    assert "dns.trust_anchor" in said and "dns-root-data" in said and "nothing" in said, said


def test_a_reload_opens_the_trust_anchor_anew_and_refuses_one_that_is_missing(make_instance, tmp_path):
    os.chmod(tmp_path, 0o755)
    anchor = tmp_path / "anchor"
    shutil.copy("/usr/share/dns/root.key", anchor)
    instance = make_instance(dns={"trust_anchor": str(anchor)}).start()
    before = generations(instance)
    anchor.unlink()
    refused = instance.run("reload")
    assert refused.returncode != 0 and "dns.trust_anchor" in refused.stdout + refused.stderr
    assert generations(instance) == before
    anchor.write_text("no record\n")
    refused = instance.run("reload")
    assert refused.returncode != 0 and "dns" in refused.stdout + refused.stderr
    shutil.copy("/usr/share/dns/root.key", anchor)
    assert instance.run("reload").returncode == 0
    assert generations(instance) > before


def generations(instance):
    """The generation of dns; with one configuration refused after another it stays the same."""
    return max(p["generation"] for p in instance.status()["processes"] if p["program"] == "dns")
