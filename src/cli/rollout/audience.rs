//! Who hears of a rollout while it runs and when it has ended: the terminal, `--notify`, `--report`, the
//! topics of the template and, where it runs there, GitHub. They listen; none of them holds the rollout up or changes it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::notify::{Message, Notifier, variable};
use super::signals;
use super::topics::Topics;
use crate::aws::Aws;
use crate::cli::context::Context;
use crate::cli::exit::Error;
use crate::deploy::samconfig::{self, Section};
use crate::rollout::command::CommandLine;
use crate::rollout::evidence;
use crate::rollout::names::{NotA, Time};
use crate::rollout::plan::{AliasPlan, Plan};
use crate::rollout::run::{Progress, Services, Verdict};
use crate::rollout::state::{Happening, State};
use crate::template::Map;
use crate::ui::report::story::{self, Seen};
use crate::ui::report::{self, Page};
use crate::ui::terminal::Terminal;
use crate::ui::{github, rollout as show};

/// Who else hears of it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Who hears of it")]
pub(crate) struct TellArgs {
    /// Write an HTML page about the rollout when it has ended, however it ended
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Run a command at each transition: JSON on its standard input, facts in SAMARA_… variables;
    /// no shell, at most 30 s, and its failure is only a warning
    #[arg(long, value_name = "COMMAND")]
    pub(crate) notify: Option<CommandLine>,
}

impl TellArgs {
    /// These over what the configuration says.
    ///
    /// # Errors
    /// A value that has no meaning; the error points at it.
    pub(crate) fn over(&self, section: &Section) -> Result<Self, samconfig::Error> {
        let text = |key: &str| Ok::<_, samconfig::Error>(section.string(key)?.filter(|text| !text.is_empty()));
        let report = match &self.report {
            Some(path) => Some(path.clone()),
            None => text("report")?.map(PathBuf::from),
        };
        let notify = match &self.notify {
            Some(command) => Some(command.clone()),
            None => text("notify")?
                .map(|text| text.parse().map_err(|error: NotA| section.error_at("notify", error.to_string())))
                .transpose()?,
        };
        Ok(Self { report, notify })
    }

    /// As they are written into a configuration: only what was given.
    pub(crate) fn save(&self, parameters: &mut Map) {
        if let Some(path) = self.report.as_deref().and_then(Path::to_str) {
            parameters.insert("report", path);
        }
        if let Some(command) = &self.notify {
            parameters.insert("notify", command.to_string().as_str());
        }
    }

    /// Refuses what could not be written or run at the end, before anything is touched.
    ///
    /// # Errors
    /// The report's folder is not there or cannot be written to, its place is taken by something that
    /// is no file, or the command's program is not there.
    pub(crate) fn check(&self, context: &Context) -> Result<(), Error> {
        self.check_report(context)?;
        self.check_notify()
    }

    /// The same for who goes back: nothing keeps that from being done, least of all a page.
    pub(crate) fn without_trouble(mut self, context: &Context) -> Self {
        if let Err(error) = self.check_report(context) {
            context.terminal.warn(format_args!("going on without the page: {error}"));
            self.report = None;
        }
        if let Err(error) = self.check_notify() {
            context.terminal.warn(format_args!("going on without telling: {error}"));
            self.notify = None;
        }
        self
    }

    fn check_report(&self, context: &Context) -> Result<(), Error> {
        let Some(path) = self.report.as_deref().map(|path| place(&context.cwd.join(path))) else { return Ok(()) };
        let wrong = |problem: &str| {
            Err(Error::Usage(format!("--report: {} {problem}; for example rollout.html", path.display())))
        };
        match (path.metadata(), path.parent()) {
            (Ok(found), _) if found.is_dir() => wrong("is a folder"),
            // A device or a pipe would be replaced by the page.
            (Ok(found), _) if !found.is_file() => wrong("is not a file"),
            (_, Some(folder)) if folder.is_dir() => match temporary(folder) {
                Ok(_) => Ok(()),
                Err(error) => wrong(&format!("cannot be written: {error}")),
            },
            _ => wrong("is in a folder that is not there"),
        }
    }

    fn check_notify(&self) -> Result<(), Error> {
        let Some(command) = self.notify.clone() else { return Ok(()) };
        command.installed().map(drop).map_err(|error| Error::Usage(format!("--notify: {error}")))
    }
}

/// How lines of progress look on standard output and standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    /// For people, on standard error.
    People,
    /// A JSON object a line where the output is for programs.
    Json,
}

/// A line like the one before says only that it still looks; some runners end what says nothing for ten
/// minutes.
const AGAIN_AFTER: Duration = Duration::from_secs(300);

