//! Lambda: aliases with revisions, and versions that may go.

use std::time::Duration;

use super::super::history::{Happened, Who};
use super::World;
use crate::rollout::content::{Content, Seen};
use crate::rollout::names::{RevisionId, Version};
use crate::rollout::state::{Readiness, WriteTrouble};

/// A version that is neither the old one nor the new one of any alias.
pub(super) fn third() -> Version {
    #[expect(clippy::unwrap_used, reason = "3 is the number of a version")]
    "3".parse().unwrap()
}

/// No two states of an alias have the same name, whatever they say.
pub(super) fn revision(alias: usize, number: usize) -> RevisionId {
    RevisionId(format!("{alias}.{number}"))
}

impl World {
    /// `GetAlias`.
    pub fn get_alias(&self, index: usize) -> Option<Seen> {
        self.aliases[index].seen.clone()
    }

    /// `UpdateAlias` over a revision.
    ///
    /// # Errors
    /// As Lambda answers: the alias or a version is not there, the revision is stale.
    pub fn update_alias(
        &mut self,
        index: usize,
        expect: &RevisionId,
        content: &Content,
        who: Who,
    ) -> Result<RevisionId, WriteTrouble> {
        let alias = &self.aliases[index];
        let Some(seen) = &alias.seen else {
            return Err(WriteTrouble::Gone(format!("Cannot find alias {index}")));
        };
        let names = |version: &Version| {
            let version = version.to_string();
            content.version == version || content.weights.contains_key(&version)
        };
        if let Some(version) = alias.gone.iter().find(|version| names(version)) {
            return Err(WriteTrouble::Gone(format!("Function not found: {version}")));
        }
        if seen.revision != *expect {
            self.note(who, Happened::Refused { alias: index });
            return Err(WriteTrouble::Refused);
        }
        Ok(self.set_alias(index, content.clone(), who))
    }

    pub(super) fn set_alias(&mut self, index: usize, content: Content, who: Who) -> RevisionId {
        let alias = &mut self.aliases[index];
        let revision = revision(index, alias.past.len());
        let before = alias.seen.take().map(|seen| seen.content);
        alias.seen = Some(Seen { content: content.clone(), revision: revision.clone() });
        alias.past.push((self.now, Some(content.clone())));
        self.note(who, Happened::Written { alias: index, before, after: Some(content) });
        revision
    }

    pub(super) fn delete_alias(&mut self, index: usize) {
        if let Some(seen) = self.aliases[index].seen.take() {
            self.aliases[index].past.push((self.now, None));
            let what = Happened::Written { alias: index, before: Some(seen.content), after: None };
            self.note(Who::Person, what);
        }
    }

    /// Lambda refuses to delete a version that an alias routes to.
    pub(super) fn delete_version(&mut self, index: usize, version: Version) {
        let alias = &mut self.aliases[index];
        let routed = alias.seen.as_ref().is_some_and(|seen| {
            let version = version.to_string();
            seen.content.version == version || seen.content.weights.contains_key(&version)
        });
        if !routed && !alias.gone.contains(&version) {
            alias.gone.push(version);
        }
    }

    /// Runs a hook, and says whether it passed.
    pub fn hook(&self, hook: usize) -> bool {
        !(self.conditions.hook_fails && hook == 0)
    }

    /// Whether a version of this alias was deleted.
    pub fn is_gone(&self, index: usize, version: Version) -> bool {
        self.aliases[index].gone.contains(&version)
    }

    /// `GetFunctionConfiguration` of the new version.
    pub fn readiness(&self, index: usize) -> Readiness {
        let alias = &self.aliases[index];
        if alias.gone.contains(&alias.new) {
            return Readiness::Failed(format!("version {} does not exist any more", alias.new));
        }
        if self.now < self.start + Duration::from_secs(self.conditions.pending_s) {
            return Readiness::Pending;
        }
        if self.conditions.fails_to_start && index == 0 {
            return Readiness::Failed("Image does not exist".to_owned());
        }
        Readiness::Active
    }
}
