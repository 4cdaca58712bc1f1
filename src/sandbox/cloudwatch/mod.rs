//! CloudWatch: metrics and alarms, on the sandbox's clock.

mod alarm;
mod alarms;
mod data;
mod math;
mod rule;
mod series;
mod statistic;
mod wire;

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde_json::{Value, json};

use self::alarms::Alarms;
use self::data::{Owner, invalid, is_period, metric_key};
use self::series::{Data, Key, MINUTE_MS};
use self::statistic::{Distribution, Statistic};
use self::wire::Parameter;
use super::Error;
use super::http::{Request, Response};
use super::query::Fault;
use super::state::World;

/// What AWS's own services record becomes visible after this much sandbox time, and up to
/// [`SPREAD_MS`] more.
const DELAY_MS: i64 = 60_000;
const SPREAD_MS: i64 = 30_000;
/// Points of one GetMetricData answer.
const MAX_DATAPOINTS: usize = 100_800;
/// Points of one GetMetricStatistics answer.
const MAX_STATISTICS: i64 = 1440;
/// Metrics of one ListMetrics answer.
const MAX_METRICS: usize = 500;
/// Data of one PutMetricData request.
const MAX_DATUMS: usize = 1000;
const MAX_VALUES: usize = 150;
const MAX_DIMENSIONS: usize = 30;

/// The service.
#[derive(Debug)]
pub struct CloudWatch {
    data: Mutex<Data>,
    alarms: Alarms,
}

/// One measurement of a service of the sandbox, such as Lambda's `Errors` of one invocation.
#[derive(Clone, Copy, Debug)]
pub struct Datum<'a> {
    /// Twelve digits.
    pub account: &'a str,
    /// Region.
    pub region: &'a str,
    /// Such as `AWS/Lambda`.
    pub namespace: &'a str,
    /// Such as `Errors`.
    pub name: &'a str,
    /// Name and value of each.
    pub dimensions: &'a [(&'a str, &'a str)],
    /// The value.
    pub value: f64,
    /// What it belongs to, in ms since 1970 by the sandbox's clock: the start of an invocation.
    pub timestamp_ms: i64,
    /// Such as `Count` or `Milliseconds`.
    pub unit: &'a str,
}

type Answer = Result<Value, Fault>;

