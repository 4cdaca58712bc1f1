//! The races that the wire decides, each by its number in the list of races: the real drivers and the
//! SDK against the sandbox in this process, in a time that passes as fast as it can be computed.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use samara::pace::Pace;
use samara::rollout::content::Content;
use samara::rollout::names::{AliasId, Weight};
use samara::rollout::run::{Signal, Verdict};
use samara::rollout::simulation::sdk::fault::{Call, Fault, Service};
use samara::rollout::simulation::sdk::gate::{Gate, Gated};
use samara::rollout::simulation::sdk::history::{What, Who};
use samara::rollout::simulation::sdk::world::World;
use samara::rollout::state::{Phase, Purpose, Stop, Why};
use samara::rollout::{Error, Options, Request, Target, start, status, take_over};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const STRATEGY: &str = "steps:10%:1m,50%:1m";

fn id() -> AliasId {
    AliasId { function: "hello".parse().unwrap(), alias: "live".parse().unwrap() }
}

/// A world with `hello:live` on version 1, and what happens in it.
fn story<F: Future>(tell: impl FnOnce(World) -> F) -> F::Output {
    Pace::simulated(|pace| async move {
        let world = World::new(pace, &["hello"]).await.unwrap();
        let output = tell(world.clone()).await;
        world.calm();
        output
    })
    .unwrap()
}

fn whole(version: &str) -> Content {
    Content::whole(version.parse().unwrap())
}

fn split(version: &str, percent: u32) -> Content {
    Content { version: "1".to_owned(), weights: [(version.to_owned(), Weight::percent(percent))].into() }
}

/// A process that is under way.
struct Running {
    task: JoinHandle<Result<Verdict, Error>>,
    signals: mpsc::Sender<Signal>,
}

impl Running {
    async fn end(self) -> Result<Verdict, Error> {
        self.task.await.unwrap()
    }

