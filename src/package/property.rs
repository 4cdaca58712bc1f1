//! Which property of which resource names something on this machine, and what it becomes: the table
//! of what `sam package` and `aws cloudformation package` upload. Pure.

use crate::template::{Map, Node, Span, Template, Value};

/// What a property may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Takes {
    /// Code that Lambda unpacks: a folder or a single file, which becomes a zip, or a ready zip.
    Code,
    /// A folder, which becomes a zip, or a file, which is uploaded as it is.
    Archive,
    /// A file, which is uploaded as it is.
    File,
    /// A file of the project that CloudFormation or API Gateway interprets; never outside it.
    Definition,
    /// Another template: not packaged yet.
    Template,
    /// A container image: not packaged yet.
    Image,
}

/// The form in which the property names the uploaded object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// `s3://bucket/key`, or with a version `{Bucket, Key, Version}`: what SAM's types take.
    Sam,
    /// `s3://bucket/key`.
    Url,
    /// A map with these keys; the version's is left out when there is none to tell.
    Parts {
        /// The bucket's key.
        bucket: &'static str,
        /// The key's key.
        key: &'static str,
        /// The version's key, where the type has one.
        version: Option<&'static str>,
    },
}

/// A property that is packaged.
#[derive(Debug)]
pub struct Row {
    /// The resource's type.
    pub resource: &'static str,
    /// The property's path in `Properties`; `*` is any key.
    pub property: &'static [&'static str],
    /// What it may name.
    pub takes: Takes,
    /// What it becomes.
    pub gives: Gives,
}

const LAMBDA: Gives = Gives::Parts { bucket: "S3Bucket", key: "S3Key", version: Some("S3ObjectVersion") };
const BUCKET_KEY: Gives = Gives::Parts { bucket: "Bucket", key: "Key", version: None };
const BUCKET_KEY_VERSION: Gives = Gives::Parts { bucket: "Bucket", key: "Key", version: Some("Version") };
const BEANSTALK: Gives = Gives::Parts { bucket: "S3Bucket", key: "S3Key", version: None };

