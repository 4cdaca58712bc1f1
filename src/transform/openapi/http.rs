//! Editing the body of an HTTP API.

use super::authorizer::HttpAuthorizer;
use super::python::{Dict, Py, Text};
use super::{
    ANY_METHOD, Editor, INTEGRATION, Paths, branches, branches_mut, conditional, definition, dict, has_integration,
    is_version_3, normalize, path_item, security, take_section,
};
use crate::transform::refusal::Refusal;

const CORS: &str = "x-amazon-apigateway-cors";
const ENDPOINT_CONFIGURATION: &str = "x-amazon-apigateway-endpoint-configuration";
const TAG_VALUE: &str = "x-amazon-apigateway-tag-value";

/// The route that takes whatever no other takes.
pub(crate) const DEFAULT_PATH: &str = "$default";

/// An HTTP API's body while it is edited.
pub(crate) struct OpenApi {
    doc: Dict,
    pub(crate) paths: Paths,
    security_schemes: Py,
    tags: Py,
    info: Py,
}

fn title() -> Py {
    Dict::plain_of([("Ref", "AWS::StackName".into())]).into()
}

/// The body of an API that has nothing but its events.
pub(crate) fn skeleton() -> Dict {
    let info = Dict::hashed_of([("version", "1.0".into()), ("title", title())]);
    Dict::hashed_of([("openapi", "3.0.1".into()), ("info", info.into()), ("paths", Dict::hashed().into())])
}

/// Whether a body can be edited.
pub(crate) fn is_valid(body: &Py) -> bool {
    body.get("paths").is_some_and(|paths| paths.as_dict().is_some())
        && body.get("openapi").filter(|version| version.truthy()).is_some_and(is_version_3)
}

/// Whether a body's title is the one that the transform gives.
pub(crate) fn has_default_title(body: &Py) -> Result<bool, &'static str> {
    Ok(info_of(body)?.and_then(|info| info.get("title")).is_some_and(|own| *own == title()))
}

/// A body's own description.
pub(crate) fn description(body: &Py) -> Result<Option<&Py>, &'static str> {
    Ok(info_of(body)?.and_then(|info| info.get("description")))
}

fn info_of(body: &Py) -> Result<Option<&Py>, &'static str> {
    match body.get("info") {
        Some(info) if info.as_dict().is_none() => Err("The value of 'info' should be a map"),
        info => Ok(info),
    }
}

impl Editor for OpenApi {
    fn check(body: &Py) -> Result<(), Refusal> {
        if !is_valid(body) {
            return Err(Refusal::document(
                "Invalid OpenApi document. Invalid values or missing keys for 'openapi' or 'paths' in \
                 'DefinitionBody'.",
            ));
        }
        if body.get("components").is_some_and(|components| components.as_dict().is_none()) {
            let message = "Invalid OpenApi document: The value of 'components' should be a map";
            return Err(Refusal::document(message));
        }
        Ok(())
    }

    fn open(body: Py) -> Self {
        let mut doc = body.deep_copied().into_dict();
        let mut components = doc.get_mut("components").and_then(Py::as_dict_mut);
        let schemes = components.as_mut().map(|components| take_section(components, "securitySchemes"));
        let tags = take_section(&mut doc, "tags");
        Self {
            paths: Paths { dict: take_section(&mut doc, "paths").into_dict() },
            security_schemes: schemes.unwrap_or_else(|| Dict::hashed().into()),
            tags: if tags.truthy() { tags } else { Vec::new().into() },
            info: take_section(&mut doc, "info"),
            doc,
        }
    }

    fn paths(&mut self) -> &mut Paths {
        &mut self.paths
    }

    fn finish(mut self) -> Py {
        self.doc.insert("paths", self.paths.dict);
        if self.tags.truthy() {
            self.doc.insert("tags", self.tags);
        }
        if self.security_schemes.truthy() {
            if !self.doc.get("components").is_some_and(Py::truthy) {
                self.doc.insert("components", Dict::hashed());
            }
            if let Some(components) = self.doc.get_mut("components").and_then(Py::as_dict_mut) {
                components.insert("securitySchemes", self.security_schemes);
            }
        }
        if self.info.truthy() {
            self.doc.insert("info", self.info);
        }
        Py::Dict(self.doc).deep_copied()
    }
}

