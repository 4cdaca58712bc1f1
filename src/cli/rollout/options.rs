//! What a rollout is judged by, as flags.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::aws::{Aws, ErrorKind};
use crate::cli::exit::Error;
use crate::deploy::samconfig::{self, Section};
use crate::rollout::analysis::{Limit, Metric};
use crate::rollout::names::{NotA, Weight, parse_alarm, parse_count, parse_duration, parse_timeout, show_duration};
use crate::rollout::plan::{Defaults, HookKind, HookTime, OnNoData, OnOutage, WarmUp};
use crate::rollout::strategy::Strategy;
use crate::rollout::{self, Options, codedeploy};
use crate::template::{Map, Node, Value};

/// How it is shifted and judged.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "How it is shifted and judged")]
pub(crate) struct OptionArgs {
    /// AllAtOnce, Canary10Percent5Minutes, Linear10PercentEvery1Minute, …, canary:5%:10m,
    /// linear:20%:2m, steps:1%:5m,10%:10m,pause,50%:10m or codedeploy:NAME, a deployment
    /// configuration of the account [default: Canary10Percent5Minutes]
    #[arg(long, value_name = "STRATEGY", allow_hyphen_values = true)]
    pub(crate) strategy: Option<StrategyArg>,
    /// CloudWatch alarm that takes it back; may be repeated
    #[arg(long, value_name = "NAME", value_parser = parse_alarm)]
    pub(crate) alarm: Vec<String>,
    /// Alarm that may be in ALARM at the start and counts once it has been OK; may be repeated
    #[arg(long, value_name = "NAME", value_parser = parse_alarm)]
    pub(crate) ignore_alarm: Vec<String>,
    /// Bound on the new version: errors=1%, throttles=1%, spillover=1%, async-dropped=1%,
    /// dead-letter-errors=1%, slower:800ms=5%, iterator-age:60s=5% or NAMESPACE/METRIC?DIMENSION=VALUE=1%; may be repeated
    #[arg(long, value_name = "LIMIT", allow_hyphen_values = true)]
    pub(crate) limit: Vec<Limit>,
    /// Custom metric that the versions are compared by, with {version} in a dimension's value:
    /// Shop/Failures?version={version}; may be repeated
    #[arg(long, value_name = "METRIC", value_parser = Metric::to_compare)]
    pub(crate) metric: Vec<Metric>,
    /// How long it is watched at 100 % [default: 5m]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = parse_duration, conflicts_with = "no_bake")]
    pub(crate) bake: Option<Duration>,
    /// Do not watch it at 100 %
    #[arg(long)]
    pub(crate) no_bake: bool,
    /// Requests that the new version has to serve before more is given to it [default: 30]
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true, value_parser = parse_count)]
    pub(crate) min_requests: Option<u64>,
    /// The longest wait for these requests [default: 30m]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = parse_duration)]
    pub(crate) max_hold: Option<Duration>,
    /// What happens when they do not come [default: hold]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) on_no_data: Option<OnNoData>,
    /// What happens when CloudWatch cannot be read for 15 minutes [default: rollback]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) on_metrics_outage: Option<OnOutage>,
    /// Take it back when it is not done after this time
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = parse_timeout)]
    pub(crate) timeout: Option<Duration>,
    /// Check the new version before any traffic: a function, cmd:COMMAND or events:FOLDER; may be repeated
    #[arg(long, value_name = "CHECK", value_parser = HookArg::parse)]
    pub(crate) pre_traffic: Vec<HookArg>,
    /// Check it after the bake, in the same forms; may be repeated
    #[arg(long, value_name = "CHECK", value_parser = HookArg::parse)]
    pub(crate) post_traffic: Vec<HookArg>,
    /// Invoke the new version so often before any traffic
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) warm_up: Option<u32>,
    /// JSON file with the event of the warm-up [default: {}]
    #[arg(long, value_name = "FILE", requires = "warm_up", value_parser = EventFile::parse)]
    pub(crate) warm_up_event: Option<EventFile>,
    /// Write the alias unchanged first, to prove that it may be written
    #[arg(long)]
    pub(crate) probe_permission: bool,
    /// Judge by the metrics and say so, but never go back for it; alarms still count
    #[arg(long)]
    pub(crate) observe_only: bool,
}

