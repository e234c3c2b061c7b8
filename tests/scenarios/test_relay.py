"""Mail for other domains arrives at the next hop that its route names, as it was sent, in few transactions."""

import json
import os
import re
import threading

import pytest
from harness import fate, tools
from harness.instance import Instance
from harness.next_hops import Sink
from harness.scripted_peer import ScriptedPeer
from harness.session import Session
from harness.waiting import wait_for

DOTS = (b"From: alice@example.org\r\nTo: ann@sink.example\r\nSubject: dots\r\n\r\n"
        b".one dot\r\n..two\r\n.\r\n..\r\n. x\r\n\r\n.\r\nthe end.\r\n.")


@pytest.fixture
def sink():
    with Sink() as made:
        yield made


@pytest.fixture
def relay(make_instance, sink):
    """An instance whose mail for sink.example goes to the sink."""
    return make_instance(routes={"sink.example": sink.next_hop, ".sink.example": sink.next_hop}).start()


@pytest.fixture(scope="module")
def shared():
    """One instance and sink for tests that change nothing but what is delivered."""
    with Sink() as sink:
        instance = Instance(routes={"sink.example": sink.next_hop})
        try:
            yield instance.start(), sink
        finally:
            instance.remove()


def lf(content):
    """As smtp-sink writes it."""
    return content.replace(b"\r\n", b"\n")


def counters(instance, program="smtp"):
    """The counters of a program, summed over its processes."""
    total = {}
    for process in instance.status()["processes"]:
        if process["program"] == program:
            for name, value in process.get("counters", {}).items():
                total[name] = total.get(name, 0) + value
    return total


def test_envelope_and_content_arrive_as_they_were_sent(relay, sink):
    queue_id = fate.submit(relay, "Ann.B@Sink.Example", content=DOTS + b"\r\n")
    (message,) = sink.wait(1, relay)
    assert lf(DOTS + b"\r\n") == message.content
    assert message.hello == "mail.example.org" and message.client == "127.0.0.1"
    assert message.mail.split()[0] == "<alice@example.org>"
    assert [recipient.lower() for recipient in message.recipients] == ["<ann.b@sink.example>"]
    assert message.recipients[0].startswith("<Ann.B@"), "the local part is the next hop's to fold"
    assert re.search(rf"by mail\.example\.org .*with ESMTP id {queue_id}\b", message.trace.replace("\n", " "))
    (record,) = fate.wait_records(relay, queue_id, "delivered")
    assert record["recipient"].lower() == "ann.b@sink.example" and record["outcome"].startswith("250 2.0.0 ")
    assert record["facts"]["host"] == "[127.0.0.1]"


@pytest.mark.parametrize("content", [
    b"Subject: no body\r\n\r\n",
    b"Subject: no empty line\r\n",
    b"\r\nno header\r\n",
    b".\r\n",
    b"Subject: 8-bit\r\nTo: \xc3\xbc@x\r\n\r\nGr\xc3\xbc\xc3\x9fe \xff\xfe\r\n",
    b"Subject: long lines\r\n\r\n" + b"x" * 998 + b"\r\n" + b"." * 998 + b"\r\n",
    b"Subject: controls\r\n\r\n" + bytes(set(range(1, 32)) - {10, 13}) + b"\x7f\r\n",
], ids=["no body", "no empty line", "no header", "a dot", "8-bit", "long lines", "controls"])
def test_odd_content_arrives_as_it_was_sent(shared, content):
    instance, sink = shared
    before = sink.count()
    fate.submit(instance, "ann@sink.example", content=content)
    sink.wait(before + 1, instance)
    newest = max(sink.folder.glob("message.*"), key=lambda path: path.stat().st_mtime_ns)
    (message,) = [one for one in sink.messages() if one.whole in newest.read_bytes()]
    # A message without a header field of its own gets an empty line in front of what is none.
    assert message.content in (lf(content), b"\n" + lf(content))


def test_recipients_at_one_site_share_a_transaction_and_others_do_not_see_them(make_instance):
    with Sink() as one, Sink() as other:
        routes = {"one.example": one.next_hop, "two.example": one.next_hop, "three.example": other.next_hop}
        instance = make_instance(routes=routes).start()
        queue_id = fate.submit(instance, "a@one.example", "b@two.example", "c@three.example", "d@one.example",
                               "bob@example.org")
        (first,), (second,) = one.wait(1, instance), other.wait(1, instance)
        assert sorted(first.recipients) == ["<a@one.example>", "<b@two.example>", "<d@one.example>"]
        assert second.recipients == ("<c@three.example>",)
        assert first.content == second.content == lf(fate.CONTENT)
        assert len(fate.wait_records(instance, queue_id, "delivered", by=None, number=5)) == 5


def test_messages_to_one_site_share_connections(make_instance, sink):
    """As many as the site may have at a time."""
    relay = make_instance(routes={"sink.example": sink.next_hop}, smtp_client={"site_concurrency": 2}).start()
    with Session(relay.port) as session:
        for number in range(20):
            code, text = session.deliver(fate.SENDER, [f"r{number}@sink.example"], fate.CONTENT)
            assert code == 250, text
    assert {m.recipients[0] for m in sink.wait(20, relay)} == {f"<r{n}@sink.example>" for n in range(20)}
    counted = counters(relay)
    assert counted["delivered"] == 20
    assert counted["connections_opened"] <= 2, counted
    assert counted["connections_opened"] + counted["connections_reused"] == 20


