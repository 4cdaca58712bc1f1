//! What is counted by the minute, and what the old version did in the hour before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::dispersion::dispersion;

/// What one version did in one minute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Invocations.
    pub n: u64,
    /// Of these, those that ended with an error of the function.
    pub errors: u64,
    /// Of these, those that took longer than each of [`super::Criteria::slow_thresholds_ms`]; empty
    /// where that is not known (yet).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slow: Vec<u64>,
    /// What each of [`super::Criteria::extras`] counts of this version; `None` is "no data point".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<Option<u64>>,
}

/// What CloudWatch says of one minute. `None` is "no data point", which is not zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minute {
    /// Counted from 1970.
    pub minute: i64,
    /// The old version.
    pub old: Option<Counts>,
    /// The new version.
    pub new: Option<Counts>,
    /// Throttled requests of the alias; Lambda does not say for certain for which version.
    #[serde(default)]
    pub throttles: u64,
    /// What each of [`super::Criteria::extras`] counts of the alias, whichever version served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<Option<u64>>,
    /// Whether the alias was wholly on the new version from its first second: nothing of the old
    /// one is to be waited for.
    #[serde(default)]
    pub whole: bool,
}

/// Requests, and how many of them were what a stream counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Invocations.
    pub n: u64,
    /// Errors (or slow ones, or throttles: what the stream counts).
    pub x: u64,
}

impl Tally {
    pub(super) fn add(&mut self, n: u64, x: u64) {
        self.n += n;
        self.x += x;
    }

    /// The share of requests that were so; zero of none.
    pub fn rate(self) -> f64 {
        self.x as f64 / self.n.max(1) as f64
    }

    /// Whether more than this share were so. Nothing is more than nothing.
    pub(super) fn is_over(self, bound: f64) -> bool {
        self.n > 0 && self.x as f64 > bound * self.n as f64
    }
}

/// What an [extra measure](super::Criteria::extras) counted in the hour before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// Over requests of the old version.
    pub tally: Tally,
    /// How clumped it is, from 1 to 4.
    pub phi: f64,
    /// Whether CloudWatch had any data point of it.
    pub seen: bool,
}

impl Default for Before {
    fn default() -> Self {
        Self { tally: Tally::default(), phi: 1.0, seen: false }
    }
}

/// What the old version did in the hour before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Invocations.
    pub n: u64,
    /// Errors.
    pub errors: u64,
    /// Throttled requests.
    #[serde(default)]
    pub throttles: u64,
    /// How clumped the errors are, from 1 to 4.
    pub phi: f64,
    /// The 95th percentile of the duration, when there was traffic.
    pub p95_ms: Option<f64>,
    /// The share of invocations that took longer than 1.2 times that.
    pub slow_share: f64,
    /// How clumped these are, from 1 to 4.
    #[serde(default = "one")]
    pub slow_phi: f64,
    /// The longest invocation.
    pub longest_ms: u64,
    /// What each of [`super::Criteria::extras`] counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<Before>,
}

fn one() -> f64 {
    1.0
}

impl Default for Baseline {
    fn default() -> Self {
        Self {
            n: 0,
            errors: 0,
            throttles: 0,
            phi: 1.0,
            p95_ms: None,
            slow_share: 0.0,
            slow_phi: 1.0,
            longest_ms: 0,
            extra: Vec::new(),
        }
    }
}

/// Builds the baseline from the old version's minutes of the hour before: errors, and what is said
/// of the alias. Slow ones are added by [`Baseline::with_slow`], once it is known what is slow.
pub fn baseline(minutes: &[Minute], p95_ms: Option<f64>, longest_ms: u64) -> Baseline {
    let old = || minutes.iter().filter_map(|minute| minute.old.as_ref());
    let n = old().map(|counts| counts.n).sum();
    let measures = minutes.iter().filter_map(|minute| minute.old.as_ref()).map(|counts| counts.extra.len()).max();
    let extra = (0..measures.unwrap_or(0)).map(|index| before(minutes, index)).collect();
    Baseline {
        n,
        errors: old().map(|counts| counts.errors).sum(),
        throttles: minutes.iter().map(|minute| minute.throttles).sum(),
        phi: dispersion(&series(minutes, |counts| counts.errors)),
        p95_ms: p95_ms.filter(|p95| p95.is_finite() && *p95 > 0.0 && n > 0),
        longest_ms,
        extra,
        ..Baseline::default()
    }
}

impl Baseline {
    /// The same with what is known of slow invocations: `slow` is the first of their thresholds'
    /// counts by minute.
    #[must_use]
    pub fn with_slow(mut self, minutes: &[Minute]) -> Self {
        let slow = series(minutes, |counts| counts.slow.first().copied().unwrap_or(0));
        let (n, x) = slow.iter().fold((0, 0), |(n, x), minute| (n + minute.0, x + minute.1));
        self.slow_share = Tally { n, x }.rate().clamp(0.0, 1.0);
        self.slow_phi = dispersion(&slow);
        self
    }
}

fn before(minutes: &[Minute], index: usize) -> Before {
    let of = |counts: &Counts| counts.extra.get(index).copied().flatten();
    let counted = series(minutes, |counts| of(counts).unwrap_or(0).min(counts.n));
    let mut tally = Tally::default();
    for (n, x) in &counted {
        tally.add(*n, *x);
    }
    let seen = minutes.iter().filter_map(|minute| minute.old.as_ref()).any(|counts| of(counts).is_some());
    Before { tally, phi: dispersion(&counted), seen }
}

/// Requests and what is counted of them, minute after minute. Neighbours have to be neighbours: a
/// minute without data stands as an empty one.
fn series(minutes: &[Minute], count: impl Fn(&Counts) -> u64) -> Vec<(u64, u64)> {
    let by_minute: BTreeMap<i64, &Counts> =
        minutes.iter().filter_map(|minute| Some((minute.minute, minute.old.as_ref()?))).collect();
    let ends = by_minute.first_key_value().zip(by_minute.last_key_value());
    ends.map_or_else(Vec::new, |((first, _), (last, _))| {
        (*first.max(&(last - 59))..=*last)
            .map(|minute| by_minute.get(&minute).map_or((0, 0), |counts| (counts.n, count(counts))))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: i64, n: u64, errors: u64, extra: Option<u64>) -> Minute {
        let old = Counts { n, errors, slow: vec![n / 20], extra: vec![extra] };
        Minute { minute, old: Some(old), ..Minute::default() }
    }

    #[test]
    fn clumps_of_each_measure_are_its_own() {
        let minutes: Vec<Minute> =
            (0..60).map(|m| minute(m, 600, 6, (m % 4 == 0).then_some(if m % 8 == 0 { 40 } else { 0 }))).collect();
        let baseline = baseline(&minutes, Some(80.0), 900).with_slow(&minutes);
        assert_eq!((baseline.n, baseline.errors, baseline.phi, baseline.slow_phi), (36_000, 360, 1.0, 1.0));
        assert!((baseline.slow_share - 0.05).abs() < 1e-12);
        let [extra] = baseline.extra.as_slice() else { panic!("{baseline:?}") };
        assert_eq!((extra.tally, extra.phi, extra.seen), (Tally { n: 36_000, x: 320 }, 4.0, true));
    }

    #[test]
    fn an_hour_without_traffic_is_no_rate_and_no_p95() {
        let baseline = baseline(&[], Some(80.0), 0).with_slow(&[]);
        assert_eq!(baseline, Baseline::default());
    }
}
