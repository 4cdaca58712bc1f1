//! What a minute's values say: sums, means, percentiles, trimmed and counted ranges.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html>

use serde::{Deserialize, Serialize};

/// Distinct values that are kept exactly; with more they are rounded to three digits (half a percent
/// off at most), so that memory stays bounded whatever is measured.
const MAX_EXACT: usize = 8192;

/// Values of one metric in one minute (or merged from several).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Distribution {
    pub(super) count: f64,
    pub(super) sum: f64,
    pub(super) minimum: f64,
    pub(super) maximum: f64,
    /// Value and how often, ascending. Less than `count` in all where only a summary was sent.
    pub(super) values: Vec<(f64, f64)>,
}

impl Distribution {
    /// Of one value that was seen `count` times.
    pub(super) fn of(value: f64, count: f64) -> Self {
        Self { count, sum: value * count, minimum: value, maximum: value, values: vec![(value, count)] }
    }

    /// Of a `StatisticSet`.
    pub(super) fn summary(count: f64, sum: f64, minimum: f64, maximum: f64) -> Self {
        let known = count <= 1.0 || minimum >= maximum;
        let values = if known { vec![(minimum, count)] } else { Vec::new() };
        Self { count, sum, minimum, maximum, values }
    }

    /// Adds one value that was seen `count` times.
    pub(super) fn add(&mut self, value: f64, count: f64) {
        self.add_summary(value * count, value, value, count);
        self.add_value(value, count);
        self.compact();
    }

    fn add_summary(&mut self, sum: f64, minimum: f64, maximum: f64, count: f64) {
        if self.count == 0.0 {
            (self.minimum, self.maximum) = (minimum, maximum);
        }
        self.count += count;
        self.sum += sum;
        self.minimum = self.minimum.min(minimum);
        self.maximum = self.maximum.max(maximum);
    }

    fn add_value(&mut self, value: f64, count: f64) {
        match self.values.binary_search_by(|(known, _)| known.total_cmp(&value)) {
            Ok(at) => self.values[at].1 += count,
            Err(at) => self.values.insert(at, (value, count)),
        }
    }

    /// Adds all of another one.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.count == 0.0 {
            return;
        }
        self.add_summary(other.sum, other.minimum, other.maximum, other.count);
        for (value, count) in &other.values {
            self.add_value(*value, *count);
        }
        self.compact();
    }

    fn compact(&mut self) {
        if self.values.len() > MAX_EXACT {
            self.round(3);
            // Values over many orders of magnitude.
            if self.values.len() > MAX_EXACT / 2 {
                self.round(2);
            }
        }
    }

    /// Rounds the values to so many digits; count, sum and extremes stay exact.
    pub(super) fn round(&mut self, digits: i32) {
        let mut rounded: Vec<(f64, f64)> = Vec::new();
        for (value, count) in self.values.drain(..) {
            let value = to_digits(value, digits);
            match rounded.last_mut() {
                #[expect(clippy::float_cmp, reason = "both are rounded in the same way")]
                Some(last) if last.0 == value => last.1 += count,
                _ => rounded.push((value, count)),
            }
        }
        self.values = rounded;
    }

    /// Whether every value is known, not only their summary.
    fn is_complete(&self) -> bool {
        let known: f64 = self.values.iter().map(|(_, count)| count).sum();
        known >= self.count * 0.999_999
    }
}

fn to_digits(value: f64, digits: i32) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10f64.powf(f64::from(digits - 1) - value.abs().log10().floor());
    if scale.is_finite() && scale > 0.0 { (value * scale).round() / scale } else { value }
}

/// An end of a range: a value, a percentage of the values, or open.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    Open,
    Value(f64),
    Percent(f64),
}

/// A statistic as clients name it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Statistic {
    SampleCount,
    Sum,
    Average,
    Minimum,
    Maximum,
    /// `p99`.
    Percentile(f64),
    /// `PR(low:high)`: the percentage of values in a range.
    Rank(f64, f64),
    /// `tm99`, `wm99`, `tc99`, `ts99` and their forms with a range.
    Range(Kind, Range),
}

/// A range of values or percentages: the low end excluded, the high end included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    low: Bound,
    high: Bound,
}

/// What is done with the values in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    TrimmedMean,
    WinsorizedMean,
    TrimmedCount,
    TrimmedSum,
}

