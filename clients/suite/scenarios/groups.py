"""Consumer groups: joining, leaving, dying, coming back, and what is remembered of them."""

import time

from model import Record, refused, same, true, until
from scenarios import scenario

NON_EMPTY_GROUP, GROUP_NOT_FOUND, UNKNOWN_MEMBER = 68, 69, 25
# The broker's least; a killed member is missed after this.
SESSION_MS = 6000


def places(topic, count):
    return {(topic, partition) for partition in range(count)}


def shared_out(members, topic, count):
    """Whether the members own all partitions, each one once, and none of them nothing."""
    owned = [place for member in members for place in member.assigned]
    return sorted(owned) == sorted(places(topic, count)) and all(
        member.assigned for member in members
    )


def state(members):
    return lambda: "; ".join(
        f"assigned {sorted(m.assigned)}, {len(m.records)} records, says {m.noise[-6:]}"
        for m in members
    )


def values(*members):
    return [record[2] for member in members for record in member.records]


def sharing(strategy):
    def run(t):
        topic, group = t.filled(partitions=4), t.group()
        writer = t.writer()
        writer.produce(topic, [Record(f"a{n}", partition=n % 4) for n in range(40)])
        one = t.member(group, topic, strategy=strategy)
        until(state([one]), lambda: shared_out([one], topic, 4))
        until(state([one]), lambda: len(values(one)) == 40)
        two = t.member(group, topic, strategy=strategy)
        until(state([one, two]), lambda: shared_out([one, two], topic, 4))
        writer.produce(topic, [Record(f"b{n}", partition=n % 4) for n in range(40)])
        want = {f"b{n}" for n in range(40)}
        until(state([one, two]), lambda: want <= set(values(one, two)))
        two.close()
        until(state([one]), lambda: shared_out([one], topic, 4))
        writer.produce(topic, [Record(f"c{n}", partition=n % 4) for n in range(40)])
        until(state([one]), lambda: {f"c{n}" for n in range(40)} <= set(values(one)))
        one.close()

    return run


scenario(name="group_shares_eager")(sharing("eager"))
scenario("cooperative", name="group_shares_cooperative")(sharing("cooperative"))


@scenario("cooperative")
def cooperative_rebalance_keeps_what_stays(t):
    """Partitions that a member keeps are never taken from it while another one joins."""
    topic, group = t.filled(partitions=4), t.group()
    one = t.member(group, topic, strategy="cooperative")
    until(state([one]), lambda: shared_out([one], topic, 4))
    seen = []
    two = t.member(group, topic, strategy="cooperative")

    def settled():
        seen.append(set(one.assigned))
        return shared_out([one, two], topic, 4)

    until(state([one, two]), settled)
    kept = set(one.assigned)
    true(all(kept <= moment for moment in seen), f"{kept} was given up for a while: {seen[-5:]}")
    two.close()
    one.close()


@scenario()
def killed_member_is_replaced(t):
    topic, group = t.filled(partitions=4), t.group()
    writer = t.writer()
    one = t.member(group, topic, session_ms=SESSION_MS)
    until(state([one]), lambda: shared_out([one], topic, 4))
    two = t.member(group, topic, session_ms=SESSION_MS)
    until(state([one, two]), lambda: shared_out([one, two], topic, 4))
    killed = time.monotonic()
    two.kill()
    until(state([one]), lambda: shared_out([one], topic, 4))
    took = time.monotonic() - killed
    true(SESSION_MS / 1000 - 1.5 < took < SESSION_MS / 1000 + 3, f"taken over after {took:.1f} s")
    writer.produce(topic, [Record(f"{n}", partition=n % 4) for n in range(40)])
    until(state([one]), lambda: len(set(values(one))) == 40)
    one.close()


@scenario("static")
def static_member_comes_back_to_its_own(t):
    """Killed and started again within the session: no rebalance for the others, no wait."""
    topic, group = t.filled(partitions=4), t.group()
    one = t.member(group, topic, instance="one", session_ms=30_000)
    two = t.member(group, topic, instance="two", session_ms=30_000)
    until(state([one, two]), lambda: shared_out([one, two], topic, 4))
    own, changes = set(two.assigned), one.assignments
    two.kill()
    back = t.member(group, topic, instance="two", session_ms=30_000)
    started = time.monotonic()
    until(state([back]), lambda: back.assigned == own)
    true(time.monotonic() - started < 10, "it waits for the session of its former self")
    same(one.assignments, changes, "assignments that the other one has seen")
    back.close()
    one.close()


