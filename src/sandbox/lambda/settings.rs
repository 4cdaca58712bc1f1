//! The configuration of a function: defaults, checks, and what of it the runtime needs.

use serde_json::{Map, Value, json};

use super::fault::{Answer, Fault};
use super::identifier;

/// As in the message recorded from AWS, and in its order.
const RUNTIMES: [&str; 25] = [
    "nodejs20.x",
    "python3.14",
    "provided.al2023",
    "python3.12",
    "python3.13",
    "nodejs24.x",
    "nodejs22.x",
    "java25",
    "python3.10",
    "python3.11",
    "java21",
    "ruby3.3",
    "ruby3.4",
    "ruby3.2",
    "python3.8",
    "python3.9",
    "java17",
    "nodejs16.x",
    "dotnet10",
    "dotnet8",
    "java11",
    "dotnet6",
    "nodejs18.x",
    "provided.al2",
    "java8.al2",
];
/// Runtimes that AWS knows and refuses.
const RETIRED: [&str; 17] = [
    "go1.x",
    "provided",
    "ruby2.5",
    "ruby2.7",
    "nodejs",
    "nodejs4.3",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "python2.7",
    "python3.6",
    "python3.7",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "java8",
];
/// Variables that a function may not set
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>).
const RESERVED: [&str; 19] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
    "AWS_LAMBDA_MAX_CONCURRENCY",
];
/// All variables together, as JSON.
const MAX_ENVIRONMENT: usize = 4096;

/// The settings of a new function.
pub(super) fn create(name: &str, body: &Value) -> Answer<Map<String, Value>> {
    let mut settings = Map::new();
    for (key, value) in [
        ("Description", json!("")),
        ("Timeout", json!(3)),
        ("MemorySize", json!(128)),
        ("TracingConfig", json!({ "Mode": "PassThrough" })),
        ("PackageType", json!("Zip")),
        ("Architectures", json!(["x86_64"])),
        ("EphemeralStorage", json!({ "Size": 512 })),
        ("SnapStart", json!({ "ApplyOn": "None", "OptimizationStatus": "Off" })),
        ("LoggingConfig", json!({ "LogFormat": "Text", "LogGroup": format!("/aws/lambda/{name}") })),
    ] {
        settings.insert(key.to_owned(), value);
    }
    if body.get("Role").and_then(Value::as_str).is_none() {
        return Err(Fault::validation("null", "role", "Member must not be null"));
    }
    match body.get("PackageType").and_then(Value::as_str) {
        None | Some("Zip") => {}
        Some("Image") => return Err(Fault::not_implemented("container images")),
        Some(other) => {
            let set = "Member must satisfy enum value set: [Zip, Image]";
            return Err(Fault::validation(&format!("'{other}'"), "packageType", set));
        }
    }
    architectures(body, &mut settings)?;
    apply(name, body, &mut settings)?;
    if settings.get("Runtime").is_none() || settings.get("Handler").is_none() {
        return Err(Fault::invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ));
    }
    Ok(settings)
}

/// `Architectures`, which the code decides.
pub(super) fn architectures(body: &Value, settings: &mut Map<String, Value>) -> Answer<()> {
    let Some(Value::Array(wanted)) = body.get("Architectures") else { return Ok(()) };
    let names: Vec<&str> = wanted.iter().filter_map(Value::as_str).collect();
    let shown = format!("'[{}]'", names.join(", "));
    if names.len() > 1 {
        let limit = "Member must have length less than or equal to 1";
        return Err(Fault::validation(&shown, "architectures", limit));
    }
    if names.iter().any(|name| !matches!(*name, "x86_64" | "arm64")) {
        let set = "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]";
        return Err(Fault::validation(&shown, "architectures", set));
    }
    if !names.is_empty() {
        settings.insert("Architectures".to_owned(), json!(names));
    }
    Ok(())
}

