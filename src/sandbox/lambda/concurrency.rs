//! How many invocations run at once, and how many may.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::Call;
use super::fault::{Answer, Fault};
use super::invoke::Target;
use crate::sandbox::http::Response;

/// Concurrent executions of an account in a region, as new quotas have it.
pub(super) const ACCOUNT_LIMIT: u64 = 1000;
/// What reserving must leave.
const MIN_UNRESERVED: u64 = 100;

/// Running invocations by function and by account.
#[derive(Debug, Default)]
pub(super) struct Running(Arc<Mutex<HashMap<String, u64>>>);

/// Room for one invocation.
#[derive(Debug)]
pub(super) struct Permit {
    counts: Arc<Mutex<HashMap<String, u64>>>,
    keys: Vec<String>,
    running: u64,
}

impl Permit {
    /// Takes room, or says why there is none.
    pub(super) fn take(call: Call<'_>, target: &Target) -> Answer<Self> {
        let function = call.key(&target.name);
        let unreserved = call.prefix();
        let (limit, provisioned) = call.read(&target.name, None, |function| {
            let set_aside: u64 = function.provisioned.values().map(|config| config.requested).sum();
            let qualifiers = [Some(target.version.as_str()), target.qualifier.as_deref()];
            let own = qualifiers.into_iter().flatten().any(|qualifier| function.provisioned.contains_key(qualifier));
            // What is provisioned for a version is taken from the function's reserve for the others.
            Ok((function.reserved.map(|reserved| if own { reserved } else { reserved.saturating_sub(set_aside) }), own))
        })?;
        let counter = if provisioned { format!("{function}:provisioned") } else { function };
        let mut counts = call.lambda.running.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |counts: &HashMap<String, u64>, key: &str| counts.get(key).copied().unwrap_or(0);
        let mut keys = vec![counter];
        match limit {
            Some(limit) if count(&counts, &keys[0]) >= limit => {
                return Err(Fault::throttled("ReservedFunctionConcurrentInvocationLimitExceeded"));
            }
            Some(_) => {}
            None if count(&counts, &unreserved) >= ACCOUNT_LIMIT => {
                return Err(Fault::throttled("ConcurrentInvocationLimitExceeded"));
            }
            None => keys.push(unreserved),
        }
        for key in &keys {
            *counts.entry(key.clone()).or_default() += 1;
        }
        let running = count(&counts, &keys[0]);
        drop(counts);
        Ok(Self { counts: Arc::clone(&call.lambda.running.0), keys, running })
    }

    /// How many ran of the function when it was taken, this one among them.
    pub(super) fn running(&self) -> u64 {
        self.running
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &self.keys {
            if let Some(count) = counts.get_mut(key) {
                *count -= 1;
            }
        }
    }
}

pub(super) fn put(call: Call<'_>, name: &str) -> Answer {
    let id = call.identify(name)?;
    if id.qualifier.is_some() {
        return Err(Fault::invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this \
             operation. Please specify either a function name or an unqualified function ARN.",
        ));
    }
    let body = call.body()?;
    // Recorded: this operation names $LATEST of a function that is not there.
    call.read(&id.name, Some("$LATEST"), |_| Ok(()))?;
    let wanted = match body.get("ReservedConcurrentExecutions").map(Value::as_i64) {
        Some(Some(wanted)) if wanted >= 0 => wanted.unsigned_abs(),
        Some(Some(wanted)) => {
            let limit = "Member must have value greater than or equal to 0";
            return Err(Fault::validation(&format!("'{wanted}'"), "reservedConcurrentExecutions", limit));
        }
        _ => return Err(Fault::validation("null", "reservedConcurrentExecutions", "Member must not be null")),
    };
    let (prefix, key) = (call.prefix(), call.key(&id.name));
    let others: u64 = call.lambda.state.read(|state| {
        let all = state.functions.range(prefix.clone()..).take_while(|(other, _)| other.starts_with(&prefix));
        all.filter(|(other, _)| **other != key).filter_map(|(_, function)| function.reserved).sum()
    });
    if others + wanted > ACCOUNT_LIMIT - MIN_UNRESERVED {
        return Err(Fault::invalid(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
             below its minimum value of [{MIN_UNRESERVED}]."
        )));
    }
    call.write(&id.name, None, |function| {
        function.reserved = Some(wanted);
        Ok(())
    })?;
    Ok(Response::json(200, &json!({ "ReservedConcurrentExecutions": wanted })))
}

pub(super) fn get(call: Call<'_>, name: &str) -> Answer {
    let id = call.identify(name)?;
    let reserved = call.read(&id.name, None, |function| Ok(function.reserved))?;
    let answer = reserved.map_or_else(|| json!({}), |reserved| json!({ "ReservedConcurrentExecutions": reserved }));
    Ok(Response::json(200, &answer))
}

pub(super) fn delete(call: Call<'_>, name: &str) -> Answer {
    let id = call.identify(name)?;
    call.write(&id.name, None, |function| {
        function.reserved = None;
        Ok(())
    })?;
    Ok(Response::new(204))
}
