//! Authorizers of REST and HTTP APIs, in the words of their bodies.

use super::python::{Dict, Py, Text};
use crate::transform::refusal::Refusal;

const AUTHORIZER: &str = "x-amazon-apigateway-authorizer";
const AUTHTYPE: &str = "x-amazon-apigateway-authtype";

fn given(from: &Py, key: &str) -> Option<Py> {
    from.get(key).cloned()
}

fn truthy(from: Option<&Py>) -> Option<&Py> {
    from.filter(|value| value.truthy())
}

/// An authorizer of a REST API.
#[derive(Clone, Debug)]
pub(crate) struct RestAuthorizer {
    api: String,
    name: String,
    iam: bool,
    user_pool: Option<Py>,
    pub(crate) function: Option<Py>,
    identity: Option<Py>,
    payload: Option<Py>,
    role: Option<Py>,
    /// `AuthorizationScopes`, a list.
    pub(crate) scopes: Py,
    /// Whether API Gateway gets no permission to call the function.
    pub(crate) without_permission: bool,
}

impl RestAuthorizer {
    /// `AWS_IAM`.
    pub(crate) fn iam(api: &str) -> Self {
        Self {
            api: api.to_owned(),
            name: "AWS_IAM".to_owned(),
            iam: true,
            user_pool: None,
            function: None,
            identity: None,
            payload: None,
            role: None,
            scopes: Vec::new().into(),
            without_permission: false,
        }
    }

    /// One of `Auth.Authorizers`.
    pub(crate) fn read(api: &str, name: &str, config: &Py) -> Result<Self, Refusal> {
        let refuse = |message: String| Err(Refusal::resource(api, message));
        let authorizer = Self {
            api: api.to_owned(),
            name: name.to_owned(),
            iam: false,
            user_pool: given(config, "UserPoolArn"),
            function: given(config, "FunctionArn"),
            identity: given(config, "Identity"),
            payload: given(config, "FunctionPayloadType"),
            role: given(config, "FunctionInvokeRole"),
            scopes: given(config, "AuthorizationScopes").unwrap_or_else(|| Vec::new().into()),
            without_permission: given(config, "DisableFunctionDefaultPermissions").is_some_and(|flag| flag.truthy()),
        };
        match authorizer.payload.as_ref().map(|kind| (kind.as_str(), kind)) {
            None | Some((Some("TOKEN"), _)) => {}
            Some((Some("REQUEST"), _)) => {
                if authorizer.lacks_identity_source()? {
                    return refuse(format!(
                        "{name} Authorizer must specify Identity with at least one of Headers, QueryStrings, \
                         StageVariables, or Context."
                    ));
                }
            }
            Some((_, kind)) => {
                return refuse(format!("{name} Authorizer has invalid 'FunctionPayloadType': {}.", kind.display()));
            }
        }
        if authorizer.scopes.as_list().is_none() {
            return refuse(format!("Property 'Authorizers.{name}.AuthorizationScopes' should be a list."));
        }
        let disable = config.get("DisableFunctionDefaultPermissions");
        if disable.is_some_and(|flag| !matches!(flag, Py::Bool(_))) {
            return refuse(format!(
                "Property 'Authorizers.{name}.DisableFunctionDefaultPermissions' should be a boolean."
            ));
        }
        Ok(authorizer)
    }

    fn lacks_identity_source(&self) -> Result<bool, Refusal> {
        let Some(identity) = truthy(self.identity.as_ref()) else {
            return Ok(true);
        };
        if identity.as_dict().is_none() {
            let message = format!("Property 'Authorizer.{}.Identity' should be a map.", self.name);
            return Err(Refusal::resource(self.api.as_str(), message));
        }
        let missing = ["Headers", "QueryStrings", "StageVariables", "Context"]
            .iter()
            .all(|key| truthy(identity.get(key)).is_none());
        let lifetime = match identity.get("ReauthorizeEvery") {
            Some(Py::Number(number)) => number.as_f64(),
            Some(Py::Bool(value)) => Some(f64::from(u8::from(*value))),
            Some(Py::Text(text)) => {
                text.text.trim().parse::<i64>().ok().map(|_| 1.0).filter(|_| text.text.trim() != "0")
            }
            _ => return Ok(missing),
        };
        let zero_text = matches!(identity.get("ReauthorizeEvery"), Some(Py::Text(text)) if text.text.trim() == "0");
        Ok(!zero_text && lifetime.is_none_or(|seconds| seconds >= 1.0) && missing)
    }

