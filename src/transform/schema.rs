//! The shape of nested properties, for the newer types of resources, which the published transform
//! reads by a schema: what does not fit is named with its path, and what nearly fits is made to fit
//! (`"3"` for a number), which can be seen in the output.

use super::refusal::Refusal;
use crate::template::span::Span;
use crate::template::{Map, Node, Value};

/// What a value may be.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Anything but nothing.
    Anything,
    Text,
    Integer,
    Number,
    Bool,
    /// One of these words.
    Words(&'static [&'static str]),
    List(&'static Shape),
    /// A map whose values are all of this shape.
    MapOf(&'static Shape),
    /// A map with these keys and no others.
    Fields(&'static [Field]),
    /// A map of any kind (an intrinsic function, hopefully), or else this.
    OrMap(&'static Shape),
    /// The first of the two that fits.
    Either(&'static Shape, &'static Shape),
}

/// A key of a map.
#[derive(Debug)]
pub(crate) struct Field {
    name: &'static str,
    required: bool,
    shape: Shape,
}

/// A key that may be left out.
pub(crate) const fn may(name: &'static str, shape: Shape) -> Field {
    Field { name, required: false, shape }
}

/// A key that has to be there.
pub(crate) const fn must(name: &'static str, shape: Shape) -> Field {
    Field { name, required: true, shape }
}

/// Text, or an intrinsic function.
pub(crate) const TEXT: Shape = Shape::OrMap(&Shape::Text);
/// A list of texts, with intrinsic functions at every level.
pub(crate) const TEXTS: Shape = Shape::OrMap(&Shape::List(&TEXT));
/// A map of anything.
pub(crate) const MAP: Shape = Shape::MapOf(&Shape::Anything);

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    path: Vec<String>,
    message: String,
    /// What kind of value was wanted, where the problem is no more than that.
    wanted: Option<&'static str>,
    span: Option<Span>,
}

/// Reads the properties of `id`.
///
/// # Errors
/// All that does not fit, in one refusal.
pub(crate) fn read_all(id: &str, properties: &Map, fields: &'static [Field]) -> Result<Node, Refusal> {
    read(properties, fields).map_err(|problems| {
        let span = problems.first().and_then(|problem| problem.span);
        Refusal::resource(id, sentences(&problems).join(" ")).at(span)
    })
}

/// Reads the properties of `id`.
///
/// # Errors
/// The first thing that does not fit.
pub(crate) fn read_one(id: &str, properties: &Map, fields: &'static [Field]) -> Result<Node, Refusal> {
    read(properties, fields).map_err(|problems| {
        let path = problems.first().map(|problem| problem.path.join(".")).unwrap_or_default();
        let span = problems.first().and_then(|problem| problem.span);
        Refusal::resource(id, format!("Property '{path}' is invalid.")).at(span)
    })
}

/// Reads a part of a resource, as the model `name`.
///
/// # Errors
/// The sentence of the library that the published transform reads models with: all that does not fit.
pub(crate) fn read_model(
    name: &str,
    properties: &Map,
    fields: &'static [Field],
) -> Result<Node, (String, Option<Span>)> {
    read(properties, fields).map_err(|problems| {
        let mut message =
            format!("{} validation error{} for {name}", problems.len(), if problems.len() == 1 { "" } else { "s" });
        for problem in &problems {
            let (told, kind) = model_error(&problem.message);
            message = format!("{message}\n{}\n  {told} (type={kind})", problem.path.join(" -> "));
        }
        (message, problems.first().and_then(|problem| problem.span))
    })
}

/// How that library tells what is wrong, and what it calls it.
fn model_error(message: &str) -> (&str, &'static str) {
    match message {
        "is required" => ("field required", "value_error.missing"),
        "is an invalid property" => ("extra fields not permitted", "value_error.extra"),
        "str type expected" => (message, "type_error.str"),
        "value is not a valid integer" => (message, "type_error.integer"),
        "value is not a valid float" => (message, "type_error.float"),
        "value is not a valid list" => (message, "type_error.list"),
        "value is not a valid dict" => (message, "type_error.dict"),
        "none is not an allowed value" => (message, "type_error.none.not_allowed"),
        _ => (message, "value_error"),
    }
}

fn read(properties: &Map, fields: &'static [Field]) -> Result<Node, Vec<Problem>> {
    let mut reader = Reader { path: Vec::new(), problems: Vec::new() };
    let given: Map =
        properties.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name, value.clone())).collect();
    let fitted = reader.fields(&given, None, fields);
    if reader.problems.is_empty() { Ok(fitted) } else { Err(reader.problems) }
}

