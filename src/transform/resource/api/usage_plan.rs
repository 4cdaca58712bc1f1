//! `Auth.UsagePlan`: a plan and a key for one API, or for all that share them.

use crate::template::{Map, Node, Value};
use crate::transform::build::{map, reference, text};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::openapi::python::{Dict, Py};
use crate::transform::refusal::Refusal;
use crate::transform::resource::Resource;

const CONDITION: &str = "SharedUsagePlanCondition";
const PROPERTIES: [&str; 6] = ["CreateUsagePlan", "Description", "Quota", "Tags", "Throttle", "UsagePlanName"];

/// What the APIs that share a plan have given it so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    stages: Vec<Node>,
    keys: Vec<Node>,
    apis: Vec<String>,
    conditions: Vec<String>,
    unconditional: bool,
    deletion_policy: Option<String>,
    update_replace_policy: Option<String>,
}

impl Shared {
    /// The attributes that suit all of them.
    fn attributes(&mut self, own: &Map, conditions: &mut Option<Map>) -> Result<Map, Refusal> {
        let given = |name: &str| own.get(name).and_then(Node::as_str).filter(|value| !value.is_empty());
        if let Some(policy) = given("DeletionPolicy")
            && (self.deletion_policy.is_none() || policy == "Retain")
        {
            self.deletion_policy = Some(policy.to_owned());
        }
        if let Some(policy) = given("UpdateReplacePolicy") {
            let stronger = match self.update_replace_policy.as_deref() {
                None => true,
                Some("Delete") => policy == "Retain" || policy == "Snapshot",
                Some(_) => policy == "Retain",
            };
            if stronger {
                self.update_replace_policy = Some(policy.to_owned());
            }
        }
        self.note_condition(given("Condition"), conditions)?;
        let mut attributes = Map::new();
        for (name, value) in
            [("DeletionPolicy", &self.deletion_policy), ("UpdateReplacePolicy", &self.update_replace_policy)]
        {
            if let Some(value) = value {
                attributes.insert(name, value.as_str());
            }
        }
        if !self.conditions.is_empty() && !self.unconditional {
            attributes.insert("Condition", CONDITION);
        }
        Ok(attributes)
    }

    fn note_condition(&mut self, condition: Option<&str>, all: &mut Option<Map>) -> Result<(), Refusal> {
        if self.unconditional {
            return Ok(());
        }
        let Some(condition) = condition else {
            self.unconditional = true;
            if let Some(all) = all {
                all.remove(CONDITION);
            }
            return Ok(());
        };
        if self.conditions.iter().any(|known| known == condition) {
            return Ok(());
        }
        let Some(all) = all else {
            let message = "Can't have condition without having 'Conditions' section in the template";
            return Err(Refusal::template(message));
        };
        self.conditions.push(condition.to_owned());
        let definition = match self.conditions.as_slice() {
            [only] => text(only.as_str()),
            several => {
                let parts: Vec<Node> = several.iter().map(|name| map([("Condition", text(name.as_str()))])).collect();
                map([("Fn::Or", Node::from(parts))])
            }
        };
        all.insert(CONDITION, definition);
        Ok(())
    }
}

/// Adds `node` unless it is there.
fn note(all: &mut Vec<Node>, node: Node) {
    if !all.iter().any(|other| other.to_json() == node.to_json()) {
        all.push(node);
    }
}

/// Plan, key and what joins them.
pub(super) fn expand(
    resource: &Resource,
    auth: Option<&Py>,
    stage: &str,
    context: &mut Context,
) -> Result<Vec<Generated>, Refusal> {
    let Some(given) = auth.and_then(|auth| auth.get("UsagePlan")) else {
        return Ok(Vec::new());
    };
    let Some(properties) = given.as_dict() else {
        return resource.refuse("'UsagePlan' must be a dictionary");
    };
    if !properties.keys().iter().all(|key| PROPERTIES.contains(&key.as_str())) {
        return resource.refuse("Invalid property for 'UsagePlan'");
    }
    let shared = match given.get("CreateUsagePlan").map(|create| create.as_str()) {
        None => return resource.refuse("'CreateUsagePlan' is a required field for UsagePlan."),
        Some(Some("NONE")) => return Ok(Vec::new()),
        Some(Some("PER_API")) => false,
        Some(Some("SHARED")) => true,
        Some(_) => return resource.refuse("'CreateUsagePlan' accepts one of ['SHARED', 'PER_API', 'NONE']."),
    };
    let prefix = if shared { "Serverless" } else { resource.id.as_str() };
    let mut attributes = resource.passed_through();
    let api_stage = map([("ApiId", reference(&resource.id)), ("Stage", reference(stage))]);
    let stage_key = map([("RestApiId", reference(&resource.id)), ("StageName", reference(stage))]);
    let (mut stages, mut keys, mut apis) =
        (vec![api_stage.clone()], vec![stage_key.clone()], vec![resource.id.clone()]);
    if shared {
        attributes = context.usage_plan.attributes(&attributes, &mut context.conditions)?;
        let all = &mut context.usage_plan;
        if !all.apis.contains(&resource.id) {
            all.apis.push(resource.id.clone());
        }
        note(&mut all.stages, api_stage);
        note(&mut all.keys, stage_key);
        (stages, keys, apis) = (all.stages.clone(), all.keys.clone(), all.apis.clone());
    }
    let mut plan = Generated::new(format!("{prefix}UsagePlan"), "AWS::ApiGateway::UsagePlan", &attributes)?;
    plan.depends_on = Some(Node::from(apis.iter().map(|id| text(id.as_str())).collect::<Vec<_>>()));
    plan.set("ApiStages", Node::from(stages));
    copy(&mut plan, properties, resource);
    let mut key = Generated::new(format!("{prefix}ApiKey"), "AWS::ApiGateway::ApiKey", &attributes)?;
    key.depend_on([&plan.id]);
    key.set("Enabled", Node::from(Value::Bool(true)));
    key.set("StageKeys", Node::from(keys));
    let mut joined = Generated::new(format!("{prefix}UsagePlanKey"), "AWS::ApiGateway::UsagePlanKey", &attributes)?;
    joined.depend_on([&key.id]);
    joined.set("KeyId", key.reference());
    joined.set("KeyType", text("API_KEY"));
    joined.set("UsagePlanId", plan.reference());
    Ok(vec![plan, key, joined])
}

fn copy(plan: &mut Generated, properties: &Dict, resource: &Resource) {
    for name in ["UsagePlanName", "Description", "Quota", "Tags", "Throttle"] {
        if let Some(value) = properties.get(name).filter(|value| value.truthy()) {
            plan.set(name, value.to_node(resource.span));
        }
    }
}
