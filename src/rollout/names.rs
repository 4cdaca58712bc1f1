//! The names and numbers of a rollout, each of a type of its own so that two cannot be swapped.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A text that is not what it should be: what was given, what was expected, an example.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not {expected}; for example {example}")]
pub struct NotA {
    /// What was given.
    pub given: String,
    /// What was expected, such as `a version`.
    pub expected: String,
    /// One that would do.
    pub example: &'static str,
}

impl NotA {
    pub(crate) fn new(given: &str, expected: impl Into<String>, example: &'static str) -> Self {
        let given: String = given.chars().take(80).collect();
        Self { given, expected: expected.into(), example }
    }
}

/// A published version of a function. Never `$LATEST`: an alias with weights cannot route to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(NonZeroU64);

impl FromStr for Version {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        if text == "$LATEST" {
            return Err(NotA::new(text, "a published version: an alias is never routed to $LATEST", "7"));
        }
        let digits = !text.is_empty() && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .then(|| text.parse().ok())
            .flatten()
            .map(Self)
            .ok_or_else(|| NotA::new(text, "the number of a published version", "7"))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of an alias.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AliasName(String);

impl AliasName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AliasName {
    type Err = NotA;

    /// `(?!^[0-9]+$)([a-zA-Z0-9-_]+)`, up to 128 characters (Lambda's `CreateAlias`).
    fn from_str(text: &str) -> Result<Self, NotA> {
        let fits = (1..=128).contains(&text.len())
            && text.bytes().all(is_name_byte)
            && !text.bytes().all(|byte| byte.is_ascii_digit());
        if fits { Ok(Self(text.to_owned())) } else { Err(NotA::new(text, "the name of an alias", "live")) }
    }
}

impl fmt::Display for AliasName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a function, without account, region and qualifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionName(String);

impl FunctionName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FunctionName {
    type Err = NotA;

    /// A name, or the function's ARN without a qualifier, of which the name is kept.
    fn from_str(text: &str) -> Result<Self, NotA> {
        text.parse::<FunctionRef>().map(|function| function.name)
    }
}

/// A function as a person names it: by its name, or by its ARN, which says where it is too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionRef {
    /// Its name.
    pub name: FunctionName,
    /// Region and account of the ARN; `None` for a name.
    pub place: Option<(String, String)>,
}

impl FromStr for FunctionRef {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        const EXAMPLE: &str = "hello-Api-1A2B3C or arn:aws:lambda:eu-west-1:123456789012:function:hello";
        let wrong = || NotA::new(text, "a function's name or ARN", EXAMPLE);
        let parts: Vec<&str> = text.split(':').collect();
        let (name, place) = match parts.as_slice() {
            [name] => (*name, None),
            ["arn", partition, "lambda", region, account, "function", name] => {
                let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
                if !partition.starts_with("aws") || !crate::aws::is_region(region) || !is_account {
                    return Err(wrong());
                }
                (*name, Some(((*region).to_owned(), (*account).to_owned())))
            }
            ["arn", _, "lambda", _, _, "function", _, _] | [_, _] => {
                let expected = "a function's name or ARN without a version or alias: that is what --alias is for";
                return Err(NotA::new(text, expected, EXAMPLE));
            }
            _ => return Err(wrong()),
        };
        let fits = (1..=64).contains(&name.len()) && name.bytes().all(is_name_byte);
        if fits { Ok(Self { name: FunctionName(name.to_owned()), place }) } else { Err(wrong()) }
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What every command that is printed to be pasted needs besides the alias: the command line's
/// `--sandbox`, `--region`, `--profile` and `--journal-bucket`, without which it would look elsewhere.
static PASTED: OnceLock<String> = OnceLock::new();

/// Sets what every printed command ends with, once for the process.
pub(crate) fn paste_also(flags: String) {
    if !flags.is_empty() {
        // The first one is the command line's.
        let _ = PASTED.set(flags);
    }
}

/// An alias of a function. Sorted by function, then alias: the order in which several are taken and
/// moved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AliasId {
    /// The function.
    pub function: FunctionName,
    /// Its alias.
    pub alias: AliasName,
}

impl AliasId {
    /// The alias of the function.
    pub fn new(function: FunctionName, alias: AliasName) -> Self {
        Self { function, alias }
    }

