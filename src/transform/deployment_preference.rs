//! `DeploymentPreference`: what CodeDeploy needs to shift traffic, made once for all functions.

use super::build::{Read, get_att, if_arguments, list, map, reference, tag_list, text};
use super::context::Context;
use super::generated::Generated;
use super::partition;
use super::policies::{managed_policy_arn, trust};
use super::refusal::Refusal;
use crate::template::{Map, Node, Value};

const APPLICATION: &str = "ServerlessDeploymentApplication";
pub(super) const ROLE: &str = "CodeDeployServiceRole";
const CONDITION: &str = "ServerlessCodeDeployCondition";

/// CloudFormation takes no more conditions than this in one `Fn::Or`.
const MAX_OR: usize = 10;

/// CodeDeploy's own configurations, by the names that SAM gives them.
pub const PREDEFINED: [&str; 9] = [
    "Canary10Percent5Minutes",
    "Canary10Percent10Minutes",
    "Canary10Percent15Minutes",
    "Canary10Percent30Minutes",
    "Linear10PercentEvery1Minute",
    "Linear10PercentEvery2Minutes",
    "Linear10PercentEvery3Minutes",
    "Linear10PercentEvery10Minutes",
    "AllAtOnce",
];

/// A function's preference, resolved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Preference {
    pub(crate) function: String,
    pub(crate) enabled: bool,
    /// `Type`.
    pub(crate) strategy: Option<Node>,
    pub(crate) pre_traffic: Option<Node>,
    pub(crate) post_traffic: Option<Node>,
    pub(crate) alarms: Option<Node>,
    pub(crate) role: Option<Node>,
    pub(crate) triggers: Option<Node>,
    pub(crate) condition: Option<String>,
    pub(crate) tags: Option<Map>,
}

impl Preference {
    /// Reads the preference of the function `id`.
    pub(crate) fn read(
        id: &str,
        preference: &Node,
        condition: Option<&Node>,
        tags: Option<&Node>,
        context: &Context,
    ) -> Result<Self, Refusal> {
        let enabled = match preference.get("Enabled") {
            None => true,
            Some(enabled) => {
                let enabled = context.resolve_with_mappings(enabled)?;
                !matches!(enabled.as_str(), Some("false" | "False")) && enabled.truthy()
            }
        };
        let strategy = preference.get("Type").map(|kind| context.resolve_with_mappings(kind)).transpose()?;
        let pass_condition = match preference.get("PassthroughCondition") {
            None => false,
            Some(value) => to_boolean(id, &context.resolve_with_mappings(value)?)?,
        };
        let mut read = Self {
            function: id.to_owned(),
            enabled,
            strategy: None,
            pre_traffic: None,
            post_traffic: None,
            alarms: None,
            role: None,
            triggers: None,
            condition: None,
            tags: None,
        };
        if !enabled {
            return Ok(read);
        }
        if strategy.is_none() {
            let message = "'DeploymentPreference' is missing required Property 'Type'";
            return Err(Refusal::resource(id, message).at(preference.span));
        }
        let given = |name: &str| preference.get(name).filter(|value| !value.is_null()).cloned();
        let hooks = match preference.get("Hooks") {
            None => Map::new(),
            Some(hooks) => match hooks.as_map() {
                Some(hooks) => hooks.clone(),
                None => {
                    let message = "'Hooks' property of 'DeploymentPreference' must be a dictionary";
                    return Err(Refusal::resource(id, message).at(hooks.span));
                }
            },
        };
        read.strategy = strategy;
        read.pre_traffic = hooks.get("PreTraffic").filter(|hook| !hook.is_null()).cloned();
        read.post_traffic = hooks.get("PostTraffic").filter(|hook| !hook.is_null()).cloned();
        read.alarms = given("Alarms");
        read.role = given("Role");
        read.triggers = given("TriggerConfigurations");
        read.condition = condition
            .filter(|_| pass_condition)
            .and_then(Node::as_str)
            .filter(|name| !name.is_empty())
            .map(str::to_owned);
        read.tags = tags.and_then(Node::as_map).filter(|tags| !tags.is_empty()).cloned();
        Ok(read)
    }

    /// The alias's `UpdatePolicy`.
    pub(crate) fn update_policy(&self) -> Node {
        let mut update = Map::new();
        update.insert("ApplicationName", reference(APPLICATION));
        update.insert("DeploymentGroupName", reference(&group_id(&self.function)));
        for (name, hook) in
            [("BeforeAllowTrafficHook", &self.pre_traffic), ("AfterAllowTrafficHook", &self.post_traffic)]
        {
            // `!Ref` of nothing is what an absent hook looks like to the published transform.
            if let Some(hook) = hook.as_ref().filter(|hook| hook.get("Ref").is_none_or(|name| !name.is_null())) {
                update.insert(name, hook.clone());
            }
        }
        map([("CodeDeployLambdaAliasUpdate", Node::from(update))])
    }

