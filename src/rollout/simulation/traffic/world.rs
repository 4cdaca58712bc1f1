//! The traffic, and what CloudWatch shows of it: a minute comes one to three minutes late, and some
//! come first in part.

use super::random::Random;
use super::scenario::Scenario;
use crate::rollout::analysis::Tally;

/// Minutes that are simulated.
pub(super) const HORIZON: i64 = 120;
/// Harm is counted over so many minutes from the start.
pub(super) const HARM_MINUTES: i64 = 60;

/// What happened in a minute, or is seen of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pair {
    pub(super) old: Tally,
    pub(super) new: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
struct Drawn {
    whole: Pair,
    part: Pair,
    late_minutes: i64,
    base: f64,
}

/// One rollout's traffic.
#[derive(Debug)]
pub(super) struct World<'a> {
    scenario: &'a Scenario,
    random: Random,
    wandering: f64,
    drawn: Vec<Drawn>,
    weight_before: f64,
    fresh: f64,
    /// The hour before, by the minute.
    pub(super) hour: Vec<Tally>,
    /// Failures too many in the first hour.
    pub(super) harm: f64,
}

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario, random: Random) -> Self {
        let (drawn, hour) = (Vec::new(), Vec::new());
        let mut world =
            Self { scenario, random, wandering: 0.0, drawn, weight_before: 0.0, fresh: 0.0, hour, harm: 0.0 };
        for _ in 0..60 {
            let base = world.base(-1);
            let n = world.random.poisson(scenario.rate * 60.0);
            let x = world.fail(n, base);
            world.hour.push(Tally { n, x });
        }
        world
    }

    pub(super) fn scenario(&self) -> &'a Scenario {
        self.scenario
    }

    fn base(&mut self, minute: i64) -> f64 {
        let Scenario { base, wobble, outage, .. } = *self.scenario;
        let mut rate = base;
        if wobble > 0.0 {
            self.wandering = 0.7 * self.wandering + wobble * (1.0 - 0.49_f64).sqrt() * self.random.normal();
            rate *= (self.wandering - wobble * wobble / 2.0).exp();
        }
        match outage {
            Some((first, minutes, share)) if (first..first + minutes).contains(&minute) => share,
            _ => rate.min(1.0),
        }
    }

    fn fail(&mut self, n: u64, rate: f64) -> u64 {
        let cluster = self.scenario.cluster;
        (cluster * self.random.binomial(n, rate / cluster as f64)).min(n)
    }

    /// Draws half a minute with this weight; the second half completes the minute.
    pub(super) fn half(&mut self, half: i64, weight: f64) {
        let minute = half / 2;
        if half % 2 == 0 {
            let base = self.base(minute);
            let u = self.random.unit();
            let late_minutes = if u < 0.6 {
                1
            } else if u < 0.9 {
                2
            } else {
                3
            };
            self.drawn.push(Drawn { base, late_minutes, ..Drawn::default() });
            self.fresh = 0.0;
        }
        let Some(mut drawn) = self.drawn.pop() else { return };
        if weight > 0.0 {
            self.fresh = f64::max(self.fresh, (weight - self.weight_before).max(0.0) / weight);
        }
        self.weight_before = weight;
        let scenario = self.scenario;
        #[expect(clippy::float_cmp, reason = "the same constant")]
        let is_harmless = scenario.bad == scenario.base;
        let begun = !is_harmless && minute >= scenario.onset;
        let mut bad = if begun { drawn.base.max(scenario.bad) } else { drawn.base };
        bad = (bad + scenario.cold * self.fresh).min(1.0);
        let n = self.random.poisson(scenario.rate * 30.0);
        let new_n = self.random.binomial(n, weight);
        let old_x = self.fail(n - new_n, drawn.base);
        let new_x = self.fail(new_n, bad);
        drawn.whole.old.n += n - new_n;
        drawn.whole.old.x += old_x;
        drawn.whole.new.n += new_n;
        drawn.whole.new.x += new_x;
        if half % 2 == 1 {
            drawn.part = self.part(drawn.whole);
            if minute < HARM_MINUTES && !is_harmless {
                let new = drawn.whole.new;
                self.harm += (new.x as f64 - new.n as f64 * drawn.base).max(0.0);
            }
        }
        self.drawn.push(drawn);
    }

    /// What is seen first of a minute.
    fn part(&mut self, whole: Pair) -> Pair {
        if self.scenario.late_successes {
            let Tally { n, x } = whole.new;
            return Pair { old: whole.old, new: Tally { n: x + (n - x) / 2, x } };
        }
        if self.random.unit() >= 0.15 {
            return whole;
        }
        let share = 0.5 + 0.45 * self.random.unit();
        let mut of = |all: Tally| {
            let x = self.random.binomial(all.x, share);
            Tally { n: x + self.random.binomial(all.n - all.x, share), x }
        };
        Pair { old: of(whole.old), new: of(whole.new) }
    }

    /// What is seen of a minute when so many half minutes have passed.
    pub(super) fn seen(&self, minute: i64, halves: i64) -> Option<Pair> {
        let drawn = self.drawn.get(usize::try_from(minute).ok()?)?;
        let late = halves - 2 * (minute + 1) - 2 * drawn.late_minutes;
        match late {
            ..0 => None,
            0..2 => Some(drawn.part),
            _ => Some(drawn.whole),
        }
    }
}
