//! Layers: packages that functions share.

use serde_json::{Map, Value, json};

use super::fault::{Answer, Fault};
use super::model::{LayerVersion, Policy, partition};
use super::{Call, code, function, listed, policy, text};
use crate::sandbox::http::Response;

/// A function has at most this many.
const MAX_LAYERS: usize = 5;

fn layer_arn(call: Call<'_>, name: &str) -> String {
    call.arn_of(&format!("layer:{name}"))
}

/// The name of a layer, also from its ARN.
fn name_of(text: &str) -> &str {
    text.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(5)).unwrap_or(text)
}

fn describe(call: Call<'_>, name: &str, number: u64, version: &LayerVersion) -> Map<String, Value> {
    let mut all = summary(call, name, number, version);
    all.insert("LayerArn".to_owned(), json!(layer_arn(call, name)));
    let content = json!({
        "CodeSha256": version.code_sha256,
        "CodeSize": version.code_size,
        "Location": function::location(call, &version.code_sha256),
    });
    all.insert("Content".to_owned(), content);
    all
}

fn summary(call: Call<'_>, name: &str, number: u64, version: &LayerVersion) -> Map<String, Value> {
    let mut all = Map::new();
    let optional = [
        ("CompatibleRuntimes", version.runtimes.clone()),
        ("CompatibleArchitectures", version.architectures.clone()),
        ("LicenseInfo", version.license.clone().map(Value::String)),
        ("LayerVersionArn", Some(json!(format!("{}:{number}", layer_arn(call, name))))),
        ("Version", Some(json!(number))),
        ("Description", Some(json!(version.description))),
        ("CreatedDate", Some(json!(version.created))),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            all.insert(key.to_owned(), value);
        }
    }
    all
}

pub(super) async fn publish(call: Call<'_>, name: &str) -> Answer {
    let body = call.body()?;
    let name = name_of(name);
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if name.is_empty() || name.len() > 140 || !name.chars().all(plain) {
        let pattern = r"Member must satisfy regular expression pattern: (arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:layer:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+";
        return Err(Fault::validation(&format!("'{name}'"), "layerName", pattern));
    }
    let content = body.get("Content").unwrap_or(&Value::Null);
    let package = call.lambda.store.take(call.world, call.request, content).await?;
    let list = |key: &str| body.get(key).filter(|value| value.as_array().is_some_and(|all| !all.is_empty())).cloned();
    let version = LayerVersion {
        description: text(&body, "Description").unwrap_or_default().to_owned(),
        created: call.now_text(),
        license: text(&body, "LicenseInfo").map(str::to_owned),
        runtimes: list("CompatibleRuntimes"),
        architectures: list("CompatibleArchitectures"),
        code_sha256: package.sha256,
        code_size: package.size,
        policy: Policy::default(),
        deleted: false,
    };
    let key = call.key(name);
    let number = call.lambda.state.write(|state| {
        let layer = state.layers.entry(key).or_default();
        layer.last_version += 1;
        layer.versions.insert(layer.last_version, version.clone());
        layer.last_version
    });
    Ok(Response::json(201, &Value::Object(describe(call, name, number, &version))))
}

/// Looks a version up, and perhaps changes it.
fn with<T>(
    call: Call<'_>,
    name: &str,
    version: &str,
    change: impl FnOnce(&str, u64, &mut LayerVersion) -> Answer<T>,
) -> Answer<T> {
    let name = name_of(name);
    let number = version.parse::<u64>().unwrap_or(0);
    let key = call.key(name);
    call.lambda.state.write(|state| {
        let found = state.layers.get_mut(&key).and_then(|layer| layer.versions.get_mut(&number));
        let found = found.filter(|found| !found.deleted);
        match found {
            Some(found) => change(name, number, found),
            None => Err(Fault::not_found(format!("Layer version {}:{version} does not exist.", layer_arn(call, name)))),
        }
    })
}

pub(super) fn get(call: Call<'_>, name: &str, version: &str) -> Answer {
    let answer = with(call, name, version, |name, number, found| Ok(describe(call, name, number, found)))
        .map_err(|_| Fault::not_found("The resource you requested does not exist."))?;
    Ok(Response::json(200, &Value::Object(answer)))
}

pub(super) fn get_by_arn(call: Call<'_>) -> Answer {
    let arn = call.request.query("Arn").unwrap_or_default();
    match arn.rsplit_once(':') {
        Some((layer, version)) => get(call, layer, version),
        None => Err(Fault::not_found("The resource you requested does not exist.")),
    }
}

pub(super) fn delete(call: Call<'_>, name: &str, version: &str) -> Answer {
    let key = call.key(name_of(name));
    call.lambda.state.write(|state| {
        // One that is not there is no error; functions that have it keep it.
        if let (Some(layer), Ok(number)) = (state.layers.get_mut(&key), version.parse::<u64>())
            && let Some(version) = layer.versions.get_mut(&number)
        {
            version.deleted = true;
        }
    });
    Ok(Response::new(204))
}

pub(super) fn list_versions(call: Call<'_>, name: &str) -> Answer {
    let name = name_of(name);
    let key = call.key(name);
    let items = call.lambda.state.read(|state| {
        let versions = state.layers.get(&key).into_iter().flat_map(|layer| layer.versions.iter().rev());
        versions
            .filter(|(_, version)| compatible(call, version))
            .map(|(number, version)| (number.to_string(), Value::Object(summary(call, name, *number, version))))
            .collect()
    });
    let (page, next) = call.page(items)?;
    Ok(listed("LayerVersions", page, next))
}

