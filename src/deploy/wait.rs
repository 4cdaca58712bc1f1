//! Polling: quick at first, slower while nothing happens, with an end.

use std::time::Duration;

use tokio::time::Instant;

use super::{Error, Event, Sink};

/// The first pause between two looks.
const FIRST: Duration = Duration::from_millis(200);
/// The longest pause: CloudFormation allows few calls a second for a whole account.
const LONGEST: Duration = Duration::from_secs(5);
/// How often a wait without news gives a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// One wait.
pub(super) struct Wait<'a> {
    what: String,
    limit: Duration,
    goes_on: bool,
    started: Instant,
    news: Instant,
    pause: Duration,
    sink: Sink<'a>,
}

impl<'a> Wait<'a> {
    /// Waits for `what` up to `limit`. `goes_on`: whether what is waited for goes on when we give up.
    pub(super) fn new(what: impl Into<String>, limit: Duration, goes_on: bool, sink: Sink<'a>) -> Self {
        let now = Instant::now();
        Self { what: what.into(), limit, goes_on, started: now, news: now, pause: FIRST, sink }
    }

    /// Something happened: look soon again.
    pub(super) fn news(&mut self) {
        self.news = Instant::now();
        self.pause = FIRST;
    }

    /// How long it has been.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits for the next look.
    ///
    /// # Errors
    /// The limit is reached.
    pub(super) async fn pause(&mut self) -> Result<(), Error> {
        if self.started.elapsed() >= self.limit {
            return Err(Error::Timeout {
                what: self.what.clone(),
                minutes: self.limit.as_secs().div_ceil(60),
                goes_on: self.goes_on,
            });
        }
        if self.news.elapsed() >= SIGN_OF_LIFE {
            self.news = Instant::now();
            (self.sink)(Event::Waiting { what: self.what.clone(), seconds: self.started.elapsed().as_secs() });
        }
        tokio::time::sleep(self.pause.min(self.limit)).await;
        self.pause = (self.pause * 3 / 2).min(LONGEST);
        Ok(())
    }
}
