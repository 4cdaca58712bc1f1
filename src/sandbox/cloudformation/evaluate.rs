//! The intrinsic functions: from a template's expressions and what is known to plain values.

use std::collections::BTreeMap;

use base64::Engine as _;
use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::model::Parameter;

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Blocked {
    /// It depends on something that is not known before the operation has run.
    Pending(String),
    /// It never will have one.
    Invalid(String),
}

impl Blocked {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }
}

/// What the pseudo parameters say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pseudo {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) stack_id: String,
    pub(super) stack_name: String,
    pub(super) notification_arns: Vec<String>,
}

impl Pseudo {
    /// The partition of the region.
    pub(super) fn partition(&self) -> &'static str {
        match self.region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if self.region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    /// The partition's domain.
    pub(super) fn url_suffix(&self) -> &'static str {
        if self.partition() == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" }
    }

    fn get(&self, name: &str) -> Option<Value> {
        Some(match name {
            "AWS::AccountId" => self.account.clone().into(),
            "AWS::Region" => self.region.clone().into(),
            "AWS::StackId" => self.stack_id.clone().into(),
            "AWS::StackName" => self.stack_name.clone().into(),
            "AWS::Partition" => self.partition().into(),
            "AWS::URLSuffix" => self.url_suffix().into(),
            "AWS::NotificationARNs" => self.notification_arns.clone().into(),
            _ => return None,
        })
    }
}

/// The names that begin with `AWS::` and can stand in a `Ref`.
pub(super) fn is_pseudo(name: &str) -> bool {
    matches!(
        name,
        "AWS::AccountId"
            | "AWS::Region"
            | "AWS::StackId"
            | "AWS::StackName"
            | "AWS::Partition"
            | "AWS::URLSuffix"
            | "AWS::NotificationARNs"
            | "AWS::NoValue"
    )
}

/// Physical ID of a resource, or one of its attributes.
pub(super) type Lookup<'a> = dyn Fn(&str, Option<&str>) -> Result<Value, Blocked> + Sync + 'a;

/// Everything that expressions can refer to.
pub(super) struct Scope<'a> {
    /// The processed template, for its mappings.
    pub(super) template: &'a Value,
    pub(super) parameters: &'a IndexMap<String, Parameter>,
    pub(super) pseudo: &'a Pseudo,
    pub(super) conditions: &'a BTreeMap<String, bool>,
    pub(super) resource: &'a Lookup<'a>,
    pub(super) exports: &'a BTreeMap<String, (String, String)>,
    /// `NoEcho` parameters read as `****`.
    pub(super) masked: bool,
}

/// Deepest nesting that is followed.
pub(super) const DEEPEST: usize = 128;

