//! What a rehearsal has shown, in numbers.

use serde::Serialize;

use super::traffic::Ledger;

/// What a rehearsal has shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proof {
    /// What was rehearsed.
    pub application: String,
    /// How the traffic was to move.
    pub strategy: String,
    /// Requests in each second of the sandbox's clock.
    pub rate: f64,
    /// Sandbox seconds in each real second.
    pub speed: f64,
    /// Seed of everything random.
    pub seed: u64,
    /// The deploys in their order.
    pub deployments: Vec<Deployment>,
    /// Whether template, stack and alias agree at the end.
    pub settled: bool,
    /// What does not agree; empty when all does.
    pub unsettled: Vec<String>,
    /// Seconds that it took, in real time.
    pub seconds: f64,
}

/// How one deploy ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Deployment {
    /// The version that it published.
    pub version: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was rolled back.
    pub reason: Option<String>,
    /// Requests while it was decided.
    pub requests: Sides,
    /// Failed ones of them.
    pub errors: Sides,
    /// From the first traffic to the verdict, in seconds of the sandbox's clock; for the first
    /// version, how long the deploy took.
    pub seconds_to_verdict: u64,
    /// How many requests would have failed in the same time had all traffic gone to the new version
    /// at once; for a version that was rolled back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors_all_at_once: Option<u64>,
}

/// How a deploy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The first version: nothing to compare it with.
    Live,
    /// The old version serves.
    RolledBack,
    /// The new version serves.
    Succeeded,
}

/// A count for each of the two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sides {
    /// The version that served before; none in the first deploy.
    pub old: Option<u64>,
    /// The new version.
    pub new: u64,
}

impl Deployment {
    /// Counts of what was served while it was decided.
    pub fn count(served: &Ledger, old: Option<&str>, new: &str) -> (Sides, Sides) {
        let old = old.map(|version| served.of(version));
        let new = served.of(new);
        (
            Sides { old: old.map(|count| count.requests), new: new.requests },
            Sides { old: old.map(|count| count.errors), new: new.errors },
        )
    }
}

/// Failed requests had all that came between the first traffic and the verdict gone to the new
/// version, failing at the rate that it showed.
pub fn errors_all_at_once(requests: Sides, errors: Sides) -> Option<u64> {
    let all = requests.new + requests.old.unwrap_or(0);
    (all * errors.new).checked_div(requests.new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_at_once_fails_at_the_rate_that_was_seen() {
        let requests = Sides { old: Some(900), new: 100 };
        assert_eq!(errors_all_at_once(requests, Sides { old: Some(4), new: 20 }), Some(200));
        assert_eq!(errors_all_at_once(Sides { old: None, new: 0 }, Sides { old: None, new: 0 }), None);
    }

    #[test]
    fn the_first_version_has_no_old_side_in_json() {
        let deployment = Deployment {
            version: "1".to_owned(),
            outcome: Outcome::Live,
            reason: None,
            requests: Sides { old: None, new: 3 },
            errors: Sides { old: None, new: 0 },
            seconds_to_verdict: 4,
            errors_all_at_once: None,
        };
        insta::assert_snapshot!(
            serde_json::to_string(&deployment).unwrap(),
            @r#"{"version":"1","outcome":"live","reason":null,"requests":{"old":null,"new":3},"errors":{"old":null,"new":0},"seconds_to_verdict":4}"#
        );
    }
}
