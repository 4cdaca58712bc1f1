//! Who moves the traffic: samara itself, or CodeDeploy inside AWS while the stack is updated. And the
//! deploy of the second kind, which samara watches, and stops when its evidence says so.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::holding::Holding;
use super::interrupt::Phase;
use super::plain::Plain;
use super::steps::Steps;
use crate::aws::cloudformation::Stack;
use crate::aws::{Aws, ErrorKind};
use crate::cli::context::Context;
use crate::cli::exit::{Error, Status};
use crate::cli::rollout::audience::{Audience, Lines, TellArgs};
use crate::cli::rollout::signals;
use crate::cli::rollout::target::Target;
use crate::deploy;
use crate::deploy::live::Live;
use crate::deploy::shift::is_switched_off;
use crate::rollout::codedeploy::run::{self, Before, Deploying};
use crate::rollout::content::Content;
use crate::rollout::names::AliasId;
use crate::rollout::plan::{Engine, HookTime};
use crate::rollout::run::{Progress, Services, Signal, Verdict};
use crate::rollout::state::{Entry, Happening, Phase as RolloutPhase};
use crate::rollout::verdict::Outcome;
use crate::rollout::{self, Options};
use crate::template::{Map, Node};

/// What a watch may be told before it listens: the signals of a person, and of each other function.
const SIGNALS: usize = 64;
/// Between two looks for a deployment.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// `--engine`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// What the live stack has; a new one takes codedeploy where it needs it.
    #[default]
    Auto,
    /// samara moves the weight of the alias itself.
    Alias,
    /// CodeDeploy moves it during the stack's update, as the template says; samara watches and stops it.
    #[value(name = "codedeploy")]
    CodeDeploy,
}

/// Who moves the traffic of this deploy.
pub(in crate::cli) fn choose(choice: EngineChoice, live: Option<&Node>, sam: &Node) -> Engine {
    match choice {
        EngineChoice::Alias => Engine::Alias,
        EngineChoice::CodeDeploy => Engine::CodeDeploy,
        EngineChoice::Auto => match live.and_then(of_live) {
            Some(engine) => engine,
            None if needs_codedeploy(sam) => Engine::CodeDeploy,
            None => Engine::Alias,
        },
    }
}

/// What a live template has; `None` where it has no alias at all.
fn of_live(live: &Node) -> Option<Engine> {
    let resources = live.get("Resources").and_then(Node::as_map)?;
    let is = |node: &Node, kind: &str| node.get("Type").and_then(Node::as_str) == Some(kind);
    if resources.iter().any(|(_, node)| is(node, "AWS::CodeDeploy::DeploymentGroup")) {
        return Some(Engine::CodeDeploy);
    }
    resources.iter().any(|(_, node)| is(node, "AWS::Lambda::Alias")).then_some(Engine::Alias)
}

/// Whether a function's preference has hooks, or its alias provisioned concurrency.
fn needs_codedeploy(sam: &Node) -> bool {
    let empty = Map::new();
    let functions = sam.get("Resources").and_then(Node::as_map).unwrap_or(&empty);
    functions.iter().any(|(_, node)| {
        let is_function = node.get("Type").and_then(Node::as_str) == Some("AWS::Serverless::Function");
        let property = |name: &str| {
            let global = sam.path(&["Globals", "Function", name]);
            node.path(&["Properties", name]).or(global).filter(|node| !node.is_null())
        };
        let (Some(preference), true) = (property("DeploymentPreference"), is_function) else { return false };
        if preference.as_map().is_some_and(is_switched_off) {
            return false;
        }
        let hooks =
            preference.get("Hooks").or_else(|| sam.path(&["Globals", "Function", "DeploymentPreference", "Hooks"]));
        let has_hooks = hooks.and_then(Node::as_map).is_some_and(|hooks| !hooks.is_empty());
        has_hooks || property("ProvisionedConcurrencyConfig").is_some()
    })
}

/// An alias that CodeDeploy is going to move.
struct Watching {
    aws: Aws,
    stack: String,
    id: AliasId,
    before: Before,
    /// Names in the template.
    application: String,
    group: String,
    options: Options,
    services: Services,
    since_s: i64,
}

/// What is deployed by CodeDeploy, and where.
#[derive(Clone, Copy)]
pub(super) struct Update<'a> {
    pub(super) aws: &'a Aws,
    /// Where the journals are.
    pub(super) bucket: &'a str,
    pub(super) live: &'a Live,
    pub(super) plain: &'a Plain,
}

