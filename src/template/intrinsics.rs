//! References between the parts of a template: which names a node mentions through `Ref`,
//! `Fn::GetAtt`, `Fn::Sub`, `DependsOn`, `Condition` and `Fn::If`, and the graph that they make of the
//! resources. Nothing is evaluated here.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::span::{Source, Span};
use super::{Map, Node, Template, Value};

/// How a name is mentioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `Ref: Name`.
    Ref,
    /// `Fn::GetAtt: [Name, Attribute]` or `Fn::GetAtt: Name.Attribute`.
    GetAtt,
    /// `${Name}` or `${Name.Attribute}` in `Fn::Sub`.
    Sub,
    /// `DependsOn: Name`.
    DependsOn,
    /// `Condition: Name`, or the first argument of `Fn::If`.
    Condition,
}

/// A name that is mentioned, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference<'n> {
    /// By which function or attribute.
    pub kind: Kind,
    /// A logical ID, parameter, pseudo parameter or condition. Of `Ref` it is the whole text, so that
    /// SAM's `Function.Version` is one name.
    pub name: &'n str,
    /// What is asked of it, when it is asked for an attribute.
    pub attribute: Option<&'n str>,
    /// The text that holds the name.
    pub span: Option<Span>,
}

impl Reference<'_> {
    /// The name itself inside of the text that holds it: the variable in a long `Fn::Sub`.
    pub fn place(&self, source: &Source) -> Option<Span> {
        let span = self.span?;
        let text = source.text().get(span.range())?;
        let variable = match self.attribute {
            Some(attribute) => format!("${{{}.{attribute}}}", self.name),
            None => format!("${{{}}}", self.name),
        };
        let start = match self.kind {
            Kind::Sub => text.find(&variable).map(|at| (at, variable.len())),
            _ => None,
        };
        Some(start.map_or(span, |(at, length)| Span::new(span.start as usize + at, span.start as usize + at + length)))
    }
}

/// Everything that a node mentions through functions, in the order of the text. `DependsOn` and
/// `Condition` are attributes of resources and are found by [`resource`].
pub fn references(node: &Node) -> Vec<Reference<'_>> {
    let mut found = Vec::new();
    walk(node, &mut found);
    found
}

/// Everything that a resource mentions: its functions, its `DependsOn` and its `Condition`.
pub fn resource(node: &Node) -> Vec<Reference<'_>> {
    let mut found = references(node);
    if let Some(depends_on) = node.get("DependsOn") {
        found.extend(depends_on_names(depends_on));
    }
    found.extend(condition_attribute(node));
    found
}

/// The names of a `DependsOn`: one text, or a list of texts.
pub fn depends_on_names(node: &Node) -> Vec<Reference<'_>> {
    let one = |node| named(Kind::DependsOn, node);
    match &node.value {
        Value::List(items) => items.iter().filter_map(one).collect(),
        _ => one(node).into_iter().collect(),
    }
}

/// The `Condition` attribute of a resource or an output.
pub fn condition_attribute(node: &Node) -> Option<Reference<'_>> {
    named(Kind::Condition, node.get("Condition")?)
}

fn named(kind: Kind, node: &Node) -> Option<Reference<'_>> {
    Some(Reference { kind, name: node.as_str()?, attribute: None, span: node.span })
}

fn walk<'n>(node: &'n Node, found: &mut Vec<Reference<'n>>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| walk(item, found)),
        Value::Map(map) => {
            match node.intrinsic() {
                Some(("Ref", name)) => {
                    found.extend(named(Kind::Ref, name));
                    return;
                }
                Some(("Fn::GetAtt", argument)) => {
                    found.extend(attribute(argument));
                    // The attribute's name may be a `Ref`.
                    return walk(argument, found);
                }
                Some(("Fn::Sub", argument)) => {
                    sub(argument, found);
                    return;
                }
                Some(("Fn::If", argument)) => {
                    if let Some(condition) = argument.as_list().and_then(<[Node]>::first) {
                        found.extend(named(Kind::Condition, condition));
                    }
                }
                _ => {}
            }
            map.iter().for_each(|(_, node)| walk(node, found));
        }
        _ => {}
    }
}