const fn row(resource: &'static str, property: &'static [&'static str], takes: Takes, gives: Gives) -> Row {
    Row { resource, property, takes, gives }
}

/// Every property that is packaged.
pub const ROWS: &[Row] = &[
    row("AWS::Serverless::Function", &["CodeUri"], Takes::Code, Gives::Sam),
    row("AWS::Serverless::LayerVersion", &["ContentUri"], Takes::Code, Gives::Sam),
    row("AWS::Lambda::Function", &["Code"], Takes::Code, LAMBDA),
    row("AWS::Lambda::LayerVersion", &["Content"], Takes::Code, LAMBDA),
    row("AWS::Serverless::Api", &["DefinitionUri"], Takes::Definition, Gives::Sam),
    row("AWS::Serverless::HttpApi", &["DefinitionUri"], Takes::Definition, Gives::Sam),
    row("AWS::Serverless::StateMachine", &["DefinitionUri"], Takes::Definition, BUCKET_KEY_VERSION),
    row("AWS::Serverless::GraphQLApi", &["SchemaUri"], Takes::Definition, Gives::Url),
    row("AWS::Serverless::GraphQLApi", &["Functions", "*", "CodeUri"], Takes::Definition, Gives::Url),
    row("AWS::Serverless::GraphQLApi", &["Resolvers", "*", "*", "CodeUri"], Takes::Definition, Gives::Url),
    row("AWS::AppSync::GraphQLSchema", &["DefinitionS3Location"], Takes::Definition, Gives::Url),
    row("AWS::AppSync::Resolver", &["RequestMappingTemplateS3Location"], Takes::Definition, Gives::Url),
    row("AWS::AppSync::Resolver", &["ResponseMappingTemplateS3Location"], Takes::Definition, Gives::Url),
    row("AWS::AppSync::Resolver", &["CodeS3Location"], Takes::Definition, Gives::Url),
    row("AWS::AppSync::FunctionConfiguration", &["RequestMappingTemplateS3Location"], Takes::Definition, Gives::Url),
    row("AWS::AppSync::FunctionConfiguration", &["ResponseMappingTemplateS3Location"], Takes::Definition, Gives::Url),
    row("AWS::AppSync::FunctionConfiguration", &["CodeS3Location"], Takes::Definition, Gives::Url),
    row("AWS::ApiGateway::RestApi", &["BodyS3Location"], Takes::Definition, BUCKET_KEY),
    row("AWS::ApiGatewayV2::Api", &["BodyS3Location"], Takes::Definition, BUCKET_KEY),
    row("AWS::StepFunctions::StateMachine", &["DefinitionS3Location"], Takes::Definition, BUCKET_KEY_VERSION),
    row("AWS::ElasticBeanstalk::ApplicationVersion", &["SourceBundle"], Takes::Archive, BEANSTALK),
    row("AWS::Glue::Job", &["Command", "ScriptLocation"], Takes::File, Gives::Url),
    row("AWS::CloudFormation::ModuleVersion", &["ModulePackage"], Takes::Archive, Gives::Url),
    row("AWS::CloudFormation::ResourceVersion", &["SchemaHandlerPackage"], Takes::Archive, Gives::Url),
    row("AWS::Serverless::Function", &["ImageUri"], Takes::Image, Gives::Url),
    row("AWS::CloudFormation::Stack", &["TemplateURL"], Takes::Template, Gives::Url),
    row("AWS::CloudFormation::StackSet", &["TemplateURL"], Takes::Template, Gives::Url),
    row("AWS::Serverless::Application", &["Location"], Takes::Template, Gives::Url),
];

/// `Fn::Transform` with `AWS::Include`, wherever it stands.
const INCLUDE: Row = row("AWS::Include", &["Location"], Takes::Definition, Gives::Url);

/// A step on the way from the template's root to a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// A property that names something on this machine.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    /// The resource; empty for an include outside one.
    pub(super) logical_id: String,
    /// Its type.
    pub(super) resource: &'static str,
    /// The property's name.
    pub(super) property: String,
    /// From the template's root.
    pub(super) path: Vec<Step>,
    /// What is written there, relative to the template's folder.
    pub(super) local: String,
    /// Where it is written.
    pub(super) span: Option<Span>,
    /// What it may name.
    pub(super) takes: Takes,
    /// What it becomes.
    pub(super) gives: Gives,
    /// The function's runtime when it is one that a build makes the code for.
    pub(super) compiled: bool,
}

/// The references of a template, in its order.
pub(super) fn references(template: &Template) -> Vec<Reference> {
    let mut found = Vec::new();
    let global_function = template.root.path(&["Globals", "Function"]);
    for (logical_id, resource) in template.section("Resources").into_iter().flat_map(Map::iter) {
        let Some(kind) = resource.get("Type").and_then(Node::as_str) else { continue };
        for row in ROWS.iter().filter(|row| row.resource == kind) {
            let path = vec![key("Resources"), key(logical_id), key("Properties")];
            let mut reference = Reference {
                logical_id: logical_id.to_owned(),
                resource: row.resource,
                property: row.property.join("."),
                path,
                local: String::new(),
                span: None,
                takes: row.takes,
                gives: row.gives,
                compiled: is_compiled(resource, global_function),
            };
            match resource.get("Properties") {
                _ if is_image(resource, global_function) != (row.takes == Takes::Image) => {}
                properties if row.takes == Takes::Image => {
                    let uri = properties.and_then(|all| all.get("ImageUri"));
                    let uri = uri.or_else(|| global_function?.get("ImageUri")).filter(|node| !node.is_null());
                    let text = uri.map_or(Some(""), Node::as_str).filter(|text| !is_in_registry(text));
                    if let Some(text) = text {
                        let span = uri.or_else(|| resource.get("Type")).and_then(|node| node.span);
                        found.push(Reference { local: text.to_owned(), span, ..reference });
                    }
                }
                Some(properties)
                    if properties.path(row.property).is_some_and(|node| !node.is_null())
                        || row.property.contains(&"*") =>
                {
                    descend(properties, row.property, &mut reference, &mut found);
                }
                properties => {
                    if let Some((local, span)) = by_default(kind, properties, global_function, resource) {
                        reference.path.extend(row.property.iter().map(|name| key(name)));
                        found.push(Reference { local, span, ..reference });
                    }
                }
            }
        }
    }
    includes(&template.root, &mut Vec::new(), &mut found, "");
    found
}

