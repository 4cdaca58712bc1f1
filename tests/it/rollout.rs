//! `samara rollout` with real processes against the sandbox: killed, raced and interfered with. The
//! alias is looked at through the SDK, not through samara.

use std::collections::HashMap;
use std::io::Write;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{AliasRoutingConfiguration, FunctionCode, Runtime};

use crate::support::{Outcome, Project};

const BUCKET: &str = "rollout-journals";
const TARGET: [&str; 6] = ["--function", "hello", "--alias", "live", "--journal-bucket", BUCKET];

/// A sandbox of its own with a function `hello`, versions 1 to 3, and its alias `live` on 1.
pub(crate) struct World {
    pub(crate) project: Project,
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(crate) endpoint: String,
}

pub(crate) fn zip(text: &str) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    writer.start_file("bootstrap", options).unwrap();
    writer.write_all(format!("#!/bin/sh\n# {text}\nexit 1\n").as_bytes()).unwrap();
    writer.finish().unwrap().into_inner()
}

impl World {
    pub(crate) fn new(speed: &str) -> Self {
        let project = Project::new();
        let started = project.samara(["sandbox", "start", "--speed", speed, "--output", "json"]).run().expect(0);
        let endpoint = started.json()["endpoint_url"].as_str().expect("an endpoint").to_owned();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let credentials = aws_credential_types::Credentials::new("000000000000", "sandbox", None, None, "test");
        let config = runtime.block_on(
            aws_config::defaults(aws_config::BehaviorVersion::latest())
                .endpoint_url(&endpoint)
                .region(aws_config::Region::new("eu-central-1"))
                .credentials_provider(credentials)
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .load(),
        );
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        let world = Self {
            project,
            runtime,
            lambda: aws_sdk_lambda::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            endpoint,
        };
        world.runtime.block_on(world.set_up());
        world
    }

    async fn set_up(&self) {
        let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
            .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::EuCentral1)
            .build();
        self.s3.create_bucket().bucket(BUCKET).create_bucket_configuration(place).send().await.unwrap();
        let code = FunctionCode::builder().zip_file(Blob::new(zip("1"))).build();
        self.lambda
            .create_function()
            .function_name("hello")
            .role("arn:aws:iam::000000000000:role/hello")
            .runtime(Runtime::Providedal2023)
            .handler("bootstrap")
            .code(code)
            .publish(true)
            .send()
            .await
            .unwrap();
        for version in ["2", "3"] {
            self.wait_updated().await;
            let update = self.lambda.update_function_code().function_name("hello").publish(true);
            update.zip_file(Blob::new(zip(version))).send().await.unwrap();
        }
        self.wait_updated().await;
        self.lambda.create_alias().function_name("hello").name("live").function_version("1").send().await.unwrap();
    }

    async fn wait_updated(&self) {
        for _ in 0..400 {
            let found = self.lambda.get_function_configuration().function_name("hello").send().await.unwrap();
            let active = found.state.is_none_or(|state| state.as_str() == "Active");
            if active && found.last_update_status.is_none_or(|status| status.as_str() == "Successful") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the function is never ready");
    }

    /// Version, and the weight of the other one, as the SDK reads them.
    pub(crate) fn alias(&self) -> (String, HashMap<String, f64>) {
        let alias = self.lambda.get_alias().function_name("hello").name("live").send();
        let alias = self.runtime.block_on(alias).unwrap();
        let weights = alias.routing_config.and_then(|routing| routing.additional_version_weights).unwrap_or_default();
        (alias.function_version.unwrap(), weights)
    }

    pub(crate) fn set_alias(&self, version: &str, weights: &[(&str, f64)]) {
        let weights = weights.iter().map(|(version, weight)| ((*version).to_owned(), *weight)).collect();
        let routing = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build();
        let update = self.lambda.update_alias().function_name("hello").name("live").function_version(version);
        self.runtime.block_on(update.routing_config(routing).send()).unwrap();
    }

    pub(crate) fn rollout(&self, args: &[&str]) -> crate::support::samara::Samara {
        let all = ["rollout", args[0]].into_iter().chain(TARGET).chain(args[1..].iter().copied());
        self.project
            .samara(all)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", "000000000000")
            .env("AWS_SECRET_ACCESS_KEY", "sandbox")
    }

    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        self.rollout(args).run()
    }

    /// Starts a rollout in a process of its own, and gives it when the alias has this weight.
    pub(crate) fn start_until(&self, strategy: &str, weight: f64) -> Child {
        self.start_until_with(strategy, weight, &[])
    }

    /// The same, with more arguments.
    pub(crate) fn start_until_with(&self, strategy: &str, weight: f64, more: &[&str]) -> Child {
        let mut child = self.spawn_with(strategy, more);
        let began = Instant::now();
        while self.alias().1.get("2") != Some(&weight) {
            if let Some(status) = child.try_wait().unwrap() {
                let mut text = String::new();
                std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut text).unwrap();
                panic!("it ended with {status} before the weight was {weight}:\n{text}");
            }
            assert!(began.elapsed() < Duration::from_secs(180), "the weight {weight} never came");
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    }

    pub(crate) fn spawn(&self, strategy: &str) -> Child {
        self.spawn_with(strategy, &[])
    }

    fn spawn_with(&self, strategy: &str, more: &[&str]) -> Child {
        let mut args = vec!["start", "--to-version", "2", "--strategy", strategy];
        args.extend(QUIET);
        args.extend(more);
        let mut command = self.rollout(&args).into_command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// Nobody calls this function, so there is nothing to judge it by.
pub(crate) const QUIET: [&str; 4] = ["--min-requests", "0", "--bake", "30s"];

pub(crate) fn whole(version: &str) -> (String, HashMap<String, f64>) {
    (version.to_owned(), HashMap::new())
}

pub(crate) fn ended(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
    )
}

