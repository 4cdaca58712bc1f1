//! Checks of a new version and its warm-up: what is run, and what the answers mean. A check that says
//! nothing clear has failed: traffic follows only a plain yes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::command::{self, CommandLine, Trouble};
use super::names::{FunctionRef, NotA};
use super::plan::{AliasPlan, Hook, HookKind, HookTime, Plan, WarmUp};
use super::state::{Task, TaskTrouble};
use crate::aws::lambda::{Invocation, Lambda};

/// A command gets as long as a Lambda function may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(900);
/// Recorded events of one folder; each of them is an invocation.
const MOST_EVENTS: usize = 500;
/// Lambda takes no larger event.
const LARGEST_BYTES: u64 = 6 << 20;
/// Invocations of a warm-up that run at the same time: an environment each.
const AT_ONCE: u32 = 50;
/// What is told of an answer that was not expected.
const SHOWN: usize = 500;

impl std::str::FromStr for HookKind {
    type Err = NotA;

    /// `cmd:COMMAND`, `events:FOLDER`, or a function's name or ARN, which may name a version or an alias.
    fn from_str(text: &str) -> Result<Self, NotA> {
        if let Some(command) = text.strip_prefix("cmd:") {
            let command = command.parse::<CommandLine>()?.installed()?;
            return Ok(Self::Command { command: command.words().to_vec() });
        }
        if let Some(folder) = text.strip_prefix("events:") {
            let wrong = |reason: String| NotA::new(text, format!("a folder of events ({reason})"), "events:checks");
            let folder = Path::new(folder).canonicalize().map_err(|error| wrong(error.to_string()))?;
            read_events(&folder).map_err(wrong)?;
            return Ok(Self::Events { folder });
        }
        let (function, qualifier) = qualified(text);
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let is_qualifier =
            qualifier == LATEST || (1..=128).contains(&qualifier.len()) && qualifier.bytes().all(is_name);
        if function.parse::<FunctionRef>().is_err() || !is_qualifier {
            return Err(NotA::new(text, "a function, cmd:COMMAND or events:FOLDER", "cmd:./smoke-test.sh"));
        }
        Ok(Self::Function { name: text.to_owned() })
    }
}

const LATEST: &str = "$LATEST";

/// A function's name or ARN, and the version or alias that stands behind it; `$LATEST` without one.
/// Lambda refuses a call that says both a qualified name and another qualifier.
pub(super) fn qualified(name: &str) -> (&str, &str) {
    let parts = name.split(':').count();
    match name.rsplit_once(':') {
        Some(split) if parts == 2 || (name.starts_with("arn:") && parts == 8) => split,
        _ => (name, LATEST),
    }
}

/// Does what is done once.
///
/// # Errors
/// It says that the new version is not good, or could not be run.
pub async fn perform(lambda: &Lambda, plan: &Plan, task: Task) -> Result<(), TaskTrouble> {
    let gone = || TaskTrouble::Failed("the plan has no such check".to_owned());
    match task {
        Task::WarmUp(index) => {
            let (Some(alias), Some(warm_up)) = (plan.aliases.get(index), &plan.warm_up) else { return Err(gone()) };
            warm(lambda, alias, warm_up).await
        }
        Task::Hook(index) => {
            let hook = plan.hooks.get(index).ok_or_else(gone)?;
            let alias = plan.aliases.get(hook.alias).ok_or_else(gone)?;
            match &hook.what {
                HookKind::Function { name } => function(lambda, plan, alias, hook, name).await,
                HookKind::Command { command } => local(lambda, alias, hook, command).await,
                HookKind::Events { folder } => events(lambda, alias, folder).await,
            }
        }
    }
}

fn not_run(error: &impl ToString) -> TaskTrouble {
    TaskTrouble::NotRun(error.to_string())
}

/// The lifecycle event's name as CodeDeploy has it.
fn event_name(when: HookTime) -> &'static str {
    match when {
        HookTime::BeforeTraffic => "BeforeAllowTraffic",
        HookTime::AfterTraffic => "AfterAllowTraffic",
    }
}

async fn arn_of(lambda: &Lambda, alias: &AliasPlan) -> Result<String, TaskTrouble> {
    let version = alias.new.to_string();
    let found = lambda.configuration(alias.id.function.as_str(), &version).await.map_err(|error| not_run(&error))?;
    found.map(|found| found.arn).ok_or_else(|| TaskTrouble::Failed(format!("version {version} does not exist")))
}

