//! The AppSpec of a Lambda deployment
//! (<https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file.html>).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::template::read;

/// What a deployment is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spec {
    pub(super) function: String,
    pub(super) alias: String,
    pub(super) current: String,
    pub(super) target: String,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

impl Spec {
    /// Reads JSON or YAML; what is wrong with it.
    pub(super) fn read(content: &str) -> Result<Self, String> {
        let root = match serde_json::from_str::<Value>(content) {
            Ok(value) => value,
            Err(_) => read::read_bytes("AppSpec", content.as_bytes())
                .map_err(|_| "the AppSpec file is neither valid JSON nor valid YAML".to_owned())?
                .root
                .to_json(),
        };
        let resources = member(&root, "Resources").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let [resource] = resources else {
            return Err("the AppSpec file must specify exactly one resource".to_owned());
        };
        let resource = resource.as_object().and_then(|resource| resource.values().next());
        let resource = resource.ok_or("the resource of the AppSpec file is not a mapping")?;
        if member(resource, "Type").and_then(Value::as_str) != Some("AWS::Lambda::Function") {
            return Err("the resource type must be AWS::Lambda::Function".to_owned());
        }
        let properties = member(resource, "Properties").unwrap_or(&Value::Null);
        let property = |name: &str| {
            let found = member(properties, name).and_then(plain).filter(|text| !text.is_empty());
            found.ok_or_else(|| format!("the property {name} is missing"))
        };
        let mut spec = Self {
            function: property("Name")?,
            alias: property("Alias")?,
            current: property("CurrentVersion")?,
            target: property("TargetVersion")?,
            ..Self::default()
        };
        for hook in member(&root, "Hooks").and_then(Value::as_array).into_iter().flatten() {
            for (event, function) in hook.as_object().into_iter().flatten() {
                let function = plain(function).filter(|name| !name.is_empty());
                match event.as_str() {
                    "BeforeAllowTraffic" => spec.before = function,
                    "AfterAllowTraffic" => spec.after = function,
                    other => return Err(format!("a Lambda deployment has no lifecycle event {other}")),
                }
            }
        }
        Ok(spec)
    }

    /// The way back.
    pub(super) fn reversed(&self) -> Self {
        Self { current: self.target.clone(), target: self.current.clone(), before: None, after: None, ..self.clone() }
    }
}

/// AWS's own examples write the keys large in JSON and small in YAML.
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let members = value.as_object()?;
    members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_yaml_say_the_same() {
        let json = r#"{"version": 0.0, "Resources": [{"f": {"Type": "AWS::Lambda::Function", "Properties":
            {"Name": "hello", "Alias": "live", "CurrentVersion": "1", "TargetVersion": 2}}}],
            "Hooks": [{"BeforeAllowTraffic": "check"}, {"AfterAllowTraffic": "verify"}]}"#;
        let yaml = "version: 0.0\nresources:\n  - f:\n      type: AWS::Lambda::Function\n      properties:\n        name: hello\n        alias: live\n        currentversion: 1\n        targetversion: \"2\"\nhooks:\n  - BeforeAllowTraffic: check\n  - AfterAllowTraffic: verify\n";
        let spec = Spec::read(json).unwrap();
        assert_eq!(spec, Spec::read(yaml).unwrap());
        assert_eq!((spec.current.as_str(), spec.target.as_str()), ("1", "2"));
        assert_eq!(spec.before.as_deref(), Some("check"));
        assert_eq!(spec.reversed().target, "1");
    }

    #[test]
    fn what_is_missing_is_named() {
        let read = |text: &str| Spec::read(text).unwrap_err();
        insta::assert_snapshot!(read("{}"), @"the AppSpec file must specify exactly one resource");
        let resource = |properties: &str| {
            format!(r#"{{"Resources": [{{"f": {{"Type": "AWS::Lambda::Function", "Properties": {properties}}}}}]}}"#)
        };
        insta::assert_snapshot!(read(&resource(r#"{"Name": "f", "Alias": "live"}"#)), @"the property CurrentVersion is missing");
        insta::assert_snapshot!(read("\t: ["), @"the AppSpec file is neither valid JSON nor valid YAML");
    }
}