    fn group(&self) -> Result<Generated, Refusal> {
        let mut group =
            Generated::new(group_id(&self.function), "AWS::CodeDeploy::DeploymentGroup", &self.condition_attribute())?;
        group.set("AlarmConfiguration", self.alarm_configuration()?);
        group.set("ApplicationName", reference(APPLICATION));
        group.set(
            "AutoRollbackConfiguration",
            Node::from(serde_json::json!({
                "Enabled": true,
                "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
            })),
        );
        group.set("DeploymentConfigName", self.strategy.as_ref().map(|strategy| configuration_name(strategy, None)));
        group.set(
            "DeploymentStyle",
            Node::from(serde_json::json!({
                "DeploymentType": "BLUE_GREEN",
                "DeploymentOption": "WITH_TRAFFIC_CONTROL",
            })),
        );
        let role = self.role.clone().filter(Node::truthy);
        group.set("ServiceRoleArn", role.unwrap_or_else(|| get_att(ROLE, "Arn")));
        group.set("TriggerConfigurations", self.triggers.clone().filter(Node::truthy));
        group.set("Tags", self.tags.as_ref().map(|tags| Node::from(tag_list(tags.iter()))));
        Ok(group)
    }

    fn condition_attribute(&self) -> Map {
        self.condition.iter().map(|condition| ("Condition", text(condition.as_str()))).collect()
    }

    fn alarm_configuration(&self) -> Result<Option<Node>, Refusal> {
        let Some(alarms) = self.alarms.as_ref().filter(|alarms| alarms.truthy() && !alarms.is_no_value()) else {
            return Ok(None);
        };
        let refuse = |message: &str| Refusal::resource(self.function.as_str(), message).at(alarms.span);
        let configuration = |alarms: &Node| -> Result<Node, Refusal> {
            let Some(alarms) = alarms.as_list() else {
                return Err(refuse("Alarms must be a list"));
            };
            if alarms.first().is_none_or(Read::is_no_value) {
                return Ok(Node::from(Map::new()));
            }
            let names: Vec<Node> = alarms.iter().map(|alarm| map([("Name", alarm.clone())])).collect();
            Ok(map([("Enabled", Node::from(true)), ("Alarms", Node::from(names))]))
        };
        match alarms.as_if() {
            Some(arguments) => {
                let [condition, then, otherwise] = if_arguments(arguments).map_err(refuse)?;
                let branches = [condition.clone(), configuration(then)?, configuration(otherwise)?];
                Ok(Some(map([("Fn::If", list(branches))])))
            }
            None => configuration(alarms).map(Some),
        }
    }
}

fn group_id(function: &str) -> String {
    format!("{function}DeploymentGroup")
}

/// SAM's names of CodeDeploy's configurations, wherever they stand in `node`.
fn configuration_name(node: &Node, key: Option<&str>) -> Node {
    let replaced = match &node.value {
        Value::List(items) => Node::from(items.iter().map(|item| configuration_name(item, None)).collect::<Vec<_>>()),
        Value::Map(_) => match node.intrinsic() {
            Some((name, argument)) => map([(name, configuration_name(argument, Some(name)))]),
            None => return node.clone(),
        },
        Value::String(name) if PREDEFINED.contains(&name.as_str()) => {
            let arguments = list([text("CodeDeployDefault.Lambda${ConfigName}"), map([("ConfigName", node.clone())])]);
            if key == Some("Fn::Sub") { arguments } else { map([("Fn::Sub", arguments)]) }
        }
        _ => return node.clone(),
    };
    replaced.at(node.span)
}

fn to_boolean(id: &str, value: &Node) -> Result<bool, Refusal> {
    match (&value.value, value.as_str()) {
        (Value::Bool(value), _) => Ok(*value),
        (_, Some("true" | "True")) => Ok(true),
        (_, Some("false" | "False")) => Ok(false),
        // Python's `1` equals `True` and `0` equals `False`.
        (Value::Number(number), _) if number.as_f64() == Some(1.0) => Ok(true),
        (Value::Number(number), _) if number.as_f64() == Some(0.0) => Ok(false),
        _ if value.is_intrinsic() => Err(Refusal::resource(
            id,
            "Unsupported intrinsic: the only intrinsic functions supported for property PassthroughCondition are \
             FindInMap and parameter Refs.",
        )),
        _ => Err(Refusal::resource(id, "Invalid value for property PassthroughCondition.")),
    }
}

