//! `AWS::CodeDeploy::*`: applications, groups and configurations for Lambda.

use serde_json::{Map, Value, json};

use super::{Context, Doing, Made, Properties, Provider, Refusal, Spec, required, text};
use crate::sandbox::router::ServiceName;

async fn codedeploy(context: &Context, operation: &str, body: &Value) -> Result<Value, Refusal> {
    context.json(ServiceName::CodeDeploy, &format!("CodeDeploy_20141006.{operation}"), body).await
}

/// A template's value as the API takes it: names begin small, numbers and truth values are not text.
fn as_api(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            map.iter().map(|(name, value)| (small(name), as_api(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(as_api).collect(),
        Value::String(text) if text == "true" || text == "false" => json!(text == "true"),
        Value::String(text) => text.parse::<i64>().map_or_else(|_| value.clone(), Value::from),
        other => other.clone(),
    }
}

fn small(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

#[derive(Debug)]
pub(super) struct Application;

impl Application {
    async fn retag(context: &Context, name: &str, new: &Properties) -> Result<(), Refusal> {
        let arn = context.arn("codedeploy", &format!("application:{name}"));
        let there = codedeploy(context, "ListTagsForResource", &json!({"ResourceArn": arn})).await?;
        let keys: Vec<&Value> = there["Tags"].as_array().into_iter().flatten().map(|tag| &tag["Key"]).collect();
        codedeploy(context, "UntagResource", &json!({"ResourceArn": arn, "TagKeys": keys})).await?;
        codedeploy(context, "TagResource", &json!({"ResourceArn": arn, "Tags": context.tag_list(new)})).await.map(drop)
    }
}

impl Provider for Application {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &["Tags"],
            fixed: &["ApplicationName", "ComputePlatform"],
            required: &[],
            attributes: &[],
            tagged: true,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let name = context.name(properties, "ApplicationName", 100);
            let platform = text(properties, "ComputePlatform").unwrap_or_else(|| "Server".to_owned());
            let body = json!({
                "applicationName": name, "computePlatform": platform, "tags": context.tag_list(properties),
            });
            codedeploy(context, "CreateApplication", &body).await?;
            Ok(Made::new(name, []))
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
            Self::retag(context, physical_id, new).await?;
            Ok(Made::new(physical_id, []))
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, _: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move {
            codedeploy(context, "DeleteApplication", &json!({"applicationName": physical_id})).await.map(drop)
        })
    }

    fn foreseen(&self, context: &Context, properties: &Properties) -> Option<String> {
        (!properties.contains_key("ApplicationName")).then(|| context.generated_name(100))
    }
}

#[derive(Debug)]
pub(super) struct DeploymentGroup;

impl DeploymentGroup {
    /// What is not in the template any more is said to be nothing.
    fn settings(properties: &Properties) -> Value {
        let mut body = json!({
            "deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce",
            "alarmConfiguration": {"enabled": false, "alarms": []},
            "autoRollbackConfiguration": {"enabled": false, "events": []},
            "triggerConfigurations": [],
        });
        for (name, value) in properties {
            if !matches!(name.as_str(), "Tags" | "DeploymentGroupName" | "ApplicationName") {
                body[small(name)] = as_api(value);
            }
        }
        body
    }
}

impl Provider for DeploymentGroup {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &[
                "AlarmConfiguration",
                "AutoRollbackConfiguration",
                "AutoScalingGroups",
                "BlueGreenDeploymentConfiguration",
                "DeploymentConfigName",
                "DeploymentStyle",
                "ECSServices",
                "Ec2TagFilters",
                "Ec2TagSet",
                "LoadBalancerInfo",
                "OnPremisesInstanceTagFilters",
                "OnPremisesTagSet",
                "OutdatedInstancesStrategy",
                "ServiceRoleArn",
                "Tags",
                "TerminationHookEnabled",
                "TriggerConfigurations",
            ],
            fixed: &["ApplicationName", "DeploymentGroupName"],
            required: &["ApplicationName", "ServiceRoleArn"],
            attributes: &[],
            tagged: true,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let name = context.name(properties, "DeploymentGroupName", 100);
            let mut body = Self::settings(properties);
            body["applicationName"] = required(properties, "ApplicationName")?.into();
            body["deploymentGroupName"] = name.clone().into();
            body["tags"] = context.tag_list(properties);
            codedeploy(context, "CreateDeploymentGroup", &body).await?;
            Ok(Made::new(name, []))
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
            let mut body = Self::settings(new);
            body["applicationName"] = required(new, "ApplicationName")?.into();
            body["currentDeploymentGroupName"] = physical_id.into();
            codedeploy(context, "UpdateDeploymentGroup", &body).await?;
            Ok(Made::new(physical_id, []))
        })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, properties: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move {
            let application = required(properties, "ApplicationName")?;
            let body = json!({"applicationName": application, "deploymentGroupName": physical_id});
            codedeploy(context, "DeleteDeploymentGroup", &body).await.map(drop)
        })
    }

    fn foreseen(&self, context: &Context, properties: &Properties) -> Option<String> {
        (!properties.contains_key("DeploymentGroupName")).then(|| context.generated_name(100))
    }
}

#[derive(Debug)]
pub(super) struct DeploymentConfig;

impl Provider for DeploymentConfig {
    fn spec(&self) -> Spec {
        Spec {
            mutable: &[],
            fixed: &[
                "ComputePlatform",
                "DeploymentConfigName",
                "MinimumHealthyHosts",
                "TrafficRoutingConfig",
                "ZonalConfig",
            ],
            required: &[],
            attributes: &[],
            tagged: false,
        }
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let name = context.name(properties, "DeploymentConfigName", 100);
            let mut body = json!({});
            for (property, value) in properties {
                body[small(property)] = as_api(value);
            }
            body["deploymentConfigName"] = name.clone().into();
            codedeploy(context, "CreateDeploymentConfig", &body).await?;
            Ok(Made::new(name, []))
        })
    }

    fn update<'a>(
        &'a self,
        _: &'a Context,
        physical_id: &'a str,
        _: &'a Properties,
        _: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(async move { Ok(Made::new(physical_id, [])) })
    }

    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, _: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move {
            let body = json!({"deploymentConfigName": physical_id});
            codedeploy(context, "DeleteDeploymentConfig", &body).await.map(drop)
        })
    }

    fn foreseen(&self, context: &Context, properties: &Properties) -> Option<String> {
        (!properties.contains_key("DeploymentConfigName")).then(|| context.generated_name(100))
    }
}
