//! `samara validate`: what it finds, where it says it is, and how it ends.

use crate::support::project::Project;
use crate::support::shared::fixtures;

/// A function that nothing can be said against, with its code.
const GOOD: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      Runtime: python3.13
      AutoPublishAlias: live
      DeploymentPreference: {Type: Canary10Percent5Minutes}
";

fn good() -> Project {
    let project = Project::with_template(GOOD);
    project.write("src/app.py", "def handler(event, context):\n    return 1\n");
    project
}

/// The good template with one line in place of another.
fn with(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "{old}");
    GOOD.replace(old, new)
}

/// Every rule: the template, the rule, where it is, what is said, and how to mend it.
fn broken() -> Vec<(String, &'static str, &'static str, &'static str, &'static str)> {
    let output = |value: &str| format!("{GOOD}Outputs:\n  Arn:\n    Value: {value}\n");
    vec![
        (
            GOOD.replace("Resources", "Resource"),
            "structure/section",
            "2:1",
            "there is no section `Resource`",
            "Did you mean `Resources`?",
        ),
        (
            "Description: x\n".to_owned(),
            "structure/resources",
            "1:1",
            "the template has no section `Resources`",
            "logical IDs",
        ),
        (
            "Resources: {}\n".to_owned(),
            "structure/resources",
            "1:1",
            "the section `Resources` is empty",
            "at least one",
        ),
        (
            "Resources: [a]\n".to_owned(),
            "structure/section",
            "1:12",
            "the section `Resources` is a map, and this is a list",
            "indentation",
        ),
        (
            format!("AWSTemplateFormatVersion: 2010-09-10\n{GOOD}"),
            "structure/version",
            "1:27",
            "`2010-09-10`",
            "2010-09-09",
        ),
        (
            with("Properties:", "Propertys:"),
            "structure/resource",
            "5:5",
            "`Propertys` is no attribute",
            "Did you mean `Properties`?",
        ),
        (
            format!("{GOOD}  Topic: text\n"),
            "structure/resource",
            "11:10",
            "the resource `Topic` is a map, and this is text",
            "Type",
        ),
        (
            format!("{GOOD}  Topic: {{Typ: AWS::SNS::Topic}}\n"),
            "structure/resource",
            "11:3",
            "`Topic` has no `Type`",
            "`Typ`",
        ),
        (
            format!("{GOOD}  Topic: {{Type: SNS}}\n"),
            "structure/resource",
            "11:17",
            "`SNS` is not the name of a resource type",
            "AWS::",
        ),
        (with("  Hello:", "  my-fn:"), "structure/logical-id", "3:3", "letters and digits only", "`myfn` would do"),
        (
            format!("{GOOD}Parameters:\n  P: {{Type: Strng}}\n"),
            "structure/parameter",
            "12:13",
            "`Strng` is not a type of parameter",
            "Did you mean `String`?",
        ),
        (
            format!("{GOOD}Parameters:\n  P: {{Type: String, Default: c, AllowedValues: [a, b]}}\n"),
            "structure/parameter",
            "12:30",
            "has to be one of a, b, not `c`",
            "Change",
        ),
        (
            format!("{GOOD}Outputs:\n  Arn: {{Description: x}}\n"),
            "structure/output",
            "12:3",
            "the output `Arn` has no `Value`",
            "Value:",
        ),
        (
            format!("{GOOD}Mappings:\n  M: {{a: 1}}\n"),
            "structure/mapping",
            "12:10",
            "`a` has to be a map, and this is a number",
            "two levels",
        ),
        (
            format!("{GOOD}Globals:\n  Functions: {{Timeout: 3}}\n"),
            "structure/globals",
            "12:3",
            "there are no Globals for `Functions`",
            "Did you mean `Function`?",
        ),
        (
            output("!Ref Helo"),
            "reference/unknown",
            "13:17",
            "there is no resource or parameter `Helo`",
            "Did you mean `Hello`?",
        ),
        (
            output("!GetAtt Helo.Arn"),
            "reference/unknown",
            "13:20",
            "there is no resource `Helo`",
            "Did you mean `Hello`?",
        ),
        (
            output("!GetAtt [Helo, Arn]"),
            "reference/unknown",
            "13:21",
            "there is no resource `Helo`",
            "Did you mean `Hello`?",
        ),
        (
            output("!Sub 'x-${Helo.Arn}'"),
            "reference/unknown",
            "13:20",
            "there is no resource `Helo`",
            "Did you mean `Hello`?",
        ),
        (output("!Sub ['${a}${Helo}', {a: b}]"), "reference/unknown", "13:23", "`Helo`", "Did you mean `Hello`?"),
        (
            with("    Properties:", "    DependsOn: [Tabel]\n    Properties:"),
            "reference/unknown",
            "5:17",
            "there is no resource `Tabel`",
            "Hello",
        ),
        (
            with("    Properties:", "    Condition: IsProd\n    Properties:"),
            "reference/condition",
            "5:16",
            "there is no condition `IsProd`",
            "Conditions",
        ),
        (output("!FindInMap [M, a, b]"), "reference/mapping", "13:24", "there is no mapping `M`", "Mappings"),
        (
            output("!Join [a, b, c]"),
            "reference/function",
            "13:18",
            "`Fn::Join` takes a separator and a list",
            "intrinsic-function",
        ),
        (
            output("{'Fn::Subb': x}"),
            "reference/function",
            "13:13",
            "there is no function `Fn::Subb`",
            "Did you mean `Fn::Sub`?",
        ),
        (output("!Sub '${a:-b}'"), "reference/sub", "13:18", "`${a:-b}` is not a name", "`${!a:-b}`"),
        (
            format!(
                "{GOOD}  A: {{Type: AWS::SNS::Topic, DependsOn: B}}\n  B: {{Type: AWS::SNS::Topic, DependsOn: A}}\n"
            ),
            "reference/circular",
            "11:41",
            "circular dependency: A → B → A",
            "Break it",
        ),
        (
            with("python3.13", "python3.31"),
            "lambda/runtime",
            "8:16",
            "there is no runtime `python3.31`",
            "Did you mean `python3.1",
        ),
        (
            with("      Runtime: python3.13\n", ""),
            "lambda/code",
            "3:3",
            "the function `Hello` has no Runtime",
            "python3.13",
        ),
        (
            with("AutoPublishAlias: live", "MemorySize: 127\n      AutoPublishAlias: live"),
            "lambda/memory",
            "9:19",
            "128 to 10240 MB, and this is 127",
            "Lambda takes",
        ),
        (
            with("AutoPublishAlias: live", "Timeout: 901\n      AutoPublishAlias: live"),
            "lambda/timeout",
            "9:16",
            "1 to 900 seconds, and this is 901",
            "Lambda takes",
        ),
        (
            with("AutoPublishAlias: live", "EphemeralStorage: {Size: 511}\n      AutoPublishAlias: live"),
            "lambda/storage",
            "9:32",
            "512 to 10240 MB, and this is 511",
            "Lambda takes",
        ),
        (
            with("      AutoPublishAlias: live\n", ""),
            "deployment/alias",
            "9:7",
            "`Hello` has a `DeploymentPreference` and no `AutoPublishAlias`",
            "live",
        ),
        (
            with("Canary10Percent5Minutes", "Canary10Percent5Minute"),
            "deployment/strategy",
            "10:36",
            "there is no strategy `Canary10Percent5Minute`",
            "Did you mean `Canary10Percent5Minutes`?",
        ),
        (
            with("      CodeUri", "      MemorySiz: 128\n      CodeUri"),
            "serverless/property",
            "6:7",
            "AWS::Serverless::Function has no property `MemorySiz`",
            "Did you mean `MemorySize`?",
        ),
        (
            with("AWS::Serverless::Function", "AWS::Serverless::Functoin"),
            "serverless/type",
            "4:11",
            "there is no type `AWS::Serverless::Functoin`",
            "Did you mean `AWS::Serverless::Function`?",
        ),
        (
            format!("{GOOD}  Api: {{Type: AWS::Serverless::Api, Properties: {{DefinitionUri: src}}}}\n"),
            "serverless/required",
            "11:3",
            "`Api` needs the property `StageName`",
            "Add `StageName`.",
        ),
        (
            with("      CodeUri", "      Layers: one\n      CodeUri"),
            "serverless/value",
            "6:15",
            "`Layers` is a list of texts or maps, and this is text",
            "indentation",
        ),
        (
            with("      CodeUri", "      Events: {E: {Type: Schedul}}\n      CodeUri"),
            "serverless/event",
            "6:26",
            "there is no type of event `Schedul`",
            "Did you mean `Schedule`?",
        ),
        (
            with("      CodeUri", "      Events: {E: {Type: SQS, Properties: {Queu: x}}}\n      CodeUri"),
            "serverless/event",
            "6:44",
            "an event of type SQS has no property `Queu`",
            "Did you mean `Queue`?",
        ),
        (
            format!(
                "{GOOD}  S: {{Type: AWS::Serverless::Api, Properties: {{StageName: prod, DefinitionUri: src, DefinitionBody: {{swagger: 2}}}}}}\n"
            ),
            "serverless/transform",
            "11:",
            "Specify either 'DefinitionUri' or 'DefinitionBody' property and not both",
            "",
        ),
        (
            with("app.handler", "ap.handler"),
            "files/handler",
            "7:16",
            "needs the file `src/ap.py`, and it is not there",
            "Did you mean `app.handler`?",
        ),
        (
            with("app.handler", "handler"),
            "files/handler",
            "7:16",
            "the handler `handler` names no function",
            "file.function",
        ),
        (with("src/", "scr/"), "files/missing", "6:16", "there is no file or folder `scr`", "Did you mean `src`?"),
    ]
}

