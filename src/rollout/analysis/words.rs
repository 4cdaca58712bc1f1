//! Evidence and reasons in plain words, with their numbers.

use super::counts::Tally;
use super::criteria::Resolution;
use super::metric::Metric;
use super::standing::{Reason, Standing, Stream};

impl Reason {
    /// `errors: new 4.1 % of 412, old 0.2 % of 3,710; evidence 1,340 against a bound of 100`.
    pub fn words(&self) -> String {
        match self {
            Self::Worse { stream, metric, old, new, evidence, bound } => {
                let what = what(*stream, metric.as_ref());
                let (new, old) = (share(*new), share(*old));
                format!("{what}: new {new}, old {old}; {}", against(*evidence, *bound))
            }
            Self::WorseThanBefore { metric, new, bar, evidence, bound } => format!(
                "{}: {} at 100 %, where {} is the most it may have; {}",
                what(Stream::Bake, metric.as_ref()),
                share(*new),
                percent(*bar),
                against(*evidence, *bound)
            ),
            Self::Limit { limit, new, evidence, bound } => {
                format!("the limit {limit} is broken: {}; {}", share(*new), against(*evidence, *bound))
            }
        }
    }
}

impl Standing {
    /// Where the evidence stands, in a line, with what it would have noticed.
    pub fn words(&self) -> String {
        if self.minutes == 0 {
            return "no complete minute with requests yet".to_owned();
        }
        let mut line =
            format!("errors: new {}, old {}; {}", share(self.new), share(self.old), against(self.evidence, self.bound));
        // The stream that says most, where it is another and says anything.
        if let Some(part) = self.parts.iter().find(|part| part.stream == self.stream && part.evidence > 1.0)
            && part.stream != Stream::Errors
        {
            let most = what(part.stream, part.metric.as_ref());
            line += &format!(", most of it from {most} (new {}, old {})", share(part.new), share(part.old));
        }
        format!("{line}; {}", self.noticed.words())
    }
}

impl Resolution {
    /// `would notice +3.5 points of errors or more`.
    pub fn words(&self) -> String {
        match self.more() {
            Some(more) => {
                let points = more * 100.0;
                let digits = if points < 0.95 { 2 } else { 1 };
                format!("would notice +{points:.digits$} points of errors or more")
            }
            None => "cannot tell at this traffic".to_owned(),
        }
    }
}

fn what(stream: Stream, metric: Option<&Metric>) -> String {
    match (stream, metric) {
        (_, Some(metric)) => metric.to_string(),
        (Stream::Latency, None) => "slow".to_owned(),
        _ => "errors".to_owned(),
    }
}

fn against(evidence: f64, bound: f64) -> String {
    format!("evidence {} against a bound of {}", number(evidence), number(bound))
}

/// `4.1 % of 412`.
pub fn share(tally: Tally) -> String {
    if tally.n == 0 {
        return "no requests".to_owned();
    }
    format!("{} of {}", percent(tally.rate()), number(tally.n as f64))
}

fn percent(rate: f64) -> String {
    let percent = rate * 100.0;
    if percent > 0.0 && percent < 0.1 { format!("{percent:.2} %") } else { format!("{percent:.1} %") }
}

/// `1,340`; two digits below ten; beyond a thousand million the power of ten.
pub fn number(value: f64) -> String {
    if value >= 1e9 {
        return format!("{value:.0e}");
    }
    if value < 10.0 && value.fract() != 0.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_with_their_numbers() {
        let (old, new) = (Tally { n: 3710, x: 7 }, Tally { n: 412, x: 17 });
        let (evidence, bound) = (1340.4, 100.0);
        let worse = Reason::Worse { stream: Stream::Errors, metric: None, old, new, evidence, bound };
        insta::assert_snapshot!(worse.words(), @"errors: new 4.1 % of 412, old 0.2 % of 3,710; evidence 1,340 against a bound of 100");
        let metric = Some("Shop/Failures?version={version}".parse().unwrap());
        let worse = Reason::Worse { stream: Stream::Metric, metric, old, new, evidence, bound };
        insta::assert_snapshot!(worse.words(), @"Shop/Failures?version={version}: new 4.1 % of 412, old 0.2 % of 3,710; evidence 1,340 against a bound of 100");
        let before = Reason::WorseThanBefore { metric: None, new, bar: 0.0294, evidence, bound };
        insta::assert_snapshot!(before.words(), @"errors: 4.1 % of 412 at 100 %, where 2.9 % is the most it may have; evidence 1,340 against a bound of 100");
        let limit = Reason::Limit { limit: "spillover=2%".parse().unwrap(), new, evidence, bound };
        insta::assert_snapshot!(limit.words(), @"the limit spillover=2% is broken: 4.1 % of 412; evidence 1,340 against a bound of 100");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.43, 12.0, 999_999.0, 1_234_567.0, 3e120].map(number),
            ["0.43", "12", "999,999", "1,234,567", "3e120"]
        );
        assert_eq!(share(Tally { n: 20_000, x: 9 }), "0.04 % of 20,000");
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        let of = |rate| Resolution { rate, old_rate: 0.005 }.words();
        assert_eq!(of(Some(0.0402)), "would notice +3.5 points of errors or more");
        assert_eq!(of(Some(0.0075)), "would notice +0.25 points of errors or more");
        assert_eq!([of(Some(1.2)), of(None)], ["cannot tell at this traffic", "cannot tell at this traffic"]);
    }
}
