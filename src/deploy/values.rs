//! What nodes of a plain template say, as far as it can be told without CloudFormation: text, `Ref`,
//! `Fn::If`, `Fn::Sub`, `Fn::Join` and `Fn::FindInMap`. What a resource's attribute is, only
//! CloudFormation knows. Pure.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::aws::cloudformation::StackResource;
use crate::template::conditions::{self, Scope};
use crate::template::{Map, Node, Source, Template};

/// Functions in each other deeper than this are no template's.
const DEEPEST: usize = 32;

/// Where the values come from.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    /// The template whose conditions and mappings hold.
    pub template: &'a Node,
    /// The parameters' values.
    pub parameters: &'a IndexMap<String, String>,
    /// The stack's resources, for `Ref`.
    pub resources: &'a [StackResource],
    /// The stack's name.
    pub stack: &'a str,
    /// The stack's id, which says region and account; empty before there is a stack.
    pub stack_id: &'a str,
}

impl Values<'_> {
    /// What one node says; `None` is `AWS::NoValue`.
    ///
    /// # Errors
    /// What cannot be told.
    pub fn text(&self, node: &Node) -> Result<Option<String>, String> {
        self.text_at(node, 0)
    }

    /// What a list says, or `Fn::If` between lists, or one text; `AWS::NoValue` is left out.
    ///
    /// # Errors
    /// What cannot be told.
    pub fn texts(&self, node: &Node) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        self.collect(node, 0, &mut found)?;
        Ok(found)
    }

    /// Whether a node says yes: `true`, or text that is neither empty nor a no. SAM takes a function
    /// that it cannot tell for a yes; here the condition decides.
    ///
    /// # Errors
    /// What cannot be told.
    pub fn truth(&self, node: &Node) -> Result<bool, String> {
        if let Some(known) = node.as_bool() {
            return Ok(known);
        }
        let text = self.text(node)?.unwrap_or_default();
        Ok(!matches!(text.to_ascii_lowercase().as_str(), "" | "false" | "no" | "0"))
    }

    fn collect(&self, node: &Node, depth: usize, found: &mut Vec<String>) -> Result<(), String> {
        if depth > DEEPEST {
            return Err("it is nested too deep".to_owned());
        }
        if let Some(items) = node.as_list() {
            return items.iter().try_for_each(|item| self.collect(item, depth + 1, found));
        }
        if let Some(("Fn::If", arguments)) = node.intrinsic() {
            return self.collect(self.branch(arguments)?, depth + 1, found);
        }
        found.extend(self.text_at(node, depth)?);
        Ok(())
    }

    /// The items of a list, or of `Fn::If` between lists or items; `AWS::NoValue` is left out.
    ///
    /// # Errors
    /// What cannot be told.
    pub fn items<'n>(&self, node: &'n Node) -> Result<Vec<&'n Node>, String> {
        let mut found = Vec::new();
        self.flatten(node, 0, &mut found)?;
        Ok(found)
    }

    fn flatten<'n>(&self, node: &'n Node, depth: usize, found: &mut Vec<&'n Node>) -> Result<(), String> {
        if depth > DEEPEST {
            return Err("it is nested too deep".to_owned());
        }
        if let Some(items) = node.as_list() {
            return items.iter().try_for_each(|item| self.flatten(item, depth + 1, found));
        }
        match node.intrinsic() {
            Some(("Fn::If", arguments)) => return self.flatten(self.branch(arguments)?, depth + 1, found),
            Some(("Ref", name)) if name.as_str() == Some("AWS::NoValue") => {}
            _ => found.push(node),
        }
        Ok(())
    }

    fn text_at(&self, node: &Node, depth: usize) -> Result<Option<String>, String> {
        if depth > DEEPEST {
            return Err("it is nested too deep".to_owned());
        }
        if let Some(text) = super::samconfig::scalar(node) {
            return Ok(Some(text));
        }
        match node.intrinsic() {
            Some(("Ref", name)) => self.reference(name.as_str().unwrap_or_default()),
            Some(("Fn::If", arguments)) => self.text_at(self.branch(arguments)?, depth + 1),
            Some(("Fn::Sub", argument)) => self.substituted(argument, depth).map(Some),
            Some(("Fn::Join", argument)) => self.joined(argument, depth).map(Some),
            Some(("Fn::FindInMap", argument)) => {
                let found = self.in_map(argument, depth)?;
                self.text_at(found, depth + 1)
            }
            Some((function, _)) => Err(format!("{function} is evaluated by CloudFormation alone")),
            None => Err(format!("it is {}", node.kind())),
        }
    }

    fn reference(&self, name: &str) -> Result<Option<String>, String> {
        let part = |at: usize| self.stack_id.split(':').nth(at).filter(|part| !part.is_empty());
        let pseudo = match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::StackName" => Some(self.stack),
            "AWS::StackId" => Some(self.stack_id).filter(|id| !id.is_empty()),
            "AWS::Partition" => part(1),
            "AWS::Region" => part(3),
            "AWS::AccountId" => part(4),
            _ => None,
        };
        let resource = || {
            let found = self.resources.iter().find(|resource| resource.logical_id == name)?;
            found.physical_id.as_deref()
        };
        pseudo
            .or_else(resource)
            .or_else(|| self.parameters.get(name).map(String::as_str))
            .map(|text| Some(text.to_owned()))
            .ok_or_else(|| format!("the stack has no {name}"))
    }

    fn branch<'n>(&self, arguments: &'n Node) -> Result<&'n Node, String> {
        let Some([condition, yes, no]) = arguments.as_list() else {
            return Err("Fn::If wants three things".to_owned());
        };
        Ok(if self.holds(condition.as_str().unwrap_or_default())? { yes } else { no })
    }

    /// Whether a condition of the template holds.
    ///
    /// # Errors
    /// It cannot be told, or there is none.
    pub fn holds(&self, name: &str) -> Result<bool, String> {
        let mut scope = Scope::default();
        for (name, value) in self.parameters {
            scope.values.insert(name.clone(), Node::from(value.as_str()));
        }
        for name in ["AWS::Region", "AWS::AccountId", "AWS::StackName", "AWS::StackId", "AWS::Partition"] {
            if let Ok(Some(value)) = self.reference(name) {
                scope.values.insert(name.to_owned(), Node::from(value));
            }
        }
        let source = Arc::new(Source::new("the stack's template", ""));
        let template = Template { source, root: self.template.clone() };
        let all =
            conditions::evaluate(&template, &scope).map_err(|_| format!("the condition {name} cannot be told"))?;
        all.get(name).copied().ok_or_else(|| format!("there is no condition {name}"))
    }

    fn substituted(&self, argument: &Node, depth: usize) -> Result<String, String> {
        let empty = Map::new();
        let (text, own) = match argument.as_list() {
            Some([text, own]) => (text.as_str(), own.as_map().unwrap_or(&empty)),
            Some(_) => (None, &empty),
            None => (argument.as_str(), &empty),
        };
        let mut rest = text.ok_or("Fn::Sub wants a text")?;
        let mut whole = String::new();
        while let Some((before, after)) = rest.split_once("${") {
            whole.push_str(before);
            let (name, after) = after.split_once('}').ok_or("Fn::Sub has a `${` without its `}`")?;
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                whole.push_str("${");
                whole.push_str(literal);
                whole.push('}');
            } else if let Some(node) = own.get(name) {
                whole.push_str(&self.text_at(node, depth + 1)?.unwrap_or_default());
            } else if !name.contains('.') {
                whole.push_str(&self.reference(name)?.unwrap_or_default());
            } else {
                return Err(format!("{name} is known to CloudFormation alone"));
            }
        }
        whole.push_str(rest);
        Ok(whole)
    }

    fn joined(&self, argument: &Node, depth: usize) -> Result<String, String> {
        let Some([delimiter, items]) = argument.as_list() else {
            return Err("Fn::Join wants a delimiter and a list".to_owned());
        };
        let mut parts = Vec::new();
        self.collect(items, depth + 1, &mut parts)?;
        Ok(parts.join(delimiter.as_str().unwrap_or_default()))
    }

    fn in_map(&self, argument: &Node, depth: usize) -> Result<&Node, String> {
        let Some([map, first, second]) = argument.as_list() else {
            return Err("Fn::FindInMap wants three things".to_owned());
        };
        let mut keys = vec!["Mappings".to_owned()];
        for key in [map, first, second] {
            keys.push(self.text_at(key, depth + 1)?.unwrap_or_default());
        }
        let path: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.template.path(&path).ok_or_else(|| format!("there is nothing at {}", keys[1..].join(".")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with<T>(check: impl Fn(&Values<'_>) -> T) -> T {
        let template = Node::from(json!({
            "Mappings": { "Stages": { "prod": { "Type": "Canary10Percent5Minutes" } } },
            "Conditions": { "IsProd": { "Fn::Equals": [{ "Ref": "Stage" }, "prod"] } }
        }));
        let parameters = IndexMap::from([("Stage".to_owned(), "prod".to_owned())]);
        let resources = [StackResource {
            logical_id: "Alarm".to_owned(),
            physical_id: Some("app-Alarm-1".to_owned()),
            kind: "AWS::CloudWatch::Alarm".to_owned(),
            status: Default::default(),
        }];
        let stack_id = "arn:aws:cloudformation:eu-central-1:123456789012:stack/app/1";
        check(&Values { template: &template, parameters: &parameters, resources: &resources, stack: "app", stack_id })
    }

    fn text(node: serde_json::Value) -> Result<Option<String>, String> {
        with(|values| values.text(&Node::from(node.clone())))
    }

    #[test]
    fn every_function_that_needs_no_attribute_is_told() {
        let said = |node| text(node).unwrap().unwrap();
        assert_eq!(said(json!({ "Ref": "Alarm" })), "app-Alarm-1");
        assert_eq!(said(json!({ "Ref": "AWS::Region" })), "eu-central-1");
        assert_eq!(said(json!({ "Fn::Sub": "${AWS::StackName}-${Stage}-${!Literal}" })), "app-prod-${Literal}");
        assert_eq!(said(json!({ "Fn::Sub": ["${A}/${Stage}", { "A": { "Ref": "Alarm" } }] })), "app-Alarm-1/prod");
        assert_eq!(said(json!({ "Fn::Join": ["-", ["a", { "Ref": "Stage" }, { "Ref": "AWS::NoValue" }]] })), "a-prod");
        assert_eq!(said(json!({ "Fn::FindInMap": ["Stages", { "Ref": "Stage" }, "Type"] })), "Canary10Percent5Minutes");
        assert_eq!(said(json!({ "Fn::If": ["IsProd", { "Ref": "Stage" }, "none"] })), "prod");
        assert_eq!(text(json!({ "Ref": "AWS::NoValue" })), Ok(None));
        assert!(text(json!({ "Fn::GetAtt": ["Alarm", "Arn"] })).unwrap_err().contains("CloudFormation alone"));
        assert!(text(json!({ "Fn::Sub": "${Alarm.Arn}" })).unwrap_err().contains("Alarm.Arn"));
        assert!(text(json!({ "Ref": "Nobody" })).unwrap_err().contains("no Nobody"));
        assert!(text(json!({ "Fn::If": ["IsNot", "a", "b"] })).unwrap_err().contains("no condition IsNot"));
    }

    #[test]
    fn lists_are_flattened_through_their_conditions() {
        let said = |node: serde_json::Value| with(|values| values.texts(&Node::from(node.clone())));
        let alarms = json!({ "Fn::If": ["IsProd", [{ "Ref": "Alarm" }, "two", { "Ref": "AWS::NoValue" }], []] });
        assert_eq!(said(alarms), Ok(vec!["app-Alarm-1".to_owned(), "two".to_owned()]));
        assert_eq!(said(json!([])), Ok(vec![]));
        assert_eq!(said(json!({ "Ref": "Stage" })), Ok(vec!["prod".to_owned()]));
    }

    #[test]
    fn a_no_is_a_no_in_every_way_of_writing_it() {
        let said = |node: serde_json::Value| with(|values| values.truth(&Node::from(node.clone())));
        assert_eq!(said(json!({ "Fn::If": ["IsProd", "false", "true"] })), Ok(false));
        assert_eq!(said(json!({ "Fn::If": ["IsProd", true, false] })), Ok(true));
        assert_eq!(said(json!(false)), Ok(false));
        assert_eq!(said(json!({ "Ref": "AWS::NoValue" })), Ok(false));
        assert_eq!(said(json!("True")), Ok(true));
    }
}