    fn is_request(&self) -> bool {
        self.payload.as_ref().and_then(Py::as_str) == Some("REQUEST")
    }

    fn is_cognito(&self) -> bool {
        truthy(self.user_pool.as_ref()).is_some()
    }

    /// Its security definition.
    pub(crate) fn definition(&self, partition: &str) -> Result<Dict, Refusal> {
        let cognito = self.is_cognito();
        let lambda = !self.iam && !cognito;
        let mut definition = Dict::hashed();
        definition.insert("type", "apiKey");
        definition.insert("name", self.header(lambda)?);
        definition.insert("in", "header");
        let authtype = match (self.iam, cognito) {
            (true, _) => "awsSigv4",
            (_, true) => "cognito_user_pools",
            _ => "custom",
        };
        definition.insert(AUTHTYPE, authtype);
        if self.iam {
            return Ok(definition);
        }
        let mut authorizer = Dict::hashed();
        if let Some(pools) = truthy(self.user_pool.as_ref()) {
            authorizer.insert("type", "cognito_user_pools");
            let pools = if pools.as_list().is_some() { pools.clone() } else { vec![pools.clone()].into() };
            authorizer.insert("providerARNs", pools);
        } else {
            authorizer.insert("type", if self.is_request() { "request" } else { "token" });
            authorizer.insert("authorizerUri", uri(partition, self.function.as_ref()));
            let identity = truthy(self.identity.as_ref());
            if let Some(lifetime) = identity.and_then(|identity| identity.get("ReauthorizeEvery")) {
                authorizer.insert("authorizerResultTtlInSeconds", lifetime.clone());
            }
            if let Some(role) = truthy(self.role.as_ref()).filter(|role| role.as_str() != Some("NONE")) {
                authorizer.insert("authorizerCredentials", role.clone());
            }
            if self.is_request()
                && let Some(source) = self.identity_source()?
            {
                authorizer.insert("identitySource", source);
            }
        }
        if cognito || !self.is_request() {
            let expression = truthy(self.identity.as_ref()).and_then(|identity| identity.get("ValidationExpression"));
            if let Some(expression) = truthy(expression) {
                authorizer.insert("identityValidationExpression", expression.clone());
            }
        }
        definition.insert(AUTHORIZER, authorizer);
        Ok(definition)
    }

    fn header(&self, lambda: bool) -> Result<Py, Refusal> {
        if lambda && self.is_request() {
            return Ok("Unused".into());
        }
        let Some(identity) = truthy(self.identity.as_ref()) else {
            return Ok("Authorization".into());
        };
        if identity.as_dict().is_none() {
            return Err(Refusal::resource(
                self.api.as_str(),
                "Auth.Authorizers.<Authorizer>.Identity must be a dict (LambdaTokenAuthorizationIdentity, \
                 LambdaRequestAuthorizationIdentity or CognitoAuthorizationIdentity).",
            ));
        }
        Ok(truthy(identity.get("Header")).cloned().unwrap_or_else(|| "Authorization".into()))
    }

