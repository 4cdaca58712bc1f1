//! Runs every template of a folder through this transform and through the published one, and lists
//! where they differ:
//!
//! ```text
//! cargo run --release --example transform-diff -- FOLDER --reference 'COMMAND' [--placeholder-uris]
//! cargo run --release --example transform-diff -- FOLDER --reference 'COMMAND' --mutate 20000 --seed 1
//! cargo run --release --example transform-diff -- FOLDER --mutate 100000
//! ```
//!
//! COMMAND is a server that reads `{"template": TEXT, "region": …, "parameters": {…}}`, one a line, and
//! answers `{"output": …}`, `{"error": MESSAGE}` or `{"crash": TYPE, "message": …}`. Without one, only
//! what must hold for any template is asked: no panic, and an answer within a second.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to a terminal")]
#![allow(clippy::disallowed_methods, reason = "an example may look at the clock")]
#![allow(unreachable_pub, reason = "the modules of an example are its own")]

mod compare;
mod mutate;
mod reference;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use samara::template::read;
use serde_json::Value;

use compare::{Ours, Verdict};
use reference::{Answer, Reference};

/// The shares that have to agree.
const AGREE: f64 = 0.99;
const AGREE_MUTATED: f64 = 0.97;
/// Every so many mutants are texts with mistakes.
const TEXT_EVERY: usize = 10;
/// No template of a megabyte may take longer.
const LONGEST: Duration = Duration::from_secs(1);

/// Compares this transform with the published one.
#[derive(Parser)]
struct Args {
    /// The folder with the templates (*.yaml, *.yml, *.json)
    folder: PathBuf,
    /// The published transform, as a server that answers line by line
    #[arg(long, value_name = "COMMAND")]
    reference: Option<String>,
    /// The region
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// Locations in S3 where the templates name local code; the reference's command says so for itself
    #[arg(long)]
    placeholder_uris: bool,
    /// So many templates with mistakes, made from those of the folder
    #[arg(long, value_name = "N")]
    mutate: Option<usize>,
    /// Where the mistakes come from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this one of the mutated templates, whole
    #[arg(long, value_name = "NUMBER")]
    case: Option<usize>,
    /// How many references run beside each other
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// How many differences of each kind are shown
    #[arg(long, default_value_t = 3)]
    examples: usize,
    /// A folder for the templates that differ
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// A template to compare.
struct Case {
    name: String,
    text: String,
    mistakes: Vec<String>,
}

/// What was found.
#[derive(Default)]
struct Tally {
    all: usize,
    same: usize,
    refused: usize,
    messages: usize,
    panics: usize,
    slowest: Duration,
    slowest_name: String,
    took: Duration,
    differences: BTreeMap<String, Vec<String>>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<bool, String> {
    if let Some(folder) = &args.keep {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let sources = sources(&args.folder)?;
    let parsed: Vec<(&Path, Value)> = match args.mutate {
        None => Vec::new(),
        Some(_) => {
            let parse = |(path, text): &(PathBuf, String)| {
                read::read_bytes("template", text.as_bytes()).ok().map(|template| (path.clone(), template))
            };
            let all: Vec<_> = sources.iter().filter_map(parse).collect();
            let find = |path: &Path| sources.iter().find(|(other, _)| other == path).map(|(path, _)| path.as_path());
            all.iter().filter_map(|(path, template)| Some((find(path)?, template.root.to_json()))).collect()
        }
    };
    if args.mutate.is_some() && parsed.is_empty() || sources.is_empty() {
        return Err(format!("{}: there are no templates", args.folder.display()));
    }
    let count = args.mutate.unwrap_or(sources.len());
    if let Some(number) = args.case {
        let case = case(args, number, &sources, &parsed);
        println!("{}", serde_json::from_str::<Value>(&case.text).map_or(case.text, |json| format!("{json:#}")));
        eprintln!("{}: {}", case.name, case.mistakes.join("; "));
        return Ok(true);
    }
    let (tally, next) = (Mutex::new(Tally::default()), AtomicUsize::new(0));
    let failed = std::thread::scope(|scope| {
        let worker = || work(args, count, &sources, &parsed, &next, &tally);
        let workers: Vec<_> = (0..args.jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()?.err()).next()
    });
    if let Some(error) = failed {
        return Err(format!("the reference: {error}"));
    }
    let tally = tally.into_inner().map_err(|_| "a worker panicked")?;
    Ok(report(args, &tally))
}

fn sources(folder: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "yaml" || kind == "yml" || kind == "json"))
        .collect();
    paths.sort();
    // What is not text is nothing that two transforms could differ about.
    Ok(paths.into_iter().filter_map(|path| std::fs::read_to_string(&path).ok().map(|text| (path, text))).collect())
}

/// The template `number`.
fn case(args: &Args, number: usize, sources: &[(PathBuf, String)], parsed: &[(&Path, Value)]) -> Case {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if args.mutate.is_none() {
        let (path, text) = &sources[number % sources.len()];
        return Case { name: name(path), text: text.clone(), mistakes: Vec::new() };
    }
    let seed = args.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number as u64);
    let (path, template) = &parsed[fastrand::Rng::with_seed(seed).usize(..parsed.len())];
    // Two readers of YAML differ about what is none; without a reference that does not matter.
    if args.reference.is_none()
        && number.is_multiple_of(TEXT_EVERY)
        && let Some((_, text)) = sources.iter().find(|(other, _)| other == path)
    {
        return Case { name: name(path), text: mutate::garble(text, seed), mistakes: vec!["in the text".to_owned()] };
    }
    let (mutant, mistakes) = mutate::mutate(template, seed);
    Case { name: format!("#{number} of {}", name(path)), text: mutant.to_string(), mistakes }
}

