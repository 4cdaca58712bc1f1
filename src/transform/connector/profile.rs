//! What AWS knows of pairs of resources that a connector can join: the permissions that each needs,
//! with variables in them such as `%{Source.Arn}`. The table is `../data/connector_profiles.json`.

use std::sync::LazyLock;

use crate::template::{Map, Node, Value};
use crate::transform::build::{list, map, text};

static PROFILES: LazyLock<Node> = LazyLock::new(|| {
    let json: serde_json::Value = serde_json::from_str(include_str!("../data/connector_profiles.json"))
        .expect("the data file is JSON; a test reads it");
    Node::from(json)
});

/// What a pair of types needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    kind: &'static str,
    properties: &'static Node,
}

/// The profile of a pair of types.
pub(crate) fn of(source: &str, destination: &str) -> Option<Profile> {
    let profile = PROFILES.path(&["Permissions", source, destination])?;
    Some(Profile { kind: profile.get("Type")?.as_str()?, properties: profile.get("Properties")? })
}

impl Profile {
    /// What it is made into: a policy of a role, of a queue or of a topic, or a function's permission.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// Whether it is the source that gets the policy, and not the destination.
    pub(crate) fn of_source(&self) -> bool {
        self.properties.get("SourcePolicy").and_then(Node::as_bool) == Some(true)
    }

    /// What has to wait for the policy.
    pub(crate) fn depended_by(&self) -> Option<&'static str> {
        self.properties.get("DependedBy")?.as_str()
    }

    /// The permissions that can be asked for, such as `Read`.
    pub(crate) fn categories(&self) -> &'static Map {
        static NONE: LazyLock<Map> = LazyLock::new(Map::new);
        self.properties.get("AccessCategories").and_then(Node::as_map).unwrap_or(&NONE)
    }

    /// The sets of permissions that can be asked for together, each in order, when not all can.
    pub(crate) fn combinations(&self) -> Option<Vec<Vec<&'static str>>> {
        let all = self.properties.get("ValidAccessCategories")?.as_list()?;
        Some(
            all.iter()
                .map(|names| {
                    let mut names: Vec<&str> = names.as_list().into_iter().flatten().filter_map(Node::as_str).collect();
                    names.sort_unstable();
                    names
                })
                .collect(),
        )
    }
}

/// What a type of resource gives to a connector, its logical ID filled in: the ARN, the URL and so on.
pub(crate) fn outputs(kind: &str, id: &str) -> Map {
    let outputs = PROFILES.path(&["CfnResourceProperties", kind, "Outputs"]).cloned().unwrap_or_default();
    let filled = fill_in(&outputs, &[("logicalId", Some(text(id)))]);
    filled.ok().and_then(|filled| filled.as_map().cloned()).unwrap_or_default()
}

/// Where a type of resource has its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoleProperty {
    /// In this property.
    Named(&'static str),
    /// In the target of a rule that is the other end.
    OfTarget,
}

/// Where a type of resource has its role, when it has one.
pub(crate) fn role_property(kind: &str) -> Option<RoleProperty> {
    let role = PROFILES.path(&["CfnResourceProperties", kind, "Inputs", "Role"])?;
    match role.as_str() {
        Some(name) => Some(RoleProperty::Named(name)),
        None => Some(RoleProperty::OfTarget),
    }
}

/// A variable's name, and its value where it has one.
pub(crate) type Variable<'a> = (&'a str, Option<Node>);

/// Puts values for the variables: instead of a text that is nothing else, else with `Fn::Sub`.
///
/// # Errors
/// The name of a variable that is used and has no value.
pub(crate) fn fill_in<'a>(node: &Node, variables: &[Variable<'a>]) -> Result<Node, &'a str> {
    Ok(match &node.value {
        Value::Map(entries) => {
            let mut filled = Map::new();
            for (key, value) in entries.iter() {
                filled.insert(key, fill_in(value, variables)?);
            }
            Node::from(filled)
        }
        Value::List(items) => {
            Node::from(items.iter().map(|item| fill_in(item, variables)).collect::<Result<Vec<_>, _>>()?)
        }
        Value::String(text) => fill_in_text(text, variables)?,
        _ => node.clone(),
    })
}

fn fill_in_text<'a>(original: &str, variables: &[Variable<'a>]) -> Result<Node, &'a str> {
    let mut filled = original.to_owned();
    let mut used = Map::new();
    for (name, value) in variables {
        let pattern = format!("%{{{name}}}");
        if !filled.contains(&pattern) {
            continue;
        }
        let value = value.as_ref().ok_or(*name)?;
        if filled == pattern {
            return Ok(value.clone());
        }
        let plain: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
        filled = filled.replace(&pattern, &format!("${{{plain}}}"));
        used.insert(plain, value.clone());
    }
    let substitutes = filled.find("${").is_some_and(|at| filled[at + 2..].find('}').is_some_and(|end| end > 0));
    Ok(match (substitutes, used.is_empty()) {
        (false, _) => text(filled),
        (true, true) => map([("Fn::Sub", text(filled))]),
        (true, false) => map([("Fn::Sub", list([text(filled), Node::from(used)]))]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_can_be_read() {
        let permissions = PROFILES.get("Permissions").and_then(Node::as_map).unwrap();
        for (source, destinations) in permissions.iter() {
            for destination in destinations.as_map().unwrap().keys() {
                let profile = of(source, destination).unwrap();
                assert!(profile.kind().starts_with("AWS_"), "{source} {destination}");
                assert!(!profile.categories().is_empty(), "{source} {destination}");
            }
        }
        assert!(of("AWS::S3::Bucket", "AWS::S3::Bucket").is_none());
    }

    #[test]
    fn variables_are_put_in() {
        let variables = [("Source.Arn", Some(text("arn"))), ("Source.Name", None)];
        let filled = |node: &str| fill_in(&text(node), &variables).map(|node| node.to_json());
        assert_eq!(filled("%{Source.Arn}"), Ok(serde_json::json!("arn")));
        assert_eq!(
            filled("%{Source.Arn}/*"),
            Ok(serde_json::json!({"Fn::Sub": ["${SourceArn}/*", {"SourceArn": "arn"}]}))
        );
        assert_eq!(filled("${AWS::Region}"), Ok(serde_json::json!({"Fn::Sub": "${AWS::Region}"})));
        assert_eq!(filled("%{Source.Name}"), Err("Source.Name"));
    }
}