/// What a function without code of its own takes: that of Globals, and without it the template's
/// whole folder, as `sam` does it.
fn by_default(
    kind: &str,
    properties: Option<&Node>,
    globals: Option<&Node>,
    resource: &Node,
) -> Option<(String, Option<Span>)> {
    if kind != "AWS::Serverless::Function" || properties.is_some_and(|all| all.get("InlineCode").is_some()) {
        return None;
    }
    match globals.and_then(|globals| globals.get("CodeUri")) {
        Some(node) => node.as_str().filter(|text| is_local(text)).map(|text| (text.to_owned(), node.span)),
        None => Some((".".to_owned(), resource.get("Type").and_then(|node| node.span).or(resource.span))),
    }
}

fn is_image(resource: &Node, globals: Option<&Node>) -> bool {
    let own = resource.path(&["Properties", "PackageType"]);
    own.or_else(|| globals?.get("PackageType")).and_then(Node::as_str) == Some("Image")
}

/// Whether an image is named where Lambda can pull it: by the host of a registry.
fn is_in_registry(text: &str) -> bool {
    text.split_once('/').is_some_and(|(host, _)| host.contains(".dkr.ecr.") || host == "public.ecr.aws")
}

/// Whether the code is what a build makes: it may be missing because nobody has built it.
fn is_compiled(resource: &Node, globals: Option<&Node>) -> bool {
    let runtime = resource.path(&["Properties", "Runtime"]).or_else(|| globals?.get("Runtime"));
    runtime
        .and_then(Node::as_str)
        .is_some_and(|runtime| ["provided", "go", "java", "dotnet"].iter().any(|prefix| runtime.starts_with(prefix)))
        || resource.path(&["Metadata", "BuildMethod"]).is_some()
}

/// Follows a property's path, through every key at a `*`.
fn descend(node: &Node, path: &[&str], reference: &mut Reference, found: &mut Vec<Reference>) {
    let Some((first, rest)) = path.split_first() else {
        if let Some(text) = node.as_str().filter(|text| is_local(text)) {
            found.push(Reference { local: text.to_owned(), span: node.span, ..reference.clone() });
        }
        return;
    };
    for (name, child) in node.as_map().into_iter().flat_map(Map::iter) {
        if *first == "*" || *first == name {
            reference.path.push(key(name));
            descend(child, rest, reference, found);
            reference.path.pop();
        }
    }
}

/// Every `AWS::Include` below `node`.
fn includes(node: &Node, path: &mut Vec<Step>, found: &mut Vec<Reference>, logical_id: &str) {
    match &node.value {
        Value::Map(map) => {
            let location = node.path(&["Parameters", "Location"]);
            let is_include = node.get("Name").and_then(Node::as_str) == Some(INCLUDE.resource)
                && path
                    .iter()
                    .rev()
                    .any(|step| matches!(step, Step::Key(key) if key == "Fn::Transform" || key == "Transform"));
            if let (true, Some(location)) = (is_include, location) {
                if let Some(text) = location.as_str().filter(|text| is_local(text)) {
                    let mut path = path.clone();
                    path.extend([key("Parameters"), key("Location")]);
                    found.push(Reference {
                        logical_id: logical_id.to_owned(),
                        resource: INCLUDE.resource,
                        property: "Location".to_owned(),
                        path,
                        local: text.to_owned(),
                        span: location.span,
                        takes: INCLUDE.takes,
                        gives: INCLUDE.gives,
                        compiled: false,
                    });
                }
                return;
            }
            let in_resources = path.as_slice() == [key("Resources")];
            for (name, child) in map.iter() {
                path.push(key(name));
                includes(child, path, found, if in_resources { name } else { logical_id });
                path.pop();
            }
        }
        Value::List(items) => {
            for (index, child) in items.iter().enumerate() {
                path.push(Step::Index(index));
                includes(child, path, found, logical_id);
                path.pop();
            }
        }
        _ => {}
    }
}

