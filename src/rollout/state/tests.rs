//! Every crash point and every single fault of small plans, then `resume` and, separately, `abort`;
//! the invariants are checked from the world's own history, not from the machine's words.

use super::*;
use crate::rollout::analysis::alarms::AlarmState;
use crate::rollout::analysis::{Counts, Minute};
use crate::rollout::names::{RevisionId, Weight};
use crate::rollout::plan::tests::{plan, settle_plan};

/// Who wrote the alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writer {
    Us,
    Somebody,
    CloudFormation,
}

/// What there is beside the machine.
#[derive(Clone, Debug)]
struct World {
    now: Time,
    alias: Seen,
    writes: Vec<(Time, Content, Writer)>,
    /// What the journal had said of alias contents whenever one was written.
    unannounced: Vec<Content>,
    journal: Option<(String, u64)>,
    etags: u64,
    history: Option<State>,
    script: Script,
    /// Actions performed so far; faults and crashes count by it.
    actions: usize,
}

/// How the new version behaves, and what else goes on.
#[derive(Clone, Copy, Debug, Default)]
struct Script {
    /// Errors per thousand of the new version.
    new_errors: u64,
    /// The alarm fires from this minute on.
    alarm_from: Option<i64>,
    settle: SettleScript,
    /// Services that do not answer from the first alias write on.
    down_after_first_write: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum SettleScript {
    #[default]
    Works,
    Fails,
    /// CloudFormation undoes it, and the alias with it.
    PutsBack,
}

/// What goes wrong with one action.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// The call never arrives.
    Before,
    /// It takes effect and the answer is lost.
    After,
    /// The process dies before it.
    CrashBefore,
    /// The process dies when it has taken effect.
    CrashAfter,
    /// Somebody edits the alias's description: a new revision, the same content.
    Edited,
    /// Somebody points the alias to a third version.
    Changed,
}

#[derive(Debug, PartialEq)]
enum Ran {
    Crashed,
    Stopped,
}

impl World {
    fn new(script: Script) -> Self {
        let old = plan("AllAtOnce").aliases[0].old;
        Self {
            now: Time(600_000_000),
            alias: Seen { content: Content::whole(old), revision: RevisionId("r0".to_owned()) },
            writes: Vec::new(),
            unannounced: Vec::new(),
            journal: None,
            etags: 0,
            history: None,
            script,
            actions: 0,
        }
    }

    fn set_alias(&mut self, content: Content, writer: Writer) -> RevisionId {
        let revision = RevisionId(format!("r{}", self.writes.len() + 1));
        self.alias = Seen { content: content.clone(), revision: revision.clone() };
        self.writes.push((self.now, content, writer));
        revision
    }

    fn journal_tells(&self, content: &Content) -> bool {
        let Some((text, _)) = &self.journal else { return false };
        let state: State = serde_json::from_str(text).unwrap();
        state
            .entries
            .iter()
            .any(|entry| matches!(&entry.what, Happening::Intent { content: told, .. } if told == content))
    }

    fn is_down(&self) -> bool {
        self.script.down_after_first_write && self.writes.iter().any(|(_, _, writer)| *writer == Writer::Us)
    }

    fn counts(&self, minute: i64, plan: &crate::rollout::plan::AliasPlan) -> Minute {
        // The weight that held in the middle of the minute.
        let middle = Time::of_minute(minute) + Duration::from_secs(30);
        let content = self.writes.iter().rev().find(|(at, ..)| *at <= middle).map(|(_, content, _)| content);
        let share = content.map_or(Weight::ZERO, |content| content.share(plan.new)).fraction();
        let (n, new_n) = (600.0, (600.0 * share).round());
        let counts = |n: f64, errors: u64| (n > 0.0).then_some(Counts { n: n as u64, errors, ..Counts::default() });
        let split = share > 0.0 && share < 1.0;
        Minute {
            minute,
            old: split.then(|| counts(n - new_n, 3)).flatten(),
            new: counts(new_n, new_n as u64 * self.script.new_errors / 1000),
            throttles: 0,
            extra: Vec::new(),
            whole: share == 1.0,
        }
    }

