//! The template of a deploy that moves no traffic (ROLLOUT, step 1): the new one, with each alias held at
//! the version that serves now, and with everything that the live template has and the new one drops.
//! CloudFormation deletes what a template no longer has while the old version still serves; so
//! that waits until the stack is settled, when its template is exactly the new one. Pure.

pub(super) mod references;

use std::collections::BTreeMap;

use crate::template::{Map, Node, Value};

use references::{Kind, references, rename};

/// An alias and the version that serves behind it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldAlias {
    /// The alias's name in the template.
    pub logical_id: String,
    /// The version's number.
    pub version: String,
}

/// A held template.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The template.
    pub template: Node,
    /// The resources that it keeps and the new one does not have, in the live template's order.
    pub kept: Vec<String>,
}

/// Makes the held template of a new one. Both are plain CloudFormation.
pub fn hold(new: &Node, live: &Node, aliases: &[HeldAlias]) -> Held {
    let mut template = new.clone();
    aliases.iter().for_each(|alias| set_version(&mut template, alias));
    let empty = Map::new();
    let live_resources = section(live, "Resources").unwrap_or(&empty);
    let new_resources = section(new, "Resources").unwrap_or(&empty);
    let kept: Vec<String> =
        live_resources.keys().filter(|name| !new_resources.contains_key(name)).map(str::to_owned).collect();
    let mut keeper = Keeper { live, template: &mut template, done: BTreeMap::new() };
    for name in &kept {
        if let Some(resource) = live_resources.get(name) {
            let resource = keeper.bring_along(resource);
            keeper.insert("Resources", name, resource);
        }
    }
    Held { template, kept }
}

/// The names of a template's parameters.
pub fn parameter_names(template: &Node) -> Vec<String> {
    section(template, "Parameters").map(|parameters| parameters.keys().map(str::to_owned).collect()).unwrap_or_default()
}

/// What an alias's `FunctionVersion` says; `None` when there is no such alias.
pub fn function_version<'a>(template: &'a Node, alias_logical_id: &str) -> Option<&'a Node> {
    template.path(&["Resources", alias_logical_id, "Properties", "FunctionVersion"])
}

fn section<'a>(template: &'a Node, name: &str) -> Option<&'a Map> {
    template.get(name)?.as_map()
}

/// Sets an alias of a template to a version.
pub(super) fn set_version(template: &mut Node, alias: &HeldAlias) {
    let properties = resource_mut(template, &alias.logical_id)
        .and_then(|resource| resource.get_mut("Properties"))
        .and_then(Node::as_map_mut);
    if let Some(properties) = properties {
        properties.insert("FunctionVersion", alias.version.as_str());
    }
}

pub(super) fn resource_mut<'a>(template: &'a mut Node, logical_id: &str) -> Option<&'a mut Map> {
    ["Resources", logical_id].into_iter().try_fold(template, |node, key| node.as_map_mut()?.get_mut(key))?.as_map_mut()
}

/// Whether CloudFormation leaves a resource in AWS when the template drops it.
pub fn is_retained(template: &Node, logical_id: &str) -> bool {
    let policy = template.path(&["Resources", logical_id, "DeletionPolicy"]).and_then(Node::as_str);
    matches!(policy, Some("Retain" | "RetainExceptOnCreate"))
}

/// Brings what is kept, and what that refers to, from the live template into the held one.
struct Keeper<'a> {
    live: &'a Node,
    template: &'a mut Node,
    /// The name that a condition or mapping of the live template has in the held one.
    done: BTreeMap<(Kind, String), String>,
}