/// The target of a `Fn::GetAtt`, in either of its forms.
pub fn attribute(argument: &Node) -> Option<Reference<'_>> {
    let (name, attribute, span) = match &argument.value {
        Value::String(text) => {
            let (name, attribute) = text.split_once('.')?;
            (name, Some(attribute), argument.span)
        }
        Value::List(items) => {
            let name = items.first()?;
            (name.as_str()?, items.get(1).and_then(Node::as_str), name.span)
        }
        _ => return None,
    };
    Some(Reference { kind: Kind::GetAtt, name, attribute, span })
}

fn sub<'n>(argument: &'n Node, found: &mut Vec<Reference<'n>>) {
    let (text, variables) = match &argument.value {
        Value::String(_) => (argument, None),
        Value::List(items) => {
            let Some(text) = items.first() else { return };
            (text, items.get(1))
        }
        _ => return walk(argument, found),
    };
    let local = variables.and_then(Node::as_map);
    if let Some(value) = text.as_str() {
        for part in parts(value) {
            let Part::Variable { name, .. } = part else { continue };
            if local.is_some_and(|map| map.contains_key(name)) {
                continue;
            }
            let (name, attribute) = match name.split_once('.') {
                Some((name, attribute)) => (name, Some(attribute)),
                None => (name, None),
            };
            found.push(Reference { kind: Kind::Sub, name, attribute, span: text.span });
        }
    }
    if let Some(variables) = variables {
        walk(variables, found);
    }
}

/// A piece of the text of a `Fn::Sub`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'t> {
    /// Text that stays as it is.
    Text(&'t str),
    /// `${Name}`: the name without white space around it, and where `${…}` stands in the text.
    Variable {
        /// What is between the braces.
        name: &'t str,
        /// From `$` to behind `}`.
        range: Range<usize>,
    },
    /// `${!Name}`, which stands for the text `${Name}`: what is behind the `!`.
    Literal(&'t str),
}

/// The text of a `Fn::Sub` in its pieces.
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-sub.html>
pub fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut done = 0;
    let mut from = 0;
    while let Some(start) = text[from..].find("${").map(|at| from + at) {
        let Some(end) = text[start..].find('}').map(|at| start + at) else { break };
        if done < start {
            parts.push(Part::Text(&text[done..start]));
        }
        let inner = &text[start + 2..end];
        parts.push(match inner.strip_prefix('!') {
            Some(literal) => Part::Literal(literal),
            None => Part::Variable { name: inner.trim(), range: start..end + 1 },
        });
        done = end + 1;
        from = done;
    }
    if done < text.len() {
        parts.push(Part::Text(&text[done..]));
    }
    parts
}

/// Which resource needs which other: an edge for each reference from one resource to another.
#[derive(Clone, Debug, Default)]
pub struct Graph<'n> {
    /// Resource → the resources that must exist before it, each with the reference that says so.
    pub edges: BTreeMap<&'n str, BTreeMap<&'n str, Reference<'n>>>,
    /// The resources in the order of the template.
    pub order: Vec<&'n str>,
}

impl<'n> Graph<'n> {
    /// The graph of a template's resources as they are written: of plain CloudFormation the truth; of
    /// a SAM template only what `keep` lets through, since some of SAM's properties become resources
    /// of their own. `keep` gets the resource's type and the property's name.
    pub fn new(resources: &'n Map, keep: impl Fn(&str, &str) -> bool) -> Self {
        let mut graph = Self { edges: BTreeMap::new(), order: resources.keys().collect() };
        for (id, node) in resources.iter() {
            let kind = node.get("Type").and_then(Node::as_str).unwrap_or_default();
            let mut found = Vec::new();
            for (section, node) in node.as_map().into_iter().flat_map(Map::iter) {
                match section {
                    "Properties" => {
                        for (property, value) in node.as_map().into_iter().flat_map(Map::iter) {
                            if keep(kind, property) {
                                found.extend(references(value));
                            }
                        }
                    }
                    "DependsOn" => found.extend(depends_on_names(node)),
                    "UpdatePolicy" | "CreationPolicy" => found.extend(references(node)),
                    _ => {}
                }
            }
            let needs = graph.edges.entry(id).or_default();
            for reference in found {
                // SAM's `Function.Version` is the function's own resource.
                let target = reference.name.split('.').next().unwrap_or_default();
                if reference.kind != Kind::Condition && resources.contains_key(target) {
                    needs.entry(target).or_insert(reference);
                }
            }
        }
        graph
    }

