//! SNS: topics and subscriptions. A message is delivered to queues; subscriptions with other
//! protocols are kept as records, and nothing is sent to them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Error;
use super::http::{Request, Response, new_request_id};
use super::query::{self, Fault, Parameters};
use super::router::ServiceName;
use super::state::{Persisted, World};
use super::xml::Writer;

const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";
const MAX_MESSAGE_BYTES: usize = 256 * 1024;
const PROTOCOLS: &[&str] = &["sqs", "lambda", "email", "email-json", "http", "https", "sms", "application", "firehose"];

/// The service.
#[derive(Debug)]
pub struct Sns {
    /// By ARN.
    topics: Persisted<BTreeMap<String, Topic>>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Topic {
    attributes: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    /// By ARN.
    subscriptions: BTreeMap<String, Subscription>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Subscription {
    protocol: String,
    endpoint: String,
    owner: String,
    attributes: BTreeMap<String, String>,
}

type Answer = Result<Response, Fault>;

impl Sns {
    /// Opens what is kept under `dir`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        Ok(Self { topics: Persisted::open(dir.join("sns.json"))? })
    }

    /// Writes what has changed.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn flush(&self) -> Result<(), Error> {
        self.topics.flush()
    }

    /// Answers one request.
    pub async fn handle(&self, world: &Arc<World>, request: Request) -> Response {
        let parameters = Parameters::read(&request);
        let call = Call { sns: self, request: &request, parameters: &parameters };
        let answered = match parameters.action() {
            "Publish" => call.publish(world).await,
            action => call.answer(action),
        };
        answered.unwrap_or_else(|fault| query::fault(&request, NAMESPACE, &fault))
    }
}

struct Call<'a> {
    sns: &'a Sns,
    request: &'a Request,
    parameters: &'a Parameters,
}