#[test]
fn a_rollout_goes_to_100_percent_and_back_again() {
    let world = World::new("60");
    let plan = world.run(&["plan", "--to-version", "2"]).expect(0);
    plan.prints("hello:live goes from version 1 to version 2 by Canary10Percent5Minutes").prints("10%");
    assert_eq!(world.alias(), whole("1"), "a plan changes nothing");
    let mut args = vec!["start", "--to-version", "2", "--strategy", "canary:10%:1m", "--output", "json"];
    args.extend(QUIET);
    let outcome = world.run(&args).expect(0);
    assert_eq!(outcome.json()["outcome"], "succeeded");
    assert_eq!(world.alias(), whole("2"));
    let status = world.run(&["status", "--output", "json"]).expect(0).json();
    assert_eq!((&status["rollout"], &status["history"][0]["new_version"]), (&serde_json::Value::Null, &"2".into()));
    // With nothing under way it goes back to what served before.
    world.run(&["rollback"]).expect(0).prints("is on version 1 (it was on version 2)");
    assert_eq!(world.alias(), whole("1"));
    world
        .run(&["status"])
        .expect(0)
        .prints("version 2 was taken back to 1 by hand")
        .prints("by canary:10%:1m, in ")
        .prints(": succeeded");
    // What served before version 1 is not known.
    world.run(&["rollback"]).expect(2).says("--to-version 3");
    world.run(&["rollback", "--to-version", "3"]).expect(0);
    assert_eq!(world.alias(), whole("3"));
}

#[test]
fn killed_at_any_weight_it_can_be_resumed_and_aborted() {
    let world = World::new("60");
    for (weight, purpose, status, left) in
        [(0.1, "resume", 0, "2"), (0.1, "abort", 4, "1"), (0.5, "resume", 0, "2"), (0.5, "abort", 4, "1")]
    {
        world.set_alias("1", &[]);
        let mut child = world.start_until("steps:10%:1m,50%:1m", weight);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None);
        world.run(&["status"]).expect(6).prints("nobody drives it");
        let mut again = vec!["start", "--to-version", "3"];
        again.extend(QUIET);
        world.run(&again).expect(5).says("samara rollout resume");
        let outcome = world.run(&[purpose]).expect(status);
        assert_eq!(world.alias(), whole(left), "{weight} {purpose}:\n{}", outcome.stderr);
        world.run(&["status"]).expect(0).prints("no rollout is under way");
        let nothing = if purpose == "resume" { 0 } else { 1 };
        world.run(&[purpose]).expect(nothing).says("has no rollout under way");
    }
}

#[test]
fn of_two_rollouts_one_wins_and_the_other_names_it() {
    let world = World::new("60");
    let mut both = [world.spawn("canary:10%:2m"), world.spawn("canary:10%:2m")];
    let numbers = both.each_ref().map(Child::id);
    let [first, second] = both.each_mut().map(|child| {
        let output = child.stderr.take().unwrap();
        (child.wait().unwrap().code(), std::io::read_to_string(output).unwrap())
    });
    let (winner, loser, winner_process) =
        if first.0 == Some(0) { (first, second, numbers[0]) } else { (second, first, numbers[1]) };
    assert_eq!((winner.0, loser.0), (Some(0), Some(5)), "{}\n---\n{}", winner.1, loser.1);
    assert!(loser.1.contains(&format!("process {winner_process}")), "the holder is not named: {}", loser.1);
    assert_eq!(world.alias(), whole("2"));
}

