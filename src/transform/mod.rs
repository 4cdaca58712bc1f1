//! `AWS::Serverless::*` becomes plain CloudFormation, as AWS's own transform makes it: the same
//! resources, properties, logical IDs and hashes, so that a live stack does not change when samara
//! deploys it. Pure: no I/O.
//!
//! The stages in their order: `AWS::LanguageExtensions` where the template names it, bodies for APIs without a definition, implicit APIs and the paths of
//! events, Globals, then every SAM resource in its turn (functions before APIs, which they add to),
//! what CodeDeploy needs, and last the references to what resources became.

mod build;
mod connector;
mod context;
pub mod deployment_preference;
pub mod event;
pub mod explain;
mod generated;
mod globals;
mod implicit_api;
mod language_extensions;
mod logical_id;
mod openapi;
mod partition;
pub mod placeholder;
pub mod policies;
pub mod property;
mod refusal;
mod resolve;
pub mod resolver;
pub mod resource;
mod schema;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::diagnostic::Diagnostics;
use crate::template::span::Span;
use crate::template::{Map, Node, Template};
use build::Read;
use context::Context;
use generated::Generated;
use openapi::python::Keys;
use refusal::{Cause, Refusal, arrange};
pub use refusal::{INVALID, UNSUPPORTED, published_message};
use resolve::Parameters;
use resolver::{Offline, Resolver};

/// What becomes of `DeploymentPreference`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeploymentPreference {
    /// CodeDeploy resources and an `UpdatePolicy`, as the template says.
    #[default]
    AsWritten,
    /// As with `Enabled: false` everywhere: samara shifts the traffic itself.
    Disabled,
}

/// What the transform has to know beside the template.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The region that the stack is in; its partition follows from it.
    pub region: String,
    /// Given values of parameters; the others have their defaults.
    pub parameters: BTreeMap<String, String>,
    /// What becomes of `DeploymentPreference`.
    pub deployment_preference: DeploymentPreference,
    /// The time, in seconds since 1970: an API with `AlwaysDeploy` names its deployment after it, and
    /// cannot be transformed without.
    pub now_s: Option<u64>,
}

/// The `DeploymentPreference` of a function with `AutoPublishAlias`, parameters and mappings resolved
/// in `enabled` and `strategy`. Of one that is not enabled only the names are given.
#[derive(Clone, Debug, PartialEq)]
pub struct AliasPreference {
    /// The function.
    pub function_logical_id: String,
    /// Its alias in the transformed template.
    pub alias_logical_id: String,
    /// The alias's name.
    pub alias_name: String,
    /// The version that it will point to.
    pub version_logical_id: String,
    /// Whether traffic is to be shifted step by step.
    pub enabled: bool,
    /// `Type`: a name such as `Canary10Percent5Minutes`, or an intrinsic function.
    pub strategy: Option<Node>,
    /// `Alarms`: a list, or an intrinsic function.
    pub alarms: Option<Node>,
    /// `Hooks.PreTraffic`.
    pub pre_traffic_hook: Option<Node>,
    /// `Hooks.PostTraffic`.
    pub post_traffic_hook: Option<Node>,
    /// `TriggerConfigurations`.
    pub triggers: Option<Node>,
    /// Where the preference stands.
    pub span: Option<Span>,
}

/// What the transform gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Transformed {
    /// Plain CloudFormation.
    pub template: Node,
    /// The deployment preferences of functions with an alias, in the order of expansion.
    pub preferences: Vec<AliasPreference>,
    /// The logical IDs of generated resources, and of what each was made from.
    pub origins: BTreeMap<String, String>,
}

/// The partition of a region.
pub fn partition(region: &str) -> &'static str {
    partition::of_region(region).name
}

/// Whether a template has anything for the transform to do.
pub fn is_needed(template: &Template) -> bool {
    template.section("Resources").is_some_and(|resources| {
        resources.iter().any(|(_, resource)| {
            resource.get("Type").and_then(Node::as_str).is_some_and(|kind| resource::lookup(kind).is_some())
        }) || (language_extensions::is_named(&template.root) && language_extensions::has_loop(resources))
    })
}

/// Transforms a template.
///
/// # Errors
/// Everything that the published transform refuses, with its sentences (rule [`INVALID`]), and what
/// is not covered natively (rule [`UNSUPPORTED`]), each with its place.
pub fn transform(template: &Template, options: &Options) -> Result<Transformed, Diagnostics> {
    transform_with(template, options, &Offline)
}

