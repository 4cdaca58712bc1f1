//! `AWS::LanguageExtensions`, the transform that a template may name before SAM's: loops, the length
//! of lists, JSON as text, and maps with a default. What depends on something that only CloudFormation
//! knows cannot be worked out here, and is refused with its line.

use std::borrow::Cow;

use super::build::{Read, list, map, text};
use super::refusal::Refusal;
use super::resolve::Parameters;
use crate::template::{Map, Node, Value};

type Result<T> = std::result::Result<T, Refusal>;

const NAME: &str = "AWS::LanguageExtensions";
const LOOP: &str = "Fn::ForEach::";
/// The sections in which the extensions work.
const SECTIONS: [&str; 3] = ["Conditions", "Resources", "Outputs"];
/// CloudFormation takes 500 resources; nested loops may not grow without bound before it can say so.
const MAX_ENTRIES: usize = 10_000;

/// Whether a template names the transform.
pub(crate) fn is_named(root: &Node) -> bool {
    let named = |node: &Node| node.as_str() == Some(NAME);
    root.get("Transform").is_some_and(|transform| match transform.as_list() {
        Some(all) => all.iter().any(named),
        None => named(transform),
    })
}

/// Whether a section has a loop at its top.
pub(crate) fn has_loop(section: &Map) -> bool {
    section.keys().any(|key| key.starts_with(LOOP))
}

/// The template with the extensions worked out; the same where it does not name them.
pub(crate) fn process<'a>(root: &'a Node, parameters: &Parameters) -> Result<Cow<'a, Node>> {
    if !is_named(root) {
        return Ok(Cow::Borrowed(root));
    }
    let mut processed = root.clone();
    let mut work = Work { root, parameters, entries: 0 };
    for name in SECTIONS {
        if let Some(section) = processed.as_map_mut().and_then(|root| root.get_mut(name)) {
            work.loops(section)?;
            work.functions(section)?;
        }
    }
    for (_, resource) in processed
        .as_map_mut()
        .and_then(|root| root.get_mut("Resources"))
        .and_then(Node::as_map_mut)
        .into_iter()
        .flat_map(Map::iter_mut)
    {
        for name in ["DeletionPolicy", "UpdateReplacePolicy"] {
            if let Some(policy) = resource.as_map_mut().and_then(|resource| resource.get_mut(name)) {
                parameters.resolve_whole(policy)?;
            }
        }
    }
    Ok(Cow::Owned(processed))
}

struct Work<'a> {
    root: &'a Node,
    parameters: &'a Parameters,
    entries: usize,
}

fn refuse<T>(node: &Node, message: impl Into<String>) -> Result<T> {
    Err(Refusal::template(message).fatal_at(node.span))
}

fn unknown<T>(node: &Node, what: &str) -> Result<T> {
    Err(Refusal::unsupported(format!("{what} depends on what only CloudFormation knows")).fatal_at(node.span))
}

