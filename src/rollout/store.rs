//! The journal in the managed bucket: created with `If-None-Match: *` (that is the lock), written
//! with `If-Match` (that is the fence), retired by a copy and a conditional delete.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::journal::{self, Damage, Owner, Record};
use super::names::{AliasName, FunctionName, Time};
use super::state::{GAP, State};
use crate::aws::s3::{Body, Condition, ETag, PutObject, S3};
use crate::aws::{self, ErrorKind};

/// A driver whose heartbeat is older than this is taken for dead. It holds back by itself before:
/// after [`GAP`] without an event it believes nothing any more.
pub const STALE_AFTER: Duration = Duration::from_secs(GAP.as_secs() + 5);
/// A conflict of two writes at the same instant passes at once.
const CONFLICTS: usize = 5;
/// Nonces of writes whose answer never came; one of them may be what is there now.
const UNANSWERED: usize = 8;

/// The journal of one alias.
#[derive(Clone, Debug)]
pub struct Store {
    s3: S3,
    bucket: String,
    function: FunctionName,
    alias: AliasName,
    pen: Arc<Mutex<Pen>>,
}

#[derive(Debug, Default)]
struct Pen {
    id: String,
    started: Time,
    etag: Option<ETag>,
    unanswered: Vec<String>,
}

/// A journal as it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it says.
    pub record: Record,
    /// How old its last write is, by S3's own clock.
    pub heartbeat_age: Duration,
    etag: ETag,
}

/// What became of a write.
#[derive(Debug)]
pub enum WriteError {
    /// Another driver has it.
    Lost {
        /// Who.
        holder: String,
    },
    /// It is gone. It is not created again.
    Gone,
    /// It cannot be reached; whether the write took effect is not known.
    Unreachable(aws::Error),
    /// The state is not one that can be written.
    Damaged(Damage),
}

/// The journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// S3 did not give it.
    #[error(transparent)]
    Aws(#[from] aws::Error),
    /// It is damaged.
    #[error("the journal s3://{bucket}/{key} cannot be used: {damage}")]
    Damaged {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// What is wrong.
        damage: Damage,
    },
}

impl Store {
    /// The journal of an alias, in the managed bucket.
    pub fn new(s3: S3, bucket: impl Into<String>, function: FunctionName, alias: AliasName) -> Self {
        Self { s3, bucket: bucket.into(), function, alias, pen: Arc::default() }
    }

