//! Towards the target: creating, updating, replacing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::{Work, dynamic_reference, failed_to, pseudo};
use crate::sandbox::cloudformation::evaluate::Blocked;
use crate::sandbox::cloudformation::graph::in_order;
use crate::sandbox::cloudformation::model::{Leftover, OnFailure, Output, Policy, Resource, Stack, State, Status};
use crate::sandbox::cloudformation::plan::{Plan, known_in};
use crate::sandbox::cloudformation::resource::{self, Change, Made, Refusal};

impl Work {
    pub(super) async fn forward(&self) {
        let Some((target, pseudo, on_failure)) = self.read(|stack| {
            let on_failure = stack.operation.as_ref().map(|operation| operation.on_failure).unwrap_or_default();
            (stack.target.clone(), pseudo(stack), on_failure)
        }) else {
            return;
        };
        let plan = match target.map(|target| Plan::new(target, pseudo)) {
            Some(Ok(plan)) => Arc::new(plan),
            Some(Err(fault)) => return self.failed(&[], Some(fault.message)),
            None => return self.failed(&[], Some("The stack has no template. ".to_owned())),
        };
        // With rollback disabled what does not need the failed resource goes on; else everything stops.
        let go_on = on_failure == OnFailure::DoNothing;
        let stop = Arc::new(AtomicBool::new(false));
        let failures = in_order(plan.graph.clone(), go_on, |id| {
            let step = Step { work: self.clone(), plan: Arc::clone(&plan), stop: Arc::clone(&stop), go_on, id };
            async move { step.run().await }
        })
        .await;
        if !failures.is_empty() {
            return self.failed(&failures, None);
        }
        if self.cancelled() {
            return self.failed(&[], Some("User Initiated".to_owned()));
        }
        self.succeeded(&plan);
    }

    fn cancelled(&self) -> bool {
        self.read(|stack| stack.operation.as_ref().is_some_and(|operation| operation.cancelled)).unwrap_or(false)
    }

    fn succeeded(&self, plan: &Plan) {
        let ready = self.look(|state, stack| {
            let mut exports = state.exports(&stack.account, &stack.region);
            exports.retain(|_, (_, exporter)| *exporter != stack.id);
            let outputs = plan.resolved_outputs(&known_in(stack), &exports).map_err(|blocked| match blocked {
                Blocked::Invalid(message) => message,
                Blocked::Pending(name) => {
                    format!("Unresolved resource dependencies [{name}] in the Outputs block of the template")
                }
            })?;
            let exported = outputs.iter().filter_map(|output| output.export.as_ref());
            if let Some(name) = exported.clone().find(|name| exports.contains_key(*name)) {
                return Err(format!("Export with name {name} is already exported by stack {}. ", exports[name].1));
            }
            match dropped_export(state, stack, &outputs) {
                Some(reason) => Err(reason),
                None => Ok((outputs, plan.imports(stack, &exports))),
            }
        });
        let (outputs, imports) = match ready {
            Some(Ok(ready)) => ready,
            Some(Err(reason)) => return self.failed(&[], Some(reason)),
            None => return,
        };
        self.change(|stack, now| {
            stack.outputs = outputs;
            stack.imports = imports;
            let removed: Vec<String> =
                stack.resources.keys().filter(|id| !plan.graph.contains_key(*id)).cloned().collect();
            for id in removed {
                if let Some(resource) = stack.resources.shift_remove(&id) {
                    let keep = resource.deletion_policy != Policy::Delete;
                    stack.leftovers.push(Leftover { logical_id: id, resource, keep });
                }
            }
            stack.stable = None;
            let next = match stack.status {
                Status::CreateInProgress => Status::CreateComplete,
                _ => Status::UpdateCompleteCleanupInProgress,
            };
            stack.enter(now, next, None);
        });
    }

