//! `AWS::Lambda::Function`.

use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{Context, Doing, Made, Properties, Provider, Refusal, Spec, boolean, integer, plain, required, text};
use crate::sandbox::router::ServiceName;

/// Configuration that the API takes under the template's name.
const CONFIGURATION: [&str; 17] = [
    "DeadLetterConfig",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "Handler",
    "ImageConfig",
    "KMSKeyArn",
    "KmsKeyArn",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "Role",
    "Runtime",
    "SnapStart",
    "Timeout",
    "VpcConfig",
];
/// How often a function is looked at until it is ready, and how long one look waits: two minutes of
/// the sandbox's time.
pub(super) const LOOKS: usize = 600;
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(super) struct Function;

pub(super) fn path_of(function: &str, rest: &str) -> String {
    format!("/2015-03-31/functions/{}{rest}", utf8_percent_encode(function, NON_ALPHANUMERIC))
}

pub(super) async fn lambda(
    context: &Context,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Refusal> {
    context.rest(ServiceName::Lambda, method, path, body).await
}

/// The API's fields for the configuration.
fn configuration(properties: &Properties) -> Result<Map<String, Value>, Refusal> {
    let mut fields = Map::new();
    for name in CONFIGURATION {
        let Some(value) = properties.get(name) else { continue };
        let value = match name {
            "MemorySize" | "Timeout" => integer(name, value)?,
            "EphemeralStorage" => json!({"Size": integer("EphemeralStorage/Size", &value["Size"])?}),
            // Environment values are texts; templates may hold numbers.
            "Environment" => json!({"Variables": texts_of(value.get("Variables"))}),
            "VpcConfig" => {
                let mut value = value.clone();
                if let Some(flag) = value.get("Ipv6AllowedForDualStack").cloned() {
                    value["Ipv6AllowedForDualStack"] = boolean("Ipv6AllowedForDualStack", &flag)?.into();
                }
                value
            }
            _ => value.clone(),
        };
        fields.insert(if name == "KmsKeyArn" { "KMSKeyArn" } else { name }.to_owned(), value);
    }
    if let Some(tracing) = properties.get("TracingConfig") {
        fields.insert("TracingConfig".to_owned(), tracing.clone());
    }
    Ok(fields)
}

fn texts_of(map: Option<&Value>) -> Map<String, Value> {
    let entries = map.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), plain(value)?.into()))).collect()
}

/// The API's fields for the code.
fn code(properties: &Properties) -> Result<Map<String, Value>, Refusal> {
    let code = properties.get("Code").and_then(Value::as_object);
    let code = code.ok_or_else(|| Refusal::invalid("Please provide a source for function code."))?;
    if code.contains_key("ImageUri") {
        return Err(Refusal::invalid("The sandbox cannot run functions from container images"));
    }
    let mut fields = Map::new();
    for (key, value) in code {
        let value = match key.as_str() {
            "S3Bucket" | "S3Key" | "S3ObjectVersion" => plain(value).map(Value::from).unwrap_or_default(),
            "ZipFile" => {
                let runtime = text(properties, "Runtime").unwrap_or_default();
                inline_code(&runtime, &plain(value).unwrap_or_default())?.into()
            }
            other => return Err(Refusal::invalid(format!("Encountered unsupported property Code/{other}"))),
        };
        fields.insert(key.clone(), value);
    }
    Ok(fields)
}

/// A package with the one file that the template's text is.
fn inline_code(runtime: &str, source: &str) -> Result<String, Refusal> {
    let name = match runtime {
        runtime if runtime.starts_with("python") => "index.py",
        runtime if runtime.starts_with("nodejs") => "index.js",
        _ => {
            return Err(Refusal::invalid(format!(
                "ZipFile can only be used with Node.js and Python runtimes, not {runtime}"
            )));
        }
    };
    let failed = |error: zip::result::ZipError| Refusal::internal(error.to_string());
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(name, zip::write::SimpleFileOptions::default().unix_permissions(0o644)).map_err(failed)?;
    zip.write_all(source.as_bytes()).map_err(|error| Refusal::internal(error.to_string()))?;
    let bytes = zip.finish().map_err(failed)?.into_inner();
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
}

