//! Where a GraphQL API has its data from: tables, functions, or nowhere.

use super::Api;
use crate::template::{Map, Node};
use crate::transform::build::{Read, get_att, list, map, reference, sub, text};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::policies::trust;
use crate::transform::refusal::Refusal;
use crate::transform::resource::connector;

const KIND: &str = "AWS::AppSync::DataSource";

/// All sources of an API: tables first.
pub(super) fn expand(api: &mut Api<'_>, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let sources = api.read.get("DataSources").cloned().unwrap_or_default();
    let mut all = Vec::new();
    for (section, of) in [("DynamoDb", dynamo_db as Section), ("Lambda", lambda)] {
        for (name, source) in sources.get(section).and_then(Node::as_map).into_iter().flat_map(Map::iter) {
            let made = of(api, name, source, context)?;
            if let Some(first) = made.first() {
                api.sources.push((name.to_owned(), get_att(&first.id, "Name")));
            }
            all.extend(made);
        }
    }
    Ok(all)
}

type Section = fn(&Api<'_>, &str, &Node, &mut Context) -> Result<Vec<Generated>, Refusal>;

fn dynamo_db(api: &Api<'_>, name: &str, source: &Node, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let given = |name: &str| source.get(name).filter(|value| value.truthy());
    let region = source.get("Region").cloned().unwrap_or_default();
    let region = if region.truthy() { region } else { reference("AWS::Region") };
    let table = source.get("TableName").cloned().unwrap_or_default();
    let mut config = Map::new();
    config.insert("AwsRegion", region.clone());
    config.insert("TableName", table.clone());
    for (from, to) in
        [("UseCallerCredentials", "UseCallerCredentials"), ("Versioned", "Versioned"), ("DeltaSync", "DeltaSyncConfig")]
    {
        if let Some(value) = given(from) {
            config.insert(to, value.clone());
        }
    }
    let arn = given("TableArn").cloned().unwrap_or_else(|| {
        let pattern = "arn:${AWS::Partition}:dynamodb:${__Region__}:${AWS::AccountId}:table/${__TableName__}";
        sub(pattern, [("__TableName__", table), ("__Region__", region)])
    });
    let permissions = given("Permissions").cloned().unwrap_or_else(|| list([text("Read"), text("Write")]));
    let mut made = started(api, format!("{}{name}DynamoDBDataSource", api.id()), "AMAZON_DYNAMODB", name, source)?;
    made.set("DynamoDBConfig", Node::from(config));
    let destination = map([("Type", text("AWS::DynamoDB::Table")), ("Arn", arn)]);
    with_role(api, made, source, ("ToTableConnector", destination, permissions), context)
}

fn lambda(api: &Api<'_>, name: &str, source: &Node, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let function = source.get("FunctionArn").cloned().unwrap_or_default();
    let mut made = started(api, format!("{}{name}LambdaDataSource", api.id()), "AWS_LAMBDA", name, source)?;
    made.set("LambdaConfig", map([("LambdaFunctionArn", function.clone())]));
    let destination = map([("Type", text("AWS::Lambda::Function")), ("Arn", function)]);
    with_role(api, made, source, ("ToLambdaConnector", destination, list([text("Write")])), context)
}

fn started(api: &Api<'_>, id: String, kind: &str, name: &str, source: &Node) -> Result<Generated, Refusal> {
    let mut made = api.generated(id, KIND)?;
    let given = source.get("Name").filter(|name| name.truthy()).cloned();
    made.set("Name", given.unwrap_or_else(|| text(name)));
    made.set("Type", text(kind));
    made.set("ApiId", api.api_id());
    made.set("Description", source.get("Description").cloned());
    Ok(made)
}

/// The role with which AppSync reaches what is behind, when it is given none, and its permissions:
/// name, destination and permissions of a connector.
fn with_role(
    api: &Api<'_>,
    mut made: Generated,
    source: &Node,
    (suffix, destination, permissions): (&str, Node, Node),
    context: &mut Context,
) -> Result<Vec<Generated>, Refusal> {
    if let Some(role) = source.get("ServiceRoleArn").filter(|role| role.truthy()) {
        made.set("ServiceRoleArn", role.clone());
        return Ok(vec![made]);
    }
    let mut role = api.generated(format!("{}Role", made.id), "AWS::IAM::Role")?;
    role.set("AssumeRolePolicyDocument", trust("appsync.amazonaws.com"));
    made.set("ServiceRoleArn", role.arn());
    let end = map([("Type", text(KIND)), ("Arn", get_att(&made.id, "DataSourceArn")), ("RoleName", role.reference())]);
    let link = connector::between(format!("{}{suffix}", made.id), end, destination, permissions, context)?;
    let mut all = vec![made, role];
    all.extend(link);
    Ok(all)
}

/// The name of the source that a function names; an API has one that leads nowhere, made when it is
/// asked for.
pub(super) fn name_of(api: &mut Api<'_>, function: &str, given: Option<&Node>) -> Result<Node, Refusal> {
    let refuse = |message: String| Err(Refusal::resource(function, message));
    let Some(given) = given.filter(|given| given.truthy()) else {
        return refuse("'DataSource' must be set.".to_owned());
    };
    let Some(name) = given.as_str() else {
        return Ok(given.clone());
    };
    if name.eq_ignore_ascii_case("none") {
        let id = format!("{}NoneDataSource", api.id());
        if api.none.is_none() {
            let mut none = api.generated(id.clone(), KIND)?;
            none.set("ApiId", api.api_id());
            none.set("Name", text(id.as_str()));
            none.set("Type", text("NONE"));
            api.none = Some(none);
        }
        return Ok(get_att(&id, "Name"));
    }
    match api.sources.iter().rfind(|(other, _)| other == name) {
        Some((_, name)) => Ok(name.clone()),
        None => refuse(format!(
            "Either define DataSource '{name}' in 'DataSources' or use intrinsic function like GetAtt, ImportValue, \
             Sub or another one to reference a DataSource defined outside of this GraphQLApi resource."
        )),
    }
}
