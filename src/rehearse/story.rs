//! The story: a first version goes live, a worse one is taken back, a good one goes to 100 %.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::Error;
use super::application::{Application, Build};
use super::deploy::{self, Ended};
use super::proof::{Deployment, Outcome, Proof, errors_all_at_once};
use super::traffic::{Ledger, Served, Traffic};
use crate::aws::cloudformation::Stage;
use crate::aws::{self, Aws};
use crate::sandbox::process::{Hosted, Wanted, host};
use crate::sandbox::{ACCOUNT, REGION};
use crate::template::{Source, read};

/// The stack of every rehearsal.
const STACK: &str = "rehearsal";

/// How long the first version serves before the next one comes, in the sandbox's time: what it does
/// when nobody changes anything has to be known.
const FIRST: Duration = Duration::from_secs(480);

/// How long the old version serves again after a rollback, in the sandbox's time.
const AFTERWARDS: Duration = Duration::from_secs(180);

/// How often the counts are told, in the sandbox's time.
const TELL: Duration = Duration::from_secs(60);

/// Share of requests that fail in every build, as a fraction: nothing real never fails.
pub const USUAL_ERRORS: f64 = 0.005;

/// What a rehearsal is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Overrides the template's strategy.
    pub strategy: Option<String>,
    /// Requests in each second of the sandbox's clock.
    pub rate: f64,
    /// Share of the worse version's requests that fail, as a fraction.
    pub errors: f64,
    /// Sandbox seconds in each real second.
    pub speed: f64,
    /// Seed of everything random.
    pub seed: u64,
}

/// A line of the timeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// What begins now: a deploy, or traffic that flows undisturbed.
    Chapter {
        /// Since the beginning, in the sandbox's time.
        at: Duration,
        /// What begins.
        title: String,
    },
    /// Something happened.
    Told {
        /// Since the beginning, in the sandbox's time.
        at: Duration,
        /// What.
        text: String,
    },
    /// What was served since the last such line.
    Traffic {
        /// Since the beginning, in the sandbox's time.
        at: Duration,
        /// By version.
        served: Ledger,
    },
}

/// Where the timeline goes.
pub type Sink<'a> = &'a (dyn Fn(Event) + Send + Sync);

/// Rehearses an application in a fresh sandbox.
///
/// # Errors
/// The sandbox or a deploy fails for another reason than the worse version.
pub async fn run(application: &Application, settings: &Settings, sink: Sink<'_>) -> Result<Proof, Error> {
    let wanted = Wanted { port: None, speed: Some(settings.speed) };
    let hosted = host(application.folder(), wanted).await?;
    let told = tell(application, settings, &hosted, sink).await;
    let ended = hosted.end().await;
    let proof = told?;
    ended?;
    Ok(proof)
}

async fn tell(application: &Application, settings: &Settings, hosted: &Hosted, sink: Sink<'_>) -> Result<Proof, Error> {
    hosted.world().lambda.seed(settings.seed);
    let aws = Aws::connect(&aws::Settings {
        region: Some(REGION.to_owned()),
        endpoint_url: Some(hosted.running().endpoint_url()),
        static_credentials: Some((ACCOUNT.to_owned(), "sandbox".to_owned())),
        ..aws::Settings::default()
    })
    .await?;
    let mut story = Story { application, settings, hosted, aws, sink, started: Instant::now(), traffic: None };
    let mut deployments = vec![story.first().await?];
    deployments.push(story.next(2, settings.errors).await?);
    story.steady("the old version serves everybody again", AFTERWARDS).await;
    deployments.push(story.next(3, USUAL_ERRORS).await?);
    let unsettled = story.disagreements(&deployments).await?;
    if let Some(traffic) = story.traffic.take() {
        traffic.stop().await;
    }
    Ok(Proof {
        application: application.name.clone(),
        strategy: settings.strategy.clone().unwrap_or_else(|| application.strategy.clone()),
        rate: settings.rate,
        speed: settings.speed,
        seed: settings.seed,
        deployments,
        settled: unsettled.is_empty(),
        unsettled,
        seconds: (story.started.elapsed().as_secs_f64() * 10.0).round() / 10.0,
    })
}

struct Story<'a> {
    application: &'a Application,
    settings: &'a Settings,
    hosted: &'a Hosted,
    aws: Aws,
    sink: Sink<'a>,
    started: Instant,
    traffic: Option<Running>,
}

/// Traffic, and what it goes to.
struct Running {
    traffic: Traffic,
    function: String,
}

impl Running {
    async fn stop(self) -> Ledger {
        self.traffic.stop().await
    }
}

