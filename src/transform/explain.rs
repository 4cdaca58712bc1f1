//! Where a resource of the finished template came from: whose it is, from which place of the template,
//! and by which rule.

use super::Transformed;
use super::deployment_preference::ROLE;
use crate::template::span::Span;
use crate::template::{Map, Node};

/// What is said of a generated resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Its type.
    pub kind: String,
    /// The logical ID of what it was made from; its own where the template has it as it is.
    pub source: String,
    /// The source's type; none where the template does not have the source, as with an implicit API.
    pub source_kind: Option<String>,
    /// What of the source it was made from: `Properties.Events.Get`.
    pub path: String,
    /// Where that stands.
    pub span: Option<Span>,
    /// The rule.
    pub rule: String,
}

/// Source type, generated type, the property that asks for it, and what it does.
const RULES: &[(&str, &str, &str, &str)] = &[
    (
        "Function",
        "AWS::Lambda::Version",
        "AutoPublishAlias",
        "publishes a version; its logical ID ends in a hash of what is published",
    ),
    ("Function", "AWS::Lambda::Alias", "AutoPublishAlias", "is the alias that points to the published version"),
    ("Function", "AWS::Lambda::Url", "FunctionUrlConfig", "gives the function, or its alias, a URL"),
    (
        "Function",
        "AWS::Lambda::EventInvokeConfig",
        "EventInvokeConfig",
        "configures asynchronous calls of the function, or its alias",
    ),
    ("Function", "AWS::SQS::Queue", "EventInvokeConfig", "asks for a destination that does not name its queue"),
    ("Function", "AWS::SNS::Topic", "EventInvokeConfig", "asks for a destination that does not name its topic"),
    (
        "Function",
        "AWS::CodeDeploy::DeploymentGroup",
        "DeploymentPreference",
        "has CodeDeploy shift the alias's traffic",
    ),
    (
        "Function",
        "AWS::CodeDeploy::Application",
        "DeploymentPreference",
        "needs one CodeDeploy application for the whole template",
    ),
    ("Api", "AWS::ApiGateway::Stage", "StageName", "names the stage"),
    ("Api", "AWS::ApiGateway::UsagePlan", "Auth", "asks for a usage plan"),
    ("Api", "AWS::ApiGateway::UsagePlanKey", "Auth", "asks for a usage plan, to which the key belongs"),
    ("Api", "AWS::ApiGateway::ApiKey", "Auth", "asks for a usage plan, which needs a key"),
    ("Api", "AWS::Lambda::Permission", "Auth", "has an authorizer that API Gateway may call"),
    ("Api", "AWS::ApiGateway::DomainName", "Domain", "asks for a custom domain"),
    ("Api", "AWS::ApiGateway::BasePathMapping", "Domain", "asks for a custom domain"),
    ("Api", "AWS::Route53::RecordSetGroup", "Domain", "asks for records that name the custom domain"),
    ("HttpApi", "AWS::ApiGatewayV2::Stage", "StageName", "names the stage; without it there is `$default`"),
    ("HttpApi", "AWS::Lambda::Permission", "Auth", "has an authorizer that API Gateway may call"),
    ("HttpApi", "AWS::ApiGatewayV2::DomainName", "Domain", "asks for a custom domain"),
    ("HttpApi", "AWS::ApiGatewayV2::ApiMapping", "Domain", "asks for a custom domain"),
    ("HttpApi", "AWS::Route53::RecordSetGroup", "Domain", "asks for records that name the custom domain"),
    ("GraphQLApi", "AWS::AppSync::Resolver", "Resolvers", "resolves a field"),
    ("GraphQLApi", "AWS::AppSync::DataSource", "DataSources", "names where data comes from"),
    ("GraphQLApi", "AWS::AppSync::FunctionConfiguration", "Functions", "is a step of resolvers"),
];