/// Whether a text names something on this machine and not on S3 or a web server.
fn is_local(text: &str) -> bool {
    !["s3://", "https://", "http://"].iter().any(|scheme| text.starts_with(scheme))
}

fn key(name: &str) -> Step {
    Step::Key(name.to_owned())
}

/// Puts `value` at the end of `path`, making the last maps where they are missing.
pub(super) fn set(root: &mut Node, path: &[Step], value: Node) {
    let Some((first, rest)) = path.split_first() else {
        let span = root.span;
        *root = value.at(span);
        return;
    };
    match (first, &mut root.value) {
        (Step::Index(index), Value::List(items)) => {
            if let Some(item) = items.get_mut(*index) {
                set(item, rest, value);
            }
        }
        (Step::Key(name), Value::Map(map)) => {
            if !map.contains_key(name) {
                map.insert(name.clone(), Map::new());
            }
            if let Some(child) = map.get_mut(name) {
                set(child, rest, value);
            }
        }
        (Step::Key(_), slot @ Value::Null) => {
            *slot = Value::Map(Map::new());
            set(root, path, value);
        }
        _ => {}
    }
}

/// The value that names an uploaded object.
pub(super) fn location(gives: Gives, bucket: &str, object_key: &str, version_id: Option<&str>) -> Node {
    let url = || Node::from(format!("s3://{bucket}/{object_key}"));
    match (gives, version_id) {
        (Gives::Url, _) | (Gives::Sam, None) => url(),
        (Gives::Sam, Some(_)) => location(BUCKET_KEY_VERSION, bucket, object_key, version_id),
        (Gives::Parts { bucket: bucket_name, key: key_name, version: version_name }, version_id) => {
            let mut map = Map::new();
            map.insert(bucket_name, bucket);
            map.insert(key_name, object_key);
            if let (Some(name), Some(version_id)) = (version_name, version_id) {
                map.insert(name, version_id);
            }
            Node::from(map)
        }
    }
}