    fn failed(&self, failures: &[String], reason: Option<String>) {
        self.change(|stack, now| {
            let on_failure = stack.operation.as_ref().map(|operation| operation.on_failure).unwrap_or_default();
            let (updates, creations): (Vec<String>, Vec<String>) = failures
                .iter()
                .cloned()
                .partition(|id| stack.resources.get(id).is_some_and(|record| record.status.starts_with("UPDATE")));
            let what = reason.unwrap_or_else(|| failed_to("create", &creations) + &failed_to("update", &updates));
            let creating = stack.status == Status::CreateInProgress;
            match (creating, on_failure) {
                (true, OnFailure::DoNothing) => stack.enter(now, Status::CreateFailed, Some(what)),
                (true, OnFailure::Delete) => {
                    stack.enter(now, Status::DeleteInProgress, Some(format!("{what}Delete requested by user.")));
                }
                (true, OnFailure::Rollback) => {
                    stack.enter(now, Status::RollbackInProgress, Some(format!("{what}Rollback requested by user.")));
                }
                (false, OnFailure::DoNothing) => stack.enter(now, Status::UpdateFailed, Some(what)),
                (false, _) => stack.enter(now, Status::UpdateRollbackInProgress, Some(what)),
            }
        });
    }
}

/// An export that goes or changes while another stack imports it.
fn dropped_export(state: &State, stack: &Stack, outputs: &[Output]) -> Option<String> {
    stack.outputs.iter().find_map(|old| {
        let name = old.export.as_ref()?;
        let new = outputs.iter().find(|new| new.export.as_ref() == Some(name));
        if new.is_some_and(|new| new.value == old.value) {
            return None;
        }
        let importer = state.importers(&stack.account, &stack.region, name).next()?;
        let deed = if new.is_some() { "updated" } else { "deleted" };
        Some(format!("Export {name} cannot be {deed} as it is in use by {}. ", importer.name))
    })
}

/// One resource's way to what the template says.
struct Step {
    work: Work,
    plan: Arc<Plan>,
    stop: Arc<AtomicBool>,
    go_on: bool,
    id: String,
}

impl Step {
    async fn run(&self) -> bool {
        let done = self.towards().await;
        if !done && !self.go_on {
            self.stop.store(true, Ordering::Release);
        }
        done
    }

    async fn towards(&self) -> bool {
        let Some(definition) = self.plan.resource(&self.id) else { return false };
        let wanted = self.work.look(|state, stack| {
            let exports = state.exports(&stack.account, &stack.region);
            self.plan.record(definition, &known_in(stack), &exports)
        });
        let existing = self
            .work
            .read(|stack| stack.resources.get(&self.id).cloned())
            .flatten()
            .filter(|record| record.physical_id.is_some() && record.status != "CREATE_FAILED");
        let verb = if existing.is_some() { "UPDATE" } else { "CREATE" };
        let wanted = match wanted {
            Some(Ok(wanted)) => wanted,
            Some(Err(blocked)) => {
                let reason = match blocked {
                    Blocked::Invalid(message) => message,
                    Blocked::Pending(name) => format!("Unresolved dependency {name}"),
                };
                if existing.is_none() {
                    self.begin(Resource { kind: definition.kind().to_owned(), ..Resource::default() });
                }
                return self.fail(verb, reason);
            }
            None => return false,
        };
        match existing {
            None => self.create(wanted).await,
            Some(existing) => self.update(existing, wanted).await,
        }
    }

    /// Puts a new record in the place of whatever was there.
    fn begin(&self, record: Resource) {
        self.work.change(|stack, _| {
            if let Some(old) = stack.resources.insert(self.id.clone(), record)
                && old.physical_id.is_some()
            {
                // What a failed creation left behind, when an update goes on from there.
                stack.leftovers.push(Leftover { logical_id: self.id.clone(), resource: old, keep: false });
            }
        });
    }

