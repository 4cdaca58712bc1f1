//! Whether the new version is worse. Pure: counts by the minute go in, evidence and reasons come
//! out. Every stream is an e-process, so it may be looked at after each minute with one bound on
//! the chance of a false rollback over the whole rollout.

pub mod alarms;
pub mod dispersion;
pub mod limits;
pub mod sequential;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::names::Time;
use limits::{Limit, LimitTest, Measure};
use sequential::{Comparison, Parameters};

/// The chance of a false rollback that is accepted over a whole rollout, by default.
pub const ALPHA: f64 = 0.01;
/// The streams' shares of the evidence; they sum to one, and an idle stream stays at one.
const SHARES: [(Stream, f64); 3] = [(Stream::Errors, 0.6), (Stream::Bake, 0.2), (Stream::Latency, 0.2)];
/// CloudWatch has every data point of a minute so long after its end, and after its longest invocation.
pub const METRIC_DELAY: Duration = Duration::from_secs(180);
/// Minutes older than this, and the longest invocation, do not change any more: they are folded.
const WINDOW: Duration = Duration::from_secs(240);
/// A minute that has not changed for so long, its invocations being over, is taken as complete.
const SETTLED_AFTER: Duration = Duration::from_secs(55);
/// Judged minutes that are kept to be shown, and to count a step's requests.
const HISTORY: usize = 240;

/// What one version did in one minute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Invocations.
    pub n: u64,
    /// Of these, those that ended with an error of the function.
    pub errors: u64,
    /// Of these, those that took longer than each of the thresholds that are watched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slow: Vec<u64>,
}

/// What CloudWatch says of one minute. `None` is "no data point", which is not zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minute {
    /// Counted from 1970.
    pub minute: i64,
    /// The old version.
    pub old: Option<Counts>,
    /// The new version.
    pub new: Option<Counts>,
    /// Throttled requests of the alias; Lambda does not say for which version.
    #[serde(default)]
    pub throttles: u64,
    /// Whether the alias was wholly on the new version from its first second: nothing of the old
    /// one is to be waited for.
    #[serde(default)]
    pub whole: bool,
}

/// What the old version did in the hour before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Invocations.
    pub n: u64,
    /// Errors.
    pub errors: u64,
    /// Throttled requests.
    #[serde(default)]
    pub throttles: u64,
    /// How clumped the errors are, from 1 to 4.
    pub phi: f64,
    /// The 95th percentile of the duration, when there was traffic.
    pub p95_ms: Option<f64>,
    /// The share of invocations that took longer than 1.2 times that.
    pub slow_share: f64,
    /// The longest invocation.
    pub longest_ms: u64,
}

/// By what a rollout is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Criteria {
    /// The accepted chance of a false rollback.
    pub alpha: f64,
    /// The user's own limits.
    pub limits: Vec<Limit>,
    /// The old version's hour before.
    pub baseline: Baseline,
    /// The function's timeout: no invocation takes longer.
    pub timeout_s: u64,
}

impl Criteria {
    /// From which duration on an invocation is slow, for the comparison of latency.
    pub fn tau_ms(&self) -> Option<f64> {
        self.baseline.p95_ms.map(|p95| p95 * 1.2)
    }

    /// Every threshold whose exceeding is counted, in the order of [`Counts::slow`].
    pub fn slow_thresholds_ms(&self) -> Vec<f64> {
        let limits = self.limits.iter().filter_map(|limit| match limit.measure {
            Measure::SlowerThan(threshold_ms) => Some(threshold_ms as f64),
            Measure::Errors | Measure::Throttles => None,
        });
        self.tau_ms().into_iter().chain(limits).collect()
    }
}

/// A stream of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// New against old, errors.
    Errors,
    /// The new version alone, against what the old one did before.
    Bake,
    /// New against old, slow invocations.
    Latency,
}

/// Invocations and errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Invocations.
    pub n: u64,
    /// Errors (or slow ones, or throttles: what the stream counts).
    pub x: u64,
}

impl Tally {
    fn add(&mut self, n: u64, x: u64) {
        self.n += n;
        self.x += x;
    }
}

/// Where the evidence stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The whole evidence, not its logarithm; capped at 1e300.
    pub evidence: f64,
    /// What it has to reach.
    pub bound: f64,
    /// The stream that says most.
    pub stream: Stream,
    /// The old version's judged requests and errors, of minutes with both versions.
    pub old: Tally,
    /// The new version's judged requests and errors.
    pub new: Tally,
    /// Judged minutes.
    pub minutes: u64,
    /// Why to go back, once there is a reason.
    pub reason: Option<Reason>,
}

