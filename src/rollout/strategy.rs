//! How the weight rises: CodeDeploy's names, and free ones.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::names::{NotA, Weight, parse_duration, show_duration};
use crate::hint::closest;

/// A strategy as it is written in a template or on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Strategy {
    /// The whole traffic at once; judged by the bake alone.
    AllAtOnce,
    /// One step, then everything.
    Canary {
        /// The step's weight.
        weight: Weight,
        /// How long it is held.
        hold: Duration,
    },
    /// The same amount more each time.
    Linear {
        /// What each step adds.
        weight: Weight,
        /// How long each is held.
        hold: Duration,
    },
    /// Steps as they are listed.
    Steps(Vec<Step>),
}

/// One weight that is held for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The new version's share.
    pub weight: Weight,
    /// How long at least.
    pub hold: Duration,
    /// Whether it then waits for a person (`rollout promote`).
    pub pause: bool,
}

/// More steps than this are a slip of the pen: `linear:0.001%:1s` would write the alias 100,000 times.
const MOST_STEPS: usize = 200;

/// CodeDeploy's predefined configurations for Lambda, and what they mean
/// (docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html).
const NAMED: [(&str, bool, u32, u64); 8] = [
    ("Canary10Percent5Minutes", true, 10, 5),
    ("Canary10Percent10Minutes", true, 10, 10),
    ("Canary10Percent15Minutes", true, 10, 15),
    ("Canary10Percent30Minutes", true, 10, 30),
    ("Linear10PercentEvery1Minute", false, 10, 1),
    ("Linear10PercentEvery2Minutes", false, 10, 2),
    ("Linear10PercentEvery3Minutes", false, 10, 3),
    ("Linear10PercentEvery10Minutes", false, 10, 10),
];

impl Strategy {
    /// The names of CodeDeploy's that are known, for messages and completions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        std::iter::once("AllAtOnce").chain(NAMED.iter().map(|(name, ..)| *name))
    }

    /// The weights below 100 % in their order, each with its hold; 100 % follows the last.
    pub fn steps(&self) -> Vec<Step> {
        match self {
            Self::AllAtOnce => Vec::new(),
            Self::Canary { weight, hold } => vec![Step { weight: *weight, hold: *hold, pause: false }],
            Self::Linear { weight, hold } => (1..)
                .map_while(|factor| weight.times(factor))
                .map(|weight| Step { weight, hold: *hold, pause: false })
                .collect(),
            Self::Steps(steps) => steps.clone(),
        }
    }

    /// The time from the first weight to the whole traffic, without waits for data or people.
    pub fn shortest(&self) -> Duration {
        self.steps().iter().map(|step| step.hold).sum()
    }
}

impl FromStr for Strategy {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        // A template may carry CodeDeploy's full name.
        let name = text.strip_prefix("CodeDeployDefault.Lambda").unwrap_or(text);
        if name == "AllAtOnce" {
            return Ok(Self::AllAtOnce);
        }
        if let Some((_, canary, percent, minutes)) = NAMED.iter().find(|(known, ..)| *known == name) {
            let (weight, hold) = (Weight::percent(*percent), Duration::from_secs(minutes * 60));
            return Ok(if *canary { Self::Canary { weight, hold } } else { Self::Linear { weight, hold } });
        }
        let unknown = || {
            let example = closest(name, Self::names()).unwrap_or("canary:5%:10m");
            NotA::new(text, format!("a strategy ({}, canary:…, linear:…, steps:…)", list()), example)
        };
        let (kind, rest) = text.split_once(':').ok_or_else(unknown)?;
        let strategy = match kind {
            "canary" => {
                let (weight, hold) = weight_and_hold(rest, "canary:5%:10m")?;
                Self::Canary { weight, hold }
            }
            "linear" => {
                let (weight, hold) = weight_and_hold(rest, "linear:20%:2m")?;
                Self::Linear { weight, hold }
            }
            "steps" => Self::Steps(parse_steps(text, rest)?),
            _ => return Err(unknown()),
        };
        if matches!(&strategy, Self::Linear { weight, .. } if weight.fraction() * (MOST_STEPS as f64) < 1.0) {
            return Err(NotA::new(text, format!("a strategy of at most {MOST_STEPS} steps"), "linear:20%:2m"));
        }
        Ok(strategy)
    }
}

fn list() -> String {
    Strategy::names().collect::<Vec<_>>().join(", ")
}

fn weight_and_hold(text: &str, example: &'static str) -> Result<(Weight, Duration), NotA> {
    let (weight, hold) =
        text.split_once(':').ok_or_else(|| NotA::new(text, "a weight and a duration with a colon between", example))?;
    Ok((weight.parse()?, parse_duration(hold)?))
}

