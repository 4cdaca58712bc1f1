//! Resources that wait for each other.

use crate::diagnostic::Diagnostic;
use crate::template::intrinsics::Graph;
use crate::validate::{Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "reference/circular",
    why: "CloudFormation creates a resource after those that it mentions; in a circle there is no first.",
    wrong: "Resources:\n  A: {Type: AWS::SNS::Topic, DependsOn: B}\n  B: {Type: AWS::SQS::Queue, Properties: {QueueName: !GetAtt A.TopicName}}\n",
    right: "Resources:\n  A: {Type: AWS::SNS::Topic}\n  B: {Type: AWS::SQS::Queue, Properties: {QueueName: !GetAtt A.TopicName}}\n",
    check,
};

/// SAM's properties that become resources of their own, so that what they mention is not what the
/// resource itself waits for.
const APART: [&str; 9] = [
    "Events",
    "DeploymentPreference",
    "EventInvokeConfig",
    "FunctionUrlConfig",
    "ProvisionedConcurrencyConfig",
    "Domain",
    "AccessLogSetting",
    "Auth",
    "AutoPublishAlias",
];

/// SAM's types that stay one resource that holds their other properties.
const WHOLE: [&str; 7] = ["Function", "Api", "HttpApi", "StateMachine", "SimpleTable", "LayerVersion", "Application"];

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Some(resources) = subject.template.section("Resources") else { return };
    let graph = Graph::new(resources, |kind, property| match kind.strip_prefix("AWS::Serverless::") {
        None => true,
        Some(kind) => WHOLE.contains(&kind) && !APART.contains(&property),
    });
    let Err(circle) = graph.sorted() else { return };
    let source = &subject.template.source;
    let edge = |from: &str, to: &str| {
        graph.edges.get(from).and_then(|needs| needs.get(to)).and_then(|found| found.place(source))
    };
    let pairs: Vec<(&str, &str)> =
        circle.iter().zip(circle.iter().cycle().skip(1)).map(|(from, to)| (*from, *to)).collect();
    let Some(((first, second), rest)) = pairs.split_first() else { return };
    let message = match circle.as_slice() {
        [only] => format!("`{only}` depends on itself"),
        _ => format!("circular dependency: {} → {first}", circle.join(" → ")),
    };
    let mut problem = Diagnostic::error(RULE.id, message)
        .at(edge(first, second))
        .help("Break it at one of these places: give a name instead of a reference, or move the setting into a resource of its own.");
    for (from, to) in rest {
        problem = problem.label(edge(from, to), format!("`{from}` needs `{to}`"));
    }
    found.push(problem);
}
