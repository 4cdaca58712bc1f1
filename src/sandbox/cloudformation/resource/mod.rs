//! Resource providers: one small file a family, each acting on the sandbox's own services through
//! their public API. A type is one row in the table; a property that its row does not name is refused.

mod cloudwatch;
mod codedeploy;
mod iam;
mod lambda;
mod lambda_function;
mod logs;
mod record;
mod s3;
mod sns;
mod sqs;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hyper::Method;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::evaluate::Pseudo;
use super::wire::uuid;
use crate::sandbox::http::{Request, Response};
use crate::sandbox::router::ServiceName;
use crate::sandbox::state::World;
use crate::sandbox::xml;

/// Resolved properties of a resource.
pub(super) type Properties = Map<String, Value>;
/// What a provider is doing.
pub(super) type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// Creates, changes and deletes the resources of one type.
pub(super) trait Provider: Sync {
    /// What the type has.
    fn spec(&self) -> Spec;

    /// Makes a new one.
    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made>;

    /// Changes one in place.
    fn update<'a>(
        &'a self,
        context: &'a Context,
        physical_id: &'a str,
        old: &'a Properties,
        new: &'a Properties,
    ) -> Doing<'a, Made>;

    /// Deletes one.
    fn delete<'a>(&'a self, context: &'a Context, physical_id: &'a str, properties: &'a Properties) -> Doing<'a, ()>;

    /// The physical ID that a creation gives when CloudFormation chooses the name; `None` where the
    /// service chooses, or the template does.
    fn foreseen(&self, _context: &Context, _properties: &Properties) -> Option<String> {
        None
    }
}

/// What a type has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    /// The properties that can be changed.
    pub(super) mutable: &'static [&'static str],
    /// The properties whose change needs a new resource.
    pub(super) fixed: &'static [&'static str],
    pub(super) required: &'static [&'static str],
    /// What `Fn::GetAtt` can ask for.
    pub(super) attributes: &'static [&'static str],
    /// Whether the stack's tags go to it.
    pub(super) tagged: bool,
}

impl Spec {
    pub(super) fn has_attribute(&self, name: &str) -> bool {
        // Nested stacks and custom resources have `Outputs.*` and anything; none of them is here.
        self.attributes.contains(&name)
    }

    /// What the change of a property means.
    pub(super) fn change(&self, property: &str) -> Change {
        if self.fixed.contains(&property) { Change::Replace } else { Change::InPlace }
    }

    /// Refuses properties that the type does not have or that are missing.
    pub(super) fn check(&self, kind: &str, properties: &Properties) -> Result<(), Refusal> {
        for name in properties.keys() {
            if !self.mutable.contains(&name.as_str()) && !self.fixed.contains(&name.as_str()) {
                return Err(Refusal::invalid(format!(
                    "Encountered unsupported property {name} (the sandbox's {kind} does not have it)"
                )));
            }
        }
        for name in self.required {
            if !properties.contains_key(*name) {
                return Err(Refusal::invalid(format!(
                    "Properties validation failed for resource with message: #: required key [{name}] not found"
                )));
            }
        }
        Ok(())
    }
}

/// What the change of a property means for the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    InPlace,
    Replace,
}

/// A resource that is there now.
#[derive(Clone, Debug, Default)]
pub(super) struct Made {
    pub(super) physical_id: String,
    pub(super) attributes: Map<String, Value>,
}

