//! After the held deploy: each alias to its new version, judged all the time, and then the stack is
//! settled. What was rejected once is not tried again by itself.

use std::sync::Arc;

use super::holding::Holding;
use super::plain::Plain;
use super::rejected::code_of;
use super::steps::Steps;
use crate::aws::{Aws, ErrorKind};
use crate::cli::exit::{Error, Status};
use crate::cli::rollout::audience::{Audience, Lines};
use crate::cli::rollout::options::is_configuration;
use crate::cli::rollout::signals;
use crate::cli::rollout::target::Target;
use crate::deploy::hold;
use crate::deploy::live::Live;
use crate::deploy::{self, Event, upload};
use crate::package::Packaged;
use crate::rollout::names::AliasId;
use crate::rollout::plan::{Engine, HookKind, HookTime, SettlePlan, Trigger};
use crate::rollout::run::{Services, Verdict};
use crate::rollout::settle::StackSettle;
use crate::rollout::strategy::Strategy;
use crate::rollout::{self, Request, codedeploy, surroundings};
use crate::template::{Node, write};
use crate::ui::deploy::Report;

/// What shifting needs.
pub(super) struct Shifting<'a> {
    pub(super) steps: &'a Steps<'a>,
    pub(super) aws: &'a Aws,
    pub(super) bucket: &'a str,
    pub(super) stack: &'a str,
    pub(super) report: Report,
}

