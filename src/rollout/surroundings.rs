//! What a plan should say although the rollout itself does not depend on it: traffic that does not come
//! through the alias, queues and streams that feed it, versions that somebody deletes, copies of the
//! function at the edge, credentials that end before it does. Best effort: what cannot be found out is
//! said to be unknown.

use std::time::{Duration, SystemTime};

use super::names::{AliasName, FunctionName, Time, Version, show_duration};
use crate::aws::cloudwatch::{CloudWatch, Series};
use crate::aws::lambda::{EventSource, Lambda};
use crate::aws::{self, Aws};

/// As long as the baseline's.
const HOUR_MINUTES: i64 = 60;
/// A few requests more or less are the edges of the hour.
const NOTICED_SHARE: f64 = 0.01;
/// How long the credentials' source may take; it is asked again by the first call anyway.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything worth saying of an alias, a line each.
pub async fn warnings(
    aws: &Aws,
    (function, alias): (&FunctionName, &AliasName),
    (old, new): (Version, Version),
    now: Time,
) -> Vec<String> {
    let (lambda, cloudwatch) = (aws.lambda(), aws.cloudwatch());
    let number = old.to_string();
    let (sources, versions, policy, traffic, configuration) = tokio::join!(
        lambda.event_sources(function.as_str(), alias.as_str()),
        lambda.versions(function.as_str()),
        policy(&lambda, function, old),
        traffic(&cloudwatch, function, alias, now),
        lambda.configuration(function.as_str(), &number),
    );
    let mut lines = Vec::new();
    let unknown = |what: &str, error: &aws::Error| format!("{what} is not known: {error}");
    lines.extend(match sources {
        Ok(sources) => event_sources(function, alias, &sources),
        Err(error) => Some(unknown(&format!("what feeds {function}:{alias} from queues and streams"), &error)),
    });
    lines.extend(match versions {
        Ok(versions) => {
            let numbers: Vec<u64> = versions.iter().filter_map(|version| version.version.parse().ok()).collect();
            deleted_versions(function, old, new, &numbers)
        }
        Err(error) => Some(unknown(&format!("whether versions of {function} are deleted"), &error)),
    });
    lines.extend(match policy {
        Ok(policy) => at_the_edge(function, old, policy.as_deref().unwrap_or_default()),
        Err(error) => Some(unknown(&format!("whether {function} is copied to the edge"), &error)),
    });
    lines.extend(match configuration {
        Ok(found) => asynchronous(function, found.map(|found| found.dead_letter).unwrap_or_default().as_str()),
        Err(error) => Some(unknown(&format!("whether {function} has a dead-letter target"), &error)),
    });
    lines.extend(match traffic {
        Ok((of_function, of_alias)) => around_the_alias(function, alias, of_function, of_alias),
        Err(error) => Some(unknown(&format!("what traffic does not come through {function}:{alias}"), &error)),
    });
    lines
}

/// Whether the credentials end before a rollout of this length does, by this machine's clock: the
/// credentials' end is by the source's.
pub async fn credentials(aws: &Aws, shortest: Duration) -> Option<String> {
    let end = tokio::time::timeout(PATIENCE, aws.credentials_end()).await.ok()??;
    #[expect(clippy::disallowed_methods, reason = "the SDK gives the credentials' end as wall time, and only it")]
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    credentials_line(left, shortest)
}

fn credentials_line(left: Duration, shortest: Duration) -> Option<String> {
    let rounded = Duration::from_secs(left.as_secs());
    (left < shortest).then(|| {
        format!(
            "the credentials end in {}, and the rollout takes {} at least: unless their source renews them by itself, \
             it will stop raising there and has to be resumed or aborted with new ones",
            show_duration(rounded),
            show_duration(shortest)
        )
    })
}

async fn policy(lambda: &Lambda, function: &FunctionName, version: Version) -> Result<Option<String>, aws::Error> {
    lambda.policy(function.as_str(), &version.to_string()).await
}

