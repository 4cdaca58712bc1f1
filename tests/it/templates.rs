//! Templates as they should not come: each ends with one finding that has the line, never with a
//! crash, a hang or a raw control character.

#![expect(clippy::disallowed_methods, reason = "a limit in real time is what some of these tests are about")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::support::project::Project;

fn refused(name: &str, bytes: &[u8], expected: &[&str]) {
    let project = Project::new();
    project.write(name, bytes);
    let begin = Instant::now();
    let outcome = project.samara(["validate", "--no-files", "-t", name]).run();
    let shown: String = outcome.stderr.chars().take(3000).collect();
    assert_eq!(outcome.status, Some(1), "{name}: {shown}");
    for text in expected {
        assert!(outcome.stderr.contains(text), "{name}: {text:?} is not in\n{shown}");
    }
    assert_eq!(outcome.stderr.matches("error[").count(), 1, "{name}: one finding\n{shown}");
    assert!(!outcome.stderr.contains(['\0', '\u{1b}', '\u{9b}', '\u{202e}', '\r']), "{name}: {shown:?}");
    assert!(outcome.stderr.len() < 4000, "{name}: {} bytes", outcome.stderr.len());
    assert!(begin.elapsed() < Duration::from_secs(20), "{name} took {:?}", begin.elapsed());
}

#[test]
fn what_is_not_yaml_is_one_finding_with_its_line() {
    for (text, rule, place) in [
        ("Resources:\n\tA: 1\n", "yaml/syntax", "t.yaml:2:2"),
        ("Resources:\n  A: b: c\n", "yaml/syntax", "t.yaml:2:7"),
        ("Resources:\n  A: \"x\n", "yaml/syntax", "t.yaml:2:6"),
        ("Resources: [a\n", "yaml/syntax", "t.yaml:"),
        ("Resources: {a: 1\n", "yaml/syntax", "t.yaml:"),
        ("Resources:\n  A: 1\n B: 2\n", "yaml/syntax", "t.yaml:3:2"),
        ("Resources:\n  A: *nobody\n", "yaml/syntax", "t.yaml:2:6"),
        ("Resources:\n  A: !Base64 !Sub x\n", "yaml/syntax", "t.yaml:2:14"),
        ("Resources:\n  A: @x\n", "yaml/syntax", "t.yaml:2:6"),
        ("Resources:\n  A: {}\n  A: {}\n", "yaml/duplicate-key", "t.yaml:3:3"),
        ("Resources:\n  A: !Reff x\n", "yaml/unknown-tag", "t.yaml:2:6"),
        ("Resources:\n  !Ref A: x\n", "yaml/misplaced-tag", "t.yaml:2:3"),
        ("Resources:\n  A: &a {B: *a}\n", "yaml/recursive-alias", "t.yaml:2:13"),
        ("Resources:\n  A: {<<: 1}\n", "yaml/merge", "t.yaml:2:11"),
        ("Resources:\n  ? [A]\n  : 1\n", "yaml/key", "t.yaml:2:5"),
        ("Resources:\n  A: .nan\n", "yaml/number", "t.yaml:2:6"),
        ("Resources:\n  A: 99999999999999999999\n", "yaml/number", "t.yaml:2:6"),
        ("Resources: {}\n---\nResources: {}\n", "yaml/documents", "t.yaml:2:1"),
        ("- a\n- b\n", "yaml/not-a-map", "t.yaml:1:1"),
        ("just text\n", "yaml/not-a-map", "t.yaml:1:1"),
        ("", "yaml/empty", "t.yaml"),
        ("# a comment\n", "yaml/empty", "t.yaml"),
        ("Description: a\0b\n", "yaml/character", "t.yaml:1:15"),
        ("Description: a\u{1b}[2Jb\n", "yaml/character", "t.yaml:1:15"),
        ("Resources:\r  A: !Reff x\r", "yaml/unknown-tag", "t.yaml:2:6"),
    ] {
        // Some of these leave a tree whose other faults show as well; the first is what is meant.
        let project = Project::new();
        project.write("t.yaml", text);
        let outcome = project.samara(["validate", "--no-files", "-t", "t.yaml"]).run().expect(1);
        let first = outcome.stderr.split("\n\n").find(|block| block.contains(rule)).unwrap_or_default();
        assert!(first.contains(&format!("error[{rule}]: ")) && first.contains(place), "{text:?}:\n{}", outcome.stderr);
        assert!(!outcome.stderr.contains(['\0', '\u{1b}', '\r']), "{:?}", outcome.stderr);
    }
}

#[test]
fn json_has_the_same_places() {
    refused(
        "t.json",
        b"{\n  \"Resources\": {\n    \"A\": 1,,\n  }\n}\n",
        &["json/syntax", "t.json:3:12", "\"A\": 1,,"],
    );
    refused(
        "t.json",
        b"{\n  \"Resources\": {\"A\": {\"Type\": \"AWS::SNS::Topic\"}},\n  \"Resources\": {\"B\": {\"Type\": \"AWS::SNS::Topic\"}}\n}\n",
        &["yaml/duplicate-key", "t.json:3:3", "first here"],
    );
    let project = Project::new();
    project.write(
        "t.json",
        "{\n\t\"Resources\": {\n\t\t\"Topic\": {\"Type\": \"AWS::SNS::Topic\", \"Condition\": \"No\"}\n\t}\n}\n",
    );
    let _ = project
        .samara(["validate", "-t", "t.json"])
        .run()
        .expect(1)
        .says("t.json:3:53")
        .says("there is no condition `No`");
}

