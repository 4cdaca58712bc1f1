//! The APIs that nobody wrote down: `ServerlessRestApi` and `ServerlessHttpApi` exist when an event of
//! a function names no API of its own. Bodies of APIs without a definition start here, too.

use std::collections::BTreeMap;

use super::build::{Read, map, reference, text};
use super::context::Context;
use super::deployment_preference::combined;
use super::openapi::http::{self, DEFAULT_PATH, OpenApi};
use super::openapi::python::{Keys, Py, Text};
use super::openapi::swagger::{self, Swagger};
use super::openapi::{ANY_METHOD, Editor as _, Paths};
use super::refusal::{Cause, Refusal};
use crate::template::{Map, Node};

const REST: &str = "AWS::Serverless::Api";
const HTTP: &str = "AWS::Serverless::HttpApi";

/// What tells REST and HTTP APIs apart here.
struct Kind {
    event: &'static str,
    /// The event's property that names the API.
    property: &'static str,
    implicit: &'static str,
    resource: &'static str,
}

const KINDS: [Kind; 2] = [
    Kind { event: "Api", property: "RestApiId", implicit: "ServerlessRestApi", resource: REST },
    Kind { event: "HttpApi", property: "ApiId", implicit: "ServerlessHttpApi", resource: HTTP },
];

/// What functions with events of one API say of themselves.
#[derive(Default)]
struct Seen {
    /// Conditions by path and method.
    conditions: BTreeMap<String, BTreeMap<String, Option<String>>>,
    deletion_policies: Vec<String>,
    update_replace_policies: Vec<String>,
}

/// Gives APIs without a definition a body to write into.
pub(crate) fn default_bodies(context: &mut Context) {
    for id in context.ordered_ids() {
        let kind = match context.kind_of(&id) {
            Some(kind @ (REST | HTTP)) => kind.to_owned(),
            _ => continue,
        };
        let given = |name: &str| {
            context.properties_of(&id).and_then(|properties| properties.get(name)).is_some_and(Read::truthy)
        };
        if given("DefinitionBody") || given("DefinitionUri") {
            continue;
        }
        let body = if kind == REST { swagger::skeleton() } else { http::skeleton() };
        context.bodies.insert(id.clone(), body.into());
        // One that is empty, or `false`, is replaced.
        let resource = context.resources.get_mut(&id).and_then(Node::as_map_mut);
        let properties = resource.and_then(|resource| resource.get_mut("Properties")).and_then(Node::as_map_mut);
        if let Some(properties) = properties {
            properties.remove("DefinitionBody");
        }
        context.managed.insert(id);
    }
}

/// Adds implicit APIs, and the paths of all events to the APIs that the transform writes.
pub(crate) fn add(globals: Option<&Node>, context: &mut Context) -> Result<(), Refusal> {
    for kind in &KINDS {
        add_kind(kind, globals, context)?;
    }
    Ok(())
}

fn add_kind(kind: &Kind, globals: Option<&Node>, context: &mut Context) -> Result<(), Refusal> {
    let existing = context.resources.get(kind.implicit).cloned();
    let existing_body = context.bodies.remove(kind.implicit);
    let was_managed = context.managed.contains(kind.implicit);
    let properties = if kind.resource == REST { map([("StageName", text("Prod"))]) } else { Node::from(Map::new()) };
    context.put(kind.implicit, map([("Type", text(kind.resource)), ("Properties", properties)]));
    let body = if kind.resource == REST { swagger::skeleton() } else { http::skeleton() };
    context.bodies.insert(kind.implicit.to_owned(), body.into());
    context.managed.insert(kind.implicit.to_owned());
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    let mut causes: Vec<Cause> = Vec::new();
    for id in context.ordered_ids() {
        if !matches!(context.kind_of(&id), Some("AWS::Serverless::Function" | "AWS::Serverless::StateMachine")) {
            continue;
        }
        match add_events(kind, &id, globals, &mut seen, context) {
            Ok(()) => {}
            Err(Refusal::One(cause)) => causes.extend(Refusal::One(cause).of_resource(&id).causes()),
            Err(fatal) => return Err(fatal),
        }
    }
    inherit(kind, &seen, context);
    make_conditional(kind, &seen, context)?;
    let used = context
        .bodies
        .get(kind.implicit)
        .and_then(|body| body.get("paths"))
        .and_then(Py::as_dict)
        .is_some_and(|paths| paths.len() > 0);
    if used {
        context.implicit.insert(kind.implicit);
    } else {
        context.managed.remove(kind.implicit);
        context.bodies.remove(kind.implicit);
        match existing {
            Some(existing) => {
                context.put(kind.implicit, existing);
                if was_managed {
                    context.managed.insert(kind.implicit.to_owned());
                }
                if let Some(body) = existing_body {
                    context.bodies.insert(kind.implicit.to_owned(), body);
                }
            }
            None => context.take(kind.implicit),
        }
    }
    if causes.is_empty() { Ok(()) } else { Err(Refusal::Document(causes)) }
}

