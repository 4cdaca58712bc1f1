//! Which alias a rollout command is about, and what it needs of AWS.

use std::sync::Arc;

use clap::Args;

use crate::aws::Aws;
use crate::cli::context::Context;
use crate::cli::exit::Error;
use crate::deploy::samconfig;
use crate::package::bucket;
use crate::rollout::clock::Clock;
use crate::rollout::driver::alias::Driver;
use crate::rollout::names::{AliasName, FunctionName};
use crate::rollout::owner;
use crate::rollout::run::Services;
use crate::rollout::settle::StackSettle;
use crate::rollout::store::Store;

/// Which alias.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Which alias")]
pub(super) struct TargetArgs {
    /// Function, by name or ARN
    #[arg(long, value_name = "NAME")]
    pub(super) function: Option<FunctionName>,
    /// Alias of the function
    #[arg(long, value_name = "NAME")]
    pub(super) alias: Option<AliasName>,
    /// Stack whose alias it is [default: that of samconfig.toml]
    #[arg(long, value_name = "NAME")]
    stack_name: Option<String>,
    /// Bucket for the journal, in place of the managed one
    #[arg(long, value_name = "BUCKET")]
    journal_bucket: Option<String>,
}

/// An alias, and AWS.
#[derive(Debug)]
pub(crate) struct Target {
    pub(super) aws: Aws,
    pub(super) function: FunctionName,
    pub(super) alias: AliasName,
    pub(super) clock: Clock,
    /// The stack that was named, or that samconfig.toml names.
    pub(super) stack: Option<String>,
    journal_bucket: Option<String>,
}

impl TargetArgs {
    /// Finds the alias: as it is named, or the only one of the stack.
    pub(super) async fn resolve(&self, context: &Context) -> Result<Target, Error> {
        let config = samconfig::load(&context.cwd, None, None)?;
        let section = config.section("deploy");
        let region = section.string("region")?;
        let aws = context.aws(region, section.string("profile")?).await?;
        let clock = Clock::of(aws.endpoint_url()).await;
        let journal_bucket = self.journal_bucket.clone();
        let stack = self.stack_name.clone().map_or_else(|| section.string("stack_name"), |name| Ok(Some(name)))?;
        if let (Some(function), Some(alias)) = (&self.function, &self.alias) {
            return Ok(Target { aws, function: function.clone(), alias: alias.clone(), clock, stack, journal_bucket });
        }
        let Some(stack) = stack else {
            return Err(Error::Usage(
                "which alias? Give --function NAME and --alias NAME, or --stack-name NAME".to_owned(),
            ));
        };
        let (function, alias) = self.only_alias_of(&aws, &stack).await?;
        Ok(Target { aws, function, alias, clock, stack: Some(stack), journal_bucket })
    }

    async fn only_alias_of(&self, aws: &Aws, stack: &str) -> Result<(FunctionName, AliasName), Error> {
        let resources = aws.cloudformation().resources(stack).await?;
        let mut found: Vec<(FunctionName, AliasName)> = resources
            .iter()
            .filter(|resource| resource.kind == "AWS::Lambda::Alias")
            .filter_map(|resource| alias_of(resource.physical_id.as_deref()?))
            .filter(|(function, _)| self.function.as_ref().is_none_or(|wanted| wanted == function))
            .filter(|(_, alias)| self.alias.as_ref().is_none_or(|wanted| wanted == alias))
            .collect();
        match (found.pop(), found.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => Err(Error::Usage(format!("stack {stack} has no such alias"))),
            (Some(last), false) => {
                let names: Vec<String> = found
                    .iter()
                    .chain([&last])
                    .map(|(function, alias)| format!("--function {function} --alias {alias}"))
                    .collect();
                Err(Error::Usage(format!(
                    "stack {stack} has {} aliases; add one of: {}",
                    names.len(),
                    names.join(" | ")
                )))
            }
        }
    }
}

/// Function and alias of an alias's ARN, which is its physical id.
fn alias_of(arn: &str) -> Option<(FunctionName, AliasName)> {
    let [.., "function", function, alias] = arn.split(':').collect::<Vec<_>>()[..] else { return None };
    Some((function.parse().ok()?, alias.parse().ok()?))
}

impl Target {
    /// An alias that is known already.
    pub(crate) async fn new(aws: Aws, function: FunctionName, alias: AliasName) -> Self {
        let clock = Clock::of(aws.endpoint_url()).await;
        Self { aws, function, alias, clock, stack: None, journal_bucket: None }
    }

    /// `function:alias`.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.function, self.alias)
    }

    /// The alias through Lambda alone.
    pub(super) fn driver(&self) -> Driver {
        Driver::new(self.aws.lambda(), self.function.clone(), self.alias.clone(), self.clock.clone())
    }

    /// Everything that a rollout needs, with a bucket that is there already; `None` when there is none.
    pub(super) async fn services(&self, context: &Context) -> Result<Option<Services>, Error> {
        let bucket = match &self.journal_bucket {
            Some(bucket) => Some(bucket.clone()),
            None => bucket::find(&self.aws).await.map_err(crate::package::Error::from)?.map(|bucket| bucket.name),
        };
        Ok(bucket.map(|bucket| self.with_bucket(context, &bucket)))
    }

    /// Everything that a rollout needs; the managed bucket is made when it is not there.
    pub(super) async fn services_with_bucket(&self, context: &Context) -> Result<Services, Error> {
        if let Some(services) = self.services(context).await? {
            return Ok(services);
        }
        context.terminal.status("Creating", "the managed bucket, which keeps the rollout's journal");
        let bucket = bucket::ensure(&self.aws, &|_| {}).await.map_err(crate::package::Error::from)?;
        Ok(self.with_bucket(context, &bucket.name))
    }

    /// Everything that a rollout needs, with this bucket.
    pub(crate) fn with_bucket(&self, context: &Context, bucket: &str) -> Services {
        let user = context.env("USER").or_else(|| context.env("LOGNAME")).unwrap_or_else(|| "somebody".to_owned());
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = Some(host.trim().to_owned()).filter(|host| !host.is_empty()).or_else(|| context.env("HOSTNAME"));
        Services {
            driver: self.driver(),
            cloudwatch: self.aws.cloudwatch(),
            store: Store::new(self.aws.s3(), bucket, self.function.clone(), self.alias.clone()),
            clock: self.clock.clone(),
            me: owner::this_process(&user, host.as_deref().unwrap_or("this machine")),
            settle: Some(Arc::new(StackSettle::new(self.aws.clone(), bucket, Arc::new(|_| {})))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::alias_of;

    #[test]
    fn an_aliases_physical_id_is_its_arn() {
        let (function, alias) = alias_of("arn:aws:lambda:eu-west-1:123456789012:function:hello:live").unwrap();
        assert_eq!((function.as_str(), alias.as_str()), ("hello", "live"));
        assert!(alias_of("hello").is_none() && alias_of("").is_none());
    }
}
