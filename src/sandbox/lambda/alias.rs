//! Aliases: names for a version, or for two with a share of the requests.

use serde_json::Value;

use super::fault::{Answer, Fault};
use super::model::{Alias, Function, uuid};
use super::{Call, identifier, listed, text};
use crate::sandbox::http::Response;

/// Reads `RoutingConfig`: `None` when it is not in the request.
fn routing(body: &Value) -> Answer<Option<Option<(String, f64)>>> {
    let Some(config) = body.get("RoutingConfig").filter(|config| !config.is_null()) else { return Ok(None) };
    let Some(weights) = config.get("AdditionalVersionWeights").and_then(Value::as_object) else {
        return Ok(Some(None));
    };
    if weights.len() > 1 {
        return Err(Fault::invalid("Number of items in AdditionalVersionWeights cannot be greater than 1"));
    }
    let Some((version, weight)) = weights.iter().next() else { return Ok(Some(None)) };
    let member = "routingConfig.additionalVersionWeights";
    let shown = |weight: f64| format!("'{{{version}={}}}'", java_double(weight));
    let weight = weight.as_f64().unwrap_or(f64::NAN);
    if !identifier::is_version(version) || version.len() > 1024 {
        let keys = "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]";
        return Err(Fault::validation(&shown(weight), member, keys));
    }
    if !(0.0..=1.0).contains(&weight) {
        let values = "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]";
        return Err(Fault::validation(&shown(weight), member, values));
    }
    Ok(Some(Some((version.clone(), weight))))
}

/// A double as Java prints it: with a point.
fn java_double(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number:.1}") } else { number.to_string() }
}

/// Checks what an alias is to point to.
fn check(call: Call<'_>, function: &Function, name: &str, version: &str, extra: Option<&(String, f64)>) -> Answer<()> {
    let missing = |version: &str| Fault::no_function(&call.arn(name, Some(version)));
    let main = function.version(version).ok_or_else(|| missing(version))?;
    let Some((additional, _)) = extra else { return Ok(()) };
    if version == "$LATEST" {
        return Err(Fault::invalid("$LATEST is not supported for an alias pointing to more than 1 version"));
    }
    if additional == version {
        return Err(Fault::invalid(format!(
            "Invalid function version {version}. Function version {version} is already included in routing configuration."
        )));
    }
    let other = function.version(additional).ok_or_else(|| missing(additional))?;
    if main.text("Role") != other.text("Role") {
        return Err(Fault::invalid("Specified versions must be associated with the same execution role"));
    }
    if main.settings.get("DeadLetterConfig") != other.settings.get("DeadLetterConfig") {
        return Err(Fault::invalid("Specified versions must be associated with the same dead letter queue"));
    }
    Ok(())
}

pub(super) fn create(call: Call<'_>, name: &str) -> Answer {
    let id = call.identify(name)?;
    let body = call.body()?;
    let alias_name = text(&body, "Name").unwrap_or_default().to_owned();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if alias_name.is_empty() || identifier::is_version(&alias_name) || !alias_name.chars().all(plain) {
        let pattern = "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)";
        return Err(Fault::validation(&format!("'{alias_name}'"), "name", pattern));
    }
    if alias_name.len() > 128 {
        let limit = "Member must have length less than or equal to 128";
        return Err(Fault::validation(&format!("'{alias_name}'"), "name", limit));
    }
    let version = text(&body, "FunctionVersion")
        .ok_or_else(|| Fault::validation("null", "functionVersion", "Member must not be null"))?;
    let additional = routing(&body)?.flatten();
    let arn = call.arn(&id.name, None);
    // Recorded: for a function that is not there the text names the version.
    let answer = call.write(&id.name, Some(version), |function| {
        check(call, function, &id.name, version, additional.as_ref())?;
        if function.aliases.contains_key(&alias_name) {
            return Err(Fault::conflict(format!("Alias already exists: {arn}:{alias_name}")));
        }
        let alias = Alias {
            function_version: version.to_owned(),
            description: text(&body, "Description").unwrap_or_default().to_owned(),
            revision_id: uuid(),
            additional,
        };
        let answer = alias.describe(&alias_name, &arn);
        function.aliases.insert(alias_name, alias);
        Ok(answer)
    })?;
    Ok(Response::json(201, &answer))
}