impl Made {
    pub(super) fn new<const N: usize>(physical_id: impl Into<String>, attributes: [(&str, Value); N]) -> Self {
        Self {
            physical_id: physical_id.into(),
            attributes: attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

/// Why a resource was not created, changed or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) message: String,
    /// `HandlerErrorCode` in CloudFormation's words.
    pub(super) code: &'static str,
    /// What was made before it failed, and has to be deleted.
    pub(super) partial: Option<String>,
}

impl Refusal {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { message: message.into(), code, partial: None }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidRequest", message)
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new("InternalFailure", message)
    }

    pub(super) fn unknown_type(kind: &str) -> Self {
        Self::invalid(format!("The sandbox's CloudFormation has no provider for {kind}"))
    }

    pub(super) fn is_not_found(&self) -> bool {
        self.code == "NotFound"
    }

    /// Remembers what was made before it failed.
    #[must_use]
    pub(super) fn having_made(self, physical_id: &str) -> Self {
        Self { partial: Some(physical_id.to_owned()), ..self }
    }

    /// As `ResourceStatusReason` says it.
    pub(super) fn reason(&self) -> String {
        format!(
            "Resource handler returned message: \"{}\" (RequestToken: {}, HandlerErrorCode: {})",
            self.message,
            uuid(),
            self.code
        )
    }
}

/// What a provider may know, and the way to the services.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) world: Arc<World>,
    pub(super) pseudo: Pseudo,
    pub(super) logical_id: String,
    /// Random end of a generated name.
    pub(super) suffix: String,
    /// The stack's tags.
    pub(super) tags: IndexMap<String, String>,
}

impl Context {
    /// A name for a resource that the template does not name: stack, logical ID and a random end,
    /// no longer than the service allows.
    pub(super) fn generated_name(&self, longest: usize) -> String {
        let room = longest.saturating_sub(self.suffix.len() + 2);
        let (stack, logical) = (&self.pseudo.stack_name, &self.logical_id);
        let logical_room = logical.len().min(room - stack.len().min(room / 2));
        let stack_room = stack.len().min(room - logical_room);
        format!("{}-{}-{}", &stack[..stack_room], &logical[..logical_room], self.suffix)
    }

    /// The template's name for the resource, or a generated one.
    pub(super) fn name(&self, properties: &Properties, property: &str, longest: usize) -> String {
        text(properties, property).unwrap_or_else(|| self.generated_name(longest))
    }

    /// An ARN in the stack's account and region.
    pub(super) fn arn(&self, service: &str, resource: &str) -> String {
        let Pseudo { account, region, .. } = &self.pseudo;
        format!("arn:{}:{service}:{region}:{account}:{resource}", self.pseudo.partition())
    }

    /// The tags of a resource: the stack's, then its own `Tags` (a list of `Key` and `Value`, or a
    /// map). AWS adds `aws:cloudformation:*`, which no public API lets anybody set.
    pub(super) fn tags(&self, properties: &Properties) -> BTreeMap<String, String> {
        let mut tags: BTreeMap<String, String> = self.tags.clone().into_iter().collect();
        match properties.get("Tags") {
            Some(Value::Array(items)) => tags
                .extend(items.iter().filter_map(|item| Some((plain(item.get("Key")?)?, plain(item.get("Value")?)?)))),
            Some(Value::Object(map)) => {
                tags.extend(map.iter().filter_map(|(key, value)| Some((key.clone(), plain(value)?))));
            }
            _ => {}
        }
        tags
    }

    /// The same tags as a list of `Key` and `Value`.
    pub(super) fn tag_list(&self, properties: &Properties) -> Value {
        self.tags(properties).into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
    }

    fn request(&self, method: Method, path: &str) -> Request {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut request = Request::new(method, path, &self.pseudo.account, &self.pseudo.region);
        request.query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        request
    }