    /// `--function F --alias A` and what else this process was told of where things are, for commands
    /// that a person can paste.
    pub fn flags(&self) -> String {
        let also = PASTED.get().map(|also| format!(" {also}")).unwrap_or_default();
        format!("--function {} --alias {}{also}", self.function, self.alias)
    }
}

impl fmt::Display for AliasId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.function, self.alias)
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// What Lambda calls the state of an alias; every write gives a new one, and a write that carries a
/// stale one is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RevisionId(pub String);

/// A share of an alias's requests, in steps of 0.001 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Weight(u32);

impl Weight {
    /// Everything.
    pub const FULL: Self = Self(100_000);
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many whole percent, at most 100.
    pub const fn percent(percent: u32) -> Self {
        Self(if percent > 100 { 100_000 } else { percent * 1000 })
    }

    /// From Lambda's fraction of 0.0 to 1.0, rounded; `None` outside.
    pub fn from_fraction(fraction: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100,000")]
        (0.0..=1.0).contains(&fraction).then(|| Self((fraction * 100_000.0).round() as u32))
    }

    /// As Lambda's fraction of 0.0 to 1.0.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 100_000.0
    }

    /// So many times this weight; `None` from 100 % on.
    pub(super) fn times(self, factor: u32) -> Option<Self> {
        self.0.checked_mul(factor).filter(|parts| *parts < Self::FULL.0).map(Self)
    }
}

impl FromStr for Weight {
    type Err = NotA;

    /// `10%`, `0.5%`: above 0 and below 100, at most three decimals.
    fn from_str(text: &str) -> Result<Self, NotA> {
        let wrong = || NotA::new(text, "a share above 0 % and below 100 %, with at most three decimals", "10%");
        let number = text.strip_suffix('%').ok_or_else(wrong)?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str, most: usize| {
            (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(whole, 3) || !digits(decimals, 3) {
            return Err(wrong());
        }
        let whole: u32 = whole.parse().map_err(|_| wrong())?;
        let thousandths: u32 = format!("{decimals:0<3}").parse().map_err(|_| wrong())?;
        let weight = Self(whole * 1000 + thousandths);
        if weight > Self::ZERO && weight < Self::FULL { Ok(weight) } else { Err(wrong()) }
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1000, self.0 % 1000);
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        let decimals = format!("{rest:03}");
        write!(f, "{whole}.{}%", decimals.trim_end_matches('0'))
    }
}

impl From<Weight> for String {
    fn from(weight: Weight) -> Self {
        weight.to_string()
    }
}

impl TryFrom<String> for Weight {
    type Error = NotA;

    fn try_from(text: String) -> Result<Self, NotA> {
        match text.as_str() {
            "0%" => Ok(Self::ZERO),
            "100%" => Ok(Self::FULL),
            _ => text.parse(),
        }
    }
}

macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.to_string()
            }
        }
        impl TryFrom<String> for $name {
            type Error = NotA;
            fn try_from(text: String) -> Result<Self, NotA> {
                text.parse()
            }
        }
    )*};
}
as_text!(Version, AliasName, FunctionName);

/// A point in time by the services' clock: milliseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub i64);

impl Time {
    /// The minute that it is in, counted from 1970: CloudWatch's minutes are UTC's.
    pub fn minute(self) -> i64 {
        self.0.div_euclid(60_000)
    }

    /// When a minute counted from 1970 begins.
    pub fn of_minute(minute: i64) -> Self {
        Self(minute.saturating_mul(60_000))
    }