impl Scope<'_> {
    /// The value of an expression; `None` for `AWS::NoValue`.
    pub(super) fn resolve(&self, value: &Value) -> Result<Option<Value>, Blocked> {
        self.at_depth(value, 0)
    }

    /// The value of an expression that has to be text, as outputs are.
    pub(super) fn text(&self, value: &Value) -> Result<String, Blocked> {
        let resolved = self.resolve(value)?;
        as_text(resolved.as_ref().unwrap_or(&Value::Null))
            .ok_or_else(|| Blocked::invalid("Template error: the value must be a string"))
    }

    fn at_depth(&self, value: &Value, depth: usize) -> Result<Option<Value>, Blocked> {
        if depth > DEEPEST {
            return Err(Blocked::invalid("Template format error: nested too deeply"));
        }
        match value {
            Value::Array(items) => {
                let mut resolved = Vec::with_capacity(items.len());
                for item in items {
                    resolved.extend(self.at_depth(item, depth + 1)?);
                }
                Ok(Some(Value::Array(resolved)))
            }
            Value::Object(map) => match intrinsic(map) {
                Some((name, argument)) => self.function(name, argument, depth),
                None => {
                    let mut resolved = Map::new();
                    for (key, value) in map {
                        if let Some(value) = self.at_depth(value, depth + 1)? {
                            resolved.insert(key.clone(), value);
                        }
                    }
                    Ok(Some(Value::Object(resolved)))
                }
            },
            plain => Ok(Some(plain.clone())),
        }
    }

    fn function(&self, name: &str, argument: &Value, depth: usize) -> Result<Option<Value>, Blocked> {
        let inner = |value: &Value| self.at_depth(value, depth + 1);
        let required = |value: &Value| {
            inner(value)?.ok_or_else(|| Blocked::invalid(format!("Template error: {name} cannot use AWS::NoValue")))
        };
        let text = |value: &Value, what: &str| {
            as_text(&required(value)?).ok_or_else(|| Blocked::invalid(format!("Template error: {what}")))
        };
        let arguments = || argument.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(Some(match name {
            "Ref" => {
                let target =
                    argument.as_str().ok_or_else(|| Blocked::invalid("Template format error: Ref must be a string"))?;
                if target == "AWS::NoValue" {
                    return Ok(None);
                }
                self.reference(target)?
            }
            "Fn::GetAtt" => {
                let (resource, attribute) = get_att(argument)
                    .ok_or_else(|| Blocked::invalid("Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"))?;
                let attribute = text(&attribute, "every Fn::GetAtt attribute must be a string")?;
                (self.resource)(resource, Some(&attribute))?
            }
            "Fn::Sub" => self.substitute(argument, depth)?,
            "Fn::Join" => {
                let [delimiter, list] = arguments() else {
                    return Err(Blocked::invalid(
                        "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.",
                    ));
                };
                let delimiter = text(delimiter, "every Fn::Join delimiter must be a string")?;
                let Some(items) = as_texts(&required(list)?) else {
                    return Err(Blocked::invalid("Template error: every Fn::Join object requires a list of strings"));
                };
                items.join(&delimiter).into()
            }
            "Fn::Split" => {
                let [delimiter, whole] = arguments() else {
                    return Err(Blocked::invalid(
                        "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split.",
                    ));
                };
                let delimiter = text(delimiter, "every Fn::Split delimiter must be a string")?;
                if delimiter.is_empty() {
                    return Err(Blocked::invalid("Template error: the delimiter of Fn::Split must not be empty"));
                }
                let whole = text(whole, "every Fn::Split source must be a string")?;
                whole.split(&delimiter).collect::<Vec<_>>().into()
            }
            "Fn::Select" => {
                let [index, list] = arguments() else {
                    return Err(Blocked::invalid(
                        "Template error: Fn::Select requires a list argument with two elements: an integer index and a list",
                    ));
                };
                let index = text(index, "Fn::Select requires an integer index")?;
                let list = required(list)?;
                let Some(list) = list.as_array() else {
                    return Err(Blocked::invalid(
                        "Template error: Fn::Select requires a list argument with two elements: an integer index and a list",
                    ));
                };
                index.parse::<usize>().ok().and_then(|index| list.get(index)).cloned().ok_or_else(|| {
                    Blocked::invalid(format!(
                        "Template error: Fn::Select cannot select nonexistent value at index {index}"
                    ))
                })?
            }
            "Fn::FindInMap" => {
                let [map, top, second] = arguments() else {
                    return Err(Blocked::invalid(
                        "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value",
                    ));
                };
                let keys = [text(map, "FindInMap")?, text(top, "FindInMap")?, text(second, "FindInMap")?];
                keys.iter().try_fold(&self.template["Mappings"], |at, key| at.get(key)).cloned().ok_or_else(|| {
                    Blocked::invalid(format!("Template error: Unable to get mapping for {}", keys.join("::")))
                })?
            }
            "Fn::Base64" => {
                let text = text(argument, "every Fn::Base64 object must have a String-typed value.")?;
                base64::engine::general_purpose::STANDARD.encode(text).into()
            }
            "Fn::GetAZs" => {
                let region = text(argument, "Fn::GetAZs requires a region")?;
                let region = if region.is_empty() { self.pseudo.region.clone() } else { region };
                ["a", "b", "c"].map(|zone| format!("{region}{zone}")).to_vec().into()
            }
            "Fn::ImportValue" => {
                let export = text(
                    argument,
                    "the attribute in Fn::ImportValue must be a string or a function that returns a string",
                )?;
                let (value, _) = self.exports.get(&export).ok_or_else(|| {
                    Blocked::invalid(format!("No export named {export} found. Rollback requested by user."))
                })?;
                value.clone().into()
            }
            "Fn::Cidr" => cidr(arguments(), &|value| text(value, "Fn::Cidr requires text and numbers"))?,
            "Fn::If" => {
                let [condition, then, otherwise] = arguments() else {
                    return Err(Blocked::invalid(
                        "Template error: every Fn::If object requires three parameters, the condition name, the value if true and the value if false",
                    ));
                };
                let branch = if self.named_condition(condition)? { then } else { otherwise };
                return inner(branch);
            }
            "Condition" => self.named_condition(argument)?.into(),
            "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => {
                return Err(Blocked::invalid(format!(
                    "Template error: {name} can only be used in the Conditions block"
                )));
            }
            other => {
                return Err(Blocked::invalid(format!(
                    "Template error: the sandbox's CloudFormation does not know the function {other}"
                )));
            }
        }))
    }

    fn named_condition(&self, name: &Value) -> Result<bool, Blocked> {
        let name = name.as_str().unwrap_or_default();
        self.conditions
            .get(name)
            .copied()
            .ok_or_else(|| Blocked::invalid(format!("Template error: unresolved condition dependency {name}")))
    }

    fn reference(&self, name: &str) -> Result<Value, Blocked> {
        if let Some(value) = self.pseudo.get(name) {
            return Ok(value);
        }
        if let Some(parameter) = self.parameters.get(name) {
            let value = if self.masked { parameter.shown() } else { &parameter.value };
            return Ok(if parameter.list {
                value.split(',').map(str::trim).filter(|item| !item.is_empty()).collect::<Vec<_>>().into()
            } else {
                value.into()
            });
        }
        (self.resource)(name, None)
    }

    fn substitute(&self, argument: &Value, depth: usize) -> Result<Value, Blocked> {
        let none = Map::new();
        let (template, variables) = match argument {
            Value::String(text) => (text.as_str(), &none),
            Value::Array(items) => match items.as_slice() {
                [Value::String(text), Value::Object(variables)] => (text.as_str(), variables),
                _ => return Err(sub_shape()),
            },
            _ => return Err(sub_shape()),
        };
        let mut out = String::with_capacity(template.len());
        for piece in pieces(template) {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Variable(name) => {
                    let value = match variables.get(name) {
                        Some(value) => self.at_depth(value, depth + 1)?.unwrap_or(Value::Null),
                        None => match name.split_once('.') {
                            Some((resource, attribute)) => (self.resource)(resource, Some(attribute))?,
                            None => self.reference(name)?,
                        },
                    };
                    // A list parameter in Fn::Sub is what its value was: joined with commas.
                    let text = as_text(&value).or_else(|| as_texts(&value).map(|items| items.join(",")));
                    out.push_str(&text.ok_or_else(|| {
                        Blocked::invalid(format!(
                            "Template error: the value of ${{{name}}} in Fn::Sub must be a string"
                        ))
                    })?);
                }
            }
        }
        Ok(out.into())
    }
}

