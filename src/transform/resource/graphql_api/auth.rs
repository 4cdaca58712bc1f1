//! Who may call a GraphQL API.

use super::Api;
use crate::template::{Map, Node};
use crate::transform::build::{get_att, list, map, reference, text};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::refusal::Refusal;
use crate::transform::resource::connector;

/// Types of authorization that have settings: the type, what SAM and what CloudFormation call them.
const CONFIGURED: [(&str, &str, &str); 3] = [
    ("AWS_LAMBDA", "LambdaAuthorizer", "LambdaAuthorizerConfig"),
    ("OPENID_CONNECT", "OpenIDConnect", "OpenIDConnectConfig"),
    ("AMAZON_COGNITO_USER_POOLS", "UserPool", "UserPoolConfig"),
];

/// Sets it; gives what the functions need that authorize callers.
pub(super) fn set(api: &Api<'_>, made: &mut Generated, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let auth = api.read.get("Auth").cloned().unwrap_or_default();
    let mut functions = Vec::new();
    made.set("AuthenticationType", auth.get("Type").cloned());
    if let Some((name, config)) = settings(api, &auth, None)? {
        functions.extend(config.get("AuthorizerUri").cloned());
        made.set(name, config);
    }
    let mut additional = Vec::new();
    for (index, entry) in auth.get("Additional").and_then(Node::as_list).into_iter().flatten().enumerate() {
        let mut provider = Map::new();
        provider.insert("AuthenticationType", entry.get("Type").cloned().unwrap_or_default());
        if let Some((name, config)) = settings(api, entry, Some(index))? {
            functions.extend(config.get("AuthorizerUri").cloned());
            provider.insert(name, config);
        }
        additional.push(Node::from(provider));
    }
    if !additional.is_empty() {
        made.set("AdditionalAuthenticationProviders", Node::from(additional));
    }
    let mut all = Vec::new();
    for (index, function) in functions.into_iter().enumerate() {
        let source = map([
            ("Type", text("AWS::AppSync::GraphQLApi")),
            ("Arn", reference(api.id())),
            ("ResourceId", get_att(api.id(), "ApiId")),
        ]);
        let destination = map([("Type", text("AWS::Lambda::Function")), ("Arn", function)]);
        let id = format!("{}ToLambdaAuthConnector{}", api.id(), index + 1);
        all.extend(connector::between(id, source, destination, list([text("Write")]), context)?);
    }
    Ok(all)
}

/// The settings of a type that has some; `index`: of an additional one.
fn settings(api: &Api<'_>, auth: &Node, index: Option<usize>) -> Result<Option<(&'static str, Node)>, Refusal> {
    let keys = auth.as_map().into_iter().flat_map(Map::keys).filter(|key| *key != "Additional").count();
    if keys > 2 {
        // The first of the additional ones is called as the main one is.
        let place = match index {
            None | Some(0) => "'Auth'".to_owned(),
            Some(index) => format!("'Auth.Additional.{index}'"),
        };
        return api.resource.refuse(format!("{place} has more than one authentication configuration defined."));
    }
    let kind = auth.get("Type").and_then(Node::as_str).unwrap_or_default();
    let Some((_, name, called)) = CONFIGURED.iter().find(|(configured, _, _)| *configured == kind) else {
        return Ok(None);
    };
    let Some(mut config) = auth.get(name).and_then(Node::as_map).cloned() else {
        return api.resource.refuse(format!("'{name}' must be defined if type is '{kind}'."));
    };
    if index.is_some() {
        // Only the main one can say what becomes of callers whom no rule is about.
        config.remove("DefaultAction");
    }
    Ok(Some((called, Node::from(config))))
}
