//! One deploy, step by step. Each step takes what the one before gave; none reaches back.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use super::Transformer;
use super::engine::Update;
use super::holding::Holding;
use super::interrupt::Phase;
use super::plain::Plain;
use super::rejected::Rejected;
use super::settings::Settings;
use super::shifting::Shifting;
use crate::aws::Aws;
use crate::aws::cloudformation::{Redacted, Stack, TEMPLATE_BODY_LIMIT, TemplateSource};
use crate::aws::s3::Encryption;
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::cli::package::{Progress, located};
use crate::deploy::change_set::{self, ReadyChangeSet};
use crate::deploy::hold::{self, HeldAlias};
use crate::deploy::live::{Live, LiveAlias};
use crate::deploy::review::Review;
use crate::deploy::{self, Event, Prepared, StackChange, execute, orphan, prepare, upload};
use crate::package;
use crate::package::bucket::{self, ManagedBucket};
use crate::rollout::plan::Engine;
use crate::template::{Node, Template, parameters, write};
use crate::ui::deploy::{Around, Report};

/// What a deploy works with.
pub(super) struct Steps<'a> {
    pub(super) context: &'a Context,
    pub(super) settings: &'a Settings,
    pub(super) template: &'a Template,
    base: PathBuf,
    pub(super) report: Report,
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
            Transformer::Native => self.native(&packaged.template, &region, &BTreeMap::new(), None)?.template,
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
            self.native(&looked.template, aws.region(), &BTreeMap::new(), None)?;
        }
        self.say_where(aws, stack).await?;
        let live = self.look(aws, stack, &sink).await?;
        self.check_missing(live.as_ref())?;
        let managed = bucket::ensure(aws, &show).await.map_err(package::Error::from)?;
        if self.settings.s3_bucket.is_none() {
            report.managed_bucket(&managed.name);
        }
        if let Some(live) = &live {
            self.ensure_free(aws, &managed.name, live).await?;
        }
        let code_bucket = self.settings.s3_bucket.as_deref().unwrap_or(&managed.name);
        let packaged = prepared.upload(&aws.s3(), code_bucket, &options, &show).await?;
        progress.finish();

        let plain = self.plain(aws, stack, &managed, &packaged, live.as_ref(), &sink).await?;
        let mut live = live;
        if let Some(found) = &live
            && self.mend(aws, &managed.name, found, &plain, &sink).await?
        {
            live = self.look(aws, stack, &sink).await?;
        }
        // Nothing is held of what CodeDeploy moves during the stack's update.
        let (holdings, watched) = match (plain.engine, self.holdings(aws, live.as_ref(), &plain).await?) {
            (Engine::Alias, found) => (found, Vec::new()),
            (Engine::CodeDeploy, found) => (Vec::new(), found),
        };
        let shifting = Shifting { steps: self, aws, bucket: &managed.name, stack, report };
        let mut rejected = Vec::new();
        if let Some(live) = &live {
            self.check_templates(aws, live, &plain, &holdings).await?;
            shifting.check(live, &plain, &holdings).await?;
            if !self.settings.force {
                rejected = shifting.rejected(live, &plain, &packaged, &holdings).await?;
            }
        }
        let (template, kept) = held(&plain, live.as_ref(), &holdings);
        let change = self.change(stack, self.upload_template(aws, &managed, &template).await?, &template);
        let prepared = match plain.change_set.clone() {
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
        if !rejected.is_empty() {
            change_set::discard(aws, &ready.id, &sink).await?;
            return Err(deploy::Error::Rejected { versions: rejected.iter().map(Rejected::message).collect() }.into());
        }
        let review = Review::new(&ready.description);
        let in_use = self.in_use(live.as_ref(), &review, &holdings);
        report.review(&review, &Around { kept: &kept, held: &held_aliases(&holdings), in_use: &in_use });
        for note in self.notes(aws, live.as_ref(), &plain, &review, &holdings).await? {
            report.note(&note);
        }
        if !self.settings.execute {
            report.result("changeset_created", json!({ "stack_name": stack, "changeset_id": ready.id.id }));
            report.say("Created", format_args!("change set {}; it was not executed", ready.id.id));
            return Ok(Status::Done);
        }
        if !self.agreed(aws, &review, &in_use, &holdings, &ready, &sink).await? {
            return Ok(Status::Done);
        }
        let execute = self.execute(aws, &change, &ready, &template, live.as_ref(), &sink);
        let deployed = match &live {
            Some(live) if !watched.is_empty() => {
                let update = Update { aws, bucket: &managed.name, live, plain: &plain };
                let watched = self.deploy_by_codedeploy(update, &watched, phase, execute).await?;
                watched.stack.iter().for_each(|stack| report.outputs(&stack.outputs));
                return self.finish(watched.status, aws, stack, Some(&ready.id.id));
            }
            _ => execute.await?,
        };
        report.outputs(&deployed.outputs);
        if self.settings.express {
            report.warning("deployed in Express mode: resources may still be getting ready");
        }
        let mut status = Status::Done;
        if !holdings.is_empty() {
            self.check_held(aws, &holdings).await?;
            phase.rolling();
            status = shifting.run(&holdings, &plain.template, &packaged).await?;
            if status == Status::Done {
                self.check_latest(aws, &holdings).await?;
            }
        }
        self.finish(status, aws, stack, Some(&ready.id.id))
    }

    /// Executes the change set; a version that an earlier failure left in the way is deleted first where
    /// that is allowed, and the change set is made again.
    async fn execute(
        &self,
        aws: &Aws,
        change: &StackChange,
        ready: &ReadyChangeSet,
        template: &Node,
        live: Option<&Live>,
        sink: deploy::Sink<'_>,
    ) -> Result<Stack, Error> {
        let failure = match execute(aws, change, ready, sink).await {
            Err(deploy::Error::Failed(failure)) => failure,
            other => return Ok(other?),
        };
        let orphan = match live {
            Some(live) if failure.is_rolled_back() => orphan::find(aws, &failure, template, live).await?,
            _ => None,
        };
        let Some(orphan) = orphan else { return Err(deploy::Error::Failed(failure).into()) };
        self.report.warning(&orphan.message());
        let question = format!("Delete version {} of {} and deploy again?", orphan.version, orphan.function);
        let allowed = orphan.held_by.is_empty()
            && (self.settings.delete_orphan_version || (self.context.may_ask() && self.ask(&question)?));
        if !allowed {
            return Err(deploy::Error::Failed(failure).into());
        }
        aws.lambda().delete_version(&orphan.function, &orphan.version).await?;
        self.report.say("Deleted", format_args!("version {} of {}", orphan.version, orphan.function));
        match prepare(aws, change, sink).await? {
            Prepared::Ready(ready) => Ok(execute(aws, change, &ready, sink).await?),
            Prepared::Empty { .. } => Err(deploy::Error::Failed(failure).into()),
        }
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

    pub(super) fn change(&self, stack: &str, source: TemplateSource, template: &Node) -> StackChange {
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
    pub(super) async fn upload_template(
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

/// The aliases that are held, with the version that serves on.
fn held_aliases(holdings: &[Holding]) -> Vec<(String, String)> {
    let name = |alias: &LiveAlias| (format!("{}:{}", alias.function, alias.alias), alias.version.clone());
    holdings.iter().map(|holding| name(&holding.alias)).collect()
}
