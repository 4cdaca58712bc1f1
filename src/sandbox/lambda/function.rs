//! Functions and their versions.

use std::sync::PoisonError;

use serde_json::{Value, json};

use super::fault::{Answer, Fault};
use super::model::{Function, Pending, Version, uuid};
use super::{Call, SETTLE_MS, identifier, layer, listed, settings, text};
use crate::sandbox::http::Response;

/// The largest request of CreateFunction and UpdateFunctionCode.
const MAX_REQUEST: usize = 70_167_211;

fn check_size(call: Call<'_>, operation: &str) -> Answer<()> {
    if call.request.body.len() < MAX_REQUEST {
        return Ok(());
    }
    Err(Fault::too_large(format!("Request must be smaller than {MAX_REQUEST} bytes for the {operation} operation")))
}

pub(super) async fn create(call: Call<'_>) -> Answer {
    check_size(call, "CreateFunction")?;
    let body = call.body()?;
    let given = text(&body, "FunctionName")
        .ok_or_else(|| Fault::validation("null", "functionName", "Member must not be null"))?;
    let id = call.here(identifier::read_new(given)?)?;
    let mut values = settings::create(&id.name, &body)?;
    let package = call.lambda.store.take(call.world, call.request, body.get("Code").unwrap_or(&Value::Null)).await?;
    layer::attach(call, &body, &mut values, package.unzipped)?;
    let key = call.key(&id.name);
    let arn = call.arn(&id.name, None);
    let now = call.now_ms();
    let publish = body.get("Publish").and_then(Value::as_bool).unwrap_or(false);
    let tags = body.get("Tags").and_then(|tags| serde_json::from_value(tags.clone()).ok()).unwrap_or_default();
    let latest = Version {
        version: "$LATEST".to_owned(),
        settings: values,
        code_sha256: package.sha256,
        code_size: package.size,
        last_modified: call.now_text(),
        revision_id: uuid(),
        pending: Some(Pending { until_ms: now + SETTLE_MS, creating: true }),
        fingerprint: String::new(),
    };
    let described = call.lambda.state.write(|state| {
        if state.functions.contains_key(&key) {
            return Err(Fault::conflict(format!("Function already exist: {}", id.name)));
        }
        let mut function = Function { latest, tags, ..Function::default() };
        let region = &call.request.region;
        let described = if publish {
            // Recorded: the answer is of version 1, with the function's own ARN.
            publish_now(&mut function, None, true).describe(&arn, region)
        } else {
            function.latest.describe(&arn, region)
        };
        state.functions.insert(key, function);
        Ok(described)
    })?;
    Ok(Response::json(201, &Value::Object(described)))
}

/// Makes `$LATEST` the next version.
fn publish_now(function: &mut Function, description: Option<&str>, creating: bool) -> Version {
    let fingerprint = function.latest.fingerprint_now();
    function.last_version += 1;
    let mut version = Version {
        version: function.last_version.to_string(),
        revision_id: uuid(),
        fingerprint,
        ..function.latest.clone()
    };
    if !creating {
        version.pending = None;
    } else if let Some(pending) = &mut version.pending {
        pending.creating = true;
    }
    if let Some(description) = description {
        version.settings.insert("Description".to_owned(), json!(description));
    }
    if version.settings.get("SnapStart").is_some_and(|snap| snap["ApplyOn"] == "PublishedVersions") {
        version
            .settings
            .insert("SnapStart".to_owned(), json!({ "ApplyOn": "PublishedVersions", "OptimizationStatus": "On" }));
    }
    function.versions.insert(function.last_version, version.clone());
    // Recorded: publishing gives $LATEST a new revision.
    function.latest.revision_id = uuid();
    version
}

/// Refuses while an earlier change is under way.
fn idle(function: &Function, arn: &str) -> Answer<()> {
    match &function.latest.pending {
        None => Ok(()),
        Some(Pending { creating: true, .. }) => Err(pending_fault()),
        Some(_) => Err(Fault::conflict(format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {arn}"
        ))),
    }
}

/// 409 while a function is being created.
pub(super) fn pending_fault() -> Fault {
    Fault::conflict(
        "The operation cannot be performed at this time. The function is currently in the following state: Pending",
    )
}

fn check_revision(body: &Value, version: &Version) -> Answer<()> {
    match text(body, "RevisionId") {
        Some(given) if given != version.revision_id => Err(Fault::stale("GetFunction/GetAlias")),
        _ => Ok(()),
    }
}