/// Transforms a template, with someone who can be asked what only AWS knows.
///
/// # Errors
/// As [`transform`].
pub fn transform_with(
    template: &Template,
    options: &Options,
    resolver: &dyn Resolver,
) -> Result<Transformed, Diagnostics> {
    run(&template.root, options, resolver).map_err(|causes| {
        let place = |cause: &Cause| {
            let resource = || {
                let section = template.section("Resources")?;
                let id = cause.resource()?;
                section.key_span(id).or_else(|| section.get(id)?.span)
            };
            let whole = || Some(template.root.span?.beginning());
            resource().or_else(|| template.root.get("Resources")?.span).or_else(whole)
        };
        let items = arrange(causes).iter().map(|cause| cause.diagnostic(place(cause))).collect();
        Diagnostics::new(template.source.clone(), items)
    })
}

fn run(root: &Node, options: &Options, resolver: &dyn Resolver) -> Result<Transformed, Vec<Cause>> {
    let partition = partition(&options.region);
    let parameters = Parameters::new(root, &options.parameters, &options.region, partition);
    let processed = language_extensions::process(root, &parameters).map_err(Refusal::causes)?;
    let root = &*processed;
    let resources = check(root).map_err(Refusal::causes)?;
    let order = has_rest_api(&resources).then(|| {
        let mut keys = Keys::default();
        resources.keys().for_each(|key| keys.add(key));
        keys
    });
    let mut context = Context {
        options,
        resolver,
        applications: BTreeMap::new(),
        partition,
        parameters,
        resources,
        output: Map::new(),
        order,
        conditions: root.get("Conditions").and_then(Node::as_map).cloned(),
        mappings: root.get("Mappings").and_then(Node::as_map).cloned(),
        bodies: HashMap::new(),
        managed: BTreeSet::new(),
        implicit: BTreeSet::new(),
        preferences: deployment_preference::Collection::default(),
        references: resolve::References::default(),
        usage_plan: resource::api::usage_plan::Shared::default(),
        record_sets: BTreeMap::new(),
        tables: HashMap::new(),
        alias_preferences: Vec::new(),
        function_names: BTreeMap::new(),
        origins: BTreeMap::new(),
    };
    prepare(root, &mut context).map_err(Refusal::causes)?;
    let mut output = expand_all(&mut context)?;
    let mut transformed = assemble(root, &mut output, context.conditions.take());
    context.references.apply(&mut transformed);
    Ok(Transformed { template: transformed, preferences: context.alias_preferences, origins: context.origins })
}

/// What has to hold before anything can be said of single resources.
fn check(root: &Node) -> Result<Map, Refusal> {
    let resources = root.get("Resources").and_then(Node::as_map).filter(|resources| !resources.is_empty());
    let Some(resources) = resources else {
        return Err(Refusal::document("'Resources' section is required"));
    };
    if let Some((_, resource)) = resources.iter().find(|(_, resource)| resource.as_map().is_none()) {
        return Err(Refusal::template(
            "All 'Resources' must be Objects. If you're using YAML, this may be an indentation issue.",
        )
        .at(resource.span));
    }
    for (id, resource) in resources.iter() {
        let condition = resource.get("Condition").filter(|condition| condition.truthy());
        if let Some(condition) = condition.filter(|condition| condition.as_str().is_none()) {
            return Err(Refusal::template("Every Condition member must be a string.").at(condition.span));
        }
        let serverless = resource.get("Type").and_then(Node::as_str).and_then(resource::lookup).is_some();
        if let Some(properties) = resource.get("Properties").filter(|node| serverless && node.as_map().is_none()) {
            return Err(Refusal::resource(id, "Attribute 'Properties' should be a map.").at(properties.span));
        }
    }
    Ok(resources.clone())
}

fn prepare(root: &Node, context: &mut Context) -> Result<(), Refusal> {
    implicit_api::default_bodies(context);
    implicit_api::add(root.get("Globals"), context)?;
    globals::merge(root.get("Globals"), context)
}

/// Whether the published transform goes over to Python 2.7's order: a REST API is there, or is made.
fn has_rest_api(resources: &Map) -> bool {
    resources.iter().any(|(_, resource)| match resource.get("Type").and_then(Node::as_str) {
        Some("AWS::Serverless::Api") => true,
        Some("AWS::Serverless::Function" | "AWS::Serverless::StateMachine") => {
            let events = resource.path(&["Properties", "Events"]).and_then(Node::as_map);
            events
                .into_iter()
                .flat_map(Map::iter)
                .any(|(_, event)| event.get("Type").and_then(Node::as_str) == Some("Api"))
        }
        _ => false,
    })
}