@scenario()
def group_goes_on_where_it_was(t):
    topic, group = t.filled(partitions=2), t.group()
    writer = t.writer()
    writer.produce(topic, [Record(f"a{n}", partition=n % 2) for n in range(20)])
    one = t.member(group, topic)
    until(state([one]), lambda: len(values(one)) == 20)
    one.close()
    writer.produce(topic, [Record(f"b{n}", partition=n % 2) for n in range(20)])
    two = t.member(group, topic)
    until(state([two]), lambda: len(values(two)) >= 20)
    two.close()
    same(sorted(values(two)), sorted(f"b{n}" for n in range(20)), "what the second one read")


@scenario("commit", "metadata")
def offsets_are_committed_with_metadata(t):
    topic, group = t.filled(partitions=3), t.group()
    t.writer().produce(topic, [Record(str(n), partition=0) for n in range(10)])
    same(t.client.committed(group, topic, [0, 1]), {0: None, 1: None}, "before")
    t.client.commit(group, topic, {0: (7, "v1:AAEC"), 1: (0, "")})
    want = {0: (7, "v1:AAEC"), 1: (0, ""), 2: None}
    same(t.client.committed(group, topic, [0, 1, 2]), want, "after")
    # The limit is 4,096; confluent-kafka counts (and sends) a zero byte at the end.
    t.client.commit(group, topic, {0: (9, "x" * 4095)})
    same(t.client.committed(group, topic, [0]), {0: (9, "x" * 4095)}, "4,095 characters")
    refused(12, "4,097 characters", lambda: t.client.commit(group, topic, {0: (9, "x" * 4097)}))
    for other in t.everyone():
        if "commit" in other.can:
            same(other.committed(group, topic, [0])[0][0], 9, f"as {other.name} reads it")


@scenario("admin")
def groups_are_listed_described_deleted(t):
    topic, group = t.filled(partitions=4), t.group()
    one = t.member(group, topic, instance="known")
    until(state([one]), lambda: shared_out([one], topic, 4))
    true(group in t.client.groups(), "listed")
    found = until("stable", lambda: (g := t.client.group(group))["state"] == "STABLE" and g)
    same([m["partitions"] for m in found["members"]], [[0, 1, 2, 3]], "partitions of the members")
    same([m["instance"] for m in found["members"]], ["known"], "instance names")
    refused(NON_EMPTY_GROUP, "deleting while it runs", lambda: t.client.delete_group(group))
    # Its member may join again by itself meanwhile, as kafka-python's does.
    until("still there", lambda: t.client.group(group)["state"] == "STABLE")
    # A static member does not leave; its session has to end.
    one.kill()
    until("empty", lambda: t.client.group(group)["state"] == "EMPTY")
    t.client.delete_group(group)
    true(group not in t.client.groups(), "not listed any more")
    refused(GROUP_NOT_FOUND, "deleting it again", lambda: t.client.delete_group(group))


@scenario("admin", "commit")
def commits_go_with_their_topic(t):
    topic, group = t.filled(partitions=1), t.group()
    t.client.produce(topic, [Record("1", partition=0)])
    t.client.commit(group, topic, {0: (1, "")})
    same(t.client.committed(group, topic, [0]), {0: (1, "")}, "committed")
    t.client.delete(topic)
    until("gone", lambda: topic not in t.client.topics())
    until("forgotten", lambda: t.client.committed(group, topic, [0]) == {0: None})


@scenario("commit")
def strangers_do_not_commit_into_a_running_group(t):
    topic, group = t.filled(partitions=1), t.group()
    one = t.member(group, topic)
    until(state([one]), lambda: shared_out([one], topic, 1))
    refused(UNKNOWN_MEMBER, "from outside", lambda: t.client.commit(group, topic, {0: (0, "")}))
    one.close()


@scenario("admin")
def members_see_new_partitions(t):
    topic, group = t.filled(partitions=1), t.group()
    one = t.member(group, topic)
    until(state([one]), lambda: shared_out([one], topic, 1))
    t.client.add_partitions(topic, 3)
    until(state([one]), lambda: shared_out([one], topic, 3))
    one.close()
