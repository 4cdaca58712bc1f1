//! Editing the body of a REST API, step by step as the published transform does: each edit copies the
//! whole document before and after, and the copies leave their mark on its order.

use super::authorizer::RestAuthorizer;
use super::python::{Dict, Py, Text};
use super::{
    ANY_METHOD, Editor, INTEGRATION, Paths, branches, branches_mut, conditional, definition, dict, has_integration,
    is_version_3, normalize, path_item, security, take_section,
};
use crate::transform::refusal::Refusal;

const SECURITY_DEFINITIONS: &str = "securityDefinitions";
const GATEWAY_RESPONSES: &str = "x-amazon-apigateway-gateway-responses";
pub(super) const POLICY: &str = "x-amazon-apigateway-policy";
const VALIDATORS: &str = "x-amazon-apigateway-request-validators";
const VALIDATOR: &str = "x-amazon-apigateway-request-validator";
const ENDPOINT_CONFIGURATION: &str = "x-amazon-apigateway-endpoint-configuration";
const BINARY_MEDIA_TYPES: &str = "x-amazon-apigateway-binary-media-types";

/// Keys of a path that are not methods.
const NO_METHODS: [&str; 3] = ["summary", "description", "parameters"];

/// A REST API's body while it is edited.
pub(crate) struct Swagger {
    pub(super) doc: Dict,
    pub(crate) paths: Paths,
    security_definitions: Py,
    gateway_responses: Py,
    pub(super) policy: Py,
    has_policy: bool,
    definitions: Py,
}

/// What CORS answers.
pub(crate) struct Cors {
    pub(crate) origin: Py,
    pub(crate) headers: Py,
    pub(crate) methods: Py,
    pub(crate) max_age: Py,
    pub(crate) credentials: Py,
}

/// The body of an API that has nothing but its events.
pub(crate) fn skeleton() -> Dict {
    let info = Dict::hashed_of([
        ("version", "1.0".into()),
        ("title", Dict::plain_of([("Ref", "AWS::StackName".into())]).into()),
    ]);
    Dict::hashed_of([("swagger", "2.0".into()), ("info", info.into()), ("paths", Dict::hashed().into())])
}

/// Whether a body can be edited.
pub(crate) fn is_valid(body: &Py) -> bool {
    let paths = body.get("paths").is_some_and(|paths| paths.as_dict().is_some());
    if !paths {
        return false;
    }
    body.get("swagger").is_some_and(Py::truthy)
        || body.get("openapi").filter(|version| version.truthy()).is_some_and(is_version_3)
}

impl Editor for Swagger {
    fn check(body: &Py) -> Result<(), Refusal> {
        match body.get("paths") {
            Some(Py::Dict(paths)) if is_valid(body) => Paths::check(paths),
            _ => Err(Refusal::document(
                "Invalid Swagger document or the Swagger document is not explicitly defined in 'DefinitionBody'.",
            )),
        }
    }

    fn open(body: Py) -> Self {
        let mut doc = body.deep_copied().into_dict();
        let policy = take_section(&mut doc, POLICY);
        Self {
            paths: Paths { dict: take_section(&mut doc, "paths").into_dict() },
            security_definitions: take_section(&mut doc, SECURITY_DEFINITIONS),
            gateway_responses: take_section(&mut doc, GATEWAY_RESPONSES),
            has_policy: policy.truthy(),
            policy,
            definitions: take_section(&mut doc, "definitions"),
            doc,
        }
    }

    fn paths(&mut self) -> &mut Paths {
        &mut self.paths
    }

    fn finish(mut self) -> Py {
        self.doc.insert("paths", self.paths.dict);
        for (key, value) in [
            (SECURITY_DEFINITIONS, self.security_definitions),
            (GATEWAY_RESPONSES, self.gateway_responses),
            ("definitions", self.definitions),
        ] {
            if value.truthy() {
                self.doc.insert(key, value);
            }
        }
        if self.has_policy {
            self.doc.insert(POLICY, self.policy);
        }
        Py::Dict(self.doc).deep_copied()
    }
}

impl Swagger {
    /// Notes that there is a policy: its key comes to stand where the body's table has room now.
    pub(super) fn keep_policy(&mut self) {
        self.has_policy = true;
        self.doc.insert(POLICY, Py::None);
    }

