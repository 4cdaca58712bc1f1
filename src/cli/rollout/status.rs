//! `samara rollout status`: what the alias says, and what is under way.

use clap::Args;
use serde_json::json;

use super::target::{Target, TargetArgs};
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::deploy::live;
use crate::rollout::names::AliasId;
use crate::rollout::state::{Phase, Why};
use crate::rollout::verdict::{of_alias, phase_words, standing_words, ways_out};
use crate::rollout::{self, Report};
use crate::ui::rollout::when;
use crate::ui::sanitize::sanitize;

/// Show the alias, the rollout under way and the last ones
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  samara rollout status --stack-name hello
  samara rollout status --function hello --alias live --output json

Exit statuses: 0 nothing is under way, or a process drives it · 5 somebody else changed the alias · 6 it waits
for a person")]
pub(super) struct StatusArgs {
    #[command(flatten)]
    target: TargetArgs,
}

/// How many finished rollouts are shown.
const SHOWN: usize = 5;

/// Runs it.
pub(super) async fn run(context: &Context, args: StatusArgs) -> Result<Status, Error> {
    let section = args.target.section(context, "status")?;
    let target = args.target.resolve(context, &section).await?;
    let report = match target.services(context).await? {
        Some(services) => rollout::status(&services, &target.id, SHOWN).await?,
        None => Report { alias: target.driver().read().await?, current: None, driver: None, history: Vec::new() },
    };
    let stack = stack(&target, &report).await;
    if context.terminal.is_json() {
        context.terminal.json(&as_json(&target.id, &report, stack.as_ref()));
    } else {
        for line in lines(&target.id, &report, stack.as_ref()) {
            context.terminal.data(sanitize(&line));
        }
    }
    Ok(status_of(&report))
}

/// What the stack's template says of the alias.
struct InStack {
    name: String,
    version: String,
    /// Whether the alias says something else, and no rollout is under way that would explain it.
    differs: bool,
}

/// Best effort: the alias and its rollout are what was asked for.
async fn stack(target: &Target, report: &Report) -> Option<InStack> {
    let known = report.history.iter().filter_map(|record| Some(record.state.plan.settle.as_ref()?.stack.clone()));
    let mut names: Vec<String> = target.stack.clone().into_iter().chain(known).collect();
    names.dedup();
    for name in names {
        let found =
            live::version_of_alias(&target.aws, &name, target.id.function.as_str(), target.id.alias.as_str()).await;
        if let Ok(Some(version)) = found {
            let under_way = report.current.as_ref().is_some_and(|found| !found.record.state.is_finished());
            let content = report.alias.as_ref().map(|alias| &alias.content);
            let agrees = content.is_some_and(|content| content.version == version && !content.is_split());
            return Some(InStack { name, version, differs: !under_way && !agrees });
        }
    }
    None
}

fn status_of(report: &Report) -> Status {
    let Some(found) = &report.current else {
        return if report.alias.is_some() { Status::Done } else { Status::Failed };
    };
    match found.record.state.phase {
        Phase::Conflicted { .. } => Status::Conflict,
        _ if report.driver.is_some() || found.record.state.is_finished() => Status::Done,
        _ => Status::Held,
    }
}

