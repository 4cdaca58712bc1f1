//! What CloudWatch knows of the two versions, by the minute.

use std::collections::{BTreeMap, BTreeSet};

use super::analysis::alarms::{AlarmReading, AlarmState};
use super::analysis::{self, Baseline, Counts, Criteria, Measure, Minute};
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
/// The namespace of Lambda's own metrics.
const LAMBDA: &str = "AWS/Lambda";

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
    let aliases = async {
        let mut aliases = Vec::new();
        for alias in &plan.aliases {
            aliases.push(read_alias(cloudwatch, alias, from, whole_from, now).await?);
        }
        Ok(aliases)
    };
    let (aliases, alarms) = tokio::join!(aliases, read_alarms(cloudwatch, &plan.alarms));
    Ok(Reading { aliases: aliases?, alarms: alarms? })
}

async fn read_alias(
    cloudwatch: &CloudWatch,
    plan: &AliasPlan,
    from: i64,
    whole_from: Option<i64>,
    now: Time,
) -> Result<AliasReading, aws::Error> {
    let (from, until) = (from.max(now.minute() - MOST_MINUTES), now.minute() + 1);
    if from >= until {
        return Ok(AliasReading { minutes: Vec::new(), longest_ms: 0 });
    }
    let AliasId { function, alias } = &plan.id;
    let wanted = Wanted { thresholds_ms: plan.criteria.slow_thresholds_ms(), extras: plan.criteria.extras() };
    let of = |version| Source { function, alias, version };
    let mut series = of(Some(plan.old)).counts("o", &wanted, plan.old);
    series.extend(of(Some(plan.new)).counts("n", &wanted, plan.new));
    series.extend(of(None).counts("a", &wanted, plan.new));
    series.extend(of(None).of_alias());
    let mut values = cloudwatch.metric_data(&series, from * 60, until * 60).await?;
    let sources = [("o", of(Some(plan.old))), ("n", of(Some(plan.new))), ("a", of(None))];
    by_rank(cloudwatch, &sources, &wanted, &mut values, (from, until)).await?;
    Ok(AliasReading { minutes: minutes(&values, &wanted, whole_from, now), longest_ms: longest_ms(&values) })
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

/// What the alias did in the hour before `now`, while it was wholly on its `old` version: errors, slow
/// requests and the `extras`.
///
/// # Errors
/// CloudWatch cannot be read.
pub async fn baseline(
    cloudwatch: &CloudWatch,
    function: &FunctionName,
    alias: &AliasName,
    old: Version,
    extras: Vec<Measure>,
    now: Time,
) -> Result<Baseline, aws::Error> {
    let (from, until) = (now.minute() - HOUR_MINUTES, now.minute());
    let whole = Source { function, alias, version: None };
    let mut wanted = Wanted { thresholds_ms: Vec::new(), extras };
    let mut series = whole.counts("o", &wanted, old);
    series.extend(whole.of_alias());
    // A percentile of an hour is not one of its minutes: it is asked for as such.
    series.push(whole.one("p95", "Duration", "p95", 3600));
    let mut values = cloudwatch.metric_data(&series, from * 60, until * 60).await?;
    let p95_ms = values.remove("p95").and_then(|points| points.values().copied().reduce(f64::max));
    let baseline = analysis::baseline(&minutes(&values, &wanted, None, now), p95_ms, longest_ms(&values));
    let Some(tau_ms) = Criteria::new(analysis::ALPHA, baseline.clone(), 0).tau_ms() else { return Ok(baseline) };
    wanted.thresholds_ms = vec![tau_ms];
    let slow = [whole.one("os0", "Duration", &over(tau_ms), 60)];
    values.extend(cloudwatch.metric_data(&slow, from * 60, until * 60).await?);
    by_rank(cloudwatch, &[("o", whole)], &wanted, &mut values, (from, until)).await?;
    Ok(baseline.with_slow(&minutes(&values, &wanted, None, now)))
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
    let p99 = |id, version| Source { function, alias, version }.one(id, "Duration", "p99", 60);
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

/// What is read beside invocations and errors.
struct Wanted {
    thresholds_ms: Vec<f64>,
    extras: Vec<Measure>,
}

/// Whose series: the alias's, or those of one version behind it.
#[derive(Clone, Copy)]
struct Source<'a> {
    function: &'a FunctionName,
    alias: &'a AliasName,
    version: Option<Version>,
}

impl Source<'_> {
    fn dimensions(&self) -> Vec<(String, String)> {
        let resource = format!("{}:{}", self.function, self.alias);
        let mut dimensions =
            vec![("FunctionName".to_owned(), self.function.to_string()), ("Resource".to_owned(), resource)];
        dimensions.extend(self.version.map(|version| ("ExecutedVersion".to_owned(), version.to_string())));
        dimensions
    }

    fn one(&self, id: &str, metric: &str, statistic: &str, period_s: i32) -> Series {
        Series {
            id: id.to_owned(),
            namespace: LAMBDA.to_owned(),
            metric: metric.to_owned(),
            dimensions: self.dimensions(),
            statistic: statistic.to_owned(),
            period_s,
        }
    }

    /// Everything that is counted of it; `version` is the one whose custom metrics are read.
    fn counts(&self, prefix: &str, wanted: &Wanted, version: Version) -> Vec<Series> {
        let mut series = vec![
            self.one(&format!("{prefix}n"), "Invocations", "Sum", 60),
            self.one(&format!("{prefix}e"), "Errors", "Sum", 60),
        ];
        let thresholds = wanted.thresholds_ms.iter().enumerate();
        series.extend(
            thresholds
                .map(|(index, threshold)| self.one(&format!("{prefix}s{index}"), "Duration", &over(*threshold), 60)),
        );
        for (index, measure) in wanted.extras.iter().enumerate() {
            series.extend(self.extra(&format!("{prefix}x{index}"), measure, version));
        }
        series
    }

    fn extra(&self, id: &str, measure: &Measure, version: Version) -> Option<Series> {
        match measure {
            Measure::Errors | Measure::SlowerThan(_) => None,
            Measure::Throttles => Some(self.one(id, "Throttles", "Sum", 60)),
            Measure::Spillover => Some(self.one(id, "ProvisionedConcurrencySpilloverInvocations", "Sum", 60)),
            Measure::AsyncDropped => Some(self.one(id, "AsyncEventsDropped", "Sum", 60)),
            Measure::DeadLetterErrors => Some(self.one(id, "DeadLetterErrors", "Sum", 60)),
            Measure::OlderThan(threshold_ms) => Some(self.one(id, "IteratorAge", &over(*threshold_ms as f64), 60)),
            Measure::Metric(metric) => Some(Series {
                id: id.to_owned(),
                namespace: metric.namespace.clone(),
                metric: metric.name.clone(),
                dimensions: metric.dimensions(version),
                statistic: "Sum".to_owned(),
                period_s: 60,
            }),
        }
    }

    /// What is not split by version.
    fn of_alias(&self) -> [Series; 2] {
        [self.one("throttles", "Throttles", "Sum", 60), self.one("longest", "Duration", "Maximum", 60)]
    }
}

