//! Which aliases of a template want their traffic shifted, and how: what `DeploymentPreference` says,
//! whoever transforms the template. Pure.

use crate::template::{Map, Node, Template, Value};
use crate::transform::AliasPreference;

/// A function whose new version is to take its traffic step by step.
#[derive(Clone, Debug, PartialEq)]
pub struct Shift {
    /// The function's name in the template.
    pub function: String,
    /// The alias's name in the plain template.
    pub alias: String,
    /// The version's name in the plain template.
    pub version: String,
    /// `Type`, such as `Canary10Percent5Minutes`.
    pub strategy: Option<Node>,
    /// `Alarms`: names, or references to them; each may be a list, or `Fn::If` between lists.
    pub alarms: Vec<Node>,
    /// Whether there are `Hooks`.
    pub has_hooks: bool,
    /// `Hooks.PreTraffic`: a function to ask before any traffic.
    pub pre_traffic: Option<Node>,
    /// `Hooks.PostTraffic`: a function to ask when all traffic has moved.
    pub post_traffic: Option<Node>,
    /// `TriggerConfigurations`: a list, or `Fn::If` between lists.
    pub triggers: Option<Node>,
    /// `Enabled`, where it is a function that only the stack's own conditions can tell.
    pub enabled: Option<Node>,
}

impl From<AliasPreference> for Shift {
    fn from(preference: AliasPreference) -> Self {
        let alarms = match preference.alarms {
            Some(Node { value: Value::List(items), .. }) => items,
            other => other.into_iter().collect(),
        };
        let hook = |hook: Option<Node>| hook.filter(|node| !node.is_null());
        let (pre_traffic, post_traffic) = (hook(preference.pre_traffic_hook), hook(preference.post_traffic_hook));
        Self {
            function: preference.function_logical_id,
            alias: preference.alias_logical_id,
            version: preference.version_logical_id,
            strategy: preference.strategy,
            alarms,
            has_hooks: pre_traffic.is_some() || post_traffic.is_some(),
            pre_traffic,
            post_traffic,
            triggers: preference.triggers.filter(|node| !node.is_null()),
            enabled: None,
        }
    }
}

impl Shift {
    /// Takes over what a transform does not say: an `Enabled` that is a function. SAM takes it for a
    /// yes whatever it says; samara honours what it says once the conditions are known.
    pub fn with_enabled_of(mut self, sam: &Node) -> Self {
        let function = sam.path(&["Resources", &self.function]);
        let preference = function.and_then(|function| preference(sam, function));
        self.enabled = preference.and_then(|preference| unknown_enabled(&preference));
        self
    }
}

/// `Enabled`, where only the conditions of the stack tell what it says.
fn unknown_enabled(preference: &Map) -> Option<Node> {
    preference.get("Enabled").filter(|node| node.intrinsic().is_some()).cloned()
}

const FUNCTION: &str = "AWS::Serverless::Function";

/// The shifts of a SAM template, found in the plain template that a transform made of it.
/// `even_without`: an alias without a preference counts too, because a strategy was given.
pub fn find(sam: &Node, plain: &Node, even_without: bool) -> Vec<Shift> {
    let empty = Map::new();
    let functions = sam.get("Resources").and_then(Node::as_map).unwrap_or(&empty);
    functions
        .iter()
        .filter(|(_, node)| node.get("Type").and_then(Node::as_str) == Some(FUNCTION))
        .filter_map(|(name, node)| {
            let preference = preference(sam, node);
            if !(even_without || preference.is_some()) || preference.as_ref().is_some_and(is_disabled) {
                return None;
            }
            let (alias, version) = alias_of(plain, name)?;
            let preference = preference.unwrap_or_default();
            let alarms = match preference.get("Alarms") {
                Some(Node { value: Value::List(items), .. }) => items.clone(),
                other => other.cloned().into_iter().collect(),
            };
            let hook = |name: &str| preference.get("Hooks")?.get(name).filter(|node| !node.is_null()).cloned();
            let (pre_traffic, post_traffic) = (hook("PreTraffic"), hook("PostTraffic"));
            Some(Shift {
                function: name.to_owned(),
                alias,
                version,
                strategy: preference.get("Type").cloned(),
                alarms,
                has_hooks: pre_traffic.is_some() || post_traffic.is_some(),
                pre_traffic,
                post_traffic,
                triggers: preference.get("TriggerConfigurations").filter(|node| !node.is_null()).cloned(),
                enabled: unknown_enabled(&preference),
            })
        })
        .collect()
}

/// The function's own preference over the one of `Globals`, key by key.
fn preference(sam: &Node, function: &Node) -> Option<Map> {
    let global = sam.path(&["Globals", "Function", "DeploymentPreference"]).and_then(Node::as_map);
    let own = function.path(&["Properties", "DeploymentPreference"]).and_then(Node::as_map);
    let mut merged = global.or(own)?.clone();
    for (key, node) in own.into_iter().flat_map(Map::iter) {
        merged.insert(key, node.clone());
    }
    Some(merged)
}