/// What a deploy by CodeDeploy gave: how it ended, and the stack where its update succeeded.
pub(super) struct Watched {
    pub(super) status: Status,
    pub(super) stack: Option<Stack>,
}

impl Steps<'_> {
    /// With CodeDeploy the template's own strategy holds, and its own hooks: what only samara could do is
    /// refused, never left out.
    pub(super) fn check_engine(&self, engine: Engine) -> Result<(), Error> {
        if engine == Engine::Alias {
            return Ok(());
        }
        let Options { hooks, warm_up, probe, .. } = &self.settings.rollout;
        let given = |when| hooks.iter().any(|(at, _)| *at == when);
        let refused = [
            (self.settings.strategy.as_ref().map(|strategy| format!("--strategy {strategy}")), "set `Type`"),
            (given(HookTime::BeforeTraffic).then(|| "--pre-traffic".to_owned()), "set `Hooks`"),
            (given(HookTime::AfterTraffic).then(|| "--post-traffic".to_owned()), "set `Hooks`"),
            (warm_up.as_ref().map(|_| "--warm-up".to_owned()), "set `Hooks`"),
            (probe.then(|| "--probe-permission".to_owned()), "leave it out"),
        ];
        match refused.into_iter().find_map(|(option, instead)| Some((option?, instead))) {
            None => Ok(()),
            Some((option, instead)) => Err(Error::Usage(format!(
                "{option} is for samara's own way of moving traffic; this stack uses CodeDeploy: {instead} in its \
                 DeploymentPreference, or add --engine alias"
            ))),
        }
    }

    /// Executes the change set, and watches the deployments that it begins.
    pub(super) async fn deploy_by_codedeploy(
        &self,
        update: Update<'_>,
        holdings: &[Holding],
        phase: &Phase,
        execute: impl Future<Output = Result<Stack, Error>>,
    ) -> Result<Watched, Error> {
        let mut all = Vec::new();
        for holding in holdings {
            all.extend(self.watching(update, holding).await?);
        }
        let done = Arc::new(AtomicBool::new(false));
        let flags = all.first().map(|one| one.id.flags()).unwrap_or_default();
        phase.rolling();
        let resume = format!("samara rollout resume {flags}");
        let mut listened = signals::listen(self.context, self.settings.on_interrupt, resume);
        let (senders, receivers): (Vec<_>, Vec<_>) = all.iter().map(|_| mpsc::channel::<Signal>(SIGNALS)).unzip();
        let mut watches = JoinSet::new();
        let timeout = self.settings.rollout.timeout;
        let Context { global, terminal, cwd } = self.context;
        let context = Arc::new(Context { global: global.clone(), terminal: *terminal, cwd: cwd.clone() });
        let several = all.len() > 1;
        for (at, (one, mut receiver)) in all.into_iter().zip(receivers).enumerate() {
            let others = senders.iter().enumerate().filter(|(other, _)| *other != at);
            let others: Vec<_> = others.map(|(_, sender)| sender.clone()).collect();
            let (done, context, mut tell) = (Arc::clone(&done), Arc::clone(&context), self.settings.tell.clone());
            if several {
                tell.report = tell.report.map(|path| report_of(&path, &one.id));
            }
            watches.spawn(async move { one.follow(&context, &tell, &done, timeout, &mut receiver, &others).await });
        }
        let forward = tokio::spawn(async move {
            while let Some(signal) = listened.recv().await {
                for sender in &senders {
                    // A watch that is over hears nothing any more.
                    let _ = sender.send(signal).await;
                }
            }
        });
        let executed = execute.await;
        done.store(true, Ordering::Release);
        // One that cannot go on is told of when all the others have come to their ends.
        let watched = watches.join_all().await;
        forward.abort();
        let verdicts: Vec<Option<Verdict>> = watched.into_iter().collect::<Result<_, Error>>()?;
        self.judge(executed, &verdicts.into_iter().flatten().collect::<Vec<_>>())
    }

    fn judge(&self, executed: Result<Stack, Error>, verdicts: &[Verdict]) -> Result<Watched, Error> {
        let worst = verdicts.iter().find(|verdict| verdict.outcome() != Outcome::Succeeded);
        let Some(worst) = worst else {
            return executed.map(|stack| Watched { status: Status::Done, stack: Some(stack) });
        };
        let status = worst.outcome().into();
        match executed {
            Ok(stack) => {
                if matches!(worst.state.phase, RolloutPhase::RolledBack { .. }) {
                    self.report.warning(
                        "the stack was updated before the deployment could be stopped: it says the newer version and is \
                         out of step with its alias; the next deploy brings its template into line first, without \
                         CodeDeploy",
                    );
                }
                Ok(Watched { status, stack: Some(stack) })
            }
            Err(Error::Deploy(deploy::Error::Failed(failure))) => {
                self.report.failure(&failure);
                Ok(Watched { status, stack: None })
            }
            Err(error) => Err(error),
        }
    }

    /// What has to be known of an alias before its stack is updated; `None` where CodeDeploy does not
    /// move it.
    async fn watching(&self, update: Update<'_>, holding: &Holding) -> Result<Option<Watching>, Error> {
        let Update { aws, bucket, live, plain } = update;
        let names = |error: rollout::names::NotA| Error::from(rollout::Error::from(error));
        let policy =
            plain.template.path(&["Resources", &holding.shift.alias, "UpdatePolicy", "CodeDeployLambdaAliasUpdate"]);
        let name = |key: &str| Some(policy?.path(&[key, "Ref"])?.as_str()?.to_owned());
        let (Some(application), Some(group)) = (name("ApplicationName"), name("DeploymentGroupName")) else {
            return Ok(None);
        };
        let function = holding.alias.function.parse().map_err(names)?;
        let id = AliasId::new(function, holding.alias.alias.parse().map_err(names)?);
        let services = Target::new(aws.clone(), id.clone()).await.with_bucket(self.context, bucket);
        let mut options = self.settings.rollout.clone();
        // CodeDeploy watches all of them; samara those that it can tell before the update.
        let told: Vec<String> =
            holding.shift.alarms.iter().filter_map(|alarm| live.texts(alarm).ok()).flatten().collect();
        options.alarms.extend(told.iter().cloned());
        options.alarms.sort();
        options.alarms.dedup();
        rollout::ensure_free(&services, std::slice::from_ref(&id)).await?;
        for warning in rollout::check_alarms(&services, &options, &told, Engine::CodeDeploy).await? {
            self.report.warning(&warning);
        }
        let before = run::before(&id, &options, &services).await?;
        let since_s = services.clock.now().0 / 1000 - 1;
        let (aws, stack) = (aws.clone(), live.stack.id.clone());
        Ok(Some(Watching { aws, stack, id, before, application, group, options, services, since_s }))
    }
}

