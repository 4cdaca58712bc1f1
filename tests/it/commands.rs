//! The rollout commands: what they refuse, what they print, and what each does to an alias.

use crate::support::Project;

/// An endpoint where nobody listens: whatever is refused against it was refused before anything was
/// touched, or even looked at.
const NOWHERE: &str = "http://127.0.0.1:9";

/// What cannot work: the option, the text, and what the message has to say.
const BAD: &[(&str, &str, &str)] = &[
    ("--strategy", "", "a strategy"),
    ("--strategy", "Canary10Percent", "a strategy"),
    ("--strategy", "canary10percent5minutes", "a strategy"),
    ("--strategy", "blue/green", "a strategy"),
    ("--strategy", "canary:0%:5m", "above 0 %"),
    ("--strategy", "canary:100%:5m", "below 100 %"),
    ("--strategy", "canary:101%:5m", "below 100 %"),
    ("--strategy", "canary:-1%:5m", "above 0 %"),
    ("--strategy", "canary:5.0001%:5m", "three decimals"),
    ("--strategy", "canary:NaN%:5m", "a share"),
    ("--strategy", "canary:5:5m", "a share"),
    ("--strategy", "canary:5%", "a weight and a duration"),
    ("--strategy", "canary:5%:-1m", "a duration"),
    ("--strategy", "canary:5%:1.5m", "a duration"),
    ("--strategy", "canary:5%:99999999999999h", "a duration"),
    ("--strategy", "canary:5%:25h", "a duration"),
    ("--strategy", "canary:5%:10m:x", "a duration"),
    ("--strategy", "linear:0.001%:1s", "at most 200 steps"),
    ("--strategy", "steps:", "a weight and a duration"),
    ("--strategy", "steps:pause", "`pause` stands behind a step"),
    ("--strategy", "steps:10%:5m,pause,pause", "`pause` stands behind a step"),
    ("--strategy", "steps:50%:5m,10%:5m", "whose weights rise"),
    ("--strategy", "steps:10%:5m,100%:5m", "below 100 %"),
    ("--strategy", "steps:10%:5m,,50%:5m", "a weight and a duration"),
    ("--to-version", "$LATEST", "never routed to $LATEST"),
    ("--to-version", "0", "the number of a published version"),
    ("--to-version", "-1", "the number of a published version"),
    ("--to-version", "1.0", "the number of a published version"),
    ("--to-version", "007", "the number of a published version"),
    ("--to-version", "live", "the number of a published version"),
    ("--to-version", "99999999999999999999999", "the number of a published version"),
    ("--function", "", "a function's name or ARN"),
    ("--function", "a b", "a function's name or ARN"),
    ("--function", "../hello", "a function's name or ARN"),
    ("--function", "hello:live", "that is what --alias is for"),
    ("--function", "arn:aws:lambda:eu-central-1:123456789012:function:hello:7", "that is what --alias is for"),
    ("--function", "arn:aws:lambda:eu-central-1:12345:function:hello", "a function's name or ARN"),
    ("--function", "arn:aws:lambda:nowhere:123456789012:function:hello", "a function's name or ARN"),
    ("--function", "arn:aws:s3:::hello", "a function's name or ARN"),
    ("--function", "arn:aws:lambda", "a function's name or ARN"),
    ("--alias", "", "the name of an alias"),
    ("--alias", "12", "the name of an alias"),
    ("--alias", "$LATEST", "the name of an alias"),
    ("--alias", "hello:live", "the name of an alias"),
    ("--alias", "li\u{202e}ve", "the name of an alias"),
    ("--stack-name", "1hello", "a stack's name or ARN"),
    ("--stack-name", "he llo", "a stack's name or ARN"),
    ("--stack-name", "arn:aws:s3:::hello", "a stack's name or ARN"),
    ("--journal-bucket", "s3://bucket", "the name of a bucket"),
    ("--journal-bucket", "UPPER", "the name of a bucket"),
    ("--alarm", "", "the name of an alarm"),
    ("--alarm", "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:x", "what stands behind `:alarm:`"),
    ("--ignore-alarm", "a\u{7}b", "the name of an alarm"),
    ("--limit", "errors", "a limit"),
    ("--limit", "errors=0%", "above 0 %"),
    ("--limit", "errors=100%", "below 100 %"),
    ("--limit", "speed=1%", "a limit"),
    ("--limit", "slower:=1%", "a limit"),
    ("--limit", "slower:0ms=1%", "a limit"),
    ("--limit", "slower:16m=1%", "a limit"),
    ("--bake", "5", "a duration"),
    ("--bake", "-5m", "a duration"),
    ("--bake", "25h", "a duration"),
    ("--max-hold", "1m1h", "a duration"),
    ("--min-requests", "-1", "a whole number"),
    ("--min-requests", "1e3", "a whole number"),
    ("--min-requests", "99999999999999999999", "a whole number"),
    ("--timeout", "0s", "a time in which anything can be done"),
    ("--timeout", "forever", "a duration"),
    ("--timeout", "-1m", "a duration"),
    ("--journal-bucket", "192.168.1.1", "the name of a bucket"),
    ("--pre-traffic", "arn:aws:s3:::check", "a function, cmd:COMMAND or events:FOLDER"),
    ("--pre-traffic", "cmd:/no/such/check", "a program on this machine"),
    ("--post-traffic", "cmd:no-such-check --all", "a program on this machine"),
    ("--post-traffic", "events:", "a folder of events"),
    ("--notify", "/no/such/program '#deploys'", "a program on this machine"),
    ("--report", "no/such/folder/page.html", "is in a folder that is not there"),
    ("--report", ".", "is a folder"),
    ("--report", "/dev/null", "is not a file"),
    ("--report", "/proc/page.html", "cannot be written"),
];

