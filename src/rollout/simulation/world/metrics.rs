//! CloudWatch: what the aliases served, by the minute; late, missing, or half at first. And an alarm.

use std::time::Duration;

use super::super::scenario::small_dice;
use super::World;
use crate::rollout::analysis::alarms::{AlarmReading, AlarmState};
use crate::rollout::analysis::{Counts, Minute};
use crate::rollout::names::{Time, Version};

/// The alarm of every plan.
pub const ALARM: &str = "errors";
/// How often an alias's weight is asked within a minute.
const SAMPLES: u32 = 4;
/// Errors per thousand of the old version.
const OLD_ERRORS: u64 = 5;

impl World {
    /// The minutes of an alias from this one on, as they can be read now.
    pub fn minutes(&self, index: usize, from: i64) -> Vec<Minute> {
        (from.max(self.now.minute() - 180)..self.now.minute()).filter_map(|minute| self.minute(index, minute)).collect()
    }

    fn minute(&self, index: usize, minute: i64) -> Option<Minute> {
        let number = u64::try_from(minute).unwrap_or(0) * 8 + u64::try_from(index).unwrap_or(0);
        let late_s = 20 + small_dice(self.seed, 1, number, 100);
        let over = Time::of_minute(minute + 1);
        let there = over + Duration::from_secs(late_s);
        let lost = self.conditions.missing && small_dice(self.seed, 2, number, 8) == 0;
        if self.now < there || lost {
            return None;
        }
        let (old_share, new_share) = self.shares(index, minute);
        let half = self.conditions.revised && self.now < there + Duration::from_secs(45);
        let count = |share: f64, per_thousand: u64| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of some thousands")]
            let n = (self.conditions.requests as f64 * share).round() as u64;
            let errors = n * per_thousand / 1000;
            // The errors come first, the successes a moment later.
            let n = if half { errors.max(n / 2) } else { n };
            (n > 0).then_some(Counts { n, errors, ..Counts::default() })
        };
        let split = old_share > 0.0 && new_share > 0.0;
        let new_errors = self.conditions.new_errors.get(index).copied().unwrap_or(OLD_ERRORS);
        Some(Minute {
            minute,
            // The series by version exist only while there are two.
            old: if split || new_share == 0.0 { count(old_share, OLD_ERRORS) } else { None },
            new: count(new_share, new_errors),
            throttles: 0,
            whole: old_share == 0.0,
            extra: Vec::new(),
        })
    }

    /// Which share of a minute's requests each version had.
    fn shares(&self, index: usize, minute: i64) -> (f64, f64) {
        let alias = &self.aliases[index];
        let (mut old, mut new) = (0.0, 0.0);
        for sample in 0..SAMPLES {
            let at =
                Time::of_minute(minute) + Duration::from_millis(u64::from((2 * sample + 1) * 60_000 / (2 * SAMPLES)));
            let content =
                alias.past.iter().rev().find(|(since, _)| *since <= at).and_then(|(_, content)| content.as_ref());
            let share = |version: Version| content.map_or(0.0, |content| content.share(version).fraction());
            old += share(alias.old) / f64::from(SAMPLES);
            new += share(alias.new) / f64::from(SAMPLES);
        }
        (old, new)
    }

    /// The alarm, as it can be read now.
    pub fn alarms(&self) -> Vec<AlarmReading> {
        let after = |since_s: u64| self.now >= self.start + Duration::from_secs(since_s);
        let gone = self.conditions.alarm_gone_s.is_some_and(|from| after(from) && !after(from + 180));
        let fires = self.conditions.alarm_from_s.is_some_and(after);
        let state = match (gone, fires) {
            (true, _) => AlarmState::Missing,
            (false, true) => AlarmState::Alarm,
            (false, false) => AlarmState::Ok,
        };
        vec![AlarmReading { name: ALARM.to_owned(), state, reason: String::new() }]
    }
}
