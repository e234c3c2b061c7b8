"""Where mail goes that has no route: the MX records of real, signed zones, and what is wrong with them."""

import re

import pytest
from harness import fate, notices
from harness.instance import Instance
from harness.name_servers import NameServers
from harness.next_hops import Sink

pytestmark = pytest.mark.release_only


# All sinks listen at one port, which is also the one that the instance listens at, at other addresses.
SINKS = {"two": "127.0.0.2", "three": "127.0.0.3", "four": "127.0.0.4", "six": "::1"}
HOSTS = (
    "h2 A 127.0.0.2\nh3 A 127.0.0.3\nh4 A 127.0.0.4\nsix AAAA ::1\nhere A 127.0.0.1\nelsewhere A 127.0.0.7\n"
    "down A 127.0.0.8\nfallen A 127.0.0.9\nboth A 127.0.0.8\nboth A 127.0.0.3\n"
)
DOMAINS = {
    "equal": "MX 10 h2 | MX 10 h3",
    "first": "MX 10 h2 | MX 20 h3",
    "backup": "MX 10 down | MX 20 h3",
    "far": "MX 10 down | MX 20 fallen | MX 30 both | MX 40 h2",
    "dead": "MX 10 down | MX 20 fallen",
    "null": "MX 0 .",
    "cname": "CNAME first",
    "sixth": "MX 10 six",
    "ours": "MX 10 mail.example.org.",
    "ours-last": "MX 10 h2 | MX 20 mail.example.org. | MX 30 h3",
    "self": "MX 10 here",
    "self-last": "MX 10 h4 | MX 20 here | MX 30 h3",
    "self-down": "MX 10 down | MX 20 here | MX 30 h3",
    "behind": "MX 10 elsewhere",
    "implicit": "A 127.0.0.4",
    "implicit-six": "AAAA ::1",
    "text": 'TXT "no host"',
    "nothing": "MX 10 nowhere",
    "half": "MX 10 nowhere | MX 20 h2",
    "address": "MX 10 127.0.0.2.",
    "same-a": "MX 10 h2 | MX 20 h4",
    "same-b": "MX 20 h4 | MX 10 H2",
    "poisoned": "MX 10 mx.bad",
}


def zone():
    lines = [HOSTS]
    for name, records in DOMAINS.items():
        lines += [f"{name} {record}\n" for record in records.split(" | ")]
    return "".join(lines)


def spoil(zone_text):
    """One character of the signatures over its MX and address records is another one."""
    def change(match):
        signature = match[2]
        return match[1] + ("B" if signature[0] != "B" else "C") + signature[1:]

    spoiled, count = re.subn(r"(?m)^(\S*bad\.mail\.example\.com\.\s.*RRSIG\s+(?:MX|A) .*\. )(\S+)", change, zone_text)
    assert count >= 2
    return spoiled


@pytest.fixture(scope="module")
def internet():
    """Zones, sinks at several addresses and one instance that knows no route."""
    with NameServers() as servers:
        servers.add_zone("mail.example.com", zone())
        servers.add_zone("bad.mail.example.com", "@ MX 10 mx\nmx A 127.0.0.2\n", change=spoil)
        servers.add_zone("unsigned.example.net", "@ MX 10 mx\nmx A 127.0.0.4\n", signed=False)
        servers.start()
        instance = Instance()
        instance.configure(queue=fate.RETRIES,
                           smtp_client={**fate.PATIENCE, "mx_port": instance.port, "own_addresses": ["127.0.0.7"],
                                        "idle_time": "1s", "max_messages": 1},
                           dns={"servers": [servers.server], "trust_anchor": str(servers.trust_anchor)})
        sinks = {name: Sink(address=address, port=instance.port) for name, address in SINKS.items()}
        try:
            for sink in sinks.values():
                sink.start()
            yield instance.start(), sinks
        finally:
            for sink in sinks.values():
                sink.__exit__()
            instance.remove()


def counts(sinks):
    return {name: sink.count() for name, sink in sinks.items()}


def send(internet, domain, number=1):
    """Sends so many messages; the ids, and how many each sink got of them once all were delivered."""
    instance, sinks = internet
    before = counts(sinks)
    ids = [fate.submit(instance, f"r{n}@{domain}") for n in range(number)]
    for queue_id in ids:
        fate.wait_records(instance, queue_id, "delivered")
    after = counts(sinks)
    return ids, {name: after[name] - before[name] for name in sinks if after[name] != before[name]}


def fails(internet, domain, text):
    """A message to there comes back at once, with these words."""
    instance, sinks = internet
    before = counts(sinks)
    told = len(notices.read(instance, "bob"))
    queue_id = fate.submit(instance, f"ann@{domain}", sender="bob@example.org")
    (*_, notice) = sorted(notices.wait(instance, "bob", told + 1), key=lambda one: one.delivered.queue_id)
    assert notice.failed == [f"ann@{domain}"]
    failed = fate.wait_records(instance, queue_id, "failed", by=None)
    assert text in failed[0]["outcome"], failed[0]
    assert notice.statuses == {f"ann@{domain}": text.split()[1]}
    assert counts(sinks) == before
    return failed[0]


def waits(internet, domain, text):
    """A message to there is deferred, with these words; it is deleted then."""
    instance, sinks = internet
    before = counts(sinks)
    queue_id = fate.submit(instance, f"ann@{domain}")
    (record, *_) = fate.wait_records(instance, queue_id, "deferred", by=None)
    assert text in record["outcome"], record
    assert instance.run("queue", "delete", queue_id).returncode == 0
    assert counts(sinks) == before
    return record


