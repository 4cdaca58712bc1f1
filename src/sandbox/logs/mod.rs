//! CloudWatch Logs: groups, streams, events.

mod pattern;
mod store;

use std::path::Path;

use serde_json::{Value, json};

use self::pattern::Pattern;
use self::store::{Group, Store, Stream};
use super::Error;
use super::http::{Request, Response};
use super::json::{self, Parameters};
use super::query::Fault;
use super::state::World;
use super::state::parking::RwLock;

/// Events of one answer.
const MAX_EVENTS: usize = 10_000;
/// Groups or streams of one answer.
const MAX_DESCRIBED: usize = 50;
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>
const RETENTIONS: &[i64] =
    &[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// The service.
#[derive(Debug)]
pub struct Logs {
    store: RwLock<Store>,
}

/// Whose logs: account and region.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// Twelve digits.
    pub account: &'a str,
    /// Region.
    pub region: &'a str,
}

type Answer = Result<Value, Fault>;

impl Logs {
    /// Opens what is kept under `dir`.
    ///
    /// # Errors
    /// The folder cannot be used, or a file in it is not one of ours.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let store = Store::open(dir).map_err(|source| Error::Folder { path: dir.to_owned(), source })?;
        Ok(Self { store: RwLock::new(store) })
    }

    /// Writes what has changed.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn flush(&self) -> Result<(), Error> {
        let mut store = self.store.write();
        let path = store.dir().to_owned();
        store.flush().map_err(|source| Error::Folder { path, source })
    }

    /// Adds a line, making group and stream when they are not there: what Lambda's own agent does.
    pub fn append(&self, owner: Owner<'_>, group: &str, stream: &str, timestamp_ms: i64, line: &str) {
        let mut store = self.store.write();
        let group = store.group_or_new(owner, group, timestamp_ms);
        group.stream_or_new(stream, timestamp_ms);
        group.append(stream, timestamp_ms, timestamp_ms, line.trim_end_matches('\n'));
    }

    /// Answers one request.
    pub async fn handle(&self, world: &World, request: Request) -> Response {
        match self.answer(&request, world.clock.now_ms()) {
            Ok(value) => json::answer(&value),
            Err(fault) => json::fault(&fault),
        }
    }

    fn answer(&self, request: &Request, now_ms: i64) -> Answer {
        let parameters = Parameters::read(request)?;
        let owner = Owner { account: &request.account, region: &request.region };
        let call = Call { parameters, owner, now_ms };
        let mut store = self.store.write();
        match json::operation(request) {
            "CreateLogGroup" => create_group(&mut store, &call),
            "DeleteLogGroup" => delete_group(&mut store, &call),
            "DescribeLogGroups" => describe_groups(&store, &call),
            "PutRetentionPolicy" => put_retention(&mut store, &call),
            "DeleteRetentionPolicy" => {
                find_group(&mut store, &call)?.retention_days = None;
                Ok(json!({}))
            }
            "CreateLogStream" => create_stream(&mut store, &call),
            "DeleteLogStream" => delete_stream(&mut store, &call),
            "DescribeLogStreams" => describe_streams(&mut store, &call),
            "PutLogEvents" => put_events(&mut store, &call),
            "GetLogEvents" => get_events(&mut store, &call),
            "FilterLogEvents" => filter_events(&mut store, &call),
            "TagResource" | "TagLogGroup" => {
                let tags = call.parameters.map("tags");
                find_group(&mut store, &call)?.tags.extend(tags);
                Ok(json!({}))
            }
            "UntagResource" | "UntagLogGroup" => {
                let keys = [call.parameters.texts("tagKeys"), call.parameters.texts("tags")].concat();
                let group = find_group(&mut store, &call)?;
                group.tags.retain(|key, _| !keys.contains(key));
                Ok(json!({}))
            }
            "ListTagsForResource" | "ListTagsLogGroup" => Ok(json!({"tags": find_group(&mut store, &call)?.tags})),
            other => Err(Fault::not_implemented("CloudWatch Logs", other)),
        }
    }
}

