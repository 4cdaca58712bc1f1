//! The bounds that a user sets on the new version, as they are written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::metric::Metric;
use crate::rollout::names::{NotA, Weight, parse_duration};

const EXPECTED: &str = "a limit (errors=SHARE, throttles=SHARE, spillover=SHARE, async-dropped=SHARE, \
                        dead-letter-errors=SHARE, slower:DURATION=SHARE, iterator-age:DURATION=SHARE or NAMESPACE/METRIC?DIMENSION=VALUE=SHARE)";
const EXAMPLE: &str = "errors=1%";
/// Lambda's longest timeout is 15 minutes.
const LONGEST_DURATION_MS: u64 = 900_000;
/// A record can be a day late and more; a bound beyond a day bounds nothing.
const LONGEST_AGE_MS: u64 = 86_400_000;

/// A bound that the user sets on the new version: `errors=1%`, `slower:800ms=5%`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Limit {
    /// What is counted.
    pub measure: Measure,
    /// The share of requests that may be so, above 0 and below 1.
    pub bound: f64,
}

/// What is counted of the requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Lambda's `Errors` of the new version.
    Errors,
    /// Lambda's `Throttles`: of the version where Lambda splits them, else of the alias.
    Throttles,
    /// Invocations of the new version that take longer than so many milliseconds.
    SlowerThan(u64),
    /// Batches of a stream that are older than so many milliseconds when they are read (`IteratorAge`).
    OlderThan(u64),
    /// Invocations that provisioned concurrency had no room for.
    Spillover,
    /// Asynchronous events that were given up after all their tries (`AsyncEventsDropped`).
    AsyncDropped,
    /// Of these, those that the dead-letter target did not take either (`DeadLetterErrors`).
    DeadLetterErrors,
    /// A custom metric's sum.
    Metric(Metric),
}

impl Measure {
    /// Whether it is read beside invocations, errors and durations.
    pub fn is_extra(&self) -> bool {
        !matches!(self, Self::Errors | Self::SlowerThan(_))
    }
}

impl FromStr for Limit {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        let wrong = || NotA::new(text, EXPECTED, EXAMPLE);
        // A metric's dimensions have `=` too: the bound is behind the last.
        let (name, bound) = text.rsplit_once('=').ok_or_else(wrong)?;
        let within = |duration: &str, longest_ms| milliseconds(duration, longest_ms).ok_or_else(wrong);
        let measure = match name.split_once(':') {
            _ if name.contains('/') => Measure::Metric(name.parse()?),
            None => match name {
                "errors" => Measure::Errors,
                "throttles" => Measure::Throttles,
                "spillover" => Measure::Spillover,
                "async-dropped" => Measure::AsyncDropped,
                "dead-letter-errors" => Measure::DeadLetterErrors,
                _ => return Err(wrong()),
            },
            Some(("slower", duration)) => Measure::SlowerThan(within(duration, LONGEST_DURATION_MS)?),
            Some(("iterator-age", duration)) => Measure::OlderThan(within(duration, LONGEST_AGE_MS)?),
            Some(_) => return Err(wrong()),
        };
        let bound = bound.parse::<Weight>()?.fraction();
        Ok(Self { measure, bound })
    }
}

fn milliseconds(text: &str, longest: u64) -> Option<u64> {
    let number = match text.strip_suffix("ms") {
        Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => number.parse::<u64>().ok()?,
        Some(_) => return None,
        None => u64::try_from(parse_duration(text).ok()?.as_millis()).ok()?,
    };
    (1..=longest).contains(&number).then_some(number)
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors => f.write_str("errors"),
            Self::Throttles => f.write_str("throttles"),
            Self::Spillover => f.write_str("spillover"),
            Self::AsyncDropped => f.write_str("async-dropped"),
            Self::DeadLetterErrors => f.write_str("dead-letter-errors"),
            Self::SlowerThan(threshold_ms) => write!(f, "slower:{threshold_ms}ms"),
            Self::OlderThan(threshold_ms) => write!(f, "iterator-age:{threshold_ms}ms"),
            Self::Metric(metric) => metric.fmt(f),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = Weight::from_fraction(self.bound).unwrap_or_default();
        write!(f, "{}={bound}", self.measure)
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
    fn limits_read_back_as_written() {
        for text in [
            "errors=1%",
            "throttles=0.5%",
            "spillover=10%",
            "async-dropped=0.5%",
            "dead-letter-errors=1%",
            "slower:800ms=5%",
            "iterator-age:90000ms=5%",
            "Shop/Failures?service=a&version={version}=0.125%",
            "AWS/ApiGateway/5XXError?ApiName=shop=2%",
        ] {
            assert_eq!(text.parse::<Limit>().unwrap().to_string(), text);
        }
        assert_eq!("slower:2s=5%".parse::<Limit>().unwrap().to_string(), "slower:2000ms=5%");
        assert_eq!("iterator-age:1h=5%".parse::<Limit>().unwrap().to_string(), "iterator-age:3600000ms=5%");
    }

    #[test]
    fn what_is_no_limit_is_refused_with_an_example() {
        for wrong in [
            "",
            "errors",
            "errors=0%",
            "errors=100%",
            "error=1%",
            "slower=5%",
            "slower:0ms=1%",
            "slower:1h=1%",
            "slower:+5ms=1%",
            "iterator-age=1%",
            "iterator-age:25h=1%",
            "errors=1",
            "errors:5=1%",
            "async-dropped:5s=1%",
            "/Failures=1%",
            "Shop/Failures?version=1%",
        ] {
            let error = wrong.parse::<Limit>().unwrap_err().to_string();
            assert!(error.contains("; for example "), "{wrong}: {error}");
        }
    }
}