def test_mail_is_spread_over_hosts_of_equal_preference(internet):
    _, got = send(internet, "equal.mail.example.com", 24)
    assert got.keys() == {"two", "three"} and sum(got.values()) == 24
    assert min(got.values()) >= 2, f"each connection chooses anew: {got}"


def test_the_preferred_host_gets_all(internet):
    assert send(internet, "first.mail.example.com", 4)[1] == {"two": 4}


def test_the_next_host_is_tried_where_the_first_is_down(internet):
    ids, got = send(internet, "backup.mail.example.com", 3)
    assert got == {"three": 3}
    assert not fate.records(internet[0], ids[0], "deferred")


def test_all_addresses_of_all_hosts_are_tried(internet):
    assert send(internet, "far.mail.example.com")[1] == {"three": 1}


def test_mail_waits_where_all_hosts_are_down(internet):
    record = waits(internet, "dead.mail.example.com", "cannot connect: Connection refused")
    assert record["outcome"].startswith("451 4.4.1 ")
    assert re.search(r"(down|fallen)\.mail\.example\.com \[127\.0\.0\.[89]\]:\d+: ", record["outcome"])


def test_a_domain_that_takes_no_mail(internet):
    fails(internet, "null.mail.example.com", "556 5.1.10 ")


def test_a_domain_that_is_not_there(internet):
    fails(internet, "nowhere.mail.example.com", "550 5.1.2 ")


def test_an_alias_is_followed_and_the_recipient_stays(internet):
    instance, sinks = internet
    ids, got = send(internet, "cname.mail.example.com")
    assert got == {"two": 1}
    newest = max(sinks["two"].folder.glob("message.*"), key=lambda path: path.stat().st_mtime_ns)
    assert b"X-Rcpt-Args: <r0@cname.mail.example.com>\n" in newest.read_bytes()
    assert fate.records(instance, ids[0], "delivered")[0]["facts"]["host"] == "h2.mail.example.com [127.0.0.2]"


def test_a_host_that_has_only_ipv6(internet):
    ids, got = send(internet, "sixth.mail.example.com")
    assert got == {"six": 1}
    assert fate.records(internet[0], ids[0], "delivered")[0]["facts"]["host"] == "six.mail.example.com [::1]"


@pytest.mark.parametrize("domain", ["bad.mail.example.com", "poisoned.mail.example.com"])
def test_a_forged_answer_makes_mail_wait(internet, domain):
    assert waits(internet, domain, "451 4.7.5 ")["outcome"].count("forged") == 1


def test_a_domain_whose_mx_is_this_host_by_name(internet):
    fails(internet, "ours.mail.example.com", "554 5.4.6 ")


@pytest.mark.parametrize("domain", ["self.mail.example.com", "behind.mail.example.com"])
def test_a_domain_whose_mx_is_this_host_by_address(internet, domain):
    fails(internet, domain, "554 5.4.6 ")


def test_hosts_behind_this_one_are_left_out(internet):
    assert send(internet, "ours-last.mail.example.com")[1] == {"two": 1}
    assert send(internet, "self-last.mail.example.com")[1] == {"four": 1}
    waits(internet, "self-down.mail.example.com", "down.mail.example.com [127.0.0.8]")


def test_a_domain_without_mx_is_its_own_host(internet):
    assert send(internet, "implicit.mail.example.com")[1] == {"four": 1}
    assert send(internet, "implicit-six.mail.example.com")[1] == {"six": 1}


def test_domains_and_hosts_without_an_address(internet):
    fails(internet, "text.mail.example.com", "550 5.4.4 ")
    fails(internet, "nothing.mail.example.com", "550 5.4.4 ")
    assert send(internet, "half.mail.example.com")[1] == {"two": 1}


def test_an_address_in_place_of_a_host_is_none(internet):
    fails(internet, "address.mail.example.com", "550 5.4.4 ")


def test_a_recipient_at_an_address_literal(internet):
    assert send(internet, "[127.0.0.2]")[1] == {"two": 1}
    assert send(internet, "[IPv6:::1]")[1] == {"six": 1}


def test_an_unsigned_domain(internet):
    assert send(internet, "unsigned.example.net")[1] == {"four": 1}


def test_domains_with_the_same_hosts_share_a_transaction(internet):
    instance, sinks = internet
    before = sinks["two"].count()
    queue_id = fate.submit(instance, "a@same-a.mail.example.com", "b@same-b.mail.example.com")
    fate.wait_records(instance, queue_id, "delivered", number=2)
    assert sinks["two"].count() == before + 1
    sites = {record["facts"]["site"] for record in fate.records(instance, queue_id, "delivered", "smtp")}
    assert len(sites) == 1 and "mx-secure" in sites.pop()


def test_mail_waits_for_name_servers_and_arrives_when_they_answer(make_instance):
    with NameServers() as servers:
        servers.add_zone("mail.example.com", zone())
        instance = make_instance()
        instance.configure(dns={"servers": [servers.server], "trust_anchor": str(servers.trust_anchor),
                                "timeout": "1s"},
                           queue=fate.RETRIES, smtp_client={"mx_port": instance.port})
        with Sink(address="127.0.0.2", port=instance.port) as sink:
            instance.start()
            queue_id = fate.submit(instance, "ann@first.mail.example.com")
            (record, *_) = fate.wait_records(instance, queue_id, "deferred", by=None)
            assert record["outcome"].startswith("451 4.4.3 ") and "first.mail.example.com" in record["outcome"]
            servers.start()
            fate.wait_records(instance, queue_id, "delivered", seconds=40)
            assert sink.count() == 1