/// Whether a preference says `Enabled: false` as it stands.
pub fn is_switched_off(preference: &Map) -> bool {
    is_disabled(preference)
}

fn is_disabled(preference: &Map) -> bool {
    match preference.get("Enabled") {
        Some(node) => {
            node.as_bool() == Some(false) || node.as_str().is_some_and(|text| text.eq_ignore_ascii_case("false"))
        }
        None => false,
    }
}

/// The alias that a transform made for a function, and the version that it points to.
fn alias_of(plain: &Node, function: &str) -> Option<(String, String)> {
    plain.get("Resources")?.as_map()?.iter().find_map(|(name, node)| {
        let is_alias = node.get("Type").and_then(Node::as_str) == Some("AWS::Lambda::Alias");
        let of = node.path(&["Properties", "FunctionName", "Ref"]).and_then(Node::as_str);
        if !is_alias || of != Some(function) {
            return None;
        }
        let version = node.path(&["Properties", "FunctionVersion", "Fn::GetAtt"])?;
        let version = match version.as_list() {
            Some(items) => items.first()?.as_str()?,
            None => version.as_str()?.split('.').next()?,
        };
        Some((name.to_owned(), version.to_owned()))
    })
}

/// The SAM template with every preference switched off: what AWS's own transform is given, so that it
/// makes no CodeDeploy resources.
pub fn without_preferences(sam: &Template) -> Node {
    let mut root = sam.root.clone();
    let switch_off = |properties: Option<&mut Node>| {
        let preference = properties
            .and_then(Node::as_map_mut)
            .and_then(|properties| properties.get_mut("DeploymentPreference"))
            .and_then(Node::as_map_mut);
        if let Some(preference) = preference {
            preference.insert("Enabled", false);
        }
    };
    let Some(map) = root.as_map_mut() else { return root };
    if let Some(globals) = map.get_mut("Globals").and_then(Node::as_map_mut) {
        switch_off(globals.get_mut("Function"));
    }
    if let Some(resources) = map.get_mut("Resources").and_then(Node::as_map_mut) {
        for (_, resource) in resources.iter_mut() {
            if resource.get("Type").and_then(Node::as_str) == Some(FUNCTION) {
                switch_off(resource.as_map_mut().and_then(|resource| resource.get_mut("Properties")));
            }
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::template::Source;

    fn sam() -> Node {
        Node::from(json!({
            "Globals": { "Function": { "AutoPublishAlias": "live", "DeploymentPreference": { "Type": "AllAtOnce", "Alarms": [{ "Ref": "A" }] } } },
            "Resources": {
                "One": { "Type": FUNCTION, "Properties": { "DeploymentPreference": { "Type": "Linear10PercentEvery1Minute" } } },
                "Two": { "Type": FUNCTION, "Properties": { "DeploymentPreference": { "Enabled": false } } },
                "Three": { "Type": FUNCTION }
            }
        }))
    }

    fn plain() -> Node {
        let alias = |function: &str, version: &str| {
            json!({ "Type": "AWS::Lambda::Alias", "Properties": {
                "FunctionName": { "Ref": function }, "Name": "live", "FunctionVersion": { "Fn::GetAtt": [version, "Version"] } } })
        };
        Node::from(json!({ "Resources": {
            "OneAliaslive": alias("One", "OneVersionaa"),
            "TwoAliaslive": alias("Two", "TwoVersionbb")
        } }))
    }

    #[test]
    fn a_functions_preference_goes_before_the_global_one() {
        let found = find(&sam(), &plain(), false);
        assert_eq!(found.len(), 1);
        let one = &found[0];
        assert_eq!((one.alias.as_str(), one.version.as_str()), ("OneAliaslive", "OneVersionaa"));
        assert_eq!(one.strategy.as_ref().unwrap().as_str(), Some("Linear10PercentEvery1Minute"));
        assert_eq!(one.alarms.len(), 1);
        let none = Node::from(json!({ "Resources": { "One": { "Type": FUNCTION } } }));
        assert_eq!(find(&none, &plain(), false), []);
        assert_eq!(find(&none, &plain(), true).len(), 1);
    }

    #[test]
    fn switched_off_means_everywhere() {
        let template = Template { source: Arc::new(Source::new("t", "")), root: sam() };
        let off = without_preferences(&template);
        assert_eq!(
            off.path(&["Globals", "Function", "DeploymentPreference", "Enabled"]).unwrap().as_bool(),
            Some(false)
        );
        assert_eq!(
            off.path(&["Resources", "One", "Properties", "DeploymentPreference", "Enabled"]).unwrap().as_bool(),
            Some(false)
        );
        assert_eq!(off.path(&["Resources", "Three", "Properties"]), None);
    }
}