/// Invokes a hook function. Its event has CodeDeploy's two fields, and what CodeDeploy leaves out.
async fn function(lambda: &Lambda, plan: &Plan, alias: &AliasPlan, hook: &Hook, name: &str) -> Result<(), TaskTrouble> {
    let arn = arn_of(lambda, alias).await?;
    let deployment = format!("samara-{}", plan.created.0);
    let event = json!({
        "DeploymentId": deployment,
        "LifecycleEventHookExecutionId": format!("{deployment}-{}", event_name(hook.when)),
        "LifecycleEvent": event_name(hook.when),
        "FunctionName": alias.id.function,
        "Alias": alias.id.alias,
        "CurrentVersion": alias.old,
        "NewVersion": alias.new,
        "NewVersionArn": arn,
    });
    let payload = event.to_string();
    let (name, qualifier) = qualified(name);
    let answer = lambda.invoke(name, qualifier, payload.as_bytes()).await.map_err(|error| not_run(&error))?;
    verdict_of(&answer).map_err(TaskTrouble::Failed)
}

/// What a hook function's answer means.
fn verdict_of(answer: &Invocation) -> Result<(), String> {
    let text = shown(&answer.payload);
    let value: Value = serde_json::from_slice(&answer.payload).unwrap_or(Value::Null);
    let status = value.get("status").and_then(Value::as_str);
    if answer.function_error.is_none() && status == Some("Succeeded") {
        return Ok(());
    }
    // What it printed may be all that tells: such functions like to catch the error and end well.
    let said = format!("{} {}", String::from_utf8_lossy(&answer.payload), answer.log_tail).to_ascii_lowercase();
    let of_codedeploy = [
        "putlifecycleeventhookexecutionstatus",
        "put_lifecycle_event_hook_execution_status",
        "lifecycleeventhookexecutionid",
        "deploymentdoesnotexistexception",
        "invaliddeploymentidexception",
    ];
    if of_codedeploy.iter().any(|sign| said.contains(sign)) {
        return Err(format!(
            "it is written for CodeDeploy (it calls PutLifecycleEventHookExecutionStatus): use the codedeploy engine, \
             or let it return {{\"status\": \"Succeeded\"}}; it answered {text}"
        ));
    }
    match (&answer.function_error, status) {
        (Some(_), _) => Err(format!("it ended with an error: {text}")),
        (None, Some(_)) => Err(format!("it answered {text}")),
        (None, None) => Err(format!("it has to return {{\"status\": \"Succeeded\"}}, and answered {text}")),
    }
}

fn shown(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    let cut: String = text.trim().chars().take(SHOWN).collect();
    match (cut.is_empty(), cut.len() < text.trim().len()) {
        (true, _) => "nothing".to_owned(),
        (false, true) => format!("{cut}…"),
        (false, false) => cut,
    }
}

/// Runs a local command; 0 is yes.
async fn local(lambda: &Lambda, alias: &AliasPlan, hook: &Hook, words: &[String]) -> Result<(), TaskTrouble> {
    let arn = arn_of(lambda, alias).await?;
    let command = CommandLine::from_words(words.to_vec()).map_err(|error| TaskTrouble::Failed(error.to_string()))?;
    let variables = [
        ("SAMARA_HOOK", event_name(hook.when).to_owned()),
        ("SAMARA_FUNCTION", alias.id.function.to_string()),
        ("SAMARA_ALIAS", alias.id.alias.to_string()),
        ("SAMARA_OLD_VERSION", alias.old.to_string()),
        ("SAMARA_NEW_VERSION", alias.new.to_string()),
        ("SAMARA_NEW_VERSION_ARN", arn),
    ];
    match command::run(&command, &variables, b"", COMMAND_LIMIT).await {
        Ok(_) => Ok(()),
        Err(trouble @ Trouble::NotStarted { .. }) => Err(not_run(&trouble)),
        Err(trouble) => Err(TaskTrouble::Failed(trouble.to_string())),
    }
}

/// A recorded event, and what its answer has to have.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The event's file.
    pub path: PathBuf,
    /// The event.
    pub event: Value,
    /// What the answer has to have; without it, it only must not be an error.
    pub expected: Option<Value>,
}

