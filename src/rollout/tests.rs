//! What no single state can show: several processes at one journal.

use std::time::Duration;

use super::simulation::sdk::world::World;
use super::*;
use crate::pace::Pace;

fn id() -> AliasId {
    AliasId { function: "hello".parse().unwrap(), alias: "live".parse().unwrap() }
}

async fn two_processes(pace: Pace) -> (World, [Services; 2]) {
    let world = World::new(pace, &["hello"]).await.unwrap();
    let first = world.process(0, None).await.unwrap().services(Duration::ZERO);
    let second = world.process(1, None).await.unwrap().services(Duration::ZERO);
    (world, [first, second])
}

async fn begun(services: &Services) -> State {
    let target =
        Target { id: id(), new: "2".parse().unwrap(), strategy: "canary:10%:5m".parse().unwrap(), hooks: Vec::new() };
    let request = Request { aliases: vec![target], options: Options::default(), settle: None };
    let prepared = prepare(&request, services).await.unwrap();
    services.store.begin(prepared.plan.ids(), services.clock.now()).await;
    State::new(prepared.plan, prepared.seen)
}

#[test]
fn race_05_a_rollout_that_begins_while_another_looks_keeps_its_journal() {
    for offset_ms in (0..200).step_by(10) {
        Pace::simulated(async |pace: Pace| {
            let (world, [first, second]) = two_processes(pace.clone()).await;
            let state = begun(&first).await;
            let look = async {
                pace.sleep(Duration::from_millis(offset_ms)).await;
                ensure_free(&second, &[id()]).await
            };
            // The journal comes somewhere between the second one's calls.
            let write = async {
                pace.sleep(Duration::from_millis(60)).await;
                first.store.write(&state, Some(first.me.clone())).await
            };
            let (looked, written) = tokio::join!(look, write);
            assert!(written.is_ok(), "{offset_ms} ms: {written:?}");
            assert!(matches!(looked, Ok(()) | Err(Error::Held { .. })), "{offset_ms} ms: {looked:?}");
            assert!(world.has_journal("hello").await, "{offset_ms} ms: it was taken away");
        })
        .unwrap();
    }
}

#[test]
fn a_finished_journal_is_moved_away_by_whoever_comes_first_and_hinders_nobody() {
    for offset_ms in (0..200).step_by(10) {
        Pace::simulated(async |pace: Pace| {
            let (world, [first, second]) = two_processes(pace.clone()).await;
            let mut state = begun(&first).await;
            state.phase = Phase::Succeeded;
            first.store.write(&state, None).await.unwrap();
            let look = async {
                pace.sleep(Duration::from_millis(offset_ms)).await;
                ensure_free(&second, &[id()]).await
            };
            let retire = async {
                pace.sleep(Duration::from_millis(60)).await;
                first.store.retire(&state).await
            };
            let (looked, retired) = tokio::join!(look, retire);
            assert!(looked.is_ok(), "{offset_ms} ms: {looked:?}");
            assert!(retired.is_ok(), "{offset_ms} ms: {retired:?}");
            assert!(!world.has_journal("hello").await);
            assert_eq!(first.store.history(&id(), 9).await.unwrap().len(), 1);
        })
        .unwrap();
    }
}

#[test]
fn what_a_stacks_last_rollout_moved_is_what_overlaps_with_the_newest() {
    let of = |function: &str| AliasId { function: function.parse().unwrap(), alias: "live".parse().unwrap() };
    let record = |started: i64, ended: i64, phase: Phase| {
        let mut state = State::new(plan::tests::plan("canary:10%:5m"), Vec::new());
        state.phase = phase;
        state.entries.push_back(state::Entry { at: Time(ended), what: state::Happening::Succeeded });
        Record {
            format: 1,
            id: started.to_string(),
            nonce: String::new(),
            owner: None,
            left_by: None,
            started: Time(started),
            state,
        }
    };
    let back = || Phase::RolledBack { why: state::Why::ByHand, left: Vec::new() };
    let histories = [
        (of("newest"), vec![record(100, 200, Phase::Succeeded), record(10, 20, Phase::Succeeded)]),
        (of("beside"), vec![record(90, 150, Phase::SettleFailed { reason: String::new() })]),
        (of("before"), vec![record(10, 99, Phase::Succeeded)]),
        // What was rolled back by itself has moved nothing that could be taken back.
        (of("taken-back"), vec![record(120, 130, back()), record(10, 20, Phase::Succeeded)]),
        (of("never"), Vec::new()),
    ];
    assert_eq!(moved_last(&histories), [of("newest"), of("beside")]);
    assert!(moved_last(&histories[4..]).is_empty());
}
