//! Scripts for the state machine, and a random walk that checks what must always hold.
//!
//! A script is one action or expectation per line. Times are milliseconds. Members are named by
//! what comes before the dash of their id (`a-1`); `a` alone asks for a fresh id.
//!
//! ```text
//! bounds delay=0 max=10         before the first action
//! at 100                        the time of what follows (ticks on the way)
//! join T a [id=..] [static=..] [v=9] [session=..] [rebalance=..] [type=..] range:t1,t2 sticky:t1
//! sync T a-1 gen=1 [static=..] [protocol=..] [a-1=x b-2=y]
//! beat a-1 gen=1 [static=..] => ok | ERROR
//! leave a-1 [static=..] => ok | ERROR          leave - static=s => by its stable name
//! commit a-1 gen=1 [static=..] => ok | ERROR
//! T: ...                        what ticket T was answered since the last action
//! quiet                         nothing was answered since the last action
//! is Stable gen=1 leader=a-1 [members=a-1,b-2] [protocol=range]
//! ```

mod script;
mod walk;

use script::check;

#[test]
fn a_group_forms_grows_and_shrinks() {
    check(
        "
        is Empty gen=0
        join 1 a range:t
        1: joined a-1 gen=1 leader=a-1 range members=a-1
        is CompletingRebalance gen=1 leader=a-1
        sync 2 a-1 gen=1 a-1=all
        2: all
        is Stable gen=1 leader=a-1 members=a-1 protocol=range
        beat a-1 gen=1 => ok
        join 3 b range:t
        quiet
        is PreparingRebalance gen=1 leader=a-1
        beat a-1 gen=1 => RebalanceInProgress
        commit a-1 gen=1 => ok
        join 4 a-1 range:t
        3: joined b-2 gen=2 leader=a-1 range
        4: joined a-1 gen=2 leader=a-1 range members=a-1,b-2
        sync 5 b-2 gen=2
        quiet
        commit a-1 gen=2 => RebalanceInProgress
        sync 6 a-1 gen=2 a-1=half b-2=other
        6: half
        5: other
        is Stable gen=2 leader=a-1
        leave a-1 => ok
        is PreparingRebalance gen=2 leader=b-2
        join 7 b-2 range:t
        7: joined b-2 gen=3 leader=b-2 range members=b-2
        leave b-2 => ok
        is Empty gen=4
        ",
    );
}

#[test]
fn from_version_4_the_id_comes_first() {
    check(
        "
        join 1 a v=4 range:t
        1: MemberIdRequired a-1
        is Empty gen=0
        join 2 a id=a-1 v=4 range:t
        2: joined a-1 gen=1 leader=a-1 range members=a-1
        join 3 b v=4 session=1000 range:t
        3: MemberIdRequired b-2
        beat b-2 gen=1 => UnknownMemberId
        # A rebalance waits for the one that is expected, but not longer than its session.
        join 6 d v=3 range:t
        join 7 a-1 range:t
        quiet
        is PreparingRebalance gen=1
        at 1000
        6: joined d-3 gen=2 leader=a-1 range
        7: joined a-1 gen=2 leader=a-1 range members=a-1,d-3
        leave a-1 => ok
        leave d-3 => ok
        is Empty gen=3
        # One that was expected may also say that it will not come.
        join 4 c v=4 range:t
        4: MemberIdRequired c-4
        leave c-4 => ok
        join 5 c id=c-4 v=4 range:t
        5: UnknownMemberId c-4
        ",
    );
}

#[test]
fn the_first_rebalance_waits_for_a_fleet_and_not_for_ever() {
    check(
        "
        bounds delay=100 max=10
        join 1 a rebalance=250 range:t
        at 99
        quiet
        join 2 b rebalance=250 range:t
        quiet
        at 100
        quiet
        is PreparingRebalance gen=0
        at 199
        join 3 c rebalance=250 range:t
        quiet
        # Extended once more, but by no more than the rebalance timeout leaves.
        at 249
        quiet
        at 250
        1: joined a-1 gen=1 leader=a-1 range members=a-1,b-2,c-3
        2: joined b-2 gen=1 leader=a-1 range
        3: joined c-3 gen=1 leader=a-1 range
        ",
    );
}

