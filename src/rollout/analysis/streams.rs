//! The streams of evidence: what judged minutes are folded into. Each is an e-process, so their
//! weighted mean is one.

use serde::{Deserialize, Serialize};

use super::counts::{Counts, Minute, Tally};
use super::criteria::{Criteria, LATENCY_SHARE};
use super::limit::Measure;
use super::limits::{LimitTest, bake_bar};
use super::sequential::{Comparison, Parameters, log_add_exp};
use super::standing::{Part, Reason, Standing, Stream, capped};

/// New against old.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Compared {
    test: Comparison,
    old: Tally,
    new: Tally,
}

impl Compared {
    /// `new_n` is what the new version's requests are taken for: never fewer than there are.
    fn add(&mut self, parameters: &Parameters, old: Tally, new: Tally, new_n: u64) {
        self.test.add(parameters, old.n, old.x, new_n.max(new.n), new.x);
        self.old.add(old.n, old.x);
        self.new.add(new.n, new.x);
    }
}

/// The new version against a bound.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Bounded {
    test: LimitTest,
    new: Tally,
}

impl Bounded {
    /// `new_n` is what the requests are taken for: never fewer than there are.
    fn add(&mut self, bar: f64, new: Tally, new_n: u64, phi: f64) {
        self.test.add(bar, new_n.max(new.n), new.x, phi);
        self.new.add(new.n, new.x);
    }
}

/// Everything that minutes are folded into.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Streams {
    errors: Compared,
    latency: Compared,
    #[serde(default)]
    metrics: Vec<Compared>,
    bake: Bounded,
    #[serde(default)]
    metric_bakes: Vec<Bounded>,
    limits: Vec<Bounded>,
    /// The old version during the rollout, whether the new one served or not: errors, and the metrics.
    old: Tally,
    #[serde(default)]
    old_metrics: Vec<Tally>,
    minutes: u64,
}

/// How a minute is to be taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// Most of the new version's environments are new in it: latency is not judged.
    pub(super) cold: bool,
    /// Nothing more will come: what has no data point by now was not counted at all. Custom metrics
    /// are often sent only when there is something to count.
    pub(super) last: bool,
    /// Not settled yet: more of the new version's requests may come, and it is taken to have served so
    /// many at least. No limit is held against such a minute.
    pub(super) early: Option<u64>,
}

/// What is computed once and used for every minute.
#[derive(Debug)]
pub(super) struct Rules<'a> {
    criteria: &'a Criteria,
    errors: Parameters,
    latency: Option<Parameters>,
    metrics: Vec<Parameters>,
    extras: Vec<Measure>,
    slow_of_limits: usize,
}

impl<'a> Rules<'a> {
    pub(super) fn new(criteria: &'a Criteria) -> Self {
        Self {
            criteria,
            errors: criteria.errors(),
            latency: criteria.tau_ms().map(|_| criteria.latency()),
            metrics: (0..criteria.metrics.len()).map(|index| criteria.metric(index)).collect(),
            extras: criteria.extras(),
            slow_of_limits: usize::from(criteria.tau_ms().is_some()),
        }
    }
}

/// What an extra measure counted of one version in a minute; `None` where it cannot be told yet.
fn extra_of(counts: &Counts, index: usize, last: bool) -> Option<Tally> {
    let x = counts.extra.get(index).copied().flatten();
    // More than one a request is possible, and says no more about the share of requests.
    x.or(last.then_some(0)).map(|x| Tally { n: counts.n, x: x.min(counts.n) })
}

impl Streams {
    /// Takes a minute.
    pub(super) fn take(&mut self, rules: &Rules<'_>, minute: &Minute, taken: Taken) {
        let nothing = Counts::default();
        let old = minute.old.as_ref().unwrap_or(&nothing);
        let new = minute.new.as_ref().unwrap_or(&nothing);
        self.minutes += u64::from(new.n > 0);
        let new_n = taken.early.unwrap_or(0);
        self.take_errors(rules, old, new, new_n);
        if !taken.cold {
            self.take_latency(rules, old, new, new_n);
        }
        self.take_metrics(rules, old, new, taken.last, new_n);
        if taken.early.is_none() {
            self.take_limits(rules, minute, old, new, taken);
        }
        // Behind the judging: a minute's own counts do not move the bar that it is held against.
        self.old.add(old.n, old.errors);
    }

    fn take_errors(&mut self, rules: &Rules<'_>, old: &Counts, new: &Counts, new_n: u64) {
        let of = |counts: &Counts| Tally { n: counts.n, x: counts.errors };
        if old.n > 0 && new.n > 0 {
            self.errors.add(&rules.errors, of(old), of(new), new_n);
        } else if new.n > 0 {
            let bar = self.bar(rules.criteria);
            self.bake.add(bar, of(new), new_n, rules.errors.dispersion);
        }
    }

