//! How time passes: with this machine's monotonic clock, or, where a simulation says so, only when
//! everything waits for it. Wall time is the affair of the clocks that are built on this.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "this is where durations come from")]
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A way for time to pass. The default is real.
#[derive(Clone, Debug, Default)]
pub struct Pace(Option<Arc<Mutex<Stopped>>>);

#[derive(Default)]
struct Stopped {
    now: Duration,
    /// Orders those that wait for the same moment.
    next: u64,
    waiting: BTreeMap<(Duration, u64), Waker>,
    /// Work of other threads that time has to wait for.
    busy: usize,
}

impl fmt::Debug for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped at {:?}, {} wait", self.now, self.waiting.len())
    }
}

impl Pace {
    /// Time that passes by itself.
    pub fn real() -> Self {
        Self::default()
    }

    /// Runs a story on this thread, in a runtime of its own. Time stands still while anything in it
    /// can go on, and then jumps to the next moment that something waits for.
    ///
    /// # Errors
    /// The system gives no runtime.
    pub fn simulated<F: Future>(story: impl FnOnce(Self) -> F) -> std::io::Result<F::Output> {
        let pace = Self(Some(Arc::default()));
        let own = pace.clone();
        // The runtime parks when no task can go on.
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().on_thread_park(move || own.go_on()).build()?;
        Ok(runtime.block_on(story(pace)))
    }

    /// Whether time passes by itself.
    pub fn is_real(&self) -> bool {
        self.0.is_none()
    }

    /// The time since some moment that stays the same.
    pub fn elapsed(&self) -> Duration {
        match self.stopped() {
            None => ORIGIN.elapsed(),
            Some(stopped) => stopped.now,
        }
    }

    /// Waits.
    pub async fn sleep(&self, duration: Duration) {
        let Some(shared) = &self.0 else { return tokio::time::sleep(duration).await };
        let until = self.elapsed().saturating_add(duration);
        Sleep { shared: shared.clone(), until, place: None }.await;
    }

    /// Waits for something, but not for ever.
    pub async fn timeout<F: Future>(&self, duration: Duration, what: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            output = what => Some(output),
            () = self.sleep(duration) => None,
        }
    }

    /// Time does not jump while this is held: another thread is at work.
    #[must_use = "it holds as long as it lives"]
    pub fn busy(&self) -> Busy {
        if let Some(mut stopped) = self.stopped() {
            stopped.busy += 1;
        }
        Busy(self.clone())
    }

    fn stopped(&self) -> Option<MutexGuard<'_, Stopped>> {
        self.0.as_ref().map(|shared| shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Jumps to the next moment and wakes who waited for it, one at a time: whoever is first goes as
    /// far as it can before the next one does.
    fn go_on(&self) {
        let waker = self.stopped().and_then(|mut stopped| {
            if stopped.busy > 0 {
                return None;
            }
            let ((until, _), waker) = stopped.waiting.pop_first()?;
            stopped.now = stopped.now.max(until);
            Some(waker)
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// See [`Pace::busy`].
#[derive(Debug)]
pub struct Busy(Pace);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(mut stopped) = self.0.stopped() {
            stopped.busy = stopped.busy.saturating_sub(1);
        }
    }
}

struct Sleep {
    shared: Arc<Mutex<Stopped>>,
    until: Duration,
    place: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let shared = self.shared.clone();
        let mut stopped = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = self.place.take() {
            stopped.waiting.remove(&(self.until, place));
        }
        if stopped.now >= self.until {
            return Poll::Ready(());
        }
        let place = stopped.next;
        stopped.next += 1;
        stopped.waiting.insert((self.until, place), context.waker().clone());
        drop(stopped);
        self.place = Some(place);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let mut stopped = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            stopped.waiting.remove(&(self.until, place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_passes_at_once_and_in_order() {
        let told = Pace::simulated(|pace| async move {
            let told = Arc::new(Mutex::new(Vec::new()));
            let mut tasks = tokio::task::JoinSet::new();
            for seconds in [3600, 5, 60, 5] {
                let (pace, told) = (pace.clone(), told.clone());
                tasks.spawn(async move {
                    pace.sleep(Duration::from_secs(seconds)).await;
                    told.lock().unwrap().push((seconds, pace.elapsed().as_secs()));
                });
            }
            tasks.join_all().await;
            Arc::try_unwrap(told).unwrap().into_inner().unwrap()
        })
        .unwrap();
        assert_eq!(told, [(5, 5), (5, 5), (60, 60), (3600, 3600)]);
    }

    #[test]
    fn time_waits_for_other_threads_and_forgets_who_is_gone() {
        let (answer, at) = Pace::simulated(|pace| async move {
            let busy = pace.busy();
            let slow = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(20)));
            let work = async move {
                slow.await.unwrap();
                drop(busy);
                1
            };
            let answer = pace.timeout(Duration::from_secs(1), work).await;
            pace.sleep(Duration::from_millis(500)).await;
            (answer, pace.elapsed())
        })
        .unwrap();
        assert_eq!((answer, at), (Some(1), Duration::from_millis(500)));
        let late =
            Pace::simulated(
                |pace| async move { pace.timeout(Duration::from_secs(2), std::future::pending::<()>()).await },
            );
        assert_eq!(late.unwrap(), None);
    }
}