struct Call<'a> {
    parameters: Parameters,
    owner: Owner<'a>,
    now_ms: i64,
}

impl Call<'_> {
    /// The group's name, also from an ARN.
    fn group_name(&self) -> Result<&str, Fault> {
        let named =
            ["logGroupName", "logGroupIdentifier", "resourceArn"].iter().find_map(|name| self.parameters.text(name));
        let Some(text) = named else { return self.parameters.required("logGroupName") };
        let name = text.split(":log-group:").nth(1).unwrap_or(text);
        Ok(name.trim_end_matches(":*"))
    }
}

fn find_group<'s>(store: &'s mut Store, call: &Call<'_>) -> Result<&'s mut Group, Fault> {
    let name = call.group_name()?;
    store
        .group(call.owner, name)
        .ok_or_else(|| Fault::new(400, "ResourceNotFoundException", "The specified log group does not exist."))
}

fn find_stream<'g>(group: &'g Group, name: &str) -> Result<&'g Stream, Fault> {
    group
        .streams
        .get(name)
        .ok_or_else(|| Fault::new(400, "ResourceNotFoundException", "The specified log stream does not exist."))
}

fn already(what: &str) -> Fault {
    Fault::new(400, "ResourceAlreadyExistsException", format!("The specified {what} already exists"))
}

fn is_name(name: &str) -> bool {
    (1..=512).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-/.#".contains(&byte))
}