impl Work<'_> {
    /// Unrolls the loops in a tree.
    fn loops(&mut self, node: &mut Node) -> Result<()> {
        match &mut node.value {
            Value::List(items) => items.iter_mut().try_for_each(|item| self.loops(item)),
            Value::Map(entries) if has_loop(entries) => {
                let mut unrolled = Map::new();
                for (key, value) in std::mem::take(entries) {
                    if key.starts_with(LOOP) {
                        self.unroll(&key, &value, &mut unrolled)?;
                    } else if unrolled.insert(key.as_str(), value.clone()).is_some() {
                        return refuse(&value, format!("The loops give '{key}' twice."));
                    }
                }
                *entries = unrolled;
                entries.iter_mut().try_for_each(|(_, value)| self.loops(value))
            }
            Value::Map(entries) => entries.iter_mut().try_for_each(|(_, value)| self.loops(value)),
            _ => Ok(()),
        }
    }

    fn unroll(&mut self, key: &str, value: &Node, out: &mut Map) -> Result<()> {
        let parts = value.as_list().unwrap_or_default();
        let [identifier, collection, body] = parts else {
            return refuse(value, format!("{key} takes an identifier, a collection and what is to be repeated."));
        };
        let (Some(identifier), Some(body)) = (identifier.as_str(), body.as_map()) else {
            return refuse(value, format!("{key} takes the identifier as text and what is to be repeated as a map."));
        };
        for item in self.collection(key, collection)? {
            for (name, entry) in body.iter() {
                self.entries += 1;
                if self.entries > MAX_ENTRIES {
                    return refuse(value, format!("The loops give more than {MAX_ENTRIES} entries."));
                }
                let name = filled(name, identifier, &item);
                let mut entry = entry.clone();
                substitute(&mut entry, identifier, &item);
                if name.starts_with(LOOP) {
                    self.unroll(&name, &entry, out)?;
                } else if out.insert(name.as_str(), entry).is_some() {
                    return refuse(value, format!("The loops give '{name}' twice."));
                }
            }
        }
        Ok(())
    }

    fn collection(&self, key: &str, node: &Node) -> Result<Vec<String>> {
        let Some(items) = self.list(node) else {
            return unknown(node, key);
        };
        let mut all = Vec::with_capacity(items.len());
        for item in items {
            let resolved = self.parameters.resolve(&mut item.clone())?;
            match &resolved.value {
                Value::String(item) => all.push(item.clone()),
                Value::Number(_) | Value::Bool(_) => all.push(resolved.display()),
                _ => return unknown(&item, key),
            }
        }
        Ok(all)
    }

    /// The items of a list that is known: written out, a parameter's, or divided from a text.
    fn list(&self, node: &Node) -> Option<Vec<Node>> {
        if let Some(items) = node.as_list() {
            return Some(items.to_vec());
        }
        let divided = |value: &str, by: &str| value.split(by).map(|part| text(part.trim())).collect();
        match node.intrinsic()? {
            ("Ref", name) => {
                let name = name.as_str()?;
                let kind = self.root.path(&["Parameters", name, "Type"])?.as_str()?;
                // What SSM holds is not known here, only its name.
                if !matches!(kind, "CommaDelimitedList" | "List<Number>" | "List<String>") {
                    return None;
                }
                let value = self.parameters.get(name)?;
                match value.as_list() {
                    Some(items) => Some(items.to_vec()),
                    None => Some(divided(&value.display(), ",")),
                }
            }
            ("Fn::Split", arguments) => {
                let [by, what] = arguments.as_list()? else { return None };
                let what = self.parameters.resolve(&mut what.clone()).ok()?;
                let by = by.as_str().filter(|by| !by.is_empty())?;
                Some(what.as_str()?.split(by).map(text).collect())
            }
            ("Fn::FindInMap", _) => {
                let mut found = node.clone();
                let mappings = self.root.get("Mappings").and_then(Node::as_map);
                self.parameters.resolve_whole(&mut found).ok()?;
                super::resolve::find_in_map(&found, mappings).ok()?.as_list().map(<[Node]>::to_vec)
            }
            _ => None,
        }
    }

    /// Works out the functions in a tree, the inner ones first.
    fn functions(&self, node: &mut Node) -> Result<()> {
        match &mut node.value {
            Value::List(items) => items.iter_mut().try_for_each(|item| self.functions(item))?,
            Value::Map(entries) => entries.iter_mut().try_for_each(|(_, value)| self.functions(value))?,
            _ => return Ok(()),
        }
        let worked = match node.intrinsic() {
            Some(("Fn::Length", argument)) => match self.list(argument) {
                Some(items) => Node::from(i64::try_from(items.len()).unwrap_or(i64::MAX)),
                None => return unknown(node, "Fn::Length"),
            },
            Some(("Fn::ToJsonString", argument)) => {
                if argument.as_map().is_none() && argument.as_list().is_none() {
                    return refuse(node, "Fn::ToJsonString takes a map or a list.");
                }
                as_json(argument)
            }
            Some(("Fn::FindInMap", argument)) => match argument.as_list() {
                Some([map, top, second, with]) => match self.with_default([map, top, second], with)? {
                    Some(found) => found,
                    None => return unknown(node, "Fn::FindInMap with a default"),
                },
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        *node = worked.at(node.span);
        Ok(())
    }

    /// What a map holds, or the default; `None` where the keys are not known.
    fn with_default(&self, keys: [&Node; 3], with: &Node) -> Result<Option<Node>> {
        let Some(default) = with.get("DefaultValue") else {
            return refuse(with, "The fourth argument of Fn::FindInMap is a map with DefaultValue.");
        };
        let mut known = Vec::with_capacity(keys.len());
        for key in keys {
            let resolved = self.parameters.resolve(&mut key.clone())?;
            match resolved.as_str() {
                Some(key) => known.push(key.to_owned()),
                None => return Ok(None),
            }
        }
        let path: Vec<&str> = std::iter::once("Mappings").chain(known.iter().map(String::as_str)).collect();
        Ok(Some(self.root.path(&path).unwrap_or(default).clone()))
    }
}

/// `${identifier}` is the item; `&{identifier}` its letters and digits, for logical IDs.
fn filled(template: &str, identifier: &str, item: &str) -> String {
    let plain: String = item.chars().filter(char::is_ascii_alphanumeric).collect();
    template.replace(&format!("${{{identifier}}}"), item).replace(&format!("&{{{identifier}}}"), &plain)
}

fn substitute(node: &mut Node, identifier: &str, item: &str) {
    if node.intrinsic().is_some_and(|(name, to)| name == "Ref" && to.as_str() == Some(identifier)) {
        *node = text(item).at(node.span);
        return;
    }
    match &mut node.value {
        Value::String(template) => *template = filled(template, identifier, item),
        Value::List(items) => items.iter_mut().for_each(|entry| substitute(entry, identifier, item)),
        Value::Map(entries) => {
            let mut out = Map::new();
            for (key, mut value) in std::mem::take(entries) {
                substitute(&mut value, identifier, item);
                out.insert(filled(&key, identifier, item), value);
            }
            *entries = out;
        }
        _ => {}
    }
}

/// A value as JSON in a text; where functions are in it, CloudFormation puts their values in.
fn as_json(node: &Node) -> Node {
    let mut variables = Map::new();
    let mut out = String::new();
    write_json(node, &mut variables, &mut out);
    if variables.is_empty() {
        return text(out.replace("${!", "${"));
    }
    map([("Fn::Sub", list([text(out), Node::from(variables)]))])
}

fn write_json(node: &Node, variables: &mut Map, out: &mut String) {
    if node.is_intrinsic() {
        let name = format!("Value{}", variables.len() + 1);
        out.push_str(&format!("\"${{{name}}}\""));
        variables.insert(name, node.clone());
        return;
    }
    let literal = |text: &str| serde_json::Value::from(text).to_string().replace("${", "${!");
    match &node.value {
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(item, variables, out);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&literal(key));
                out.push(':');
                write_json(value, variables, out);
            }
            out.push('}');
        }
        Value::String(text) => out.push_str(&literal(text)),
        _ => out.push_str(&node.to_json().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn processed(json: serde_json::Value) -> std::result::Result<serde_json::Value, String> {
        let root = Node::from(json);
        let parameters = Parameters::new(&root, &BTreeMap::new(), "eu-west-1", "aws");
        match process(&root, &parameters) {
            Ok(node) => Ok(node.to_json()),
            Err(refusal) => Err(refusal.causes()[0].sentence()),
        }
    }

    #[test]
    fn loops_are_unrolled_within_each_other() {
        let given = serde_json::json!({
            "Transform": [NAME, "AWS::Serverless-2016-10-31"],
            "Parameters": {"Names": {"Type": "CommaDelimitedList", "Default": "a, b-c"}},
            "Resources": {"Fn::ForEach::Outer": ["Name", {"Ref": "Names"}, {
                "Fn::ForEach::Inner": ["N", ["1", "2"], {"Q&{Name}${N}": {"Type": "T", "Name": {"Ref": "Name"}, "Url": "${Name}/${N}"}}],
            }]},
        });
        let given = processed(given).unwrap();
        let resources = given["Resources"].as_object().unwrap();
        assert_eq!(resources.keys().collect::<Vec<_>>(), ["Qa1", "Qa2", "Qbc1", "Qbc2"]);
        assert_eq!(resources["Qbc2"], serde_json::json!({"Type": "T", "Name": "b-c", "Url": "b-c/2"}));
    }

    #[test]
    fn functions_are_worked_out() {
        let given = serde_json::json!({
            "Transform": NAME,
            "Mappings": {"M": {"eu-west-1": {"x": 1}}},
            "Resources": {"R": {"Type": "T", "Properties": {
                "Count": {"Fn::Length": [1, 2, 3]},
                "Parts": {"Fn::Length": {"Fn::Split": [",", "a,b"]}},
                "There": {"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "x", {"DefaultValue": 2}]},
                "Not": {"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "y", {"DefaultValue": 2}]},
                "Text": {"Fn::ToJsonString": {"a": ["${x}", null, 1]}},
                "Mixed": {"Fn::ToJsonString": {"a": "${x}", "b": {"Ref": "R"}}},
            }}},
        });
        let given = processed(given).unwrap();
        assert_eq!(
            given["Resources"]["R"]["Properties"],
            serde_json::json!({
                "Count": 3, "Parts": 2, "There": 1, "Not": 2,
                "Text": "{\"a\":[\"${x}\",null,1]}",
                "Mixed": {"Fn::Sub": ["{\"a\":\"${!x}\",\"b\":\"${Value1}\"}", {"Value1": {"Ref": "R"}}]},
            })
        );
    }

    #[test]
    fn what_is_not_known_is_refused_and_loops_have_a_bound() {
        let unknown = serde_json::json!({"Transform": NAME, "Resources": {"R": {"X": {"Fn::Length": {"Ref": "P"}}}}});
        assert!(processed(unknown).unwrap_err().contains("Fn::Length depends on"));
        let items: Vec<String> = (0..101).map(|index| index.to_string()).collect();
        let huge = serde_json::json!({"Transform": NAME, "Resources": {"Fn::ForEach::A": ["A", items, {
            "Fn::ForEach::B${A}": ["B", items, {"R${A}x${B}": {"Type": "T"}}]}]}});
        assert!(processed(huge).unwrap_err().contains("more than 10000 entries"));
    }
}