    /// The resources in an order in which each comes after what it needs; ties as in the template.
    ///
    /// # Errors
    /// A circle: each resource in it needs the next, the last the first.
    pub fn sorted(&self) -> Result<Vec<&'n str>, Vec<&'n str>> {
        let mut sorted = Vec::with_capacity(self.order.len());
        let mut done = BTreeSet::new();
        for start in &self.order {
            // The way from `start` to where we are, each with what it still has to look at.
            let mut path: Vec<(&'n str, Vec<&'n str>)> = vec![(*start, self.needs(start))];
            if done.contains(start) {
                continue;
            }
            while let Some((id, waiting)) = path.last_mut() {
                let Some(next) = waiting.pop() else {
                    done.insert(*id);
                    sorted.push(*id);
                    path.pop();
                    continue;
                };
                if done.contains(next) {
                    continue;
                }
                if let Some(begin) = path.iter().position(|(id, _)| *id == next) {
                    return Err(path[begin..].iter().map(|(id, _)| *id).collect());
                }
                path.push((next, self.needs(next)));
            }
        }
        Ok(sorted)
    }

    /// In reverse, because they are taken from the end.
    fn needs(&self, id: &str) -> Vec<&'n str> {
        self.edges.get(id).into_iter().flat_map(|needs| needs.keys().rev().copied()).collect()
    }
}

/// The graph of a plain CloudFormation template.
pub fn dependencies(template: &Template) -> Graph<'_> {
    template.section("Resources").map(|resources| Graph::new(resources, |_, _| true)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::read::read_bytes;

    fn names(text: &str) -> Vec<String> {
        let template = read_bytes("t", text.as_bytes()).unwrap();
        references(&template.root)
            .iter()
            .map(|found| {
                let place = template.source.position(found.place(&template.source).unwrap().start as usize);
                format!("{place} {:?} {} {}", found.kind, found.name, found.attribute.unwrap_or("-"))
            })
            .collect()
    }

    #[test]
    fn every_form_of_a_reference_is_found_at_its_place() {
        let text = "
a: !Ref A
b: !GetAtt B.Arn
c: {Fn::GetAtt: C.Outputs.Url}
d: !GetAtt [D, !Ref Which]
e: !Sub 'x ${E} ${!No} ${E.Arn} ${AWS::Region}'
f: !Sub ['${v} ${F}', {v: !Ref G}]
g: !If [IsProd, !Ref H, x]
h:
  Fn::Sub: |
    text
    ${I}
i: {Condition: {StringEquals: x}}
";
        insta::assert_snapshot!(names(text).join("\n"), @"
        2:9 Ref A -
        3:12 GetAtt B Arn
        4:17 GetAtt C Outputs.Url
        5:13 GetAtt D -
        5:21 Ref Which -
        6:12 Sub E -
        6:24 Sub E Arn
        6:33 Sub AWS::Region -
        7:16 Sub F -
        7:32 Ref G -
        8:9 Condition IsProd -
        8:22 Ref H -
        12:5 Sub I -
        ");
    }

    #[test]
    fn the_text_of_a_sub_falls_into_its_parts() {
        assert_eq!(
            parts("a${ B }${!C}${"),
            [Part::Text("a"), Part::Variable { name: "B", range: 1..7 }, Part::Literal("C"), Part::Text("${")]
        );
        assert_eq!(parts(""), []);
    }

    #[test]
    fn resources_are_ordered_after_what_they_need_and_circles_are_named() {
        let template = read_bytes(
            "t",
            b"Resources:\n  C: {Type: X, DependsOn: [B]}\n  B: {Type: X, Properties: {P: !GetAtt A.Arn}}\n  A: {Type: X, Properties: {P: !Ref Parameter}}\n",
        )
        .unwrap();
        assert_eq!(dependencies(&template).sorted(), Ok(vec!["A", "B", "C"]));
        let circle = read_bytes(
            "t",
            b"Resources:\n  X: {Type: T, DependsOn: A}\n  A: {Type: T, Properties: {P: !Sub '${B}'}}\n  B: {Type: T, DependsOn: C}\n  C: {Type: T, Properties: {P: !Ref A}}\n",
        )
        .unwrap();
        assert_eq!(dependencies(&circle).sorted(), Err(vec!["A", "B", "C"]));
    }
}