    /// As SIGKILL does it: what was sent arrives all the same.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Starts a process for a rollout to version 2, or with a purpose for the one that there is.
async fn process(world: &World, number: usize, purpose: Option<Purpose>, skew: Duration, gate: Gate) -> Running {
    let process = world.process(number, None).await.unwrap();
    let (signals, mut receiver) = mpsc::channel(4);
    let task = tokio::spawn(Gated::new(gate, async move {
        let services = process.services(skew);
        if let Some(purpose) = purpose {
            return take_over(&id(), purpose, None, &services, &mut receiver, &|_| {}).await;
        }
        let target =
            Target { id: id(), new: "2".parse().unwrap(), strategy: STRATEGY.parse().unwrap(), hooks: Vec::new() };
        let options = Options { bake: Duration::from_secs(60), min_requests: 0, ..Options::default() };
        let request = Request { aliases: vec![target], options, settle: None };
        start(&request, &services, &mut receiver, &|_| {}).await
    }));
    Running { task, signals }
}

async fn begin(world: &World, number: usize) -> Running {
    process(world, number, None, Duration::ZERO, Gate::default()).await
}

async fn carry_on(world: &World, number: usize, purpose: Purpose) -> Result<Verdict, Error> {
    process(world, number, Some(purpose), Duration::ZERO, Gate::default()).await.end().await
}

async fn seconds(world: &World, seconds: u64) {
    world.pace().sleep(Duration::from_secs(seconds)).await;
}

async fn until(world: &World, content: &Content) {
    for _ in 0..36_000 {
        if world.alias("hello").await.unwrap() == *content {
            return;
        }
        world.pace().sleep(Duration::from_millis(100)).await;
    }
    panic!("the alias never says {content}");
}

/// What processes made of the alias, in its order.
fn written(world: &World) -> Vec<Content> {
    let history = world.history();
    let ours = history.writes("hello:live").filter(|(_, event, ..)| event.by != Who::Person);
    ours.map(|(.., after)| after.clone()).collect()
}

/// The `wanted`th call of a kind (counted from 1) goes wrong in this way; tells when it comes.
fn once(world: &World, kind: Call, wanted: u64, fault: Fault) -> Arc<AtomicBool> {
    let (seen, came) = (AtomicU64::new(0), Arc::new(AtomicBool::new(false)));
    let told = came.clone();
    world.script(move |_, call, _| {
        let is_it = call == kind && seen.fetch_add(1, Ordering::Relaxed) + 1 == wanted;
        told.fetch_or(is_it, Ordering::Relaxed);
        is_it.then_some(fault)
    });
    came
}

async fn came(world: &World, flag: &AtomicBool) {
    for _ in 0..36_000 {
        if flag.load(Ordering::Relaxed) {
            return;
        }
        world.pace().sleep(Duration::from_millis(100)).await;
    }
    panic!("the call never came");
}

/// While the flag is up, every call of these services goes wrong.
fn dark(world: &World, services: &'static [Service], fault: Fault) -> Arc<AtomicBool> {
    let up = Arc::new(AtomicBool::new(false));
    let asked = up.clone();
    world.script(move |_, call, _| {
        (asked.load(Ordering::Relaxed) && services.contains(&call.service())).then_some(fault)
    });
    up
}

fn ladder() -> Vec<Content> {
    vec![split("2", 10), split("2", 50), whole("2")]
}

#[test]
fn race_01_killed_between_intent_and_write_it_is_done_again_and_once() {
    story(|world| async move {
        let flag = once(&world, Call::WriteAlias, 2, Fault::Reset);
        let first = begin(&world, 0).await;
        came(&world, &flag).await;
        first.kill().await;
        assert_eq!(written(&world), [split("2", 10)], "the second write never arrived");
        let verdict = carry_on(&world, 1, Purpose::Resume).await.unwrap();
        assert_eq!((verdict.state.phase, written(&world)), (Phase::Succeeded, ladder()));
    });
}

#[test]
fn race_02_killed_between_write_and_confirm_it_goes_on_and_a_lost_answer_is_read_back() {
    for dies in [true, false] {
        story(|world| async move {
            let flag = once(&world, Call::WriteAlias, 1, Fault::AnswerLost);
            let first = begin(&world, 0).await;
            let verdict = if dies {
                came(&world, &flag).await;
                until(&world, &split("2", 10)).await;
                first.kill().await;
                carry_on(&world, 1, Purpose::Resume).await.unwrap()
            } else {
                first.end().await.unwrap()
            };
            // Each weight was written once: nothing is resent blindly.
            assert_eq!((verdict.state.phase, written(&world)), (Phase::Succeeded, ladder()), "{dies}");
        });
    }
}

#[test]
fn race_03_expired_credentials_hold_the_weight_until_there_are_new_ones() {
    story(|world| async move {
        let over = dark(&world, &[Service::Lambda, Service::S3, Service::CloudWatch], Fault::Expired);
        let first = begin(&world, 0).await;
        until(&world, &split("2", 10)).await;
        over.store(true, Ordering::Relaxed);
        seconds(&world, 600).await;
        assert_eq!(written(&world), [split("2", 10)]);
        over.store(false, Ordering::Relaxed);
        let verdict = first.end().await.unwrap();
        assert_eq!((verdict.state.phase, written(&world)), (Phase::Succeeded, ladder()));
    });
}

#[test]
fn race_04_a_rollback_that_is_denied_ends_stuck_and_not_rolled_back() {
    story(|world| async move {
        let denied = Arc::new(AtomicBool::new(false));
        let asked = denied.clone();
        world.script(move |_, call, _| {
            (call == Call::WriteAlias && asked.load(Ordering::Relaxed)).then_some(Fault::Denied)
        });
        let first = begin(&world, 0).await;
        until(&world, &split("2", 10)).await;
        denied.store(true, Ordering::Relaxed);
        first.signals.send(Signal::RollBack).await.unwrap();
        let verdict = first.end().await.unwrap();
        assert!(
            matches!(&verdict.stop, Stop::Stuck { reason } if reason.contains("AccessDenied")),
            "{:?}",
            verdict.stop
        );
        assert!(matches!(verdict.state.phase, Phase::RollingBack { .. }));
        // With the permission it is over.
        denied.store(false, Ordering::Relaxed);
        seconds(&world, 120).await;
        let verdict = carry_on(&world, 1, Purpose::Resume).await.unwrap();
        assert!(matches!(verdict.state.phase, Phase::RolledBack { .. }));
        assert_eq!(world.alias("hello").await.unwrap(), whole("1"));
    });
}

#[test]
fn race_05_of_two_drivers_one_is_refused_and_one_that_lost_the_fence_touches_nothing() {
    story(|world| async move {
        let first = begin(&world, 0).await;
        until(&world, &split("2", 10)).await;
        let second = begin(&world, 1).await.end().await;
        assert!(matches!(&second, Err(Error::Held { holder, alive: true, .. }) if holder == "process 0"), "{second:?}");
        let resumed = carry_on(&world, 2, Purpose::Resume).await;
        assert!(matches!(&resumed, Err(Error::Held { alive: true, .. })), "{resumed:?}");
        let aborted = carry_on(&world, 3, Purpose::Abort).await.unwrap();
        assert!(
            matches!(aborted.state.phase, Phase::RolledBack { why: Why::Aborted, .. }),
            "{:?}",
            aborted.state.phase
        );
        let lost = first.end().await.unwrap();
        assert!(matches!(lost.stop, Stop::LostFence { .. } | Stop::JournalGone), "{:?}", lost.stop);
        assert_eq!(world.alias("hello").await.unwrap(), whole("1"));
        let by_first =
            world.history().writes("hello:live").filter(|(_, event, ..)| event.by == Who::Process(0)).count();
        assert!(by_first <= 2, "at most the step that was on its way");
    });
}

#[test]
fn race_05_two_starts_at_the_same_moment_give_one_rollout() {
    story(|world| async move {
        let (first, second) = (begin(&world, 0).await, begin(&world, 1).await);
        let ends = [first.end().await, second.end().await];
        assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1, "{ends:?}");
        assert!(ends.iter().any(|end| matches!(end, Err(Error::Held { .. }))), "{ends:?}");
        assert_eq!(written(&world), ladder());
    });
}

