//! The verdict in plain words, with numbers.

use std::time::Duration;

use serde::Serialize;

use super::analysis::Standing;
use super::content::Content;
use super::driver::alias::by_hand;
use super::names::{Time, Version, show_duration};
use super::plan::{AliasPlan, OnOutage, Plan};
use super::run::Verdict;
use super::state::{AliasState, Conflict, Happening, PauseCause, Phase, Purpose, State, Stop, Why};

/// How fast a weight takes effect everywhere is not documented, and what had begun goes on; the metrics that
/// would show it come minutes later. So it is said, and nobody waits for it.
const LINGERS: &str = "Traffic lingers: for a minute or so requests may still reach the new version, and those under \
                       way end there; CloudWatch shows the first minute without any up to three minutes after it.";

/// How a rollout ended for the process that drove it; the exit statuses follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The new version serves everything.
    Succeeded,
    /// The old version serves everything again.
    RolledBack,
    /// It ended before any traffic moved.
    Refused,
    /// The new version serves everything; the stack's template is not in line.
    SettleFailed,
    /// It waits for a person.
    Held,
    /// It goes on when `rollout resume` is called.
    Left,
    /// Somebody else changed an alias, or has the journal.
    Conflict,
    /// It needs a person: it could not be rolled back.
    Failed,
    /// Interrupted.
    Interrupted,
}