#[test]
fn a_template_in_order_is_valid() {
    let outcome = good().samara(["validate"]).run().expect(0);
    assert_eq!(outcome.stdout, "template.yaml is valid\n");
    assert_eq!(outcome.stderr, "");
}

#[test]
fn every_mistake_is_an_error_with_its_line_and_what_to_do() {
    let mut wrong = String::new();
    for (template, rule, place, message, help) in broken() {
        let project = good();
        project.write("template.yaml", &template);
        let outcome = project.samara(["validate"]).run();
        let line: usize = place.split(':').next().unwrap().parse().unwrap();
        let expected = [
            &format!("error[{rule}]: "),
            message,
            &format!("template.yaml:{place}{}", if place.ends_with(':') { "" } else { "\n" }),
            // The line itself, with its mark below it.
            template.lines().nth(line - 1).unwrap().trim_end(),
            help,
            "\nerror: cannot validate template.yaml: ",
        ];
        let missing: Vec<&&str> = expected.iter().filter(|text| !outcome.stderr.contains(**text)).collect();
        if outcome.status != Some(1) || !outcome.stdout.is_empty() || !missing.is_empty() {
            wrong.push_str(&format!("{rule}: {missing:?} missing, status {:?}:\n{}\n", outcome.status, outcome.stderr));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_problem_shows_at_once_in_the_order_of_the_file() {
    let project = good();
    project
        .write("template.yaml", with("python3.13", "python9") + "Resource: {}\nOutputs: {A: {Value: !Ref Nobody}}\n");
    let outcome = project.samara(["validate"]).run().expect(1);
    let places: Vec<_> =
        ["lambda/runtime", "structure/section", "reference/unknown"].map(|rule| outcome.stderr.find(rule)).into();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{}", outcome.stderr);
}

#[test]
fn programs_get_an_array_of_findings_and_nothing_else() {
    let project = good();
    project.write("template.yaml", with("python3.13", "python3.8").replace("app.handler", "ap.handler"));
    let outcome = project.samara(["validate", "--output", "json"]).run().expect(1);
    let found = outcome.json();
    assert_eq!(
        found[0],
        serde_json::json!({
            "file": "template.yaml",
            "line": 7,
            "column": 16,
            "severity": "error",
            "rule": "files/handler",
            "message": "the handler `ap.handler` needs the file `src/ap.py`, and it is not there",
            "help": "Did you mean `app.handler`?",
        })
    );
    assert_eq!(found[1]["severity"], "warning");
    assert_eq!(found[1]["line"], 8);
    assert_eq!(found.as_array().map(Vec::len), Some(2));

    assert_eq!(good().samara(["validate", "--output", "json"]).run().expect(0).json(), serde_json::json!([]));

    let broken = Project::with_template("a: [\n");
    let found = broken.samara(["validate", "--output", "json"]).run().expect(1).json();
    assert_eq!((&found[0]["rule"], &found[0]["line"]), (&"yaml/syntax".into(), &1.into()));
}

#[test]
fn a_deprecated_runtime_is_a_warning_with_its_dates() {
    let project = good();
    project.write("template.yaml", with("python3.13", "python3.8"));
    let outcome = project.samara(["validate"]).run().expect(0);
    assert_eq!(outcome.stdout, "template.yaml is valid (1 warning)\n");
    let outcome = outcome
        .says("warning[lambda/deprecated-runtime]: the runtime `python3.8` is deprecated since 2024-10-14")
        .says("template.yaml:8:16\n")
        .says("2027-02-01")
        .says("2027-03-03");
    assert!(outcome.stderr.contains("Move to python3.14."), "{}", outcome.stderr);
}

#[test]
fn without_files_the_template_alone_is_checked() {
    let project = Project::with_template(GOOD);
    let _ = project.samara(["validate"]).run().expect(1).says("there is no file or folder `src`");
    let _ = project.samara(["validate", "--no-files"]).run().expect(0);
    project.write("samconfig.toml", "version = 0.1\n[ci.validate.parameters]\nno_files = true\n");
    let _ = project.samara(["validate"]).run().expect(1);
    let _ = project.samara(["validate", "--config-env", "ci"]).run().expect(0);
}

#[test]
fn a_handler_is_looked_for_as_its_language_does() {
    let languages = [
        ("python3.13", "app.handler", "app.py"),
        ("python3.13", "pkg.mod.handler", "pkg/mod.py"),
        ("python3.13", "pkg/mod.handler", "pkg/mod.py"),
        ("python3.13", "pkg.handler", "pkg/__init__.py"),
        ("nodejs22.x", "index.handler", "index.mjs"),
        ("nodejs22.x", "dist/index.handler", "dist/index.js"),
        ("ruby3.4", "lambda_function.Module::Class.process", "lambda_function.rb"),
    ];
    for (runtime, handler, file) in languages {
        let project = Project::with_template(&with("python3.13", runtime).replace("app.handler", handler));
        project.write(format!("src/{file}"), "");
        let _ = project.samara(["validate"]).run().expect(0);
        std::fs::remove_file(project.path(format!("src/{file}"))).unwrap();
        let _ = project.samara(["validate"]).run().expect(1).says("files/handler").says(&format!("`{handler}`"));
    }
    // What a compiler makes is not there yet.
    let rust = Project::with_template(&with("python3.13", "provided.al2023").replace("app.handler", "bootstrap"));
    let _ =
        rust.samara(["validate"]).run().expect(0).says("warning[files/missing]").says("Build it before you package");
    // A ready zip is not opened.
    let zip = Project::with_template(&with("src/", "code.zip"));
    zip.write("code.zip", "zip");
    let _ = zip.samara(["validate"]).run().expect(0);
    // TypeScript beside it.
    let typescript = Project::with_template(&with("python3.13", "nodejs22.x"));
    typescript.write("src/app.ts", "");
    let _ = typescript.samara(["validate"]).run().expect(0).says("compile it before you package");
}

#[test]
fn templates_are_looked_for_in_sams_order() {
    let project = Project::new();
    let _ = project
        .samara(["validate"])
        .run()
        .expect(1)
        .says("there is no template.yaml, template.yml or template.json here");
    project.write(".aws-sam/build/template.yaml", "Built: 1\n");
    project.write("template.json", r#"{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}"#);
    let _ = project.samara(["validate"]).run().expect(0).prints("template.json is valid");
    project.write("template.yml", "Resources: {Topic: {Type: AWS::SNS::Topic}}\n");
    let _ = project.samara(["validate"]).run().expect(0).prints("template.yml is valid");
    project.write("template.yaml", "Resources: {Topic: {Type: AWS::SNS::Topic}}\n");
    let _ = project.samara(["validate"]).run().expect(0).prints("template.yaml is valid");
    project.write("app/other.yaml", "Resources: {Topic: {Type: AWS::SNS::Topic}}\n");
    for arguments in [["-t", "app/other.yaml"], ["--template", "app/other.yaml"], ["--template-file", "app/other.yaml"]]
    {
        let _ =
            project.samara(["validate", "--lint"]).args(arguments).run().expect(0).prints("app/other.yaml is valid");
    }
    let _ = project
        .samara(["validate"])
        .env("SAM_TEMPLATE_FILE", "app/other.yaml")
        .run()
        .expect(0)
        .prints("app/other.yaml");
}

#[test]
fn a_template_that_cannot_be_read_is_an_error_that_says_so() {
    let project = Project::new();
    let _ = project
        .samara(["validate", "-t", "nowhere.yaml"])
        .run()
        .expect(1)
        .says("cannot read nowhere.yaml: No such file");
    std::fs::create_dir(project.path("folder.yaml")).unwrap();
    let _ = project
        .samara(["validate", "-t", "folder.yaml"])
        .run()
        .expect(1)
        .says("cannot read folder.yaml: it is not a file");
    let _ =
        project.samara(["validate", "-t", "/dev/zero"]).run().expect(1).says("cannot read /dev/zero: it is not a file");
    let _ = project.samara(["validate", "--nonsense"]).run().expect(2).says("--nonsense");
    let _ = good().samara(["validate", "--config-file", "nowhere.toml"]).run().expect(1).says("nowhere.toml");
}

#[test]
fn the_options_of_the_command_line_are_saved_on_request() {
    let project = good();
    project.write("samconfig.toml", "# mine\nversion = 0.1\n");
    let _ = project.samara(["validate", "--no-files", "--region", "eu-west-1", "--save-params"]).run().expect(0);
    let saved = project.read("samconfig.toml");
    for expected in ["# mine\n", "[default.validate.parameters]\nno_files = true\n", "region = \"eu-west-1\""] {
        assert!(saved.contains(expected), "{saved}");
    }
    std::fs::remove_dir_all(project.path("src")).unwrap();
    let _ = project.samara(["validate"]).run().expect(0);
}

#[test]
fn foreign_text_cannot_move_the_cursor() {
    let project = Project::with_template("Resources:\n  \"A\\e[2J\\u202E\": {Type: AWS::SNS::Topic}\n");
    for output in ["text", "json"] {
        let outcome = project.samara(["validate", "--output", output]).run().expect(1);
        for text in [&outcome.stdout, &outcome.stderr] {
            assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
        }
    }
}

/// Published templates that SAM's own transform takes: what is said against the few must be true.
#[test]
fn templates_that_sam_takes_get_no_false_error() {
    let Some(inputs) = fixtures("sam-transform/input") else { return };
    let mut total = 0;
    let mut refused = Vec::new();
    let project = Project::new();
    for entry in std::fs::read_dir(inputs).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("error_") {
            continue;
        }
        total += 1;
        let outcome = project.samara(["validate", "--no-files", "--output", "json", "-t"]).args([entry.path()]).run();
        if outcome.status != Some(0) {
            let found = outcome.json();
            let rules: Vec<String> = found
                .as_array()
                .unwrap()
                .iter()
                .filter(|item| item["severity"] == "error")
                .map(|item| format!("{} {}", item["rule"].as_str().unwrap(), item["message"].as_str().unwrap()))
                .collect();
            // SAM does not look for what a reference names, nor at what CloudFormation refuses.
            let true_ones = [
                "reference/unknown",
                "reference/condition",
                "reference/function Fn::Ref",
                "reference/function",
                "structure/resource",
            ];
            assert!(
                rules.iter().all(|rule| true_ones.iter().any(|known| rule.starts_with(known))),
                "{name}: {rules:?}"
            );
            refused.push(name);
        }
    }
    assert!(refused.len() * 20 <= total, "{} of {total}: {refused:?}", refused.len());
}
