//! The new version against a bound: the form of the user's limits and of the bake at 100 %, where
//! there is no old version left to compare with.

use serde::{Deserialize, Serialize};

use super::sequential::log_add_exp;

/// The rate ratios that are looked for, each capped at what is possible over the bar.
pub const GRID: [f64; 4] = [1.5, 2.0, 4.0, 8.0];

/// The error rate that a version alone may have: twice the upper estimate of the old version's, and
/// two points.
pub fn bake_bar(old_n: u64, old_x: u64) -> f64 {
    (2.0 * (old_x as f64 + 3.0) / (old_n as f64 + 3.0) + 0.02).min(0.9)
}

/// The evidence against "the rate is at most the bar".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LimitTest {
    /// By grid point; empty before the first minute.
    ln: Vec<f64>,
}

impl LimitTest {
    /// Takes `n` requests of which `x` failed; `phi` is the dispersion.
    pub fn add(&mut self, bar: f64, n: u64, x: u64, phi: f64) {
        self.add_over(&GRID, bar, n, x, phi);
    }

    /// The same over a grid of its own, which has to be the same each time.
    pub fn add_over(&mut self, grid: &[f64], bar: f64, n: u64, x: u64, phi: f64) {
        self.ln.resize(grid.len(), 0.0);
        let (n, x) = (n as f64, x as f64);
        for (ln, ratio) in self.ln.iter_mut().zip(grid) {
            let ratio = ratio.min(1.0 / bar);
            *ln += (x * ratio.ln() - bar * n * (ratio - 1.0)) / phi;
        }
    }

    /// The logarithm of the evidence: 0 is none.
    pub fn ln_e(&self) -> f64 {
        if self.ln.is_empty() {
            return 0.0;
        }
        let sum = self.ln.iter().fold(f64::NEG_INFINITY, |sum, ln| log_add_exp(sum, *ln));
        sum - (self.ln.len() as f64).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_generous_where_little_is_known() {
        assert!((bake_bar(54_000, 250) - 0.029_369_849_823_157_972).abs() < 1e-15);
        assert!((bake_bar(0, 0) - 0.9).abs() < f64::EPSILON);
    }

    #[test]
    fn evidence_grows_over_the_bar_and_shrinks_under_it() {
        let (mut over, mut under) = (LimitTest::default(), LimitTest::default());
        over.add(0.05, 600, 90, 1.0);
        under.add(0.05, 600, 20, 1.0);
        assert!(over.ln_e() > 4.6 && under.ln_e() < 0.0);
        assert!(LimitTest::default().ln_e().abs() < f64::EPSILON);
    }
}
