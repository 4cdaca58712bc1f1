//! The `Conditions` section: which conditions hold for given parameters.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-conditions.html>

use std::collections::BTreeMap;

use super::intrinsics::{self, Part};
use super::parameters::text_of;
use super::span::Span;
use super::{Map, Node, Template, Value};
use crate::diagnostic::{Diagnostic, Diagnostics};

/// What conditions may look at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// The parameters' values and the pseudo parameters (`AWS::Region`, …): text, or a list of texts
    /// for parameters of a list type.
    pub values: BTreeMap<String, Node>,
}

/// Name → whether it holds, for every condition of the template.
///
/// # Errors
/// A condition that is not one, needs a name that does not exist, or needs itself.
pub fn evaluate(template: &Template, scope: &Scope) -> Result<BTreeMap<String, bool>, Diagnostics> {
    let empty = Map::new();
    let mut evaluator = Evaluator {
        conditions: template.section("Conditions").unwrap_or(&empty),
        mappings: template.section("Mappings").unwrap_or(&empty),
        scope,
        known: BTreeMap::new(),
        open: Vec::new(),
    };
    let mut problems = Vec::new();
    for name in evaluator.conditions.keys() {
        if let Err(problem) = evaluator.condition(name, None) {
            // One that needs a broken one says the same thing again.
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    if problems.is_empty() {
        return Ok(evaluator.known.into_iter().map(|(name, holds)| (name.to_owned(), holds)).collect());
    }
    let items = problems.into_iter().map(|problem| *problem).collect();
    Err(Diagnostics::new(template.source.clone(), items))
}

struct Evaluator<'t> {
    conditions: &'t Map,
    mappings: &'t Map,
    scope: &'t Scope,
    known: BTreeMap<&'t str, bool>,
    open: Vec<&'t str>,
}

type Problem = Box<Diagnostic>;

fn problem(message: impl Into<String>, span: Option<Span>) -> Problem {
    Box::new(Diagnostic::error("condition/evaluation", message).at(span))
}

impl<'t> Evaluator<'t> {
    fn condition(&mut self, name: &'t str, from: Option<Span>) -> Result<bool, Problem> {
        if let Some(known) = self.known.get(name) {
            return Ok(*known);
        }
        let Some(node) = self.conditions.get(name) else {
            return Err(problem(format!("there is no condition `{name}`"), from));
        };
        if self.open.contains(&name) {
            return Err(problem(format!("the condition `{name}` depends on itself"), self.conditions.key_span(name)));
        }
        self.open.push(name);
        let holds = self.truth(node);
        self.open.pop();
        self.known.insert(name, holds.clone()?);
        holds
    }

    fn truth(&mut self, node: &'t Node) -> Result<bool, Problem> {
        let expected = || problem(format!("expected a condition function, found {}", node.kind()), node.span);
        let (function, argument) = node.intrinsic().ok_or_else(expected)?;
        match function {
            "Condition" => self.condition(argument.as_str().ok_or_else(expected)?, argument.span),
            "Fn::Equals" => {
                let [left, right] = argument.as_list().unwrap_or_default() else {
                    return Err(problem("`Fn::Equals` takes two values", argument.span));
                };
                Ok(comparable(&self.value(left)?) == comparable(&self.value(right)?))
            }
            "Fn::Not" => {
                let [inner] = argument.as_list().unwrap_or_default() else {
                    return Err(problem("`Fn::Not` takes a list of one condition", argument.span));
                };
                Ok(!self.truth(inner)?)
            }
            "Fn::And" | "Fn::Or" => {
                let items = argument.as_list().unwrap_or_default();
                if items.is_empty() {
                    return Err(problem(format!("`{function}` takes a list of conditions"), argument.span));
                }
                // All of them are looked at, so that a broken one does not hide behind a true one.
                let truths = items.iter().map(|item| self.truth(item)).collect::<Result<Vec<_>, _>>()?;
                Ok(if function == "Fn::And" { truths.iter().all(|t| *t) } else { truths.iter().any(|t| *t) })
            }
            _ => Err(expected()),
        }
    }

    fn value(&mut self, node: &'t Node) -> Result<Node, Problem> {
        let Some((function, argument)) = node.intrinsic() else { return Ok(node.clone()) };
        let shape = || problem(format!("`{function}` cannot be used so in a condition"), node.span);
        let items = argument.as_list().unwrap_or_default();
        match function {
            "Ref" => {
                let name = argument.as_str().ok_or_else(shape)?;
                let value = self.scope.values.get(name);
                value.cloned().ok_or_else(|| problem(format!("`{name}` has no value here"), argument.span))
            }
            "Fn::FindInMap" => {
                let [map, top, second, ..] = items else { return Err(shape()) };
                let keys = [map, top, second].into_iter().map(|key| self.text(key)).collect::<Result<Vec<_>, _>>()?;
                let found = self.mappings.get(&keys[0]).and_then(|map| map.path(&[&keys[1], &keys[2]]));
                let missing = || problem(format!("the mapping has no `{}`", keys.join(".")), argument.span);
                found.cloned().ok_or_else(missing)
            }
            "Fn::Join" => {
                let [separator, list] = items else { return Err(shape()) };
                let separator = self.text(separator)?;
                Ok(self.texts(list)?.join(&separator).into())
            }
            "Fn::Split" => {
                let [separator, text] = items else { return Err(shape()) };
                let (separator, text) = (self.text(separator)?, self.text(text)?);
                Ok(Node::from(text.split(&separator).map(Node::from).collect::<Vec<_>>()))
            }
            "Fn::Select" => {
                let [index, list] = items else { return Err(shape()) };
                let index: usize = self.text(index)?.parse().map_err(|_| shape())?;
                self.texts(list)?.get(index).map(|text| text.as_str().into()).ok_or_else(shape)
            }
            "Fn::Sub" => {
                let (text, variables) = match &argument.value {
                    Value::String(text) => (text.as_str(), None),
                    _ => (items.first().and_then(Node::as_str).ok_or_else(shape)?, items.get(1).and_then(Node::as_map)),
                };
                let mut result = String::new();
                for part in intrinsics::parts(text) {
                    match part {
                        Part::Text(text) => result.push_str(text),
                        Part::Literal(name) => result.push_str(&format!("${{{name}}}")),
                        Part::Variable { name, .. } => match variables.and_then(|map| map.get(name)) {
                            Some(local) => result.push_str(&self.text(local)?),
                            None => {
                                let value = self.scope.values.get(name).and_then(text_of);
                                let missing = || problem(format!("`{name}` has no value here"), argument.span);
                                result.push_str(&value.ok_or_else(missing)?);
                            }
                        },
                    }
                }
                Ok(result.into())
            }
            "Fn::If" => {
                let [condition, yes, no] = items else { return Err(shape()) };
                let holds = self.condition(condition.as_str().ok_or_else(shape)?, condition.span)?;
                self.value(if holds { yes } else { no })
            }
            _ => Err(shape()),
        }
    }

    fn text(&mut self, node: &'t Node) -> Result<String, Problem> {
        text_of(&self.value(node)?).ok_or_else(|| problem(format!("expected text, found {}", node.kind()), node.span))
    }

    fn texts(&mut self, node: &'t Node) -> Result<Vec<String>, Problem> {
        if node.intrinsic().is_none()
            && let Some(items) = node.as_list()
        {
            return items.iter().map(|item| self.text(item)).collect();
        }
        let value = self.value(node)?;
        let texts = value.as_list().and_then(|items| items.iter().map(text_of).collect());
        texts.ok_or_else(|| problem(format!("expected a list, found {}", node.kind()), node.span))
    }
}

/// Scalars are compared as texts: `!Equals [!Ref Flag, true]` holds for the parameter value `true`.
fn comparable(node: &Node) -> serde_json::Value {
    match text_of(node) {
        Some(text) if !matches!(node.value, Value::List(_)) => text.into(),
        _ => node.to_json(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::read::read_bytes;

    fn evaluated(text: &str) -> Result<BTreeMap<String, bool>, Vec<String>> {
        let template = read_bytes("t", text.as_bytes()).unwrap();
        let values = [("Stage", "prod"), ("Flag", "true"), ("AWS::Region", "eu-west-1")]
            .map(|(name, value)| (name.to_owned(), Node::from(value)))
            .into_iter()
            .chain([("List".to_owned(), Node::from(vec![Node::from("a"), Node::from("b")]))])
            .collect();
        evaluate(&template, &Scope { values }).map_err(|problems| {
            let place = |item: &Diagnostic| problems.source.position(item.span.unwrap().start as usize);
            problems.items.iter().map(|item| format!("{} {}", place(item), item.message)).collect()
        })
    }

    #[test]
    fn conditions_hold_as_their_functions_say() {
        let holds = evaluated(
            "Mappings: {M: {eu-west-1: {Kind: big}}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsOn: !Equals [!Ref Flag, true]
  Both: !And [!Condition IsProd, Condition: IsOn]
  Neither: !Not [!Or [!Condition IsProd, !Condition IsOn]]
  Mapped: !Equals [!FindInMap [M, !Ref 'AWS::Region', Kind], big]
  Joined: !Equals [!Join ['-', !Ref List], a-b]
  Selected: !Equals [!Select [1, !Split [',', 'x,y']], y]
  Substituted: !Equals [!Sub '${Stage}${!x}', 'prod${x}']
  Chosen: !Equals [!If [IsProd, 1, 2], '1']
",
        )
        .unwrap();
        let not: Vec<&String> = holds.iter().filter(|(_, holds)| !**holds).map(|(name, _)| name).collect();
        assert_eq!(not, ["Neither"]);
        assert_eq!(holds.len(), 9);
    }

    #[test]
    fn what_is_no_condition_is_said_at_its_place() {
        let problems = evaluated(
            "Conditions:
  A: !Not [!Condition B]
  B: !Not [!Condition A]
  C: !Equals [!Ref Nobody, x]
  D: [1]
  E: !Condition Nothing
  F: !Equals [1]
",
        )
        .unwrap_err();
        insta::assert_snapshot!(problems.join("\n"), @"
        2:3 the condition `A` depends on itself
        3:3 the condition `B` depends on itself
        4:20 `Nobody` has no value here
        5:6 expected a condition function, found a list
        6:17 there is no condition `Nothing`
        7:14 `Fn::Equals` takes two values
        ");
    }
}