/// Checks what a request sets and puts it into the settings.
pub(super) fn apply(name: &str, body: &Value, settings: &mut Map<String, Value>) -> Answer<()> {
    if let Some(role) = body.get("Role").and_then(Value::as_str).filter(|role| !is_role(role)) {
        let pattern = r"Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+";
        return Err(Fault::validation(&format!("'{role}'"), "role", pattern));
    }
    if let Some(runtime) = body.get("Runtime").and_then(Value::as_str) {
        if RETIRED.contains(&runtime) {
            return Err(Fault::invalid(format!(
                "The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda \
                 functions. We recommend you use a supported runtime while creating or updating functions."
            )));
        }
        if !RUNTIMES.contains(&runtime) {
            return Err(Fault::invalid(format!(
                "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] \
                 or be a valid ARN",
                RUNTIMES.join(", ")
            )));
        }
    }
    range(body.get("Timeout"), "timeout", 1, 900)?;
    range(body.get("MemorySize"), "memorySize", 128, 10_240)?;
    range(body.pointer("/EphemeralStorage/Size"), "ephemeralStorage.size", 512, 10_240)?;
    one_of(body.pointer("/TracingConfig/Mode"), "tracingConfig.mode", &["Active", "PassThrough"])?;
    one_of(body.pointer("/SnapStart/ApplyOn"), "snapStart.applyOn", &["PublishedVersions", "None"])?;
    one_of(body.pointer("/LoggingConfig/LogFormat"), "loggingConfig.logFormat", &["JSON", "Text"])?;
    if let Some(variables) = body.pointer("/Environment/Variables").and_then(Value::as_object) {
        environment(variables)?;
    }
    for key in [
        "Description",
        "Role",
        "Runtime",
        "Handler",
        "Timeout",
        "MemorySize",
        "TracingConfig",
        "EphemeralStorage",
        "FileSystemConfigs",
        "ImageConfig",
    ] {
        if let Some(value) = body.get(key).filter(|value| !value.is_null()) {
            settings.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(environment) = body.get("Environment").filter(|value| value.is_object()) {
        let variables = environment.get("Variables").cloned().unwrap_or_else(|| json!({}));
        settings.insert("Environment".to_owned(), json!({ "Variables": variables }));
    }
    // An empty value of these takes them away.
    for (key, inner) in [("DeadLetterConfig", Some("TargetArn")), ("KMSKeyArn", None)] {
        if let Some(value) = body.get(key).filter(|value| !value.is_null()) {
            let text = inner.map_or(Some(value), |inner| value.get(inner)).and_then(Value::as_str);
            if text.unwrap_or_default().is_empty() {
                settings.remove(key);
            } else {
                settings.insert(key.to_owned(), value.clone());
            }
        }
    }
    if let Some(on) = body.pointer("/SnapStart/ApplyOn") {
        settings.insert("SnapStart".to_owned(), json!({ "ApplyOn": on, "OptimizationStatus": "Off" }));
    }
    if let Some(vpc) = body.get("VpcConfig").filter(|value| value.is_object()) {
        let list = |key: &str| vpc.get(key).cloned().filter(Value::is_array).unwrap_or_else(|| json!([]));
        let subnets = list("SubnetIds");
        let id = if subnets.as_array().is_some_and(Vec::is_empty) { "" } else { "vpc-00000000" };
        settings.insert(
            "VpcConfig".to_owned(),
            json!({
                "SubnetIds": subnets,
                "SecurityGroupIds": list("SecurityGroupIds"),
                "VpcId": id,
                "Ipv6AllowedForDualStack": vpc.get("Ipv6AllowedForDualStack").cloned().unwrap_or(json!(false)),
            }),
        );
    }
    if let Some(wanted) = body.get("LoggingConfig").filter(|value| value.is_object()) {
        logging(name, wanted, settings);
    }
    Ok(())
}

fn logging(name: &str, wanted: &Value, settings: &mut Map<String, Value>) {
    let old = settings.get("LoggingConfig").cloned().unwrap_or_default();
    let pick = |key: &str| wanted.get(key).or_else(|| old.get(key)).cloned();
    let format = pick("LogFormat").unwrap_or_else(|| json!("Text"));
    let group = pick("LogGroup").unwrap_or_else(|| json!(format!("/aws/lambda/{name}")));
    let mut all = json!({ "LogFormat": format, "LogGroup": group });
    if format == "JSON" {
        for key in ["ApplicationLogLevel", "SystemLogLevel"] {
            all[key] = pick(key).unwrap_or_else(|| json!("INFO"));
        }
    }
    settings.insert("LoggingConfig".to_owned(), all);
}

fn is_role(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("arn:") else { return false };
    let Some((partition, rest)) = rest.split_once(":iam::") else { return false };
    let Some((account, name)) = rest.split_once(":role") else { return false };
    let name = name.strip_prefix('/').unwrap_or(name);
    (partition.is_empty() || partition.starts_with("aws"))
        && account.len() == 12
        && identifier::is_version(account)
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&byte))
}

fn range(value: Option<&Value>, member: &str, least: i64, most: i64) -> Answer<()> {
    let Some(number) = value.and_then(Value::as_i64) else { return Ok(()) };
    let limit = if number < least {
        format!("Member must have value greater than or equal to {least}")
    } else if number > most {
        format!("Member must have value less than or equal to {most}")
    } else {
        return Ok(());
    };
    Err(Fault::validation(&format!("'{number}'"), member, &limit))
}