#[test]
fn an_alias_changed_by_another_hand_is_left_alone() {
    let world = World::new("60");
    let child = world.start_until("canary:10%:30m", 0.1);
    world.set_alias("1", &[("3", 0.25)]);
    let (status, said) = ended(child);
    assert_eq!(status, Some(5), "{said}");
    assert!(said.contains("somebody else changed the alias: it says version 1 with 25% to version 3"), "{said}");
    assert_eq!(world.alias(), ("1".to_owned(), HashMap::from([("3".to_owned(), 0.25)])));
    world.run(&["status"]).expect(5).prints("somebody else");
    world.run(&["resume"]).expect(5);
    assert_eq!(world.alias().1.get("3"), Some(&0.25));
    // Going back does not overwrite it either: the new version has nothing any more.
    world.run(&["abort"]).expect(5);
    assert_eq!(world.alias().1.get("3"), Some(&0.25));
}

#[test]
fn what_another_hand_made_of_the_alias_is_accepted_or_overwritten_when_a_person_says_so() {
    let world = World::new("60");
    let interfere = |version: &str, weights: &[(&str, f64)]| {
        world.set_alias("1", &[]);
        let child = world.start_until("steps:10%:5m,50%:1m", 0.1);
        world.set_alias(version, weights);
        let (status, said) = ended(child);
        assert_eq!(status, Some(5), "{said}");
        assert!(said.contains("samara rollout abort --force --function hello --alias live"), "{said}");
        said
    };
    // Another share of the same two versions: it goes on from there.
    let said = interfere("1", &[("2", 0.25)]);
    assert!(said.contains("samara rollout resume --adopt --function hello --alias live"), "{said}");
    world.run(&["status"]).expect(5).prints("samara rollout resume --adopt").prints("samara rollout abort --force");
    world.run(&["resume"]).expect(5);
    assert_eq!(world.alias().1.get("2"), Some(&0.25));
    let resumed = world.run(&["resume", "--adopt"]).expect(0);
    let resumed = resumed.says("going on from what somebody else set: version 1 with 25% to version 2");
    assert!(!resumed.stderr.contains("the alias says version 1 with 10%"), "{}", resumed.stderr);
    resumed.says("the alias says version 1 with 50% to version 2").says("the alias says version 2");
    assert_eq!(world.alias(), whole("2"));

    // All of it: what is left is the bake.
    interfere("2", &[]);
    world.run(&["resume", "--adopt"]).expect(0).says("watching it at 100 %");
    assert_eq!(world.alias(), whole("2"));

    // A third version is nothing that it could go on from; going back over it has to be told.
    let said = interfere("1", &[("3", 0.25)]);
    assert!(!said.contains("--adopt"), "{said}");
    let refused = world.run(&["resume", "--adopt"]).expect(5).prints("It cannot be gone on from there");
    assert!(!refused.stdout.contains("--adopt"), "{}", refused.stdout);
    assert_eq!(world.alias().1.get("3"), Some(&0.25));
    let forced = world.run(&["abort", "--force"]).expect(4).prints("is back on version 1: aborted");
    forced.says("overwriting what somebody else set: the alias says version 1 with 25% to version 3");
    assert_eq!(world.alias(), whole("1"));

    // Where the new version has nothing any more an abort is over, and leaves the alias as it is.
    interfere("1", &[("3", 0.25)]);
    world.run(&["abort"]).expect(5).prints(
        "samara rollout rollback --function hello --alias live --journal-bucket rollout-journals --to-version 1",
    );
    assert_eq!(world.alias().1.get("3"), Some(&0.25));
    world.run(&["abort", "--force"]).expect(1).says("has no rollout under way");
    world.run(&["rollback", "--to-version", "1"]).expect(0);
    // Where it still has a share, it is not.
    interfere("1", &[("2", 0.25)]);
    world.run(&["abort"]).expect(5).prints("samara rollout abort --force");
    assert_eq!(world.alias().1.get("2"), Some(&0.25));
    world.run(&["abort", "--force"]).expect(4).says("the alias says version 1 with 25% to version 2");
    assert_eq!(world.alias(), whole("1"));

    // Taken back by hand: that is the end of it, whatever it is called.
    let said = interfere("1", &[]);
    assert!(said.contains("Let it end there: samara rollout resume --function hello"), "{said}");
    world.run(&["resume", "--adopt"]).expect(4);
    assert_eq!(world.alias(), whole("1"));
}

