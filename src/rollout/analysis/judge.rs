//! Which minutes are judged, and when: late, partial, missing and revised ones.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::counts::Minute;
use super::criteria::Criteria;
use super::standing::Standing;
use super::streams::{Rules, Streams, Taken};
use crate::rollout::names::Time;

/// CloudWatch has every data point of a minute so long after its end, and after its longest invocation.
pub const METRIC_DELAY: Duration = Duration::from_secs(180);
/// Minutes older than this, and the longest invocation, do not change any more: they are folded.
const WINDOW: Duration = Duration::from_secs(240);
/// A minute that has not changed for so long, its invocations being over, is taken as complete.
const SETTLED_AFTER: Duration = Duration::from_secs(55);
/// Judged minutes that are kept to be shown, and to count a step's requests.
const HISTORY: usize = 240;
/// More new environments than this, and latency is that of cold starts.
const MOSTLY_NEW: f64 = 1.0 / 3.0;
/// Raises that are kept: as many as can be in minutes that are not folded, and more.
const SHARES: usize = 32;
/// How much traffic there usually is, so many minutes before tell.
const USUAL: usize = 5;

/// The evidence so far. Minutes that can still change are kept as they are; older ones are folded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judge {
    streams: Streams,
    /// The newest minute that is folded.
    through: Option<i64>,
    window: BTreeMap<i64, Watched>,
    /// Minutes in which most of the new version's environments are new: cold starts.
    cold: BTreeSet<i64>,
    history: VecDeque<Minute>,
    longest_ms: u64,
    /// The new version's share after each raise, oldest first.
    #[serde(default)]
    shares: VecDeque<(Time, f64)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Watched {
    counts: Minute,
    unchanged_since: Time,
}

impl Judge {
    /// A raise was carried out: what is known of cold starts follows from it.
    pub fn raised(&mut self, at: Time, before: f64, after: f64) {
        self.shares.push_back((at, after));
        if self.shares.len() > SHARES {
            self.shares.pop_front();
        }
        let new = if after > 0.0 { ((after - before) / after).clamp(0.0, 1.0) } else { 0.0 };
        if new <= MOSTLY_NEW {
            return;
        }
        self.cold.insert(at.minute());
        // They are new for a minute: so much of that is in the next one.
        let into_it = at.since(Time::of_minute(at.minute())).as_secs_f64() / 60.0;
        if new * into_it > MOSTLY_NEW {
            self.cold.insert(at.minute() + 1);
        }
        while self.cold.len() > HISTORY {
            self.cold.pop_first();
        }
    }

    /// The longest invocation seen, at most the function's timeout: late data is as late as this.
    pub fn longest(&self, criteria: &Criteria) -> Duration {
        let seen = Duration::from_millis(self.longest_ms.max(criteria.baseline.longest_ms));
        seen.min(Duration::from_secs(criteria.timeout_s))
    }

    /// From which minute on data is wanted: what is not folded yet, at most `since`'s minute.
    pub fn wanted_from(&self, since: Time) -> i64 {
        self.through.map_or(since.minute(), |through| (through + 1).max(since.minute()))
    }

    /// When a minute's data is complete for certain.
    pub fn complete_at(&self, minute: i64, criteria: &Criteria) -> Time {
        Time::of_minute(minute + 1) + METRIC_DELAY + self.longest(criteria)
    }

    /// Takes what was read and says where the evidence stands. Each look recomputes the minutes that
    /// can still change, and no others.
    pub fn look(&mut self, criteria: &Criteria, minutes: &[Minute], longest_ms: u64, now: Time) -> Standing {
        self.longest_ms = self.longest_ms.max(longest_ms);
        for counts in minutes {
            self.see(counts, now);
        }
        let rules = Rules::new(criteria);
        self.fold(&rules, self.longest(criteria), now);
        let mut view = self.streams.clone();
        for (counts, taken) in self.judged(criteria, now) {
            view.take(&rules, counts, taken);
        }
        view.standing(criteria)
    }