impl Verdict {
    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        match (&self.stop, &self.state.phase) {
            (Stop::LostFence { paused: true, .. }, _) => Outcome::Held,
            (Stop::LostFence { .. } | Stop::JournalGone, _) => Outcome::Conflict,
            (Stop::Stuck { .. }, _) => Outcome::Failed,
            (Stop::Left, _) => Outcome::Left,
            (Stop::Interrupted, _) => Outcome::Interrupted,
            (Stop::Phase, phase) => match phase {
                Phase::Succeeded => Outcome::Succeeded,
                Phase::RolledBack { left, .. } if !is_back(&self.state.plan, left) => Outcome::Conflict,
                Phase::RolledBack { why: Why::Version { .. } | Why::Denied { .. }, .. }
                    if self.state.first_traffic().is_none() =>
                {
                    Outcome::Refused
                }
                Phase::RolledBack { .. } => Outcome::RolledBack,
                Phase::SettleFailed { .. } => Outcome::SettleFailed,
                Phase::Conflicted { .. } => Outcome::Conflict,
                Phase::Paused { cause: PauseCause::Interrupted, .. } => Outcome::Interrupted,
                _ => Outcome::Held,
            },
        }
    }

    /// The time from the first traffic to the decision.
    pub fn time_to_verdict(&self) -> Option<Duration> {
        let decided = self.state.entries.iter().rev().find(|entry| {
            matches!(
                entry.what,
                Happening::Decided { .. } | Happening::Succeeded | Happening::Settling | Happening::Conflict { .. }
            )
        });
        Some(decided?.at.since(self.state.first_traffic()?))
    }

    /// The reason, where it did not succeed.
    pub fn reason(&self) -> Option<String> {
        match (&self.stop, &self.state.phase) {
            (Stop::LostFence { holder, paused: true }, _) => Some(format!("paused by {holder}")),
            (Stop::LostFence { holder, .. }, _) => {
                Some(format!("{holder} took the rollout over; this process touched nothing more"))
            }
            (Stop::JournalGone, _) => Some("the journal was deleted; the alias stays as it is".to_owned()),
            (Stop::Stuck { reason }, _) => Some(reason.clone()),
            (_, Phase::RolledBack { why, .. } | Phase::RollingBack { why }) => Some(why_words(why)),
            (_, Phase::SettleFailed { reason }) => Some(reason.clone()),
            (_, Phase::Conflicted { .. }) => Some(conflict_words(&self.state)),
            (_, Phase::Paused { cause, .. }) => Some(pause_words(*cause).to_owned()),
            (Stop::Interrupted, _) => Some("interrupted".to_owned()),
            _ => None,
        }
    }

    /// The verdict for people: what is so now, why, and what can be done.
    pub fn lines(&self) -> Vec<String> {
        let plan = &self.state.plan;
        let name = names(plan);
        let (old, new) = (versions(plan, |alias| alias.old), versions(plan, |alias| alias.new));
        let reason = self.reason().unwrap_or_default();
        let target = plan.first().map(|alias| alias.id.flags()).unwrap_or_default();
        let (serves, is, stays) = match plan.aliases.len() {
            1 => ("serves", "is", "stays"),
            _ => ("serve", "are", "stay"),
        };
        let go_on = |verb: &str| {
            format!("Go on with: samara rollout {verb} {target}    or back with: samara rollout abort {target}")
        };
        let mut lines = match self.outcome() {
            Outcome::Succeeded => vec![format!("{name} {serves} {new} to everybody")],
            Outcome::RolledBack => vec![
                format!("{name} {is} back on {old}: {reason}"),
                "A rollback does not undo tables, policies, APIs and queues of the new template, nor what the new \
                 version did to data; $LATEST is still the new code."
                    .to_owned(),
            ],
            Outcome::Refused => vec![format!("{name} {stays} on {old}; no traffic was moved: {reason}")],
            Outcome::SettleFailed => vec![
                format!("{name} {serves} {new} to everybody, but the stack was not settled: {reason}"),
                format!("Traffic is right. Settle again with: samara rollout resume {target}"),
            ],
            Outcome::Held => vec![format!("{name} {is} held at {}: {reason}", contents(&self.state)), go_on("promote")],
            Outcome::Left => {
                vec![format!("{name} {is} {}, and nobody drives it now", contents(&self.state)), go_on("resume")]
            }
            Outcome::Conflict => {
                let mut lines = vec![format!("{name} was left alone: {reason}")];
                lines.extend(match self.stop {
                    Stop::Phase => ways_out(&self.state),
                    _ => vec![format!("Look: samara rollout status {target}")],
                });
                lines
            }
            Outcome::Failed => {
                let mut lines = vec![format!(
                    "{name} could NOT be rolled back and may still say {}: {reason}",
                    contents(&self.state)
                )];
                let wrong = plan.aliases.iter().zip(&self.state.aliases);
                let wrong = wrong.filter(|(plan, alias)| alias.seen.content != plan.before() || alias.maybe.is_some());
                lines.extend(wrong.map(|(plan, _)| format!("By hand: {}", by_hand(&plan.id, &plan.before()))));
                lines
            }
            Outcome::Interrupted => vec![
                format!(
                    "{name} was left at {}: {}",
                    contents(&self.state),
                    if reason.is_empty() { "interrupted" } else { &reason }
                ),
                go_on("resume"),
            ],
        };
        if self.outcome() == Outcome::RolledBack && self.state.first_traffic().is_some() {
            lines.push(LINGERS.to_owned());
        }
        if let Some((alias, standing)) = self.state.standing() {
            lines.push(of_alias(plan, alias, &standing_words(&standing)));
        }
        if self.unrecorded {
            lines.push("The journal could not be reached at the end: its history lacks this.".to_owned());
        }
        lines
    }

    /// The verdict for programs. What stands beside `aliases` is of the alias that says most.
    pub fn json(&self) -> serde_json::Value {
        let plan = &self.state.plan;
        let standing = self.state.standing();
        let at = standing.as_ref().map_or(0, |(at, _)| *at);
        let standing = standing.map(|(_, standing)| standing);
        let alias = plan.aliases.get(at);
        let aliases: Vec<serde_json::Value> = plan.aliases.iter().zip(&self.state.aliases).map(alias_json).collect();
        serde_json::json!({
            "type": "verdict",
            "schema": 1,
            "function": alias.map(|alias| &alias.id.function),
            "alias": alias.map(|alias| &alias.id.alias),
            "old_version": alias.map(|alias| alias.old),
            "new_version": alias.map(|alias| alias.new),
            "strategy": alias.map(|alias| &alias.strategy),
            "outcome": self.outcome(),
            "reason": self.reason(),
            "alias_content": self.state.aliases.get(at).map(|alias| &alias.seen.content),
            "requests": { "old": standing.as_ref().map(|standing| standing.old.n), "new": standing.as_ref().map(|standing| standing.new.n) },
            "errors": { "old": standing.as_ref().map(|standing| standing.old.x), "new": standing.as_ref().map(|standing| standing.new.x) },
            "evidence": standing.as_ref().map(|standing| standing.evidence),
            "bound": standing.as_ref().map(|standing| standing.bound),
            "aliases": aliases,
            "seconds_to_verdict": self.time_to_verdict().map(|time| time.as_secs()),
            "stack": plan.settle.as_ref().map(|settle| &settle.stack),
            "settled": plan.settle.is_some() && self.state.phase == Phase::Succeeded,
        })
    }
}

