//! What a rollout is going to do, before it does it: weights and earliest times, what judges, what
//! it cannot see.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::analysis::{ALPHA, Criteria, METRIC_DELAY};
use super::content::Content;
use super::names::{AliasId, Time, Version, Weight, show_duration};
use super::strategy::{Step, Strategy};

/// What happens when the new version gets too few requests to be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum OnNoData {
    /// Stop at this weight and wait for a person.
    #[default]
    Hold,
    /// Go on.
    Continue,
    /// Go back.
    Rollback,
}

/// What happens when CloudWatch cannot be read for [`Plan::outage_s`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum OnOutage {
    /// Go back.
    #[default]
    Rollback,
    /// Stay at this weight until it can be read again.
    Hold,
    /// Go on without.
    Continue,
}

/// What `deploy` needs to bring the stack's template in line once the traffic is where it belongs.
/// It is kept in the journal, so that any process can do it. Values of parameters are not in it:
/// the stack has them (`UsePreviousValue`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlePlan {
    /// The stack.
    pub stack: String,
    /// The settled template's key in the managed bucket.
    pub template_key: String,
    /// Names of the parameters, which all keep their value.
    #[serde(default)]
    pub parameters: Vec<String>,
    /// Capabilities of the update, such as `CAPABILITY_IAM`.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// The role that CloudFormation acts as.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// Topics that are told of the update.
    #[serde(default)]
    pub notification_arns: Vec<String>,
}

/// Who moves the weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// samara, through the Lambda API.
    #[default]
    Alias,
    /// CodeDeploy, during the stack's update; samara watches and stops it.
    CodeDeploy,
}

/// What is sent to a new version before any traffic, so that its environments are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmUp {
    /// How many invocations.
    pub invocations: u32,
    /// The event of each.
    pub event: serde_json::Value,
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookTime {
    /// Before the new version gets any traffic.
    BeforeTraffic,
    /// When it served everything for the time of the bake.
    AfterTraffic,
}

/// What a hook runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum HookKind {
    /// A Lambda function.
    Function {
        /// Its name or ARN.
        name: String,
    },
    /// A command on the machine that drives.
    Command {
        /// Program and arguments.
        command: Vec<String>,
    },
    /// Recorded events with expected answers, sent to the new version.
    Events {
        /// The folder that they are in.
        folder: std::path::PathBuf,
    },
}

/// A check of the new version; when it fails, the old one stays or comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Of which alias (an index into [`Plan::aliases`]).
    pub alias: usize,
    /// When it runs.
    pub when: HookTime,
    /// What it runs.
    pub what: HookKind,
}

impl std::fmt::Display for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.what {
            HookKind::Function { name } => write!(f, "function {name}"),
            HookKind::Command { command } => write!(f, "command {}", command.join(" ")),
            HookKind::Events { folder } => write!(f, "the events in {}", folder.display()),
        }
    }
}

/// A topic, and what it wants to hear of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Of which alias.
    #[serde(flatten)]
    pub id: AliasId,
    /// `TriggerName`.
    pub name: String,
    /// `TriggerTargetArn`.
    pub topic: String,
    /// `TriggerEvents`, such as `DeploymentFailure`.
    pub events: Vec<String>,
}

/// One alias that moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AliasPlan {
    /// Which.
    #[serde(flatten)]
    pub id: AliasId,
    /// The version that serves now.
    pub old: Version,
    /// The version that is to serve.
    pub new: Version,
    /// `CodeSha256` of the new version, to know rejected code again.
    #[serde(default)]
    pub new_code_sha256: Option<String>,
    /// How the weight rises.
    pub strategy: Strategy,
    /// By what it is judged.
    pub criteria: Criteria,
}

/// A step of all aliases together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupStep {
    /// The new version's share, one an alias.
    pub weights: Vec<Weight>,
    /// How long it is held at least.
    pub hold: Duration,
    /// Whether it then waits for a person.
    pub pause: bool,
}

