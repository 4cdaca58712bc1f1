//! The alias, moved by samara: reading it, writing it over a known revision, and what speaks
//! against doing so.

use std::collections::BTreeMap;

use crate::aws::lambda::{Alias, Configuration, Lambda};
use crate::aws::{self, ErrorKind};
use crate::rollout::clock::Clock;
use crate::rollout::content::{Content, Seen};
use crate::rollout::names::{AliasId, AliasName, FunctionName, RevisionId, Time, Version, Weight};
use crate::rollout::refusal::{Facts, VersionFacts};
use crate::rollout::state::{Readiness, WriteTrouble};

/// An alias of a function.
#[derive(Clone, Debug)]
pub struct Driver {
    lambda: Lambda,
    function: FunctionName,
    alias: AliasName,
    clock: Clock,
}

impl Driver {
    /// Of this alias. What Lambda says of the time is told to the clock.
    pub fn new(lambda: Lambda, id: AliasId, clock: Clock) -> Self {
        let AliasId { function, alias } = id;
        Self { lambda, function, alias, clock }
    }

    /// Reads the alias; `None` when it is not there.
    ///
    /// # Errors
    /// Lambda cannot be reached, or refuses.
    pub async fn read(&self) -> Result<Option<Seen>, aws::Error> {
        let alias = self.lambda.alias(self.function.as_str(), self.alias.as_str()).await?;
        if let Some(date) = alias.as_ref().and_then(|alias| alias.answered_at) {
            self.clock.heard(Time(date.unix_timestamp().saturating_mul(1000)));
        }
        Ok(alias.map(seen))
    }

    /// Writes the alias over a revision, once.
    ///
    /// # Errors
    /// What is known of why it did not take effect.
    pub async fn write(&self, expect: &RevisionId, content: &Content) -> Result<RevisionId, WriteTrouble> {
        let weights: Vec<(String, f64)> =
            content.weights.iter().map(|(version, weight)| (version.clone(), weight.fraction())).collect();
        let (function, alias) = (self.function.as_str(), self.alias.as_str());
        match self.lambda.update_alias(function, alias, &expect.0, &content.version, &weights).await {
            Ok(revision) => Ok(RevisionId(revision)),
            Err(error) => Err(trouble(&error)),
        }
    }

    /// What a version's code hashes to.
    ///
    /// # Errors
    /// Lambda cannot be reached, or refuses.
    pub async fn code_sha256(&self, version: Version) -> Result<Option<String>, aws::Error> {
        let found = self.lambda.configuration(self.function.as_str(), &version.to_string()).await?;
        Ok(found.map(|found| found.code_sha256).filter(|hash| !hash.is_empty()))
    }

    /// Whether a version can serve.
    pub async fn readiness(&self, version: Version) -> Readiness {
        match self.lambda.configuration(self.function.as_str(), &version.to_string()).await {
            Ok(Some(found)) => readiness(&found),
            Ok(None) => Readiness::Failed(format!("version {version} does not exist any more")),
            Err(_) => Readiness::Pending,
        }
    }

    /// What has to be known before anything is touched, and what could not be found out.
    ///
    /// # Errors
    /// Lambda cannot be reached, or refuses.
    pub async fn facts(
        &self,
        content: Content,
        old: Version,
        new: Version,
    ) -> Result<(Facts, Vec<String>), aws::Error> {
        let function = self.function.as_str();
        let (old, new) = (old.to_string(), new.to_string());
        let (of_old, of_new, provisioned) = tokio::join!(
            self.lambda.configuration(function, &old),
            self.lambda.configuration(function, &new),
            self.lambda.is_provisioned(function, self.alias.as_str()),
        );
        let mut unknown = Vec::new();
        let provisioned = provisioned.unwrap_or_else(|error| {
            unknown
                .push(format!("whether {function}:{} has provisioned concurrency is not known: {error}", self.alias));
            false
        });
        let facts = |found: Option<Configuration>| {
            found.map(|found| VersionFacts {
                role: found.role,
                dead_letter: found.dead_letter,
                code_sha256: found.code_sha256,
                timeout_s: found.timeout_s,
                state: found.state,
                state_reason: found.state_reason,
            })
        };
        Ok((Facts { content, old: facts(of_old?), new: facts(of_new?), provisioned }, unknown))
    }
}

/// The command that does by hand what could not be done.
pub fn by_hand(id: &AliasId, content: &Content) -> String {
    let AliasId { function, alias } = id;
    let weights: Vec<String> =
        content.weights.iter().map(|(version, weight)| format!("\"{version}\":{}", weight.fraction())).collect();
    format!(
        "aws lambda update-alias --function-name {function} --name {alias} --function-version {} --routing-config \
         '{{\"AdditionalVersionWeights\":{{{}}}}}'",
        content.version,
        weights.join(",")
    )
}

