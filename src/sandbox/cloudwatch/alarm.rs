//! Alarms: what they are, and how data makes their state.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html>

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

/// Entries of an alarm's history that are kept.
const MAX_HISTORY: usize = 100;
/// Further periods that are looked at beside those that decide, so that late data counts.
pub(super) const EXTRA_PERIODS: i64 = 3;

/// What an alarm says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    #[serde(rename = "OK")]
    Ok,
    #[serde(rename = "ALARM")]
    Alarm,
    #[serde(rename = "INSUFFICIENT_DATA")]
    InsufficientData,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Ok, Self::Alarm, Self::InsufficientData].into_iter().find(|state| state.name() == text)
    }
}

/// How a value is compared with the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Comparison {
    #[serde(rename = "GreaterThanOrEqualToThreshold")]
    AtLeast,
    #[serde(rename = "GreaterThanThreshold")]
    Above,
    #[serde(rename = "LessThanThreshold")]
    Below,
    #[serde(rename = "LessThanOrEqualToThreshold")]
    AtMost,
}

impl Comparison {
    fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::AtLeast => value >= threshold,
            Self::Above => value > threshold,
            Self::Below => value < threshold,
            Self::AtMost => value <= threshold,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::AtLeast => "greater than or equal to",
            Self::Above => "greater than",
            Self::Below => "less than",
            Self::AtMost => "less than or equal to",
        }
    }
}

/// What a period without data counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Missing {
    #[default]
    #[serde(rename = "missing")]
    Unknown,
    Ignore,
    Breaching,
    NotBreaching,
}

/// When an alarm on data breaches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Condition {
    pub(super) comparison: Comparison,
    pub(super) threshold: f64,
    /// N.
    pub(super) evaluation_periods: usize,
    /// M of them.
    pub(super) datapoints_to_alarm: usize,
    pub(super) missing: Missing,
    /// Seconds.
    pub(super) period_s: i64,
}

/// What an alarm watches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Watch {
    /// One metric or a math expression, in GetMetricData's form; the one query that returns data
    /// decides.
    Data { condition: Condition, queries: Value },
    /// Other alarms.
    Rule(String),
}

/// An alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Alarm {
    pub(super) name: String,
    pub(super) arn: String,
    /// The parameters as they were put, for DescribeAlarms.
    pub(super) parameters: Value,
    pub(super) watch: Watch,
    pub(super) actions_enabled: bool,
    pub(super) state: State,
    pub(super) reason: String,
    pub(super) reason_data: Option<String>,
    pub(super) configured_ms: i64,
    pub(super) state_updated_ms: i64,
    pub(super) transitioned_ms: i64,
    pub(super) tags: Vec<(String, String)>,
    pub(super) history: Vec<History>,
    /// The minute (ms) of the last look.
    pub(super) evaluated_ms: i64,
}

/// Something that happened to an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct History {
    pub(super) time_ms: i64,
    /// `StateUpdate`, `ConfigurationUpdate`.
    pub(super) kind: String,
    pub(super) summary: String,
    pub(super) data: String,
}

/// A new state with its reason.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) state: State,
    pub(super) reason: String,
    pub(super) data: Option<Value>,
}

impl Alarm {
    pub(super) fn is_composite(&self) -> bool {
        matches!(self.watch, Watch::Rule(_))
    }

    pub(super) fn remember(&mut self, time_ms: i64, kind: &str, summary: String, data: Value) {
        self.history.push(History { time_ms, kind: kind.to_owned(), summary, data: data.to_string() });
        let surplus = self.history.len().saturating_sub(MAX_HISTORY);
        self.history.drain(..surplus);
    }

    /// Takes on a state. Gives whether it is another one than before.
    pub(super) fn set(&mut self, now_ms: i64, verdict: Verdict) -> bool {
        let before = (self.state, self.reason.clone());
        let changed = before.0 != verdict.state;
        self.state = verdict.state;
        self.reason = verdict.reason;
        self.reason_data = verdict.data.as_ref().map(Value::to_string);
        self.state_updated_ms = now_ms;
        if changed {
            self.transitioned_ms = now_ms;
            let mut new = json!({"stateValue": self.state.name(), "stateReason": self.reason});
            if let Some(data) = verdict.data {
                new["stateReasonData"] = data;
            }
            let old = json!({"stateValue": before.0.name(), "stateReason": before.1});
            let summary = format!("Alarm updated from {} to {}", before.0.name(), self.state.name());
            self.remember(now_ms, "StateUpdate", summary, json!({"version": "1.0", "oldState": old, "newState": new}));
        }
        changed
    }
}

