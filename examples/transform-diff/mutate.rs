//! Templates with mistakes in them: a value replaced, a key dropped, doubled or moved, an intrinsic
//! function put in. Everything follows from the seed.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// Mistakes in one template, at most.
const MOST: usize = 3;
/// Deeper places are left alone: a mutant must not fail for its depth alone.
const DEEPEST: usize = 40;

/// One step down a tree.
#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Index(usize),
}

/// The template with one to three mistakes, and what they are.
pub(super) fn mutate(template: &Value, seed: u64) -> (Value, Vec<String>) {
    let mut rng = Rng::with_seed(seed);
    let mut mutant = template.clone();
    let mistakes = 1 + rng.usize(..MOST);
    let told = (0..mistakes).filter_map(|_| mistake(&mut mutant, &mut rng)).collect();
    (mutant, told)
}

/// Makes one mistake; `None` where the template has no place for one.
fn mistake(root: &mut Value, rng: &mut Rng) -> Option<String> {
    let mut places = Vec::new();
    collect(root, &mut Vec::new(), &mut places);
    let place = rng.choice(&places)?.clone();
    let name = shown(&place);
    Some(match rng.u8(..9) {
        0 | 1 => {
            let value = other(root, rng);
            let told = format!("{name} = {value}");
            *at(root, &place)? = value;
            told
        }
        2 | 3 => {
            take(root, &place)?;
            format!("{name} dropped")
        }
        4 => {
            let copy = at(root, &place)?.clone();
            let told = put(root, &place, copy, rng)?;
            format!("{name} doubled as {told}")
        }
        5 => {
            let moved = take(root, &place)?;
            let mut places = vec![Vec::new()];
            collect(root, &mut Vec::new(), &mut places);
            let parents: Vec<_> = places
                .into_iter()
                .filter(|place| at(root, place).is_some_and(|value| value.is_object() || value.is_array()))
                .collect();
            let parent = rng.choice(&parents)?.clone();
            adopt(at(root, &parent)?, &place, moved);
            format!("{name} moved below {}", shown(&parent))
        }
        6 | 7 => {
            let resources = names(root, "Resources");
            let value = at(root, &place)?;
            *value = intrinsic(value.take(), &resources, rng);
            format!("{name} = {value}")
        }
        _ => {
            let value = at(root, &place)?;
            *value = match rng.u8(..3) {
                0 => json!([value.take()]),
                1 => json!({ "Nested": value.take() }),
                _ => json!([value.take(), "second"]),
            };
            format!("{name} nested")
        }
    })
}

/// The names in a section.
fn names(root: &Value, section: &str) -> Vec<String> {
    root.get(section).and_then(Value::as_object).map(|map| map.keys().cloned().collect()).unwrap_or_default()
}

/// The place of every value but the root.
fn collect(value: &Value, here: &mut Vec<Step>, places: &mut Vec<Vec<Step>>) {
    if here.len() > DEEPEST {
        return;
    }
    if !here.is_empty() {
        places.push(here.clone());
    }
    let children: Vec<(Step, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (Step::Key(key.clone()), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (Step::Index(index), value)).collect(),
        _ => Vec::new(),
    };
    for (step, child) in children {
        here.push(step);
        collect(child, here, places);
        here.pop();
    }
}

fn shown(place: &[Step]) -> String {
    place.iter().fold(String::new(), |path, step| match step {
        Step::Key(key) => format!("{path}/{key}"),
        Step::Index(index) => format!("{path}/{index}"),
    })
}

fn at<'a>(root: &'a mut Value, place: &[Step]) -> Option<&'a mut Value> {
    place.iter().try_fold(root, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    })
}

fn take(root: &mut Value, place: &[Step]) -> Option<Value> {
    let (last, parent) = place.split_last()?;
    match (last, at(root, parent)?) {
        (Step::Key(key), Value::Object(map)) => map.shift_remove(key),
        (Step::Index(index), Value::Array(items)) if *index < items.len() => Some(items.remove(*index)),
        _ => None,
    }
}