#[test]
fn an_edited_description_is_no_change() {
    let world = World::new("60");
    let child = world.start_until("canary:10%:3m", 0.1);
    let edit = world.lambda.update_alias().function_name("hello").name("live").description("edited");
    world.runtime.block_on(edit.send()).unwrap();
    let (status, said) = ended(child);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(world.alias(), whole("2"));
}

#[test]
fn an_abort_takes_a_living_driver_its_rollout() {
    let world = World::new("60");
    let child = world.start_until("canary:10%:30m", 0.1);
    world.run(&["abort"]).expect(4).prints("is back on version 1: aborted");
    let (status, said) = ended(child);
    assert_eq!(status, Some(5), "{said}");
    assert_eq!(world.alias(), whole("1"));
}

#[test]
fn race_34_interrupted_it_does_what_it_was_told_and_interrupted_twice_it_ends_at_once() {
    let world = World::new("60");
    let terminate = |child: &Child| {
        let process = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    };
    let child = world.start_until("canary:10%:30m", 0.1);
    terminate(&child);
    let (status, said) = ended(child);
    assert_eq!(status, Some(4), "{said}");
    assert_eq!(world.alias(), whole("1"));

    let mut args = vec!["start", "--to-version", "2", "--strategy", "canary:10%:30m", "--on-interrupt", "hold"];
    args.extend(QUIET);
    let mut command = world.rollout(&args).into_command();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while world.alias().1.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(180));
        std::thread::sleep(Duration::from_millis(20));
    }
    terminate(&child);
    let (status, said) = ended(child);
    assert_eq!(status, Some(130), "{said}");
    assert!(said.contains("samara rollout resume --function hello --alias live"), "{said}");
    assert_eq!(world.alias().1.get("2"), Some(&0.1));
    world.run(&["abort"]).expect(4);
    assert_eq!(world.alias(), whole("1"));

    // Nothing answers any more: the way back is tried again and again, until a second signal.
    let mut child = world.start_until("canary:10%:30m", 0.1);
    world.project.samara(["sandbox", "stop"]).run().expect(0);
    terminate(&child);
    std::thread::sleep(Duration::from_secs(1));
    assert!(child.try_wait().unwrap().is_none(), "it does not give up");
    terminate(&child);
    let (status, said) = ended(child);
    assert_eq!(status, Some(130), "{said}");
    let words = "ended at once; carry on with: samara rollout resume --function hello --alias live";
    assert!(said.contains(words), "{said}");
}

/// On a terminal the first Ctrl-C is a question, and the second one needs no answer to it.
#[test]
fn race_34_ctrl_c_at_the_question_ends_at_once_and_says_how_to_carry_on() {
    use expectrl::Expect;

    let world = World::new("60");
    let mut args = vec!["start", "--to-version", "2", "--strategy", "canary:10%:30m"];
    args.extend(QUIET);
    let mut command = world.rollout(&args).into_command();
    command.env("TERM", "xterm");
    let mut session = expectrl::Session::spawn(command).expect("the binary starts");
    session.set_expect_timeout(Some(Duration::from_secs(180)));
    let began = Instant::now();
    while world.alias().1.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(180));
        std::thread::sleep(Duration::from_millis(20));
    }
    session.send("\u{3}").unwrap();
    session.expect("Take the rollout back?").expect("the question");
    session.send("\u{3}").unwrap();
    let words = "ended at once; carry on with: samara rollout resume --function hello --alias live";
    session.expect(words).expect("the way on");
    session.expect(expectrl::Eof).expect("the end");
    let status = session.get_process().wait().expect("it has ended");
    assert!(matches!(status, expectrl::process::unix::WaitStatus::Exited(_, 130)), "{status:?}");
    assert_eq!(world.alias().1.get("2"), Some(&0.1));
    world.run(&["abort"]).expect(4);
    assert_eq!(world.alias(), whole("1"));
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_touched() {
    let world = World::new("60");
    let refused = |args: &[&str], status: i32, text: &str| {
        let mut all = vec!["start"];
        all.extend(args);
        all.extend(QUIET);
        world.run(&all).expect(status).says(text);
        assert_eq!(world.alias(), whole("1"));
    };
    refused(&["--to-version", "1"], 1, "serves version 1 already");
    refused(&["--to-version", "9"], 1, "version 9 of hello does not exist");
    refused(&["--to-version", "$LATEST"], 2, "never routed to $LATEST");
    refused(&["--to-version", "2", "--strategy", "canary:101%:5m"], 2, "for example");
    refused(&["--to-version", "2", "--strategy", "canary:5%:-1m"], 2, "for example");
    refused(&["--to-version", "2", "--limit", "errors=0%"], 2, "for example");
    world.run(&["abort"]).expect(1).says("has no rollout under way");
    world.set_alias("1", &[("3", 0.25)]);
    let mut args = vec!["start", "--to-version", "2"];
    args.extend(QUIET);
    world.run(&args).expect(5).says("already routes to two versions (version 1 with 25% to version 3)");
    // With weights and no rollout, going back is to the main version, and needs Lambda alone.
    world.run(&["rollback"]).expect(0);
    assert_eq!(world.alias(), whole("1"));
}

