//! One deploy, step by step. Each step takes what the one before gave; none reaches back.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use super::Transformer;
use super::interrupt::Phase;
use super::settings::Settings;
use super::shifting::{Rejected, Shifting};
use crate::aws::Aws;
use crate::aws::cloudformation::{Redacted, Stage, TEMPLATE_BODY_LIMIT, TemplateSource};
use crate::aws::s3::Encryption;
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::cli::package::{Progress, located};
use crate::deploy::change_set::{self, ReadyChangeSet};
use crate::deploy::hold::{self, HeldAlias};
use crate::deploy::live::{self, Live, LiveAlias};
use crate::deploy::review::{Effect, Review};
use crate::deploy::shift::{self, Shift};
use crate::deploy::{self, Event, Prepared, StackChange, execute, prepare, upload};
use crate::diagnostic::Diagnostics;
use crate::package::bucket::{self, ManagedBucket};
use crate::package::{self, Packaged};
use crate::template::{Node, Template, parameters, write};
use crate::transform;
use crate::ui::deploy::Report;
use crate::ui::prompt;

/// What a deploy works with.
pub(super) struct Steps<'a> {
    pub(super) context: &'a Context,
    pub(super) settings: &'a Settings,
    template: &'a Template,
    base: PathBuf,
    report: Report,
}

/// What the stack should become, before anything is held.
struct Plain {
    template: Node,
    shifts: Vec<Shift>,
    /// The change set that gave the template, where CloudFormation transformed it.
    change_set: Option<ReadyChangeSet>,
}

/// An alias that is to be shifted, with the version that serves behind it now.
pub(super) struct Holding {
    pub(super) shift: Shift,
    pub(super) alias: LiveAlias,
}

impl<'a> Steps<'a> {
    pub(super) fn new(
        context: &'a Context,
        settings: &'a Settings,
        template: &'a Template,
        base: PathBuf,
        report: Report,
    ) -> Self {
        Self { context, settings, template, base, report }
    }

    /// Everything that can be checked without a call.
    pub(super) fn dry_run(&self) -> Result<Status, Error> {
        let options = self.package_options();
        let progress = Progress::new(self.context.terminal, false);
        let prepared = package::prepare(self.template, &self.base, &options, &|event| progress.show(event))
            .map_err(|error| located(self.context, error))?;
        let bucket = self.settings.s3_bucket.as_deref().unwrap_or("MANAGED-BUCKET");
        let packaged = prepared.dry_run(bucket);
        let region = self.settings.region_for(self.context).unwrap_or_else(|| "us-east-1".to_owned());
        let resources = match self.settings.transform {
            Transformer::Native => self.native(&packaged.template, &region, &BTreeMap::new())?.template,
            Transformer::Aws => packaged.template.clone(),
        };
        let count = resources.get("Resources").and_then(Node::as_map).map_or(0, crate::template::Map::len);
        let stack = self.settings.stack_name.as_deref();
        self.report.result("dry_run", json!({ "stack_name": stack, "region": region, "resources": count }));
        let name = stack.map(|name| format!(" for stack {name}")).unwrap_or_default();
        self.report.say(
            "Dry run",
            format_args!(
                "template, configuration and code are in order: {count} resources{name}, {} to upload; nothing was called",
                packaged.uploads.len()
            ),
        );
        Ok(Status::Done)
    }

    /// The whole deploy.
    pub(super) async fn run(&self, stack: &str) -> Result<Status, Error> {
        let phase = Phase::new(stack);
        let mut global = self.context.global.clone();
        // What was answered is newer than what the environment says.
        global.region = self.settings.guided_region.clone().or(global.region);
        let context = Context { global, terminal: self.context.terminal, cwd: self.context.cwd.clone() };
        let aws = context.aws(self.settings.region.clone(), self.settings.profile.clone()).await?;
        phase.guard(self.deploy(&aws, stack, &phase)).await
    }

