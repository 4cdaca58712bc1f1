//! Reading data: GetMetricData's queries, for clients and for alarms.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use super::math::{self, Expression, Points, Scope, Worth};
use super::series::{Data, Key, MINUTE_MS};
use super::statistic::{Distribution, Statistic};
use super::wire::Parameter;
use crate::sandbox::query::Fault;

/// Queries of one request.
const MAX_QUERIES: usize = 500;
/// Points of one series: fifteen days of minutes.
const MAX_POINTS: i64 = 15 * 24 * 60;

/// Whose data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner<'a> {
    pub(super) account: &'a str,
    pub(super) region: &'a str,
}

/// One of the queries.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) id: String,
    label: Option<String>,
    returns: bool,
    period_s: Option<i64>,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Metric { key: Key, statistic: Statistic },
    Math { text: String, expression: Expression },
}

/// What a query gives.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) points: Points,
    pub(super) units: Vec<String>,
}

pub(super) fn invalid(text: impl Into<String>) -> Fault {
    Fault::new(400, "ValidationError", text)
}

/// Reads and checks queries.
pub(super) fn parse_queries(owner: Owner<'_>, queries: &Value) -> Result<Vec<Query>, Fault> {
    let list = queries.list();
    if list.is_empty() || list.len() > MAX_QUERIES {
        return Err(invalid(format!("A request has between 1 and {MAX_QUERIES} metric data queries")));
    }
    let parsed: Vec<Query> = list.iter().map(|query| parse_query(owner, query)).collect::<Result<_, _>>()?;
    let mut seen = HashSet::new();
    if let Some(twice) = parsed.iter().find(|query| !seen.insert(&query.id)) {
        return Err(invalid(format!("The id {} is used more than once", twice.id)));
    }
    if !parsed.iter().any(|query| query.returns) {
        return Err(invalid("At least one metric data query must return data"));
    }
    Ok(parsed)
}

fn parse_query(owner: Owner<'_>, query: &Value) -> Result<Query, Fault> {
    let id = query["Id"].text().unwrap_or_default();
    let mut letters = id.chars();
    if !letters.next().is_some_and(|first| first.is_ascii_lowercase())
        || !letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
    {
        return Err(invalid(format!(
            "Invalid metrics list: the id {id:?} must begin with a lower-case letter and have only letters, digits and underscores"
        )));
    }
    let (source, period_s) = match (query["Expression"].text(), query.get("MetricStat").filter(|stat| !stat.is_null()))
    {
        (Some(text), None) => {
            let expression = math::parse(text).map_err(|why| invalid(format!("Error in expression '{id}': {why}")))?;
            (Source::Math { text: text.to_owned(), expression }, query["Period"].integer())
        }
        (None, Some(stat)) => {
            let name = stat["Stat"].text().unwrap_or_default();
            let statistic = Statistic::parse(name)
                .ok_or_else(|| invalid(format!("The value {name} for parameter Stat is not supported.")))?;
            let key = metric_key(owner, &stat["Metric"], stat["Unit"].text())?;
            (Source::Metric { key, statistic }, stat["Period"].integer())
        }
        _ => return Err(invalid(format!("The query {id} must have either an Expression or a MetricStat"))),
    };
    match (&source, period_s) {
        (Source::Math { .. }, None) => {}
        (_, Some(period)) if is_period(period) => {}
        _ => return Err(invalid("Period must be 1, 5, 10, 20, 30 or a multiple of 60")),
    }
    Ok(Query {
        id: id.to_owned(),
        label: query["Label"].text().map(str::to_owned),
        returns: query["ReturnData"].flag().unwrap_or(true),
        period_s,
        source,
    })
}

pub(super) fn is_period(seconds: i64) -> bool {
    matches!(seconds, 1 | 5 | 10 | 20 | 30) || seconds >= 60 && seconds % 60 == 0
}

/// Reads namespace, name and dimensions.
pub(super) fn metric_key(owner: Owner<'_>, metric: &Value, unit: Option<&str>) -> Result<Key, Fault> {
    let missing = |name: &str| Fault::new(400, "MissingParameter", format!("The parameter {name} is required."));
    Ok(Key {
        account: owner.account.to_owned(),
        region: owner.region.to_owned(),
        namespace: metric["Namespace"].text().ok_or_else(|| missing("Namespace"))?.to_owned(),
        name: metric["MetricName"].text().ok_or_else(|| missing("MetricName"))?.to_owned(),
        dimensions: dimensions(&metric["Dimensions"])?,
        unit: unit.unwrap_or_default().to_owned(),
    })
}