#[test]
fn race_06_a_process_that_wakes_after_a_takeover_does_nothing_more() {
    story(|world| async move {
        let gate = Gate::default();
        let first = process(&world, 0, None, Duration::ZERO, gate.clone()).await;
        until(&world, &split("2", 10)).await;
        gate.shut(true);
        seconds(&world, 300).await;
        assert_eq!(written(&world), [split("2", 10)]);
        let second = process(&world, 1, Some(Purpose::Resume), Duration::ZERO, Gate::default()).await;
        until(&world, &split("2", 50)).await;
        gate.shut(false);
        let woken = first.end().await.unwrap();
        assert!(matches!(woken.stop, Stop::LostFence { .. }), "{:?}", woken.stop);
        assert_eq!(second.end().await.unwrap().state.phase, Phase::Succeeded);
        let by_woken =
            world.history().writes("hello:live").filter(|(_, event, ..)| event.by == Who::Process(0)).count();
        assert_eq!((written(&world), by_woken), (ladder(), 1));
    });
}

#[test]
fn race_07_an_edited_description_is_adopted_and_other_weights_are_a_conflict() {
    story(|world| async move {
        let first = begin(&world, 0).await;
        until(&world, &split("2", 10)).await;
        world.person_writes("hello", None).await.unwrap();
        until(&world, &split("2", 50)).await;
        world.person_writes("hello", Some(&split("3", 25))).await.unwrap();
        let verdict = first.end().await.unwrap();
        assert!(matches!(verdict.state.phase, Phase::Conflicted { .. }), "{:?}", verdict.state.phase);
        assert_eq!(world.alias("hello").await.unwrap(), split("3", 25));
    });
}

#[test]
fn race_08_a_rollback_does_not_overwrite_what_somebody_set_meanwhile() {
    for (theirs, is_over) in [(split("3", 25), true), (split("2", 77), false)] {
        story(|world| async move {
            let first = begin(&world, 0).await;
            until(&world, &split("2", 10)).await;
            world.person_writes("hello", Some(&theirs)).await.unwrap();
            first.signals.send(Signal::RollBack).await.unwrap();
            let verdict = first.end().await.unwrap();
            let phase = verdict.state.phase;
            // Where the new version has nothing any more, it is over; else a person has to look.
            assert_eq!(matches!(phase, Phase::RolledBack { .. }), is_over, "{phase:?}");
            assert_eq!(matches!(phase, Phase::Conflicted { .. }), !is_over, "{phase:?}");
            assert_eq!(world.alias("hello").await.unwrap(), theirs);
        });
    }
}