/// Who hears of one rollout.
pub(crate) struct Audience {
    terminal: Terminal,
    lines: Lines,
    plan: Plan,
    /// Whether lines of other rollouts stand among those of this one.
    beside_others: bool,
    report: Option<PathBuf>,
    notifier: Option<Notifier>,
    topics: Option<Topics>,
    github: Option<GitHub>,
    /// Where the evidence stood at each look.
    evidence: Mutex<Vec<(Time, usize, f64)>>,
    /// What was told of the last look, where nothing has happened since.
    last_look: Mutex<Option<(Time, (usize, String))>>,
}

/// What GitHub Actions gives to a step.
struct GitHub {
    summary: Option<PathBuf>,
}

impl GitHub {
    fn of(context: &Context) -> Option<Self> {
        (context.env("GITHUB_ACTIONS").as_deref() == Some("true"))
            .then(|| Self { summary: context.env("GITHUB_STEP_SUMMARY").map(PathBuf::from) })
    }
}

impl Audience {
    /// Takes its places.
    pub(crate) fn new(context: &Context, aws: &Aws, args: &TellArgs, plan: &Plan, lines: Lines) -> Self {
        let terminal = context.terminal;
        let github = GitHub::of(context);
        if github.is_some() {
            terminal.line(github::group(&format!("Rollout of {}", story::title(plan))));
        }
        Self {
            terminal,
            lines: if terminal.is_json() { lines } else { Lines::People },
            plan: plan.clone(),
            beside_others: false,
            report: args.report.as_deref().map(|path| place(&context.cwd.join(path))),
            notifier: args.notify.clone().map(|command| Notifier::new(terminal, command)),
            topics: Topics::of(terminal, aws, plan),
            github,
            evidence: Mutex::default(),
            last_look: Mutex::default(),
        }
    }

    /// Other rollouts are told of on the same terminal: each line says which one it is about.
    pub(crate) fn beside_others(mut self, beside_others: bool) -> Self {
        self.beside_others = beside_others;
        self
    }

    /// Something happened.
    pub(crate) fn hear(&self, progress: &Progress) {
        let is_reassurance = matches!(progress, Progress::Looked { .. } | Progress::Waiting(_));
        match (signals::is_asking(), is_reassurance) {
            (false, _) => {}
            // The question stays where it can be seen, ...
            (true, true) => return self.keep(progress),
            // ... but what happens to the alias is told all the same.
            (true, false) => self.terminal.line(""),
        }
        match self.lines {
            Lines::People if self.is_said_already(progress) => {}
            Lines::People => show::progress(self.terminal, &self.plan, self.beside_others, progress),
            Lines::Json => {
                if let Some(line) = show::progress_json(&self.plan, progress) {
                    self.terminal.json(&line);
                }
            }
        }
        self.keep(progress);
        if let (Some(notifier), Some(message)) = (&self.notifier, message(&self.plan, progress)) {
            notifier.tell(message);
        }
        if let (Some(topics), Progress::Happened(entry)) = (&self.topics, progress) {
            topics.tell(&entry.what);
        }
    }

    /// A look that found what the one before has found is told again only so often.
    fn is_said_already(&self, progress: &Progress) -> bool {
        let mut last = self.last_look.lock().unwrap_or_else(PoisonError::into_inner);
        let Progress::Looked { at, alias, standing, .. } = progress else {
            *last = None;
            return false;
        };
        let now = (*alias, standing.words());
        if let Some((since, said)) = &*last
            && *said == now
            && at.since(*since) < AGAIN_AFTER
        {
            return true;
        }
        *last = Some((*at, now));
        false
    }

    fn keep(&self, progress: &Progress) {
        if let Progress::Looked { at, alias, standing, .. } = progress {
            self.evidence.lock().unwrap_or_else(PoisonError::into_inner).push((*at, *alias, standing.evidence));
        }
    }

    /// It has ended: the verdict is shown, told and written.
    pub(crate) async fn end(self, verdict: &Verdict, services: &Services) {
        if self.github.is_some() {
            self.terminal.line(github::end_group());
        }
        show::verdict(self.terminal, verdict);
        if self.report.is_some() || self.github.is_some() {
            let evidence = self.evidence.into_inner().unwrap_or_else(PoisonError::into_inner);
            let percentiles = percentiles(services, &verdict.state, verdict.at).await;
            let page = story::of_verdict(verdict, &Seen { evidence, percentiles });
            if let Some(path) = &self.report {
                match write(path, &page) {
                    Ok(()) => self.terminal.status("Wrote", path.display()),
                    Err(error) => self.terminal.warn(format_args!("{} was not written: {error}", path.display())),
                }
            }
            if let Some(github) = &self.github {
                github.tell(self.terminal, &page);
            }
        }
        if let Some(notifier) = self.notifier {
            last_message(verdict).into_iter().for_each(|message| notifier.tell(message));
            notifier.end().await;
        }
        if let Some(topics) = self.topics {
            topics.end().await;
        }
    }
}