#[test]
fn rollback_needs_lambda_alone() {
    let world = World::new("60");
    world.set_alias("2", &[]);
    // A journal bucket that is not there stands for S3 being out of reach.
    let args = ["rollout", "rollback", "--function", "hello", "--alias", "live", "--to-version", "1"];
    let outcome = world
        .project
        .samara(args.into_iter().chain(["--journal-bucket", "there-is-no-such-bucket"]))
        .env("AWS_ENDPOINT_URL", &world.endpoint)
        .env("AWS_ACCESS_KEY_ID", "000000000000")
        .env("AWS_SECRET_ACCESS_KEY", "sandbox")
        .env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        .run()
        .expect(0);
    assert!(outcome.stdout.contains("is on version 1"), "{}", outcome.stdout);
    assert_eq!(world.alias(), whole("1"));
}

#[test]
fn where_the_alias_is_gets_told_without_the_journal_too() {
    let world = World::new("60");
    let args = ["rollout", "status", "--function", "hello", "--alias", "live"];
    let outcome = world
        .project
        .samara(args.into_iter().chain(["--journal-bucket", "there-is-no-such-bucket"]))
        .env("AWS_ENDPOINT_URL", &world.endpoint)
        .env("AWS_ACCESS_KEY_ID", "000000000000")
        .env("AWS_SECRET_ACCESS_KEY", "sandbox")
        .run()
        .expect(1);
    let outcome = outcome.prints("says version 1").says("what is under way cannot be told");
    outcome.prints("whether a rollout is under way is not known");
}

#[test]
fn an_alarm_takes_it_back_and_one_that_fires_already_refuses_it() {
    let world = World::new("60");
    let alarm = |name: &str, threshold: f64| {
        let put = world
            .cloudwatch
            .put_metric_alarm()
            .alarm_name(name)
            .namespace("Test")
            .metric_name("Trouble")
            .statistic(aws_sdk_cloudwatch::types::Statistic::Maximum)
            .period(60)
            .evaluation_periods(1)
            .threshold(threshold)
            .comparison_operator(aws_sdk_cloudwatch::types::ComparisonOperator::GreaterThanThreshold)
            .treat_missing_data("notBreaching");
        world.runtime.block_on(put.send()).unwrap();
    };
    let trouble = |value: f64| {
        let datum = aws_sdk_cloudwatch::types::MetricDatum::builder().metric_name("Trouble").value(value).build();
        world.runtime.block_on(world.cloudwatch.put_metric_data().namespace("Test").metric_data(datum).send()).unwrap();
    };
    alarm("trouble", 10.0);
    let args = ["start", "--to-version", "2", "--strategy", "canary:10%:30m", "--min-requests", "0", "--alarm"];
    let with = |more: &[&str]| args.into_iter().chain(more.iter().copied()).map(str::to_owned).collect::<Vec<_>>();
    let start = |more: &[&str]| {
        let args = with(more);
        world.rollout(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    start(&["there-is-none"]).run().expect(1).says("there is no alarm there-is-none");
    let mut command = start(&["trouble"]).into_command();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while world.alias().1.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(180));
        std::thread::sleep(Duration::from_millis(20));
    }
    // One bad minute would pass while the driver looks elsewhere: trouble stays.
    loop {
        trouble(99.0);
        std::thread::sleep(Duration::from_millis(200));
        assert!(began.elapsed() < Duration::from_secs(180), "the alarm took nothing back");
        if world.alias().1.is_empty() {
            break;
        }
    }
    let ended_by = ended(child);
    assert_eq!(ended_by.0, Some(4), "{}", ended_by.1);
    assert!(ended_by.1.contains("alarm trouble went to ALARM"), "{}", ended_by.1);
    assert_eq!(world.alias(), whole("1"));
    trouble(99.0);
    let refused = start(&["trouble"]).run().expect(1);
    let refused = refused.says("alarm trouble is in ALARM already");
    assert!(refused.stderr.contains("--ignore-alarm trouble"), "{}", refused.stderr);
    assert_eq!(world.alias(), whole("1"));
}

