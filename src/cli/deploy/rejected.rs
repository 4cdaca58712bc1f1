//! What was rolled back is not deployed a second time by itself: it is known again by its version, where
//! nothing new would be published, and by its code, where it would become a version anew.

use super::holding::Holding;
use super::plain::Plain;
use super::shifting::{Shifting, id_of};
use crate::cli::exit::Error;
use crate::deploy::live::Live;
use crate::package::Packaged;
use crate::rollout::journal::Record;
use crate::rollout::names::AliasId;
use crate::rollout::state::Phase;
use crate::rollout::verdict::why_words;
use crate::template::Node;
use crate::ui::rollout as show;

/// How many of an alias's last rollouts are looked at.
const LOOKED_AT: usize = 20;

/// A version that was rolled back before, and why.
#[derive(Clone, Debug)]
pub(super) struct Rejected {
    id: AliasId,
    version: String,
    when: String,
    why: String,
}

impl Rejected {
    /// In a person's words, with what can be done.
    pub(super) fn message(&self) -> String {
        let Self { id, version, when, why } = self;
        format!(
            "version {version} of {id} was rolled back {when}: {why}. Deploy other code, or try it again with \
             `samara rollout retry {}` or --force",
            id.flags()
        )
    }
}

/// What would be the new version.
#[derive(Clone, Copy, Debug)]
enum Candidate<'a> {
    /// It is published already, and the template's version is that one.
    Version(&'a str),
    /// It would be published with this `CodeSha256`.
    Code(&'a str),
}

impl Shifting<'_> {
    /// What was rolled back before and would be deployed again.
    pub(super) async fn rejected(
        &self,
        live: &Live,
        plain: &Plain,
        packaged: &Packaged,
        holdings: &[Holding],
    ) -> Result<Vec<Rejected>, Error> {
        let mut rejected = Vec::new();
        for holding in holdings {
            let function = &holding.shift.function;
            let candidate = match live.version(&holding.shift.version) {
                Some(version) if version == holding.alias.version => continue,
                Some(version) => Candidate::Version(version),
                // Other settings may be what was wrong with it.
                None if settings_of(&live.template, function) != settings_of(&plain.template, function) => continue,
                None => match code_of(packaged, function) {
                    Some(code) => Candidate::Code(code),
                    None => continue,
                },
            };
            let id = id_of(holding)?;
            let history = self.services(holding).await?.store.history(&id, LOOKED_AT).await?;
            rejected.extend(find(&id, candidate, &history));
        }
        Ok(rejected)
    }
}

/// The candidate's last rollout, where that took it back and nobody went to it afterwards. `history` has
/// the newest first.
fn find(id: &AliasId, candidate: Candidate<'_>, history: &[Record]) -> Option<Rejected> {
    let of = |record: &Record| record.state.plan.of(id).map(|(_, plan)| plan.clone());
    let (at, record, plan) = history.iter().enumerate().find_map(|(at, record)| {
        let plan = of(record)?;
        let is_it = match candidate {
            Candidate::Version(version) => plan.new.to_string() == version,
            Candidate::Code(code) => plan.new_code_sha256.as_deref() == Some(code),
        };
        is_it.then_some((at, record, plan))
    })?;
    let Phase::RolledBack { why, .. } = &record.state.phase else { return None };
    let is_back = |later: &Record| {
        matches!(later.state.phase, Phase::RolledBack { .. }) && of(later).is_some_and(|later| later.old == plan.new)
    };
    if history[..at].iter().any(is_back) {
        return None;
    }
    Some(Rejected {
        id: id.clone(),
        version: plan.new.to_string(),
        when: record.state.entries.back().map_or_else(|| "before".to_owned(), |entry| show::when(entry.at)),
        why: why_words(why),
    })
}

/// The `CodeSha256` that Lambda gives what was packaged for a function.
pub(super) fn code_of<'p>(packaged: &'p Packaged, function: &str) -> Option<&'p str> {
    let of = |upload: &&crate::package::Uploaded| upload.used_by.iter().any(|(resource, _)| resource == function);
    packaged.uploads.iter().find(of)?.sha256_base64.as_deref()
}

/// A function's properties but its code.
fn settings_of(template: &Node, function: &str) -> Option<serde_json::Value> {
    let mut properties = template.path(&["Resources", function, "Properties"])?.to_json();
    properties.as_object_mut()?.remove("Code");
    Some(properties)
}
