//! Races that the machine decides alone, each by its number in the list of races: a driver of one or
//! more functions against a world that answers at once.

use super::*;
use crate::rollout::analysis::alarms::AlarmState;
use crate::rollout::analysis::{Counts, Minute, Resolution, Standing, Stream, Tally};
use crate::rollout::names::{AliasId, RevisionId, Weight};
use crate::rollout::plan::OnNoData;
use crate::rollout::plan::tests::{plan, settle_plan};
use crate::rollout::run::Verdict;
use crate::rollout::verdict::Outcome;

/// What there is beside the machine.
struct Story {
    state: State,
    at: Time,
    aliases: Vec<Seen>,
    /// What it wrote, in its order.
    writes: Vec<(usize, Content)>,
    /// When and what the first alias said.
    history: Vec<(Time, Content)>,
    alarm: AlarmState,
    ready: Readiness,
    /// The answer to every write of this alias.
    trouble: Option<(usize, WriteTrouble)>,
    /// Only where it raises.
    to_raises: bool,
    /// Requests a minute, and the new version's errors in a thousand.
    traffic: fn(i64) -> (u64, u64),
    /// What becomes of a settle.
    settle: Result<(), String>,
}

const START: Time = Time(1_750_000_020_000);

impl Story {
    /// One that has not begun.
    fn new(strategy: &str, functions: usize) -> Self {
        let mut plan = plan(strategy);
        let first = plan.aliases.remove(0);
        plan.aliases = (0..functions)
            .map(|at| {
                let mut alias = first.clone();
                alias.id = AliasId::new(format!("f{at}").parse().unwrap(), "live".parse().unwrap());
                alias.criteria.functions = functions;
                alias
            })
            .collect();
        let seen = Seen { content: first.before(), revision: RevisionId("r0".to_owned()) };
        let aliases = vec![seen; functions];
        Self {
            state: State::new(plan, aliases.clone()),
            at: START,
            aliases,
            writes: Vec::new(),
            history: Vec::new(),
            alarm: AlarmState::Ok,
            ready: Readiness::Active,
            trouble: None,
            to_raises: false,
            traffic: |_| (600, 5),
            settle: Ok(()),
        }
    }

    fn begun(mut self) -> Self {
        let first = self.tell(What::Begin);
        self.answer(first);
        self
    }

    fn tell(&mut self, what: What) -> Vec<Action> {
        let (state, actions) = step(self.state.clone(), Event { at: self.at, what });
        self.state = state;
        actions
    }

    fn minute(&self, minute: i64) -> Minute {
        let middle = Time::of_minute(minute) + Duration::from_secs(30);
        let plan = &self.state.plan.aliases[0];
        let content = self.history.iter().rev().find(|(at, _)| *at <= middle);
        let share = content.map_or(0.0, |(_, content)| content.share(plan.new).fraction());
        let (n, per_mille) = (self.traffic)((minute * 60_000 - START.0) / 60_000);
        let of_new = (n as f64 * share).round() as u64;
        let counts =
            |n: u64, per_mille: u64| (n > 0).then_some(Counts { n, errors: n * per_mille / 1000, ..Counts::default() });
        Minute {
            minute,
            old: counts(n - of_new, 5),
            new: counts(of_new, per_mille),
            whole: share == 1.0,
            ..Minute::default()
        }
    }

