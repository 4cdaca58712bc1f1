//! Properties of SAM's types: those that do not exist, those that are missing, those of another kind.

use crate::diagnostic::Diagnostic;
use crate::template::Node;
use crate::transform::resource::{self, Spec};
use crate::validate::subject::Resource;
use crate::validate::{Rule, Subject};

pub(super) const UNKNOWN: Rule = Rule {
    id: "serverless/property",
    why: "SAM's transform refuses a resource with a property that its type does not have.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nResources:\n  Table: {Type: AWS::Serverless::SimpleTable, Properties: {TabelName: news}}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  Table: {Type: AWS::Serverless::SimpleTable, Properties: {TableName: news}}\n",
    check: check_unknown,
};

pub(super) const REQUIRED: Rule = Rule {
    id: "serverless/required",
    why: "SAM's transform refuses a resource without a property that its type needs.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nResources:\n  Api: {Type: AWS::Serverless::Api}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  Api: {Type: AWS::Serverless::Api, Properties: {StageName: prod, DefinitionBody: {swagger: '2.0', paths: {}}}}\n",
    check: check_required,
};

pub(super) const VALUE: Rule = Rule {
    id: "serverless/value",
    why: "SAM's transform refuses a value of another kind than the property takes.",
    wrong: "Transform: AWS::Serverless-2016-10-31\nResources:\n  Table: {Type: AWS::Serverless::SimpleTable, Properties: {PrimaryKey: id}}\n",
    right: "Transform: AWS::Serverless-2016-10-31\nResources:\n  Table: {Type: AWS::Serverless::SimpleTable, Properties: {PrimaryKey: {Name: id, Type: String}}}\n",
    check: check_value,
};

/// SAM's resources of known types whose properties are written out, or left out.
fn resources<'a, 't>(subject: &'a Subject<'t>) -> impl Iterator<Item = (&'a Resource<'t>, &'static Spec)> {
    subject.resources.iter().filter_map(|item| {
        let is_open = match item.body.get("Properties") {
            None => true,
            Some(node) => node.as_map().is_some_and(super::is_written_out),
        };
        Some((item, resource::lookup(item.kind).filter(|_| is_open)?))
    })
}

/// The specs of the types that have Globals, with what they say.
fn globals<'a, 't>(subject: &'a Subject<'t>) -> impl Iterator<Item = (&'static Spec, &'t Node)> + use<'a, 't> {
    subject.template.section("Globals").into_iter().flat_map(|section| {
        section.iter().filter_map(|(name, node)| Some((resource::lookup(&format!("AWS::Serverless::{name}"))?, node)))
    })
}

fn check_unknown(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (item, spec) in resources(subject) {
        if let Some(properties) = item.properties() {
            super::unknown(UNKNOWN.id, properties, spec.properties, spec.kind, found);
        }
    }
    for (spec, node) in globals(subject) {
        if let Some(properties) = node.as_map().filter(|map| super::is_written_out(map)) {
            super::unknown(UNKNOWN.id, properties, spec.properties, spec.kind, found);
        }
    }
}

fn check_required(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (item, spec) in resources(subject) {
        let has = |name: &str| subject.property(item, name).is_some_and(|node| !node.is_null());
        super::missing(REQUIRED.id, has, spec.properties, (&format!("`{}`", item.id), item.span), found);
    }
}

fn check_value(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (item, spec) in resources(subject) {
        for property in spec.properties {
            // `DeploymentPreference` and sizes have rules of their own that say more.
            if let Some(node) = item.properties().and_then(|properties| properties.get(property.name)) {
                super::misfit(VALUE.id, property, node, found);
            }
        }
    }
    for (spec, node) in globals(subject) {
        for property in spec.properties {
            if let Some(node) = node.get(property.name) {
                super::misfit(VALUE.id, property, node, found);
            }
        }
    }
}
