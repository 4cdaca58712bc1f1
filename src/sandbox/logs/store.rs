//! What Logs keeps: groups in memory, each with one file to which events are appended, and one file
//! that describes the groups.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Owner;
use crate::sandbox::http::hex;

/// Events of one group that are kept; the oldest go first. A busy function in a rehearsal writes
/// four lines an invocation: this is several minutes at 100 requests a second.
const MAX_GROUP_EVENTS: usize = 200_000;

/// Account, region, name.
type Key = (String, String, String);

/// Everything.
#[derive(Debug)]
pub(super) struct Store {
    dir: PathBuf,
    groups: BTreeMap<Key, Group>,
    removed: Vec<String>,
    dirty: bool,
}

/// A log group.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) created_ms: i64,
    pub(super) retention_days: Option<i64>,
    pub(super) class: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) streams: BTreeMap<String, Stream>,
    /// Name of the file with its events.
    file: String,
    next_id: u64,
    #[serde(skip)]
    pub(super) events: VecDeque<Event>,
    /// How many events at the end of `events` are not in the file yet.
    #[serde(skip)]
    fresh: usize,
    /// The file holds events that are gone here.
    #[serde(skip)]
    rewrite: bool,
}

/// A log stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stream {
    pub(super) created_ms: i64,
    pub(super) first_ms: Option<i64>,
    pub(super) last_ms: Option<i64>,
    pub(super) bytes: u64,
}

/// A line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) id: u64,
    pub(super) stream: Arc<str>,
    pub(super) timestamp_ms: i64,
    pub(super) ingested_ms: i64,
    pub(super) message: String,
}

impl Store {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let groups: Vec<(Key, Group)> = match std::fs::read(dir.join("groups.json")) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut store =
            Self { dir: dir.to_owned(), groups: groups.into_iter().collect(), removed: Vec::new(), dirty: false };
        for group in store.groups.values_mut() {
            group.read_events(dir)?;
        }
        Ok(store)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn groups<'s>(&'s self, owner: Owner<'_>) -> impl Iterator<Item = &'s Group> {
        let from = (owner.account.to_owned(), owner.region.to_owned(), String::new());
        let (account, region) = (from.0.clone(), from.1.clone());
        self.groups
            .range(from..)
            .take_while(move |(key, _)| key.0 == account && key.1 == region)
            .map(|(_, group)| group)
    }

    pub(super) fn group(&mut self, owner: Owner<'_>, name: &str) -> Option<&mut Group> {
        // Whoever asks mutably may change it.
        self.dirty = true;
        self.groups.get_mut(&key(owner, name))
    }

    pub(super) fn group_or_new(&mut self, owner: Owner<'_>, name: &str, now_ms: i64) -> &mut Group {
        self.dirty = true;
        self.groups.entry(key(owner, name)).or_insert_with(|| Group {
            name: name.to_owned(),
            created_ms: now_ms,
            retention_days: None,
            class: "STANDARD".to_owned(),
            tags: BTreeMap::new(),
            streams: BTreeMap::new(),
            file: hex(&rand::random::<[u8; 8]>()),
            next_id: 0,
            events: VecDeque::new(),
            fresh: 0,
            rewrite: false,
        })
    }

    pub(super) fn remove_group(&mut self, owner: Owner<'_>, name: &str) {
        if let Some(group) = self.groups.remove(&key(owner, name)) {
            self.removed.push(group.file);
            self.dirty = true;
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        if !self.dirty {
            return Ok(());
        }
        for group in self.groups.values_mut() {
            group.write_events(&self.dir)?;
        }
        let groups: Vec<(&Key, &Group)> = self.groups.iter().collect();
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        serde_json::to_writer(io::BufWriter::new(&mut file), &groups)?;
        file.persist(self.dir.join("groups.json")).map_err(|error| error.error)?;
        for file in self.removed.drain(..) {
            // What stays is never read again.
            let _ = std::fs::remove_file(self.dir.join(format!("{file}.jsonl")));
        }
        self.dirty = false;
        Ok(())
    }
}

fn key(owner: Owner<'_>, name: &str) -> Key {
    (owner.account.to_owned(), owner.region.to_owned(), name.to_owned())
}

impl Group {
    pub(super) fn stream_or_new(&mut self, name: &str, now_ms: i64) {
        if !self.streams.contains_key(name) {
            let stream = Stream { created_ms: now_ms, first_ms: None, last_ms: None, bytes: 0 };
            self.streams.insert(name.to_owned(), stream);
        }
    }

