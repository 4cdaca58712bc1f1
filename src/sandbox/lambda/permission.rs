//! Who may invoke a function: recorded and shown; the sandbox asks nobody for permission.

use serde_json::{Map, Value, json};

use super::fault::{Answer, Fault};
use super::identifier::{self, Identifier};
use super::model::{Function, Policy};
use super::{Call, policy, text};
use crate::sandbox::http::Response;

/// Refuses a qualifier that names nothing.
fn known(call: Call<'_>, id: &Identifier, function: &Function) -> Answer<()> {
    let Some(qualifier) = id.qualifier.as_deref() else { return Ok(()) };
    if function.resolve(Some(qualifier)).is_some() {
        return Ok(());
    }
    let arn = call.arn(&id.name, Some(qualifier));
    // Recorded: what looks like an alias is missed as one; a `$` cannot be in an alias.
    if identifier::is_version(qualifier) || qualifier.contains('$') {
        return Err(Fault::no_function(&arn));
    }
    Err(Fault::not_found(format!("Cannot find alias arn: {arn}")))
}

pub(super) fn add(call: Call<'_>, name: &str) -> Answer {
    let id = call.identify(name)?;
    let body = call.body()?;
    let sid = text(&body, "StatementId").unwrap_or_default();
    policy::check_sid(sid)?;
    let qualifier = id.qualifier.clone().unwrap_or_default();
    if qualifier == "$LATEST" {
        return Err(Fault::invalid("We currently do not support adding policies for $LATEST."));
    }
    let arn = call.arn(&id.name, id.qualifier.as_deref());
    let mut statement = Map::new();
    statement.insert("Sid".to_owned(), json!(sid));
    statement.insert("Effect".to_owned(), json!("Allow"));
    statement.insert("Principal".to_owned(), principal(call, text(&body, "Principal").unwrap_or_default())?);
    statement.insert("Action".to_owned(), json!(text(&body, "Action").unwrap_or("lambda:InvokeFunction")));
    statement.insert("Resource".to_owned(), json!(arn));
    let condition = condition(&body);
    if !condition.is_empty() {
        statement.insert("Condition".to_owned(), Value::Object(condition));
    }
    let statement = Value::Object(statement);
    let shown = statement.to_string();
    call.write(&id.name, None, |function| {
        known(call, &id, function)?;
        let given = text(&body, "RevisionId");
        // The first statement of a version or alias is guarded by its own revision.
        let fallback = match function.aliases.get(&qualifier) {
            Some(alias) => alias.revision_id.clone(),
            None => function.resolve(id.qualifier.as_deref()).map(|one| one.revision_id.clone()).unwrap_or_default(),
        };
        let old = function.policies.get(&qualifier);
        let current = old.map_or(&fallback, |policy| &policy.revision_id);
        if given.is_some_and(|given| given != current) {
            return Err(Fault::stale(if old.is_some() { "GetFunction/GetAlias" } else { "GetPolicy" }));
        }
        let mut changed = old.cloned().unwrap_or_default();
        changed.add(sid, statement)?;
        if qualifier.is_empty() {
            // Recorded: the policy and the function share their revision.
            function.latest.revision_id.clone_from(&changed.revision_id);
        } else if let Some(alias) = function.aliases.get_mut(&qualifier) {
            alias.revision_id.clone_from(&changed.revision_id);
        }
        function.policies.insert(qualifier.clone(), changed);
        Ok(())
    })?;
    Ok(Response::json(201, &json!({ "Statement": shown })))
}

fn principal(call: Call<'_>, text: &str) -> Answer<Value> {
    let root = |account: &str| {
        let partition = super::partition(&call.request.region);
        json!({ "AWS": format!("arn:{partition}:iam::{account}:root") })
    };
    if text == "*" {
        return Ok(json!("*"));
    }
    if text.len() == 12 && identifier::is_version(text) {
        return Ok(root(text));
    }
    if text.starts_with("arn:") {
        return Ok(json!({ "AWS": text }));
    }
    if text.contains('.')
        && (text.ends_with(".amazonaws.com")
            || text.ends_with(".amazon.com")
            || text.ends_with(".aws.internal")
            || text.ends_with(".amazonaws.com.cn"))
    {
        return Ok(json!({ "Service": text }));
    }
    Err(Fault::invalid("The provided principal was invalid. Please check the principal and try again."))
}

fn condition(body: &Value) -> Map<String, Value> {
    let mut equals = Map::new();
    for (field, key) in [
        ("SourceAccount", "AWS:SourceAccount"),
        ("FunctionUrlAuthType", "lambda:FunctionUrlAuthType"),
        ("PrincipalOrgID", "aws:PrincipalOrgID"),
        ("EventSourceToken", "lambda:EventSourceToken"),
    ] {
        if let Some(value) = text(body, field) {
            equals.insert(key.to_owned(), json!(value));
        }
    }
    let mut condition = Map::new();
    if !equals.is_empty() {
        condition.insert("StringEquals".to_owned(), Value::Object(equals));
    }
    if let Some(arn) = text(body, "SourceArn") {
        condition.insert("ArnLike".to_owned(), json!({ "AWS:SourceArn": arn }));
    }
    if let Some(via_url) = body.get("InvokedViaFunctionUrl").and_then(Value::as_bool) {
        condition.insert("Bool".to_owned(), json!({ "lambda:InvokedViaFunctionUrl": via_url.to_string() }));
    }
    condition
}

pub(super) fn get(call: Call<'_>, name: &str) -> Answer {
    let id = call.identify(name)?;
    let key = call.key(&id.name);
    let qualifier = id.qualifier.unwrap_or_default();
    let found = call.lambda.state.read(|state| {
        let policy = state.functions.get(&key)?.policies.get(&qualifier)?;
        (!policy.statements.is_empty()).then(|| policy.describe())
    });
    let found = found.ok_or_else(|| Fault::not_found("The resource you requested does not exist."))?;
    Ok(Response::json(200, &found))
}

pub(super) fn remove(call: Call<'_>, name: &str, sid: &str) -> Answer {
    let id = call.identify(name)?;
    let qualifier = id.qualifier.clone().unwrap_or_default();
    let arn = call.arn(&id.name, id.qualifier.as_deref());
    let key = call.key(&id.name);
    if !call.lambda.state.read(|state| state.functions.contains_key(&key)) {
        return Err(Fault::not_found(format!("No policy found for: {arn}")));
    }
    let given = call.request.query("RevisionId");
    call.write(&id.name, None, |function| {
        known(call, &id, function)?;
        let none = || Fault::not_found("No policy is associated with the given resource.");
        let policy: &mut Policy = function.policies.get_mut(&qualifier).ok_or_else(none)?;
        policy.check_revision(given, "GetFunction/GetAlias")?;
        policy.remove(sid)?;
        let revision = policy.revision_id.clone();
        if policy.statements.is_empty() {
            function.policies.remove(&qualifier);
        }
        if qualifier.is_empty() {
            function.latest.revision_id = revision;
        } else if let Some(alias) = function.aliases.get_mut(&qualifier) {
            alias.revision_id = revision;
        }
        Ok(())
    })?;
    Ok(Response::new(204))
}
