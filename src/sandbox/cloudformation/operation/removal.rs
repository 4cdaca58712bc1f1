//! Letting go of physical resources: the cleanup after an update, the rollback of a creation, the
//! deletion of a stack.

use std::collections::BTreeSet;

use super::back::keeps_created;
use super::{Work, failed_to};
use crate::sandbox::cloudformation::graph::{Graph, in_order, reversed};
use crate::sandbox::cloudformation::model::{Leftover, Policy, Resource, Stack, State, Status};
use crate::sandbox::cloudformation::resource::{self, Refusal};

impl Work {
    /// Deletes what the update left behind. What cannot be deleted stays without the stack.
    pub(super) async fn cleanup(&self) {
        let leftovers = self.read(|stack| stack.leftovers.clone()).unwrap_or_default();
        // The same logical ID can be there twice, so that the places name them.
        let graph: Graph = leftovers
            .iter()
            .enumerate()
            .map(|(index, leftover)| {
                let needs = leftovers
                    .iter()
                    .enumerate()
                    .filter(|(_, other)| leftover.resource.dependencies.contains(&other.logical_id));
                (index.to_string(), needs.map(|(index, _)| index.to_string()).collect())
            })
            .collect();
        let failures = in_order(reversed(&graph), true, |index| {
            let (work, leftover) =
                (self.clone(), index.parse().ok().and_then(|index: usize| leftovers.get(index).cloned()));
            async move {
                match leftover {
                    Some(leftover) => work.remove_leftover(leftover).await,
                    None => true,
                }
            }
        })
        .await;
        self.change(|stack, now| {
            stack.leftovers.clear();
            let reason = (!failures.is_empty())
                .then(|| "Update successful. One or more resources could not be deleted.".to_owned());
            match stack.status {
                Status::UpdateCompleteCleanupInProgress => stack.enter(now, Status::UpdateComplete, reason),
                _ => stack.enter(now, Status::UpdateRollbackComplete, reason),
            }
        });
    }

    async fn remove_leftover(&self, Leftover { logical_id, mut resource, keep }: Leftover) -> bool {
        let say = |status: &str, reason: Option<String>, resource: &Resource| {
            self.change(|stack, now| stack.note(now, &logical_id, resource, status, reason));
        };
        self.foresee(&logical_id, &mut resource);
        if resource.physical_id.is_none() {
            say("DELETE_COMPLETE", None, &resource);
            return true;
        }
        if keep {
            say("DELETE_SKIPPED", None, &resource);
            return true;
        }
        say("DELETE_IN_PROGRESS", None, &resource);
        match self.destroy(&logical_id, &resource).await {
            Ok(()) => {
                say("DELETE_COMPLETE", None, &resource);
                true
            }
            Err(refusal) => {
                say("DELETE_FAILED", Some(refusal.reason()), &resource);
                false
            }
        }
    }

    /// The rollback of a stack that never was whole.
    pub(super) async fn undo_creation(&self) {
        let failures = self
            .remove_all(|stack, _, record| {
                let retain_except = stack.operation.as_ref().is_some_and(|operation| operation.retain_except_on_create);
                keeps_created(record, retain_except)
            })
            .await;
        self.change(|stack, now| {
            if failures.is_empty() {
                stack.outputs.clear();
                stack.stable = None;
                stack.enter(now, Status::RollbackComplete, None);
            } else {
                stack.enter(now, Status::RollbackFailed, Some(failed_to("delete", &failures)));
            }
        });
    }