fn work(
    args: &Args,
    count: usize,
    sources: &[(PathBuf, String)],
    parsed: &[(&Path, Value)],
    next: &AtomicUsize,
    tally: &Mutex<Tally>,
) -> std::io::Result<()> {
    let mut reference = args.reference.as_deref().map(Reference::start).transpose()?;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(());
        }
        let case = case(args, number, sources, parsed);
        let started = Instant::now();
        let ours = compare::ours(&case.name, &case.text, &args.region, args.placeholder_uris);
        let took = started.elapsed();
        let theirs = match &mut reference {
            Some(reference) => Some(reference.ask(&case.text, &args.region)?),
            None => None,
        };
        let Ok(mut tally) = tally.lock() else { return Ok(()) };
        tally.count(&case, &ours, theirs.as_ref(), took, args);
        if number > 0 && number.is_multiple_of(1000) && reference.is_some() {
            eprintln!("{number}: {} agree", tally.same + tally.refused);
        }
    }
}

impl Tally {
    fn count(&mut self, case: &Case, ours: &Ours, theirs: Option<&Answer>, took: Duration, args: &Args) {
        self.all += 1;
        self.took += took;
        if took > self.slowest {
            self.slowest = took;
            self.slowest_name.clone_from(&case.name);
        }
        self.panics += usize::from(matches!(ours, Ours::Panicked));
        let verdict = match (theirs, ours) {
            (Some(theirs), ours) => compare::verdict(ours, theirs),
            (None, Ours::Panicked) => Verdict::Differs { class: "samara panics".to_owned(), detail: String::new() },
            (None, Ours::Output(_)) => Verdict::Same,
            (None, Ours::Refused { .. }) => Verdict::BothRefuse { message: true },
        };
        match verdict {
            Verdict::Same => self.same += 1,
            Verdict::BothRefuse { message } => {
                self.refused += 1;
                self.messages += usize::from(message);
            }
            Verdict::Differs { class, detail } => {
                if let Some(folder) = &args.keep {
                    let name: String =
                        case.name.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '_' }).collect();
                    if let Err(error) = std::fs::write(folder.join(format!("{name}.json")), &case.text) {
                        eprintln!("{}: {error}", folder.display());
                    }
                }
                let mistakes = match case.mistakes.is_empty() {
                    true => String::new(),
                    false => format!("\n      mistakes: {}", case.mistakes.join("; ")),
                };
                let line = format!("{}: {detail}{mistakes}", case.name);
                self.differences.entry(class).or_default().push(line);
            }
        }
    }
}

/// Lists the differences, the most frequent kind first, and sums up; whether the shares are reached.
fn report(args: &Args, tally: &Tally) -> bool {
    let mut kinds: Vec<(&String, &Vec<String>)> = tally.differences.iter().collect();
    kinds.sort_by_key(|(_, lines)| std::cmp::Reverse(lines.len()));
    for (class, lines) in &kinds {
        println!("{} x {class}", lines.len());
        for line in lines.iter().take(args.examples) {
            println!("    {line}");
        }
    }
    let agree = tally.same + tally.refused;
    #[expect(clippy::cast_precision_loss, reason = "so many templates nobody has")]
    let share = agree as f64 / tally.all.max(1) as f64;
    let wanted = if args.mutate.is_some() { AGREE_MUTATED } else { AGREE };
    let in_time = tally.slowest <= LONGEST;
    if !in_time {
        println!("{} took {} ms", tally.slowest_name, tally.slowest.as_millis());
    }
    let average = tally.took.as_micros() / tally.all.max(1) as u128;
    if args.reference.is_none() {
        println!(
            "{} templates: {} transformed, {} refused, {} panics; {average} µs each, the slowest {} ms",
            tally.all,
            tally.same,
            tally.refused,
            tally.panics,
            tally.slowest.as_millis()
        );
        return tally.panics == 0 && in_time;
    }
    println!(
        "{} templates: {agree} agree ({:.2} %; wanted {:.0} %): {} equal outputs, {} refused by both ({} with the same \
         message or where the reference crashes), {} differ in {} ways, {} panics; {average} µs each",
        tally.all,
        share * 100.0,
        wanted * 100.0,
        tally.same,
        tally.refused,
        tally.messages,
        tally.all - agree,
        kinds.len(),
        tally.panics
    );
    share >= wanted && tally.panics == 0 && in_time
}
