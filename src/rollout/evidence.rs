//! What CloudWatch knows of the two versions, by the minute.

use std::collections::{BTreeMap, BTreeSet};

use super::analysis::alarms::{AlarmReading, AlarmState};
use super::analysis::{self, Baseline, Counts, Minute};
use super::names::{AliasId, AliasName, FunctionName, Time, Version};
use super::plan::{AliasPlan, Plan};
use super::state::{AliasReading, Reading};
use crate::aws;
use crate::aws::cloudwatch::{self, CloudWatch, Series};

/// The hour before is where the old version's ordinary behaviour is read from.
const HOUR_MINUTES: i64 = 60;
/// More is never asked for at once: `GetMetricData` gives 100,800 points a call, and what is older
/// is folded or lost.
const MOST_MINUTES: i64 = 180;

/// What is shown of a rollout that took longer is its last day.
const DAY_MINUTES: i64 = 24 * 60;

type Values = BTreeMap<String, BTreeMap<i64, f64>>;

/// Reads minutes `from` up to now of every alias, and the alarms. From `whole_from` on the aliases have
/// only the new versions, and the series by version are not there any more.
///
/// # Errors
/// Any of them cannot be read.
pub async fn read(
    cloudwatch: &CloudWatch,
    plan: &Plan,
    from: i64,
    whole_from: Option<i64>,
    now: Time,
) -> Result<Reading, aws::Error> {
    let alarms = read_alarms(cloudwatch, &plan.alarms);
    let mut aliases = Vec::new();
    for alias in &plan.aliases {
        aliases.push(read_alias(cloudwatch, alias, from, whole_from, now).await?);
    }
    Ok(Reading { aliases, alarms: alarms.await? })
}

async fn read_alias(
    cloudwatch: &CloudWatch,
    plan: &AliasPlan,
    from: i64,
    whole_from: Option<i64>,
    now: Time,
) -> Result<AliasReading, aws::Error> {
    let from = from.max(now.minute() - MOST_MINUTES);
    let thresholds = plan.criteria.slow_thresholds_ms();
    let AliasId { function, alias } = &plan.id;
    let mut series = counts("o", function, alias, Some(plan.old), &thresholds);
    series.extend(counts("n", function, alias, Some(plan.new), &thresholds));
    series.extend(counts("a", function, alias, None, &thresholds));
    series.push(one("throttles", "Throttles", "Sum", dimensions(function, alias, None), 60));
    series.push(one("longest", "Duration", "Maximum", dimensions(function, alias, None), 60));
    let until = now.minute() + 1;
    let values = match from >= until {
        true => Values::new(),
        false => cloudwatch.metric_data(&series, from * 60, until * 60).await?,
    };
    Ok(AliasReading { minutes: minutes(&values, whole_from, now), longest_ms: longest_ms(&values) })
}

/// The alarms' states; one that is not there is [`AlarmState::Missing`].
///
/// # Errors
/// CloudWatch cannot be read.
pub async fn read_alarms(cloudwatch: &CloudWatch, names: &[String]) -> Result<Vec<AlarmReading>, aws::Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let found = cloudwatch.alarms(names).await?;
    Ok(names
        .iter()
        .map(|name| {
            let alarm = found.iter().find(|alarm| alarm.name == *name);
            let state = alarm.map_or(AlarmState::Missing, |alarm| match alarm.state {
                cloudwatch::AlarmState::Ok => AlarmState::Ok,
                cloudwatch::AlarmState::Alarm => AlarmState::Alarm,
                cloudwatch::AlarmState::InsufficientData => AlarmState::InsufficientData,
            });
            AlarmReading {
                name: name.clone(),
                state,
                reason: alarm.map(|alarm| alarm.reason.clone()).unwrap_or_default(),
            }
        })
        .collect())
}

