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
