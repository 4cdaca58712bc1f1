//! Function URL configurations: records; nothing listens at the URL.

use serde_json::{Value, json};

use super::fault::{Answer, Fault};
use super::model::uuid;
use super::{Call, identifier, listed, settings, text};
use crate::sandbox::http::Response;

/// A URL belongs to the function or to an alias.
fn check(call: Call<'_>) -> Answer<()> {
    let Some(qualifier) = call.request.query("Qualifier") else { return Ok(()) };
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if identifier::is_version(qualifier) || qualifier.is_empty() || !qualifier.chars().all(plain) {
        let pattern = r"Member must satisfy regular expression pattern: ((?!^\d+$)^[0-9a-zA-Z-_]+$)";
        return Err(Fault::validation(&format!("'{qualifier}'"), "qualifier", pattern));
    }
    Ok(())
}

pub(super) fn answer(call: Call<'_>, name: &str, method: &str) -> Answer {
    check(call)?;
    let id = call.identify(name)?;
    let alias = id.qualifier.clone().unwrap_or_default();
    let arn = call.arn(&id.name, id.qualifier.as_deref());
    let missing = || Fault::not_found("The resource you requested does not exist.");
    let nobody = || Fault::not_found("Function does not exist");
    let key = call.key(&id.name);
    if matches!(method, "GET" | "DELETE") {
        let found = call.lambda.state.read(|state| state.functions.get(&key)?.urls.get(&alias).cloned());
        let found = found.ok_or_else(missing)?;
        if method == "GET" {
            return Ok(Response::json(200, &found));
        }
        call.write(&id.name, None, |function| {
            function.urls.remove(&alias);
            Ok(())
        })?;
        return Ok(Response::new(204));
    }
    let known = call.lambda.state.read(|state| {
        state.functions.get(&key).is_some_and(|function| alias.is_empty() || function.aliases.contains_key(&alias))
    });
    if !known {
        return Err(nobody());
    }
    let body = call.body()?;
    settings::one_of(body.get("AuthType"), "authType", &["NONE", "AWS_IAM"])?;
    settings::one_of(body.get("InvokeMode"), "invokeMode", &["RESPONSE_STREAM", "BUFFERED"])?;
    let now = call.now_text();
    call.write(&id.name, None, |function| match method {
        "POST" => {
            let auth = text(&body, "AuthType")
                .ok_or_else(|| Fault::validation("null", "authType", "Member must not be null"))?;
            if function.urls.contains_key(&alias) {
                return Err(Fault::conflict(format!(
                    "Failed to create function url config for [functionArn = {arn}]. Error message:  FunctionUrlConfig exists for this Lambda function"
                )));
            }
            let host = uuid().replace('-', "");
            let mut all = json!({
                "FunctionUrl": format!("https://{host}.lambda-url.{}.on.aws/", call.request.region),
                "FunctionArn": arn,
                "AuthType": auth,
                "CreationTime": now,
                "InvokeMode": text(&body, "InvokeMode").unwrap_or("BUFFERED"),
            });
            if let Some(cors) = body.get("Cors").filter(|cors| cors.is_object()) {
                all["Cors"] = cors.clone();
            }
            let answer = all.clone();
            all["LastModifiedTime"] = json!(now);
            function.urls.insert(alias, all);
            Ok(Response::json(201, &answer))
        }
        "PUT" => {
            let config = function.urls.get_mut(&alias).ok_or_else(missing)?;
            for key in ["AuthType", "InvokeMode", "Cors"] {
                if let Some(value) = body.get(key).filter(|value| !value.is_null()) {
                    config[key] = value.clone();
                }
            }
            config["LastModifiedTime"] = json!(now);
            Ok(Response::json(200, config))
        }
        other => Err(Fault::not_implemented(&format!("{other} {}", call.request.path))),
    })
}

pub(super) fn list(call: Call<'_>, name: &str) -> Answer {
    let id = call.identify(name)?;
    let key = call.key(&id.name);
    let items: Option<Vec<(String, Value)>> = call.lambda.state.read(|state| {
        let urls = &state.functions.get(&key)?.urls;
        Some(urls.iter().map(|(alias, config)| (format!("/{alias}"), config.clone())).collect())
    });
    let items = items.ok_or_else(|| Fault::not_found("Function does not exist"))?;
    let (page, next) = call.page(items)?;
    Ok(listed("FunctionUrlConfigs", page, next))
}