/// A strategy, or where one is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum StrategyArg {
    /// As it stands.
    Own(Strategy),
    /// In a deployment configuration of CodeDeploy's with this name.
    Configuration(String),
}

/// What goes before the name of a configuration.
const CONFIGURATION: &str = "codedeploy:";
/// `deploymentConfigName` has at most so many characters.
const LONGEST_CONFIGURATION: usize = 100;

/// Whether CodeDeploy may have a deployment configuration of this name.
pub(crate) fn is_configuration(name: &str) -> bool {
    (1..=LONGEST_CONFIGURATION).contains(&name.len()) && !name.contains(|letter: char| letter.is_control())
}

impl FromStr for StrategyArg {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        match text.strip_prefix(CONFIGURATION) {
            None => text.parse().map(Self::Own),
            Some(name) if is_configuration(name) => Ok(Self::Configuration(name.to_owned())),
            Some(_) => {
                let expected =
                    format!("the name of a deployment configuration (1 to {LONGEST_CONFIGURATION} characters)");
                Err(NotA::new(text, expected, "codedeploy:Linear5PercentEvery3Minutes"))
            }
        }
    }
}

impl fmt::Display for StrategyArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(strategy) => strategy.fmt(f),
            Self::Configuration(name) => write!(f, "{CONFIGURATION}{name}"),
        }
    }
}

impl StrategyArg {
    /// The strategy; a configuration of CodeDeploy's is read.
    pub(crate) async fn read(&self, aws: &Aws) -> Result<Strategy, Error> {
        let name = match self {
            Self::Own(strategy) => return Ok(strategy.clone()),
            Self::Configuration(name) => name,
        };
        match codedeploy::run::strategy(&aws.codedeploy(), name).await {
            Err(rollout::Error::Aws(error)) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Invalid) => {
                Err(Error::Usage(format!("CodeDeploy has no deployment configuration {name:?} here ({self})")))
            }
            other => Ok(other?),
        }
    }
}

/// A check, and how it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HookArg {
    text: String,
    kind: HookKind,
}

impl HookArg {
    fn parse(text: &str) -> Result<Self, NotA> {
        Ok(Self { text: text.to_owned(), kind: text.parse()? })
    }
}

/// An event in a file, and the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EventFile {
    path: String,
    event: serde_json::Value,
}

impl EventFile {
    fn parse(path: &str) -> Result<Self, NotA> {
        let wrong = |reason: String| NotA::new(path, format!("a file with an event ({reason})"), "event.json");
        let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let event = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { path: path.to_owned(), event })
    }
}

/// What SIGINT and SIGTERM do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnInterrupt {
    /// Take it back.
    Rollback,
    /// Leave the weight as it is, to be resumed.
    Hold,
    /// Ask, on a terminal; else take it back.
    Ask,
}

/// A flag, or what the configuration says.
pub(super) fn or<T: Clone>(
    flag: &Option<T>,
    configured: impl FnOnce() -> Result<Option<T>, samconfig::Error>,
) -> Result<Option<T>, samconfig::Error> {
    flag.clone().map_or_else(configured, |flag| Ok(Some(flag)))
}

/// What a text of the configuration means; an empty one is none.
pub(super) fn text<T>(
    section: &Section,
    key: &str,
    parse: impl FnOnce(&str) -> Result<T, NotA>,
) -> Result<Option<T>, samconfig::Error> {
    let text = section.string(key)?.filter(|text| !text.is_empty());
    text.map(|text| parse(&text).map_err(|error| section.error_at(key, error.to_string()))).transpose()
}

