//! The new version against a bound: the user's limits, and the bake at 100 %, where there is no old
//! version left to compare with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::sequential::log_add_exp;
use crate::rollout::names::{NotA, parse_duration};

/// The rate ratios that are looked for, each capped at what is possible over the bar.
const GRID: [f64; 4] = [1.5, 2.0, 4.0, 8.0];

/// The error rate that a version alone may have: twice the upper estimate of the old version's, and
/// two points.
pub fn bake_bar(old_n: u64, old_x: u64) -> f64 {
    (2.0 * (old_x as f64 + 3.0) / (old_n as f64 + 3.0) + 0.02).min(0.9)
}

/// The evidence against "the rate is at most the bar".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitTest {
    ln: [f64; GRID.len()],
}

impl LimitTest {
    /// Takes `n` requests of which `x` failed; `phi` is the dispersion.
    pub fn add(&mut self, bar: f64, n: u64, x: u64, phi: f64) {
        let (n, x) = (n as f64, x as f64);
        for (ln, ratio) in self.ln.iter_mut().zip(GRID) {
            let ratio = ratio.min(1.0 / bar);
            *ln += (x * ratio.ln() - bar * n * (ratio - 1.0)) / phi;
        }
    }

    /// The logarithm of the evidence: 0 is none.
    pub fn ln_e(&self) -> f64 {
        let sum = self.ln.iter().fold(f64::NEG_INFINITY, |sum, ln| log_add_exp(sum, *ln));
        sum - (GRID.len() as f64).ln()
    }
}

/// A bound that the user sets on the new version: `errors=1%`, `throttles=1%`, `slower:800ms=5%`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Limit {
    /// What is counted.
    pub measure: Measure,
    /// The share of requests that may be so, above 0 and below 1.
    pub bound: f64,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Lambda's `Errors` of the new version.
    Errors,
    /// Lambda's `Throttles` of the alias.
    Throttles,
    /// Invocations of the new version that take longer than so many milliseconds.
    SlowerThan(u64),
}

impl FromStr for Limit {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        const EXAMPLE: &str = "errors=1%";
        let wrong = || NotA::new(text, "a limit (errors=SHARE, throttles=SHARE or slower:DURATION=SHARE)", EXAMPLE);
        let (name, bound) = text.split_once('=').ok_or_else(wrong)?;
        let measure = match name.split_once(':') {
            None if name == "errors" => Measure::Errors,
            None if name == "throttles" => Measure::Throttles,
            Some(("slower", duration)) => Measure::SlowerThan(milliseconds(duration).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        };
        let bound = bound.parse::<crate::rollout::names::Weight>()?.fraction();
        Ok(Self { measure, bound })
    }
}

fn milliseconds(text: &str) -> Option<u64> {
    let number = match text.strip_suffix("ms") {
        Some(number) => number.parse::<u64>().ok()?,
        None => u64::try_from(parse_duration(text).ok()?.as_millis()).ok()?,
    };
    // Lambda's longest timeout is 15 minutes.
    (1..=900_000).contains(&number).then_some(number)
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = crate::rollout::names::Weight::from_fraction(self.bound).unwrap_or_default();
        match self.measure {
            Measure::Errors => write!(f, "errors={bound}"),
            Measure::Throttles => write!(f, "throttles={bound}"),
            Measure::SlowerThan(threshold_ms) => write!(f, "slower:{threshold_ms}ms={bound}"),
        }
    }
}

impl From<Limit> for String {
    fn from(limit: Limit) -> Self {
        limit.to_string()
    }
}

impl TryFrom<String> for Limit {
    type Error = NotA;

    fn try_from(text: String) -> Result<Self, NotA> {
        text.parse()
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
    fn limits_read_back_as_written() {
        for text in ["errors=1%", "throttles=0.5%", "slower:800ms=5%"] {
            assert_eq!(text.parse::<Limit>().unwrap().to_string(), text);
        }
        assert_eq!("slower:2s=5%".parse::<Limit>().unwrap().to_string(), "slower:2000ms=5%");
        for wrong in [
            "",
            "errors",
            "errors=0%",
            "errors=100%",
            "error=1%",
            "slower=5%",
            "slower:0ms=1%",
            "slower:1h=1%",
            "errors=1",
            "errors:5=1%",
        ] {
            assert!(wrong.parse::<Limit>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn evidence_grows_over_the_bar_and_shrinks_under_it() {
        let (mut over, mut under) = (LimitTest::default(), LimitTest::default());
        over.add(0.05, 600, 90, 1.0);
        under.add(0.05, 600, 20, 1.0);
        assert!(over.ln_e() > 4.6 && under.ln_e() < 0.0);
    }
}
