//! `AWS::Logs::*`.

use serde_json::{Value, json};

use super::{Context, Doing, Made, Properties, Provider, Refusal, Spec, integer, text};
use crate::sandbox::router::ServiceName;

#[derive(Debug)]
pub(super) struct LogGroup;

impl LogGroup {
    async fn retention(&self, context: &Context, name: &str, properties: &Properties) -> Result<(), Refusal> {
        let group = json!({"logGroupName": name});
        match properties.get("RetentionInDays") {
            Some(days) => {
                let body = json!({"logGroupName": name, "retentionInDays": integer("RetentionInDays", days)?});
                context.json(ServiceName::Logs, "Logs_20140328.PutRetentionPolicy", &body).await?;
            }
            None => {
                context.json(ServiceName::Logs, "Logs_20140328.DeleteRetentionPolicy", &group).await?;
            }
        }
        Ok(())
    }

    fn made(context: &Context, name: &str) -> Made {
        Made::new(name, [("Arn", context.arn("logs", &format!("log-group:{name}:*")).into())])
    }
}

impl Provider for LogGroup {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &["RetentionInDays", "Tags", "KmsKeyId", "LogGroupClass"],
            fixed: &["LogGroupName"],
            required: &[],
            attributes: &["Arn"],
            tagged: true,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let name = context.name(properties, "LogGroupName", 512);
            let mut body = json!({"logGroupName": name, "tags": context.tags(properties)});
            for (property, field) in [("KmsKeyId", "kmsKeyId"), ("LogGroupClass", "logGroupClass")] {
                if let Some(value) = text(properties, property) {
                    body[field] = Value::String(value);
                }
            }
            context.json(ServiceName::Logs, "Logs_20140328.CreateLogGroup", &body).await?;
            if properties.contains_key("RetentionInDays") {
                self.retention(context, &name, properties).await.map_err(|refusal| refusal.having_made(&name))?;
            }
            Ok(Self::made(context, &name))
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
            for property in ["KmsKeyId", "LogGroupClass"] {
                if old.get(property) != new.get(property) {
                    return Err(Refusal::invalid(format!("The sandbox cannot change {property} of a log group")));
                }
            }
            if old.get("RetentionInDays") != new.get("RetentionInDays") {
                self.retention(context, physical_id, new).await?;
            }
            Ok(Self::made(context, physical_id))
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, _: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move {
            let body = json!({"logGroupName": physical_id});
            context.json(ServiceName::Logs, "Logs_20140328.DeleteLogGroup", &body).await.map(drop)
        })
    }

    fn foreseen(&self, context: &Context, properties: &Properties) -> Option<String> {
        (!properties.contains_key("LogGroupName")).then(|| context.generated_name(512))
    }
}