    /// `DisableExecuteApiEndpoint`.
    pub(crate) fn disable_endpoint(&mut self, disable: &Py) -> Result<(), Refusal> {
        fn set(dict: &mut Dict, disable: &Py) -> Result<(), String> {
            let section = dict.or_insert(ENDPOINT_CONFIGURATION, Dict::plain());
            let section = section
                .as_dict_mut()
                .ok_or_else(|| format!("The value of '{ENDPOINT_CONFIGURATION}' should be a map"))?;
            section.insert("disableExecuteApiEndpoint", disable.clone());
            Ok(())
        }
        let is_3 = self.doc.get("openapi").filter(|version| version.truthy()).is_some_and(is_version_3);
        if !is_3 {
            return set(&mut self.doc, disable)
                .map_err(|problem| Refusal::document(format!("Invalid OpenAPI definition: {problem}.")));
        }
        let servers = self.doc.get("servers").cloned().unwrap_or_else(|| vec![Dict::hashed().into()].into());
        let Py::List(mut servers) = servers else {
            return Err(Refusal::document("Invalid OpenAPI definition of 'servers': It should be a list."));
        };
        for (index, server) in servers.iter_mut().enumerate() {
            let refuse = |problem: String| {
                Refusal::document(format!("Invalid OpenAPI definition of 'servers[{index}]': {problem}."))
            };
            let server = server.as_dict_mut().ok_or_else(|| refuse("It should be a map".to_owned()))?;
            set(server, disable).map_err(refuse)?;
        }
        self.doc.insert("servers", servers);
        Ok(())
    }

    /// A method that calls a function.
    pub(crate) fn add_lambda(&mut self, path: &Text, method: &Text, call: &Call) -> Result<(), Refusal> {
        let method = normalize(method);
        if self.paths.has_integration(&path.text, &method)? {
            return Err(Refusal::document(format!(
                "Lambda integration already exists on Path={}, Method={}",
                path.text, method.text
            )));
        }
        self.paths.add(path, &method)?;
        let uri = match &call.condition {
            Some(condition) => conditional(condition, call.uri.clone()),
            None => call.uri.clone(),
        };
        let Some(item) = self.paths.dict.get_mut(&path.text) else {
            return Ok(());
        };
        for branch in branches_mut(item)? {
            let item = path_item(branch, &path.text)?;
            let Some(found) = item.get_mut(&method.text) else { continue };
            let definition = definition(found, &path.text, &method.text)?;
            let mut integration =
                Dict::hashed_of([("type", "aws_proxy".into()), ("httpMethod", "POST".into()), ("uri", uri.clone())]);
            if call.streams {
                integration.insert("responseTransferMode", "STREAM");
            }
            if let Some(credentials) = &call.credentials {
                integration.insert("credentials", credentials.clone());
            }
            definition.insert(INTEGRATION, integration);
            definition.or_insert("responses", Dict::hashed());
            if let Some(condition) = &call.condition {
                *found = conditional(condition, std::mem::replace(found, Py::None));
            }
        }
        Ok(())
    }

    /// A method that starts a state machine.
    pub(crate) fn add_state_machine(&mut self, path: &Text, method: &Text, start: &Start) -> Result<(), Refusal> {
        let method = normalize(method);
        if self.paths.has_integration(&path.text, &method)? {
            return Err(Refusal::document(format!(
                "Integration already exists on Path={}, Method={}",
                path.text, method.text
            )));
        }
        self.paths.add(path, &method)?;
        let uri = match &start.condition {
            Some(condition) => conditional(condition, start.uri.clone()),
            None => start.uri.clone(),
        };
        let Some(item) = self.paths.dict.get_mut(&path.text) else {
            return Ok(());
        };
        let answers = |key: &str, [first, second]: [&str; 2]| {
            Dict::hashed_of([
                ("200", Dict::hashed_of([(key, first.into())]).into()),
                ("400", Dict::hashed_of([(key, second.into())]).into()),
            ])
        };
        for branch in branches_mut(item)? {
            let item = path_item(branch, &path.text)?;
            let Some(found) = item.get_mut(&method.text) else { continue };
            let definition = definition(found, &path.text, &method.text)?;
            let mut integration = Dict::hashed_of([
                ("type", "aws".into()),
                ("httpMethod", "POST".into()),
                ("uri", uri.clone()),
                ("responses", answers("statusCode", ["200", "400"]).into()),
                ("credentials", start.credentials.clone()),
            ]);
            // One entry, merged as a dictionary: the table may grow first.
            integration.update(&Dict::plain_of([("requestTemplates", start.templates.clone())]));
            definition.insert(INTEGRATION, integration);
            definition.or_insert("responses", answers("description", ["OK", "Bad Request"]));
            if let Some(condition) = &start.condition {
                *found = conditional(condition, std::mem::replace(found, Py::None));
            }
        }
        Ok(())
    }