impl Condition {
    /// The times whose points are looked at, oldest first: complete periods before `now_ms`.
    pub(super) fn periods(&self, now_ms: i64) -> Vec<i64> {
        let period_ms = self.period_s * 1000;
        let end = now_ms.div_euclid(period_ms) * period_ms;
        let count = i64::try_from(self.evaluation_periods).unwrap_or(i64::MAX).saturating_add(EXTRA_PERIODS);
        (1..=count).rev().map(|back| end - back * period_ms).collect()
    }

    /// The state that points give; `None` keeps the one that is. `points` has an entry for each of
    /// [`Self::periods`].
    pub(super) fn judge(&self, points: &[(i64, Option<f64>)], old: State) -> Option<Verdict> {
        let (n, m) = (self.evaluation_periods, self.datapoints_to_alarm);
        let real: Vec<(i64, f64)> = points.iter().filter_map(|(time, value)| Some((*time, (*value)?))).collect();
        // The newest real points decide; what is missing of N is filled in.
        let deciding = &real[real.len().saturating_sub(n)..];
        let filled = n - deciding.len();
        let breaching: Vec<(i64, f64)> =
            deciding.iter().copied().filter(|(_, value)| self.comparison.breaches(*value, self.threshold)).collect();
        let all_breach = !deciding.is_empty() && breaching.len() == deciding.len();
        let state = match self.missing {
            _ if breaching.len() >= m => State::Alarm,
            Missing::Breaching if breaching.len() + filled >= m => State::Alarm,
            Missing::Breaching | Missing::NotBreaching => State::Ok,
            Missing::Unknown if deciding.is_empty() => State::InsufficientData,
            Missing::Ignore if filled > 0 && (deciding.is_empty() || all_breach) => return None,
            Missing::Unknown if filled > 0 && all_breach => State::Alarm,
            Missing::Unknown | Missing::Ignore => State::Ok,
        };
        let shown = if state == State::Alarm { breaching.as_slice() } else { deciding };
        Some(Verdict {
            state,
            reason: self.reason(state, shown, filled, old),
            data: Some(self.reason_data(points, deciding)),
        })
    }

    fn reason(&self, state: State, shown: &[(i64, f64)], filled: usize, old: State) -> String {
        let n = self.evaluation_periods;
        if state == State::InsufficientData {
            return match n {
                1 => "Insufficient Data: 1 datapoint was unknown.".to_owned(),
                n => format!("Insufficient Data: {n} datapoints were unknown."),
            };
        }
        if shown.is_empty() {
            let (periods, points) = match filled {
                1 => ("1 period".to_owned(), "1 missing datapoint was".to_owned()),
                filled => (format!("{filled} periods"), format!("{filled} missing datapoints were")),
            };
            let treated = if self.missing == Missing::Breaching { "Breaching" } else { "NonBreaching" };
            return format!(
                "Threshold Crossed: no datapoints were received for {periods} and {points} treated as [{treated}]."
            );
        }
        let values: Vec<String> =
            shown.iter().rev().map(|(time, value)| format!("{value:?} ({})", short_time(*time))).collect();
        let (k, values) = (shown.len(), values.join(", "));
        let not = if state == State::Alarm { "" } else { "not " };
        let relation = format!("{not}{} the threshold ({:?})", self.comparison.words(), self.threshold);
        if n == 1 {
            return format!("Threshold Crossed: 1 datapoint [{values}] was {relation}.");
        }
        let m = self.datapoints_to_alarm;
        let (noun, verb) = if k == 1 { ("datapoint", "was") } else { ("datapoints", "were") };
        let transition = match (state, old) {
            (State::Alarm, _) => {
                format!(" (minimum {m} datapoint{} for OK -> ALARM transition)", if m == 1 { "" } else { "s" })
            }
            (_, State::Alarm) => {
                let least = n - m + 1;
                format!(" (minimum {least} datapoint{} for ALARM -> OK transition)", if least == 1 { "" } else { "s" })
            }
            _ => String::new(),
        };
        if k == n {
            return format!("Threshold Crossed: {k} {noun} [{values}] {verb} {relation}{transition}.");
        }
        format!("Threshold Crossed: {k} out of the last {n} datapoints [{values}] {verb} {relation}{transition}.")
    }

    fn reason_data(&self, points: &[(i64, Option<f64>)], deciding: &[(i64, f64)]) -> Value {
        let evaluated: Vec<Value> = points
            .iter()
            .rev()
            .take(self.evaluation_periods)
            .map(|(time, value)| match value {
                Some(value) => json!({"timestamp": long_time(*time), "value": value}),
                None => json!({"timestamp": long_time(*time)}),
            })
            .collect();
        json!({
            "version": "1.0",
            "period": self.period_s,
            "recentDatapoints": deciding.iter().map(|(_, value)| *value).collect::<Vec<_>>(),
            "threshold": self.threshold,
            "evaluatedDatapoints": evaluated,
        })
    }
}

