//! Reading templates back, and looking at them without a stack.

use serde_json::{Value, json};

use super::{Call, in_review, missing, missing_in_brackets};
use crate::sandbox::cloudformation::document;
use crate::sandbox::cloudformation::evaluate::as_text;
use crate::sandbox::cloudformation::model::Target;
use crate::sandbox::cloudformation::prepare::{self, capabilities};
use crate::sandbox::cloudformation::resource::provider;
use crate::sandbox::cloudformation::wire::Fault;
use crate::template::{Node, write};

/// The processed template as text: as it was sent where nothing transformed it.
fn processed(target: &Target) -> String {
    if target.transforms.is_empty() {
        return target.body.clone();
    }
    write::json(&Node::from(target.processed.clone()))
}

/// The parameters as summaries list them.
fn declared(template: &Value, summary: bool) -> Vec<Value> {
    let all = document::section(template, "Parameters").into_iter().flatten();
    all.map(|(name, declaration)| {
        let text = |key: &str| declaration.get(key).and_then(as_text);
        let mut parameter = json!({
            "ParameterKey": name,
            "DefaultValue": text("Default"),
            "NoEcho": text("NoEcho").as_deref() == Some("true"),
            "Description": text("Description"),
        });
        if summary {
            let allowed = declaration.get("AllowedValues").and_then(Value::as_array);
            let allowed: Option<Vec<String>> = allowed.map(|list| list.iter().filter_map(as_text).collect());
            parameter["ParameterType"] = text("Type").into();
            parameter["ParameterConstraints"] = json!({"AllowedValues": allowed});
        }
        parameter
    })
    .collect()
}

/// The capabilities of a template that is not transformed yet, and why.
fn needed(template: &Value, transforms: &[String]) -> (Option<Vec<&'static str>>, Option<String>) {
    let (iam, kinds) = capabilities(template);
    let mut all: Vec<&'static str> = iam.into_iter().collect();
    let mut reasons = Vec::new();
    if !kinds.is_empty() {
        reasons.push(format!("The following resource(s) require capabilities: [{}]", kinds.join(", ")));
    }
    if !transforms.is_empty() {
        all.push("CAPABILITY_AUTO_EXPAND");
        reasons.push(format!("The following transform(s) require capabilities: [{}]", transforms.join(", ")));
    }
    ((!all.is_empty()).then_some(all), (!reasons.is_empty()).then(|| reasons.join(". ")))
}

fn no_change_set(name: &str) -> Fault {
    Fault::new(404, "ChangeSetNotFound", format!("ChangeSet [{name}] does not exist"))
}

fn looked_at(body: &str) -> Result<(Value, Vec<String>), Fault> {
    let template = prepare::parse(body)?.root.to_json();
    let transforms = prepare::transforms(&template)?;
    if transforms.is_empty() {
        document::check(&template)?;
    }
    Ok((template, transforms))
}

impl Call<'_> {
    pub(super) fn get_template(mut self) -> Result<Value, Fault> {
        let (name, set_name) = (self.fields.text("StackName"), self.fields.text("ChangeSetName"));
        let stage = self.fields.choice("TemplateStage", &["Original", "Processed"])?;
        self.end()?;
        let target = match (name, set_name) {
            (None, None) => return Err(Fault::validation("StackName is required if ChangeSetName is not specified.")),
            (None, Some(set)) if !set.starts_with("arn:") => {
                return Err(Fault::validation("StackName is a required parameter."));
            }
            (Some(name), None) => {
                let stack = self.find(&name).ok_or_else(|| missing(&name))?;
                let empty = || Fault::validation(format!("Stack {name} has no template while it is in review"));
                stack.target.ok_or_else(empty)?
            }
            (name, Some(set)) => {
                let stack = match &name {
                    Some(name) => self.find(name).ok_or_else(|| missing_in_brackets(name))?,
                    None => self.stack_of(&set).ok_or_else(|| no_change_set(&set))?,
                };
                stack.change_set(&set).map(|found| found.target.clone()).ok_or_else(|| no_change_set(&set))?
            }
        };
        let body = if stage.as_deref() == Some("Processed") { processed(&target) } else { target.body };
        Ok(json!({"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}))
    }

    /// The schema of a resource type, as far as the sandbox knows it.
    pub(super) fn describe_type(mut self) -> Result<Value, Fault> {
        let _ = self.fields.choice("Type", &["RESOURCE"])?;
        let name = self.fields.text("TypeName").ok_or_else(|| Fault::validation("TypeName is required."))?;
        self.end()?;
        let Some(provider) = provider(&name) else {
            return Err(Fault::validation(format!("The type '{name}' cannot be found.")));
        };
        let spec = provider.spec();
        let pointers = |names: &[&str]| names.iter().map(|name| format!("/properties/{name}")).collect::<Vec<_>>();
        let names = spec.mutable.iter().chain(spec.fixed);
        let schema = json!({
            "typeName": name,
            "properties": names.map(|name| ((*name).to_owned(), json!({}))).collect::<serde_json::Map<_, _>>(),
            "required": spec.required,
            "createOnlyProperties": pointers(spec.fixed),
            "readOnlyProperties": pointers(spec.attributes),
        });
        Ok(json!({"Type": "RESOURCE", "TypeName": name, "Schema": schema.to_string(), "Visibility": "PUBLIC"}))
    }

    pub(super) async fn get_template_summary(mut self) -> Result<Value, Fault> {
        let body = match self.fields.text("StackName") {
            Some(name) => {
                let stack = self.find(&name).ok_or_else(|| missing(&name))?;
                if in_review(&stack) {
                    return Err(Fault::validation("GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks."));
                }
                stack.target.ok_or_else(|| missing(&name))?.body
            }
            None => prepare::template_body(self.world, self.request, &mut self.fields, None).await?,
        };
        self.end()?;
        let (template, transforms) = looked_at(&body)?;
        let mut kinds: Vec<&str> = document::resources(&template).map(document::Definition::kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let (capabilities, reason) = needed(&template, &transforms);
        Ok(json!({
            "Parameters": declared(&template, true),
            "Description": template.get("Description"),
            "Capabilities": capabilities,
            "CapabilitiesReason": reason,
            "ResourceTypes": kinds,
            "Version": template.get("AWSTemplateFormatVersion"),
            "Metadata": template.get("Metadata").map(Value::to_string),
            "DeclaredTransforms": (!transforms.is_empty()).then_some(transforms),
        }))
    }

    pub(super) async fn validate_template(mut self) -> Result<Value, Fault> {
        let body = prepare::template_body(self.world, self.request, &mut self.fields, None).await?;
        self.end()?;
        let (template, transforms) = looked_at(&body)?;
        let (capabilities, reason) = needed(&template, &transforms);
        Ok(json!({
            "Parameters": declared(&template, false),
            "Description": template.get("Description"),
            "Capabilities": capabilities,
            "CapabilitiesReason": reason,
            "DeclaredTransforms": (!transforms.is_empty()).then_some(transforms),
        }))
    }
}
