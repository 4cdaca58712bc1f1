//! The environments of one function version.

#![expect(clippy::disallowed_methods, reason = "an idle environment's age is real time")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use serde_json::json;
use tokio::sync::oneshot;

use super::environment::{Environment, Invocation, Outcome};
use super::function::Function;
use super::host::Host;
use super::log::LogSink;

/// Environments that are started on demand and used again.
#[derive(Debug)]
pub struct Pool {
    host: Arc<Host>,
    function: Arc<Function>,
    sink: LogSink,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The one used last is at the end and used first, so that the others grow old.
    idle: Vec<Environment>,
    waiting: VecDeque<oneshot::Sender<Environment>>,
    retired: bool,
}

impl Pool {
    /// A pool with nothing in it.
    pub fn new(host: Arc<Host>, function: Function, sink: LogSink) -> Arc<Self> {
        Arc::new(Self { host, function: Arc::new(function), sink, state: Mutex::default() })
    }

    /// The version that it runs.
    pub fn function(&self) -> &Function {
        &self.function
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one event. It runs to its end also when the caller goes away, as on Lambda.
    pub async fn invoke(self: &Arc<Self>, invocation: Invocation) -> Outcome {
        let pool = Arc::clone(self);
        let request_id = invocation.request_id.clone();
        let run = tokio::spawn(async move {
            match pool.acquire().await {
                Ok(mut environment) => {
                    let outcome = environment.invoke(invocation).await;
                    pool.release(environment);
                    outcome
                }
                Err(error) => unavailable(&request_id, &error.to_string()),
            }
        });
        run.await.unwrap_or_else(|error| unavailable("", &error.to_string()))
    }

    /// An idle environment, one that becomes idle, or a new one, whichever is there first.
    async fn acquire(&self) -> std::io::Result<Environment> {
        let receiver = {
            let mut state = self.state();
            if let Some(environment) = state.idle.pop() {
                return Ok(environment);
            }
            let (sender, receiver) = oneshot::channel();
            state.waiting.push_back(sender);
            receiver
        };
        tokio::pin!(receiver);
        tokio::select! {
            biased;
            Ok(environment) = &mut receiver => Ok(environment),
            // Never closed; were it, starting without it would still be right.
            permit = Arc::clone(&self.host.starts).acquire_owned() => {
                receiver.close();
                if let Ok(environment) = receiver.try_recv() {
                    return Ok(environment);
                }
                let mut environment =
                    Environment::new(Arc::clone(&self.host), Arc::clone(&self.function), self.sink.clone())?;
                environment.start_permit = permit.ok();
                Ok(environment)
            }
        }
    }

    fn release(&self, mut environment: Environment) {
        let mut state = self.state();
        if state.retired {
            drop(state);
            tokio::spawn(environment.shut_down());
            return;
        }
        while let Some(waiting) = state.waiting.pop_front() {
            match waiting.send(environment) {
                Ok(()) => return,
                Err(back) => environment = back,
            }
        }
        state.idle.push(environment);
    }

    /// Ends what is idle now, and what is busy when it is done: the version has been changed or deleted.
    pub fn retire(&self) {
        let idle = {
            let mut state = self.state();
            state.retired = true;
            std::mem::take(&mut state.idle)
        };
        end(idle);
    }

    /// Ends everything that is idle and waits for it; what is busy ends when it is done.
    pub async fn close(&self) {
        let idle = {
            let mut state = self.state();
            state.retired = true;
            std::mem::take(&mut state.idle)
        };
        let mut ending = tokio::task::JoinSet::new();
        for environment in idle {
            ending.spawn(environment.shut_down());
        }
        ending.join_all().await;
    }

    /// Ends what has been idle for longer than this.
    pub fn expire(&self, age: Duration) {
        let now = Instant::now();
        let old = {
            let mut state = self.state();
            let fresh = state.idle.iter().position(|one| now.duration_since(one.idle_since) <= age);
            let until = fresh.unwrap_or(state.idle.len());
            state.idle.drain(..until).collect()
        };
        end(old);
    }
}

/// Ends them gently where there is a runtime to wait in; dropping kills.
fn end(environments: Vec<Environment>) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        for environment in environments {
            runtime.spawn(environment.shut_down());
        }
    }
}

fn unavailable(request_id: &str, reason: &str) -> Outcome {
    let message = format!("RequestId: {request_id} Error: samara could not make an environment: {reason}");
    Outcome {
        payload: Bytes::from(json!({ "errorType": "Runtime.Unknown", "errorMessage": message }).to_string()),
        function_error: true,
        log_tail: None,
        duration: Duration::ZERO,
        init: None,
        max_memory_mb: 0,
    }
}