impl Function {
    /// Waits until the function, or its last update, is done.
    async fn ready(context: &Context, name: &str) -> Result<Value, Refusal> {
        for _ in 0..LOOKS {
            let now = lambda(context, Method::GET, &path_of(name, "/configuration"), None).await?;
            let field = |key: &str| now[key].as_str().unwrap_or_default().to_owned();
            if field("State") == "Failed" || field("LastUpdateStatus") == "Failed" {
                let why = [field("StateReason"), field("LastUpdateStatusReason")].concat();
                return Err(Refusal::new("NotStabilized", format!("Function {name} failed: {why}")));
            }
            if field("State") != "Pending" && field("LastUpdateStatus") != "InProgress" {
                return Ok(now);
            }
            tokio::time::sleep(context.world.clock.real(LOOK_EVERY).min(LOOK_EVERY)).await;
        }
        Err(Refusal::new("NotStabilized", format!("Function {name} did not become ready")))
    }

    async fn concurrency(context: &Context, name: &str, old: &Properties, new: &Properties) -> Result<(), Refusal> {
        const PROPERTY: &str = "ReservedConcurrentExecutions";
        if old.get(PROPERTY) == new.get(PROPERTY) {
            return Ok(());
        }
        let path = format!("/2017-10-31/functions/{}/concurrency", utf8_percent_encode(name, NON_ALPHANUMERIC));
        match new.get(PROPERTY) {
            Some(value) => {
                let body = json!({PROPERTY: integer(PROPERTY, value)?});
                lambda(context, Method::PUT, &path, Some(&body)).await.map(drop)
            }
            None => lambda(context, Method::DELETE, &path, None).await.map(drop),
        }
    }

    fn made(configuration: &Value, name: &str) -> Made {
        let arn = &configuration["FunctionArn"];
        let field = |pointer: &str, default: &str| {
            configuration.pointer(pointer).and_then(plain).unwrap_or_else(|| default.to_owned()).into()
        };
        Made::new(
            name,
            [
                ("Arn", arn.clone()),
                ("SnapStartResponse.ApplyOn", field("/SnapStart/ApplyOn", "None")),
                ("SnapStartResponse.OptimizationStatus", field("/SnapStart/OptimizationStatus", "Off")),
            ],
        )
    }
}

impl Provider for Function {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &[
                "Architectures",
                "Code",
                "DeadLetterConfig",
                "Description",
                "Environment",
                "EphemeralStorage",
                "FileSystemConfigs",
                "Handler",
                "KmsKeyArn",
                "Layers",
                "LoggingConfig",
                "MemorySize",
                "ReservedConcurrentExecutions",
                "Role",
                "Runtime",
                "SnapStart",
                "Tags",
                "Timeout",
                "TracingConfig",
                "VpcConfig",
            ],
            fixed: &["FunctionName", "PackageType"],
            required: &["Code", "Role"],
            attributes: &["Arn", "SnapStartResponse.ApplyOn", "SnapStartResponse.OptimizationStatus"],
            tagged: true,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let name = context.name(properties, "FunctionName", 64);
            required(properties, "Role")?;
            let mut body = Value::Object(configuration(properties)?);
            body["FunctionName"] = name.clone().into();
            body["Code"] = Value::Object(code(properties)?);
            body["Tags"] = json!(context.tags(properties));
            for property in ["Architectures", "PackageType"] {
                if let Some(value) = properties.get(property) {
                    body[property] = value.clone();
                }
            }
            lambda(context, Method::POST, "/2015-03-31/functions", Some(&body)).await?;
            let rest = async {
                Self::concurrency(context, &name, &Properties::new(), properties).await?;
                Self::ready(context, &name).await
            };
            let configuration = rest.await.map_err(|refusal| refusal.having_made(&name))?;
            Ok(Self::made(&configuration, &name))
        })
    }

    fn update<'a>(
        &'a self,
        context: &'a Context,
        physical_id: &'a str,
        old: &'a Properties,
        new: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(async move {
            let mut arn =
                Self::ready(context, physical_id).await?["FunctionArn"].as_str().unwrap_or_default().to_owned();
            let was = configuration(old)?;
            let mut is = configuration(new)?;
            if was != is {
                // What the template no longer says goes back to its default.
                for name in was.keys() {
                    if !is.contains_key(name) {
                        is.insert(name.clone(), default_of(name));
                    }
                }
                let body = Value::Object(is);
                lambda(context, Method::PUT, &path_of(physical_id, "/configuration"), Some(&body)).await?;
                Self::ready(context, physical_id).await?;
            }
            if old.get("Code") != new.get("Code") || old.get("Architectures") != new.get("Architectures") {
                let mut body = Value::Object(code(new)?);
                body["Architectures"] = new.get("Architectures").cloned().unwrap_or_else(|| json!(["x86_64"]));
                lambda(context, Method::PUT, &path_of(physical_id, "/code"), Some(&body)).await?;
            }
            Self::concurrency(context, physical_id, old, new).await?;
            let configuration = Self::ready(context, physical_id).await?;
            if let Some(now) = configuration["FunctionArn"].as_str() {
                now.clone_into(&mut arn);
            }
            tags(context, &arn, old, new).await?;
            Ok(Self::made(&configuration, physical_id))
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, _: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move { lambda(context, Method::DELETE, &path_of(physical_id, ""), None).await.map(drop) })
    }

    fn foreseen(&self, context: &Context, properties: &Properties) -> Option<String> {
        (!properties.contains_key("FunctionName")).then(|| context.generated_name(64))
    }
}