impl Shifting<'_> {
    pub(super) async fn services(&self, holding: &Holding) -> Result<Services, Error> {
        let target = Target::new(self.aws.clone(), id_of(holding)?).await;
        let mut services = target.with_bucket(self.steps.context, self.bucket);
        let report = self.report;
        let sink: Arc<dyn Fn(Event) + Send + Sync> = Arc::new(move |event| report.event(&event));
        services.settle = Some(Arc::new(StackSettle::new(self.aws.clone(), self.bucket, sink)));
        Ok(services)
    }

    /// Before anything is touched: the aliases can be shifted at all. What a strategy or hook says may
    /// depend on what only the update brings; what can be told is looked at now.
    pub(super) async fn check(&self, live: &Live, plain: &Plain, holdings: &[Holding]) -> Result<(), Error> {
        for holding in holdings {
            let id = id_of(holding)?;
            if self.aws.lambda().is_provisioned(id.function.as_str(), id.alias.as_str()).await? {
                return Err(deploy::Error::CannotShift {
                    function: holding.shift.function.clone(),
                    reason: format!(
                        "its alias {} has provisioned concurrency, with which Lambda shifts by itself; --engine \
                         codedeploy moves it",
                        id.alias
                    ),
                }
                .into());
            }
            plain.strategy(self.steps, self.aws, &holding.shift, live).await?;
            let services = self.services(holding).await?;
            rollout::ensure_free(&services, std::slice::from_ref(&id)).await?;
            // One that fires refuses before the stack is touched; what else there is to say is said later.
            let alarms = &holding.shift.alarms;
            let told: Vec<String> = alarms.iter().filter_map(|alarm| live.texts(alarm).ok()).flatten().collect();
            let mut options = self.steps.settings.rollout.clone();
            options.alarms.extend(told.iter().cloned());
            rollout::check_alarms(&services, &options, &told, Engine::Alias).await?;
        }
        Ok(())
    }

    /// Shifts every alias whose version is a new one, all of them together, and settles the stack.
    pub(super) async fn run(&self, holdings: &[Holding], plain: &Node, packaged: &Packaged) -> Result<Status, Error> {
        let report = self.report;
        let sink = |event: Event| report.event(&event);
        let live = Live::look(self.aws, self.stack, self.steps.settings.max_wait, &sink).await?;
        let Some(live) = live else { return Ok(Status::Done) };
        let settle = self.settle_plan(plain).await?;
        let mut options = self.steps.settings.rollout.clone();
        let mut aliases = Vec::new();
        let mut first = None;
        for holding in holdings {
            let Some(version) = live.version(&holding.shift.version) else { continue };
            self.check_code(holding, version, packaged).await?;
            if version == holding.alias.version {
                continue;
            }
            for alarm in self.alarms(holding, &live)? {
                if !options.alarms.contains(&alarm) {
                    options.alarms.push(alarm);
                }
            }
            options.triggers.extend(self.triggers(holding, &live)?);
            aliases.push(rollout::Target {
                id: id_of(holding)?,
                new: version.parse().map_err(names)?,
                strategy: self.strategy(holding, &live).await?,
                hooks: self.hooks(holding, &live)?,
            });
            first.get_or_insert(holding);
        }
        let Some(first) = first else {
            report.say("Settling", format_args!("stack {}", self.stack));
            let settler = StackSettle::new(self.aws.clone(), self.bucket, Arc::new(move |event| report.event(&event)));
            settler.apply(&settle).await?;
            return Ok(Status::Done);
        };
        let services = self.services(first).await?;
        let verdict = self.roll(&Request { aliases, options, settle: Some(settle) }, &services).await?;
        Ok(verdict.outcome().into())
    }

    async fn roll(&self, request: &Request, services: &Services) -> Result<Verdict, Error> {
        let mut prepared = rollout::prepare(request, services).await?;
        prepared.warnings.extend(surroundings::credentials(self.aws, prepared.plan.shortest()).await);
        let plan = prepared.plan.clone();
        let flags = plan.first().map(|alias| alias.id.flags()).unwrap_or_default();
        let resume = format!("samara rollout resume {flags}");
        let mut signals = signals::listen(self.steps.context, self.steps.settings.on_interrupt, resume);
        let tell = &self.steps.settings.tell;
        let audience = Audience::new(self.steps.context, self.aws, tell, &plan, Lines::Json);
        let sink = |progress: rollout::run::Progress| audience.hear(&progress);
        let timeout = request.options.timeout;
        let verdict = rollout::start_prepared(prepared, timeout, services, &mut signals, &sink).await?;
        audience.end(&verdict, services).await;
        Ok(verdict)
    }

    fn alarms(&self, holding: &Holding, live: &Live) -> Result<Vec<String>, Error> {
        let mut alarms = Vec::new();
        for alarm in &holding.shift.alarms {
            let told = live.texts(alarm).map_err(|reason| deploy::Error::CannotShift {
                function: holding.shift.function.clone(),
                reason: format!("an alarm of its DeploymentPreference cannot be told: {reason}"),
            })?;
            alarms.extend(told);
        }
        Ok(alarms)
    }

    fn hooks(&self, holding: &Holding, live: &Live) -> Result<Vec<(HookTime, HookKind)>, Error> {
        let hooks = [
            (HookTime::BeforeTraffic, &holding.shift.pre_traffic),
            (HookTime::AfterTraffic, &holding.shift.post_traffic),
        ];
        let mut told = Vec::new();
        for (when, node) in hooks {
            let Some(node) = node else { continue };
            let name = live.text(node).map_err(|reason| deploy::Error::CannotShift {
                function: holding.shift.function.clone(),
                reason: format!("a hook of its DeploymentPreference cannot be told: {reason}"),
            })?;
            told.extend(name.map(|name| (when, HookKind::Function { name })));
        }
        Ok(told)
    }

    /// The topics that its preference tells, as CodeDeploy would.
    fn triggers(&self, holding: &Holding, live: &Live) -> Result<Vec<Trigger>, Error> {
        let Some(node) = &holding.shift.triggers else { return Ok(Vec::new()) };
        let cannot = |reason: String| {
            Error::from(deploy::Error::CannotShift {
                function: holding.shift.function.clone(),
                reason: format!("a topic of its DeploymentPreference cannot be told: {reason}"),
            })
        };
        let values = live.values();
        let mut told = Vec::new();
        for item in values.items(node).map_err(cannot)? {
            let text = |key: &str| item.get(key).map_or(Ok(None), |node| values.text(node)).map_err(cannot);
            let events = item.get("TriggerEvents").map_or_else(|| Ok(Vec::new()), |node| values.texts(node));
            let Some(topic) = text("TriggerTargetArn")?.filter(|topic| !topic.is_empty()) else { continue };
            let name = text("TriggerName")?.unwrap_or_default();
            told.push(Trigger { id: id_of(holding)?, name, topic, events: events.map_err(cannot)? });
        }
        Ok(told)
    }

    async fn strategy(&self, holding: &Holding, live: &Live) -> Result<Strategy, Error> {
        if let Some(strategy) = &self.steps.settings.strategy {
            return strategy.read(self.aws).await;
        }
        let cannot = |reason: String| {
            Error::from(deploy::Error::CannotShift { function: holding.shift.function.clone(), reason })
        };
        let Some(node) = &holding.shift.strategy else {
            return Err(cannot("its DeploymentPreference has no Type".to_owned()));
        };
        let text = live.text(node).map_err(|reason| cannot(format!("its strategy cannot be told: {reason}")))?;
        named_strategy(self.aws, &holding.shift.function, &text.unwrap_or_default()).await
    }

    /// What was published is what was uploaded, or no traffic moves.
    async fn check_code(&self, holding: &Holding, version: &str, packaged: &Packaged) -> Result<(), Error> {
        let Some(expected) = code_of(packaged, &holding.shift.function).map(str::to_owned) else { return Ok(()) };
        let function = &holding.alias.function;
        let found = self.aws.lambda().configuration(function, version).await?;
        let Some(found) = found.map(|found| found.code_sha256).filter(|found| *found != expected) else {
            return Ok(());
        };
        Err(deploy::Error::WrongCode { function: function.clone(), version: version.to_owned(), found, expected }
            .into())
    }

    async fn settle_plan(&self, plain: &Node) -> Result<SettlePlan, Error> {
        let settings = self.steps.settings;
        let template_key = upload::put(self.aws, self.bucket, &write::json(plain)).await?;
        Ok(SettlePlan {
            stack: self.stack.to_owned(),
            template_key,
            parameters: hold::parameter_names(plain),
            capabilities: settings.capabilities.clone(),
            role_arn: settings.role_arn.clone(),
            notification_arns: settings.notification_arns.clone().unwrap_or_default(),
        })
    }
}