/// Everything that was decided before the first write; it does not change afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Who moves the weight.
    #[serde(default)]
    pub engine: Engine,
    /// What moves, at least one, sorted: the moves within a step are made in this order, and the
    /// first one's journal is that of all.
    pub aliases: Vec<AliasPlan>,
    /// Alarms that take it back.
    pub alarms: Vec<String>,
    /// Of these, those that may be in ALARM until they have been OK once.
    pub ignored_alarms: Vec<String>,
    /// How long it is watched at 100 %.
    pub bake_s: u64,
    /// A step lasts until each new version has served so many requests in judged minutes …
    pub min_requests: u64,
    /// … at most so much longer.
    pub max_hold_s: u64,
    /// And then?
    pub on_no_data: OnNoData,
    /// Without any reading for so long …
    pub outage_s: u64,
    /// … then this.
    pub on_outage: OnOutage,
    /// Whether evidence is only told of, and never acted on.
    #[serde(default)]
    pub observe_only: bool,
    /// Whether each alias is written as it is first, to prove that it may be.
    #[serde(default)]
    pub probe: bool,
    /// What is sent to the new versions before any traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<WarmUp>,
    /// What checks the new versions before and after the traffic.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
    /// Topics that hear of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    /// What is left to be done with the stack at the end.
    pub settle: Option<SettlePlan>,
    /// When it was made.
    pub created: Time,
}

/// What a rollout does unless told otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults;

impl Defaults {
    /// The bake.
    pub const BAKE: Duration = Duration::from_secs(300);
    /// Requests that the new version has to serve.
    pub const MIN_REQUESTS: u64 = 30;
    /// The longest wait for them.
    pub const MAX_HOLD: Duration = Duration::from_secs(1800);
    /// The longest time without a reading.
    pub const OUTAGE: Duration = Duration::from_secs(900);
    /// The accepted chance of a false rollback.
    pub const ALPHA: f64 = ALPHA;
}

/// A line of the plan: a weight, and when it is reached at the earliest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// The new version's share.
    pub weight: Weight,
    /// Seconds after the start, at the earliest.
    pub earliest_s: u64,
    /// How long it is held at least, in seconds.
    pub hold_s: u64,
    /// Whether a person has to go on from here.
    pub pause: bool,
}

impl AliasPlan {
    /// The old version alone.
    pub fn before(&self) -> Content {
        Content::whole(self.old)
    }

    /// The new version alone.
    pub fn after(&self) -> Content {
        Content::whole(self.new)
    }

    /// How many points more errors the first step would notice at the last hour's traffic; `None`
    /// when it could not tell anything.
    pub fn resolution(&self) -> Option<f64> {
        let step = self.strategy.steps().first().copied()?;
        self.criteria.notices_in_step(step.weight.fraction(), step.hold.as_secs()).more()
    }

    fn describe_resolution(&self) -> String {
        match (self.strategy.steps().first(), self.resolution()) {
            (None, _) => "nothing to compare with: only the bake at 100 % and the alarms judge".to_owned(),
            (Some(_), Some(points)) => format!(
                "{} would notice +{:.*} points of errors or more at the last hour's traffic",
                self.strategy,
                if points < 0.0095 { 2 } else { 1 },
                points * 100.0
            ),
            (Some(_), None) => format!(
                "cannot tell at this traffic ({} requests in the last hour) whether the new version is worse in the first step",
                self.criteria.baseline.n
            ),
        }
    }
}

impl Plan {
    /// The aliases that move.
    pub fn ids(&self) -> Vec<AliasId> {
        self.aliases.iter().map(|alias| alias.id.clone()).collect()
    }

    /// The alias whose journal is that of all. A plan without any alias does not pass
    /// [`super::journal`]'s check.
    pub fn first(&self) -> Option<&AliasPlan> {
        self.aliases.first()
    }