    /// Carries out an action as AWS would, and gives the answer; `arrives` is whether it took effect.
    fn perform(&mut self, action: &Action, driver: &mut Driver, fault: Fault) -> What {
        let arrives = !matches!(fault, Fault::Before);
        let answered = !matches!(fault, Fault::Before | Fault::After);
        match action {
            Action::WriteJournal(seq) => {
                if self.is_down() || !arrives {
                    return What::JournalUnreachable;
                }
                // Conditional: absent for the first, the same tag afterwards. A 412 is read back; our
                // own content means success, as the store has it.
                let text = serde_json::to_string(&driver.state).unwrap();
                let current = self.journal.as_ref().map(|(_, etag)| *etag);
                match (current, driver.etag) {
                    (current, held) if current == held => {
                        self.etags += 1;
                        self.journal = Some((text, self.etags));
                        if answered {
                            driver.etag = Some(self.etags);
                            What::Journalled(*seq)
                        } else {
                            driver.lost = Some(self.etags);
                            What::JournalUnreachable
                        }
                    }
                    (Some(current), _) if driver.lost == Some(current) => {
                        driver.etag = driver.lost.take();
                        self.etags += 1;
                        self.journal = Some((text, self.etags));
                        driver.etag = Some(self.etags);
                        What::Journalled(*seq)
                    }
                    (None, _) => What::JournalGone,
                    _ => What::JournalLost { holder: "another".to_owned(), paused: false },
                }
            }
            Action::ReadAlias { ticket, .. } if answered => What::AliasRead(0, *ticket, Ok(Some(self.alias.clone()))),
            Action::ReadAlias { ticket, .. } => What::AliasRead(0, *ticket, Err("no answer".to_owned())),
            Action::WriteAlias { expect, content, .. } => {
                if !arrives {
                    return What::AliasWritten(0, Err(WriteTrouble::Unknown));
                }
                if self.alias.revision != *expect {
                    return What::AliasWritten(0, Err(WriteTrouble::Refused));
                }
                if *content != driver.state.plan.aliases[0].before() && !self.journal_tells(content) {
                    self.unannounced.push(content.clone());
                }
                let revision = self.set_alias(content.clone(), Writer::Us);
                What::AliasWritten(0, if answered { Ok(revision) } else { Err(WriteTrouble::Unknown) })
            }
            Action::CheckVersion { alias } if answered => What::VersionIs(*alias, Readiness::Active),
            Action::CheckVersion { alias } => What::VersionIs(*alias, Readiness::Pending),
            Action::Perform(task) if answered => What::Performed(*task, Ok(())),
            Action::Perform(task) => What::Performed(*task, Err(TaskTrouble::NotRun("no answer".to_owned()))),
            Action::Look { .. } if self.is_down() || !answered => What::Looked(Err("no answer".to_owned())),
            Action::Look { from, .. } => {
                let plan = &driver.state.plan.aliases[0];
                let minutes = (*from..self.now.minute() - 1).map(|minute| self.counts(minute, plan)).collect();
                let start = Time(600_000_000).minute();
                let fires = self.script.alarm_from.is_some_and(|from| self.now.minute() >= start + from);
                let state = if fires { AlarmState::Alarm } else { AlarmState::Ok };
                let alarms = vec![AlarmReading { name: "errors".to_owned(), state, reason: String::new() }];
                What::Looked(Ok(Reading { aliases: vec![AliasReading { minutes, longest_ms: 900 }], alarms }))
            }
            Action::Settle if self.script.settle == SettleScript::PutsBack => {
                let old = driver.state.plan.aliases[0].before();
                self.set_alias(old, Writer::CloudFormation);
                What::Settled(Err("UPDATE_ROLLBACK_COMPLETE".to_owned()))
            }
            Action::Settle if self.script.settle == SettleScript::Fails || !answered => {
                What::Settled(Err("no answer".to_owned()))
            }
            Action::Settle => What::Settled(Ok(())),
            Action::Retire => {
                self.history = Some(driver.state.clone());
                self.journal = None;
                What::Retired
            }
        }
    }
}