    async fn send(
        &self,
        service: ServiceName,
        mut request: Request,
        headers: &[(&'static str, &str)],
    ) -> Result<Response, Refusal> {
        for (name, value) in headers {
            let value = hyper::header::HeaderValue::from_str(value)
                .map_err(|_| Refusal::invalid(format!("{value} cannot stand in a header")))?;
            request.headers.insert(*name, value);
        }
        let response = self.world.call(service, request).await;
        if response.status.is_success() { Ok(response) } else { Err(refused(service, &response)) }
    }

    /// Asks a service with a JSON body over REST, as Lambda's is.
    pub(super) async fn rest(
        &self,
        service: ServiceName,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Refusal> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request.body = body.to_string().into();
        }
        let response = self.send(service, request, &[("content-type", "application/json")]).await?;
        Ok(serde_json::from_slice(&response.body).unwrap_or(Value::Null))
    }

    /// Asks a service with `X-Amz-Target`.
    pub(super) async fn json(&self, service: ServiceName, target: &str, body: &Value) -> Result<Value, Refusal> {
        let mut request = self.request(Method::POST, "/");
        request.body = body.to_string().into();
        let version = if matches!(service, ServiceName::Logs | ServiceName::CodeDeploy) {
            "application/x-amz-json-1.1"
        } else {
            "application/x-amz-json-1.0"
        };
        let response = self.send(service, request, &[("content-type", version), ("x-amz-target", target)]).await?;
        Ok(serde_json::from_slice(&response.body).unwrap_or(Value::Null))
    }

    /// Asks a service in the query protocol; gives the answer's result element.
    pub(super) async fn query(
        &self,
        service: ServiceName,
        version: &str,
        action: &str,
        fields: &[(String, String)],
    ) -> Result<xml::Element, Refusal> {
        let mut request = self.request(Method::POST, "/");
        let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        request.body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .append_pair("Version", version)
            .extend_pairs(fields)
            .finish()
            .into();
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let response = self.send(service, request, &headers).await?;
        let answer =
            xml::parse(&response.body).ok_or_else(|| Refusal::internal(format!("{service:?} {action} gave no XML")))?;
        let result = format!("{action}Result");
        Ok(answer.child(&result).cloned().unwrap_or(answer))
    }

    /// Asks S3.
    pub(super) async fn s3(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        headers: &[(&'static str, &str)],
    ) -> Result<Response, Refusal> {
        let mut request = self.request(method, path);
        request.body = body.unwrap_or_default().into();
        self.send(ServiceName::S3, request, headers).await
    }
}

/// An error answer in CloudFormation's words.
fn refused(service: ServiceName, response: &Response) -> Refusal {
    let status = response.status.as_u16();
    let header =
        |name: &str| response.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let json: Option<Value> = serde_json::from_slice(&response.body).ok();
    let (code, message) = match (&json, xml::parse(&response.body)) {
        (Some(json), _) => {
            let kind = json["__type"].as_str().or_else(|| json["Type"].as_str()).or_else(|| json["code"].as_str());
            let kind = kind.map_or_else(|| header("x-amzn-errortype"), str::to_owned);
            let message = ["message", "Message"].iter().find_map(|key| json[*key].as_str()).unwrap_or_default();
            (kind, message.to_owned())
        }
        (None, Some(answer)) => {
            let error = answer.child("Error").unwrap_or(&answer);
            (
                error.text_of("Code").unwrap_or_default().to_owned(),
                error.text_of("Message").unwrap_or_default().to_owned(),
            )
        }
        (None, None) => (String::new(), String::new()),
    };
    let code = code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default().to_owned();
    let message = if message.is_empty() {
        if code.is_empty() { "no reason given".to_owned() } else { code.clone() }
    } else {
        message
    };
    let has = |part: &str| code.contains(part);
    let handler = match status {
        _ if has("NotFound") || has("NoSuch") || has("NonExistent") || has("DoesNotExist") => "NotFound",
        _ if has("AlreadyExist") || has("AlreadyOwned") || has("EntityAlready") => "AlreadyExists",
        404 => "NotFound",
        409 if has("ResourceConflict") && message.contains("exist") => "AlreadyExists",
        409 => "ResourceConflict",
        401 | 403 => "AccessDenied",
        429 => "Throttling",
        501 => "InvalidRequest",
        500.. => "ServiceInternalError",
        _ => "InvalidRequest",
    };
    Refusal::new(handler, format!("{message} (Service: {service:?}, Status Code: {status}, Request ID: {})", uuid()))
}

/// A plain value as text.
pub(super) fn plain(value: &Value) -> Option<String> {
    super::evaluate::as_text(value)
}

/// A property's text.
pub(super) fn text(properties: &Properties, name: &str) -> Option<String> {
    properties.get(name).and_then(plain)
}

/// A property's text, which has to be there.
pub(super) fn required(properties: &Properties, name: &str) -> Result<String, Refusal> {
    text(properties, name).ok_or_else(|| {
        Refusal::invalid(format!(
            "Properties validation failed for resource with message: #: required key [{name}] not found"
        ))
    })
}

/// A whole number, which templates may write as text.
pub(super) fn integer(name: &str, value: &Value) -> Result<Value, Refusal> {
    match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(value.clone()),
        Value::String(text) => text.parse::<i64>().map(Value::from).map_err(|_| expected(name, "Integer", value)),
        _ => Err(expected(name, "Integer", value)),
    }
}

/// A number, which templates may write as text.
pub(super) fn number(name: &str, value: &Value) -> Result<Value, Refusal> {
    match value {
        Value::Number(_) => Ok(value.clone()),
        Value::String(text) => text.parse::<f64>().map(Value::from).map_err(|_| expected(name, "Number", value)),
        _ => Err(expected(name, "Number", value)),
    }
}

/// A truth value, which templates may write as text.
pub(super) fn boolean(name: &str, value: &Value) -> Result<bool, Refusal> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(expected(name, "Boolean", value)),
    }
}