/// One of a few words of a configuration.
pub(crate) fn choice<T: ValueEnum>(section: &Section, key: &str) -> Result<Option<T>, samconfig::Error> {
    let Some(given) = section.string(key)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong = |_| {
        let words: Vec<String> = T::value_variants().iter().map(name_of).collect();
        section.error_at(key, format!("`{key}` has to be one of {}, and is {given:?}", words.join(", ")))
    };
    T::from_str(&given, false).map(Some).map_err(wrong)
}

/// The word for a value on the command line.
pub(crate) fn name_of<T: ValueEnum>(value: &T) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

impl OptionArgs {
    /// These over what the configuration says.
    ///
    /// # Errors
    /// A value that has no meaning; the error points at it.
    pub(crate) fn over(&self, section: &Section) -> Result<Self, samconfig::Error> {
        let list = |flags: &[String], key: &str| -> Result<Vec<String>, samconfig::Error> {
            if !flags.is_empty() {
                return Ok(flags.to_vec());
            }
            Ok(section.list(key)?.unwrap_or_default().into_iter().filter(|item| !item.is_empty()).collect())
        };
        let alarms = |flags: &[String], key: &str| -> Result<Vec<String>, samconfig::Error> {
            let wrong = |error: NotA| section.error_at(key, error.to_string());
            list(flags, key)?.iter().map(|name| parse_alarm(name).map_err(wrong)).collect()
        };
        let mut limit = self.limit.clone();
        if limit.is_empty() {
            for text in list(&[], "limit")? {
                limit.push(text.parse().map_err(|error: NotA| section.error_at("limit", error.to_string()))?);
            }
        }
        let mut metric = self.metric.clone();
        if metric.is_empty() {
            for text in list(&[], "metric")? {
                let read = Metric::to_compare(&text).map_err(|error| section.error_at("metric", error.to_string()));
                metric.push(read?);
            }
        }
        let (mut bake, mut no_bake) = (self.bake, self.no_bake);
        if bake.is_none() && !no_bake {
            bake = text(section, "bake", parse_duration)?;
            no_bake = section.boolean("no_bake")?.unwrap_or(false);
            if no_bake && bake.is_some() {
                return Err(section.error_at("no_bake", "bake and no_bake exclude each other"));
            }
        }
        let hooks = |flags: &[HookArg], key: &str| -> Result<Vec<HookArg>, samconfig::Error> {
            if !flags.is_empty() {
                return Ok(flags.to_vec());
            }
            let parse = |text: String| HookArg::parse(&text).map_err(|error| section.error_at(key, error.to_string()));
            list(&[], key)?.into_iter().map(parse).collect()
        };
        let warm_up = match self.warm_up {
            Some(count) => Some(count),
            None => section.integer("warm_up")?.map(|count: u64| u32::try_from(count).unwrap_or(u32::MAX)),
        };
        if warm_up.is_some_and(|count| !(1..=1000).contains(&count)) {
            return Err(section.error_at("warm_up", "`warm_up` goes from 1 to 1000"));
        }
        Ok(Self {
            strategy: or(&self.strategy, || text(section, "strategy", str::parse))?,
            alarm: alarms(&self.alarm, "alarm")?,
            ignore_alarm: alarms(&self.ignore_alarm, "ignore_alarm")?,
            limit,
            metric,
            bake,
            no_bake,
            min_requests: or(&self.min_requests, || section.integer("min_requests"))?,
            max_hold: or(&self.max_hold, || text(section, "max_hold", parse_duration))?,
            on_no_data: or(&self.on_no_data, || choice(section, "on_no_data"))?,
            on_metrics_outage: or(&self.on_metrics_outage, || choice(section, "on_metrics_outage"))?,
            timeout: or(&self.timeout, || text(section, "timeout", parse_timeout))?,
            pre_traffic: hooks(&self.pre_traffic, "pre_traffic")?,
            post_traffic: hooks(&self.post_traffic, "post_traffic")?,
            warm_up,
            warm_up_event: or(&self.warm_up_event, || text(section, "warm_up_event", EventFile::parse))?,
            probe_permission: self.probe_permission || section.boolean("probe_permission")?.unwrap_or(false),
            observe_only: self.observe_only || section.boolean("observe_only")?.unwrap_or(false),
        })
    }