/// Checks a value that is one of a few words.
pub(super) fn one_of(value: Option<&Value>, member: &str, words: &[&str]) -> Answer<()> {
    let Some(text) = value.and_then(Value::as_str) else { return Ok(()) };
    if words.contains(&text) {
        return Ok(());
    }
    let set = format!("Member must satisfy enum value set: [{}]", words.join(", "));
    Err(Fault::validation(&format!("'{text}'"), member, &set))
}

fn environment(variables: &Map<String, Value>) -> Answer<()> {
    for (name, value) in variables {
        let mut letters = name.chars();
        let begins = letters.next().is_some_and(|first| first.is_ascii_alphabetic());
        if !begins && !RESERVED.contains(&name.as_str())
            || name.len() < 2
            || !letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        {
            let keys = "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]";
            return Err(Fault::validation("'[redacted]'", "environment.variables", keys));
        }
        // A process cannot be given such a value.
        if !value.is_string() || value.as_str().is_some_and(|text| text.contains('\0')) {
            return Err(Fault::invalid("Environment variables must be strings without NUL characters"));
        }
    }
    let reserved: Vec<&str> = RESERVED.iter().copied().filter(|name| variables.contains_key(*name)).collect();
    if !reserved.is_empty() {
        return Err(Fault::invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided contains reserved keys that are currently not supported for modification. Reserved keys used \
             in this request: {}",
            reserved.join(", ")
        )));
    }
    let measured = Value::Object(variables.clone()).to_string();
    if measured.len() > MAX_ENVIRONMENT {
        return Err(Fault::invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided exceeded the 4KB limit. String measured: {measured}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fault: Fault) -> String {
        let response: crate::sandbox::http::Response = fault.into();
        String::from_utf8_lossy(&response.body).into_owned()
    }

    fn base() -> Value {
        json!({ "Role": "arn:aws:iam::000000000000:role/r", "Runtime": "provided.al2023", "Handler": "h" })
    }

    #[test]
    fn a_new_function_has_lambdas_defaults() {
        let settings = create("f", &base()).unwrap();
        insta::assert_snapshot!(Value::Object(settings).to_string(), @r#"{"Description":"","Timeout":3,"MemorySize":128,"TracingConfig":{"Mode":"PassThrough"},"PackageType":"Zip","Architectures":["x86_64"],"EphemeralStorage":{"Size":512},"SnapStart":{"ApplyOn":"None","OptimizationStatus":"Off"},"LoggingConfig":{"LogFormat":"Text","LogGroup":"/aws/lambda/f"},"Role":"arn:aws:iam::000000000000:role/r","Runtime":"provided.al2023","Handler":"h"}"#);
    }

    #[test]
    fn values_out_of_range_are_refused_in_awss_words() {
        let with = |key: &str, value: Value| {
            let mut body = base();
            body[key] = value;
            message(create("f", &body).unwrap_err())
        };
        insta::assert_snapshot!(with("Timeout", json!(901)), @r#"{"message":"1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900"}"#);
        insta::assert_snapshot!(with("Role", json!("r1")), @r#"{"message":"1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+"}"#);
        assert!(with("MemorySize", json!(64)).contains("'memorySize'"));
        assert!(with("Runtime", json!("PYTHON3.9")).contains("Value PYTHON3.9 at 'runtime' failed"));
        assert!(with("Runtime", json!("go1.x")).contains("The runtime parameter of go1.x is no longer supported"));
        assert!(with("Architectures", json!(["x86_64", "arm64"])).contains("Value '[x86_64, arm64]'"));
        assert!(with("Environment", json!({ "Variables": { "AWS_REGION": "x" } })).contains("request: AWS_REGION"));
        let large = json!({ "Variables": { "LARGE_VAR": "x".repeat(5000) } });
        assert!(with("Environment", large).contains("exceeded the 4KB limit. String measured: {\\\"LARGE_VAR"));
    }

    #[test]
    fn logging_is_merged_and_json_brings_its_levels() {
        let mut settings = create("f", &base()).unwrap();
        apply("f", &json!({ "LoggingConfig": { "LogFormat": "JSON" } }), &mut settings).unwrap();
        apply("f", &json!({ "LoggingConfig": { "LogGroup": "cool" } }), &mut settings).unwrap();
        insta::assert_snapshot!(settings["LoggingConfig"].to_string(), @r#"{"LogFormat":"JSON","LogGroup":"cool","ApplicationLogLevel":"INFO","SystemLogLevel":"INFO"}"#);
    }
}