    fn identity_source(&self) -> Result<Option<Text>, Refusal> {
        let Some(identity) = &self.identity else {
            return Ok(None);
        };
        let mut parts = Vec::new();
        let mut unicode = false;
        for (key, prefix) in [
            ("Headers", "method.request.header."),
            ("QueryStrings", "method.request.querystring."),
            ("StageVariables", "stageVariables."),
            ("Context", "context."),
        ] {
            let Some(values) = truthy(identity.get(key)) else { continue };
            let path = format!("Auth.Authorizers.{}.Identity.{key}", self.name);
            let refuse = |message: String| Refusal::resource(self.api.as_str(), message);
            let values = values.as_list().ok_or_else(|| refuse(format!("Property '{path}' should be a list.")))?;
            for (index, value) in values.iter().enumerate() {
                let Py::Text(value) = value else {
                    return Err(refuse(format!("Property '{path}[{index}]' should be a string.")));
                };
                unicode |= value.unicode;
                parts.push(format!("{prefix}{}", value.text));
            }
        }
        Ok((!parts.is_empty()).then(|| Text { text: parts.join(", "), unicode }))
    }
}

/// How API Gateway calls an authorizer's function.
fn uri(partition: &str, function: Option<&Py>) -> Py {
    let template = format!(
        "arn:{partition}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/${{__FunctionArn__}}/invocations"
    );
    let variables = Dict::plain_of([("__FunctionArn__", function.cloned().unwrap_or(Py::None))]);
    Dict::plain_of([("Fn::Sub", vec![template.into(), variables.into()].into())]).into()
}

/// An authorizer of an HTTP API.
#[derive(Clone, Debug)]
pub(crate) struct HttpAuthorizer {
    api: String,
    name: String,
    iam: bool,
    config: Py,
    jwt: Option<Dict>,
}

/// The properties of an HTTP API's authorizer, the kind that takes it, and how that kind is called.
const HTTP_PROPERTIES: [(&str, bool, &str); 9] = [
    ("AuthorizationScopes", true, "OAuth2 Authorizer"),
    ("JwtConfiguration", true, "OAuth2 Authorizer"),
    ("IdentitySource", true, "OAuth2 Authorizer. For Lambda Authorizer, use the 'Identity' property instead"),
    ("FunctionArn", false, "Lambda Authorizer"),
    ("FunctionInvokeRole", false, "Lambda Authorizer"),
    ("Identity", false, "Lambda Authorizer"),
    ("AuthorizerPayloadFormatVersion", false, "Lambda Authorizer"),
    ("EnableSimpleResponses", false, "Lambda Authorizer"),
    ("EnableFunctionDefaultPermissions", false, "Lambda Authorizer"),
];

impl HttpAuthorizer {
    /// `AWS_IAM`.
    pub(crate) fn iam(api: &str) -> Self {
        Self { api: api.to_owned(), name: "AWS_IAM".to_owned(), iam: true, config: Py::None, jwt: None }
    }

    /// One of `Auth.Authorizers`.
    pub(crate) fn read(api: &str, name: &str, config: &Py) -> Result<Self, Refusal> {
        let refuse = |message: String| Err(Refusal::resource(api, message));
        let jwt = match truthy(config.get("JwtConfiguration")) {
            None => None,
            Some(Py::Dict(jwt)) => {
                let mut lower = Dict::plain();
                for (key, value) in jwt.iter() {
                    lower.insert(Text { text: key.text.to_lowercase(), unicode: key.unicode }, value.clone());
                }
                Some(lower)
            }
            Some(_) => return refuse("Property 'JwtConfiguration' should be a map.".to_owned()),
        };
        if config.get("AuthorizationScopes").is_some_and(|scopes| scopes.as_list().is_none()) {
            return refuse("AuthorizationScopes must be a list.".to_owned());
        }
        for (property, for_jwt, allowed) in HTTP_PROPERTIES {
            if config.get(property).is_some() && for_jwt != jwt.is_some() {
                return refuse(format!("{property} is only supported for {allowed}."));
            }
        }
        let required: &[&str] =
            if jwt.is_some() { &["IdentitySource"] } else { &["FunctionArn", "AuthorizerPayloadFormatVersion"] };
        for property in required {
            if truthy(config.get(property)).is_none() {
                let kind = if jwt.is_some() { "OAuth2" } else { "Lambda" };
                return refuse(format!("{name} {kind} Authorizer must define '{property}'."));
            }
        }
        if config.get("EnableFunctionDefaultPermissions").is_some_and(|flag| !matches!(flag, Py::Bool(_))) {
            return refuse(format!(
                "Property 'Authorizers.{name}.EnableFunctionDefaultPermissions' should be a boolean."
            ));
        }
        Ok(Self { api: api.to_owned(), name: name.to_owned(), iam: false, config: config.clone(), jwt })
    }

