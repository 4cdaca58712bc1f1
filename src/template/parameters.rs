//! The parameters that a template declares: their types, defaults and limits, and the values that they
//! have once overrides are given. Values are texts, as CloudFormation's API has them.

use std::collections::BTreeMap;

use super::span::Span;
use super::{Map, Node, Template, Value};

/// The type of a parameter.
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `String`.
    String,
    /// `Number`.
    Number,
    /// `CommaDelimitedList`.
    CommaDelimitedList,
    /// `List<Number>`.
    NumberList,
    /// The ID of something that AWS checks, such as `AWS::EC2::VPC::Id`.
    Aws(String),
    /// A list of them: `List<AWS::EC2::Subnet::Id>`.
    AwsList(String),
    /// `AWS::SSM::Parameter::Value<…>`: the value is the name of a parameter in the parameter store.
    Ssm(Box<Self>),
}

impl Type {
    /// From the text of the template; `None` when CloudFormation has no such type.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix("AWS::SSM::Parameter::Value<") {
            return Self::parse(inner.strip_suffix('>')?).map(|inner| Self::Ssm(Box::new(inner)));
        }
        if let Some(inner) = text.strip_prefix("List<") {
            let inner = inner.strip_suffix('>')?;
            return match inner {
                "Number" => Some(Self::NumberList),
                // Only inside of an SSM type, but harmless elsewhere.
                "String" => Some(Self::CommaDelimitedList),
                _ => inner.starts_with("AWS::").then(|| Self::AwsList(inner.to_owned())),
            };
        }
        match text {
            "String" => Some(Self::String),
            "Number" => Some(Self::Number),
            "CommaDelimitedList" => Some(Self::CommaDelimitedList),
            _ => text.starts_with("AWS::").then(|| Self::Aws(text.to_owned())),
        }
    }

    /// Whether `Ref` gives a list.
    pub fn is_list(&self) -> bool {
        match self {
            Self::CommaDelimitedList | Self::NumberList | Self::AwsList(_) => true,
            Self::Ssm(inner) => inner.is_list(),
            Self::String | Self::Number | Self::Aws(_) => false,
        }
    }
}

/// A declared parameter.
#[derive(Clone, Debug)]
pub struct Parameter<'n> {
    /// Its name.
    pub name: &'n str,
    /// Where the name stands.
    pub span: Option<Span>,
    /// Its type; a type that CloudFormation does not have counts as `String`.
    pub kind: Type,
    /// The value that it has when none is given.
    pub default: Option<String>,
    /// What it is for, in the author's words.
    pub description: Option<&'n str>,
    /// Whether the value is a secret, never to be printed or saved.
    pub no_echo: bool,
    body: &'n Map,
}

impl<'n> Parameter<'n> {
    fn new(name: &'n str, span: Option<Span>, body: &'n Map) -> Self {
        let text = |key: &str| body.get(key).and_then(Node::as_str);
        Self {
            name,
            span,
            kind: text("Type").and_then(Type::parse).unwrap_or(Type::String),
            default: body.get("Default").and_then(text_of),
            description: text("Description"),
            no_echo: body.get("NoEcho").is_some_and(is_true),
            body,
        }
    }

    /// What the value may be, when the template has a list of it.
    pub fn allowed_values(&self) -> Option<Vec<String>> {
        Some(self.body.get("AllowedValues")?.as_list()?.iter().filter_map(text_of).collect())
    }

    /// What is wrong with a value, in words that follow "the value of X"; `None` when nothing is.
    /// `AllowedPattern` (a Java expression) and IDs of AWS are left to AWS, and so is what the
    /// parameter store holds.
    pub fn problem(&self, value: &str) -> Option<String> {
        if matches!(self.kind, Type::Ssm(_)) {
            return value.is_empty().then(|| "is the name of an SSM parameter and cannot be empty".to_owned());
        }
        let values: Vec<&str> =
            if self.kind.is_list() { value.split(',').map(str::trim).collect() } else { vec![value] };
        if matches!(self.kind, Type::Number | Type::NumberList)
            && let Some(wrong) = values.iter().find(|value| value.trim().parse::<f64>().is_err())
        {
            return Some(format!("has to be a number, not `{wrong}`"));
        }
        if let Some(allowed) = self.allowed_values()
            && let Some(wrong) = values.iter().find(|value| !allowed.iter().any(|allowed| allowed == *value))
        {
            return Some(format!("has to be one of {}, not `{wrong}`", allowed.join(", ")));
        }
        let number = |key: &str| self.body.get(key).and_then(text_of).and_then(|text| text.parse::<f64>().ok());
        if self.kind == Type::Number
            && let Ok(actual) = value.trim().parse::<f64>()
        {
            if let Some(least) = number("MinValue").filter(|least| actual < *least) {
                return Some(format!("has to be at least {least}, not {value}"));
            }
            if let Some(most) = number("MaxValue").filter(|most| actual > *most) {
                return Some(format!("has to be at most {most}, not {value}"));
            }
        }
        if self.kind == Type::String {
            #[expect(clippy::cast_precision_loss, reason = "compared with the length of a text of at most 4096 bytes")]
            let length = value.chars().count() as f64;
            if let Some(least) = number("MinLength").filter(|least| length < *least) {
                return Some(format!("has to have at least {least} characters"));
            }
            if let Some(most) = number("MaxLength").filter(|most| length > *most) {
                return Some(format!("has to have at most {most} characters"));
            }
        }
        None
    }
}