    fn fail(&self, verb: &str, reason: String) -> bool {
        self.work.note(&self.id, &format!("{verb}_FAILED"), Some(reason), |_| {});
        false
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire) || self.work.cancelled()
    }

    async fn create(&self, wanted: Resource) -> bool {
        self.begin(wanted.clone());
        self.work.note(&self.id, "CREATE_IN_PROGRESS", None, |_| {});
        match self.make(&wanted).await {
            Ok(made) => {
                let physical_id = made.physical_id.clone();
                self.work.note(
                    &self.id,
                    "CREATE_IN_PROGRESS",
                    Some("Resource creation Initiated".to_owned()),
                    |record| record.physical_id = Some(physical_id),
                );
                if self.stopped() {
                    return self.fail("CREATE", "Resource creation cancelled".to_owned());
                }
                self.work.note(&self.id, "CREATE_COMPLETE", None, |record| record.attributes = made.attributes);
                true
            }
            Err(refusal) => {
                let partial = refusal.partial.clone();
                let reason = Some(refusal.reason());
                self.work.note(&self.id, "CREATE_FAILED", reason, |record| record.physical_id = partial);
                false
            }
        }
    }

    /// Has the provider create what the record says.
    async fn make(&self, wanted: &Resource) -> Result<Made, Refusal> {
        let provider = resource::provider(&wanted.kind).ok_or_else(|| Refusal::unknown_type(&wanted.kind))?;
        provider.spec().check(&wanted.kind, &wanted.properties)?;
        unresolvable(wanted)?;
        let context = self.work.read(|stack| self.work.context(stack, &self.id, wanted));
        let context = context.ok_or_else(|| Refusal::internal("the stack is gone"))?;
        provider.create(&context, &wanted.properties).await
    }

    async fn update(&self, existing: Resource, wanted: Resource) -> bool {
        let Some(provider) = resource::provider(&wanted.kind) else { return false };
        let spec = provider.spec();
        let changed = changed_properties(&existing, &wanted);
        let tags = spec.tagged && existing.tags != wanted.tags;
        let metadata = existing.metadata != wanted.metadata;
        let keep = |record: &mut Resource| {
            record.deletion_policy = wanted.deletion_policy;
            record.update_replace_policy = wanted.update_replace_policy;
            record.dependencies.clone_from(&wanted.dependencies);
            record.metadata.clone_from(&wanted.metadata);
        };
        if changed.is_empty() && !tags && existing.settled() {
            if metadata {
                self.work.note(&self.id, "UPDATE_IN_PROGRESS", None, keep);
                self.work.note(&self.id, "UPDATE_COMPLETE", None, |_| {});
            } else {
                self.work.change(|stack, _| stack.resources.get_mut(&self.id).map(keep));
            }
            return true;
        }
        if changed.iter().any(|name| spec.change(name) == Change::Replace) {
            return self.replace(existing, wanted).await;
        }
        // The record says what is being tried; what was is in the stable state.
        self.work.note(&self.id, "UPDATE_IN_PROGRESS", None, |record| {
            let (physical_id, attributes, suffix) =
                (record.physical_id.take(), std::mem::take(&mut record.attributes), std::mem::take(&mut record.suffix));
            *record = Resource { physical_id, attributes, suffix, ..wanted.clone() };
        });
        let result = match self.codedeploy_policy(&changed) {
            Ok(None) => self.change_in_place(&existing, &wanted).await,
            Ok(Some(policy)) => match self.deploy_alias(&policy, &existing, &wanted).await {
                // What else has changed is the alias's own.
                Ok(()) if changed.len() > 1 => self.change_in_place(&existing, &wanted).await,
                Ok(()) => Ok(Made {
                    physical_id: existing.physical_id.clone().unwrap_or_default(),
                    attributes: existing.attributes.clone(),
                }),
                Err(reason) => return self.fail("UPDATE", reason),
            },
            Err(reason) => return self.fail("UPDATE", reason),
        };
        match result {
            Ok(made) => {
                if self.stopped() {
                    return self.fail("UPDATE", "Resource update cancelled".to_owned());
                }
                self.work.note(&self.id, "UPDATE_COMPLETE", None, |record| {
                    record.physical_id = Some(made.physical_id);
                    record.attributes = made.attributes;
                });
                true
            }
            Err(refusal) => self.fail("UPDATE", refusal.reason()),
        }
    }

    async fn change_in_place(&self, existing: &Resource, wanted: &Resource) -> Result<Made, Refusal> {
        let provider = resource::provider(&wanted.kind).ok_or_else(|| Refusal::unknown_type(&wanted.kind))?;
        provider.spec().check(&wanted.kind, &wanted.properties)?;
        unresolvable(wanted)?;
        let with_suffix = Resource { suffix: existing.suffix.clone(), ..wanted.clone() };
        let context = self.work.read(|stack| self.work.context(stack, &self.id, &with_suffix));
        let context = context.ok_or_else(|| Refusal::internal("the stack is gone"))?;
        let physical_id = existing.physical_id.clone().unwrap_or_default();
        provider.update(&context, &physical_id, &existing.properties, &wanted.properties).await
    }

    /// The policy of an alias whose version CodeDeploy is to move in this update.
    fn codedeploy_policy(&self, changed: &[String]) -> Result<Option<Value>, String> {
        let Some(definition) = self.plan.resource(&self.id) else { return Ok(None) };
        if definition.kind() != "AWS::Lambda::Alias" || !changed.iter().any(|name| name == "FunctionVersion") {
            return Ok(None);
        }
        let policy = self.work.look(|state, stack| {
            let exports = state.exports(&stack.account, &stack.region);
            self.plan.update_policy(definition, &known_in(stack), &exports)
        });
        match policy {
            Some(Ok(policy)) => Ok(policy.and_then(|policy| policy.get("CodeDeployLambdaAliasUpdate").cloned())),
            Some(Err(Blocked::Invalid(message))) => Err(message),
            Some(Err(Blocked::Pending(name))) => Err(format!("Unresolved dependency {name}")),
            None => Ok(None),
        }
    }

    /// Has CodeDeploy move the alias, and waits for it.
    async fn deploy_alias(&self, policy: &Value, existing: &Resource, wanted: &Resource) -> Result<(), String> {
        self.work.deploy_alias(&self.id, policy, existing, wanted, || self.stopped()).await
    }

    async fn replace(&self, existing: Resource, wanted: Resource) -> bool {
        self.work.note(
            &self.id,
            "UPDATE_IN_PROGRESS",
            Some("Requested update requires the creation of a new physical resource; hence creating one.".to_owned()),
            |_| {},
        );
        self.work.change(|stack, _| {
            let keep = wanted.update_replace_policy != Policy::Delete;
            stack.leftovers.push(Leftover { logical_id: self.id.clone(), resource: existing, keep });
            let record = Resource { status: "UPDATE_IN_PROGRESS".to_owned(), ..wanted.clone() };
            stack.resources.insert(self.id.clone(), record);
        });
        match self.make(&wanted).await {
            Ok(made) => {
                let physical_id = made.physical_id.clone();
                self.work.note(
                    &self.id,
                    "UPDATE_IN_PROGRESS",
                    Some("Resource creation Initiated".to_owned()),
                    |record| record.physical_id = Some(physical_id),
                );
                if self.stopped() {
                    return self.fail("UPDATE", "Resource update cancelled".to_owned());
                }
                self.work.note(&self.id, "UPDATE_COMPLETE", None, |record| record.attributes = made.attributes);
                true
            }
            Err(refusal) => {
                let partial = refusal.partial.clone();
                self.work.change(|stack, _| {
                    if let Some(record) = stack.resources.get_mut(&self.id) {
                        record.physical_id = partial;
                    }
                });
                self.fail("UPDATE", refusal.reason())
            }
        }
    }
}

fn unresolvable(wanted: &Resource) -> Result<(), Refusal> {
    match dynamic_reference(&Value::Object(wanted.properties.clone())) {
        None => Ok(()),
        Some(reference) => {
            Err(Refusal::invalid(format!("The sandbox cannot resolve the dynamic reference {reference}")))
        }
    }
}

/// The properties whose values differ.
pub(in crate::sandbox::cloudformation) fn changed_properties(old: &Resource, new: &Resource) -> Vec<String> {
    let mut names: Vec<&String> = old.properties.keys().chain(new.properties.keys()).collect();
    names.sort();
    names.dedup();
    names.into_iter().filter(|name| old.properties.get(*name) != new.properties.get(*name)).cloned().collect()
}