#[test]
fn depth_and_size_have_limits() {
    let list = "[".repeat(100_000);
    refused("t.yaml", format!("Resources: {list}").as_bytes(), &["yaml/too-deep", "t.yaml:1:", "128 levels"]);
    refused("t.yaml", format!("Resources: {list}{}", "]".repeat(100_000)).as_bytes(), &["yaml/too-deep"]);
    refused("t.yaml", "- ".repeat(100_000).as_bytes(), &["yaml/too-deep"]);
    refused("t.json", ("{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000)).as_bytes(), &["yaml/too-deep"]);
    let large = vec![b'x'; 200 << 20];
    refused("t.yaml", &large, &["yaml/too-large", "larger than 1 MB", "t.yaml"]);
    let line = "Resources: ".to_owned() + &"x".repeat(1_000_000) + ": y";
    refused("t.yaml", line.as_bytes(), &["yaml/syntax", "t.yaml:1:", "…"]);
}

#[test]
fn aliases_do_not_multiply() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let _ = writeln!(bomb, "a{level}: &a{level} [{}*a{}]", format!("*a{}, ", level - 1).repeat(8), level - 1);
    }
    refused("t.yaml", bomb.as_bytes(), &["yaml/alias-budget", "multiply"]);
    let anchors: String = (0..120).map(|level| format!("&x{level} [")).collect::<String>() + &"x,".repeat(400_000);
    refused("t.yaml", anchors.as_bytes(), &["error["]);
}

#[test]
fn other_encodings_are_named() {
    refused("t.yaml", b"\xff\xfeR\0:\0 \x001\0", &["yaml/encoding", "UTF-16", "Save the file as UTF-8"]);
    refused("t.yaml", b"Description: caf\xe9\nResources: {}\n", &["yaml/encoding", "0xe9", "t.yaml:1:17", "Latin-1"]);
    let project = Project::new();
    project.write("t.yaml", b"\xef\xbb\xbfResources: {Topic: {Type: AWS::SNS::Topic}}\r\n");
    let _ = project.samara(["validate", "-t", "t.yaml"]).run().expect(0);
}

/// Every value of a template replaced by every other type: refused or not, it never crashes.
#[test]
fn any_value_may_be_of_any_type() {
    let whole = "\
Transform: AWS::Serverless-2016-10-31
Description: x
Parameters: {P: {Type: String, Default: a, AllowedValues: [a], NoEcho: true}}
Mappings: {M: {a: {b: c}}}
Conditions: {C: {'Fn::Equals': [a, b]}}
Globals: {Function: {Timeout: 3, Environment: {Variables: {A: b}}}}
Resources:
  F:
    Type: AWS::Serverless::Function
    Condition: C
    DependsOn: [T]
    Metadata: {BuildMethod: x}
    Properties:
      CodeUri: src
      Handler: app.handler
      Runtime: python3.13
      MemorySize: 128
      EphemeralStorage: {Size: 512}
      AutoPublishAlias: live
      DeploymentPreference: {Type: AllAtOnce, Alarms: [{Ref: A}], Enabled: true}
      Events: {E: {Type: Api, Properties: {Path: /, Method: get}}}
      Layers: [{'Fn::Sub': ['${x}', {x: {'Fn::GetAtt': [T, Arn]}}]}]
  T: {Type: AWS::SNS::Topic, DeletionPolicy: Retain, UpdateReplacePolicy: Retain, Properties: {A: {'Fn::FindInMap': [M, a, b]}, B: {'Fn::If': [C, 1, 2]}}}
Outputs: {O: {Value: {'Fn::Join': [a, [b]]}, Export: {Name: x}}}
";
    let root: serde_json::Value = serde_yaml::from_str(whole).unwrap();
    let mut paths = Vec::new();
    collect(&root, String::new(), &mut paths);
    let project = Project::new();
    let others = [
        "null",
        "true",
        "7",
        "1.5",
        "\"text\"",
        "[]",
        "[1]",
        "{}",
        "{\"a\": 1}",
        "{\"Ref\": \"P\"}",
        "{\"Fn::Nothing\": []}",
        "\"\"",
    ];
    for (index, path) in paths.iter().enumerate() {
        // All the other types of one place in one run each would be thousands of processes; every
        // place gets two of them, and all of them get their turn.
        for shift in 0..2 {
            let other = others[(index * 2 + shift) % others.len()];
            let mut changed = root.clone();
            *changed.pointer_mut(path).unwrap() = serde_json::from_str(other).unwrap();
            project.write("t.json", changed.to_string());
            let outcome = project.samara(["validate", "-t", "t.json", "--output", "json"]).run();
            assert!(matches!(outcome.status, Some(0 | 1)), "{path} = {other}: {}", outcome.stderr);
            assert!(outcome.json().is_array(), "{path} = {other}");
        }
    }
}

fn collect(value: &serde_json::Value, path: String, paths: &mut Vec<String>) {
    match value {
        serde_json::Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, format!("{path}/{index}"), paths);
            }
        }
        serde_json::Value::Object(map) => {
            for (key, item) in map {
                collect(item, format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), paths);
            }
        }
        _ => {}
    }
    if !path.is_empty() {
        paths.push(path);
    }
}
