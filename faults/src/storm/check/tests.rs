//! A storm in which nothing is wrong, and then each rule broken once.

use super::super::history::Line;
use super::*;

fn took(partition: usize, from: i64) -> What {
    What::Took { partition, assignment: 1, from }
}

fn gave(lost: bool) -> What {
    What::Gave { partition: 0, assignment: 1, lost }
}

fn handled(offset: i64) -> What {
    What::Handled { partition: 0, offset, key: 7 }
}

fn sent(offset: i64) -> What {
    What::CommitSent { offsets: vec![(0, offset)] }
}

fn answered(offset: i64) -> What {
    What::CommitAnswered { offsets: vec![(0, offset)], error: None }
}

/// Two members and one partition of three records: the first handles two and gives back.
fn good() -> Vec<(usize, What)> {
    vec![
        (0, took(0, 0)),
        (0, handled(0)),
        (0, handled(1)),
        (0, sent(2)),
        (0, answered(2)),
        (0, gave(false)),
        (1, took(0, 2)),
        (1, handled(2)),
        (1, sent(3)),
        (1, answered(3)),
    ]
}

fn verdict(story: &[(usize, What)]) -> Verdict {
    let mut members = vec![History::new(), History::new()];
    for (at, (member, what)) in story.iter().enumerate() {
        members[*member].push(Line { at: at as u64 * 10, what: what.clone() });
    }
    judge(&members, &[3], 25, 1_000)
}

/// The rules that are broken.
fn broken(story: &[(usize, What)]) -> Vec<&'static str> {
    let rules = verdict(story).rules;
    rules.iter().filter(|rule| rule.broken > 0).map(|rule| rule.name).collect()
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let verdict = verdict(&good());
    assert_eq!(broken(&good()), [""; 0]);
    assert_eq!((verdict.lost, verdict.again, verdict.taken), (0, 0, 2));
    assert_eq!(verdict.settled_after, Duration::from_nanos(60 - 25), "the second one's taking");
}

#[test]
fn a_record_that_nobody_handled_is_lost_and_its_commit_a_lie() {
    let mut story = good();
    story.remove(7);
    assert_eq!(verdict(&story).lost, 1);
    assert_eq!(broken(&story), [RULES[BEYOND]]);
}

#[test]
fn a_commit_before_its_work_is_found_although_the_work_was_done_later() {
    let mut story = good();
    story.swap(2, 3);
    assert_eq!(broken(&story), [RULES[BEYOND]]);
}

#[test]
fn a_commit_that_goes_back_is_found() {
    let mut story = good();
    story.extend([(1, sent(1)), (1, answered(1))]);
    assert_eq!(broken(&story), [RULES[BACK]]);
}

#[test]
fn two_commits_on_their_way_at_once_may_be_answered_in_any_order() {
    let mut story = good();
    // The first one's last commit is answered after the second one has taken over.
    story[3] = (0, sent(1));
    story.remove(4);
    story.push((0, answered(1)));
    assert_eq!(broken(&story), [""; 0]);
}

#[test]
fn a_commit_of_one_who_is_no_owner_any_more_is_found_unless_the_broker_refuses_it() {
    let mut story = good();
    story.extend([(0, sent(3)), (0, answered(3))]);
    assert_eq!(broken(&story), [RULES[STRANGER]]);
    let error = Some("illegal generation".to_owned());
    *story.last_mut().unwrap() = (0, What::CommitAnswered { offsets: vec![(0, 3)], error });
    assert_eq!(broken(&story), [""; 0]);
    assert_eq!(verdict(&story).commits_refused, 1);
}

#[test]
fn beginning_behind_what_was_committed_is_found() {
    let mut story = good();
    story[6] = (1, took(0, 1));
    assert_eq!(broken(&story), [RULES[BEHIND]]);
}

#[test]
fn handling_what_another_owns_is_found_unless_it_was_lost() {
    let mut story = good();
    story.remove(5);
    story.insert(6, (0, handled(2)));
    assert_eq!(broken(&story), [RULES[TWO]]);
    story.push((0, gave(true)));
    assert_eq!(broken(&story), [""; 0]);
    assert_eq!(verdict(&story).again, 1);
}

#[test]
fn handling_what_was_given_back_is_found() {
    let mut story = good();
    story.insert(6, (0, handled(2)));
    assert_eq!(broken(&story), [RULES[AFTER]]);
    let again = verdict(&story);
    assert_eq!((again.again, again.again_in_order), (1, 1));
}

#[test]
fn a_key_out_of_order_is_found_within_an_owner_only() {
    let mut story = good();
    story.swap(1, 2);
    assert_eq!(broken(&story), [RULES[ORDER]]);
    let mut story = good();
    story.insert(7, (1, handled(1)));
    assert_eq!(broken(&story), [""; 0], "another owner begins anew");
}
