//! The services' time: durations by this machine's monotonic clock, the wall by what the services
//! say, and the sandbox's speed.

#![expect(clippy::disallowed_methods, reason = "this is the clock")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::names::Time;
use crate::pace::Pace;

/// A clock that a whole rollout shares.
#[derive(Clone, Debug)]
pub struct Clock {
    inner: Arc<Mutex<Set>>,
    speed: f64,
    pace: Pace,
}

#[derive(Clone, Copy, Debug)]
struct Set {
    /// By the pace.
    at: Duration,
    shown: Time,
    /// Whether a service was heard; until then this machine's wall is believed, right or wrong.
    heard: bool,
}

/// How long a sandbox may take to tell its time.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

impl Clock {
    /// Shows `now`, and goes on `speed` times as fast as this machine's.
    pub fn new(now: Time, speed: f64) -> Self {
        Self::paced(now, speed, Pace::real())
    }

    /// The same, where time passes in another way.
    pub fn paced(now: Time, speed: f64, pace: Pace) -> Self {
        let set = Set { at: pace.elapsed(), shown: now, heard: true };
        Self { inner: Arc::new(Mutex::new(set)), speed, pace }
    }

    /// This machine's wall, until a service is heard.
    pub fn real() -> Self {
        let nanoseconds = time::OffsetDateTime::now_utc().unix_timestamp_nanos();
        Self::wall(Time(i64::try_from(nanoseconds / 1_000_000).unwrap_or(i64::MAX)), Pace::real())
    }

    /// A machine's wall that shows `now`, right or wrong, until a service is heard.
    pub fn wall(now: Time, pace: Pace) -> Self {
        let set = Set { at: pace.elapsed(), shown: now, heard: false };
        Self { inner: Arc::new(Mutex::new(set)), speed: 1.0, pace }
    }

    /// The clock of the services behind an endpoint: a sandbox on this machine is asked for its
    /// time and speed; everything else runs with real time, and is heard with its first answer.
    pub async fn of(endpoint_url: Option<&str>) -> Self {
        let port = endpoint_url.and_then(|url| {
            let rest = url.strip_prefix("http://127.0.0.1:").or_else(|| url.strip_prefix("http://localhost:"))?;
            rest.trim_end_matches('/').parse::<u16>().ok()
        });
        let Some(port) = port else { return Self::real() };
        let asked = tokio::time::timeout(ANSWER_LIMIT, sandbox_time(port)).await;
        asked.ok().flatten().map_or_else(Self::real, |(now, speed)| Self::new(now, speed))
    }

    /// The services' time.
    pub fn now(&self) -> Time {
        let set = *self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        set.shown + self.pace.elapsed().saturating_sub(set.at).mul_f64(self.speed)
    }

    /// A service said that it is `date`. Only a jump ahead is followed (a laptop slept: the
    /// monotonic clock did too); a `Date` header is cut to the second, so small differences say
    /// nothing.
    pub fn heard(&self, date: Time) {
        let tolerance = Duration::from_secs(5).mul_f64(self.speed.max(1.0));
        let now = self.now();
        let mut set = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let is_behind = date.since(now) > tolerance;
        let was_ahead = !set.heard && now.since(date) > tolerance;
        set.heard = true;
        if is_behind || was_ahead {
            *set = Set { at: self.pace.elapsed(), shown: date, heard: true };
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
        self.pace.sleep(self.real_duration(duration)).await;
    }

    /// How time passes for this clock: waits that do not depend on the services' speed.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }
}

/// What `GET /_samara/clock` says, where a sandbox listens.
async fn sandbox_time(port: u16) -> Option<(Time, f64)> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let question = format!("GET /_samara/clock HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    // Whatever else listens there may have a lot to say.
    stream.take(64 * 1024).read_to_end(&mut answer).await.ok()?;
    let text = String::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let said: serde_json::Value = head.starts_with("HTTP/1.1 200").then(|| serde_json::from_str(body).ok())??;
    let speed = said.get("speed")?.as_f64().filter(|speed| *speed > 0.0)?;
    Some((Time(said.get("now_ms")?.as_i64()?), speed))
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
        let wrong = Clock::real();
        wrong.heard(Time(1000));
        assert!(wrong.now() < Time(100_000), "the first service that is heard knows better");
    }
}