    /// The plan of one alias, with its index.
    pub fn of(&self, id: &AliasId) -> Option<(usize, &AliasPlan)> {
        self.aliases.iter().enumerate().find(|(_, alias)| alias.id == *id)
    }

    /// The steps below 100 %. Aliases with one and the same strategy take its steps together; where
    /// they differ, each takes its own at its own time, and all wait for the slowest before the last
    /// raise, which they make together.
    pub fn timeline(&self) -> Vec<GroupStep> {
        let alone: Vec<Vec<Step>> = self.aliases.iter().map(|alias| alias.strategy.steps()).collect();
        let Some(first) = alone.first() else { return Vec::new() };
        if alone.iter().all(|steps| steps == first) {
            return first
                .iter()
                .map(|step| GroupStep { weights: vec![step.weight; alone.len()], hold: step.hold, pause: step.pause })
                .collect();
        }
        let begins = |steps: &[Step]| {
            let mut at = Duration::ZERO;
            steps
                .iter()
                .map(|step| {
                    at += step.hold;
                    (at - step.hold, *step)
                })
                .collect::<Vec<_>>()
        };
        let alone: Vec<Vec<(Duration, Step)>> = alone.iter().map(|steps| begins(steps)).collect();
        let ends = |step: &(Duration, Step)| step.0 + step.1.hold;
        let last = alone.iter().flatten().map(ends).max().unwrap_or_default();
        let pauses = alone.iter().flatten().filter(|step| step.1.pause).map(ends);
        let mut times: Vec<Duration> = alone.iter().flatten().map(|(at, _)| *at).chain(pauses).chain([last]).collect();
        times.sort();
        times.dedup();
        times
            .iter()
            .zip(times.iter().skip(1))
            .map(|(from, to)| {
                let at = |steps: &Vec<(Duration, Step)>| {
                    steps.iter().rev().find(|(begin, _)| begin <= from).map_or(Weight::ZERO, |(_, step)| step.weight)
                };
                let pause = alone.iter().flatten().any(|step| step.1.pause && ends(step) == *to);
                GroupStep { weights: alone.iter().map(at).collect(), hold: *to - *from, pause }
            })
            .collect()
    }

    /// The largest weight of a step.
    pub fn weight(&self, step: usize) -> Weight {
        self.timeline().get(step).and_then(|step| step.weights.iter().copied().max()).unwrap_or(Weight::FULL)
    }

    /// What an alias says at a step.
    pub fn content(&self, alias: usize, step: usize) -> Option<Content> {
        let plan = self.aliases.get(alias)?;
        Some(match self.timeline().get(step) {
            Some(step) => Content::split(plan.old, plan.new, step.weights.get(alias).copied().unwrap_or_default()),
            None => plan.after(),
        })
    }

    /// Checks that run at this time, with their index.
    pub fn hooks_at(&self, when: HookTime) -> impl Iterator<Item = (usize, &Hook)> {
        self.hooks.iter().enumerate().filter(move |(_, hook)| hook.when == when)
    }

    /// The barrier: the last step's minutes have to be complete before the last raise.
    pub fn barrier(&self) -> Duration {
        let longest = self.aliases.iter().map(|alias| {
            let longest = Duration::from_millis(alias.criteria.baseline.longest_ms);
            longest.min(Duration::from_secs(alias.criteria.timeout_s))
        });
        METRIC_DELAY + longest.max().unwrap_or_default()
    }

    /// Weights and their earliest times. Where aliases differ, the largest weight of each step.
    pub fn stages(&self) -> Vec<Stage> {
        let mut at = 0;
        let mut stages = Vec::new();
        for step in self.timeline() {
            let hold_s = step.hold.as_secs();
            let weight = step.weights.iter().copied().max().unwrap_or_default();
            stages.push(Stage { weight, earliest_s: at, hold_s, pause: step.pause });
            at += hold_s;
        }
        if !stages.is_empty() {
            at += self.barrier().as_secs();
        }
        stages.push(Stage { weight: Weight::FULL, earliest_s: at, hold_s: self.bake_s, pause: false });
        stages
    }