    fn take_latency(&mut self, rules: &Rules<'_>, old: &Counts, new: &Counts, new_n: u64) {
        let slow = |counts: &Counts| counts.slow.first().map(|x| Tally { n: counts.n, x: *x });
        // At 100 % there is nothing to compare with, and how fast a function is depends on too much beside
        // its version to be held against the hour before.
        if let (Some(parameters), Some(of_old), Some(of_new)) = (&rules.latency, slow(old), slow(new))
            && old.n > 0
            && new.n > 0
        {
            self.latency.add(parameters, of_old, of_new, new_n);
        }
    }

    fn take_metrics(&mut self, rules: &Rules<'_>, old: &Counts, new: &Counts, last: bool, new_n: u64) {
        let count = rules.metrics.len();
        self.metrics.resize(count, Compared::default());
        self.metric_bakes.resize(count, Bounded::default());
        self.old_metrics.resize(count, Tally::default());
        for (index, parameters) in rules.metrics.iter().enumerate() {
            let (of_old, of_new) = (extra_of(old, index, last), extra_of(new, index, last));
            if let Some(of_new) = of_new.filter(|_| new.n > 0) {
                match of_old {
                    Some(of_old) if old.n > 0 => self.metrics[index].add(parameters, of_old, of_new, new_n),
                    _ if old.n == 0 => {
                        let bar = self.metric_bar(rules.criteria, index);
                        self.metric_bakes[index].add(bar, of_new, new_n, parameters.dispersion);
                    }
                    _ => {}
                }
            }
            if let Some(of_old) = of_old {
                self.old_metrics[index].add(of_old.n, of_old.x);
            }
        }
    }

    /// What errors may be at 100 %.
    fn bar(&self, criteria: &Criteria) -> f64 {
        bake_bar(criteria.baseline.n + self.old.n, criteria.baseline.errors + self.old.x)
    }

    fn metric_bar(&self, criteria: &Criteria, index: usize) -> f64 {
        let before = criteria.before(index).tally;
        let during = self.old_metrics.get(index).copied().unwrap_or_default();
        bake_bar(before.n + during.n, before.x + during.x)
    }

    fn take_limits(&mut self, rules: &Rules<'_>, minute: &Minute, old: &Counts, new: &Counts, taken: Taken) {
        self.limits.resize(rules.criteria.limits.len(), Bounded::default());
        let mut slow_index = rules.slow_of_limits;
        for (index, limit) in rules.criteria.limits.iter().enumerate() {
            let at = slow_index;
            slow_index += usize::from(matches!(limit.measure, Measure::SlowerThan(_)));
            let phi = match &limit.measure {
                Measure::Errors => rules.errors.dispersion,
                Measure::SlowerThan(_) => rules.latency.as_ref().map_or(1.0, |latency| latency.dispersion),
                extra => rules.extra_phi(extra),
            };
            let measured = match &limit.measure {
                Measure::Errors => Some(self.limit_on_errors(rules, old, new)),
                Measure::SlowerThan(_) if taken.cold => None,
                Measure::SlowerThan(_) => limit_on_slow(old, new, at),
                extra => rules.limit_on_extra(extra, minute, old, new, taken.last),
            };
            // Rolling forward out of an incident must work: a limit that the old version breaks in the
            // same minute (or broke before, where it serves nothing now) says nothing about the new one.
            if let Some((of_old, of_new)) = measured
                && of_new.n > 0
                && !of_old.is_over(limit.bound)
            {
                self.limits[index].add(limit.bound, of_new, 0, phi);
            }
        }
    }

    fn limit_on_errors(&self, rules: &Rules<'_>, old: &Counts, new: &Counts) -> (Tally, Tally) {
        let of_old = if old.n > 0 {
            Tally { n: old.n, x: old.errors }
        } else {
            let before = &rules.criteria.baseline;
            Tally { n: before.n + self.old.n, x: before.errors + self.old.x }
        };
        (of_old, Tally { n: new.n, x: new.errors })
    }