/// Several kinds of values that would do for one path are one sentence.
fn sentences(problems: &[Problem]) -> Vec<String> {
    let mut paths: Vec<&[String]> = Vec::new();
    for problem in problems {
        if !paths.contains(&problem.path.as_slice()) {
            paths.push(&problem.path);
        }
    }
    let sentence = |path: &&[String]| {
        let mut of_path = problems.iter().filter(|problem| problem.path == *path);
        let mut wanted: Vec<&str> = Vec::new();
        for kind in of_path.clone().filter_map(|problem| problem.wanted) {
            if !wanted.contains(&kind) {
                wanted.push(kind);
            }
        }
        let path = path.join(".");
        if wanted.len() > 1 {
            return format!("Property '{path}' value must be {}.", wanted.join(" or "));
        }
        let first = of_path.next().map(|problem| problem.message.to_lowercase()).unwrap_or_default();
        format!("Property '{path}' {first}.")
    };
    paths.iter().map(sentence).collect()
}

struct Reader {
    path: Vec<String>,
    problems: Vec<Problem>,
}

impl Reader {
    fn wrong(&mut self, node: &Node, message: impl Into<String>, wanted: Option<&'static str>) -> Node {
        self.problems.push(Problem { path: self.path.clone(), message: message.into(), wanted, span: node.span });
        Node::default()
    }

    fn within(&mut self, name: impl Into<String>, node: &Node, shape: &'static Shape) -> Node {
        self.path.push(name.into());
        let fitted = self.value(node, shape);
        self.path.pop();
        fitted
    }

    fn value(&mut self, node: &Node, shape: &'static Shape) -> Node {
        if node.is_null() && !matches!(shape, Shape::OrMap(_) | Shape::Either(..)) {
            return self.wrong(node, "none is not an allowed value", None);
        }
        match shape {
            Shape::Anything => node.clone(),
            Shape::Text => match &node.value {
                Value::String(_) => node.clone(),
                Value::Number(number) => Node::from(number.to_string()).at(node.span),
                _ => self.wrong(node, "str type expected", None),
            },
            Shape::Integer => match integer(node) {
                Some(number) => Node::from(number).at(node.span),
                None => self.wrong(node, "value is not a valid integer", Some("integer")),
            },
            Shape::Number => match number(node) {
                Some(number) => Node::from(serde_json::Value::from(number)).at(node.span),
                None => self.wrong(node, "value is not a valid float", Some("number")),
            },
            Shape::Bool => match boolean(node) {
                Some(value) => Node::from(value).at(node.span),
                None => self.wrong(node, "value could not be parsed to a boolean", None),
            },
            Shape::Words(words) => {
                if node.as_str().is_some_and(|text| words.contains(&text)) {
                    return node.clone();
                }
                let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
                self.wrong(node, format!("unexpected value; permitted: {}", words.join(", ")), None)
            }
            Shape::List(item) => match node.as_list() {
                Some(items) => {
                    let fit = |(index, entry): (usize, &Node)| self.within(index.to_string(), entry, item);
                    Node::from(items.iter().enumerate().map(fit).collect::<Vec<_>>()).at(node.span)
                }
                None => self.wrong(node, "value is not a valid list", Some("list")),
            },
            Shape::MapOf(Shape::Anything) if node.as_map().is_some() => node.clone(),
            Shape::MapOf(entry) => match node.as_map() {
                Some(entries) => {
                    let fit = |(name, value)| (name, self.within(name, value, entry));
                    Node::from(entries.iter().map(fit).collect::<Map>()).at(node.span)
                }
                None => self.wrong(node, "value is not a valid dict", Some("dictionary")),
            },
            Shape::Fields(fields) => match node.as_map() {
                Some(entries) => self.fields(entries, Some(node), fields),
                None => self.wrong(node, "value is not a valid dict", Some("dictionary")),
            },
            Shape::OrMap(other) => self.first(node, &MAP, other),
            Shape::Either(first, second) => self.first(node, first, second),
        }
    }

