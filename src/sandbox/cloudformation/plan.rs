//! A template together with its parameters: everything that can be known, and refused, before
//! anything is done.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::condition;
use super::document::{self, Definition};
use super::evaluate::{self, Blocked, Lookup, Pseudo, Scope};
use super::graph::{self, Graph};
use super::model::{Output, Resource, Stack, Target};
use super::reference::{self, Reference};
use super::resource;
use super::wire::Fault;

/// What is to be done, checked.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) target: Target,
    pub(super) pseudo: Pseudo,
    pub(super) conditions: BTreeMap<String, bool>,
    /// The resources whose conditions hold, and what each depends on.
    pub(super) graph: Graph,
}

/// The exports of the region: name to value and exporting stack.
pub(super) type Exports = BTreeMap<String, (String, String)>;

impl Plan {
    /// Checks a template with its parameters.
    pub(super) fn new(target: Target, pseudo: Pseudo) -> Result<Self, Fault> {
        document::check(&target.processed)?;
        let conditions = condition::conditions(&target.processed, &target.parameters, &pseudo).map_err(refused)?;
        let mut plan = Self { target, pseudo, conditions, graph: Graph::new() };
        plan.check_conditions()?;
        plan.check_types()?;
        plan.graph = plan.dependencies()?;
        plan.check_outputs()?;
        plan.check_attributes()?;
        let circle = graph::circle(&plan.graph);
        if !circle.is_empty() {
            return Err(Fault::validation(format!("Circular dependency between resources: [{}]", circle.join(", "))));
        }
        plan.check_values()?;
        Ok(plan)
    }

