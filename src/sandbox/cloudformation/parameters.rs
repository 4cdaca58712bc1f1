//! The values that a stack's parameters have, checked against their declarations.

use indexmap::IndexMap;
use serde_json::Value;

use super::document::section;
use super::evaluate::as_text;
use super::model::Parameter;
use super::wire::Fault;

/// What a request says about one parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) key: String,
    pub(super) value: Option<String>,
    pub(super) use_previous: bool,
}

/// The effective values, in the template's order.
pub(super) fn effective(
    template: &Value,
    given: &[Given],
    previous: Option<&IndexMap<String, Parameter>>,
) -> Result<IndexMap<String, Parameter>, Fault> {
    let none = serde_json::Map::new();
    let declared = section(template, "Parameters").unwrap_or(&none);
    let unknown: Vec<&str> =
        given.iter().map(|given| given.key.as_str()).filter(|key| !declared.contains_key(*key)).collect();
    if !unknown.is_empty() {
        return Err(Fault::validation(format!("Parameters: [{}] do not exist in the template", unknown.join(", "))));
    }
    let mut values = IndexMap::new();
    let mut missing = Vec::new();
    for (name, declaration) in declared {
        let kind = declaration["Type"].as_str().unwrap_or_default();
        let list = shape(kind)?;
        let said = given.iter().find(|given| given.key == *name);
        let value = match said {
            Some(Given { use_previous: true, value: Some(_), .. }) => {
                return Err(Fault::validation(format!(
                    "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true and non empty value for a parameter"
                )));
            }
            Some(Given { use_previous: true, .. }) => match previous.and_then(|previous| previous.get(name)) {
                Some(previous) => Some(previous.value.clone()),
                None => {
                    return Err(Fault::validation(format!(
                        "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter key not in the previous template"
                    )));
                }
            },
            Some(Given { value: Some(value), .. }) => Some(value.clone()),
            Some(Given { value: None, .. }) | None => declaration.get("Default").and_then(|default| {
                let items = default.as_array().map(|items| items.iter().filter_map(as_text).collect::<Vec<_>>());
                as_text(default).or_else(|| items.map(|items| items.join(",")))
            }),
        };
        match value {
            None => missing.push(name.as_str()),
            Some(value) => {
                constraints(name, kind, list, declaration, &value)?;
                let no_echo = declaration.get("NoEcho").and_then(as_text).as_deref() == Some("true");
                values.insert(name.clone(), Parameter { value, list, no_echo });
            }
        }
    }
    if missing.is_empty() {
        return Ok(values);
    }
    Err(Fault::validation(format!("Parameters: [{}] must have values", missing.join(", "))))
}

/// Whether a type is a list; an error for one that the sandbox cannot resolve.
fn shape(kind: &str) -> Result<bool, Fault> {
    const ELEMENTS: [&str; 9] = [
        "AWS::EC2::AvailabilityZone::Name",
        "AWS::EC2::Image::Id",
        "AWS::EC2::Instance::Id",
        "AWS::EC2::SecurityGroup::GroupName",
        "AWS::EC2::SecurityGroup::Id",
        "AWS::EC2::Subnet::Id",
        "AWS::EC2::Volume::Id",
        "AWS::EC2::VPC::Id",
        "AWS::Route53::HostedZone::Id",
    ];
    match kind {
        "String" | "Number" | "AWS::EC2::KeyPair::KeyName" | "AWS::SSM::Parameter::Name" => Ok(false),
        "CommaDelimitedList" | "List<Number>" | "List<String>" => Ok(true),
        kind if ELEMENTS.contains(&kind) => Ok(false),
        kind => match kind.strip_prefix("List<").and_then(|kind| kind.strip_suffix('>')) {
            Some(element) if ELEMENTS.contains(&element) => Ok(true),
            _ if kind.starts_with("AWS::SSM::Parameter::Value<") => Err(Fault::validation(format!(
                "Template error: the sandbox has no Parameter Store to resolve the parameter type {kind}"
            ))),
            _ => Err(Fault::validation(format!("Template format error: Unrecognized parameter type: {kind}"))),
        },
    }
}