/// Why to go back, with the numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Reason {
    /// The new version fails (or is slow) more often than the old one.
    Worse {
        /// Errors or latency.
        stream: Stream,
        /// The old version.
        old: Tally,
        /// The new version.
        new: Tally,
        /// The evidence.
        evidence: f64,
        /// The bound.
        bound: f64,
    },
    /// At 100 % the new version fails more often than the old one did before.
    WorseThanBefore {
        /// The new version at 100 %.
        new: Tally,
        /// The share of errors that it may have.
        bar: f64,
        /// The evidence.
        evidence: f64,
        /// The bound.
        bound: f64,
    },
    /// A limit of the user's is broken.
    Limit {
        /// The limit.
        limit: Limit,
        /// What was counted.
        new: Tally,
        /// The evidence.
        evidence: f64,
        /// The bound.
        bound: f64,
    },
}

/// The evidence so far. Minutes that can still change are kept as they are; older ones are folded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judge {
    folded: Folded,
    window: BTreeMap<i64, Watched>,
    /// Minutes in which most of the new version's environments are new: cold starts.
    cold: BTreeSet<i64>,
    history: VecDeque<Minute>,
    longest_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Watched {
    counts: Minute,
    unchanged_since: Time,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Folded {
    through: Option<i64>,
    errors: Comparison,
    latency: Comparison,
    bake: LimitTest,
    limits: Vec<LimitTest>,
    /// Both versions in minutes with both; errors.
    old: Tally,
    new: Tally,
    old_slow: Tally,
    new_slow: Tally,
    alone: Tally,
    limit_tallies: Vec<Tally>,
    minutes: u64,
}

impl Judge {
    /// A raise was carried out: what is known of cold starts follows from it.
    pub fn raised(&mut self, at: Time, before: f64, after: f64) {
        if after > 0.0 && (after - before) / after > 1.0 / 3.0 {
            // The raise is somewhere in its minute; the environments that it starts are new in the next too.
            self.cold.extend([at.minute(), at.minute() + 1]);
            while self.cold.len() > HISTORY {
                self.cold.pop_first();
            }
        }
    }

    /// The longest invocation seen, at most the function's timeout: late data is as late as this.
    pub fn longest(&self, criteria: &Criteria) -> Duration {
        let seen = Duration::from_millis(self.longest_ms.max(criteria.baseline.longest_ms));
        seen.min(Duration::from_secs(criteria.timeout_s))
    }

    /// From which minute on data is wanted: what is not folded yet, at most `since`'s minute.
    pub fn wanted_from(&self, since: Time) -> i64 {
        self.folded.through.map_or(since.minute(), |through| (through + 1).max(since.minute()))
    }

    /// When a minute's data is complete for certain.
    pub fn complete_at(&self, minute: i64, criteria: &Criteria) -> Time {
        Time::of_minute(minute + 1) + METRIC_DELAY + self.longest(criteria)
    }

    /// Takes what was read and says where the evidence stands.
    pub fn look(&mut self, criteria: &Criteria, minutes: &[Minute], longest_ms: u64, now: Time) -> Standing {
        self.longest_ms = self.longest_ms.max(longest_ms);
        for counts in minutes {
            if self.folded.through.is_some_and(|through| counts.minute <= through) {
                continue;
            }
            match self.window.get_mut(&counts.minute) {
                Some(seen) if seen.counts == *counts => {}
                Some(seen) => *seen = Watched { counts: counts.clone(), unchanged_since: now },
                None => {
                    self.window.insert(counts.minute, Watched { counts: counts.clone(), unchanged_since: now });
                }
            }
        }
        let longest = self.longest(criteria);
        while let Some(entry) = self.window.first_entry() {
            if Time::of_minute(*entry.key() + 1) + WINDOW + longest > now {
                break;
            }
            let (minute, watched) = entry.remove_entry();
            self.folded.take(criteria, &watched.counts, self.cold.contains(&minute));
            self.folded.through = Some(minute);
            self.history.push_back(watched.counts);
            if self.history.len() > HISTORY {
                self.history.pop_front();
            }
        }
        self.view(criteria, now).standing(criteria)
    }

    /// Requests of the new version in judged minutes since a point in time.
    pub fn served_since(&self, criteria: &Criteria, since: Time, now: Time) -> u64 {
        let judged = self.complete(criteria, now).map(|(_, minute)| minute);
        self.history
            .iter()
            .chain(judged)
            .filter(|minute| minute.minute >= since.minute())
            .filter_map(|minute| minute.new.as_ref())
            .map(|counts| counts.n)
            .sum()
    }

    /// The judged minutes that are still known, oldest first.
    pub fn minutes(&self) -> impl Iterator<Item = &Minute> {
        self.history.iter().chain(self.window.values().map(|watched| &watched.counts))
    }

    fn complete<'a>(&'a self, criteria: &'a Criteria, now: Time) -> impl Iterator<Item = (i64, &'a Minute)> {
        let longest = self.longest(criteria);
        self.window.iter().filter_map(move |(minute, watched)| {
            let over = Time::of_minute(minute + 1) + longest;
            let settled = now >= over && now.since(watched.unchanged_since) >= SETTLED_AFTER;
            // Data that comes in two halves must not be judged between them, and a half that is
            // missing altogether shows only when the delay is over.
            let counts = &watched.counts;
            let both = counts.new.is_some() && (counts.old.is_some() || counts.whole);
            ((settled && both) || now >= over + METRIC_DELAY).then_some((*minute, &watched.counts))
        })
    }

    fn view(&self, criteria: &Criteria, now: Time) -> Folded {
        let mut view = self.folded.clone();
        for (minute, counts) in self.complete(criteria, now) {
            view.take_with_bar(criteria, counts, self.cold.contains(&minute), self.folded.bar(criteria));
        }
        view
    }
}