    /// The resources whose conditions hold.
    pub(super) fn resources(&self) -> impl Iterator<Item = Definition<'_>> {
        document::resources(&self.target.processed).filter(|definition| self.holds(definition.condition()))
    }

    /// One of them.
    pub(super) fn resource(&self, id: &str) -> Option<Definition<'_>> {
        self.resources().find(|definition| definition.id == id)
    }

    fn holds(&self, condition: Option<&str>) -> bool {
        condition.is_none_or(|name| self.conditions.get(name).copied().unwrap_or(false))
    }

    fn outputs(&self) -> impl Iterator<Item = (&str, &Value)> {
        document::section(&self.target.processed, "Outputs")
            .into_iter()
            .flatten()
            .filter(|(_, output)| self.holds(output.get("Condition").and_then(Value::as_str)))
            .map(|(name, output)| (name.as_str(), output))
    }

    /// What stands in the parts of a resource that are evaluated.
    fn evaluated(definition: Definition<'_>) -> impl Iterator<Item = &Value> {
        ["Properties", "Metadata", "UpdatePolicy"].into_iter().filter_map(move |key| definition.get(key))
    }

    fn check_conditions(&self) -> Result<(), Fault> {
        for definition in document::resources(&self.target.processed) {
            if let Some(name) = definition.condition()
                && !self.conditions.contains_key(name)
            {
                return Err(Fault::validation(format!(
                    "Template format error: Unresolved condition dependency {name} in the Resources block of the template"
                )));
            }
        }
        for (_, output) in document::section(&self.target.processed, "Outputs").into_iter().flatten() {
            if let Some(name) = output.get("Condition").and_then(Value::as_str)
                && !self.conditions.contains_key(name)
            {
                return Err(Fault::validation(format!(
                    "Template format error: Unresolved condition dependency {name} in the Outputs block of the template"
                )));
            }
        }
        Ok(())
    }

    fn check_types(&self) -> Result<(), Fault> {
        let unknown: BTreeSet<&str> = document::resources(&self.target.processed)
            .map(Definition::kind)
            .filter(|kind| resource::provider(kind).is_none())
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let unknown: Vec<&str> = unknown.into_iter().collect();
        Err(Fault::validation(format!(
            "Template format error: Unrecognized resource types: [{}]. The sandbox's CloudFormation has no provider for them",
            unknown.join(", ")
        )))
    }

    fn dependencies(&self) -> Result<Graph, Fault> {
        let exists: BTreeSet<&str> = self.resources().map(|definition| definition.id).collect();
        let declared: BTreeSet<&str> = document::resources(&self.target.processed).map(|d| d.id).collect();
        let mut unresolved = BTreeSet::new();
        let mut graph = Graph::new();
        for definition in self.resources() {
            let mut needs = BTreeSet::new();
            for name in definition.depends_on() {
                if !declared.contains(name) {
                    unresolved.insert(name.to_owned());
                } else if exists.contains(name) {
                    needs.insert(name.to_owned());
                }
            }
            for reference in
                Self::evaluated(definition).flat_map(|value| reference::references(value, &self.conditions))
            {
                if exists.contains(reference.name.as_str()) {
                    needs.insert(reference.name);
                } else if !self.is_value(&reference) {
                    unresolved.insert(reference.name);
                }
            }
            graph.insert(definition.id.to_owned(), needs);
        }
        if unresolved.is_empty() {
            return Ok(graph);
        }
        let names: Vec<String> = unresolved.into_iter().collect();
        Err(Fault::validation(format!(
            "Template format error: Unresolved resource dependencies [{}] in the Resources block of the template",
            names.join(", ")
        )))
    }

    /// Whether a name is a parameter or a pseudo parameter.
    fn is_value(&self, reference: &Reference) -> bool {
        reference.attribute.is_none()
            && (evaluate::is_pseudo(&reference.name) || self.target.parameters.contains_key(&reference.name))
    }

    fn check_outputs(&self) -> Result<(), Fault> {
        let unresolved: BTreeSet<String> = self
            .outputs()
            .flat_map(|(_, output)| reference::references(output, &self.conditions))
            .filter(|reference| !self.graph.contains_key(&reference.name) && !self.is_value(reference))
            .map(|reference| reference.name)
            .collect();
        if unresolved.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = unresolved.into_iter().collect();
        Err(Fault::validation(format!(
            "Unresolved resource dependencies [{}] in the Outputs block of the template",
            names.join(", ")
        )))
    }

    fn check_attributes(&self) -> Result<(), Fault> {
        let expressions = self.resources().flat_map(Self::evaluated).chain(self.outputs().map(|(_, output)| output));
        for reference in expressions.flat_map(|value| reference::references(value, &self.conditions)) {
            let (Some(attribute), Some(definition)) = (&reference.attribute, self.resource(&reference.name)) else {
                continue;
            };
            // A computed attribute name is checked when it is computed.
            let known = resource::provider(definition.kind())
                .is_none_or(|provider| attribute.is_empty() || provider.spec().has_attribute(attribute));
            if !known {
                return Err(Fault::validation(format!(
                    "Template error: resource {} does not support attribute type {attribute} in Fn::GetAtt",
                    reference.name
                )));
            }
        }
        Ok(())
    }

    /// Evaluates everything with resources unknown, for the errors that parameters and mappings make.
    fn check_values(&self) -> Result<(), Fault> {
        let unknown = |name: &str, _: Option<&str>| Err(Blocked::Pending(name.to_owned()));
        // An export is looked up when the operation runs.
        let exports = Exports::new();
        let scope = self.scope(&unknown, &exports, true);
        let expressions = self.resources().flat_map(Self::evaluated).chain(self.outputs().map(|(_, output)| output));
        for expression in expressions {
            if let Err(Blocked::Invalid(message)) = scope.resolve(expression)
                && !message.starts_with("No export named")
            {
                return Err(Fault::validation(message));
            }
        }
        Ok(())
    }

    fn scope<'a>(&'a self, resource: &'a Lookup<'a>, exports: &'a Exports, masked: bool) -> Scope<'a> {
        Scope {
            template: &self.target.processed,
            parameters: &self.target.parameters,
            pseudo: &self.pseudo,
            conditions: &self.conditions,
            resource,
            exports,
            masked,
        }
    }

    /// The record that a resource will have: everything but what its provider says.
    pub(super) fn record(
        &self,
        definition: Definition<'_>,
        resource: &Lookup<'_>,
        exports: &Exports,
    ) -> Result<Resource, Blocked> {
        let metadata = match definition.get("Metadata") {
            Some(metadata) => self.scope(resource, exports, false).resolve(metadata)?,
            None => None,
        };
        Ok(Resource {
            kind: definition.kind().to_owned(),
            properties: self.properties(definition, resource, exports, false)?,
            shown: self.properties(definition, resource, exports, true)?,
            metadata,
            deletion_policy: definition.policy("DeletionPolicy"),
            update_replace_policy: definition.policy("UpdateReplacePolicy"),
            dependencies: self.graph.get(definition.id).cloned().unwrap_or_default(),
            tags: self.target.tags.clone(),
            suffix: suffix(),
            ..Resource::default()
        })
    }

    /// A resource's `UpdatePolicy`, resolved.
    pub(super) fn update_policy(
        &self,
        definition: Definition<'_>,
        resource: &Lookup<'_>,
        exports: &Exports,
    ) -> Result<Option<Value>, Blocked> {
        match definition.get("UpdatePolicy") {
            Some(policy) => self.scope(resource, exports, false).resolve(policy),
            None => Ok(None),
        }
    }

    fn properties(
        &self,
        definition: Definition<'_>,
        resource: &Lookup<'_>,
        exports: &Exports,
        masked: bool,
    ) -> Result<Map<String, Value>, Blocked> {
        let scope = self.scope(resource, exports, masked);
        let mut properties = Map::new();
        for (name, value) in definition.properties() {
            if let Some(value) = scope.resolve(value)? {
                properties.insert(name.to_owned(), value);
            }
        }
        Ok(properties)
    }

    /// One property, resolved.
    pub(super) fn property(
        &self,
        value: &Value,
        resource: &Lookup<'_>,
        exports: &Exports,
    ) -> Result<Option<Value>, Blocked> {
        self.scope(resource, exports, false).resolve(value)
    }

    /// The outputs, resolved.
    pub(super) fn resolved_outputs(&self, resource: &Lookup<'_>, exports: &Exports) -> Result<Vec<Output>, Blocked> {
        let scope = self.scope(resource, exports, false);
        self.outputs()
            .map(|(key, output)| {
                let export = output.get("Export").and_then(|export| export.get("Name"));
                Ok(Output {
                    key: key.to_owned(),
                    value: scope.text(&output["Value"])?,
                    description: output.get("Description").and_then(Value::as_str).map(str::to_owned),
                    export: export.map(|name| scope.text(name)).transpose()?,
                })
            })
            .collect()
    }

    /// Names of the exports that the template imports, as far as they can be known now.
    pub(super) fn imports(&self, stack: &Stack, exports: &Exports) -> BTreeSet<String> {
        let lookup = known_in(stack);
        let scope = self.scope(&lookup, exports, false);
        let mut found = BTreeSet::new();
        let expressions = self.resources().flat_map(Self::evaluated).chain(self.outputs().map(|(_, output)| output));
        for expression in expressions {
            import_names(expression, &mut |argument| found.extend(scope.text(argument)));
        }
        found
    }
}

