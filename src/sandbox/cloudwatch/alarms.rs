//! The alarms of all accounts: their operations, and their evaluation once a minute.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Map, Value, json};

use super::alarm::{Alarm, Comparison, Condition, Missing, State, Verdict, Watch, long_time};
use super::data::{self, Owner, invalid, is_period};
use super::rule::Rule;
use super::series::{Data, MINUTE_MS};
use super::wire::Parameter;
use super::{Answer, Call, Fault, missing, wrong_value};
use crate::sandbox::Error;
use crate::sandbox::http::Request;
use crate::sandbox::router::ServiceName;
use crate::sandbox::state::{Persisted, World};

/// Alarms of one answer.
const MAX_DESCRIBED: usize = 100;
/// Rounds in which composite alarms of composite alarms settle.
const MAX_ROUNDS: usize = 10;

/// Alarms by `account/region`, then name.
type ByOwner = BTreeMap<String, BTreeMap<String, Alarm>>;

/// All alarms.
#[derive(Debug)]
pub(super) struct Alarms {
    kept: Persisted<ByOwner>,
    last_minute: AtomicI64,
}

/// An alarm that has changed its state and whose actions are to be carried out.
#[derive(Debug)]
pub(super) struct Transition {
    account: String,
    region: String,
    actions: Vec<String>,
    subject: String,
    message: Value,
}

fn owner_key(owner: Owner<'_>) -> String {
    format!("{}/{}", owner.account, owner.region)
}