/// The events of a function or state machine, in Python 2.7's order.
fn events_of(kind: &Kind, id: &str, context: &Context) -> Vec<String> {
    let events = context.properties_of(id).and_then(|properties| properties.get("Events")).and_then(Node::as_map);
    let mut keys = Keys::default();
    let mut names = Vec::new();
    for (name, event) in events.into_iter().flat_map(Map::iter) {
        names.push(name.to_owned());
        keys.add(name);
        if event.get("Type").and_then(Node::as_str) != Some(kind.event) {
            names.pop();
        }
    }
    if context.order.is_some() {
        let all: Vec<String> = keys.iter().map(str::to_owned).collect();
        names.sort_by_key(|name| all.iter().position(|other| other == name));
        let mut second = Keys::default();
        names.iter().for_each(|name| second.add(name));
        names = second.iter().map(str::to_owned).collect();
    }
    names
}

fn add_events(
    kind: &Kind,
    id: &str,
    globals: Option<&Node>,
    seen: &mut BTreeMap<String, Seen>,
    context: &mut Context,
) -> Result<(), Refusal> {
    for name in events_of(kind, id, context) {
        let event = context.resources.get(id).and_then(|resource| resource.path(&["Properties", "Events", &name]));
        let Some(event) = event.cloned() else { continue };
        let span = event.span;
        let properties = event.get("Properties").cloned().unwrap_or_else(|| Node::from(Map::new()));
        if kind.resource == REST && !properties.truthy() {
            continue;
        }
        let Some(mut properties) = properties.as_map().cloned() else {
            return Err(Refusal::event(name, "Properties should be a map.").at(span));
        };
        if !properties.contains_key(kind.property) {
            pass_tags(kind, id, globals, context);
            properties.insert(kind.property, reference(kind.implicit));
        }
        let blank = |properties: &Map, key: &str| !properties.get(key).is_some_and(Read::truthy);
        if kind.resource == HTTP && blank(&properties, "Path") && blank(&properties, "Method") {
            properties.insert("Path", DEFAULT_PATH);
            properties.insert("Method", ANY_METHOD);
        }
        let route = Route::read(kind, &name, &properties).map_err(|refusal| refusal.at(span))?;
        note(id, &route, seen.entry(route.api.clone()).or_default(), context);
        add_path(kind, &name, &route, context).map_err(|refusal| refusal.at(span))?;
        if kind.resource == HTTP && properties.contains_key("RouteSettings") {
            add_route_settings(id, &name, &route, &properties, context)?;
        }
        let events = context
            .resources
            .get_mut(id)
            .and_then(Node::as_map_mut)
            .and_then(|resource| resource.get_mut("Properties"))
            .and_then(Node::as_map_mut)
            .and_then(|properties| properties.get_mut("Events"))
            .and_then(Node::as_map_mut);
        if let Some(event) = events.and_then(|events| events.get_mut(&name)).and_then(Node::as_map_mut) {
            event.insert("Properties", Node::from(properties).at(span));
        }
    }
    Ok(())
}