struct Driver {
    state: State,
    etag: Option<u64>,
    /// The tag of a write of ours whose answer was lost.
    lost: Option<u64>,
}

/// Runs a driver until it stops or dies. The fault happens to the action with number `at`.
fn run(world: &mut World, state: State, first: What, etag: Option<u64>, at: usize, fault: Fault) -> (Ran, State) {
    let mut driver = Driver { state, etag, lost: None };
    let mut queue: VecDeque<What> = VecDeque::from([first]);
    let deadline = world.now + Duration::from_secs(3 * 3600);
    while world.now < deadline {
        let what = match queue.pop_front() {
            Some(what) => what,
            None => {
                world.now = world.now + Duration::from_secs(10);
                What::Tick
            }
        };
        let (state, actions) = step(driver.state.clone(), Event { at: world.now, what });
        driver.state = state;
        if driver.state.live.stop.is_some() {
            return (Ran::Stopped, driver.state);
        }
        for action in actions {
            let fault = if world.actions == at { fault } else { Fault::None };
            world.actions += 1;
            match fault {
                Fault::CrashBefore => return (Ran::Crashed, driver.state),
                Fault::Edited => {
                    let content = world.alias.content.clone();
                    world.set_alias(content, Writer::Somebody);
                }
                Fault::Changed => {
                    world.set_alias(Content::whole("3".parse().unwrap()), Writer::Somebody);
                }
                _ => {}
            }
            let answer = world.perform(&action, &mut driver, fault);
            if fault == Fault::CrashAfter {
                return (Ran::Crashed, driver.state);
            }
            queue.push_back(answer);
        }
    }
    panic!("it never ends: {:?} {:?} {:?}", driver.state.phase, driver.state.aliases, driver.state.live);
}

/// A second process comes: it reads the journal and goes on from there.
fn second(world: &mut World, purpose: Purpose) -> Option<State> {
    world.now = world.now + Duration::from_secs(60);
    let (text, etag) = world.journal.clone()?;
    let state: State = serde_json::from_str(&text).unwrap();
    let never = usize::MAX;
    let (ran, state) = run(world, state, What::TakeOver(purpose), Some(etag), never, Fault::None);
    assert_eq!(ran, Ran::Stopped);
    Some(state)
}

/// ROLLOUT.md's invariants 1, 2, 6, 7, from the world's history.
fn check_history(world: &World, plan: &Plan, story: &str) {
    let weights: Vec<Weight> = plan.timeline().iter().map(|step| step.weights[0]).chain([Weight::FULL]).collect();
    let plan = &plan.aliases[0];
    let (mut highest, mut fell) = (0, false);
    let mut before = Content::whole(plan.old);
    for (_, content, writer) in &world.writes {
        match writer {
            Writer::Us => {
                let share = content.share(plan.new);
                let known = *content == Content::whole(plan.old)
                    || weights.iter().any(|w| {
                        *content == Content::split(plan.old, plan.new, *w) || *content == Content::whole(plan.new)
                    });
                assert!(known, "1: {content} is not one of ours\n{story}");
                if share == Weight::ZERO {
                    fell = true;
                } else {
                    let step = weights.iter().position(|weight| *weight == share).unwrap();
                    assert!(step <= highest, "2: {content} skips a step\n{story}");
                    assert!(!fell, "2: {content} rises after the way back\n{story}");
                    highest = highest.max(step + 1);
                }
                let third = before.share(plan.old) == Weight::ZERO && before.share(plan.new) == Weight::ZERO;
                assert!(!third, "6: {before} of somebody else was overwritten\n{story}");
            }
            // What CloudFormation put back is allowed to be pointed right again.
            Writer::CloudFormation | Writer::Somebody => {}
        }
        before = content.clone();
    }
    assert!(world.unannounced.is_empty(), "7: {:?} was not in the journal before\n{story}", world.unannounced);
}

