//! Ctrl-C in the middle: what is under way in AWS does not stop with us, so it is said what goes on.

use std::sync::Mutex;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::exit::Error;
use crate::deploy::Event;

/// How far a deploy is, for whoever interrupts it.
#[derive(Debug)]
pub(super) struct Phase {
    stack: String,
    state: Mutex<State>,
}

#[derive(Clone, Debug)]
enum State {
    Nothing,
    ChangeSet(String),
    Executing,
    Done,
    Rolling,
}

impl Phase {
    /// Nothing has happened yet.
    pub(super) fn new(stack: &str) -> Self {
        Self { stack: stack.to_owned(), state: Mutex::new(State::Nothing) }
    }

    /// Takes note of what happened.
    pub(super) fn note(&self, event: &Event) {
        let next = match event {
            Event::CreatingChangeSet { change_set, .. } => State::ChangeSet(change_set.clone()),
            Event::Executing { .. } => State::Executing,
            Event::Done(_) => State::Done,
            Event::CleanedUp { .. } => State::Nothing,
            Event::Busy { .. } | Event::Waiting { .. } | Event::Stack(_) => return,
        };
        if let Ok(mut state) = self.state.lock() {
            *state = next;
        }
    }

    /// From here on the rollout hears signals itself.
    pub(super) fn rolling(&self) {
        if let Ok(mut state) = self.state.lock() {
            *state = State::Rolling;
        }
    }

    fn is_rolling(&self) -> bool {
        self.state.lock().is_ok_and(|state| matches!(*state, State::Rolling))
    }

    fn statement(&self) -> String {
        let stack = &self.stack;
        let state = self.state.lock().map_or(State::Nothing, |state| state.clone());
        match state {
            State::Nothing => {
                format!("interrupted: stack {stack} was not changed; running the same command again is safe")
            }
            State::ChangeSet(change_set) => format!(
                "interrupted: stack {stack} was not changed; the change set {change_set} was not executed and may stay \
                 behind (`aws cloudformation delete-change-set --stack-name {stack} --change-set-name {change_set}`)"
            ),
            State::Executing => format!(
                "interrupted: CloudFormation goes on with stack {stack}; the same command waits for it and goes on from \
                 there, `aws cloudformation cancel-update-stack --stack-name {stack}` takes an update back"
            ),
            State::Done | State::Rolling => {
                format!("interrupted: stack {stack} is deployed; running the same command again goes on from there")
            }
        }
    }

    /// Does something until it is done or a signal comes.
    pub(super) async fn guard<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let failed = |source| Error::File { action: "listen to", path: "signals".into(), source };
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                result = &mut work => return result,
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if !self.is_rolling() {
                return Err(Error::Interrupted(self.statement()));
            }
        }
    }
}
