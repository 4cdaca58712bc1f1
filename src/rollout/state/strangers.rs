//! What was found by the simulation, told as short stories: whose doing is it that an alias says
//! something else, and what follows from that.

use super::*;
use crate::rollout::names::{RevisionId, Version};
use crate::rollout::plan::tests::{plan, settle_plan};

fn version(number: u64) -> Version {
    number.to_string().parse().unwrap()
}

fn seen(content: Content, revision: &str) -> Seen {
    Seen { content, revision: RevisionId(revision.to_owned()) }
}

fn split(percent: u32) -> Content {
    Content::split(version(7), version(8), Weight::percent(percent))
}

/// A driver in the middle of a rollout, which has just read everything.
fn driver(phase: Phase, content: Content) -> State {
    let mut plan = plan("steps:10%:1m,50%:1m");
    plan.settle = Some(settle_plan());
    let now = Time(1_750_000_000_000);
    let mut state = State::new(plan, vec![seen(content, "a")]);
    state.phase = phase;
    state.live = Live { now, last_good: Some(now), claimed: true, fenced_at: Some(now), ..Live::default() };
    state.aliases[0].live.verified = true;
    // Something that the journal does not have yet.
    state.seq = 1;
    state
}

fn tell(state: State, what: What) -> (State, Vec<Action>) {
    let at = state.now() + Duration::from_secs(1);
    step(state, Event { at, what })
}

/// Time passes until the alias is asked for, and this is what it says.
fn reads(mut state: State, answer: Result<Option<Seen>, String>) -> (State, Vec<Action>) {
    for _ in 0..40 {
        let (next, actions) = tell(state, What::Tick);
        state = next;
        let asked = actions.iter().find_map(|action| match action {
            Action::ReadAlias { ticket, .. } => Some(*ticket),
            _ => None,
        });
        if let Some(ticket) = asked {
            return tell(state, What::AliasRead(0, ticket, answer));
        }
    }
    panic!("it is never asked for: {state:?}");
}

/// The journal has what was decided, and the write is sent.
fn sent(state: State) -> State {
    let seq = state.seq;
    let (state, actions) = tell(state, What::Journalled(seq));
    assert!(actions.iter().any(|action| matches!(action, Action::WriteAlias { .. })), "{actions:?}");
    state
}

#[test]
fn an_alias_that_went_back_before_there_was_a_settle_is_somebody_elses_doing() {
    let state = driver(Phase::Settling, Content::whole(version(8)));
    let back = seen(Content::whole(version(7)), "b");
    let (found, actions) = reads(state.clone(), Ok(Some(back.clone())));
    assert!(matches!(found.phase, Phase::Conflicted { .. }), "{:?}", found.phase);
    assert!(!actions.iter().any(|action| matches!(action, Action::WriteAlias { .. })), "{actions:?}");
    // After one that failed it is CloudFormation's, and is pointed right again.
    let mut failed = state;
    failed.live.settled = Some(Err("UPDATE_ROLLBACK_COMPLETE".to_owned()));
    failed.aliases[0].unverify();
    let (found, _) = reads(failed, Ok(Some(back)));
    assert_eq!(found.phase, Phase::Settling);
    assert_eq!(found.aliases[0].intent.as_ref().map(|intent| &intent.after), Some(&Content::whole(version(8))));
}

#[test]
fn what_a_settle_put_back_and_cannot_be_pointed_right_is_told_and_not_tried_for_ever() {
    let mut state = driver(Phase::Settling, Content::whole(version(8)));
    state.live.settled = Some(Err("UPDATE_ROLLBACK_COMPLETE".to_owned()));
    state.aliases[0].unverify();
    let (state, _) = reads(state, Ok(Some(seen(Content::whole(version(7)), "b"))));
    let (state, actions) =
        tell(sent(state), What::AliasWritten(0, Err(WriteTrouble::Gone("Function not found: 8".to_owned()))));
    assert!(matches!(&state.phase, Phase::SettleFailed { reason } if reason.contains("not found: 8")), "{state:?}");
    assert!(!actions.iter().any(|action| matches!(action, Action::WriteAlias { .. })), "{actions:?}");
    assert!(state.is_parked());
}

#[test]
fn a_raise_whose_answer_was_lost_and_that_somebody_took_back_is_not_sent_again() {
    let state = driver(Phase::Shifting { step: 1, since: None }, split(10));
    let (state, _) = tell(state, What::Tick);
    let (state, _) = tell(sent(state), What::AliasWritten(0, Err(WriteTrouble::Unknown)));
    // With the revision that it had, the write did not arrive.
    let (again, _) = reads(state.clone(), Ok(Some(seen(split(10), "a"))));
    assert!(again.aliases[0].intent.is_some());
    let (found, _) = reads(state, Ok(Some(seen(split(10), "c"))));
    assert!(matches!(found.phase, Phase::Conflicted { .. }), "{:?}", found.phase);
}

#[test]
fn a_raise_that_was_never_sent_is_not_found_in_the_alias() {
    let state = driver(Phase::Shifting { step: 1, since: None }, split(10));
    let (state, _) = tell(state, What::Tick);
    assert!(state.aliases[0].intent.is_some());
    // It waits for the journal; somebody at the console is faster.
    let mut waits = state;
    waits.aliases[0].unverify();
    let (waits, _) = reads(waits, Err("503".to_owned()));
    let (found, _) = reads(waits.clone(), Ok(Some(seen(split(50), "b"))));
    assert!(matches!(found.phase, Phase::Conflicted { .. }), "{:?}", found.phase);
    // And it is dropped when it is decided to go back.
    let (back, _) = tell(waits, What::Back(Why::Aborted));
    assert_eq!(back.aliases[0].intent, None);
}
