//! The house rules that a machine can check.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rows of the layout from the bottom up; a module may import its own row and those below it.
const ROWS: &[&[&str]] = &[
    &["diagnostic", "hint", "pace"],
    &["template"],
    &["transform"],
    &["validate"],
    &["aws"],
    &["runtime"],
    &["sandbox"],
    &["init", "observe"],
    &["package"],
    &["deploy"],
    &["rollout"],
    &["rehearse"],
    &["ui"],
    &["cli"],
];

/// What a pure module must not name: the world.
const WORLD: &[&str] = &["tokio", "aws_sdk_", "std::fs", "std::net", "std::process", "std::env", "aws_config"];

/// Modules without file, socket, clock, environment or AWS client.
const PURE: &[&str] = &["diagnostic", "hint", "template", "transform", "validate"];

/// Pairs that are allowed against the order, each with its reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    // A finding has a place, and a template gives findings: the two know each other.
    ("diagnostic", "template"),
    // The sandbox is an endpoint; it shares nothing with what it is there to try.
];

/// What may not be imported although it is below.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("sandbox", &["aws", "deploy", "package", "rollout", "validate"]),
    ("validate", &["aws"]),
    ("transform", &["aws"]),
    ("ui", &["cli"]),
];

fn sources(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("src").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

#[test]
fn rows_import_only_rows_below_them_and_pure_ones_not_the_world() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut broken = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&src).expect("below src");
        let Some(module) = relative.iter().next().map(|part| Path::new(part).file_stem().expect("a name")) else {
            continue;
        };
        let module = module.to_str().expect("an ASCII name").to_owned();
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let Some(own) = row(&module) else {
            broken.push(format!("{}: module {module} stands in no row", relative.display()));
            continue;
        };
        let text = std::fs::read_to_string(&file).expect("a source file");
        // What stands behind the tests' line may use anything.
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or(&text);
        for (number, line) in code.lines().enumerate() {
            let line = line.trim_start();
            if line.starts_with("//") {
                continue;
            }
            let place = format!("{}:{}", relative.display(), number + 1);
            let mut named = BTreeSet::new();
            for rest in line.split("crate::").skip(1) {
                if let Some(group) = rest.strip_prefix('{') {
                    for item in group.split(',') {
                        named.insert(item.trim().split([':', '}', ' ']).next().unwrap_or("").to_owned());
                    }
                } else {
                    named
                        .insert(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned());
                }
            }
            for other in named {
                let Some(their) = row(&other) else { continue };
                let excepted = EXCEPTIONS.contains(&(module.as_str(), other.as_str()));
                let forbidden = FORBIDDEN.iter().any(|(who, whom)| *who == module && whom.contains(&other.as_str()));
                if (their > own && !excepted) || forbidden {
                    broken.push(format!("{place}: {module} imports {other}"));
                }
            }
            if PURE.contains(&module.as_str()) {
                for world in WORLD.iter().filter(|world| line.contains(*world)) {
                    broken.push(format!("{place}: {module} is pure and names {world}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_file_of_this_test_is_declared() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = std::fs::read_to_string(dir.join("main.rs")).expect("main.rs");
    for entry in std::fs::read_dir(dir).expect("tests/it").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let stem = name.strip_suffix(".rs").unwrap_or(&name);
        if entry.path().is_dir() && !entry.path().join("mod.rs").exists() {
            continue;
        }
        assert!(stem == "main" || main.contains(&format!("mod {stem};")), "tests/it/{name} is not declared in main.rs");
    }
}