#[test]
fn the_protocol_that_all_know_and_most_prefer_wins() {
    check(
        "
        bounds delay=10 max=10
        join 1 a range:t sticky:t
        join 2 b sticky:t range:t
        join 3 c sticky:t range:t roundrobin:t
        join 4 d roundrobin:t
        4: InconsistentGroupProtocol
        join 5 e type=connect range:t
        5: InconsistentGroupProtocol
        at 20
        1: joined a-1 gen=1 leader=a-1 sticky members=a-1,b-2,c-3
        2: joined b-2 gen=1 leader=a-1 sticky
        3: joined c-3 gen=1 leader=a-1 sticky
        sync 6 a-1 gen=1 protocol=range
        6: InconsistentGroupProtocol
        ",
    );
    check("join 1 a type= range:t\n1: InconsistentGroupProtocol");
    check("join 1 a\n1: InconsistentGroupProtocol");
}

#[test]
fn a_silent_member_is_given_up_after_its_session() {
    check(
        "
        join 1 a session=1000 range:t
        1: joined a-1 gen=1 leader=a-1 range members=a-1
        sync 2 a-1 gen=1 a-1=x
        2: x
        at 999
        beat a-1 gen=1 => ok
        at 1998
        is Stable gen=1 leader=a-1
        at 1999
        is Empty gen=2
        beat a-1 gen=1 => UnknownMemberId
        commit a-1 gen=1 => UnknownMemberId
        ",
    );
}

#[test]
fn who_does_not_rejoin_in_time_is_out_and_leadership_passes() {
    check(
        "
        join 1 a session=9000 rebalance=500 range:t
        1: joined a-1 gen=1 leader=a-1 range members=a-1
        sync 2 a-1 gen=1 a-1=x
        2: x
        join 3 b session=9000 rebalance=400 range:t
        at 499
        quiet
        at 500
        3: joined b-2 gen=2 leader=b-2 range members=b-2
        beat a-1 gen=1 => UnknownMemberId
        ",
    );
}

#[test]
fn a_new_member_whose_connection_broke_does_not_hold_the_group_for_ever() {
    check(
        "
        join 1 a session=600000 rebalance=900000 range:t
        1: joined a-1 gen=1 leader=a-1 range members=a-1
        sync 2 a-1 gen=1 a-1=x
        2: x
        join 3 b session=600000 rebalance=900000 range:t
        at 299999
        beat a-1 gen=1 => RebalanceInProgress
        quiet
        at 300000
        3: UnknownMemberId b-2
        ",
    );
}

#[test]
fn a_member_that_never_fetches_its_assignment_is_out() {
    check(
        "
        bounds delay=10 max=10
        join 1 a session=9000 rebalance=500 range:t
        join 2 b session=9000 rebalance=500 range:t
        at 20
        1: joined a-1 gen=1 leader=a-1 range members=a-1,b-2
        2: joined b-2 gen=1 leader=a-1 range
        # The leader keeps its part to itself: all that did not sync go.
        sync 3 b-2 gen=1
        at 519
        quiet
        at 520
        3: RebalanceInProgress
        is PreparingRebalance gen=1 leader=b-2
        join 4 b-2 session=9000 rebalance=500 range:t
        4: joined b-2 gen=2 leader=b-2 range members=b-2
        # Nobody is left: the one that is expected is not waited for.
        join 5 c v=4 session=9000 range:t
        5: MemberIdRequired c-3
        at 1020
        is Empty gen=3
        join 6 c id=c-3 v=4 range:t
        at 1030
        6: joined c-3 gen=4 leader=c-3 range members=c-3
        ",
    );
}

