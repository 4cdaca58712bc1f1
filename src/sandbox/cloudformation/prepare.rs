//! From a request's template and parameters to a checked plan.

use std::sync::Arc;

use hyper::Method;
use indexmap::IndexMap;
use serde_json::Value;

use super::document;
use super::evaluate::Pseudo;
use super::model::{Stack, Target};
use super::parameters::{self, Given};
use super::plan::Plan;
use super::wire::{Fault, Fields};
use crate::diagnostic::Severity;
use crate::sandbox::http::Request;
use crate::sandbox::router::ServiceName;
use crate::sandbox::state::World;
use crate::template::{Template, read};
use crate::transform::{self, Options};

/// What a template may have when it comes in the request, and when it comes from S3.
const LONGEST_BODY: usize = 51_200;
const SERVERLESS: &str = "AWS::Serverless-2016-10-31";

/// What a request asks a stack to be.
#[derive(Debug)]
pub(super) struct Wish {
    /// When it was made, in seconds since 1970.
    now_s: u64,
    body: String,
    template: Template,
    transforms: Vec<String>,
    given: Vec<Given>,
    tags: Option<IndexMap<String, String>>,
    pub(super) capabilities: Vec<String>,
    role_arn: Option<String>,
    notification_arns: Option<Vec<String>>,
}

/// Where a wish fails: at once, or later, where a change set shows it as its status.
#[derive(Debug)]
pub(super) enum Failure {
    Now(Fault),
    Late { target: Box<Target>, reason: String },
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Now(fault)
    }
}

/// The template that a request gives: in it, in S3, or the stack's own.
pub(super) async fn template_body(
    world: &Arc<World>,
    request: &Request,
    fields: &mut Fields,
    previous: Option<&Stack>,
) -> Result<String, Fault> {
    let (body, url) = (fields.text("TemplateBody"), fields.text("TemplateURL"));
    let use_previous = fields.flag("UsePreviousTemplate")?.unwrap_or(false);
    match (body, url, use_previous) {
        (Some(body), None, false) => {
            if body.len() > LONGEST_BODY {
                return Err(Fault::validation(
                    "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200",
                ));
            }
            Ok(body)
        }
        (None, Some(url), false) => fetch(world, request, &url).await,
        (None, None, true) => {
            let target = previous.and_then(|stack| stack.target.as_ref());
            target.map(|target| target.body.clone()).ok_or_else(|| Fault::validation("No previous template to use."))
        }
        (None, None, false) => Err(Fault::validation("Either Template URL or Template Body must be specified.")),
        _ => Err(Fault::validation("Only one of TemplateBody, TemplateURL and UsePreviousTemplate may be specified.")),
    }
}

/// Bucket, key and version of the forms that an S3 URL has.
fn s3_location(endpoint: &str, url: &str) -> Option<(String, Option<String>)> {
    let (plain, query) = url.split_once('?').unwrap_or((url, ""));
    let version = form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == "versionId")
        .map(|(_, value)| value.into_owned());
    let rest = plain.strip_prefix("https://").or_else(|| plain.strip_prefix("http://"))?;
    let (host, path) = rest.split_once('/')?;
    let name = host.split(':').next().unwrap_or_default();
    let local =
        endpoint.rsplit_once("://").is_some_and(|(_, own)| own == host) || name == "localhost" || name == "127.0.0.1";
    let aws = name.strip_suffix(".amazonaws.com").or_else(|| name.strip_suffix(".amazonaws.com.cn"));
    let path = match aws {
        _ if local => path.to_owned(),
        Some(aws) if aws == "s3" || aws.starts_with("s3.") || aws.starts_with("s3-") => path.to_owned(),
        Some(aws) => {
            let end =
                aws.find(".s3.").or_else(|| aws.find(".s3-")).or_else(|| aws.strip_suffix(".s3").map(str::len))?;
            format!("{}/{path}", &aws[..end])
        }
        None => format!(
            "{}/{path}",
            name.strip_suffix(".localhost").map(|bucket| bucket.strip_suffix(".s3").unwrap_or(bucket))?
        ),
    };
    let (bucket, key) = path.split_once('/')?;
    (!bucket.is_empty() && !key.is_empty()).then_some((path, version))
}

