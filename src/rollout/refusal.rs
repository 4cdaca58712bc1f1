//! Reasons not to begin a rollout, from what was found out before anything is touched.

use super::content::Content;
use super::names::{AliasId, Version};

/// What was found out about the function before anything is touched.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// What the alias says.
    pub content: Content,
    /// The old version, when it exists.
    pub old: Option<VersionFacts>,
    /// The new version, when it exists.
    pub new: Option<VersionFacts>,
    /// Whether the alias has provisioned concurrency.
    pub provisioned: bool,
}

/// What matters of a published version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionFacts {
    /// The execution role's ARN.
    pub role: String,
    /// The dead-letter target's ARN, empty for none.
    pub dead_letter: String,
    /// `CodeSha256`.
    pub code_sha256: String,
    /// The timeout in seconds.
    pub timeout_s: u64,
    /// `Pending`, `Active`, `Inactive`, `Failed`.
    pub state: String,
    /// Why, in Lambda's words.
    pub state_reason: String,
}

/// A reason not to begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The alias serves the new version already.
    #[error("{alias} serves version {new} already")]
    NothingToDo {
        /// The alias.
        alias: String,
        /// The version.
        new: Version,
    },
    /// Somebody left weights, or another rollout is at it.
    #[error("{alias} already routes to two versions ({content})")]
    WeightsPresent {
        /// The alias.
        alias: String,
        /// What it says.
        content: Content,
    },
    /// The alias is on something that cannot share its traffic.
    #[error("{alias} points to {version}, which cannot share traffic with a published version")]
    NotPublished {
        /// The alias.
        alias: String,
        /// What it points to.
        version: String,
    },
    /// A version is not there.
    #[error("version {version} of {function} does not exist")]
    NoVersion {
        /// The function.
        function: String,
        /// The version.
        version: Version,
    },
    /// Lambda could not make the new version ready.
    #[error("version {version} is {state}: {reason}")]
    NotUsable {
        /// The version.
        version: Version,
        /// Its state.
        state: String,
        /// Lambda's reason.
        reason: String,
    },
    /// Lambda splits traffic only between versions with one role.
    #[error(
        "versions {old} and {new} have different {what} ({old_value} and {new_value}): Lambda does not split traffic between them"
    )]
    Differ {
        /// The old version.
        old: Version,
        /// The new version.
        new: Version,
        /// `execution roles` or `dead-letter targets`.
        what: &'static str,
        /// The old one's.
        old_value: String,
        /// The new one's.
        new_value: String,
    },
    /// Lambda shifts such aliases by itself.
    #[error("{alias} has provisioned concurrency: Lambda would add weights of its own while it allocates")]
    Provisioned {
        /// The alias.
        alias: String,
    },
    /// An alarm fires already.
    #[error("alarm {name} is in ALARM already{}", if reason.is_empty() { String::new() } else { format!(": {reason}") })]
    AlarmFires {
        /// The alarm.
        name: String,
        /// CloudWatch's reason.
        reason: String,
    },
    /// An alarm fires, and CodeDeploy stops for it whatever samara ignores.
    #[error("alarm {name} is in ALARM, and CodeDeploy stops its deployment for it")]
    AlarmStopsCodeDeploy {
        /// The alarm.
        name: String,
    },
    /// A check's function is not there: at the end of the rollout, it would be taken back for that.
    #[error("there is no function {name} to check the new version")]
    NoHook {
        /// The function.
        name: String,
    },
    /// An alarm is not there.
    #[error("there is no alarm {name}")]
    NoAlarm {
        /// The alarm.
        name: String,
    },
}