fn constraints(name: &str, kind: &str, list: bool, declaration: &Value, value: &str) -> Result<(), Fault> {
    let refuse = |what: String| {
        Err(Fault::validation(match declaration.get("ConstraintDescription").and_then(Value::as_str) {
            Some(description) => format!("Parameter {name} failed to satisfy constraint: {description}"),
            None => what,
        }))
    };
    let items: Vec<&str> = if list { value.split(',').map(str::trim).collect() } else { vec![value] };
    if matches!(kind, "Number" | "List<Number>") && items.iter().any(|item| item.parse::<f64>().is_err()) {
        return Err(Fault::validation(format!("Parameter '{name}' must be a number")));
    }
    if let Some(allowed) = declaration.get("AllowedValues").and_then(Value::as_array) {
        let allowed: Vec<String> = allowed.iter().filter_map(as_text).collect();
        if items.iter().any(|item| !allowed.iter().any(|allowed| allowed == item)) {
            return refuse(format!("Parameter '{name}' must be one of AllowedValues"));
        }
    }
    if let Some(pattern) = declaration.get("AllowedPattern").and_then(Value::as_str) {
        // CloudFormation's pattern has to match the whole value.
        let whole = regex_lite::Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
            Fault::validation(format!("Template error: the sandbox cannot use the AllowedPattern of {name}: {error}"))
        })?;
        if items.iter().any(|item| !whole.is_match(item)) {
            return refuse(format!("Parameter '{name}' must match pattern {pattern}"));
        }
    }
    let bound = |key: &str| declaration.get(key).and_then(as_text).and_then(|text| text.parse::<f64>().ok());
    let length = value.chars().count() as f64;
    if let Some(least) = bound("MinLength").filter(|least| length < *least) {
        return refuse(format!("Parameter '{name}' must contain at least {least} characters"));
    }
    if let Some(most) = bound("MaxLength").filter(|most| length > *most) {
        return refuse(format!("Parameter '{name}' must contain at most {most} characters"));
    }
    for item in items {
        let Ok(number) = item.parse::<f64>() else { continue };
        if let Some(least) = bound("MinValue").filter(|least| number < *least) {
            return refuse(format!("Parameter '{name}' must be a number not less than {least}"));
        }
        if let Some(most) = bound("MaxValue").filter(|most| number > *most) {
            return refuse(format!("Parameter '{name}' must be a number not greater than {most}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn given(key: &str, value: &str) -> Given {
        Given { key: key.into(), value: Some(value.into()), use_previous: false }
    }

    fn one(declaration: Value, value: &str) -> Result<Parameter, String> {
        effective(&json!({"Parameters": {"P": declaration}}), &[given("P", value)], None)
            .map(|mut values| values.shift_remove("P").unwrap())
            .map_err(|fault| fault.message)
    }

    #[test]
    fn values_come_from_the_request_the_last_time_or_the_default() {
        let template = json!({"Parameters": {
            "A": {"Type": "String"}, "B": {"Type": "Number", "Default": 3}, "C": {"Type": "String", "NoEcho": true},
            "D": {"Type": "CommaDelimitedList", "Default": "a,b"},
        }});
        let previous =
            [("C".to_owned(), Parameter { value: "old".into(), list: false, no_echo: true })].into_iter().collect();
        let keep = Given { key: "C".into(), value: None, use_previous: true };
        let values = effective(&template, &[given("A", ""), keep.clone()], Some(&previous)).unwrap();
        assert_eq!(values.values().map(|p| p.value.as_str()).collect::<Vec<_>>(), ["", "3", "old", "a,b"]);
        assert_eq!(values.values().map(Parameter::shown).collect::<Vec<_>>(), ["", "3", "****", "a,b"]);
        assert!(values["D"].list);
        let message = |given: &[Given]| effective(&template, given, None).unwrap_err().message;
        assert_eq!(message(&[]), "Parameters: [A, C] must have values");
        assert_eq!(message(&[given("X", "1")]), "Parameters: [X] do not exist in the template");
        assert!(message(&[given("A", "1"), keep]).contains("usePreviousValue"));
    }

    #[test]
    fn constraints_are_checked_in_cloudformations_words() {
        for (declaration, value, message) in [
            (json!({"Type": "String", "AllowedValues": ["a", 1]}), "b", "Parameter 'P' must be one of AllowedValues"),
            (json!({"Type": "String", "AllowedPattern": "[a-z]+"}), "aB", "Parameter 'P' must match pattern [a-z]+"),
            (json!({"Type": "String", "MinLength": "3"}), "ab", "Parameter 'P' must contain at least 3 characters"),
            (json!({"Type": "String", "MaxLength": 1}), "ab", "Parameter 'P' must contain at most 1 characters"),
            (json!({"Type": "Number"}), "x", "Parameter 'P' must be a number"),
            (json!({"Type": "Number", "MinValue": 2}), "1", "Parameter 'P' must be a number not less than 2"),
            (json!({"Type": "Number", "MaxValue": 2}), "3", "Parameter 'P' must be a number not greater than 2"),
            (
                json!({"Type": "String", "MinLength": 3, "ConstraintDescription": "no"}),
                "a",
                "Parameter P failed to satisfy constraint: no",
            ),
            (json!({"Type": "Odd"}), "3", "Template format error: Unrecognized parameter type: Odd"),
        ] {
            assert_eq!(one(declaration, value).unwrap_err(), message);
        }
        assert!(one(json!({"Type": "String", "AllowedValues": ["a", 1]}), "1").is_ok());
        assert!(one(json!({"Type": "List<AWS::EC2::Subnet::Id>"}), "a,b").unwrap().list);
    }
}
