//! The sandbox's time: runs at a chosen multiple of real time, and goes on where it was.

#![expect(clippy::disallowed_methods, reason = "this is the clock")]

use std::time::Duration;

use time::OffsetDateTime;

use crate::pace::Pace;

/// Sandbox time.
#[derive(Clone, Debug)]
pub struct Clock {
    pace: Pace,
    /// By the pace.
    started: Duration,
    origin: OffsetDateTime,
    speed: f64,
}

impl Clock {
    /// A clock that shows `origin` now and runs `speed` times as fast as real time.
    pub fn new(origin: OffsetDateTime, speed: f64) -> Self {
        Self::paced(origin, speed, Pace::real())
    }

    /// The same, where time passes in another way.
    pub fn paced(origin: OffsetDateTime, speed: f64, pace: Pace) -> Self {
        Self { started: pace.elapsed(), pace, origin, speed }
    }

    /// Real time, or `not_before` where the clock had run ahead of it.
    pub fn resume(not_before: Option<OffsetDateTime>, speed: f64) -> Self {
        let now = OffsetDateTime::now_utc();
        Self::new(not_before.map_or(now, |time| time.max(now)), speed)
    }

    /// The sandbox's wall time.
    pub fn now(&self) -> OffsetDateTime {
        self.origin + self.pace.elapsed().saturating_sub(self.started).mul_f64(self.speed)
    }

    /// Milliseconds since 1970 by the sandbox's wall time.
    pub fn now_ms(&self) -> i64 {
        i64::try_from(self.now().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
    }

    /// How many sandbox seconds one real second has.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// How long a sandbox duration takes in real time.
    pub fn real(&self, sandbox: Duration) -> Duration {
        sandbox.div_f64(self.speed)
    }

    /// Waits for a duration of the sandbox's time.
    pub async fn sleep(&self, sandbox: Duration) {
        self.pace.sleep(self.real(sandbox)).await;
    }
}