impl OpenApi {
    /// Whether a method calls this function already.
    pub(crate) fn calls(&mut self, path: &str, method: &Text, function: &str) -> Result<bool, Refusal> {
        if !self.paths.has_integration(path, method)? {
            return Ok(false);
        }
        let mut all = true;
        self.paths.each_definition(path, method, &mut |definition| {
            let uri = definition.get(INTEGRATION).and_then(|integration| integration.get("uri"));
            let Some(uri @ Py::Dict(_)) = uri else {
                all = false;
                return Ok(());
            };
            for branch in branches(uri)? {
                let arn = branch.get("Fn::Sub").and_then(Py::as_str).unwrap_or_default();
                let id = arn
                    .split_once(".Arn")
                    .map(|(before, _)| before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default());
                all &= id == Some(function);
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// A method that calls a function, unless it does already.
    pub(crate) fn add_lambda(
        &mut self,
        path: &Text,
        method: &Text,
        uri: Py,
        condition: Option<&Py>,
    ) -> Result<(), Refusal> {
        let method = normalize(method);
        if self.paths.has_integration(&path.text, &method)? {
            return Ok(());
        }
        self.paths.add(path, &method)?;
        let uri = match condition {
            Some(condition) => conditional(condition, uri),
            None => uri,
        };
        let Some(item) = self.paths.dict.get_mut(&path.text) else {
            return Ok(());
        };
        for branch in branches_mut(item)? {
            let item = path_item(branch, &path.text)?;
            let Some(found) = item.get_mut(&method.text) else { continue };
            if *found == Py::None {
                *found = Dict::hashed().into();
            }
            let definition = definition(found, &path.text, &method.text)?;
            let integration = Dict::hashed_of([
                ("type", "aws_proxy".into()),
                ("httpMethod", "POST".into()),
                ("payloadFormatVersion", "2.0".into()),
                ("uri", uri.clone()),
            ]);
            definition.insert(INTEGRATION, integration);
            if path.text == DEFAULT_PATH && method.text == ANY_METHOD {
                definition.insert("isDefaultRoute", true);
            }
            definition.or_insert("responses", Dict::hashed());
            if let Some(condition) = condition {
                *found = conditional(condition, std::mem::replace(found, Py::None));
            }
        }
        Ok(())
    }

    /// The parameters in a path.
    pub(crate) fn add_path_parameters(&mut self, path: &str, method: &Text, names: &[String]) -> Result<(), Refusal> {
        self.paths.each_definition(path, method, &mut |definition| {
            let Py::List(parameters) = definition.or_insert("parameters", Vec::new()) else {
                return Err(Refusal::document(format!("'parameters' of path {path} must be a list")));
            };
            for name in names {
                let known = parameters
                    .iter_mut()
                    .filter_map(Py::as_dict_mut)
                    .find(|parameter| parameter.get("name").and_then(Py::as_str) == Some(name));
                match known {
                    Some(parameter) => {
                        parameter.insert("in", "path");
                        parameter.insert("required", true);
                    }
                    None => parameters.push(
                        Dict::hashed_of([
                            ("name", Text::unicode(name.as_str()).into()),
                            ("in", "path".into()),
                            ("required", true.into()),
                        ])
                        .into(),
                    ),
                }
            }
            Ok(())
        })
    }

    /// The version of the payload that the function gets.
    pub(crate) fn set_payload_version(&mut self, path: &str, method: &Text, version: &Py) -> Result<(), Refusal> {
        self.paths.each_definition(path, method, &mut |definition| {
            if let Some(integration) = definition.get_mut(INTEGRATION).and_then(Py::as_dict_mut) {
                integration.insert("payloadFormatVersion", version.clone());
            }
            Ok(())
        })
    }

    /// Defines authorizers.
    pub(crate) fn add_authorizers(
        &mut self,
        authorizers: &[(Text, HttpAuthorizer)],
        partition: &str,
    ) -> Result<(), Refusal> {
        for (name, authorizer) in authorizers {
            let definition = authorizer.definition(partition)?;
            if let Some(schemes) = self.security_schemes.as_dict_mut() {
                schemes.insert(name.clone(), definition);
            }
        }
        Ok(())
    }

    /// The authorizer of every method of a path that has none of its own.
    pub(crate) fn set_default_authorizer(&mut self, path: &str, default: &Text, scopes: &Py) -> Result<(), Refusal> {
        let Some(item) = self.paths.dict.get_mut(path) else {
            return Ok(());
        };
        for branch in branches_mut(item)? {
            let item = path_item(branch, path)?;
            for name in item.keys() {
                let normalized = normalize(&name.as_str().into());
                if normalized.text == "parameters" || normalized.text == "options" {
                    continue;
                }
                if !item.contains(&normalized.text) {
                    return Err(Refusal::document(format!(
                        "Could not find {} in {path} within DefinitionBody.",
                        normalized.text
                    )));
                }
                let Some(found) = item.get_mut(&name) else { continue };
                for branch in branches_mut(found)? {
                    let definition = definition(branch, path, &name)?;
                    if !has_integration(definition) || definition.get("security").is_some_and(Py::truthy) {
                        continue;
                    }
                    let mut entry = Dict::plain();
                    entry.insert(default.clone(), scopes.clone());
                    definition.insert("security", vec![entry.into()]);
                }
            }
        }
        Ok(())
    }

    /// A method's own authorizer. `authorizers`: those of the API.
    pub(crate) fn set_authorizer(
        &mut self,
        path: &str,
        method: &Text,
        name: &str,
        authorizers: Option<&Py>,
        scopes: Option<&Py>,
    ) -> Result<(), Refusal> {
        self.paths.each_definition(path, method, &mut |definition| {
            let mut own: Py = Vec::new().into();
            if name != "NONE" && name != "AWS_IAM" {
                let authorizer = authorizers.and_then(|authorizers| authorizers.get(name));
                if let Some(authorizer) = authorizer {
                    dict(authorizer, &format!("Type of authorizer '{name}' must be a dictionary"))?;
                }
                let scopes = scopes.filter(|scopes| scopes.truthy());
                let scopes = scopes.or_else(|| authorizer.and_then(|authorizer| authorizer.get("AuthorizationScopes")));
                if let Some(scopes) = scopes.filter(|scopes| scopes.truthy()) {
                    own = scopes.clone();
                }
            }
            let mut all = security(definition, path, &method.text)?;
            let mut entry = Dict::plain();
            entry.insert(name, own);
            all.push(entry.into());
            definition.insert("security", all);
            Ok(())
        })
    }

    /// Tags, which HTTP APIs have in their body.
    pub(crate) fn add_tags(&mut self, tags: &Dict) -> Result<(), Refusal> {
        let Py::List(all) = &mut self.tags else {
            return Err(Refusal::document(format!(
                "Tags in OpenApi DefinitionBody needs to be a list. {} is a {} not a list.",
                self.tags.display(),
                self.tags.type_name()
            )));
        };
        for (name, value) in tags.iter() {
            let known = all
                .iter_mut()
                .filter_map(Py::as_dict_mut)
                .find(|tag| tag.get("name").and_then(Py::as_str) == Some(&name.text));
            match known {
                Some(tag) => tag.insert(TAG_VALUE, value.clone()),
                None => {
                    let mut tag = Dict::hashed();
                    tag.insert("name", name);
                    tag.insert(TAG_VALUE, value.clone());
                    all.push(tag.into());
                }
            }
        }
        Ok(())
    }

    /// `DisableExecuteApiEndpoint`.
    pub(crate) fn disable_endpoint(&mut self, disable: &Py) -> Result<(), Refusal> {
        let servers = self.doc.get("servers").cloned().unwrap_or_else(|| vec![Dict::hashed().into()].into());
        let not_a_map = || Refusal::document("Value of 'servers' item must be a dictionary according to Swagger spec.");
        let Py::List(mut servers) = servers else {
            return Err(not_a_map());
        };
        for server in &mut servers {
            let server = server.as_dict_mut().ok_or_else(not_a_map)?;
            if let Some(config) = server.or_insert(ENDPOINT_CONFIGURATION, Dict::plain()).as_dict_mut() {
                config.insert("disableExecuteApiEndpoint", disable.clone());
            }
        }
        self.doc.insert("servers", servers);
        Ok(())
    }

    /// Sets what CORS answers.
    pub(crate) fn set_cors(&mut self, entries: Vec<(String, Py)>) -> Result<(), Refusal> {
        let own = self.doc.get(CORS).cloned().unwrap_or_else(|| Dict::plain().into());
        let Py::Dict(mut cors) = own else {
            let message = format!("Value of '{CORS}' must be a dictionary according to Swagger spec.");
            return Err(Refusal::document(message));
        };
        for (name, value) in entries {
            cors.insert(name, value);
        }
        self.doc.insert(CORS, cors);
        Ok(())
    }

    /// Sets an entry of `info`.
    pub(crate) fn set_info(&mut self, name: &str, value: Py) {
        if let Some(info) = self.info.as_dict_mut() {
            info.insert(name, value);
        }
    }
}