#[test]
fn generations_and_members_are_checked() {
    check(
        "
        join 1 a range:t
        1: joined a-1 gen=1 leader=a-1 range members=a-1
        sync 2 a-1 gen=0
        2: IllegalGeneration
        sync 3 x-9 gen=1
        3: UnknownMemberId
        join 4 x id=x-9 range:t
        4: UnknownMemberId x-9
        beat a-1 gen=2 => IllegalGeneration
        commit a-1 gen=0 => IllegalGeneration
        commit - gen=-1 => UnknownMemberId
        leave x-9 => UnknownMemberId
        leave - => UnknownMemberId
        sync 5 a-1 gen=1 a-1=x ghost-7=y
        5: x
        sync 6 a-1 gen=1
        6: x
        # Nobody is in an empty group, so whoever comes without a generation may commit.
        leave a-1 => ok
        commit - gen=-1 => ok
        commit a-1 gen=1 => UnknownMemberId
        ",
    );
}

#[test]
fn a_lost_answer_is_given_again_without_another_rebalance() {
    check(
        "
        bounds delay=10 max=10
        join 1 a range:t
        join 2 b range:t
        at 20
        1: joined a-1 gen=1 leader=a-1 range members=a-1,b-2
        2: joined b-2 gen=1 leader=a-1 range
        join 3 b-2 range:t
        3: joined b-2 gen=1 leader=a-1 range
        join 4 a-1 range:t
        4: joined a-1 gen=1 leader=a-1 range members=a-1,b-2
        sync 5 b-2 gen=1
        sync 6 b-2 gen=1
        5: RebalanceInProgress
        sync 7 a-1 gen=1 a-1=x b-2=y
        7: x
        6: y
        join 8 b-2 range:t
        8: joined b-2 gen=1 leader=a-1 range
        # The leader rejoins a stable group on purpose, a follower with other topics too.
        join 9 b-2 range:t,u
        quiet
        is PreparingRebalance gen=1
        join 10 b-2 range:t,u
        9: RebalanceInProgress b-2
        join 11 a-1 range:t
        11: joined a-1 gen=2 leader=a-1 range members=a-1,b-2
        10: joined b-2 gen=2 leader=a-1 range
        ",
    );
}

#[test]
fn leaving_while_others_wait_for_their_assignment() {
    check(
        "
        bounds delay=10 max=10
        join 1 a range:t
        join 2 b range:t
        at 20
        1: joined a-1 gen=1 leader=a-1 range members=a-1,b-2
        2: joined b-2 gen=1 leader=a-1 range
        sync 3 b-2 gen=1
        leave a-1 => ok
        3: RebalanceInProgress
        join 4 b-2 range:t
        4: joined b-2 gen=2 leader=b-2 range members=b-2
        join 5 c range:t
        leave c-3 => ok
        5: UnknownMemberId c-3
        ",
    );
}

#[test]
fn a_full_group_takes_no_more() {
    check(
        "
        bounds delay=10 max=2
        join 1 a static=s range:t
        join 2 b v=4 range:t
        2: MemberIdRequired b-2
        join 3 c range:t
        3: GroupMaxSizeReached
        join 4 b id=b-2 v=4 range:t
        # One that takes over a stable name needs no new place.
        join 5 a static=s range:t
        1: FencedInstanceId a-1
        at 20
        4: joined b-2 gen=1 leader=a-4 range
        5: joined a-4 gen=1 leader=a-4 range members=a-4,b-2
        ",
    );
}

#[test]
fn a_static_member_that_restarts_keeps_its_work() {
    check(
        "
        bounds delay=10 max=10
        join 1 a static=sa range:t
        join 2 b static=sb range:t
        at 20
        1: joined a-1 gen=1 leader=a-1 range members=a-1,b-2
        2: joined b-2 gen=1 leader=a-1 range
        sync 3 a-1 gen=1 static=sa a-1=x b-2=y
        3: x
        sync 4 b-2 gen=1 static=sb
        4: y
        # The follower: same generation, same part, no rebalance; its old self is fenced.
        join 5 b static=sb range:t
        5: joined b-3 gen=1 leader=a-1 range
        sync 6 b-3 gen=1 static=sb
        6: y
        beat b-2 gen=1 static=sb => FencedInstanceId
        commit b-2 gen=1 static=sb => FencedInstanceId
        join 7 b id=b-2 static=sb range:t
        7: FencedInstanceId b-2
        leave b-2 static=sb => FencedInstanceId
        beat a-1 gen=1 static=sa => ok
        # The leader before version 9 is told of its old id, so that it computes nothing.
        join 8 a static=sa v=5 range:t
        8: joined a-4 gen=1 leader=a-1 range
        is Stable gen=1 leader=a-4
        # From version 9 it is told to skip the assignment.
        join 9 a static=sa v=9 range:t
        9: joined a-5 gen=1 leader=a-5 range members=a-5,b-3 skip
        is Stable gen=1 leader=a-5 members=a-5,b-3
        ",
    );
}

