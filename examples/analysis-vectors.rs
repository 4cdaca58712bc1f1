//! Recomputes a file of golden vectors with the library's code, and says where anything differs:
//! `cargo run --release --example analysis-vectors -- FILE`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to a terminal")]

use std::process::ExitCode;

use samara::rollout::analysis::dispersion::dispersion;
use samara::rollout::analysis::limits::{LimitTest, bake_bar};
use samara::rollout::analysis::sequential::{Comparison, Parameters, resolution};
use serde_json::Value;

/// The stream's share of the evidence in the published resolutions.
const COMPARE_SHARE: f64 = 0.6;
/// Numbers are the same within this, of their size …
const RELATIVE: f64 = 1e-9;
/// … or this, near zero.
const ABSOLUTE: f64 = 1e-12;
/// From here on `exp(ln_e)` is not written any more.
const LARGEST_LN: f64 = 700.0;
/// Counts are whole, and no larger than what a float holds exactly.
const LARGEST_COUNT: u64 = 1 << 53;

/// What was compared, and what differed.
#[derive(Default)]
struct Report {
    compared: usize,
    differences: Vec<String>,
}

impl Report {
    fn number(&mut self, place: &str, ours: f64, theirs: f64) {
        #[expect(clippy::float_cmp, reason = "infinities are equal or not")]
        let near = ours == theirs || (ours - theirs).abs() <= ABSOLUTE + RELATIVE * theirs.abs();
        self.same(place, near, &ours, &theirs);
    }

    fn same(&mut self, place: &str, same: bool, ours: &dyn std::fmt::Display, theirs: &dyn std::fmt::Display) {
        self.compared += 1;
        if !same {
            self.differences.push(format!("{place}: the file has {theirs}, recomputed it is {ours}"));
        }
    }
}

/// A value in the file, and where it stands, for errors.
#[derive(Clone)]
struct Item<'a> {
    value: &'a Value,
    place: String,
}

impl<'a> Item<'a> {
    fn get(&self, key: &str) -> Result<Item<'a>, String> {
        let place = format!("{}.{key}", self.place);
        match self.value {
            Value::Object(map) => {
                map.get(key).map(|value| Item { value, place }).ok_or(format!("{}: no {key:?}", self.place))
            }
            _ => Err(format!("{}: expected an object", self.place)),
        }
    }

    fn list(&self, key: &str) -> Result<Vec<Item<'a>>, String> {
        let list = self.get(key)?;
        let items = list.value.as_array().ok_or(format!("{}: expected a list", list.place))?;
        let item = |(index, value)| Item { value, place: format!("{}[{index}]", list.place) };
        Ok(items.iter().enumerate().map(item).collect())
    }

    fn as_number(&self) -> Result<f64, String> {
        // Python writes what JSON cannot hold as a word; see `read`.
        match self.value.as_str() {
            Some("Infinity") => return Ok(f64::INFINITY),
            Some("-Infinity") => return Ok(f64::NEG_INFINITY),
            _ => {}
        }
        self.value.as_f64().ok_or(format!("{}: expected a number, not {}", self.place, self.value))
    }

    fn number(&self, key: &str) -> Result<f64, String> {
        self.get(key)?.as_number()
    }

    fn as_count(&self) -> Result<u64, String> {
        let whole = |value: f64| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and not negative")]
            (value >= 0.0 && value.fract() == 0.0 && value <= LARGEST_COUNT as f64).then_some(value as u64)
        };
        let count = self.value.as_u64().or_else(|| self.value.as_f64().and_then(whole));
        let count = count.filter(|count| *count <= LARGEST_COUNT);
        count.ok_or(format!("{}: expected a count (a whole number of at least 0), not {}", self.place, self.value))
    }

    fn count(&self, key: &str) -> Result<u64, String> {
        self.get(key)?.as_count()
    }

    /// Requests, and how many of them failed.
    fn pair(&self, n: &str, x: &str) -> Result<(u64, u64), String> {
        let (all, some) = (self.count(n)?, self.count(x)?);
        if some > all {
            return Err(format!("{}: {x} ({some}) is more than {n} ({all})", self.place));
        }
        Ok((all, some))
    }

    fn numbers(&self, key: &str) -> Result<Vec<f64>, String> {
        self.list(key)?.iter().map(Item::as_number).collect()
    }

    fn within(&self, key: &str, fits: impl Fn(f64) -> bool, what: &str) -> Result<f64, String> {
        let value = self.number(key)?;
        if fits(value) { Ok(value) } else { Err(format!("{}.{key}: {value} is not {what}", self.place)) }
    }

    fn grid(&self) -> Result<Vec<f64>, String> {
        let grid = self.numbers("grid")?;
        let fits = !grid.is_empty() && grid.iter().all(|ratio| ratio.is_finite() && *ratio > 0.0);
        if fits { Ok(grid) } else { Err(format!("{}.grid: expected rate ratios above 0", self.place)) }
    }

    fn parameters(&self) -> Result<Parameters, String> {
        let params = self.get("params")?;
        Ok(Parameters {
            alpha: params.within("alpha", |alpha| alpha > 0.0 && alpha < 1.0, "between 0 and 1")?,
            rho: params.within("rho", |rho| rho > 0.0 && rho.is_finite(), "above 0")?,
            delta: params.within("delta", |delta| delta >= 0.0 && delta.is_finite(), "at least 0")?,
            grid: params.grid()?,
            first: params.within("first", |first| first > 0.0 && first <= 1.0, "above 0 and at most 1")?,
            dispersion: params.within("dispersion", |phi| phi > 0.0 && phi.is_finite(), "above 0")?,
        })
    }
}