/// How many values are above a threshold (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html).
fn over(threshold_ms: f64) -> String {
    format!("TC({threshold_ms}:)")
}

/// Where CloudWatch gives no trimmed counts of durations, the percentile rank says the same: what
/// share is at most the threshold. It is asked for only then, since each series is paid for.
async fn by_rank(
    cloudwatch: &CloudWatch,
    sources: &[(&str, Source<'_>)],
    wanted: &Wanted,
    values: &mut Values,
    (from, until): (i64, i64),
) -> Result<(), aws::Error> {
    let series: Vec<Series> = sources
        .iter()
        .filter(|(prefix, _)| lacks_counts(prefix, values, wanted.thresholds_ms.len()))
        .flat_map(|(prefix, source)| {
            let thresholds = wanted.thresholds_ms.iter().enumerate();
            thresholds.map(move |(index, threshold)| {
                source.one(&format!("{prefix}r{index}"), "Duration", &format!("PR(:{threshold})"), 60)
            })
        })
        .collect();
    if series.is_empty() {
        return Ok(());
    }
    let ranks = cloudwatch.metric_data(&series, from * 60, until * 60).await?;
    for (id, ranks) in ranks {
        let Some((prefix, index)) = id.split_once('r') else { continue };
        let invocations = values.get(&format!("{prefix}n")).cloned().unwrap_or_default();
        let slow = ranks.into_iter().filter_map(|(second, percent)| {
            let n = invocations.get(&second)?;
            Some((second, (n * (1.0 - percent / 100.0)).max(0.0)))
        });
        values.entry(format!("{prefix}s{index}")).or_default().extend(slow);
    }
    Ok(())
}

/// Whether there were invocations, and of none of them is it known how many were slow.
fn lacks_counts(prefix: &str, values: &Values, thresholds: usize) -> bool {
    let points = |id: String| values.get(&id);
    let served = points(format!("{prefix}n")).is_some_and(|points| points.values().any(|n| *n > 0.0));
    let empty = |index| points(format!("{prefix}s{index}")).is_none_or(BTreeMap::is_empty);
    served && thresholds > 0 && (0..thresholds).all(empty)
}

fn count(value: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, cut at both ends")]
    if value.is_finite() { value.clamp(0.0, 1e15).round() as u64 } else { 0 }
}

fn longest_ms(values: &Values) -> u64 {
    let points = values.get("longest").map(BTreeMap::values).into_iter().flatten();
    count(points.copied().fold(0.0, f64::max).ceil())
}

fn minutes(values: &Values, wanted: &Wanted, whole_from: Option<i64>, now: Time) -> Vec<Minute> {
    let times: BTreeSet<i64> = values
        .values()
        .flat_map(|points| points.keys().map(|second| second.div_euclid(60)))
        // The minute that is not over yet tells nothing.
        .filter(|minute| *minute < now.minute())
        .collect();
    let at = |id: String, minute: i64| values.get(&id).and_then(|points| points.get(&(minute * 60))).copied();
    let of = |prefix: &str, minute: i64| {
        let n = count(at(format!("{prefix}n"), minute)?);
        // Durations may come later than invocations; then nothing is said of slow ones yet.
        let slow = (0..wanted.thresholds_ms.len()).map(|index| at(format!("{prefix}s{index}"), minute));
        let slow: Option<Vec<u64>> = slow.map(|value| value.map(|value| count(value).min(n))).collect();
        let extra = wanted.extras.iter().enumerate().map(|(index, measure)| {
            // A metric that names the version is that also when the alias has no other.
            let prefix = if prefix == "a" && is_by_version(measure) { "n" } else { prefix };
            at(format!("{prefix}x{index}"), minute).map(count)
        });
        // A minute with invocations has a data point for Errors, if only of zero; where there is
        // none yet, the minute is not complete.
        let errors = count(at(format!("{prefix}e"), minute)?).min(n);
        Some(Counts { n, errors, slow: slow.unwrap_or_default(), extra: extra.collect() })
    };
    times
        .into_iter()
        .map(|minute| {
            let whole = whole_from.is_some_and(|from| minute >= from);
            let extras = wanted.extras.iter().enumerate();
            Minute {
                minute,
                old: if whole { None } else { of("o", minute) },
                new: of(if whole { "a" } else { "n" }, minute),
                throttles: count(at("throttles".to_owned(), minute).unwrap_or(0.0)),
                extra: extras
                    .map(|(index, measure)| {
                        let of_alias = at(format!("ax{index}"), minute).filter(|_| !is_by_version(measure));
                        of_alias.map(count)
                    })
                    .collect(),
                whole,
            }
        })
        .collect()
}

fn is_by_version(measure: &Measure) -> bool {
    matches!(measure, Measure::Metric(metric) if metric.is_by_version())
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

    fn none() -> Wanted {
        Wanted { thresholds_ms: Vec::new(), extras: Vec::new() }
    }

    #[test]
    fn no_data_point_is_not_zero() {
        let values = values(&[("on", 1, 50.0), ("oe", 1, 2.0), ("nn", 2, 4.0), ("ne", 2, 0.0), ("on", 3, 9.0)]);
        let read = minutes(&values, &none(), None, Time::of_minute(4));
        let counts = |n, errors| Some(Counts { n, errors, ..Counts::default() });
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
        let read = minutes(&values, &none(), Some(2), Time::of_minute(3));
        assert_eq!(read.len(), 2, "the minute that is not over is left out");
        assert_eq!((read[0].new.as_ref().unwrap().n, read[1].new.as_ref().unwrap().n), (5, 70));
        assert!(read[1].whole && read[1].old.is_none());
    }

    #[test]
    fn slow_ones_that_are_not_counted_yet_are_not_none() {
        let values = values(&[("on", 1, 50.0), ("oe", 1, 2.0), ("os0", 1, 4.0), ("on", 2, 50.0), ("oe", 2, 2.0)]);
        let wanted = Wanted { thresholds_ms: vec![800.0], extras: Vec::new() };
        let read = minutes(&values, &wanted, None, Time::of_minute(4));
        let slow: Vec<_> = read.iter().map(|minute| minute.old.as_ref().unwrap().slow.clone()).collect();
        assert_eq!(slow, [vec![4], Vec::new()]);
        assert!(!lacks_counts("o", &values, 1), "one minute's are known");
    }

    #[test]
    fn what_is_not_split_by_version_is_the_aliases() {
        let limit = |text: &str| text.parse::<analysis::Limit>().unwrap().measure;
        let extras = vec![limit("Shop/F?v={version}=1%"), limit("spillover=1%"), limit("AWS/ApiGateway/5XX?a=b=1%")];
        let wanted = Wanted { thresholds_ms: Vec::new(), extras };
        let values = values(&[
            ("on", 1, 50.0),
            ("oe", 1, 0.0),
            ("ox0", 1, 3.0),
            ("ox2", 1, 7.0),
            ("ax1", 1, 4.0),
            ("ax2", 1, 7.0),
            ("an", 2, 60.0),
            ("ae", 2, 0.0),
            ("nx0", 2, 5.0),
            ("ax1", 2, 6.0),
        ]);
        let read = minutes(&values, &wanted, Some(2), Time::of_minute(3));
        assert_eq!(read[0].old.as_ref().unwrap().extra, [Some(3), None, Some(7)]);
        assert_eq!(read[0].extra, [None, Some(4), Some(7)]);
        assert_eq!(read[1].new.as_ref().unwrap().extra, [Some(5), Some(6), None], "at 100 %");
    }

    #[test]
    fn values_that_are_none_are_survived() {
        assert_eq!([f64::NAN, -1.0, f64::INFINITY, 2.4].map(count), [0, 0, 0, 2]);
    }
}