/// Gives every resource the name that SAM CLI gives it, so that a stack can go from one tool to the
/// other without a change: `Metadata: {SamResourceId: <logical id>}`.
pub(super) fn name_resources(root: &mut Node) {
    let Some(resources) = root.as_map_mut().and_then(|map| map.get_mut("Resources")).and_then(Node::as_map_mut) else {
        return;
    };
    for (logical_id, resource) in resources.iter_mut() {
        let Some(resource) = resource.as_map_mut() else { continue };
        if resource.get("Metadata").is_none_or(Node::is_null) {
            resource.insert("Metadata", Map::new());
        }
        if let Some(metadata) = resource.get_mut("Metadata").and_then(Node::as_map_mut)
            && !metadata.contains_key("SamResourceId")
        {
            metadata.insert("SamResourceId", logical_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::template::Source;

    fn template(json: serde_json::Value) -> Template {
        Template { source: Source::new("t", "").into(), root: Node::from(json) }
    }

    fn found(json: serde_json::Value) -> Vec<(String, String, String)> {
        let references = references(&template(json));
        references.into_iter().map(|reference| (reference.logical_id, reference.property, reference.local)).collect()
    }

    #[test]
    fn what_is_local_is_found_and_the_rest_is_left_alone() {
        let names = found(json!({"Resources": {
            "A": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "src/"}},
            "B": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "s3://b/k"}},
            "C": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": {"Bucket": "b", "Key": "k"}}},
            "D": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": {"Ref": "P"}}},
            "E": {"Type": "AWS::Serverless::Function", "Properties": {"InlineCode": "x"}},
            "F": {"Type": "AWS::Serverless::Function", "Properties": {
                "PackageType": "Image", "ImageUri": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/x:1"
            }},
            "L": {"Type": "AWS::Serverless::Function", "Properties": {"PackageType": "Image", "ImageUri": "x:latest"}},
            "M": {"Type": "AWS::Serverless::Function", "Properties": {"PackageType": "Image"}},
            "G": {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"ZipFile": "x"}}},
            "H": {"Type": "AWS::Lambda::Function", "Properties": {"Code": "h"}},
            "I": {"Type": "AWS::Serverless::Api", "Properties": {"StageName": "x"}},
            "J": {"Type": "AWS::Serverless::GraphQLApi", "Properties": {"Functions": {"f": {"CodeUri": "f.js"}}}},
            "K": {"Type": "AWS::Serverless::Function"},
        }}));
        let names: Vec<_> = names.iter().map(|(id, property, local)| format!("{id}.{property}={local}")).collect();
        assert_eq!(
            names,
            [
                "A.CodeUri=src/",
                "L.ImageUri=x:latest",
                "M.ImageUri=",
                "H.Code=h",
                "J.Functions.*.CodeUri=f.js",
                "K.CodeUri=."
            ]
        );
    }

    #[test]
    fn a_function_without_code_takes_that_of_globals() {
        let function = json!({"Type": "AWS::Serverless::Function", "Properties": {"Handler": "h"}});
        let names = found(json!({"Globals": {"Function": {"CodeUri": "all"}}, "Resources": {"A": function}}));
        assert_eq!(names, [("A".to_owned(), "CodeUri".to_owned(), "all".to_owned())]);
        let names = found(json!({"Globals": {"Function": {"CodeUri": "s3://b/k"}}, "Resources": {"A": function}}));
        assert_eq!(names, []);
    }

    #[test]
    fn includes_are_found_anywhere() {
        let include =
            |location: &str| json!({"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": location}}});
        let names = found(json!({"Resources": {
            "A": {"Type": "AWS::Serverless::Api", "Properties": {"DefinitionBody": include("api.yaml")}},
            "B": {"Type": "X", "Properties": {"L": [include("s3://b/k")]}},
        }}));
        assert_eq!(names, [("A".to_owned(), "Location".to_owned(), "api.yaml".to_owned())]);
    }

    #[test]
    fn an_object_is_named_in_the_form_that_the_property_takes() {
        assert_eq!(location(Gives::Sam, "b", "k", None).to_json(), json!("s3://b/k"));
        assert_eq!(
            location(Gives::Sam, "b", "k", Some("v")).to_json(),
            json!({"Bucket": "b", "Key": "k", "Version": "v"})
        );
        assert_eq!(
            location(LAMBDA, "b", "k", Some("v")).to_json(),
            json!({"S3Bucket": "b", "S3Key": "k", "S3ObjectVersion": "v"})
        );
        assert_eq!(location(BEANSTALK, "b", "k", Some("v")).to_json(), json!({"S3Bucket": "b", "S3Key": "k"}));
    }

    #[test]
    fn every_resource_gets_its_name_once() {
        let mut root = Node::from(json!({"Resources": {
            "A": {"Type": "X"}, "B": {"Type": "X", "Metadata": {"k": 1}}, "C": {"Metadata": {"SamResourceId": "own"}},
        }}));
        name_resources(&mut root);
        assert_eq!(
            root.to_json(),
            json!({"Resources": {
                "A": {"Type": "X", "Metadata": {"SamResourceId": "A"}},
                "B": {"Type": "X", "Metadata": {"k": 1, "SamResourceId": "B"}},
                "C": {"Metadata": {"SamResourceId": "own"}},
            }})
        );
    }

    #[test]
    fn no_property_stands_twice_in_the_table() {
        for (index, row) in ROWS.iter().enumerate() {
            for other in &ROWS[index + 1..] {
                assert!((row.resource, row.property) != (other.resource, other.property), "{row:?}");
            }
        }
    }
}
