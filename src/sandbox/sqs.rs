//! SQS: queues with their attributes, and messages that wait, are lent out and are deleted. FIFO
//! order and deduplication, delays of single messages and moving to a dead-letter queue included.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Error;
use super::http::{Request, Response, hex, new_request_id};
use super::json::{self, Parameters};
use super::query::Fault;
use super::state::{Persisted, World};

/// Messages of one queue; AWS has no limit, memory has.
const MAX_MESSAGES: usize = 100_000;
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// A FIFO queue forgets a deduplication id after five minutes.
const DEDUPLICATION_MS: i64 = 5 * 60 * 1000;

/// Name, default and range of the attributes that are numbers.
const NUMBERS: &[(&str, &str, i64, i64)] = &[
    ("DelaySeconds", "0", 0, 900),
    ("MaximumMessageSize", "1048576", 1024, 1_048_576),
    ("MessageRetentionPeriod", "345600", 60, 1_209_600),
    ("ReceiveMessageWaitTimeSeconds", "0", 0, 20),
    ("VisibilityTimeout", "30", 0, 43_200),
    ("KmsDataKeyReusePeriodSeconds", "300", 60, 86_400),
];
/// The others that may be set.
const TEXTS: &[&str] = &[
    "Policy",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "SqsManagedSseEnabled",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
];

/// The service.
#[derive(Debug)]
pub struct Sqs {
    /// By ARN.
    queues: Persisted<BTreeMap<String, Queue>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Queue {
    name: String,
    account: String,
    created_ms: i64,
    changed_ms: i64,
    attributes: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    messages: VecDeque<Message>,
    next_sequence: u64,
    seen: BTreeMap<String, i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Message {
    id: String,
    body: String,
    attributes: Map<String, Value>,
    group: Option<String>,
    sequence: u64,
    sent_ms: i64,
    visible_ms: i64,
    first_received_ms: Option<i64>,
    received: u32,
    receipt: Option<String>,
}

type Answer = Result<Value, Fault>;

struct Call<'a> {
    parameters: Parameters,
    request: &'a Request,
    endpoint_url: &'a str,
    now_ms: i64,
}

impl Sqs {
    /// Opens what is kept under `dir`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        Ok(Self { queues: Persisted::open(dir.join("sqs.json"))? })
    }