#[test]
fn race_11_a_busy_alias_is_tried_again() {
    story(|world| async move {
        let left = AtomicU64::new(4);
        world.script(move |_, call, _| {
            let refused = call == Call::WriteAlias
                && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
            refused.then_some(Fault::Busy)
        });
        let verdict = begin(&world, 0).await.end().await.unwrap();
        assert_eq!((verdict.state.phase, written(&world)), (Phase::Succeeded, ladder()));
    });
}

#[test]
fn race_12_a_control_plane_that_throttles_or_fails_makes_it_late_and_never_wrong() {
    for fault in [Fault::Throttled, Fault::Internal, Fault::Unavailable] {
        story(|world| async move {
            let down = dark(&world, &[Service::Lambda], fault);
            let first = begin(&world, 0).await;
            until(&world, &split("2", 10)).await;
            down.store(true, Ordering::Relaxed);
            seconds(&world, 300).await;
            assert_eq!(written(&world), [split("2", 10)]);
            // Decided while nothing answers: it goes on trying until it is done.
            first.signals.send(Signal::RollBack).await.unwrap();
            seconds(&world, 1200).await;
            assert!(!first.task.is_finished());
            down.store(false, Ordering::Relaxed);
            let verdict = first.end().await.unwrap();
            assert!(matches!(verdict.state.phase, Phase::RolledBack { .. }), "{fault:?} {:?}", verdict.state.phase);
            assert_eq!(world.alias("hello").await.unwrap(), whole("1"));
        });
    }
}

#[test]
fn race_14_without_metrics_nothing_is_raised_and_after_a_quarter_of_an_hour_it_goes_back() {
    for (minutes, goes_back) in [(10, false), (25, true)] {
        story(|world| async move {
            let down = dark(&world, &[Service::CloudWatch], Fault::Unavailable);
            let first = begin(&world, 0).await;
            until(&world, &split("2", 10)).await;
            down.store(true, Ordering::Relaxed);
            seconds(&world, minutes * 60).await;
            if goes_back {
                let verdict = first.end().await.unwrap();
                let phase = verdict.state.phase;
                assert!(matches!(phase, Phase::RolledBack { why: Why::Outage { .. }, .. }), "{phase:?}");
                assert_eq!(written(&world), [split("2", 10), whole("1")]);
            } else {
                assert_eq!(written(&world), [split("2", 10)], "never blind");
                down.store(false, Ordering::Relaxed);
                assert_eq!(first.end().await.unwrap().state.phase, Phase::Succeeded);
                assert_eq!(written(&world), ladder());
            }
        });
    }
}

#[test]
fn race_18_clocks_that_are_off_shorten_no_step_and_make_nobody_dead() {
    for skew_s in [5, 90, 4000] {
        story(|world| async move {
            let skew = Duration::from_secs(skew_s);
            let first = process(&world, 0, None, skew, Gate::default()).await;
            until(&world, &split("2", 10)).await;
            // Another machine, whose clock is right: the heartbeat is as old as S3 says.
            seconds(&world, 20).await;
            let other = carry_on(&world, 1, Purpose::Resume).await;
            assert!(matches!(other, Err(Error::Held { alive: true, .. })), "{other:?}");
            assert_eq!(first.end().await.unwrap().state.phase, Phase::Succeeded);
            let at: Vec<u64> = world.history().writes("hello:live").map(|(_, event, ..)| event.at_ms).collect();
            assert_eq!((written(&world), at.len()), (ladder(), 3));
            assert!(at[1] - at[0] >= 60_000 && at[2] - at[1] >= 60_000 + 180_000, "{skew_s}: {at:?}");
        });
    }
}

#[test]
fn race_32_a_driver_that_dies_in_the_bake_leaves_it_to_the_next_one() {
    story(|world| async move {
        let first = begin(&world, 0).await;
        until(&world, &whole("2")).await;
        seconds(&world, 20).await;
        first.kill().await;
        let verdict = carry_on(&world, 1, Purpose::Resume).await.unwrap();
        assert_eq!((verdict.state.phase, written(&world)), (Phase::Succeeded, ladder()));
    });
}

