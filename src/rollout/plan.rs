//! What a rollout is going to do, before it does it: weights and earliest times, what judges, what
//! it cannot see.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::analysis::sequential::{Parameters, resolution};
use super::analysis::{ALPHA, Criteria, METRIC_DELAY};
use super::content::Content;
use super::names::{AliasName, FunctionName, Time, Version, Weight, show_duration};
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

/// Everything that was decided before the first write; it does not change afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The function.
    pub function: FunctionName,
    /// Its alias.
    pub alias: AliasName,
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
    /// Alarms that take it back.
    pub alarms: Vec<String>,
    /// Of these, those that may be in ALARM until they have been OK once.
    pub ignored_alarms: Vec<String>,
    /// How long it is watched at 100 %.
    pub bake_s: u64,
    /// A step lasts until the new version has served so many requests in judged minutes …
    pub min_requests: u64,
    /// … at most so much longer.
    pub max_hold_s: u64,
    /// And then?
    pub on_no_data: OnNoData,
    /// Without any reading for so long …
    pub outage_s: u64,
    /// … then this.
    pub on_outage: OnOutage,
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

impl Plan {
    /// The steps below 100 %.
    pub fn steps(&self) -> Vec<Step> {
        self.strategy.steps()
    }

    /// The weight of a step.
    pub fn weight(&self, step: usize) -> Weight {
        self.steps().get(step).map_or(Weight::FULL, |step| step.weight)
    }

    /// What the alias says at a step.
    pub fn content(&self, step: usize) -> Content {
        match self.steps().get(step) {
            Some(step) => Content::split(self.old, self.new, step.weight),
            None => Content::whole(self.new),
        }
    }

    /// The barrier: the last step's minutes have to be complete before the last raise.
    pub fn barrier(&self) -> Duration {
        let longest = Duration::from_millis(self.criteria.baseline.longest_ms);
        METRIC_DELAY + longest.min(Duration::from_secs(self.criteria.timeout_s))
    }

    /// Weights and their earliest times.
    pub fn stages(&self) -> Vec<Stage> {
        let mut at = 0;
        let mut stages = Vec::new();
        for step in self.steps() {
            let hold_s = step.hold.as_secs();
            stages.push(Stage { weight: step.weight, earliest_s: at, hold_s, pause: step.pause });
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

    /// How many points more errors the first step would notice at the last hour's traffic; `None`
    /// when it could not tell anything.
    pub fn resolution(&self) -> Option<f64> {
        let step = self.steps().first().copied()?;
        let baseline = &self.criteria.baseline;
        let minutes = (step.hold.as_secs_f64() / 60.0).max(1.0);
        let n = baseline.n as f64 / 60.0 * minutes;
        let (new_n, old_n) = (n * step.weight.fraction(), n * (1.0 - step.weight.fraction()));
        if new_n < 1.0 {
            return None;
        }
        let rate = baseline.errors as f64 / (baseline.n as f64).max(1.0);
        let parameters = Parameters::errors(self.criteria.alpha, baseline.phi.max(1.0));
        let noticed = resolution(&parameters, old_n, old_n * rate, new_n, 0.6);
        (noticed <= 1.0).then_some((noticed - rate).max(0.0))
    }

    /// The plan in plain words, a line each.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{}:{} goes from version {} to version {} by {}",
            self.function, self.alias, self.old, self.new, self.strategy
        )];
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
        lines.push(self.describe_judges());
        let percent = |rate: f64| rate * 100.0;
        match (self.steps().first(), self.resolution()) {
            (None, _) => {
                lines.push("  nothing to compare with: only the bake at 100 % and the alarms judge".to_owned());
            }
            (Some(_), Some(points)) => {
                lines.push(format!(
                    "  {} would notice +{:.1} points of errors or more at the last hour's traffic",
                    self.strategy,
                    percent(points)
                ));
            }
            (Some(_), None) => lines.push(format!(
                "  {} requests in the last hour: the first step alone cannot tell a worse version",
                self.criteria.baseline.n
            )),
        }
        if let Some(settle) = &self.settle {
            lines.push(format!("  then stack {} is settled on the new version", settle.stack));
        }
        lines
    }

    fn describe_judges(&self) -> String {
        let mut judges = vec![format!("errors of new against old (bound {:.0})", 1.0 / self.criteria.alpha)];
        if self.criteria.tau_ms().is_some() {
            judges.push(format!("slow requests (over {:.0} ms)", self.criteria.tau_ms().unwrap_or_default()));
        }
        judges.extend(self.criteria.limits.iter().map(|limit| format!("limit {limit}")));
        judges.extend(self.alarms.iter().map(|alarm| {
            let ignored = if self.ignored_alarms.contains(alarm) { " (ignored until it has been OK)" } else { "" };
            format!("alarm {alarm}{ignored}")
        }));
        format!("  judged by {}", judges.join(", "))
    }
}

