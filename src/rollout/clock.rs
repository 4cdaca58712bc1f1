//! The services' time: durations by this machine's monotonic clock, the wall by what the services
//! say, and the sandbox's speed.

#![expect(clippy::disallowed_methods, reason = "this is the clock")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::names::Time;

/// A clock that a whole rollout shares.
#[derive(Clone, Debug)]
pub struct Clock {
    inner: Arc<Mutex<Set>>,
    speed: f64,
}

#[derive(Clone, Copy, Debug)]
struct Set {
    at: Instant,
    shown: Time,
}

impl Clock {
    /// Shows `now`, and goes on `speed` times as fast as this machine's.
    pub fn new(now: Time, speed: f64) -> Self {
        Self { inner: Arc::new(Mutex::new(Set { at: Instant::now(), shown: now })), speed }
    }

    /// This machine's wall, until a service is heard.
    pub fn real() -> Self {
        let nanoseconds = time::OffsetDateTime::now_utc().unix_timestamp_nanos();
        Self::new(Time(i64::try_from(nanoseconds / 1_000_000).unwrap_or(i64::MAX)), 1.0)
    }

    /// The services' time.
    pub fn now(&self) -> Time {
        let set = *self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        set.shown + set.at.elapsed().mul_f64(self.speed)
    }

    /// A service said that it is `date`. Only a jump ahead is followed (a laptop slept: the
    /// monotonic clock did too); a `Date` header is cut to the second, so small differences say
    /// nothing.
    pub fn heard(&self, date: Time) {
        if date.since(self.now()) > Duration::from_secs(5).mul_f64(self.speed.max(1.0)) {
            let set = Set { at: Instant::now(), shown: date };
            *self.inner.lock().unwrap_or_else(PoisonError::into_inner) = set;
        }
    }

    /// How much real time a duration of the services' takes.
    pub fn real_duration(&self, duration: Duration) -> Duration {
        duration.div_f64(self.speed)
    }

    /// How many of the services' seconds one real second has.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Waits.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(self.real_duration(duration)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_a_jump_ahead_and_never_goes_back() {
        let clock = Clock::new(Time(1_000_000), 1.0);
        clock.heard(Time(900_000));
        assert!(clock.now() >= Time(1_000_000) && clock.now() < Time(1_100_000));
        clock.heard(Time(2_000_000));
        assert!(clock.now() >= Time(2_000_000));
    }
}
