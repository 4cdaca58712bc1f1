//! A template's structure, checked with CloudFormation's own words before anything is done with it.

use serde_json::{Map, Value};

use super::model::Policy;
use super::wire::Fault;

const SECTIONS: [&str; 10] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Transform",
    "Resources",
    "Outputs",
];
const RESOURCE_KEYS: [&str; 9] = [
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "Metadata",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "UpdatePolicy",
    "CreationPolicy",
];
/// CloudFormation's limits: resources, parameters, outputs, mappings.
const LIMITS: [(&str, usize); 4] = [("Resources", 500), ("Parameters", 200), ("Outputs", 200), ("Mappings", 200)];

/// One resource of a template.
#[derive(Clone, Copy, Debug)]
pub(super) struct Definition<'a> {
    pub(super) id: &'a str,
    body: &'a Map<String, Value>,
}

impl<'a> Definition<'a> {
    /// The resource's type.
    pub(super) fn kind(self) -> &'a str {
        self.text("Type").unwrap_or_default()
    }

    fn text(self, key: &str) -> Option<&'a str> {
        self.body.get(key)?.as_str()
    }

    /// Any attribute beside the properties.
    pub(super) fn get(self, key: &str) -> Option<&'a Value> {
        self.body.get(key)
    }

    /// The condition that decides whether it exists.
    pub(super) fn condition(self) -> Option<&'a str> {
        self.text("Condition")
    }

    /// The properties as written.
    pub(super) fn properties(self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.body
            .get("Properties")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|map| map.iter().map(|(key, value)| (key.as_str(), value)))
    }

    /// What it says it depends on.
    pub(super) fn depends_on(self) -> Vec<&'a str> {
        match self.body.get("DependsOn") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// What `DeletionPolicy` or `UpdateReplacePolicy` says.
    pub(super) fn policy(self, key: &str) -> Policy {
        match self.text(key) {
            Some("Retain") => Policy::Retain,
            Some("RetainExceptOnCreate") => Policy::RetainExceptOnCreate,
            _ => Policy::Delete,
        }
    }
}

/// The resources of a checked template.
pub(super) fn resources(template: &Value) -> impl Iterator<Item = Definition<'_>> {
    section(template, "Resources")
        .into_iter()
        .flatten()
        .filter_map(|(id, body)| Some(Definition { id, body: body.as_object()? }))
}

/// A top-level section, when it is there.
pub(super) fn section<'a>(template: &'a Value, name: &str) -> Option<&'a Map<String, Value>> {
    template.get(name)?.as_object()
}

/// Checks what does not depend on parameters.
pub(super) fn check(template: &Value) -> Result<(), Fault> {
    let Some(root) = template.as_object() else {
        return Err(Fault::validation("Template format error: unsupported structure."));
    };
    let unknown: Vec<&str> = root.keys().map(String::as_str).filter(|key| !SECTIONS.contains(key)).collect();
    if !unknown.is_empty() {
        return Err(Fault::validation(format!("Invalid template property or properties [{}]", unknown.join(", "))));
    }
    if root.contains_key("Rules") {
        return Err(Fault::validation("Template error: the sandbox's CloudFormation does not evaluate Rules"));
    }
    if let Some(version) = root.get("AWSTemplateFormatVersion")
        && version.as_str() != Some("2010-09-09")
    {
        let shown = version.as_str().map_or_else(|| version.to_string(), str::to_owned);
        return Err(Fault::validation(format!(
            "Template format error: {shown} is not a supported value for AWSTemplateFormatVersion."
        )));
    }
    if root.get("Description").is_some_and(|description| !description.is_string()) {
        return Err(Fault::validation("Template format error: Description must be a string."));
    }
    for name in ["Parameters", "Mappings", "Conditions", "Outputs", "Resources"] {
        if root.get(name).is_some_and(|section| !section.is_object()) {
            return Err(Fault::validation(format!("Template format error: {name} must be an object.")));
        }
    }
    for (name, most) in LIMITS {
        let count = section(template, name).map_or(0, Map::len);
        if count > most {
            return Err(Fault::validation(format!(
                "Template format error: Number of {name}, {count}, is greater than maximum allowed, {most}"
            )));
        }
    }
    check_parameters(template)?;
    check_mappings(template)?;
    check_outputs(template)?;
    check_resources(template)
}

fn alphanumeric(what: &str, name: &str) -> Result<(), Fault> {
    if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(Fault::validation(format!("Template format error: {what} name {name} is non alphanumeric.")))
}

fn check_parameters(template: &Value) -> Result<(), Fault> {
    for (name, parameter) in section(template, "Parameters").into_iter().flatten() {
        alphanumeric("Parameter", name)?;
        let Some(parameter) = parameter.as_object() else {
            return Err(Fault::validation("Template format error: Any Parameters member must be an object."));
        };
        if !parameter.contains_key("Type") {
            return Err(Fault::validation(
                "Template format error: Every Parameters object must contain a Type member.",
            ));
        }
        const KEYS: [&str; 11] = [
            "Type",
            "Default",
            "NoEcho",
            "AllowedValues",
            "AllowedPattern",
            "MaxLength",
            "MinLength",
            "MaxValue",
            "MinValue",
            "Description",
            "ConstraintDescription",
        ];
        if let Some(key) = parameter.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(Fault::validation(format!("Invalid template parameter property '{key}'")));
        }
    }
    Ok(())
}