/// Reads a folder of recorded events: each `NAME.json` is an event, `NAME.expected.json` beside it
/// what its answer has to have.
///
/// # Errors
/// There is none, one is not JSON, or an answer has no event.
pub fn read_events(folder: &Path) -> Result<Vec<Recorded>, String> {
    let told = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let read = |path: &Path| -> Result<Value, String> {
        let size = std::fs::metadata(path).map_err(|error| told(path, &error))?.len();
        if size > LARGEST_BYTES {
            return Err(told(path, &"it is larger than an event may be (6 MB)"));
        }
        let bytes = std::fs::read(path).map_err(|error| told(path, &error))?;
        serde_json::from_slice(&bytes).map_err(|error| told(path, &error))
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| told(folder, &error))? {
        let path = entry.map_err(|error| told(folder, &error))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let is_answer = |path: &Path| path.to_string_lossy().ends_with(".expected.json");
    let mut events = Vec::new();
    for path in paths.iter().filter(|path| !is_answer(path)) {
        let answer = path.with_extension("expected.json");
        let expected = if paths.contains(&answer) { Some(read(&answer)?) } else { None };
        events.push(Recorded { path: path.clone(), event: read(path)?, expected });
    }
    let lonely = |answer: &&PathBuf| {
        is_answer(answer) && !events.iter().any(|event| event.path.with_extension("expected.json") == **answer)
    };
    if let Some(answer) = paths.iter().find(lonely) {
        return Err(told(answer, &"the event that it answers is not there"));
    }
    match events.len() {
        0 => Err(told(folder, &"it has no event (NAME.json, with NAME.expected.json beside it)")),
        1..=MOST_EVENTS => Ok(events),
        count => Err(told(folder, &format!("it has {count} events; {MOST_EVENTS} are the most"))),
    }
}

/// Sends recorded events to the new version, by its number, one after the other.
async fn events(lambda: &Lambda, alias: &AliasPlan, folder: &Path) -> Result<(), TaskTrouble> {
    let version = alias.new.to_string();
    for recorded in read_events(folder).map_err(TaskTrouble::NotRun)? {
        let payload = recorded.event.to_string();
        let name = recorded.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let answer = lambda
            .invoke(alias.id.function.as_str(), &version, payload.as_bytes())
            .await
            .map_err(|error| not_run(&error))?;
        let text = shown(&answer.payload);
        if answer.function_error.is_some() {
            return Err(TaskTrouble::Failed(format!("{name}: version {version} ended with an error: {text}")));
        }
        let Some(expected) = recorded.expected else { continue };
        let value: Value = serde_json::from_slice(&answer.payload).unwrap_or(Value::Null);
        if let Err(difference) = has(&value, &expected, "the answer") {
            return Err(TaskTrouble::Failed(format!("{name}: {difference}; version {version} answered {text}")));
        }
    }
    Ok(())
}

/// Whether an answer has everything that is expected of it: an object may have more, a list may not.
/// Where text is found and an object or a list expected (a `body`), the text is read as JSON.
fn has(found: &Value, expected: &Value, at: &str) -> Result<(), String> {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().try_for_each(|(key, expected)| match found.get(key) {
                Some(found) => has(found, expected, &format!("{at}.{key}")),
                None => Err(format!("{at} has no {key}")),
            })
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => found
            .iter()
            .zip(expected)
            .enumerate()
            .try_for_each(|(index, (found, expected))| has(found, expected, &format!("{at}[{index}]"))),
        (Value::String(text), Value::Object(_) | Value::Array(_)) => match serde_json::from_str::<Value>(text) {
            Ok(inner) if !inner.is_string() => has(&inner, expected, at),
            _ => Err(format!("{at} is text, and should be {expected}")),
        },
        (Value::Number(found), Value::Number(expected)) if found.as_f64() == expected.as_f64() => Ok(()),
        (found, expected) if found == expected => Ok(()),
        (found, expected) => Err(format!("{at} is {}, and should be {expected}", shown(found.to_string().as_bytes()))),
    }
}

