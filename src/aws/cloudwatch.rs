//! CloudWatch: metrics by the minute, and the states of alarms.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{
    AlarmType, Dimension, Metric, MetricDataQuery, MetricStat, ScanBy, StateValue as SdkStateValue,
};
use aws_smithy_types::DateTime;

use super::{Aws, Error};

const SERVICE: &str = "cloudwatch";
/// An hour of fifty series is one page; a day is not asked for.
const MOST_PAGES: usize = 50;
/// `GetMetricData` takes so many queries at once.
const QUERIES_AT_ONCE: usize = 500;
/// `DescribeAlarms` takes so many names at once.
const NAMES_AT_ONCE: usize = 100;

/// A client for CloudWatch.
#[derive(Clone, Debug)]
pub struct CloudWatch {
    client: Client,
}

/// One series that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The name that its values come back under: a small letter, then letters and digits.
    pub id: String,
    /// Such as `AWS/Lambda`.
    pub namespace: String,
    /// Such as `Errors`.
    pub metric: String,
    /// Names and values.
    pub dimensions: Vec<(String, String)>,
    /// `Sum`, `Maximum`, `p95`, `TC(800:)`, …
    pub statistic: String,
    /// In seconds.
    pub period_s: i32,
}

/// An alarm's state and CloudWatch's reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state: AlarmState,
    /// Why, in CloudWatch's words.
    pub reason: String,
}

/// What an alarm says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmState {
    /// Nothing wrong.
    Ok,
    /// Firing.
    Alarm,
    /// Too little data.
    InsufficientData,
}

impl Aws {
    /// A client for CloudWatch.
    pub fn cloudwatch(&self) -> CloudWatch {
        CloudWatch { client: Client::new(self.sdk()) }
    }
}

impl CloudWatch {
    /// `GetMetricData` from `start_s` up to, not including, `end_s` (seconds since 1970). Gives the
    /// values by series and by their time; what has no data point is not there.
    ///
    /// # Errors
    /// The call failed.
    pub async fn metric_data(
        &self,
        series: &[Series],
        start_s: i64,
        end_s: i64,
    ) -> Result<BTreeMap<String, BTreeMap<i64, f64>>, Error> {
        let mut found = BTreeMap::new();
        for series in series.chunks(QUERIES_AT_ONCE) {
            self.read_series(series, start_s, end_s, &mut found).await?;
        }
        Ok(found)
    }

    async fn read_series(
        &self,
        series: &[Series],
        start_s: i64,
        end_s: i64,
        found: &mut BTreeMap<String, BTreeMap<i64, f64>>,
    ) -> Result<(), Error> {
        let queries: Vec<MetricDataQuery> = series.iter().map(query).collect();
        let mut token = None;
        for _ in 0..MOST_PAGES {
            let answer = self
                .client
                .get_metric_data()
                .set_metric_data_queries(Some(queries.clone()))
                .start_time(DateTime::from_secs(start_s))
                .end_time(DateTime::from_secs(end_s))
                .scan_by(ScanBy::TimestampAscending)
                .set_next_token(token.take())
                .send()
                .await
                .map_err(|error| {
                    let names = series.first().map_or("", |series| series.namespace.as_str());
                    Error::from_sdk(SERVICE, "GetMetricData", names, &error)
                })?;
            for result in answer.metric_data_results.unwrap_or_default() {
                let values = found.entry(result.id.unwrap_or_default()).or_default();
                let times = result.timestamps.unwrap_or_default();
                values.extend(times.iter().map(DateTime::secs).zip(result.values.unwrap_or_default()));
            }
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// `DescribeAlarms` of these names, composite ones too. One that is not there is left out.
    ///
    /// # Errors
    /// The call failed.
    pub async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, Error> {
        let mut alarms = Vec::new();
        for names in names.chunks(NAMES_AT_ONCE) {
            let answer = self
                .client
                .describe_alarms()
                .set_alarm_names(Some(names.to_vec()))
                .alarm_types(AlarmType::MetricAlarm)
                .alarm_types(AlarmType::CompositeAlarm)
                .send()
                .await
                .map_err(|error| Error::from_sdk(SERVICE, "DescribeAlarms", names.join(", "), &error))?;
            let metric = answer.metric_alarms.unwrap_or_default().into_iter();
            let metric = metric.map(|alarm| (alarm.alarm_name, alarm.state_value, alarm.state_reason));
            let composite = answer.composite_alarms.unwrap_or_default().into_iter();
            let composite = composite.map(|alarm| (alarm.alarm_name, alarm.state_value, alarm.state_reason));
            alarms.extend(metric.chain(composite).map(|(name, state, reason)| Alarm {
                name: name.unwrap_or_default(),
                state: match state {
                    Some(SdkStateValue::Ok) => AlarmState::Ok,
                    Some(SdkStateValue::Alarm) => AlarmState::Alarm,
                    _ => AlarmState::InsufficientData,
                },
                reason: reason.unwrap_or_default(),
            }));
        }
        Ok(alarms)
    }
}

fn query(series: &Series) -> MetricDataQuery {
    let dimensions =
        series.dimensions.iter().map(|(name, value)| Dimension::builder().name(name).value(value).build()).collect();
    let metric = Metric::builder()
        .namespace(&series.namespace)
        .metric_name(&series.metric)
        .set_dimensions(Some(dimensions))
        .build();
    let statistic = MetricStat::builder().metric(metric).period(series.period_s).stat(&series.statistic).build();
    MetricDataQuery::builder().id(&series.id).metric_stat(statistic).return_data(true).build()
}
