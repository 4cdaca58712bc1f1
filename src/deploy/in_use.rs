//! What the version that serves uses and a change set would change under it. A published version is
//! fixed, but its role, its tables and its queues are not: a change of these cannot be held back until
//! the traffic has moved, so it needs a yes of its own. Pure.

use std::collections::BTreeSet;

use crate::template::{Map, Node};

use super::hold::references::{Kind, references};
use super::review::{Effect, Review};

/// What gives or takes permissions by pointing at what it is about; nothing points at it.
const GRANTS: &[&str] = &[
    "AWS::IAM::Policy",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::RolePolicy",
    "AWS::Lambda::LayerVersionPermission",
    "AWS::S3::BucketPolicy",
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
];

/// The resources that a function needs to work, directly and through others, itself left out; with
/// what grants it access to them.
pub fn used_by(template: &Node, function: &str) -> BTreeSet<String> {
    let empty = Map::new();
    let resources = template.get("Resources").and_then(Node::as_map).unwrap_or(&empty);
    let mut found = BTreeSet::new();
    follow(resources, function, function, &mut found);
    let grants: Vec<&str> = resources
        .iter()
        .filter(|(_, resource)| {
            let kind = resource.get("Type").and_then(Node::as_str).unwrap_or_default();
            GRANTS.contains(&kind) && names(resource).any(|name| found.contains(&name))
        })
        .map(|(name, _)| name)
        .collect();
    for grant in grants {
        if found.insert(grant.to_owned()) {
            follow(resources, grant, function, &mut found);
        }
    }
    found
}

fn names(resource: &Node) -> impl Iterator<Item = String> {
    references(resource).into_iter().filter(|(kind, _)| *kind == Kind::Value).map(|(_, name)| name)
}

fn follow(resources: &Map, from: &str, function: &str, found: &mut BTreeSet<String>) {
    let mut open = vec![from.to_owned()];
    while let Some(name) = open.pop() {
        let Some(resource) = resources.get(&name) else { continue };
        for other in names(resource) {
            if resources.contains_key(&other) && other != function && found.insert(other.clone()) {
                open.push(other);
            }
        }
    }
}

/// What would change, be replaced or go while the functions' old versions still use it. `template` is
/// the one that these versions were published with.
pub fn touched<'a>(template: &Node, review: &Review, functions: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let used: BTreeSet<String> = functions.into_iter().flat_map(|function| used_by(template, function)).collect();
    let touches =
        |row: &&super::review::Row| row.effect < Effect::Added && !row.is_outward && used.contains(&row.logical_id);
    review.rows.iter().filter(touches).map(|row| row.logical_id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::deploy::review::Row;

    fn template() -> Node {
        Node::from(json!({ "Resources": {
            "Fn": { "Properties": { "Role": { "Fn::GetAtt": ["Role", "Arn"] }, "Env": { "Fn::Sub": "${Table.Arn}" } } },
            "Role": { "Properties": { "Boundary": { "Ref": "Boundary" } } },
            "Boundary": {}, "Table": {}, "Alarm": { "Properties": { "D": { "Ref": "Fn" } } },
            "Policy": { "Type": "AWS::IAM::Policy", "Properties": {
                "Roles": [{ "Ref": "Role" }], "PolicyDocument": { "R": { "Fn::GetAtt": ["Queue", "Arn"] } } } },
            "Queue": {},
            "Foreign": { "Type": "AWS::IAM::Policy", "Properties": { "Roles": [{ "Ref": "OtherRole" }] } },
            "OtherRole": {}
        } }))
    }

    #[test]
    fn what_a_function_uses_is_found_through_others_and_through_its_policies() {
        let used: Vec<String> = used_by(&template(), "Fn").into_iter().collect();
        assert_eq!(used, ["Boundary", "Policy", "Queue", "Role", "Table"]);
        assert!(used_by(&template(), "Nobody").is_empty());
        assert!(used_by(&Node::default(), "Fn").is_empty());
    }

    #[test]
    fn only_what_changes_for_the_old_version_counts() {
        let row = |logical_id: &str, effect: Effect, is_outward: bool| Row {
            effect,
            logical_id: logical_id.to_owned(),
            kind: String::new(),
            why: Vec::new(),
            is_outward,
        };
        let review = Review {
            rows: vec![
                row("Table", Effect::Replaced, false),
                row("Policy", Effect::Changed, false),
                row("Role", Effect::Changed, true),
                row("OtherRole", Effect::Changed, false),
                row("Queue", Effect::Added, false),
                row("Fn", Effect::Changed, false),
            ],
        };
        let touched: Vec<String> = touched(&template(), &review, ["Fn"]).into_iter().collect();
        assert_eq!(touched, ["Policy", "Table"]);
    }
}