    async fn deploy(&self, aws: &Aws, stack: &str, phase: &Phase) -> Result<Status, Error> {
        let report = self.report;
        let sink = |event: Event| {
            phase.note(&event);
            report.event(&event);
        };
        // Everything local first: what is wrong there is said before the first call.
        let options = self.package_options();
        let progress = Progress::new(self.context.terminal, true);
        let show = |event: package::Event| progress.show(event);
        let prepared = package::prepare(self.template, &self.base, &options, &show)
            .map_err(|error| located(self.context, error))?;
        if self.settings.transform == Transformer::Native {
            let looked = prepared.clone().dry_run("checked");
            self.native(&looked.template, aws.region(), &BTreeMap::new())?;
        }
        self.say_where(aws, stack).await?;
        let live = self.look(aws, stack, &sink).await?;
        self.check_missing(live.as_ref())?;
        let managed = bucket::ensure(aws, &show).await.map_err(package::Error::from)?;
        if self.settings.s3_bucket.is_none() {
            report.managed_bucket(&managed.name);
        }
        let code_bucket = self.settings.s3_bucket.as_deref().unwrap_or(&managed.name);
        let packaged = prepared.upload(&aws.s3(), code_bucket, &options, &show).await?;
        progress.finish();

        let plain = self.plain(aws, stack, &managed, &packaged, live.as_ref(), &sink).await?;
        let holdings = self.holdings(aws, live.as_ref(), &plain).await?;
        let shifting = Shifting { steps: self, aws, bucket: &managed.name, stack, report };
        let rejected = match &live {
            Some(live) => shifting.check(live, &holdings).await?,
            None => Vec::new(),
        };
        let (template, kept) = held(&plain, live.as_ref(), &holdings);
        let change = self.change(stack, self.upload_template(aws, &managed, &template).await?, &template);
        let prepared = match plain.change_set {
            Some(change_set) if kept.is_empty() && holdings.is_empty() => Prepared::Ready(change_set),
            Some(change_set) => {
                change_set::discard(aws, &change_set.id, &sink).await?;
                prepare(aws, &change, &sink).await?
            }
            None => prepare(aws, &change, &sink).await?,
        };
        let ready = match prepared {
            Prepared::Ready(ready) => ready,
            Prepared::Empty { .. } if !rejected.is_empty() => return Ok(self.nothing_new(&rejected)),
            // A process before this one ended between the stack's update and the rollout.
            Prepared::Empty { .. } if !holdings.is_empty() => {
                phase.rolling();
                return self.finish(shifting.run(&holdings, &plain.template, &packaged).await?, aws, stack, None);
            }
            Prepared::Empty { stack: found } => {
                return self.unchanged(stack, found.map(|found| found.outputs).unwrap_or_default());
            }
        };
        let review = Review::new(&ready.description);
        let shown: Vec<(String, String)> = holdings
            .iter()
            .map(|holding| {
                (format!("{}:{}", holding.alias.function, holding.alias.alias), holding.alias.version.clone())
            })
            .collect();
        report.review(&review, &kept, &shown);
        if !self.settings.execute {
            report.result("changeset_created", json!({ "stack_name": stack, "changeset_id": ready.id.id }));
            report.say("Created", format_args!("change set {}; it was not executed", ready.id.id));
            return Ok(Status::Done);
        }
        if !self.agreed(aws, live.as_ref(), &review, &holdings, &ready, &sink).await? {
            return Ok(Status::Done);
        }
        let deployed = execute(aws, &change, &ready, &sink).await?;
        report.outputs(&deployed.outputs);
        if self.settings.express {
            report.warning("deployed in Express mode: resources may still be getting ready");
        }
        let mut status = Status::Done;
        if !rejected.is_empty() {
            rejected.iter().for_each(|one| report.warning(&one.message()));
        } else if !holdings.is_empty() {
            phase.rolling();
            status = shifting.run(&holdings, &plain.template, &packaged).await?;
        }
        self.finish(status, aws, stack, Some(&ready.id.id))
    }

    /// The last line for a program.
    fn finish(&self, status: Status, aws: &Aws, stack: &str, change_set: Option<&str>) -> Result<Status, Error> {
        let word = match status {
            Status::Done => "success",
            Status::RolledBack => "rolled_back",
            Status::Held => "held",
            Status::Conflict => "conflict",
            Status::Interrupted => "interrupted",
            Status::Failed | Status::Usage | Status::NoChanges => "failure",
        };
        self.report.result(
            word,
            json!({
                "stack_name": stack,
                "region": aws.region(),
                "changeset_id": change_set,
                "express": self.settings.express,
            }),
        );
        Ok(status)
    }