impl Alarms {
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        Ok(Self { kept: Persisted::open(dir.join("alarms.json"))?, last_minute: AtomicI64::new(i64::MIN) })
    }

    pub(super) fn flush(&self) -> Result<(), Error> {
        self.kept.flush()
    }

    /// Lets every alarm look at the data that is visible, once a minute of the sandbox's clock.
    pub(super) fn evaluate(&self, data: &Data, now_ms: i64) -> Vec<Transition> {
        let minute = now_ms.div_euclid(MINUTE_MS);
        if self.last_minute.swap(minute, Ordering::AcqRel) == minute || self.kept.read(ByOwner::is_empty) {
            return Vec::new();
        }
        self.kept.write(|owners| {
            let mut transitions = Vec::new();
            for (key, alarms) in owners.iter_mut() {
                let Some((account, region)) = key.split_once('/') else { continue };
                let owner = Owner { account, region };
                for alarm in alarms.values_mut().filter(|alarm| alarm.evaluated_ms < minute * MINUTE_MS) {
                    alarm.evaluated_ms = minute * MINUTE_MS;
                    if let Some(verdict) = judge(data, owner, alarm, now_ms) {
                        settle(alarm, owner, now_ms, verdict, &mut transitions);
                    }
                }
                evaluate_rules(alarms, owner, now_ms, &mut transitions);
            }
            transitions
        })
    }

    pub(super) fn answer(&self, operation: &str, call: &Call<'_>, transitions: &mut Vec<Transition>) -> Answer {
        match operation {
            "PutMetricAlarm" => self.put(call, metric_alarm(call)?),
            "PutCompositeAlarm" => {
                let answer = self.put(call, composite_alarm(call)?)?;
                self.with(call, |alarms| evaluate_rules(alarms, call.owner, call.now_ms, transitions));
                Ok(answer)
            }
            "DescribeAlarms" => self.describe(call),
            "DescribeAlarmsForMetric" => self.describe_for_metric(call),
            "DeleteAlarms" => {
                let names = call.parameters["AlarmNames"].texts();
                self.with(call, |alarms| alarms.retain(|name, _| !names.contains(name)));
                Ok(json!({}))
            }
            "SetAlarmState" => self.set_state(call, transitions),
            "DescribeAlarmHistory" => self.history(call),
            "EnableAlarmActions" => self.enable_actions(call, true),
            "DisableAlarmActions" => self.enable_actions(call, false),
            "TagResource" => {
                let tags = tags(call)?;
                self.with_arn(call, |alarm| {
                    alarm.tags.retain(|(key, _)| !tags.iter().any(|(new, _)| new == key));
                    alarm.tags.extend(tags);
                    json!({})
                })
            }
            "UntagResource" => {
                let keys = call.parameters["TagKeys"].texts();
                self.with_arn(call, |alarm| {
                    alarm.tags.retain(|(key, _)| !keys.contains(key));
                    json!({})
                })
            }
            "ListTagsForResource" => {
                let write = |alarm: &mut Alarm| -> Value {
                    let tags: Vec<Value> =
                        alarm.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
                    json!({"Tags": tags})
                };
                // Of an alarm that is gone AWS says that it has none.
                Ok(self.with_arn(call, write).unwrap_or_else(|_| json!({"Tags": []})))
            }
            other => Err(Fault::not_implemented("CloudWatch", other)),
        }
    }

    fn with<R>(&self, call: &Call<'_>, change: impl FnOnce(&mut BTreeMap<String, Alarm>) -> R) -> R {
        self.kept.write(|owners| change(owners.entry(owner_key(call.owner)).or_default()))
    }

    fn with_arn(&self, call: &Call<'_>, change: impl FnOnce(&mut Alarm) -> Value) -> Answer {
        let arn = call.parameters["ResourceARN"].text().ok_or_else(|| missing("ResourceARN"))?;
        self.with(call, |alarms| alarms.values_mut().find(|alarm| alarm.arn == arn).map(change)).ok_or_else(not_found)
    }

    /// Makes an alarm, or gives one that is there other parameters; its state stays.
    fn put(&self, call: &Call<'_>, mut new: Alarm) -> Answer {
        self.with(call, |alarms| {
            let (summary, kind) = match alarms.remove(&new.name) {
                Some(old) if old.is_composite() != new.is_composite() => {
                    let text = "An alarm of the other type with this name already exists";
                    alarms.insert(old.name.clone(), old);
                    return Err(invalid(text));
                }
                Some(old) => {
                    new = Alarm {
                        state: old.state,
                        reason: old.reason,
                        reason_data: old.reason_data,
                        state_updated_ms: old.state_updated_ms,
                        transitioned_ms: old.transitioned_ms,
                        tags: old.tags,
                        history: old.history,
                        ..new
                    };
                    (format!("Alarm \"{}\" updated", new.name), "Update")
                }
                None => (format!("Alarm \"{}\" created", new.name), "Create"),
            };
            let data = json!({"version": "1.0", "type": kind});
            new.remember(call.now_ms, "ConfigurationUpdate", summary, data);
            alarms.insert(new.name.clone(), new);
            Ok(json!({}))
        })
    }

    fn describe(&self, call: &Call<'_>) -> Answer {
        let parameters = call.parameters;
        let names = parameters["AlarmNames"].texts();
        let prefix = parameters["AlarmNamePrefix"].text().unwrap_or_default();
        let state = parameters["StateValue"].text();
        let action = parameters["ActionPrefix"].text();
        let types = parameters["AlarmTypes"].texts();
        for parameter in ["ChildrenOfAlarmName", "ParentsOfAlarmName"] {
            if parameters[parameter].text().is_some() {
                return Err(Fault::not_implemented("CloudWatch", &format!("DescribeAlarms with {parameter}")));
            }
        }
        // Unless asked for, composite alarms are left out.
        let composite = types.iter().any(|kind| kind == "CompositeAlarm");
        let metric = types.is_empty() || types.iter().any(|kind| kind == "MetricAlarm");
        let after = parameters["NextToken"].text().unwrap_or_default();
        let most = parameters["MaxRecords"].integer().and_then(|most| usize::try_from(most).ok());
        let most = most.filter(|most| *most > 0).unwrap_or(MAX_DESCRIBED).min(MAX_DESCRIBED);
        let mut found: Vec<Alarm> = self.with(call, |alarms| {
            let matching = alarms.values().filter(|alarm| {
                (names.is_empty() || names.contains(&alarm.name))
                    && alarm.name.starts_with(prefix)
                    && alarm.name.as_str() > after
                    && state.is_none_or(|state| alarm.state.name() == state)
                    && action.is_none_or(|prefix| actions(alarm).iter().any(|action| action.starts_with(prefix)))
                    && if alarm.is_composite() { composite } else { metric }
            });
            matching.take(most + 1).cloned().collect()
        });
        let more = found.len() > most;
        found.truncate(most);
        let (composites, metrics): (Vec<&Alarm>, Vec<&Alarm>) = found.iter().partition(|alarm| alarm.is_composite());
        let write = |alarms: Vec<&Alarm>| alarms.into_iter().map(describe).collect::<Vec<_>>();
        let mut answer = json!({"CompositeAlarms": write(composites), "MetricAlarms": write(metrics)});
        if more {
            answer["NextToken"] = json!(found.last().map(|alarm| &alarm.name));
        }
        Ok(answer)
    }

    fn describe_for_metric(&self, call: &Call<'_>) -> Answer {
        let wanted = data::metric_key(call.owner, call.parameters, None)?;
        let found: Vec<Value> = self.with(call, |alarms| {
            let matching = alarms
                .values()
                .filter(|alarm| data::metric_key(call.owner, &alarm.parameters, None).is_ok_and(|key| key == wanted));
            matching.map(describe).collect()
        });
        Ok(json!({"MetricAlarms": found}))
    }

    fn set_state(&self, call: &Call<'_>, transitions: &mut Vec<Transition>) -> Answer {
        let name = call.parameters["AlarmName"].text().ok_or_else(|| missing("AlarmName"))?;
        let value = call.parameters["StateValue"].text().unwrap_or_default();
        let state = State::parse(value).ok_or_else(|| {
            invalid(format!("1 validation error detected: Value '{value}' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]"))
        })?;
        let reason = call.parameters["StateReason"].text().ok_or_else(|| missing("StateReason"))?.to_owned();
        let data = match call.parameters["StateReasonData"].text() {
            Some(text) => Some(
                serde_json::from_str(text)
                    .map_err(|_| Fault::new(400, "InvalidFormat", "StateReasonData is not JSON"))?,
            ),
            None => None,
        };
        self.with(call, |alarms| {
            let alarm = alarms.get_mut(name).ok_or_else(not_found)?;
            settle(alarm, call.owner, call.now_ms, Verdict { state, reason, data }, transitions);
            evaluate_rules(alarms, call.owner, call.now_ms, transitions);
            Ok(json!({}))
        })
    }

    fn enable_actions(&self, call: &Call<'_>, enabled: bool) -> Answer {
        let names = call.parameters["AlarmNames"].texts();
        self.with(call, |alarms| {
            for alarm in alarms.values_mut().filter(|alarm| names.contains(&alarm.name)) {
                alarm.actions_enabled = enabled;
                alarm.configured_ms = call.now_ms;
            }
        });
        Ok(json!({}))
    }

    fn history(&self, call: &Call<'_>) -> Answer {
        let parameters = call.parameters;
        let name = parameters["AlarmName"].text();
        let kind = parameters["HistoryItemType"].text();
        let from = parameters["StartDate"].time_ms().unwrap_or(i64::MIN);
        let to = parameters["EndDate"].time_ms().unwrap_or(i64::MAX);
        let most = parameters["MaxRecords"].integer().and_then(|most| usize::try_from(most).ok());
        let most = most.filter(|most| *most > 0).unwrap_or(MAX_DESCRIBED).min(MAX_DESCRIBED);
        let skip: usize = parameters["NextToken"].text().and_then(|token| token.parse().ok()).unwrap_or(0);
        let mut items: Vec<(i64, Value)> = self.with(call, |alarms| {
            let matching = alarms.values().filter(|alarm| name.is_none_or(|name| alarm.name == name));
            let entries = matching.flat_map(|alarm| alarm.history.iter().map(move |entry| (alarm, entry)));
            entries
                .filter(|(_, entry)| kind.is_none_or(|kind| entry.kind == kind) && (from..=to).contains(&entry.time_ms))
                .map(|(alarm, entry)| {
                    let item = json!({
                        "AlarmName": alarm.name,
                        "AlarmType": if alarm.is_composite() { "CompositeAlarm" } else { "MetricAlarm" },
                        "Timestamp": seconds(entry.time_ms),
                        "HistoryItemType": entry.kind,
                        "HistorySummary": entry.summary,
                        "HistoryData": entry.data,
                    });
                    (entry.time_ms, item)
                })
                .collect()
        });
        items.sort_by_key(|(time, _)| *time);
        if parameters["ScanBy"].text() != Some("TimestampAscending") {
            items.reverse();
        }
        let total = items.len();
        let page: Vec<Value> = items.into_iter().skip(skip).take(most).map(|(_, item)| item).collect();
        let mut answer = json!({"AlarmHistoryItems": page});
        if total > skip + most {
            answer["NextToken"] = json!((skip + most).to_string());
        }
        Ok(answer)
    }
}