/// CodeDeploy moves each alias by itself: of several, each has a page of its own.
fn report_of(path: &Path, id: &AliasId) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut name = format!("{stem}-{}-{}", id.function, id.alias);
    if let Some(extension) = path.extension() {
        name = format!("{name}.{}", extension.to_string_lossy());
    }
    path.with_file_name(name)
}

impl Watching {
    /// Waits for the deployment and watches it; `None` where the update began none.
    async fn follow(
        self,
        context: &Context,
        tell: &TellArgs,
        updated: &AtomicBool,
        timeout: Option<Duration>,
        signals: &mut mpsc::Receiver<Signal>,
        others: &[mpsc::Sender<Signal>],
    ) -> Result<Option<Verdict>, Error> {
        let Some((deployment, plan)) = self.find(updated).await? else { return Ok(None) };
        let Self { aws, stack, before, services, .. } = self;
        let deploying = Deploying { id: deployment, stack };
        let audience = Audience::new(context, &aws, tell, &plan, Lines::Json).beside_others(!others.is_empty());
        let sink = |progress: Progress| {
            if let Progress::Happened(Entry { what: Happening::Decided { .. }, .. }) = &progress {
                for other in others {
                    // One that is over hears nothing any more, and one that goes back already does not mind.
                    let _ = other.try_send(Signal::Together);
                }
            }
            audience.hear(&progress);
        };
        let found = run::Found { plan, before, deploying };
        let verdict = run::start(&aws, found, timeout, &services, signals, &sink).await?;
        audience.end(&verdict, &services).await;
        Ok(Some(verdict))
    }

    async fn find(&self, updated: &AtomicBool) -> Result<Option<(String, rollout::plan::Plan)>, Error> {
        loop {
            // Asked before the look: what began before the update ended is found by this look.
            let is_last = updated.load(Ordering::Acquire);
            if let Some(found) = self.look().await? {
                return Ok(Some(found));
            }
            if is_last {
                return Ok(None);
            }
            self.services.clock.sleep(LOOK_EVERY).await;
        }
    }

