//! How the traffic moves: at once, in two steps, or in equal ones.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const MINUTE_MS: i64 = 60_000;
/// What AWS's own configurations are called before their name.
const DEFAULT: &str = "CodeDeployDefault.Lambda";
/// What a group has that names none.
pub(super) const ALL_AT_ONCE: &str = "CodeDeployDefault.LambdaAllAtOnce";
/// Two days, the longest interval of all platforms.
const LONGEST_MINUTES: u32 = 2880;

/// A way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Routing {
    AllAtOnce,
    Canary { percent: u32, minutes: u32 },
    Linear { percent: u32, minutes: u32 },
}

/// AWS's own configurations for Lambda.
pub(super) const PREDEFINED: [(&str, Routing); 9] = [
    ("AllAtOnce", Routing::AllAtOnce),
    ("Canary10Percent5Minutes", Routing::Canary { percent: 10, minutes: 5 }),
    ("Canary10Percent10Minutes", Routing::Canary { percent: 10, minutes: 10 }),
    ("Canary10Percent15Minutes", Routing::Canary { percent: 10, minutes: 15 }),
    ("Canary10Percent30Minutes", Routing::Canary { percent: 10, minutes: 30 }),
    ("Linear10PercentEvery1Minute", Routing::Linear { percent: 10, minutes: 1 }),
    ("Linear10PercentEvery2Minutes", Routing::Linear { percent: 10, minutes: 2 }),
    ("Linear10PercentEvery3Minutes", Routing::Linear { percent: 10, minutes: 3 }),
    ("Linear10PercentEvery10Minutes", Routing::Linear { percent: 10, minutes: 10 }),
];

/// One of AWS's own, by its whole name.
pub(super) fn predefined(name: &str) -> Option<Routing> {
    let short = name.strip_prefix(DEFAULT)?;
    PREDEFINED.iter().find(|(known, _)| *known == short).map(|(_, routing)| *routing)
}

/// The whole names of AWS's own.
pub(super) fn predefined_names() -> impl Iterator<Item = String> {
    PREDEFINED.iter().map(|(name, _)| format!("{DEFAULT}{name}"))
}

impl Routing {
    /// The share of the target version after so many increments, in per cent.
    pub(super) fn share(self, made: u32) -> u32 {
        match self {
            _ if made == 0 => 0,
            Self::AllAtOnce => 100,
            Self::Canary { percent, .. } => {
                if made == 1 {
                    percent
                } else {
                    100
                }
            }
            Self::Linear { percent, .. } => percent.saturating_mul(made).min(100),
        }
    }

    /// Between two increments, in the sandbox's time.
    pub(super) fn interval_ms(self) -> i64 {
        match self {
            Self::AllAtOnce => 0,
            Self::Canary { minutes, .. } | Self::Linear { minutes, .. } => i64::from(minutes) * MINUTE_MS,
        }
    }

    /// As the API has it.
    pub(super) fn describe(self) -> Value {
        match self {
            Self::AllAtOnce => json!({"type": "AllAtOnce"}),
            Self::Canary { percent, minutes } => json!({
                "type": "TimeBasedCanary",
                "timeBasedCanary": {"canaryPercentage": percent, "canaryInterval": minutes},
            }),
            Self::Linear { percent, minutes } => json!({
                "type": "TimeBasedLinear",
                "timeBasedLinear": {"linearPercentage": percent, "linearInterval": minutes},
            }),
        }
    }

    /// Reads a `trafficRoutingConfig`; what is wrong with it.
    pub(super) fn read(config: &Value) -> Result<Self, String> {
        let part = |structure: &str, percent: &str, interval: &str| {
            let number = |name: &str| config[structure][name].as_u64().and_then(|number| u32::try_from(number).ok());
            let given = number(percent).filter(|percent| (1..100).contains(percent));
            let given = given.ok_or_else(|| format!("{percent} must be an integer between 1 and 99"))?;
            let minutes = number(interval).filter(|minutes| (1..=LONGEST_MINUTES).contains(minutes));
            let minutes = minutes.ok_or_else(|| format!("{interval} must be between 1 and {LONGEST_MINUTES}"))?;
            Ok((given, minutes))
        };
        match config["type"].as_str() {
            Some("AllAtOnce") => Ok(Self::AllAtOnce),
            Some("TimeBasedCanary") => part("timeBasedCanary", "canaryPercentage", "canaryInterval")
                .map(|(percent, minutes)| Self::Canary { percent, minutes }),
            Some("TimeBasedLinear") => part("timeBasedLinear", "linearPercentage", "linearInterval")
                .map(|(percent, minutes)| Self::Linear { percent, minutes }),
            _ => Err("type must be one of AllAtOnce, TimeBasedCanary, TimeBasedLinear".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_ends_at_the_whole_and_is_read_back() {
        let mut all: Vec<Routing> = PREDEFINED.iter().map(|(_, routing)| *routing).collect();
        all.extend([Routing::Linear { percent: 33, minutes: 7 }, Routing::Canary { percent: 99, minutes: 2880 }]);
        for routing in all {
            let shares: Vec<u32> = (0..=100).map(|made| routing.share(made)).collect();
            assert!(shares.is_sorted() && shares[0] == 0 && shares[100] == 100, "{routing:?}: {shares:?}");
            assert_eq!(Routing::read(&routing.describe()), Ok(routing));
        }
    }

    #[test]
    fn what_cannot_move_traffic_is_refused() {
        for bad in [
            json!({}),
            json!({"type": "TimeBasedCanary"}),
            json!({"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 100, "canaryInterval": 5}}),
            json!({"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 10, "linearInterval": 0}}),
            json!({"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": -1, "linearInterval": 1}}),
        ] {
            assert!(Routing::read(&bad).is_err(), "{bad}");
        }
    }
}
