//! By what a rollout is judged, and what it could notice.

use serde::{Deserialize, Serialize};

use super::counts::{Baseline, Before};
use super::limit::{Limit, Measure};
use super::metric::Metric;
use super::sequential::{Parameters, resolution};

/// The shares of the evidence: errors and the custom metrics split theirs evenly, in the comparison as
/// in the bake. They sum to one, and an idle stream stays at one.
pub(super) const COMPARE_SHARE: f64 = 0.6;
pub(super) const BAKE_SHARE: f64 = 0.2;
pub(super) const LATENCY_SHARE: f64 = 0.2;
/// Slow is what takes longer than so many times the old version's 95th percentile.
const SLOWER: f64 = 1.2;

/// By what a rollout is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Criteria {
    /// The accepted chance of a false rollback, of all functions that go together.
    pub alpha: f64,
    /// The user's own limits.
    pub limits: Vec<Limit>,
    /// Custom metrics that the two versions are compared by; each is one of a version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// The old version's hour before.
    pub baseline: Baseline,
    /// The function's timeout: no invocation takes longer.
    pub timeout_s: u64,
    /// How many functions go together: the evidence is their mean.
    #[serde(default = "one")]
    pub functions: usize,
}

fn one() -> usize {
    1
}

impl Criteria {
    /// By errors and slow requests alone, of one function.
    pub fn new(alpha: f64, baseline: Baseline, timeout_s: u64) -> Self {
        Self { alpha, limits: Vec::new(), metrics: Vec::new(), baseline, timeout_s, functions: 1 }
    }

    /// What the evidence has to reach.
    pub fn bound(&self) -> f64 {
        1.0 / self.alpha
    }

    /// From which duration on an invocation is slow, for the comparison of latency.
    pub fn tau_ms(&self) -> Option<f64> {
        self.baseline.p95_ms.map(|p95| p95 * SLOWER)
    }

    /// Every threshold whose exceeding is counted, in the order of [`super::Counts::slow`]: that of the
    /// comparison where there is one, then those of the limits.
    pub fn slow_thresholds_ms(&self) -> Vec<f64> {
        let limits = self.limits.iter().filter_map(|limit| match limit.measure {
            Measure::SlowerThan(threshold_ms) => Some(threshold_ms as f64),
            _ => None,
        });
        self.tau_ms().into_iter().chain(limits).collect()
    }

    /// What is counted beside invocations, errors and slow ones, in the order of
    /// [`super::Counts::extra`]: first the metrics that are compared.
    pub fn extras(&self) -> Vec<Measure> {
        extras(&self.metrics, &self.limits)
    }

    /// What an extra measure counted in the hour before.
    pub(super) fn before(&self, index: usize) -> Before {
        self.baseline.extra.get(index).copied().unwrap_or_default()
    }

    /// How clumped errors are.
    pub(super) fn phi(&self) -> f64 {
        clumped(self.baseline.phi)
    }

    pub(super) fn errors(&self) -> Parameters {
        Parameters::errors(self.alpha, self.phi())
    }

    pub(super) fn latency(&self) -> Parameters {
        let dispersion = clumped(self.baseline.slow_phi);
        Parameters { dispersion, ..Parameters::latency(self.alpha, self.baseline.slow_share) }
    }

    pub(super) fn metric(&self, index: usize) -> Parameters {
        Parameters::errors(self.alpha, clumped(self.before(index).phi))
    }

    /// Errors' share of the comparison.
    pub(super) fn compare_share(&self) -> f64 {
        COMPARE_SHARE / (1 + self.metrics.len()) as f64
    }

    /// Errors' share of the bake.
    pub(super) fn bake_share(&self) -> f64 {
        BAKE_SHARE / (1 + self.metrics.len()) as f64
    }

    /// What so many requests of the two versions would notice, with about even odds.
    pub fn notices(&self, old_n: f64, old_x: f64, new_n: f64) -> Resolution {
        let of_one = Parameters { alpha: self.alpha / self.functions.max(1) as f64, ..self.errors() };
        let rate = if old_n > 0.0 && new_n > 0.0 {
            resolution(&of_one, old_n, old_x, new_n, self.compare_share())
        } else {
            f64::INFINITY
        };
        let before = if self.baseline.n > 0 { self.baseline.errors as f64 / self.baseline.n as f64 } else { 0.0 };
        let old_rate = if old_n > 0.0 { old_x / old_n } else { before };
        Resolution { rate: rate.is_finite().then_some(rate), old_rate }
    }