    /// One look: a deployment that moves the alias away from what served before.
    async fn look(&self) -> Result<Option<(String, rollout::plan::Plan)>, Error> {
        let Self { aws, stack, id, before, .. } = self;
        let resources = aws.cloudformation().resources(stack).await?;
        let physical = |name: &str| resources.iter().find(|one| one.logical_id == name)?.physical_id.clone();
        let (Some(application), Some(group)) = (physical(&self.application), physical(&self.group)) else {
            return Ok(None);
        };
        let codedeploy = aws.codedeploy();
        let found = match codedeploy.deployments(&application, &group, self.since_s).await {
            Ok(found) => found,
            // The group is being made in this very update.
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Invalid) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        for deployment in found {
            let target = codedeploy.target(&deployment, id.function.as_str(), id.alias.as_str()).await?;
            let Some(target) = target else { continue };
            if *before.content() != (Content { version: target.current, weights: std::collections::BTreeMap::new() }) {
                continue;
            }
            let plan = run::plan(aws, before, &deployment, &self.options, &self.services).await?;
            return Ok(plan.map(|plan| (deployment, plan)));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sam(preference: serde_json::Value, more: serde_json::Value) -> Node {
        let mut function = json!({"Type": "AWS::Serverless::Function", "Properties": {
            "AutoPublishAlias": "live", "DeploymentPreference": preference}});
        for (name, value) in more.as_object().unwrap() {
            function["Properties"][name] = value.clone();
        }
        Node::from(json!({"Resources": {"Fn": function}}))
    }

    fn live(kinds: &[&str]) -> Node {
        let resources: serde_json::Map<String, serde_json::Value> =
            kinds.iter().enumerate().map(|(at, kind)| (format!("R{at}"), json!({"Type": kind}))).collect();
        Node::from(json!({ "Resources": resources }))
    }

    #[test]
    fn of_several_aliases_each_has_its_page() {
        let id = AliasId::new("hello".parse().unwrap(), "live".parse().unwrap());
        assert_eq!(report_of(Path::new("out/page.html"), &id), Path::new("out/page-hello-live.html"));
        assert_eq!(report_of(Path::new("page"), &id), Path::new("page-hello-live"));
    }

    #[test]
    fn a_new_stack_takes_codedeploy_where_it_has_hooks_or_provisioned_concurrency() {
        let plain = sam(json!({"Type": "AllAtOnce"}), json!({}));
        let hooks = sam(json!({"Type": "AllAtOnce", "Hooks": {"PreTraffic": {"Ref": "Check"}}}), json!({}));
        let off = sam(json!({"Enabled": false, "Hooks": {"PreTraffic": {"Ref": "Check"}}}), json!({}));
        let provisioned = sam(
            json!({"Type": "AllAtOnce"}),
            json!({"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 1}}),
        );
        for (sam, engine) in [
            (&plain, Engine::Alias),
            (&hooks, Engine::CodeDeploy),
            (&off, Engine::Alias),
            (&provisioned, Engine::CodeDeploy),
        ] {
            assert_eq!(choose(EngineChoice::Auto, None, sam), engine, "{sam:?}");
            // A stack without any alias is as good as new.
            assert_eq!(choose(EngineChoice::Auto, Some(&live(&["AWS::SQS::Queue"])), sam), engine);
        }
    }

    #[test]
    fn a_live_stack_keeps_what_it_has_unless_told() {
        let hooks = sam(json!({"Type": "AllAtOnce", "Hooks": {"PreTraffic": {"Ref": "Check"}}}), json!({}));
        let by_alias = live(&["AWS::Lambda::Alias"]);
        let by_codedeploy = live(&["AWS::Lambda::Alias", "AWS::CodeDeploy::DeploymentGroup"]);
        assert_eq!(choose(EngineChoice::Auto, Some(&by_alias), &hooks), Engine::Alias);
        assert_eq!(choose(EngineChoice::Auto, Some(&by_codedeploy), &hooks), Engine::CodeDeploy);
        assert_eq!(choose(EngineChoice::Alias, Some(&by_codedeploy), &hooks), Engine::Alias);
        assert_eq!(choose(EngineChoice::CodeDeploy, Some(&by_alias), &hooks), Engine::CodeDeploy);
    }
}