fn not_found() -> Fault {
    Fault::new(404, "ResourceNotFound", "")
}

fn seconds(time_ms: i64) -> f64 {
    time_ms as f64 / 1000.0
}

/// The state that data gives an alarm; `None` for composite ones, and where it stays.
fn judge(data: &Data, owner: Owner<'_>, alarm: &Alarm, now_ms: i64) -> Option<Verdict> {
    let Watch::Data { condition, queries } = &alarm.watch else { return None };
    let times = condition.periods(now_ms);
    let (start, end) = (*times.first()?, *times.last()? + condition.period_s * 1000);
    // They were checked when they were put.
    let queries = data::parse_queries(owner, queries).ok()?;
    let found = data::run(data, &queries, start, end).ok()?;
    let series = found.first()?;
    let points: Vec<(i64, Option<f64>)> = times.iter().map(|time| (*time, series.points.get(time).copied())).collect();
    condition.judge(&points, alarm.state)
}

/// Takes on a state and notes the actions that it asks for.
fn settle(alarm: &mut Alarm, owner: Owner<'_>, now_ms: i64, verdict: Verdict, transitions: &mut Vec<Transition>) {
    let before = alarm.state;
    // What stays the same is not an update.
    if verdict.state == before && alarm.reason_data.is_some() && verdict.data.is_some() {
        return;
    }
    if !alarm.set(now_ms, verdict) || !alarm.actions_enabled {
        return;
    }
    let name = match alarm.state {
        State::Ok => "OKActions",
        State::Alarm => "AlarmActions",
        State::InsufficientData => "InsufficientDataActions",
    };
    transitions.push(Transition {
        account: owner.account.to_owned(),
        region: owner.region.to_owned(),
        actions: alarm.parameters[name].texts(),
        subject: format!("{}: \"{}\" in {}", alarm.state.name(), alarm.name, owner.region),
        message: json!({
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.parameters["AlarmDescription"],
            "AWSAccountId": owner.account,
            "AlarmArn": alarm.arn,
            "NewStateValue": alarm.state.name(),
            "NewStateReason": alarm.reason,
            "OldStateValue": before.name(),
            "StateChangeTime": long_time(now_ms),
            "Region": owner.region,
        }),
    });
}