    /// How long ago `earlier` was; zero when it was not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `HH:MM:SS`, UTC.
    pub fn clock(self) -> String {
        let seconds = self.0.div_euclid(1000).rem_euclid(86_400);
        format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// Reads `90s`, `5m`, `1h`, `2m30s`; whole numbers only, up to a day.
///
/// # Errors
/// Anything else, with an example.
pub fn parse_duration(text: &str) -> Result<Duration, NotA> {
    let wrong = || NotA::new(text, "a duration of at most 24 h, in whole h, m and s", "5m");
    let mut rest = text;
    let mut seconds = 0_u64;
    let mut last_unit = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > 6 {
            return Err(wrong());
        }
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = match rest.as_bytes().get(digits) {
            Some(b'h') => 3600,
            Some(b'm') => 60,
            Some(b's') => 1,
            _ => return Err(wrong()),
        };
        if unit >= last_unit {
            return Err(wrong());
        }
        last_unit = unit;
        seconds += number * unit;
        rest = &rest[digits + 1..];
    }
    if text.is_empty() || seconds > 86_400 {
        return Err(wrong());
    }
    Ok(Duration::from_secs(seconds))
}

/// A duration as [`parse_duration`] reads it, but not zero: nothing is done in no time.
///
/// # Errors
/// Anything else, with an example.
pub fn parse_timeout(text: &str) -> Result<Duration, NotA> {
    match parse_duration(text)? {
        Duration::ZERO => Err(NotA::new(text, "a time in which anything can be done", "2h")),
        timeout => Ok(timeout),
    }
}

/// The name of a CloudWatch alarm: up to 255 characters, none of them a control character
/// (`PutMetricAlarm`). An ARN is none, and a deploy would only find out when the alarm is looked for.
///
/// # Errors
/// Anything else, with an example.
pub fn parse_alarm(text: &str) -> Result<String, NotA> {
    const EXAMPLE: &str = "hello-errors";
    if text.starts_with("arn:") {
        return Err(NotA::new(text, "the name of an alarm (of an ARN, what stands behind `:alarm:`)", EXAMPLE));
    }
    let fits = (1..=255).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(NotA::new(text, "the name of an alarm", EXAMPLE)) }
}

