//! Which alias a rollout command is about, and what it needs of AWS.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::options::{or, text};
use crate::aws::Aws;
use crate::cli::context::Context;
use crate::cli::exit::Error;
use crate::deploy::samconfig::{self, Section};
use crate::package::bucket;
use crate::rollout::clock::Clock;
use crate::rollout::command::CommandLine;
use crate::rollout::driver::alias::Driver;
use crate::rollout::names::{AliasId, AliasName, FunctionName, FunctionRef, parse_bucket, parse_stack, paste_also};
use crate::rollout::owner;
use crate::rollout::run::Services;
use crate::rollout::settle::StackSettle;
use crate::rollout::store::{Found, Store};
use crate::rollout::{self};

/// Whose credentials these are is asked for no longer than this.
const IDENTITY_PATIENCE: Duration = Duration::from_secs(5);

/// Which alias.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Which alias")]
pub(super) struct TargetArgs {
    /// Function, by name or ARN
    #[arg(long, value_name = "NAME")]
    function: Option<FunctionRef>,
    /// Alias of the function
    #[arg(long, value_name = "NAME")]
    alias: Option<AliasName>,
    /// Stack whose alias it is [default: that of samconfig.toml]
    #[arg(long, value_name = "NAME", value_parser = parse_stack)]
    stack_name: Option<String>,
    /// Bucket for the journal, in place of the managed one
    #[arg(long, value_name = "BUCKET", value_parser = parse_bucket)]
    journal_bucket: Option<String>,
    /// Configuration file [default: samconfig.toml]
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    config_file: Option<String>,
    /// Environment in the configuration file [default: default]
    #[arg(long, value_name = "NAME", help_heading = "Configuration")]
    config_env: Option<String>,
}

/// An alias, and AWS.
#[derive(Debug)]
pub(crate) struct Target {
    pub(super) aws: Aws,
    pub(super) id: AliasId,
    pub(super) clock: Clock,
    /// The stack that was named, or that samconfig.toml names.
    pub(super) stack: Option<String>,
    journal_bucket: Option<String>,
}

/// What was named, on the command line or in the configuration.
#[derive(Clone, Debug, Default, PartialEq)]
struct Named {
    function: Option<FunctionRef>,
    alias: Option<AliasName>,
    stack: Option<String>,
    journal_bucket: Option<String>,
}

impl TargetArgs {
    /// What the configuration says for `rollout <command>`: its own section over that of every rollout
    /// command over that of `deploy`, whose stack and whose alarms these are.
    pub(super) fn section(&self, context: &Context, command: &str) -> Result<Section, Error> {
        let config = samconfig::load(&context.cwd, self.config_file.as_deref(), self.config_env.as_deref())?;
        let section = config.layers(&["deploy", "rollout", &format!("rollout {command}")]);
        context.findings(&section.warnings());
        Ok(section)
    }

    /// These over what the configuration says.
    fn over(&self, section: &Section) -> Result<Named, samconfig::Error> {
        let mut named = Named {
            function: self.function.clone(),
            alias: self.alias.clone(),
            stack: match &self.stack_name {
                Some(stack) => Some(stack.clone()),
                None => text(section, "stack_name", parse_stack)?,
            },
            journal_bucket: match &self.journal_bucket {
                Some(bucket) => Some(bucket.clone()),
                None => text(section, "journal_bucket", parse_bucket)?,
            },
        };
        // A stack on the command line is about another alias than the file's.
        if self.stack_name.is_none() {
            named.function = or(&named.function, || text(section, "function", str::parse))?;
            named.alias = or(&named.alias, || text(section, "alias", str::parse))?;
        }
        Ok(named)
    }

    /// Finds the alias: as it is named, or the only one of the stack.
    pub(super) async fn resolve(&self, context: &Context, section: &Section) -> Result<Target, Error> {
        only(self.resolve_all(context, section).await?)
    }