/// All preferences of a template.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collection {
    preferences: Vec<Preference>,
}

impl Collection {
    /// Adds one.
    pub(crate) fn add(&mut self, preference: Preference) {
        self.preferences.push(preference);
    }

    fn enabled(&self) -> impl Iterator<Item = &Preference> {
        self.preferences.iter().filter(|preference| preference.enabled)
    }

    /// The one condition that all enabled preferences have between them; `None` when one of them has
    /// none.
    fn conditions(&self) -> Option<Vec<String>> {
        let mut conditions = Vec::new();
        for preference in self.enabled() {
            let condition = preference.condition.clone()?;
            if !conditions.contains(&condition) {
                conditions.push(condition);
            }
        }
        conditions.sort();
        Some(conditions)
    }

    /// The conditions to add, the resources to add.
    pub(crate) fn finish(&self, partition: &str) -> (Vec<(String, Node)>, Vec<Generated>, Vec<Refusal>) {
        let (mut made, mut refused) = (Vec::new(), Vec::new());
        if self.enabled().next().is_none() {
            return (Vec::new(), made, refused);
        }
        let conditions = self.conditions();
        let mut attributes = Map::new();
        let mut added = Vec::new();
        if let Some(conditions) = conditions {
            match conditions.as_slice() {
                [] => {}
                [only] => {
                    attributes.insert("Condition", text(only.as_str()));
                }
                _ => {
                    attributes.insert("Condition", CONDITION);
                    added = combined(conditions, CONDITION);
                }
            }
        }
        let mut tags = Map::new();
        for (name, value) in self.enabled().filter_map(|preference| preference.tags.as_ref()).flat_map(Map::iter) {
            tags.insert(name, value.clone());
        }
        let tags = (!tags.is_empty()).then(|| Node::from(tag_list(tags.iter())));
        let mut shared = |id: &str, kind: &'static str| match Generated::new(id, kind, &attributes) {
            Ok(mut resource) => {
                resource.set("Tags", tags.clone());
                Some(resource)
            }
            Err(refusal) => {
                refused.push(refusal);
                None
            }
        };
        if let Some(mut application) = shared(APPLICATION, "AWS::CodeDeploy::Application") {
            application.set("ComputePlatform", text("Lambda"));
            made.push(application);
        }
        let own_role = self.enabled().all(|preference| preference.role.as_ref().is_some_and(Read::truthy));
        if !own_role && let Some(mut role) = shared(ROLE, "AWS::IAM::Role") {
            let policy = partition::named(partition).deployment_policy;
            role.set("AssumeRolePolicyDocument", trust("codedeploy.amazonaws.com"));
            let arn = managed_policy_arn(partition, &format!("service-role/{policy}"));
            role.set("ManagedPolicyArns", list([text(arn)]));
            made.push(role);
        }
        for preference in self.enabled() {
            match preference.group() {
                Ok(group) => made.push(group),
                Err(refusal) => refused.push(refusal),
            }
        }
        (added, made, refused)
    }
}

/// Conditions that together say "one of these": several where there are too many for one `Fn::Or`.
pub(crate) fn combined(mut conditions: Vec<String>, name: &str) -> Vec<(String, Node)> {
    let mut made = Vec::new();
    if conditions.len() < 2 {
        return made;
    }
    let mut number = (conditions.len() - 2) / (MAX_OR - 1);
    while conditions.len() > 1 {
        let this = if number > 0 { format!("{name}{number}") } else { name.to_owned() };
        number = number.saturating_sub(1);
        let rest = conditions.split_off(conditions.len().min(MAX_OR));
        let parts: Vec<Node> =
            conditions.iter().map(|condition| map([("Condition", text(condition.as_str()))])).collect();
        made.push((this.clone(), map([("Fn::Or", Node::from(parts))])));
        conditions = rest;
        conditions.push(this);
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_conditions_become_a_chain_that_ends_in_the_plain_name() {
        let names: Vec<String> = (0..23).map(|index| format!("C{index}")).collect();
        let made = combined(names, "All");
        let sizes: Vec<(&str, usize)> = made
            .iter()
            .map(|(name, node)| (name.as_str(), node.get("Fn::Or").and_then(Node::as_list).unwrap().len()))
            .collect();
        assert_eq!(sizes, [("All2", 10), ("All1", 10), ("All", 5)]);
    }
}
