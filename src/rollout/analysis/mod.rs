//! Whether the new version is worse. Pure: counts by the minute go in, evidence and reasons come
//! out. Every stream is an e-process, so it may be looked at after each minute with one bound on
//! the chance of a false rollback over the whole rollout.

pub mod alarms;
mod counts;
mod criteria;
pub mod dispersion;
mod judge;
mod limit;
pub mod limits;
mod metric;
pub mod sequential;
mod standing;
mod streams;
mod words;

pub use counts::{Baseline, Before, Counts, Minute, Tally, baseline};
pub use criteria::{Criteria, Resolution, extras};
pub use judge::{Judge, METRIC_DELAY};
pub use limit::{Limit, Measure};
pub use metric::Metric;
pub use standing::{Part, Reason, Standing, Stream};
pub use words::{number, share};

/// The chance of a false rollback that is accepted over a whole rollout, by default.
pub const ALPHA: f64 = 0.01;
