//! A rollback of a stack with several aliases: everything that its last rollout moved.

use super::{JOURNAL_PATIENCE, abort, before, note, offer_pin, tell};
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

/// Takes everything back that the stack's last rollout moved, or what is under way.
pub(super) async fn back(context: &Context, targets: &[Target], pin: bool) -> Result<Status, Error> {
    let known = match tokio::time::timeout(JOURNAL_PATIENCE, look(context, targets)).await {
        Ok(Ok(Some(known))) => known,
        Ok(Ok(None)) => return Err(one_by_one(targets, "it has no journal")),
        Ok(Err(error)) => return Err(one_by_one(targets, &error.to_string())),
        Err(_) => return Err(one_by_one(targets, "S3 does not answer")),
    };
    if !known.under_way.is_empty() {
        let mut status = Status::Done;
        for target in known.under_way {
            let of_alias = abort(context, target, &known.services, None).await?;
            status = if status == Status::Done { of_alias } else { status };
        }
        return Ok(status);
    }
    let moved = rollout::moved_last(&known.histories);
    if moved.is_empty() {
        return Err(one_by_one(targets, "none is in the journal's history"));
    }
    let moved: Vec<&Target> = targets.iter().filter(|target| moved.contains(&target.id)).collect();
    let names: Vec<String> = moved.iter().map(|target| target.name()).collect();
    context.terminal.status("Taking back", format_args!("what the last rollout moved: {}", names.join(", ")));
    let mut failed = None;
    let mut back = Vec::new();
    for target in moved {
        // One that cannot go back keeps none of the others.
        match point_back(target, &known).await {
            Ok(done) => {
                tell(context, target, &done);
                if done.from != done.to {
                    note(context, target, Some(&known.services), &done).await;
                    back.push(target);
                }
            }
            Err(error) => {
                if let Some(before) = failed.replace(error) {
                    context.terminal.warn(before.to_string());
                }
            }
        }
    }
    offer_pin(context, &back, Some(&known.services), pin).await;
    failed.map_or(Ok(Status::Done), Err)
}

async fn look<'a>(context: &Context, targets: &'a [Target]) -> Result<Option<Known<'a>>, Error> {
    let Some(first) = targets.first() else { return Ok(None) };
    // Whatever the function, its journal is in the same bucket.
    let Some(services) = first.services(context).await? else { return Ok(None) };
    let (mut under_way, mut histories) = (Vec::new(), Vec::new());
    for target in targets {
        let found = services.store.find(&target.id).await.map_err(rollout::Error::from)?;
        if found.is_some_and(|found| !found.record.state.is_finished() && found.record.state.may_go_back()) {
            under_way.push(target);
        }
        let history = services.store.history(&target.id, NEWEST).await.map_err(rollout::Error::from)?;
        histories.push((target.id.clone(), history));
    }
    Ok(Some(Known { services, under_way, histories }))
}

async fn point_back(target: &Target, known: &Known<'_>) -> Result<RolledBack, Error> {
    let AliasId { function, alias } = target.id.clone();
    let driver = target.driver();
    let seen = driver.read().await?.ok_or(rollout::Error::NoAlias { function, alias })?;
    let history = known.histories.iter().find(|(id, _)| *id == target.id).map(|(_, history)| history.as_slice());
    let old = history.and_then(|history| rollout::last_served(history, &target.id)).map(|plan| plan.old);
    if let Some(old) = old.filter(|old| seen.content == Content::whole(*old)) {
        return Ok(RolledBack { from: seen.content, to: Content::whole(old) });
    }
    let to = before(target, Some(&known.services), &seen.content).await?;
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
