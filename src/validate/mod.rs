//! Rules over templates: offline, in milliseconds, every problem at once. Pure: what folders hold comes
//! in as a [`Listing`], the date as a value.

pub mod listing;
pub mod rule;
pub mod rules;
mod shape;
pub mod subject;

use time::Date;

use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::template::Template;

pub use listing::{Entry, Listing};
pub use rule::Rule;
pub use subject::Subject;

/// What is known beside the template.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The day, for what becomes deprecated.
    pub today: Date,
    /// What the folders hold that the template names; `None` checks the template alone.
    pub files: Option<&'a Listing>,
}

/// Everything that is wrong with a template, in the order of the file.
pub fn validate(template: &Template, options: Options<'_>) -> Diagnostics {
    let subject = Subject::new(template, options);
    let mut items = Vec::new();
    for rule in rules::all() {
        (rule.check)(&subject, &mut items);
    }
    let mut found = Diagnostics::new(template.source.clone(), items);
    found.sort();
    deduplicate(&mut found.items);
    found
}

/// An anchor that is used in several places is wrong once; of two findings that say the same about
/// one place the first stays.
fn deduplicate(items: &mut Vec<Diagnostic>) {
    let mut seen = std::collections::HashSet::new();
    items.retain(|item| item.span.is_none() || seen.insert((item.span, item.rule, item.message.clone())));
}

/// How many findings there are of each severity: errors, warnings, remarks.
pub fn count(found: &Diagnostics) -> (usize, usize, usize) {
    let of = |severity| found.items.iter().filter(|item| item.severity == severity).count();
    (of(Severity::Error), of(Severity::Warning), of(Severity::Info))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Node;
    use crate::template::read::read_bytes;

    const WHOLE: &str = "\
Transform: [AWS::Serverless-2016-10-31]
Description: x
Metadata: {A: b}
Parameters: {P: {Type: String, Default: a, AllowedValues: [a], NoEcho: true, MinLength: 1}}
Mappings: {M: {a: {b: c}}}
Conditions: {C: {'Fn::Equals': [a, b]}, D: {'Fn::And': [{Condition: C}, {'Fn::Not': [{Condition: C}]}]}}
Globals: {Function: {Timeout: 3, Environment: {Variables: {A: b}}}}
Resources:
  F:
    Type: AWS::Serverless::Function
    Condition: C
    DependsOn: [T]
    Metadata: {BuildMethod: x}
    Connectors: {C: {Properties: {}}}
    IgnoreGlobals: [Timeout]
    Properties:
      CodeUri: src
      Handler: app.handler
      Runtime: python3.13
      MemorySize: 128
      EphemeralStorage: {Size: 512}
      AutoPublishAlias: live
      DeploymentPreference: {Type: AllAtOnce, Alarms: [{Ref: A}], Enabled: true}
      Events: {E: {Type: Api, Properties: {Path: /, Method: get}}}
      Layers: [{'Fn::Sub': ['${x}', {x: {'Fn::GetAtt': [T, Arn]}}]}]
  T:
    Type: AWS::SNS::Topic
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
    Properties: {A: {'Fn::FindInMap': [M, a, b]}, B: {'Fn::If': [C, 1, 2]}, C: {'Fn::Select': [0, {'Fn::Split': [a, b]}]}}
Outputs: {O: {Value: {'Fn::Join': [a, [b]]}, Condition: C, Export: {Name: x}}}
";

    fn places(value: &serde_json::Value, path: &str, found: &mut Vec<String>) {
        let children: Vec<(String, &serde_json::Value)> = match value {
            serde_json::Value::Array(items) => {
                items.iter().enumerate().map(|(key, item)| (key.to_string(), item)).collect()
            }
            serde_json::Value::Object(map) => {
                map.iter().map(|(key, item)| (key.replace('~', "~0").replace('/', "~1"), item)).collect()
            }
            _ => Vec::new(),
        };
        for (key, item) in children {
            let path = format!("{path}/{key}");
            places(item, &path, found);
            found.push(path);
        }
    }

    #[test]
    fn every_value_may_be_of_every_other_type_without_a_panic() {
        let template = read_bytes("t.yaml", WHOLE.as_bytes()).unwrap();
        let root = template.root.to_json();
        let mut found = Vec::new();
        places(&root, "", &mut found);
        let options = Options { today: Date::MIN, files: None };
        for path in &found {
            for other in [
                "null",
                "true",
                "7",
                "-1.5",
                "\"\"",
                "\"é${\"",
                "[]",
                "[1, null]",
                "{}",
                "{\"a\": null}",
                "{\"Ref\": []}",
                "{\"Fn::If\": []}",
                "{\"Fn::Sub\": [\"${\", {}]}",
                "{\"Fn::GetAtt\": \".\"}",
            ] {
                let mut changed = root.clone();
                *changed.pointer_mut(path).unwrap() = serde_json::from_str(other).unwrap();
                let template = Template { source: template.source.clone(), root: Node::from(changed) };
                let _ = validate(&template, options);
                let _ = rules::files::wanted(&template);
            }
        }
    }
}