    /// The code that is deployed was rejected before: nothing would be published.
    fn nothing_new(&self, rejected: &[Rejected]) -> Status {
        let messages: Vec<String> = rejected.iter().map(Rejected::message).collect();
        self.report.result("no_changes", json!({ "message": messages.join("; ") }));
        if !self.context.terminal.is_json() {
            messages.iter().for_each(|message| self.report.warning(message));
        }
        if self.settings.fail_on_empty { Status::NoChanges } else { Status::Done }
    }

    /// Where it goes to; a custom endpoint is always shown.
    async fn say_where(&self, aws: &Aws, stack: &str) -> Result<(), Error> {
        let identity = aws.identity().await?;
        let endpoint = aws.endpoint_url().map(|url| format!(", endpoint {url}")).unwrap_or_default();
        self.report
            .say("Target", format_args!("stack {stack} in {} of account {}{endpoint}", aws.region(), identity.account));
        for parameter in parameters::declared(self.template) {
            let Some(value) = self.settings.overrides.get(parameter.name) else { continue };
            let value = if parameter.no_echo { "****" } else { value };
            self.report.say("Parameter", format_args!("{} = {value}", parameter.name));
        }
        Ok(())
    }

    /// What is there. A stack that only failed to be made is offered for deletion.
    async fn look(&self, aws: &Aws, stack: &str, sink: deploy::Sink<'_>) -> Result<Option<Live>, Error> {
        match Live::look(aws, stack, self.settings.max_wait, sink).await {
            Err(error @ deploy::Error::RolledBackOnCreate { .. }) => {
                if !self.context.may_ask() {
                    return Err(error.into());
                }
                self.context.terminal.warn(&error);
                if !self.ask(&format!("Delete stack {stack} and deploy it anew?"))? {
                    return Err(error.into());
                }
                deploy::delete_stack(aws, stack, self.settings.role_arn.as_deref(), sink).await?;
                Ok(None)
            }
            looked => Ok(looked?),
        }
    }

    fn check_missing(&self, live: Option<&Live>) -> Result<(), Error> {
        let given = self.settings.overrides.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut names = parameters::effective(self.template, &given).missing;
        names.retain(|name| !live.is_some_and(|live| live.stack.parameters.contains_key(name)));
        if names.is_empty() {
            return Ok(());
        }
        Err(deploy::Error::MissingParameters { names }.into())
    }

    /// The template as plain CloudFormation, by either transform.
    async fn plain(
        &self,
        aws: &Aws,
        stack: &str,
        managed: &ManagedBucket,
        packaged: &Packaged,
        live: Option<&Live>,
        sink: deploy::Sink<'_>,
    ) -> Result<Plain, Error> {
        match self.settings.transform {
            Transformer::Native => {
                // The stack's own values hold where none is given; those of secrets are masked there.
                let values = live.map(|live| live.stack.parameters.clone()).unwrap_or_default();
                let values = values.into_iter().filter(|(_, value)| value != "****").collect();
                self.native(&packaged.template, aws.region(), &values)
            }
            Transformer::Aws => {
                let sam = Template { source: self.template.source.clone(), root: packaged.template.clone() };
                let given = if self.settings.no_rollout { sam.root.clone() } else { shift::without_preferences(&sam) };
                let mut change = self.change(stack, self.upload_template(aws, managed, &given).await?, &given);
                if !change.capabilities.iter().any(|name| name == "CAPABILITY_AUTO_EXPAND") {
                    change.capabilities.push("CAPABILITY_AUTO_EXPAND".to_owned());
                }
                let Prepared::Ready(ready) = prepare(aws, &change, sink).await? else {
                    let template = live.map(|live| live.template.clone()).unwrap_or_default();
                    return Ok(Plain { template, shifts: Vec::new(), change_set: None });
                };
                let text = aws.cloudformation().change_set_template(&ready.id, Stage::Processed).await?;
                let template = live::parse("the change set", &text)?;
                let shifts = self.shifts(&template);
                Ok(Plain { template, shifts, change_set: Some(ready) })
            }
        }
    }

