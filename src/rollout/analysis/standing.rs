//! Where the evidence stands, and why to go back.

use serde::{Deserialize, Serialize};

use super::counts::Tally;
use super::criteria::Resolution;
use super::limit::Limit;
use super::metric::Metric;

/// Evidence from which on the last raise waits for more.
const SUSPECT: f64 = 10.0;

/// A stream of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// New against old, errors.
    Errors,
    /// The new version alone, against what the old one did before.
    Bake,
    /// New against old, slow invocations.
    Latency,
    /// New against old, a custom metric.
    Metric,
}

/// Where one stream stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The stream.
    pub stream: Stream,
    /// The custom metric, where it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    /// Its share of the evidence.
    pub share: f64,
    /// Its own evidence; 1 is none. Capped at 1e299.
    pub evidence: f64,
    /// What was judged of the old version.
    pub old: Tally,
    /// What was judged of the new version.
    pub new: Tally,
    /// What share the new version may have at 100 %; only where it is judged alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar: Option<f64>,
}

/// Where the evidence stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The whole evidence, not its logarithm; capped at 1e299.
    pub evidence: f64,
    /// What it has to reach.
    pub bound: f64,
    /// The stream that says most.
    pub stream: Stream,
    /// The old version's judged requests and errors, of minutes with both versions.
    pub old: Tally,
    /// The new version's judged requests and errors.
    pub new: Tally,
    /// Judged minutes.
    pub minutes: u64,
    /// What the judged minutes would have noticed.
    pub noticed: Resolution,
    /// Stream by stream.
    pub parts: Vec<Part>,
    /// Why to go back, once there is a reason.
    pub reason: Option<Reason>,
}

impl Standing {
    /// Whether the evidence is on its way to the bound: of a version as good as the old one it comes so far
    /// in one rollout of ten at most (Ville's inequality), and falls again.
    pub fn is_suspect(&self) -> bool {
        self.evidence >= SUSPECT.min(self.bound)
    }

    /// The reason that this is once the bound is reached: that of the stream that says most.
    pub(super) fn charge(&self) -> Reason {
        let evidence = self.evidence;
        let worth = |part: &Part| part.share * part.evidence;
        let first = (None, f64::NEG_INFINITY);
        let top = self.parts.iter().fold(
            first,
            |best: (Option<&Part>, f64), part| {
                if worth(part) > best.1 { (Some(part), worth(part)) } else { best }
            },
        );
        let bound = self.bound;
        match top.0 {
            Some(Part { metric, new, bar: Some(bar), .. }) => {
                Reason::WorseThanBefore { metric: metric.clone(), new: *new, bar: *bar, evidence, bound }
            }
            Some(Part { stream, metric, old, new, .. }) => {
                Reason::Worse { stream: *stream, metric: metric.clone(), old: *old, new: *new, evidence, bound }
            }
            None => {
                let (old, new) = (self.old, self.new);
                Reason::Worse { stream: self.stream, metric: None, old, new, evidence, bound }
            }
        }
    }
}

/// Why to go back, with the numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Reason {
    /// The new version fails (or is slow) more often than the old one.
    Worse {
        /// Errors, latency or a metric.
        stream: Stream,
        /// The custom metric, where it is one's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metric: Option<Metric>,
        /// The old version.
        old: Tally,
        /// The new version.
        new: Tally,
        /// The evidence.
        evidence: f64,
        /// The bound.
        bound: f64,
    },
    /// At 100 % the new version fails more often than the old one did before.
    WorseThanBefore {
        /// The custom metric, where it is one's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metric: Option<Metric>,
        /// The new version at 100 %.
        new: Tally,
        /// The share of errors that it may have.
        bar: f64,
        /// The evidence.
        evidence: f64,
        /// The bound.
        bound: f64,
    },
    /// A limit of the user's is broken.
    Limit {
        /// The limit.
        limit: Limit,
        /// What was counted.
        new: Tally,
        /// The evidence.
        evidence: f64,
        /// The bound.
        bound: f64,
    },
}

/// The evidence itself, capped so that sums of some stay numbers that JSON can hold.
pub(super) fn capped(ln: f64) -> f64 {
    ln.min(690.0).exp()
}
