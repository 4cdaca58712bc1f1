//! `samara rollout plan`: what `start` would do. Changes nothing.

use super::start::{StartArgs, enough_time};
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::deploy::live;
use crate::rollout;
use crate::rollout::owner;
use crate::rollout::run::Services;
use crate::rollout::store::Store;
use crate::rollout::surroundings;
use crate::ui::rollout as show;
use crate::ui::sanitize::sanitize;

/// Runs it.
pub(super) async fn run(context: &Context, args: StartArgs) -> Result<Status, Error> {
    let section = args.target.section(context, "plan")?;
    args.tell.over(&section)?.check(context)?;
    let (target, request) = args.request(context, &section).await?;
    // Without a bucket there is no rollout that could have the alias; a plan does not make one.
    let services = match target.services(context).await? {
        Some(services) => {
            rollout::ensure_not_held(&services, std::slice::from_ref(&target.id)).await?;
            services
        }
        None => Services {
            lambda: target.aws.lambda(),
            cloudwatch: target.aws.cloudwatch(),
            store: Store::new(target.aws.s3(), ""),
            clock: target.clock.clone(),
            me: owner::this_process("somebody", "this machine"),
            settle: None,
        },
    };
    let mut prepared = rollout::prepare(&request, &services).await?;
    for alias in &prepared.plan.aliases {
        let names = (&alias.id.function, &alias.id.alias);
        let now = services.clock.now();
        prepared.warnings.extend(surroundings::warnings(&target.aws, names, (alias.old, alias.new), now).await);
    }
    if let Some(stack) = &target.stack {
        let (function, alias) = (target.id.function.as_str(), target.id.alias.as_str());
        prepared.warnings.extend(match live::references(&target.aws, stack, function, alias).await {
            Ok(references) => references,
            Err(error) => vec![format!("what calls {function} past its alias in stack {stack} is not known: {error}")],
        });
    }
    prepared.warnings.extend(surroundings::credentials(&target.aws, prepared.plan.shortest()).await);
    enough_time(&prepared.plan, request.options.timeout)?;
    if context.terminal.is_json() {
        context.terminal.json(&show::plan_json(&prepared.plan, &prepared.warnings));
        return Ok(Status::Done);
    }
    for line in prepared.plan.describe() {
        context.terminal.data(sanitize(&line));
    }
    context.terminal.data(
        "  needs lambda:GetAlias, UpdateAlias, GetFunctionConfiguration; cloudwatch:GetMetricData, DescribeAlarms; \
         s3 on the journal's bucket",
    );
    for warning in &prepared.warnings {
        context.terminal.warn(warning);
    }
    Ok(Status::Done)
}