    /// samara's own transform. `values` are the stack's parameters, which hold where none is given.
    fn native(&self, packaged: &Node, region: &str, values: &BTreeMap<String, String>) -> Result<Plain, Error> {
        let template = Template { source: self.template.source.clone(), root: packaged.clone() };
        if !transform::is_needed(&template) {
            return Ok(Plain { template: template.root, shifts: Vec::new(), change_set: None });
        }
        let mut parameters = values.clone();
        parameters.extend(self.settings.overrides.iter().map(|(name, value)| (name.clone(), value.clone())));
        let options = transform::Options {
            region: region.to_owned(),
            parameters,
            deployment_preference: transform::DeploymentPreference::Disabled,
        };
        let transformed =
            transform::transform(&template, &options).map_err(|findings| self.not_transformed(&findings))?;
        let mut shifts: Vec<Shift> =
            transformed.preferences.into_iter().filter(|one| one.enabled).map(Shift::from).collect();
        shifts = shifts.into_iter().map(|shift| shift.with_enabled_of(&template.root)).collect();
        if self.settings.strategy.is_some() {
            let others = self.shifts(&transformed.template);
            shifts.extend(
                others
                    .into_iter()
                    .filter(|other| shifts.iter().all(|one| one.function != other.function))
                    .collect::<Vec<_>>(),
            );
        }
        if self.settings.no_rollout {
            shifts.clear();
        }
        Ok(Plain { template: transformed.template, shifts, change_set: None })
    }

    /// What is wrong is shown with its line; what is only not covered here can be done by AWS.
    fn not_transformed(&self, findings: &Diagnostics) -> Error {
        let error = self.context.failed("transform", findings);
        if findings.items.iter().any(|item| item.rule == transform::UNSUPPORTED) {
            return Error::Unsupported(error.to_string());
        }
        error
    }

    fn shifts(&self, plain: &Node) -> Vec<Shift> {
        if self.settings.no_rollout {
            return Vec::new();
        }
        shift::find(&self.template.root, plain, self.settings.strategy.is_some())
    }

    /// Aliases whose version would change, with the one that serves now. The first deploy has none.
    async fn holdings(&self, aws: &Aws, live: Option<&Live>, plain: &Plain) -> Result<Vec<Holding>, Error> {
        let mut found = Vec::new();
        let Some(live) = live else { return Ok(found) };
        for shift in &plain.shifts {
            let now = hold::function_version(&live.template, &shift.alias).map(Node::to_json);
            let next = hold::function_version(&plain.template, &shift.alias).map(Node::to_json);
            if now == next {
                continue;
            }
            let Some(alias) = live.alias(aws, &shift.alias).await? else { continue };
            if !alias.weights.is_empty() {
                let shares: Vec<String> = alias
                    .weights
                    .iter()
                    .map(|(version, weight)| format!("{version}: {:.1} %", weight * 100.0))
                    .collect();
                return Err(deploy::Error::AliasIsSplit {
                    function: alias.function,
                    alias: alias.alias,
                    shares: shares.join(", "),
                }
                .into());
            }
            found.push(Holding { shift: shift.clone(), alias });
        }
        Ok(found)
    }

    /// Whether the change set may be executed. One that may not is deleted.
    async fn agreed(
        &self,
        aws: &Aws,
        live: Option<&Live>,
        review: &Review,
        holdings: &[Holding],
        ready: &ReadyChangeSet,
        sink: deploy::Sink<'_>,
    ) -> Result<bool, Error> {
        if self.settings.yes {
            return Ok(true);
        }
        let touched = touched(live, review, holdings);
        if !touched.is_empty() {
            let error = deploy::Error::NeedsYes { names: touched };
            if !self.context.may_ask() {
                change_set::discard(aws, &ready.id, sink).await?;
                return Err(error.into());
            }
            self.context.terminal.warn(&error);
            if !self.ask("Change them now?")? {
                change_set::discard(aws, &ready.id, sink).await?;
                return Ok(false);
            }
        }
        if !self.settings.confirm_changeset {
            return Ok(true);
        }
        if !self.context.may_ask() {
            change_set::discard(aws, &ready.id, sink).await?;
            return Err(Error::Usage(
                "the change set is to be confirmed, and there is no terminal: add --yes or --no-confirm-changeset"
                    .to_owned(),
            ));
        }
        if !self.ask("Deploy this change set?")? {
            change_set::discard(aws, &ready.id, sink).await?;
            return Ok(false);
        }
        Ok(true)
    }