/// Invariant 3, and that the words fit the world.
fn check_end(world: &World, state: &State, story: &str) {
    let plan = &state.plan.aliases[0];
    match &state.phase {
        Phase::Succeeded | Phase::SettleFailed { .. } => {
            assert_eq!(world.alias.content, Content::whole(plan.new), "3\n{story}");
        }
        Phase::RolledBack { .. } => assert_eq!(world.alias.content, Content::whole(plan.old), "3\n{story}"),
        Phase::Conflicted { .. } => {
            let somebody = world.writes.iter().any(|(_, _, writer)| *writer == Writer::Somebody);
            assert!(somebody, "a conflict with nobody: {:?}\n{story}", state.phase);
        }
        other => panic!("not an end: {other:?}\n{story}"),
    }
}

fn small_plan(strategy: &str, settles: bool) -> Plan {
    let mut plan = plan(strategy);
    plan.min_requests = 10;
    plan.bake_s = 60;
    if settles {
        plan.settle = Some(settle_plan());
    }
    plan
}

fn first(world: &mut World, plan: Plan, at: usize, fault: Fault) -> (Ran, State) {
    let state = State::new(plan, vec![world.alias.clone()]);
    run(world, state, What::Begin, None, at, fault)
}

const STRATEGIES: [&str; 4] = ["AllAtOnce", "canary:10%:1m", "steps:10%:1m,50%:1m", "steps:1%:30s,10%:30s,50%:30s"];

fn scripts() -> [Script; 4] {
    [
        Script::default(),
        Script { alarm_from: Some(1), ..Script::default() },
        Script { new_errors: 500, ..Script::default() },
        Script { settle: SettleScript::PutsBack, ..Script::default() },
    ]
}

#[test]
fn without_faults_it_ends_where_it_should() {
    for strategy in STRATEGIES {
        for (script, back) in scripts().into_iter().zip([false, true, true, false]) {
            let mut world = World::new(script);
            let (ran, state) = first(&mut world, small_plan(strategy, true), usize::MAX, Fault::None);
            let story = format!("{strategy} {script:?}\n{:#?}", state.entries);
            assert_eq!(ran, Ran::Stopped);
            check_history(&world, &state.plan, &story);
            check_end(&world, &state, &story);
            // The short bake of this plan sees no whole minute, so AllAtOnce lets errors pass.
            if !(strategy == "AllAtOnce" && script.new_errors > 0) {
                assert_eq!(matches!(state.phase, Phase::RolledBack { .. }), back, "{story}");
            }
            assert_eq!(world.history.is_some(), state.is_finished(), "{story}");
        }
    }
}

#[test]
fn every_crash_point_then_resume_and_abort() {
    for strategy in STRATEGIES {
        for script in scripts() {
            let mut probe = World::new(script);
            first(&mut probe, small_plan(strategy, true), usize::MAX, Fault::None);
            for at in 0..probe.actions {
                for fault in [Fault::CrashBefore, Fault::CrashAfter] {
                    for purpose in [Purpose::Resume, Purpose::Abort] {
                        crash_then(strategy, script, at, fault, purpose);
                    }
                }
            }
        }
    }
}

fn crash_then(strategy: &str, script: Script, at: usize, fault: Fault, purpose: Purpose) {
    let mut world = World::new(script);
    let plan = small_plan(strategy, true);
    let (ran, died) = first(&mut world, plan.clone(), at, fault);
    assert_eq!(ran, Ran::Crashed);
    let died_with = died.entries.len();
    let Some(state) = second(&mut world, purpose) else {
        // Nothing was begun, or everything was over: the alias is whole.
        assert!(!world.alias.content.is_split(), "{strategy} {script:?} {at} {fault:?}");
        return;
    };
    let story = format!(
        "{strategy} {script:?} {fault:?} at {at} ({died_with} entries), then {purpose:?}\n{:#?}",
        state.entries
    );
    check_history(&world, &plan, &story);
    check_end(&world, &state, &story);
    let was_promoted = state.entries.iter().any(|entry| matches!(entry.what, Happening::Settling));
    if purpose == Purpose::Abort && !was_promoted {
        assert!(matches!(state.phase, Phase::RolledBack { .. }), "{story}");
    }
}