    fn see(&mut self, counts: &Minute, now: Time) {
        if self.through.is_some_and(|through| counts.minute <= through) {
            return;
        }
        match self.window.get_mut(&counts.minute) {
            Some(seen) if seen.counts == *counts => {}
            Some(seen) => *seen = Watched { counts: counts.clone(), unchanged_since: now },
            None => {
                self.window.insert(counts.minute, Watched { counts: counts.clone(), unchanged_since: now });
            }
        }
    }

    fn fold(&mut self, rules: &Rules<'_>, longest: Duration, now: Time) {
        while let Some(entry) = self.window.first_entry() {
            if Time::of_minute(*entry.key() + 1) + WINDOW + longest > now {
                break;
            }
            let (minute, watched) = entry.remove_entry();
            let taken = Taken { cold: self.cold.contains(&minute), last: true, early: None };
            self.streams.take(rules, &watched.counts, taken);
            self.through = Some(minute);
            self.history.push_back(watched.counts);
            if self.history.len() > HISTORY {
                self.history.pop_front();
            }
        }
    }

    /// Requests of the new version in judged minutes since a point in time.
    pub fn served_since(&self, criteria: &Criteria, since: Time, now: Time) -> u64 {
        let folded = self.history.iter().rev().take_while(|minute| minute.minute >= since.minute());
        let judged = self.judged(criteria, now).map(|(minute, _)| minute);
        folded
            .chain(judged.filter(|minute| minute.minute >= since.minute()))
            .filter_map(|minute| minute.new.as_ref())
            .map(|counts| counts.n)
            .sum()
    }

    /// The judged minutes that are still known, oldest first.
    pub fn minutes(&self) -> impl Iterator<Item = &Minute> {
        self.history.iter().chain(self.window.values().map(|watched| &watched.counts))
    }

