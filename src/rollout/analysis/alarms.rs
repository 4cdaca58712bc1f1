//! CloudWatch alarms: in ALARM is a reason to go back, unreadable is a reason to wait.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What CloudWatch says of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlarmState {
    /// Nothing wrong.
    Ok,
    /// Firing.
    Alarm,
    /// Too little data to tell; not a reason to go back.
    InsufficientData,
    /// There is no alarm of that name (deleted, renamed): not OK, but not readable.
    Missing,
}

/// An alarm by name, its state and CloudWatch's reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmReading {
    /// The alarm's name.
    pub name: String,
    /// Its state.
    pub state: AlarmState,
    /// Why, in CloudWatch's words.
    #[serde(default)]
    pub reason: String,
}

/// What the alarms say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmVerdict {
    /// None fires.
    Quiet,
    /// One fires.
    Fired(AlarmReading),
    /// These cannot be read: hold.
    Unreadable(Vec<String>),
}

/// Which of the ignored alarms have been OK since, and so count again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmWatch {
    counts_again: BTreeSet<String>,
}

impl AlarmWatch {
    /// Judges a reading of the `wanted` alarms, of which `ignored` were accepted in ALARM.
    pub fn look(&mut self, wanted: &[String], ignored: &[String], readings: &[AlarmReading]) -> AlarmVerdict {
        let mut unreadable = Vec::new();
        for name in wanted {
            match readings.iter().find(|reading| reading.name == *name) {
                None => unreadable.push(name.clone()),
                Some(reading) => match reading.state {
                    AlarmState::Missing => unreadable.push(name.clone()),
                    AlarmState::Ok => {
                        self.counts_again.insert(name.clone());
                    }
                    AlarmState::InsufficientData => {}
                    AlarmState::Alarm if ignored.contains(name) && !self.counts_again.contains(name) => {}
                    AlarmState::Alarm => return AlarmVerdict::Fired(reading.clone()),
                },
            }
        }
        if unreadable.is_empty() { AlarmVerdict::Quiet } else { AlarmVerdict::Unreadable(unreadable) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(name: &str, state: AlarmState) -> AlarmReading {
        AlarmReading { name: name.to_owned(), state, reason: String::new() }
    }

    #[test]
    fn an_ignored_alarm_counts_again_once_it_has_been_ok() {
        let wanted = ["incident".to_owned()];
        let mut watch = AlarmWatch::default();
        let firing = [reading("incident", AlarmState::Alarm)];
        assert_eq!(watch.look(&wanted, &wanted, &firing), AlarmVerdict::Quiet);
        assert_eq!(watch.look(&wanted, &wanted, &[reading("incident", AlarmState::Ok)]), AlarmVerdict::Quiet);
        assert_eq!(watch.look(&wanted, &wanted, &firing), AlarmVerdict::Fired(firing[0].clone()));
    }

    #[test]
    fn a_deleted_alarm_is_not_ok_and_insufficient_data_is_not_alarm() {
        let wanted = ["a".to_owned(), "b".to_owned()];
        let readings = [reading("a", AlarmState::InsufficientData), reading("b", AlarmState::Missing)];
        let verdict = AlarmWatch::default().look(&wanted, &[], &readings);
        assert_eq!(verdict, AlarmVerdict::Unreadable(vec!["b".to_owned()]));
    }
}
