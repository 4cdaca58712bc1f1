//! The comparison of new with old: an anytime-valid test of "in every minute the new version's rate
//! is at most `rho` times the old one's, and `delta`". The expectation of each minute's factor is at most one under that hypothesis by
//! itself, so error rates may wander, both versions may fail together and weights may change.

use serde::{Deserialize, Serialize};

/// What is tolerated, and how the evidence is spread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// The accepted chance of a false alarm.
    pub alpha: f64,
    /// How many times the old rate is tolerated.
    pub rho: f64,
    /// What is tolerated on top.
    pub delta: f64,
    /// The rate ratios that are looked for, with equal weights.
    pub grid: Vec<f64>,
    /// The prior weight of "the harm begins in the first minute".
    pub first: f64,
    /// How clumped errors are; at least 1.
    pub dispersion: f64,
}

impl Parameters {
    /// For errors.
    pub fn errors(alpha: f64, dispersion: f64) -> Self {
        Self { alpha, rho: 1.1, delta: 0.0005, grid: vec![1.5, 2.0, 4.0, 8.0, 16.0, 64.0], first: 0.5, dispersion }
    }

    /// For invocations slower than 1.2 times the old version's 95th percentile, of which the old
    /// version had `slow_share` in the hour before: up to 5 % in all is tolerated.
    pub fn latency(alpha: f64, slow_share: f64) -> Self {
        Self { rho: 1.0, delta: (0.05 - slow_share).max(0.01), ..Self::errors(alpha, 1.0) }
    }

    /// Gain and cost of a grid point for a minute's counts.
    fn stakes(&self, ratio: f64, old_n: f64, new_n: f64) -> (f64, f64) {
        let d = ratio * self.rho * new_n + old_n;
        ((ratio - 1.0) * old_n / d, (ratio - 1.0) * self.rho * new_n / d)
    }
}

/// The evidence of the minutes so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// `ln M` by grid point; `None` before the first minute, where `M` is 0.
    ln_m: Option<Vec<f64>>,
    /// Judged minutes.
    t: u64,
    /// Prior weight that is not spent yet.
    reserve: f64,
}

impl Default for Comparison {
    fn default() -> Self {
        Self { ln_m: None, t: 0, reserve: 1.0 }
    }
}

impl Comparison {
    /// Takes a minute. One in which either version served nothing tells nothing and is not counted.
    pub fn add(&mut self, parameters: &Parameters, old_n: u64, old_x: u64, new_n: u64, new_x: u64) {
        if old_n == 0 || new_n == 0 {
            return;
        }
        self.t += 1;
        let t = self.t as f64;
        let weight = if self.t == 1 { parameters.first } else { (1.0 - parameters.first) / ((t - 1.0) * t) };
        self.reserve -= weight;
        let (old_n, old_x, new_n, new_x) = (old_n as f64, old_x as f64, new_n as f64, new_x as f64);
        let before = self.ln_m.take().unwrap_or_else(|| vec![f64::NEG_INFINITY; parameters.grid.len()]);
        let after = parameters.grid.iter().zip(before).map(|(ratio, ln_m)| {
            let (gain, cost) = parameters.stakes(*ratio, old_n, new_n);
            // The cost reaches one only where there is no old request, which is not judged.
            let cost = cost.min(1.0 - f64::EPSILON / 2.0);
            let ln = new_x * gain.ln_1p() + old_x * (-cost).ln_1p() - parameters.delta * new_n * gain;
            log_add_exp(ln_m, weight.ln()) + ln / parameters.dispersion
        });
        self.ln_m = Some(after.collect());
    }

    /// The logarithm of the evidence: 0 is none.
    pub fn ln_e(&self) -> f64 {
        let Some(ln_m) = &self.ln_m else { return 0.0 };
        let top = ln_m.iter().copied().fold(0.0, f64::max);
        let mean = ln_m.iter().map(|ln| (ln - top).exp()).sum::<f64>() / ln_m.len() as f64;
        top + (mean + self.reserve.max(0.0) * (-top).exp()).ln()
    }

    /// How many minutes were judged.
    pub fn judged(&self) -> u64 {
        self.t
    }
}

/// `ln(exp(a) + exp(b))` without leaving the numbers that there are.
pub(super) fn log_add_exp(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// The new version's error rate that these counts would catch with about even odds; above 1 no rate
/// would be noticed. `share` is the stream's share of the evidence.
pub fn resolution(parameters: &Parameters, old_n: f64, old_x: f64, new_n: f64, share: f64) -> f64 {
    let prior = parameters.alpha * share * parameters.first;
    let bound = parameters.dispersion * (parameters.grid.len() as f64 / prior).ln();
    parameters
        .grid
        .iter()
        .map(|ratio| {
            let (gain, cost) = parameters.stakes(*ratio, old_n, new_n);
            (bound - old_x * (-cost).ln_1p() + parameters.delta * new_n * gain) / (new_n * gain.ln_1p())
        })
        .fold(f64::INFINITY, |best, rate| if rate < best { rate } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_no_evidence() {
        let mut comparison = Comparison::default();
        comparison.add(&Parameters::errors(0.01, 1.0), 0, 0, 50, 50);
        comparison.add(&Parameters::errors(0.01, 1.0), 50, 50, 0, 0);
        assert_eq!((comparison.ln_e(), comparison.judged()), (0.0, 0));
    }

    #[test]
    fn the_expectation_is_at_most_one_where_the_rates_are_equal() {
        // Exactly, for one minute: the sum over all outcomes of two binomials.
        let parameters = Parameters { grid: vec![4.0], ..Parameters::errors(0.01, 1.0) };
        let choose = |n: u64, k: u64| (0..k).fold(1.0, |product, i| product * (n - i) as f64 / (i + 1) as f64);
        let chance = |n: u64, k: u64, p: f64| choose(n, k) * p.powi(k as i32) * (1.0 - p).powi((n - k) as i32);
        for p in [0.001, 0.05, 0.3, 0.9] {
            let mut expectation = 0.0;
            for old_x in 0..=20 {
                for new_x in 0..=6 {
                    let mut comparison = Comparison::default();
                    comparison.add(&parameters, 20, old_x, 6, new_x);
                    expectation += chance(20, old_x, p) * chance(6, new_x, p) * comparison.ln_e().exp();
                }
            }
            assert!(expectation <= 1.0 + 1e-9, "{p}: {expectation}");
        }
    }

    #[test]
    fn resolution_says_when_nothing_can_be_told() {
        assert!(resolution(&Parameters::errors(0.01, 1.0), 5.0, 0.0, 1.0, 0.6) > 1.0);
        assert!(resolution(&Parameters::errors(0.01, 1.0), 27_000.0, 135.0, 3000.0, 0.6) < 0.02);
    }
}
