//! `AWSTemplateFormatVersion`.

use crate::diagnostic::Diagnostic;
use crate::template::{Map, Node};
use crate::validate::{Rule, Subject};

pub(super) const RULE: Rule = Rule {
    id: "structure/version",
    why: "CloudFormation knows one format version and refuses others.",
    wrong: "AWSTemplateFormatVersion: 2010-09-10\nResources:\n  Topic: {Type: AWS::SNS::Topic}\n",
    right: "AWSTemplateFormatVersion: 2010-09-09\nResources:\n  Topic: {Type: AWS::SNS::Topic}\n",
    check,
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let root = &subject.template.root;
    let Some(version) = root.get("AWSTemplateFormatVersion") else { return };
    if version.as_str() != Some("2010-09-09") {
        let span =
            version.span.or_else(|| root.as_map().and_then(|map: &Map| map.key_span("AWSTemplateFormatVersion")));
        let shown = version.as_str().map_or_else(|| Node::kind(version).to_owned(), |text| format!("`{text}`"));
        found.push(
            Diagnostic::error(RULE.id, format!("the only format version is 2010-09-09, and this is {shown}"))
                .at(span)
                .help("Write `AWSTemplateFormatVersion: '2010-09-09'`."),
        );
    }
}