impl Folded {
    fn bar(&self, criteria: &Criteria) -> f64 {
        limits::bake_bar(criteria.baseline.n + self.old.n, criteria.baseline.errors + self.old.x)
    }

    fn take(&mut self, criteria: &Criteria, minute: &Minute, cold: bool) {
        let bar = self.bar(criteria);
        self.take_with_bar(criteria, minute, cold, bar);
    }

    fn take_with_bar(&mut self, criteria: &Criteria, minute: &Minute, cold: bool, bar: f64) {
        let nothing = Counts::default();
        let old = minute.old.as_ref().unwrap_or(&nothing);
        let new = minute.new.as_ref().unwrap_or(&nothing);
        let phi = criteria.baseline.phi.clamp(1.0, 4.0);
        self.minutes += u64::from(new.n > 0);
        if old.n > 0 && new.n > 0 {
            self.errors.add(&Parameters::errors(criteria.alpha, phi), old.n, old.errors, new.n, new.errors);
            self.old.add(old.n, old.errors);
            self.new.add(new.n, new.errors);
            if let (Some(_), Some(old_slow), Some(new_slow), false) =
                (criteria.tau_ms(), old.slow.first(), new.slow.first(), cold)
            {
                let parameters = Parameters::latency(criteria.alpha, criteria.baseline.slow_share);
                self.latency.add(&parameters, old.n, *old_slow, new.n, *new_slow);
                self.old_slow.add(old.n, *old_slow);
                self.new_slow.add(new.n, *new_slow);
            }
        } else if new.n > 0 {
            self.bake.add(bar, new.n, new.errors, phi);
            self.alone.add(new.n, new.errors);
        }
        self.take_limits(criteria, minute, old, new, phi);
    }

    fn take_limits(&mut self, criteria: &Criteria, minute: &Minute, old: &Counts, new: &Counts, phi: f64) {
        self.limits.resize(criteria.limits.len(), LimitTest::default());
        self.limit_tallies.resize(criteria.limits.len(), Tally::default());
        let mut slow_index = usize::from(criteria.tau_ms().is_some());
        for (index, limit) in criteria.limits.iter().enumerate() {
            let (of_old, of_new) = match limit.measure {
                Measure::Errors => (Tally { n: old.n, x: old.errors }, Tally { n: new.n, x: new.errors }),
                Measure::SlowerThan(_) => {
                    let at = slow_index;
                    slow_index += 1;
                    let slow = |counts: &Counts| counts.slow.get(at).copied();
                    match (slow(old), slow(new)) {
                        (old_slow, Some(x)) => (Tally { n: old.n, x: old_slow.unwrap_or(0) }, Tally { n: new.n, x }),
                        _ => continue,
                    }
                }
                Measure::Throttles => {
                    let before = &criteria.baseline;
                    let of_both = Tally { n: old.n + new.n + minute.throttles, x: minute.throttles };
                    (Tally { n: before.n + before.throttles, x: before.throttles }, of_both)
                }
            };
            // Rolling forward out of an incident must work: a limit that the old version breaks in
            // the same minute says nothing about the new one.
            if of_new.n == 0 || (of_old.n > 0 && of_old.x as f64 > limit.bound * of_old.n as f64) {
                continue;
            }
            if let (Some(test), Some(tally)) = (self.limits.get_mut(index), self.limit_tallies.get_mut(index)) {
                test.add(limit.bound, of_new.n, of_new.x, phi);
                tally.add(of_new.n, of_new.x);
            }
        }
    }

