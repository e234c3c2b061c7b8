"""Whose mail is handed on, and by which way: relay_domains, relay_clients, smarthost, sources, virtual_domains."""

import pytest
from harness import fate, maildir
from harness.name_servers import NameServers
from harness.next_hops import Sink
from harness.session import Session
from harness.waiting import wait_for

pytestmark = pytest.mark.release_only


@pytest.fixture
def sink():
    with Sink() as made:
        yield made


def replies(instance, *recipients, sender="ann@client.example.net"):
    with Session(instance.port) as session:
        return [code for code, _ in session.begin(sender, recipients)[1:]]


def test_strangers_may_send_to_relay_domains_and_to_no_others(make_instance, sink):
    instance = make_instance(relay_clients=[], relay_domains=["customer.example"],
                     routes={"customer.example": sink.next_hop}).start()
    assert replies(instance, "ann@customer.example", "ben@else.example", "ann@sub.customer.example",
                   "alice@example.org") == [250, 550, 550, 250]
    fate.submit(instance, "ann@Customer.Example", sender="ann@client.example.net")
    assert sink.wait(1, instance)[0].mail.split()[0] == "<ann@client.example.net>"


def test_relay_clients_may_send_everywhere(make_instance, sink):
    instance = make_instance(relay_clients=["127.0.0.0/8"], smarthost=sink.next_hop).start()
    assert replies(instance, "ann@else.example", "bob@example.org") == [250, 250]
    instance.configure(relay_clients=["192.0.2.0/24"], smarthost=sink.next_hop)
    assert instance.run("reload").returncode == 0
    wait_for(lambda: replies(instance, "ann@else.example", "bob@example.org") == [550, 250], 20,
             lambda: f"the new networks\n{instance.report()}", interval=0.1)


def test_the_smarthost_gets_what_has_no_route_and_is_not_ours(make_instance, sink):
    with Sink() as routed:
        instance = make_instance(smarthost=sink.next_hop, routes={"routed.example": routed.next_hop}).start()
        fate.submit(instance, "ann@else.example", "ben@routed.example", "alice@example.org", "c@[192.0.2.1]")
        (rest,) = sink.wait(1, instance)
        assert sorted(rest.recipients) == ["<ann@else.example>", "<c@[192.0.2.1]>"]
        assert routed.messages()[0].recipients == ("<ben@routed.example>",)
        assert maildir.count(instance.mailbox("alice")) == 1


def test_connections_come_from_the_address_of_the_route(make_instance, sink):
    with Sink() as other, Sink(address="::1") as six:
        instance = make_instance(
            smtp_client={"source": ["127.0.0.8"]},
            routes={"own.example": {"to": sink.next_hop, "from": ["127.0.0.9"]}, "general.example": other.next_hop,
                    "six.example": {"to": f"[::1]:{six.port}", "from": ["127.0.0.9", "::1"]}}).start()
        fate.submit(instance, "a@own.example", "b@general.example", "c@six.example")
        assert sink.wait(1, instance)[0].client == "127.0.0.9"
        assert other.messages()[0].client == "127.0.0.8"
        assert six.messages()[0].client.endswith("::1")


def test_a_source_of_another_family_makes_mail_wait(make_instance, sink):
    instance = make_instance(queue=fate.RETRIES,
                     routes={"own.example": {"to": sink.next_hop, "from": ["::1"]}}).start()
    queue_id = fate.submit(instance, "a@own.example")
    (record, *_) = fate.wait_records(instance, queue_id, "deferred")
    assert record["outcome"].startswith("451 4.4.0 ") and "family" in record["outcome"]


def test_a_source_that_is_not_this_host_s_makes_mail_wait(make_instance, sink):
    instance = make_instance(queue=fate.RETRIES,
                     routes={"own.example": {"to": sink.next_hop, "from": ["192.0.2.77"]}}).start()
    queue_id = fate.submit(instance, "a@own.example")
    (record, *_) = fate.wait_records(instance, queue_id, "deferred")
    assert "Cannot assign requested address" in record["outcome"]


def test_a_next_hop_by_name_is_looked_up_without_mx(make_instance, sink):
    """Brackets: the host itself. Its address comes from the DNS."""
    with NameServers() as servers:
        servers.add_zone("hub.example.com", "@ MX 10 nowhere\nhub A 127.0.0.1\nmx A 127.0.0.1\nwith MX 10 mx\n")
        servers.start()
        instance = make_instance(routes={"host.example": f"[hub.hub.example.com]:{sink.port}",
                                                  "mx.example": f"with.hub.example.com:{sink.port}"},
                         dns={"servers": [servers.server], "trust_anchor": str(servers.trust_anchor)}).start()
        first = fate.submit(instance, "a@host.example")
        second = fate.submit(instance, "a@mx.example")
        assert len(sink.wait(2, instance)) == 2
        for queue_id, host in ((first, "hub.hub.example.com"), (second, "mx.hub.example.com")):
            (record,) = fate.wait_records(instance, queue_id, "delivered")
            assert record["facts"]["host"] == f"{host} [127.0.0.1]"


def test_mail_waits_for_a_next_hop_that_the_dns_does_not_know(make_instance):
    """A slip in the configuration, or in the DNS of the next hop, costs nobody's mail."""
    with NameServers() as servers:
        servers.add_zone("hub.example.com", "@ TXT there\ntext TXT there\nnull MX 0 .\n")
        servers.start()
        next_hops = {"host.example": "[gone.hub.example.com]", "mx.example": "gone.hub.example.com",
                     "null.example": "null.hub.example.com", "text.example": "text.hub.example.com"}
        instance = make_instance(routes=next_hops, queue=fate.RETRIES,
                                 dns={"servers": [servers.server], "trust_anchor": str(servers.trust_anchor)}).start()
        ids = {domain: fate.submit(instance, f"a@{domain}") for domain in next_hops}
        for domain, queue_id in ids.items():
            (record, *_) = fate.wait_records(instance, queue_id, "deferred", by="qmgr")
            assert record["outcome"].startswith("451 4.4.4 "), record
            assert next_hops[domain].strip("[]") in record["outcome"], record