#[test]
fn every_single_lost_call_is_survived() {
    for strategy in STRATEGIES {
        for script in scripts() {
            let mut probe = World::new(script);
            first(&mut probe, small_plan(strategy, true), usize::MAX, Fault::None);
            for at in 0..probe.actions {
                for fault in [Fault::Before, Fault::After, Fault::Edited] {
                    let mut world = World::new(script);
                    let plan = small_plan(strategy, true);
                    let (ran, state) = first(&mut world, plan.clone(), at, fault);
                    let story = format!("{strategy} {script:?} {fault:?} at {at}\n{:#?}", state.entries);
                    assert_eq!(ran, Ran::Stopped);
                    check_history(&world, &plan, &story);
                    check_end(&world, &state, &story);
                }
            }
        }
    }
}

#[test]
fn somebody_elses_change_is_never_overwritten() {
    for strategy in STRATEGIES {
        for script in scripts() {
            let mut probe = World::new(script);
            first(&mut probe, small_plan(strategy, true), usize::MAX, Fault::None);
            for at in 0..probe.actions {
                let mut world = World::new(script);
                let plan = small_plan(strategy, true);
                let (_, state) = first(&mut world, plan.clone(), at, Fault::Changed);
                let story = format!("{strategy} {script:?} at {at}\n{:#?}", state.entries);
                check_history(&world, &plan, &story);
                let touched = world.writes.iter().rposition(|(_, content, _)| content.version == "3");
                let after = &world.writes[touched.unwrap() + 1..];
                let mut others = after.iter().take_while(|(.., writer)| *writer != Writer::CloudFormation);
                assert!(others.next().is_none(), "{story}");
            }
        }
    }
}

#[test]
fn going_back_needs_nothing_but_lambda() {
    let script = Script { down_after_first_write: true, ..Script::default() };
    let mut world = World::new(script);
    let mut plan = small_plan("canary:10%:1h", false);
    plan.outage_s = 300;
    let (ran, state) = first(&mut world, plan, usize::MAX, Fault::None);
    assert_eq!(ran, Ran::Stopped);
    assert!(matches!(&state.phase, Phase::RolledBack { why: Why::Outage { .. }, .. }), "{:?}", state.phase);
    assert_eq!(world.alias.content, state.plan.aliases[0].before());
    // The journal could not be written; whoever comes later finds the alias back and says so.
    world.script.down_after_first_write = false;
    let later = second(&mut world, Purpose::Resume).unwrap();
    assert!(matches!(later.phase, Phase::RolledBack { why: Why::FoundBack, .. }), "{:?}", later.phase);
    assert!(world.journal.is_none() && world.history.is_some());
}

#[test]
fn of_two_drivers_only_one_goes_on() {
    // The second takes over while the first still believes that it drives.
    let plan = small_plan("steps:10%:10m,50%:10m", false);
    let mut world = World::new(Script::default());
    let (_, sleeper) = first(&mut world, plan, 60, Fault::CrashBefore);
    assert!(world.alias.content.is_split());
    let etag = world.journal.as_ref().unwrap().1;
    let ended = second(&mut world, Purpose::Resume).unwrap();
    assert_eq!(ended.phase, Phase::Succeeded);
    let writes = world.writes.len();
    // It wakes up, with its old tag; the journal has been retired meanwhile.
    let (ran, state) = run(&mut world, sleeper, What::JournalUnreachable, Some(etag), usize::MAX, Fault::None);
    assert_eq!(ran, Ran::Stopped);
    assert_eq!(world.writes.len(), writes, "the sleeper wrote: {:?}", state.phase);
}

#[test]
fn a_pause_of_the_strategy_waits_for_promote() {
    let plan = small_plan("steps:10%:1m,pause,50%:1m", false);
    let mut world = World::new(Script::default());
    let (_, state) = first(&mut world, plan, usize::MAX, Fault::None);
    assert!(matches!(state.phase, Phase::Paused { cause: PauseCause::Strategy, .. }), "{:?}", state.phase);
    assert_eq!(world.alias.content.share("8".parse().unwrap()), Weight::percent(10));
    let state = second(&mut world, Purpose::Resume).unwrap();
    assert!(matches!(state.phase, Phase::Paused { cause: PauseCause::Strategy, .. }), "resuming is not promoting");
    let state = second(&mut world, Purpose::Promote).unwrap();
    assert_eq!(state.phase, Phase::Succeeded);
}

