//! CloudFormation: stacks and change sets over the query protocol, an engine that works on them in
//! the background, and a provider a resource type. It reads templates and runs samara's own
//! transform, and acts on the sandbox's other services only through their public API.

mod action;
mod condition;
mod diff;
mod document;
mod evaluate;
mod graph;
mod model;
mod operation;
mod ordered;
mod parameters;
mod plan;
mod prepare;
mod reference;
mod resource;
mod wire;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use self::model::State;
use self::wire::{Fault, Fields};
use super::Error;
use super::http::{Request, Response};
use super::state::{Persisted, World};

/// The service.
#[derive(Debug)]
pub struct CloudFormation {
    state: Persisted<State>,
    /// The stacks that a task works on.
    running: Mutex<HashSet<String>>,
    /// The stacks that were being worked on when the sandbox ended, until they are taken up.
    interrupted: Mutex<Vec<String>>,
}

impl CloudFormation {
    /// Opens the state under `dir`.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let state: Persisted<State> = Persisted::open(dir.join("cloudformation.json"))?;
        let interrupted = state.read(|state| {
            state.stacks.values().filter(|stack| stack.status.in_progress()).map(|stack| stack.id.clone()).collect()
        });
        Ok(Self { state, running: Mutex::default(), interrupted: Mutex::new(interrupted) })
    }

    /// Writes what has changed.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn flush(&self) -> Result<(), Error> {
        self.state.flush()
    }

    /// Takes up the operations that were under way when the sandbox ended.
    pub fn tick(&self, world: &Arc<World>) {
        let interrupted = std::mem::take(&mut *self.interrupted.lock().unwrap_or_else(PoisonError::into_inner));
        for stack_id in interrupted {
            operation::resume(world, &stack_id);
        }
    }

    /// Answers a request.
    pub async fn handle(&self, world: &Arc<World>, request: Request) -> Response {
        let mut fields = Fields::of(&request);
        let name = fields.text("Action").unwrap_or_default();
        match action::perform(world, &request, &name, fields).await {
            Ok(result) => wire::answer(&name, &result),
            Err(fault) => fault.response(),
        }
    }

    /// Whether nobody else works on the stack; from now on the caller does.
    fn claim(&self, stack_id: &str) -> bool {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(stack_id.to_owned())
    }

    fn release(&self, stack_id: &str) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(stack_id);
    }
}

impl Fault {
    fn not_implemented(name: &str) -> Self {
        Self::new(501, "NotImplemented", format!("The sandbox's CloudFormation does not have the operation {name:?}"))
    }
}