fn alias_json((plan, alias): (&AliasPlan, &AliasState)) -> serde_json::Value {
    let standing = alias.standing.as_ref();
    serde_json::json!({
        "function": plan.id.function,
        "alias": plan.id.alias,
        "old_version": plan.old,
        "new_version": plan.new,
        "strategy": plan.strategy,
        "content": alias.seen.content,
        "conflict": alias.conflict,
        "requests": { "old": standing.map(|standing| standing.old.n), "new": standing.map(|standing| standing.new.n) },
        "errors": { "old": standing.map(|standing| standing.old.x), "new": standing.map(|standing| standing.new.x) },
        "evidence": standing.map(|standing| standing.evidence),
        "bound": standing.map(|standing| standing.bound),
    })
}

fn is_back(plan: &Plan, left: &[Content]) -> bool {
    plan.aliases.iter().map(AliasPlan::before).eq(left.iter().cloned())
}

/// `hello:live, other:live`.
pub fn names(plan: &Plan) -> String {
    plan.ids().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// `version 8`, or `versions 8, 3`.
fn versions(plan: &Plan, of: impl Fn(&AliasPlan) -> Version) -> String {
    let versions: Vec<String> = plan.aliases.iter().map(|alias| of(alias).to_string()).collect();
    format!("version{} {}", if versions.len() == 1 { "" } else { "s" }, versions.join(", "))
}

fn contents(state: &State) -> String {
    match state.aliases.as_slice() {
        [alias] => alias.seen.content.to_string(),
        several => {
            let of = state.plan.ids().into_iter().zip(several);
            of.map(|(id, alias)| format!("{id}: {}", alias.seen.content)).collect::<Vec<_>>().join("; ")
        }
    }
}

/// Says of which alias it is where there are several.
pub fn of_alias(plan: &Plan, alias: usize, text: &str) -> String {
    match plan.aliases.get(alias) {
        Some(of) if plan.aliases.len() > 1 => format!("{}: {text}", of.id),
        _ => text.to_owned(),
    }
}

/// What somebody else made of which alias.
fn conflict_words(state: &State) -> String {
    let told = state.plan.aliases.iter().zip(&state.aliases).filter_map(|(plan, alias)| {
        let Conflict { expected, found } = alias.conflict.as_ref()?;
        let id = &plan.id;
        Some(match found {
            Some(found) => format!("somebody else changed {id}: it says {found}, and should say {expected}"),
            None => format!("{id} is gone; it should say {expected}"),
        })
    });
    told.collect::<Vec<_>>().join("; ")
}

/// Where a rollout is, in a few words.
pub fn phase_words(state: &State) -> String {
    let plan = &state.plan;
    let steps = plan.timeline().len();
    match &state.phase {
        Phase::Planned => "about to begin".to_owned(),
        Phase::PreTraffic { .. } => format!("waiting for {} to be ready", versions(plan, |alias| alias.new)),
        Phase::Shifting { step, since: None } => format!("on the way to {}", plan.weight(*step)),
        Phase::Shifting { step, since: Some(_) } => {
            match state.aliases.iter().position(|alias| alias.accepted.is_some()) {
                Some(index) => {
                    let share = plan.aliases.get(index).zip(state.aliases.get(index));
                    let share = share.map(|(plan, alias)| alias.seen.content.share(plan.new)).unwrap_or_default();
                    of_alias(plan, index, &format!("at {share}, which somebody else set, step {} of {steps}", step + 1))
                }
                None => format!("at {}, step {} of {steps}", plan.weight(*step), step + 1),
            }
        }
        Phase::Barrier { .. } => "waiting for the last step's minutes to be complete".to_owned(),
        Phase::Promoting => "on the way to 100%".to_owned(),
        Phase::Baking { .. } => format!("at 100%, watched for {}", show_duration(Duration::from_secs(plan.bake_s))),
        Phase::PostTraffic { .. } => "at 100%".to_owned(),
        Phase::Settling => "settling the stack".to_owned(),
        Phase::Succeeded => "succeeded".to_owned(),
        Phase::RollingBack { why } => format!("rolling back: {}", why_words(why)),
        Phase::RolledBack { why, .. } => format!("rolled back: {}", why_words(why)),
        Phase::Paused { cause, .. } => pause_words(*cause).to_owned(),
        Phase::SettleFailed { reason } => format!("serving, but its stack was not settled: {reason}"),
        Phase::Conflicted { .. } => format!("stopped: {}", conflict_words(state)),
    }
}

/// The ways out of a change by somebody else's hand.
pub fn ways_out(state: &State) -> Vec<String> {
    let plan = &state.plan;
    let target = plan.first().map(|alias| alias.id.flags()).unwrap_or_default();
    let conflicts = || {
        let all = plan.aliases.iter().zip(&state.aliases).enumerate();
        all.filter_map(|(index, (plan, alias))| Some((index, plan, alias.conflict.as_ref()?)))
    };
    match &state.phase {
        Phase::Conflicted { .. } if conflicts().any(|(_, _, conflict)| conflict.found.is_none()) => {
            vec![format!("Once the alias is there again: samara rollout resume or abort {target}")]
        }
        Phase::Conflicted { .. } => {
            let found = || conflicts().filter_map(|(index, plan, conflict)| Some((index, plan, conflict.found.as_ref()?)));
            let adopt = if found().all(|(index, _, found)| state.may_adopt(index, found)) {
                format!("Keep what it says and go on from there: samara rollout resume --adopt {target}")
            } else if found().all(|(_, plan, found)| *found == plan.before()) {
                format!("Let it end there: samara rollout resume {target}")
            } else {
                format!("It cannot be gone on from there. Once it says what it should: samara rollout resume {target}")
            };
            let old = versions(plan, |alias| alias.old);
            vec![adopt, format!("Or put {old} over it: samara rollout abort --force {target}")]
        }
        Phase::RolledBack { .. } => plan
            .aliases
            .iter()
            .map(|alias| {
                format!(
                    "The rollout is over. Should the alias say something else: samara rollout rollback {} --to-version {}",
                    alias.id.flags(),
                    alias.old
                )
            })
            .collect(),
        _ => vec![format!("Look: samara rollout status {target}")],
    }
}

/// Why it waits.
pub fn pause_words(cause: PauseCause) -> &'static str {
    match cause {
        PauseCause::Strategy => "the strategy waits for a person here",
        PauseCause::Asked => "paused",
        PauseCause::NoData => "the new version had too few requests to be judged",
        PauseCause::Interrupted => "interrupted and told to hold",
    }
}