/// Composite alarms follow at once.
fn evaluate_rules(
    alarms: &mut BTreeMap<String, Alarm>,
    owner: Owner<'_>,
    now_ms: i64,
    transitions: &mut Vec<Transition>,
) {
    for _ in 0..MAX_ROUNDS {
        let states: BTreeMap<String, (State, String)> =
            alarms.iter().map(|(name, alarm)| (name.clone(), (alarm.state, alarm.arn.clone()))).collect();
        let before = transitions.len();
        for alarm in alarms.values_mut() {
            let Watch::Rule(text) = &alarm.watch else { continue };
            // It was checked when it was put.
            let Ok(rule) = Rule::parse(text) else { continue };
            let state =
                if rule.holds(&|name| states.get(name).map(|(state, _)| *state)) { State::Alarm } else { State::Ok };
            if state == alarm.state {
                continue;
            }
            let children: Vec<Value> = rule
                .names()
                .into_iter()
                .filter_map(|name| states.get(name))
                .map(|(state, arn)| json!({"arn": arn, "state": {"value": state.name(), "timestamp": long_time(now_ms)}}))
                .collect();
            let names = children.iter().filter_map(|child| child["arn"].as_str()).collect::<Vec<_>>().join(", ");
            let reason = format!("{} transitioned to {} at {}", names, state.name(), long_time(now_ms));
            settle(
                alarm,
                owner,
                now_ms,
                Verdict { state, reason, data: Some(json!({"triggeringAlarms": children})) },
                transitions,
            );
        }
        if transitions.len() == before {
            break;
        }
    }
}