    /// The bucket that it is in.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    fn key(&self) -> String {
        journal::current_key(&self.function, &self.alias)
    }

    /// Reads it; `None` when there is none.
    ///
    /// # Errors
    /// S3 cannot be reached, or what is there is not a journal.
    pub async fn find(&self) -> Result<Option<Found>, ReadError> {
        let object = match self.s3.get(&self.bucket, &self.key()).await {
            Ok(object) => object,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let record = self.read(&self.key(), &object.bytes)?;
        let age = object.answered_at.zip(object.last_modified).map(|(now, written)| now - written);
        let heartbeat_age = age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default();
        Ok(Some(Found { record, heartbeat_age, etag: object.etag }))
    }

    fn read(&self, key: &str, bytes: &[u8]) -> Result<Record, ReadError> {
        Record::from_bytes(bytes, &self.function, &self.alias).map_err(|damage| ReadError::Damaged {
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            damage,
        })
    }

    /// From here on writes create a new journal.
    pub async fn begin(&self, started: Time) {
        *self.pen.lock().await = Pen { id: nonce(), started, ..Pen::default() };
    }

    /// From here on writes go over what was found: the first one takes it over.
    pub async fn take_over(&self, found: &Found) {
        let Record { id, started, .. } = &found.record;
        *self.pen.lock().await =
            Pen { id: id.clone(), started: *started, etag: Some(found.etag.clone()), unanswered: Vec::new() };
    }

    /// Writes the state. `owner` is nobody when it is left for a person.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn write(&self, state: &State, owner: Option<Owner>) -> Result<(), WriteError> {
        let mut pen = self.pen.lock().await;
        let own_name = owner.as_ref().map_or_else(|| "another process".to_owned(), |owner| owner.name.clone());
        for _ in 0..CONFLICTS {
            let record = Record {
                format: journal::FORMAT,
                id: pen.id.clone(),
                nonce: nonce(),
                owner: owner.clone(),
                started: pen.started,
                state: state.clone(),
            };
            let bytes = record.to_bytes().map_err(WriteError::Damaged)?;
            let mut put = PutObject::new(&self.bucket, self.key(), Body::Bytes(bytes));
            put.condition = pen.etag.clone().map_or(Condition::IfAbsent, Condition::IfMatch);
            put.content_type = Some("application/json".to_owned());
            put.retries = false;
            let error = match self.s3.put(put).await {
                Ok(done) => {
                    pen.etag = Some(done.etag);
                    pen.unanswered.clear();
                    return Ok(());
                }
                Err(error) => error,
            };
            match error.kind {
                ErrorKind::NotFound if pen.etag.is_some() => return Err(WriteError::Gone),
                ErrorKind::PreconditionFailed | ErrorKind::Conflict => {}
                ErrorKind::NoAnswer | ErrorKind::Service | ErrorKind::NotAnAwsAnswer => {
                    if pen.unanswered.len() >= UNANSWERED {
                        pen.unanswered.remove(0);
                    }
                    pen.unanswered.push(record.nonce);
                    return Err(WriteError::Unreachable(error));
                }
                _ => return Err(WriteError::Unreachable(error)),
            }
            self.look_who(&mut pen, &error, &own_name).await?;
        }
        Err(WriteError::Lost { holder: "another process, which writes all the time".to_owned() })
    }

    /// After a 412 or 409: our own write whose answer was lost, or somebody else's?
    async fn look_who(&self, pen: &mut Pen, error: &aws::Error, own_name: &str) -> Result<(), WriteError> {
        match self.find().await {
            Ok(Some(found)) if pen.unanswered.contains(&found.record.nonce) => {
                pen.etag = Some(found.etag);
                pen.unanswered.clear();
                Ok(())
            }
            Ok(Some(found)) if error.kind == ErrorKind::Conflict && pen.etag.as_ref() == Some(&found.etag) => Ok(()),
            Ok(Some(found)) => {
                let holder = found
                    .record
                    .owner
                    .map_or_else(|| format!("a rollout that {own_name} did not begin"), |owner| owner.name);
                Err(WriteError::Lost { holder })
            }
            Ok(None) if pen.etag.is_none() => Ok(()),
            Ok(None) => Err(WriteError::Gone),
            Err(ReadError::Aws(error)) => Err(WriteError::Unreachable(error)),
            Err(ReadError::Damaged { .. }) => {
                Err(WriteError::Lost { holder: "somebody who wrote no journal".to_owned() })
            }
        }
    }

    /// Puts something that is over already into the history; there never was a journal of it.
    ///
    /// # Errors
    /// S3 refused.
    pub async fn note(&self, state: &State) -> Result<(), aws::Error> {
        let record = Record {
            format: journal::FORMAT,
            id: nonce(),
            nonce: nonce(),
            owner: None,
            started: state.plan.created,
            state: state.clone(),
        };
        self.put_into_history(&record).await
    }

    async fn put_into_history(&self, record: &Record) -> Result<(), aws::Error> {
        let bytes = serde_json::to_vec(record).unwrap_or_default();
        let mut put = PutObject::new(&self.bucket, journal::history_key(record), Body::Bytes(bytes));
        put.content_type = Some("application/json".to_owned());
        self.s3.put(put).await.map(drop)
    }

    /// Moves a finished journal to the history.
    ///
    /// # Errors
    /// S3 refused; the journal is then still there, finished, and the next `start` retires it.
    pub async fn retire(&self, state: &State) -> Result<(), aws::Error> {
        let pen = self.pen.lock().await;
        let Some(etag) = pen.etag.clone() else { return Ok(()) };
        let record = Record {
            format: journal::FORMAT,
            id: pen.id.clone(),
            nonce: nonce(),
            owner: None,
            started: pen.started,
            state: state.clone(),
        };
        self.archive(&record, etag).await
    }

    /// Moves a finished journal that was found to the history.
    ///
    /// # Errors
    /// S3 refused.
    pub async fn retire_found(&self, found: &Found) -> Result<(), aws::Error> {
        self.archive(&found.record, found.etag.clone()).await
    }

    async fn archive(&self, record: &Record, etag: ETag) -> Result<(), aws::Error> {
        self.put_into_history(record).await?;
        match self.s3.delete(&self.bucket, &self.key(), Condition::IfMatch(etag)).await {
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        }
    }

    /// Finished rollouts of this alias, the newest first, at most `most`.
    ///
    /// # Errors
    /// S3 cannot be reached. A damaged one is left out.
    pub async fn history(&self, most: usize) -> Result<Vec<Record>, aws::Error> {
        let prefix = journal::history_prefix(&self.function, &self.alias);
        let mut listed = self.s3.list(&self.bucket, &prefix).await?;
        listed.sort_by(|a, b| b.key.cmp(&a.key));
        let mut records = Vec::new();
        for object in listed.into_iter().take(most) {
            let bytes = self.s3.get(&self.bucket, &object.key).await?.bytes;
            records.extend(self.read(&object.key, &bytes));
        }
        Ok(records)
    }
}

impl Found {
    /// Whether somebody drives it, as far as can be told: nobody when it was left for a person,
    /// when its process is gone from this very machine, or when its heartbeat is old.
    pub fn driver(&self, me: &Owner, is_alive: impl Fn(&Owner) -> bool) -> Option<&Owner> {
        let owner = self.record.owner.as_ref()?;
        if self.record.state.is_finished() || self.heartbeat_age > STALE_AFTER {
            return None;
        }
        if !owner.machine.is_empty() && owner.machine == me.machine && !is_alive(owner) {
            return None;
        }
        Some(owner)
    }
}

fn nonce() -> String {
    format!("{:016x}", rand::random::<u64>())
}