    /// What a step of this weight (0 to 1) and length would notice at the last hour's traffic.
    pub fn notices_in_step(&self, weight: f64, hold_s: u64) -> Resolution {
        let baseline = &self.baseline;
        // A step is judged by whole minutes.
        let minutes = (hold_s as f64 / 60.0).max(1.0);
        let n = baseline.n as f64 / 60.0 * minutes;
        let rate = baseline.errors as f64 / (baseline.n as f64).max(1.0);
        let (new_n, old_n) = (n * weight, n * (1.0 - weight));
        self.notices(old_n, old_n * rate, new_n)
    }
}

/// What is counted beside invocations, errors and slow ones, each once.
pub fn extras(metrics: &[Metric], limits: &[Limit]) -> Vec<Measure> {
    let mut extras: Vec<Measure> = metrics.iter().cloned().map(Measure::Metric).collect();
    for measure in limits.iter().map(|limit| &limit.measure).filter(|measure| measure.is_extra()) {
        if !extras.contains(measure) {
            extras.push(measure.clone());
        }
    }
    extras
}

fn clumped(phi: f64) -> f64 {
    if phi.is_finite() { phi.clamp(1.0, 4.0) } else { 1.0 }
}

/// What a number of requests would notice: the error rate of the new version that would be caught
/// with about even odds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resolution {
    /// The rate, above 1 where none would be noticed; `None` where either version served nothing.
    pub rate: Option<f64>,
    /// The old version's rate beside it.
    pub old_rate: f64,
}

impl Resolution {
    /// How much more than the old version's rate, as a fraction; `None` where nothing can be told.
    pub fn more(&self) -> Option<f64> {
        self.rate.filter(|rate| *rate <= 1.0).map(|rate| (rate - self.old_rate).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn criteria() -> Criteria {
        let baseline = Baseline { n: 36_000, errors: 180, ..Baseline::default() };
        Criteria::new(0.01, baseline, 30)
    }

    #[test]
    fn resolution_is_that_of_the_published_table() {
        // 10 requests a second, 0.5 %, canary 10 % for 5 minutes: 3.5 % in the published vectors for 14
        // errors of 2,700; here it is 13.5 of 2,700.
        let noticed = criteria().notices_in_step(0.1, 300);
        assert!((noticed.rate.unwrap() - 0.0352).abs() < 1e-3, "{noticed:?}");
        assert!((noticed.more().unwrap() - 0.0302).abs() < 1e-3, "{noticed:?}");
    }

    #[test]
    fn more_to_look_at_costs_resolution_and_no_traffic_has_none() {
        let mut many = criteria();
        many.functions = 10;
        many.metrics = vec!["Shop/Failures?version={version}".parse().unwrap()];
        let of = |criteria: &Criteria| criteria.notices_in_step(0.1, 300).rate.unwrap();
        assert!(of(&many) > of(&criteria()) * 1.1);
        let mut quiet = criteria();
        quiet.baseline = Baseline::default();
        assert_eq!(quiet.notices_in_step(0.1, 300).more(), None);
        quiet.baseline.n = 30;
        let noticed = quiet.notices_in_step(0.1, 300);
        assert!(noticed.rate.unwrap() > 1.0 && noticed.more().is_none());
    }

    #[test]
    fn each_measure_is_read_once() {
        let mut criteria = criteria();
        criteria.metrics = vec!["Shop/Failures?version={version}".parse().unwrap()];
        for limit in ["errors=1%", "throttles=1%", "Shop/Failures?version={version}=2%", "throttles=5%", "slower:1s=9%"]
        {
            criteria.limits.push(limit.parse().unwrap());
        }
        assert_eq!(criteria.extras().len(), 2);
        assert_eq!(criteria.slow_thresholds_ms(), [1000.0]);
    }
}