    fn ask(&self, question: &str) -> Result<bool, Error> {
        tokio::task::block_in_place(|| prompt::confirm(self.context.terminal, question, false))
            .map_err(|error| Error::Usage(error.to_string()))
    }

    fn unchanged(&self, stack: &str, outputs: Vec<crate::aws::cloudformation::Output>) -> Result<Status, Error> {
        let message = format!("No changes to deploy. Stack {stack} is up to date");
        self.report.outputs(&outputs);
        self.report.result("no_changes", json!({ "message": message }));
        self.report.say("Unchanged", &message);
        Ok(if self.settings.fail_on_empty { Status::NoChanges } else { Status::Done })
    }

    fn package_options(&self) -> package::Options {
        let settings = self.settings;
        package::Options {
            prefix: settings.s3_prefix.clone(),
            include: settings.include.clone(),
            allow_external_links: settings.allow_external_links,
            exclude: Vec::new(),
            project: Some(self.context.cwd.clone()),
            force_upload: settings.force_upload,
            encryption: settings.kms_key_id.clone().map_or(Encryption::BucketDefault, Encryption::Kms),
            metadata: settings.metadata.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        }
    }

    fn change(&self, stack: &str, source: TemplateSource, template: &Node) -> StackChange {
        let settings = self.settings;
        StackChange {
            declared: hold::parameter_names(template),
            overrides: settings.overrides.iter().map(|(name, value)| (name.clone(), Redacted::new(value))).collect(),
            capabilities: settings.capabilities.clone(),
            tags: settings.tags.clone(),
            notification_arns: settings.notification_arns.clone(),
            role_arn: settings.role_arn.clone(),
            on_failure: settings.on_failure,
            express: settings.express,
            max_wait: settings.max_wait,
            ..StackChange::new(stack, source)
        }
    }

    /// A template for CloudFormation: in the call itself while it is small, else in the bucket.
    async fn upload_template(
        &self,
        aws: &Aws,
        managed: &ManagedBucket,
        template: &Node,
    ) -> Result<TemplateSource, Error> {
        let text = write::json(template);
        if text.len() <= TEMPLATE_BODY_LIMIT {
            return Ok(TemplateSource::Body(text));
        }
        let key = upload::put(aws, &managed.name, &text).await?;
        Ok(TemplateSource::Url(upload::url(aws, &managed.name, &key)))
    }
}

/// The template that moves no traffic, and what it keeps. Without an alias to hold it is the new one.
fn held(plain: &Plain, live: Option<&Live>, holdings: &[Holding]) -> (Node, Vec<String>) {
    let (Some(live), false) = (live, holdings.is_empty()) else { return (plain.template.clone(), Vec::new()) };
    let aliases: Vec<HeldAlias> = holdings
        .iter()
        .map(|holding| HeldAlias { logical_id: holding.shift.alias.clone(), version: holding.alias.version.clone() })
        .collect();
    let held = hold::hold(&plain.template, &live.template, &aliases);
    (held.template, held.kept)
}

/// What changes in place or is replaced while the old version still uses it.
fn touched(live: Option<&Live>, review: &Review, holdings: &[Holding]) -> Vec<String> {
    let Some(live) = live else { return Vec::new() };
    let mut names: Vec<String> = holdings
        .iter()
        .flat_map(|holding| hold::used_by(&live.template, &holding.shift.function))
        .filter(|name| review.rows.iter().any(|row| row.logical_id == *name && row.effect < Effect::Added))
        .collect();
    names.sort();
    names.dedup();
    names
}