    fn perform(&mut self, action: Action) -> What {
        match action {
            Action::WriteJournal(seq) => What::Journalled(seq),
            Action::ReadAlias { alias, ticket } => {
                What::AliasRead(alias, ticket, Ok(Some(self.aliases[alias].clone())))
            }
            Action::WriteAlias { alias, content, .. } => {
                if let Some((of, trouble)) = &self.trouble
                    && *of == alias
                    && (!self.to_raises || content.share(self.state.plan.aliases[alias].new) > Weight::ZERO)
                {
                    return What::AliasWritten(alias, Err(trouble.clone()));
                }
                self.writes.push((alias, content.clone()));
                if alias == 0 {
                    self.history.push((self.at, content.clone()));
                }
                let revision = RevisionId(format!("r{}", self.writes.len()));
                self.aliases[alias] = Seen { content, revision: revision.clone() };
                What::AliasWritten(alias, Ok(revision))
            }
            Action::CheckVersion { alias } => What::VersionIs(alias, self.ready.clone()),
            Action::Perform(task) => What::Performed(task, Ok(())),
            Action::Look { from, .. } => {
                let minutes: Vec<Minute> = (from..self.at.minute() - 1).map(|minute| self.minute(minute)).collect();
                let aliases = self.aliases.iter().map(|_| AliasReading { minutes: minutes.clone(), longest_ms: 900 });
                let alarm = AlarmReading { name: "errors".to_owned(), state: self.alarm, reason: String::new() };
                What::Looked(Ok(Reading { aliases: aliases.collect(), alarms: vec![alarm] }))
            }
            Action::Settle => What::Settled(self.settle.clone()),
            Action::Retire => What::Retired,
        }
    }

    fn answer(&mut self, actions: Vec<Action>) {
        let mut queue: VecDeque<Action> = actions.into();
        while let Some(action) = queue.pop_front() {
            let what = self.perform(action);
            queue.extend(self.tell(what));
        }
    }

    /// Lets time pass, until it has stopped or the phase is one of these.
    fn until(&mut self, minutes: u64, is_it: impl Fn(&State) -> bool) {
        let end = self.at + Duration::from_secs(minutes * 60);
        while self.at < end && self.state.live.stop.is_none() && !is_it(&self.state) {
            self.at = self.at + Duration::from_secs(5);
            let actions = self.tell(What::Tick);
            self.answer(actions);
        }
    }

    fn verdict(&self) -> Verdict {
        let stop = self.state.live.stop.clone().expect("it has stopped");
        Verdict { state: self.state.clone(), stop, at: self.at, unrecorded: false }
    }

    fn noted(&self, is_it: impl Fn(&Happening) -> bool) -> bool {
        self.state.entries.iter().any(|entry| is_it(&entry.what))
    }
}

fn at_first_step(state: &State) -> bool {
    matches!(state.phase, Phase::Shifting { step: 0, since: Some(_) })
}

fn never(_: &State) -> bool {
    false
}

#[test]
fn race_09_a_version_that_was_deleted_goes_back_and_one_that_is_wanted_back_needs_a_person() {
    let gone = || WriteTrouble::Gone("Function not found: 8".to_owned());
    let mut story = Story::new("steps:10%:1m,50%:1m", 1).begun();
    story.until(5, at_first_step);
    (story.trouble, story.to_raises) = (Some((0, gone())), true);
    story.until(60, never);
    assert!(matches!(story.state.phase, Phase::RolledBack { why: Why::Version { .. }, .. }), "{:?}", story.state.phase);
    assert_eq!((story.verdict().outcome(), story.aliases[0].content.is_split()), (Outcome::RolledBack, false));
    // Where the old one is gone, nothing can be written: it is held as it is, and that is said.
    let mut stuck = Story::new("steps:10%:1m,50%:1m", 1).begun();
    stuck.until(5, at_first_step);
    stuck.trouble = Some((0, gone()));
    let actions = stuck.tell(What::Back(Why::Aborted));
    stuck.answer(actions);
    stuck.until(60, never);
    assert!(stuck.aliases[0].content.is_split(), "as it was");
    let verdict = stuck.verdict();
    assert_eq!(verdict.outcome(), Outcome::Failed);
    assert!(verdict.lines().join("\n").contains("aws lambda update-alias --function-name f0"), "{:?}", verdict.lines());
}

