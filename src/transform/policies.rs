//! `Policies` of functions: managed policies by name or ARN, policy templates, statements; and the
//! execution role that they end up in.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::build::{Read, if_arguments, list, map, text};
use super::context::Context;
use super::generated::Generated;
use super::refusal::Refusal;
use crate::template::{Map, Node, Value};

static TEMPLATES: LazyLock<serde_json::Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("data/policy_templates.json")).expect("the data file is JSON; a test reads it")
});

static MANAGED: LazyLock<std::collections::HashMap<(&'static str, &'static str), &'static str>> = LazyLock::new(|| {
    include_str!("data/managed_policies.txt")
        .lines()
        .filter_map(|line| {
            let (partition, path) = line.split_once(' ')?;
            Some(((partition, path.rsplit('/').next()?), path))
        })
        .collect()
});

/// The ARN of an AWS managed policy: `path` is its path and name.
pub(crate) fn managed_policy_arn(partition: &str, path: &str) -> String {
    format!("arn:{partition}:iam::aws:policy/{path}")
}

/// What a managed policy's name stands for; a name that is not known stays.
fn resolve_managed(name: &str, partition: &str) -> String {
    MANAGED.get(&(partition, name)).map_or_else(|| name.to_owned(), |path| managed_policy_arn(partition, path))
}

/// The same with what the resolver knows; ARNs are ARNs already.
fn arn_of(name: &str, context: &Context) -> String {
    let known = resolve_managed(name, context.partition);
    if known != name || name.starts_with("arn:") {
        return known;
    }
    context.resolver.managed_policy(name).unwrap_or(known)
}

/// What an entry of `Policies` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Managed,
    Statement,
    Template,
    Unknown,
}

/// `templates`: whether policy templates are still there to be found.
fn classify(policy: &Node, templates: bool) -> Result<Entry, Refusal> {
    if policy.as_str().is_some() {
        return Ok(Entry::Managed);
    }
    if let Some(arguments) = policy.as_if() {
        let [_, then, otherwise] = if_arguments(arguments).map_err(Refusal::template)?;
        let (first, second) = (classify(then, templates)?, classify(otherwise, templates)?);
        return if first == second || otherwise.is_no_value() {
            Ok(first)
        } else if then.is_no_value() {
            Ok(second)
        } else {
            Err(Refusal::template(
                "Different policy types within the same Fn::If statement is unsupported. Separate different policy \
                 types into different Fn::If statements",
            ))
        };
    }
    if policy.is_intrinsic() {
        return Ok(Entry::Managed);
    }
    let Some(map) = policy.as_map() else {
        return Ok(Entry::Unknown);
    };
    if map.contains_key("Statement") {
        return Ok(Entry::Statement);
    }
    Ok(match map.only() {
        Some((name, _)) if templates && is_template(name) => Entry::Template,
        _ => Entry::Unknown,
    })
}

/// Whether there is such a policy template.
pub fn is_template(name: &str) -> bool {
    TEMPLATES.get("Templates").and_then(|templates| templates.get(name)).is_some()
}

/// Replaces the policy templates in a function's properties by what they stand for.
pub(crate) fn expand_templates(id: &str, properties: &mut Map) -> Result<(), Refusal> {
    let Some(policies) = properties.get("Policies").filter(|policies| policies.truthy()) else {
        return Ok(());
    };
    let span = policies.span;
    let entries: Vec<Node> = match &policies.value {
        Value::List(items) => items.clone(),
        _ => vec![policies.clone()],
    };
    let kinds = entries.iter().map(|entry| classify(entry, true)).collect::<Result<Vec<_>, _>>()?;
    let mut expanded = Vec::with_capacity(entries.len());
    for (entry, kind) in entries.into_iter().zip(kinds) {
        if kind != Entry::Template {
            expanded.push(entry);
            continue;
        }
        expanded.push(match entry.as_if() {
            Some(arguments) => {
                let [condition, then, otherwise] = if_arguments(arguments).map_err(Refusal::template)?;
                let branch =
                    |branch: &Node| if branch.is_no_value() { Ok(branch.clone()) } else { statement_of(id, branch) };
                map([("Fn::If", list([condition.clone(), branch(then)?, branch(otherwise)?]))])
            }
            None => statement_of(id, &entry)?,
        });
    }
    properties.insert("Policies", Node::from(expanded).at(span));
    Ok(())
}

