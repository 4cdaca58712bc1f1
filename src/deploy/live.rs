//! What is there before a deploy: the stack, its template as CloudFormation works with it, its
//! resources, and where its aliases send traffic.

use std::time::Duration;

use crate::aws::Aws;
use crate::aws::cloudformation::{Stack, StackResource, Stage};
use crate::template::{Node, read};

use super::values::Values;
use super::{Error, Sink, change_set};

/// A stack that is there, and idle.
#[derive(Clone, Debug)]
pub struct Live {
    /// The stack.
    pub stack: Stack,
    /// Its template, as its transforms left it.
    pub template: Node,
    /// Its resources.
    pub resources: Vec<StackResource>,
}

/// An alias of a stack as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveAlias {
    /// Its name in the template.
    pub logical_id: String,
    /// The function's name.
    pub function: String,
    /// Its own name.
    pub alias: String,
    /// The version that serves, or most of the traffic's.
    pub version: String,
    /// The other version and its share, while a rollout is under way.
    pub weights: Vec<(String, f64)>,
}

impl Live {
    /// Looks, and waits first until no operation is under way; `None` when there is no stack, or one
    /// that never had a resource.
    ///
    /// # Errors
    /// The stack cannot be updated; a call failed; its template cannot be read.
    pub async fn look(aws: &Aws, name: &str, limit: Duration, sink: Sink<'_>) -> Result<Option<Self>, Error> {
        let Some(stack) = change_set::idle_stack(aws, name, limit, sink).await? else { return Ok(None) };
        if stack.status.is_review() {
            return Ok(None);
        }
        let cloudformation = aws.cloudformation();
        let text = cloudformation.template(&stack.id, Stage::Processed).await?;
        let template = parse(&format!("stack {name}"), &text)?;
        let resources = cloudformation.resources(&stack.id).await?;
        Ok(Some(Self { stack, template, resources }))
    }

    /// The name in AWS of a resource of the template.
    pub fn physical_id(&self, logical_id: &str) -> Option<&str> {
        self.resources.iter().find(|resource| resource.logical_id == logical_id)?.physical_id.as_deref()
    }

    /// Where an alias of the template sends traffic; `None` when the stack does not have it yet.
    ///
    /// # Errors
    /// The call failed.
    pub async fn alias(&self, aws: &Aws, logical_id: &str) -> Result<Option<LiveAlias>, Error> {
        let Some((function, alias)) = self.physical_id(logical_id).and_then(alias_names) else { return Ok(None) };
        let found = aws.lambda().alias(function, alias).await?;
        Ok(found.map(|found| LiveAlias {
            logical_id: logical_id.to_owned(),
            function: function.to_owned(),
            alias: alias.to_owned(),
            version: found.version,
            weights: found.weights,
        }))
    }

    /// What a node of the template says, as far as the stack can tell: text, and `Ref` to a parameter or
    /// a resource. `None` is `AWS::NoValue`.
    ///
    /// # Errors
    /// What cannot be told.
    pub fn text(&self, node: &Node) -> Result<Option<String>, String> {
        self.values().text(node)
    }

    /// What a list of the template says, or `Fn::If` between lists.
    ///
    /// # Errors
    /// What cannot be told.
    pub fn texts(&self, node: &Node) -> Result<Vec<String>, String> {
        self.values().texts(node)
    }

    /// What the stack's own template, parameters and resources tell.
    pub fn values(&self) -> Values<'_> {
        Values {
            template: &self.template,
            parameters: &self.stack.parameters,
            resources: &self.resources,
            stack: &self.stack.name,
            stack_id: &self.stack.id,
        }
    }

    /// The number of a version of the template, once it is published.
    pub fn version(&self, logical_id: &str) -> Option<&str> {
        let number = self.physical_id(logical_id)?.rsplit(':').next()?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then_some(number)
    }
}