fn create_group(store: &mut Store, call: &Call<'_>) -> Answer {
    let name = call.parameters.required("logGroupName")?;
    if !is_name(name) {
        let text = format!(
            "1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        );
        return Err(Fault::new(400, "InvalidParameterException", text));
    }
    if store.group(call.owner, name).is_some() {
        return Err(already("log group"));
    }
    let group = store.group_or_new(call.owner, name, call.now_ms);
    group.tags = call.parameters.map("tags");
    group.class = call.parameters.text("logGroupClass").unwrap_or("STANDARD").to_owned();
    Ok(json!({}))
}

fn delete_group(store: &mut Store, call: &Call<'_>) -> Answer {
    find_group(store, call)?;
    store.remove_group(call.owner, call.group_name()?);
    Ok(json!({}))
}

fn describe_groups(store: &Store, call: &Call<'_>) -> Answer {
    let prefix = call.parameters.text("logGroupNamePrefix").unwrap_or_default();
    let pattern = call.parameters.text("logGroupNamePattern").unwrap_or_default();
    let after = call.parameters.text("nextToken").unwrap_or_default();
    let limit = limit(call, MAX_DESCRIBED);
    let matching = store
        .groups(call.owner)
        .filter(|group| group.name.starts_with(prefix) && group.name.contains(pattern) && group.name.as_str() > after);
    let mut found: Vec<&Group> = matching.take(limit + 1).collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let described: Vec<Value> = found.iter().map(|group| describe_group(group, call.owner)).collect();
    let mut answer = json!({"logGroups": described});
    if more {
        answer["nextToken"] = json!(found.last().map(|group| &group.name));
    }
    Ok(answer)
}

fn describe_group(group: &Group, owner: Owner<'_>) -> Value {
    let arn = format!("arn:aws:logs:{}:{}:log-group:{}", owner.region, owner.account, group.name);
    let mut value = json!({
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "logGroupArn": arn,
        "storedBytes": group.streams.values().map(|stream| stream.bytes).sum::<u64>(),
        "logGroupClass": group.class,
    });
    if let Some(days) = group.retention_days {
        value["retentionInDays"] = json!(days);
    }
    value
}

fn put_retention(store: &mut Store, call: &Call<'_>) -> Answer {
    let days = call.parameters.integer("retentionInDays");
    let days = days.filter(|days| RETENTIONS.contains(days)).ok_or_else(|| {
        let text = format!("1 validation error detected: Value at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: {RETENTIONS:?}");
        Fault::new(400, "InvalidParameterException", text)
    })?;
    find_group(store, call)?.retention_days = Some(days);
    Ok(json!({}))
}

fn create_stream(store: &mut Store, call: &Call<'_>) -> Answer {
    let name = call.parameters.required("logStreamName")?.to_owned();
    if name.contains([':', '*']) || name.len() > 512 {
        return Err(Fault::new(
            400,
            "InvalidParameterException",
            "The log stream name is not valid: at most 512 characters, neither ':' nor '*'",
        ));
    }
    let now_ms = call.now_ms;
    let group = find_group(store, call)?;
    if group.streams.contains_key(&name) {
        return Err(already("log stream"));
    }
    group.stream_or_new(&name, now_ms);
    Ok(json!({}))
}

fn delete_stream(store: &mut Store, call: &Call<'_>) -> Answer {
    let name = call.parameters.required("logStreamName")?;
    let group = find_group(store, call)?;
    find_stream(group, name)?;
    group.remove_stream(name);
    Ok(json!({}))
}

fn describe_streams(store: &mut Store, call: &Call<'_>) -> Answer {
    let limit = limit(call, MAX_DESCRIBED);
    let prefix = call.parameters.text("logStreamNamePrefix").unwrap_or_default();
    let by_time = call.parameters.text("orderBy") == Some("LastEventTime");
    let skip: usize = call.parameters.text("nextToken").and_then(|token| token.parse().ok()).unwrap_or(0);
    let owner = call.owner;
    let group = find_group(store, call)?;
    let mut streams: Vec<(&String, &Stream)> =
        group.streams.iter().filter(|(name, _)| name.starts_with(prefix)).collect();
    if by_time {
        streams.sort_by_key(|(_, stream)| stream.last_ms);
    }
    if call.parameters.is_true("descending") {
        streams.reverse();
    }
    let total = streams.len();
    let described: Vec<Value> = streams
        .into_iter()
        .skip(skip)
        .take(limit)
        .map(|(name, stream)| {
            let mut value = json!({
                "logStreamName": name,
                "creationTime": stream.created_ms,
                "arn": format!("arn:aws:logs:{}:{}:log-group:{}:log-stream:{name}", owner.region, owner.account, group.name),
                "storedBytes": 0,
                "uploadSequenceToken": "0",
            });
            if let (Some(first), Some(last)) = (stream.first_ms, stream.last_ms) {
                value["firstEventTimestamp"] = json!(first);
                value["lastEventTimestamp"] = json!(last);
                value["lastIngestionTime"] = json!(last);
            }
            value
        })
        .collect();
    let mut answer = json!({"logStreams": described});
    if skip + limit < total {
        answer["nextToken"] = json!((skip + limit).to_string());
    }
    Ok(answer)
}

fn put_events(store: &mut Store, call: &Call<'_>) -> Answer {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let name = call.parameters.required("logStreamName")?.to_owned();
    let now_ms = call.now_ms;
    let invalid = |text: &str| Fault::new(400, "InvalidParameterException", text);
    let mut events = Vec::new();
    for event in call.parameters.get("logEvents").as_array().ok_or_else(|| invalid("logEvents must not be null"))? {
        let (Some(time), Some(message)) = (event["timestamp"].as_i64(), event["message"].as_str()) else {
            return Err(invalid("A log event has a timestamp and a message"));
        };
        events.push((time, message));
    }
    if events.is_empty() {
        return Err(invalid(
            "1 validation error detected: Value '[]' at 'logEvents' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ));
    }
    if events.windows(2).any(|pair| pair[0].0 > pair[1].0) {
        return Err(invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    let group = find_group(store, call)?;
    find_stream(group, &name)?;
    let (mut too_new, mut too_old) = (None, None);
    for (index, (time, message)) in events.iter().enumerate() {
        if *time > now_ms + 2 * 60 * 60 * 1000 {
            too_new = too_new.or(Some(index));
        } else if *time < now_ms - 14 * DAY_MS {
            too_old = Some(index + 1);
        } else {
            group.append(&name, *time, now_ms, message);
        }
    }
    let mut answer = json!({"nextSequenceToken": "0"});
    if too_new.is_some() || too_old.is_some() {
        let mut rejected = json!({});
        if let Some(index) = too_new {
            rejected["tooNewLogEventStartIndex"] = json!(index);
        }
        if let Some(index) = too_old {
            rejected["tooOldLogEventEndIndex"] = json!(index);
        }
        answer["rejectedLogEventsInfo"] = rejected;
    }
    Ok(answer)
}

/// Start inclusive, end exclusive, as both reading operations have it.
fn time_range(call: &Call<'_>) -> std::ops::Range<i64> {
    let start = call.parameters.integer("startTime").unwrap_or(i64::MIN);
    start..call.parameters.integer("endTime").unwrap_or(i64::MAX)
}

fn limit(call: &Call<'_>, most: usize) -> usize {
    let wanted = call.parameters.integer("limit").and_then(|limit| usize::try_from(limit).ok());
    wanted.filter(|limit| *limit > 0).unwrap_or(most).min(most)
}

fn get_events(store: &mut Store, call: &Call<'_>) -> Answer {
    let name = call.parameters.required("logStreamName")?;
    let (range, limit) = (time_range(call), limit(call, MAX_EVENTS));
    let group = find_group(store, call)?;
    find_stream(group, name)?;
    let events: Vec<_> =
        group.events.iter().filter(|event| *event.stream == *name && range.contains(&event.timestamp_ms)).collect();
    // Tokens name a position among the matching events and the direction to read in.
    let token = call.parameters.text("nextToken");
    let position =
        token.and_then(|token| token.split_once('/')).and_then(|(side, at)| Some((side, at.parse::<usize>().ok()?)));
    let (start, end) = match position {
        Some(("f", at)) => (at.min(events.len()), (at + limit).min(events.len())),
        Some(("b", at)) => (at.saturating_sub(limit), at.min(events.len())),
        Some(_) => return Err(Fault::new(400, "InvalidParameterException", "The specified nextToken is invalid.")),
        None if call.parameters.is_true("startFromHead") => (0, limit.min(events.len())),
        None => (events.len().saturating_sub(limit), events.len()),
    };
    let found: Vec<Value> = events[start.min(end)..end]
        .iter()
        .map(|event| json!({"timestamp": event.timestamp_ms, "message": event.message, "ingestionTime": event.ingested_ms}))
        .collect();
    Ok(json!({"events": found, "nextForwardToken": format!("f/{end}"), "nextBackwardToken": format!("b/{start}")}))
}

fn filter_events(store: &mut Store, call: &Call<'_>) -> Answer {
    let (range, limit) = (time_range(call), limit(call, MAX_EVENTS));
    let pattern = Pattern::parse(call.parameters.text("filterPattern").unwrap_or_default())?;
    let names = call.parameters.texts("logStreamNames");
    let prefix = call.parameters.text("logStreamNamePrefix").unwrap_or_default();
    let skip: usize = call.parameters.text("nextToken").and_then(|token| token.parse().ok()).unwrap_or(0);
    let group = find_group(store, call)?;
    let mut matching: Vec<_> = group
        .events
        .iter()
        .filter(|event| range.contains(&event.timestamp_ms))
        .filter(|event| names.is_empty() || names.iter().any(|name| **name == *event.stream))
        .filter(|event| event.stream.starts_with(prefix) && pattern.matches(&event.message))
        .collect();
    matching.sort_by_key(|event| event.timestamp_ms);
    let total = matching.len();
    let events: Vec<Value> = matching
        .into_iter()
        .skip(skip)
        .take(limit)
        .map(|event| {
            json!({
                "logStreamName": &*event.stream,
                "timestamp": event.timestamp_ms,
                "message": event.message,
                "ingestionTime": event.ingested_ms,
                "eventId": format!("{:056}", event.id),
            })
        })
        .collect();
    let mut answer = json!({"events": events, "searchedLogStreams": []});
    if skip + limit < total {
        answer["nextToken"] = json!((skip + limit).to_string());
    }
    Ok(answer)
}
