//! `samara sandbox` as a process, and its services through the real clients.

use std::process::Command;
use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    ComparisonOperator, Dimension, Metric, MetricDataQuery, MetricDatum, MetricStat, StandardUnit, StateValue,
    Statistic,
};
use samara::sandbox::cloudwatch::Datum;
use samara::sandbox::server::{Options, Server, start};

use crate::support::{Project, python};

/// A sandbox in this process, and the SDK's configuration for it.
async fn sandbox(dir: &std::path::Path, speed: f64) -> (Server, aws_config::SdkConfig) {
    let server = start(Options { dir: dir.to_owned(), port: 0, speed }).await.expect("it starts");
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .region("us-east-1")
        .endpoint_url(server.endpoint_url())
        .credentials_provider(aws_credential_types::Credentials::new("000000000000", "x", None, None, "test"))
        .load()
        .await;
    (server, config)
}

fn s3(config: &aws_config::SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config)
}

#[test]
fn it_starts_once_says_where_and_stops() {
    let project = Project::new();
    project.samara(["sandbox", "status"]).run().expect(1).prints("not running");
    let started: Vec<_> = (0..3)
        .map(|_| {
            let run = project.samara(["sandbox", "start", "--output", "json"]);
            std::thread::spawn(move || run.run().expect(0).json())
        })
        .collect();
    let started: Vec<serde_json::Value> = started.into_iter().map(|run| run.join().expect("it ends")).collect();
    assert!(
        started.iter().all(|one| one["pid"] == started[0]["pid"] && one["port"] == started[0]["port"]),
        "{started:?}"
    );
    let url = started[0]["endpoint_url"].as_str().expect("a URL");
    assert_eq!(started[0]["environment"]["AWS_ENDPOINT_URL"], url);
    // The region of `--sandbox` in the same shell: other clients see what samara deployed.
    assert_eq!(started[0]["environment"]["AWS_REGION"], "eu-central-1");
    let other = project.samara(["sandbox", "start", "--region", "eu-west-1"]).run().expect(0);
    other.prints("export AWS_REGION=eu-west-1\nexport AWS_DEFAULT_REGION=eu-west-1\n");
    project.samara(["sandbox", "start"]).run().expect(0).prints(&format!("export AWS_ENDPOINT_URL={url}\n"));
    project.samara(["sandbox", "status"]).run().expect(0).prints(url);
    project.samara(["sandbox", "start", "--speed", "60"]).run().expect(1).says("runs already").says("sandbox stop");
    project.samara(["sandbox", "start", "--speed", "0"]).run().expect(2).says("between");
    project.samara(["sandbox", "stop"]).run().expect(0).says("Stopped");
    project.samara(["sandbox", "stop"]).run().expect(0).says("nothing");
    assert!(!project.path(".samara/sandbox.json").exists());
}

#[test]
fn a_taken_port_is_said() {
    let project = Project::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    project.samara(["sandbox", "start", "--port", &port]).run().expect(1).says("cannot listen");
}

#[tokio::test(flavor = "multi_thread")]
async fn state_survives_a_kill_and_a_stale_record_is_no_obstacle() {
    let project = Project::new();
    let config = |url: String| async move {
        aws_config::defaults(aws_config::BehaviorVersion::latest())
            .region("us-east-1")
            .endpoint_url(url)
            .credentials_provider(aws_credential_types::Credentials::new("000000000000", "x", None, None, "test"))
            .load()
            .await
    };
    let started = project.samara(["sandbox", "start", "--output", "json"]).run().expect(0).json();
    let client = s3(&config(started["endpoint_url"].as_str().expect("a URL").to_owned()).await);
    client.create_bucket().bucket("kept-bucket").send().await.expect("a bucket");
    client.put_object().bucket("kept-bucket").key("k").body(b"kept".to_vec().into()).send().await.expect("an object");
    let killed = Command::new("kill").args(["-9", &started["pid"].to_string()]).status().expect("kill runs");
    assert!(killed.success());
    let again = project.samara(["sandbox", "start", "--output", "json"]).run().expect(0).json();
    assert_ne!(again["pid"], started["pid"]);
    let client = s3(&config(again["endpoint_url"].as_str().expect("a URL").to_owned()).await);
    let object = client.get_object().bucket("kept-bucket").key("k").send().await.expect("the object");
    assert_eq!(object.body.collect().await.expect("its body").into_bytes(), "kept");
    project.samara(["sandbox", "reset"]).run().expect(0).says("Emptied");
    let gone = client.head_bucket().bucket("kept-bucket").send().await;
    assert!(gone.expect_err("it is gone").into_service_error().is_not_found());
}