#[test]
fn a_static_member_that_restarts_with_other_topics_sets_off_a_rebalance() {
    check(
        "
        join 1 a static=sa range:t
        1: joined a-1 gen=1 leader=a-1 range members=a-1
        sync 2 a-1 gen=1 static=sa a-1=x
        2: x
        join 3 a static=sa range:t,u
        3: joined a-2 gen=2 leader=a-2 range members=a-2
        ",
    );
}

#[test]
fn a_static_member_that_restarts_amid_a_rebalance_joins_it() {
    check(
        "
        bounds delay=10 max=10
        join 1 a static=sa range:t
        join 2 b range:t
        at 20
        1: joined a-1 gen=1 leader=a-1 range members=a-1,b-2
        2: joined b-2 gen=1 leader=a-1 range
        sync 3 a-1 gen=1 static=sa
        3: empty
        sync 4 b-2 gen=1
        4: empty
        join 5 c range:t
        join 6 a-1 static=sa range:t
        join 7 a static=sa range:t
        6: FencedInstanceId a-1
        quiet
        join 8 b-2 range:t
        5: joined c-3 gen=2 leader=a-4 range
        7: joined a-4 gen=2 leader=a-4 range members=a-4,b-2,c-3
        8: joined b-2 gen=2 leader=a-4 range
        # In the middle of handing out work a restart calls everybody again: the leader may be
        # about to give work to the old id.
        sync 9 c-3 gen=2
        join 10 a static=sa range:t
        9: RebalanceInProgress
        is PreparingRebalance gen=2 leader=a-5
        ",
    );
}

#[test]
fn an_absent_static_member_keeps_its_place_until_its_session_ends() {
    check(
        "
        bounds delay=10 max=10
        join 1 a session=9000 rebalance=500 range:t
        join 2 b static=sb session=3000 rebalance=500 range:t
        at 20
        1: joined a-1 gen=1 leader=a-1 range members=a-1,b-2
        2: joined b-2 gen=1 leader=a-1 range
        sync 3 a-1 gen=1 a-1=x b-2=y
        3: x
        sync 4 b-2 gen=1 static=sb
        4: y
        join 5 c session=9000 rebalance=500 range:t
        join 6 a-1 session=9000 rebalance=500 range:t
        at 520
        5: joined c-3 gen=2 leader=a-1 range
        6: joined a-1 gen=2 leader=a-1 range members=a-1,b-2,c-3
        # An operator can remove it by its name.
        leave - static=sb => ok
        leave - static=sb => UnknownMemberId
        is PreparingRebalance gen=2
        ",
    );
}

#[test]
fn if_only_absent_static_members_are_left_their_sessions_decide() {
    check(
        "
        join 1 a static=sa session=3000 rebalance=500 range:t
        1: joined a-1 gen=1 leader=a-1 range members=a-1
        sync 2 a-1 gen=1 static=sa a-1=x
        2: x
        join 3 b session=3000 rebalance=500 range:t
        leave b-2 => ok
        3: UnknownMemberId b-2
        at 600
        is PreparingRebalance gen=1 leader=a-1
        beat a-1 gen=1 static=sa => RebalanceInProgress
        at 3599
        is PreparingRebalance gen=1
        at 3600
        is Empty gen=2
        ",
    );
}