/// Invokes the new version, by its number, as often as asked and as many at once as may be. An error
/// of the function is not held against it, unless it is the answer to all of them.
async fn warm(lambda: &Lambda, alias: &AliasPlan, warm_up: &WarmUp) -> Result<(), TaskTrouble> {
    let (payload, version) = (warm_up.event.to_string(), alias.new.to_string());
    let mut running: JoinSet<Result<Invocation, crate::aws::Error>> = JoinSet::new();
    let (mut started, mut well, mut last) = (0, 0, String::new());
    while started < warm_up.invocations || !running.is_empty() {
        while started < warm_up.invocations && running.len() < AT_ONCE as usize {
            let (lambda, function) = (lambda.clone(), alias.id.function.clone());
            let (payload, version) = (payload.clone(), version.clone());
            running.spawn(async move { lambda.invoke(function.as_str(), &version, payload.as_bytes()).await });
            started += 1;
        }
        match running.join_next().await {
            Some(Ok(Ok(answer))) if answer.function_error.is_none() => well += 1,
            Some(Ok(Ok(answer))) => last = shown(&answer.payload),
            Some(Ok(Err(error))) => return Err(not_run(&error)),
            Some(Err(error)) => return Err(not_run(&error)),
            None => {}
        }
    }
    if well == 0 && warm_up.invocations > 0 {
        return Err(TaskTrouble::Failed(format!("all of its {started} invocations failed: {last}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(payload: &str, error: Option<&str>, log: &str) -> Result<(), String> {
        verdict_of(&Invocation {
            executed_version: "1".to_owned(),
            function_error: error.map(str::to_owned),
            payload: payload.as_bytes().to_vec(),
            log_tail: log.to_owned(),
        })
    }

    #[test]
    fn only_a_plain_yes_is_one() {
        assert_eq!(answer(r#"{"status":"Succeeded"}"#, None, ""), Ok(()));
        for no in ["null", "", "{}", "\"Succeeded\"", r#"{"status":"Failed"}"#, r#"{"status":"succeeded "}"#, "<html>"]
        {
            assert!(answer(no, None, "").is_err(), "{no}");
        }
        assert!(answer(r#"{"status":"Succeeded"}"#, Some("Unhandled"), "").is_err());
    }

    #[test]
    fn a_hook_written_for_codedeploy_is_recognised() {
        let thrown = r#"{"errorType":"DeploymentDoesNotExistException","errorMessage":"no deployment"}"#;
        assert!(answer(thrown, Some("Unhandled"), "").unwrap_err().contains("codedeploy engine"));
        let log = "AccessDenied: not authorized to perform: codedeploy:PutLifecycleEventHookExecutionStatus";
        assert!(answer("null", None, log).unwrap_err().contains("codedeploy engine"));
        assert!(!answer("null", Some("Handled"), "boom").unwrap_err().contains("codedeploy"));
    }

    #[test]
    fn an_answer_may_have_more_than_is_expected_and_not_less() {
        let check = |found: Value, expected: Value| has(&found, &expected, "the answer");
        let answer = json!({"statusCode": 200, "body": "{\"message\":\"hello\",\"n\":[1,2]}", "headers": {}});
        assert_eq!(check(answer.clone(), json!({"statusCode": 200.0, "body": {"message": "hello"}})), Ok(()));
        assert_eq!(check(answer.clone(), json!({})), Ok(()));
        let difference = check(answer.clone(), json!({"body": {"n": [1, 3]}})).unwrap_err();
        assert_eq!(difference, "the answer.body.n[1] is 2, and should be 3");
        assert!(check(answer.clone(), json!({"body": {"n": [1]}})).is_err());
        assert!(check(answer, json!({"missing": null})).is_err());
        assert!(check(json!(null), json!({"a": 1})).is_err());
    }

    #[test]
    fn a_folder_of_events_is_read_whole_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let read = || read_events(folder.path());
        assert!(read().unwrap_err().contains("it has no event"));
        write("b.json", r#"{"b":1}"#);
        write("a.json", "1");
        write("a.expected.json", "2");
        write("README.md", "not an event");
        let events = read().unwrap();
        assert_eq!(events.iter().map(|one| one.event.clone()).collect::<Vec<_>>(), [json!(1), json!({"b": 1})]);
        assert_eq!((&events[0].expected, &events[1].expected), (&Some(json!(2)), &None));
        write("c.expected.json", "2");
        assert!(read().unwrap_err().contains("the event that it answers is not there"));
        write("c.json", "{");
        assert!(read().unwrap_err().contains("c.json"));
        let kind: HookKind = "cmd:sh check.sh 'a b'".parse().unwrap();
        assert_eq!(kind, HookKind::Command { command: vec!["sh".to_owned(), "check.sh".to_owned(), "a b".to_owned()] });
        for wrong in ["", "a b", "cmd:", "cmd:'", "cmd:./no-such-check", "events:/no/such/folder", "arn:aws:s3:::x"] {
            assert!(wrong.parse::<HookKind>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_version_or_alias_behind_a_name_is_the_qualifier() {
        const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:check";
        assert_eq!(qualified("check"), ("check", "$LATEST"));
        assert_eq!(qualified("check:live"), ("check", "live"));
        assert_eq!(qualified(ARN), (ARN, "$LATEST"));
        assert_eq!(qualified(&format!("{ARN}:7")), (ARN, "7"));
        for good in ["check", "check:live", "check:$LATEST", ARN, &format!("{ARN}:7")] {
            assert!(good.parse::<HookKind>().is_ok(), "{good}");
        }
    }
}