    /// Finds the alias as it is named, or that of the only rollout under way in the stack, or else all of
    /// the stack: one at least.
    pub(super) async fn resolve_all(&self, context: &Context, section: &Section) -> Result<Vec<Target>, Error> {
        let named = self.over(section)?;
        let aws = context.aws(section.string("region")?, section.string("profile")?).await?;
        if let Some(function) = &named.function {
            is_here(function, &aws).await?;
        }
        let clock = Clock::of(aws.endpoint_url()).await;
        let Named { function, alias, stack, journal_bucket } = named;
        let function = function.map(|function| function.name);
        let ids = match (function, alias, &stack) {
            (Some(function), Some(alias), _) => vec![AliasId::new(function, alias)],
            (function, alias, Some(stack)) => {
                let found = aliases_of(&aws, stack, function.as_ref(), alias.as_ref()).await;
                if matches!(&found, Err(Error::Aws(error)) if !error.is_not_found()) {
                    context.terminal.warn(
                        "what stack it is in is asked of CloudFormation; --function NAME --alias NAME needs none of it",
                    );
                }
                let found = found?;
                let under_way = match found.as_slice() {
                    [] | [_] => None,
                    several => under_way(&aws, several, journal_bucket.as_deref()).await,
                };
                match under_way {
                    Some(id) => vec![id],
                    None if found.is_empty() => {
                        return Err(none(stack, &aliases_of(&aws, stack, None, None).await?));
                    }
                    None => found,
                }
            }
            (_, _, None) => {
                return Err(Error::Usage(
                    "which alias? Give --function NAME and --alias NAME (for example --function hello --alias live), \
                     or --stack-name NAME"
                        .to_owned(),
                ));
            }
        };
        let mut place = context.place();
        if let Some(bucket) = &self.journal_bucket {
            place.extend(["--journal-bucket".to_owned(), bucket.clone()]);
        }
        paste_also(CommandLine::quoted(&place));
        let of = |id| Target {
            aws: aws.clone(),
            id,
            clock: clock.clone(),
            stack: stack.clone(),
            journal_bucket: journal_bucket.clone(),
        };
        Ok(ids.into_iter().map(of).collect())
    }
}

/// An ARN says where the function is: a name that is the same elsewhere is another function.
async fn is_here(function: &FunctionRef, aws: &Aws) -> Result<(), Error> {
    let Some((region, account)) = &function.place else { return Ok(()) };
    if region != aws.region() {
        return Err(Error::Usage(format!(
            "function {} is in {region} by its ARN, and the region is {}: add --region {region}",
            function.name,
            aws.region()
        )));
    }
    // Who cannot be told apart from others goes on: STS may be down when a rollback is needed.
    let asked = tokio::time::timeout(IDENTITY_PATIENCE, aws.identity()).await;
    match asked {
        Ok(Ok(identity)) if identity.account != *account => Err(Error::Usage(format!(
            "function {} is in account {account} by its ARN, and the credentials are of account {}: choose the other \
             account's with --profile",
            function.name, identity.account
        ))),
        _ => Ok(()),
    }
}

/// The aliases of a stack, as far as they are wanted.
async fn aliases_of(
    aws: &Aws,
    stack: &str,
    function: Option<&FunctionName>,
    alias: Option<&AliasName>,
) -> Result<Vec<AliasId>, Error> {
    let resources = aws.cloudformation().resources(stack).await?;
    let found = resources
        .iter()
        .filter(|resource| resource.kind == "AWS::Lambda::Alias")
        .filter_map(|resource| alias_of(resource.physical_id.as_deref()?))
        .filter(|id| function.is_none_or(|wanted| *wanted == id.function))
        .filter(|id| alias.is_none_or(|wanted| *wanted == id.alias));
    Ok(found.collect())
}

/// Of several aliases the one that stands for all that are under way: when that is one rollout, which
/// may have several of them, it is meant. Best effort: without a journal the user has to choose.
async fn under_way(aws: &Aws, several: &[AliasId], journal_bucket: Option<&str>) -> Option<AliasId> {
    let bucket = match journal_bucket {
        Some(bucket) => bucket.to_owned(),
        None => bucket::find(aws).await.ok()??.name,
    };
    let store = Store::new(aws.s3(), &bucket);
    let mut meant: Option<(_, AliasId)> = None;
    for id in several {
        let found = store.find(id).await.ok()?.filter(|found| !found.record.state.is_finished());
        let Some(rollout) = found.map(|found| found.record.id) else { continue };
        match &meant {
            None => meant = Some((rollout, id.clone())),
            Some((other, _)) if *other == rollout => {}
            Some(_) => return None,
        }
    }
    meant.map(|(_, id)| id)
}

/// None is as it was named; what there is instead.
fn none(stack: &str, all: &[AliasId]) -> Error {
    let has = match all {
        [] => "no alias: a function gets one by AutoPublishAlias".to_owned(),
        all => format!("no such alias; it has {}", all.iter().map(AliasId::flags).collect::<Vec<_>>().join(" | ")),
    };
    Error::Usage(format!("stack {stack} has {has}"))
}

/// The only alias.
pub(super) fn only(mut found: Vec<Target>) -> Result<Target, Error> {
    if found.len() > 1 {
        return Err(ambiguous(&found));
    }
    found.pop().ok_or_else(|| ambiguous(&[]))
}

