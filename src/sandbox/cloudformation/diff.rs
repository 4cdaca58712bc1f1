//! What an update would change, as change sets show it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::document::{self, Definition};
use super::evaluate::Blocked;
use super::model::{Policy, Resource, Stack};
use super::plan::{Exports, Plan, known_in};
use super::reference::references;
use super::resource::{self, Change, Spec};

/// What becomes of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Added,
    Unchanged,
    Modified,
    /// Replaced for certain, or only if a value that is not known yet differs.
    Replaced {
        certain: bool,
    },
}

/// The list of `Changes`.
pub(super) fn changes(plan: &Plan, stack: &Stack, exports: &Exports) -> Vec<Value> {
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    let mut effects: BTreeMap<String, Effect> = BTreeMap::new();
    while let Some(id) = next(plan, &effects) {
        let Some(definition) = plan.resource(&id) else { break };
        let existing =
            stack.resources.get(&id).filter(|record| record.physical_id.is_some() && record.status != "CREATE_FAILED");
        let (effect, change) = match existing {
            None => (Effect::Added, Some(added(definition))),
            Some(existing) => Comparison { plan, stack, exports, effects: &effects, definition, existing }.run(),
        };
        effects.insert(id.clone(), effect);
        all.extend(change.map(|change| (id, change)));
    }
    for (id, record) in stack.resources.iter().filter(|(id, _)| !plan.graph.contains_key(*id)) {
        all.insert(id.clone(), removed(id, record));
    }
    all.into_values().map(|change| json!({"Type": "Resource", "ResourceChange": change})).collect()
}

/// A resource whose dependencies have been looked at.
fn next(plan: &Plan, effects: &BTreeMap<String, Effect>) -> Option<String> {
    let mut left = plan.graph.iter().filter(|(id, _)| !effects.contains_key(*id));
    left.find(|(_, needs)| needs.iter().all(|need| effects.contains_key(need))).map(|(id, _)| id.clone())
}

fn added(definition: Definition<'_>) -> Value {
    json!({
        "Action": "Add",
        "LogicalResourceId": definition.id,
        "ResourceType": definition.kind(),
        "Scope": [],
        "Details": [],
    })
}

fn removed(id: &str, record: &Resource) -> Value {
    json!({
        "PolicyAction": if record.deletion_policy == Policy::Delete { "Delete" } else { "Retain" },
        "Action": "Remove",
        "LogicalResourceId": id,
        "PhysicalResourceId": record.physical_id,
        "ResourceType": record.kind,
        "Scope": [],
        "Details": [],
    })
}

/// Whether anything at all would be different, resources aside: outputs, tags, notifications.
pub(super) fn beside_resources(plan: &Plan, stack: &Stack, exports: &Exports) -> bool {
    let Some(old) = &stack.target else { return true };
    let new = &plan.target;
    if old.processed.get("Outputs") != new.processed.get("Outputs")
        || old.tags != new.tags
        || old.notification_arns != new.notification_arns
    {
        return true;
    }
    match plan.resolved_outputs(&known_in(stack), exports) {
        Ok(outputs) => outputs != stack.outputs,
        Err(_) => false,
    }
}

/// One resource before and after.
struct Comparison<'a> {
    plan: &'a Plan,
    stack: &'a Stack,
    exports: &'a Exports,
    effects: &'a BTreeMap<String, Effect>,
    definition: Definition<'a>,
    existing: &'a Resource,
}

/// One property that changes, or may.
struct Changed {
    details: Vec<Value>,
    /// It differs for certain.
    certain: bool,
}