fn check_mappings(template: &Value) -> Result<(), Fault> {
    for (name, mapping) in section(template, "Mappings").into_iter().flatten() {
        let Some(mapping) = mapping.as_object() else {
            return Err(Fault::validation(format!(
                "Template format error: Every Mappings member {name} must be a map"
            )));
        };
        for (top, attributes) in mapping {
            let Some(attributes) = attributes.as_object() else {
                return Err(Fault::validation(format!(
                    "Template format error: Every Mappings member {top} must be a map"
                )));
            };
            let plain = |value: &Value| !value.is_object() && !value.is_null();
            let fine = attributes.values().all(|value| match value {
                Value::Array(items) => items.iter().all(plain),
                other => plain(other),
            });
            if !fine {
                return Err(Fault::validation(
                    "Template format error: Every Mappings attribute must be a String or a List.",
                ));
            }
        }
    }
    Ok(())
}

fn check_outputs(template: &Value) -> Result<(), Fault> {
    for (name, output) in section(template, "Outputs").into_iter().flatten() {
        alphanumeric("Output", name)?;
        let Some(fields) = output.as_object().filter(|fields| fields.contains_key("Value")) else {
            return Err(Fault::validation("Template format error: Every Outputs member must contain a Value object"));
        };
        no_null(&format!("/Outputs/{name}"), output)?;
        const KEYS: [&str; 4] = ["Value", "Description", "Export", "Condition"];
        if let Some(key) = fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(Fault::validation(format!("Invalid template output property '{key}'")));
        }
    }
    Ok(())
}

fn check_resources(template: &Value) -> Result<(), Fault> {
    let resources = section(template, "Resources").filter(|resources| !resources.is_empty());
    let Some(resources) = resources else {
        return Err(Fault::validation("Template format error: At least one Resources member must be defined."));
    };
    for (id, resource) in resources {
        alphanumeric("Resource", id)?;
        let Some(body) = resource.as_object() else {
            return Err(Fault::validation("Template format error: Any Resources member must be an object."));
        };
        if let Some(key) = body.keys().find(|key| !RESOURCE_KEYS.contains(&key.as_str())) {
            return Err(Fault::validation(format!("Invalid template resource property '{key}'")));
        }
        if !body.get("Type").is_some_and(Value::is_string) {
            return Err(Fault::validation(format!(
                "Template format error: [/Resources/{id}] Every Resources object must contain a Type member."
            )));
        }
        no_null(&format!("/Resources/{id}"), resource)?;
        if body.get("Properties").is_some_and(|properties| !properties.is_object()) {
            return Err(Fault::validation(format!(
                "Template format error: [/Resources/{id}/Properties] Properties must be an object"
            )));
        }
        for (key, words) in [
            ("DeletionPolicy", &["Delete", "Retain", "RetainExceptOnCreate"][..]),
            ("UpdateReplacePolicy", &["Delete", "Retain"][..]),
        ] {
            if let Some(policy) = body.get(key)
                && !policy.as_str().is_some_and(|policy| words.contains(&policy))
            {
                let shown = policy.as_str().map_or_else(|| policy.to_string(), str::to_owned);
                return Err(Fault::validation(format!("Template error: Unrecognized {key} {shown} for resource {id}")));
            }
        }
        if body.contains_key("CreationPolicy") {
            return Err(Fault::validation(format!(
                "Template error: the sandbox's CloudFormation does not wait for signals (CreationPolicy of {id})"
            )));
        }
    }
    Ok(())
}

fn no_null(path: &str, value: &Value) -> Result<(), Fault> {
    match value {
        Value::Null => Err(Fault::validation(format!("[{path}] 'null' values are not allowed in templates"))),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, item)| no_null(&format!("{path}/{index}"), item))
        }
        Value::Object(map) => map.iter().try_for_each(|(key, value)| no_null(&format!("{path}/{key}"), value)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(template: Value) -> String {
        check(&template).unwrap_err().message
    }

    #[test]
    fn a_bad_structure_is_refused_in_cloudformations_words() {
        assert_eq!(message(json!([])), "Template format error: unsupported structure.");
        assert_eq!(message(json!({})), "Template format error: At least one Resources member must be defined.");
        assert_eq!(message(json!({"Foo": 1})), "Invalid template property or properties [Foo]");
        assert_eq!(
            message(json!({"Resources": {"A": "x"}})),
            "Template format error: Any Resources member must be an object."
        );
        assert_eq!(
            message(json!({"Resources": {"A": {}}})),
            "Template format error: [/Resources/A] Every Resources object must contain a Type member."
        );
        assert_eq!(
            message(json!({"Resources": {"A": {"Type": "T", "Invalid": 1}}})),
            "Invalid template resource property 'Invalid'"
        );
        assert_eq!(
            message(json!({"Resources": {"AWS::NoValue": {"Type": "T"}}})),
            "Template format error: Resource name AWS::NoValue is non alphanumeric."
        );
        assert_eq!(
            message(json!({"Outputs": {"O": {"Value": null}}, "Resources": {"A": {"Type": "T"}}})),
            "[/Outputs/O/Value] 'null' values are not allowed in templates"
        );
        assert_eq!(
            message(json!({"Outputs": {"O": null}, "Resources": {"A": {"Type": "T"}}})),
            "Template format error: Every Outputs member must contain a Value object"
        );
        assert_eq!(
            message(json!({"Mappings": {"M": {"A": "x"}}, "Resources": {"A": {"Type": "T"}}})),
            "Template format error: Every Mappings member A must be a map"
        );
        assert_eq!(
            message(json!({"Mappings": {"M": {"A": {"k": {"Ref": "P"}}}}, "Resources": {"A": {"Type": "T"}}})),
            "Template format error: Every Mappings attribute must be a String or a List."
        );
    }
}