    /// Calls `change` for every method of a path that has an integration.
    fn each_method(
        &mut self,
        path: &str,
        change: &mut dyn FnMut(&str, &mut Dict) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let Some(item) = self.paths.dict.get_mut(path) else {
            return Ok(());
        };
        for branch in branches_mut(item)? {
            let item = path_item(branch, path)?;
            for name in item.keys() {
                if NO_METHODS.contains(&name.as_str()) {
                    continue;
                }
                let normalized = normalize(&name.as_str().into());
                let Some(found) = item.get_mut(&name) else { continue };
                for branch in branches_mut(found)? {
                    let definition = definition(branch, path, &name)?;
                    if has_integration(definition) {
                        change(&normalized.text, definition)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// An `options` method that answers as CORS wants it, where there is none.
    pub(crate) fn add_cors(&mut self, path: &str, cors: &Cors) -> Result<(), Refusal> {
        let Some(item) = self.paths.dict.get_mut(path) else {
            return Ok(());
        };
        let mut methods = cors.methods.clone();
        let mut credentials = cors.credentials.clone();
        for branch in branches_mut(item)? {
            let item = path_item(branch, path)?;
            if item.contains("options") {
                continue;
            }
            if !cors.origin.truthy() {
                return Err(Refusal::template("Invalid input. Value for AllowedOrigins is required"));
            }
            if !methods.truthy() {
                methods = format!("'{}'", allowed_methods(item)).into();
            }
            if credentials != Py::Bool(true) {
                credentials = Py::Bool(false);
            }
            item.insert("options", options_method(cors, &methods, &credentials));
        }
        Ok(())
    }

    /// `BinaryMediaTypes`, in which `~1` stands for a slash.
    pub(crate) fn add_binary_media_types(&mut self, types: &Py) {
        self.doc.insert(BINARY_MEDIA_TYPES, unescape(types));
    }

    /// Defines authorizers.
    pub(crate) fn add_authorizers(
        &mut self,
        authorizers: &[(Text, RestAuthorizer)],
        partition: &str,
    ) -> Result<(), Refusal> {
        let definitions = self.security_definitions_mut()?;
        for (name, authorizer) in authorizers {
            definitions.insert(name.clone(), authorizer.definition(partition)?);
        }
        Ok(())
    }

    fn security_definitions_mut(&mut self) -> Result<&mut Dict, Refusal> {
        if !self.security_definitions.truthy() {
            self.security_definitions = Dict::hashed().into();
        }
        self.security_definitions
            .as_dict_mut()
            .ok_or_else(|| Refusal::template("securityDefinitions must be a dictionary."))
    }

    fn define(&mut self, name: &str, definition: Dict) -> Result<(), Refusal> {
        let definitions = self.security_definitions_mut()?;
        if !definitions.contains(name) {
            // One entry, merged as a dictionary: the table may grow first.
            definitions.update(&Dict::hashed_of([(name, definition.into())]));
        }
        Ok(())
    }

    fn define_iam(&mut self) -> Result<(), Refusal> {
        self.define(
            "AWS_IAM",
            Dict::hashed_of([
                ("x-amazon-apigateway-authtype", "awsSigv4".into()),
                ("type", "apiKey".into()),
                ("name", "Authorization".into()),
                ("in", "header".into()),
            ]),
        )
    }

    /// Defines API keys.
    pub(crate) fn define_api_key(&mut self) -> Result<(), Refusal> {
        self.define(
            "api_key",
            Dict::hashed_of([("type", "apiKey".into()), ("name", "x-api-key".into()), ("in", "header".into())]),
        )
    }

    /// The authorizer of every method of a path that has none of its own.
    pub(crate) fn set_default_authorizer(
        &mut self,
        path: &str,
        default: &Text,
        authorizers: &[(Text, RestAuthorizer)],
        preflight: bool,
    ) -> Result<(), Refusal> {
        let scopes = authorizers
            .iter()
            .find(|(name, _)| name == default)
            .map_or_else(|| Vec::new().into(), |(_, authorizer)| authorizer.scopes.clone());
        let is_authorizer = |name: &str| name == "AWS_IAM" || authorizers.iter().any(|(other, _)| other.text == name);
        let mut iam = false;
        self.each_method(path, &mut |method, definition| {
            if method == "options" && !preflight {
                return Ok(());
            }
            let existing = security(definition, path, method)?;
            let (mut others, mut own) = (Vec::new(), Vec::new());
            for entry in existing {
                let names = dict(
                    &entry,
                    &format!(
                        "{} in Security for path {path} method {method} is not a valid dictionary.",
                        entry.display()
                    ),
                )?
                .keys();
                if names.iter().any(|name| is_authorizer(name)) {
                    own.push(entry);
                } else {
                    others.push(entry);
                }
            }
            let none = others.iter().position(|entry| entry.as_dict().is_some_and(|entry| entry.contains("NONE")));
            let added = match none {
                Some(index) => {
                    others.remove(index);
                    Vec::new()
                }
                None if !own.is_empty() => own,
                None => {
                    let mut entry = Dict::hashed();
                    entry.insert(default.clone(), scopes.clone());
                    vec![entry.into()]
                }
            };
            others.extend(added);
            if let Some(first) = others.first() {
                iam |= first.as_dict().is_some_and(|first| first.contains("AWS_IAM"));
                definition.insert("security", others);
            }
            Ok(())
        })?;
        if iam { self.define_iam() } else { Ok(()) }
    }

    /// An API key for every method of a path that does not refuse one.
    pub(crate) fn set_default_api_key(&mut self, path: &str, preflight: bool) -> Result<(), Refusal> {
        self.each_method(path, &mut |method, definition| {
            let existing = security(definition, path, method)?;
            let (mut others, mut keys) = (Vec::new(), Vec::new());
            for entry in &existing {
                let entry_dict = dict(
                    entry,
                    &format!(
                        "{} in Security for path {path} method {method} is not a valid dictionary.",
                        entry.display()
                    ),
                )?;
                if entry_dict.contains("api_key") || entry_dict.contains("api_key_false") {
                    keys.push(entry_dict);
                } else {
                    others.push(entry.clone());
                }
            }
            let refused = keys.iter().any(|entry| entry.contains("api_key_false"));
            if !refused && (method != "options" || preflight) {
                others.push(Dict::hashed_of([("api_key", Vec::new().into())]).into());
            }
            if others != existing {
                definition.insert("security", others);
            }
            Ok(())
        })
    }

    /// A method's own authorizer. `authorizers`: those of the API.
    pub(crate) fn set_authorizer(
        &mut self,
        path: &str,
        method: &Text,
        name: &Py,
        authorizers: Option<&Py>,
        scopes: Option<&Py>,
    ) -> Result<(), Refusal> {
        let mut iam = false;
        let key = match name {
            Py::Text(text) => text.clone(),
            other => other.display().into(),
        };
        self.paths.each_definition(path, method, &mut |definition| {
            let mut own: Py = Vec::new().into();
            let existing = security(definition, path, &method.text)?;
            if key.text != "NONE"
                && let Some(authorizers) = authorizers.filter(|authorizers| authorizers.truthy())
            {
                let authorizer = authorizers.get(&key.text);
                if authorizer.is_some_and(|authorizer| authorizer.as_dict().is_none()) {
                    let message = format!("Type of authorizer '{}' must be a dictionary", key.text);
                    return Err(Refusal::document(message));
                }
                let scopes = scopes.or_else(|| authorizer.and_then(|authorizer| authorizer.get("AuthorizationScopes")));
                if let (Some(_), Some(scopes)) = (authorizer, scopes) {
                    own = scopes.clone();
                }
            }
            let mut entry = Dict::hashed();
            entry.insert(key.clone(), own);
            let mut all = existing;
            all.push(entry.into());
            iam |= all[0].as_dict().is_some_and(|first| first.contains("AWS_IAM"));
            definition.insert("security", all);
            Ok(())
        })?;
        if iam { self.define_iam() } else { Ok(()) }
    }

    /// Whether a method wants an API key.
    pub(crate) fn set_api_key(&mut self, path: &str, method: &Text, wanted: bool) -> Result<(), Refusal> {
        let mut seen = false;
        self.paths.each_definition(path, method, &mut |definition| {
            seen = true;
            let mut all = security(definition, path, &method.text)?;
            let name = if wanted { "api_key" } else { "api_key_false" };
            all.push(Dict::hashed_of([(name, Vec::new().into())]).into());
            definition.insert("security", all);
            Ok(())
        })?;
        if seen && wanted { self.define_api_key() } else { Ok(()) }
    }

    /// Checks a method's input.
    pub(crate) fn add_validator(
        &mut self,
        path: &str,
        method: &Text,
        body: bool,
        parameters: bool,
    ) -> Result<(), Refusal> {
        let name = match (body, parameters) {
            (true, true) => "body-and-params",
            (true, false) => "body-only",
            (false, true) => "params-only",
            (false, false) => "no-validation",
        };
        if !self.doc.get(VALIDATORS).is_some_and(Py::truthy) {
            self.doc.insert(VALIDATORS, Dict::hashed());
        }
        if let Some(validators) = self.doc.get_mut(VALIDATORS).and_then(Py::as_dict_mut)
            && !validators.get(name).is_some_and(Py::truthy)
        {
            let validator = Dict::hashed_of([
                ("validateRequestBody", body.into()),
                ("validateRequestParameters", parameters.into()),
            ]);
            validators.update(&Dict::hashed_of([(name, validator.into())]));
        }
        self.paths.each_definition(path, method, &mut |definition| {
            definition.update(&Dict::hashed_of([(VALIDATOR, name.into())]));
            Ok(())
        })
    }

    /// The model of a method's input.
    pub(crate) fn add_model(&mut self, path: &str, method: &Text, model: &Py) -> Result<(), Refusal> {
        let name = match model.get("Model") {
            Some(Py::Text(name)) => Text { text: name.text.to_lowercase(), unicode: name.unicode },
            _ => return Ok(()),
        };
        let required = model.get("Required").cloned();
        let is_2 = self.doc.get("swagger").is_some_and(|version| *version != Py::None);
        let is_3 = self.doc.get("openapi").filter(|version| version.truthy()).is_some_and(is_version_3);
        let schema = |section: &str| Dict::plain_of([("$ref", format!("#/{section}/{}", name.text).into())]);
        self.paths.each_definition(path, method, &mut |definition| {
            if is_2 {
                let mut parameters = match definition.get("parameters") {
                    Some(Py::List(parameters)) => parameters.clone(),
                    _ => Vec::new(),
                };
                let mut parameter = Dict::hashed_of([("in", "body".into())]);
                parameter.insert("name", name.clone());
                parameter.insert("schema", schema("definitions"));
                if let Some(required) = &required {
                    parameter.insert("required", required.clone());
                }
                parameters.push(parameter.into());
                definition.insert("parameters", parameters);
            } else if is_3 {
                let json = Dict::plain_of([("schema", schema("components/schemas").into())]);
                let content = Dict::plain_of([("application/json", json.into())]);
                let mut body = Dict::plain_of([("content", content.into())]);
                if let Some(required) = &required {
                    body.insert("required", required.clone());
                }
                definition.insert("requestBody", body);
            }
            Ok(())
        })
    }

    /// `GatewayResponses`, already in the body's words.
    pub(crate) fn add_gateway_responses(&mut self, responses: &Dict) {
        if !self.gateway_responses.truthy() {
            self.gateway_responses = Dict::hashed().into();
        }
        if let Some(all) = self.gateway_responses.as_dict_mut() {
            for (name, response) in responses.iter() {
                all.insert(name, response.clone());
            }
        }
    }

    /// `Models`.
    pub(crate) fn add_models(&mut self, models: &Dict) -> Result<(), Refusal> {
        if !self.definitions.truthy() {
            self.definitions = Dict::hashed().into();
        }
        for (name, schema) in models.iter() {
            if !schema.get("type").is_some_and(Py::truthy) {
                return Err(Refusal::document("'Models' schema is missing 'type'."));
            }
            if let Some(definitions) = self.definitions.as_dict_mut() {
                definitions.insert(Text { text: name.text.to_lowercase(), unicode: name.unicode }, schema.clone());
            }
        }
        Ok(())
    }

    /// `RequestParameters`: name, whether it is required, whether it is a key of the cache.
    pub(crate) fn add_parameters(
        &mut self,
        path: &str,
        method: &Text,
        wanted: &[(Text, Py, Py)],
    ) -> Result<(), Refusal> {
        self.paths.each_definition(path, method, &mut |definition| {
            let mut parameters = match definition.get("parameters") {
                Some(Py::List(parameters)) => parameters.clone(),
                _ => Vec::new(),
            };
            for (full, required, caching) in wanted {
                let location = full.text.replace("method.request.", "");
                let Some((location, name)) = location.split_once('.') else { continue };
                let text = |text: &str| Text { text: text.to_owned(), unicode: full.unicode };
                let mut parameter = Dict::hashed();
                parameter.insert("in", if location == "querystring" { "query".into() } else { text(location) });
                parameter.insert("name", text(name));
                parameter.insert("required", required.clone());
                parameter.insert("type", "string");
                parameters.push(parameter.into());
                if caching.truthy()
                    && let Some(integration) = definition.get_mut(INTEGRATION).and_then(Py::as_dict_mut)
                {
                    let mut keys = match integration.get("cacheKeyParameters") {
                        Some(Py::List(keys)) => keys.clone(),
                        _ => Vec::new(),
                    };
                    keys.push(full.clone().into());
                    integration.insert("cacheKeyParameters", keys);
                }
            }
            definition.insert("parameters", parameters);
            Ok(())
        })
    }

    /// The methods of a path, as it names them.
    pub(super) fn method_names(&self, path: &str) -> Result<Vec<Text>, Refusal> {
        let mut names = Vec::new();
        let Some(item) = self.paths.dict.get(path) else {
            return Ok(names);
        };
        for branch in branches(item)? {
            let message = format!("Value of '{path}' path must be a dictionary according to Swagger spec.");
            names.extend(dict(branch, &message)?.iter().map(|(name, _)| name));
        }
        Ok(names)
    }
}

/// A method's call of a function.
pub(crate) struct Call {
    pub(crate) uri: Py,
    pub(crate) condition: Option<Py>,
    pub(crate) credentials: Option<Py>,
    pub(crate) streams: bool,
}

/// How API Gateway starts a state machine.
pub(crate) struct Start {
    pub(crate) uri: Py,
    pub(crate) condition: Option<Py>,
    pub(crate) credentials: Py,
    pub(crate) templates: Py,
}

fn allowed_methods(item: &Dict) -> String {
    let mut methods: Vec<String> = if item.contains(ANY_METHOD) {
        ["OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"].map(str::to_owned).into()
    } else {
        item.keys().into_iter().map(|method| method.to_uppercase()).chain(["OPTIONS".to_owned()]).collect()
    };
    methods.sort();
    methods.dedup();
    methods.join(",")
}

fn options_method(cors: &Cors, methods: &Py, credentials: &Py) -> Dict {
    let typed = |kind: &str| Py::Dict(Dict::plain_of([("type", kind.into())]));
    let mut parameters = Dict::hashed();
    let mut headers = Dict::hashed();
    let mut answer = |header: &str, value: Py, kind: &str| {
        parameters.insert(format!("method.response.header.{header}"), value);
        headers.insert(header, typed(kind));
    };
    answer("Access-Control-Allow-Origin", cors.origin.clone(), "string");
    if cors.headers.truthy() {
        answer("Access-Control-Allow-Headers", cors.headers.clone(), "string");
    }
    if methods.truthy() {
        answer("Access-Control-Allow-Methods", methods.clone(), "string");
    }
    if cors.max_age != Py::None {
        answer("Access-Control-Max-Age", cors.max_age.clone(), "integer");
    }
    if *credentials == Py::Bool(true) {
        answer("Access-Control-Allow-Credentials", "'true'".into(), "string");
    }
    let default = Dict::hashed_of([
        ("statusCode", "200".into()),
        ("responseParameters", parameters.into()),
        ("responseTemplates", Dict::plain_of([("application/json", "{}\n".into())]).into()),
    ]);
    let integration = Dict::hashed_of([
        ("type", "mock".into()),
        ("requestTemplates", Dict::plain_of([("application/json", "{\n  \"statusCode\" : 200\n}\n".into())]).into()),
        ("responses", Dict::hashed_of([("default", default.into())]).into()),
    ]);
    let success =
        Dict::hashed_of([("description", "Default response for CORS method".into()), ("headers", headers.into())]);
    Dict::hashed_of([
        ("summary", "CORS support".into()),
        ("consumes", vec!["application/json".into()].into()),
        ("produces", vec!["application/json".into()].into()),
        (INTEGRATION, integration.into()),
        ("responses", Dict::hashed_of([("200", success.into())]).into()),
    ])
}

fn unescape(types: &Py) -> Py {
    match types {
        Py::Text(text) => Text::unicode(text.text.replace("~1", "/")).into(),
        Py::List(items) => items.iter().map(unescape).collect::<Vec<_>>().into(),
        Py::Dict(dict) => {
            let mut out = Dict::hashed();
            for (key, value) in dict.iter() {
                out.insert(Text::unicode(key.text.replace("~1", "/")), unescape(value));
            }
            out.into()
        }
        other => other.clone(),
    }
}
