//! The journal in the managed bucket: created with `If-None-Match: *` (that is the lock), written
//! with `If-Match` (that is the fence), retired by a copy and a conditional delete. Of several aliases
//! that move together the first has the journal, and each of the others an object that points to it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::journal::{self, Damage, Object, Owner, Pointer, Record};
use super::names::{AliasId, Time};
use super::state::{GAP, PauseCause, Phase, State};
use crate::aws::s3::{Body, Condition, ETag, PutObject, S3};
use crate::aws::{self, ErrorKind};

/// A driver whose heartbeat is older than this is taken for dead. It holds back by itself before:
/// after [`GAP`] without an event it believes nothing any more.
pub const STALE_AFTER: Duration = Duration::from_secs(GAP.as_secs() + 5);
/// A conflict of two writes at the same instant passes at once.
const CONFLICTS: usize = 5;
/// Nonces of writes whose answer never came; one of them may be what is there now.
const UNANSWERED: usize = 8;

/// The journals in a bucket, and the pen of the one that this process writes.
#[derive(Clone, Debug)]
pub struct Store {
    s3: S3,
    bucket: String,
    name: Option<String>,
    pen: Arc<Mutex<Pen>>,
}

#[derive(Debug, Default)]
struct Pen {
    ids: Vec<AliasId>,
    id: String,
    started: Time,
    etag: Option<ETag>,
    unanswered: Vec<String>,
    /// Whether each of the other aliases is known to point here.
    all_point_here: bool,
}

/// A journal as it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it says.
    pub record: Record,
    /// How old its last write is, by S3's own clock.
    pub heartbeat_age: Duration,
    /// What time it was then, by S3's clock.
    pub answered_at: Option<Time>,
    etag: ETag,
}