/// Invocations of the last hour: of the function in all, and through the alias.
async fn traffic(
    cloudwatch: &CloudWatch,
    function: &FunctionName,
    alias: &AliasName,
    now: Time,
) -> Result<(f64, f64), aws::Error> {
    let series = |id: &str, resource: Option<String>| Series {
        id: id.to_owned(),
        namespace: "AWS/Lambda".to_owned(),
        metric: "Invocations".to_owned(),
        dimensions: std::iter::once(("FunctionName".to_owned(), function.to_string()))
            .chain(resource.map(|resource| ("Resource".to_owned(), resource)))
            .collect(),
        statistic: "Sum".to_owned(),
        period_s: 60,
    };
    let asked = [series("all", None), series("alias", Some(format!("{function}:{alias}")))];
    let (from, until) = (now.minute() - HOUR_MINUTES, now.minute());
    let values = cloudwatch.metric_data(&asked, from * 60, until * 60).await?;
    let sum = |id: &str| values.get(id).map(|points| points.values().sum()).unwrap_or(0.0);
    Ok((sum("all"), sum("alias")))
}

fn event_sources(function: &FunctionName, alias: &AliasName, sources: &[EventSource]) -> Option<String> {
    if sources.is_empty() {
        return None;
    }
    let shown: Vec<&str> =
        sources.iter().map(|source| if source.arn.is_empty() { "a broker" } else { source.arn.as_str() }).collect();
    let is_stream = |arn: &str| arn.contains(":kinesis:") || arn.contains(":dynamodb:") || arn.contains(":kafka:");
    let stream = if shown.iter().any(|arn| is_stream(arn)) {
        "; a bad batch of a stream is tried again by either version: watch its IteratorAge with an alarm"
    } else {
        ""
    };
    Some(format!(
        "{function}:{alias} is fed by {}: whole batches go to one version or the other, an error counts for a batch, \
         and a rollback does not undo what was processed{stream}",
        shown.join(", ")
    ))
}

/// A failed asynchronous event is tried twice more, after one minute and two
/// (docs.aws.amazon.com/lambda/latest/dg/invocation-async.html); each try is routed by itself, as far as is
/// known, and counts as an error again. That is random for both versions, and so no harm to the judgement.
fn asynchronous(function: &FunctionName, dead_letter: &str) -> Option<String> {
    (!dead_letter.is_empty()).then(|| {
        format!(
            "failed asynchronous events of {function} end at {dead_letter}: they are tried twice more before, by either \
             version, and each try counts as an error; --limit async-dropped=1% and --limit dead-letter-errors=1% \
             watch what is lost"
        )
    })
}

/// Lambda numbers versions without gaps: where one is, somebody deletes versions.
fn deleted_versions(function: &FunctionName, old: Version, new: Version, numbers: &[u64]) -> Option<String> {
    let (least, most) = (numbers.iter().min()?, numbers.iter().max()?);
    let missing = (most - least + 1).saturating_sub(numbers.len() as u64);
    (missing > 0).then(|| {
        format!(
            "{missing} of the versions {least} to {most} of {function} were deleted: whoever deletes versions (a \
             janitor, VersionDeletionPolicy) has to leave {old} and {new} until the rollout is over, and {old} for as \
             long as it may be gone back to"
        )
    })
}

/// Lambda@Edge is allowed to copy a version by its policy
/// (docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-edge-permissions.html).
fn at_the_edge(function: &FunctionName, old: Version, policy: &str) -> Option<String> {
    policy.contains("replicator.lambda.amazonaws.com").then(|| {
        format!(
            "version {old} of {function} is copied to the edge (Lambda@Edge): distributions name a version and not \
             the alias, so their traffic is neither shifted nor judged"
        )
    })
}