/// Reads dimensions, sorted.
pub(super) fn dimensions(list: &Value) -> Result<Vec<(String, String)>, Fault> {
    let mut dimensions = Vec::new();
    for dimension in list.list() {
        let (Some(name), Some(value)) = (dimension["Name"].text(), dimension["Value"].text()) else {
            return Err(Fault::new(400, "InvalidParameterValue", "A dimension has a Name and a Value"));
        };
        dimensions.push((name.to_owned(), value.to_owned()));
    }
    dimensions.sort();
    Ok(dimensions)
}

/// Answers the queries that return data, for `start_ms <= time < end_ms`.
pub(super) fn run(data: &Data, queries: &[Query], start_ms: i64, end_ms: i64) -> Result<Vec<Found>, Fault> {
    let session = Session::new(data, queries, start_ms, end_ms)?;
    let mut found = Vec::new();
    for query in queries.iter().filter(|query| query.returns) {
        let (worth, label, units) = match &query.source {
            Source::Metric { key, .. } => {
                let (points, units) = session.metrics.get(query.id.as_str()).cloned().unwrap_or_default();
                (Worth::Series(points), key.name.clone(), units)
            }
            Source::Math { text, .. } => {
                let worth = session.worth(&query.id, 0);
                let worth = worth.map_err(|why| invalid(format!("Error in expression '{}': {why}", query.id)))?;
                (worth, text.clone(), Vec::new())
            }
        };
        let label = query.label.clone().unwrap_or(label);
        let series = match worth {
            Worth::Series(points) => vec![points],
            Worth::List(list) => list,
            Worth::Scalar(_) => {
                return Err(invalid(format!(
                    "Error in expression '{}': the expression must return a time series",
                    query.id
                )));
            }
        };
        found.extend(series.into_iter().map(|points| Found {
            id: query.id.clone(),
            label: label.clone(),
            points,
            units: units.clone(),
        }));
    }
    Ok(found)
}

/// The points of a metric, and the units in which it has data.
pub(super) fn points(
    data: &Data,
    key: &Key,
    period_s: i64,
    start_ms: i64,
    end_ms: i64,
    statistic: Statistic,
) -> (Points, Vec<String>) {
    let found = data.find(key);
    let units: Vec<String> = found.iter().map(|(key, _)| key.unit.clone()).collect();
    // Without a unit the first that has data is answered, as AWS does, with a message.
    let points = found.first().map(|(_, minutes)| periods(minutes, period_s, start_ms, end_ms)).unwrap_or_default();
    let points = points.into_iter().filter_map(|(time, values)| Some((time, statistic.of(&values)?))).collect();
    (points, units)
}

/// Minutes put together to periods.
pub(super) fn periods(
    minutes: &BTreeMap<i64, Distribution>,
    period_s: i64,
    start_ms: i64,
    end_ms: i64,
) -> BTreeMap<i64, Distribution> {
    // There is no data finer than a minute.
    if period_s * 1000 < MINUTE_MS {
        return BTreeMap::new();
    }
    let start = floor(start_ms, period_s);
    let mut periods: BTreeMap<i64, Distribution> = BTreeMap::new();
    for (minute, values) in minutes.range(start..).take_while(|(minute, _)| floor(**minute, period_s) < end_ms) {
        periods.entry(floor(*minute, period_s)).or_default().merge(values);
    }
    periods
}

fn floor(time_ms: i64, period_s: i64) -> i64 {
    let period_ms = period_s * 1000;
    time_ms.div_euclid(period_ms) * period_ms
}

/// One request's metrics, read once, and its expressions.
struct Session<'q> {
    queries: &'q [Query],
    metrics: BTreeMap<&'q str, (Points, Vec<String>)>,
    start_ms: i64,
    end_ms: i64,
}