async fn fetch(world: &Arc<World>, request: &Request, url: &str) -> Result<String, Fault> {
    let (path, version) = s3_location(world.endpoint_url(), url)
        .ok_or_else(|| Fault::validation("TemplateURL must be a supported URL."))?;
    let get = Request {
        method: Method::GET,
        path: format!("/{path}"),
        query: version.map(|version| ("versionId".to_owned(), version)).into_iter().collect(),
        headers: hyper::HeaderMap::new(),
        body: hyper::body::Bytes::new(),
        ..request.clone()
    };
    let answer = world.call(ServiceName::S3, get).await;
    if !answer.status.is_success() {
        return Err(Fault::validation(format!(
            "S3 error: Access Denied or no such template ({})\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
            answer.status
        )));
    }
    if answer.body.len() > read::MAX_BYTES {
        return Err(Fault::validation("Template may not exceed 1000000 bytes in size."));
    }
    String::from_utf8(answer.body.to_vec())
        .map_err(|_| Fault::validation("Template format error: the template is not UTF-8"))
}

/// Reads a template's text.
pub(super) fn parse(body: &str) -> Result<Template, Fault> {
    read::read_bytes("template", body.as_bytes()).map_err(|diagnostics| {
        let kind = if body.trim_start().starts_with('{') { "JSON" } else { "YAML" };
        let Some(first) = diagnostics.items.iter().find(|item| item.severity == Severity::Error) else {
            return Fault::validation(format!("Template format error: {kind} not well-formed."));
        };
        if matches!(first.rule, "yaml/empty" | "yaml/not-a-map") {
            return Fault::validation("Template format error: unsupported structure.");
        }
        let place = first.span.map(|span| diagnostics.source.position(span.start as usize));
        let place = place.map(|at| format!(" (line {}, column {})", at.line, at.column)).unwrap_or_default();
        Fault::validation(format!("Template format error: {kind} not well-formed.{place} {}", first.message))
    })
}

/// The names under `Transform`.
pub(super) fn transforms(template: &Value) -> Result<Vec<String>, Fault> {
    let name = |value: &Value| {
        value.as_str().map(str::to_owned).ok_or_else(|| {
            Fault::validation("Template format error: the sandbox's CloudFormation takes Transform only as names")
        })
    };
    match template.get("Transform") {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(name).collect(),
        Some(one) => Ok(vec![name(one)?]),
    }
}

/// Parameters as a request gives them.
pub(super) fn given(fields: &mut Fields) -> Result<Vec<Given>, Fault> {
    let mut given = Vec::new();
    for mut parameter in fields.structures("Parameters").unwrap_or_default() {
        given.push(Given {
            key: parameter.required("ParameterKey")?,
            use_previous: parameter.flag("UsePreviousValue")?.unwrap_or(false),
            value: parameter.text_or_empty("ParameterValue"),
        });
        parameter.end()?;
    }
    Ok(given)
}

fn tags(fields: &mut Fields) -> Result<Option<IndexMap<String, String>>, Fault> {
    let Some(structures) = fields.structures("Tags") else { return Ok(None) };
    let mut tags = IndexMap::new();
    for mut tag in structures {
        let key = tag.required("Key")?;
        if key.starts_with("aws:") {
            return Err(Fault::validation("aws: prefixed tag key names are not allowed for external use."));
        }
        if tags.insert(key.clone(), tag.text_or_empty("Value").unwrap_or_default()).is_some() {
            return Err(Fault::validation(format!("Duplicate tag keys found: {key}")));
        }
        tag.end()?;
    }
    Ok(Some(tags))
}