fn comparison(case: &Item<'_>, report: &mut Report) -> Result<(), String> {
    let name = case.value.get("name").and_then(Value::as_str).unwrap_or(&case.place).to_owned();
    let parameters = case.parameters()?;
    let mut test = Comparison::default();
    let mut rollback_at = None;
    for (index, minute) in case.list("minutes")?.iter().enumerate() {
        let (old_n, old_x) = minute.pair("n_base", "x_base")?;
        let (new_n, new_x) = minute.pair("n_canary", "x_canary")?;
        test.add(&parameters, old_n, old_x, new_n, new_x);
        let ln_e = test.ln_e();
        let place = format!("{name}, minute {index}");
        report.number(&format!("{place}, ln_e"), ln_e, minute.number("ln_e")?);
        let judged = minute.count("judged_minutes")?;
        report.same(&format!("{place}, judged_minutes"), judged == test.judged(), &test.judged(), &judged);
        if rollback_at.is_none() && ln_e >= -parameters.alpha.ln() {
            rollback_at = Some(index as u64);
        }
        let ours = if rollback_at.is_some() { "rollback" } else { "continue" };
        let decision = minute.get("decision")?;
        let theirs = match decision.value.as_str() {
            Some(text @ ("rollback" | "continue")) => text,
            _ => return Err(format!("{}: expected \"rollback\" or \"continue\"", decision.place)),
        };
        report.same(&format!("{place}, decision"), ours == theirs, &ours, &theirs);
        // The evidence itself is as exact as its logarithm: absolutely.
        match minute.value.get("e") {
            None => {}
            Some(Value::Null) => report.same(&format!("{place}, e"), ln_e >= LARGEST_LN, &ln_e.exp(), &"null"),
            Some(_) => {
                let (ours, theirs) = (ln_e.exp(), minute.number("e")?);
                let tolerated = 2.0 * (ABSOLUTE + RELATIVE * ln_e.abs().max(1.0));
                report.same(&format!("{place}, e"), (ours - theirs).abs() <= tolerated * ours, &ours, &theirs);
            }
        }
    }
    let at = case.get("rollback_at")?;
    let theirs = if at.value.is_null() { None } else { Some(at.as_count()?) };
    let shown = |at: Option<u64>| at.map_or("never".to_owned(), |minute| minute.to_string());
    report.same(&format!("{name}, rollback_at"), rollback_at == theirs, &shown(rollback_at), &shown(theirs));
    Ok(())
}

