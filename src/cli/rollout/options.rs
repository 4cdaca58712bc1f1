//! What a rollout is judged by, as flags.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::rollout::Options;
use crate::rollout::analysis::limits::Limit;
use crate::rollout::names::parse_duration;
use crate::rollout::plan::{Defaults, OnNoData, OnOutage};
use crate::rollout::strategy::Strategy;

/// How it is shifted and judged.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "How it is shifted and judged")]
pub(crate) struct OptionArgs {
    /// AllAtOnce, Canary10Percent5Minutes, Linear10PercentEvery1Minute, …, canary:5%:10m,
    /// linear:20%:2m or steps:1%:5m,10%:10m,pause,50%:10m [default: Canary10Percent5Minutes]
    #[arg(long, value_name = "STRATEGY")]
    pub(crate) strategy: Option<Strategy>,
    /// CloudWatch alarm that takes it back; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) alarm: Vec<String>,
    /// Alarm that may be in ALARM at the start and counts once it has been OK; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) ignore_alarm: Vec<String>,
    /// Bound on the new version: errors=1%, throttles=1% or slower:800ms=5%; may be repeated
    #[arg(long, value_name = "LIMIT")]
    pub(crate) limit: Vec<Limit>,
    /// How long it is watched at 100 % [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "no_bake")]
    pub(crate) bake: Option<Duration>,
    /// Do not watch it at 100 %
    #[arg(long)]
    pub(crate) no_bake: bool,
    /// Requests that the new version has to serve before more is given to it [default: 30]
    #[arg(long, value_name = "COUNT")]
    pub(crate) min_requests: Option<u64>,
    /// The longest wait for these requests [default: 30m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) max_hold: Option<Duration>,
    /// What happens when they do not come
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    pub(crate) on_no_data: OnNoData,
    /// What happens when CloudWatch cannot be read for 15 minutes
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    pub(crate) on_metrics_outage: OnOutage,
    /// Take it back when it is not done after this time
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,
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

impl OptionArgs {
    /// The library's form.
    pub(crate) fn options(&self) -> Options {
        let bake = if self.no_bake { Duration::ZERO } else { self.bake.unwrap_or(Defaults::BAKE) };
        Options {
            alarms: self.alarms(),
            ignored_alarms: self.ignore_alarm.clone(),
            limits: self.limit.clone(),
            bake,
            min_requests: self.min_requests.unwrap_or(Defaults::MIN_REQUESTS),
            max_hold: self.max_hold.unwrap_or(Defaults::MAX_HOLD),
            on_no_data: self.on_no_data,
            on_outage: self.on_metrics_outage,
            timeout: self.timeout,
        }
    }

    /// An alarm that is ignored for now is watched all the same.
    fn alarms(&self) -> Vec<String> {
        let mut alarms = self.alarm.clone();
        alarms.extend(self.ignore_alarm.iter().filter(|name| !self.alarm.contains(name)).cloned());
        alarms
    }

    /// The strategy, or what is taken without one.
    pub(crate) fn strategy(&self) -> Strategy {
        self.strategy.clone().unwrap_or(Strategy::Canary {
            weight: crate::rollout::names::Weight::percent(10),
            hold: Duration::from_secs(300),
        })
    }
}
