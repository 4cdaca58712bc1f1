//! CloudFormation and CodeDeploy: a stack update whose deployment moves the alias, and what becomes of
//! both when it fails, is stopped, or somebody else changes the alias meanwhile.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::fault::Service;
use super::super::history::{Happened, Who};
use super::super::scenario::{HookFate, UpdateFate};
use super::World;
use crate::rollout::codedeploy::machine::{Deployed, Observation, Provisioned, Stack};
use crate::rollout::content::Content;
use crate::rollout::names::{Time, Weight};
use crate::rollout::strategy::Step;

/// Between two reads of one look something may happen.
const BETWEEN_READS: Duration = Duration::from_millis(150);
/// What Lambda leaves on the old version while it allocates.
const HELD_BACK: u32 = 50;

/// A stack update under way, or over.
#[derive(Clone, Debug)]
pub(super) struct Update {
    fate: UpdateFate,
    /// What is going to happen by itself, in its order.
    due: VecDeque<(Time, Turn)>,
    deployed: Deployed,
    stack: Stack,
    provisioned: Provisioned,
    /// What CodeDeploy expects of the alias.
    expects: Content,
}

/// Something that AWS does by itself.
#[derive(Clone, Debug)]
enum Turn {
    Writes(Content),
    Fails(&'static str),
    AlarmStops,
    Succeeds,
    Allocates,
    WayBackWrites,
    WayBackIsOver,
    PutsBack,
    Ends(bool),
}

impl Update {
    /// One that begins now, with an alias that is wholly on its old version.
    pub(super) fn new(fate: UpdateFate, steps: &[Step], old: &Content, new: &Content, begins: Time) -> Self {
        let (old_version, new_version) = (known(&old.version), known(&new.version));
        let mut at = begins + Duration::from_secs(fate.before_s);
        let mut due = VecDeque::new();
        if fate.hook == HookFate::FailsBefore {
            due.push_back((at, Turn::Fails("the hook before the traffic failed")));
        }
        for step in steps {
            due.push_back((at, Turn::Writes(Content::split(old_version, new_version, step.weight))));
            at = at + step.hold;
        }
        due.push_back((at, Turn::Writes(new.clone())));
        if let Some((seconds, _)) = fate.provisioned {
            at = at + Duration::from_secs(seconds);
            due.push_back((at, Turn::Allocates));
        }
        at = at + Duration::from_secs(fate.after_s);
        due.push_back((
            at,
            match fate.hook {
                HookFate::FailsAfter => Turn::Fails("the hook after the traffic failed"),
                _ => Turn::Succeeds,
            },
        ));
        let provisioned = if fate.provisioned.is_some() { Provisioned::Ready } else { Provisioned::None };
        Self { fate, due, deployed: Deployed::Running, stack: Stack::Busy, provisioned, expects: old.clone() }
    }

    fn later(&mut self, now: Time, turns: impl IntoIterator<Item = (u64, Turn)>) {
        self.due = turns.into_iter().map(|(seconds, turn)| (now + Duration::from_secs(seconds), turn)).collect();
    }

    /// The deployment ends before its time; what follows depends on how a stop leaves things.
    fn fails(&mut self, now: Time, reason: &str) {
        self.deployed = Deployed::Ended { reason: reason.to_owned(), settled: !self.fate.rolls_back };
        let way_back = [(5, Turn::WayBackWrites), (15, Turn::WayBackIsOver)];
        let stack = [(30, Turn::PutsBack), (45, Turn::Ends(false))];
        let way_back = way_back.into_iter().filter(|_| self.fate.rolls_back);
        let stack = stack.into_iter().filter(|(_, turn)| self.fate.puts_back || !matches!(turn, Turn::PutsBack));
        self.later(now, way_back.chain(stack).collect::<Vec<_>>());
    }
}

fn known(version: &str) -> crate::rollout::names::Version {
    #[expect(clippy::unwrap_used, reason = "a version of the simulation's own")]
    version.parse().unwrap()
}

impl World {
    /// Time passes, and AWS does what it does by itself.
    pub fn passes(&mut self, to: Time) {
        while let Some((at, turn)) = self.update.as_mut().and_then(|update| {
            let is_due = update.due.front().is_some_and(|(at, _)| *at <= to);
            if is_due { update.due.pop_front() } else { None }
        }) {
            self.now = self.now.max(at);
            self.turn(turn);
        }
        self.now = self.now.max(to);
    }

