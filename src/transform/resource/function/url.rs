//! `FunctionUrlConfig`: the function's URL, and who may call it.

use crate::template::{Node, Value};
use crate::transform::build::{Read, reference, text};
use crate::transform::generated::Generated;
use crate::transform::refusal::Refusal;
use crate::transform::resource::Resource;

/// The URL of the function or of its alias.
pub(super) fn expand(resource: &Resource, config: &Node, alias: Option<&str>) -> Result<Vec<Generated>, Refusal> {
    check(resource, config)?;
    let attributes = resource.passed_through();
    let target = reference(alias.unwrap_or(&resource.id));
    let mut url = Generated::new(format!("{}Url", resource.id), "AWS::Lambda::Url", &attributes)?;
    url.set("Cors", config.get("Cors").filter(|cors| cors.truthy()).cloned());
    url.set("AuthType", config.get("AuthType").cloned());
    url.set("TargetFunctionArn", target.clone());
    url.set("InvokeMode", config.get("InvokeMode").cloned());
    let mut made = vec![url];
    if config.get("AuthType").and_then(Node::as_str) == Some("NONE") && !config.is_intrinsic() {
        let id = format!("{}UrlPublicPermissions", resource.id);
        let mut call_url = Generated::new(id, "AWS::Lambda::Permission", &attributes)?;
        call_url.set("Action", text("lambda:InvokeFunctionUrl"));
        call_url.set("FunctionName", target.clone());
        call_url.set("Principal", text("*"));
        call_url.set("FunctionUrlAuthType", text("NONE"));
        let id = format!("{}URLInvokeAllowPublicAccess", resource.id);
        let mut call = Generated::new(id, "AWS::Lambda::Permission", &attributes)?;
        call.set("Action", text("lambda:InvokeFunction"));
        call.set("FunctionName", target);
        call.set("Principal", text("*"));
        call.set("InvokedViaFunctionUrl", Node::from(true));
        made.extend([call_url, call]);
    }
    Ok(made)
}

fn check(resource: &Resource, config: &Node) -> Result<(), Refusal> {
    if config.is_intrinsic() {
        return Ok(());
    }
    let auth = config.get("AuthType").filter(|auth| auth.truthy());
    let known = auth.is_some_and(|auth| auth.is_intrinsic() || matches!(auth.as_str(), Some("AWS_IAM" | "NONE")));
    if !known {
        return resource.refuse(
            "AuthType is required to configure function property `FunctionUrlConfig`. Please provide either AWS_IAM \
             or NONE.",
        );
    }
    let Some(cors) = config.get("Cors").filter(|cors| cors.truthy() && !cors.is_intrinsic()) else {
        return Ok(());
    };
    let Some(cors) = cors.as_map() else {
        return resource.refuse("Property 'FunctionUrlConfig.Cors' should be a map.");
    };
    for (name, value) in cors.iter() {
        let (kind, fits) = match name {
            "AllowOrigins" | "AllowMethods" | "AllowHeaders" | "ExposeHeaders" => {
                ("list", matches!(value.value, Value::List(_)))
            }
            "AllowCredentials" => ("bool", matches!(value.value, Value::Bool(_))),
            "MaxAge" => ("int", crate::transform::property::Kind::Integer.accepts(value)),
            _ => return resource.refuse(format!("{name} is not a valid property for configuring Cors.")),
        };
        if !fits && !value.is_intrinsic() {
            return resource.refuse(format!("{name} must be of type {kind}."));
        }
    }
    Ok(())
}