/// Carries out what alarms ask for: a message to a topic.
pub(super) async fn announce(world: &Arc<World>, transitions: Vec<Transition>) {
    for transition in transitions {
        for arn in transition.actions.iter().filter(|arn| arn.contains(":sns:")) {
            let message = transition.message.to_string();
            let parameters =
                [("TopicArn", arn.as_str()), ("Subject", transition.subject.as_str()), ("Message", message.as_str())];
            let request = Request::form("Publish", &parameters, &transition.account, &transition.region);
            // A topic that is gone is the alarm's owner's affair, as on AWS.
            let _ = world.call(ServiceName::Sns, request).await;
        }
    }
}

fn actions(alarm: &Alarm) -> Vec<String> {
    ["OKActions", "AlarmActions", "InsufficientDataActions"]
        .iter()
        .flat_map(|name| alarm.parameters[*name].texts())
        .collect()
}

fn tags(call: &Call<'_>) -> Result<Vec<(String, String)>, Fault> {
    let tag = |tag: &Value| Some((tag["Key"].text()?.to_owned(), tag["Value"].as_str()?.to_owned()));
    let tags = call.parameters["Tags"].list().iter().map(tag).collect::<Option<Vec<_>>>();
    tags.ok_or_else(|| wrong_value("A tag has a Key and a Value"))
}

fn new_alarm(call: &Call<'_>, parameters: Value, watch: Watch) -> Result<Alarm, Fault> {
    let name = call.parameters["AlarmName"].text().ok_or_else(|| missing("AlarmName"))?;
    if name.len() > 255 {
        return Err(invalid(
            "1 validation error detected: Value at 'alarmName' failed to satisfy constraint: Member must have length less than or equal to 255",
        ));
    }
    let Owner { account, region } = call.owner;
    Ok(Alarm {
        name: name.to_owned(),
        arn: format!("arn:aws:cloudwatch:{region}:{account}:alarm:{name}"),
        parameters,
        watch,
        actions_enabled: call.parameters["ActionsEnabled"].flag().unwrap_or(true),
        state: State::InsufficientData,
        reason: "Unchecked: Initial alarm creation".to_owned(),
        reason_data: None,
        configured_ms: call.now_ms,
        state_updated_ms: call.now_ms,
        transitioned_ms: call.now_ms,
        tags: tags(call)?,
        history: Vec::new(),
        evaluated_ms: call.now_ms.div_euclid(MINUTE_MS) * MINUTE_MS,
    })
}

/// What both kinds of alarm have.
fn common(call: &Call<'_>) -> Map<String, Value> {
    let mut kept = Map::new();
    if let Some(text) = call.parameters["AlarmDescription"].text() {
        kept.insert("AlarmDescription".to_owned(), json!(text));
    }
    for name in ["OKActions", "AlarmActions", "InsufficientDataActions"] {
        kept.insert(name.to_owned(), json!(call.parameters[name].texts()));
    }
    kept
}

fn composite_alarm(call: &Call<'_>) -> Result<Alarm, Fault> {
    let text = call.parameters["AlarmRule"].text().ok_or_else(|| missing("AlarmRule"))?;
    Rule::parse(text).map_err(|why| invalid(format!("AlarmRule is not valid: {why}")))?;
    if call.parameters["ActionsSuppressor"].text().is_some() {
        return Err(Fault::not_implemented("CloudWatch", "PutCompositeAlarm with ActionsSuppressor"));
    }
    let mut kept = common(call);
    kept.insert("AlarmRule".to_owned(), json!(text));
    new_alarm(call, Value::Object(kept), Watch::Rule(text.to_owned()))
}