pub(super) fn get(call: Call<'_>, name: &str) -> Answer {
    let id = call.identify(name)?;
    let qualifier = id.qualifier.as_deref();
    let arn = call.arn(&id.name, qualifier);
    let answer = call.read(&id.name, qualifier, |function| {
        let version = function.resolve(qualifier).ok_or_else(|| Fault::no_function(&arn))?;
        let mut all = json!({
            "Configuration": version.describe(&arn, &call.request.region),
            "Code": { "RepositoryType": "S3", "Location": location(call, &version.code_sha256) },
        });
        if !function.tags.is_empty() {
            all["Tags"] = json!(function.tags);
        }
        if let Some(reserved) = function.reserved {
            all["Concurrency"] = json!({ "ReservedConcurrentExecutions": reserved });
        }
        Ok(all)
    })?;
    Ok(Response::json(200, &answer))
}

/// Where a package can be fetched.
pub(super) fn location(call: Call<'_>, sha256: &str) -> String {
    let hex = call.lambda.store.folder(sha256);
    let hex = hex.file_name().unwrap_or_default().to_string_lossy();
    format!("{}/2015-03-31/code/{hex}", call.world.endpoint_url())
}

/// The package that [`location`] points to.
pub(super) fn download(call: Call<'_>, hex: &str) -> Answer {
    let missing = || Fault::not_found("There is no such package.");
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(missing());
    }
    let file = call.lambda.store.zip_by_hex(hex);
    let bytes = std::fs::read(file).map_err(|_| missing())?;
    Ok(Response::new(200).header("content-type", "application/zip").with_body(bytes))
}

pub(super) fn get_configuration(call: Call<'_>, name: &str) -> Answer {
    let id = call.identify(name)?;
    let qualifier = id.qualifier.as_deref();
    let arn = call.arn(&id.name, qualifier);
    let answer = call.read(&id.name, qualifier, |function| {
        let version = function.resolve(qualifier).ok_or_else(|| Fault::no_function(&arn))?;
        Ok(version.describe(&arn, &call.request.region))
    })?;
    Ok(Response::json(200, &Value::Object(answer)))
}

pub(super) fn update_configuration(call: Call<'_>, name: &str) -> Answer {
    let id = call.identify(name)?;
    let body = call.body()?;
    let arn = call.arn(&id.name, None);
    let now = call.now_ms();
    // Layers are looked up before the function's lock is taken.
    let (sha256, mut values) = call.read(&id.name, None, |function| {
        idle(function, &arn)?;
        check_revision(&body, &function.latest)?;
        Ok((function.latest.code_sha256.clone(), function.latest.settings.clone()))
    })?;
    settings::apply(&id.name, &body, &mut values)?;
    let unzipped = call.lambda.store.unzipped(&sha256);
    layer::attach(call, &body, &mut values, unzipped)?;
    let answer = call.write(&id.name, None, |function| {
        idle(function, &arn)?;
        check_revision(&body, &function.latest)?;
        let latest = &mut function.latest;
        latest.settings = values;
        latest.last_modified = call.now_text();
        latest.revision_id = uuid();
        latest.pending = Some(Pending { until_ms: now + SETTLE_MS, creating: false });
        Ok(latest.describe(&arn, &call.request.region))
    })?;
    call.retire(&id.name, Some("$LATEST"));
    Ok(Response::json(200, &Value::Object(answer)))
}

pub(super) async fn update_code(call: Call<'_>, name: &str) -> Answer {
    check_size(call, "UpdateFunctionCode")?;
    let id = call.identify(name)?;
    let body = call.body()?;
    let arn = call.arn(&id.name, None);
    let mut values = call.read(&id.name, None, |function| {
        idle(function, &arn)?;
        check_revision(&body, &function.latest)?;
        Ok(function.latest.settings.clone())
    })?;
    settings::architectures(&body, &mut values)?;
    let package = call.lambda.store.take(call.world, call.request, &body).await?;
    let flag = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or(false);
    let now = call.now_ms();
    let answer = call.write(&id.name, None, |function| {
        idle(function, &arn)?;
        check_revision(&body, &function.latest)?;
        let region = &call.request.region;
        let mut changed = function.latest.clone();
        changed.settings = values;
        changed.code_sha256 = package.sha256;
        changed.code_size = package.size;
        changed.last_modified = call.now_text();
        changed.revision_id = uuid();
        changed.pending = Some(Pending { until_ms: now + SETTLE_MS, creating: false });
        if flag("DryRun") {
            return Ok(changed.describe(&arn, region));
        }
        function.latest = changed;
        if flag("Publish") {
            let version = publish_now(function, None, true);
            return Ok(version.describe(&format!("{arn}:{}", version.version), region));
        }
        Ok(function.latest.describe(&arn, region))
    })?;
    if !flag("DryRun") {
        call.retire(&id.name, Some("$LATEST"));
    }
    Ok(Response::json(200, &Value::Object(answer)))
}