fn around_the_alias(function: &FunctionName, alias: &AliasName, of_function: f64, of_alias: f64) -> Option<String> {
    let around = of_function - of_alias;
    (around >= 1.0 && around >= of_function * NOTICED_SHARE).then(|| {
        format!(
            "{around:.0} of the {of_function:.0} requests of {function} in the last hour did not come through {alias}: \
             what calls $LATEST, a version or another alias is neither shifted nor judged"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> (FunctionName, AliasName, Version, Version) {
        ("hello".parse().unwrap(), "live".parse().unwrap(), "7".parse().unwrap(), "8".parse().unwrap())
    }

    #[test]
    fn race_46_traffic_that_does_not_come_through_the_alias_is_counted() {
        let (function, alias, ..) = names();
        insta::assert_snapshot!(around_the_alias(&function, &alias, 1000.0, 600.0).unwrap(), @"400 of the 1000 requests of hello in the last hour did not come through live: what calls $LATEST, a version or another alias is neither shifted nor judged");
        assert_eq!(around_the_alias(&function, &alias, 1000.0, 995.0), None, "the edges of the hour");
        assert_eq!(around_the_alias(&function, &alias, 0.0, 0.0), None);
    }

    #[test]
    fn race_03_credentials_are_compared_with_the_length_of_the_rollout() {
        let (hour, minute) = (Duration::from_secs(3600), Duration::from_secs(60));
        assert_eq!(credentials_line(hour, minute), None);
        let line = credentials_line(Duration::from_millis(90_500), hour).unwrap();
        assert!(line.starts_with("the credentials end in 1m30s, and the rollout takes 1h at least"), "{line}");
    }

    #[test]
    fn race_09_a_gap_in_the_versions_tells_of_a_janitor() {
        let (function, _, old, new) = names();
        assert_eq!(deleted_versions(&function, old, new, &[6, 7, 8]), None);
        assert_eq!(deleted_versions(&function, old, new, &[]), None);
        let line = deleted_versions(&function, old, new, &[3, 7, 8]).unwrap();
        assert!(line.starts_with("3 of the versions 3 to 8 of hello were deleted"), "{line}");
    }

    #[test]
    fn race_24_batches_follow_the_weights() {
        let (function, alias, ..) = names();
        let source = |arn: &str| EventSource { arn: arn.to_owned(), state: "Enabled".to_owned() };
        assert_eq!(event_sources(&function, &alias, &[]), None);
        let queue = event_sources(&function, &alias, &[source("arn:aws:sqs:eu-west-1:1:jobs")]).unwrap();
        assert!(queue.contains("fed by arn:aws:sqs:eu-west-1:1:jobs: whole batches") && !queue.contains("IteratorAge"));
        let stream = event_sources(&function, &alias, &[source("arn:aws:kinesis:eu-west-1:1:stream/s")]).unwrap();
        assert!(stream.contains("IteratorAge"));
    }

    #[test]
    fn race_25_what_becomes_of_failed_asynchronous_events_is_told() {
        let (function, ..) = names();
        assert_eq!(asynchronous(&function, ""), None);
        let line = asynchronous(&function, "arn:aws:sqs:eu-west-1:1:dead").unwrap();
        assert!(line.contains("arn:aws:sqs:eu-west-1:1:dead") && line.contains("--limit async-dropped=1%"), "{line}");
        // What is recommended is a limit.
        for limit in ["async-dropped=1%", "dead-letter-errors=1%"] {
            limit.parse::<crate::rollout::analysis::Limit>().unwrap();
        }
    }

    #[test]
    fn race_26_copies_at_the_edge_are_not_shifted() {
        let (function, _, old, _) = names();
        let policy = r#"{"Statement":[{"Principal":{"Service":"replicator.lambda.amazonaws.com"}}]}"#;
        assert!(at_the_edge(&function, old, policy).unwrap().contains("Lambda@Edge"));
        assert_eq!(at_the_edge(&function, old, ""), None);
    }
}