fn lines(id: &AliasId, report: &Report, stack: Option<&InStack>) -> Vec<String> {
    let mut lines = Vec::new();
    match &report.alias {
        Some(alias) => lines.push(format!("{id} says {}", alias.content)),
        None => lines.push(format!("{id} does not exist")),
    }
    match &report.current {
        Some(found) => {
            let state = &found.record.state;
            let plan = &state.plan;
            let begun = format!("begun {}: {}", when(found.record.started), phase_words(state));
            lines.extend(plan.aliases.iter().map(|alias| {
                let of = if plan.aliases.len() > 1 { format!(" of {}", alias.id) } else { String::new() };
                format!("rollout{of} of version {} to {} by {}, {begun}", alias.old, alias.new, alias.strategy)
            }));
            let age = found.heartbeat_age.as_secs();
            let conflicted = matches!(state.phase, Phase::Conflicted { .. });
            lines.push(match &report.driver {
                None if conflicted => format!("nobody drives it (last heard {age} s ago)"),
                Some(driver) => format!("driven by {driver}, last heard {age} s ago"),
                None => format!(
                    "nobody drives it (last heard {age} s ago): `samara rollout resume` or `samara rollout abort`"
                ),
            });
            if conflicted {
                lines.extend(ways_out(state));
            }
            lines.extend(state.standing().map(|(alias, standing)| of_alias(plan, alias, &standing_words(&standing))));
            let known = plan.of(id).and_then(|(index, _)| state.aliases.get(index));
            if let (Some(known), Some(alias), None) = (known, &report.alias, &report.driver)
                && known.intent.is_none()
                && alias.content != known.seen.content
            {
                lines.push(format!("the journal expects {}", known.seen.content));
            }
        }
        None if report.alias.as_ref().is_some_and(|alias| alias.content.is_split()) => lines.push(
            "two versions serve and no rollout is under way: `samara rollout rollback` makes the alias whole again"
                .to_owned(),
        ),
        None => lines.push("no rollout is under way".to_owned()),
    }
    if let Some(stack) = stack.filter(|stack| stack.differs) {
        lines.push(format!(
            "stack {} says version {}, and the alias does not: `samara rollout start --to-version {}` shifts to it \
             again, and deploying other code brings them together",
            stack.name, stack.version, stack.version
        ));
    }
    for record in &report.history {
        let Some((_, plan)) = record.state.plan.of(id) else { continue };
        if matches!(record.state.phase, Phase::RolledBack { why: Why::ByHand, .. }) {
            let when = when(record.started);
            lines.push(format!("before: {when} version {} was taken back to {} by hand", plan.new, plan.old));
            continue;
        }
        lines.push(format!(
            "before: {} version {} to {} by {}: {}",
            when(record.started),
            plan.old,
            plan.new,
            plan.strategy,
            phase_words(&record.state)
        ));
    }
    lines
}

fn as_json(id: &AliasId, report: &Report, stack: Option<&InStack>) -> serde_json::Value {
    let current = report.current.as_ref().map(|found| {
        let state = &found.record.state;
        let of = state.plan.of(id).map(|(_, plan)| plan);
        let known = state.plan.of(id).and_then(|(index, _)| state.aliases.get(index));
        let standing = state.standing().map(|(_, standing)| standing);
        json!({
            "id": found.record.id,
            "aliases": state.plan.ids(),
            "old_version": of.map(|plan| plan.old),
            "new_version": of.map(|plan| plan.new),
            "strategy": of.map(|plan| &plan.strategy),
            "phase": state.phase,
            "expected": known.map(|alias| &alias.seen.content),
            "driver": report.driver,
            "heartbeat_age_seconds": found.heartbeat_age.as_secs(),
            "evidence": standing.as_ref().map(|standing| standing.evidence),
            "bound": standing.as_ref().map(|standing| standing.bound),
            "entries": state.entries,
        })
    });
    let history: Vec<_> = report
        .history
        .iter()
        .map(|record| {
            let plan = record.state.plan.of(id).map(|(_, plan)| plan);
            json!({"id": record.id, "started_ms": record.started, "old_version": plan.map(|plan| plan.old), "new_version": plan.map(|plan| plan.new),
                "strategy": plan.map(|plan| &plan.strategy), "phase": record.state.phase})
        })
        .collect();
    json!({
        "schema": 1,
        "alias": id.to_string(),
        "content": report.alias.as_ref().map(|alias| &alias.content),
        "revision": report.alias.as_ref().map(|alias| &alias.revision),
        "stack": stack.map(|stack| json!({"name": stack.name, "version": stack.version, "differs": stack.differs})),
        "rollout": current,
        "history": history,
    })
}