/// A strategy by its own name, or by that of a deployment configuration of CodeDeploy's in this account.
pub(super) async fn named_strategy(aws: &Aws, function: &str, text: &str) -> Result<Strategy, Error> {
    let cannot = |reason: String| deploy::Error::CannotShift { function: function.to_owned(), reason };
    let unknown = match text.parse::<Strategy>() {
        Ok(strategy) => return Ok(strategy),
        Err(unknown) => unknown,
    };
    // What cannot be a configuration's name is not asked for.
    if !is_configuration(text) {
        return Err(cannot(unknown.to_string()).into());
    }
    match codedeploy::run::strategy(&aws.codedeploy(), text).await {
        Ok(strategy) => Ok(strategy),
        Err(rollout::Error::Aws(error)) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Invalid) => {
            Err(cannot(format!("{unknown}; nor has CodeDeploy a configuration of that name")).into())
        }
        Err(error) => Err(cannot(format!("{unknown}; whether CodeDeploy has it is not known: {error}")).into()),
    }
}

fn names(error: rollout::names::NotA) -> Error {
    rollout::Error::from(error).into()
}

pub(super) fn id_of(holding: &Holding) -> Result<AliasId, Error> {
    let function = holding.alias.function.parse().map_err(names)?;
    Ok(AliasId::new(function, holding.alias.alias.parse().map_err(names)?))
}