/// The declared parameters in their order. What is not a map is left to `validate`.
pub fn declared(template: &Template) -> Vec<Parameter<'_>> {
    let Some(parameters) = template.section("Parameters") else { return Vec::new() };
    parameters
        .iter()
        .filter_map(|(name, node)| Some(Parameter::new(name, parameters.key_span(name), node.as_map()?)))
        .collect()
}

/// The values that the parameters have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effective {
    /// Name → value: the override, else the default.
    pub values: BTreeMap<String, String>,
    /// Declared, without a default, and not given.
    pub missing: Vec<String>,
    /// Given, and not declared.
    pub unknown: Vec<String>,
    /// Given or declared with a value that the declaration does not allow: name and what is wrong.
    /// Values of `NoEcho` parameters are not repeated there.
    pub refused: Vec<(String, String)>,
}

/// Puts defaults and overrides together.
pub fn effective(template: &Template, overrides: &BTreeMap<String, String>) -> Effective {
    let declared = declared(template);
    let mut effective = Effective {
        unknown: overrides.keys().filter(|name| declared.iter().all(|p| p.name != **name)).cloned().collect(),
        ..Effective::default()
    };
    for parameter in declared {
        let name = parameter.name.to_owned();
        let Some(value) = overrides.get(parameter.name).cloned().or_else(|| parameter.default.clone()) else {
            effective.missing.push(name);
            continue;
        };
        if let Some(problem) = parameter.problem(&value) {
            let problem = if parameter.no_echo { "is not one that its declaration allows".to_owned() } else { problem };
            effective.refused.push((name.clone(), problem));
        }
        effective.values.insert(name, value);
    }
    effective
}

/// A scalar as the text that CloudFormation makes of it; a list of scalars joined with commas.
pub fn text_of(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::List(items) => items.iter().map(text_of).collect::<Option<Vec<_>>>().map(|texts| texts.join(",")),
        Value::Null | Value::Map(_) => None,
    }
}

fn is_true(node: &Node) -> bool {
    node.as_bool().unwrap_or_else(|| node.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::read::read_bytes;

    #[test]
    fn overrides_beat_defaults_and_the_declaration_is_kept() {
        let template = read_bytes(
            "t",
            b"Parameters:
  Stage: {Type: String, Default: dev, AllowedValues: [dev, prod]}
  Count: {Type: Number, Default: 3, MaxValue: 5}
  Subnets: {Type: List<AWS::EC2::Subnet::Id>}
  Secret: {Type: String, NoEcho: 'true', MinLength: 8}
  Ids: {Type: List<Number>, Default: '1, 2'}
  Image: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>', Default: /aws/ami}
",
        )
        .unwrap();
        let overrides = [("Stage", "test"), ("Count", "7"), ("Secret", "hunter2"), ("Stagee", "x")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let effective = effective(&template, &overrides.into());
        assert_eq!(effective.values["Stage"], "test");
        assert_eq!(effective.values["Ids"], "1, 2");
        assert_eq!(effective.missing, ["Subnets"]);
        assert_eq!(effective.unknown, ["Stagee"]);
        let refused: Vec<String> = effective.refused.iter().map(|(name, why)| format!("{name} {why}")).collect();
        assert_eq!(
            refused,
            [
                "Stage has to be one of dev, prod, not `test`",
                "Count has to be at most 5, not 7",
                "Secret is not one that its declaration allows",
            ]
        );
        let declared = declared(&template);
        assert!(declared[3].no_echo && !declared[0].no_echo);
        assert_eq!(declared[5].kind, Type::Ssm(Box::new(Type::Aws("AWS::EC2::Image::Id".to_owned()))));
        assert_eq!(Type::parse("Strng"), None);
    }
}