#[test]
fn race_11_traffic_waits_for_the_version_and_one_that_never_serves_ends_it_before_any() {
    let mut story = Story::new("canary:10%:1m", 1);
    story.ready = Readiness::Pending;
    let mut story = story.begun();
    story.until(10, never);
    assert!(matches!(story.state.phase, Phase::PreTraffic { .. }) && story.writes.is_empty());
    let mut late = Story { state: story.state.clone(), ready: Readiness::Pending, ..Story::new("AllAtOnce", 1) };
    late.at = story.at;
    story.ready = Readiness::Active;
    story.until(5, at_first_step);
    assert_eq!(story.writes.len(), 1, "as soon as it is there");
    late.until(10, never);
    assert_eq!((late.verdict().outcome(), late.writes.len()), (Outcome::Refused, 0), "a quarter of an hour is enough");
    let mut failed = Story::new("canary:10%:1m", 1);
    failed.ready = Readiness::Failed("version 8 is Failed: the image is gone".to_owned());
    let mut failed = failed.begun();
    failed.until(5, never);
    let verdict = failed.verdict();
    assert_eq!((verdict.outcome(), failed.writes.len()), (Outcome::Refused, 0));
    assert!(verdict.lines()[0].contains("the image is gone"), "{:?}", verdict.lines());
}

