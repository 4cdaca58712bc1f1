//! `Api`: a method of a REST API.

use super::push::{Permission, arn};
use super::{Called, Event, Target};
use crate::template::Node;
use crate::transform::build::{Read, sub, text};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::openapi::python::{Dict, Py, Text};
use crate::transform::openapi::swagger::{Call, Swagger, skeleton};
use crate::transform::openapi::{Editor as _, path_with_stars};
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    required("Path", Kind::Text),
    required("Method", Kind::Text),
    required("RestApiId", Kind::Text),
    optional("Stage", Kind::Text),
    optional("Auth", Kind::Map),
    optional("RequestModel", Kind::Map),
    optional("RequestParameters", Kind::List),
    optional("TimeoutInMillis", Kind::Integer),
    optional("ResponseTransferMode", Kind::Text),
];

/// The API that an event belongs to, by its logical ID.
pub(crate) fn api_id(id: &Node) -> Option<&str> {
    id.get("Ref").unwrap_or(id).as_str()
}

/// The API has to be there.
pub(super) fn link(event: &Event, context: &Context) -> Result<(), Refusal> {
    let Some(id) = event.get("RestApiId").and_then(api_id) else {
        return Ok(());
    };
    if context.resources.get(id).and_then(Node::as_map).is_none() {
        return event.refuse("RestApiId property of Api event must reference a valid resource in the same template.");
    }
    if context.properties_of(id).and_then(|api| api.get("StageName")).and_then(Node::as_str) == Some("") {
        return Err(Refusal::resource(id, "StageName cannot be empty."));
    }
    Ok(())
}

/// The permission; the method itself goes into the API's body.
pub(super) fn expand(event: &mut Event, target: &mut Target, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
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
    let stage = match context.stage_of(&id) {
        Py::Text(stage) => stage,
        _ => "Stage".into(),
    };
    let permission = permission(event, target, context, &path.text, &method.text, &stage.text)?;
    let property = |name: &str| context.properties_of(&id).and_then(|api| api.get(name)).filter(|node| node.truthy());
    let merge = property("MergeDefinitions").is_some();
    let models = property("Models").cloned();
    let auth = event.truthy("Auth").map(Py::from);
    let own = context.properties_of(&id).and_then(|api| api.get("Auth")).filter(|auth| !auth.is_null());
    let resolved = match own {
        Some(auth) => context.python(&id, "Auth", &context.parameters.resolve(&mut auth.clone())?),
        None => Py::None,
    };
    let method = Method { event, path, method, stage: stage.into(), api: &id, api_auth: &resolved, auth };
    if merge {
        if let Some(mut body) = context.bodies.remove(&id).or_else(|| context.body(&id)) {
            let mut editor = Swagger::open(skeleton().into());
            let merged = method
                .add(&mut editor, models.as_ref(), target, context)
                .and_then(|()| method.merge(&mut body, &editor.finish()));
            context.bodies.insert(id.clone(), body);
            merged?;
        }
    } else if context.managed.contains(&id) {
        context.edit(&id, &method.path.text, |editor: &mut Swagger, context| {
            method.add(editor, models.as_ref(), target, context)
        })?;
    }
    if let Some(auth) = method.auth.as_ref().filter(|auth| auth.get("OverrideApiAuth").is_some_and(Py::truthy))
        && context.has_body(&id) == Some(true)
    {
        let overridden = ["Authorizer", "ApiKeyRequired", "ResourcePolicy"];
        if !overridden.iter().any(|name| auth.get(name).is_some_and(Py::truthy)) {
            return event.refuse(
                "Must define one of: Authorizer, ApiKeyRequired or ResourcePolicy when using the OverrideApiAuth \
                 property.",
            );
        }
        context.edit(&id, &method.path.text, |editor: &mut Swagger, _| method.authorize(editor))?;
    }
    Ok(vec![permission])
}

fn permission(
    event: &Event,
    target: &Target,
    context: &Context,
    path: &str,
    method: &str,
    stage: &str,
) -> Result<Generated, Refusal> {
    let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
    let path = path_with_stars(path, true);
    let method = if method == "any" { "*".to_owned() } else { method.to_uppercase() };
    let source = arn(context.partition, "execute-api", &format!("${{__ApiId__}}/${{__Stage__}}/{method}{path}"));
    let api = event.get("RestApiId").cloned().unwrap_or_default();
    Permission {
        principal: "apigateway.amazonaws.com",
        prefix: &event.id,
        suffix: stage,
        source_arn: Some(sub(&source, [("__ApiId__", api), ("__Stage__", text("*"))])),
        ..Permission::default()
    }
    .build(target)
}