/// Every number of the published vectors, recomputed.
#[test]
fn the_analysis_gives_the_published_numbers() {
    use samara::rollout::analysis::dispersion::dispersion;
    use samara::rollout::analysis::limits::{LimitTest, bake_bar};
    use samara::rollout::analysis::sequential::{Comparison, Parameters, resolution};
    let Some(path) = crate::support::shared::fixtures("analysis/vectors.json") else { return };
    let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let list = |value: &serde_json::Value, key: &str| value[key].as_array().expect(key).clone();
    let float = |value: &serde_json::Value, key: &str| value[key].as_f64().expect(key);
    let count = |value: &serde_json::Value, key: &str| value[key].as_u64().expect(key);
    let near = |ours: f64, theirs: f64| (ours - theirs).abs() <= 1e-12 + 1e-9 * theirs.abs();
    let parameters = |params: &serde_json::Value| Parameters {
        alpha: float(params, "alpha"),
        rho: float(params, "rho"),
        delta: float(params, "delta"),
        grid: list(params, "grid").iter().map(|ratio| ratio.as_f64().unwrap()).collect(),
        first: float(params, "first"),
        dispersion: float(params, "dispersion"),
    };
    let mut compared = 0;
    for case in list(&vectors, "cases") {
        let (name, parameters) = (case["name"].as_str().unwrap(), parameters(&case["params"]));
        let mut comparison = Comparison::default();
        let mut tripped = None;
        for (index, minute) in list(&case, "minutes").iter().enumerate() {
            let [n_base, x_base, n_canary, x_canary] =
                ["n_base", "x_base", "n_canary", "x_canary"].map(|key| count(minute, key));
            comparison.add(&parameters, n_base, x_base, n_canary, x_canary);
            assert!(near(comparison.ln_e(), float(minute, "ln_e")), "{name}, minute {index}: {}", comparison.ln_e());
            assert_eq!(comparison.judged(), count(minute, "judged_minutes"), "{name}");
            if tripped.is_none() && comparison.ln_e() >= -parameters.alpha.ln() {
                tripped = Some(index as u64);
            }
            assert_eq!(tripped.is_some(), minute["decision"] == "rollback", "{name}, minute {index}");
            compared += 1;
        }
        assert_eq!(tripped, case["rollback_at"].as_u64(), "{name}");
    }
    for bake in list(&vectors, "bake") {
        let bar = bake_bar(count(&bake, "old_n"), count(&bake, "old_x"));
        assert!(near(bar, float(&bake, "bar")));
        let mut test = LimitTest::default();
        for minute in list(&bake, "minutes") {
            test.add(bar, count(&minute, "n"), count(&minute, "x"), float(&bake, "dispersion"));
            assert!(near(test.ln_e(), float(&minute, "ln_e")), "{minute}");
            compared += 1;
        }
    }
    for case in list(&vectors, "dispersion") {
        let counts = list(&case, "n").into_iter().zip(list(&case, "x"));
        let minutes: Vec<_> = counts.map(|(n, x)| (n.as_u64().unwrap(), x.as_u64().unwrap())).collect();
        assert!(near(dispersion(&minutes), float(&case, "dispersion")));
        compared += 1;
    }
    for case in list(&vectors, "resolution") {
        let [n_base, x_base, n_canary] = ["n_base", "x_base", "n_canary"].map(|key| count(&case, key) as f64);
        let ours = resolution(&parameters(&case["params"]), n_base, x_base, n_canary, 0.6);
        assert!(near(ours, float(&case, "resolution")), "{ours}");
        compared += 1;
    }
    assert!(compared > 100, "only {compared} numbers were compared");
}