fn metric_alarm(call: &Call<'_>) -> Result<Alarm, Fault> {
    let parameters = call.parameters;
    for name in ["ThresholdMetricId", "EvaluationCriteria"] {
        if !parameters[name].is_null() {
            return Err(Fault::not_implemented("CloudWatch", &format!("PutMetricAlarm with {name}")));
        }
    }
    let mut kept = common(call);
    let operator = parameters["ComparisonOperator"].text().ok_or_else(|| missing("ComparisonOperator"))?;
    let comparison: Comparison = serde_json::from_value(json!(operator)).map_err(|_| invalid(format!("1 validation error detected: Value '{operator}' at 'comparisonOperator' failed to satisfy constraint: Member must satisfy enum value set: [GreaterThanOrEqualToThreshold, GreaterThanThreshold, LessThanThreshold, LessThanOrEqualToThreshold]")))?;
    let count = |name: &str| {
        parameters[name].integer().map(|count| usize::try_from(count).ok().filter(|count| (1..=1440).contains(count)))
    };
    let evaluation_periods = count("EvaluationPeriods").ok_or_else(|| missing("EvaluationPeriods"))?;
    let evaluation_periods = evaluation_periods.ok_or_else(|| wrong_value("EvaluationPeriods must be at least 1"))?;
    let datapoints = count("DatapointsToAlarm")
        .map(|count| count.ok_or_else(|| wrong_value("DatapointsToAlarm must be at least 1")));
    let datapoints = datapoints.transpose()?;
    let datapoints_to_alarm = datapoints.unwrap_or(evaluation_periods);
    if datapoints_to_alarm > evaluation_periods {
        return Err(invalid("DatapointsToAlarm must be less than or equal to EvaluationPeriods"));
    }
    let threshold = parameters["Threshold"].number().ok_or_else(|| missing("Threshold"))?;
    let treat = parameters["TreatMissingData"].text();
    let missing_data: Missing = match treat {
        Some(text) => serde_json::from_value(json!(text))
            .map_err(|_| invalid(format!("The value {text} for parameter TreatMissingData is not supported.")))?,
        None => Missing::default(),
    };
    kept.insert("ComparisonOperator".to_owned(), json!(operator));
    kept.insert("EvaluationPeriods".to_owned(), json!(evaluation_periods));
    kept.insert("Threshold".to_owned(), json!(threshold));
    if let Some(count) = datapoints {
        kept.insert("DatapointsToAlarm".to_owned(), json!(count));
    }
    if let Some(text) = treat {
        kept.insert("TreatMissingData".to_owned(), json!(text));
    }
    let (queries, period_s) = match parameters["Metrics"].list() {
        [] => single_metric(call, &mut kept)?,
        list => several_metrics(call, list, &mut kept)?,
    };
    if period_s.saturating_mul(i64::try_from(evaluation_periods).unwrap_or(i64::MAX)) > 7 * 24 * 60 * 60 {
        return Err(invalid(
            "Metrics cannot be checked across more than a week (EvaluationPeriods * Period must be <= 604800).",
        ));
    }
    let condition =
        Condition { comparison, threshold, evaluation_periods, datapoints_to_alarm, missing: missing_data, period_s };
    new_alarm(call, Value::Object(kept), Watch::Data { condition, queries })
}