/// Puts a copy beside the value at `place`; gives the copy's name.
fn put(root: &mut Value, place: &[Step], copy: Value, rng: &mut Rng) -> Option<String> {
    let (last, parent) = place.split_last()?;
    match (last, at(root, parent)?) {
        (Step::Key(key), Value::Object(map)) => {
            let name = if rng.bool() { format!("{key}2") } else { key.to_lowercase() };
            map.insert(name.clone(), copy);
            Some(name)
        }
        (Step::Index(index), Value::Array(items)) => {
            items.insert(*index, copy);
            Some(index.to_string())
        }
        _ => None,
    }
}

/// What was moved keeps its key, where its new parent has keys.
fn adopt(parent: &mut Value, from: &[Step], moved: Value) {
    match parent {
        Value::Object(map) => {
            let key = match from.last() {
                Some(Step::Key(key)) => key.clone(),
                _ => "Moved".to_owned(),
            };
            map.insert(key, moved);
        }
        Value::Array(items) => items.push(moved),
        _ => {}
    }
}

/// A value that somebody may write there by mistake.
fn other(root: &Value, rng: &mut Rng) -> Value {
    match rng.u8(..16) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(false),
        3 => json!(0),
        4 => json!(-1),
        5 => json!(1.5),
        6 => json!(""),
        7 => json!("text"),
        8 => json!("true"),
        9 => json!([]),
        10 => json!({}),
        11 => json!(["first", 2]),
        12 => json!({ "Name": "value" }),
        13 => json!([{ "Name": "value" }]),
        14 => json!("1 größer & <so> ${Wer} ${!Was}"),
        _ => names(root, "Resources").first().map_or(json!("Nobody"), |name| json!(name)),
    }
}

fn intrinsic(old: Value, resources: &[String], rng: &mut Rng) -> Value {
    let name = rng.choice(resources).map_or("Nobody", String::as_str);
    match rng.u8(..13) {
        0 => json!({ "Ref": "AWS::NoValue" }),
        1 => json!({ "Ref": name }),
        2 => json!({ "Ref": "AWS::Region" }),
        3 => json!({ "Ref": "Undeclared" }),
        4 => json!({ "Fn::GetAtt": [name, "Arn"] }),
        5 => json!({ "Fn::GetAtt": format!("{name}.Arn") }),
        6 => json!({ "Fn::Sub": format!("${{{name}.Arn}}-${{AWS::Partition}}-${{Undeclared}}") }),
        7 => json!({ "Fn::Sub": ["${One}", { "One": old }] }),
        8 => json!({ "Fn::If": ["Condition", old, { "Ref": "AWS::NoValue" }] }),
        9 => json!({ "Fn::Join": ["", [old, { "Ref": "AWS::StackName" }]] }),
        10 => json!({ "Fn::ImportValue": old }),
        11 => json!({ "Fn::FindInMap": ["Map", { "Ref": "AWS::Region" }, "Key"] }),
        _ => {
            let mut odd = Map::new();
            odd.insert("Ref".to_owned(), old);
            odd.insert("Fn::Sub".to_owned(), json!("two keys"));
            Value::Object(odd)
        }
    }
}

/// The text with one to three mistakes: pieces of it dropped, doubled, put elsewhere, or replaced by
/// what means something in YAML.
pub(super) fn garble(text: &str, seed: u64) -> String {
    const SIGNS: [&str; 12] = ["- ", ": ", "{", "]", "&a ", "*a", "!Sub ", "<<: *a", "\n", "\t", "'", "| \n"];
    let mut rng = Rng::with_seed(seed);
    let mut letters: Vec<char> = text.chars().collect();
    for _ in 0..1 + rng.usize(..MOST) {
        let from = rng.usize(..=letters.len());
        let to = (from + rng.usize(..40)).min(letters.len());
        let piece: Vec<char> = letters[from..to].to_vec();
        match rng.u8(..4) {
            0 => drop(letters.drain(from..to)),
            1 => drop(letters.splice(from..from, piece)),
            2 => {
                letters.drain(from..to);
                let elsewhere = rng.usize(..=letters.len());
                letters.splice(elsewhere..elsewhere, piece);
            }
            _ => drop(letters.splice(from..to, rng.choice(SIGNS).unwrap_or_default().chars())),
        }
    }
    letters.into_iter().collect()
}