/// The statement that a policy template with its parameters stands for.
fn statement_of(id: &str, policy: &Node) -> Result<Node, Refusal> {
    let Some((name, given)) = policy.as_map().and_then(Map::only) else {
        return Err(Refusal::resource(id, "A policy template has exactly one name").at(policy.span));
    };
    let template = TEMPLATES.get("Templates").and_then(|templates| templates.get(name));
    let Some(template) = template else {
        return Err(Refusal::resource(id, format!("There is no policy template '{name}'")).at(policy.span));
    };
    let Some(given_map) = given.as_map() else {
        let message = format!("Must specify valid parameter values for policy template '{name}'");
        return Err(Refusal::resource(id, message).at(given.span.or(policy.span)));
    };
    let parameters: Vec<&str> =
        template["Parameters"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).collect();
    let missing: Vec<String> = parameters
        .iter()
        .filter(|parameter| !given_map.contains_key(parameter))
        .map(|parameter| format!("'{parameter}'"))
        .collect();
    if !missing.is_empty() {
        let message =
            format!("Following required parameters of template '{name}' don't have values: [{}]", missing.join(", "));
        return Err(Refusal::resource(id, message).at(policy.span));
    }
    let mut definition = Node::from(template["Definition"].clone());
    fill_in(&mut definition, &parameters, given_map);
    Ok(definition.at(policy.span))
}

fn fill_in(node: &mut Node, parameters: &[&str], given: &Map) {
    let name = node.as_map().and_then(Map::only).filter(|(key, _)| *key == "Ref").and_then(|(_, name)| name.as_str());
    if let Some(value) = name.filter(|name| parameters.contains(name)).and_then(|name| given.get(name)) {
        *node = value.clone();
        return;
    }
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| fill_in(item, parameters, given)),
        Value::Map(map) => map.iter_mut().for_each(|(_, value)| fill_in(value, parameters, given)),
        _ => {}
    }
}

/// What an execution role is made from.
pub(crate) struct Role<'a> {
    /// The logical ID of the resource that it is for.
    pub(crate) owner: &'a str,
    pub(crate) attributes: &'a Map,
    pub(crate) trust: Node,
    pub(crate) managed: Vec<String>,
    pub(crate) documents: Vec<Node>,
    /// The resource's own `Policies`.
    pub(crate) policies: Option<&'a Node>,
    pub(crate) path: Option<&'a Node>,
    pub(crate) boundary: Option<&'a Node>,
    pub(crate) tags: Vec<Node>,
}

impl Role<'_> {
    /// The role.
    pub(crate) fn build(self, context: &Context) -> Result<Generated, Refusal> {
        let mut role = Generated::new(format!("{}Role", self.owner), "AWS::IAM::Role", self.attributes)?;
        let mut managed: Vec<Node> = self.managed.into_iter().map(text).collect();
        let mut documents = self.documents;
        let entries: &[Node] = match self.policies {
            Some(policies) if policies.truthy() => match &policies.value {
                Value::List(items) => items,
                _ => std::slice::from_ref(policies),
            },
            _ => &[],
        };
        for (index, policy) in entries.iter().enumerate() {
            match classify(policy, false)? {
                Entry::Statement => {
                    let name = format!("{}Policy{index}", role.id);
                    let document = |statement: &Node| {
                        map([("PolicyName", text(name.as_str())), ("PolicyDocument", statement.clone())])
                    };
                    documents.push(convert(policy, document, |branch| !branch.is_no_value()));
                }
                Entry::Managed => {
                    let arn = |policy: &Node| match policy.as_str() {
                        Some(name) => text(arn_of(name, context)).at(policy.span),
                        None => policy.clone(),
                    };
                    let policy = convert(policy, arn, |branch| branch.as_str().is_some());
                    if !managed.iter().any(|other| same(other, &policy)) {
                        managed.push(policy);
                    }
                }
                Entry::Template | Entry::Unknown => {
                    let message = format!("Policy at index {index} in the 'Policies' property is not valid");
                    return Err(Refusal::resource(self.owner, message).at(policy.span));
                }
            }
        }
        role.set("AssumeRolePolicyDocument", self.trust);
        role.set("ManagedPolicyArns", Node::from(managed));
        if !documents.is_empty() {
            role.set("Policies", Node::from(documents));
        }
        role.set("Path", self.path.cloned());
        role.set("PermissionsBoundary", self.boundary.cloned());
        role.set("Tags", Node::from(self.tags));
        Ok(role)
    }
}