/// What was found out about the function before anything is touched.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// What the alias says.
    pub content: Content,
    /// The old version, when it exists.
    pub old: Option<VersionFacts>,
    /// The new version, when it exists.
    pub new: Option<VersionFacts>,
    /// Whether the alias has provisioned concurrency.
    pub provisioned: bool,
}

/// What matters of a published version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionFacts {
    /// The execution role's ARN.
    pub role: String,
    /// The dead-letter target's ARN, empty for none.
    pub dead_letter: String,
    /// `CodeSha256`.
    pub code_sha256: String,
    /// The timeout in seconds.
    pub timeout_s: u64,
    /// `Pending`, `Active`, `Inactive`, `Failed`.
    pub state: String,
    /// Why, in Lambda's words.
    pub state_reason: String,
}

/// A reason not to begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The alias serves the new version already.
    #[error("{alias} serves version {new} already")]
    NothingToDo {
        /// The alias.
        alias: String,
        /// The version.
        new: Version,
    },
    /// Somebody left weights, or another rollout is at it.
    #[error("{alias} already routes to two versions ({content})")]
    WeightsPresent {
        /// The alias.
        alias: String,
        /// What it says.
        content: Content,
    },
    /// The alias is on something that cannot share its traffic.
    #[error("{alias} points to {version}, which cannot share traffic with a published version")]
    NotPublished {
        /// The alias.
        alias: String,
        /// What it points to.
        version: String,
    },
    /// A version is not there.
    #[error("version {version} of {function} does not exist")]
    NoVersion {
        /// The function.
        function: FunctionName,
        /// The version.
        version: Version,
    },
    /// Lambda could not make the new version ready.
    #[error("version {version} is {state}: {reason}")]
    NotUsable {
        /// The version.
        version: Version,
        /// Its state.
        state: String,
        /// Lambda's reason.
        reason: String,
    },
    /// Lambda splits traffic only between versions with one role.
    #[error(
        "versions {old} and {new} have different {what} ({old_value} and {new_value}): Lambda does not split traffic between them"
    )]
    Differ {
        /// The old version.
        old: Version,
        /// The new version.
        new: Version,
        /// `execution roles` or `dead-letter targets`.
        what: &'static str,
        /// The old one's.
        old_value: String,
        /// The new one's.
        new_value: String,
    },
    /// Lambda shifts such aliases by itself.
    #[error("{alias} has provisioned concurrency: Lambda would add weights of its own while it allocates")]
    Provisioned {
        /// The alias.
        alias: String,
    },
    /// An alarm fires already.
    #[error("alarm {name} is in ALARM already{}", if reason.is_empty() { String::new() } else { format!(": {reason}") })]
    AlarmFires {
        /// The alarm.
        name: String,
        /// CloudWatch's reason.
        reason: String,
    },
    /// An alarm is not there.
    #[error("there is no alarm {name}")]
    NoAlarm {
        /// The alarm.
        name: String,
    },
}

impl crate::hint::Hint for Refusal {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NothingToDo { .. } => return Vec::new(),
            Self::WeightsPresent { .. } => {
                "See `samara rollout status`; `samara rollout rollback` makes the alias whole again on its main version."
            }
            Self::NotPublished { .. } => "Publish a version and point the alias to it first.",
            Self::NoVersion { .. } => "`aws lambda list-versions-by-function` lists what there is.",
            Self::NotUsable { .. } => {
                "Mend the cause and publish again; Lambda does not publish a failed version again from the same code."
            }
            Self::Differ { .. } => "Only `--strategy AllAtOnce` can move the alias between them.",
            Self::Provisioned { .. } => {
                "CodeDeploy can move such an alias: keep the template's DeploymentPreference with the codedeploy engine."
            }
            Self::AlarmFires { name, .. } => {
                return vec![format!("To deploy the fix for this very incident, add --ignore-alarm {name}.")];
            }
            Self::NoAlarm { .. } => "Check the alarm's name and region; an alarm that cannot be read is not OK.",
        };
        vec![hint.to_owned()]
    }
}