    /// The time from the first write to the end of the bake, without waits for data or people.
    pub fn shortest(&self) -> Duration {
        let last = self.stages().pop();
        Duration::from_secs(last.map_or(0, |stage| stage.earliest_s + stage.hold_s))
    }

    /// The plan in plain words, a line each.
    pub fn describe(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .aliases
            .iter()
            .map(|alias| {
                format!("{} goes from version {} to version {} by {}", alias.id, alias.old, alias.new, alias.strategy)
            })
            .collect();
        if self.aliases.len() > 1 {
            lines.push("  they step together, and one that is worse takes all of them back".to_owned());
        }
        lines.extend(self.describe_before());
        for stage in self.stages() {
            let at = show_duration(Duration::from_secs(stage.earliest_s));
            let hold = show_duration(Duration::from_secs(stage.hold_s));
            let what = match (stage.weight == Weight::FULL, stage.pause) {
                (true, _) if stage.hold_s == 0 => "to the new version; no bake".to_owned(),
                (true, _) => format!("to the new version, watched for {hold}"),
                (false, true) => format!("held for {hold} at least, then until `samara rollout promote`"),
                (false, false) => format!("held for {hold} at least"),
            };
            lines.push(format!("  +{at:<7} {:>6}  {what}", stage.weight.to_string()));
        }
        for (_, hook) in self.hooks_at(HookTime::AfterTraffic) {
            lines.push(format!("  after it: {hook} has to succeed"));
        }
        lines.extend(self.describe_judges());
        if self.observe_only {
            lines.push("  what the evidence says is told, not acted on; alarms are".to_owned());
        }
        if let Some(settle) = &self.settle {
            lines.push(format!("  then stack {} is settled on the new version", settle.stack));
        }
        lines
    }

    fn describe_before(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.probe {
            lines.push("  before it: each alias is written as it is, to prove that it may be".to_owned());
        }
        if let Some(warm_up) = &self.warm_up {
            lines.push(format!("  before it: {} invocations of each new version", warm_up.invocations));
        }
        for (_, hook) in self.hooks_at(HookTime::BeforeTraffic) {
            lines.push(format!("  before it: {hook} has to succeed"));
        }
        lines
    }

