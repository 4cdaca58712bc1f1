//! Connectors: what one resource needs to use another. This is what stands below a resource's
//! `Connectors`; what a connector becomes is in [`super::resource::connector`], and what AWS knows of
//! pairs of resources in [`profile`].

pub(crate) mod profile;

use super::build::{Read, map, text};
use super::context::Context;
use super::refusal::{Cause, Refusal};
use super::resource::{self, connector};
use crate::template::{Map, Node};

/// Makes resources of their own of the connectors that stand below others.
pub(crate) fn take_out(context: &mut Context) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut made = Vec::new();
    for id in context.ordered_ids() {
        let Some(resource) = context.resources.get_mut(&id).and_then(Node::as_map_mut) else { continue };
        let Some(connectors) = resource.remove("Connectors") else { continue };
        let Some(entries) = connectors.as_map() else {
            let message = format!("Attribute '{id}.Connectors' should be a map.");
            causes.extend(Refusal::resource(id.as_str(), message).at(connectors.span).causes());
            continue;
        };
        for (name, entry) in entries.iter() {
            match generated(&id, name, entry, context) {
                Ok(connector) => made.push((format!("{id}{name}"), connector)),
                Err(refusal) => causes.extend(refusal.at(entry.span.or(connectors.span)).causes()),
            }
        }
    }
    for (id, connector) in made {
        context.put(&id, connector);
    }
    causes
}

fn generated(source: &str, name: &str, entry: &Node, context: &Context) -> Result<Node, Refusal> {
    let id = format!("{source}{name}");
    let Some(attributes) = entry.as_map() else {
        return Err(Refusal::resource(id.as_str(), format!("{source}.{id} should be a map.")));
    };
    let refuse = |id: &str, message: String| Err(Refusal::resource(id, message));
    let Some(mut properties) = attributes.get("Properties").and_then(Node::as_map).cloned() else {
        return refuse(source, format!("Attribute 'Connectors.{name}.Properties' should be a map."));
    };
    let mut own: Map = [("Id", text(source))].into_iter().collect();
    if let Some(reference) = properties.remove("SourceReference") {
        let Some(reference) = reference.as_map() else {
            let message = format!("Property 'Connectors.{name}.Properties.SourceReference' should be a map.");
            return refuse(source, message);
        };
        if reference.contains_key("Id") {
            return refuse(name, "'Id' shouldn't be defined in 'SourceReference'.".to_owned());
        }
        for (key, value) in reference.iter() {
            own.insert(key, value.clone());
        }
    }
    properties.insert("Source", Node::from(own).at(entry.span));
    let mut all = attributes.clone();
    all.insert("Type", connector::KIND);
    all.insert("Properties", Node::from(properties).at(entry.span));
    let node = Node::from(all).at(entry.span);
    resource::check(&id, &node, connector::KIND)?;
    if context.resources.contains_key(&id) {
        return Err(Refusal::duplicate(source, &id, connector::KIND));
    }
    Ok(node)
}

/// Adds to what a resource of the finished template waits for.
pub(crate) fn add_depends_on(output: &mut Map, id: &str, added: &str) {
    let Some(resource) = output.get_mut(id).filter(|node| node.truthy()).and_then(Node::as_map_mut) else { return };
    let mut all = as_list(resource.get("DependsOn"));
    push_unique(&mut all, added);
    resource.insert("DependsOn", Node::from(all));
}

/// Whoever waits for a connector waits for what it became.
pub(crate) fn replace_depends_on(output: &mut Map, id: &str, replacement: &[String]) {
    for (_, resource) in output.iter_mut() {
        let Some(resource) = resource.as_map_mut() else { continue };
        let mut all = as_list(resource.get("DependsOn"));
        let Some(index) = all.iter().position(|name| name.as_str() == Some(id)) else { continue };
        all.remove(index);
        replacement.iter().for_each(|name| push_unique(&mut all, name));
        resource.insert("DependsOn", Node::from(all));
    }
}

fn as_list(node: Option<&Node>) -> Vec<Node> {
    match node {
        None => Vec::new(),
        Some(node) => node.as_list().map_or_else(|| vec![node.clone()], <[Node]>::to_vec),
    }
}

fn push_unique(all: &mut Vec<Node>, name: &str) {
    if !all.iter().any(|other| other.as_str() == Some(name)) {
        all.push(text(name));
    }
}

/// The type of each end, as the template has it, for `Metadata`.
pub(crate) fn metadata(id: &str, source: &str, destination: &str) -> Node {
    let end = |kind: &str| map([("Type", text(kind))]);
    let ends = map([("Source", end(source)), ("Destination", end(destination))]);
    Node::from([(id, ends)].into_iter().collect::<Map>())
}