/// One metric by itself, made a query.
fn single_metric(call: &Call<'_>, kept: &mut Map<String, Value>) -> Result<(Value, i64), Fault> {
    let parameters = call.parameters;
    let statistic = match (parameters["Statistic"].text(), parameters["ExtendedStatistic"].text()) {
        (Some(name), None) => ("Statistic", name),
        (None, Some(name)) => ("ExtendedStatistic", name),
        _ => return Err(invalid("Exactly one of Statistic and ExtendedStatistic must be specified")),
    };
    let period_s = parameters["Period"].integer().ok_or_else(|| missing("Period"))?;
    if !is_period(period_s) {
        return Err(invalid("Period must be 10, 20, 30 or a multiple of 60"));
    }
    let key = data::metric_key(call.owner, parameters, parameters["Unit"].text())?;
    let dimensions: Vec<Value> = parameters["Dimensions"]
        .list()
        .iter()
        .map(|dimension| json!({"Name": dimension["Name"], "Value": dimension["Value"]}))
        .collect();
    kept.insert("MetricName".to_owned(), json!(key.name));
    kept.insert("Namespace".to_owned(), json!(key.namespace));
    kept.insert("Dimensions".to_owned(), json!(dimensions));
    kept.insert("Period".to_owned(), json!(period_s));
    kept.insert(statistic.0.to_owned(), json!(statistic.1));
    for name in ["Unit", "EvaluateLowSampleCountPercentile"] {
        if let Some(text) = parameters[name].text() {
            kept.insert(name.to_owned(), json!(text));
        }
    }
    let metric = json!({"Namespace": key.namespace, "MetricName": key.name, "Dimensions": dimensions});
    let query = json!({"Id": "m1", "MetricStat": {"Metric": metric, "Period": period_s, "Stat": statistic.1, "Unit": parameters["Unit"]}});
    let queries = json!([query]);
    data::parse_queries(call.owner, &queries)?;
    Ok((queries, period_s))
}

/// Several metrics and one expression over them.
fn several_metrics(call: &Call<'_>, list: &[Value], kept: &mut Map<String, Value>) -> Result<(Value, i64), Fault> {
    for name in ["MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit"] {
        if call.parameters[name].text().is_some() || call.parameters[name].integer().is_some() {
            return Err(invalid(format!("The parameters Metrics and {name} are mutually exclusive")));
        }
    }
    // Numbers and flags as such: the query protocol has brought them as text.
    let typed: Vec<Value> = list
        .iter()
        .map(|query| {
            let mut query = query.clone();
            if let Some(returns) = query["ReturnData"].flag() {
                query["ReturnData"] = json!(returns);
            }
            if let Some(period) = query["Period"].integer() {
                query["Period"] = json!(period);
            }
            if let Some(period) = query["MetricStat"]["Period"].integer() {
                query["MetricStat"]["Period"] = json!(period);
            }
            query
        })
        .collect();
    if typed.iter().filter(|query| query["ReturnData"].flag().unwrap_or(true)).count() != 1 {
        return Err(invalid("Exactly one element of the metrics list should return data."));
    }
    let periods =
        typed.iter().filter_map(|query| query["MetricStat"]["Period"].integer().or(query["Period"].integer()));
    let period_s = periods.max().ok_or_else(|| invalid("The metrics list has no period"))?;
    let queries = json!(typed);
    data::parse_queries(call.owner, &queries)?;
    kept.insert("Metrics".to_owned(), queries.clone());
    Ok((queries, period_s))
}

fn describe(alarm: &Alarm) -> Value {
    let mut value = alarm.parameters.clone();
    value["AlarmName"] = json!(alarm.name);
    value["AlarmArn"] = json!(alarm.arn);
    value["ActionsEnabled"] = json!(alarm.actions_enabled);
    value["AlarmConfigurationUpdatedTimestamp"] = json!(seconds(alarm.configured_ms));
    value["StateValue"] = json!(alarm.state.name());
    value["StateReason"] = json!(alarm.reason);
    if let Some(data) = &alarm.reason_data {
        value["StateReasonData"] = json!(data);
    }
    value["StateUpdatedTimestamp"] = json!(seconds(alarm.state_updated_ms));
    value["StateTransitionedTimestamp"] = json!(seconds(alarm.transitioned_ms));
    if !alarm.is_composite() && value.get("Metrics").is_none() && value.get("Dimensions").is_none() {
        value["Dimensions"] = json!([]);
    }
    value
}