pub(super) fn get(call: Call<'_>, name: &str, alias_name: &str) -> Answer {
    let id = call.identify(name)?;
    let arn = call.arn(&id.name, None);
    let now_ms = call.now_ms();
    let answer = call.read(&id.name, Some(alias_name), |function| match function.alias(alias_name, now_ms) {
        Some(alias) => Ok(alias.describe(alias_name, &arn)),
        None => Err(Fault::not_found(format!("Cannot find alias arn: {arn}:{alias_name}"))),
    })?;
    Ok(Response::json(200, &answer))
}

pub(super) fn update(call: Call<'_>, name: &str, alias_name: &str) -> Answer {
    let id = call.identify(name)?;
    let body = call.body()?;
    let arn = call.arn(&id.name, None);
    let routing = routing(&body)?;
    let now_ms = call.now_ms();
    let answer = call.write(&id.name, Some(alias_name), |function| {
        let missing = || Fault::not_found(format!("Alias not found: {arn}:{alias_name}"));
        let mut alias = function.aliases.get(alias_name).cloned().ok_or_else(missing)?;
        if text(&body, "RevisionId").is_some_and(|given| given != alias.revision_id) {
            return Err(Fault::stale("GetFunction/GetAlias"));
        }
        if let Some(version) = text(&body, "FunctionVersion") {
            alias.function_version = version.to_owned();
        }
        if let Some(additional) = routing {
            alias.additional = additional;
        }
        if let Some(description) = text(&body, "Description") {
            alias.description = description.to_owned();
        }
        check(call, function, &id.name, &alias.function_version, alias.additional.as_ref())?;
        // Every write gives a new revision, also one that changes nothing.
        alias.revision_id = uuid();
        function.point(alias_name, alias, now_ms);
        let alias = function.alias(alias_name, now_ms).ok_or_else(missing)?;
        Ok(alias.describe(alias_name, &arn))
    })?;
    Ok(Response::json(200, &answer))
}

pub(super) fn delete(call: Call<'_>, name: &str, alias_name: &str) -> Answer {
    let id = call.identify(name)?;
    call.write(&id.name, Some(alias_name), |function| {
        // An alias that is not there is no error.
        function.aliases.remove(alias_name);
        function.provisioned.remove(alias_name);
        function.policies.remove(alias_name);
        function.event_invoke.remove(alias_name);
        Ok(())
    })?;
    Ok(Response::new(204))
}

pub(super) fn list(call: Call<'_>, name: &str) -> Answer {
    let id = call.identify(name)?;
    let arn = call.arn(&id.name, None);
    let version = call.request.query("FunctionVersion");
    let now_ms = call.now_ms();
    let items = call.read(&id.name, None, |function| {
        let points = |alias: &Alias| {
            version.is_none_or(|version| {
                alias.function_version == version
                    || alias.additional.as_ref().is_some_and(|(additional, _)| additional == version)
            })
        };
        let all = function.aliases.keys().filter_map(|name| Some((name, function.alias(name, now_ms)?)));
        let all = all.filter(|(_, alias)| points(alias));
        Ok(all.map(|(name, alias)| (name.clone(), alias.describe(name, &arn))).collect())
    })?;
    let (page, next) = call.page(items)?;
    Ok(listed("Aliases", page, next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(weights: Value) -> Result<Option<Option<(String, f64)>>, String> {
        routing(&json!({ "RoutingConfig": { "AdditionalVersionWeights": weights } }))
            .map_err(|fault| String::from_utf8_lossy(&Response::from(fault).body).into_owned())
    }

    #[test]
    fn weights_are_checked_in_awss_words() {
        assert_eq!(read(json!({ "2": 0.25 })), Ok(Some(Some(("2".to_owned(), 0.25)))));
        assert_eq!(read(json!({ "2": 1 })), Ok(Some(Some(("2".to_owned(), 1.0)))));
        assert_eq!(read(json!({})), Ok(Some(None)), "empty weights clear");
        assert_eq!(routing(&json!({})).unwrap(), None, "no routing leaves it");
        insta::assert_snapshot!(read(json!({ "2": 2 })).unwrap_err(), @r#"{"message":"1 validation error detected: Value '{2=2.0}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]"}"#);
        assert!(read(json!({ "2": 1.5 })).unwrap_err().contains("Value '{2=1.5}'"));
        assert!(read(json!({ "2": -1 })).unwrap_err().contains("Value '{2=-1.0}'"));
        assert!(read(json!({ "$LATEST": 0.5 })).unwrap_err().contains("Value '{$LATEST=0.5}'"));
        insta::assert_snapshot!(read(json!({ "1": 0.1, "2": 0.1 })).unwrap_err(), @r#"{"Type":"User","message":"Number of items in AdditionalVersionWeights cannot be greater than 1"}"#);
    }
}