impl Statistic {
    /// Reads its name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "SampleCount" => return Some(Self::SampleCount),
            "Sum" => return Some(Self::Sum),
            "Average" => return Some(Self::Average),
            "Minimum" => return Some(Self::Minimum),
            "Maximum" => return Some(Self::Maximum),
            "IQM" => {
                return Some(Self::Range(
                    Kind::TrimmedMean,
                    Range { low: Bound::Percent(25.0), high: Bound::Percent(75.0) },
                ));
            }
            _ => {}
        }
        if let Some(percent) = text.strip_prefix('p') {
            return percentage(percent).map(Self::Percentile);
        }
        let name = text.get(..2)?;
        let rest = text.get(2..)?;
        if name == "PR" {
            let (low, high) = bounds(rest)?;
            let end = |bound, open| match bound {
                Bound::Open => Some(open),
                Bound::Value(value) => Some(value),
                Bound::Percent(_) => None,
            };
            return Some(Self::Rank(end(low, f64::NEG_INFINITY)?, end(high, f64::INFINITY)?));
        }
        let kind = match name.to_ascii_lowercase().as_str() {
            "tm" => Kind::TrimmedMean,
            "wm" => Kind::WinsorizedMean,
            "tc" => Kind::TrimmedCount,
            "ts" => Kind::TrimmedSum,
            _ => return None,
        };
        let (low, high) = match percentage(rest) {
            Some(percent) if name.chars().all(|c| c.is_ascii_lowercase()) => (Bound::Open, Bound::Percent(percent)),
            _ if name.chars().all(|c| c.is_ascii_uppercase()) => bounds(rest)?,
            _ => return None,
        };
        // A range is of values or of percentages, never of both.
        match (low, high) {
            (Bound::Value(_), Bound::Percent(_)) | (Bound::Percent(_), Bound::Value(_)) => None,
            _ => Some(Self::Range(kind, Range { low, high })),
        }
    }

    /// Its value; `None` when the values are not known well enough, or none is in the range.
    pub(super) fn of(self, values: &Distribution) -> Option<f64> {
        if values.count <= 0.0 {
            return None;
        }
        match self {
            Self::SampleCount => Some(values.count),
            Self::Sum => Some(values.sum),
            Self::Average => Some(values.sum / values.count),
            Self::Minimum => Some(values.minimum),
            Self::Maximum => Some(values.maximum),
            _ if !values.is_complete() => None,
            Self::Percentile(percent) => Some(percentile(values, percent)),
            Self::Rank(low, high) => {
                let inside = values.values.iter().filter(|(value, _)| low < *value && *value <= high);
                Some(100.0 * inside.map(|(_, count)| count).sum::<f64>() / values.count)
            }
            Self::Range(kind, range) => range.of(kind, values),
        }
    }
}

impl Range {
    fn of(self, kind: Kind, values: &Distribution) -> Option<f64> {
        let total = values.count;
        // Percentages cut the sorted values, if need be in the middle of equal ones.
        let rank = |bound, open| match bound {
            Bound::Percent(percent) => percent / 100.0 * total,
            _ => open,
        };
        let (from, to) = (rank(self.low, 0.0), rank(self.high, total));
        let value = |bound, open| match bound {
            Bound::Value(value) => value,
            _ => open,
        };
        let (low, high) = (value(self.low, f64::NEG_INFINITY), value(self.high, f64::INFINITY));
        let (mut count, mut sum, mut before) = (0.0, 0.0, 0.0);
        let (mut first, mut last) = (None, None);
        for (value, weight) in &values.values {
            let inside = (before + weight).min(to) - before.max(from);
            before += weight;
            if inside <= 0.0 || *value <= low || *value > high {
                continue;
            }
            count += inside;
            sum += value * inside;
            first = first.or(Some(*value));
            last = Some(*value);
        }
        match kind {
            Kind::TrimmedCount => Some(count),
            Kind::TrimmedSum => Some(sum),
            Kind::TrimmedMean => (count > 0.0).then(|| sum / count),
            // What is outside counts as the nearest value inside.
            Kind::WinsorizedMean => {
                let (first, last) = (first?, last?);
                let clamped = values.values.iter().map(|(value, weight)| value.clamp(first, last) * weight);
                Some(clamped.sum::<f64>() / total)
            }
        }
    }
}