/// What the alias did in the hour before `now`, while it was wholly on the old version.
///
/// # Errors
/// CloudWatch cannot be read.
pub async fn baseline(
    cloudwatch: &CloudWatch,
    function: &FunctionName,
    alias: &AliasName,
    now: Time,
) -> Result<Baseline, aws::Error> {
    let (from, until) = (now.minute() - HOUR_MINUTES, now.minute());
    let whole = || dimensions(function, alias, None);
    let mut series = counts("o", function, alias, None, &[]);
    series.push(one("throttles", "Throttles", "Sum", whole(), 60));
    series.push(one("longest", "Duration", "Maximum", whole(), 60));
    // A percentile of an hour is not one of its minutes: it is asked for as such.
    series.push(one("p95", "Duration", "p95", whole(), 3600));
    let values = cloudwatch.metric_data(&series, from * 60, until * 60).await?;
    let p95_ms = values.get("p95").and_then(|points| points.values().copied().reduce(f64::max));
    let read = minutes(&values, None, now);
    let mut baseline = analysis::baseline(&read, p95_ms, longest_ms(&values));
    if let Some(p95_ms) = baseline.p95_ms {
        let slow = [one("slow", "Duration", &over(p95_ms * 1.2), whole(), 60)];
        let values = cloudwatch.metric_data(&slow, from * 60, until * 60).await?;
        let slow: f64 = values.get("slow").map(|points| points.values().sum()).unwrap_or_default();
        baseline.slow_share = (slow / baseline.n.max(1) as f64).clamp(0.0, 1.0);
    }
    Ok(baseline)
}

/// The 99th percentile of an alias's durations in a minute, in milliseconds. It is for people and
/// judges nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Percentiles {
    /// Of the old version, while both serve.
    pub old: Option<f64>,
    /// Of the new version, while both serve.
    pub new: Option<f64>,
    /// Of all that went through the alias.
    pub alias: Option<f64>,
}

/// Reads the 99th percentiles of both versions' durations, minute by minute.
///
/// # Errors
/// CloudWatch cannot be read.
pub async fn percentiles(
    cloudwatch: &CloudWatch,
    plan: &AliasPlan,
    (from, until): (Time, Time),
) -> Result<BTreeMap<i64, Percentiles>, aws::Error> {
    let AliasId { function, alias } = &plan.id;
    let p99 = |id, version| one(id, "Duration", "p99", dimensions(function, alias, version), 60);
    let series = [p99("o", Some(plan.old)), p99("n", Some(plan.new)), p99("a", None)];
    let until = until.minute() + 1;
    let from = from.minute().max(until - DAY_MINUTES);
    let values = cloudwatch.metric_data(&series, from * 60, until * 60).await?;
    let mut minutes: BTreeMap<i64, Percentiles> = BTreeMap::new();
    for (id, points) in &values {
        for (second, value) in points.iter().filter(|(_, value)| value.is_finite()) {
            let minute = minutes.entry(second.div_euclid(60)).or_default();
            match id.as_str() {
                "o" => minute.old = Some(*value),
                "n" => minute.new = Some(*value),
                _ => minute.alias = Some(*value),
            }
        }
    }
    Ok(minutes)
}

fn dimensions(function: &FunctionName, alias: &AliasName, version: Option<Version>) -> Vec<(String, String)> {
    let mut dimensions =
        vec![("FunctionName".to_owned(), function.to_string()), ("Resource".to_owned(), format!("{function}:{alias}"))];
    dimensions.extend(version.map(|version| ("ExecutedVersion".to_owned(), version.to_string())));
    dimensions
}

fn one(id: &str, metric: &str, statistic: &str, dimensions: Vec<(String, String)>, period_s: i32) -> Series {
    Series {
        id: id.to_owned(),
        namespace: "AWS/Lambda".to_owned(),
        metric: metric.to_owned(),
        dimensions,
        statistic: statistic.to_owned(),
        period_s,
    }
}

/// How many values are above a threshold (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html).
fn over(threshold_ms: f64) -> String {
    format!("TC({threshold_ms}:)")
}