impl Wish {
    /// Reads what a request wishes for.
    pub(super) async fn read(
        world: &Arc<World>,
        request: &Request,
        fields: &mut Fields,
        previous: Option<&Stack>,
    ) -> Result<Self, Fault> {
        let body = template_body(world, request, fields, previous).await?;
        let template = parse(&body)?;
        let transforms = transforms(&template.root.to_json())?;
        Ok(Self {
            now_s: u64::try_from(world.clock.now_ms() / 1000).unwrap_or_default(),
            body,
            template,
            transforms,
            given: given(fields)?,
            tags: tags(fields)?,
            capabilities: fields.list("Capabilities").unwrap_or_default(),
            role_arn: fields.text("RoleARN"),
            notification_arns: fields.list("NotificationARNs"),
        })
    }

    /// Transforms and checks. What fails in or after a transform fails late, as on AWS.
    pub(super) fn plan(&self, stack: &Stack) -> Result<Plan, Failure> {
        let original = self.template.root.to_json();
        let previous = stack.target.as_ref();
        if self.transforms.is_empty() {
            document::check(&original)?;
        }
        let parameters = parameters::effective(&original, &self.given, previous.map(|target| &target.parameters))?;
        let mut target = Target {
            body: self.body.clone(),
            processed: original,
            transforms: self.transforms.clone(),
            parameters,
            tags: self.tags.clone().or_else(|| previous.map(|target| target.tags.clone())).unwrap_or_default(),
            capabilities: self.capabilities.clone(),
            role_arn: self.role_arn.clone().or_else(|| previous.and_then(|target| target.role_arn.clone())),
            notification_arns: self
                .notification_arns
                .clone()
                .or_else(|| previous.map(|target| target.notification_arns.clone()))
                .unwrap_or_default(),
        };
        let pseudo = Pseudo { notification_arns: target.notification_arns.clone(), ..super::operation::pseudo(stack) };
        for name in &self.transforms {
            match self.transformed(name, &target, &pseudo) {
                Ok(processed) => target.processed = processed,
                Err(reason) => return Err(Failure::Late { target: Box::new(target), reason }),
            }
        }
        let late = !self.transforms.is_empty();
        let refuse = |fault: Fault, target: Target| {
            if late { Failure::Late { target: Box::new(target), reason: fault.message } } else { Failure::Now(fault) }
        };
        let missing = self.missing_capabilities(&target.processed);
        if let Some(fault) = missing {
            return Err(refuse(fault, target));
        }
        let plan = Plan::new(target.clone(), pseudo).map_err(|fault| refuse(fault, target))?;
        if let Some(fault) = changed_types(&plan, stack) {
            return Err(refuse(fault, plan.target));
        }
        Ok(plan)
    }

    fn transformed(&self, name: &str, target: &Target, pseudo: &Pseudo) -> Result<Value, String> {
        if name != SERVERLESS {
            return Err(format!(
                "No transform named {}::{name} found. The sandbox has only {SERVERLESS}",
                pseudo.account
            ));
        }
        self.serverless(target, pseudo).map_err(|reason| format!("Transform {SERVERLESS} failed with: {reason}"))
    }

    /// Runs samara's own transform.
    fn serverless(&self, target: &Target, pseudo: &Pseudo) -> Result<Value, String> {
        let parameters =
            target.parameters.iter().map(|(name, parameter)| (name.clone(), parameter.value.clone())).collect();
        let options =
            Options { region: pseudo.region.clone(), parameters, now_s: Some(self.now_s), ..Options::default() };
        match transform::transform(&self.template, &options) {
            Ok(transformed) => Ok(transformed.template.to_json()),
            // AWS's own sentences where it would refuse too; what only samara does not cover says so itself.
            Err(diagnostics) => match diagnostics.items.iter().find(|item| item.rule == transform::UNSUPPORTED) {
                Some(unsupported) => {
                    Err(format!("the sandbox's transform does not cover this: {}", unsupported.message))
                }
                None => Err(transform::published_message(&diagnostics.items)),
            },
        }
    }

