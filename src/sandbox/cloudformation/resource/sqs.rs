//! `AWS::SQS::*`.

use serde_json::{Map, Value, json};

use super::{Context, Doing, Made, Properties, Provider, Refusal, Spec, document, plain, text, texts};
use crate::sandbox::router::ServiceName;

/// The properties that are attributes of the queue under the same name.
const ATTRIBUTES: [&str; 12] = [
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
    "ContentBasedDeduplication",
    "DeduplicationScope",
];

async fn sqs(context: &Context, action: &str, body: &Value) -> Result<Value, Refusal> {
    context.json(ServiceName::Sqs, &format!("AmazonSQS.{action}"), body).await
}

fn attributes(properties: &Properties) -> Map<String, Value> {
    let names = ATTRIBUTES.iter().chain(&["FifoQueue", "FifoThroughputLimit"]);
    names
        .filter_map(|name| {
            let value = properties.get(*name)?;
            // Policies are JSON texts on the wire and maps in templates.
            let text = plain(value).unwrap_or_else(|| value.to_string());
            Some(((*name).to_owned(), text.into()))
        })
        .collect()
}

#[derive(Debug)]
pub(super) struct Queue;

impl Queue {
    async fn made(context: &Context, url: &str) -> Result<Made, Refusal> {
        let answer =
            sqs(context, "GetQueueAttributes", &json!({"QueueUrl": url, "AttributeNames": ["QueueArn"]})).await?;
        let arn = answer["Attributes"]["QueueArn"].as_str().unwrap_or_default();
        let name = arn.rsplit(':').next().unwrap_or_default();
        Ok(Made::new(url, [("Arn", arn.into()), ("QueueName", name.into()), ("QueueUrl", url.into())]))
    }
}

impl Provider for Queue {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &[
                "DelaySeconds",
                "MaximumMessageSize",
                "MessageRetentionPeriod",
                "ReceiveMessageWaitTimeSeconds",
                "VisibilityTimeout",
                "RedrivePolicy",
                "RedriveAllowPolicy",
                "KmsMasterKeyId",
                "KmsDataKeyReusePeriodSeconds",
                "SqsManagedSseEnabled",
                "ContentBasedDeduplication",
                "DeduplicationScope",
                "FifoThroughputLimit",
                "Tags",
            ],
            fixed: &["QueueName", "FifoQueue"],
            required: &[],
            attributes: &["Arn", "QueueName", "QueueUrl"],
            tagged: true,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let fifo = text(properties, "FifoQueue").as_deref() == Some("true");
            let name = text(properties, "QueueName").unwrap_or_else(|| {
                if fifo { context.generated_name(75) + ".fifo" } else { context.generated_name(80) }
            });
            let body =
                json!({"QueueName": name, "Attributes": attributes(properties), "tags": context.tags(properties)});
            let answer = sqs(context, "CreateQueue", &body).await?;
            let url = answer["QueueUrl"].as_str().ok_or_else(|| Refusal::internal("CreateQueue gave no URL"))?;
            Self::made(context, url).await.map_err(|refusal| refusal.having_made(url))
        })
    }

    fn update<'a>(
        &'a self,
        context: &'a Context,
        physical_id: &'a str,
        old: &'a Properties,
        new: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(async move {
            let mut set = attributes(new);
            set.remove("FifoQueue");
            for name in attributes(old).keys().filter(|name| !new.contains_key(*name)) {
                // What is no longer said goes back to its default.
                let default = match name.as_str() {
                    "DelaySeconds" | "ReceiveMessageWaitTimeSeconds" => "0",
                    "MaximumMessageSize" => "262144",
                    "MessageRetentionPeriod" => "345600",
                    "VisibilityTimeout" => "30",
                    "KmsDataKeyReusePeriodSeconds" => "300",
                    "SqsManagedSseEnabled" => "true",
                    "ContentBasedDeduplication" => "false",
                    "DeduplicationScope" => "queue",
                    "FifoThroughputLimit" => "perQueue",
                    _ => "",
                };
                set.insert(name.clone(), default.into());
            }
            if !set.is_empty() {
                sqs(context, "SetQueueAttributes", &json!({"QueueUrl": physical_id, "Attributes": set})).await?;
            }
            Self::made(context, physical_id).await
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, _: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move { sqs(context, "DeleteQueue", &json!({"QueueUrl": physical_id})).await.map(drop) })
    }
}

#[derive(Debug)]
pub(super) struct QueuePolicy;

impl QueuePolicy {
    async fn set(context: &Context, queues: &[String], policy: &str) -> Result<(), Refusal> {
        for queue in queues {
            let body = json!({"QueueUrl": queue, "Attributes": {"Policy": policy}});
            match sqs(context, "SetQueueAttributes", &body).await {
                // A queue that is gone has no policy.
                Err(refusal) if policy.is_empty() && refusal.is_not_found() => {}
                other => drop(other?),
            }
        }
        Ok(())
    }
}

impl Provider for QueuePolicy {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &["PolicyDocument", "Queues"],
            fixed: &[],
            required: &["PolicyDocument", "Queues"],
            attributes: &["Id"],
            tagged: false,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let id = context.generated_name(128);
            self.update(context, &id, &Properties::new(), properties).await.map_err(|refusal| refusal.having_made(&id))
        })
    }

    fn update<'a>(
        &'a self,
        context: &'a Context,
        physical_id: &'a str,
        old: &'a Properties,
        new: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(async move {
            let queues = texts(new.get("Queues"));
            Self::set(context, &queues, &document(new, "PolicyDocument")?).await?;
            let dropped: Vec<String> =
                texts(old.get("Queues")).into_iter().filter(|queue| !queues.contains(queue)).collect();
            Self::set(context, &dropped, "").await?;
            Ok(Made::new(physical_id, [("Id", physical_id.into())]))
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, _: &'a str, properties: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move { Self::set(context, &texts(properties.get("Queues")), "").await })
    }
}