/// What nobody may overlook is in the step's summary, too, where that is shown.
pub(crate) fn shout(context: &Context, text: &str) {
    let Some(GitHub { summary }) = GitHub::of(context) else { return };
    context.terminal.line(github::annotation(github::Level::Error, "An alias is left on two versions", text));
    let Some(path) = summary else { return };
    if let Err(error) = append(&path, &github::caution(text)) {
        context.terminal.warn(format_args!("the step summary was not written: {error}"));
    }
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::OpenOptions::new().append(true).create(true).open(path)?.write_all(text.as_bytes())
}

impl GitHub {
    fn tell(&self, terminal: Terminal, page: &Page) {
        for line in github::annotations(page) {
            terminal.line(line);
        }
        let Some(path) = &self.summary else { return };
        if let Err(error) = append(path, &github::summary(page)) {
            terminal.warn(format_args!("the step summary was not written: {error}"));
        }
    }
}

/// The durations' percentiles, an alias each; `None` where they cannot be read, which the page says.
pub(crate) async fn percentiles(
    services: &Services,
    state: &State,
    until: Time,
) -> Option<Vec<BTreeMap<i64, evidence::Percentiles>>> {
    let from = state.entries.front().map_or(state.plan.created, |entry| entry.at);
    let mut all = Vec::new();
    for alias in &state.plan.aliases {
        all.push(evidence::percentiles(&services.cloudwatch, alias, (from, until)).await.ok()?);
    }
    Some(all)
}

/// Where a page is written that is asked for here: a link stays one, and what it names is written.
fn place(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn temporary(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(".samara-report-").tempfile_in(folder)
}

/// Writes the page, wholly or not at all.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write(path: &Path, page: &Page) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = temporary(folder)?;
    file.write_all(report::html(page).as_bytes())?;
    // A temporary file is for its owner alone; a page is there to be read.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(mode)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// What `--notify` is told of a transition; nothing of looks and troubles.
fn message(plan: &Plan, progress: &Progress) -> Option<Message> {
    let Progress::Happened(entry) = progress else { return None };
    if matches!(entry.what, Happening::Intent { .. }) {
        return None;
    }
    let mut json = show::progress_json(plan, progress)?;
    let told = serde_json::to_value(&entry.what).ok()?;
    let event = told.get("event")?.as_str()?.to_owned();
    let index = told.get("alias").and_then(serde_json::Value::as_u64).and_then(|index| usize::try_from(index).ok());
    let alias = plan.aliases.get(index.unwrap_or(0))?;
    let text = json.get("message").and_then(|text| text.as_str()).unwrap_or_default().to_owned();
    if let Some(json) = json.as_object_mut() {
        json.insert("function".to_owned(), json!(alias.id.function));
        json.insert("alias".to_owned(), json!(alias.id.alias));
        json.insert("old_version".to_owned(), json!(alias.old));
        json.insert("new_version".to_owned(), json!(alias.new));
        json.insert("event".to_owned(), json!(event));
    }
    let mut variables = variables(alias, event, &text);
    if let Happening::Confirmed { content, .. } = &entry.what {
        variables.push(("SAMARA_WEIGHT", content.share(alias.new).to_string()));
    }
    Some(Message { json, variables })
}

fn last_message(verdict: &Verdict) -> Option<Message> {
    let mut json = verdict.json();
    if let Some(json) = json.as_object_mut() {
        json.insert("event".to_owned(), json!("verdict"));
    }
    let outcome = json.get("outcome").and_then(|outcome| outcome.as_str()).unwrap_or_default().to_owned();
    let text = verdict.lines().into_iter().next().unwrap_or_default();
    let mut variables = variables(verdict.state.plan.first()?, "verdict".to_owned(), &text);
    variables.push(("SAMARA_OUTCOME", outcome));
    Some(Message { json, variables })
}

fn variables(alias: &AliasPlan, event: String, text: &str) -> Vec<(&'static str, String)> {
    vec![
        ("SAMARA_EVENT", event),
        ("SAMARA_FUNCTION", alias.id.function.to_string()),
        ("SAMARA_ALIAS", alias.id.alias.to_string()),
        ("SAMARA_OLD_VERSION", alias.old.to_string()),
        ("SAMARA_NEW_VERSION", alias.new.to_string()),
        ("SAMARA_MESSAGE", variable(text)),
    ]
}