fn expected(name: &str, kind: &str, value: &Value) -> Refusal {
    Refusal::invalid(format!(
        "Properties validation failed for resource with message: #/{name}: expected type: {kind}, found: {value}"
    ))
}

/// The items of a list of texts; a single text counts as a list of one.
pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(plain).collect(),
        Some(value) => plain(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// A policy document as the text that the services take.
pub(super) fn document(properties: &Properties, name: &str) -> Result<String, Refusal> {
    match properties.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(value @ Value::Object(_)) => Ok(value.to_string()),
        _ => Err(Refusal::invalid(format!(
            "Properties validation failed for resource with message: #: required key [{name}] not found"
        ))),
    }
}

/// The provider of a resource type.
pub(super) fn provider(kind: &str) -> Option<&'static dyn Provider> {
    let acting: &'static dyn Provider = match kind {
        "AWS::Lambda::Function" => &lambda_function::Function,
        "AWS::Lambda::Version" => &lambda::Version,
        "AWS::Lambda::Alias" => &lambda::Alias,
        "AWS::Lambda::Permission" => &lambda::Permission,
        "AWS::Lambda::EventSourceMapping" => &lambda::EventSourceMapping,
        "AWS::Lambda::LayerVersion" => &lambda::LayerVersion,
        "AWS::Lambda::Url" => &lambda::Url,
        "AWS::Lambda::EventInvokeConfig" => &lambda::EventInvokeConfig,
        "AWS::IAM::Role" => &iam::Role,
        "AWS::IAM::ManagedPolicy" => &iam::ManagedPolicy,
        "AWS::IAM::Policy" => &iam::Policy,
        "AWS::S3::Bucket" => &s3::Bucket,
        "AWS::S3::BucketPolicy" => &s3::BucketPolicy,
        "AWS::CloudWatch::Alarm" => &cloudwatch::Alarm,
        "AWS::CloudWatch::CompositeAlarm" => &cloudwatch::CompositeAlarm,
        "AWS::CodeDeploy::Application" => &codedeploy::Application,
        "AWS::CodeDeploy::DeploymentGroup" => &codedeploy::DeploymentGroup,
        "AWS::CodeDeploy::DeploymentConfig" => &codedeploy::DeploymentConfig,
        "AWS::SQS::Queue" => &sqs::Queue,
        "AWS::SQS::QueuePolicy" => &sqs::QueuePolicy,
        "AWS::SNS::Topic" => &sns::Topic,
        "AWS::SNS::TopicPolicy" => &sns::TopicPolicy,
        "AWS::SNS::Subscription" => &sns::Subscription,
        "AWS::Logs::LogGroup" => &logs::LogGroup,
        _ => return record::provider(kind),
    };
    Some(acting)
}