#[test]
fn too_few_requests_hold_and_then_wait_for_a_person() {
    let mut plan = small_plan("canary:10%:1m", false);
    plan.min_requests = 1_000_000;
    plan.max_hold_s = 600;
    let mut world = World::new(Script::default());
    let (_, state) = first(&mut world, plan.clone(), usize::MAX, Fault::None);
    assert!(matches!(state.phase, Phase::Paused { cause: PauseCause::NoData, .. }), "{:?}", state.phase);
    assert!(state.entries.iter().any(|entry| matches!(entry.what, Happening::WaitingForRequests { .. })));
    plan.on_no_data = crate::rollout::plan::OnNoData::Rollback;
    let mut world = World::new(Script::default());
    let (_, state) = first(&mut world, plan, usize::MAX, Fault::None);
    assert!(matches!(state.phase, Phase::RolledBack { why: Why::NoData, .. }), "{:?}", state.phase);
}

#[test]
fn every_event_is_answered_in_every_state() {
    // No pair of them may panic, and none but a raise may give the new version more.
    let mut states = Vec::new();
    for script in scripts() {
        let mut world = World::new(script);
        let plan = small_plan("steps:10%:1m,50%:1m", true);
        let mut state = State::new(plan, vec![world.alias.clone()]);
        let mut driver = Driver { state: state.clone(), etag: None, lost: None };
        let mut queue = VecDeque::from([What::Begin]);
        for _ in 0..400 {
            let what = queue.pop_front().unwrap_or_else(|| {
                world.now = world.now + Duration::from_secs(10);
                What::Tick
            });
            let (next, actions) = step(state, Event { at: world.now, what });
            state = next;
            driver.state = state.clone();
            states.push(state.clone());
            queue.extend(actions.iter().map(|action| world.perform(action, &mut driver, Fault::None)));
        }
    }
    let seen = Seen { content: Content::whole("3".parse().unwrap()), revision: RevisionId("x".to_owned()) };
    let events = [
        What::Begin,
        What::TakeOver(Purpose::Resume),
        What::TakeOver(Purpose::Abort),
        What::TakeOver(Purpose::Adopt),
        What::TakeOver(Purpose::Force),
        What::Tick,
        What::Journalled(1),
        What::JournalUnreachable,
        What::JournalLost { holder: "x".to_owned(), paused: false },
        What::JournalGone,
        What::AliasRead(0, 1, Ok(None)),
        What::AliasRead(0, 2, Ok(Some(seen))),
        What::AliasRead(0, 3, Err("x".to_owned())),
        What::AliasRead(7, 3, Err("x".to_owned())),
        What::AliasWritten(0, Ok(RevisionId("y".to_owned()))),
        What::AliasWritten(0, Err(WriteTrouble::Refused)),
        What::AliasWritten(0, Err(WriteTrouble::Gone("x".to_owned()))),
        What::VersionIs(0, Readiness::Failed("x".to_owned())),
        What::Looked(Err("x".to_owned())),
        What::Looked(Ok(Reading::default())),
        What::Settled(Err("x".to_owned())),
        What::Retired,
        What::Pause,
        What::Leave,
        What::PromoteFully,
        What::TakeOver(Purpose::Pause),
        What::TakeOver(Purpose::PromoteFully),
        What::Performed(Task::Hook(0), Ok(())),
        What::Promote,
        What::Back(Why::Interrupted),
        What::Back(Why::TimedOut),
        What::Hold,
    ];
    for state in states {
        for what in &events {
            for later_s in [0, 100] {
                let at = state.now() + Duration::from_secs(later_s);
                let (after, actions) = step(state.clone(), Event { at, what: what.clone() });
                if matches!(after.phase, Phase::RollingBack { .. } | Phase::RolledBack { .. }) {
                    for action in actions {
                        if let Action::WriteAlias { content, .. } = action {
                            assert_eq!(content, after.plan.aliases[0].before());
                        }
                    }
                }
            }
        }
    }
}
