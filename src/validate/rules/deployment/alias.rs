//! `DeploymentPreference` without an alias to shift.

use crate::diagnostic::Diagnostic;
use crate::validate::{Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "deployment/alias",
    why: "Traffic is shifted by an alias; SAM's transform refuses a `DeploymentPreference` without `AutoPublishAlias`.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src, DeploymentPreference: {Type: AllAtOnce}}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src, AutoPublishAlias: live, DeploymentPreference: {Type: AllAtOnce}}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for resource in &subject.resources {
        if !matches!(resource.short_kind(), Some("Function" | "StateMachine")) {
            continue;
        }
        let Some(preference) = subject.property(resource, "DeploymentPreference") else { continue };
        // What `Enabled` is by a function or a parameter may be decided later.
        let is_off = preference.get("Enabled").is_some_and(|node| node.as_bool() != Some(true));
        let alias = subject.property(resource, "AutoPublishAlias");
        let has_alias = alias.is_some_and(|node| !node.is_null() && node.as_str() != Some(""));
        if preference.is_null()
            || is_off
            || has_alias
            || resource.short_kind() == Some("StateMachine") && alias.is_some()
        {
            continue;
        }
        let own = resource.properties().and_then(|properties| properties.key_span("DeploymentPreference"));
        let global = || subject.globals(resource).and_then(|globals| globals.key_span("DeploymentPreference"));
        let in_globals = own.is_none();
        let problem = Diagnostic::error(
            RULE.id,
            format!("`{}` has a `DeploymentPreference` and no `AutoPublishAlias`", resource.id),
        )
        .at(own.or_else(global))
        .help("Add `AutoPublishAlias: live`.");
        found.push(if in_globals { problem.label(resource.span, "this function") } else { problem });
    }
}