    /// As they are written into a configuration: only what was given.
    pub(crate) fn save(&self, parameters: &mut Map) {
        let lists = [
            ("alarm", self.alarm.clone()),
            ("ignore_alarm", self.ignore_alarm.clone()),
            ("limit", self.limit.iter().map(ToString::to_string).collect()),
            ("metric", self.metric.iter().map(ToString::to_string).collect()),
            ("pre_traffic", self.pre_traffic.iter().map(|hook| hook.text.clone()).collect()),
            ("post_traffic", self.post_traffic.iter().map(|hook| hook.text.clone()).collect()),
        ];
        for (key, items) in lists.into_iter().filter(|(_, items)| !items.is_empty()) {
            parameters.insert(key, Value::List(items.iter().map(|item| Node::from(item.as_str())).collect()));
        }
        let texts = [
            ("strategy", self.strategy.as_ref().map(ToString::to_string)),
            ("bake", self.bake.map(show_duration)),
            ("max_hold", self.max_hold.map(show_duration)),
            ("timeout", self.timeout.map(show_duration)),
            ("on_no_data", self.on_no_data.as_ref().map(name_of)),
            ("on_metrics_outage", self.on_metrics_outage.as_ref().map(name_of)),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                parameters.insert(key, value.as_str());
            }
        }
        for (key, flag) in [
            ("no_bake", self.no_bake),
            ("probe_permission", self.probe_permission),
            ("observe_only", self.observe_only),
        ] {
            if flag {
                parameters.insert(key, true);
            }
        }
        if let Some(count) = self.warm_up {
            parameters.insert("warm_up", i64::from(count));
        }
        if let Some(file) = &self.warm_up_event {
            parameters.insert("warm_up_event", file.path.as_str());
        }
        if let Some(count) = self.min_requests.and_then(|count| i64::try_from(count).ok()) {
            parameters.insert("min_requests", count);
        }
    }

    /// The library's form.
    pub(crate) fn options(&self) -> Options {
        let bake = if self.no_bake { Duration::ZERO } else { self.bake.unwrap_or(Defaults::BAKE) };
        Options {
            alarms: self.alarms(),
            ignored_alarms: self.ignore_alarm.clone(),
            limits: self.limit.clone(),
            metrics: self.metric.clone(),
            bake,
            min_requests: self.min_requests.unwrap_or(Defaults::MIN_REQUESTS),
            max_hold: self.max_hold.unwrap_or(Defaults::MAX_HOLD),
            on_no_data: self.on_no_data,
            on_outage: self.on_metrics_outage.unwrap_or_default(),
            timeout: self.timeout,
            observe_only: self.observe_only,
            probe: self.probe_permission,
            warm_up: self.warm_up.map(|invocations| WarmUp {
                invocations,
                event: self.warm_up_event.as_ref().map_or_else(|| serde_json::json!({}), |file| file.event.clone()),
            }),
            hooks: [(HookTime::BeforeTraffic, &self.pre_traffic), (HookTime::AfterTraffic, &self.post_traffic)]
                .into_iter()
                .flat_map(|(when, hooks)| hooks.iter().map(move |hook| (when, hook.kind.clone())))
                .collect(),
            // They are a template's.
            triggers: Vec::new(),
        }
    }

    /// An alarm that is ignored for now is watched all the same.
    fn alarms(&self) -> Vec<String> {
        let mut alarms = self.alarm.clone();
        alarms.extend(self.ignore_alarm.iter().filter(|name| !self.alarm.contains(name)).cloned());
        alarms
    }

    /// The strategy, or what is taken without one.
    pub(crate) async fn strategy(&self, aws: &Aws) -> Result<Strategy, Error> {
        match &self.strategy {
            Some(strategy) => strategy.read(aws).await,
            None => Ok(Strategy::Canary { weight: Weight::percent(10), hold: Duration::from_secs(300) }),
        }
    }
}