impl Keeper<'_> {
    /// Makes sure that whatever a node refers to is there, and gives the node with the names that
    /// these have there.
    fn bring_along(&mut self, node: &Node) -> Node {
        let mut renamed = BTreeMap::new();
        for (kind, name) in references(node) {
            let here = match kind {
                Kind::Value => {
                    self.parameter(&name);
                    continue;
                }
                Kind::Condition | Kind::Mapping => self.definition(kind, &name),
            };
            if here != name {
                renamed.insert((kind, name), here);
            }
        }
        if renamed.is_empty() { node.clone() } else { rename(node, &renamed) }
    }

    /// A parameter that only the live template declares. One that both declare has one value, so the
    /// new declaration will do.
    fn parameter(&mut self, name: &str) {
        let is_there = section(self.template, "Parameters").is_some_and(|parameters| parameters.contains_key(name));
        if is_there {
            return;
        }
        if let Some(parameter) = self.live.path(&["Parameters", name]) {
            self.insert("Parameters", name, parameter.clone());
        }
    }

    /// A condition or mapping of the live template: under its own name where that is free or means
    /// the same, else under a name of its own.
    fn definition(&mut self, kind: Kind, name: &str) -> String {
        let known = (kind, name.to_owned());
        if let Some(here) = self.done.get(&known) {
            return here.clone();
        }
        let place = if kind == Kind::Condition { "Conditions" } else { "Mappings" };
        let Some(definition) = self.live.path(&[place, name]).cloned() else { return name.to_owned() };
        // Conditions may refer to each other (never in a circle: CloudFormation took the template).
        self.done.insert(known.clone(), name.to_owned());
        let definition = self.bring_along(&definition);
        let mut here = name.to_owned();
        while let Some(other) = self.template.path(&[place, &here]) {
            if other.to_json() == definition.to_json() {
                break;
            }
            here.push_str("Held");
        }
        self.insert(place, &here, definition);
        self.done.insert(known, here.clone());
        here
    }

    fn insert(&mut self, place: &str, name: &str, node: Node) {
        let Some(root) = self.template.as_map_mut() else { return };
        if root.get(place).is_none_or(|node| node.as_map().is_none()) {
            root.insert(place, Value::Map(Map::new()));
        }
        if let Some(map) = root.get_mut(place).and_then(Node::as_map_mut) {
            map.insert(name, node);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live() -> Node {
        Node::from(json!({
            "Parameters": { "Env": { "Type": "String" }, "QueueName": { "Type": "String", "Default": "q" } },
            "Mappings": { "Sizes": { "a": { "b": 1 } } },
            "Conditions": {
                "IsProd": { "Fn::Equals": [{ "Ref": "Env" }, "prod"] },
                "Big": { "Fn::And": [{ "Condition": "IsProd" }, { "Fn::Equals": [{ "Ref": "QueueName" }, "big"] }] }
            },
            "Resources": {
                "Role": { "Type": "AWS::IAM::Role" },
                "Fn": { "Type": "AWS::Lambda::Function", "Properties": { "Role": { "Fn::GetAtt": ["Role", "Arn"] } } },
                "FnVersion1": { "Type": "AWS::Lambda::Version", "DeletionPolicy": "Retain", "Properties": { "FunctionName": { "Ref": "Fn" } } },
                "FnAliaslive": { "Type": "AWS::Lambda::Alias", "Properties": {
                    "Name": "live", "FunctionName": { "Ref": "Fn" }, "FunctionVersion": { "Fn::GetAtt": ["FnVersion1", "Version"] } } },
                "Queue": { "Type": "AWS::SQS::Queue", "Condition": "Big", "Properties": {
                    "QueueName": { "Fn::Sub": "${QueueName}-${AWS::Region}" },
                    "Size": { "Fn::FindInMap": ["Sizes", "a", "b"] } } }
            }
        }))
    }

    fn new() -> Node {
        Node::from(json!({
            "Parameters": { "Env": { "Type": "String" } },
            "Conditions": { "IsProd": { "Fn::Equals": [{ "Ref": "Env" }, "production"] } },
            "Resources": {
                "Role": { "Type": "AWS::IAM::Role" },
                "Fn": { "Type": "AWS::Lambda::Function", "Properties": { "Role": { "Fn::GetAtt": ["Role", "Arn"] } } },
                "FnVersion2": { "Type": "AWS::Lambda::Version", "DeletionPolicy": "Retain", "Properties": { "FunctionName": { "Ref": "Fn" } } },
                "FnAliaslive": { "Type": "AWS::Lambda::Alias", "Properties": {
                    "Name": "live", "FunctionName": { "Ref": "Fn" }, "FunctionVersion": { "Fn::GetAtt": ["FnVersion2", "Version"] } } }
            },
            "Outputs": { "Arn": { "Value": { "Ref": "FnAliaslive" } } }
        }))
    }

    #[test]
    fn the_alias_stays_and_what_was_dropped_stays_with_what_it_needs() {
        let alias = HeldAlias { logical_id: "FnAliaslive".to_owned(), version: "1".to_owned() };
        let held = hold(&new(), &live(), &[alias]);
        assert_eq!(held.kept, ["FnVersion1", "Queue"]);
        assert_eq!(function_version(&held.template, "FnAliaslive").unwrap().as_str(), Some("1"));
        assert_eq!(parameter_names(&held.template), ["Env", "QueueName"]);
        let conditions = held.template.get("Conditions").unwrap().to_json();
        assert_eq!(
            conditions,
            json!({
                "IsProd": { "Fn::Equals": [{ "Ref": "Env" }, "production"] },
                "IsProdHeld": { "Fn::Equals": [{ "Ref": "Env" }, "prod"] },
                "Big": { "Fn::And": [{ "Condition": "IsProdHeld" }, { "Fn::Equals": [{ "Ref": "QueueName" }, "big"] }] }
            })
        );
        assert!(held.template.path(&["Mappings", "Sizes"]).is_some());
        assert_eq!(held.template.path(&["Resources", "Queue", "Condition"]).unwrap().as_str(), Some("Big"));
        assert!(held.template.path(&["Resources", "FnVersion2"]).is_some());
        assert_eq!(held.template.get("Outputs"), new().get("Outputs"));
    }

    #[test]
    fn nothing_dropped_and_nothing_held_is_the_new_template() {
        assert_eq!(hold(&new(), &new(), &[]), Held { template: new(), kept: vec![] });
        let empty = Node::from(json!({ "Resources": {} }));
        assert_eq!(hold(&new(), &empty, &[]).template, new());
    }

    #[test]
    fn holding_twice_is_holding_once() {
        let alias = [HeldAlias { logical_id: "FnAliaslive".to_owned(), version: "1".to_owned() }];
        let once = hold(&new(), &live(), &alias);
        let twice = hold(&new(), &once.template, &alias);
        assert_eq!(twice.template.to_json(), once.template.to_json());
    }
}