fn rollout(project: &Project, args: &[&str]) -> crate::support::samara::Samara {
    project
        .samara(["rollout"].iter().chain(args))
        .env("AWS_ENDPOINT_URL", NOWHERE)
        .env("AWS_ACCESS_KEY_ID", "000000000000")
        .env("AWS_SECRET_ACCESS_KEY", "sandbox")
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_looked_at_with_an_example() {
    let project = Project::new();
    for (option, text, expected) in BAD {
        let given = format!("{option}={text}");
        let mut args = vec!["start", given.as_str()];
        for (other, value) in [("--function", "hello"), ("--alias", "live")] {
            if other != *option {
                args.extend([other, value]);
            }
        }
        let outcome = rollout(&project, &args).run();
        assert_eq!(outcome.status, Some(2), "{given}: {}", outcome.stderr);
        let said = outcome.stderr.replace('\n', " ");
        assert!(said.contains(expected), "{given}: {expected:?} is not in {said}");
        assert!(said.contains("for example "), "{given}: no example in {said}");
        assert!(!said.contains(['\u{202e}', '\u{7}']), "{given}");
    }
}

/// A minus that begins a value does not make an option of it.
#[test]
fn a_negative_value_is_told_as_what_it_is_also_without_an_equals_sign() {
    let project = Project::new();
    for (option, text, _) in BAD.iter().filter(|(option, text, _)| text.starts_with('-') && *option != "--alias") {
        let outcome = rollout(&project, &["start", "--function", "hello", "--alias", "live", option, text]).run();
        let outcome = outcome.expect(2).says("for example ");
        assert!(!outcome.stderr.contains("unexpected argument"), "{option} {text}: {}", outcome.stderr);
    }
    let history = rollout(&project, &["history", "--function", "hello", "--alias", "live", "--limit", "-1"]).run();
    history.expect(2).says("for example ");
}

/// What the configuration says is refused like what is typed, with its place.
#[test]
fn the_configuration_is_held_to_the_same_rules() {
    let keys = ["strategy", "function", "alias", "stack_name", "journal_bucket", "alarm", "limit", "bake", "timeout"];
    let project = Project::new();
    for (option, text, _) in BAD {
        let key = option.trim_start_matches('-').replace('-', "_");
        // Nothing, in a file, is not given.
        if !keys.contains(&key.as_str()) || text.is_empty() || text.contains(|c: char| c.is_control()) {
            continue;
        }
        project.write("samconfig.toml", format!("version = 0.1\n[default.rollout.parameters]\n{key} = '{text}'\n"));
        let outcome = rollout(&project, &["start"]).run();
        assert_eq!(outcome.status, Some(1), "{key} = {text}: {}", outcome.stderr);
        outcome.says("samconfig.toml:3:").says("for example ");
    }
}

#[test]
fn an_arn_of_another_region_is_not_taken_for_the_function_here() {
    let project = Project::new();
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:hello";
    let outcome = rollout(&project, &["rollback", "--function", arn, "--alias", "live", "--to-version", "1"]).run();
    outcome.expect(2).says("function hello is in us-east-1 by its ARN").says("add --region us-east-1");
}

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::rollout::{QUIET, World, ended, whole};

fn piped(command: crate::support::samara::Samara) -> Child {
    let mut command = command.into_command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_pause_stops_a_living_driver_and_any_process_carries_on() {
    let world = World::new("60");
    let driver = world.start_until("steps:10%:30m,50%:30m", 0.1);
    let number = driver.id();
    let paused = world.run(&["pause"]).expect(0).prints("is held at version 1 with 10% to version 2: paused");
    let (status, said) = ended(driver);
    assert_eq!(status, Some(6), "{said}");
    let by = said.lines().find(|line| line.contains("paused by ")).unwrap_or_else(|| panic!("by whom? {said}"));
    assert!(by.contains("(process ") && !by.contains(&format!("(process {number})")), "{by}");
    let pasted = "samara rollout promote --function hello --alias live --journal-bucket rollout-journals";
    assert!(said.contains(pasted), "what is pasted finds the same journal: {said}");
    assert_eq!(world.alias().1.get("2"), Some(&0.1), "{}", paused.stdout);
    // Paused it stays, whoever looks.
    world.run(&["pause"]).expect(0).prints("is held at");
    world.run(&["status"]).expect(6).prints("ATTENTION: hello:live serves two versions").prints("paused");
    world.run(&["watch"]).expect(6).prints("is held at");
    let full = world.run(&["promote", "--full"]).expect(0);
    full.says("the alias says version 2");
    assert_eq!(world.alias(), whole("2"));
    world.run(&["pause"]).expect(1).says("has no rollout under way");
}

#[test]
fn a_watch_follows_what_is_driven_elsewhere_and_ends_as_it_does() {
    let world = World::new("60");
    let driver = world.start_until("canary:10%:2m", 0.1);
    let waiting = piped(world.rollout(&["status", "--timeout", "2h", "--output", "json"]));
    let watched = world.run(&["watch"]).expect(0);
    assert_eq!(ended(driver).0, Some(0));
    for told in ["the alias says version 1 with 10% to version 2", "driven by ", "serves version 2 to everybody"] {
        assert!(watched.stdout.contains(told), "{told:?} is not in\n{}", watched.stdout);
    }
    let lines: Vec<&str> = watched.stdout.lines().collect();
    assert_eq!(lines.iter().filter(|line| line.contains("the alias says version 2")).count(), 1, "each change once");
    let (status, said) = ended(waiting);
    assert_eq!(status, Some(0), "{said}");
    // A rollout that is over is told of as well, with its status.
    world.run(&["watch"]).expect(0).prints("serves version 2 to everybody");

    world.set_alias("1", &[]);
    let driver = world.start_until("canary:10%:30m", 0.1);
    let watch = piped(world.rollout(&["watch", "--output", "json"]));
    world.run(&["abort"]).expect(4);
    assert_eq!(ended(driver).0, Some(5));
    let (status, said) = ended(watch);
    assert_eq!(status, Some(4), "{said}");
    assert!(said.lines().filter(|line| line.starts_with('{')).all(|line| line.contains("\"schema\":1")), "{said}");
    world.run(&["status", "--timeout", "1m"]).expect(4).prints("rolled back: aborted");
}

#[test]
fn race_34_an_interrupted_view_leaves_the_rollout_alone() {
    let world = World::new("60");
    let driver = world.start_until("canary:10%:10m", 0.1);
    let watch = piped(world.rollout(&["watch"]));
    std::thread::sleep(Duration::from_millis(800));
    let process = rustix::process::Pid::from_raw(i32::try_from(watch.id()).unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let (status, said) = ended(watch);
    assert_eq!(status, Some(130), "{said}");
    assert!(said.contains("the rollout goes on without it"), "{said}");
    assert_eq!(world.alias().1.get("2"), Some(&0.1));
    world.run(&["abort"]).expect(4);
    assert_eq!(ended(driver).0, Some(5));
}

#[test]
fn race_35_a_split_alias_that_nobody_drives_is_shouted() {
    let world = World::new("60");
    let mut driver = world.start_until("canary:10%:30m", 0.1);
    driver.kill().unwrap();
    driver.wait().unwrap();
    let status = world.run(&["status"]).expect(6);
    assert!(status.stdout.starts_with("ATTENTION: hello:live serves two versions"), "{}", status.stdout);
    world.run(&["status", "--timeout", "20s"]).expect(6);
    world.run(&["abort"]).expect(4);
    // By hand, without any rollout: the same.
    world.set_alias("1", &[("3", 0.25)]);
    world.run(&["status"]).expect(6).prints("ATTENTION").prints("samara rollout rollback");
}

#[test]
fn what_was_rolled_back_is_in_the_history_and_is_tried_again_with_a_yes_of_its_own() {
    let world = World::new("60");
    world.run(&["retry", "--yes"]).expect(2).says("nothing was rolled back at hello:live");
    world.run(&["history"]).expect(0).prints("hello:live has no finished rollout");
    let driver = world.start_until("canary:10%:1m", 0.1);
    world.run(&["abort"]).expect(4);
    assert_eq!(ended(driver).0, Some(5));
    let history = world.run(&["history", "--output", "json"]).expect(0).json();
    assert_eq!(history["rollouts"][0]["outcome"], "rolled_back");
    assert_eq!(history["rollouts"][0]["new_version"], "2");
    world.run(&["history", "--limit", "1"]).expect(0).prints("version 1 to 2 by canary:10%:1m").prints("aborted");
    world.run(&["history", "--limit", "0"]).expect(2).says("for example 20");
    let refused = world.run(&["retry"]).expect(2).says("version 2 of hello:live was rolled back ");
    let refused = refused.says("aborted").says("add --yes");
    assert_eq!(world.alias(), whole("1"), "{}", refused.stderr);
    let retried = world.run(&["retry", "--yes", "--report", "page.html"]).expect(0);
    retried.says("by canary:10%:1m").prints("serves version 2 to everybody");
    assert!(world.project.read("page.html").contains("Succeeded"), "a retry is told of like a start");
    assert_eq!(world.alias(), whole("2"));
    let history = world.run(&["history", "--output", "json"]).expect(0).json();
    let outcomes: Vec<&str> =
        history["rollouts"].as_array().unwrap().iter().filter_map(|one| one["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["succeeded", "rolled_back"]);
}

#[test]
fn race_04_a_rollback_needs_nothing_but_lambda_and_prints_the_command_that_does_it_by_hand() {
    let world = World::new("60");
    let down = |args: &[&str]| {
        let mut command = world.rollout(args);
        for service in ["S3", "CLOUDWATCH", "CLOUDFORMATION", "STS"] {
            command = command.env(&format!("AWS_ENDPOINT_URL_{service}"), NOWHERE);
        }
        command
    };
    world.set_alias("2", &[]);
    let began = Instant::now();
    let outcome = down(&["rollback", "--to-version", "1"]).run().expect(0).prints("hello:live is on version 1");
    outcome.says("going on without the journal");
    assert_eq!(world.alias(), whole("1"));
    // With weights the main version is the one that served before.
    world.set_alias("1", &[("2", 0.25)]);
    down(&["rollback"]).run().expect(0).prints("hello:live is on version 1");
    assert_eq!(world.alias(), whole("1"));
    assert!(began.elapsed() < Duration::from_secs(60), "S3 is not waited for");
    // With neither, and nothing that remembers: the candidates, with the command to paste.
    world.set_alias("2", &[]);
    let refused = down(&["rollback"]).run().expect(2);
    let refused = refused
        .says("CodeSha256")
        .says("samara rollout rollback --function hello --alias live --journal-bucket rollout-journals --to-version 3");
    assert_eq!(world.alias(), whole("2"), "{}", refused.stderr);
    // What needs the journal names what does not, and says nothing of what it could not see.
    down(&["abort"]).run().expect(1).says("samara rollout rollback --function hello --alias live");
    let status = down(&["status"]).run().expect(1).prints("hello:live says version 2");
    assert!(!status.stdout.contains("no rollout is under way"), "{}", status.stdout);
    // Lambda itself: the command for a person.
    let denied = world.rollout(&["rollback", "--to-version", "9"]).run().expect(1);
    denied.says("aws lambda update-alias --function-name hello --name live --function-version 9");
}

#[test]
fn race_08_a_rollback_never_overwrites_what_somebody_else_made_of_the_alias() {
    let world = World::new("60");
    let driver = world.start_until("canary:10%:30m", 0.1);
    world.set_alias("1", &[("3", 0.5)]);
    assert_eq!(ended(driver).0, Some(5));
    world.run(&["abort"]).expect(5);
    assert_eq!(world.alias().1.get("3"), Some(&0.5));
}

#[test]
fn race_16_an_alarm_that_fires_already_refuses_a_start_unless_it_is_ignored_by_name() {
    let world = World::new("60");
    let put = world
        .cloudwatch
        .put_metric_alarm()
        .alarm_name("broken")
        .namespace("Test")
        .metric_name("Trouble")
        .statistic(aws_sdk_cloudwatch::types::Statistic::Maximum)
        .period(60)
        .evaluation_periods(1)
        .threshold(1.0)
        .comparison_operator(aws_sdk_cloudwatch::types::ComparisonOperator::LessThanThreshold)
        .treat_missing_data("breaching");
    world.runtime.block_on(put.send()).unwrap();
    let began = Instant::now();
    let mut args = vec!["plan", "--to-version", "2", "--alarm", "broken"];
    while world.run(&args).status != Some(1) {
        assert!(began.elapsed() < Duration::from_secs(180), "the alarm never fires");
        std::thread::sleep(Duration::from_millis(100));
    }
    let refused = world.run(&args).expect(1).says("alarm broken is in ALARM already");
    assert!(refused.stderr.contains("--ignore-alarm broken"), "{}", refused.stderr);
    args[3] = "--ignore-alarm";
    world.run(&args).expect(0).prints("alarm broken (ignored until it has been OK)");
}

#[test]
fn race_15_an_alarm_without_data_is_shown_and_refuses_nothing() {
    let world = World::new("60");
    let put = world
        .cloudwatch
        .put_metric_alarm()
        .alarm_name("young")
        .namespace("Test")
        .metric_name("Nothing")
        .statistic(aws_sdk_cloudwatch::types::Statistic::Maximum)
        .period(60)
        .evaluation_periods(1)
        .threshold(1.0)
        .comparison_operator(aws_sdk_cloudwatch::types::ComparisonOperator::GreaterThanThreshold);
    world.runtime.block_on(put.send()).unwrap();
    let plan = world.run(&["plan", "--to-version", "2", "--alarm", "young"]).expect(0);
    plan.says("alarm young has insufficient data");
    // One that is not there at all is not OK (17).
    world.run(&["plan", "--to-version", "2", "--alarm", "nobody"]).expect(1).says("there is no alarm nobody");
}

#[test]
fn race_09_a_version_that_is_not_there_is_found_before_anything_moves() {
    let world = World::new("60");
    let delete = world.lambda.delete_function().function_name("hello").qualifier("2");
    world.runtime.block_on(delete.send()).unwrap();
    world.run(&["start", "--to-version", "2"]).expect(1).says("version 2 of hello does not exist");
    let plan = world.run(&["plan", "--to-version", "3"]).expect(0);
    plan.says("1 of the versions 1 to 3 of hello were deleted");
    assert_eq!(world.alias(), whole("1"));
}

#[test]
fn a_timeout_that_the_plan_cannot_meet_is_refused() {
    let world = World::new("60");
    let mut args = vec!["start", "--to-version", "2", "--strategy", "canary:10%:10m", "--timeout", "5m"];
    args.extend(QUIET);
    world.run(&args).expect(2).says("would be taken back after 5m").says("for example --timeout");
    assert_eq!(world.alias(), whole("1"));
}

/// What a key's value looks like is the same here and there; what varies by its nature is left alone.
fn compare(documented: &serde_json::Value, real: &serde_json::Value, path: &str, differs: &mut Vec<String>) {
    use serde_json::Value;
    match (documented, real) {
        (Value::Null, _) | (_, Value::Null) => {}
        (Value::Object(documented), Value::Object(real)) => {
            let tagged = ["phase", "content", "alias_content", "expected", "entry", "weights"];
            let is_open = tagged.iter().any(|name| path.ends_with(&format!(".{name}"))) || path.ends_with(".entries[]");
            for key in documented.keys().chain(real.keys()) {
                match (documented.get(key), real.get(key)) {
                    (Some(one), Some(other)) => compare(one, other, &format!("{path}.{key}"), differs),
                    _ if is_open => {}
                    _ => differs.push(format!("{path}.{key}")),
                }
            }
        }
        (Value::Array(documented), Value::Array(real)) => {
            if let (Some(one), Some(other)) = (documented.first(), real.first()) {
                compare(one, other, &format!("{path}[]"), differs);
            }
        }
        (one, other) if std::mem::discriminant(one) == std::mem::discriminant(other) => {}
        _ => differs.push(path.to_owned()),
    }
}

#[test]
fn the_documented_json_is_what_the_commands_print() {
    let world = World::new("60");
    let lines = |outcome: &str| -> Vec<serde_json::Value> {
        outcome.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let mut real: Vec<serde_json::Value> = Vec::new();
    let mut print = |args: &[&str]| {
        let all: Vec<&str> = args.iter().copied().chain(["--output", "json"]).collect();
        let outcome = world.run(&all);
        let printed = lines(&outcome.stdout);
        assert!(!printed.is_empty(), "{args:?}: {}", outcome.stderr);
        real.extend(printed);
    };
    print(&["plan", "--to-version", "2"]);
    print(&["pause"]);
    print(&["resume"]);
    let driver = world.start_until("canary:10%:1m", 0.1);
    print(&["status"]);
    print(&["watch"]);
    assert_eq!(ended(driver).0, Some(0));
    print(&["history"]);
    print(&["rollback"]);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (text, _) = document.split_once("## `").unwrap_or((&document, ""));
    let mut fresh = format!("{}\n", text.trim_end());
    let mut differs = Vec::new();
    for kind in ["plan", "status", "history", "rollout", "watch", "verdict", "rollback", "nothing", "error"] {
        let found = real.iter().find(|one| one["type"] == kind).unwrap_or_else(|| panic!("no {kind} was printed"));
        assert_eq!(found["schema"], 1, "{found}");
        let pretty = serde_json::to_string_pretty(found).unwrap();
        fresh.push_str(&format!("\n## `{kind}`\n```json\n{pretty}\n```\n"));
        let documented = document.split_once(&format!("## `{kind}`\n```json\n"));
        let documented = documented.and_then(|(_, rest)| rest.split_once("\n```")).map(|(json, _)| json);
        match documented.and_then(|json| serde_json::from_str(json).ok()) {
            Some(documented) => compare(&documented, found, kind, &mut differs),
            None => differs.push(kind.to_owned()),
        }
    }
    assert!(real.iter().all(|one| one["schema"] == 1));
    if std::env::var_os("SAMARA_UPDATE").is_some() {
        std::fs::write(path, fresh).unwrap();
        return;
    }
    assert!(differs.is_empty(), "docs/json.md differs in {differs:?}; SAMARA_UPDATE=1 writes its examples anew");
}

#[test]
fn to_resume_what_is_not_under_way_is_no_failure() {
    let world = World::new("60");
    let outcome = world.run(&["resume"]);
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("has no rollout under way"), "{}", outcome.stderr);
}

/// A timer that calls `resume` with a slip in a name would never carry anything on, and never say so.
#[test]
fn a_mistyped_name_is_not_taken_for_a_rollout_that_is_over() {
    let world = World::new("60");
    let elsewhere = |command: &str, names: [&str; 4]| {
        let args = ["rollout", command].into_iter().chain(names).chain(["--journal-bucket", "rollout-journals"]);
        let run = world.project.samara(args).env("AWS_ENDPOINT_URL", &world.endpoint);
        run.env("AWS_ACCESS_KEY_ID", "000000000000").env("AWS_SECRET_ACCESS_KEY", "sandbox").run()
    };
    for command in ["resume", "pause", "promote", "abort", "watch", "history", "start", "plan", "rollback"] {
        let said = elsewhere(command, ["--function", "hello", "--alias", "life"]).expect(1);
        said.says("there is no alias life of function hello");
        let said = elsewhere(command, ["--function", "hullo", "--alias", "live"]).expect(1);
        said.says("there is no alias live of function hullo").says("list-aliases --function-name hullo");
    }
    for command in ["resume", "pause", "promote", "abort", "watch", "history", "start", "retry"] {
        let args = ["rollout", command, "--function", "hello", "--alias", "live", "--journal-bucket", "no-such-bucket"];
        let run = world.project.samara(args).env("AWS_ENDPOINT_URL", &world.endpoint);
        let run = run.env("AWS_ACCESS_KEY_ID", "000000000000").env("AWS_SECRET_ACCESS_KEY", "sandbox").run();
        run.expect(1).says("NoSuchBucket").says("--journal-bucket");
    }
    assert_eq!(world.alias(), whole("1"));
}

/// What the flags can say the configuration can, and what it says is not called unknown.
#[test]
fn every_option_of_a_rollout_may_stand_in_the_configuration() {
    let world = World::new("60");
    world.project.write(
        "samconfig.toml",
        "version = 0.1\n[default.rollout.parameters]\nmetric = 'Shop/Failures?version={version}'\nreport = 'page.html'\n\
         notify = 'true'\npre_traffic = 'cmd:true'\npost_traffic = ['cmd:true', 'hello:3']\nwarm_up = 3\n\
         observe_only = true\nprobe_permission = true\non_interrupt = 'hold'\ntimeout = '2h'\nlimit = 'errors=1%'\n",
    );
    let plan = world.run(&["plan", "--to-version", "2"]).expect(0);
    let plan = plan.prints("Shop/Failures?version={version}").prints("before it: command true has to succeed");
    assert!(!plan.stderr.contains("has no option"), "{}", plan.stderr);
    world
        .project
        .write("samconfig.toml", "version = 0.1\n[default.rollout.parameters]\nreport = 'no/such/page.html'\n");
    world.run(&["plan", "--to-version", "2"]).expect(2).says("is in a folder that is not there");
}

/// At the end of a rollout it would be taken back for that, hours after the slip.
#[test]
fn a_check_whose_function_is_not_there_is_refused_before_anything_is_touched() {
    let world = World::new("60");
    for check in ["nobody", "event:checks", "arn:aws:lambda:eu-central-1:000000000000:function:nobody", "hello:life"] {
        for when in ["--pre-traffic", "--post-traffic"] {
            let refused = world.run(&["start", "--to-version", "2", when, check]).expect(1);
            let refused = refused.says(&format!("there is no function {check} to check the new version"));
            assert!(!refused.stderr.contains("begins"), "{}", refused.stderr);
        }
    }
    world.run(&["history"]).expect(0).prints("has no finished rollout");
    assert_eq!(world.alias(), whole("1"));
    // A version or an alias of a function is a function too.
    world.run(&["plan", "--to-version", "2", "--pre-traffic", "hello:3", "--post-traffic", "hello:live"]).expect(0);
}

/// The way back is not for want of a page or a listener on this machine.
#[test]
fn an_abort_goes_back_also_where_nobody_can_be_told() {
    let world = World::new("60");
    world.project.write(
        "samconfig.toml",
        "version = 0.1\n[default.rollout.parameters]\nreport = 'build/page.html'\nnotify = 'no-such-program'\n",
    );
    let driver = world.start_until_with("canary:10%:30m", 0.1, &["--report", "page.html", "--notify", "true"]);
    let outcome = world.run(&["abort"]).expect(4);
    outcome.says("going on without the page").says("going on without telling");
    assert_eq!(ended(driver).0, Some(5));
    assert_eq!(world.alias(), whole("1"));
}
