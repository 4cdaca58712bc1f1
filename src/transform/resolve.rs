//! Where the published transform resolves intrinsic functions: `Ref` and `Fn::Sub` of parameters,
//! `Fn::FindInMap` for a few properties, and at the end the references to what resources became.

use std::collections::BTreeMap;

use super::build::{Read, list, text};
use super::refusal::Refusal;
use crate::template::span::Span;
use crate::template::{Map, Node, Value};

type Result<T> = std::result::Result<T, Refusal>;

/// What CloudFormation puts for values of nested stacks that are not there yet; never resolved.
const PLACEHOLDER: &str = "{{IntrinsicFunction:";

/// A default that refers to itself would never end; nothing real nests parameters at all.
const MAX_PARAMETER_DEPTH: usize = 8;

/// The values of parameters: given, or by default; and the pseudo parameters that are known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters {
    values: BTreeMap<String, Node>,
}

impl Parameters {
    /// Those of `template`, with what was given.
    pub(crate) fn new(root: &Node, given: &BTreeMap<String, String>, region: &str, partition: &str) -> Self {
        let mut values: BTreeMap<String, Node> =
            given.iter().map(|(name, value)| (name.clone(), text(value.as_str()))).collect();
        if let Some(declared) = root.get("Parameters").and_then(Node::as_map) {
            for (name, declaration) in declared.iter() {
                if let (false, Some(default)) = (values.contains_key(name), declaration.get("Default")) {
                    values.insert(name.to_owned(), default.clone());
                }
            }
        }
        let known = |value: &str| text(value).at(Some(Span::default()));
        values.entry("AWS::Region".to_owned()).or_insert_with(|| known(region));
        values.entry("AWS::Partition".to_owned()).or_insert_with(|| known(partition));
        Self { values }
    }

    /// The value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.values.get(name).filter(|value| !value.as_str().is_some_and(|text| text.starts_with(PLACEHOLDER)))
    }

    /// Resolves what is below `node` in its place, and gives what `node` itself is then. The
    /// published transform changes trees in place too, and that can be seen in its output.
    pub(crate) fn resolve(&self, node: &mut Node) -> Result<Node> {
        Ok(self.visit(node, 0)?.unwrap_or_else(|| node.clone()))
    }

    /// Resolves `node` wholly in its place.
    pub(crate) fn resolve_whole(&self, node: &mut Node) -> Result<()> {
        if let Some(value) = self.visit(node, 0)? {
            *node = value;
        }
        Ok(())
    }

    fn visit(&self, node: &mut Node, depth: usize) -> Result<Option<Node>> {
        if let Some(name) = node.as_map().and_then(Map::only).filter(|(key, _)| *key == "Ref").map(|(_, name)| name)
            && let Some(value) = name.as_str().and_then(|name| self.get(name))
        {
            // What nobody wrote keeps an empty place: the hash of an API's body tells the two apart.
            let place = match value.span {
                Some(known) if known.is_empty() => node.span.unwrap_or_default().beginning().into(),
                _ => node.span,
            };
            let mut value = value.clone().at(place);
            if depth < MAX_PARAMETER_DEPTH
                && let Some(inner) = self.visit(&mut value, depth + 1)?
            {
                value = inner;
            }
            return Ok(Some(value));
        }
        substitute(node, &|whole, name| match self.get(name) {
            None => Ok(whole.to_owned()),
            Some(Node { value: Value::String(value), .. }) => Ok(value.clone()),
            Some(other) => Err(Refusal::document(format!(
                "Invalid Fn::Sub variable value {}. Fn::Sub expects all variables to be strings.",
                other.display()
            ))),
        })?;
        for child in children(node) {
            if let Some(value) = self.visit(child, depth)? {
                *child = value;
            }
        }
        Ok(None)
    }
}

fn children(node: &mut Node) -> Vec<&mut Node> {
    match &mut node.value {
        Value::List(items) => items.iter_mut().collect(),
        Value::Map(map) => map.iter_mut().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    }
}