def test_a_connection_ends_after_its_share_of_messages(make_instance, sink):
    instance = make_instance(routes={"sink.example": sink.next_hop},
                             smtp_client={"max_messages": 3, "site_concurrency": 1}).start()
    with Session(instance.port) as session:
        for number in range(9):
            assert session.deliver(fate.SENDER, [f"r{number}@sink.example"], fate.CONTENT)[0] == 250
    sink.wait(9, instance)
    assert counters(instance)["connections_opened"] == 3


def test_an_idle_connection_is_closed_after_its_time(make_instance, sink):
    instance = make_instance(routes={"sink.example": sink.next_hop}, smtp_client={"idle_time": "1s"}).start()
    fate.submit(instance, "ann@sink.example")
    sink.wait(1, instance)
    wait_for(lambda: counters(instance)["connections"] == 0, 20, lambda: f"no connection: {counters(instance)}")


def test_few_connections_serve_many_sites(make_instance):
    """More sites than connections may stand: they take turns."""
    with Sink() as one, Sink() as two, Sink() as three:
        sinks = {"one": one, "two": two, "three": three}
        instance = make_instance(routes={f"{name}.example": sink.next_hop for name, sink in sinks.items()},
                                 smtp_client={"max_sessions": 2, "idle_time": "30s"}).start()
        with Session(instance.port) as session:
            for number in range(30):
                recipient = f"r{number}@{list(sinks)[number % 3]}.example"
                assert session.deliver(fate.SENDER, [recipient], fate.CONTENT)[0] == 250
        for sink in sinks.values():
            assert len({message.recipients for message in sink.wait(10, instance)}) == 10
        assert counters(instance)["connections"] <= 2


def test_who_ends_without_a_connection_gives_his_turn_to_the_next(make_instance, sink):
    """The only connection is busy; then its place goes to mail that cannot be connected for at all."""
    go_on = threading.Event()

    def verdict(_):
        assert go_on.wait(20)
        return b"250 2.0.0 taken\r\n"

    with ScriptedPeer({"content": verdict}) as peer:
        instance = make_instance(
            routes={"busy.example": peer.next_hop, "odd.example": {"to": sink.next_hop, "from": ["::1"]},
                    "sink.example": sink.next_hop}, smtp_client={"max_sessions": 1}).start()
        fate.submit(instance, "ann@busy.example")
        wait_for(lambda: any(meeting.messages for meeting in peer.meetings), 20, "the content to arrive")
        for recipient in ("ann@odd.example", "ben@odd.example", "ann@sink.example"):
            fate.wait_records(instance, fate.submit(instance, recipient), "routed", by="qmgr")
        go_on.set()
        wait_for(sink.count, 10, lambda: f"the last message\n{instance.report()}")


def test_many_messages_by_many_sessions_all_arrive_once(relay, sink):
    tools.run(tools.postfix_program("smtp-source"), "-s", "20", "-l", "3000", "-m", "1000", "-N", "-f",
              "load@client.example.net", "-t", "many@sink.example", f"127.0.0.1:{relay.port}")
    relay.wait_queue_empty(60)
    messages = sink.messages()
    assert len(messages) == 1000
    # smtp-source numbers recipients with -N: each one is a message of its own.
    assert len({message.recipients for message in messages}) == 1000
    assert {len(message.recipients) for message in messages} == {1}
    assert counters(relay)["connections_opened"] < 300


def test_large_messages_arrive_whole(relay, sink):
    lines = os.urandom(1_100_000).hex()
    body = "\r\n".join(lines[i:i + 76] for i in range(0, len(lines), 76)).encode("ascii") + b"\r\n"
    large = b"Subject: large\r\n\r\n" + body[:1_500_000] + b"\r\n"
    dotted = b"Subject: dots\r\n\r\n" + b".\r\n" * 400_000
    for content in (large, dotted):
        fate.submit(relay, "ann@sink.example", "ben@sink.example", content=content)
    messages = sink.wait(2, relay)
    assert sorted(message.content for message in messages) == sorted([lf(large), lf(dotted)])
    assert all(len(message.recipients) == 2 for message in messages)


def test_the_null_sender_stays_null(relay, sink):
    fate.submit(relay, "ann@sink.example", sender="")
    (message,) = sink.wait(1, relay)
    assert message.mail.split()[0] == "<>"


def test_the_size_and_the_kind_of_content_are_announced(relay, sink):
    content = b"Subject: x\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n.\r\n"
    fate.submit(relay, "ann@sink.example", content=content, options=" BODY=8BITMIME")
    (message,) = sink.wait(1, relay)
    assert "BODY=8BITMIME" in message.mail


def test_a_route_for_all_domains_below_and_the_nearest_one_counts(make_instance):
    with Sink() as near, Sink() as below, Sink() as rest:
        instance = make_instance(routes={"a.example": near.next_hop, ".example": below.next_hop,
                                         "*": rest.next_hop}).start()
        fate.submit(instance, "1@a.example", "2@b.example", "3@c.a.example", "4@example", "5@else.example.net")
        assert near.wait(1, instance)[0].recipients == ("<1@a.example>",)
        assert sorted(below.messages()[0].recipients) == ["<2@b.example>", "<3@c.a.example>"]
        assert sorted(rest.messages()[0].recipients) == ["<4@example>", "<5@else.example.net>"]


def test_why_and_the_list_tell_where_it_goes(make_instance, sink):
    instance = make_instance(routes={"sink.example": sink.next_hop}).start()
    queue_id = fate.submit(instance, "ann@sink.example")
    sink.wait(1, instance)
    (routed,) = fate.wait_records(instance, queue_id, "routed", by="qmgr")
    assert f"[127.0.0.1]:{sink.port}" in json.dumps(routed)
    assert "routes" in routed["rule"]["name"] and routed["rule"]["line"] > 0
    assert f"127.0.0.1]:{sink.port}" in instance.run("why", queue_id).stdout