impl Story<'_> {
    /// Since the beginning, in the sandbox's time.
    fn at(&self) -> Duration {
        self.started.elapsed().mul_f64(self.settings.speed)
    }

    fn chapter(&self, title: impl Into<String>) {
        (self.sink)(Event::Chapter { at: self.at(), title: title.into() });
    }

    fn snapshot(&self) -> Ledger {
        self.traffic.as_ref().map(|running| running.traffic.snapshot()).unwrap_or_default()
    }

    async fn first(&mut self) -> Result<Deployment, Error> {
        let build = Build { number: 1, errors: USUAL_ERRORS, seed: self.settings.seed };
        self.chapter(format!("build 1 of {} is deployed", self.application.name));
        let began = self.at();
        self.application.make(build)?;
        self.deploy(build, &mut |_| {}).await?;
        let seconds_to_verdict = (self.at() - began).as_secs();
        let function = self.function_name().await?;
        let version = self.serving(&function).await?;
        if !self.application.fails_by_itself() {
            self.hosted.world().lambda.inject_errors(&function, &version, USUAL_ERRORS);
        }
        self.start_traffic(function);
        self.steady(&format!("version {version} is live; {} requests a second", self.settings.rate), FIRST).await;
        let served = self.snapshot();
        let (requests, errors) = Deployment::count(&served, None, &version);
        Ok(Deployment {
            version,
            outcome: Outcome::Live,
            reason: None,
            requests,
            errors,
            seconds_to_verdict,
            errors_all_at_once: None,
        })
    }

    async fn next(&mut self, number: u32, errors: f64) -> Result<Deployment, Error> {
        let build = Build { number, errors, seed: self.settings.seed.wrapping_add(u64::from(number)) };
        let function = self.traffic.as_ref().map(|running| running.function.clone()).unwrap_or_default();
        let old = self.serving(&function).await?;
        let percent = errors * 100.0;
        self.chapter(format!("build {number} is deployed: {percent:.1} % of its requests will fail"));
        self.application.make(build)?;
        if !self.application.fails_by_itself() {
            // Lambda counts versions up, so the next one is known before it gets any traffic.
            for version in newer(&old, number) {
                self.hosted.world().lambda.inject_errors(&function, &version, errors);
            }
        }
        let before = Mutex::new(None);
        let first_weight = || {
            let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
            before.get_or_insert_with(|| self.snapshot());
        };
        let ended = self
            .deploy(build, &mut |line| {
                if line["type"] == "rollout" {
                    first_weight();
                }
            })
            .await?;
        let before = before.into_inner().unwrap_or_else(PoisonError::into_inner).unwrap_or_default();
        let served = self.snapshot().since(&before);
        let verdict = ended.verdict.unwrap_or_default();
        let version = verdict["new_version"].as_str().map(str::to_owned).ok_or_else(|| Error::Deploy {
            build: number,
            status: ended.status.to_string(),
            said: "no rollout took place".to_owned(),
        })?;
        let (requests, failed) = Deployment::count(&served, Some(&old), &version);
        let outcome = if ended.status == 4 { Outcome::RolledBack } else { Outcome::Succeeded };
        Ok(Deployment {
            version,
            outcome,
            reason: verdict["reason"].as_str().map(str::to_owned),
            requests,
            errors: failed,
            seconds_to_verdict: verdict["seconds_to_verdict"].as_u64().unwrap_or_default(),
            errors_all_at_once: (outcome == Outcome::RolledBack)
                .then(|| errors_all_at_once(requests, failed))
                .flatten(),
        })
    }

    /// Runs one deploy, and tells what the executable says and what is served meanwhile.
    async fn deploy(&self, build: Build, line: &mut (dyn FnMut(&Value) + Send)) -> Result<Ended, Error> {
        let settings = deploy::Settings {
            folder: self.application.folder(),
            stack: STACK,
            template: self.application.template,
            strategy: self.settings.strategy.as_deref(),
            build: build.number,
        };
        let mut last = None;
        let deploy = deploy::run(&settings, |value| {
            line(value);
            // Looks that show nothing new are not told again.
            if let Some(text) = in_words(value).filter(|text| last.as_ref() != Some(text)) {
                (self.sink)(Event::Told { at: self.at(), text: text.clone() });
                last = Some(text);
            }
        });
        let counting = self.tell_traffic();
        tokio::select! {
            ended = deploy => ended,
            never = counting => match never {},
        }
    }

    /// Tells the counts, minute by minute, for ever.
    async fn tell_traffic(&self) -> Infallible {
        let mut last = self.snapshot();
        loop {
            tokio::time::sleep(TELL.div_f64(self.settings.speed)).await;
            let now = self.snapshot();
            let served = now.since(&last);
            if served != Ledger::default() {
                (self.sink)(Event::Traffic { at: self.at(), served });
            }
            last = now;
        }
    }

    /// Lets the traffic flow for a while.
    async fn steady(&self, title: &str, how_long: Duration) {
        self.chapter(title);
        let enough = tokio::time::sleep(how_long.div_f64(self.settings.speed));
        tokio::select! {
            () = enough => {}
            never = self.tell_traffic() => match never {},
        }
    }

    fn start_traffic(&mut self, function: String) {
        let lambda = self.aws.lambda();
        let name: Arc<str> = function.as_str().into();
        let alias: Arc<str> = self.application.alias.as_str().into();
        let event: Arc<[u8]> = self.application.event.as_slice().into();
        let traffic = Traffic::start(self.settings.rate * self.settings.speed, move || {
            let (lambda, name, alias, event) = (lambda.clone(), name.clone(), alias.clone(), event.clone());
            async move {
                match lambda.invoke(&name, &alias, &event).await {
                    Ok(answer) => {
                        Served { version: Some(answer.executed_version), failed: answer.function_error.is_some() }
                    }
                    Err(_) => Served { version: None, failed: true },
                }
            }
        });
        self.traffic = Some(Running { traffic, function });
    }

    /// The physical name of the function that is rehearsed.
    async fn function_name(&self) -> Result<String, Error> {
        let resources = self.aws.cloudformation().resources(STACK).await?;
        resources
            .into_iter()
            .find(|resource| resource.logical_id == self.application.function)
            .and_then(|resource| resource.physical_id)
            .ok_or_else(|| Error::Application(format!("the stack has no resource {}", self.application.function)))
    }

    /// The version that the alias serves.
    async fn serving(&self, function: &str) -> Result<String, Error> {
        let alias = self.aws.lambda().alias(function, &self.application.alias).await?;
        alias
            .map(|alias| alias.version)
            .ok_or_else(|| Error::Application(format!("the function has no alias {}", self.application.alias)))
    }

    /// What of template, stack and alias does not agree after the last deploy.
    async fn disagreements(&self, deployments: &[Deployment]) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        let Some(last) = deployments.last() else { return Ok(found) };
        let function = self.traffic.as_ref().map(|running| running.function.clone()).unwrap_or_default();
        let cloudformation = self.aws.cloudformation();
        match self.aws.lambda().alias(&function, &self.application.alias).await? {
            Some(alias) if !alias.weights.is_empty() => found.push("the alias still has weights".to_owned()),
            Some(alias) if alias.version != last.version => {
                found.push(format!("the alias serves version {}, not {}", alias.version, last.version));
            }
            Some(_) => {}
            None => found.push("the alias is gone".to_owned()),
        }
        let text = cloudformation.template(STACK, Stage::Original).await?;
        let source = Source::new("the stack's template", text);
        let Ok(template) = read::read(Arc::new(source)) else {
            found.push("the stack's template cannot be read".to_owned());
            return Ok(found);
        };
        let resources = cloudformation.resources(STACK).await?;
        let alias = template.section("Resources").and_then(|resources| {
            resources.iter().find(|(_, resource)| {
                resource.get("Type").and_then(|kind| kind.as_str()) == Some("AWS::Lambda::Alias")
                    && resource.path(&["Properties", "FunctionName", "Ref"]).and_then(|name| name.as_str())
                        == Some(&self.application.function)
            })
        });
        let version = alias.and_then(|(_, alias)| {
            alias.path(&["Properties", "FunctionVersion", "Fn::GetAtt"])?.as_list()?.first()?.as_str()
        });
        // A held alias has the number itself there: `sam deploy` would not find what it left.
        let Some(version) = version else {
            found.push("the stack's template does not take the alias's version from its resource".to_owned());
            return Ok(found);
        };
        let published = resources
            .iter()
            .find(|resource| resource.logical_id == version)
            .and_then(|resource| resource.physical_id.as_deref()?.rsplit(':').next());
        if published != Some(last.version.as_str()) {
            let published = published.unwrap_or("none");
            found.push(format!("the stack's version resource is {published}, not {}", last.version));
        }
        Ok(found)
    }
}

/// The versions that a deploy may publish now.
fn newer(old: &str, builds: u32) -> Vec<String> {
    let old: u64 = old.parse().unwrap_or(0);
    (old + 1..=old + u64::from(builds)).map(|version| version.to_string()).collect()
}

/// A JSON line of a deploy as a line of the timeline; `None` for what the story need not tell.
fn in_words(line: &Value) -> Option<String> {
    match line["type"].as_str()? {
        // What is about to be done is told when it is done.
        "rollout" if line["entry"]["event"] == "intent" => None,
        "rollout" => line["message"].as_str().map(str::to_owned),
        "warning" => line["message"].as_str().map(|message| format!("warning: {message}")),
        "event" if line["resource_type"] == "AWS::CloudFormation::Stack" => {
            let status = line["status"].as_str()?;
            status.ends_with("COMPLETE").then(|| format!("the stack is {status}"))
        }
        _ => None,
    }
}
