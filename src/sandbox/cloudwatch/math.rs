//! Metric math: expressions over the series of one request.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>

use std::collections::BTreeMap;

/// Points by their time in ms.
pub(super) type Points = BTreeMap<i64, f64>;

/// Nothing that a person writes nests deeper.
const MAX_DEPTH: usize = 64;

/// What an expression is worth.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Worth {
    Scalar(f64),
    Series(Points),
    List(Vec<Points>),
}

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Number(f64),
    Text(String),
    Id(String),
    List(Vec<Expression>),
    Call(String, Vec<Expression>),
    Negate(Box<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
}

/// What an expression can refer to.
pub(super) trait Scope {
    /// The worth of a query by its id.
    fn get(&self, id: &str) -> Result<Worth, String>;
    /// All metrics of the request whose id contains a text.
    fn metrics(&self, containing: &str) -> Vec<Points>;
    /// The times at which a point could be.
    fn grid(&self) -> Vec<i64>;
    /// Seconds of the period.
    fn period_s(&self) -> i64;
}

/// Reads an expression; the error is for the user.
pub(super) fn parse(text: &str) -> Result<Expression, String> {
    let tokens = tokenize(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
    let expression = parser.binary(0)?;
    match parser.peek() {
        None => Ok(expression),
        Some(token) => Err(format!("unexpected {token:?}")),
    }
}

/// The ids that an expression names.
pub(super) fn ids(expression: &Expression) -> Vec<&str> {
    match expression {
        Expression::Id(id) => vec![id],
        Expression::List(items) | Expression::Call(_, items) => items.iter().flat_map(ids).collect(),
        Expression::Negate(inner) => ids(inner),
        Expression::Binary(_, left, right) => [ids(left), ids(right)].concat(),
        Expression::Number(_) | Expression::Text(_) => Vec::new(),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Text(String),
    Word(String),
    Sign(&'static str),
}

/// Longer ones first.
const SIGNS: [&str; 20] =
    ["==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "^", "(", ")", "[", "]", ",", "AND", "OR"];

/// By how tightly they bind.
const LEVELS: [&[&str]; 6] =
    [&["OR", "||"], &["AND", "&&"], &["==", "!=", "<", "<=", ">", ">="], &["+", "-"], &["*", "/"], &["^"]];

fn tokenize(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let taken = if first.is_ascii_digit() || first == '.' {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let number = rest[..end].parse().map_err(|_| format!("{:?} is not a number", &rest[..end]))?;
            tokens.push(Token::Number(number));
            end
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let word = &rest[..end];
            let sign = SIGNS.into_iter().find(|sign| sign.eq_ignore_ascii_case(word));
            tokens.push(sign.map_or_else(|| Token::Word(word.to_owned()), Token::Sign));
            end
        } else if first == '"' || first == '\'' {
            let end = rest[1..].find(first).ok_or("a quotation mark is not closed")?;
            tokens.push(Token::Text(rest[1..=end].to_owned()));
            end + 2
        } else {
            let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign)).ok_or(format!("unexpected {first:?}"))?;
            tokens.push(Token::Sign(sign));
            sign.len()
        };
        rest = rest[taken..].trim_start();
    }
    Ok(tokens)
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn take_sign(&mut self, among: &[&str]) -> Option<&'static str> {
        match self.peek() {
            Some(Token::Sign(sign)) if among.contains(sign) => {
                let sign = *sign;
                self.at += 1;
                Some(sign)
            }
            _ => None,
        }
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        self.take_sign(&[sign]).map(drop).ok_or_else(|| format!("{sign:?} is missing"))
    }

    fn binary(&mut self, level: usize) -> Result<Expression, String> {
        let Some(signs) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        while let Some(sign) = self.take_sign(signs) {
            let right = self.binary(level + 1)?;
            left = Expression::Binary(sign, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("the expression is nested too deeply".to_owned());
        }
        let expression = match self.take_sign(&["-"]) {
            Some(_) => Ok(Expression::Negate(Box::new(self.unary()?))),
            None => self.atom(),
        };
        self.depth -= 1;
        expression
    }

    fn atom(&mut self) -> Result<Expression, String> {
        let token = self.peek().cloned().ok_or("the expression ends too early")?;
        self.at += 1;
        match token {
            Token::Number(number) => Ok(Expression::Number(number)),
            Token::Text(text) => Ok(Expression::Text(text)),
            Token::Word(word) => match self.take_sign(&["("]) {
                Some(_) => Ok(Expression::Call(word.to_ascii_uppercase(), self.items(")")?)),
                None => Ok(Expression::Id(word)),
            },
            Token::Sign("(") => {
                let inner = self.binary(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign("[") => Ok(Expression::List(self.items("]")?)),
            Token::Sign(sign) => Err(format!("unexpected {sign:?}")),
        }
    }

    fn items(&mut self, end: &str) -> Result<Vec<Expression>, String> {
        let mut items = Vec::new();
        if self.take_sign(&[end]).is_some() {
            return Ok(items);
        }
        loop {
            items.push(self.binary(0)?);
            if self.take_sign(&[","]).is_none() {
                break;
            }
        }
        self.expect(end)?;
        Ok(items)
    }
}

/// Computes an expression; the error is for the user.
pub(super) fn evaluate(expression: &Expression, scope: &dyn Scope) -> Result<Worth, String> {
    match expression {
        Expression::Number(number) => Ok(Worth::Scalar(*number)),
        Expression::Text(text) => Err(format!("the text {text:?} stands alone")),
        Expression::Id(id) => scope.get(id),
        Expression::List(items) => {
            let mut series = Vec::new();
            for item in items {
                match evaluate(item, scope)? {
                    Worth::Series(points) => series.push(points),
                    Worth::List(list) => series.extend(list),
                    Worth::Scalar(_) => return Err("a list holds time series, not numbers".to_owned()),
                }
            }
            Ok(Worth::List(series))
        }
        Expression::Negate(inner) => each(evaluate(inner, scope)?, |value| Some(-value)),
        Expression::Binary(sign, left, right) => {
            let (left, right) = (evaluate(left, scope)?, evaluate(right, scope)?);
            combine(left, right, |a, b| operate(sign, a, b))
        }
        Expression::Call(name, arguments) => call(name, arguments, scope),
    }
}

/// `None` where there is no result: a division by zero gives no point.
fn operate(sign: &str, a: f64, b: f64) -> Option<f64> {
    let truth = |condition: bool| if condition { 1.0 } else { 0.0 };
    #[expect(clippy::float_cmp, reason = "that is what == means in an expression")]
    let result = match sign {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        "^" => a.powf(b),
        "==" => truth(a == b),
        "!=" => truth(a != b),
        "<" => truth(a < b),
        "<=" => truth(a <= b),
        ">" => truth(a > b),
        ">=" => truth(a >= b),
        "AND" | "&&" => truth(a != 0.0 && b != 0.0),
        _ => truth(a != 0.0 || b != 0.0),
    };
    result.is_finite().then_some(result)
}

fn each(worth: Worth, apply: impl Fn(f64) -> Option<f64>) -> Result<Worth, String> {
    let points = |points: Points| points.into_iter().filter_map(|(time, value)| Some((time, apply(value)?))).collect();
    Ok(match worth {
        Worth::Scalar(value) => Worth::Scalar(apply(value).ok_or("the result is not a number")?),
        Worth::Series(series) => Worth::Series(points(series)),
        Worth::List(list) => Worth::List(list.into_iter().map(points).collect()),
    })
}

/// Series with series by their common times, series with a number at each time.
fn combine(left: Worth, right: Worth, apply: impl Fn(f64, f64) -> Option<f64>) -> Result<Worth, String> {
    let both = |left: &Points, right: &Points| -> Points {
        left.iter().filter_map(|(time, a)| Some((*time, apply(*a, *right.get(time)?)?))).collect()
    };
    match (left, right) {
        (Worth::Scalar(a), Worth::Scalar(b)) => Ok(Worth::Scalar(apply(a, b).ok_or("the result is not a number")?)),
        (left, Worth::Scalar(b)) => each(left, |a| apply(a, b)),
        (Worth::Scalar(a), right) => each(right, |b| apply(a, b)),
        (Worth::Series(left), Worth::Series(right)) => Ok(Worth::Series(both(&left, &right))),
        (Worth::List(left), Worth::Series(right)) => {
            Ok(Worth::List(left.iter().map(|left| both(left, &right)).collect()))
        }
        (Worth::Series(left), Worth::List(right)) => {
            Ok(Worth::List(right.iter().map(|right| both(&left, right)).collect()))
        }
        (Worth::List(left), Worth::List(right)) if left.len() == right.len() => {
            Ok(Worth::List(left.iter().zip(&right).map(|(left, right)| both(left, right)).collect()))
        }
        (Worth::List(_), Worth::List(_)) => Err("two lists of different length cannot be combined".to_owned()),
    }
}

fn call(name: &str, arguments: &[Expression], scope: &dyn Scope) -> Result<Worth, String> {
    let wrong = || format!("{name} is not called like this");
    match (name, arguments) {
        ("METRICS", []) => Ok(Worth::List(scope.metrics(""))),
        ("METRICS", [Expression::Text(containing)]) => Ok(Worth::List(scope.metrics(containing))),
        ("TIME_SERIES", [value]) => match evaluate(value, scope)? {
            Worth::Scalar(value) => Ok(Worth::Series(scope.grid().into_iter().map(|time| (time, value)).collect())),
            Worth::Series(_) | Worth::List(_) => Err(wrong()),
        },
        ("PERIOD", [series]) => {
            evaluate(series, scope)?;
            Ok(Worth::Scalar(scope.period_s() as f64))
        }
        ("FILL", [series, filler]) => fill(evaluate(series, scope)?, filler, scope),
        ("IF", [condition, yes]) => {
            let (condition, yes) = (evaluate(condition, scope)?, evaluate(yes, scope)?);
            choose(&condition, &yes, None)
        }
        ("IF", [condition, yes, no]) => {
            let (condition, yes, no) = (evaluate(condition, scope)?, evaluate(yes, scope)?, evaluate(no, scope)?);
            choose(&condition, &yes, Some(&no))
        }
        ("SUM" | "AVG" | "MIN" | "MAX" | "STDDEV" | "METRIC_COUNT", [first, others @ ..]) => {
            aggregate(name, first, others, scope)
        }
        ("ABS", [value]) => each(evaluate(value, scope)?, |value| Some(value.abs())),
        ("CEIL", [value]) => each(evaluate(value, scope)?, |value| Some(value.ceil())),
        ("FLOOR", [value]) => each(evaluate(value, scope)?, |value| Some(value.floor())),
        ("LOG", [value]) => each(evaluate(value, scope)?, |value| Some(value.ln()).filter(|value| value.is_finite())),
        ("LOG10", [value]) => {
            each(evaluate(value, scope)?, |value| Some(value.log10()).filter(|value| value.is_finite()))
        }
        ("DIFF" | "RATE" | "RUNNING_SUM" | "DIFF_TIME" | "REMOVE_EMPTY", [series]) => match evaluate(series, scope)? {
            Worth::Series(points) => Ok(Worth::Series(along(name, &points))),
            Worth::List(list) if name == "REMOVE_EMPTY" => {
                Ok(Worth::List(list.into_iter().filter(|points| !points.is_empty()).collect()))
            }
            Worth::List(list) => Ok(Worth::List(list.iter().map(|points| along(name, points)).collect())),
            Worth::Scalar(_) => Err(wrong()),
        },
        ("FIRST" | "LAST", [list]) => match evaluate(list, scope)? {
            Worth::List(list) => {
                let found = if name == "FIRST" { list.first() } else { list.last() };
                Ok(Worth::Series(found.cloned().unwrap_or_default()))
            }
            Worth::Scalar(_) | Worth::Series(_) => Err(wrong()),
        },
        (
            "SUM" | "AVG" | "MIN" | "MAX" | "STDDEV" | "METRIC_COUNT" | "METRICS" | "FILL" | "IF" | "TIME_SERIES"
            | "PERIOD" | "ABS" | "CEIL" | "FLOOR" | "LOG" | "LOG10" | "DIFF" | "RATE" | "RUNNING_SUM" | "DIFF_TIME"
            | "REMOVE_EMPTY" | "FIRST" | "LAST",
            _,
        ) => Err(wrong()),
        _ => Err(format!("the sandbox does not have the function {name}")),
    }
}

/// Over a list: at each time, over the series that have a point there. Over one series: one number.
fn aggregate(name: &str, first: &Expression, others: &[Expression], scope: &dyn Scope) -> Result<Worth, String> {
    let mut list = Vec::new();
    for argument in std::iter::once(first).chain(others) {
        match evaluate(argument, scope)? {
            Worth::Series(points) if others.is_empty() => {
                let values: Vec<f64> = points.into_values().collect();
                return Ok(Worth::Scalar(reduce(name, &values).unwrap_or(0.0)));
            }
            Worth::Series(points) => list.push(points),
            Worth::List(series) => list.extend(series),
            Worth::Scalar(_) => return Err(format!("{name} takes time series, not numbers")),
        }
    }
    if name == "METRIC_COUNT" {
        return Ok(Worth::Scalar(list.len() as f64));
    }
    let mut columns: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for (time, value) in list.into_iter().flatten() {
        columns.entry(time).or_default().push(value);
    }
    Ok(Worth::Series(columns.into_iter().filter_map(|(time, values)| Some((time, reduce(name, &values)?))).collect()))
}

fn reduce(name: &str, values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    let sum: f64 = values.iter().sum();
    match name {
        "SUM" => Some(sum),
        "METRIC_COUNT" => Some(1.0),
        _ if values.is_empty() => None,
        "AVG" => Some(sum / count),
        "MIN" => values.iter().copied().reduce(f64::min),
        "MAX" => values.iter().copied().reduce(f64::max),
        _ => {
            let mean = sum / count;
            Some((values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt())
        }
    }
}

/// What depends on the point before.
fn along(name: &str, points: &Points) -> Points {
    let pairs = points.iter().zip(points.iter().skip(1));
    let mut total = 0.0;
    match name {
        "DIFF" => pairs.map(|((_, before), (time, value))| (*time, value - before)).collect(),
        "DIFF_TIME" => pairs.map(|((before, _), (time, _))| (*time, (time - before) as f64 / 1000.0)).collect(),
        "RATE" => pairs
            .map(|((earlier, before), (time, value))| (*time, (value - before) / ((time - earlier) as f64 / 1000.0)))
            .collect(),
        "RUNNING_SUM" => points
            .iter()
            .map(|(time, value)| {
                total += value;
                (*time, total)
            })
            .collect(),
        _ => points.clone(),
    }
}

fn fill(worth: Worth, filler: &Expression, scope: &dyn Scope) -> Result<Worth, String> {
    enum Filler {
        Value(f64),
        Series(Points),
        Repeat,
        Linear,
    }
    let filler = match filler {
        Expression::Id(word) if word == "REPEAT" => Filler::Repeat,
        Expression::Id(word) if word == "LINEAR" => Filler::Linear,
        other => match evaluate(other, scope)? {
            Worth::Scalar(value) => Filler::Value(value),
            Worth::Series(points) => Filler::Series(points),
            Worth::List(_) => return Err("FILL takes a number, a series, REPEAT or LINEAR".to_owned()),
        },
    };
    let grid = scope.grid();
    let fill_one = |points: &Points| -> Points {
        let value_at = |time: i64| -> Option<f64> {
            if let Some(value) = points.get(&time) {
                return Some(*value);
            }
            match &filler {
                Filler::Value(value) => Some(*value),
                Filler::Series(other) => other.get(&time).copied(),
                Filler::Repeat => points.range(..time).next_back().map(|(_, value)| *value),
                Filler::Linear => {
                    let (before, low) = points.range(..time).next_back()?;
                    let (after, high) = points.range(time..).next()?;
                    Some(low + (high - low) * (time - before) as f64 / (after - before) as f64)
                }
            }
        };
        grid.iter().filter_map(|time| Some((*time, value_at(*time)?))).collect()
    };
    match worth {
        Worth::Series(points) => Ok(Worth::Series(fill_one(&points))),
        Worth::List(list) => Ok(Worth::List(list.iter().map(fill_one).collect())),
        Worth::Scalar(_) => Err("FILL takes a time series".to_owned()),
    }
}

/// `IF`: a condition that is a series decides at each time.
fn choose(condition: &Worth, yes: &Worth, no: Option<&Worth>) -> Result<Worth, String> {
    let at = |worth: &Worth, time: i64| match worth {
        Worth::Scalar(value) => Some(*value),
        Worth::Series(points) => points.get(&time).copied(),
        Worth::List(_) => None,
    };
    match condition {
        Worth::Scalar(value) if *value != 0.0 => Ok(yes.clone()),
        Worth::Scalar(_) => Ok(no.cloned().unwrap_or(Worth::Series(Points::new()))),
        Worth::Series(points) => {
            let chosen = points.iter().filter_map(|(time, value)| {
                let branch = if *value != 0.0 { Some(yes) } else { no };
                Some((*time, at(branch?, *time)?))
            });
            Ok(Worth::Series(chosen.collect()))
        }
        Worth::List(_) => Err("the condition of IF is a number or one time series".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(BTreeMap<&'static str, Points>);

    impl Scope for Fixed {
        fn get(&self, id: &str) -> Result<Worth, String> {
            self.0.get(id).cloned().map(Worth::Series).ok_or_else(|| format!("no {id}"))
        }
        fn metrics(&self, containing: &str) -> Vec<Points> {
            self.0.iter().filter(|(id, _)| id.contains(containing)).map(|(_, points)| points.clone()).collect()
        }
        fn grid(&self) -> Vec<i64> {
            vec![0, 1, 2, 3]
        }
        fn period_s(&self) -> i64 {
            60
        }
    }

    fn scope() -> Fixed {
        Fixed(BTreeMap::from([
            ("e1", Points::from([(0, 1.0), (2, 3.0)])),
            ("i1", Points::from([(0, 10.0), (1, 20.0), (2, 30.0)])),
            ("i2", Points::from([(1, 0.0), (2, 4.0)])),
        ]))
    }

    fn value(text: &str) -> Result<Worth, String> {
        evaluate(&parse(text)?, &scope())
    }

    fn series(points: &[(i64, f64)]) -> Result<Worth, String> {
        Ok(Worth::Series(points.iter().copied().collect()))
    }

    #[test]
    fn expressions_give_what_cloudwatch_documents() {
        for (text, expected) in [
            ("1 + 2 * 3 ^ 2", Ok(Worth::Scalar(19.0))),
            ("-(2 - 5) / 2", Ok(Worth::Scalar(1.5))),
            ("100 * e1 / i1", series(&[(0, 10.0), (2, 10.0)])),
            // A missing point, and a division by zero, give no point.
            ("e1 / i2", series(&[(2, 0.75)])),
            ("i1 / i2", series(&[(2, 7.5)])),
            ("FILL(e1, 0)", series(&[(0, 1.0), (1, 0.0), (2, 3.0), (3, 0.0)])),
            ("FILL(e1, REPEAT)", series(&[(0, 1.0), (1, 1.0), (2, 3.0), (3, 3.0)])),
            ("FILL(e1, LINEAR)", series(&[(0, 1.0), (1, 2.0), (2, 3.0)])),
            ("SUM([i1, i2])", series(&[(0, 10.0), (1, 20.0), (2, 34.0)])),
            ("SUM(METRICS(\"i\"))", series(&[(0, 10.0), (1, 20.0), (2, 34.0)])),
            ("SUM(i1)", Ok(Worth::Scalar(60.0))),
            ("MAX(i1) - MIN(i1)", Ok(Worth::Scalar(20.0))),
            ("AVG([i1, i2])", series(&[(0, 10.0), (1, 10.0), (2, 17.0)])),
            ("IF(i1 > 15, i1, 0)", series(&[(0, 0.0), (1, 20.0), (2, 30.0)])),
            ("IF(i1 > 15 AND i1 < 25, 1)", series(&[(1, 1.0)])),
            ("i1 >= 20 || e1", series(&[(0, 1.0), (2, 1.0)])),
            ("DIFF(i1)", series(&[(1, 10.0), (2, 10.0)])),
            ("RUNNING_SUM(e1)", series(&[(0, 1.0), (2, 4.0)])),
            ("METRIC_COUNT(METRICS())", Ok(Worth::Scalar(3.0))),
            ("PERIOD(i1)", Ok(Worth::Scalar(60.0))),
            ("if(1, e1, i1)", series(&[(0, 1.0), (2, 3.0)])),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("1 +", "ends too early"),
            ("(1", "\")\" is missing"),
            ("e1 e1", "unexpected"),
            ("nothing", "no nothing"),
            ("SEARCH('x', 'Sum')", "does not have the function SEARCH"),
            ("FILL(e1)", "FILL is not called like this"),
            ("\"open", "not closed"),
            ("1.2.3", "not a number"),
            ("é", "unexpected"),
        ] {
            let error = value(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(parse(&"(".repeat(100_000)).is_err());
        assert!(parse(&"-".repeat(100_000)).is_err());
    }
}