    /// Adds an event to a stream that is there.
    pub(super) fn append(&mut self, stream: &str, timestamp_ms: i64, ingested_ms: i64, message: &str) {
        if let Some(known) = self.streams.get_mut(stream) {
            known.first_ms = Some(known.first_ms.map_or(timestamp_ms, |first| first.min(timestamp_ms)));
            known.last_ms = Some(known.last_ms.map_or(timestamp_ms, |last| last.max(timestamp_ms)));
            known.bytes += message.len() as u64;
        }
        let last = self.events.back().filter(|event| *event.stream == *stream).map(|event| event.stream.clone());
        let stream = last.unwrap_or_else(|| Arc::from(stream));
        let event = Event { id: self.next_id, stream, timestamp_ms, ingested_ms, message: message.to_owned() };
        self.next_id += 1;
        self.events.push_back(event);
        self.fresh += 1;
        if self.events.len() > MAX_GROUP_EVENTS {
            // A tenth at once, so that the file is not written anew for every line.
            self.events.drain(..MAX_GROUP_EVENTS / 10);
            self.fresh = self.fresh.min(self.events.len());
            self.rewrite = true;
        }
        self.forget_old(ingested_ms);
    }

    /// What is older than the retention goes.
    fn forget_old(&mut self, now_ms: i64) {
        let Some(days) = self.retention_days else { return };
        let oldest = now_ms - days * 24 * 60 * 60 * 1000;
        while self.events.front().is_some_and(|event| event.timestamp_ms < oldest) {
            self.events.pop_front();
            self.rewrite = true;
        }
        self.fresh = self.fresh.min(self.events.len());
    }

    pub(super) fn remove_stream(&mut self, name: &str) {
        self.streams.remove(name);
        self.events.retain(|event| *event.stream != *name);
        self.fresh = 0;
        self.rewrite = true;
    }

    fn read_events(&mut self, dir: &Path) -> io::Result<()> {
        let file = match std::fs::File::open(dir.join(format!("{}.jsonl", self.file))) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for line in io::BufReader::new(file).lines() {
            // The last line of a killed process may be cut short.
            let Ok(event) = serde_json::from_str::<Event>(&line?) else { continue };
            self.next_id = self.next_id.max(event.id + 1);
            if self.streams.contains_key(&*event.stream) {
                self.events.push_back(event);
            }
        }
        let surplus = self.events.len().saturating_sub(MAX_GROUP_EVENTS);
        self.events.drain(..surplus);
        Ok(())
    }

    fn write_events(&mut self, dir: &Path) -> io::Result<()> {
        if self.fresh == 0 && !self.rewrite {
            return Ok(());
        }
        let path = dir.join(format!("{}.jsonl", self.file));
        let mut file = std::fs::OpenOptions::new();
        let mut file = match self.rewrite {
            true => file.write(true).create(true).truncate(true),
            false => file.append(true).create(true),
        }
        .open(path)?;
        let skip = if self.rewrite { 0 } else { self.events.len() - self.fresh };
        let mut bytes = Vec::new();
        for event in self.events.iter().skip(skip) {
            serde_json::to_writer(&mut bytes, event)?;
            bytes.push(b'\n');
        }
        file.write_all(&bytes)?;
        self.fresh = 0;
        self.rewrite = false;
        Ok(())
    }
}