#[tokio::test(flavor = "multi_thread")]
async fn conditional_writes_let_one_of_many_win() {
    let dir = tempfile::tempdir().expect("a folder");
    let (server, config) = sandbox(dir.path(), 1.0).await;
    let client = s3(&config);
    client.create_bucket().bucket("the-bucket").send().await.expect("a bucket");
    let writers: Vec<_> = (0..20)
        .map(|n| {
            let put = client.put_object().bucket("the-bucket").key("lock").if_none_match("*");
            tokio::spawn(put.body(format!("{n}").into_bytes().into()).send())
        })
        .collect();
    let mut won = 0;
    for writer in writers {
        match writer.await.expect("it ends") {
            Ok(_) => won += 1,
            Err(error) => {
                let status = error.raw_response().expect("an answer").status().as_u16();
                assert_eq!(status, 412);
            }
        }
    }
    assert_eq!(won, 1);
    server.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_records_is_visible_after_its_delay_and_an_alarm_sees_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let (server, config) = sandbox(dir.path(), 120.0).await;
    let client = aws_sdk_cloudwatch::Client::new(&config);
    client
        .put_metric_alarm()
        .alarm_name("errors")
        .namespace("AWS/Lambda")
        .metric_name("Errors")
        .dimensions(Dimension::builder().name("FunctionName").value("f").build())
        .statistic(Statistic::Sum)
        .period(60)
        .evaluation_periods(1)
        .threshold(0.0)
        .comparison_operator(ComparisonOperator::GreaterThanThreshold)
        .send()
        .await
        .expect("an alarm");
    let clock = server.world().clock.clone();
    let recorded_ms = clock.now_ms();
    let datum = Datum {
        account: "000000000000",
        region: "us-east-1",
        namespace: "AWS/Lambda",
        name: "Errors",
        dimensions: &[("FunctionName", "f")],
        value: 1.0,
        timestamp_ms: recorded_ms,
        unit: "Count",
    };
    server.world().cloudwatch.record(recorded_ms, &datum);
    let metric = Metric::builder()
        .namespace("AWS/Lambda")
        .metric_name("Errors")
        .dimensions(Dimension::builder().name("FunctionName").value("f").build())
        .build();
    let sum = || async {
        let stat = MetricStat::builder().metric(metric.clone()).period(60).stat("Sum").build();
        let answer = client
            .get_metric_data()
            .metric_data_queries(MetricDataQuery::builder().id("m").metric_stat(stat).build())
            .start_time(DateTime::from_millis(recorded_ms - 60_000))
            .end_time(DateTime::from_millis(recorded_ms + 60_000))
            .send()
            .await
            .expect("data");
        answer.metric_data_results()[0].values().to_vec()
    };
    let mut seen_ms = None;
    while seen_ms.is_none() {
        let before_ms = clock.now_ms();
        if sum().await == [1.0] {
            seen_ms = Some(clock.now_ms());
        } else {
            assert!(before_ms < recorded_ms + 95_000, "it is not visible after 95 s");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(seen_ms >= Some(recorded_ms + 60_000 - 1000), "visible too early");
    for _ in 0..200 {
        let answer = client.describe_alarms().alarm_names("errors").send().await.expect("alarms");
        if answer.metric_alarms()[0].state_value() == Some(&StateValue::Alarm) {
            server.stop().await.expect("it stops");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the alarm never went off");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_survive_and_time_does_not_run_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let (server, config) = sandbox(dir.path(), 3600.0).await;
    let client = aws_sdk_cloudwatch::Client::new(&config);
    let datum = MetricDatum::builder().metric_name("n").value(4.0).unit(StandardUnit::Count).build();
    client.put_metric_data().namespace("App").metric_data(datum).send().await.expect("data");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before_ms = server.world().clock.now_ms();
    server.stop().await.expect("it stops");
    let (server, config) = sandbox(dir.path(), 1.0).await;
    assert!(server.world().clock.now_ms() >= before_ms, "time ran back");
    let client = aws_sdk_cloudwatch::Client::new(&config);
    let metrics = client.list_metrics().namespace("App").send().await.expect("metrics");
    assert_eq!(metrics.metrics()[0].metric_name(), Some("n"));
    server.stop().await.expect("it stops");
}

#[test]
fn boto3_finds_metrics_alarms_logs_roles_queues_and_topics_as_in_aws() {
    let Some(python) = python::interpreter() else { return };
    let project = Project::new();
    let started = project.samara(["sandbox", "start", "--output", "json"]).run().expect(0).json();
    let output = Command::new(python)
        .args(["-c", include_str!("support/sandbox_clients.py")])
        .arg(started["endpoint_url"].as_str().expect("a URL"))
        .output()
        .expect("Python runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

#[test]
fn the_aws_command_puts_and_gets_objects() {
    let Some(aws) = python::program("aws") else { return };
    let project = Project::new();
    project.write("big.bin", vec![7; 20 * 1024 * 1024]);
    let started = project.samara(["sandbox", "start", "--output", "json"]).run().expect(0).json();
    let run = |args: &[&str]| {
        let environment = started["environment"].as_object().expect("variables");
        let output = Command::new(&aws)
            .args(args)
            .current_dir(project.dir())
            .env("HOME", project.home())
            .envs(environment.iter().map(|(name, value)| (name, value.as_str().expect("text"))))
            .output()
            .expect("aws runs");
        assert!(output.status.success(), "aws {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run(&["s3", "mb", "s3://aws-bucket"]);
    run(&["s3", "cp", "big.bin", "s3://aws-bucket/folder/big.bin"]);
    assert!(run(&["s3", "ls", "s3://aws-bucket/folder/"]).contains("20971520 big.bin"));
    run(&["s3", "cp", "s3://aws-bucket/folder/big.bin", "back.bin"]);
    let read = |name: &str| std::fs::read(project.path(name)).expect("a file");
    assert!(read("big.bin") == read("back.bin"), "the bytes differ");
    assert!(run(&["sts", "get-caller-identity"]).contains("\"000000000000\""));
}