impl<'q> Session<'q> {
    fn new(data: &Data, queries: &'q [Query], start_ms: i64, end_ms: i64) -> Result<Self, Fault> {
        let shortest = queries.iter().filter_map(|query| query.period_s).min().unwrap_or(60);
        if end_ms <= start_ms {
            return Err(invalid("The parameter StartTime must be less than the parameter EndTime."));
        }
        if (end_ms - start_ms) / (shortest.max(60) * 1000) > MAX_POINTS {
            return Err(invalid("The time range has too many periods; take a longer Period or a shorter range."));
        }
        let mut metrics = BTreeMap::new();
        for query in queries {
            if let Source::Metric { key, statistic } = &query.source {
                let period_s = query.period_s.unwrap_or(60);
                metrics.insert(query.id.as_str(), points(data, key, period_s, start_ms, end_ms, *statistic));
            }
        }
        Ok(Self { queries, metrics, start_ms, end_ms })
    }

    fn query(&self, id: &str) -> Option<&'q Query> {
        self.queries.iter().find(|query| query.id == id)
    }

    fn worth(&self, id: &str, depth: usize) -> Result<Worth, String> {
        if depth > self.queries.len() {
            return Err("the expressions refer to each other in a circle".to_owned());
        }
        let query = self.query(id).ok_or_else(|| format!("there is no query with the id {id}"))?;
        match &query.source {
            Source::Metric { .. } => {
                Ok(Worth::Series(self.metrics.get(id).map(|(points, _)| points.clone()).unwrap_or_default()))
            }
            Source::Math { expression, .. } => {
                let period_s = query.period_s.unwrap_or_else(|| self.period_of(expression, 0));
                math::evaluate(expression, &Within { session: self, period_s, depth })
            }
        }
    }

    /// The longest period of what an expression refers to.
    fn period_of(&self, expression: &Expression, depth: usize) -> i64 {
        let ids = math::ids(expression);
        let named = ids.iter().filter_map(|id| self.query(id)).filter_map(|query| match &query.source {
            Source::Math { expression, .. } if query.period_s.is_none() && depth < self.queries.len() => {
                Some(self.period_of(expression, depth + 1))
            }
            _ => query.period_s,
        });
        // METRICS() names nobody and means all.
        let all = self.queries.iter().filter_map(|query| query.period_s);
        named.max().or(all.max()).unwrap_or(60)
    }
}

/// A session as one expression sees it.
struct Within<'s, 'q> {
    session: &'s Session<'q>,
    period_s: i64,
    depth: usize,
}

impl Scope for Within<'_, '_> {
    fn get(&self, id: &str) -> Result<Worth, String> {
        self.session.worth(id, self.depth + 1)
    }

    fn metrics(&self, containing: &str) -> Vec<Points> {
        let metrics = self.session.metrics.iter();
        metrics.filter(|(id, _)| id.contains(containing)).map(|(_, (points, _))| points.clone()).collect()
    }

    fn grid(&self) -> Vec<i64> {
        let step = self.period_s.max(60) * 1000;
        let first = floor(self.session.start_ms, self.period_s.max(60));
        (0..).map(|n| first + n * step).take_while(|time| *time < self.session.end_ms).collect()
    }

    fn period_s(&self) -> i64 {
        self.period_s
    }
}

/// The answer of GetMetricData: newest first unless asked otherwise, cut to `most` points.
pub(super) fn answer(found: &[Found], ascending: bool, most: usize, skip: usize) -> Value {
    let mut position = 0;
    let mut results = Vec::new();
    for one in found {
        let mut points: Vec<(i64, f64)> = one.points.iter().map(|(time, value)| (*time, *value)).collect();
        if !ascending {
            points.reverse();
        }
        let from = skip.saturating_sub(position).min(points.len());
        let to = (skip + most).saturating_sub(position).min(points.len());
        position += points.len();
        // A page shows the series of which it has points, and those that have none at all.
        if from >= to && !points.is_empty() {
            continue;
        }
        let (times, values): (Vec<f64>, Vec<f64>) =
            points[from..to].iter().map(|(time, value)| (*time as f64 / 1000.0, *value)).unzip();
        let mut result = json!({
            "Id": one.id,
            "Label": one.label,
            "Timestamps": times,
            "Values": values,
            "StatusCode": if to < points.len() { "PartialData" } else { "Complete" },
        });
        if one.units.len() > 1 {
            let text = format!("Multiple units returned: '[{}]'", one.units.join(", "));
            result["Messages"] = json!([{"Code": "MultipleUnits", "Value": text}]);
        }
        results.push(result);
    }
    let mut answer = json!({"MetricDataResults": results, "Messages": []});
    if position > skip + most {
        answer["NextToken"] = json!((skip + most).to_string());
    }
    answer
}
