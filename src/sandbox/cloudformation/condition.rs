//! `Conditions` of a template: each to true or false.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::evaluate::{Blocked, Pseudo, Scope, as_text};
use super::model::Parameter;

/// Evaluates every condition of a template.
pub(super) fn conditions(
    template: &Value,
    parameters: &IndexMap<String, Parameter>,
    pseudo: &Pseudo,
) -> Result<BTreeMap<String, bool>, Blocked> {
    let mut known = BTreeMap::new();
    let declared = super::document::section(template, "Conditions");
    let all = Conditions { template, parameters, pseudo };
    for name in declared.into_iter().flat_map(Map::keys) {
        all.named(name, &mut known, &mut BTreeSet::new())?;
    }
    Ok(known)
}

struct Conditions<'a> {
    template: &'a Value,
    parameters: &'a IndexMap<String, Parameter>,
    pseudo: &'a Pseudo,
}

impl Conditions<'_> {
    fn named(
        &self,
        name: &str,
        known: &mut BTreeMap<String, bool>,
        open: &mut BTreeSet<String>,
    ) -> Result<bool, Blocked> {
        if let Some(value) = known.get(name) {
            return Ok(*value);
        }
        let Some(expression) = self.template["Conditions"].get(name) else {
            return Err(Blocked::invalid(format!(
                "Template format error: Unresolved dependencies [{name}]. Cannot reference resources in the Conditions block of the template"
            )));
        };
        if !open.insert(name.to_owned()) {
            return Err(Blocked::invalid(format!(
                "Template format error: Circular dependency in conditions at {name}"
            )));
        }
        let value = self.truth(expression, known, open)?;
        open.remove(name);
        known.insert(name.to_owned(), value);
        Ok(value)
    }

    fn truth(
        &self,
        expression: &Value,
        known: &mut BTreeMap<String, bool>,
        open: &mut BTreeSet<String>,
    ) -> Result<bool, Blocked> {
        let shape = || {
            Blocked::invalid("Template format error: Every Condition member must be a string or a condition function.")
        };
        let map = expression.as_object().filter(|map| map.len() == 1).ok_or_else(shape)?;
        let (function, argument) = map.iter().next().ok_or_else(shape)?;
        let arguments = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        let count = |least: usize, most: usize| {
            if (least..=most).contains(&arguments.len()) {
                return Ok(());
            }
            Err(Blocked::invalid(format!(
                "Template error: every {function} object requires a list of {least} to {most} parameters."
            )))
        };
        match function.as_str() {
            "Condition" => self.named(argument.as_str().ok_or_else(shape)?, known, open),
            "Fn::Equals" => {
                count(2, 2)?;
                let mut sides = Vec::new();
                for side in arguments {
                    let resource = |name: &str, _: Option<&str>| {
                        Err(Blocked::invalid(format!(
                            "Template format error: Unresolved dependencies [{name}]. Cannot reference resources in the Conditions block of the template"
                        )))
                    };
                    let scope = Scope {
                        template: self.template,
                        parameters: self.parameters,
                        pseudo: self.pseudo,
                        conditions: known,
                        resource: &resource,
                        exports: &BTreeMap::new(),
                        masked: false,
                    };
                    let value = scope.resolve(side)?.unwrap_or(Value::Null);
                    sides.push(as_text(&value).map_or(value, Value::String));
                }
                Ok(sides[0] == sides[1])
            }
            "Fn::Not" => {
                count(1, 1)?;
                Ok(!self.truth(&arguments[0], known, open)?)
            }
            "Fn::And" | "Fn::Or" => {
                count(2, 10)?;
                let mut values = Vec::new();
                for argument in arguments {
                    values.push(self.truth(argument, known, open)?);
                }
                Ok(if function == "Fn::And" { values.iter().all(|v| *v) } else { values.iter().any(|v| *v) })
            }
            _ => Err(shape()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_that_go_in_circles_are_refused() {
        let template = json!({"Conditions": {"A": {"Condition": "B"}, "B": {"Fn::Not": [{"Condition": "A"}]}}});
        let pseudo = Pseudo {
            account: "000000000000".into(),
            region: "eu-west-1".into(),
            stack_id: "arn:stack".into(),
            stack_name: "s".into(),
            notification_arns: vec![],
        };
        assert!(conditions(&template, &IndexMap::new(), &pseudo).is_err());
    }
}