impl Call<'_> {
    fn answer(&self, action: &str) -> Answer {
        match action {
            "CreateTopic" => self.create(),
            "DeleteTopic" => {
                let arn = self.required("TopicArn")?.to_owned();
                // Deleting what is not there succeeds.
                self.sns.topics.write(|topics| topics.remove(&arn));
                Ok(self.done())
            }
            "ListTopics" => {
                let prefix = self.topic_arn("");
                let arns: Vec<String> = self
                    .sns
                    .topics
                    .read(|topics| topics.keys().filter(|arn| arn.starts_with(&prefix)).cloned().collect());
                Ok(self.ok(|result| {
                    result.list("Topics", arns, |member, arn| drop_text(member.text("TopicArn", arn)));
                }))
            }
            "GetTopicAttributes" => self.topic_attributes(),
            "SetTopicAttributes" => {
                let name = self.required("AttributeName")?.to_owned();
                let value = self.parameters.get("AttributeValue").unwrap_or_default().to_owned();
                self.change(|topic| {
                    if value.is_empty() {
                        topic.attributes.remove(&name)
                    } else {
                        topic.attributes.insert(name, value)
                    };
                    Ok(())
                })?;
                Ok(self.done())
            }
            "Subscribe" => self.subscribe(),
            "Unsubscribe" => {
                let arn = self.required("SubscriptionArn")?;
                self.sns.topics.write(|topics| {
                    for topic in topics.values_mut() {
                        topic.subscriptions.remove(arn);
                    }
                });
                Ok(self.done())
            }
            "GetSubscriptionAttributes" => {
                let arn = self.required("SubscriptionArn")?;
                let (topic, found) = self.subscription(arn)?;
                Ok(self.ok(|result| write_entries(result, "Attributes", &subscription_attributes(arn, &topic, &found))))
            }
            "SetSubscriptionAttributes" => {
                let arn = self.required("SubscriptionArn")?;
                let name = self.required("AttributeName")?.to_owned();
                let value = self.parameters.get("AttributeValue").unwrap_or_default().to_owned();
                self.sns.topics.write(|topics| {
                    let found = topics.values_mut().find_map(|topic| topic.subscriptions.get_mut(arn));
                    let attributes = &mut found.ok_or_else(no_subscription)?.attributes;
                    if value.is_empty() {
                        attributes.remove(&name)
                    } else {
                        attributes.insert(name, value)
                    };
                    Ok(())
                })?;
                Ok(self.done())
            }
            "ListSubscriptions" | "ListSubscriptionsByTopic" => self.list_subscriptions(action),
            "TagResource" => {
                let tags = self.tags();
                self.change_arn("ResourceArn", |topic| {
                    topic.tags.extend(tags);
                    Ok(())
                })?;
                Ok(self.done())
            }
            "UntagResource" => {
                let keys = self.parameters.texts("TagKeys");
                self.change_arn("ResourceArn", |topic| {
                    topic.tags.retain(|key, _| !keys.contains(key));
                    Ok(())
                })?;
                Ok(self.done())
            }
            "ListTagsForResource" => {
                let topic = self.topic(self.required("ResourceArn")?)?;
                Ok(self.ok(|result| {
                    result.list("Tags", topic.tags, |member, (key, value)| {
                        drop_text(member.text("Key", key).text("Value", value));
                    });
                }))
            }
            other => Err(Fault::not_implemented("SNS", other)),
        }
    }

    fn required(&self, name: &str) -> Result<&str, Fault> {
        let text = || format!("Invalid parameter: {name}");
        self.parameters
            .get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Fault::new(400, "InvalidParameter", text()))
    }

    fn topic_arn(&self, name: &str) -> String {
        format!("arn:aws:sns:{}:{}:{name}", self.request.region, self.request.account)
    }

    fn topic(&self, arn: &str) -> Result<Topic, Fault> {
        self.sns.topics.read(|topics| topics.get(arn).cloned()).ok_or_else(no_topic)
    }

    fn change(&self, change: impl FnOnce(&mut Topic) -> Result<(), Fault>) -> Result<(), Fault> {
        self.change_arn("TopicArn", change)
    }

    fn change_arn(&self, name: &str, change: impl FnOnce(&mut Topic) -> Result<(), Fault>) -> Result<(), Fault> {
        let arn = self.required(name)?;
        self.sns.topics.write(|topics| change(topics.get_mut(arn).ok_or_else(no_topic)?))
    }

    fn subscription(&self, arn: &str) -> Result<(String, Subscription), Fault> {
        let find = |topics: &BTreeMap<String, Topic>| {
            topics.iter().find_map(|(topic, kept)| Some((topic.clone(), kept.subscriptions.get(arn)?.clone())))
        };
        self.sns.topics.read(find).ok_or_else(no_subscription)
    }

    fn tags(&self) -> BTreeMap<String, String> {
        let pair = |tag: &Parameters| Some((tag.get("Key")?.to_owned(), tag.get("Value")?.to_owned()));
        self.parameters.list("Tags").iter().filter_map(pair).collect()
    }

    fn entries(&self, name: &str) -> BTreeMap<String, String> {
        let pair = |entry: &Parameters| Some((entry.get("key")?.to_owned(), entry.get("value")?.to_owned()));
        self.parameters.list(name).iter().filter_map(pair).collect()
    }

    fn create(&self) -> Answer {
        let name = self.required("Name")?;
        let attributes = self.entries("Attributes");
        let fifo = attributes.get("FifoTopic").is_some_and(|value| value == "true");
        let stem = name.strip_suffix(".fifo").unwrap_or(name);
        let is_valid =
            name.len() <= 256 && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !is_valid || fifo != name.ends_with(".fifo") {
            return Err(Fault::new(400, "InvalidParameter", "Invalid parameter: Topic Name"));
        }
        let arn = self.topic_arn(name);
        let new = Topic { attributes, tags: self.tags(), ..Topic::default() };
        self.sns.topics.write(|topics| match topics.get(&arn) {
            Some(old) if old.attributes != new.attributes && !new.attributes.is_empty() => {
                let text = "Invalid parameter: Attributes Reason: Topic already exists with different attributes";
                Err(Fault::new(400, "InvalidParameter", text))
            }
            Some(_) => Ok(()),
            None => {
                topics.insert(arn.clone(), new);
                Ok(())
            }
        })?;
        Ok(self.ok(|result| drop_text(result.text("TopicArn", arn))))
    }

    fn topic_attributes(&self) -> Answer {
        let arn = self.required("TopicArn")?;
        let topic = self.topic(arn)?;
        let mut all = topic.attributes.clone();
        all.insert("TopicArn".to_owned(), arn.to_owned());
        all.insert("Owner".to_owned(), arn.split(':').nth(4).unwrap_or_default().to_owned());
        all.insert("SubscriptionsConfirmed".to_owned(), topic.subscriptions.len().to_string());
        all.insert("SubscriptionsPending".to_owned(), "0".to_owned());
        all.insert("SubscriptionsDeleted".to_owned(), "0".to_owned());
        all.entry("DisplayName".to_owned()).or_default();
        Ok(self.ok(|result| write_entries(result, "Attributes", &all)))
    }

    fn subscribe(&self) -> Answer {
        let protocol = self.required("Protocol")?;
        if !PROTOCOLS.contains(&protocol) {
            return Err(Fault::new(
                400,
                "InvalidParameter",
                format!("Invalid parameter: Does not support this protocol string: {protocol}"),
            ));
        }
        let endpoint = self.required("Endpoint")?;
        let topic_arn = self.required("TopicArn")?;
        let mut arn = format!("{topic_arn}:{}", new_request_id());
        self.change(|topic| {
            let same =
                topic.subscriptions.iter().find(|(_, known)| known.protocol == protocol && known.endpoint == endpoint);
            if let Some((known, _)) = same {
                arn.clone_from(known);
                return Ok(());
            }
            let subscription = Subscription {
                protocol: protocol.to_owned(),
                endpoint: endpoint.to_owned(),
                owner: self.request.account.clone(),
                attributes: self.entries("Attributes"),
            };
            topic.subscriptions.insert(arn.clone(), subscription);
            Ok(())
        })?;
        Ok(self.ok(|result| drop_text(result.text("SubscriptionArn", arn))))
    }

    fn list_subscriptions(&self, action: &str) -> Answer {
        let only = match action {
            "ListSubscriptionsByTopic" => {
                let arn = self.required("TopicArn")?;
                self.topic(arn)?;
                Some(arn)
            }
            _ => None,
        };
        let found: Vec<(String, String, Subscription)> = self.sns.topics.read(|topics| {
            let mine = topics.iter().filter(|(arn, _)| only.is_none_or(|only| only == arn.as_str()));
            let pairs = mine.flat_map(|(arn, topic)| topic.subscriptions.iter().map(move |pair| (arn, pair)));
            pairs.map(|(topic, (arn, subscription))| (topic.clone(), arn.clone(), subscription.clone())).collect()
        });
        Ok(self.ok(|result| {
            result.list("Subscriptions", found, |member, (topic, arn, subscription)| {
                member
                    .text("TopicArn", topic)
                    .text("SubscriptionArn", arn)
                    .text("Protocol", subscription.protocol)
                    .text("Endpoint", subscription.endpoint)
                    .text("Owner", subscription.owner);
            });
        }))
    }

    async fn publish(&self, world: &Arc<World>) -> Answer {
        let message = self.required("Message")?;
        if message.len() > MAX_MESSAGE_BYTES {
            return Err(Fault::new(400, "InvalidParameter", "Invalid parameter: Message too long"));
        }
        let arn = self.parameters.get("TopicArn").or_else(|| self.parameters.get("TargetArn")).unwrap_or_default();
        let topic = self.topic(arn)?;
        let id = new_request_id();
        for subscription in topic.subscriptions.values().filter(|subscription| subscription.protocol == "sqs") {
            let raw = subscription.attributes.get("RawMessageDelivery").is_some_and(|value| value == "true");
            let time = world.clock.now().format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
            let body = if raw {
                message.to_owned()
            } else {
                let mut envelope = json!({"Type": "Notification", "MessageId": id, "TopicArn": arn, "Message": message, "Timestamp": time});
                if let Some(subject) = self.parameters.get("Subject") {
                    envelope["Subject"] = json!(subject);
                }
                envelope.to_string()
            };
            let parts: Vec<&str> = subscription.endpoint.split(':').collect();
            let [_, _, _, region, account, queue] = parts.as_slice() else { continue };
            let body = json!({"QueueUrl": format!("/{account}/{queue}"), "MessageBody": body});
            // A queue that is gone gets nothing, as on AWS.
            let _ =
                world.call(ServiceName::Sqs, Request::target("AmazonSQS.SendMessage", &body, account, region)).await;
        }
        Ok(self.ok(|result| drop_text(result.text("MessageId", id))))
    }

    fn ok(&self, result: impl FnOnce(&mut Writer)) -> Response {
        query::answer(self.request, NAMESPACE, self.parameters.action(), result)
    }

    fn done(&self) -> Response {
        self.ok(|_| {})
    }
}

/// Ends a chain of writes in a closure that gives nothing.
fn drop_text(_: &mut Writer) {}

fn no_topic() -> Fault {
    Fault::new(404, "NotFound", "Topic does not exist")
}

fn no_subscription() -> Fault {
    Fault::new(404, "NotFound", "Subscription does not exist")
}

fn subscription_attributes(arn: &str, topic: &str, subscription: &Subscription) -> BTreeMap<String, String> {
    let mut all = subscription.attributes.clone();
    for (name, value) in [
        ("SubscriptionArn", arn),
        ("TopicArn", topic),
        ("Protocol", &subscription.protocol),
        ("Endpoint", &subscription.endpoint),
        ("Owner", &subscription.owner),
        ("ConfirmationWasAuthenticated", "true"),
        ("PendingConfirmation", "false"),
    ] {
        all.insert(name.to_owned(), value.to_owned());
    }
    all
}

fn write_entries(writer: &mut Writer, name: &str, entries: &BTreeMap<String, String>) {
    writer.element(name, |list| {
        for (key, value) in entries {
            list.element("entry", |entry| drop_text(entry.text("key", key).text("value", value)));
        }
    });
}
