//! A rollback of a stack with several aliases: everything that its last rollout moved.

use super::{JOURNAL_PATIENCE, abort, before, is_under_way, note, offer_pin, tell};
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::cli::rollout::target::Target;
use crate::rollout::content::Content;
use crate::rollout::journal::Record;
use crate::rollout::names::AliasId;
use crate::rollout::run::Services;
use crate::rollout::{self, RolledBack};

/// How far back the last rollout of an alias is looked for.
const NEWEST: usize = 10;

/// What the journals tell of a stack's aliases.
struct Known<'a> {
    services: Services,
    /// Those with a rollout under way.
    under_way: Vec<&'a Target>,
    histories: Vec<(AliasId, Vec<Record>)>,
}

/// Takes back what is under way, or else what serves two versions, or else everything that the stack's
/// last rollout moved.
pub(super) async fn back(context: &Context, targets: &[Target], pin: bool) -> Result<Status, Error> {
    let known = match tokio::time::timeout(JOURNAL_PATIENCE, look(context, targets)).await {
        Ok(Ok(Some(known))) => Ok(known),
        Ok(Ok(None)) => Err("it has no journal".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("S3 does not answer".to_owned()),
    };
    if let Ok(Known { services, under_way, .. }) = &known
        && !under_way.is_empty()
    {
        let mut worst = Ok(Status::Done);
        for target in under_way {
            let of_alias = abort(context, target, services, None).await;
            worst = if matches!(worst, Ok(Status::Done)) { of_alias } else { worst };
        }
        return worst;
    }
    // This needs Lambda alone.
    let split = split(targets).await?;
    if !split.is_empty() {
        return point_all_back(context, &split, known.ok().as_ref(), "what serves two versions", pin).await;
    }
    let known = known.map_err(|why| one_by_one(targets, &why))?;
    let moved = rollout::moved_last(&known.histories);
    if moved.is_empty() {
        return Err(one_by_one(targets, "none is in the journal's history"));
    }
    let moved: Vec<&Target> = targets.iter().filter(|target| moved.contains(&target.id)).collect();
    point_all_back(context, &moved, Some(&known), "what the last rollout moved", pin).await
}

async fn split(targets: &[Target]) -> Result<Vec<&Target>, Error> {
    let mut split = Vec::new();
    for target in targets {
        if target.driver().read().await?.is_some_and(|seen| seen.content.is_split()) {
            split.push(target);
        }
    }
    Ok(split)
}

async fn point_all_back(
    context: &Context,
    targets: &[&Target],
    known: Option<&Known<'_>>,
    what: &str,
    pin: bool,
) -> Result<Status, Error> {
    let names: Vec<String> = targets.iter().map(|target| target.name()).collect();
    context.terminal.status("Taking back", format_args!("{what}: {}", names.join(", ")));
    let services = known.map(|known| &known.services);
    let mut failed = None;
    let mut back = Vec::new();
    for target in targets {
        // One that cannot go back keeps none of the others.
        match point_back(target, known).await {
            Ok(done) => {
                tell(context, target, &done);
                if done.from != done.to {
                    note(context, target, services, &done).await;
                    back.push(*target);
                }
            }
            Err(error) => {
                if let Some(before) = failed.replace(error) {
                    context.terminal.warn(before.to_string());
                }
            }
        }
    }
    offer_pin(context, &back, services, pin).await;
    failed.map_or(Ok(Status::Done), Err)
}

async fn look<'a>(context: &Context, targets: &'a [Target]) -> Result<Option<Known<'a>>, Error> {
    let Some(first) = targets.first() else { return Ok(None) };
    // Whatever the function, its journal is in the same bucket.
    let Some(services) = first.services(context).await? else { return Ok(None) };
    let (mut under_way, mut histories) = (Vec::new(), Vec::new());
    for target in targets {
        let found = services.store.find(&target.id).await.map_err(rollout::Error::from)?;
        if found.is_some_and(|found| is_under_way(&found.record.state)) {
            under_way.push(target);
        }
        let history = services.store.history(&target.id, NEWEST).await.map_err(rollout::Error::from)?;
        histories.push((target.id.clone(), history));
    }
    Ok(Some(Known { services, under_way, histories }))
}

async fn point_back(target: &Target, known: Option<&Known<'_>>) -> Result<RolledBack, Error> {
    let AliasId { function, alias } = target.id.clone();
    let driver = target.driver();
    let seen = driver.read().await?.ok_or(rollout::Error::NoAlias { function, alias })?;
    let histories = known.map(|known| known.histories.as_slice()).unwrap_or_default();
    let history = histories.iter().find(|(id, _)| *id == target.id).map(|(_, history)| history.as_slice());
    let old = history.and_then(|history| rollout::last_served(history, &target.id)).map(|plan| plan.old);
    if let Some(old) = old.filter(|old| seen.content == Content::whole(*old)) {
        return Ok(RolledBack { from: seen.content, to: Content::whole(old) });
    }
    let to = before(target, known.map(|known| &known.services), &seen.content).await?;
    Ok(rollout::point_to(&driver, &target.id, seen, to).await?)
}

fn one_by_one(targets: &[Target], why: &str) -> Error {
    let stack = targets.first().and_then(|target| target.stack.clone()).unwrap_or_default();
    let names: Vec<String> = targets.iter().map(|target| target.id.flags()).collect();
    Error::Usage(format!(
        "stack {stack} has {} aliases, and what its last rollout moved is not known ({why}); name one of: {}",
        targets.len(),
        names.join(" | ")
    ))
}