/// A function that propagates its tags gives them to the implicit API, too.
fn pass_tags(kind: &Kind, id: &str, globals: Option<&Node>, context: &mut Context) {
    let section = match context.kind_of(id) {
        Some("AWS::Serverless::Function") => "Function",
        _ => "StateMachine",
    };
    let global = |name: &str| globals.and_then(|globals| globals.path(&[section, name])).filter(|value| value.truthy());
    let own = |name: &str| {
        context.properties_of(id).and_then(|properties| properties.get(name)).filter(|value| value.truthy()).cloned()
    };
    let tags = own("Tags").or_else(|| global("Tags").cloned());
    let propagate = own("PropagateTags").or_else(|| global("PropagateTags").cloned());
    let (Some(tags), Some(_)) = (tags.as_ref().and_then(Node::as_map), propagate) else {
        return;
    };
    let properties = context
        .resources
        .get_mut(kind.implicit)
        .and_then(Node::as_map_mut)
        .and_then(|resource| resource.get_mut("Properties"))
        .and_then(Node::as_map_mut);
    if let Some(properties) = properties {
        let mut all = properties.get("Tags").and_then(Node::as_map).cloned().unwrap_or_default();
        for (name, value) in tags.iter() {
            all.insert(name, value.clone());
        }
        properties.insert("Tags", Node::from(all));
        properties.insert("PropagateTags", true);
    }
}

struct Route {
    /// Whether the template names it; else it is the transform's own `$default`.
    written: bool,
    api: String,
    path: String,
    method: String,
}

impl Route {
    fn read(kind: &Kind, event: &str, properties: &Map) -> Result<Self, Refusal> {
        for name in ["Path", "Method"] {
            if properties.get(name).is_none_or(Node::is_null) {
                return Err(Refusal::event(event, format!("Property '{name}' is required.")));
            }
        }
        let text = |name: &str, value: Option<&Node>| match value.and_then(Node::as_str) {
            Some(text) => Ok(text.to_owned()),
            None => Err(Refusal::event(event, format!("Property '{name}' should be a string."))),
        };
        let api = properties.get(kind.property);
        Ok(Self {
            written: properties.get("Path").is_some_and(|path| path.span.is_some()),
            api: text(kind.property, api.map(|api| api.get("Ref").unwrap_or(api)))?,
            path: text("Path", properties.get("Path"))?,
            method: text("Method", properties.get("Method"))?,
        })
    }
}

fn note(id: &str, route: &Route, seen: &mut Seen, context: &Context) {
    let attribute = |name: &str| {
        context.resources.get(id).and_then(|resource| resource.get(name)).and_then(Node::as_str).map(str::to_owned)
    };
    let methods = seen.conditions.entry(route.path.clone()).or_default();
    methods.insert(route.method.clone(), attribute("Condition").filter(|condition| !condition.is_empty()));
    seen.deletion_policies.extend(attribute("DeletionPolicy"));
    seen.update_replace_policies.extend(attribute("UpdateReplacePolicy"));
}

fn add_path(kind: &Kind, event: &str, route: &Route, context: &mut Context) -> Result<(), Refusal> {
    let missing = match context.kind_of(&route.api) {
        _ if !context.resources.contains_key(&route.api) => true,
        Some(found) => found == HTTP && kind.resource == REST,
        None => false,
    };
    if missing {
        return Err(Refusal::event(
            event,
            format!("{} must be a valid reference to an '{}' resource in same template.", kind.property, kind.resource),
        ));
    }
    if !context.managed.contains(&route.api) {
        return Ok(());
    }
    let Some(body) = context.bodies.get(&route.api) else {
        return Ok(());
    };
    let valid = if kind.resource == REST { swagger::is_valid(body) } else { http::is_valid(body) };
    if !valid {
        return Ok(());
    }
    let text = |text: &str| Text { text: text.to_owned(), unicode: route.written };
    edit(kind, &route.api, &route.path, context, |paths, _| paths.add(&text(&route.path), &text(&route.method)))
}

/// Edits the paths of an API's body.
fn edit(
    kind: &Kind,
    api: &str,
    path: &str,
    context: &mut Context,
    change: impl FnOnce(&mut Paths, &mut Context) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    match kind.resource {
        REST => context.edit(api, path, |editor: &mut Swagger, context| change(editor.paths(), context)),
        _ => context.edit(api, path, |editor: &mut OpenApi, context| change(editor.paths(), context)),
    }
}

