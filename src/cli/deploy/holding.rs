//! The aliases that are held at the version that serves while the stack is updated: which these are,
//! and what has to be right with them before anything is touched.

use tokio::task::{JoinError, JoinSet};

use super::plain::Plain;
use super::steps::Steps;
use crate::aws::Aws;
use crate::cli::exit::Error;
use crate::cli::rollout::audience;
use crate::cli::rollout::target::Target;
use crate::deploy::bypass::{How, bypasses};
use crate::deploy::hold;
use crate::deploy::live::{Live, LiveAlias, alias_names};
use crate::deploy::pin::{self, OutOfStep};
use crate::deploy::review::{Effect, Review, Row};
use crate::deploy::shift::Shift;
use crate::deploy::{self, Event};
use crate::rollout;
use crate::rollout::names::AliasId;
use crate::rollout::run::Services;
use crate::rollout::state::Phase;
use crate::template::{Map, Node};

/// An alias that is to be shifted, with the version that serves behind it now.
pub(super) struct Holding {
    pub(super) shift: Shift,
    pub(super) alias: LiveAlias,
}

/// How many aliases are looked at together.
const TOGETHER: usize = 8;

/// An alias that is not free.
struct Taken {
    error: Error,
    /// What nobody should overlook.
    shout: Option<String>,
}

impl<E: Into<Error>> From<E> for Taken {
    fn from(error: E) -> Self {
        Self { error: error.into(), shout: None }
    }
}

/// Whether an alias is free; what is to be told of it if it is.
async fn look(services: Services, id: AliasId) -> Result<Option<String>, Taken> {
    let seen = services.driver(&id).read().await.map_err(rollout::Error::from)?;
    let split = seen.filter(|seen| seen.content.is_split()).map(|seen| seen.content.to_string());
    let journal = services.store.find(&id).await.map_err(rollout::Error::from)?;
    if let Some(journal) = journal
        && matches!(journal.record.state.phase, Phase::SettleFailed { .. })
        && split.is_none()
        && journal.driver(&services.me, rollout::owner::is_alive).is_none()
    {
        // Its traffic is right already, and this deploy settles the stack anew.
        services.store.retire_found(&journal).await?;
        return Ok(Some(format!(
            "the stack was not settled after the last rollout of {id}; this deploy makes up for it"
        )));
    }
    let held = rollout::ensure_not_held(&services, std::slice::from_ref(&id)).await;
    match (held, split) {
        (Ok(()), None) => Ok(None),
        (Ok(()), Some(shares)) => {
            let (function, alias) = (id.function.to_string(), id.alias.to_string());
            Err(Error::from(deploy::Error::AliasIsSplit { function, alias, shares }).into())
        }
        (Err(error), split) => {
            let left = split.filter(|_| matches!(error, rollout::Error::Held { alive: false, .. }));
            let shout =
                left.map(|shares| format!("{id} was left on two versions ({shares}), and nobody drives it any more"));
            Err(Taken { error: error.into(), shout })
        }
    }
}