/// The smallest value that so many percent of the values do not exceed.
fn percentile(values: &Distribution, percent: f64) -> f64 {
    let rank = percent / 100.0 * values.count;
    let mut seen = 0.0;
    for (value, count) in &values.values {
        seen += count;
        if seen >= rank - 1e-9 {
            return *value;
        }
    }
    values.maximum
}

fn percentage(text: &str) -> Option<f64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|percent| is_number && (0.0..=100.0).contains(percent))
}

/// `(low:high)`, each end a number, a percentage, or nothing.
fn bounds(text: &str) -> Option<(Bound, Bound)> {
    let (low, high) = text.strip_prefix('(')?.strip_suffix(')')?.split_once(':')?;
    let bound = |text: &str| match text.trim() {
        "" => Some(Bound::Open),
        text => match text.strip_suffix('%') {
            Some(percent) => percentage(percent).map(Bound::Percent),
            None => text.parse().ok().filter(|value: &f64| value.is_finite()).map(Bound::Value),
        },
    };
    let (low, high) = (bound(low)?, bound(high)?);
    ((low, high) != (Bound::Open, Bound::Open)).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = f64>) -> Distribution {
        let mut distribution = Distribution::default();
        for value in values {
            distribution.add(value, 1.0);
        }
        distribution
    }

    #[test]
    fn statistics_of_one_to_a_hundred() {
        let values = of((1..=100).map(f64::from));
        for (name, expected) in [
            ("SampleCount", 100.0),
            ("Sum", 5050.0),
            ("Average", 50.5),
            ("Minimum", 1.0),
            ("Maximum", 100.0),
            ("p50", 50.0),
            ("p99", 99.0),
            ("p99.9", 100.0),
            ("p0", 1.0),
            ("p100", 100.0),
            ("tm99", 50.0),
            ("TM(10%:90%)", 50.5),
            ("TM(:10)", 5.5),
            ("tc99", 99.0),
            ("TC(:42)", 42.0),
            ("TC(42:)", 58.0),
            ("TC(10%:20%)", 10.0),
            ("ts50", 1275.0),
            ("TS(98:)", 199.0),
            ("PR(:42)", 42.0),
            ("PR(90:95)", 5.0),
            ("wm98", 50.47),
            ("IQM", 50.5),
        ] {
            let value = Statistic::parse(name).unwrap_or_else(|| panic!("{name}")).of(&values).unwrap();
            assert!((value - expected).abs() < 1e-9, "{name}: {value}, not {expected}");
        }
    }

    #[test]
    fn other_names_are_no_statistics() {
        for bad in
            ["", "p", "p101", "px", "sum", "PR(10%:)", "TM(:)", "TM(1:2%)", "TC(5)", "tm(1:2)", "TM99", "é", "pé9"]
        {
            assert_eq!(Statistic::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_summary_has_no_percentiles_and_a_rank_of_nothing_is_zero() {
        let summary = Distribution::summary(10.0, 55.0, 1.0, 10.0);
        assert_eq!(Statistic::Average.of(&summary), Some(5.5));
        assert_eq!(Statistic::parse("p50").unwrap().of(&summary), None);
        assert_eq!(Statistic::parse("PR(:1)").unwrap().of(&of([5.0])), Some(0.0));
        assert_eq!(Statistic::parse("TC(:1)").unwrap().of(&of([5.0])), Some(0.0));
        assert_eq!(Statistic::parse("TM(:1)").unwrap().of(&of([5.0])), None);
        assert_eq!(Statistic::Sum.of(&Distribution::default()), None);
    }

    #[test]
    fn many_distinct_values_stay_bounded_and_close() {
        let values = of((0..50_000).map(|n| 1.0 + f64::from(n) * 0.013));
        assert!(values.values.len() <= MAX_EXACT, "{}", values.values.len());
        let p99 = Statistic::parse("p99").unwrap().of(&values).unwrap();
        let exact = 1.0 + 49_499.0 * 0.013;
        assert!((p99 / exact - 1.0).abs() < 0.005, "{p99} is not near {exact}");
        assert_eq!(values.count, 50_000.0);
    }

    #[test]
    fn merging_is_adding() {
        let mut merged = of([1.0, 2.0]);
        merged.merge(&of([2.0, 9.0]));
        merged.merge(&Distribution::default());
        assert_eq!(merged, of([1.0, 2.0, 2.0, 9.0]));
    }
}