fn add_route_settings(
    id: &str,
    event: &str,
    route: &Route,
    properties: &Map,
    context: &mut Context,
) -> Result<(), Refusal> {
    let name = if route.method == ANY_METHOD {
        route.path.clone()
    } else {
        format!("{} {}", route.method.to_uppercase(), route.path)
    };
    let condition =
        context.resources.get(id).and_then(|resource| resource.get("Condition")).filter(|c| c.truthy()).cloned();
    let mut settings = properties.get("RouteSettings").cloned().unwrap_or_default();
    if let Some(condition) = condition {
        settings = super::build::conditional(&condition, settings, None);
    }
    let Some(settings) = settings.as_map() else {
        return Err(Refusal::event(event, "Property 'RouteSettings' should be a map."));
    };
    let api = context
        .resources
        .get_mut(&route.api)
        .and_then(Node::as_map_mut)
        .map(|resource| super::event::s3::section(resource, "Properties", Map::new().into()))
        .and_then(Node::as_map_mut);
    let Some(api) = api else {
        return Ok(());
    };
    let all = super::event::s3::section(api, "RouteSettings", Map::new().into());
    let Some(all) = all.as_map_mut() else {
        return Err(Refusal::resource(route.api.as_str(), "Property 'RouteSettings' should be a map."));
    };
    if let Some(of_route) = super::event::s3::section(all, &name, Map::new().into()).as_map_mut() {
        for (key, value) in settings.iter() {
            of_route.insert(key, value.clone());
        }
    }
    Ok(())
}

/// The implicit API is there when one of its functions is, and stays when one of them stays.
fn inherit(kind: &Kind, seen: &BTreeMap<String, Seen>, context: &mut Context) {
    let Some(seen) = seen.get(kind.implicit) else {
        return;
    };
    let mut attributes: Vec<(&str, String)> = Vec::new();
    let all: Option<Vec<String>> = seen.conditions.values().flat_map(BTreeMap::values).cloned().collect();
    if let Some(mut conditions) = all {
        conditions.sort();
        conditions.dedup();
        match conditions.as_slice() {
            [] => {}
            [only] => attributes.push(("Condition", only.clone())),
            _ => {
                let name = format!("{}Condition", kind.implicit);
                add_combined(&name, conditions, context);
                attributes.push(("Condition", name));
            }
        }
    }
    let strongest = |given: &[String], order: &[&str]| {
        order.iter().find(|policy| given.iter().any(|other| other == *policy)).map(|policy| (*policy).to_owned())
    };
    attributes
        .extend(strongest(&seen.deletion_policies, &["Retain", "Delete"]).map(|policy| ("DeletionPolicy", policy)));
    attributes.extend(
        strongest(&seen.update_replace_policies, &["Retain", "Snapshot", "Delete"])
            .map(|policy| ("UpdateReplacePolicy", policy)),
    );
    if let Some(resource) = context.resources.get_mut(kind.implicit).and_then(Node::as_map_mut) {
        for (name, value) in attributes {
            resource.insert(name, value);
        }
    }
}

fn add_combined(name: &str, conditions: Vec<String>, context: &mut Context) {
    let all = context.conditions.get_or_insert_default();
    for (name, definition) in combined(conditions, name) {
        all.insert(name, definition);
    }
}

/// A path is there under a condition when all of its methods are.
fn make_conditional(kind: &Kind, seen: &BTreeMap<String, Seen>, context: &mut Context) -> Result<(), Refusal> {
    for id in context.ordered_ids() {
        if context.kind_of(&id) != Some(kind.resource) || !context.managed.contains(&id) {
            continue;
        }
        if !context.bodies.contains_key(&id) {
            continue;
        }
        edit(kind, &id, "", context, |paths, context| {
            for path in paths.dict.keys() {
                let methods = seen.get(&id).and_then(|seen| seen.conditions.get(&path));
                let all: Option<Vec<String>> = methods.into_iter().flat_map(BTreeMap::values).cloned().collect();
                let Some(mut conditions) = all.filter(|conditions| !conditions.is_empty()) else { continue };
                conditions.sort();
                conditions.dedup();
                let condition = match conditions.as_slice() {
                    [only] => Py::Text(Text::unicode(only.as_str())),
                    _ => {
                        let logical = path.replace('/', "SLASH").replace('{', "OB").replace('}', "CB");
                        let name = format!("{id}{logical}PathCondition");
                        add_combined(&name, conditions, context);
                        Py::from(name)
                    }
                };
                paths.make_conditional(&path, &condition);
            }
            Ok(())
        })?;
    }
    Ok(())
}