/// Expands every SAM resource and gives all resources of the finished template.
fn expand_all(context: &mut Context) -> Result<Map, Vec<Cause>> {
    let mut causes = connector::take_out(context);
    let plain = context.resources.iter().filter(|(id, _)| context.kind_of(id).and_then(resource::lookup).is_none());
    context.output = plain.map(|(id, node)| (id.to_owned(), node.clone())).collect();
    let mut turns: Vec<(String, &'static resource::Spec)> = context
        .ordered_ids()
        .into_iter()
        .filter_map(|id| {
            let spec = resource::lookup(context.kind_of(&id)?)?;
            Some((id, spec))
        })
        .collect();
    turns.sort_by_key(|(_, spec)| spec.turn());
    for (id, spec) in turns {
        let Some(node) = context.resources.get(&id).cloned() else { continue };
        let expanded = context.note_function_names(&node).and_then(|()| resource::expand(&id, &node, spec, context));
        let generated = match expanded {
            Ok(generated) => generated,
            Err(Refusal::One(cause)) => {
                causes.extend(Refusal::One(cause).at(node.span).causes());
                continue;
            }
            Err(fatal) => return Err(fatal.at(node.span).causes()),
        };
        for generated in generated {
            match context.resources.get(&generated.id).filter(|existing| !may_stand_for(&generated, existing)) {
                Some(_) => {
                    causes.extend(Refusal::duplicate(&id, &generated.id, generated.kind).at(node.span).causes());
                }
                None => {
                    context.origins.insert(generated.id.clone(), id.clone());
                    context.output.insert(generated.id.clone(), generated.into_node());
                }
            }
        }
    }
    let (conditions, generated, refused) = context.preferences.finish(context.partition);
    causes.extend(refused.into_iter().flat_map(Refusal::causes));
    if let Some(all) = &mut context.conditions {
        for (name, definition) in conditions {
            all.insert(name, definition);
        }
    }
    for generated in generated {
        if let Some(function) = shifted(&generated.id, context) {
            context.origins.insert(generated.id.clone(), function);
        }
        context.output.insert(generated.id.clone(), generated.into_node());
    }
    if causes.is_empty() { Ok(std::mem::take(&mut context.output)) } else { Err(causes) }
}

/// Whose deployment preference made a resource of CodeDeploy's: a group is one function's, the rest is
/// shared, and the first function's.
fn shifted(generated: &str, context: &Context) -> Option<String> {
    let has = |id: &&str| {
        let preference = context.properties_of(id).and_then(|properties| properties.get("DeploymentPreference"));
        preference.is_some_and(|preference| !preference.is_null())
    };
    let own = generated.strip_suffix("DeploymentGroup").filter(has);
    own.or_else(|| context.resources.keys().find(has)).map(str::to_owned)
}

/// Whether a generated resource may have the logical ID of one in the template: when it is that one.
fn may_stand_for(generated: &Generated, existing: &Node) -> bool {
    let kind = existing.get("Type").and_then(Node::as_str);
    let source = match generated.kind {
        "AWS::Lambda::Function" => "AWS::Serverless::Function",
        "AWS::Lambda::WebFunction" => "AWS::Serverless::WebFunction",
        "AWS::Lambda::LayerVersion" => "AWS::Serverless::LayerVersion",
        "AWS::Lambda::CapacityProvider" => "AWS::Serverless::CapacityProvider",
        "AWS::Lambda::MicrovmImage" => "AWS::Serverless::MicrovmImage",
        "AWS::Lambda::NetworkConnector" => "AWS::Serverless::NetworkConnector",
        "AWS::ApiGateway::RestApi" => "AWS::Serverless::Api",
        "AWS::ApiGatewayV2::Api" if kind == Some("AWS::Serverless::WebSocketApi") => return true,
        "AWS::ApiGatewayV2::Api" => "AWS::Serverless::HttpApi",
        "AWS::DynamoDB::Table" => "AWS::Serverless::SimpleTable",
        "AWS::CloudFormation::Stack" => "AWS::Serverless::Application",
        "AWS::StepFunctions::StateMachine" => "AWS::Serverless::StateMachine",
        "AWS::AppSync::GraphQLApi" => "AWS::Serverless::GraphQLApi",
        same @ ("AWS::S3::Bucket"
        | "AWS::SNS::Topic"
        | "AWS::Cognito::UserPool"
        | "AWS::ApiGateway::DomainName"
        | "AWS::ApiGateway::BasePathMapping"
        | "AWS::ApiGateway::DomainNameV2"
        | "AWS::ApiGateway::BasePathMappingV2") => same,
        _ => return false,
    };
    kind == Some(source)
}

fn assemble(root: &Node, resources: &mut Map, conditions: Option<Map>) -> Node {
    let mut template = Map::new();
    let mut conditions = conditions;
    for (name, section) in root.as_map().into_iter().flat_map(Map::iter) {
        match name {
            "Transform" | "Globals" => {}
            "Resources" => {
                template.insert(name, Node::from(std::mem::take(resources)).at(section.span));
            }
            "Conditions" => match conditions.take() {
                Some(conditions) => {
                    template.insert(name, Node::from(conditions).at(section.span));
                }
                None => {
                    template.insert(name, section.clone());
                }
            },
            _ => {
                template.insert(name, section.clone());
            }
        }
    }
    if let Some(conditions) = conditions {
        template.insert("Conditions", Node::from(conditions));
    }
    Node::from(template).at(root.span)
}

#[cfg(test)]
mod tests;