impl Comparison<'_> {
    fn run(&self) -> (Effect, Option<Value>) {
        let Some(spec) = resource::provider(self.definition.kind()).map(|provider| provider.spec()) else {
            return (Effect::Unchanged, None);
        };
        let mut details = Vec::new();
        let mut scope: Vec<&str> = Vec::new();
        let mut replaced: Option<bool> = None;
        for attribute in ["Metadata", "DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy"] {
            let target = json!({"Attribute": attribute, "RequiresRecreation": "Never"});
            if let Some(changed) = self.attribute(attribute, &target) {
                scope.push(attribute);
                details.extend(changed.details);
            }
        }
        for (name, old, new) in self.properties() {
            let recreation = if spec.change(name) == Change::Replace { "Always" } else { "Never" };
            let target = json!({"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation});
            let Some(changed) = self.property(name, old, new, &target) else { continue };
            if recreation == "Always" {
                replaced = Some(replaced.unwrap_or(false) || changed.certain);
            }
            if !scope.contains(&"Properties") {
                scope.push("Properties");
            }
            details.extend(changed.details);
        }
        if self.tags_change(spec) {
            scope.push("Tags");
            details.push(detail(
                &json!({"Attribute": "Tags", "RequiresRecreation": "Never"}),
                "Static",
                "DirectModification",
                None,
            ));
        }
        // Parameters and resources as causes stand first, as AWS lists them.
        details.sort_by_key(|detail| detail["ChangeSource"] == "DirectModification");
        if details.is_empty() && self.existing.settled() {
            return (Effect::Unchanged, None);
        }
        let effect = match replaced {
            None => Effect::Modified,
            Some(certain) => Effect::Replaced { certain },
        };
        let mut change = json!({
            "Action": "Modify",
            "LogicalResourceId": self.definition.id,
            "PhysicalResourceId": self.existing.physical_id,
            "ResourceType": self.definition.kind(),
            "Replacement": match effect {
                Effect::Replaced { certain: true } => "True",
                Effect::Replaced { certain: false } => "Conditional",
                _ => "False",
            },
            "Scope": scope,
            "Details": details,
        });
        if replaced.is_some() {
            let keep = self.definition.policy("UpdateReplacePolicy") != Policy::Delete;
            change["PolicyAction"] = if keep { "ReplaceAndRetain" } else { "ReplaceAndDelete" }.into();
        }
        (effect, Some(change))
    }

    fn tags_change(&self, spec: Spec) -> bool {
        spec.tagged && self.existing.tags != self.plan.target.tags
    }

    fn old_definition(&self) -> Option<Definition<'_>> {
        let old = self.stack.target.as_ref()?;
        document::resources(&old.processed).find(|definition| definition.id == self.definition.id)
    }

    /// Every property of either side: name, old expression, new expression.
    fn properties(&self) -> Vec<(&str, Option<&Value>, Option<&Value>)> {
        let old: BTreeMap<&str, &Value> = self.old_definition().into_iter().flat_map(Definition::properties).collect();
        let new: BTreeMap<&str, &Value> = self.definition.properties().collect();
        let mut names: Vec<&str> = old.keys().chain(new.keys()).copied().collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| (name, old.get(name).copied(), new.get(name).copied())).collect()
    }

    fn attribute(&self, name: &str, target: &Value) -> Option<Changed> {
        let old = self.old_definition().and_then(|definition| definition.get(name));
        let new = self.definition.get(name);
        let causes = new.map(|new| self.causes(new, target)).unwrap_or_default();
        let parameters = causes.iter().any(|cause| cause["ChangeSource"] == "ParameterReference");
        (old != new || (name == "Metadata" && parameters)).then(|| self.with_direct(causes, new, target, true))
    }

    fn property(&self, name: &str, old: Option<&Value>, new: Option<&Value>, target: &Value) -> Option<Changed> {
        let known = known_in(self.stack);
        let lookup = |id: &str, attribute: Option<&str>| match (self.effects.get(id), attribute) {
            // What a changed resource's attributes will be is not known; its physical ID stays.
            (Some(Effect::Unchanged) | None, _) | (Some(Effect::Modified), None) => known(id, attribute),
            _ => Err(Blocked::Pending(id.to_owned())),
        };
        let value = new.map(|new| self.plan.property(new, &lookup, self.exports));
        let was = self.existing.properties.get(name);
        let text_changed = old != new;
        let causes = new.map(|new| self.causes(new, target)).unwrap_or_default();
        let to_resources = [old, new].into_iter().flatten().any(|expression| {
            let references = references(expression, &self.plan.conditions);
            references.iter().any(|reference| self.stack.resources.contains_key(&reference.name))
        });
        match value {
            Some(Ok(value)) if value.as_ref() == was => {
                // The same value said in another way: CloudFormation looks when it gets there.
                (text_changed && to_resources)
                    .then(|| Changed { certain: false, ..self.with_direct(causes, new, target, true) })
            }
            None if was.is_none() => None,
            Some(Err(Blocked::Pending(id))) => {
                let certain = matches!(self.effects.get(&id), Some(Effect::Added | Effect::Replaced { certain: true }));
                Some(Changed { certain, ..self.with_direct(causes, new, target, text_changed) })
            }
            _ => {
                let parameters = causes.iter().any(|cause| cause["ChangeSource"] == "ParameterReference");
                Some(self.with_direct(causes, new, target, text_changed || parameters))
            }
        }
    }

    /// The details of a change, with the template's own part in it.
    fn with_direct(&self, mut causes: Vec<Value>, new: Option<&Value>, target: &Value, direct: bool) -> Changed {
        if direct || causes.is_empty() {
            let plain = new.is_none_or(|new| references(new, &self.plan.conditions).is_empty());
            let evaluation = if plain { "Static" } else { "Dynamic" };
            causes.push(detail(target, evaluation, "DirectModification", None));
        }
        Changed { details: causes, certain: true }
    }

    /// The parameters and resources that an expression refers to and that change.
    fn causes(&self, new: &Value, target: &Value) -> Vec<Value> {
        let old_parameters = self.stack.target.as_ref().map(|target| &target.parameters);
        let mut causes = Vec::new();
        for reference in references(new, &self.plan.conditions) {
            if let Some(parameter) = self.plan.target.parameters.get(&reference.name) {
                let before = old_parameters.and_then(|parameters| parameters.get(&reference.name));
                if before.is_none_or(|before| before.value != parameter.value) {
                    causes.push(detail(target, "Static", "ParameterReference", Some(&reference.name)));
                }
                continue;
            }
            let effect = self.effects.get(&reference.name).copied();
            match (effect, &reference.attribute) {
                (Some(Effect::Modified | Effect::Replaced { .. }), Some(attribute)) => {
                    let cause = format!("{}.{attribute}", reference.name);
                    let evaluation =
                        if effect == Some(Effect::Replaced { certain: true }) { "Static" } else { "Dynamic" };
                    causes.push(detail(target, evaluation, "ResourceAttribute", Some(&cause)));
                }
                (Some(Effect::Replaced { certain }), None) => {
                    let evaluation = if certain { "Static" } else { "Dynamic" };
                    causes.push(detail(target, evaluation, "ResourceReference", Some(&reference.name)));
                }
                _ => {}
            }
        }
        causes
    }
}

fn detail(target: &Value, evaluation: &str, source: &str, cause: Option<&str>) -> Value {
    json!({"Target": target, "Evaluation": evaluation, "ChangeSource": source, "CausingEntity": cause})
}