    /// Writes what has changed.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn flush(&self) -> Result<(), Error> {
        self.queues.flush()
    }

    /// Answers one request. A receive that finds nothing waits as long as it was asked to.
    pub async fn handle(&self, world: &World, request: Request) -> Response {
        if request.header("x-amz-target").is_none() {
            return json::fault(&Fault::not_implemented("SQS", "in the query protocol; the JSON protocol is there"));
        }
        let mut waited_ms = 0;
        loop {
            let now_ms = world.clock.now_ms();
            match self.answer(&request, world.endpoint_url(), now_ms) {
                Ok((_, wait_ms)) if wait_ms > waited_ms => {
                    const STEP_MS: i64 = 200;
                    waited_ms += STEP_MS;
                    world.clock.sleep(std::time::Duration::from_millis(STEP_MS.unsigned_abs())).await;
                }
                Ok((value, _)) => return json::answer(&value).header("content-type", "application/x-amz-json-1.0"),
                Err(fault) => {
                    let old = match fault.code.as_str() {
                        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
                        "QueueNameExists" => "QueueAlreadyExists",
                        other => other,
                    };
                    return json::fault(&fault).header("x-amzn-query-error", &format!("{old};Sender"));
                }
            }
        }
    }

    /// The answer, and how long the client would wait for a better one.
    fn answer(&self, request: &Request, endpoint_url: &str, now_ms: i64) -> Result<(Value, i64), Fault> {
        let call = Call { parameters: Parameters::read(request)?, request, endpoint_url, now_ms };
        let done = |answer: Value| (answer, 0);
        match json::operation(request) {
            "CreateQueue" => self.create(&call).map(done),
            "GetQueueUrl" => {
                let arn = call.arn(call.parameters.required("QueueName")?);
                self.queues.read(|queues| queues.get(&arn).map(|queue| call.url(queue))).map(done).ok_or_else(no_queue)
            }
            "ListQueues" => Ok(done(self.list(&call))),
            "DeleteQueue" => {
                let arn = call.queue_arn()?;
                self.queues.write(|queues| queues.remove(&arn)).ok_or_else(no_queue)?;
                Ok(done(json!({})))
            }
            "GetQueueAttributes" => self.with(&call, |arn, queue| Ok(attributes(&call, arn, queue))).map(done),
            "SetQueueAttributes" => {
                let set = check_attributes(&call.parameters.map("Attributes"))?;
                self.with(&call, |_, queue| {
                    queue.attributes.extend(set);
                    queue.attributes.retain(|_, value| !value.is_empty());
                    queue.changed_ms = now_ms;
                    Ok(json!({}))
                })
                .map(done)
            }
            "SendMessage" => {
                let value = json!({
                    "MessageBody": call.parameters.get("MessageBody"),
                    "MessageAttributes": call.parameters.get("MessageAttributes"),
                    "DelaySeconds": call.parameters.get("DelaySeconds"),
                    "MessageGroupId": call.parameters.get("MessageGroupId"),
                    "MessageDeduplicationId": call.parameters.get("MessageDeduplicationId"),
                });
                self.with(&call, |_, queue| queue.send(&value, now_ms)).map(done)
            }
            "SendMessageBatch" => self.send_batch(&call).map(done),
            "ReceiveMessage" => self.receive(&call),
            "DeleteMessage" => {
                let receipt = call.parameters.required("ReceiptHandle")?;
                self.with(&call, |_, queue| Ok(queue.delete(receipt))).map(done)
            }
            "DeleteMessageBatch" => {
                let entries = call.parameters.get("Entries").as_array().cloned().unwrap_or_default();
                self.with(&call, |_, queue| {
                    let mut ids = Vec::new();
                    for entry in &entries {
                        queue.delete(entry["ReceiptHandle"].as_str().unwrap_or_default());
                        ids.push(json!({"Id": entry["Id"]}));
                    }
                    Ok(json!({"Successful": ids, "Failed": []}))
                })
                .map(done)
            }
            "ChangeMessageVisibility" => {
                let receipt = call.parameters.required("ReceiptHandle")?;
                let seconds = call.parameters.integer("VisibilityTimeout").unwrap_or(0);
                self.with(&call, |_, queue| {
                    let message = queue.messages.iter_mut().find(|message| message.receipt.as_deref() == Some(receipt));
                    let message = message.ok_or_else(|| {
                        Fault::new(
                            400,
                            "ReceiptHandleIsInvalid",
                            format!("The input receipt handle \"{receipt}\" is not a valid receipt handle."),
                        )
                    })?;
                    message.visible_ms = now_ms + seconds * 1000;
                    Ok(json!({}))
                })
                .map(done)
            }
            "PurgeQueue" => self
                .with(&call, |_, queue| {
                    queue.messages.clear();
                    Ok(json!({}))
                })
                .map(done),
            "TagQueue" => {
                let tags = call.parameters.map("Tags");
                self.with(&call, |_, queue| {
                    queue.tags.extend(tags);
                    Ok(json!({}))
                })
                .map(done)
            }
            "UntagQueue" => {
                let keys = call.parameters.texts("TagKeys");
                self.with(&call, |_, queue| {
                    queue.tags.retain(|key, _| !keys.contains(key));
                    Ok(json!({}))
                })
                .map(done)
            }
            "ListQueueTags" => self.with(&call, |_, queue| Ok(json!({"Tags": queue.tags}))).map(done),
            other => Err(Fault::not_implemented("SQS", other)),
        }
    }

    fn with(&self, call: &Call<'_>, change: impl FnOnce(&str, &mut Queue) -> Answer) -> Answer {
        let arn = call.queue_arn()?;
        self.queues.write(|queues| change(&arn, queues.get_mut(&arn).ok_or_else(no_queue)?))
    }

    fn create(&self, call: &Call<'_>) -> Answer {
        let name = call.parameters.required("QueueName")?;
        let attributes = check_attributes(&call.parameters.map("Attributes"))?;
        let fifo = attributes.get("FifoQueue").is_some_and(|value| value == "true");
        let stem = name.strip_suffix(".fifo").unwrap_or(name);
        let is_valid = (1..=80).contains(&name.len())
            && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && fifo == name.ends_with(".fifo");
        if !is_valid {
            let text = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length; the name of a FIFO queue ends with .fifo";
            return Err(Fault::new(400, "InvalidParameterValue", text));
        }
        self.queues.write(|queues| {
            let arn = call.arn(name);
            if let Some(queue) = queues.get(&arn) {
                let differs = attributes.iter().find(|(key, value)| queue.attributes.get(*key) != Some(value));
                return match differs {
                    None => Ok(call.url(queue)),
                    Some((attribute, _)) => {
                        let text = format!(
                            "A queue already exists with the same name and a different value for attribute {attribute}"
                        );
                        Err(Fault::new(400, "QueueNameExists", text))
                    }
                };
            }
            let queue = Queue {
                name: name.to_owned(),
                account: call.request.account.clone(),
                created_ms: call.now_ms,
                changed_ms: call.now_ms,
                attributes,
                tags: call.parameters.map("tags"),
                messages: VecDeque::new(),
                next_sequence: 0,
                seen: BTreeMap::new(),
            };
            let url = call.url(&queue);
            queues.insert(arn, queue);
            Ok(url)
        })
    }

    fn list(&self, call: &Call<'_>) -> Value {
        let prefix = call.arn(call.parameters.text("QueueNamePrefix").unwrap_or_default());
        let urls: Vec<Value> = self.queues.read(|queues| {
            let mine = queues.range(prefix.clone()..).take_while(|(arn, _)| arn.starts_with(&prefix));
            mine.map(|(_, queue)| call.url(queue)["QueueUrl"].clone()).collect()
        });
        if urls.is_empty() { json!({}) } else { json!({"QueueUrls": urls}) }
    }

    fn send_batch(&self, call: &Call<'_>) -> Answer {
        let entries = call.parameters.get("Entries").as_array().cloned().unwrap_or_default();
        if entries.is_empty() || entries.len() > 10 {
            return Err(Fault::new(400, "EmptyBatchRequest", "A batch has between 1 and 10 entries."));
        }
        self.with(call, |_, queue| {
            let (mut sent, mut failed) = (Vec::new(), Vec::new());
            for entry in &entries {
                match queue.send(entry, call.now_ms) {
                    Ok(mut answer) => {
                        answer["Id"] = entry["Id"].clone();
                        sent.push(answer);
                    }
                    Err(fault) => failed.push(
                        json!({"Id": entry["Id"], "SenderFault": true, "Code": fault.code, "Message": fault.message}),
                    ),
                }
            }
            Ok(json!({"Successful": sent, "Failed": failed}))
        })
    }

    fn receive(&self, call: &Call<'_>) -> Result<(Value, i64), Fault> {
        let arn = call.queue_arn()?;
        self.queues.write(|queues| {
            let queue = queues.get_mut(&arn).ok_or_else(no_queue)?;
            let number = |parameter: &str, attribute: &str| {
                call.parameters.integer(parameter).unwrap_or_else(|| queue.number(attribute))
            };
            let wait_ms = number("WaitTimeSeconds", "ReceiveMessageWaitTimeSeconds") * 1000;
            let visibility_ms = number("VisibilityTimeout", "VisibilityTimeout") * 1000;
            let most = call.parameters.integer("MaxNumberOfMessages").unwrap_or(1);
            if !(1..=10).contains(&most) {
                let text = format!("Value {most} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.");
                return Err(Fault::new(400, "InvalidParameterValue", text));
            }
            let (received, dead) = queue.receive(usize::try_from(most).unwrap_or(1), visibility_ms, call.now_ms);
            if let Some(target) = queue.dead_letter().map(|(target, _)| target)
                && let Some(target) = queues.get_mut(&target)
            {
                target.messages.extend(dead);
            }
            let found: Vec<Value> = received.iter().map(describe).collect();
            Ok(if found.is_empty() { (json!({}), wait_ms) } else { (json!({"Messages": found}), 0) })
        })
    }
}