    /// Where the evidence stands.
    pub(super) fn standing(&self, criteria: &Criteria) -> Standing {
        let bound = criteria.bound();
        let parts = self.parts(criteria);
        let ln_evidence = parts.iter().map(|(ln, part)| part.share.ln() + ln).fold(f64::NEG_INFINITY, log_add_exp);
        // The first of equals: errors stand first.
        let top = parts.iter().enumerate().fold((0, f64::NEG_INFINITY), |best, (index, (ln, part))| {
            let worth = part.share.ln() + ln;
            if worth > best.1 { (index, worth) } else { best }
        });
        let parts: Vec<Part> = parts.into_iter().map(|(_, part)| part).collect();
        let (old, compared) = (self.errors.old, self.errors.new);
        let mut new = compared;
        new.add(self.bake.new.n, self.bake.new.x);
        let mut standing = Standing {
            evidence: capped(ln_evidence),
            bound,
            stream: parts.get(top.0).map_or(Stream::Errors, |part| part.stream),
            old,
            new,
            minutes: self.minutes,
            noticed: criteria.notices(old.n as f64, old.x as f64, compared.n as f64),
            parts,
            reason: None,
        };
        let by_evidence = || (ln_evidence >= bound.ln()).then(|| standing.charge());
        standing.reason = self.broken(criteria).or_else(by_evidence);
        standing
    }

    fn broken(&self, criteria: &Criteria) -> Option<Reason> {
        let bound = criteria.bound();
        criteria.limits.iter().zip(&self.limits).find_map(|(limit, bounded)| {
            let ln_e = bounded.test.ln_e();
            (ln_e >= bound.ln()).then(|| Reason::Limit {
                limit: limit.clone(),
                new: bounded.new,
                evidence: capped(ln_e),
                bound,
            })
        })
    }

    /// Every stream with the logarithm of its own evidence.
    fn parts(&self, criteria: &Criteria) -> Vec<(f64, Part)> {
        let compared = |stream, metric, share, compared: &Compared| {
            let ln = compared.test.ln_e();
            let (old, new) = (compared.old, compared.new);
            (ln, Part { stream, metric, share, evidence: capped(ln), old, new, bar: None })
        };
        let bounded = |metric, share, bar, bounded: &Bounded| {
            let ln = bounded.test.ln_e();
            let (old, new) = (Tally::default(), bounded.new);
            (ln, Part { stream: Stream::Bake, metric, share, evidence: capped(ln), old, new, bar: Some(bar) })
        };
        let (compare, bake) = (criteria.compare_share(), criteria.bake_share());
        let idle = (Compared::default(), Bounded::default());
        let mut parts = vec![
            compared(Stream::Errors, None, compare, &self.errors),
            bounded(None, bake, self.bar(criteria), &self.bake),
            compared(Stream::Latency, None, LATENCY_SHARE, &self.latency),
        ];
        for (index, metric) in criteria.metrics.iter().enumerate() {
            let name = || Some(metric.clone());
            let of_both = self.metrics.get(index).unwrap_or(&idle.0);
            let alone = self.metric_bakes.get(index).unwrap_or(&idle.1);
            parts.push(compared(Stream::Metric, name(), compare, of_both));
            parts.push(bounded(name(), bake, self.metric_bar(criteria, index), alone));
        }
        parts
    }
}

fn limit_on_slow(old: &Counts, new: &Counts, at: usize) -> Option<(Tally, Tally)> {
    let of = |counts: &Counts| counts.slow.get(at).map(|x| Tally { n: counts.n, x: *x });
    Some((of(old).unwrap_or_default(), of(new)?))
}

impl Rules<'_> {
    fn extra_index(&self, measure: &Measure) -> usize {
        self.extras.iter().position(|extra| extra == measure).unwrap_or(usize::MAX)
    }

    fn extra_phi(&self, measure: &Measure) -> f64 {
        self.criteria.before(self.extra_index(measure)).phi.clamp(1.0, 4.0)
    }

    /// By version where Lambda (or the metric) splits it; else of the alias, against the hour before.
    fn limit_on_extra(
        &self,
        measure: &Measure,
        minute: &Minute,
        old: &Counts,
        new: &Counts,
        last: bool,
    ) -> Option<(Tally, Tally)> {
        let index = self.extra_index(measure);
        let before = self.criteria.before(index).tally;
        let point = |counts: &Counts| counts.extra.get(index).copied().flatten();
        let by_version = match measure {
            Measure::Metric(metric) => metric.is_by_version(),
            _ => point(old).is_some() || point(new).is_some(),
        };
        // Throttled requests are no invocations: they stand beside them.
        let of = |n: u64, x: u64| match measure {
            Measure::Throttles => Tally { n: n + x, x },
            _ => Tally { n, x: x.min(n) },
        };
        if by_version {
            let of_new = of(new.n, point(new).or(last.then_some(0))?);
            let of_old = if old.n > 0 { of(old.n, point(old).unwrap_or(0)) } else { before };
            return Some((of_old, of_new));
        }
        let of_alias = match measure {
            Measure::Throttles => minute.throttles,
            _ => minute.extra.get(index).copied().flatten().or(last.then_some(0))?,
        };
        let before = match measure {
            Measure::Throttles => of(self.criteria.baseline.n, self.criteria.baseline.throttles),
            _ => before,
        };
        Some((before, of(old.n + new.n, of_alias)))
    }
}
