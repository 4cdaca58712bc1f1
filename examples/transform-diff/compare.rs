//! Whether two transforms agree about a template, and if not, of which kind the difference is.

use std::panic::{AssertUnwindSafe, catch_unwind};

use samara::template::read;
use samara::transform::resolver::{Resolver, Unresolved};
use samara::transform::{self, Options};
use serde_json::Value;

use crate::reference::Answer;

/// The Serverless Application Repository as the reference's server plays it.
struct Repository;

impl Resolver for Repository {
    fn application(&self, id: &str, _: &str) -> Result<String, Unresolved> {
        match id {
            "no-access" | "non-existent" | "invalid-semver" => {
                Err(Unresolved::Refused(format!("Cannot access application: {id}.")))
            }
            "preparing-never-ready" => Err(Unresolved::TimedOut),
            _ => Ok("https://awsserverlessrepo-changesets-xxx.s3.amazonaws.com/signed-url".to_owned()),
        }
    }
}

/// What samara says.
#[derive(Clone, Debug)]
pub enum Ours {
    Output(Value),
    /// The message, and whether some finding has a place.
    Refused {
        message: String,
        located: bool,
    },
    Panicked,
}

/// Two transforms' answers to one template.
#[derive(Clone, Debug)]
pub enum Verdict {
    Same,
    /// Both refuse: `message` tells whether with the same one.
    BothRefuse {
        message: bool,
    },
    Differs {
        /// What all differences of a kind have in common.
        class: String,
        /// This one.
        detail: String,
    },
}

/// Transforms in this process.
pub fn ours(name: &str, text: &str, region: &str, placeholder_uris: bool) -> Ours {
    catch_unwind(AssertUnwindSafe(|| transform(name, text, region, placeholder_uris))).unwrap_or(Ours::Panicked)
}

fn transform(name: &str, text: &str, region: &str, placeholder_uris: bool) -> Ours {
    let parameters = [("param1", "value1"), ("param2", "value2")];
    let parameters = parameters.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    #[expect(clippy::disallowed_methods, reason = "an API with AlwaysDeploy is named after the time, there too")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now_s = now.ok().map(|since| since.as_secs());
    let options = Options { region: region.to_owned(), parameters, now_s, ..Options::default() };
    let read = read::decode(name, text.as_bytes()).and_then(read::read_leniently);
    let transformed = read.and_then(|(mut template, _)| {
        if placeholder_uris {
            transform::placeholder::put(&mut template.root);
        }
        transform::transform_with(&template, &options, &Repository)
    });
    match transformed {
        Ok(transformed) => Ours::Output(transformed.template.to_json()),
        Err(findings) => {
            let published = findings.items.iter().any(|item| item.rule == transform::INVALID);
            let message = match published {
                true => transform::published_message(&findings.items),
                false => findings.items.iter().map(|item| item.message.as_str()).collect::<Vec<_>>().join("; "),
            };
            Ours::Refused { message, located: findings.items.iter().any(|item| item.span.is_some()) }
        }
    }
}

/// Compares the answers. Where the reference crashes, samara has to refuse, and to say where.
pub fn verdict(ours: &Ours, theirs: &Answer) -> Verdict {
    let differs = |class: String, detail: String| Verdict::Differs { class, detail };
    match (ours, theirs) {
        (Ours::Panicked, _) => differs("samara panics".to_owned(), String::new()),
        (Ours::Output(ours), Answer::Output(theirs)) => {
            let (ours, theirs) = (normal(ours), normal(theirs));
            difference(&ours, &theirs, &mut Vec::new()).map_or(Verdict::Same, |(place, what)| {
                let kind = kind(&place, &ours).or_else(|| kind(&place, &theirs));
                let place: Vec<&str> = place.iter().map(String::as_str).collect();
                let class = match (place.as_slice(), kind) {
                    (["Resources", _, rest @ ..], Some(kind)) => masked(&format!("{kind}/{}", rest.join("/"))),
                    _ => masked(&place.join("/")),
                };
                differs(
                    format!("another output: {class}: {}", what.0),
                    format!("{}: {} {}", place.join("/"), what.0, what.1),
                )
            })
        }
        (Ours::Output(_), Answer::Refused(message)) => {
            differs(format!("only the reference refuses: {}", masked(message)), message.clone())
        }
        (Ours::Output(_), Answer::Crashed(message)) => {
            differs(format!("the reference crashes, samara does not refuse: {}", masked(message)), message.clone())
        }
        (Ours::Refused { message, .. }, Answer::Output(_)) => {
            differs(format!("only samara refuses: {}", masked(message)), message.clone())
        }
        (Ours::Refused { message, .. }, Answer::Refused(theirs)) => {
            Verdict::BothRefuse { message: fold(message) == fold(theirs) }
        }
        (Ours::Refused { located: true, .. }, Answer::Crashed(_)) => Verdict::BothRefuse { message: true },
        (Ours::Refused { message, .. }, Answer::Crashed(_)) => {
            differs(format!("samara refuses without a line: {}", masked(message)), message.clone())
        }
    }
}

fn kind(place: &[String], template: &Value) -> Option<String> {
    let [section, id, ..] = place else { return None };
    if section != "Resources" {
        return None;
    }
    Some(template.get(section)?.get(id)?.get("Type")?.as_str()?.to_owned())
}

/// Without what names one template: what stands in quotes, brackets and braces, and numbers.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut closing: Option<char> = None;
    for letter in text.chars().take(600) {
        match closing {
            Some(end) if letter == end => {
                masked.push(letter);
                closing = None;
            }
            Some(_) => {}
            None => {
                if letter.is_ascii_digit() {
                    if !masked.ends_with('#') {
                        masked.push('#');
                    }
                    continue;
                }
                masked.push(letter);
                closing = match letter {
                    '[' => Some(']'),
                    '\'' => Some('\''),
                    '"' => Some('"'),
                    '{' => Some('}'),
                    _ => None,
                };
            }
        }
    }
    masked.chars().take(220).collect()
}

fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Keys sorted, and lists too: they compare without regard to order, as in the published cases.
pub fn normal(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> =
                map.iter().map(|(key, value)| (key.clone(), normal(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => {
            let mut items: Vec<(String, Value)> = items
                .iter()
                .map(|item| {
                    let item = normal(item);
                    (item.to_string(), item)
                })
                .collect();
            items.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Array(items.into_iter().map(|(_, item)| item).collect())
        }
        other => other.clone(),
    }
}

/// Where two values first differ, and how.
fn difference(ours: &Value, theirs: &Value, place: &mut Vec<String>) -> Option<(Vec<String>, (&'static str, String))> {
    let short = |value: &Value| value.to_string().chars().take(160).collect::<String>();
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, theirs) in b {
                place.push(key.clone());
                let found = match a.get(key) {
                    None => Some((place.clone(), ("missing", short(theirs)))),
                    Some(ours) => difference(ours, theirs, place),
                };
                if found.is_some() {
                    return found;
                }
                place.pop();
            }
            let (key, value) = a.iter().find(|(key, _)| !b.contains_key(*key))?;
            place.push(key.clone());
            Some((place.clone(), ("too much", short(value))))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (ours, theirs)) in a.iter().zip(b).enumerate() {
                place.push(index.to_string());
                let found = difference(ours, theirs, place);
                if found.is_some() {
                    return found;
                }
                place.pop();
            }
            None
        }
        _ if ours == theirs => None,
        _ => Some((place.clone(), ("another value", format!("{}, the reference has {}", short(ours), short(theirs))))),
    }
}
