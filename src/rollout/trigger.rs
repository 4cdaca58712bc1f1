//! `TriggerConfigurations` of a deployment preference: topics that hear of a rollout in CodeDeploy's
//! words, also where samara moves the traffic. Pure: what is said of which happening.

use serde_json::json;

use super::plan::Plan;
use super::state::{Happening, Why};
use super::verdict::why_words;

/// What a topic is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The topic's ARN.
    pub topic: String,
    /// Its subject.
    pub subject: String,
    /// JSON with CodeDeploy's keys.
    pub message: String,
}

/// The event and the status of a happening, as CodeDeploy names them
/// (docs.aws.amazon.com/codedeploy/latest/userguide/monitoring-sns-event-notifications.html).
fn event(what: &Happening, plan: &Plan) -> Option<(&'static str, &'static str)> {
    match what {
        Happening::Began => Some(("DeploymentStart", "CREATED")),
        Happening::Decided { why } => Some(match why {
            Why::Alarm { .. } | Why::Aborted | Why::Interrupted | Why::TimedOut | Why::ByHand => {
                ("DeploymentStop", "STOPPED")
            }
            Why::Evidence { .. }
            | Why::Version { .. }
            | Why::Check { .. }
            | Why::Outage { .. }
            | Why::NoData
            | Why::Denied { .. }
            | Why::FoundBack => ("DeploymentFailure", "FAILED"),
        }),
        Happening::RolledBack => Some(("DeploymentRollback", "SUCCEEDED")),
        // The traffic is where it should be; whether the stack follows is not CodeDeploy's matter.
        Happening::Settling => Some(("DeploymentSuccess", "SUCCEEDED")),
        Happening::Succeeded if plan.settle.is_none() => Some(("DeploymentSuccess", "SUCCEEDED")),
        _ => None,
    }
}

/// What the topics of a plan are told of a happening.
pub fn notices(plan: &Plan, what: &Happening, region: &str, account: &str) -> Vec<Notice> {
    let Some((event, status)) = event(what, plan) else { return Vec::new() };
    let wanted = plan.triggers.iter().filter(|trigger| trigger.events.iter().any(|name| name == event));
    wanted
        .filter_map(|trigger| {
            let (_, alias) = plan.of(&trigger.id)?;
            let application = plan.settle.as_ref().map_or("samara", |settle| settle.stack.as_str());
            let deployment = format!("samara-{}", plan.created.0);
            let mut message = json!({
                "region": region,
                "accountId": account,
                "eventTriggerName": trigger.name,
                "applicationName": application,
                "deploymentId": deployment,
                "deploymentGroupName": trigger.id.to_string(),
                "status": status,
                "currentVersion": alias.old,
                "targetVersion": alias.new,
            });
            if let Happening::Decided { why } = what {
                message["errorInformation"] = json!({ "ErrorMessage": why_words(why) });
            }
            let subject = format!("{status}: samara {event} of {} to version {}", trigger.id, alias.new);
            Some(Notice { topic: trigger.topic.clone(), subject, message: message.to_string() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::plan::Trigger;
    use crate::rollout::plan::tests::plan;

    #[test]
    fn a_topic_hears_of_what_it_wants_in_codedeploys_words() {
        let mut plan = plan("AllAtOnce");
        plan.triggers = vec![Trigger {
            id: plan.aliases[0].id.clone(),
            name: "tell".to_owned(),
            topic: "arn:aws:sns:eu-central-1:1:t".to_owned(),
            events: ["DeploymentStart", "DeploymentStop", "DeploymentFailure"].map(str::to_owned).to_vec(),
        }];
        let heard = |what: Happening| {
            let notices = notices(&plan, &what, "eu-central-1", "1");
            notices.first().map(|notice| (notice.subject.clone(), notice.message.clone()))
        };
        let (subject, message) = heard(Happening::Began).unwrap();
        assert_eq!(subject, "CREATED: samara DeploymentStart of hello:live to version 8");
        insta::assert_snapshot!(message, @r#"{"region":"eu-central-1","accountId":"1","eventTriggerName":"tell","applicationName":"samara","deploymentId":"samara-0","deploymentGroupName":"hello:live","status":"CREATED","currentVersion":"7","targetVersion":"8"}"#);
        let (subject, message) = heard(Happening::Decided { why: Why::Aborted }).unwrap();
        assert!(subject.starts_with("STOPPED: samara DeploymentStop") && message.contains("\"aborted\""), "{message}");
        let failed = Happening::Decided { why: Why::Version { reason: "Failed".to_owned() } };
        assert!(heard(failed).unwrap().0.starts_with("FAILED: samara DeploymentFailure"));
        assert_eq!(heard(Happening::RolledBack), None, "not asked for");
        assert_eq!(heard(Happening::Barrier), None);
    }

    #[test]
    fn success_is_told_once_and_when_the_traffic_is_there() {
        let mut settles = plan("AllAtOnce");
        let alone = settles.clone();
        settles.settle = Some(crate::rollout::plan::SettlePlan {
            stack: "app".to_owned(),
            template_key: String::new(),
            parameters: Vec::new(),
            capabilities: Vec::new(),
            role_arn: None,
            notification_arns: Vec::new(),
        });
        let told = |plan: &Plan| [Happening::Settling, Happening::Succeeded].map(|what| event(&what, plan).is_some());
        assert_eq!((told(&settles), told(&alone)[1]), ([true, false], true));
    }
}