    /// The first of two shapes that fits; what is wrong with both where none does.
    fn first(&mut self, node: &Node, first: &'static Shape, second: &'static Shape) -> Node {
        let before = self.problems.len();
        if let (Shape::MapOf(_), Some(items)) = (first, node.as_list())
            && let Some(pairs) = items.iter().map(pair).collect::<Option<Map>>()
        {
            return Node::from(pairs).at(node.span);
        }
        for shape in [first, second] {
            let so_far = self.problems.len();
            let fitted = self.value(node, shape);
            if self.problems.len() == so_far {
                self.problems.truncate(before);
                return fitted;
            }
        }
        Node::default()
    }

    fn fields(&mut self, entries: &Map, node: Option<&Node>, fields: &'static [Field]) -> Node {
        let mut fitted = Map::new();
        for field in fields {
            match entries.get(field.name) {
                Some(value) if field.required || !value.is_null() => {
                    fitted.insert(field.name, self.within(field.name, value, &field.shape));
                }
                None if field.required => {
                    self.path.push(field.name.to_owned());
                    self.problems.push(Problem {
                        path: self.path.clone(),
                        message: "is required".to_owned(),
                        wanted: None,
                        span: node.and_then(|node| node.span),
                    });
                    self.path.pop();
                }
                _ => {}
            }
        }
        let mut unknown: Vec<&str> =
            entries.keys().filter(|key| !fields.iter().any(|field| field.name == *key)).collect();
        unknown.sort_unstable();
        for name in unknown {
            self.path.push(name.to_owned());
            let span = entries.key_span(name);
            let message = "is an invalid property".to_owned();
            self.problems.push(Problem { path: self.path.clone(), message, wanted: None, span });
            self.path.pop();
        }
        Node::from(fitted).at(node.and_then(|node| node.span))
    }
}

/// A map is tried before anything else, and Python makes one of any list of pairs: also of texts of
/// two letters, of maps with two keys, and of nothing.
fn pair(item: &Node) -> Option<(String, Node)> {
    let (key, value) = match &item.value {
        Value::List(items) => match items.as_slice() {
            [key, value] => (key.clone(), value.clone()),
            _ => return None,
        },
        Value::Map(map) => {
            let keys: Vec<&str> = map.keys().collect();
            let [key, value] = keys.as_slice() else { return None };
            (Node::from(*key), Node::from(*value))
        }
        Value::String(text) => {
            let mut letters = text.chars().map(String::from);
            let (Some(key), Some(value), None) = (letters.next(), letters.next(), letters.next()) else { return None };
            (Node::from(key), Node::from(value))
        }
        _ => return None,
    };
    match &key.value {
        Value::String(key) => Some((key.clone(), value)),
        Value::Number(key) => Some((key.to_string(), value)),
        _ => None,
    }
}

fn integer(node: &Node) -> Option<i64> {
    match &node.value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let whole = number.as_f64()?.trunc();
            format!("{whole:.0}").parse().ok()
        }),
        Value::Bool(value) => Some(i64::from(*value)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn number(node: &Node) -> Option<f64> {
    match &node.value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

fn boolean(node: &Node) -> Option<bool> {
    match &node.value {
        Value::Bool(value) => Some(*value),
        Value::Number(number) => match number.as_f64() {
            Some(0.0) => Some(false),
            Some(1.0) => Some(true),
            _ => None,
        },
        Value::String(text) => match text.to_lowercase().as_str() {
            "1" | "true" | "t" | "yes" | "y" | "on" => Some(true),
            "0" | "false" | "f" | "no" | "n" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] =
        &[must("Ids", TEXTS), may("Count", Shape::OrMap(&Shape::Integer)), may("Share", Shape::OrMap(&Shape::Number))];

    fn map(json: serde_json::Value) -> Map {
        Node::from(json).as_map().unwrap().clone()
    }

    #[test]
    fn what_nearly_fits_is_made_to_fit() {
        let given = map(serde_json::json!({"Ids": ["a", {"Ref": "B"}], "Count": "3", "Share": 70}));
        let fitted = read_all("X", &given, FIELDS).unwrap();
        assert_eq!(fitted.to_json(), serde_json::json!({"Ids": ["a", {"Ref": "B"}], "Count": 3, "Share": 70.0}));
    }

    #[test]
    fn all_that_is_wrong_is_told_and_a_choice_is_one_sentence() {
        let given = map(serde_json::json!({"Count": "many", "Other": 1}));
        let causes = read_all("X", &given, FIELDS).unwrap_err().causes();
        assert_eq!(
            causes[0].sentence(),
            "Resource with id [X] is invalid. Property 'Ids' is required. Property 'Count' value must be dictionary \
             or integer. Property 'Other' is an invalid property."
        );
    }
}