/// Which version the template of a stack says that an alias serves, as the stack is now; nothing is
/// waited for. `None` where the stack does not have the alias, or where only CloudFormation can tell.
///
/// # Errors
/// A call failed, or the template cannot be read.
pub async fn version_of_alias(aws: &Aws, stack: &str, function: &str, alias: &str) -> Result<Option<String>, Error> {
    let cloudformation = aws.cloudformation();
    let resources = cloudformation.resources(stack).await?;
    let found = resources.iter().find(|resource| {
        resource.kind == "AWS::Lambda::Alias"
            && resource.physical_id.as_deref().and_then(alias_names) == Some((function, alias))
    });
    let Some(logical_id) = found.map(|found| found.logical_id.clone()) else { return Ok(None) };
    let text = cloudformation.template(stack, Stage::Processed).await?;
    let template = parse(&format!("stack {stack}"), &text)?;
    let live = Live { stack: Stack { name: stack.to_owned(), ..Stack::default() }, template, resources };
    Ok(live.said_of_alias(&logical_id))
}

/// What calls a function of a stack past its alias, as the stack's template is now; nothing is waited
/// for. Empty where the stack does not have the alias.
///
/// # Errors
/// A call failed, or the template cannot be read.
pub async fn references(aws: &Aws, stack: &str, function: &str, alias: &str) -> Result<Vec<String>, Error> {
    let cloudformation = aws.cloudformation();
    let resources = cloudformation.resources(stack).await?;
    let named = |kind: &str, is_it: &dyn Fn(&str) -> bool| {
        let of_kind = resources.iter().filter(|resource| resource.kind == kind);
        let mut found = of_kind.filter(|resource| resource.physical_id.as_deref().is_some_and(is_it));
        found.next().map(|resource| resource.logical_id.clone())
    };
    let of_function = named("AWS::Lambda::Function", &|id| id == function);
    let of_alias = named("AWS::Lambda::Alias", &|id| alias_names(id) == Some((function, alias)));
    let (Some(of_function), Some(of_alias)) = (of_function, of_alias) else { return Ok(Vec::new()) };
    let text = cloudformation.template(stack, Stage::Processed).await?;
    let template = parse(&format!("stack {stack}"), &text)?;
    let version = super::hold::function_version(&template, &of_alias).and_then(|node| match node.intrinsic() {
        Some(("Fn::GetAtt", arguments)) => arguments.as_list()?.first()?.as_str().map(str::to_owned),
        _ => None,
    });
    let all = super::bypass::bypasses(&template, &of_function, &version.unwrap_or_default());
    Ok(all.iter().map(|one| one.message(&of_function)).collect())
}

impl Live {
    /// Which version the template says that an alias serves; `None` where only CloudFormation can tell.
    pub fn said_of_alias(&self, logical_id: &str) -> Option<String> {
        let node = super::hold::function_version(&self.template, logical_id)?;
        if let Some(("Fn::GetAtt", arguments)) = node.intrinsic() {
            let [version, attribute] = arguments.as_list()? else { return None };
            let version = version.as_str().filter(|_| attribute.as_str() == Some("Version"))?;
            return self.version(version).map(str::to_owned);
        }
        self.text(node).ok().flatten()
    }
}

/// `arn:aws:lambda:eu-central-1:123456789012:function:name:live` → `name`, `live`.
pub fn alias_names(arn: &str) -> Option<(&str, &str)> {
    let (_, names) = arn.split_once(":function:")?;
    names.split_once(':')
}

/// Reads a template that CloudFormation gave.
///
/// # Errors
/// It is no YAML or JSON map.
pub fn parse(what: &str, text: &str) -> Result<Node, Error> {
    let template = read::read_bytes(what, text.as_bytes()).map_err(|findings| Error::Template {
        what: what.to_owned(),
        reason: findings.items.first().map(|item| item.message.clone()).unwrap_or_default(),
    })?;
    Ok(template.root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_read_from_arns() {
        assert_eq!(alias_names("arn:aws:lambda:eu-central-1:1:function:f:live"), Some(("f", "live")));
        assert_eq!(alias_names("arn:aws:lambda:eu-central-1:1:function:f"), None);
        let version = |physical: &str| {
            let resource = StackResource {
                logical_id: "V".to_owned(),
                physical_id: Some(physical.to_owned()),
                kind: "AWS::Lambda::Version".to_owned(),
                status: Default::default(),
            };
            let live = Live { stack: Stack::default(), template: Node::default(), resources: vec![resource] };
            live.version("V").map(str::to_owned)
        };
        assert_eq!(version("arn:aws:lambda:eu-central-1:1:function:f:12").as_deref(), Some("12"));
        assert_eq!(version("arn:aws:lambda:eu-central-1:1:function:f"), None);
    }
}