fn bake(case: &Item<'_>, report: &mut Report) -> Result<(), String> {
    let (old_n, old_x) = case.pair("old_n", "old_x")?;
    let bar = case.within("bar", |bar| bar > 0.0 && bar <= 1.0, "above 0 and at most 1")?;
    report.number(&format!("{}.bar", case.place), bake_bar(old_n, old_x), bar);
    let phi = case.within("dispersion", |phi| phi > 0.0 && phi.is_finite(), "above 0")?;
    let grid = case.grid()?;
    let mut test = LimitTest::default();
    for minute in case.list("minutes")? {
        let (n, x) = minute.pair("n", "x")?;
        test.add_over(&grid, bar, n, x, phi);
        report.number(&format!("{}.ln_e", minute.place), test.ln_e(), minute.number("ln_e")?);
    }
    Ok(())
}

fn clumps(case: &Item<'_>, report: &mut Report) -> Result<(), String> {
    let counts = |key| case.list(key)?.iter().map(Item::as_count).collect::<Result<Vec<u64>, String>>();
    let (n, x) = (counts("n")?, counts("x")?);
    if n.len() != x.len() {
        return Err(format!("{}: {} minutes of n, {} of x", case.place, n.len(), x.len()));
    }
    let minutes: Vec<(u64, u64)> = n.into_iter().zip(x).collect();
    if let Some(index) = minutes.iter().position(|(n, x)| x > n) {
        return Err(format!("{}.x[{index}] is more than n[{index}]", case.place));
    }
    report.number(&format!("{}.dispersion", case.place), dispersion(&minutes), case.number("dispersion")?);
    Ok(())
}

fn noticed(case: &Item<'_>, report: &mut Report) -> Result<(), String> {
    let (old_n, old_x) = case.pair("n_base", "x_base")?;
    let new_n = case.count("n_canary")?;
    let ours = resolution(&case.parameters()?, old_n as f64, old_x as f64, new_n as f64, COMPARE_SHARE);
    report.number(&format!("{}.resolution", case.place), ours, case.number("resolution")?);
    Ok(())
}

/// JSON as Python writes it: with `Infinity`, which JSON itself does not have.
fn read(text: &str) -> Result<Value, serde_json::Error> {
    let mut quoted = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if !in_string && let Some(word) = ["-Infinity", "Infinity"].into_iter().find(|word| rest.starts_with(word)) {
            quoted.extend(['"'].into_iter().chain(word.chars()).chain(['"']));
            rest = &rest[word.len()..];
            continue;
        }
        in_string ^= next == '"' && !escaped;
        escaped = in_string && next == '\\' && !escaped;
        quoted.push(next);
        rest = &rest[next.len_utf8()..];
    }
    serde_json::from_str(&quoted)
}

type Section = (&'static str, fn(&Item<'_>, &mut Report) -> Result<(), String>);
const SECTIONS: [Section; 4] = [("cases", comparison), ("bake", bake), ("dispersion", clumps), ("resolution", noticed)];

fn check(path: &str) -> Result<(Report, String), String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let value = read(&text).map_err(|error| format!("{path} is not JSON: {error}"))?;
    let file = Item { value: &value, place: path.to_owned() };
    let format = file.count("format")?;
    if format != 1 {
        return Err(format!("{path}: format {format} is not known, only 1"));
    }
    let mut report = Report::default();
    let mut counted = Vec::new();
    for (name, check) in SECTIONS {
        let items = match value.get(name) {
            None => Vec::new(),
            Some(_) => file.list(name)?,
        };
        for item in &items {
            check(item, &mut report)?;
        }
        counted.push(format!("{} {name}", items.len()));
    }
    if report.compared == 0 {
        return Err(format!("{path}: there is nothing in it to compare"));
    }
    Ok((report, counted.join(", ")))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path] = arguments.as_slice() else {
        eprintln!("error: exactly one file is expected: cargo run --release --example analysis-vectors -- FILE");
        return ExitCode::from(2);
    };
    match check(path) {
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
        Ok((report, counted)) => {
            for difference in &report.differences {
                println!("{difference}");
            }
            let (compared, differ) = (report.compared, report.differences.len());
            println!("{compared} numbers of {counted} compared, {differ} different");
            if differ == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}
