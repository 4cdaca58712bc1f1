//! Before a rollout: everything that has to be known is found out, what speaks against it is said, and
//! the plan is made. Changes nothing.

use std::collections::BTreeSet;

use super::analysis::alarms::{AlarmReading, AlarmState};
use super::analysis::{self, Baseline, Criteria};
use super::content::Seen;
use super::names::{Time, Version};
use super::plan::{AliasPlan, Defaults, Engine, Hook, HookKind, HookTime, OnNoData, OnOutage, Plan};
use super::refusal::Refusal;
use super::run::Services;
use super::{Error, Options, Request, Target, evidence, hook, refusal};
use crate::aws;

/// A plan, what the aliases say, and what could not be found out.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// The aliases, as they were read, in the plan's order.
    pub seen: Vec<Seen>,
    /// What a person should know before it starts.
    pub warnings: Vec<String>,
}

/// What was found out of one alias.
struct PreparedAlias {
    plan: AliasPlan,
    seen: Seen,
}

/// Finds out everything that has to be known, and makes the plan. Changes nothing.
///
/// # Errors
/// Something speaks against it, or cannot be read.
pub async fn prepare(request: &Request, services: &Services) -> Result<Prepared, Error> {
    let Request { aliases: targets, options, settle } = request;
    let now = services.clock.now();
    let mut targets: Vec<&Target> = targets.iter().collect();
    targets.sort_by(|a, b| a.id.cmp(&b.id));
    let mut warnings = Vec::new();
    let mut refusals = Vec::new();
    let (mut aliases, mut seen) = (Vec::new(), Vec::new());
    for target in &targets {
        match prepare_alias(target, options, now, services, &mut warnings).await {
            Ok(found) => {
                aliases.push(found.plan);
                seen.push(found.seen);
            }
            Err(Error::Refused(more)) => refusals.extend(more),
            Err(error) => return Err(error),
        }
    }
    let goes_on_blind = options.on_outage == OnOutage::Continue;
    let alarms = match evidence::read_alarms(&services.cloudwatch, &options.alarms).await {
        Err(error) if goes_on_blind => {
            warnings.push(blind(&error));
            Vec::new()
        }
        other => other?,
    };
    refusals.extend(alarm_refusals(&alarms, &options.ignored_alarms, &mut warnings));
    refusals.extend(missing_hooks(&targets, options, services, &mut warnings).await);
    if !refusals.is_empty() {
        return Err(Error::Refused(refusals));
    }
    let hooks: Vec<Hook> = targets
        .iter()
        .enumerate()
        .flat_map(|(alias, target)| {
            target.hooks.iter().chain(&options.hooks).map(move |(when, what)| Hook {
                alias,
                when: *when,
                what: what.clone(),
            })
        })
        .collect();
    let is_checked = hooks.iter().any(|hook| hook.when == HookTime::BeforeTraffic);
    let unless_told = if is_checked { OnNoData::Continue } else { OnNoData::Hold };
    let functions = aliases.len();
    for alias in &mut aliases {
        alias.criteria.functions = functions;
    }
    let plan = Plan {
        engine: Engine::Alias,
        aliases,
        alarms: options.alarms.clone(),
        ignored_alarms: options.ignored_alarms.clone(),
        bake_s: options.bake.as_secs(),
        min_requests: options.min_requests,
        max_hold_s: options.max_hold.as_secs(),
        on_no_data: options.on_no_data.unwrap_or(unless_told),
        outage_s: Defaults::OUTAGE.as_secs(),
        on_outage: options.on_outage,
        observe_only: options.observe_only,
        probe: options.probe,
        warm_up: options.warm_up.clone(),
        hooks,
        triggers: options.triggers.clone(),
        settle: settle.clone(),
        created: now,
    };
    Ok(Prepared { plan, seen, warnings })
}

/// The functions among the checks that are not there. Who may invoke one may not be allowed to look
/// whether it is there: that is told, and nothing is refused for it.
async fn missing_hooks(
    targets: &[&Target],
    options: &Options,
    services: &Services,
    warnings: &mut Vec<String>,
) -> Vec<Refusal> {
    let checks = targets.iter().flat_map(|target| &target.hooks).chain(&options.hooks);
    let names: BTreeSet<&str> = checks
        .filter_map(|(_, check)| match check {
            HookKind::Function { name } => Some(name.as_str()),
            HookKind::Command { .. } | HookKind::Events { .. } => None,
        })
        .collect();
    let mut missing = Vec::new();
    for name in names {
        let (function, qualifier) = hook::qualified(name);
        match services.lambda.configuration(function, qualifier).await {
            Ok(Some(_)) => {}
            Ok(None) => missing.push(Refusal::NoHook { name: name.to_owned() }),
            Err(error) => warnings.push(format!("whether function {name} is there cannot be told: {error}")),
        }
    }
    missing
}