/// Everything that speaks against beginning, from what was found out.
pub fn refusals(
    function: &FunctionName,
    alias: &AliasName,
    old: Version,
    new: Version,
    all_at_once: bool,
    facts: &Facts,
) -> Vec<Refusal> {
    let name = || format!("{function}:{alias}");
    let mut refusals = Vec::new();
    if facts.content.is_split() {
        return vec![Refusal::WeightsPresent { alias: name(), content: facts.content.clone() }];
    }
    if old == new {
        return vec![Refusal::NothingToDo { alias: name(), new }];
    }
    if facts.provisioned {
        refusals.push(Refusal::Provisioned { alias: name() });
    }
    for (version, found) in [(old, &facts.old), (new, &facts.new)] {
        match found {
            None => refusals.push(Refusal::NoVersion { function: function.clone(), version }),
            Some(found) if found.state == "Failed" => refusals.push(Refusal::NotUsable {
                version,
                state: found.state.clone(),
                reason: found.state_reason.clone(),
            }),
            Some(_) => {}
        }
    }
    if let (Some(of_old), Some(of_new), false) = (&facts.old, &facts.new, all_at_once) {
        let pairs = [
            ("execution roles", &of_old.role, &of_new.role),
            ("dead-letter targets", &of_old.dead_letter, &of_new.dead_letter),
        ];
        for (what, old_value, new_value) in pairs {
            if old_value != new_value {
                let shown = |value: &String| if value.is_empty() { "none".to_owned() } else { value.clone() };
                let (old_value, new_value) = (shown(old_value), shown(new_value));
                refusals.push(Refusal::Differ { old, new, what, old_value, new_value });
            }
        }
    }
    refusals
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rollout::analysis::Baseline;

    /// A plan to try things with.
    pub(in crate::rollout) fn plan(strategy: &str) -> Plan {
        let baseline = Baseline { n: 36_000, errors: 180, phi: 1.0, longest_ms: 900, ..Baseline::default() };
        Plan {
            function: "hello".parse().unwrap(),
            alias: "live".parse().unwrap(),
            old: "7".parse().unwrap(),
            new: "8".parse().unwrap(),
            new_code_sha256: None,
            strategy: strategy.parse().unwrap(),
            criteria: Criteria { alpha: ALPHA, limits: Vec::new(), baseline, timeout_s: 30 },
            alarms: vec!["errors".to_owned()],
            ignored_alarms: Vec::new(),
            bake_s: 300,
            min_requests: 30,
            max_hold_s: 1800,
            on_no_data: OnNoData::Hold,
            outage_s: 900,
            on_outage: OnOutage::Rollback,
            settle: None,
            created: Time(0),
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
    fn resolution_is_that_of_the_analysis() {
        // 10 requests a second, 0.5 %: +3.5 points, as ANALYSIS has it for these counts.
        let points = plan("Canary10Percent5Minutes").resolution().unwrap();
        assert!((0.028..0.036).contains(&points), "{points}");
        let mut quiet = plan("Canary10Percent5Minutes");
        quiet.criteria.baseline.n = 30;
        assert_eq!(quiet.resolution(), None);
    }

    #[test]
    fn everything_that_speaks_against_it_is_named_at_once() {
        let plan = plan("AllAtOnce");
        let version =
            |role: &str| VersionFacts { role: role.to_owned(), state: "Active".to_owned(), ..VersionFacts::default() };
        let facts = Facts {
            content: Content::whole(plan.old),
            old: Some(version("a")),
            new: Some(version("b")),
            provisioned: true,
        };
        let found = refusals(&plan.function, &plan.alias, plan.old, plan.new, false, &facts);
        assert!(matches!(
            found.as_slice(),
            [Refusal::Provisioned { .. }, Refusal::Differ { what: "execution roles", .. }]
        ));
        let split = Facts { content: Content::split(plan.old, plan.new, Weight::percent(10)), ..facts.clone() };
        let found = refusals(&plan.function, &plan.alias, plan.old, plan.new, false, &split);
        assert!(matches!(found.as_slice(), [Refusal::WeightsPresent { .. }]));
        let gone = Facts { new: None, provisioned: false, ..facts };
        let found = refusals(&plan.function, &plan.alias, plan.old, plan.new, true, &gone);
        assert!(matches!(found.as_slice(), [Refusal::NoVersion { .. }]));
    }
}
