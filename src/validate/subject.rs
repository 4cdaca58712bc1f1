//! A template prepared for the rules: its resources, what SAM's Globals add, which names exist.

use time::Date;

use super::{Listing, Options};
use crate::template::span::Span;
use crate::template::{Map, Node, Template};

/// SAM's transform, as templates name it.
pub const SERVERLESS_TRANSFORM: &str = "AWS::Serverless-2016-10-31";
/// The transform that brings `Fn::ForEach`, `Fn::Length` and `Fn::ToJsonString`.
pub const LANGUAGE_EXTENSIONS: &str = "AWS::LanguageExtensions";

/// What the rules look at.
#[derive(Debug)]
pub struct Subject<'t> {
    /// The template.
    pub template: &'t Template,
    /// The day.
    pub today: Date,
    /// What the folders hold.
    pub files: Option<&'t Listing>,
    /// The resources that are maps, in their order.
    pub resources: Vec<Resource<'t>>,
    /// The transforms that the template names.
    pub transforms: Vec<&'t str>,
}

/// A resource of the template.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'t> {
    /// Its logical ID.
    pub id: &'t str,
    /// Where the logical ID stands.
    pub span: Option<Span>,
    /// The whole of it.
    pub body: &'t Map,
    /// Its type; empty when it has none.
    pub kind: &'t str,
}

impl<'t> Resource<'t> {
    /// Its properties, when they are a map.
    pub fn properties(&self) -> Option<&'t Map> {
        self.body.get("Properties")?.as_map()
    }

    /// What SAM calls its type in Globals: `Function` of `AWS::Serverless::Function`.
    pub fn short_kind(&self) -> Option<&'t str> {
        self.kind.strip_prefix("AWS::Serverless::")
    }

    /// Whether it is a Lambda function, in SAM's form or in plain CloudFormation.
    pub fn is_function(&self) -> bool {
        matches!(self.kind, "AWS::Serverless::Function" | "AWS::Lambda::Function")
    }
}

impl<'t> Subject<'t> {
    /// Looks through a template.
    pub fn new(template: &'t Template, options: Options<'t>) -> Self {
        let section = template.section("Resources");
        let resources = section.into_iter().flat_map(|resources| {
            resources.iter().filter_map(|(id, node)| {
                let body = node.as_map()?;
                let kind = body.get("Type").and_then(Node::as_str).unwrap_or_default();
                Some(Resource { id, span: resources.key_span(id), body, kind })
            })
        });
        let transforms = match template.root.get("Transform") {
            None => Vec::new(),
            Some(node) => match node.as_list() {
                Some(items) => items.iter().filter_map(transform_name).collect(),
                None => transform_name(node).into_iter().collect(),
            },
        };
        Self { template, today: options.today, files: options.files, resources: resources.collect(), transforms }
    }

    /// Whether SAM's transform runs over the template: samara's does so for a type of SAM's even where
    /// the template forgets to name it.
    pub fn is_serverless(&self) -> bool {
        self.transforms.contains(&SERVERLESS_TRANSFORM)
            || self.resources.iter().any(|resource| resource.short_kind().is_some())
    }

    /// Whether `Fn::ForEach` and its siblings are there.
    pub fn has_language_extensions(&self) -> bool {
        self.transforms.contains(&LANGUAGE_EXTENSIONS)
    }

    /// Whether something makes names that cannot be known from here: a loop, a macro of the account,
    /// an included file, a module.
    pub fn has_unknown_names(&self) -> bool {
        let known = |name: &&str| matches!(*name, SERVERLESS_TRANSFORM | LANGUAGE_EXTENSIONS);
        let generates = |map: &Map| map.keys().any(|key| key.starts_with("Fn::"));
        let sections = ["Resources", "Parameters", "Conditions", "Mappings"];
        !self.transforms.iter().all(known)
            || self.template.root.as_map().is_some_and(generates)
            || sections.iter().any(|name| self.template.section(name).is_some_and(generates))
            || self.resources.iter().any(|resource| resource.kind.ends_with("::MODULE"))
    }

    /// What Globals say for a resource's type.
    pub fn globals(&self, resource: &Resource<'_>) -> Option<&'t Map> {
        self.template.section("Globals")?.get(resource.short_kind()?)?.as_map()
    }

    /// A property of a resource: its own, else what Globals give it.
    pub fn property(&self, resource: &Resource<'t>, name: &str) -> Option<&'t Node> {
        let own = resource.properties().and_then(|properties| properties.get(name));
        own.or_else(|| {
            let ignored = match resource.body.get("IgnoreGlobals") {
                None => false,
                Some(node) => match node.as_list() {
                    Some(names) => names.iter().any(|ignored| ignored.as_str() == Some(name)),
                    None => node.as_str() == Some("*"),
                },
            };
            if ignored { None } else { self.globals(resource)?.get(name) }
        })
    }

    /// The functions.
    pub fn functions(&self) -> impl Iterator<Item = &Resource<'t>> {
        self.resources.iter().filter(|resource| resource.is_function())
    }

    /// The values that a node can have as far as they can be known from here: itself, both sides of a
    /// `Fn::If`, the default and the allowed values of a parameter. Other functions give nothing.
    pub fn literals(&self, node: &'t Node) -> Vec<&'t Node> {
        let mut found = Vec::new();
        self.add_literals(node, &mut found);
        found
    }

    fn add_literals(&self, node: &'t Node, found: &mut Vec<&'t Node>) {
        match node.intrinsic() {
            None => found.push(node),
            Some(("Fn::If", argument)) => {
                for branch in argument.as_list().unwrap_or_default().iter().skip(1) {
                    self.add_literals(branch, found);
                }
            }
            Some(("Ref", name)) => {
                let parameter = self.template.section("Parameters").and_then(|all| all.get(name.as_str()?));
                let Some(parameter) = parameter.filter(|parameter| {
                    matches!(parameter.get("Type").and_then(Node::as_str), Some("String" | "Number"))
                }) else {
                    return;
                };
                found.extend(parameter.get("Default"));
            }
            Some(_) => {}
        }
    }
}

fn transform_name(node: &Node) -> Option<&str> {
    node.as_str().or_else(|| node.get("Name").and_then(Node::as_str))
}
