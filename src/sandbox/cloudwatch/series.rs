//! The data: minutes of values by metric, what is recorded but not yet visible, and how both get to
//! disk. Old minutes are dropped after 15 days, as CloudWatch drops minutes.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::statistic::Distribution;

pub(super) const MINUTE_MS: i64 = 60_000;
/// How long minutes are kept.
const RETENTION_MS: i64 = 15 * 24 * 60 * MINUTE_MS;
/// Minutes older than this keep their values to two digits only, for the sake of memory.
const FINE_MS: i64 = 3 * 60 * MINUTE_MS;
/// The journal is written anew when it has grown to this.
const MAX_JOURNAL_BYTES: u64 = 64 * 1024 * 1024;

/// What tells one metric from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) namespace: String,
    pub(super) name: String,
    /// Sorted by name.
    pub(super) dimensions: Vec<(String, String)>,
    pub(super) unit: String,
}

/// All data.
#[derive(Debug)]
pub(super) struct Data {
    path: PathBuf,
    /// Visible minutes: start in ms.
    series: BTreeMap<Arc<Key>, BTreeMap<i64, Distribution>>,
    /// Recorded, by the second (ms) at which it becomes visible.
    pending: BTreeMap<i64, HashMap<(Arc<Key>, i64), Distribution>>,
    /// Recorded since the journal was last written; the same data as in the two above.
    fresh: HashMap<(Arc<Key>, i64, i64), Distribution>,
    journal_bytes: u64,
    last_trim_ms: i64,
}

/// One line of the journal.
#[derive(Serialize, Deserialize)]
struct Entry {
    key: Arc<Key>,
    minute: i64,
    visible: i64,
    values: Distribution,
}

impl Data {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let mut data = Self {
            path,
            series: BTreeMap::new(),
            pending: BTreeMap::new(),
            fresh: HashMap::new(),
            journal_bytes: 0,
            last_trim_ms: 0,
        };
        match std::fs::File::open(&data.path) {
            Ok(file) => {
                for line in io::BufReader::new(file).lines() {
                    // The last line of a killed process may be cut short.
                    let Ok(entry) = serde_json::from_str::<Entry>(&line?) else { continue };
                    let key = data.intern(entry.key);
                    data.pending
                        .entry(entry.visible)
                        .or_default()
                        .entry((key, entry.minute))
                        .or_default()
                        .merge(&entry.values);
                }
                data.rewrite()?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(data)
    }

    /// One `Arc` a metric.
    fn intern(&mut self, key: Arc<Key>) -> Arc<Key> {
        match self.series.get_key_value(&key) {
            Some((known, _)) => known.clone(),
            None => {
                self.series.insert(key.clone(), BTreeMap::new());
                key
            }
        }
    }

    /// Records values that become visible at `visible_ms`.
    pub(super) fn record(&mut self, key: Key, timestamp_ms: i64, visible_ms: i64, values: &Distribution) {
        let key = self.intern(Arc::new(key));
        let minute = timestamp_ms.div_euclid(MINUTE_MS) * MINUTE_MS;
        let visible = visible_ms.div_euclid(1000) * 1000;
        self.pending.entry(visible).or_default().entry((key.clone(), minute)).or_default().merge(values);
        self.fresh.entry((key, minute, visible)).or_default().merge(values);
    }

    /// Makes visible what is due.
    pub(super) fn advance(&mut self, now_ms: i64) {
        while self.pending.first_key_value().is_some_and(|(visible, _)| *visible <= now_ms) {
            let Some((_, due)) = self.pending.pop_first() else { break };
            for ((key, minute), values) in due {
                self.series.entry(key).or_default().entry(minute).or_default().merge(&values);
            }
        }
        if now_ms - self.last_trim_ms > 60 * MINUTE_MS {
            self.last_trim_ms = now_ms;
            self.trim(now_ms - RETENTION_MS);
            for minutes in self.series.values_mut() {
                for (_, values) in minutes.range_mut(..now_ms - FINE_MS) {
                    values.round(2);
                }
            }
        }
    }

    fn trim(&mut self, oldest_ms: i64) {
        let waiting: std::collections::HashSet<Arc<Key>> =
            self.pending.values().flat_map(HashMap::keys).map(|(key, _)| key.clone()).collect();
        self.series.retain(|key, minutes| {
            *minutes = minutes.split_off(&oldest_ms);
            !minutes.is_empty() || waiting.contains(key)
        });
    }

    /// The metrics of an account and region that have data, with their newest minute.
    pub(super) fn metrics<'s>(&'s self, account: &'s str, region: &'s str) -> impl Iterator<Item = (&'s Key, i64)> {
        self.series
            .iter()
            .filter(move |(key, _)| key.account == account && key.region == region)
            .filter_map(|(key, minutes)| Some((&**key, *minutes.last_key_value()?.0)))
    }