fn counts(
    prefix: &str,
    function: &FunctionName,
    alias: &AliasName,
    version: Option<Version>,
    thresholds_ms: &[f64],
) -> Vec<Series> {
    let of = || dimensions(function, alias, version);
    let mut series = vec![
        one(&format!("{prefix}n"), "Invocations", "Sum", of(), 60),
        one(&format!("{prefix}e"), "Errors", "Sum", of(), 60),
    ];
    series.extend(
        thresholds_ms
            .iter()
            .enumerate()
            .map(|(index, threshold)| one(&format!("{prefix}s{index}"), "Duration", &over(*threshold), of(), 60)),
    );
    series
}

fn count(value: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, cut at both ends")]
    if value.is_finite() { value.clamp(0.0, 1e15).round() as u64 } else { 0 }
}

fn longest_ms(values: &Values) -> u64 {
    let points = values.get("longest").map(BTreeMap::values).into_iter().flatten();
    count(points.copied().fold(0.0, f64::max).ceil())
}

fn minutes(values: &Values, whole_from: Option<i64>, now: Time) -> Vec<Minute> {
    let times: BTreeSet<i64> = values
        .iter()
        .filter(|(id, _)| *id != "p95")
        .flat_map(|(_, points)| points.keys().map(|second| second.div_euclid(60)))
        // The minute that is not over yet tells nothing.
        .filter(|minute| *minute < now.minute())
        .collect();
    let of = |prefix: &str, minute: i64| {
        let at = |id: &str| values.get(&format!("{prefix}{id}")).and_then(|points| points.get(&(minute * 60))).copied();
        let n = count(at("n")?);
        let slow = (0..).map_while(|index| {
            let id = format!("s{index}");
            values.contains_key(&format!("{prefix}{id}")).then(|| count(at(&id).unwrap_or(0.0)).min(n))
        });
        // A minute with invocations has a data point for Errors, if only of zero; where there is
        // none yet, the minute is not complete.
        Some(Counts { n, errors: count(at("e")?).min(n), slow: slow.collect() })
    };
    times
        .into_iter()
        .map(|minute| {
            let whole = whole_from.is_some_and(|from| minute >= from);
            let throttles = values.get("throttles").and_then(|points| points.get(&(minute * 60))).copied();
            Minute {
                minute,
                old: if whole { None } else { of("o", minute) },
                new: of(if whole { "a" } else { "n" }, minute),
                throttles: count(throttles.unwrap_or(0.0)),
                whole,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(points: &[(&str, i64, f64)]) -> Values {
        let mut values = Values::new();
        for (id, minute, value) in points {
            values.entry((*id).to_owned()).or_default().insert(minute * 60, *value);
        }
        values
    }

    #[test]
    fn no_data_point_is_not_zero() {
        let values = values(&[("on", 1, 50.0), ("oe", 1, 2.0), ("nn", 2, 4.0), ("ne", 2, 0.0), ("on", 3, 9.0)]);
        let read = minutes(&values, None, Time::of_minute(4));
        let counts = |n, errors| Some(Counts { n, errors, slow: Vec::new() });
        assert_eq!(read.iter().map(|minute| minute.old.clone()).collect::<Vec<_>>(), [counts(50, 2), None, None]);
        assert_eq!(read.iter().map(|minute| minute.new.clone()).collect::<Vec<_>>(), [None, counts(4, 0), None]);
    }

    #[test]
    fn at_100_percent_the_aliases_series_is_the_new_versions() {
        let values = values(&[
            ("nn", 1, 5.0),
            ("ne", 1, 1.0),
            ("an", 1, 60.0),
            ("ae", 1, 1.0),
            ("an", 2, 70.0),
            ("ae", 2, 3.0),
            ("an", 3, 1.0),
        ]);
        let read = minutes(&values, Some(2), Time::of_minute(3));
        assert_eq!(read.len(), 2, "the minute that is not over is left out");
        assert_eq!((read[0].new.as_ref().unwrap().n, read[1].new.as_ref().unwrap().n), (5, 70));
        assert!(read[1].whole && read[1].old.is_none());
    }

    #[test]
    fn values_that_are_none_are_survived() {
        assert_eq!([f64::NAN, -1.0, f64::INFINITY, 2.4].map(count), [0, 0, 0, 2]);
    }
}