/// Six functions at their first step, each with so much evidence.
fn six(evidence: [f64; 6]) -> Story {
    let mut story = Story::new("canary:10%:30m", 6).begun();
    story.until(5, at_first_step);
    assert_eq!(story.writes.iter().map(|(alias, _)| *alias).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    story.writes.clear();
    for (alias, evidence) in story.state.aliases.iter_mut().zip(evidence) {
        alias.standing = Some(Standing {
            evidence,
            bound: 100.0,
            stream: Stream::Errors,
            old: Tally::default(),
            new: Tally::default(),
            minutes: 1,
            noticed: Resolution { rate: None, old_rate: 0.0 },
            parts: Vec::new(),
            reason: None,
        });
    }
    story
}

fn guilty(alias: usize) -> What {
    let (old, new) = (Tally { n: 540, x: 0 }, Tally { n: 60, x: 60 });
    let reason = Reason::Worse { stream: Stream::Errors, metric: None, old, new, evidence: 200.0, bound: 100.0 };
    What::Back(Why::Evidence { alias, reason })
}

fn written(actions: &[Action]) -> Vec<usize> {
    let alias = |action: &Action| match action {
        Action::WriteAlias { alias, .. } => Some(*alias),
        _ => None,
    };
    actions.iter().filter_map(alias).collect()
}

#[test]
fn race_12_several_functions_go_back_together_and_only_so_many_at_once() {
    let mut story = six([3.0, 1.0, 9.0, 40.0, 2.0, 5.0]);
    let mut actions = story.tell(guilty(4));
    // The one that is to blame, then those with most evidence; the next when one of these is there.
    assert_eq!(written(&actions), [4, 3, 2, 5]);
    let first = actions.iter().position(|action| matches!(action, Action::WriteAlias { .. })).unwrap();
    let what = story.perform(actions.remove(first));
    assert_eq!(written(&story.tell(what)), [0]);
}

#[test]
fn race_13_all_go_back_the_worst_first_and_each_is_read_before_it_is_said() {
    let mut story = six([3.0, 1.0, 9.0, 40.0, 2.0, 5.0]);
    let actions = story.tell(guilty(4));
    let mut queue: VecDeque<Action> = actions.into();
    let mut held = Vec::new();
    while let Some(action) = queue.pop_front() {
        let is_written = story.writes.iter().any(|(alias, _)| *alias == 1);
        if is_written && matches!(action, Action::ReadAlias { alias: 1, .. }) {
            held.push(action);
            continue;
        }
        let what = story.perform(action);
        queue.extend(story.tell(what));
    }
    assert_eq!(story.writes.iter().map(|(alias, _)| *alias).collect::<Vec<_>>(), [4, 3, 2, 5, 0, 1]);
    assert!(story.aliases.iter().all(|alias| !alias.content.is_split()));
    // All are back, and one was not read since.
    assert!(matches!(story.state.phase, Phase::RollingBack { .. }), "{:?}", story.state.phase);
    assert_eq!(held.len(), 1);
    story.answer(held);
    story.until(5, never);
    let verdict = story.verdict();
    assert_eq!(verdict.outcome(), Outcome::RolledBack);
    let words = verdict.lines()[0].clone();
    assert!(
        words.starts_with("f0:live, f1:live, f2:live, f3:live, f4:live, f5:live are back on versions 7, 7"),
        "{words}"
    );
    assert_eq!(verdict.json()["aliases"].as_array().map(Vec::len), Some(6), "a report of each");
}

#[test]
fn race_13_one_that_cannot_go_back_keeps_none_of_the_others_and_is_named() {
    let mut story = six([3.0, 1.0, 9.0, 40.0, 2.0, 5.0]);
    story.trouble = Some((3, WriteTrouble::Denied("AccessDenied".to_owned())));
    let actions = story.tell(guilty(4));
    story.answer(actions);
    story.until(30, never);
    let back = story.aliases.iter().filter(|alias| !alias.content.is_split()).count();
    assert_eq!((back, story.aliases[3].content.is_split()), (5, true));
    let verdict = story.verdict();
    assert_eq!(verdict.outcome(), Outcome::Failed);
    let text = verdict.lines().join("\n");
    let by_hand: Vec<&str> = text.lines().filter(|line| line.starts_with("By hand: ")).collect();
    assert!(matches!(by_hand.as_slice(), [one] if one.contains("--function-name f3 ")), "{text}");
}

#[test]
fn race_17_an_alarm_that_is_deleted_or_renamed_meanwhile_is_not_ok() {
    for (on_outage, goes_back) in [(OnOutage::Rollback, true), (OnOutage::Hold, false)] {
        let mut story = Story::new("steps:10%:1m,50%:1m", 1);
        story.state.plan.on_outage = on_outage;
        let mut story = story.begun();
        story.until(5, at_first_step);
        story.alarm = AlarmState::Missing;
        story.until(12, never);
        assert_eq!(story.writes.len(), 1, "nothing is raised without it");
        assert!(story.noted(|what| matches!(what, Happening::Blind { error } if error.contains("alarm errors"))));
        story.until(10, never);
        assert_eq!(story.state.live.stop.is_some(), goes_back, "{:?}", story.state.phase);
        if goes_back {
            assert!(matches!(story.state.phase, Phase::RolledBack { why: Why::Outage { .. }, .. }));
            continue;
        }
        // Put again, it counts again.
        story.alarm = AlarmState::Ok;
        story.until(5, |state| matches!(state.phase, Phase::Shifting { step: 1, .. }));
        assert!(story.noted(|what| *what == Happening::SeesAgain));
        story.alarm = AlarmState::Alarm;
        story.until(5, never);
        assert!(matches!(story.state.phase, Phase::RolledBack { why: Why::Alarm { .. }, .. }));
    }
}

#[test]
fn race_19_it_is_said_that_traffic_lingers_where_there_was_any() {
    let mut story = Story::new("canary:10%:30m", 1).begun();
    story.until(5, at_first_step);
    let actions = story.tell(What::Back(Why::Aborted));
    story.answer(actions);
    story.until(5, never);
    let words = story.verdict().lines().join("\n");
    assert!(words.contains("Traffic lingers") && words.contains("may still reach the new version"), "{words}");
    let mut before = Story::new("canary:10%:30m", 1);
    before.ready = Readiness::Pending;
    let mut before = before.begun();
    let actions = before.tell(What::Back(Why::Aborted));
    before.answer(actions);
    before.until(5, never);
    let words = before.verdict().lines().join("\n");
    assert!(words.contains("is back on version 7") && !words.contains("lingers"), "{words}");
}

#[test]
fn race_31_a_step_whose_traffic_stops_is_held_and_then_left_to_a_person() {
    let mut story = Story::new("steps:1%:5m,50%:5m", 1);
    // A few requests, and then none at all.
    story.traffic = |minute| if minute < 4 { (300, 5) } else { (0, 5) };
    story.state.plan.on_no_data = OnNoData::Hold;
    let mut story = story.begun();
    story.until(5, at_first_step);
    story.until(20, never);
    assert!(at_first_step(&story.state) && story.writes.len() == 1, "{:?}", story.state.phase);
    assert!(story.noted(|what| matches!(what, Happening::WaitingForRequests { served, .. } if *served < 30)));
    story.until(20, never);
    assert!(matches!(story.state.phase, Phase::Paused { cause: PauseCause::NoData, .. }), "{:?}", story.state.phase);
    assert_eq!(story.verdict().outcome(), Outcome::Held);
    // Where it comes back, and in whatever size, the step goes on.
    let mut story = Story::new("steps:1%:5m,50%:5m", 1);
    story.traffic = |minute| if minute < 12 { (0, 5) } else { (90_000, 5) };
    let mut story = story.begun();
    story.until(30, |state| matches!(state.phase, Phase::Shifting { step: 1, since: Some(_) }));
    assert_eq!(story.writes.last().map(|(_, content)| content.share("8".parse().unwrap())), Some(Weight::percent(50)));
}

#[test]
fn race_21_what_is_back_after_a_settle_has_failed_was_taken_back_by_a_person_and_stays() {
    for (purpose, by_hand) in [(Purpose::Abort, false), (Purpose::Resume, true)] {
        let mut story = Story::new("AllAtOnce", 1);
        story.state.plan.settle = Some(settle_plan());
        story.settle = Err("denied".to_owned());
        let mut story = story.begun();
        story.until(60, never);
        assert!(matches!(story.state.phase, Phase::SettleFailed { .. }), "{:?}", story.state.phase);
        let before = story.state.plan.aliases[0].before();
        let so_far = story.writes.len();
        if by_hand {
            story.aliases[0] = Seen { content: before.clone(), revision: RevisionId("by hand".to_owned()) };
        }
        let actions = story.tell(What::TakeOver(purpose));
        story.answer(actions);
        story.until(5, never);
        assert_eq!(story.verdict().outcome(), Outcome::RolledBack, "{:?}", story.state.phase);
        assert_eq!(story.aliases[0].content, before);
        assert_eq!(story.writes.len() - so_far, usize::from(!by_hand), "it writes only what is not there");
    }
}

#[test]
fn race_37_all_at_once_has_nothing_to_compare_with_and_is_watched_at_100_percent() {
    for (per_mille, good) in [(5, true), (300, false)] {
        let mut story = Story::new("AllAtOnce", 1);
        story.traffic = if good { |_| (600, 5) } else { |_| (600, 300) };
        let mut story = story.begun();
        story.until(5, |state| matches!(state.phase, Phase::Baking { .. }));
        let whole = Content::whole("8".parse().unwrap());
        assert_eq!(story.writes, [(0, whole)], "in one write, and never split");
        story.until(30, never);
        let outcome = story.verdict().outcome();
        assert_eq!(outcome, if good { Outcome::Succeeded } else { Outcome::RolledBack }, "{per_mille}");
        if !good {
            let Phase::RolledBack { why: Why::Evidence { reason, .. }, .. } = &story.state.phase else {
                panic!("{:?}", story.state.phase);
            };
            assert!(matches!(reason, Reason::WorseThanBefore { .. }), "{reason:?}");
        }
    }
    // Without a bake nothing is watched, and the plan says what judges.
    let text = plan("AllAtOnce").describe().join("\n");
    assert!(text.contains("nothing to compare with: only the bake at 100 % and the alarms judge"), "{text}");
}
