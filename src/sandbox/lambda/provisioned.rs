//! Provisioned concurrency: the record and its delay. Environments start on demand all the same.

use serde_json::{Value, json};

use super::fault::{Answer, Fault};
use super::identifier;
use super::model::{Function, Provisioned};
use super::{Call, listed};
use crate::sandbox::http::Response;

fn describe(config: &Provisioned, now_ms: i64) -> Value {
    let ready = config.is_ready(now_ms);
    let allocated = if ready { config.requested } else { 0 };
    json!({
        "RequestedProvisionedConcurrentExecutions": config.requested,
        "AvailableProvisionedConcurrentExecutions": allocated,
        "AllocatedProvisionedConcurrentExecutions": allocated,
        "Status": if ready { "READY" } else { "IN_PROGRESS" },
        "LastModified": config.last_modified,
    })
}

pub(super) fn answer(call: Call<'_>, name: &str, method: &str) -> Answer {
    let id = call.identify(name)?;
    if method == "GET" && call.request.query("List").is_some() {
        return list(call, &id.name);
    }
    let qualifier =
        id.qualifier.clone().ok_or_else(|| Fault::validation("null", "qualifier", "Member must not be null"))?;
    let wanted = if method == "PUT" { Some(requested(call)?) } else { None };
    if qualifier == "$LATEST" {
        return Err(Fault::invalid(if wanted.is_some() {
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        } else {
            "The function resource provided must be an alias or a published version."
        }));
    }
    let arn = call.arn(&id.name, Some(&qualifier));
    let missing = || {
        if identifier::is_version(&qualifier) {
            Fault::no_function(&arn)
        } else {
            Fault::not_found(format!("Cannot find alias arn: {arn}"))
        }
    };
    let key = call.key(&id.name);
    if !call.lambda.state.read(|state| state.functions.contains_key(&key)) {
        return Err(missing());
    }
    let now_ms = call.now_ms();
    let none = || {
        Fault::new(
            404,
            "ProvisionedConcurrencyConfigNotFoundException",
            "No Provisioned Concurrency Config found for this function",
        )
    };
    call.write(&id.name, Some(&qualifier), |function| {
        if function.resolve(Some(&qualifier)).is_none() {
            return Err(missing());
        }
        match (method, wanted) {
            ("GET", _) => {
                let config = function.provisioned.get(&qualifier).ok_or_else(none)?;
                Ok(Response::json(200, &describe(config, now_ms)))
            }
            ("DELETE", _) => {
                function.provisioned.remove(&qualifier);
                Ok(Response::new(204))
            }
            ("PUT", Some(requested)) => {
                conflicts(function, &qualifier)?;
                let config = Provisioned::new(requested, now_ms, call.now_text());
                let shown = describe(&config, now_ms);
                function.provisioned.insert(qualifier.clone(), config);
                Ok(Response::json(202, &shown))
            }
            _ => Err(Fault::not_implemented(&format!("{method} {}", call.request.path))),
        }
    })
}

fn requested(call: Call<'_>) -> Answer<u64> {
    let body = call.body()?;
    let number = body.get("ProvisionedConcurrentExecutions").and_then(Value::as_i64).unwrap_or(0);
    u64::try_from(number).ok().filter(|number| *number >= 1).ok_or_else(|| {
        let limit = "Member must have value greater than or equal to 1";
        Fault::validation(&format!("'{number}'"), "provisionedConcurrentExecutions", limit)
    })
}

/// A version may be provisioned by itself or through an alias, not both.
fn conflicts(function: &Function, qualifier: &str) -> Answer<()> {
    if let Some(alias) = function.aliases.get(qualifier) {
        if function.provisioned.contains_key(&alias.function_version) {
            return Err(Fault::conflict(
                "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
            ));
        }
        // The service's own words are not recorded.
        if alias.additional.is_some() {
            return Err(Fault::conflict(
                "Provisioned Concurrency cannot be configured on an alias that routes to two versions",
            ));
        }
        return Ok(());
    }
    let pointed = function
        .aliases
        .iter()
        .any(|(name, alias)| alias.function_version == qualifier && function.provisioned.contains_key(name));
    if pointed {
        return Err(Fault::conflict("Version is pointed by a Provisioned Concurrency alias"));
    }
    Ok(())
}

fn list(call: Call<'_>, name: &str) -> Answer {
    let now_ms = call.now_ms();
    let items = call.read(name, None, |function| {
        let all = function.provisioned.iter();
        Ok(all
            .map(|(qualifier, config)| {
                let mut shown = describe(config, now_ms);
                shown["FunctionArn"] = json!(call.arn(name, Some(qualifier)));
                (qualifier.clone(), shown)
            })
            .collect())
    })?;
    let (page, next) = call.page(items)?;
    Ok(listed("ProvisionedConcurrencyConfigs", page, next))
}