#[test]
fn race_33_a_journal_that_somebody_deleted_is_not_made_again_and_the_weight_stays() {
    story(|world| async move {
        let first = begin(&world, 0).await;
        until(&world, &split("2", 10)).await;
        world.person_deletes_journal("hello").await.unwrap();
        let verdict = first.end().await.unwrap();
        assert_eq!(verdict.stop, Stop::JournalGone);
        assert!(!world.has_journal("hello").await);
        assert_eq!(world.alias("hello").await.unwrap(), split("2", 10));
        // The lock is free; an alias with weights is refused all the same.
        let again = begin(&world, 1).await.end().await;
        assert!(matches!(again, Err(Error::Refused(_))), "{again:?}");
        assert!(!world.has_journal("hello").await);
    });
}

#[test]
fn race_35_an_alias_that_was_left_split_is_told_of_and_refuses_the_next_rollout() {
    story(|world| async move {
        let first = begin(&world, 0).await;
        until(&world, &split("2", 50)).await;
        first.kill().await;
        seconds(&world, 24 * 3600).await;
        let services = world.process(1, None).await.unwrap().services(Duration::ZERO);
        let report = status(&services, &id(), 5).await.unwrap();
        assert_eq!((report.alias.unwrap().content, report.driver), (split("2", 50), None));
        assert!(report.current.is_some_and(|found| !found.record.state.is_finished()));
        let next = begin(&world, 2).await.end().await;
        assert!(matches!(next, Err(Error::Held { alive: false, .. })), "{next:?}");
        let verdict = carry_on(&world, 3, Purpose::Abort).await.unwrap();
        assert!(matches!(verdict.state.phase, Phase::RolledBack { .. }));
        assert_eq!(world.alias("hello").await.unwrap(), whole("1"));
    });
}

#[test]
fn race_41_our_own_journal_whose_answer_was_lost_is_not_another_driver() {
    // The first one creates it; the others go over what is there.
    for wanted in [1, 2, 5] {
        for fault in [Fault::AnswerLost, Fault::InternalAfter, Fault::CutShort, Fault::Delayed(Duration::from_secs(25))]
        {
            story(|world| async move {
                let flag = once(&world, Call::WriteJournal, wanted, fault);
                let end = begin(&world, 0).await.end().await;
                came(&world, &flag).await;
                match end {
                    Ok(verdict) => {
                        assert_eq!((verdict.state.phase, written(&world)), (Phase::Succeeded, ladder()));
                    }
                    // Where it was to be created it ends before anything is touched, and the next one
                    // carries it on, or finds nothing.
                    Err(Error::Aws(_)) if wanted == 1 => {
                        assert!(written(&world).is_empty());
                        seconds(&world, 120).await;
                        match carry_on(&world, 1, Purpose::Resume).await {
                            Ok(verdict) => assert_eq!(verdict.state.phase, Phase::Succeeded),
                            Err(error) => assert!(matches!(error, Error::NoRollout { .. }), "{error}"),
                        }
                    }
                    Err(error) => panic!("{wanted} {fault:?}: {error}"),
                }
            });
        }
    }
}

#[test]
fn going_back_needs_lambda_alone() {
    story(|world| async move {
        let down =
            dark(&world, &[Service::S3, Service::CloudWatch, Service::CloudFormation, Service::Sts], Fault::Reset);
        let first = begin(&world, 0).await;
        until(&world, &split("2", 50)).await;
        down.store(true, Ordering::Relaxed);
        seconds(&world, 30).await;
        first.signals.send(Signal::RollBack).await.unwrap();
        seconds(&world, 5).await;
        assert_eq!(world.alias("hello").await.unwrap(), whole("1"));
        // The journal catches up as soon as it can be reached.
        down.store(false, Ordering::Relaxed);
        let verdict = first.end().await.unwrap();
        assert!(matches!(verdict.state.phase, Phase::RolledBack { .. }) && !verdict.unrecorded, "{verdict:?}");
        let told = world.history().events.iter().any(|event| matches!(event.what, What::Retired { .. }));
        assert!(told && !world.has_journal("hello").await);
    });
}
