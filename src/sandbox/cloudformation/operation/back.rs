//! Back to the last whole state after an update that failed.

use super::{Work, failed_to};
use crate::sandbox::cloudformation::graph::{Graph, in_order};
use crate::sandbox::cloudformation::model::{Leftover, Policy, Resource, Stable, Status};
use crate::sandbox::cloudformation::resource::{self, Refusal};

impl Work {
    pub(super) async fn back(&self) {
        let Some(Some(stable)) = self.read(|stack| stack.stable.clone()) else {
            // The update did nothing yet.
            self.change(|stack, now| stack.enter(now, Status::UpdateRollbackComplete, None));
            return;
        };
        // What the stack goes back to must not be cleaned up.
        self.change(|stack, _| {
            stack.leftovers.retain(|leftover| {
                stable.resources.get(&leftover.logical_id).and_then(|record| record.physical_id.as_ref())
                    != leftover.resource.physical_id.as_ref()
            });
        });
        let graph: Graph =
            stable.resources.iter().map(|(id, record)| (id.clone(), record.dependencies.clone())).collect();
        let failures = in_order(graph, true, |id| {
            let (work, old) = (self.clone(), stable.resources.get(&id).cloned());
            async move {
                match old {
                    Some(old) => work.restore(&id, old).await,
                    None => true,
                }
            }
        })
        .await;
        if failures.is_empty() {
            self.restored(stable);
        } else {
            self.change(|stack, now| {
                stack.enter(now, Status::UpdateRollbackFailed, Some(failed_to("update", &failures)));
            });
        }
    }

    /// Puts one resource back to what it was.
    async fn restore(&self, id: &str, old: Resource) -> bool {
        let Some((current, skip)) = self.read(|stack| {
            let skip = stack.operation.as_ref().is_some_and(|operation| operation.skip.contains(id));
            (stack.resources.get(id).cloned(), skip)
        }) else {
            return false;
        };
        let Some(current) = current else { return true };
        if skip {
            self.put(id, old);
            return true;
        }
        let replaced = current.physical_id != old.physical_id;
        let touched = current.properties != old.properties || current.tags != old.tags || !current.settled();
        if !replaced && !touched {
            if current.metadata == old.metadata {
                self.put(id, old);
            } else {
                self.note(id, "UPDATE_IN_PROGRESS", None, |_| {});
                self.note(id, "UPDATE_COMPLETE", None, |record| *record = old);
            }
            return true;
        }
        if replaced {
            self.change(|stack, _| {
                let keep = keeps_created(&current, stack.operation.as_ref().is_some_and(|o| o.retain_except_on_create));
                stack.leftovers.push(Leftover { logical_id: id.to_owned(), resource: current, keep });
                stack.resources.insert(id.to_owned(), old.clone());
            });
            self.note(id, "UPDATE_IN_PROGRESS", None, |_| {});
            self.note(id, "UPDATE_COMPLETE", None, |_| {});
            return true;
        }
        self.note(id, "UPDATE_IN_PROGRESS", None, |record| record.shown.clone_from(&old.shown));
        self.end_deployment(id).await;
        match self.update_back(id, &current, &old).await {
            Ok(attributes) => {
                self.note(id, "UPDATE_COMPLETE", None, |record| *record = Resource { attributes, ..old });
                true
            }
            Err(refusal) => {
                self.note(id, "UPDATE_FAILED", Some(refusal.reason()), |_| {});
                false
            }
        }
    }

    async fn update_back(
        &self,
        id: &str,
        current: &Resource,
        old: &Resource,
    ) -> Result<serde_json::Map<String, serde_json::Value>, Refusal> {
        let provider = resource::provider(&old.kind).ok_or_else(|| Refusal::unknown_type(&old.kind))?;
        let context =
            self.read(|stack| self.context(stack, id, old)).ok_or_else(|| Refusal::internal("the stack is gone"))?;
        let physical_id = old.physical_id.clone().unwrap_or_default();
        let made = provider.update(&context, &physical_id, &current.properties, &old.properties).await?;
        Ok(made.attributes)
    }

    fn put(&self, id: &str, record: Resource) {
        self.change(|stack, _| stack.resources.insert(id.to_owned(), record));
    }

    fn restored(&self, stable: Stable) {
        self.change(|stack, now| {
            let retain_except = stack.operation.as_ref().is_some_and(|operation| operation.retain_except_on_create);
            let created: Vec<String> =
                stack.resources.keys().filter(|id| !stable.resources.contains_key(*id)).cloned().collect();
            for id in created {
                if let Some(resource) = stack.resources.shift_remove(&id) {
                    let keep = keeps_created(&resource, retain_except);
                    stack.leftovers.push(Leftover { logical_id: id, resource, keep });
                }
            }
            stack.target = stable.target;
            stack.outputs = stable.outputs;
            stack.stable = None;
            stack.enter(now, Status::UpdateRollbackCompleteCleanupInProgress, None);
        });
    }
}

/// Whether what this operation created stays when it is rolled back. `RetainExceptOnCreate` says no,
/// on the resource or on the operation.
pub(super) fn keeps_created(resource: &Resource, retain_except_on_create: bool) -> bool {
    resource.deletion_policy == Policy::Retain && !retain_except_on_create
}