    /// The minutes of the window that can be judged, and how.
    ///
    /// Data that comes in two halves must not be taken for whole between them: errors come before
    /// successes, and half of a version's minute looks like a bad version. So a minute is complete once
    /// it does not change any more. Until then it is judged all the same, with the benefit of the doubt:
    /// the new version is taken to have served at least what it should have by now. More requests with
    /// the same errors are less evidence, so this never errs against it.
    fn judged<'a>(&'a self, criteria: &'a Criteria, now: Time) -> impl Iterator<Item = (&'a Minute, Taken)> {
        let longest = self.longest(criteria);
        self.window.iter().filter_map(move |(minute, watched)| {
            let over = Time::of_minute(minute + 1) + longest;
            let counts = &watched.counts;
            let settled = now >= over && now.since(watched.unchanged_since) >= SETTLED_AFTER;
            let both = counts.new.is_some() && (counts.old.is_some() || counts.whole);
            // A half that is missing altogether shows only when the delay is over.
            let last = now >= over + METRIC_DELAY;
            let cold = self.cold.contains(minute);
            if settled && (both || last) {
                return Some((counts, Taken { cold, last, early: None }));
            }
            let early = self.at_least(counts).filter(|_| now >= over)?;
            Some((counts, Taken { cold, last: false, early: Some(early) }))
        })
    }

    /// What the new version should have served in a minute: its share, by the old one's requests; or all
    /// that is usual, where it is alone. `None` where that is not known.
    fn at_least(&self, counts: &Minute) -> Option<u64> {
        let new = counts.new.as_ref().filter(|new| new.n > 0)?;
        let expected = if counts.whole {
            self.usual_before(counts.minute)?
        } else {
            let old = counts.old.as_ref().filter(|old| old.n > 0)?;
            let share = self.share_in(counts.minute).filter(|share| *share > 0.0 && *share < 1.0)?;
            old.n as f64 * share / (1.0 - share)
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, and not negative")]
        let expected = expected.ceil() as u64;
        Some(expected.max(new.n))
    }

    /// The largest share that the new version had in a minute.
    fn share_in(&self, minute: i64) -> Option<f64> {
        let (from, to) = (Time::of_minute(minute), Time::of_minute(minute + 1));
        let at_first = self.shares.iter().rev().find(|(at, _)| *at <= from);
        let within = self.shares.iter().filter(|(at, _)| *at > from && *at < to);
        at_first.into_iter().chain(within).map(|(_, share)| *share).reduce(f64::max)
    }

    /// The most requests of both versions in one of the minutes before this one.
    fn usual_before(&self, minute: i64) -> Option<f64> {
        let before = self.window.range(..minute).rev().map(|(_, watched)| &watched.counts);
        let both = |counts: &Minute| [&counts.old, &counts.new].into_iter().flatten().map(|one| one.n).sum::<u64>();
        before.chain(self.history.iter().rev()).take(USUAL).map(both).max().map(|most| most as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rollout::analysis::{Baseline, Before, Counts, Reason, Stream, Tally};

    fn criteria(limits: &[&str]) -> Criteria {
        let baseline = Baseline { n: 36_000, errors: 180, longest_ms: 900, ..Baseline::default() };
        let limits = limits.iter().map(|limit| limit.parse().unwrap()).collect();
        Criteria { limits, ..Criteria::new(0.01, baseline, 30) }
    }

    fn counts((n, errors): (u64, u64)) -> Option<Counts> {
        (n > 0).then_some(Counts { n, errors, ..Counts::default() })
    }

    fn minute(minute: i64, old: (u64, u64), new: (u64, u64)) -> Minute {
        Minute { minute, old: counts(old), new: counts(new), whole: old.0 == 0, ..Minute::default() }
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

    fn last(criteria: &Criteria, minutes: &[Minute]) -> Standing {
        run(criteria, minutes).pop().unwrap()
    }

    #[test]
    fn a_worse_version_is_named_with_its_numbers() {
        let minutes: Vec<Minute> = (0..8).map(|m| minute(m, (540, 3), (60, 4))).collect();
        let last = last(&criteria(&[]), &minutes);
        let Some(Reason::Worse { stream: Stream::Errors, new, old, evidence, bound, .. }) = last.reason else {
            panic!("{last:?}");
        };
        assert_eq!((new, old), (Tally { n: 480, x: 32 }, Tally { n: 4320, x: 24 }));
        assert!(evidence >= bound);
        assert!((0.015..0.03).contains(&last.noticed.rate.unwrap()), "{:?}", last.noticed);
    }

    #[test]
    fn a_version_as_good_as_the_old_one_goes_on() {
        let minutes: Vec<Minute> = (0..60).map(|m| minute(m, (540, 3), (60, u64::from(m % 3 == 0)))).collect();
        assert!(run(&criteria(&[]), &minutes).iter().all(|standing| standing.reason.is_none()));
    }

    #[test]
    fn race_36_both_failing_together_is_nobodys_fault() {
        let minutes: Vec<Minute> = (0..20).map(|m| minute(m, (540, 270), (60, 30))).collect();
        assert!(run(&criteria(&["errors=5%"]), &minutes).iter().all(|standing| standing.reason.is_none()));
    }

    #[test]
    fn a_users_limit_fires_when_the_old_version_keeps_it() {
        let criteria = criteria(&["errors=1%"]);
        let minutes: Vec<Minute> = (0..10).map(|m| minute(m, (54_000, 540), (6000, 160))).collect();
        let last = last(&criteria, &minutes);
        assert!(matches!(last.reason, Some(Reason::Limit { limit, .. }) if limit == criteria.limits[0]));
    }

    #[test]
    fn race_36_at_100_percent_a_limit_that_the_old_version_broke_before_does_not_fire() {
        let mut sick = criteria(&["errors=1%"]);
        let minutes: Vec<Minute> = (0..6).map(|m| minute(m, (0, 0), (600, 12))).collect();
        assert!(matches!(last(&sick, &minutes).reason, Some(Reason::Limit { .. })));
        sick.baseline.errors = 720;
        assert_eq!(last(&sick, &minutes).reason, None);
    }

    /// A limit on something, the same number of it for the new version, and the old one well or sick.
    fn with_extra(limit: &str, old: Option<u64>, new: Option<u64>, of_alias: Option<u64>) -> Option<Reason> {
        let mut criteria = criteria(&[limit]);
        criteria.baseline.extra = vec![Before { tally: Tally { n: 36_000, x: 36 }, phi: 1.0, seen: true }];
        let with = |n, extra| Some(Counts { n, extra: vec![extra], ..Counts::default() });
        let minutes: Vec<Minute> = (0..8)
            .map(|minute| Minute {
                minute,
                old: with(540, old),
                new: with(60, new),
                extra: vec![of_alias],
                throttles: of_alias.unwrap_or(0),
                whole: false,
            })
            .collect();
        last(&criteria, &minutes).reason
    }

    #[test]
    fn every_kind_of_limit_fires_for_the_new_version_alone() {
        for limit in [
            "throttles=2%",
            "spillover=2%",
            "async-dropped=2%",
            "dead-letter-errors=2%",
            "iterator-age:60s=2%",
            "Shop/Failures?version={version}=2%",
        ] {
            assert!(with_extra(limit, Some(0), Some(10), None).is_some(), "{limit}");
            assert_eq!(with_extra(limit, Some(0), Some(1), None), None, "{limit}, inside the bound");
            assert_eq!(with_extra(limit, Some(90), Some(10), None), None, "{limit}, which the old version breaks");
        }
        // Not split by version: the alias against the hour before.
        for limit in ["throttles=2%", "spillover=2%", "iterator-age:60s=2%", "AWS/ApiGateway/5XXError?ApiName=a=2%"] {
            assert!(with_extra(limit, None, None, Some(60)).is_some(), "{limit}");
            assert_eq!(with_extra(limit, None, None, Some(5)), None, "{limit}, inside the bound");
        }
    }

    #[test]
    fn race_19_a_minute_in_which_the_weight_changes_is_judged_by_its_counts() {
        // A tenth of the first minutes, half of the last ones, and in between what was served then:
        // whenever a weight took effect, each minute's counts are what they are.
        let minutes: Vec<Minute> = [(540, 60), (540, 60), (410, 190), (300, 300), (300, 300)]
            .into_iter()
            .zip(0..)
            .map(|((old, new), at)| minute(at, (old, old / 200), (new, new / 20)))
            .collect();
        let judged = |raises: &[(i64, f64, f64)]| {
            let mut judge = Judge::default();
            for (at, before, after) in raises {
                judge.raised(Time(*at), *before, *after);
            }
            judge.look(&criteria(&[]), &minutes, 0, Time::of_minute(20))
        };
        let told = judged(&[(0, 0.0, 0.1), (135_000, 0.1, 0.5)]);
        assert_eq!((told.minutes, told.new.n, told.old.n), (5, 910, 2090), "none is left out");
        assert!(matches!(told.reason, Some(Reason::Worse { stream: Stream::Errors, .. })), "{told:?}");
        // The weights themselves, and when they were set, change nothing of it.
        let late = judged(&[(0, 0.0, 0.1), (200_000, 0.1, 0.5)]);
        assert!((told.parts[0].evidence - late.parts[0].evidence).abs() < 1e-9);
    }

    #[test]
    fn race_25_tries_anew_count_for_either_version_and_what_is_given_up_is_a_limit() {
        // Each failed event is tried three times, by either version: three times the errors of both.
        let minutes: Vec<Minute> = (0..30).map(|m| minute(m, (540, 48), (60, 5 + u64::from(m % 3 == 0)))).collect();
        assert!(run(&criteria(&[]), &minutes).iter().all(|standing| standing.reason.is_none()));
        for limit in ["async-dropped=2%", "dead-letter-errors=2%"] {
            assert!(with_extra(limit, None, None, Some(60)).is_some(), "{limit}");
            assert_eq!(with_extra(limit, None, None, None), None, "{limit}, and nothing is lost");
        }
    }

    /// A limit on throttles of the alias, and what it had in the hour before.
    fn throttled(before: u64, during: u64) -> Option<Reason> {
        let mut criteria = criteria(&["throttles=2%"]);
        criteria.baseline.throttles = before;
        let minutes: Vec<Minute> =
            (0..8).map(|at| Minute { throttles: during, ..minute(at, (540, 3), (60, 0)) }).collect();
        last(&criteria, &minutes).reason
    }

    #[test]
    fn race_29_throttles_are_the_aliases_against_its_hour_before() {
        let reason = throttled(36, 60);
        let Some(Reason::Limit { new, .. }) = reason else { panic!("{reason:?}") };
        // They are no invocations: they stand beside them.
        assert_eq!(new, Tally { n: 8 * 660, x: 8 * 60 });
        assert_eq!(throttled(36, 5), None, "inside the bound");
        assert_eq!(throttled(3000, 60), None, "it was so before: the shift is not to blame");
    }

    #[test]
    fn race_31_traffic_that_explodes_or_stops_needs_no_correction() {
        let sizes = [600, 60_000, 12, 0, 240_000, 600];
        let with = |rate: u64| -> Vec<Minute> {
            let of = |n: u64, per_mille: u64| (n, n * per_mille / 1000);
            sizes.iter().zip(0..).map(|(n, at)| minute(at, of(n * 9 / 10, 5), of(n / 10, rate))).collect()
        };
        assert!(run(&criteria(&[]), &with(5)).iter().all(|standing| standing.reason.is_none()));
        assert!(matches!(last(&criteria(&[]), &with(50)).reason, Some(Reason::Worse { .. })));
    }

    #[test]
    fn a_custom_metric_is_compared_and_shares_the_evidence() {
        let mut criteria = criteria(&[]);
        criteria.metrics = vec!["Shop/Failures?version={version}".parse().unwrap()];
        let before = Before { tally: Tally { n: 36_000, x: 130 }, phi: 1.0, seen: true };
        criteria.baseline.extra = vec![before];
        let with = |n, extra| Some(Counts { n, extra: vec![extra], ..Counts::default() });
        let minute = |minute, new| Minute { minute, old: with(540, Some(2)), new: with(60, new), ..Minute::default() };
        let bad: Vec<Minute> = (0..8).map(|m| minute(m, Some(6))).collect();
        let standing = last(&criteria, &bad);
        let Some(Reason::Worse { stream: Stream::Metric, metric: Some(_), old, new, .. }) = standing.reason else {
            panic!("{standing:?}");
        };
        assert_eq!((old, new), (Tally { n: 4320, x: 16 }, Tally { n: 480, x: 48 }));
        assert!((standing.parts.iter().map(|part| part.share).sum::<f64>() - 1.0).abs() < 1e-12);
        // Sent only when there is something to count: no data point is none failed, once it is late.
        let good: Vec<Minute> = (0..8).map(|m| minute(m, None)).collect();
        let standing = last(&criteria, &good);
        assert_eq!(standing.reason, None);
        assert_eq!(standing.parts[3].new, Tally { n: 480, x: 0 });
        // At 100 % it has a bar of its own.
        let alone = (0..8).map(|m| Minute { old: None, whole: true, ..minute(m, Some(60)) });
        let standing = last(&criteria, &alone.collect::<Vec<_>>());
        assert!(matches!(standing.reason, Some(Reason::WorseThanBefore { metric: Some(_), .. })), "{standing:?}");
    }

    #[test]
    fn race_30_slow_requests_are_not_judged_while_environments_are_new_and_errors_are() {
        let mut criteria = criteria(&["slower:900ms=10%"]);
        criteria.baseline = Baseline { p95_ms: Some(500.0), slow_share: 0.03, ..criteria.baseline };
        let with = |n, slow: [u64; 2]| Some(Counts { n, errors: 0, slow: slow.to_vec(), extra: Vec::new() });
        let minutes: Vec<Minute> = (0..5)
            .map(|minute| Minute { minute, old: with(540, [16, 5]), new: with(60, [40, 40]), ..Minute::default() })
            .collect();
        let judged = |cold: &[(i64, f64, f64)]| {
            let mut judge = Judge::default();
            for (at, before, after) in cold {
                judge.raised(Time(*at), *before, *after);
            }
            judge.look(&criteria, &minutes, 0, Time::of_minute(5));
            judge.look(&criteria, &minutes, 0, Time::of_minute(20))
        };
        assert!(matches!(judged(&[]).reason, Some(Reason::Limit { .. })));
        assert_eq!(judged(&[]).parts[2].new.n, 300);
        // At the beginning of a minute: that one. In its middle: the next too, and not for a small raise.
        assert_eq!(judged(&[(500, 0.0, 0.1)]).parts[2].new.n, 240);
        assert_eq!(judged(&[(30_000, 0.0, 0.1)]).parts[2].new.n, 180);
        assert_eq!(judged(&[(30_000, 0.3, 0.4)]).parts[2].new.n, 300);
        let all_cold: Vec<_> = (0..5).map(|m| (m * 60_000, 0.0, 0.1)).collect();
        assert_eq!(judged(&all_cold).reason, None, "neither the comparison nor the limit");
        // An INIT that fails is an error of the new version like any other.
        let errors = |minute: &Minute| {
            let new = minute.new.clone().map(|new| Counts { errors: 30, ..new });
            Minute { new, ..minute.clone() }
        };
        let failing: Vec<Minute> = minutes.iter().map(errors).collect();
        let mut judge = Judge::default();
        all_cold.iter().for_each(|(at, before, after)| judge.raised(Time(*at), *before, *after));
        judge.look(&criteria, &failing, 0, Time::of_minute(5));
        let reason = judge.look(&criteria, &failing, 0, Time::of_minute(20)).reason;
        assert!(matches!(reason, Some(Reason::Worse { stream: Stream::Errors, .. })), "{reason:?}");
    }

    #[test]
    fn the_bake_judges_the_new_version_alone() {
        let minutes: Vec<Minute> = (0..5).map(|m| minute(m, (0, 0), (600, 60))).collect();
        let last = last(&criteria(&[]), &minutes);
        assert!(matches!(last.reason, Some(Reason::WorseThanBefore { .. })), "{last:?}");
    }

    #[test]
    fn half_of_a_minute_is_not_judged() {
        // The errors come a minute before the successes; however late, and though the second half is
        // later than CloudWatch usually is.
        for late in 2..4 {
            let criteria = criteria(&[]);
            let mut judge = Judge::default();
            let half = minute(0, (540, 3), (20, 20));
            let whole = minute(0, (540, 3), (2000, 20));
            assert!(judge.look(&criteria, &[half], 0, Time::of_minute(late)).reason.is_none());
            for now in late + 1..9 {
                let standing = judge.look(&criteria, std::slice::from_ref(&whole), 0, Time::of_minute(now));
                assert!(standing.reason.is_none(), "minute {now}: {standing:?}");
            }
        }
    }

    #[test]
    fn what_is_not_settled_is_judged_with_the_benefit_of_the_doubt() {
        let criteria = criteria(&[]);
        let at_once = |new: (u64, u64)| {
            let mut judge = Judge::default();
            judge.raised(Time(0), 0.0, 0.1);
            judge.look(&criteria, &[minute(0, (27_000, 135), new)], 0, Time::of_minute(2))
        };
        // A dead version is found at first sight, with its real numbers.
        let dead = at_once((2900, 2900));
        assert!(matches!(dead.reason, Some(Reason::Worse { new: Tally { n: 2900, x: 2900 }, .. })), "{dead:?}");
        // Its errors came, and half or all of its successes did not.
        assert_eq!(at_once((1500, 15)).reason, None);
        assert_eq!(at_once((15, 15)).reason, None);
    }

    #[test]
    fn a_minute_is_doubted_by_the_share_that_it_had_and_alone_by_the_traffic_before() {
        let criteria = criteria(&[]);
        let at_first_sight = |minutes: &[Minute], last: Minute| {
            let mut judge = Judge::default();
            judge.raised(Time(0), 0.0, 0.1);
            judge.raised(Time::of_minute(2), 0.1, 1.0);
            let before = judge.look(&criteria, minutes, 0, Time::of_minute(last.minute));
            assert_eq!(before.reason, None);
            judge.look(&criteria, &[last], 0, Time::of_minute(5)).reason
        };
        let quiet = [minute(0, (5400, 27), (600, 3))];
        // The tenth is what it had, though it has everything by now.
        assert!(matches!(at_first_sight(&quiet, minute(1, (5400, 27), (600, 90))), Some(Reason::Worse { .. })));
        assert_eq!(at_first_sight(&quiet, minute(1, (5400, 27), (12, 12))), None);
        // Alone it is expected to serve what both did.
        let twelve_percent = minute(2, (0, 0), (6000, 720));
        assert!(matches!(at_first_sight(&quiet, twelve_percent), Some(Reason::WorseThanBefore { .. })));
        assert_eq!(at_first_sight(&quiet, minute(2, (0, 0), (720, 120))), None);
        assert_eq!(at_first_sight(&[], minute(2, (0, 0), (6000, 720))), None, "how much there is, nobody knows");
    }

    #[test]
    fn long_invocations_are_waited_for() {
        let mut criteria = criteria(&[]);
        criteria.timeout_s = 600;
        let mut judge = Judge::default();
        let bad = minute(0, (540, 0), (60, 60));
        for now in 1..12 {
            let standing = judge.look(&criteria, std::slice::from_ref(&bad), 600_000, Time::of_minute(now));
            assert_eq!(standing.minutes, u64::from(now >= 11), "minute {now}");
        }
    }

    #[test]
    fn a_version_without_any_data_is_waited_for_and_then_had_no_requests() {
        let mut judge = Judge::default();
        let half = Minute { minute: 0, new: counts((60, 60)), ..Minute::default() };
        for now in 2..6 {
            let standing = judge.look(&criteria(&[]), std::slice::from_ref(&half), 0, Time::of_minute(now));
            assert_eq!(standing.minutes, u64::from(now >= 5), "minute {now}");
        }
    }

    fn any_minutes() -> impl Strategy<Value = Vec<Minute>> {
        let one = (0u64..400, 0u64..400, 0u64..60, 0u64..60, any::<bool>());
        prop::collection::vec(one, 1..14).prop_map(|minutes| {
            let minutes = minutes.into_iter().enumerate();
            minutes
                .map(|(index, (old_n, old_x, new_n, new_x, quiet))| {
                    let (old_x, new_x) = if quiet { (0, 0) } else { (old_x.min(old_n), new_x.min(new_n)) };
                    minute(i64::try_from(index).unwrap(), (old_n, old_x), (new_n, new_x))
                })
                .collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Once everything is there, it does not matter how often was looked, in what order data came
        /// or how it was revised before: folding is recomputing.
        #[test]
        fn the_order_of_data_does_not_matter(
            minutes in any_minutes(),
            lateness in prop::collection::vec((1i64..4, 0u64..100), 14),
        ) {
            let criteria = criteria(&["errors=5%"]);
            let end = 40;
            let mut at_once = Judge::default();
            at_once.look(&criteria, &minutes, 0, Time::of_minute(end - 1));
            let expected = at_once.look(&criteria, &minutes, 0, Time::of_minute(end));
            let mut judge = Judge::default();
            for now in 0..=end {
                let visible: Vec<Minute> = minutes.iter().zip(&lateness).filter_map(|(minute, (late, part))| {
                    let age = now - minute.minute - 1;
                    let mut seen = minute.clone();
                    if age < *late {
                        return None;
                    }
                    if age == *late {
                        for counts in [&mut seen.old, &mut seen.new].into_iter().flatten() {
                            counts.n = counts.n * part / 100;
                            counts.errors = counts.errors.min(counts.n);
                        }
                    }
                    Some(seen)
                }).collect();
                judge.look(&criteria, &visible, 0, Time::of_minute(now));
            }
            let found = judge.look(&criteria, &[], 0, Time::of_minute(end));
            prop_assert_eq!(found, expected);
        }

        /// The journal has the judge: who reads it goes on as the one that wrote it would have.
        #[test]
        fn what_is_written_down_goes_on_the_same(minutes in any_minutes(), at in 0i64..14) {
            let criteria = criteria(&["throttles=1%"]);
            let mut judge = Judge::default();
            judge.raised(Time::of_minute(1), 0.0, 0.1);
            for now in 0..=at {
                let visible: Vec<Minute> = minutes.iter().filter(|minute| minute.minute < now).cloned().collect();
                judge.look(&criteria, &visible, 700, Time::of_minute(now));
            }
            let text = serde_json::to_string(&judge).unwrap();
            let mut read: Judge = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&read, &judge);
            // Until the last of them is folded.
            for now in at..at + 20 {
                let look = |judge: &mut Judge| judge.look(&criteria, &minutes, 0, Time::of_minute(now));
                prop_assert_eq!(look(&mut read), look(&mut judge));
            }
            let (since, now) = (Time::of_minute(0), Time::of_minute(at + 20));
            let served: u64 = minutes.iter().filter_map(|minute| minute.new.as_ref()).map(|new| new.n).sum();
            prop_assert_eq!(judge.served_since(&criteria, since, now), served);
        }
    }
}