/// What the API takes to unset a part of the configuration.
fn default_of(name: &str) -> Value {
    match name {
        "MemorySize" => json!(128),
        "Timeout" => json!(3),
        "EphemeralStorage" => json!({"Size": 512}),
        "Environment" => json!({"Variables": {}}),
        "Layers" | "FileSystemConfigs" => json!([]),
        "TracingConfig" => json!({"Mode": "PassThrough"}),
        "VpcConfig" => json!({"SubnetIds": [], "SecurityGroupIds": []}),
        "DeadLetterConfig" => json!({"TargetArn": ""}),
        "SnapStart" => json!({"ApplyOn": "None"}),
        "LoggingConfig" => json!({"LogFormat": "Text"}),
        "ImageConfig" => json!({}),
        _ => json!(""),
    }
}

async fn tags(context: &Context, arn: &str, old: &Properties, new: &Properties) -> Result<(), Refusal> {
    let (was, is) = (context.tags(old), context.tags(new));
    let path = format!("/2017-03-31/tags/{}", utf8_percent_encode(arn, NON_ALPHANUMERIC));
    // Also when the template's own tags are the same: the stack's may be new.
    if !is.is_empty() {
        lambda(context, Method::POST, &path, Some(&json!({"Tags": is}))).await?;
    }
    let dropped: Vec<String> = was
        .keys()
        .filter(|key| !is.contains_key(*key))
        .map(|key| format!("tagKeys={}", utf8_percent_encode(key, NON_ALPHANUMERIC)))
        .collect();
    if !dropped.is_empty() {
        lambda(context, Method::DELETE, &format!("{path}?{}", dropped.join("&")), None).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_code_is_a_package_with_one_file() {
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(inline_code("python3.13", "x = 1").unwrap()).unwrap();
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        assert_eq!(std::io::read_to_string(zip.by_name("index.py").unwrap()).unwrap(), "x = 1");
        assert!(inline_code("provided.al2023", "x").is_err());
    }

    #[test]
    fn numbers_may_be_text_and_variables_numbers() {
        let properties = json!({"MemorySize": "256", "Timeout": 5, "Environment": {"Variables": {"N": 1, "T": true}}});
        let fields = configuration(properties.as_object().unwrap()).unwrap();
        assert_eq!(
            Value::Object(fields),
            json!({"Environment": {"Variables": {"N": "1", "T": "true"}}, "MemorySize": 256, "Timeout": 5})
        );
        assert!(configuration(json!({"Timeout": "x"}).as_object().unwrap()).is_err());
    }
}
