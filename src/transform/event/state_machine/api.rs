//! `Api` of a state machine: a method of a REST API that starts it.

use super::super::api::{Method, api_id};
use super::super::{Event, Target};
use super::role;
use crate::template::Node;
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::logical_id::write_json_text;
use crate::transform::openapi::python::{Dict, Py, Text};
use crate::transform::openapi::swagger::{Start, Swagger};
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;

/// What it takes.
pub(super) const PROPERTIES: &[Property] = &[
    required("Path", Kind::Text),
    required("Method", Kind::Text),
    required("RestApiId", Kind::Text),
    optional("Stage", Kind::Text),
    optional("Auth", Kind::Map),
    optional("UnescapeMappingTemplate", Kind::Bool).literal(),
];

/// What API Gateway passes on: the request's body as text.
const INPUT: &str = "$util.escapeJavaScript($input.json('$'))";
/// The same where `'` is to arrive as it was sent.
const UNESCAPED_INPUT: &str = r#"$util.escapeJavaScript($input.json('$')).replaceAll("\\'","'")"#;

/// The role; the method itself goes into the API's body.
pub(super) fn expand(event: &mut Event, target: &mut Target, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let role = role(event, target, "apigateway.amazonaws.com")?;
    let Some(id) = event.get("RestApiId").and_then(api_id).map(str::to_owned) else {
        return event
            .refuse("RestApiId must be a valid reference to an 'AWS::Serverless::Api' resource in same template.");
    };
    let (Some(path), Some(method)) =
        (event.get("Path").and_then(Node::as_str), event.get("Method").and_then(Node::as_str))
    else {
        return event.refuse("Path and Method must be strings.");
    };
    let (path, method) = (Text::unicode(path), Text::unicode(method.to_lowercase()));
    if !context.managed.contains(&id) {
        return Ok(vec![role]);
    }
    let place = path.text.clone();
    context.edit(&id, &place, |editor: &mut Swagger, context| {
        if editor.paths.has_integration(&path.text, &method)? {
            return event
                .refuse(format!("API method \"{}\" defined multiple times for path \"{}\".", method.text, path.text));
        }
        let unescaped = event.truthy("UnescapeMappingTemplate").is_some();
        let arn = Dict::plain_of([("Fn::GetAtt", vec![role.id.as_str().into(), "Arn".into()].into())]);
        let start = Start {
            uri: substituted("arn:${AWS::Partition}:apigateway:${AWS::Region}:states:action/StartExecution".to_owned()),
            condition: target.condition().map(Py::from),
            credentials: arn.into(),
            templates: Dict::plain_of([("application/json", substituted(template(&target.id, unescaped)))]).into(),
        };
        editor.add_state_machine(&path, &method, &start)?;
        let Some(auth) = event.truthy("Auth").map(Py::from) else {
            return Ok(());
        };
        let own = context.properties_of(&id).and_then(|api| api.get("Auth")).filter(|auth| !auth.is_null());
        let api_auth = match own {
            Some(own) => context.python(&id, "Auth", &context.parameters.resolve(&mut own.clone())?),
            None => Py::None,
        };
        let stage = event.get("Stage").map_or(Py::None, Py::from);
        Method { event, path, method, stage, api: &id, api_auth: &api_auth, auth: Some(auth) }.authorize(editor)
    })?;
    Ok(vec![role])
}

fn substituted(text: String) -> Py {
    Dict::plain_of([("Fn::Sub", text.into())]).into()
}

/// What the request becomes: the input of an execution. With the unescaped input it is no JSON any
/// more, only a template for some.
fn template(state_machine: &str, unescaped: bool) -> String {
    let mut input = String::new();
    if unescaped {
        // The quotes within are API Gateway's business.
        input.push('"');
        input.push_str(UNESCAPED_INPUT);
        input.push('"');
    } else {
        write_json_text(INPUT, &mut input);
    }
    format!(r#"{{"input": {input}, "stateMachineArn": "${{{state_machine}}}"}}"#)
}