/// Applies `to` to a value, or to both branches of an `Fn::If` where `when` holds.
fn convert(node: &Node, to: impl Fn(&Node) -> Node, when: impl Fn(&Node) -> bool) -> Node {
    let Some(Ok([condition, then, otherwise])) = node.as_if().map(if_arguments) else {
        return to(node);
    };
    let branch = |branch: &Node| if when(branch) { to(branch) } else { branch.clone() };
    map([("Fn::If", list([condition.clone(), branch(then), branch(otherwise)]))]).at(node.span)
}

/// Whether two values are equal, wherever they stand.
pub(crate) fn same(a: &Node, b: &Node) -> bool {
    a.to_json() == b.to_json()
}

/// Adds policies that an event source needs to a function's role.
pub(crate) fn grant(role: &mut Generated, managed: Option<String>, documents: Vec<Node>, compare_names: bool) {
    if let (Some(arn), Some(arns)) = (managed, role.properties.get_mut("ManagedPolicyArns"))
        && let Value::List(arns) = &mut arns.value
        && !arns.iter().any(|other| other.as_str() == Some(&arn))
    {
        arns.push(text(arn));
    }
    for document in documents {
        let statement = document.get("PolicyDocument").map(Node::to_json);
        let present: Vec<Node> =
            role.properties.get("Policies").and_then(Node::as_list).map(<[Node]>::to_vec).unwrap_or_default();
        let known = present.iter().any(|other| {
            other.get("PolicyDocument").map(Node::to_json) == statement || (compare_names && same(other, &document))
        });
        if !known {
            let mut policies = present;
            policies.push(document);
            role.properties.insert("Policies", Node::from(policies));
        }
    }
}

/// A policy document with its name.
pub(crate) fn named_policy(name: String, statements: Vec<Node>) -> Node {
    map([("PolicyName", text(name)), ("PolicyDocument", map([("Statement", Node::from(statements))]))])
}

/// One statement that allows one action.
pub(crate) fn allow(action: &str, resource: Node) -> Node {
    map([("Action", text(action)), ("Effect", text("Allow")), ("Resource", resource)])
}

/// The trust policy of a role that a service takes on.
pub(crate) fn trust(service: &str) -> Node {
    Node::from(serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": [service]}}],
    }))
}

/// The names of all policy templates.
pub fn template_names() -> HashSet<&'static str> {
    TEMPLATES["Templates"].as_object().into_iter().flat_map(|map| map.keys().map(String::as_str)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_files_are_whole() {
        assert!(template_names().len() > 70);
        assert!(is_template("DynamoDBCrudPolicy"));
        assert_eq!(
            resolve_managed("AWSLambdaBasicExecutionRole", "aws-cn"),
            "arn:aws-cn:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
        );
        assert_eq!(resolve_managed("NobodyKnowsThis", "aws"), "NobodyKnowsThis");
    }

    #[test]
    fn a_policy_template_wants_its_parameters() {
        let policy = Node::from(serde_json::json!({"DynamoDBReadPolicy": {}}));
        let causes = statement_of("Fn", &policy).unwrap_err().causes();
        assert_eq!(
            causes[0].sentence(),
            "Resource with id [Fn] is invalid. Following required parameters of template 'DynamoDBReadPolicy' don't \
             have values: ['TableName']"
        );
    }
}