    /// The names that a direct `CreateStack` or `UpdateStack` needs for its transforms.
    pub(super) fn needs_expansion(&self) -> bool {
        !self.transforms.is_empty()
    }

    fn missing_capabilities(&self, processed: &Value) -> Option<Fault> {
        let (needed, _) = capabilities(processed);
        let has = |name: &str| self.capabilities.iter().any(|given| given == name);
        let needed = needed?;
        let fine = has(needed) || (needed == "CAPABILITY_IAM" && has("CAPABILITY_NAMED_IAM"));
        (!fine).then(|| insufficient(needed))
    }
}

/// The error for a capability that was not acknowledged.
pub(super) fn insufficient(needed: &str) -> Fault {
    Fault::new(400, "InsufficientCapabilitiesException", format!("Requires capabilities : [{needed}]"))
}

/// The capability that a template's IAM resources need, and their types.
pub(super) fn capabilities(template: &Value) -> (Option<&'static str>, Vec<String>) {
    let mut kinds: Vec<String> = Vec::new();
    let mut named = false;
    for definition in document::resources(template).filter(|definition| definition.kind().starts_with("AWS::IAM::")) {
        if !kinds.iter().any(|kind| kind == definition.kind()) {
            kinds.push(definition.kind().to_owned());
        }
        const NAMES: [&str; 5] = ["RoleName", "ManagedPolicyName", "UserName", "GroupName", "InstanceProfileName"];
        named |= definition.properties().any(|(name, _)| NAMES.contains(&name));
    }
    let needed = if kinds.is_empty() {
        None
    } else if named {
        Some("CAPABILITY_NAMED_IAM")
    } else {
        Some("CAPABILITY_IAM")
    };
    (needed, kinds)
}

fn changed_types(plan: &Plan, stack: &Stack) -> Option<Fault> {
    let changed: Vec<&str> = plan
        .resources()
        .filter(|definition| stack.resources.get(definition.id).is_some_and(|record| record.kind != definition.kind()))
        .map(|definition| definition.id)
        .collect();
    (!changed.is_empty()).then(|| {
        Fault::validation(format!(
            "Update of resource type is not permitted. The new template modifies resource type of the following resources: [{}]",
            changed.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_s3_url_is_understood() {
        let found = |url: &str| {
            s3_location("http://127.0.0.1:4566", url).map(|(path, version)| path + &version.unwrap_or_default())
        };
        for (url, path) in [
            ("https://s3.eu-west-1.amazonaws.com/b/k/t.yaml", "b/k/t.yaml"),
            ("https://s3-eu-west-1.amazonaws.com/b/t", "b/t"),
            ("https://s3.amazonaws.com/b/t?versionId=v1", "b/tv1"),
            ("https://b.s3.eu-west-1.amazonaws.com/k/t", "b/k/t"),
            ("https://my.bucket.s3.amazonaws.com/t", "my.bucket/t"),
            ("http://127.0.0.1:4566/b/t", "b/t"),
            ("http://localhost:4566/b/t", "b/t"),
            ("http://b.localhost:4566/t", "b/t"),
        ] {
            assert_eq!(found(url).as_deref(), Some(path), "{url}");
        }
        for url in ["ftp://b/t", "https://example.com/t", "b/t", "https://s3.amazonaws.com/b"] {
            assert_eq!(found(url), None, "{url}");
        }
    }

    #[test]
    fn bad_text_is_refused_in_cloudformations_words() {
        let message = |body: &str| parse(body).unwrap_err().message;
        assert!(
            message("{\"Resources\": {,}}").starts_with("Template format error: JSON not well-formed. (line 1, column")
        );
        assert!(message("a: b: c").starts_with("Template format error: YAML not well-formed. (line 1, column"));
        assert_eq!(message("- a"), "Template format error: unsupported structure.");
    }
}