/// What became of a write.
#[derive(Debug)]
pub enum WriteError {
    /// Another driver has it.
    Lost {
        /// Who.
        holder: String,
        /// Whether all that it did was to pause the rollout.
        paused: bool,
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
    /// The journals in the managed bucket.
    pub fn new(s3: S3, bucket: impl Into<String>) -> Self {
        Self { s3, bucket: bucket.into(), name: None, pen: Arc::default() }
    }

    /// The same, written by somebody of this name: what is left for a person says by whom.
    #[must_use]
    pub fn signed(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// The bucket that they are in.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Reads the journal that an alias has, or points to; `None` when there is none. A bucket that is
    /// not there holds none and is an error: where its name was mistyped, the journal is in another.
    ///
    /// # Errors
    /// S3 cannot be reached, there is no such bucket, or what is there is not a journal.
    pub async fn find(&self, id: &AliasId) -> Result<Option<Found>, ReadError> {
        let pointer = match self.get(id).await? {
            None => return Ok(None),
            Some((Object::Journal(record), found)) => return self.not_a_ghost(*record, found).await.map(Some),
            Some((Object::Pointer(pointer), _)) => pointer,
        };
        // What points to a journal that is over, or never was, says nothing.
        match self.get(&pointer.set).await? {
            Some((Object::Journal(record), found)) if record.id == pointer.id => {
                self.not_a_ghost(*record, found).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The first write of a rollout, delayed on its way until the rollout was over and its journal
    /// moved, makes the journal anew. The history knows better: what it says stands for the ghost.
    async fn not_a_ghost(&self, record: Record, found: Written) -> Result<Found, ReadError> {
        if record.state.phase == Phase::Planned
            && let Some(id) = record.state.plan.ids().first()
        {
            let key = journal::history_key(id, &record);
            match self.s3.get(&self.bucket, &key).await {
                Ok(object) => {
                    if let Object::Journal(over) = self.read(&key, &object.bytes, id)? {
                        return Ok(found.with(*over));
                    }
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found.with(record))
    }

    async fn get(&self, id: &AliasId) -> Result<Option<(Object, Written)>, ReadError> {
        let key = journal::current_key(id);
        let object = match self.s3.get(&self.bucket, &key).await {
            Ok(object) => object,
            Err(error) if error.is_not_found() && !error.has_code("NoSuchBucket") => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let read = self.read(&key, &object.bytes, id)?;
        let age = object.answered_at.zip(object.last_modified).map(|(now, written)| now - written);
        let heartbeat_age = age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default();
        let answered_at = object.answered_at.map(|date| Time(date.unix_timestamp().saturating_mul(1000)));
        Ok(Some((read, Written { heartbeat_age, answered_at, etag: object.etag })))
    }

    fn read(&self, key: &str, bytes: &[u8], id: &AliasId) -> Result<Object, ReadError> {
        Object::from_bytes(bytes, id).map_err(|damage| ReadError::Damaged {
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            damage,
        })
    }

    /// From here on writes create a new journal for these aliases, which are sorted.
    pub async fn begin(&self, ids: Vec<AliasId>, started: Time) {
        *self.pen.lock().await = Pen { ids, id: nonce(), started, ..Pen::default() };
    }

    /// From here on writes go over what was found: the first one takes it over.
    pub async fn take_over(&self, found: &Found) {
        let Record { id, started, state, .. } = &found.record;
        *self.pen.lock().await = Pen {
            ids: state.plan.ids(),
            id: id.clone(),
            started: *started,
            etag: Some(found.etag.clone()),
            unanswered: Vec::new(),
            // A rollout leaves its first phase only when all of them do.
            all_point_here: state.phase != Phase::Planned,
        };
    }

    /// Writes the state. `owner` is nobody when it is left for a person.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn write(&self, state: &State, owner: Option<Owner>) -> Result<(), WriteError> {
        let mut pen = self.pen.lock().await;
        self.write_journal(&mut pen, state, owner).await?;
        self.point_others_here(&mut pen).await
    }

    async fn write_journal(&self, pen: &mut Pen, state: &State, owner: Option<Owner>) -> Result<(), WriteError> {
        let Some(first) = pen.ids.first().cloned() else { return Err(WriteError::Gone) };
        let own_name = owner.as_ref().map_or_else(|| "another process".to_owned(), |owner| owner.name.clone());
        for _ in 0..CONFLICTS {
            let record = Record {
                format: journal::FORMAT,
                id: pen.id.clone(),
                nonce: nonce(),
                owner: owner.clone(),
                left_by: self.name.clone().filter(|_| owner.is_none()),
                started: pen.started,
                state: state.clone(),
            };
            let bytes = record.to_bytes().map_err(WriteError::Damaged)?;
            let mut put = PutObject::new(&self.bucket, journal::current_key(&first), Body::Bytes(bytes));
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
            self.look_who(pen, &first, &error, &own_name).await?;
        }
        Err(WriteError::Lost { holder: "another process, which writes all the time".to_owned(), paused: false })
    }

    /// The aliases of a set are taken in their order; where one is taken already, those before it are
    /// given back.
    async fn point_others_here(&self, pen: &mut Pen) -> Result<(), WriteError> {
        if pen.all_point_here {
            return Ok(());
        }
        let Some(first) = pen.ids.first().cloned() else { return Ok(()) };
        for (at, id) in pen.ids.iter().enumerate().skip(1) {
            let pointer = Pointer { format: journal::FORMAT, id: pen.id.clone(), set: first.clone() };
            match self.point(id, &pointer).await {
                Ok(()) => {}
                Err(WriteError::Lost { holder, paused }) => {
                    for taken in pen.ids.get(1..at).unwrap_or_default() {
                        // What is left of it points to a journal that is not there, and so says nothing.
                        let _ = self.unpoint(taken, &pen.id).await;
                    }
                    if let Some(etag) = pen.etag.clone() {
                        let key = journal::current_key(&first);
                        let _ = self.s3.delete(&self.bucket, &key, Condition::IfMatch(etag)).await;
                    }
                    return Err(WriteError::Lost { holder: format!("{holder} ({id})"), paused });
                }
                Err(error) => return Err(error),
            }
        }
        pen.all_point_here = true;
        Ok(())
    }

    async fn point(&self, id: &AliasId, pointer: &Pointer) -> Result<(), WriteError> {
        let mut condition = Condition::IfAbsent;
        for _ in 0..CONFLICTS {
            let bytes = serde_json::to_vec(pointer).unwrap_or_default();
            let mut put = PutObject::new(&self.bucket, journal::current_key(id), Body::Bytes(bytes));
            put.condition = condition;
            put.content_type = Some("application/json".to_owned());
            put.retries = false;
            match self.s3.put(put).await {
                Ok(_) => return Ok(()),
                Err(error) if matches!(error.kind, ErrorKind::PreconditionFailed | ErrorKind::Conflict) => {}
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(WriteError::Unreachable(error)),
            }
            condition = match self.get(id).await {
                Ok(None) => Condition::IfAbsent,
                Ok(Some((Object::Pointer(found), _))) if found == *pointer => return Ok(()),
                Ok(Some((Object::Pointer(found), written))) => match self.get(&found.set).await {
                    Ok(Some((Object::Journal(record), _))) if record.id == found.id && !record.state.is_finished() => {
                        return Err(lost_to(&record, "another process"));
                    }
                    Ok(_) => Condition::IfMatch(written.etag),
                    Err(error) => return Err(unreadable(error)),
                },
                Ok(Some((Object::Journal(record), _))) => return Err(lost_to(&record, "another process")),
                Err(error) => return Err(unreadable(error)),
            };
        }
        Err(WriteError::Lost { holder: "another process, which writes all the time".to_owned(), paused: false })
    }

    async fn unpoint(&self, id: &AliasId, rollout: &str) -> Result<(), ReadError> {
        if let Some((Object::Pointer(pointer), written)) = self.get(id).await?
            && pointer.id == rollout
        {
            let key = journal::current_key(id);
            match self.s3.delete(&self.bucket, &key, Condition::IfMatch(written.etag)).await {
                Err(error) if !error.is_not_found() && error.kind != ErrorKind::PreconditionFailed => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// After a 412 or 409: our own write whose answer was lost, or somebody else's?
    async fn look_who(
        &self,
        pen: &mut Pen,
        first: &AliasId,
        error: &aws::Error,
        own_name: &str,
    ) -> Result<(), WriteError> {
        match self.get(first).await {
            Ok(Some((Object::Journal(record), written))) if pen.unanswered.contains(&record.nonce) => {
                pen.etag = Some(written.etag);
                pen.unanswered.clear();
                Ok(())
            }
            Ok(Some((_, written))) if error.kind == ErrorKind::Conflict && pen.etag.as_ref() == Some(&written.etag) => {
                Ok(())
            }
            Ok(Some((Object::Journal(record), _))) => Err(lost_to(&record, own_name)),
            // It points to a journal of its own; one that is over is in nobody's way.
            Ok(Some((Object::Pointer(pointer), written))) if pen.etag.is_none() => match self.get(&pointer.set).await {
                Ok(Some((Object::Journal(record), _))) if record.id == pointer.id => Err(lost_to(&record, own_name)),
                Ok(_) => {
                    let key = journal::current_key(first);
                    let removed = self.s3.delete(&self.bucket, &key, Condition::IfMatch(written.etag)).await;
                    removed
                        .or_else(|error| if error.is_not_found() { Ok(()) } else { Err(error) })
                        .map_err(WriteError::Unreachable)
                }
                Err(error) => Err(unreadable(error)),
            },
            Ok(Some((Object::Pointer(_), _))) => {
                Err(WriteError::Lost { holder: "a rollout of several aliases".to_owned(), paused: false })
            }
            Ok(None) if pen.etag.is_none() => Ok(()),
            Ok(None) => Err(WriteError::Gone),
            Err(error) => Err(unreadable(error)),
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
            left_by: None,
            started: state.plan.created,
            state: state.clone(),
        };
        self.put_into_history(&record).await
    }

    /// Each alias has it in its own history.
    async fn put_into_history(&self, record: &Record) -> Result<(), aws::Error> {
        let bytes = serde_json::to_vec(record).unwrap_or_default();
        for id in record.state.plan.ids() {
            let key = journal::history_key(&id, record);
            let mut put = PutObject::new(&self.bucket, key, Body::Bytes(bytes.clone()));
            put.content_type = Some("application/json".to_owned());
            self.s3.put(put).await?;
        }
        Ok(())
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
            left_by: None,
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
        let ids = record.state.plan.ids();
        for id in ids.iter().skip(1) {
            match self.unpoint(id, &record.id).await {
                Err(ReadError::Aws(error)) => return Err(error),
                // What is no journal is not ours to remove.
                Err(ReadError::Damaged { .. }) | Ok(()) => {}
            }
        }
        let Some(first) = ids.first() else { return Ok(()) };
        match self.s3.delete(&self.bucket, &journal::current_key(first), Condition::IfMatch(etag)).await {
            // Somebody else has moved it, or begins anew: the first write tells.
            Err(error) if error.is_not_found() || error.kind == ErrorKind::PreconditionFailed => Ok(()),
            other => other,
        }
    }

    /// Finished rollouts of an alias, the newest first, at most `most`.
    ///
    /// # Errors
    /// S3 cannot be reached. A damaged one is left out.
    pub async fn history(&self, id: &AliasId, most: usize) -> Result<Vec<Record>, aws::Error> {
        let mut listed = self.s3.list(&self.bucket, &journal::history_prefix(id)).await?;
        listed.sort_by(|a, b| b.key.cmp(&a.key));
        let mut records = Vec::new();
        for object in listed.into_iter().take(most) {
            let bytes = self.s3.get(&self.bucket, &object.key).await?.bytes;
            if let Ok(Object::Journal(record)) = self.read(&object.key, &bytes, id) {
                records.push(*record);
            }
        }
        Ok(records)
    }
}

/// What is known of an object beside what it says.
#[derive(Clone, Debug)]
struct Written {
    heartbeat_age: Duration,
    answered_at: Option<Time>,
    etag: ETag,
}

impl Written {
    fn with(self, record: Record) -> Found {
        Found { record, heartbeat_age: self.heartbeat_age, answered_at: self.answered_at, etag: self.etag }
    }
}

fn lost_to(record: &Record, own_name: &str) -> WriteError {
    let paused = matches!(record.state.phase, Phase::Paused { cause: PauseCause::Asked, .. }) && record.owner.is_none();
    let holder = record.owner.as_ref().map(|owner| owner.name.clone());
    let holder = holder.or_else(|| record.left_by.clone());
    let holder = holder.unwrap_or_else(|| format!("a rollout that {own_name} did not begin"));
    WriteError::Lost { holder, paused }
}

fn unreadable(error: ReadError) -> WriteError {
    match error {
        ReadError::Aws(error) => WriteError::Unreachable(error),
        ReadError::Damaged { .. } => {
            WriteError::Lost { holder: "somebody who wrote no journal".to_owned(), paused: false }
        }
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