    fn turn(&mut self, turn: Turn) {
        let Some(mut update) = self.update.take() else { return };
        let now = self.now;
        match turn {
            Turn::Writes(content) => self.moves(&mut update, content),
            Turn::Fails(reason) => update.fails(now, reason),
            Turn::AlarmStops if update.deployed == Deployed::Running => update.fails(now, "an alarm fired"),
            Turn::AlarmStops => {}
            Turn::Succeeds => {
                update.deployed = Deployed::Succeeded;
                let ends: &[(u64, Turn)] = if update.fate.stack_fails {
                    &[(10, Turn::PutsBack), (25, Turn::Ends(false))]
                } else {
                    &[(10, Turn::Ends(true))]
                };
                update.later(now, ends.iter().cloned());
            }
            Turn::Allocates => self.allocated(&mut update),
            Turn::WayBackWrites | Turn::PutsBack => self.puts_back(),
            Turn::WayBackIsOver => {
                if let Deployed::Ended { settled, .. } = &mut update.deployed {
                    *settled = true;
                }
            }
            Turn::Ends(updated) => {
                let status = if updated { "UPDATE_COMPLETE" } else { "UPDATE_ROLLBACK_COMPLETE" };
                update.stack = Stack::Idle { status: status.to_owned(), updated };
                self.note(Who::Stack, Happened::Rests);
            }
        }
        if update.deployed != Deployed::Running && !self.deployment_over {
            self.deployment_over = true;
            self.note(Who::Stack, Happened::DeploymentOver(update.deployed == Deployed::Succeeded));
        }
        self.update = Some(update);
    }

    /// CodeDeploy writes the alias, unless somebody else did.
    fn moves(&mut self, update: &mut Update, content: Content) {
        let as_left = self.get_alias(0).is_some_and(|seen| seen.content == update.expects);
        if !as_left || self.is_gone(0, self.aliases[0].new) {
            return update.fails(self.now, "the alias is not as it was left");
        }
        let is_whole = content == Content::whole(self.aliases[0].new);
        let content = match update.fate.provisioned {
            // Lambda keeps some of the traffic back until everything is allocated.
            Some(_) if is_whole => {
                update.provisioned = Provisioned::InProgress;
                let weight = Weight::percent(HELD_BACK);
                Content { weights: [(self.aliases[0].old.to_string(), weight)].into(), ..content }
            }
            _ => content,
        };
        update.expects = content.clone();
        self.set_alias(0, content, Who::Stack);
    }

    fn allocated(&mut self, update: &mut Update) {
        let works = update.fate.provisioned.is_some_and(|(_, works)| works);
        let as_left = self.get_alias(0).is_some_and(|seen| seen.content == update.expects);
        if !works {
            // The weights stay.
            update.provisioned = Provisioned::Failed("no capacity".to_owned());
            return update.fails(self.now, "provisioned concurrency could not be allocated");
        }
        update.provisioned = Provisioned::Ready;
        if as_left {
            let content = Content::whole(self.aliases[0].new);
            update.expects = content.clone();
            self.set_alias(0, content, Who::Stack);
        }
    }

    /// The alias goes back to what it was, where it is still CodeDeploy's.
    fn puts_back(&mut self) {
        let (old, new) = (self.aliases[0].old.to_string(), self.aliases[0].new.to_string());
        let Some(seen) = self.get_alias(0) else { return };
        let ours = |version: &String| *version == old || *version == new;
        let back = Content::whole(self.aliases[0].old);
        if ours(&seen.content.version) && seen.content.weights.keys().all(ours) && seen.content != back {
            self.set_alias(0, back, Who::Stack);
        }
    }

    /// `StopDeployment`: it answers the same whether the deployment goes on or is over.
    pub fn stop_deployment(&mut self, who: Who) {
        self.note(who, Happened::StopAsked);
        let now = self.now;
        let Some(update) = &mut self.update else { return };
        if update.deployed == Deployed::Running && !matches!(update.due.front(), Some((_, Turn::Fails("stopped")))) {
            update.later(now, [(4, Turn::Fails("stopped"))]);
        }
    }

    /// The group's alarm, where it has one, stops the deployment a minute after it fires.
    pub(super) fn with_alarm(&mut self) {
        let Some(update) = &mut self.update else { return };
        let Some(from_s) = self.conditions.alarm_from_s.filter(|_| update.fate.has_alarm) else { return };
        let at = self.start + Duration::from_secs(from_s + 60);
        let place = update.due.iter().position(|(due, _)| *due > at).unwrap_or(update.due.len());
        update.due.insert(place, (at, Turn::AlarmStops));
    }

    /// The deployment, then the stack, the alias last. Between two of these reads time passes.
    pub fn observe(&mut self) -> Option<Observation> {
        let deployed = self.update.as_ref()?.deployed.clone();
        self.passes(self.now + BETWEEN_READS);
        let stack = self.update.as_ref()?.stack.clone();
        self.passes(self.now + BETWEEN_READS);
        let provisioned = self.update.as_ref()?.provisioned.clone();
        Some(Observation {
            deployments: vec![deployed],
            stack,
            aliases: vec![self.get_alias(0)],
            provisioned: vec![provisioned],
        })
    }

    /// Whether CodeDeploy and the stack may be asked.
    pub fn is_deaf(&self) -> bool {
        self.is_out(Service::CodeDeploy)
    }
}