fn import_names(value: &Value, each: &mut dyn FnMut(&Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| import_names(item, each)),
        Value::Object(map) => {
            if let Some(("Fn::ImportValue", argument)) = evaluate::intrinsic(map) {
                each(argument);
            }
            map.values().for_each(|value| import_names(value, each));
        }
        _ => {}
    }
}

/// Looks references up in what a stack has.
pub(super) fn known_in(stack: &Stack) -> impl Fn(&str, Option<&str>) -> Result<Value, Blocked> + Sync + '_ {
    move |name, attribute| {
        let record = stack.resources.get(name).filter(|record| record.settled());
        let Some((record, physical_id)) = record.and_then(|record| Some((record, record.physical_id.as_ref()?))) else {
            return Err(Blocked::Pending(name.to_owned()));
        };
        match attribute {
            None => Ok(physical_id.clone().into()),
            Some(attribute) => record.attributes.get(attribute).cloned().ok_or_else(|| {
                Blocked::Invalid(format!(
                    "Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt"
                ))
            }),
        }
    }
}

/// The random end of a generated name.
fn suffix() -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..12).map(|_| char::from(LETTERS[rand::random_range(0..LETTERS.len())])).collect()
}

fn refused(blocked: Blocked) -> Fault {
    match blocked {
        Blocked::Invalid(message) => Fault::validation(message),
        Blocked::Pending(name) => Fault::validation(format!(
            "Template format error: Unresolved dependencies [{name}]. Cannot reference resources in the Conditions block of the template"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::cloudformation::parameters;
    use serde_json::json;

    fn plan(template: Value) -> Result<Plan, String> {
        let parameters = parameters::effective(&template, &[], None).map_err(|fault| fault.message)?;
        let target = Target {
            body: template.to_string(),
            processed: template,
            transforms: vec![],
            parameters,
            tags: indexmap::IndexMap::new(),
            capabilities: vec![],
            role_arn: None,
            notification_arns: vec![],
        };
        let pseudo = Pseudo {
            account: "000000000000".into(),
            region: "us-east-1".into(),
            stack_id: "arn:stack".into(),
            stack_name: "s".into(),
            notification_arns: vec![],
        };
        Plan::new(target, pseudo).map_err(|fault| fault.message)
    }

    fn group(properties: Value) -> Value {
        json!({"Type": "AWS::Logs::LogGroup", "Properties": properties})
    }

    #[test]
    fn order_follows_references_and_depends_on() {
        let plan = plan(json!({"Resources": {
            "A": group(json!({"LogGroupName": {"Fn::Sub": "${B}-x"}})),
            "B": group(json!({"KmsKeyId": {"Fn::GetAtt": "C.Arn"}})),
            "C": {"Type": "AWS::Logs::LogGroup", "DependsOn": ["D"]},
            "D": group(json!({})),
        }}))
        .unwrap();
        let needs: Vec<Vec<String>> = plan.graph.values().map(|needs| needs.iter().cloned().collect()).collect();
        assert_eq!(needs, [vec!["B"], vec!["C"], vec!["D"], vec![]]);
    }

    #[test]
    fn what_cannot_work_is_refused_before_it_starts() {
        let error = |resources: Value| {
            plan(json!({
                "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
                "Resources": resources,
            }))
            .unwrap_err()
        };
        assert_eq!(
            error(
                json!({"A": group(json!({"LogGroupName": {"Ref": "B"}})), "B": group(json!({"LogGroupName": {"Ref": "A"}}))})
            ),
            "Circular dependency between resources: [A, B]"
        );
        assert_eq!(
            error(json!({"A": {"Type": "AWS::Logs::LogGroup", "DependsOn": "Gone"}})),
            "Template format error: Unresolved resource dependencies [Gone] in the Resources block of the template"
        );
        assert_eq!(
            error(json!({
                "A": {"Type": "AWS::Logs::LogGroup", "Condition": "Never"},
                "B": group(json!({"LogGroupName": {"Fn::GetAtt": ["A", "Arn"]}})),
            })),
            "Template format error: Unresolved resource dependencies [A] in the Resources block of the template"
        );
        assert_eq!(
            error(json!({"A": group(json!({})), "B": group(json!({"LogGroupName": {"Fn::GetAtt": ["A", "Odd"]}}))})),
            "Template error: resource A does not support attribute type Odd in Fn::GetAtt"
        );
        assert_eq!(
            error(json!({"A": group(json!({"LogGroupName": {"Fn::FindInMap": ["M", "a", "b"]}}))})),
            "Template error: Unable to get mapping for M::a::b"
        );
        assert!(
            error(json!({"A": {"Type": "AWS::Nuclear::Reactor"}}))
                .contains("Unrecognized resource types: [AWS::Nuclear::Reactor]")
        );
        let outputs = plan(json!({
            "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
            "Resources": {"A": group(json!({})), "B": {"Type": "AWS::Logs::LogGroup", "Condition": "Never"}},
            "Outputs": {"O": {"Value": {"Ref": "B"}}},
        }));
        assert_eq!(outputs.unwrap_err(), "Unresolved resource dependencies [B] in the Outputs block of the template");
    }
}