async fn prepare_alias(
    target: &Target,
    options: &Options,
    now: Time,
    services: &Services,
    warnings: &mut Vec<String>,
) -> Result<PreparedAlias, Error> {
    let Target { id, new, strategy, .. } = target;
    let driver = services.driver(id);
    let no_alias = || Error::NoAlias { function: id.function.clone(), alias: id.alias.clone() };
    let seen = driver.read().await?.ok_or_else(no_alias)?;
    let old: Version = seen.content.version.parse().map_err(|_| {
        Error::Refused(vec![Refusal::NotPublished { alias: id.to_string(), version: seen.content.version.clone() }])
    })?;
    let (facts, baseline) = tokio::join!(
        driver.facts(seen.content.clone(), old, *new),
        evidence::baseline(
            &services.cloudwatch,
            &id.function,
            &id.alias,
            old,
            analysis::extras(&options.metrics, &options.limits),
            now
        ),
    );
    let (facts, unknown) = facts?;
    warnings.extend(unknown);
    // Who goes on blind later goes on blind now; everybody else finds out before anything is touched.
    let baseline = match baseline {
        Err(error) if options.on_outage == OnOutage::Continue => {
            warnings.push(blind(&error));
            Baseline { phi: 1.0, ..Baseline::default() }
        }
        other => other?,
    };
    let all_at_once = strategy.steps().is_empty();
    let refusals = refusal::refusals(id, old, *new, all_at_once, &facts);
    if !refusals.is_empty() {
        return Err(Error::Refused(refusals));
    }
    let of_new = facts.new.unwrap_or_default();
    let timeout_s = facts.old.map_or(0, |old| old.timeout_s).max(of_new.timeout_s);
    let plan = AliasPlan {
        id: id.clone(),
        old,
        new: *new,
        new_code_sha256: Some(of_new.code_sha256).filter(|hash| !hash.is_empty()),
        strategy: strategy.clone(),
        criteria: Criteria {
            limits: options.limits.clone(),
            metrics: options.metrics.clone(),
            ..Criteria::new(Defaults::ALPHA, baseline, timeout_s)
        },
    };
    Ok(PreparedAlias { plan, seen })
}

fn blind(error: &aws::Error) -> String {
    format!("going on without metrics or alarms: {error}")
}

/// Looks at the alarms before a stack is updated: the warnings, where none refuses. Those `of_template`
/// may come with the update itself, and stop CodeDeploy's deployment whatever samara ignores.
///
/// # Errors
/// One fires, is not there, or cannot be read.
pub async fn check_alarms(
    services: &Services,
    options: &Options,
    of_template: &[String],
    engine: Engine,
) -> Result<Vec<String>, Error> {
    let mut warnings = Vec::new();
    let readings = match evidence::read_alarms(&services.cloudwatch, &options.alarms).await {
        Err(error) if options.on_outage == OnOutage::Continue => return Ok(vec![blind(&error)]),
        other => other?,
    };
    let refusals = refusals_of_alarms(&readings, &options.ignored_alarms, of_template, engine, &mut warnings);
    if refusals.is_empty() { Ok(warnings) } else { Err(Error::Refused(refusals)) }
}

fn refusals_of_alarms(
    readings: &[AlarmReading],
    ignored: &[String],
    of_template: &[String],
    engine: Engine,
    warnings: &mut Vec<String>,
) -> Vec<Refusal> {
    let mut refusals = alarm_refusals(readings, ignored, warnings);
    refusals.retain(|refusal| !matches!(refusal, Refusal::NoAlarm { name } if of_template.contains(name)));
    let stubborn = readings.iter().filter(|reading| {
        let name = &reading.name;
        reading.state == AlarmState::Alarm && ignored.contains(name) && of_template.contains(name)
    });
    if engine == Engine::CodeDeploy {
        refusals.extend(stubborn.map(|reading| Refusal::AlarmStopsCodeDeploy { name: reading.name.clone() }));
    }
    refusals
}

fn alarm_refusals(readings: &[AlarmReading], ignored: &[String], warnings: &mut Vec<String>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for reading in readings {
        let name = reading.name.clone();
        match reading.state {
            AlarmState::Ok => {}
            AlarmState::Alarm if ignored.contains(&name) => {}
            AlarmState::Alarm => refusals.push(Refusal::AlarmFires { name, reason: reading.reason.clone() }),
            AlarmState::Missing => refusals.push(Refusal::NoAlarm { name }),
            AlarmState::InsufficientData => {
                warnings.push(format!("alarm {name} has insufficient data: it is not in ALARM, and not OK either"));
            }
        }
    }
    refusals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn race_16_before_a_stack_is_updated_only_what_fires_or_nobody_makes_refuses() {
        let reading = |name: &str, state| AlarmReading { name: name.to_owned(), state, reason: String::new() };
        let readings = [
            reading("fires", AlarmState::Alarm),
            reading("ignored", AlarmState::Alarm),
            reading("of-the-template", AlarmState::Missing),
            reading("of-a-flag", AlarmState::Missing),
        ];
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let of_template = names(&["of-the-template", "ignored"]);
        let found = |engine| refusals_of_alarms(&readings, &names(&["ignored"]), &of_template, engine, &mut Vec::new());
        let fires = Refusal::AlarmFires { name: "fires".to_owned(), reason: String::new() };
        let none = Refusal::NoAlarm { name: "of-a-flag".to_owned() };
        assert_eq!(found(Engine::Alias), [fires.clone(), none.clone()]);
        // CodeDeploy knows nothing of what samara ignores.
        let stubborn = Refusal::AlarmStopsCodeDeploy { name: "ignored".to_owned() };
        assert_eq!(found(Engine::CodeDeploy), [fires, none, stubborn]);
    }
}
