//! `AWS::SNS::*`.

use serde_json::Value;

use super::{Context, Doing, Made, Properties, Provider, Refusal, Spec, document, plain, required, text, texts};
use crate::sandbox::router::ServiceName;
use crate::sandbox::xml::Element;

async fn sns(context: &Context, action: &str, fields: &[(String, String)]) -> Result<Element, Refusal> {
    context.query(ServiceName::Sns, "2010-03-31", action, fields).await
}

fn pair(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

async fn set_topic_attribute(context: &Context, topic: &str, name: &str, value: &str) -> Result<(), Refusal> {
    let fields = [pair("TopicArn", topic), pair("AttributeName", name), pair("AttributeValue", value)];
    sns(context, "SetTopicAttributes", &fields).await.map(drop)
}

#[derive(Debug)]
pub(super) struct Topic;

const TOPIC_ATTRIBUTES: [&str; 4] = ["DisplayName", "KmsMasterKeyId", "ContentBasedDeduplication", "TracingConfig"];

impl Topic {
    fn made(arn: &str) -> Made {
        let name = arn.rsplit(':').next().unwrap_or_default();
        Made::new(arn, [("TopicArn", arn.into()), ("TopicName", name.into())])
    }

    async fn subscribe(context: &Context, topic: &str, properties: &Properties) -> Result<(), Refusal> {
        for subscription in properties.get("Subscription").and_then(Value::as_array).into_iter().flatten() {
            let field = |name: &str| subscription.get(name).and_then(plain).unwrap_or_default();
            let fields =
                [pair("TopicArn", topic), pair("Protocol", field("Protocol")), pair("Endpoint", field("Endpoint"))];
            sns(context, "Subscribe", &fields).await?;
        }
        Ok(())
    }
}

impl Provider for Topic {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &[
                "DisplayName",
                "KmsMasterKeyId",
                "ContentBasedDeduplication",
                "TracingConfig",
                "Subscription",
                "Tags",
            ],
            fixed: &["TopicName", "FifoTopic"],
            required: &[],
            attributes: &["TopicArn", "TopicName"],
            tagged: true,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let name = context.name(properties, "TopicName", 256);
            let mut fields = vec![pair("Name", name)];
            let present =
                TOPIC_ATTRIBUTES.iter().chain(&["FifoTopic"]).filter_map(|name| Some((*name, text(properties, name)?)));
            for (index, (name, value)) in present.enumerate() {
                fields.push((format!("Attributes.entry.{}.key", index + 1), name.to_owned()));
                fields.push((format!("Attributes.entry.{}.value", index + 1), value));
            }
            for (index, (key, value)) in context.tags(properties).into_iter().enumerate() {
                fields.push((format!("Tags.member.{}.Key", index + 1), key));
                fields.push((format!("Tags.member.{}.Value", index + 1), value));
            }
            let answer = sns(context, "CreateTopic", &fields).await?;
            let arn = answer.text_of("TopicArn").ok_or_else(|| Refusal::internal("CreateTopic gave no ARN"))?;
            Self::subscribe(context, arn, properties).await.map_err(|refusal| refusal.having_made(arn))?;
            Ok(Self::made(arn))
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
            for name in TOPIC_ATTRIBUTES {
                if old.get(name) != new.get(name) {
                    set_topic_attribute(context, physical_id, name, &text(new, name).unwrap_or_default()).await?;
                }
            }
            if old.get("Subscription") != new.get("Subscription") {
                return Err(Refusal::invalid(
                    "The sandbox cannot change Subscription of a topic; use AWS::SNS::Subscription",
                ));
            }
            Ok(Self::made(physical_id))
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, _: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move { sns(context, "DeleteTopic", &[pair("TopicArn", physical_id)]).await.map(drop) })
    }

    fn foreseen(&self, context: &Context, properties: &Properties) -> Option<String> {
        (!properties.contains_key("TopicName")).then(|| context.arn("sns", &context.generated_name(256)))
    }
}

#[derive(Debug)]
pub(super) struct TopicPolicy;

impl Provider for TopicPolicy {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &["PolicyDocument", "Topics"],
            fixed: &[],
            required: &["PolicyDocument", "Topics"],
            attributes: &["Id"],
            tagged: false,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let id = context.generated_name(128);
            self.update(context, &id, properties, properties).await.map_err(|refusal| refusal.having_made(&id))
        })
    }

    fn update<'a>(
        &'a self,
        context: &'a Context,
        physical_id: &'a str,
        _: &'a Properties,
        new: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(async move {
            let policy = document(new, "PolicyDocument")?;
            for topic in texts(new.get("Topics")) {
                set_topic_attribute(context, &topic, "Policy", &policy).await?;
            }
            Ok(Made::new(physical_id, [("Id", physical_id.into())]))
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, _: &'a str, properties: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move {
            for topic in texts(properties.get("Topics")) {
                match set_topic_attribute(context, &topic, "Policy", "").await {
                    Err(refusal) if !refusal.is_not_found() => return Err(refusal),
                    _ => {}
                }
            }
            Ok(())
        })
    }
}

#[derive(Debug)]
pub(super) struct Subscription;

const SUBSCRIPTION_ATTRIBUTES: [&str; 4] = ["FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy"];

impl Provider for Subscription {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &["FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy"],
            fixed: &["TopicArn", "Protocol", "Endpoint", "Region"],
            required: &["TopicArn", "Protocol"],
            attributes: &["Arn"],
            tagged: false,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            if text(properties, "Region").is_some_and(|region| region != context.pseudo.region) {
                return Err(Refusal::invalid("The sandbox cannot subscribe to a topic of another region"));
            }
            let mut fields = vec![
                pair("TopicArn", required(properties, "TopicArn")?),
                pair("Protocol", required(properties, "Protocol")?),
                pair("Endpoint", text(properties, "Endpoint").unwrap_or_default()),
                pair("ReturnSubscriptionArn", "true"),
            ];
            let present = SUBSCRIPTION_ATTRIBUTES.iter().filter_map(|name| Some((*name, properties.get(*name)?)));
            for (index, (name, value)) in present.enumerate() {
                fields.push((format!("Attributes.entry.{}.key", index + 1), name.to_owned()));
                let value = plain(value).unwrap_or_else(|| value.to_string());
                fields.push((format!("Attributes.entry.{}.value", index + 1), value));
            }
            let answer = sns(context, "Subscribe", &fields).await?;
            let arn = answer.text_of("SubscriptionArn").ok_or_else(|| Refusal::internal("Subscribe gave no ARN"))?;
            Ok(Made::new(arn, [("Arn", arn.into())]))
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
            for name in SUBSCRIPTION_ATTRIBUTES.into_iter().filter(|name| old.get(*name) != new.get(*name)) {
                let value =
                    new.get(name).map(|value| plain(value).unwrap_or_else(|| value.to_string())).unwrap_or_default();
                let fields =
                    [pair("SubscriptionArn", physical_id), pair("AttributeName", name), pair("AttributeValue", value)];
                sns(context, "SetSubscriptionAttributes", &fields).await?;
            }
            Ok(Made::new(physical_id, [("Arn", physical_id.into())]))
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, _: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move { sns(context, "Unsubscribe", &[pair("SubscriptionArn", physical_id)]).await.map(drop) })
    }
}
