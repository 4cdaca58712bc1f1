//! Steady traffic to an alias, and the count of who served what.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// At most this many requests are under way: each further one would start another execution
/// environment, and the rehearsal is about versions, not about load.
const UNDER_WAY: usize = 16;

/// How often due requests are sent: often enough to look steady, seldom enough to cost nothing.
const TICK: Duration = Duration::from_millis(5);

/// One answered request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The version that Lambda says has executed it; `None` when the request did not get that far.
    pub version: Option<String>,
    /// Whether the caller got an error.
    pub failed: bool,
}

/// What one version has served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Requests.
    pub requests: u64,
    /// Those of them that failed.
    pub errors: u64,
}

impl Count {
    /// Failed requests in percent; nothing when there was no request.
    pub fn error_percent(self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts of a rehearsal are far below 2^52")]
        (self.requests > 0).then(|| 100.0 * self.errors as f64 / self.requests as f64)
    }
}

/// Requests and errors by version since the traffic began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    by_version: BTreeMap<String, Count>,
    /// Requests that no version executed: the endpoint did not answer, or refused.
    pub unserved: u64,
}

impl Ledger {
    /// What a version has served.
    pub fn of(&self, version: &str) -> Count {
        self.by_version.get(version).copied().unwrap_or_default()
    }

    /// Every version that has served, with its counts.
    pub fn by_version(&self) -> impl Iterator<Item = (&str, Count)> {
        self.by_version.iter().map(|(version, count)| (version.as_str(), *count))
    }

    /// All versions together.
    pub fn total(&self) -> Count {
        self.by_version.values().fold(Count::default(), |sum, count| Count {
            requests: sum.requests + count.requests,
            errors: sum.errors + count.errors,
        })
    }

    /// What has come since `earlier`, a snapshot of the same ledger.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let by_version = self
            .by_version
            .iter()
            .map(|(version, now)| {
                let then = earlier.of(version);
                let count = Count { requests: now.requests - then.requests, errors: now.errors - then.errors };
                (version.clone(), count)
            })
            .collect();
        Self { by_version, unserved: self.unserved - earlier.unserved }
    }

    fn add(&mut self, served: Served) {
        let Some(version) = served.version else {
            self.unserved += 1;
            return;
        };
        let count = self.by_version.entry(version).or_default();
        count.requests += 1;
        count.errors += u64::from(served.failed);
    }
}

/// Traffic that flows until it is stopped or dropped.
#[derive(Debug)]
pub struct Traffic {
    ledger: Arc<Mutex<Ledger>>,
    task: JoinHandle<()>,
    under_way: Arc<Semaphore>,
}

impl Traffic {
    /// Sends `per_second` requests in each real second, evenly. Where the endpoint cannot keep up,
    /// fewer are sent: there is no queue that would burst later.
    pub fn start<F, R>(per_second: f64, send: F) -> Self
    where
        F: Fn() -> R + Send + 'static,
        R: Future<Output = Served> + Send + 'static,
    {
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let under_way = Arc::new(Semaphore::new(UNDER_WAY));
        let (book, places) = (Arc::clone(&ledger), Arc::clone(&under_way));
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(TICK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            let mut last = ticks.tick().await;
            let mut due = 0.0_f64;
            loop {
                let now = ticks.tick().await;
                due += per_second * (now - last).as_secs_f64();
                last = now;
                while due >= 1.0 {
                    due -= 1.0;
                    let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                        due = 0.0;
                        break;
                    };
                    let (book, request) = (Arc::clone(&book), send());
                    tokio::spawn(async move {
                        let served = request.await;
                        book.lock().unwrap_or_else(PoisonError::into_inner).add(served);
                        drop(place);
                    });
                }
            }
        });
        Self { ledger, task, under_way }
    }

    /// The counts so far.
    pub fn snapshot(&self) -> Ledger {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops sending, waits for what is under way, and gives the final counts.
    pub async fn stop(self) -> Ledger {
        self.task.abort();
        let all = u32::try_from(UNDER_WAY).unwrap_or(u32::MAX);
        // The semaphore is never closed, so this only waits.
        let _ = self.under_way.acquire_many(all).await;
        self.snapshot()
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_are_counted_by_version_and_none_is_lost() {
        let numbers = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let sent = Arc::clone(&numbers);
        let traffic = Traffic::start(2000.0, move || {
            let number = sent.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            async move {
                Served {
                    version: (number % 10 != 9).then(|| (1 + number % 2).to_string()),
                    failed: number.is_multiple_of(4),
                }
            }
        });
        let before = traffic.snapshot();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let ledger = traffic.stop().await.since(&before);
        let sent = numbers.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(ledger.total().requests + ledger.unserved, sent);
        assert!(sent > 20, "{sent}");
        assert_eq!(ledger.of("2").errors, 0);
        assert!(ledger.of("1").errors > 0);
        assert_eq!(ledger.of("3").error_percent(), None);
    }
}