/// Replaces the `${…}` of an `Fn::Sub`.
fn substitute(node: &mut Node, replace: &dyn Fn(&str, &str) -> Result<String>) -> Result<()> {
    if node.as_map().and_then(Map::only).is_none_or(|(key, _)| key != "Fn::Sub") {
        return Ok(());
    }
    let Some(argument) = node.as_map_mut().and_then(|map| map.get_mut("Fn::Sub")) else {
        return Ok(());
    };
    let template = match &mut argument.value {
        Value::String(template) => template,
        Value::List(items) => match items.first_mut().map(|item| &mut item.value) {
            Some(Value::String(template)) => template,
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    *template = substituted(template, replace)?;
    Ok(())
}

/// The published transform looks for `${Letters.And.Digits}` and `${AWS::Word}`; each match replaces
/// the first text of that kind that is still there, which is the same unless values hold `${…}`.
fn substituted(template: &str, replace: &dyn Fn(&str, &str) -> Result<String>) -> Result<String> {
    let mut out = template.to_owned();
    let mut rest = template;
    while let Some(start) = rest.find("${") {
        let after = &rest[start + 2..];
        let Some(end) = after.find('}') else {
            break;
        };
        let name = &after[..end];
        let whole = &rest[start..start + end + 3];
        if is_reference(name) {
            let value = replace(whole, name)?;
            out = out.replacen(whole, &value, 1);
            rest = &after[end + 1..];
        } else {
            rest = after;
        }
    }
    Ok(out)
}

fn is_reference(name: &str) -> bool {
    let dotted = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    let pseudo = name.strip_prefix("AWS::").is_some_and(|word| {
        word.starts_with(|c: char| c.is_ascii_uppercase()) && word.bytes().all(|byte| byte.is_ascii_alphabetic())
    });
    dotted || pseudo
}

/// Resolves `Fn::FindInMap` in `node` with the template's mappings.
pub(crate) fn find_in_map(node: &Node, mappings: Option<&Map>) -> Result<Node> {
    let Some(mappings) = mappings.filter(|mappings| !mappings.is_empty()) else {
        return Ok(node.clone());
    };
    let mut found = look_up(node, mappings, 0)?;
    let mut visited = Vec::new();
    for child in children(&mut found) {
        visited.push(child);
    }
    for child in visited {
        *child = find_in_map(child, Some(mappings))?;
    }
    Ok(found)
}

fn look_up(node: &Node, mappings: &Map, depth: usize) -> Result<Node> {
    let Some(("Fn::FindInMap", argument)) = node.as_map().and_then(Map::only) else {
        return Ok(node.clone());
    };
    let Some([map, top, second]) = argument.as_list() else {
        return Err(Refusal::document(format!(
            "Invalid FindInMap value {}. FindInMap expects an array with 3 values.",
            argument.display()
        )));
    };
    if depth > MAX_PARAMETER_DEPTH {
        return Ok(node.clone());
    }
    let keys = [map, top, second].map(|key| look_up(key, mappings, depth + 1));
    let [map, top, second] = keys;
    let (map, top, second) = (map?, top?, second?);
    let (Some(map), Some(top), Some(second)) = (map.as_str(), top.as_str(), second.as_str()) else {
        return Ok(node.clone());
    };
    let flat =
        || Refusal::document(format!("Cannot use Fn::FindInMap on Mapping '{map}' which is not a a two-level map."));
    let Some(level) = mappings.get(map) else {
        return Ok(node.clone());
    };
    let Some(level) = level.as_map().ok_or_else(flat)?.get(top) else {
        return Ok(node.clone());
    };
    Ok(level.as_map().ok_or_else(flat)?.get(second).unwrap_or(node).clone())
}

/// What SAM resources became: the properties that can be referred to (`Function.Alias`), and the
/// logical IDs that changed (layers).
#[derive(Clone, Debug, Default)]
pub(crate) struct References {
    properties: BTreeMap<(String, String), String>,
    renamed: BTreeMap<String, String>,
}

impl References {
    /// `id.property` is the resource `target`.
    pub(crate) fn add(&mut self, id: &str, property: &str, target: &str) {
        self.properties.insert((id.to_owned(), property.to_owned()), target.to_owned());
    }

    /// The resource `old` is called `new` now.
    pub(crate) fn rename(&mut self, old: &str, new: &str) {
        self.renamed.insert(old.to_owned(), new.to_owned());
    }

    fn property(&self, id: &str, property: &str) -> Option<&String> {
        self.properties.get(&(id.to_owned(), property.to_owned()))
    }

    /// Puts them into the finished template.
    pub(crate) fn apply(&self, root: &mut Node) {
        if !self.renamed.is_empty() {
            self.depends_on(root);
            self.visit(root, &Self::renamed);
        }
        if !self.properties.is_empty() {
            self.visit(root, &Self::derived);
        }
    }

    fn depends_on(&self, node: &mut Node) {
        if let Some(names) = node.as_map_mut().and_then(|map| map.get_mut("DependsOn")) {
            let rename = |name: &mut Node| {
                if let Some(new) = name.as_str().and_then(|name| self.renamed.get(name)) {
                    *name = text(new.as_str()).at(name.span);
                }
            };
            match &mut names.value {
                Value::List(items) => items.iter_mut().for_each(rename),
                _ => rename(names),
            }
        }
        for child in children(node) {
            self.depends_on(child);
        }
    }

    fn visit(&self, node: &mut Node, resolve: &dyn Fn(&Self, &mut Node)) {
        if node.as_map().and_then(Map::only).is_some_and(|(key, _)| matches!(key, "Ref" | "Fn::Sub" | "Fn::GetAtt")) {
            resolve(self, node);
        }
        match &mut node.value {
            Value::List(items) => items.iter_mut().for_each(|item| self.visit(item, resolve)),
            Value::Map(map) => map.iter_mut().for_each(|(_, value)| self.visit(value, resolve)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn renamed(&self, node: &mut Node) {
        if let Some(name) = ref_of(node) {
            if let Some(new) = name.as_str().and_then(|name| self.renamed.get(name)) {
                *name = text(new.as_str()).at(name.span);
            }
            return;
        }
        let replaced = substitute(node, &|whole, name| {
            let id = name.split('.').next().unwrap_or_default();
            Ok(self.renamed.get(id).map_or_else(|| whole.to_owned(), |new| whole.replace(id, new)))
        });
        debug_assert!(replaced.is_ok(), "this replacement never refuses");
        if let Some((parts, arguments)) = attribute(node)
            && let Some(new) = self.renamed.get(&parts[0])
        {
            *arguments = moved(new, &parts[1..]).at(arguments.span);
        }
    }

    fn derived(&self, node: &mut Node) {
        if let Some(name) = ref_of(node) {
            if let Some((id, property)) = name.as_str().and_then(|name| name.split_once('.'))
                && let Some(target) = self.property(id, property)
            {
                *name = text(target.as_str()).at(name.span);
            }
            return;
        }
        let replaced = substitute(node, &|whole, name| {
            let mut parts = name.split('.');
            let (Some(id), Some(property)) = (parts.next(), parts.next()) else {
                return Ok(whole.to_owned());
            };
            Ok(match self.property(id, property) {
                Some(target) => whole.replace(&format!("{id}.{property}"), target),
                None => whole.to_owned(),
            })
        });
        debug_assert!(replaced.is_ok(), "this replacement never refuses");
        if let Some((parts, arguments)) = attribute(node)
            && parts.len() >= 2
            && let Some(target) = self.property(&parts[0], &parts[1])
        {
            *arguments = moved(target, &parts[2..]).at(arguments.span);
        }
    }
}

fn ref_of(node: &mut Node) -> Option<&mut Node> {
    node.as_map_mut()?.get_mut("Ref")
}

/// The parts of a `Fn::GetAtt` whose arguments are all texts; a dot within one divides it too.
fn attribute(node: &mut Node) -> Option<(Vec<String>, &mut Node)> {
    let arguments = node.as_map_mut()?.get_mut("Fn::GetAtt")?;
    let items = arguments.as_list().filter(|items| items.len() >= 2)?;
    let words: Option<Vec<&str>> = items.iter().map(Node::as_str).collect();
    let parts = words?.join(".").split('.').map(str::to_owned).collect();
    Some((parts, arguments))
}

fn moved(target: &str, rest: &[String]) -> Node {
    let mut arguments = list([text(target)]);
    if let Value::List(items) = &mut arguments.value {
        items.extend(rest.iter().map(text));
    }
    arguments
}