impl crate::hint::Hint for Refusal {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NothingToDo { .. } => "Deploy or publish another version first, or name one with --to-version.",
            Self::WeightsPresent { .. } => {
                "See `samara rollout status`; `samara rollout rollback` makes the alias whole again on its main version."
            }
            Self::NotPublished { .. } => "Publish a version and point the alias to it first.",
            Self::NoVersion { .. } => "`aws lambda list-versions-by-function` lists what there is.",
            Self::NotUsable { .. } => {
                "Mend the cause and publish again; Lambda does not publish a failed version again from the same code."
            }
            Self::Differ { .. } => "Only `--strategy AllAtOnce` can move the alias between them.",
            Self::Provisioned { .. } => {
                "CodeDeploy can move such an alias: keep the template's DeploymentPreference with the codedeploy engine."
            }
            Self::AlarmFires { name, .. } => {
                return vec![format!("To deploy the fix for this very incident, add --ignore-alarm {name}.")];
            }
            Self::AlarmStopsCodeDeploy { .. } => {
                "--ignore-alarm is for samara's own judge: move the traffic with --engine alias this time, or take the \
                 alarm out of the DeploymentPreference."
            }
            Self::NoHook { .. } => {
                "Check the name and region of --pre-traffic, --post-traffic or the template's Hooks."
            }
            Self::NoAlarm { .. } => "Check the alarm's name and region; an alarm that cannot be read is not OK.",
        };
        vec![hint.to_owned()]
    }
}

/// Everything that speaks against beginning, from what was found out.
pub fn refusals(id: &AliasId, old: Version, new: Version, all_at_once: bool, facts: &Facts) -> Vec<Refusal> {
    let name = || id.to_string();
    let mut refusals = Vec::new();
    if facts.content.is_split() {
        return vec![Refusal::WeightsPresent { alias: name(), content: facts.content.clone() }];
    }
    if old == new {
        return vec![Refusal::NothingToDo { alias: name(), new }];
    }
    if facts.provisioned {
        refusals.push(Refusal::Provisioned { alias: name() });
    }
    for (version, found) in [(old, &facts.old), (new, &facts.new)] {
        match found {
            None => refusals.push(Refusal::NoVersion { function: id.function.to_string(), version }),
            Some(found) if found.state == "Failed" => refusals.push(Refusal::NotUsable {
                version,
                state: found.state.clone(),
                reason: found.state_reason.clone(),
            }),
            Some(_) => {}
        }
    }
    if let (Some(of_old), Some(of_new), false) = (&facts.old, &facts.new, all_at_once) {
        let pairs = [
            ("execution roles", &of_old.role, &of_new.role),
            ("dead-letter targets", &of_old.dead_letter, &of_new.dead_letter),
        ];
        for (what, old_value, new_value) in pairs {
            if old_value != new_value {
                let shown = |value: &String| if value.is_empty() { "none".to_owned() } else { value.clone() };
                let (old_value, new_value) = (shown(old_value), shown(new_value));
                refusals.push(Refusal::Differ { old, new, what, old_value, new_value });
            }
        }
    }
    refusals
}

#[cfg(test)]
mod tests {
    use super::super::names::Weight;
    use super::super::plan::tests::plan;
    use super::*;

    #[test]
    fn everything_that_speaks_against_it_is_named_at_once() {
        let plan = plan("AllAtOnce").aliases.remove(0);
        let version =
            |role: &str| VersionFacts { role: role.to_owned(), state: "Active".to_owned(), ..VersionFacts::default() };
        let facts = Facts {
            content: Content::whole(plan.old),
            old: Some(version("a")),
            new: Some(version("b")),
            provisioned: true,
        };
        let found = refusals(&plan.id, plan.old, plan.new, false, &facts);
        assert!(matches!(
            found.as_slice(),
            [Refusal::Provisioned { .. }, Refusal::Differ { what: "execution roles", .. }]
        ));
        let split = Facts { content: Content::split(plan.old, plan.new, Weight::percent(10)), ..facts.clone() };
        let found = refusals(&plan.id, plan.old, plan.new, false, &split);
        assert!(matches!(found.as_slice(), [Refusal::WeightsPresent { .. }]));
        let gone = Facts { new: None, provisioned: false, ..facts };
        let found = refusals(&plan.id, plan.old, plan.new, true, &gone);
        assert!(matches!(found.as_slice(), [Refusal::NoVersion { .. }]));
    }
}
