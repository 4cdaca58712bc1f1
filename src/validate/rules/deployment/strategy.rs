//! The strategy of a `DeploymentPreference`.

use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::template::Node;
use crate::validate::{Rule, Subject};

/// CodeDeploy's configurations for Lambda as SAM writes them.
///
/// <https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html#deployment-configuration-lambda>
const STRATEGIES: [&str; 9] = [
    "AllAtOnce",
    "Canary10Percent5Minutes",
    "Canary10Percent10Minutes",
    "Canary10Percent15Minutes",
    "Canary10Percent30Minutes",
    "Linear10PercentEvery1Minute",
    "Linear10PercentEvery2Minutes",
    "Linear10PercentEvery3Minutes",
    "Linear10PercentEvery10Minutes",
];

pub(super) const RULE: Rule = Rule {
    id: "deployment/strategy",
    why: "A name that is not CodeDeploy's is taken for a configuration of your own, and the deployment fails when there is none.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src, AutoPublishAlias: live, DeploymentPreference: {Type: Canary10Percent7Minutes}}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src, AutoPublishAlias: live, DeploymentPreference: {Type: Canary10Percent5Minutes}}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for resource in subject.resources.iter().filter(|resource| resource.short_kind() == Some("Function")) {
        let Some(preference) = subject.property(resource, "DeploymentPreference") else { continue };
        let Some(kind) = preference.get("Type") else { continue };
        for literal in subject.literals(kind) {
            let Some(text) = literal.as_str() else {
                if !literal.is_null() {
                    let message = format!("the strategy is a name, and this is {}", Node::kind(literal));
                    found.push(Diagnostic::error(RULE.id, message).at(literal.span));
                }
                continue;
            };
            look(text, literal, found);
        }
    }
}

fn look(text: &str, node: &Node, found: &mut Vec<Diagnostic>) {
    // CodeDeploy's full name and samara's free strategies (`canary:5%:10m`) mean what they say.
    let name = text.strip_prefix("CodeDeployDefault.Lambda").unwrap_or(text);
    let is_free = ["canary:", "linear:", "steps:"].iter().any(|prefix| text.starts_with(prefix));
    if STRATEGIES.contains(&name) || is_free {
        return;
    }
    let lower = name.to_ascii_lowercase();
    let looks_like_one = ["canary", "linear", "allatonce", "all_at_once"].iter().any(|word| lower.starts_with(word));
    let meant = closest(name, STRATEGIES);
    if looks_like_one || meant.is_some() {
        let problem = Diagnostic::error(RULE.id, format!("there is no strategy `{text}`")).at(node.span);
        found.push(match meant {
            Some(meant) => problem.help(format!("Did you mean `{meant}`?")),
            None => problem.help(format!("There are {}.", STRATEGIES.join(", "))),
        });
        return;
    }
    found.push(
        Diagnostic::warning(RULE.id, format!("`{text}` is not a strategy that samara or CodeDeploy knows by name"))
            .at(node.span)
            .help("That works only with CodeDeploy, and only when the account has a deployment configuration of this name."),
    );
}