/// One of these has to be named.
pub(super) fn ambiguous(found: &[Target]) -> Error {
    let stack = found.first().and_then(|target| target.stack.clone()).unwrap_or_default();
    let names: Vec<String> = found.iter().map(|target| target.id.flags()).collect();
    Error::Usage(format!("stack {stack} has {} aliases; add one of: {}", names.len(), names.join(" | ")))
}

/// Function and alias of an alias's ARN, which is its physical id.
fn alias_of(arn: &str) -> Option<AliasId> {
    let [.., "function", function, alias] = arn.split(':').collect::<Vec<_>>()[..] else { return None };
    Some(AliasId::new(function.parse().ok()?, alias.parse().ok()?))
}

impl Target {
    /// An alias that is known already.
    pub(crate) async fn new(aws: Aws, id: AliasId) -> Self {
        let clock = Clock::of(aws.endpoint_url()).await;
        Self { aws, id, clock, stack: None, journal_bucket: None }
    }

    /// `function:alias`.
    pub(super) fn name(&self) -> String {
        self.id.to_string()
    }

    /// Everything that is needed to carry on, take back or look at what is under way.
    pub(super) async fn under_way(&self, context: &Context) -> Result<(Services, Found), Error> {
        let Some(services) = self.services(context).await? else { return Err(self.no_rollout().await) };
        match services.store.find(&self.id).await.map_err(rollout::Error::from)? {
            Some(found) => Ok((services, found)),
            None => Err(self.no_rollout().await),
        }
    }

    /// Nothing is under way; where there is no such alias, a name was mistyped.
    pub(super) async fn no_rollout(&self) -> Error {
        match self.there().await {
            Err(error @ Error::Rollout(rollout::Error::NoAlias { .. })) => error,
            _ => rollout::Error::NoRollout { alias: self.name() }.into(),
        }
    }

    /// Refuses an alias that Lambda does not have.
    pub(super) async fn there(&self) -> Result<(), Error> {
        match self.driver().read().await.map_err(rollout::Error::from)? {
            Some(_) => Ok(()),
            None => {
                let AliasId { function, alias } = self.id.clone();
                Err(rollout::Error::NoAlias { function, alias }.into())
            }
        }
    }

    /// The alias through Lambda alone.
    pub(super) fn driver(&self) -> Driver {
        Driver::new(self.aws.lambda(), self.id.clone(), self.clock.clone())
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
        let me = owner::this_process(&user, host.as_deref().unwrap_or("this machine"));
        Services {
            lambda: self.aws.lambda(),
            cloudwatch: self.aws.cloudwatch(),
            store: Store::new(self.aws.s3(), bucket).signed(&me.name),
            clock: self.clock.clone(),
            me,
            settle: Some(Arc::new(StackSettle::new(self.aws.clone(), bucket, Arc::new(|_| {})))),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Named, TargetArgs, alias_of};
    use crate::deploy::samconfig::Config;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        target: TargetArgs,
    }

    fn named(line: &str) -> Named {
        const CONFIG: &str = "version = 0.1\n[default.deploy.parameters]\nstack_name = 'app'\n\
            [default.rollout.parameters]\nfunction = 'hello'\nalias = 'live'\n\
            [default.rollout_start.parameters]\nalias = 'blue'\n";
        let args = Line::try_parse_from(std::iter::once("start").chain(line.split_whitespace())).unwrap().target;
        let config = Config::from_text("samconfig.toml", CONFIG, None).unwrap();
        args.over(&config.layers(&["deploy", "rollout", "rollout start"])).unwrap()
    }

    #[test]
    fn the_command_line_goes_before_its_own_section_that_before_the_rollouts_and_that_before_the_deploys() {
        let found = named("");
        assert_eq!(found.function, Some("hello".parse().unwrap()));
        assert_eq!((found.alias, found.stack), (Some("blue".parse().unwrap()), Some("app".to_owned())));
        let found = named("--alias green --function other");
        assert_eq!((found.alias, found.function), (Some("green".parse().unwrap()), Some("other".parse().unwrap())));
        // Another stack has other functions.
        let found = named("--stack-name other");
        assert_eq!((found.function, found.alias, found.stack), (None, None, Some("other".to_owned())));
    }

    #[test]
    fn an_aliases_physical_id_is_its_arn() {
        let id = alias_of("arn:aws:lambda:eu-west-1:123456789012:function:hello:live").unwrap();
        assert_eq!(id.to_string(), "hello:live");
        assert!(alias_of("hello").is_none() && alias_of("").is_none());
    }
}