/// How API Gateway calls a function.
pub(crate) fn integration_uri(target: &Target, partition: &str, streams: bool) -> Py {
    let (version, invocations) =
        if streams { ("2021-11-15", "response-streaming-invocations") } else { ("2015-03-31", "invocations") };
    let alias = target.called == Called::FunctionAlias;
    let function = if alias { format!("${{{}}}", target.id) } else { format!("${{{}.Arn}}", target.id) };
    let arn =
        format!("arn:{partition}:apigateway:${{AWS::Region}}:lambda:path/{version}/functions/{function}/{invocations}");
    let arn = Text { text: arn, unicode: !alias };
    Dict::hashed_from(&Dict::plain_of([("Fn::Sub", arn.into())])).into()
}

/// A method of an API.
pub(super) struct Method<'a> {
    pub(super) event: &'a Event,
    pub(super) path: Text,
    pub(super) method: Text,
    pub(super) stage: Py,
    pub(super) api: &'a str,
    pub(super) api_auth: &'a Py,
    pub(super) auth: Option<Py>,
}

impl Method<'_> {
    fn place(&self) -> String {
        format!("API method [{}] for path [{}]", self.method.text, self.path.text)
    }

    fn add(
        &self,
        editor: &mut Swagger,
        models: Option<&Node>,
        target: &Target,
        context: &Context,
    ) -> Result<(), Refusal> {
        let event = self.event;
        if editor.paths.has_integration(&self.path.text, &self.method)? {
            return event.refuse(format!(
                "API method \"{}\" defined multiple times for path \"{}\".",
                self.method.text, self.path.text
            ));
        }
        if self.auth.as_ref().is_some_and(|auth| auth.as_dict().is_none()) {
            return event.refuse("Property 'Auth' should be a map.");
        }
        if self.api_auth.truthy() && self.api_auth.as_dict().is_none() {
            return Err(Refusal::resource(self.api, "Property 'Auth' should be a map."));
        }
        let streams = event.get("ResponseTransferMode").and_then(Node::as_str) == Some("RESPONSE_STREAM");
        let call = Call {
            uri: integration_uri(target, context.partition, streams),
            condition: target.condition().map(Py::from),
            credentials: self.credentials(context.partition),
            streams,
        };
        editor.add_lambda(&self.path, &self.method, &call)?;
        if self.auth.is_some() {
            self.authorize(editor)?;
        }
        if let Some(timeout) = event.truthy("TimeoutInMillis") {
            editor.paths.add_timeout(&self.path.text, &self.method, &timeout.into())?;
        }
        if let Some(model) = event.truthy("RequestModel") {
            self.model(editor, models, &model.into())?;
        }
        if let Some(parameters) = event.truthy("RequestParameters") {
            let parameters = self.parameters(&parameters.into())?;
            editor.add_parameters(&self.path.text, &self.method, &parameters)?;
        }
        Ok(())
    }

    /// As whom API Gateway calls the function, where callers are IAM users.
    fn credentials(&self, partition: &str) -> Option<Py> {
        let own = self.auth.as_ref();
        let is_iam =
            |auth: Option<&Py>, key: &str| auth.and_then(|auth| auth.get(key)).and_then(Py::as_str) == Some("AWS_IAM");
        let by_default = own.is_none() && is_iam(Some(self.api_auth), "DefaultAuthorizer");
        if !is_iam(own, "Authorizer") && !by_default {
            return None;
        }
        let role = |auth: Option<&Py>| -> Option<Py> {
            let role = auth?.as_dict()?.get("InvokeRole")?;
            Some(if role.truthy() { role.clone() } else { "NONE".into() })
        };
        let role = role(own).or_else(|| role(Some(self.api_auth)));
        match role {
            Some(role) if role.as_str() == Some("NONE") => None,
            Some(role) if role.as_str() != Some("CALLER_CREDENTIALS") => Some(role),
            _ => Some(format!("arn:{partition}:iam::*:user/*").into()),
        }
    }

    /// Who may call it.
    pub(super) fn authorize(&self, editor: &mut Swagger) -> Result<(), Refusal> {
        let Some(auth) = &self.auth else {
            return Ok(());
        };
        let event = self.event;
        let authorizers = self.api_auth.get("Authorizers").filter(|authorizers| authorizers.truthy());
        let authorizer = auth.get("Authorizer").filter(|authorizer| authorizer.truthy());
        if let Some(name) = authorizer {
            if authorizers.is_some_and(|authorizers| authorizers.as_dict().is_none()) {
                return Err(Refusal::resource(self.api, "Property 'Auth.Authorizers' should be a map."));
            }
            let unable = |why: &str| {
                event.refuse(format!("Unable to set Authorizer [{}] on {}{why}", name.display(), self.place()))
            };
            match name.as_str() {
                Some("AWS_IAM") => {}
                Some("NONE") => {
                    if !self.api_auth.get("DefaultAuthorizer").is_some_and(Py::truthy) {
                        return event.refuse(format!(
                            "Unable to set Authorizer on {} because 'NONE' is only a valid value when a \
                             DefaultAuthorizer on the API is specified.",
                            self.place()
                        ));
                    }
                }
                known => {
                    let Some(authorizers) = authorizers else {
                        return unable(" because the related API does not define any Authorizers.");
                    };
                    let Some(known) = known else {
                        return unable(
                            ". The method authorizer must be a string with a corresponding dict entry in the api \
                             authorizer.",
                        );
                    };
                    if !authorizers.get(known).is_some_and(Py::truthy) {
                        return unable(" because it wasn't defined in the API's Authorizers.");
                    }
                }
            }
        }
        if let Some(scopes) = auth.get("AuthorizationScopes").filter(|scopes| scopes.truthy()) {
            if scopes.as_list().is_none() {
                return event.refuse("Property 'Auth.AuthorizationScopes' should be a list.");
            }
            if authorizer.is_none() {
                return event.refuse("AuthorizationScopes works only when Authorizer is set");
            }
        }
        let key = auth.get("ApiKeyRequired");
        if key.is_some_and(|key| !key.truthy()) && !self.api_auth.get("ApiKeyRequired").is_some_and(Py::truthy) {
            return event.refuse(format!(
                "Unable to set ApiKeyRequired [False] on {} because the related API does not specify any \
                 ApiKeyRequired.",
                self.place()
            ));
        }
        if let Some(name) = authorizer {
            let scopes = auth.get("AuthorizationScopes");
            editor.set_authorizer(&self.path.text, &self.method, name, authorizers, scopes)?;
        }
        if let Some(key) = key {
            editor.set_api_key(&self.path.text, &self.method, key.truthy())?;
        }
        if let Some(policy) = auth.get("ResourcePolicy").filter(|policy| policy.truthy()) {
            if policy.as_dict().is_none() {
                let message = "Property 'Auth.ResourcePolicy' should be a map.";
                return Err(Refusal::resource(event.name.as_str(), message));
            }
            editor.add_resource_policy(policy, &self.path, &self.stage)?;
            if let Some(statements) = policy.get("CustomStatements").filter(|statements| statements.truthy()) {
                editor.add_custom_statements(statements);
            }
        }
        Ok(())
    }

    /// The model of its input.
    fn model(&self, editor: &mut Swagger, models: Option<&Node>, wanted: &Py) -> Result<(), Refusal> {
        let event = self.event;
        if wanted.as_dict().is_none() {
            return event.refuse("Property 'RequestModel' should be a map.");
        }
        let Some(model) = wanted.get("Model").filter(|model| model.truthy()) else {
            return Ok(());
        };
        let unable = |why: &str| {
            event.refuse(format!("Unable to set RequestModel [{}] on {} because {why}", model.display(), self.place()))
        };
        let models = match models {
            None => return unable("the related API does not define any Models."),
            Some(models) if models.as_map().is_none() => {
                return unable("the related API Models defined is of invalid type.");
            }
            Some(models) => models,
        };
        let Some(name) = model.as_str() else {
            return unable("the related API does not contain valid Models.");
        };
        if !models.get(name).is_some_and(Read::truthy) {
            return unable("it wasn't defined in the API's Models.");
        }
        editor.add_model(&self.path.text, &self.method, wanted)?;
        let (body, parameters) = (wanted.get("ValidateBody"), wanted.get("ValidateParameters"));
        if body.is_none() && parameters.is_none() {
            return Ok(());
        }
        let flag = |flag: Option<&Py>| match flag {
            None => Some(false),
            Some(Py::Bool(flag)) => Some(*flag),
            Some(_) => None,
        };
        match (flag(body), flag(parameters)) {
            (Some(body), Some(parameters)) => editor.add_validator(&self.path.text, &self.method, body, parameters),
            _ => event.refuse(format!(
                "Unable to set Validator to RequestModel [{name}] on {} ValidateBody and ValidateParameters must be a \
                 boolean type, strings or intrinsics are not supported.",
                self.place()
            )),
        }
    }

    fn parameters(&self, wanted: &Py) -> Result<Vec<(Text, Py, Py)>, Refusal> {
        let event = self.event;
        let invalid = |what: &str| event.refuse(format!("Invalid value for 'RequestParameters' property. {what}"));
        let mut parameters = Vec::new();
        for entry in wanted.as_list().unwrap_or_default() {
            let (name, settings) = match entry {
                Py::Text(name) => (name.clone(), None),
                Py::Dict(entry) => match entry.iter().next() {
                    Some((name, settings)) => (name, Some(settings.clone())),
                    None => return invalid("Property must be either a string or an object"),
                },
                _ => return invalid("Property must be either a string or an object"),
            };
            let known = ["querystring.", "path.", "header."];
            let location = name.text.strip_prefix("method.request.").unwrap_or_default();
            if !known.iter().any(|known| location.starts_with(known)) {
                return invalid(
                    "Keys must be in the format 'method.request.[querystring|path|header].{value}', e.g \
                     'method.request.header.Authorization'.",
                );
            }
            let setting = |name: &str| match &settings {
                Some(settings) => settings.as_dict().and_then(|settings| settings.get(name)).cloned(),
                None => None,
            };
            if settings.as_ref().is_some_and(|settings| {
                settings
                    .as_dict()
                    .is_none_or(|settings| settings.keys().iter().any(|key| key != "Required" && key != "Caching"))
            }) {
                return invalid("Values must be an object, e.g { Required: true, Caching: false }");
            }
            let or_false = |value: Option<Py>| value.unwrap_or(Py::Bool(false));
            parameters.push((name, or_false(setting("Required")), or_false(setting("Caching"))));
        }
        Ok(parameters)
    }

    /// `MergeDefinitions`: what the event says goes into the template's own body.
    fn merge(&self, own: &mut Py, edited: &Py) -> Result<(), Refusal> {
        let refuse = |message: String| Refusal::resource(self.api, message);
        let method = crate::transform::openapi::normalize(&self.method);
        let generated =
            edited.get("paths").and_then(|paths| paths.get(&self.path.text)).and_then(|path| path.get(&method.text));
        let Py::Dict(merged) = own else {
            return Err(refuse("Property 'DefinitionBody' should be a map.".to_owned()));
        };
        let Some(paths) = merged.get_mut("paths").filter(|paths| paths.truthy()) else {
            return Ok(());
        };
        let not_a_map =
            |path: &str| refuse(format!("Property 'DefinitionBody' is invalid: The value of '{path}' should be a map"));
        let paths = paths
            .as_dict_mut()
            .ok_or_else(|| refuse("Property 'DefinitionBody' is invalid: It should be a map".to_owned()))?;
        let item = paths.or_insert(self.path.clone(), Dict::plain());
        if *item == Py::None {
            *item = Dict::plain().into();
        }
        let item = item.as_dict_mut().ok_or_else(|| not_a_map(&self.path.text))?;
        let mut all = Dict::plain();
        if let Some(present) = item.get(&self.method.text).filter(|present| present.truthy()) {
            let place = format!("DefinitionBody.paths.{}.{}", self.path.text, self.method.text);
            let present = present.as_dict().ok_or_else(|| refuse(format!("Property '{place}' should be a map.")))?;
            all.update(present);
        }
        if let Some(generated) = generated.and_then(Py::as_dict) {
            all.update(generated);
        }
        item.insert(self.method.clone(), all);
        Ok(())
    }
}