    /// The deletion of a stack.
    pub(super) async fn delete(&self) {
        if let Some(reason) = self.look(exports_in_use).flatten() {
            self.change(|stack, now| stack.enter(now, Status::DeleteFailed, Some(reason)));
            return;
        }
        let leftovers = self.read(|stack| stack.leftovers.clone()).unwrap_or_default();
        let failures = self
            .remove_all(|stack, id, record| {
                let retained = stack.operation.as_ref().is_some_and(|operation| operation.retain.contains(id));
                retained || record.deletion_policy != Policy::Delete
            })
            .await;
        for leftover in leftovers.into_iter().rev() {
            self.remove_leftover(leftover).await;
        }
        self.change(|stack, now| {
            stack.leftovers.clear();
            if failures.is_empty() {
                stack.outputs.clear();
                stack.stable = None;
                stack.change_set_id = None;
                stack.deleted_ms = Some(now);
                stack.enter(now, Status::DeleteComplete, None);
            } else {
                stack.enter(now, Status::DeleteFailed, Some(failed_to("delete", &failures)));
            }
        });
    }

    /// Deletes every resource, what depends on others first, and gives those that would not go.
    async fn remove_all(&self, keep: impl Fn(&Stack, &str, &Resource) -> bool) -> Vec<String> {
        let Some((graph, kept)) = self.read(|stack| {
            let there = stack
                .resources
                .iter()
                .filter(|(_, record)| !matches!(record.status.as_str(), "DELETE_COMPLETE" | "DELETE_SKIPPED"));
            let graph: Graph = there.clone().map(|(id, record)| (id.clone(), record.dependencies.clone())).collect();
            let kept: BTreeSet<String> =
                there.filter(|(id, record)| keep(stack, id, record)).map(|(id, _)| id.clone()).collect();
            (graph, kept)
        }) else {
            return Vec::new();
        };
        in_order(reversed(&graph), true, |id| {
            let (work, keep) = (self.clone(), kept.contains(&id));
            async move { work.remove(&id, keep).await }
        })
        .await
    }

    async fn remove(&self, id: &str, keep: bool) -> bool {
        let Some(Some(mut record)) = self.read(|stack| stack.resources.get(id).cloned()) else { return true };
        if self.foresee(id, &mut record) {
            let physical_id = record.physical_id.clone();
            self.change(|stack, _| stack.resources.get_mut(id).map(|record| record.physical_id = physical_id));
        }
        if keep {
            self.note(id, "DELETE_SKIPPED", None, |_| {});
            return true;
        }
        if record.physical_id.is_some() {
            self.note(id, "DELETE_IN_PROGRESS", None, |_| {});
            if let Err(refusal) = self.destroy(id, &record).await {
                self.note(id, "DELETE_FAILED", Some(refusal.reason()), |_| {});
                return false;
            }
        }
        self.note(id, "DELETE_COMPLETE", None, |_| {});
        true
    }

    /// Finds the physical ID of a creation that the sandbox did not live to see, by the name that it
    /// would have got. Whether there was one.
    fn foresee(&self, id: &str, record: &mut Resource) -> bool {
        let unknown = record.physical_id.is_none() && record.status.ends_with("_IN_PROGRESS");
        if !unknown {
            return false;
        }
        let context = self.read(|stack| self.context(stack, id, record));
        record.physical_id = context
            .zip(resource::provider(&record.kind))
            .and_then(|(context, provider)| provider.foreseen(&context, &record.properties));
        record.physical_id.is_some()
    }

    async fn destroy(&self, id: &str, record: &Resource) -> Result<(), Refusal> {
        let provider = resource::provider(&record.kind).ok_or_else(|| Refusal::unknown_type(&record.kind))?;
        let context =
            self.read(|stack| self.context(stack, id, record)).ok_or_else(|| Refusal::internal("the stack is gone"))?;
        let physical_id = record.physical_id.clone().unwrap_or_default();
        match provider.delete(&context, &physical_id, &record.properties).await {
            Err(refusal) if refusal.is_not_found() => Ok(()),
            other => other,
        }
    }
}

fn exports_in_use(state: &State, stack: &Stack) -> Option<String> {
    stack.outputs.iter().filter_map(|output| output.export.as_ref()).find_map(|name| {
        let importer = state.importers(&stack.account, &stack.region, name).next()?;
        Some(format!("Delete canceled. Cannot delete export {name} as it is in use by {}.", importer.name))
    })
}