    fn ln_e(&self, stream: Stream) -> f64 {
        match stream {
            Stream::Errors => self.errors.ln_e(),
            Stream::Latency => self.latency.ln_e(),
            Stream::Bake => self.bake.ln_e(),
        }
    }

    fn standing(&self, criteria: &Criteria) -> Standing {
        let bound = 1.0 / criteria.alpha;
        let ln_bound = bound.ln();
        let parts = SHARES.map(|(stream, share)| (stream, share.ln() + self.ln_e(stream)));
        let ln_evidence = parts.iter().fold(f64::NEG_INFINITY, |sum, (_, ln)| sequential::log_add_exp(sum, *ln));
        let (stream, _) =
            parts.into_iter().fold(
                (Stream::Errors, f64::NEG_INFINITY),
                |best, (stream, ln)| if ln > best.1 { (stream, ln) } else { best },
            );
        let evidence = capped(ln_evidence);
        let by_limit =
            criteria.limits.iter().zip(&self.limits).zip(&self.limit_tallies).find_map(|((limit, test), new)| {
                (test.ln_e() >= ln_bound).then(|| Reason::Limit {
                    limit: limit.clone(),
                    new: *new,
                    evidence: capped(test.ln_e()),
                    bound,
                })
            });
        let by_evidence = (ln_evidence >= ln_bound).then(|| match stream {
            Stream::Errors => Reason::Worse { stream, old: self.old, new: self.new, evidence, bound },
            Stream::Latency => Reason::Worse { stream, old: self.old_slow, new: self.new_slow, evidence, bound },
            Stream::Bake => Reason::WorseThanBefore { new: self.alone, bar: self.bar(criteria), evidence, bound },
        });
        let new = Tally { n: self.new.n + self.alone.n, x: self.new.x + self.alone.x };
        Standing {
            evidence,
            bound,
            stream,
            old: self.old,
            new,
            minutes: self.minutes,
            reason: by_limit.or(by_evidence),
        }
    }
}

fn capped(ln: f64) -> f64 {
    ln.min(690.0).exp()
}