fn parse_steps(whole: &str, text: &str) -> Result<Vec<Step>, NotA> {
    const EXAMPLE: &str = "steps:1%:5m,10%:10m,pause,50%:10m";
    let mut steps: Vec<Step> = Vec::new();
    for part in text.split(',') {
        if part == "pause" {
            match steps.last_mut() {
                Some(step) if !step.pause => step.pause = true,
                _ => return Err(NotA::new(whole, "a strategy: `pause` stands behind a step, once", EXAMPLE)),
            }
            continue;
        }
        let (weight, hold) = weight_and_hold(part, EXAMPLE)?;
        if steps.last().is_some_and(|last| last.weight >= weight) {
            return Err(NotA::new(whole, "a strategy whose weights rise (100 % at the end is implied)", EXAMPLE));
        }
        steps.push(Step { weight, hold, pause: false });
    }
    if steps.len() > MOST_STEPS {
        return Err(NotA::new(whole, format!("a strategy of at most {MOST_STEPS} steps"), EXAMPLE));
    }
    Ok(steps)
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |is_canary: bool, weight: &Weight, hold: &Duration| {
            NAMED.iter().find(|(_, canary, percent, minutes)| {
                *canary == is_canary
                    && Weight::percent(*percent) == *weight
                    && Duration::from_secs(minutes * 60) == *hold
            })
        };
        match self {
            Self::AllAtOnce => f.write_str("AllAtOnce"),
            Self::Canary { weight, hold } => match named(true, weight, hold) {
                Some((name, ..)) => f.write_str(name),
                None => write!(f, "canary:{weight}:{}", show_duration(*hold)),
            },
            Self::Linear { weight, hold } => match named(false, weight, hold) {
                Some((name, ..)) => f.write_str(name),
                None => write!(f, "linear:{weight}:{}", show_duration(*hold)),
            },
            Self::Steps(steps) => {
                f.write_str("steps:")?;
                for (index, step) in steps.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    let pause = if step.pause { ",pause" } else { "" };
                    write!(f, "{comma}{}:{}{pause}", step.weight, show_duration(step.hold))?;
                }
                Ok(())
            }
        }
    }
}

impl From<Strategy> for String {
    fn from(strategy: Strategy) -> Self {
        strategy.to_string()
    }
}

impl TryFrom<String> for Strategy {
    type Error = NotA;

    fn try_from(text: String) -> Result<Self, NotA> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use proptest::strategy::Strategy as Draw;

    use super::*;

    fn weights(text: &str) -> Vec<String> {
        text.parse::<Strategy>().unwrap().steps().iter().map(|step| step.weight.to_string()).collect()
    }

    #[test]
    fn codedeploys_names_mean_what_codedeploy_means() {
        assert_eq!(weights("Canary10Percent5Minutes"), ["10%"]);
        assert_eq!(weights("CodeDeployDefault.LambdaCanary10Percent5Minutes"), ["10%"]);
        assert_eq!(
            weights("Linear10PercentEvery1Minute"),
            ["10%", "20%", "30%", "40%", "50%", "60%", "70%", "80%", "90%"]
        );
        assert_eq!(weights("linear:30%:2m"), ["30%", "60%", "90%"]);
        assert!(weights("AllAtOnce").is_empty());
        for name in Strategy::names() {
            assert_eq!(name.parse::<Strategy>().unwrap().to_string(), name);
        }
        assert_eq!(
            "Linear10PercentEvery3Minutes".parse::<Strategy>().unwrap().shortest(),
            Duration::from_secs(27 * 60)
        );
    }

    #[test]
    fn what_cannot_work_is_refused_with_an_example() {
        for wrong in [
            "",
            "Canary",
            "canary10percent5minutes",
            "canary:0%:5m",
            "canary:100%:5m",
            "canary:5%",
            "canary:5%:-1m",
            "canary:5:5m",
            "linear:0.001%:1s",
            "steps:",
            "steps:pause",
            "steps:10%:5m,5%:5m",
            "steps:10%:5m,10%:5m",
            "steps:10%:5m,pause,pause",
            "steps:10%:5m,100%:5m",
            "blue/green",
            "canary:5%:10m:x",
        ] {
            let message = wrong.parse::<Strategy>().unwrap_err().to_string();
            assert!(message.contains("; for example "), "{wrong}: {message}");
        }
        insta::assert_snapshot!(
            "steps:50%:5m,10%:5m".parse::<Strategy>().unwrap_err(),
            @r#""steps:50%:5m,10%:5m" is not a strategy whose weights rise (100 % at the end is implied); for example steps:1%:5m,10%:10m,pause,50%:10m"#
        );
    }

    fn any_strategy() -> impl Draw<Value = Strategy> {
        let weight = (1_u32..100_000).prop_map(|parts| Weight::from_fraction(f64::from(parts) / 100_000.0).unwrap());
        let hold = (0_u64..86_400).prop_map(Duration::from_secs);
        let steps =
            proptest::collection::btree_map(weight.clone(), (hold.clone(), any::<bool>()), 1..12).prop_map(|map| {
                Strategy::Steps(map.into_iter().map(|(weight, (hold, pause))| Step { weight, hold, pause }).collect())
            });
        prop_oneof![
            Just(Strategy::AllAtOnce),
            (weight, hold.clone()).prop_map(|(weight, hold)| Strategy::Canary { weight, hold }),
            ((500_u32..100_000).prop_map(|p| Weight::from_fraction(f64::from(p) / 100_000.0).unwrap()), hold)
                .prop_map(|(weight, hold)| Strategy::Linear { weight, hold }),
            steps,
        ]
    }

    proptest! {
        #[test]
        fn text_to_strategy_to_text(strategy in any_strategy()) {
            let text = strategy.to_string();
            let read: Strategy = text.parse().unwrap();
            prop_assert_eq!(&read, &strategy);
            prop_assert_eq!(read.to_string(), text);
        }

        #[test]
        fn weights_rise_between_nothing_and_everything(strategy in any_strategy()) {
            let steps = strategy.steps();
            prop_assert!(steps.windows(2).all(|pair| pair[0].weight < pair[1].weight));
            prop_assert!(steps.iter().all(|step| step.weight > Weight::ZERO && step.weight < Weight::FULL));
            prop_assert!(steps.len() <= MOST_STEPS);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}|(canary|linear|steps):[0-9.%:,msh-]{0,30}") {
            let _ = text.parse::<Strategy>();
        }
    }
}
