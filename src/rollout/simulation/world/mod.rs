//! The world beside the machine: aliases, the journal's object, metrics and alarms, the stack, and
//! CodeDeploy where that moves the alias. It answers as AWS documents it, and writes down what happened.

mod lambda;
mod metrics;
mod s3;
mod stack;
mod update;

use std::sync::Arc;
use std::time::Duration;

use super::fault::{Deed, Service};
use super::history::{Happened, Line, Who};
use super::scenario::{Conditions, Scenario};
use crate::rollout::content::{Content, Seen};
use crate::rollout::names::{Time, Version, Weight};
use crate::rollout::plan::Plan;
use crate::rollout::state::State;

pub use metrics::ALARM;
pub use s3::Put;

/// The world. It can be forked anywhere: two ends of one story are tried from the same middle.
#[derive(Clone, Debug)]
pub struct World {
    /// What time it is.
    pub now: Time,
    /// When the run began.
    pub start: Time,
    /// What happened so far.
    pub lines: Vec<Line>,
    /// The journal's object.
    pub journal: Option<Object>,
    /// What was last moved to the history.
    pub retired: Option<Arc<State>>,
    /// Whether a person deleted the journal.
    pub journal_deleted: bool,
    conditions: Conditions,
    seed: u64,
    aliases: Vec<Alias>,
    etags: u64,
    outages: Vec<(Service, Time)>,
    told: Vec<(usize, Content)>,
    settles: u32,
    update: Option<update::Update>,
    deployment_over: bool,
}

/// An alias and its two versions.
#[derive(Clone, Debug)]
pub struct Alias {
    /// The version that serves when it begins.
    pub old: Version,
    /// The one that is to serve.
    pub new: Version,
    /// What it says; `None` when somebody deleted it.
    pub seen: Option<Seen>,
    /// What it said, and since when.
    pub past: Vec<(Time, Option<Content>)>,
    gone: Vec<Version>,
}

/// The journal's object in its bucket.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its tag.
    pub etag: u64,
    /// What tells its writer that it is its own.
    pub nonce: u64,
    /// When it was written, by S3's clock.
    pub modified: Time,
    /// What it says.
    pub state: Arc<State>,
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(scenario: &Scenario, plan: &Plan) -> Self {
        // Some day, not on the minute.
        let start = Time(1_750_000_000_000 + i64::try_from(scenario.seed % 60).unwrap_or(0) * 1000);
        let aliases = super::setting::versions(plan)
            .into_iter()
            .enumerate()
            .map(|(index, (old, new))| {
                let content = Content::whole(old);
                let seen = Seen { content: content.clone(), revision: lambda::revision(index, 0) };
                Alias { old, new, seen: Some(seen), past: vec![(Time(0), Some(content))], gone: Vec::new() }
            })
            .collect();
        let mut world = Self {
            now: start,
            start,
            lines: Vec::new(),
            journal: None,
            retired: None,
            journal_deleted: false,
            conditions: scenario.conditions.clone(),
            seed: scenario.seed,
            aliases,
            etags: 0,
            outages: Vec::new(),
            told: Vec::new(),
            settles: 0,
            update: None,
            deployment_over: false,
        };
        if let (Some(fate), Some(of)) = (scenario.conditions.update, plan.aliases.first()) {
            let (old, new) = (Content::whole(of.old), Content::whole(of.new));
            world.update = Some(update::Update::new(fate, &of.strategy.steps(), &old, &new, start));
            world.with_alarm();
        }
        world
    }

    /// Writes down what happened.
    pub fn note(&mut self, who: Who, what: Happened) {
        self.lines.push(Line { at: self.now, who, what });
    }

    /// The aliases.
    pub fn aliases(&self) -> &[Alias] {
        &self.aliases
    }

    /// A service is out of reach from now on, for so long.
    pub fn cut(&mut self, service: Service, duration: Duration) {
        self.outages.push((service, self.now + duration));
    }

    /// Everything works from here on.
    pub fn calm(&mut self) {
        self.outages.clear();
        self.conditions.missing = false;
        self.conditions.alarm_gone_s = None;
        self.settles = self.settles.max(1);
    }

    /// Whether a service is out of reach now.
    pub fn is_out(&self, service: Service) -> bool {
        self.outages.iter().any(|(out, until)| {
            let meant = *out == service || (*out == Service::AllButLambda && service != Service::Lambda);
            meant && self.now < *until
        })
    }

    /// What a person does.
    pub fn person(&mut self, deed: Deed, index: usize) {
        let index = index.min(self.aliases.len() - 1);
        let (old, new) = (self.aliases[index].old, self.aliases[index].new);
        let content = match deed {
            Deed::Describes => self.aliases[index].seen.as_ref().map(|seen| seen.content.clone()),
            Deed::Weighs(weight) => Some(Content::split(old, new, weight)),
            Deed::PointsToOld => Some(Content::whole(old)),
            Deed::PointsToNew => Some(Content::whole(new)),
            Deed::PointsElsewhere => Some(Content::whole(lambda::third())),
            Deed::AddsThird => self.aliases[index].seen.as_ref().map(|seen| {
                let main = seen.content.version.parse().unwrap_or(old);
                Content::split(main, lambda::third(), Weight::percent(20))
            }),
            Deed::StopsDeployment => return self.stop_deployment(Who::Person),
            Deed::DeletesAlias => return self.delete_alias(index),
            Deed::DeletesNew => return self.delete_version(index, new),
            Deed::DeletesOld => return self.delete_version(index, old),
            Deed::DeletesJournal => {
                if self.journal.take().is_some() {
                    self.journal_deleted = true;
                    self.note(Who::Person, Happened::JournalGone);
                }
                return;
            }
        };
        // The console reads and writes at once; it overwrites whatever there is.
        if let Some(content) = content.filter(|_| self.aliases[index].seen.is_some()) {
            self.set_alias(index, content, Who::Person);
        }
    }
}