fn seen(alias: Alias) -> Seen {
    let weights: BTreeMap<String, Weight> = alias
        .weights
        .into_iter()
        .filter_map(|(version, fraction)| Some((version, Weight::from_fraction(fraction)?)))
        .filter(|(_, weight)| *weight > Weight::ZERO)
        .collect();
    Seen { content: Content { version: alias.version, weights }, revision: RevisionId(alias.revision) }
}

fn trouble(error: &aws::Error) -> WriteTrouble {
    match error.kind {
        ErrorKind::PreconditionFailed => WriteTrouble::Refused,
        ErrorKind::Throttled | ErrorKind::Conflict | ErrorKind::AlreadyExists => WriteTrouble::Busy,
        ErrorKind::NotFound => WriteTrouble::Gone(error.to_string()),
        ErrorKind::AccessDenied | ErrorKind::Credentials => WriteTrouble::Denied(error.to_string()),
        // Lambda accepts the same request or it does not: trying again would not help, and going
        // back is what a person would want of a raise.
        ErrorKind::Invalid => WriteTrouble::Denied(error.to_string()),
        ErrorKind::Service | ErrorKind::NoAnswer | ErrorKind::NotAnAwsAnswer => WriteTrouble::Unknown,
    }
}

fn readiness(found: &Configuration) -> Readiness {
    let reason = || {
        let why = if found.state_reason.is_empty() { "Lambda gives no reason" } else { &found.state_reason };
        format!("version {} is {}: {why}", found.version, found.state)
    };
    match (found.state.as_str(), found.last_update.as_str()) {
        ("Failed", _) => Readiness::Failed(reason()),
        (_, "Failed") => Readiness::Failed(format!("the last update of version {} failed", found.version)),
        ("Pending", _) | (_, "InProgress") => Readiness::Pending,
        // Inactive wakes with its first request; where Lambda says nothing it is old and active.
        _ => Readiness::Active,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_of_nothing_is_no_weight() {
        let alias = Alias {
            version: "7".to_owned(),
            weights: vec![("8".to_owned(), 0.0)],
            revision: "r".to_owned(),
            answered_at: None,
        };
        assert_eq!(seen(alias).content, Content::whole("7".parse().unwrap()));
    }

    #[test]
    fn the_command_by_hand_clears_the_weights_too() {
        let id = AliasId::new("hello".parse().unwrap(), "live".parse().unwrap());
        insta::assert_snapshot!(by_hand(&id, &Content::whole("7".parse().unwrap())), @r#"aws lambda update-alias --function-name hello --name live --function-version 7 --routing-config '{"AdditionalVersionWeights":{}}'"#);
    }

    #[test]
    fn race_11_a_version_serves_when_it_is_active_and_its_update_is_over() {
        let of = |state: &str, last_update: &str| {
            let found = Configuration {
                version: "8".to_owned(),
                state: state.to_owned(),
                last_update: last_update.to_owned(),
                ..Configuration::default()
            };
            readiness(&found)
        };
        for (state, last_update) in [("Active", "Successful"), ("Inactive", "Successful"), ("", "")] {
            assert_eq!(of(state, last_update), Readiness::Active, "{state} {last_update}");
        }
        for (state, last_update) in [("Pending", ""), ("Pending", "InProgress"), ("Active", "InProgress")] {
            assert_eq!(of(state, last_update), Readiness::Pending, "{state} {last_update}");
        }
        for (state, last_update) in [("Failed", ""), ("Failed", "Successful"), ("Active", "Failed")] {
            assert!(matches!(of(state, last_update), Readiness::Failed(_)), "{state} {last_update}");
        }
    }

    #[test]
    fn only_what_surely_did_not_happen_is_called_so() {
        let error = |kind| aws::Error {
            service: "lambda",
            operation: "UpdateAlias",
            resource: String::new(),
            kind,
            code: None,
            message: String::new(),
            request_id: None,
            status: None,
        };
        assert_eq!(trouble(&error(ErrorKind::NoAnswer)), WriteTrouble::Unknown);
        assert_eq!(trouble(&error(ErrorKind::Service)), WriteTrouble::Unknown);
        assert_eq!(trouble(&error(ErrorKind::Conflict)), WriteTrouble::Busy);
        assert_eq!(trouble(&error(ErrorKind::PreconditionFailed)), WriteTrouble::Refused);
    }
}