fn sub_shape() -> Blocked {
    Blocked::invalid(
        "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string",
    )
}

/// Name and argument of the intrinsic function that a map is.
pub(super) fn intrinsic(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut entries = map.iter();
    let (name, argument) = entries.next()?;
    let only = entries.next().is_none();
    // `Condition` alone is a reference only inside a condition; elsewhere it is a key, as in a policy.
    (only && (name == "Ref" || name.starts_with("Fn::"))).then_some((name.as_str(), argument))
}

pub(super) fn get_att(argument: &Value) -> Option<(&str, Value)> {
    match argument {
        Value::String(text) => text.split_once('.').map(|(resource, attribute)| (resource, attribute.into())),
        Value::Array(items) => match items.as_slice() {
            [Value::String(resource), attribute @ Value::Object(_)] => Some((resource, attribute.clone())),
            [Value::String(resource), rest @ ..] if !rest.is_empty() => {
                let parts: Option<Vec<&str>> = rest.iter().map(Value::as_str).collect();
                Some((resource, parts?.join(".").into()))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The text of a plain value.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn as_texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(as_text).collect()
}

pub(super) enum Piece<'a> {
    Literal(&'a str),
    Variable(&'a str),
}

/// Cuts the text of an `Fn::Sub` into what stands and what is put in. `${!x}` stands as `${x}`.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(end) = rest[start..].find('}').map(|length| start + length) else { break };
        pieces.push(Piece::Literal(&rest[..start]));
        let name = &rest[start + 2..end];
        if name.starts_with('!') {
            pieces.push(Piece::Literal("${"));
            pieces.push(Piece::Literal(&rest[start + 3..=end]));
        } else {
            pieces.push(Piece::Variable(name.trim()));
        }
        rest = &rest[end + 1..];
    }
    pieces.push(Piece::Literal(rest));
    pieces
}

fn cidr(arguments: &[Value], text: &dyn Fn(&Value) -> Result<String, Blocked>) -> Result<Value, Blocked> {
    let wrong = || {
        Blocked::invalid(
            "Template error: Fn::Cidr requires an IPv4 block, a count from 1 to 256 and the number of subnet bits",
        )
    };
    let (block, count) = match arguments {
        [block, count] | [block, count, _] => (text(block)?, text(count)?.parse::<u32>().map_err(|_| wrong())?),
        _ => return Err(wrong()),
    };
    let bits: u32 = match arguments.get(2) {
        Some(bits) => text(bits)?.parse().map_err(|_| wrong())?,
        None => 8,
    };
    let (address, length) = block.split_once('/').ok_or_else(wrong)?;
    let address: std::net::Ipv4Addr = address.parse().map_err(|_| wrong())?;
    let length: u32 = length.parse().map_err(|_| wrong())?;
    let room = 32u32.checked_sub(length).and_then(|room| room.checked_sub(bits)).ok_or_else(wrong)?;
    let fits = u64::from(count) << bits <= 1u64 << (32 - length);
    if !(1..=256).contains(&count) || bits >= 32 || !fits || room + bits + length != 32 {
        return Err(wrong());
    }
    let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
    let base = u32::from(address) & mask;
    Ok((0..count)
        .map(|index| format!("{}/{}", std::net::Ipv4Addr::from(base.wrapping_add(index << bits)), 32 - bits))
        .collect::<Vec<_>>()
        .into())
}

#[cfg(test)]
mod tests {
    use super::super::condition::conditions;
    use super::super::reference::references;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn pseudo() -> Pseudo {
        Pseudo {
            account: "000000000000".into(),
            region: "eu-west-1".into(),
            stack_id: "arn:stack".into(),
            stack_name: "s".into(),
            notification_arns: vec![],
        }
    }

    fn parameters() -> IndexMap<String, Parameter> {
        let parameter = |value: &str, list, no_echo| Parameter { value: value.into(), list, no_echo };
        [
            ("P".to_owned(), parameter("v", false, false)),
            ("L".to_owned(), parameter("a, b,c", true, false)),
            ("Secret".to_owned(), parameter("hush", false, true)),
        ]
        .into_iter()
        .collect()
    }

    fn resolve_with(value: Value, masked: bool) -> Result<Option<Value>, Blocked> {
        let template = json!({
            "Mappings": {"M": {"a": {"b": "found", "list": [1, 2]}}},
            "Conditions": {
                "Yes": {"Fn::Equals": [{"Ref": "P"}, "v"]},
                "No": {"Fn::Not": [{"Condition": "Yes"}]},
                "Both": {"Fn::And": [{"Condition": "Yes"}, {"Fn::Or": [{"Condition": "No"}, {"Condition": "Yes"}]}]},
            },
        });
        let (parameters, pseudo) = (parameters(), pseudo());
        let conditions = conditions(&template, &parameters, &pseudo).unwrap();
        assert_eq!(conditions.values().copied().collect::<Vec<_>>(), [true, false, true]);
        let resource = |name: &str, attribute: Option<&str>| match (name, attribute) {
            ("R", None) => Ok("physical".into()),
            ("R", Some("Arn")) => Ok("arn:r".into()),
            ("R", Some("A.B")) => Ok(json!(7)),
            _ => Err(Blocked::Pending(name.to_owned())),
        };
        let exports = [("e".to_owned(), ("exported".to_owned(), "arn:other".to_owned()))].into_iter().collect();
        Scope {
            template: &template,
            parameters: &parameters,
            pseudo: &pseudo,
            conditions: &conditions,
            resource: &resource,
            exports: &exports,
            masked,
        }
        .resolve(&value)
    }

    fn value(expression: Value) -> Value {
        resolve_with(expression, false).unwrap().unwrap()
    }

    #[test]
    fn every_function_has_its_value() {
        assert_eq!(value(json!({"Ref": "P"})), "v");
        assert_eq!(value(json!({"Ref": "L"})), json!(["a", "b", "c"]));
        assert_eq!(value(json!({"Ref": "AWS::Region"})), "eu-west-1");
        assert_eq!(value(json!({"Ref": "R"})), "physical");
        assert_eq!(value(json!({"Fn::GetAtt": ["R", "Arn"]})), "arn:r");
        assert_eq!(value(json!({"Fn::GetAtt": "R.A.B"})), 7);
        assert_eq!(value(json!({"Fn::GetAtt": ["R", "A", "B"]})), 7);
        assert_eq!(
            value(json!({"Fn::Sub": "${P}-${!literal}-${R.Arn}-${AWS::AccountId}-${R.A.B}-$x"})),
            "v-${literal}-arn:r-000000000000-7-$x"
        );
        assert_eq!(value(json!({"Fn::Sub": ["${x}${P}", {"x": {"Fn::Join": ["", ["1", 2]]}}]})), "12v");
        assert_eq!(value(json!({"Fn::Join": ["-", {"Ref": "L"}]})), "a-b-c");
        assert_eq!(value(json!({"Fn::Select": ["1", {"Fn::Split": ["|", "a|b"]}]})), "b");
        assert_eq!(value(json!({"Fn::FindInMap": ["M", "a", "list"]})), json!([1, 2]));
        assert_eq!(value(json!({"Fn::Base64": "hi"})), "aGk=");
        assert_eq!(value(json!({"Fn::GetAZs": ""})), json!(["eu-west-1a", "eu-west-1b", "eu-west-1c"]));
        assert_eq!(value(json!({"Fn::ImportValue": {"Fn::Sub": "e"}})), "exported");
        assert_eq!(value(json!({"Fn::Cidr": ["10.0.0.0/24", 2, 5]})), json!(["10.0.0.0/27", "10.0.0.32/27"]));
        assert_eq!(value(json!({"Fn::If": ["Yes", 1, 2]})), 1);
        assert_eq!(
            value(json!({"a": {"Fn::If": ["No", 1, {"Ref": "AWS::NoValue"}]}, "b": [{"Ref": "AWS::NoValue"}, 2]})),
            json!({"b": [2]})
        );
        // In a policy `Condition` is a key like any other.
        let policy = json!({"Condition": {"StringEquals": {"a": "b"}}});
        assert_eq!(value(policy.clone()), policy);
    }

    #[test]
    fn what_has_no_value_says_why() {
        let error = |expression| resolve_with(expression, false).unwrap_err();
        assert_eq!(error(json!({"Ref": "New"})), Blocked::Pending("New".into()));
        assert_eq!(error(json!({"Fn::Sub": "a${New.Arn}"})), Blocked::Pending("New".into()));
        for (expression, message) in [
            (json!({"Fn::FindInMap": ["M", "C", "b"]}), "Template error: Unable to get mapping for M::C::b"),
            (
                json!({"Fn::Select": [5, ["a"]]}),
                "Template error: Fn::Select cannot select nonexistent value at index 5",
            ),
            (json!({"Fn::ImportValue": "gone"}), "No export named gone found. Rollback requested by user."),
            (json!({"Fn::Odd": 1}), "Template error: the sandbox's CloudFormation does not know the function Fn::Odd"),
        ] {
            assert_eq!(error(expression), Blocked::Invalid(message.into()));
        }
        assert!(matches!(error(json!({"Fn::Cidr": ["10.0.0.0/24", 200, 8]})), Blocked::Invalid(_)));
    }

    #[test]
    fn secrets_are_masked_where_they_would_be_shown() {
        let expression = json!({"Fn::Sub": "x${Secret}"});
        assert_eq!(resolve_with(expression.clone(), true).unwrap().unwrap(), "x****");
        assert_eq!(resolve_with(expression, false).unwrap().unwrap(), "xhush");
    }

    fn plain() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-zA-Z]{1,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().filter(|(key, _)| key != "Ref").collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_without_functions_is_itself(value in plain()) {
            prop_assert_eq!(resolve_with(value.clone(), false).unwrap(), Some(value.clone()));
            prop_assert!(references(&value, &BTreeMap::new()).is_empty());
        }

        #[test]
        fn joining_what_was_split_gives_it_back(text in "[a-c|]*") {
            let expression = json!({"Fn::Join": ["|", {"Fn::Split": ["|", &text]}]});
            prop_assert_eq!(value(expression), Value::from(text));
        }

        #[test]
        fn text_without_variables_is_substituted_as_it_is(text in "[^$]*") {
            prop_assert_eq!(value(json!({"Fn::Sub": &text})), Value::from(text));
        }
    }
}
