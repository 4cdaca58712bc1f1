//! A rollout seen from outside: where its journal says that it is, who drives it, how it ended, and what
//! CloudWatch shows of its versions at the moment. Reads only, and decides nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::content::Seen;
use super::journal::Record;
use super::names::{AliasId, Time, Version};
use super::run::{Services, Verdict};
use super::state::{Stop, Why};
use super::store::Found;
use super::verdict::Outcome;
use super::{Error, Phase, owner};
use crate::aws;
use crate::aws::cloudwatch::{CloudWatch, Series};

/// A finished rollout is among the newest of the history.
const NEWEST: usize = 10;
/// CloudWatch's newest whole minute is one to three minutes old; an idle function's is older.
const MINUTES: i64 = 10;
/// How often a follower looks, by the services' clock.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Follows one rollout from the first sight of it to its end, whoever drives it.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    id: Option<String>,
}

/// What one look showed.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What the alias says; `None` when it is not there.
    pub alias: Option<Seen>,
    /// The journal of the rollout that is followed, while it is under way or waits for a person.
    pub current: Option<Found>,
    /// Who drives it.
    pub driver: Option<String>,
    /// The rollout that is followed, once it is over; before the first sight of one, the last that was.
    pub ended: Option<Record>,
}

impl Follower {
    /// Looks at alias, journal and, once it has ended, history.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub async fn look(&mut self, services: &Services, id: &AliasId) -> Result<Sight, Error> {
        let driver = services.driver(id);
        let (alias, current) = tokio::join!(driver.read(), services.store.find(id));
        let (alias, current) = (alias?, current?);
        let (current, left) = match current {
            // It is over and its driver ended before it could move it to the history.
            Some(found) if found.record.state.is_finished() => (None, Some(found.record)),
            Some(found) if self.id.as_ref().is_none_or(|id| *id == found.record.id) => (Some(found), None),
            // The one that is followed has ended, and the next one has begun.
            _ => (None, None),
        };
        if let Some(found) = &current {
            self.id = Some(found.record.id.clone());
            let driver = found.driver(&services.me, owner::is_alive).map(|owner| owner.name.clone());
            return Ok(Sight { alias, current, driver, ended: None });
        }
        let wanted = |record: &Record| match &self.id {
            Some(id) => record.id == *id,
            None => !is_by_hand(record),
        };
        let ended = match left.filter(&wanted) {
            Some(record) => Some(record),
            None => services.store.history(id, NEWEST).await?.into_iter().find(wanted),
        };
        Ok(Sight { alias, current: None, driver: None, ended })
    }
}

/// Whether a record is of a single write, and of no rollout.
pub fn is_by_hand(record: &Record) -> bool {
    matches!(record.state.phase, Phase::RolledBack { why: Why::ByHand, .. })
}

/// The verdict on a rollout that is over, or waits for a person, for who did not drive it.
pub fn verdict(record: &Record) -> Verdict {
    let at = record.state.entries.back().map_or(record.started, |entry| entry.at);
    Verdict { state: record.state.clone(), stop: Stop::Phase, at, unrecorded: false }
}

/// How it ended, or what it waits for. Who only follows it was not interrupted.
pub fn outcome(record: &Record) -> Outcome {
    match verdict(record).outcome() {
        Outcome::Interrupted => Outcome::Held,
        other => other,
    }
}

/// What one version does at the moment, in the newest minute that CloudWatch has of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Served {
    /// The minute, counted from 1970.
    pub minute: i64,
    /// Invocations in it.
    pub invocations: f64,
    /// Of these, those that ended with an error.
    pub errors: f64,
    /// The 99th percentile of their duration.
    pub p99_ms: Option<f64>,
}

/// What both versions of an alias do at the moment; `None` where there is no data point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// The old version.
    pub old: Option<Served>,
    /// The new version.
    pub new: Option<Served>,
}

/// Reads them. `is_whole` when the alias has one version only, whose series is then the alias's own.
///
/// # Errors
/// CloudWatch cannot be read.
pub async fn figures(
    cloudwatch: &CloudWatch,
    alias: &AliasId,
    (old, new): (Version, Version),
    is_whole: bool,
    now: Time,
) -> Result<Figures, aws::Error> {
    let mut series = Vec::new();
    for (prefix, version) in [("o", Some(old)), ("n", Some(new)), ("a", None)] {
        for (id, metric, statistic) in [("n", "Invocations", "Sum"), ("e", "Errors", "Sum"), ("p", "Duration", "p99")] {
            let mut dimensions = vec![
                ("FunctionName".to_owned(), alias.function.to_string()),
                ("Resource".to_owned(), alias.to_string()),
            ];
            dimensions.extend(version.map(|version| ("ExecutedVersion".to_owned(), version.to_string())));
            series.push(Series {
                id: format!("{prefix}{id}"),
                namespace: "AWS/Lambda".to_owned(),
                metric: metric.to_owned(),
                dimensions,
                statistic: statistic.to_owned(),
                period_s: 60,
            });
        }
    }
    let until = now.minute();
    let values = cloudwatch.metric_data(&series, (until - MINUTES) * 60, until * 60).await?;
    Ok(Figures {
        old: if is_whole { None } else { served(&values, "o") },
        new: served(&values, if is_whole { "a" } else { "n" }),
    })
}

fn served(values: &BTreeMap<String, BTreeMap<i64, f64>>, prefix: &str) -> Option<Served> {
    let of = |id: &str| values.get(&format!("{prefix}{id}"));
    let (second, invocations) = of("n")?.iter().next_back()?;
    let at = |id: &str| of(id).and_then(|points| points.get(second)).copied();
    let finite = |value: f64| if value.is_finite() { value.max(0.0) } else { 0.0 };
    Some(Served {
        minute: second.div_euclid(60),
        invocations: finite(*invocations),
        errors: finite(at("e").unwrap_or(0.0)),
        p99_ms: at("p").filter(|value| value.is_finite()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_minute_is_shown_and_none_is_not_zero() {
        let points = |points: &[(i64, f64)]| points.iter().map(|(minute, value)| (minute * 60, *value)).collect();
        let values = BTreeMap::from([
            ("on".to_owned(), points(&[(1, 10.0), (2, 20.0)])),
            ("oe".to_owned(), points(&[(1, 5.0)])),
            ("op".to_owned(), points(&[(2, 120.0)])),
            ("nn".to_owned(), points(&[])),
        ]);
        let old = served(&values, "o").unwrap();
        assert_eq!(old, Served { minute: 2, invocations: 20.0, errors: 0.0, p99_ms: Some(120.0) });
        assert_eq!((served(&values, "n"), served(&values, "a")), (None, None));
    }
}
