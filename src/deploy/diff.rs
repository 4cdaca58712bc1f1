//! What a template would change in a stack, told from the two templates alone: nothing is made in
//! the account, unlike with a change set.

use std::collections::{BTreeMap, BTreeSet};

use crate::template::{Map, Node, Value};

/// What is shown of a secret.
const MASKED: &str = "****";

/// A template and the values of its parameters.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Plain CloudFormation.
    pub template: &'a Node,
    /// Values by name, as far as they are known.
    pub parameters: &'a BTreeMap<String, String>,
}

/// What becomes of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It is made.
    Add,
    /// It is changed where it is.
    Change,
    /// A new one takes its place.
    Replace,
    /// It leaves the stack.
    Remove,
}

/// A difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where: `Properties.MemorySize`, `Outputs.Url.Value`.
    pub path: String,
    /// What the stack has.
    pub old: Option<Node>,
    /// What the template has.
    pub new: Option<Node>,
    /// Whether the resource cannot be changed in place because of it.
    pub requires_replacement: bool,
    /// What makes it differ when the text is the same: a parameter or a resource that is replaced.
    pub because: Option<String>,
}

/// A resource that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceDifference {
    /// Its name in the template.
    pub logical_id: String,
    /// Its type, the new one where it changes.
    pub kind: String,
    /// What becomes of it.
    pub effect: Effect,
    /// Whether the one that leaves the stack stays in the account (`DeletionPolicy: Retain`).
    pub retained: bool,
    /// What differs; empty for one that is added or removed.
    pub differences: Vec<Difference>,
}

/// Everything that differs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff {
    /// The resources, by logical ID.
    pub resources: Vec<ResourceDifference>,
    /// Values of parameters, and every other section.
    pub others: Vec<Difference>,
}

impl Diff {
    /// Whether there is no difference.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.others.is_empty()
    }

    /// How many resources there are of an effect.
    pub fn count(&self, effect: Effect) -> usize {
        self.resources.iter().filter(|one| one.effect == effect).count()
    }
}

/// The types of the resources that both have and that may differ: those whose properties that need a
/// replacement have to be known.
pub fn types(live: Side<'_>, local: Side<'_>) -> BTreeSet<String> {
    let (old, new) = (resources(live), resources(local));
    new.iter().filter(|(id, _)| old.contains_key(id)).map(|(_, resource)| kind(resource)).collect()
}

/// Compares. `create_only` gives the properties of a type that cannot be changed in place, as
/// `/properties/Name` (`createOnlyProperties` of its schema).
pub fn diff(live: Side<'_>, local: Side<'_>, create_only: &BTreeMap<String, Vec<String>>) -> Diff {
    let (old, new) = (resources(live), resources(local));
    let mut found: BTreeMap<&str, ResourceDifference> = BTreeMap::new();
    for (id, resource) in old.iter().filter(|(id, _)| !new.contains_key(id)) {
        let retained = retains(resource, "DeletionPolicy");
        found.insert(id, resource_difference(id, kind(resource), Effect::Remove, retained));
    }
    for (id, resource) in new.iter().filter(|(id, _)| !old.contains_key(id)) {
        found.insert(id, resource_difference(id, kind(resource), Effect::Add, false));
    }
    let parameters = changed_parameters(live, local);
    let mut causes: BTreeMap<String, String> = parameters
        .iter()
        .map(|one| (name_of(&one.path).to_owned(), format!("parameter {}", name_of(&one.path))))
        .collect();
    // One that is replaced has another name, which may replace those that name it.
    loop {
        let before = causes.len();
        for (id, resource) in new.iter() {
            let Some(existing) = old.get(id) else { continue };
            let one = compare(id, existing, resource, &causes, create_only);
            if one.effect == Effect::Replace {
                causes.entry(id.to_owned()).or_insert_with(|| format!("{id} is replaced"));
            }
            if one.effect == Effect::Replace || !one.differences.is_empty() {
                found.insert(id, one);
            }
        }
        if causes.len() == before {
            break;
        }
    }
    let mut others = parameters;
    sections(live.template, local.template, &mut others);
    Diff { resources: found.into_values().collect(), others }
}