impl Steps<'_> {
    /// Refuses while a rollout is under way on any alias of the stack: the update of one function may
    /// well touch what another one's old version needs, and a split alias does not survive an update of
    /// itself.
    pub(super) async fn ensure_free(&self, aws: &Aws, bucket: &str, live: &Live) -> Result<(), Error> {
        let names = |error: rollout::names::NotA| Error::from(rollout::Error::from(error));
        let mut looks = JoinSet::new();
        let aliases = live.resources.iter().filter(|resource| resource.kind == "AWS::Lambda::Alias");
        for (function, alias) in aliases.filter_map(|resource| alias_names(resource.physical_id.as_deref()?)) {
            let id = AliasId::new(function.parse().map_err(names)?, alias.parse().map_err(names)?);
            let target = Target::new(aws.clone(), id.clone()).await;
            if looks.len() >= TOGETHER {
                self.took(looks.join_next().await)?;
            }
            looks.spawn(look(target.with_bucket(self.context, bucket), id));
        }
        while !looks.is_empty() {
            self.took(looks.join_next().await)?;
        }
        Ok(())
    }

    fn took(&self, look: Option<Result<Result<Option<String>, Taken>, JoinError>>) -> Result<(), Error> {
        match look {
            None => Ok(()),
            Some(Ok(Ok(note))) => {
                note.iter().for_each(|note| self.report.warning(note));
                Ok(())
            }
            Some(Ok(Err(taken))) => {
                if let Some(shout) = &taken.shout {
                    self.report.warning(shout);
                    audience::shout(self.context, shout);
                }
                Err(taken.error)
            }
            Some(Err(error)) => Err(rollout::Error::Lost(error.to_string()).into()),
        }
    }

    /// Brings the stack's template to aliases that somebody moved by hand, before they are held: an
    /// update that fails would put them to what the template said. Whether there was one.
    pub(super) async fn mend(
        &self,
        aws: &Aws,
        bucket: &str,
        live: &Live,
        plain: &Plain,
        sink: &(dyn Fn(Event) + Send + Sync),
    ) -> Result<bool, Error> {
        // Those that move step by step, and those that this very update moves.
        let resources = plain.template.get("Resources").and_then(Node::as_map);
        let is_alias = |node: &Node| node.get("Type").and_then(Node::as_str) == Some("AWS::Lambda::Alias");
        let said = |template: &Node, alias: &str| hold::function_version(template, alias).map(Node::to_json);
        let aliases =
            resources.into_iter().flat_map(Map::iter).filter(|(_, node)| is_alias(node)).filter(|(name, _)| {
                plain.shifts.iter().any(|shift| shift.alias == *name)
                    || said(&live.template, name) != said(&plain.template, name)
            });
        let found: Vec<OutOfStep> = live.out_of_step(aws, aliases.map(|(name, _)| name)).await?;
        if found.is_empty() {
            return Ok(false);
        }
        found.iter().for_each(|one| self.report.warning(&format!("{}: the stack is out of step", one.message())));
        if !self.settings.execute {
            self.report.warning("it would be brought into line first; the change set is made without that");
            return Ok(false);
        }
        if !self.confirmed("Bring the stack's template to its aliases first?", "an update of the stack's template")? {
            return Err(deploy::Error::OutOfStep { aliases: found.iter().map(OutOfStep::message).collect() }.into());
        }
        let policies = if found.iter().any(|one| one.has_policy) { ", without CodeDeploy" } else { "" };
        self.report.say(
            "Mending",
            format_args!("stack {}: its template gets what its aliases serve{policies}", live.stack.name),
        );
        pin::pin(aws, bucket, live, &found, self.settings.max_wait, sink).await?;
        Ok(true)
    }

    /// Aliases whose version would change, with the one that serves now. The first deploy has none.
    pub(super) async fn holdings(&self, aws: &Aws, live: Option<&Live>, plain: &Plain) -> Result<Vec<Holding>, Error> {
        let mut found = Vec::new();
        let Some(live) = live else { return Ok(found) };
        for shift in &plain.shifts {
            let now = hold::function_version(&live.template, &shift.alias).map(Node::to_json);
            let next = hold::function_version(&plain.template, &shift.alias).map(Node::to_json);
            if now == next {
                continue;
            }
            let Some(alias) = live.alias(aws, &shift.alias).await? else { continue };
            if !alias.weights.is_empty() {
                let shares = shares(&alias.version, &alias.weights);
                return Err(deploy::Error::AliasIsSplit { function: alias.function, alias: alias.alias, shares }.into());
            }
            found.push(Holding { shift: shift.clone(), alias });
        }
        Ok(found)
    }

    /// What no rollout can do, found in the templates: before anything is touched.
    pub(super) async fn check_templates(
        &self,
        aws: &Aws,
        live: &Live,
        plain: &Plain,
        holdings: &[Holding],
    ) -> Result<(), Error> {
        for Holding { shift, .. } in holdings {
            let cannot =
                |reason: String| Error::from(deploy::Error::CannotShift { function: shift.function.clone(), reason });
            let all = bypasses(&plain.template, &shift.function, &shift.version);
            if let Some(edge) = all.iter().find(|bypass| bypass.how == How::Edge) {
                return Err(cannot(edge.message(&shift.function)));
            }
        }
        for holding in holdings {
            let strategy = plain.strategy(self, aws, &holding.shift, live).await?;
            if strategy.is_none_or(|strategy| strategy.steps().is_empty()) {
                continue;
            }
            for (property, what) in [("Role", "execution role"), ("DeadLetterConfig", "dead-letter target")] {
                let of = |template: &Node| {
                    template.path(&["Resources", &holding.shift.function, "Properties", property]).map(Node::to_json)
                };
                if of(&live.template) != of(&plain.template) {
                    return Err(deploy::Error::CannotSplit { function: holding.shift.function.clone(), what }.into());
                }
            }
        }
        Ok(())
    }

    /// What a person should know beside the changes themselves.
    pub(super) async fn notes(
        &self,
        aws: &Aws,
        live: Option<&Live>,
        plain: &Plain,
        review: &Review,
        holdings: &[Holding],
    ) -> Result<Vec<String>, Error> {
        let mut notes = Vec::new();
        for shift in &plain.shifts {
            if live.is_none_or(|live| live.physical_id(&shift.alias).is_none()) {
                notes.push(format!(
                    "{} is new: there is no version to compare with, and all its traffic is on the new one at once",
                    shift.alias
                ));
            }
        }
        let Some(live) = live else { return Ok(notes) };
        for holding in holdings {
            let Holding { shift, alias } = holding;
            let past = bypasses(&plain.template, &shift.function, &shift.version);
            notes.extend(past.iter().map(|bypass| bypass.message(&shift.function)));
            if let Some(version) = self.lost_when_settled(live, plain, holding) {
                notes.push(format!(
                    "{version} is not retained: it stays until the stack is settled, and after that there is no way \
                     back to version {} of {}",
                    alias.version, alias.function
                ));
            }
        }
        let nested = |row: &&Row| row.kind == "AWS::CloudFormation::Stack";
        for row in review.rows.iter().filter(nested).filter(|row| row.effect != Effect::Added) {
            let Some(id) = live.physical_id(&row.logical_id) else { continue };
            let resources = aws.cloudformation().resources(id).await?;
            let aliases = resources.iter().filter(|resource| resource.kind == "AWS::Lambda::Alias").count();
            if aliases > 0 {
                notes.push(format!(
                    "{} is a nested stack with {aliases} aliases: they are not held, and their traffic moves with the \
                     stack's update",
                    row.logical_id
                ));
            }
        }
        Ok(notes)
    }

    /// The version's name in the template, where settling the stack deletes the version that serves.
    fn lost_when_settled<'l>(&self, live: &'l Live, plain: &Plain, holding: &Holding) -> Option<&'l str> {
        let arn = format!(":function:{}:{}", holding.alias.function, holding.alias.version);
        let resource = live.resources.iter().find(|resource| {
            resource.kind == "AWS::Lambda::Version"
                && resource.physical_id.as_deref().is_some_and(|id| id.ends_with(&arn))
        })?;
        let goes = plain.template.path(&["Resources", &resource.logical_id]).is_none();
        (goes && !hold::is_retained(&live.template, &resource.logical_id)).then_some(resource.logical_id.as_str())
    }

    /// After the stack's update: each alias is where it was held, and whole. Nobody knows what an update
    /// that leaves the weights out does with them, so it is looked at.
    pub(super) async fn check_held(&self, aws: &Aws, holdings: &[Holding]) -> Result<(), Error> {
        for Holding { alias, .. } in holdings {
            let Some(now) = aws.lambda().alias(&alias.function, &alias.alias).await? else { continue };
            if now.version != alias.version || !now.weights.is_empty() {
                return Err(deploy::Error::NotHeld {
                    alias: format!("{}:{}", alias.function, alias.alias),
                    expected: alias.version.clone(),
                    found: shares(&now.version, &now.weights),
                }
                .into());
            }
        }
        Ok(())
    }

    /// What was published is what serves; `$LATEST` may have been changed meanwhile by somebody else.
    pub(super) async fn check_latest(&self, aws: &Aws, holdings: &[Holding]) -> Result<(), Error> {
        for Holding { alias, .. } in holdings {
            let (function, lambda) = (&alias.function, aws.lambda());
            let Some(serving) = lambda.configuration(function, &alias.alias).await? else { continue };
            let Some(latest) = lambda.configuration(function, "$LATEST").await? else { continue };
            if serving.code_sha256 != latest.code_sha256 {
                self.report.warning(&format!(
                    "the code of {function} itself is not the one of version {}, which serves: somebody changed it \
                     during the rollout, and the next deploy changes it again",
                    serving.version
                ));
            }
        }
        Ok(())
    }
}

/// `version 3 90.0 %, version 4 10.0 %`.
fn shares(version: &str, weights: &[(String, f64)]) -> String {
    let rest = 1.0 - weights.iter().map(|(_, weight)| weight).sum::<f64>();
    let mut parts = vec![format!("version {version} {:.1} %", rest * 100.0)];
    parts.extend(weights.iter().map(|(version, weight)| format!("version {version} {:.1} %", weight * 100.0)));
    parts.join(", ")
}
