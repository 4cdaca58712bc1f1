//! A process that does not get its turn for a while, and does not know it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Whether a process gets to do anything.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Mutex<(bool, Option<Waker>)>>);

impl Gate {
    /// Shuts or opens it.
    pub fn shut(&self, shut: bool) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = shut;
        if let Some(waker) = state.1.take().filter(|_| !shut) {
            waker.wake();
        }
    }
}

/// Does nothing while its gate is shut: a laptop that sleeps, a machine that swaps.
#[derive(Debug)]
pub struct Gated<F> {
    gate: Gate,
    inner: Pin<Box<F>>,
}

impl<F> Gated<F> {
    /// Puts a process behind a gate.
    pub fn new(gate: Gate, process: F) -> Self {
        Self { gate, inner: Box::pin(process) }
    }
}

impl<F: Future> Future for Gated<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        {
            let mut state = self.gate.0.lock().unwrap_or_else(PoisonError::into_inner);
            if state.0 {
                state.1 = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        self.inner.as_mut().poll(context)
    }
}