fn name_of(path: &str) -> &str {
    path.split('.').nth(1).unwrap_or_default()
}

fn resource_difference(id: &str, kind: String, effect: Effect, retained: bool) -> ResourceDifference {
    ResourceDifference { logical_id: id.to_owned(), kind, effect, retained, differences: Vec::new() }
}

fn resources(side: Side<'_>) -> Map {
    side.template.get("Resources").and_then(Node::as_map).cloned().unwrap_or_default()
}

fn kind(resource: &Node) -> String {
    resource.get("Type").and_then(Node::as_str).unwrap_or_default().to_owned()
}

fn retains(resource: &Node, policy: &str) -> bool {
    resource.get(policy).and_then(Node::as_str).is_some_and(|policy| policy.starts_with("Retain"))
}

fn compare(
    id: &str,
    old: &Node,
    new: &Node,
    causes: &BTreeMap<String, String>,
    create_only: &BTreeMap<String, Vec<String>>,
) -> ResourceDifference {
    let kind = kind(new);
    let fixed = create_only.get(&kind).map(Vec::as_slice).unwrap_or_default();
    let mut differences = Vec::new();
    let names: BTreeSet<&str> = [old, new].into_iter().filter_map(Node::as_map).flat_map(Map::keys).collect();
    for name in names {
        walk(name.to_owned(), old.get(name), new.get(name), &mut differences);
    }
    for (name, value) in new.get("Properties").and_then(Node::as_map).into_iter().flat_map(Map::iter) {
        let path = format!("Properties.{name}");
        let within = |one: &Difference| one.path == path || one.path.starts_with(&format!("{path}."));
        if differences.iter().any(within) {
            continue;
        }
        let mut named = BTreeSet::new();
        references(value, &mut named);
        let because = named.iter().find_map(|name| causes.get(name));
        differences.extend(because.map(|because| Difference {
            path,
            old: Some(value.clone()),
            new: Some(value.clone()),
            requires_replacement: false,
            because: Some(because.clone()),
        }));
    }
    for one in &mut differences {
        one.requires_replacement = one.path == "Type" || fixed.iter().any(|property| concerns(property, &one.path));
    }
    let effect = match differences.iter().any(|one| one.requires_replacement) {
        true => Effect::Replace,
        false => Effect::Change,
    };
    let retained = effect == Effect::Replace && retains(old, "UpdateReplacePolicy");
    ResourceDifference { differences, ..resource_difference(id, kind, effect, retained) }
}

/// Whether `/properties/A/B` is what has changed at `Properties.A.B.C`, or a part of it.
fn concerns(property: &str, path: &str) -> bool {
    let Some(property) = property.strip_prefix("/properties/") else { return false };
    let Some(path) = path.strip_prefix("Properties.") else { return false };
    property.split('/').zip(path.split('.')).all(|(one, other)| one == other || one == "*")
}

/// Values of parameters that differ. One that is masked cannot be compared.
fn changed_parameters(live: Side<'_>, local: Side<'_>) -> Vec<Difference> {
    let secret = |name: &str| no_echo(live.template, name) || no_echo(local.template, name);
    let declared = local.template.get("Parameters").and_then(Node::as_map);
    let names = declared.into_iter().flat_map(Map::keys);
    let value = |side: Side<'_>, name: &str| side.parameters.get(name).map(|value| Node::from(value.as_str()));
    names
        .filter(|name| !secret(name))
        .filter_map(|name| {
            let (old, new) = (value(live, name)?, value(local, name)?);
            (!same(&old, &new)).then(|| Difference {
                path: format!("Parameters.{name}"),
                old: Some(old),
                new: Some(new),
                requires_replacement: false,
                because: Some("its value".to_owned()),
            })
        })
        .collect()
}

fn no_echo(template: &Node, name: &str) -> bool {
    let flag = template.path(&["Parameters", name, "NoEcho"]);
    flag.is_some_and(|flag| flag.as_bool() == Some(true) || flag.as_str().is_some_and(|text| text == "true"))
}

