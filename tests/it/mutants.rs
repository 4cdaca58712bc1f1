//! Templates with mistakes: whatever is in them, the transform gives an answer, and soon.
//!
//! The mistakes are made in the published cases where those are at hand, else in the project's own
//! templates. `SAMARA_MUTANTS` says how many are made; `.ci/run` asks for 100,000.

#[path = "../../examples/transform-diff/mutate.rs"]
mod mutate;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use samara::template::{Template, read, write};
use samara::transform::{self, Options};
use serde_json::Value;

use crate::support::shared;

/// As many as an unoptimised build does in a few seconds.
const MUTANTS: u64 = 2_000;
/// Every so many of them are texts with mistakes, which may not even be YAML any more.
const TEXT_EVERY: u64 = 10;
/// A thousand times what one takes: a machine may be busy.
const LONGEST: Duration = Duration::from_secs(20);

fn own() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/transform");
    texts(&folder)
}

fn texts(folder: &Path) -> Vec<String> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

fn options() -> Options {
    Options { region: "eu-central-1".to_owned(), now_s: Some(0), ..Options::default() }
}

/// What the transform gives, as JSON text; `None` where the template is refused.
fn transformed(text: &str) -> Option<String> {
    let (template, _): (Template, _) = read::decode("template", text.as_bytes()).and_then(read::read_leniently).ok()?;
    match transform::transform(&template, &options()) {
        Ok(transformed) => Some(write::json(&transformed.template)),
        Err(findings) => {
            assert!(findings.items.iter().any(|item| item.span.is_some()), "refused without a place: {findings:?}");
            None
        }
    }
}

/// One mutant; why it is wrong.
fn fault(sources: &[(String, Value)], seed: u64) -> Option<String> {
    let index = usize::try_from(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).unwrap() % sources.len();
    let (text, template) = &sources[index];
    let (mutant, mistakes) = if seed.is_multiple_of(TEXT_EVERY) {
        (mutate::garble(text, seed), Vec::new())
    } else {
        let (mutant, mistakes) = mutate::mutate(template, seed);
        (mutant.to_string(), mistakes)
    };
    let started = Instant::now();
    let answer = catch_unwind(AssertUnwindSafe(|| transformed(&mutant)));
    let took = started.elapsed();
    let wrong = match answer {
        Err(_) => "it panicked".to_owned(),
        Ok(_) if took > LONGEST => format!("it took {took:?}"),
        Ok(_) => return None,
    };
    Some(format!("seed {seed}: {wrong}; mistakes: {}\n{mutant}", mistakes.join("; ")))
}

#[test]
fn templates_with_mistakes_get_an_answer() {
    let count = std::env::var("SAMARA_MUTANTS").map_or(MUTANTS, |count| count.parse().expect("a number"));
    let mut texts_ = own();
    if let Some(folder) = shared::fixtures("sam-transform") {
        texts_.extend(texts(&folder.join("input")));
    }
    let parsed = |text: String| {
        let read = read::decode("template", text.as_bytes()).and_then(read::read_leniently).ok();
        read.map(|(template, _)| (text, template.root.to_json()))
    };
    let sources: Vec<(String, Value)> = texts_.into_iter().filter_map(parsed).collect();
    let workers = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let faults: Vec<String> = std::thread::scope(|scope| {
        let work = |worker: u64| {
            let sources = &sources;
            move || (worker..count).step_by(workers as usize).find_map(|seed| fault(sources, seed))
        };
        let workers: Vec<_> = (0..workers).map(|worker| scope.spawn(work(worker))).collect();
        workers.into_iter().filter_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn the_own_templates_are_what_the_transform_takes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/transform");
    for name in ["apis", "functions", "machines", "newer"] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap();
        let json = transformed(&text).unwrap_or_else(|| panic!("{name}.yaml is refused"));
        let json: Value = serde_json::from_str(&json).unwrap();
        let kinds: Vec<&Value> = json["Resources"].as_object().unwrap().values().map(|made| &made["Type"]).collect();
        assert!(!kinds.iter().any(|kind| kind.as_str().unwrap().starts_with("AWS::Serverless::")), "{name}: {kinds:?}");
    }
    for kind in transform::resource::TYPES {
        let has = |text: &String| text.contains(&format!("Type: {}", kind.kind));
        assert!(own().iter().any(has), "no template has {}", kind.kind);
    }
}
