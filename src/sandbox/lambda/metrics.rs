//! What Lambda tells CloudWatch of an invocation.

use super::Call;
use super::invoke::Target;
use crate::runtime::Outcome;
use crate::sandbox::cloudwatch::Datum;
use crate::sandbox::http::Request;

/// One value of one metric, before its dimensions.
type Value = (&'static str, f64, &'static str);

/// The dimension sets of an invocation
/// (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-view.html>): by function, by the
/// resource that was called, and, while an alias has two versions, by the version that ran.
fn dimensions(target: &Target) -> Vec<Vec<(&'static str, String)>> {
    let function = ("FunctionName", target.name.clone());
    let resource = match &target.qualifier {
        Some(qualifier) => format!("{}:{qualifier}", target.name),
        None => target.name.clone(),
    };
    let resource = ("Resource", resource);
    let mut sets = vec![vec![function.clone()], vec![function.clone(), resource.clone()]];
    if target.split {
        sets.push(vec![function, resource, ("ExecutedVersion", target.version.clone())]);
    }
    sets
}

/// Counts an invocation that ran.
pub(super) fn invoked(call: Call<'_>, target: &Target, at_ms: i64, outcome: &Outcome, running: u64) {
    let errors = if outcome.function_error { 1.0 } else { 0.0 };
    let values: [Value; 5] = [
        ("Invocations", 1.0, "Count"),
        ("Errors", errors, "Count"),
        ("Throttles", 0.0, "Count"),
        ("Duration", outcome.duration.as_secs_f64() * 1000.0, "Milliseconds"),
        ("ConcurrentExecutions", running as f64, "Count"),
    ];
    record(call, target, at_ms, &values);
}

/// Counts one that was turned away; it is no invocation and no error.
pub(super) fn throttled(call: Call<'_>, target: &Target, at_ms: i64) {
    record(call, target, at_ms, &[("Throttles", 1.0, "Count")]);
}

fn record(call: Call<'_>, target: &Target, at_ms: i64, values: &[Value]) {
    let Request { account, region, .. } = call.request;
    let now_ms = call.world.clock.now_ms();
    for set in dimensions(target) {
        let dimensions: Vec<(&str, &str)> = set.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for &(name, value, unit) in values {
            let datum = Datum {
                account,
                region,
                namespace: "AWS/Lambda",
                name,
                dimensions: &dimensions,
                value,
                timestamp_ms: at_ms,
                unit,
            };
            call.world.cloudwatch.record(now_ms, &datum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(qualifier: Option<&str>, split: bool) -> Target {
        Target { name: "f".to_owned(), qualifier: qualifier.map(str::to_owned), version: "2".to_owned(), split }
    }

    #[test]
    fn an_alias_with_two_versions_is_also_counted_by_version() {
        let names = |target: &Target| {
            let sets = dimensions(target);
            let shown = sets
                .iter()
                .map(|set| set.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(","));
            shown.collect::<Vec<_>>().join(" | ")
        };
        assert_eq!(names(&target(None, false)), "FunctionName=f | FunctionName=f,Resource=f");
        assert_eq!(names(&target(Some("live"), false)), "FunctionName=f | FunctionName=f,Resource=f:live");
        assert_eq!(
            names(&target(Some("live"), true)),
            "FunctionName=f | FunctionName=f,Resource=f:live | FunctionName=f,Resource=f:live,ExecutedVersion=2"
        );
    }
}