/// Builds the baseline from the old version's minutes of the hour before.
pub fn baseline(minutes: &[Minute], p95_ms: Option<f64>, longest_ms: u64) -> Baseline {
    let old = || minutes.iter().filter_map(|minute| minute.old.as_ref());
    let n = old().map(|counts| counts.n).sum();
    let errors = old().map(|counts| counts.errors).sum();
    // Neighbours have to be neighbours: a minute without data stands as an empty one.
    let range = minutes.iter().map(|minute| minute.minute).min().zip(minutes.iter().map(|minute| minute.minute).max());
    let series: Vec<(u64, u64)> = range.map_or_else(Vec::new, |(first, last)| {
        let by_minute: BTreeMap<i64, &Counts> =
            minutes.iter().filter_map(|minute| Some((minute.minute, minute.old.as_ref()?))).collect();
        (first.max(last - 59)..=last)
            .map(|minute| by_minute.get(&minute).map_or((0, 0), |counts| (counts.n, counts.errors)))
            .collect()
    });
    Baseline {
        n,
        errors,
        throttles: minutes.iter().map(|minute| minute.throttles).sum(),
        phi: dispersion::dispersion(&series),
        p95_ms: p95_ms.filter(|p95| p95.is_finite() && *p95 > 0.0 && n > 0),
        slow_share: 0.0,
        longest_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn criteria(limits: Vec<Limit>) -> Criteria {
        let baseline = Baseline { n: 36_000, errors: 180, phi: 1.0, longest_ms: 900, ..Baseline::default() };
        Criteria { alpha: ALPHA, limits, baseline, timeout_s: 30 }
    }

    fn minute(minute: i64, old: (u64, u64), new: (u64, u64)) -> Minute {
        let counts = |(n, errors)| (n > 0).then_some(Counts { n, errors, slow: Vec::new() });
        Minute { minute, old: counts(old), new: counts(new), throttles: 0, whole: old.0 == 0 }
    }

    /// Looks once a minute, with each minute's data there a minute after its end.
    fn run(criteria: &Criteria, minutes: &[Minute]) -> Vec<Standing> {
        let mut judge = Judge::default();
        let mut standings = Vec::new();
        for now in 0..i64::try_from(minutes.len()).unwrap() + 6 {
            let visible: Vec<Minute> = minutes.iter().filter(|minute| minute.minute + 1 < now).cloned().collect();
            standings.push(judge.look(criteria, &visible, 0, Time::of_minute(now)));
        }
        standings
    }

    #[test]
    fn a_worse_version_is_named_with_its_numbers() {
        let minutes: Vec<Minute> = (0..8).map(|m| minute(m, (540, 3), (60, 4))).collect();
        let last = run(&criteria(Vec::new()), &minutes).pop().unwrap();
        let Some(Reason::Worse { stream: Stream::Errors, new, old, evidence, bound }) = last.reason else {
            panic!("{last:?}");
        };
        assert_eq!((new, old), (Tally { n: 480, x: 32 }, Tally { n: 4320, x: 24 }));
        assert!(evidence >= bound);
    }

    #[test]
    fn a_version_as_good_as_the_old_one_goes_on() {
        let minutes: Vec<Minute> = (0..60).map(|m| minute(m, (540, 3), (60, u64::from(m % 3 == 0)))).collect();
        assert!(run(&criteria(Vec::new()), &minutes).iter().all(|standing| standing.reason.is_none()));
    }

    #[test]
    fn both_failing_together_is_nobodys_fault() {
        let limit = "errors=5%".parse().unwrap();
        let minutes: Vec<Minute> = (0..20).map(|m| minute(m, (540, 270), (60, 30))).collect();
        assert!(run(&criteria(vec![limit]), &minutes).iter().all(|standing| standing.reason.is_none()));
    }

    #[test]
    fn a_users_limit_fires_when_the_old_version_keeps_it() {
        let limit: Limit = "errors=1%".parse().unwrap();
        let minutes: Vec<Minute> = (0..10).map(|m| minute(m, (54_000, 540), (6000, 160))).collect();
        let last = run(&criteria(vec![limit.clone()]), &minutes).pop().unwrap();
        assert!(matches!(last.reason, Some(Reason::Limit { limit: fired, .. }) if fired == limit));
    }

    #[test]
    fn the_bake_judges_the_new_version_alone() {
        let minutes: Vec<Minute> = (0..5).map(|m| minute(m, (0, 0), (600, 60))).collect();
        let last = run(&criteria(Vec::new()), &minutes).pop().unwrap();
        assert!(matches!(last.reason, Some(Reason::WorseThanBefore { .. })), "{last:?}");
    }

    #[test]
    fn half_of_a_minute_is_not_judged() {
        // The errors come a minute before the successes.
        let criteria = criteria(Vec::new());
        let mut judge = Judge::default();
        let half = minute(0, (540, 3), (20, 20));
        let whole = minute(0, (540, 3), (2000, 20));
        assert!(judge.look(&criteria, &[half], 0, Time::of_minute(2)).reason.is_none());
        for now in 3..9 {
            let standing = judge.look(&criteria, std::slice::from_ref(&whole), 0, Time::of_minute(now));
            assert!(standing.reason.is_none(), "minute {now}: {standing:?}");
        }
    }

    #[test]
    fn long_invocations_are_waited_for() {
        let mut criteria = criteria(Vec::new());
        criteria.timeout_s = 600;
        let mut judge = Judge::default();
        let bad = minute(0, (540, 0), (60, 60));
        for now in 1..12 {
            let standing = judge.look(&criteria, std::slice::from_ref(&bad), 600_000, Time::of_minute(now));
            assert_eq!(standing.minutes, u64::from(now >= 11), "minute {now}");
        }
    }

    #[test]
    fn evidence_survives_being_written_down() {
        let criteria = criteria(vec!["throttles=1%".parse().unwrap()]);
        let mut judge = Judge::default();
        for now in 0..20 {
            let text = serde_json::to_string(&judge).unwrap();
            let mut read: Judge = serde_json::from_str(&text).unwrap();
            let look = |judge: &mut Judge| {
                judge.look(&criteria, &[minute(now - 1, (540, 3), (60, 1))], 0, Time::of_minute(now)).evidence
            };
            // serde_json reads a float to within its last bit.
            assert!((look(&mut read) / look(&mut judge) - 1.0).abs() < 1e-12);
        }
        assert!(judge.served_since(&criteria, Time::of_minute(0), Time::of_minute(20)) > 900);
    }
}
