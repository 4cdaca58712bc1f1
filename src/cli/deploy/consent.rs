//! What has to be agreed to before a change set is executed, and what is told with it.

use std::collections::BTreeSet;

use super::holding::Holding;
use super::steps::Steps;
use crate::aws::Aws;
use crate::cli::exit::Error;
use crate::deploy::change_set::{self, ReadyChangeSet};
use crate::deploy::live::Live;
use crate::deploy::review::{Effect, Review};
use crate::deploy::{self, in_use};
use crate::ui::prompt;

/// Whether the change set is executed, and if not, whether that is an error.
pub(super) type Agreed = Result<bool, Error>;

impl Steps<'_> {
    /// What the version that serves uses and the change set changes.
    pub(super) fn in_use(&self, live: Option<&Live>, review: &Review, holdings: &[Holding]) -> BTreeSet<String> {
        let Some(live) = live else { return BTreeSet::new() };
        let functions = || holdings.iter().map(|holding| holding.shift.function.as_str());
        let mut found = in_use::touched(&live.template, review, functions());
        // Made anew, it would have none of its versions.
        let may_go =
            |name: &&str| review.rows.iter().any(|row| row.logical_id == *name && row.effect == Effect::MayBeReplaced);
        found.extend(functions().filter(may_go).map(str::to_owned));
        found
    }

    /// Whether the change set may be executed. One that may not is deleted.
    pub(super) async fn agreed(
        &self,
        aws: &Aws,
        review: &Review,
        in_use: &BTreeSet<String>,
        holdings: &[Holding],
        ready: &ReadyChangeSet,
        sink: deploy::Sink<'_>,
    ) -> Agreed {
        let answer = self.answer(review, in_use, holdings);
        if !matches!(answer, Ok(true)) {
            change_set::discard(aws, &ready.id, sink).await?;
        }
        answer
    }

    fn answer(&self, review: &Review, in_use: &BTreeSet<String>, holdings: &[Holding]) -> Agreed {
        let replaced = holdings.iter().find(|holding| {
            review.rows.iter().any(|row| row.logical_id == holding.shift.function && row.effect <= Effect::Replaced)
        });
        if let Some(holding) = replaced {
            return Err(deploy::Error::CannotShift {
                function: holding.shift.function.clone(),
                reason: "the change makes it anew, and a new function has none of the versions that serve".to_owned(),
            }
            .into());
        }
        if !in_use.is_empty() && !self.settings.accept_changes_in_use {
            let error = deploy::Error::NeedsYes { names: in_use.iter().cloned().collect() };
            if !self.context.may_ask() {
                return Err(error.into());
            }
            self.context.terminal.warn(&error);
            if !self.ask("Change them now?")? {
                return Ok(false);
            }
        }
        self.confirmed("Deploy this change set?", "the change set")
    }

    /// Whether what is to be confirmed is. Without `--confirm-changeset` nothing is.
    pub(super) fn confirmed(&self, question: &str, what: &str) -> Agreed {
        if self.settings.yes || !self.settings.confirm_changeset {
            return Ok(true);
        }
        if !self.context.may_ask() {
            return Err(Error::Usage(format!(
                "{what} is to be confirmed, and there is no terminal: add --yes or --no-confirm-changeset"
            )));
        }
        self.ask(question)
    }

    pub(super) fn ask(&self, question: &str) -> Result<bool, Error> {
        tokio::task::block_in_place(|| prompt::confirm(self.context.terminal, question, false))
            .map_err(|error| Error::Usage(error.to_string()))
    }
}