pub(super) fn delete(call: Call<'_>, name: &str) -> Answer {
    let id = call.identify(name)?;
    let done = Response::new(204);
    if let Some(qualifier) = id.qualifier.as_deref() {
        if qualifier == "$LATEST" {
            return Err(Fault::invalid("$LATEST version cannot be deleted without deleting the function."));
        }
        if !identifier::is_version(qualifier) {
            return Err(Fault::invalid("Deletion of aliases is not currently supported."));
        }
        call.write(&id.name, None, |function| {
            let uses = |alias: &super::model::Alias| {
                alias.function_version == qualifier
                    || alias.additional.as_ref().is_some_and(|(version, _)| version == qualifier)
            };
            let users: Vec<String> =
                function.aliases.iter().filter(|(_, alias)| uses(alias)).map(|(name, _)| name.clone()).collect();
            if !users.is_empty() {
                let arn = call.arn(&id.name, Some(qualifier));
                return Err(Fault::conflict(format!(
                    "Unable to delete version because the following aliases reference it: [{}] ({arn})",
                    users.join(", ")
                )));
            }
            // Deleting a version that is not there is no error on AWS either.
            if let Ok(number) = qualifier.parse::<u64>() {
                function.versions.remove(&number);
            }
            function.provisioned.remove(qualifier);
            function.policies.remove(qualifier);
            Ok(())
        })?;
        call.retire(&id.name, Some(qualifier));
        return Ok(done);
    }
    let key = call.key(&id.name);
    let gone = call.lambda.state.write(|state| state.functions.remove(&key));
    if gone.is_none() {
        return Err(Fault::no_function(&call.arn(&id.name, None)));
    }
    call.retire(&id.name, None);
    Ok(done)
}

pub(super) fn publish(call: Call<'_>, name: &str) -> Answer {
    let id = call.identify(name)?;
    let body = call.body()?;
    let arn = call.arn(&id.name, None);
    let answer = call.write(&id.name, None, |function| {
        idle(function, &arn)?;
        check_revision(&body, &function.latest)?;
        if let Some(sha256) = text(&body, "CodeSha256").filter(|sha256| *sha256 != function.latest.code_sha256) {
            return Err(Fault::invalid(format!(
                "CodeSHA256 ({sha256}) is different from current CodeSHA256 in $LATEST ({}). Please try again with \
                 the CodeSHA256 in $LATEST.",
                function.latest.code_sha256
            )));
        }
        let unchanged = function.versions.last_key_value().map(|(_, last)| last);
        let unchanged = unchanged.filter(|last| last.fingerprint == function.latest.fingerprint_now()).cloned();
        let version = unchanged.unwrap_or_else(|| publish_now(function, text(&body, "Description"), false));
        Ok(version.describe(&format!("{arn}:{}", version.version), &call.request.region))
    })?;
    Ok(Response::json(201, &Value::Object(answer)))
}

pub(super) fn list_versions(call: Call<'_>, name: &str) -> Answer {
    let id = call.identify(name)?;
    let items = call.read(&id.name, None, |function| {
        let all = std::iter::once(&function.latest).chain(function.versions.values());
        Ok(all
            .map(|version| {
                let arn = call.arn(&id.name, Some(&version.version));
                (version.version.clone(), Value::Object(version.listed(&arn)))
            })
            .collect())
    })?;
    let (page, next) = call.page(items)?;
    Ok(listed("Versions", page, next))
}

pub(super) fn list(call: Call<'_>) -> Answer {
    let all = call.request.query("FunctionVersion");
    settings::one_of(all.map(|text| json!(text)).as_ref(), "functionVersion", &["ALL"])?;
    let prefix = call.prefix();
    let items = call.lambda.state.read(|state| {
        let mut items = Vec::new();
        for (key, function) in state.functions.range(prefix.clone()..) {
            let Some(name) = key.strip_prefix(&prefix) else { break };
            if all.is_some() {
                for version in std::iter::once(&function.latest).chain(function.versions.values()) {
                    let arn = call.arn(name, Some(&version.version));
                    items.push((arn.clone(), Value::Object(version.listed(&arn))));
                }
            } else {
                let arn = call.arn(name, None);
                items.push((arn.clone(), Value::Object(function.latest.listed(&arn))));
            }
        }
        items
    });
    let (page, next) = call.page(items)?;
    Ok(listed("Functions", page, next))
}

impl Call<'_> {
    /// Ends the environments of a version, or of all versions.
    pub(super) fn retire(&self, name: &str, version: Option<&str>) {
        let key = self.key(name);
        let mut pools = self.lambda.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|of, pool| {
            let gone = of.function == key && version.is_none_or(|version| version == of.version);
            if gone {
                pool.retire();
            }
            !gone
        });
    }
}