fn compatible(call: Call<'_>, version: &LayerVersion) -> bool {
    let has = |list: &Option<Value>, wanted: Option<&str>| {
        let list = list.as_ref().and_then(Value::as_array);
        wanted.is_none_or(|wanted| list.is_some_and(|list| list.iter().any(|one| one == wanted)))
    };
    !version.deleted
        && has(&version.runtimes, call.request.query("CompatibleRuntime"))
        && has(&version.architectures, call.request.query("CompatibleArchitecture"))
}

pub(super) fn list(call: Call<'_>) -> Answer {
    let prefix = call.prefix();
    let items = call.lambda.state.read(|state| {
        let layers = state.layers.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix));
        layers
            .filter_map(|(key, layer)| {
                let name = key.strip_prefix(&prefix)?;
                let (number, latest) = layer.versions.iter().rev().find(|(_, version)| compatible(call, version))?;
                let latest = summary(call, name, *number, latest);
                let shown =
                    json!({ "LayerName": name, "LayerArn": layer_arn(call, name), "LatestMatchingVersion": latest });
                Some((name.to_owned(), shown))
            })
            .collect()
    });
    let (page, next) = call.page(items)?;
    Ok(listed("Layers", page, next))
}

pub(super) fn add_permission(call: Call<'_>, name: &str, version: &str) -> Answer {
    let body = call.body()?;
    let sid = text(&body, "StatementId").unwrap_or_default();
    let action = text(&body, "Action").unwrap_or_default();
    if action != "lambda:GetLayerVersion" {
        let pattern = "Member must satisfy regular expression pattern: lambda:GetLayerVersion";
        return Err(Fault::validation(&format!("'{action}'"), "action", pattern));
    }
    policy::check_sid(sid)?;
    let principal = match text(&body, "Principal").unwrap_or_default() {
        account if account.len() == 12 => {
            json!({ "AWS": format!("arn:{}:iam::{account}:root", partition(&call.request.region)) })
        }
        other => json!(other),
    };
    let answer = with(call, name, version, |name, number, found| {
        found.policy.check_revision(call.request.query("RevisionId"), "GetLayerPolicy")?;
        let statement = json!({
            "Sid": sid,
            "Effect": "Allow",
            "Principal": principal,
            "Action": action,
            "Resource": format!("{}:{number}", layer_arn(call, name)),
        });
        let shown = statement.to_string();
        found.policy.add(sid, statement)?;
        Ok(json!({ "Statement": shown, "RevisionId": found.policy.revision_id }))
    })?;
    Ok(Response::json(201, &answer))
}

pub(super) fn get_policy(call: Call<'_>, name: &str, version: &str) -> Answer {
    let answer = with(call, name, version, |_, _, found| {
        if found.policy.statements.is_empty() {
            return Err(Fault::not_found("No policy is associated with the given resource."));
        }
        Ok(found.policy.describe())
    })?;
    Ok(Response::json(200, &answer))
}

pub(super) fn remove_permission(call: Call<'_>, name: &str, version: &str, sid: &str) -> Answer {
    with(call, name, version, |_, _, found| {
        found.policy.check_revision(call.request.query("RevisionId"), "GetLayerPolicy")?;
        found.policy.remove(sid)
    })?;
    Ok(Response::new(204))
}

/// Puts the layers that a request names into the settings, if they are there and fit.
pub(super) fn attach(call: Call<'_>, body: &Value, settings: &mut Map<String, Value>, code: u64) -> Answer<()> {
    let Some(Value::Array(wanted)) = body.get("Layers") else { return Ok(()) };
    if wanted.len() > MAX_LAYERS {
        return Err(Fault::invalid("Cannot reference more than 5 layers."));
    }
    let mut layers = Vec::new();
    let mut unzipped = code;
    let mut names = std::collections::BTreeSet::new();
    for arn in wanted.iter().filter_map(Value::as_str) {
        let (layer, _) = arn.rsplit_once(':').unwrap_or((arn, ""));
        if !names.insert(layer.to_owned()) {
            return Err(Fault::invalid(format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. {arn} and another"
            )));
        }
        let found = find(call, arn)?;
        if found.deleted {
            return Err(no_layer(arn));
        }
        unzipped += call.lambda.store.unzipped(&found.code_sha256);
        layers.push(json!({ "Arn": arn, "CodeSize": found.code_size }));
    }
    if unzipped > code::MAX_UNZIPPED {
        return Err(Fault::invalid(format!(
            "Function code combined with layers exceeds the maximum allowed size of {} bytes. The actual size is {unzipped} bytes.",
            code::MAX_UNZIPPED
        )));
    }
    if layers.is_empty() {
        settings.remove("Layers");
    } else {
        settings.insert("Layers".to_owned(), Value::Array(layers));
    }
    Ok(())
}

fn find(call: Call<'_>, arn: &str) -> Answer<LayerVersion> {
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", _, "lambda", region, account, "layer", name, number] = parts.as_slice() else {
        let pattern = "Map value must satisfy constraint: [Member must satisfy regular expression pattern: (arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)]";
        return Err(Fault::validation(&format!("'[{arn}]'"), "layers", pattern));
    };
    let key = format!("{account}:{region}:{name}");
    let found = call.lambda.state.read(|state| state.layers.get(&key)?.versions.get(&number.parse().ok()?).cloned());
    found.ok_or_else(|| no_layer(arn))
}

fn no_layer(arn: &str) -> Fault {
    Fault::invalid(format!("Layer version {arn} does not exist."))
}

/// The package of a layer that a function has.
pub(super) fn code_of(call: Call<'_>, arn: &str) -> Answer<String> {
    find(call, arn).map(|found| found.code_sha256)
}