fn no_queue() -> Fault {
    Fault::new(400, "QueueDoesNotExist", "The specified queue does not exist.")
}

impl Call<'_> {
    fn arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{}:{name}", self.request.region, self.request.account)
    }

    /// Of the queue that the URL names: whatever port this sandbox had when it was given.
    fn queue_arn(&self) -> Result<String, Fault> {
        let url = self.parameters.required("QueueUrl")?;
        let mut parts = url.trim_end_matches('/').rsplit('/');
        let (name, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let account = if account.len() == 12 { account } else { &self.request.account };
        Ok(format!("arn:aws:sqs:{}:{account}:{name}", self.request.region))
    }

    fn url(&self, queue: &Queue) -> Value {
        json!({"QueueUrl": format!("{}/{}/{}", self.endpoint_url, queue.account, queue.name)})
    }
}

fn check_attributes(attributes: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Fault> {
    for (name, value) in attributes {
        let number = NUMBERS.iter().find(|(known, ..)| known == name);
        if number.is_none() && !TEXTS.contains(&name.as_str()) {
            return Err(Fault::new(400, "InvalidAttributeName", format!("Unknown Attribute {name}.")));
        }
        let fits = |(_, _, low, high): &(&str, &str, i64, i64)| {
            value.parse().is_ok_and(|number| (*low..=*high).contains(&number))
        };
        let is_document = !name.ends_with("Policy") || value.is_empty() || serde_json::from_str::<Value>(value).is_ok();
        if number.is_some_and(|number| !fits(number)) || !is_document {
            return Err(Fault::new(400, "InvalidAttributeValue", format!("Invalid value for the parameter {name}.")));
        }
    }
    Ok(attributes.clone())
}

fn attributes(call: &Call<'_>, arn: &str, queue: &Queue) -> Value {
    let count = |wanted: &dyn Fn(&Message) -> bool| queue.messages.iter().filter(|message| wanted(message)).count();
    let now_ms = call.now_ms;
    let mut all: BTreeMap<String, String> = NUMBERS
        .iter()
        .filter(|(name, ..)| *name != "KmsDataKeyReusePeriodSeconds")
        .map(|(name, default, ..)| ((*name).to_owned(), (*default).to_owned()))
        .collect();
    all.insert("SqsManagedSseEnabled".to_owned(), "true".to_owned());
    all.extend(queue.attributes.clone());
    all.insert("QueueArn".to_owned(), arn.to_owned());
    all.insert("CreatedTimestamp".to_owned(), (queue.created_ms / 1000).to_string());
    all.insert("LastModifiedTimestamp".to_owned(), (queue.changed_ms / 1000).to_string());
    let visible = count(&|message| message.visible_ms <= now_ms);
    let lent = count(&|message| message.visible_ms > now_ms && message.receipt.is_some());
    let delayed = count(&|message| message.visible_ms > now_ms && message.receipt.is_none());
    all.insert("ApproximateNumberOfMessages".to_owned(), visible.to_string());
    all.insert("ApproximateNumberOfMessagesNotVisible".to_owned(), lent.to_string());
    all.insert("ApproximateNumberOfMessagesDelayed".to_owned(), delayed.to_string());
    let wanted = call.parameters.texts("AttributeNames");
    all.retain(|name, _| wanted.iter().any(|wanted| wanted == "All" || wanted == name));
    if all.is_empty() { json!({}) } else { json!({"Attributes": all}) }
}

impl Queue {
    fn number(&self, name: &str) -> i64 {
        let default = NUMBERS.iter().find(|(known, ..)| *known == name).map_or("0", |(_, default, ..)| default);
        self.attributes.get(name).map_or(default, String::as_str).parse().unwrap_or(0)
    }

    fn is_fifo(&self) -> bool {
        self.name.ends_with(".fifo")
    }

    /// ARN of the dead-letter queue, and after how many receives.
    fn dead_letter(&self) -> Option<(String, u32)> {
        let policy: Value = serde_json::from_str(self.attributes.get("RedrivePolicy")?).ok()?;
        let most = policy["maxReceiveCount"].as_u64().or_else(|| policy["maxReceiveCount"].as_str()?.parse().ok())?;
        Some((policy["deadLetterTargetArn"].as_str()?.to_owned(), u32::try_from(most).ok()?))
    }

    fn send(&mut self, entry: &Value, now_ms: i64) -> Answer {
        let body = entry["MessageBody"].as_str().filter(|body| !body.is_empty());
        let body = body.ok_or_else(|| {
            Fault::new(400, "MissingParameter", "The request must contain the parameter MessageBody.")
        })?;
        if body.len() > MAX_MESSAGE_BYTES {
            return Err(Fault::new(
                400,
                "InvalidParameterValue",
                format!(
                    "One or more parameters are invalid. Reason: Message must be shorter than {MAX_MESSAGE_BYTES} bytes."
                ),
            ));
        }
        if self.messages.len() >= MAX_MESSAGES {
            return Err(Fault::new(
                400,
                "OverLimit",
                format!("The sandbox keeps at most {MAX_MESSAGES} messages a queue."),
            ));
        }
        let md5 = hex(&Md5::digest(body));
        let group = entry["MessageGroupId"].as_str().map(str::to_owned);
        if self.is_fifo() {
            if group.is_none() {
                return Err(Fault::new(
                    400,
                    "MissingParameter",
                    "The request must contain the parameter MessageGroupId.",
                ));
            }
            let by_content = self.attributes.get("ContentBasedDeduplication").is_some_and(|value| value == "true");
            let id =
                entry["MessageDeduplicationId"].as_str().map(str::to_owned).or_else(|| by_content.then(|| md5.clone()));
            let id = id.ok_or_else(|| Fault::new(400, "InvalidParameterValue", "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"))?;
            self.seen.retain(|_, time| *time > now_ms - DEDUPLICATION_MS);
            if self.seen.insert(id, now_ms).is_some() {
                return Ok(json!({"MessageId": new_request_id(), "MD5OfMessageBody": md5}));
            }
        }
        let delay_s = entry["DelaySeconds"].as_i64().unwrap_or_else(|| self.number("DelaySeconds"));
        let message = Message {
            id: new_request_id(),
            body: body.to_owned(),
            attributes: entry["MessageAttributes"].as_object().cloned().unwrap_or_default(),
            group,
            sequence: self.next_sequence,
            sent_ms: now_ms,
            visible_ms: now_ms + delay_s * 1000,
            first_received_ms: None,
            received: 0,
            receipt: None,
        };
        self.next_sequence += 1;
        let mut answer = json!({"MessageId": message.id, "MD5OfMessageBody": md5});
        if self.is_fifo() {
            answer["SequenceNumber"] = json!(format!("{:020}", message.sequence));
        }
        self.messages.push_back(message);
        Ok(answer)
    }

    /// Lends messages out; gives also those that were received too often.
    fn receive(&mut self, most: usize, visibility_ms: i64, now_ms: i64) -> (Vec<Message>, Vec<Message>) {
        let oldest = now_ms - self.number("MessageRetentionPeriod") * 1000;
        self.messages.retain(|message| message.sent_ms > oldest);
        let mut dead = Vec::new();
        if let Some((_, limit)) = self.dead_letter() {
            let is_dead = |message: &Message| message.visible_ms <= now_ms && message.received >= limit;
            dead = self.messages.iter().filter(|message| is_dead(message)).cloned().collect();
            self.messages.retain(|message| !is_dead(message));
            for message in &mut dead {
                (message.received, message.receipt) = (0, None);
            }
        }
        let fifo = self.is_fifo();
        let mut busy: Vec<String> = Vec::new();
        let mut received = Vec::new();
        for message in &mut self.messages {
            if received.len() == most {
                break;
            }
            let is_behind = fifo && message.group.as_ref().is_some_and(|group| busy.contains(group));
            if message.visible_ms > now_ms || is_behind {
                // The rest of its group waits for it.
                busy.extend(message.group.clone().filter(|_| fifo));
                continue;
            }
            message.received += 1;
            message.first_received_ms.get_or_insert(now_ms);
            message.visible_ms = now_ms + visibility_ms;
            message.receipt = Some(hex(&rand::random::<[u8; 24]>()));
            received.push(message.clone());
        }
        (received, dead)
    }

    fn delete(&mut self, receipt: &str) -> Value {
        // An old receipt deletes nothing and is no error.
        self.messages.retain(|message| message.receipt.as_deref() != Some(receipt));
        json!({})
    }
}

fn describe(message: &Message) -> Value {
    let mut system = json!({
        "SentTimestamp": message.sent_ms.to_string(),
        "ApproximateReceiveCount": message.received.to_string(),
        "ApproximateFirstReceiveTimestamp": message.first_received_ms.unwrap_or(message.sent_ms).to_string(),
        "SenderId": "AIDASANDBOXSANDBOXSA",
    });
    if let Some(group) = &message.group {
        system["MessageGroupId"] = json!(group);
        system["SequenceNumber"] = json!(format!("{:020}", message.sequence));
    }
    let mut value = json!({
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": hex(&Md5::digest(&message.body)),
        "Body": message.body,
        "Attributes": system,
    });
    if !message.attributes.is_empty() {
        value["MessageAttributes"] = json!(message.attributes);
    }
    value
}