impl CloudWatch {
    /// Opens what is kept under `dir`.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let folder = |source| Error::Folder { path: dir.to_owned(), source };
        std::fs::create_dir_all(dir).map_err(folder)?;
        let data = Data::open(dir.join("metrics.jsonl")).map_err(folder)?;
        Ok(Self { data: Mutex::new(data), alarms: Alarms::open(dir)? })
    }

    /// Writes what has changed.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn flush(&self) -> Result<(), Error> {
        self.with_data(Data::flush).map_err(|source| Error::Folder { path: "metrics.jsonl".into(), source })?;
        self.alarms.flush()
    }

    /// Writes what requests have changed: alarms.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(super) fn commit(&self) -> Result<(), Error> {
        self.alarms.flush()
    }

    fn with_data<R>(&self, look: impl FnOnce(&mut Data) -> R) -> R {
        look(&mut self.data.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Records a measurement of a service. It becomes visible 60 to 90 s of the sandbox's time from
    /// `now_ms`, as AWS's metrics do: all of one metric and minute with the same delay.
    pub fn record(&self, now_ms: i64, datum: &Datum<'_>) {
        self.record_times(now_ms, datum, 1);
    }

    /// Records a value that was measured so many times, as [`Self::record`] would each of them.
    pub fn record_times(&self, now_ms: i64, datum: &Datum<'_>, times: u32) {
        if times == 0 {
            return;
        }
        let mut dimensions: Vec<(String, String)> =
            datum.dimensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        dimensions.sort();
        let key = Key {
            account: datum.account.to_owned(),
            region: datum.region.to_owned(),
            namespace: datum.namespace.to_owned(),
            name: datum.name.to_owned(),
            dimensions,
            unit: datum.unit.to_owned(),
        };
        let visible_ms = now_ms + DELAY_MS + spread(&key, datum.timestamp_ms.div_euclid(MINUTE_MS));
        let values = Distribution::of(datum.value, f64::from(times));
        self.with_data(|data| data.record(key, datum.timestamp_ms, visible_ms, &values));
    }

    /// Makes data visible that is due, and lets alarms look at it once a minute.
    pub(super) async fn tick(&self, world: &Arc<World>) {
        let now_ms = world.clock.now_ms();
        let transitions = self.with_data(|data| {
            data.advance(now_ms);
            self.alarms.evaluate(data, now_ms)
        });
        alarms::announce(world, transitions).await;
    }

    /// Answers one request.
    pub async fn handle(&self, world: &Arc<World>, request: Request) -> Response {
        let (protocol, operation, parameters) = wire::read(&request);
        let now_ms = world.clock.now_ms();
        let mut transitions = Vec::new();
        let result = parameters.and_then(|parameters| {
            let owner = Owner { account: &request.account, region: &request.region };
            let call = Call { owner, parameters: &parameters, now_ms };
            self.with_data(|data| {
                data.advance(now_ms);
                match operation.as_str() {
                    "PutMetricData" => put_metric_data(data, &call),
                    "GetMetricData" => get_metric_data(data, &call),
                    "GetMetricStatistics" => get_metric_statistics(data, &call),
                    "ListMetrics" => list_metrics(data, &call),
                    other => self.alarms.answer(other, &call, &mut transitions),
                }
            })
        });
        alarms::announce(world, transitions).await;
        wire::write(&request, protocol, &operation, &result)
    }
}

/// The same for all values of a metric in a minute, different from metric to metric.
fn spread(key: &Key, minute: i64) -> i64 {
    let seed = key
        .dimensions
        .iter()
        .fold(key.name.len() as u64, |seed, (_, value)| seed.wrapping_mul(31) + value.len() as u64);
    let mixed = (seed ^ minute.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    i64::try_from(mixed >> 40).unwrap_or(0) % SPREAD_MS
}

/// One request.
struct Call<'a> {
    owner: Owner<'a>,
    parameters: &'a Value,
    now_ms: i64,
}

fn wrong_value(text: impl Into<String>) -> Fault {
    Fault::new(400, "InvalidParameterValue", text)
}

fn wrong_combination(text: impl Into<String>) -> Fault {
    Fault::new(400, "InvalidParameterCombination", text)
}

fn missing(name: &str) -> Fault {
    Fault::new(400, "MissingParameter", format!("The parameter {name} is required."))
}

fn put_metric_data(data: &mut Data, call: &Call<'_>) -> Answer {
    let namespace = call.parameters["Namespace"].text().ok_or_else(|| missing("Namespace"))?;
    if namespace.starts_with("AWS/") || namespace.len() > 255 || namespace.starts_with(':') {
        return Err(wrong_value(format!("The value {namespace} for parameter Namespace is invalid.")));
    }
    if !call.parameters["EntityMetricData"].is_null() {
        return Err(Fault::not_implemented("CloudWatch", "PutMetricData with EntityMetricData"));
    }
    let datums = call.parameters["MetricData"].list();
    if datums.is_empty() {
        return Err(missing("MetricData"));
    }
    if datums.len() > MAX_DATUMS {
        return Err(wrong_value(format!("The collection MetricData must not have a size greater than {MAX_DATUMS}.")));
    }
    // All or nothing: what is wrong is found before anything is recorded.
    let mut parsed = Vec::new();
    for (at, datum) in datums.iter().enumerate() {
        parsed.push(parse_datum(call, namespace, datum, &format!("MetricData.member.{}", at + 1))?);
    }
    for (key, timestamp_ms, values) in parsed {
        data.record(key, timestamp_ms, call.now_ms, &values);
    }
    data.advance(call.now_ms);
    Ok(json!({}))
}

fn parse_datum(call: &Call<'_>, namespace: &str, datum: &Value, at: &str) -> Result<(Key, i64, Distribution), Fault> {
    const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
    let metric = json!({"Namespace": namespace, "MetricName": datum["MetricName"], "Dimensions": datum["Dimensions"]});
    let key = metric_key(call.owner, &metric, Some(datum["Unit"].text().unwrap_or("None")))?;
    if key.dimensions.len() > MAX_DIMENSIONS {
        return Err(wrong_value(format!(
            "The collection {at}.Dimensions must not have a size greater than {MAX_DIMENSIONS}."
        )));
    }
    if datum["StorageResolution"].integer().is_some_and(|seconds| seconds < 60) {
        return Err(Fault::not_implemented("CloudWatch", "PutMetricData with a storage resolution below 60 s"));
    }
    let timestamp_ms = match &datum["Timestamp"] {
        Value::Null => call.now_ms,
        time => time.time_ms().ok_or_else(|| wrong_value(format!("The parameter {at}.Timestamp is not a time.")))?,
    };
    if timestamp_ms < call.now_ms - 14 * DAY_MS {
        return Err(wrong_value(format!(
            "The parameter {at}.Timestamp must specify a time no more than two weeks in the past."
        )));
    }
    if timestamp_ms > call.now_ms + 2 * 60 * MINUTE_MS {
        return Err(wrong_value(format!(
            "The parameter {at}.Timestamp must specify a time within two hours of the current time."
        )));
    }
    let has = |name: &str| !datum[name].is_null() && datum[name] != json!([]);
    for (a, b) in [("Value", "Values"), ("Value", "StatisticValues"), ("Values", "StatisticValues")] {
        if has(a) && has(b) {
            return Err(wrong_combination(format!(
                "The parameters {at}.{a} and {at}.{b} are mutually exclusive and you have specified both."
            )));
        }
    }
    let number = |value: &Value, name: &str| {
        value.number().ok_or_else(|| wrong_value(format!("The value for {at}.{name} is not a number.")))
    };
    let mut values = Distribution::default();
    if has("StatisticValues") {
        let set = &datum["StatisticValues"];
        let field = |name: &str| number(&set[name], &format!("StatisticValues.{name}"));
        values = Distribution::summary(field("SampleCount")?, field("Sum")?, field("Minimum")?, field("Maximum")?);
    } else if has("Values") {
        let (list, counts) = (datum["Values"].list(), datum["Counts"].list());
        if list.len() > MAX_VALUES {
            return Err(wrong_value(format!(
                "The collection {at}.Values must not have a size greater than {MAX_VALUES}."
            )));
        }
        if !counts.is_empty() && counts.len() != list.len() {
            return Err(wrong_value(format!("The parameters {at}.Values and {at}.Counts must be of the same size.")));
        }
        for (index, value) in list.iter().enumerate() {
            let count = counts.get(index).map_or(Ok(1.0), |count| number(count, "Counts"))?;
            values.add(number(value, "Values")?, count);
        }
    } else {
        values = Distribution::of(number(&datum["Value"], "Value")?, 1.0);
    }
    Ok((key, timestamp_ms, values))
}

fn time(call: &Call<'_>, name: &str) -> Result<i64, Fault> {
    call.parameters[name].time_ms().ok_or_else(|| missing(name))
}

fn get_metric_data(data: &Data, call: &Call<'_>) -> Answer {
    let queries = data::parse_queries(call.owner, &call.parameters["MetricDataQueries"])?;
    let found = data::run(data, &queries, time(call, "StartTime")?, time(call, "EndTime")?)?;
    let most = call.parameters["MaxDatapoints"].integer().and_then(|most| usize::try_from(most).ok());
    let skip = match call.parameters["NextToken"].text() {
        Some(token) => token.parse().map_err(|_| Fault::new(400, "InvalidNextToken", "The next token is not valid"))?,
        None => 0,
    };
    let ascending = match call.parameters["ScanBy"].text() {
        None | Some("TimestampDescending") => false,
        Some("TimestampAscending") => true,
        Some(other) => return Err(invalid(format!("The value {other} for parameter ScanBy is not supported."))),
    };
    let most = most.filter(|most| *most > 0).unwrap_or(MAX_DATAPOINTS).min(MAX_DATAPOINTS);
    Ok(data::answer(&found, ascending, most, skip))
}

fn get_metric_statistics(data: &Data, call: &Call<'_>) -> Answer {
    let key = metric_key(call.owner, call.parameters, call.parameters["Unit"].text())?;
    let (start_ms, end_ms) = (time(call, "StartTime")?, time(call, "EndTime")?);
    if start_ms >= end_ms {
        return Err(wrong_value("The parameter StartTime must be less than the parameter EndTime."));
    }
    let period_s = call.parameters["Period"].integer().ok_or_else(|| missing("Period"))?;
    if !is_period(period_s) {
        return Err(wrong_value("The parameter Period must be a multiple of 60 or 1, 5, 10, 20, 30."));
    }
    let points = (end_ms - start_ms) / (period_s * 1000);
    if points > MAX_STATISTICS {
        return Err(wrong_combination(format!(
            "You have requested up to {points} datapoints, which exceeds the limit of {MAX_STATISTICS}. You may reduce the datapoints requested by increasing Period, or decreasing the time range."
        )));
    }
    let plain = call.parameters["Statistics"].texts();
    let extended = call.parameters["ExtendedStatistics"].texts();
    if plain.is_empty() && extended.is_empty() {
        return Err(Fault::new(400, "MissingParameter", "Must specify either Statistics or ExtendedStatistics"));
    }
    let read = |names: &[String]| -> Result<Vec<(String, Statistic)>, Fault> {
        let unknown = |name: &String| wrong_value(format!("The value {name} is not a statistic."));
        names.iter().map(|name| Ok((name.clone(), Statistic::parse(name).ok_or_else(|| unknown(name))?))).collect()
    };
    let (plain, extended) = (read(&plain)?, read(&extended)?);
    let mut datapoints = Vec::new();
    for (found, minutes) in data.find(&key) {
        for (time, values) in data::periods(minutes, period_s, start_ms, end_ms) {
            let mut point = json!({"Timestamp": time as f64 / 1000.0, "Unit": found.unit});
            for (name, statistic) in &plain {
                if let Some(value) = statistic.of(&values) {
                    point[name] = json!(value);
                }
            }
            for (name, statistic) in &extended {
                if let Some(value) = statistic.of(&values) {
                    point["ExtendedStatistics"][name] = json!(value);
                }
            }
            datapoints.push(point);
        }
    }
    Ok(json!({"Label": key.name, "Datapoints": datapoints}))
}

fn list_metrics(data: &Data, call: &Call<'_>) -> Answer {
    const RECENT_MS: i64 = 3 * 60 * MINUTE_MS;
    let (namespace, name) = (call.parameters["Namespace"].text(), call.parameters["MetricName"].text());
    let wanted: Vec<(&str, Option<&str>)> = call.parameters["Dimensions"]
        .list()
        .iter()
        .filter_map(|dimension| Some((dimension["Name"].text()?, dimension["Value"].text())))
        .collect();
    let recent = call.parameters["RecentlyActive"].text() == Some("PT3H");
    let skip: usize = call.parameters["NextToken"].text().and_then(|token| token.parse().ok()).unwrap_or(0);
    let has = |key: &Key, (name, value): &(&str, Option<&str>)| {
        key.dimensions.iter().any(|(known, its)| known == name && value.is_none_or(|value| value == its))
    };
    let mut metrics: Vec<&Key> = data
        .metrics(call.owner.account, call.owner.region)
        .filter(|(key, newest)| {
            namespace.is_none_or(|namespace| key.namespace == namespace)
                && name.is_none_or(|name| key.name == name)
                && wanted.iter().all(|dimension| has(key, dimension))
                && (!recent || *newest >= call.now_ms - RECENT_MS)
        })
        .map(|(key, _)| key)
        .collect();
    // The unit is no part of a metric's identity.
    metrics.dedup_by(|a, b| (&a.namespace, &a.name, &a.dimensions) == (&b.namespace, &b.name, &b.dimensions));
    let page: Vec<Value> = metrics
        .iter()
        .skip(skip)
        .take(MAX_METRICS)
        .map(|key| {
            let dimensions: Vec<Value> =
                key.dimensions.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
            json!({"Namespace": key.namespace, "MetricName": key.name, "Dimensions": dimensions})
        })
        .collect();
    let mut answer = json!({"Metrics": page});
    if metrics.len() > skip + MAX_METRICS {
        answer["NextToken"] = json!((skip + MAX_METRICS).to_string());
    }
    Ok(answer)
}
