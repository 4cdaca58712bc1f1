//! `AWS::CloudWatch::*`: alarms.

use serde_json::{Value, json};

use super::{Context, Doing, Made, Properties, Provider, Refusal, Spec, boolean, integer, number, plain};
use crate::sandbox::router::ServiceName;

async fn cloudwatch(context: &Context, action: &str, body: &Value) -> Result<(), Refusal> {
    let target = format!("GraniteServiceVersion20100801.{action}");
    context.json(ServiceName::CloudWatch, &target, body).await.map(drop)
}

fn made(context: &Context, name: &str) -> Made {
    Made::new(name, [("Arn", context.arn("cloudwatch", &format!("alarm:{name}")).into())])
}

async fn delete_alarm(context: &Context, name: &str) -> Result<(), Refusal> {
    cloudwatch(context, "DeleteAlarms", &json!({"AlarmNames": [name]})).await
}

#[derive(Debug)]
pub(super) struct Alarm;

impl Alarm {
    async fn put(context: &Context, name: &str, properties: &Properties) -> Result<Made, Refusal> {
        let mut body = json!({"AlarmName": name, "Tags": context.tag_list(properties)});
        for (key, value) in properties {
            body[key] = match key.as_str() {
                "Tags" | "AlarmName" => continue,
                "Threshold" => number(key, value)?,
                "Period" | "EvaluationPeriods" | "DatapointsToAlarm" => integer(key, value)?,
                "ActionsEnabled" => boolean(key, value)?.into(),
                "Metrics" => queries(value)?,
                _ => value.clone(),
            };
        }
        cloudwatch(context, "PutMetricAlarm", &body).await?;
        Ok(made(context, name))
    }
}

/// Metric queries with their numbers as numbers.
fn queries(value: &Value) -> Result<Value, Refusal> {
    let mut queries = value.clone();
    for query in queries.as_array_mut().into_iter().flatten() {
        if let Some(flag) = query.get("ReturnData").cloned() {
            query["ReturnData"] = boolean("ReturnData", &flag)?.into();
        }
        if let Some(period) = query.get("Period").cloned() {
            query["Period"] = integer("Period", &period)?;
        }
        if let Some(period) = query.pointer("/MetricStat/Period").cloned() {
            query["MetricStat"]["Period"] = integer("Period", &period)?;
        }
    }
    Ok(queries)
}

impl Provider for Alarm {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &[
                "ActionsEnabled",
                "AlarmActions",
                "AlarmDescription",
                "ComparisonOperator",
                "DatapointsToAlarm",
                "Dimensions",
                "EvaluateLowSampleCountPercentile",
                "EvaluationPeriods",
                "ExtendedStatistic",
                "InsufficientDataActions",
                "MetricName",
                "Metrics",
                "Namespace",
                "OKActions",
                "Period",
                "Statistic",
                "Tags",
                "Threshold",
                "ThresholdMetricId",
                "TreatMissingData",
                "Unit",
            ],
            fixed: &["AlarmName"],
            required: &["ComparisonOperator"],
            attributes: &["Arn"],
            tagged: true,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move { Self::put(context, &context.name(properties, "AlarmName", 255), properties).await })
    }

    fn update<'a>(
        &'a self,
        context: &'a Context,
        physical_id: &'a str,
        _: &'a Properties,
        new: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(async move { Self::put(context, physical_id, new).await })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, _: &'a Properties) -> Doing<'a, ()> {
        Box::pin(delete_alarm(context, physical_id))
    }

    fn foreseen(&self, context: &Context, properties: &Properties) -> Option<String> {
        (!properties.contains_key("AlarmName")).then(|| context.generated_name(255))
    }
}

#[derive(Debug)]
pub(super) struct CompositeAlarm;

impl CompositeAlarm {
    async fn put(context: &Context, name: &str, properties: &Properties) -> Result<Made, Refusal> {
        let mut body = json!({"AlarmName": name, "Tags": context.tag_list(properties)});
        for (key, value) in properties {
            body[key] = match key.as_str() {
                "Tags" | "AlarmName" => continue,
                "ActionsEnabled" => boolean(key, value)?.into(),
                "AlarmRule" => plain(value).ok_or_else(|| Refusal::invalid("AlarmRule has to be a string"))?.into(),
                _ => value.clone(),
            };
        }
        cloudwatch(context, "PutCompositeAlarm", &body).await?;
        Ok(made(context, name))
    }
}

impl Provider for CompositeAlarm {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &[
                "ActionsEnabled",
                "AlarmActions",
                "AlarmDescription",
                "AlarmRule",
                "InsufficientDataActions",
                "OKActions",
                "Tags",
            ],
            fixed: &["AlarmName"],
            required: &["AlarmRule"],
            attributes: &["Arn"],
            tagged: true,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move { Self::put(context, &context.name(properties, "AlarmName", 255), properties).await })
    }

    fn update<'a>(
        &'a self,
        context: &'a Context,
        physical_id: &'a str,
        _: &'a Properties,
        new: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(async move { Self::put(context, physical_id, new).await })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, _: &'a Properties) -> Doing<'a, ()> {
        Box::pin(delete_alarm(context, physical_id))
    }
}