/// Explains a resource of the finished template; `None` when it has none of that name. `root` is the
/// template that was transformed.
pub fn explain(root: &Node, transformed: &Transformed, logical_id: &str) -> Option<Explanation> {
    let resource = transformed.template.path(&["Resources", logical_id])?;
    let kind = resource.get("Type").and_then(Node::as_str).unwrap_or_default().to_owned();
    let Some(source) = transformed.origins.get(logical_id) else {
        let rule = "stands in the template as it is".to_owned();
        let source = logical_id.to_owned();
        return Some(Explanation {
            source_kind: Some(kind.clone()),
            kind,
            source,
            path: String::new(),
            span: resource.span,
            rule,
        });
    };
    let found = Explanation {
        kind,
        source: source.clone(),
        source_kind: None,
        path: String::new(),
        span: resource.span,
        rule: String::new(),
    };
    let Some(node) = root.path(&["Resources", source]) else {
        return Some(implicit(root, found));
    };
    let source_kind = node.get("Type").and_then(Node::as_str).unwrap_or_default().to_owned();
    let found = Explanation { source_kind: Some(source_kind.clone()), ..found };
    if let Some(path) = resource.span.filter(|span| node.span != Some(*span)).and_then(|span| place(node, span)) {
        let event = node.path(&path.split('.').chain(["Type"]).collect::<Vec<_>>()).and_then(Node::as_str);
        let rule = match event {
            Some(event) => format!("an event of type {event} needs it"),
            None => format!("{path} needs it"),
        };
        return Some(Explanation { path, rule, ..found });
    }
    let short = source_kind.strip_prefix("AWS::Serverless::").unwrap_or(&source_kind);
    let property = |name: &str| {
        let own = node.path(&["Properties", name]);
        own.map(|own| (format!("Properties.{name}"), own.span)).or_else(|| {
            let global = root.path(&["Globals", short, name])?;
            Some((format!("Globals.{short}.{name}"), global.span))
        })
    };
    for (_, _, name, does) in RULES.iter().filter(|(from, made, _, _)| *from == short && *made == found.kind) {
        if let Some((path, span)) = property(name) {
            return Some(Explanation { path, span: span.or(node.span), rule: format!("{name} {does}"), ..found });
        }
    }
    let rule = match found.kind.as_str() {
        "AWS::IAM::Role" if logical_id == ROLE => format!("{source_kind} names no role for CodeDeploy"),
        "AWS::IAM::Role" => format!("{source_kind} names no role of its own"),
        made => format!("{source_kind} becomes {made}"),
    };
    Some(Explanation { span: beginning(root, source).or(node.span), rule, ..found })
}

/// Where the logical ID of a resource stands.
fn beginning(root: &Node, id: &str) -> Option<Span> {
    root.get("Resources")?.as_map()?.key_span(id)
}

/// An API that nobody wrote down belongs to the events that name none.
fn implicit(root: &Node, found: Explanation) -> Explanation {
    let (kind, property) = match found.source.as_str() {
        "ServerlessHttpApi" => ("HttpApi", "ApiId"),
        _ => ("Api", "RestApiId"),
    };
    let resources = root.get("Resources").and_then(Node::as_map).into_iter().flat_map(Map::iter);
    let mut events = resources.flat_map(|(id, resource)| {
        let events = resource.path(&["Properties", "Events"]).and_then(Node::as_map).into_iter().flat_map(Map::iter);
        events.map(move |(name, event)| (id, name, event))
    });
    let first = events.find(|(_, _, event)| {
        event.get("Type").and_then(Node::as_str) == Some(kind) && event.path(&["Properties", property]).is_none()
    });
    let rule =
        format!("{kind} events without {property} share {}, an API that the template does not have", found.source);
    match first {
        Some((id, name, event)) => {
            Explanation { path: format!("{id}.Properties.Events.{name}"), span: event.span, rule, ..found }
        }
        None => Explanation { rule, ..found },
    }
}

/// The path to the part of a node that stands at `span`.
fn place(node: &Node, span: Span) -> Option<String> {
    for (name, value) in node.as_map()?.iter() {
        if value.span == Some(span) {
            return Some(name.to_owned());
        }
        if let Some(below) = place(value, span) {
            return Some(format!("{name}.{below}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::{Options, transform};
    use super::*;
    use crate::template::read;

    const TEMPLATE: &str = "
Transform: AWS::Serverless-2016-10-31
Globals: { Function: { AutoPublishAlias: live } }
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: x
      Handler: app.handler
      Runtime: python3.13
      DeploymentPreference: { Type: AllAtOnce }
      Events:
        Get: { Type: Api, Properties: { Path: /, Method: get } }
  Queue: { Type: AWS::SQS::Queue }
";

    #[test]
    fn every_resource_has_a_source_a_place_and_a_rule() {
        let template = read::read_bytes("template.yaml", TEMPLATE.as_bytes()).unwrap();
        let options = Options { region: "eu-central-1".to_owned(), ..Options::default() };
        let transformed = transform(&template, &options).unwrap();
        let mut said = String::new();
        for (id, _) in transformed.template.get("Resources").and_then(Node::as_map).unwrap().iter() {
            let found = explain(&template.root, &transformed, id).unwrap();
            let line = template.source.position(found.span.unwrap().range().start).line;
            let id = id.trim_end_matches(|c: char| c.is_ascii_hexdigit());
            said.push_str(&format!("{id} < {} line {line} {} | {}\n", found.source, found.path, found.rule));
        }
        insta::assert_snapshot!(said);
        assert!(explain(&template.root, &transformed, "Nothing").is_none());
    }
}