    /// `AuthorizationScopes`.
    pub(crate) fn scopes(&self) -> Py {
        self.config.get("AuthorizationScopes").cloned().unwrap_or_else(|| Vec::new().into())
    }

    /// The function that API Gateway needs a permission to call.
    pub(crate) fn function_to_permit(&self) -> Option<&Py> {
        truthy(self.config.get("EnableFunctionDefaultPermissions"))?;
        truthy(self.config.get("FunctionArn"))
    }

    /// Its security scheme.
    pub(crate) fn definition(&self, partition: &str) -> Result<Dict, Refusal> {
        if self.iam {
            return Ok(Dict::plain_of([
                ("type", "apiKey".into()),
                ("name", "Authorization".into()),
                ("in", "header".into()),
                (AUTHTYPE, "awsSigv4".into()),
            ]));
        }
        if let Some(jwt) = &self.jwt {
            let authorizer = Dict::plain_of([
                ("jwtConfiguration", jwt.clone().into()),
                ("identitySource", given(&self.config, "IdentitySource").unwrap_or(Py::None)),
                ("type", "jwt".into()),
            ]);
            return Ok(Dict::plain_of([("type", "oauth2".into()), (AUTHORIZER, authorizer.into())]));
        }
        let mut authorizer = Dict::plain_of([("type", "request".into())]);
        authorizer.insert("authorizerUri", uri(partition, self.config.get("FunctionArn")));
        let role = truthy(self.config.get("FunctionInvokeRole"));
        if let Some(role) = role.filter(|role| role.as_str() != Some("NONE")) {
            authorizer.insert("authorizerCredentials", role.clone());
        }
        if let Some(identity) = truthy(self.config.get("Identity")) {
            if identity.as_dict().is_none() {
                let message = format!("Property 'Auth.Authorizers.{}.Identity' should be a map.", self.name);
                return Err(Refusal::resource(self.api.as_str(), message));
            }
            if let Some(lifetime) = identity.get("ReauthorizeEvery") {
                authorizer.insert("authorizerResultTtlInSeconds", lifetime.clone());
            }
            authorizer.insert("identitySource", self.identity_source(identity)?);
        }
        if let Some(version) = self.config.get("AuthorizerPayloadFormatVersion") {
            authorizer.insert("authorizerPayloadFormatVersion", version.clone());
        }
        if let Some(simple) = truthy(self.config.get("EnableSimpleResponses")) {
            authorizer.insert("enableSimpleResponses", simple.clone());
        }
        Ok(Dict::plain_of([
            ("type", "apiKey".into()),
            ("name", "Unused".into()),
            ("in", "header".into()),
            (AUTHORIZER, authorizer.into()),
        ]))
    }

    fn identity_source(&self, identity: &Py) -> Result<Vec<Py>, Refusal> {
        let mut sources = Vec::new();
        for (prefix, key) in [
            ("$request.header.", "Headers"),
            ("$request.querystring.", "QueryStrings"),
            ("$stageVariables.", "StageVariables"),
            ("$context.", "Context"),
        ] {
            let Some(values) = truthy(identity.get(key)) else { continue };
            let path = format!("Authorizers.{}.Identity.{key}", self.name);
            let refuse = |message: String| Refusal::resource(self.api.as_str(), message);
            let values = values.as_list().ok_or_else(|| refuse(format!("Property '{path}' should be a list.")))?;
            for (index, value) in values.iter().enumerate() {
                let value =
                    value.as_str().ok_or_else(|| refuse(format!("Property '{path}[{index}]' should be a string.")))?;
                sources.push(format!("{prefix}{value}").into());
            }
        }
        Ok(sources)
    }
}