/// The name of a stack, or its ARN.
///
/// # Errors
/// Anything else, with an example.
pub fn parse_stack(text: &str) -> Result<String, NotA> {
    let name = match text.split(':').collect::<Vec<_>>().as_slice() {
        [name] => Some(*name),
        ["arn", _, "cloudformation", _, _, rest] => rest.strip_prefix("stack/").and_then(|rest| rest.split('/').next()),
        _ => None,
    };
    let fits = name.is_some_and(|name| {
        name.len() <= 128
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits && is_plain { Ok(text.to_owned()) } else { Err(NotA::new(text, "a stack's name or ARN", "hello")) }
}

/// The name of an S3 bucket
/// (docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
///
/// # Errors
/// Anything else, with an example.
pub fn parse_bucket(text: &str) -> Result<String, NotA> {
    let is_edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let fits = (3..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| is_edge(byte) || matches!(byte, b'-' | b'.'))
        && bytes.first().is_some_and(is_edge)
        && bytes.last().is_some_and(is_edge)
        && !text.contains("..")
        && text.parse::<std::net::Ipv4Addr>().is_err();
    if fits { Ok(text.to_owned()) } else { Err(NotA::new(text, "the name of a bucket", "my-journals")) }
}

/// A whole number, such as a count of requests.
///
/// # Errors
/// Anything else, with an example.
pub fn parse_count(text: &str) -> Result<u64, NotA> {
    let digits = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| NotA::new(text, "a whole number of at most twelve digits", "30"))
}

/// Writes a duration as [`parse_duration`] reads it.
pub fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [(seconds / 3600, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    let text: String =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, unit)| format!("{number}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_is_never_a_version() {
        let message = "$LATEST".parse::<Version>().unwrap_err().to_string();
        assert_eq!(
            message,
            "\"$LATEST\" is not a published version: an alias is never routed to $LATEST; for example 7"
        );
        for wrong in ["", "0", "01", "-1", "1.0", "latest", "99999999999999999999999"] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
        assert_eq!("12".parse::<Version>().unwrap().to_string(), "12");
    }

    #[test]
    fn weights_are_exact_and_refused_at_both_ends() {
        for text in ["10%", "0.5%", "0.001%", "99.999%", "33.25%"] {
            let weight: Weight = text.parse().unwrap();
            assert_eq!(weight.to_string(), text);
            assert_eq!(Weight::from_fraction(weight.fraction()), Some(weight));
        }
        for wrong in ["0%", "100%", "101%", "-1%", "10", "1e1%", "0.0001%", "%", " 5%", "5 %", "NaN%", "1.5.2%"] {
            assert!(wrong.parse::<Weight>().is_err(), "{wrong}");
        }
        assert_eq!(Weight::from_fraction(1.5), None);
        assert_eq!(Weight::from_fraction(f64::NAN), None);
    }

    #[test]
    fn names_and_arns() {
        const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:api";
        assert_eq!(ARN.parse::<FunctionName>().unwrap().as_str(), "api");
        let place = Some(("eu-west-1".to_owned(), "123456789012".to_owned()));
        assert_eq!(ARN.parse::<FunctionRef>().unwrap().place, place);
        assert_eq!("api".parse::<FunctionRef>().unwrap().place, None);
        for wrong in [
            "",
            "a b",
            "a/b",
            "../x",
            "hello:live",
            "arn:aws:lambda:eu-west-1:123456789012:function:api:live",
            "arn:aws:lambda:eu-west-1:1:function:api",
            "arn:aws:lambda:evil.example/:123456789012:function:api",
            "arn:aws:lambda:eu-west-1:123456789012:function:",
            "arn:aws:s3:::b",
            "arn:",
            "h\u{202e}i",
        ] {
            assert!(wrong.parse::<FunctionName>().is_err(), "{wrong}");
        }
        for wrong in ["", "12", "a b", "a/b", "$LATEST"] {
            assert!(wrong.parse::<AliasName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_else_is_named_is_looked_at_before_it_is_sent() {
        const STACK: &str = "arn:aws:cloudformation:eu-west-1:123456789012:stack/hello/0b1c";
        for good in ["hello", "a", STACK] {
            assert_eq!(parse_stack(good).unwrap(), good);
        }
        for wrong in ["", "1x", "a_b", "a b", "arn:aws:s3:::hello", "arn:aws:cloudformation:r:1:stack/", "a\n"] {
            assert!(parse_stack(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "ab", "UPPER", "a..b", "-ab", "ab-", "a/b", "s3://bucket", "192.168.5.4", &"a".repeat(64)] {
            assert!(parse_bucket(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_bucket("my.journals-1").unwrap(), "my.journals-1");
        for wrong in ["", "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:x", "a\u{7}b", &"a".repeat(256)] {
            assert!(parse_alarm(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_alarm("5xx / api (prod)").unwrap(), "5xx / api (prod)");
        for wrong in ["", "-1", "+1", "1.5", "1e3", "9999999999999", "ten"] {
            assert!(parse_count(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_count("0").unwrap(), 0);
        assert_eq!(parse_timeout("1s"), Ok(Duration::from_secs(1)));
        assert!(parse_timeout("0s").is_err());
    }

    mod laws {
        use proptest::prelude::{prop_assert_eq, proptest};

        use super::*;

        proptest! {
            #[test]
            fn text_to_value_to_text(version in 1_u64.., parts in 1_u32..100_000, seconds in 0_u64..=86_400) {
                let version = version.to_string();
                prop_assert_eq!(version.parse::<Version>().unwrap().to_string(), version);
                let weight = Weight::from_fraction(f64::from(parts) / 100_000.0).unwrap();
                prop_assert_eq!(weight.to_string().parse::<Weight>().unwrap(), weight);
                let duration = Duration::from_secs(seconds);
                prop_assert_eq!(parse_duration(&show_duration(duration)).unwrap(), duration);
            }

            #[test]
            fn what_is_accepted_is_kept_as_it_is(text in "[a-zA-Z0-9_.:/$-]{0,40}") {
                if let Ok(name) = text.parse::<AliasName>() {
                    prop_assert_eq!(name.as_str(), text.as_str());
                }
                if let Ok(stack) = parse_stack(&text) {
                    prop_assert_eq!(stack.as_str(), text.as_str());
                }
            }

            #[test]
            fn no_text_makes_them_panic(text in "\\PC{0,60}|[0-9.%hms:-]{0,20}|arn:[a-z:0-9-]{0,40}") {
                let _ = (text.parse::<Version>(), text.parse::<Weight>(), text.parse::<AliasName>());
                let _ = (text.parse::<FunctionRef>(), parse_duration(&text), parse_timeout(&text));
                let _ = (parse_stack(&text), parse_bucket(&text), parse_alarm(&text), parse_count(&text));
            }
        }
    }

    #[test]
    fn durations_read_back_as_written() {
        for text in ["0s", "90s", "5m", "1h", "2m30s", "24h"] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(parse_duration(&show_duration(duration)).unwrap(), duration);
        }
        for wrong in ["", "5", "-5m", "1.5m", "5m5m", "1s1m", "25h", "999999999h", "5 m", "m"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