fn sections(old: &Node, new: &Node, found: &mut Vec<Difference>) {
    let names: BTreeSet<&str> = [old, new].into_iter().filter_map(Node::as_map).flat_map(Map::keys).collect();
    let first = found.len();
    let none = Node::from(Map::new());
    for name in
        names.into_iter().filter(|name| !matches!(*name, "Resources" | "AWSTemplateFormatVersion" | "Transform"))
    {
        let entries = |template: &'_ Node| template.get(name).is_none_or(|section| section.as_map().is_some());
        let (mut before, mut after) = (old.get(name), new.get(name));
        if entries(old) && entries(new) {
            // A section that one of the two does not have is told entry by entry, too.
            (before, after) = (before.or(Some(&none)), after.or(Some(&none)));
        }
        walk(name.to_owned(), before, after, found);
    }
    for one in found.iter_mut().skip(first) {
        let parameter = one.path.strip_prefix("Parameters.").and_then(|rest| rest.split('.').next());
        if parameter.is_some_and(|name| no_echo(old, name) || no_echo(new, name)) {
            for side in [&mut one.old, &mut one.new].into_iter().flatten() {
                mask(side, one.path.ends_with(".Default"));
            }
        }
    }
}

/// Hides the default of a secret.
fn mask(node: &mut Node, whole: bool) {
    if whole {
        *node = Node::from(MASKED);
    } else if let Some(default) = node.as_map_mut().and_then(|map| map.get_mut("Default")) {
        *default = Node::from(MASKED);
    }
}

/// The smallest parts that differ.
fn walk(path: String, old: Option<&Node>, new: Option<&Node>, found: &mut Vec<Difference>) {
    if let (Some(old), Some(new)) = (old, new) {
        if same(old, new) {
            return;
        }
        match (&old.value, &new.value) {
            (Value::Map(left), Value::Map(right)) if old.intrinsic().is_none() && new.intrinsic().is_none() => {
                let names: BTreeSet<&str> = left.keys().chain(right.keys()).collect();
                for name in names {
                    walk(format!("{path}.{name}"), left.get(name), right.get(name), found);
                }
                return;
            }
            (Value::List(left), Value::List(right)) if left.len() == right.len() => {
                for (index, (left, right)) in left.iter().zip(right).enumerate() {
                    walk(format!("{path}.{index}"), Some(left), Some(right), found);
                }
                return;
            }
            _ => {}
        }
    } else if old.is_none() && new.is_none() {
        return;
    }
    found.push(Difference { path, old: old.cloned(), new: new.cloned(), requires_replacement: false, because: None });
}

/// Whether CloudFormation takes two values for the same: a number and a truth value are their text.
fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Map(left), Value::Map(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, value)| right.get(name).is_some_and(|other| same(value, other)))
        }
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Map(_) | Value::List(_), _) | (_, Value::Map(_) | Value::List(_)) => false,
        _ => scalar(one) == scalar(other),
    }
}

fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// Whom a value names: `Ref`, `Fn::GetAtt`, and `${Name}` of `Fn::Sub`.
fn references(node: &Node, found: &mut BTreeSet<String>) {
    match node.intrinsic() {
        Some(("Ref", name)) => found.extend(name.as_str().map(str::to_owned)),
        Some(("Fn::GetAtt", arguments)) => {
            let first = arguments.as_list().and_then(|list| list.first()).unwrap_or(arguments).as_str();
            found.extend(first.and_then(|name| name.split('.').next()).map(str::to_owned));
        }
        Some(("Fn::Sub", arguments)) => {
            let text = arguments.as_list().and_then(|list| list.first()).unwrap_or(arguments).as_str();
            for part in text.unwrap_or_default().split("${").skip(1) {
                let name = part.split('}').next().unwrap_or_default();
                found.extend(name.split('.').next().map(str::to_owned));
            }
        }
        _ => {}
    }
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| references(item, found)),
        Value::Map(map) => map.iter().for_each(|(_, value)| references(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::read;

    fn template(text: &str) -> Node {
        read::read_bytes("test", text.as_bytes()).unwrap().root
    }

    fn compared(old: &str, new: &str, given: [(&str, &str); 1]) -> Diff {
        let values = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let create_only = BTreeMap::from([
            ("AWS::SQS::Queue".to_owned(), vec!["/properties/QueueName".to_owned()]),
            ("AWS::SNS::Subscription".to_owned(), vec!["/properties/Endpoint".to_owned()]),
        ]);
        let (old, new) = (template(old), template(new));
        let (before, after) = (values(&[("Name", "one")]), values(&given));
        diff(Side { template: &old, parameters: &before }, Side { template: &new, parameters: &after }, &create_only)
    }

    const OLD: &str = "
Parameters:
  Name: { Type: String }
  Secret: { Type: String, NoEcho: true, Default: hidden }
Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: { QueueName: !Ref Name, DelaySeconds: 1 } }
  Sub: { Type: AWS::SNS::Subscription, Properties: { Endpoint: !GetAtt Queue.Arn, Protocol: sqs } }
  Gone: { Type: AWS::SNS::Topic, DeletionPolicy: Retain }
";

    #[test]
    fn the_same_template_in_other_words_has_no_difference() {
        let new = OLD.replace("DelaySeconds: 1", "DelaySeconds: '1'").replace("NoEcho: true", "NoEcho: 'true'");
        assert!(compared(OLD, &new, [("Name", "one")]).is_empty());
    }

    #[test]
    fn what_differs_is_named_to_the_property() {
        let new = OLD.replace("DelaySeconds: 1", "DelaySeconds: 2").replace("Gone", "Came");
        let found = compared(OLD, &new, [("Name", "one")]);
        let effects: Vec<(&str, Effect, bool)> =
            found.resources.iter().map(|one| (one.logical_id.as_str(), one.effect, one.retained)).collect();
        assert_eq!(
            effects,
            [("Came", Effect::Add, false), ("Gone", Effect::Remove, true), ("Queue", Effect::Change, false)]
        );
        assert_eq!(found.resources[2].differences[0].path, "Properties.DelaySeconds");
    }

    #[test]
    fn a_replaced_resource_replaces_those_that_cannot_be_told_of_it() {
        let found = compared(OLD, OLD, [("Name", "two")]);
        assert_eq!(found.others[0].path, "Parameters.Name");
        let [queue, subscription] = found.resources.as_slice() else { panic!("{found:?}") };
        assert_eq!((queue.effect, subscription.effect), (Effect::Replace, Effect::Replace));
        assert_eq!(queue.differences[0].because.as_deref(), Some("parameter Name"));
        assert_eq!(subscription.differences[0].because.as_deref(), Some("Queue is replaced"));
    }

    #[test]
    fn secrets_are_masked() {
        let found = compared(OLD, &OLD.replace("hidden", "other"), [("Name", "one")]);
        assert_eq!(found.others.len(), 1);
        assert!(!format!("{:?}", found.others).contains("hidden"));
        let without = OLD.lines().filter(|line| !line.contains("Secret")).collect::<Vec<_>>().join("\n");
        let bare = without.replace("Parameters:\n  Name: { Type: String }\n", "");
        for (old, new) in [(without.as_str(), OLD), (OLD, without.as_str()), (OLD, bare.as_str()), (&bare, OLD)] {
            let found = compared(old, new, [("Name", "one")]);
            assert!(!found.others.is_empty() && !format!("{:?}", found.others).contains("hidden"));
        }
    }

    proptest::proptest! {
        #[test]
        fn a_template_does_not_differ_from_itself(names in proptest::collection::btree_set("[A-Z][a-z]{0,5}", 1..9)) {
            let body: String = names.iter().map(|name| format!("  {name}: {{ Type: AWS::SNS::Topic }}\n")).collect();
            let text = format!("Resources:\n{body}");
            proptest::prop_assert!(compared(&text, &text, [("Name", "one")]).is_empty());
        }
    }
}