    fn describe_judges(&self) -> Vec<String> {
        let alarms = self.alarms.iter().map(|alarm| {
            let ignored = if self.ignored_alarms.contains(alarm) { " (ignored until it has been OK)" } else { "" };
            format!("alarm {alarm}{ignored}")
        });
        let alarms: Vec<String> = alarms.collect();
        let mut lines = Vec::new();
        for alias in &self.aliases {
            let criteria = &alias.criteria;
            let mut judges = vec![format!("errors of new against old (bound {:.0})", 1.0 / criteria.alpha)];
            judges.extend(criteria.tau_ms().map(|tau_ms| format!("slow requests (over {tau_ms:.0} ms)")));
            judges.extend(criteria.metrics.iter().map(|metric| format!("{metric} of new against old")));
            judges.extend(criteria.limits.iter().map(|limit| format!("limit {limit}")));
            judges.extend(alarms.iter().cloned());
            let of = if self.aliases.len() > 1 { format!("{} ", alias.id) } else { String::new() };
            lines.push(format!("  {of}judged by {}", judges.join(", ")));
            lines.push(format!("  {of}{}", alias.describe_resolution()));
        }
        lines
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rollout::analysis::{Baseline, Metric};

    /// A plan to try things with.
    pub(in crate::rollout) fn plan(strategy: &str) -> Plan {
        let baseline = Baseline { n: 36_000, errors: 180, phi: 1.0, longest_ms: 900, ..Baseline::default() };
        Plan {
            engine: Engine::Alias,
            aliases: vec![AliasPlan {
                id: AliasId::new("hello".parse().unwrap(), "live".parse().unwrap()),
                old: "7".parse().unwrap(),
                new: "8".parse().unwrap(),
                new_code_sha256: None,
                strategy: strategy.parse().unwrap(),
                criteria: Criteria::new(ALPHA, baseline, 30),
            }],
            alarms: vec!["errors".to_owned()],
            ignored_alarms: Vec::new(),
            bake_s: 300,
            min_requests: 30,
            max_hold_s: 1800,
            on_no_data: OnNoData::Hold,
            outage_s: 900,
            on_outage: OnOutage::Rollback,
            observe_only: false,
            probe: false,
            warm_up: None,
            hooks: Vec::new(),
            triggers: Vec::new(),
            settle: None,
            created: Time(0),
        }
    }

    /// A stack that is to be settled at the end.
    pub(in crate::rollout) fn settle_plan() -> SettlePlan {
        SettlePlan {
            stack: "app".to_owned(),
            template_key: "settled".to_owned(),
            parameters: Vec::new(),
            capabilities: Vec::new(),
            role_arn: None,
            notification_arns: Vec::new(),
        }
    }

    #[test]
    fn a_plan_says_what_it_will_do() {
        insta::assert_snapshot!(plan("steps:1%:5m,10%:10m,pause,50%:10m").describe().join("\n"), @r"
        hello:live goes from version 7 to version 8 by steps:1%:5m,10%:10m,pause,50%:10m
          +0s          1%  held for 5m at least
          +5m         10%  held for 10m at least, then until `samara rollout promote`
          +15m        50%  held for 10m at least
          +28m       100%  to the new version, watched for 5m
          judged by errors of new against old (bound 100), alarm errors
          steps:1%:5m,10%:10m,pause,50%:10m would notice +12.3 points of errors or more at the last hour's traffic
        ");
    }

    #[test]
    fn every_judge_is_named() {
        let mut plan = plan("canary:10%:5m");
        let criteria = &mut plan.aliases[0].criteria;
        criteria.baseline.p95_ms = Some(100.0);
        criteria.limits.push("errors=1%".parse().unwrap());
        criteria.metrics.push(Metric::to_compare("Shop/Failures?version={version}").unwrap());
        let told = plan.describe().into_iter().find(|line| line.contains("judged by")).unwrap();
        for judge in
            ["errors of new", "slow requests (over", "Shop/Failures?version={version} of new", "limit errors=1%"]
        {
            assert!(told.contains(judge), "{judge} is not in {told}");
        }
    }

    #[test]
    fn aliases_with_different_strategies_wait_for_each_other_before_the_last_raise() {
        let mut plan = plan("steps:10%:5m,50%:5m");
        for (function, strategy) in [("other", "canary:20%:7m"), ("third", "AllAtOnce")] {
            let mut alias = plan.aliases[0].clone();
            alias.id.function = function.parse().unwrap();
            alias.strategy = strategy.parse().unwrap();
            plan.aliases.push(alias);
        }
        let told: Vec<String> = plan
            .timeline()
            .iter()
            .map(|step| {
                format!(
                    "{:?} {}",
                    step.weights.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    step.hold.as_secs()
                )
            })
            .collect();
        assert_eq!(told, [r#"["10%", "20%", "0%"] 300"#, r#"["50%", "20%", "0%"] 300"#]);
        assert_eq!(plan.content(2, 0), Some(Content::whole(plan.aliases[2].old)));
        assert_eq!(plan.content(2, 2), Some(Content::whole(plan.aliases[2].new)));
    }

    #[test]
    fn resolution_is_that_of_the_analysis() {
        // 10 requests a second, 0.5 %: +3.5 points, as ANALYSIS has it for these counts.
        let points = plan("Canary10Percent5Minutes").aliases[0].resolution().unwrap();
        assert!((0.028..0.036).contains(&points), "{points}");
        let mut quiet = plan("Canary10Percent5Minutes");
        quiet.aliases[0].criteria.baseline.n = 30;
        assert_eq!(quiet.aliases[0].resolution(), None);
    }
}