    /// The units in which a metric has data, with its minutes.
    pub(super) fn find(&self, wanted: &Key) -> Vec<(&Key, &BTreeMap<i64, Distribution>)> {
        // Units sort last: all of a metric are neighbours.
        let from = Key { unit: String::new(), ..wanted.clone() };
        self.series
            .range(from..)
            .take_while(|(key, _)| {
                (&key.account, &key.region, &key.namespace, &key.name, &key.dimensions)
                    == (&wanted.account, &wanted.region, &wanted.namespace, &wanted.name, &wanted.dimensions)
            })
            .filter(|(key, minutes)| (wanted.unit.is_empty() || key.unit == wanted.unit) && !minutes.is_empty())
            .map(|(key, minutes)| (&**key, minutes))
            .collect()
    }

    /// Appends what is new to the journal.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.fresh.is_empty() {
            return Ok(());
        }
        if self.journal_bytes > MAX_JOURNAL_BYTES {
            return self.rewrite();
        }
        let mut bytes = Vec::new();
        for ((key, minute, visible), values) in self.fresh.drain() {
            write_entry(&mut bytes, &Entry { key, minute, visible, values })?;
        }
        std::fs::OpenOptions::new().append(true).create(true).open(&self.path)?.write_all(&bytes)?;
        self.journal_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Writes the journal anew, one line a minute of a metric.
    fn rewrite(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (key, minutes) in &self.series {
            for (minute, values) in minutes {
                write_entry(
                    &mut bytes,
                    &Entry { key: key.clone(), minute: *minute, visible: 0, values: values.clone() },
                )?;
            }
        }
        for (visible, due) in &self.pending {
            for ((key, minute), values) in due {
                let entry = Entry { key: key.clone(), minute: *minute, visible: *visible, values: values.clone() };
                write_entry(&mut bytes, &entry)?;
            }
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&bytes)?;
        file.persist(&self.path).map_err(|error| error.error)?;
        self.journal_bytes = bytes.len() as u64;
        self.fresh.clear();
        Ok(())
    }
}

fn write_entry(bytes: &mut Vec<u8>, entry: &Entry) -> io::Result<()> {
    serde_json::to_writer(&mut *bytes, entry)?;
    bytes.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, unit: &str) -> Key {
        Key {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            namespace: "App".to_owned(),
            name: name.to_owned(),
            dimensions: vec![("a".to_owned(), "b".to_owned())],
            unit: unit.to_owned(),
        }
    }

    #[test]
    fn data_is_visible_when_it_is_due_and_survives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let mut data = Data::open(path.clone()).unwrap();
        data.record(key("n", "Count"), 61_000, 130_000, &Distribution::of(1.0, 1.0));
        data.record(key("n", "Count"), 119_000, 150_000, &Distribution::of(2.0, 1.0));
        data.advance(129_000);
        assert!(data.find(&key("n", "")).is_empty());
        data.advance(130_000);
        assert_eq!(data.find(&key("n", ""))[0].1[&60_000].sum, 1.0);
        data.flush().unwrap();
        drop(data);
        let mut data = Data::open(path).unwrap();
        data.advance(150_000);
        let found = data.find(&key("n", ""));
        assert_eq!((found.len(), found[0].1[&60_000].sum), (1, 3.0));
        assert!(data.find(&key("n", "Seconds")).is_empty());
        assert!(data.find(&key("other", "")).is_empty());
    }

    #[test]
    fn minutes_go_after_fifteen_days() {
        let dir = tempfile::tempdir().unwrap();
        let mut data = Data::open(dir.path().join("metrics.jsonl")).unwrap();
        data.record(key("n", "Count"), 0, 0, &Distribution::of(1.0, 1.0));
        data.advance(0);
        data.advance(RETENTION_MS + 2 * MINUTE_MS);
        assert_eq!(data.metrics("000000000000", "us-east-1").count(), 0);
        assert!(data.series.is_empty());
    }
}
