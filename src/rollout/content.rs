//! What an alias says: a version, and at most one more with a weight.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::names::{RevisionId, Version, Weight};

/// The routing of an alias, as Lambda gives it. Versions are text here, since what somebody else
/// wrote may be anything, `$LATEST` too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// `FunctionVersion`.
    pub version: String,
    /// `AdditionalVersionWeights`; a weight of nothing is left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, Weight>,
}

impl Content {
    /// Everything to one version.
    pub fn whole(version: Version) -> Self {
        Self { version: version.to_string(), weights: BTreeMap::new() }
    }

    /// `weight` of the requests to `new`, the others to `old`.
    pub fn split(old: Version, new: Version, weight: Weight) -> Self {
        if weight == Weight::ZERO {
            return Self::whole(old);
        }
        Self { version: old.to_string(), weights: BTreeMap::from([(new.to_string(), weight)]) }
    }

    /// The share of a version.
    pub fn share(&self, version: Version) -> Weight {
        let version = version.to_string();
        if let Some(weight) = self.weights.get(&version) {
            return *weight;
        }
        if self.version != version {
            return Weight::ZERO;
        }
        let others: f64 = self.weights.values().map(|weight| weight.fraction()).sum();
        Weight::from_fraction((1.0 - others).max(0.0)).unwrap_or_default()
    }

    /// Whether there is more than one version.
    pub fn is_split(&self) -> bool {
        !self.weights.is_empty()
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {}", self.version)?;
        for (version, weight) in &self.weights {
            write!(f, " with {weight} to version {version}")?;
        }
        Ok(())
    }
}

/// What an alias said when it was last read or written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The routing.
    pub content: Content,
    /// Lambda's name for this state of it.
    pub revision: RevisionId,
}