/// Why it goes back.
pub fn why_words(why: &Why) -> String {
    match why {
        Why::Evidence { reason, .. } => reason.words(),
        Why::Check { what, reason } => format!("{what} failed: {reason}"),
        Why::Alarm { alarm } if alarm.reason.is_empty() => format!("alarm {} went to ALARM", alarm.name),
        Why::Alarm { alarm } => format!("alarm {} went to ALARM ({})", alarm.name, alarm.reason),
        Why::Version { reason } => reason.clone(),
        Why::Outage { error } => format!("metrics and alarms could not be read for too long ({error})"),
        Why::NoData => "the new version had too few requests to be judged".to_owned(),
        Why::Aborted => "aborted".to_owned(),
        Why::Interrupted => "interrupted".to_owned(),
        Why::TimedOut => "the time given with --timeout is over".to_owned(),
        Why::Denied { error } => format!("the alias may not be written ({error})"),
        Why::ByHand => "taken back by hand with `samara rollout rollback`".to_owned(),
        Why::FoundBack => "the alias was found wholly on the old version when nobody was driving".to_owned(),
    }
}

/// Where the evidence stands, in a line.
pub fn standing_words(standing: &Standing) -> String {
    standing.words()
}

/// What happened, in a line.
pub fn happening_words(what: &Happening, plan: &Plan) -> String {
    let of = |alias: &usize, text: &str| of_alias(plan, *alias, text);
    match what {
        Happening::Began => match plan.aliases.as_slice() {
            [alias] => format!("version {} to {} begins", alias.old, alias.new),
            several => {
                let told = several.iter().map(|alias| format!("{} version {} to {}", alias.id, alias.old, alias.new));
                format!("{} begin together", told.collect::<Vec<_>>().join(", "))
            }
        },
        Happening::TookOver { to } => match to {
            Purpose::Resume => "this process carries it on".to_owned(),
            Purpose::Promote => "this process carries it on to the next step".to_owned(),
            Purpose::PromoteFully => "this process carries it on to the whole traffic".to_owned(),
            Purpose::Pause => "this process pauses it".to_owned(),
            Purpose::Abort => "this process takes it back".to_owned(),
            Purpose::Adopt => "this process accepts what the alias says and carries it on".to_owned(),
            Purpose::Force => "this process takes it back, whatever the alias says".to_owned(),
        },
        Happening::Intent { alias, content } => of(alias, &format!("setting {content}")),
        Happening::Confirmed { alias, content } => of(alias, &format!("the alias says {content}")),
        Happening::Watching { alias, deployment, stack } => {
            of(alias, &format!("CodeDeploy moves it by {deployment}, in the update of stack {stack}"))
        }
        Happening::Adopted { alias } => of(alias, "the alias was edited, its routing was not"),
        Happening::WrittenBySettle { alias } => {
            of(alias, "CloudFormation wrote the alias as it was: same version, no weights")
        }
        Happening::Accepted { alias, content } => {
            of(alias, &format!("going on from what somebody else set: {content}"))
        }
        Happening::Overwriting { alias, content } => {
            of(alias, &format!("overwriting what somebody else set: the alias says {content}"))
        }
        Happening::WaitingForRequests { served, wanted } => {
            format!("held longer: {served} of {wanted} requests judged so far")
        }
        Happening::Blind { error } => match plan.on_outage {
            OnOutage::Rollback => format!(
                "cannot see, so no more traffic until it can, and back after {} of that: {error}",
                show_duration(Duration::from_secs(plan.outage_s))
            ),
            OnOutage::Hold => format!("cannot see, so no more traffic until it can: {error}"),
            OnOutage::Continue => format!("cannot see, and goes on without, as it was told: {error}"),
        },
        Happening::SeesAgain => "can see again".to_owned(),
        Happening::Paused { cause } => pause_words(*cause).to_owned(),
        Happening::Running { task } => format!("running {}", plan.task_words(*task)),
        Happening::Passed { task } => format!("{} succeeded", plan.task_words(*task)),
        Happening::WouldGoBack { why } => format!("would go back, but only observes: {}", why_words(why)),
        Happening::Left => "left for a later `samara rollout resume`".to_owned(),
        Happening::Barrier => "waiting for the last step's minutes to be complete".to_owned(),
        Happening::Baking => {
            format!("watching it at 100 % for {}", show_duration(Duration::from_secs(plan.bake_s)))
        }
        Happening::Decided { why } => format!("going back: {}", why_words(why)),
        Happening::Settling => "settling the stack on the new version".to_owned(),
        Happening::SettleFailed { reason } => format!("the stack was not settled: {reason}"),
        Happening::PutBackByCloudFormation { alias } => {
            of(alias, "CloudFormation had put the alias back; pointing it right again")
        }
        Happening::Conflict { alias, found: Some(found) } => {
            of(alias, &format!("somebody else changed the alias: it says {found}"))
        }
        Happening::Conflict { alias, found: None } => of(alias, "the alias is gone"),
        Happening::RolledBack => format!("back on {}", versions(plan, |alias| alias.old)),
        Happening::Succeeded => {
            let serve = if plan.aliases.len() == 1 { "serves" } else { "serve" };
            format!("{} {serve} everybody", versions(plan, |alias| alias.new))
        }
    }
}

/// When, for a log line.
pub fn clock_words(at: Time) -> String {
    at.clock()
}