fn at(time_ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(time_ms / 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn short_time(time_ms: i64) -> String {
    let format = format_description!("[day]/[month]/[year repr:last_two] [hour]:[minute]:[second]");
    at(time_ms).format(format).unwrap_or_default()
}

/// As in the history and in messages to topics: `2026-01-01T00:00:00.000+0000`.
pub(super) fn long_time(time_ms: i64) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].000+0000");
    at(time_ms).format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `X` breaches, `0` does not, `-` is missing; oldest first.
    fn judge(pattern: &str, m: usize, missing: Missing) -> String {
        let condition = Condition {
            comparison: Comparison::Above,
            threshold: 1.0,
            evaluation_periods: 3,
            datapoints_to_alarm: m,
            missing,
            period_s: 60,
        };
        let points: Vec<(i64, Option<f64>)> = pattern
            .chars()
            .enumerate()
            .map(|(at, c)| {
                (
                    at as i64 * 60_000,
                    match c {
                        'X' => Some(2.0),
                        '0' => Some(0.0),
                        _ => None,
                    },
                )
            })
            .collect();
        condition.judge(&points, State::Ok).map_or("retain".to_owned(), |verdict| verdict.state.name().to_owned())
    }

    #[test]
    fn missing_data_is_treated_as_the_documentation_tabulates_it() {
        use Missing::{Breaching, Ignore, NotBreaching, Unknown as Absent};
        // Pattern, M, then: missing, ignore, breaching, notBreaching.
        let table = [
            ("0-X-X", 3, ["OK", "OK", "OK", "OK"]),
            ("0----", 3, ["OK", "OK", "OK", "OK"]),
            ("-----", 3, ["INSUFFICIENT_DATA", "retain", "ALARM", "OK"]),
            ("0XX-X", 3, ["ALARM", "ALARM", "ALARM", "ALARM"]),
            ("--X--", 3, ["ALARM", "retain", "ALARM", "OK"]),
            ("0-X-X", 2, ["ALARM", "ALARM", "ALARM", "ALARM"]),
            ("00X0X", 2, ["ALARM", "ALARM", "ALARM", "ALARM"]),
            ("0-X--", 2, ["OK", "OK", "ALARM", "OK"]),
            ("----0", 2, ["OK", "OK", "ALARM", "OK"]),
            ("---X-", 2, ["ALARM", "retain", "ALARM", "OK"]),
        ];
        for (pattern, m, expected) in table {
            for (missing, expected) in [Absent, Ignore, Breaching, NotBreaching].into_iter().zip(expected) {
                assert_eq!(judge(pattern, m, missing), expected, "{pattern} {m} of 3, {missing:?}");
            }
        }
    }

    #[test]
    fn reasons_read_as_those_of_aws() {
        let mut condition = Condition {
            comparison: Comparison::Above,
            threshold: 21.0,
            evaluation_periods: 1,
            datapoints_to_alarm: 1,
            missing: Missing::Unknown,
            period_s: 60,
        };
        let reason =
            |condition: &Condition, points: &[(i64, Option<f64>)]| condition.judge(points, State::Ok).unwrap().reason;
        assert_eq!(
            reason(&condition, &[(0, Some(21.5))]),
            "Threshold Crossed: 1 datapoint [21.5 (01/01/70 00:00:00)] was greater than the threshold (21.0)."
        );
        assert_eq!(
            reason(&condition, &[(0, Some(1.0))]),
            "Threshold Crossed: 1 datapoint [1.0 (01/01/70 00:00:00)] was not greater than the threshold (21.0)."
        );
        assert_eq!(reason(&condition, &[(0, None)]), "Insufficient Data: 1 datapoint was unknown.");
        condition.missing = Missing::Breaching;
        condition.evaluation_periods = 2;
        condition.datapoints_to_alarm = 2;
        assert_eq!(
            reason(&condition, &[(0, None), (60_000, None)]),
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as [Breaching]."
        );
        condition.evaluation_periods = 3;
        assert_eq!(
            reason(&condition, &[(0, Some(22.0)), (60_000, Some(1.0)), (120_000, Some(23.0))]),
            "Threshold Crossed: 2 out of the last 3 datapoints [23.0 (01/01/70 00:02:00), 22.0 (01/01/70 00:00:00)] were \
             greater than the threshold (21.0) (minimum 2 datapoints for OK -> ALARM transition)."
        );
    }
}
