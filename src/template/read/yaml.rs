//! YAML templates: the builder of [`super::build`] with YAML 1.1's scalars, tags, anchors and merges.

use super::build::{self, Language};
use crate::diagnostic::Diagnostic;
use crate::template::Node;
use crate::template::span::Source;

/// The tree, as far as there is one, and what is wrong.
pub(super) fn read(source: &Source) -> (Option<Node>, Vec<Diagnostic>) {
    build::build(source, Language::Yaml)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value as Json, json};

    use crate::template::read::{read, read_with_findings};
    use crate::template::span::Source;

    fn value(text: &str) -> Json {
        let source = Arc::new(Source::new("template.yaml", text));
        match read(source) {
            Ok(template) => template.root.to_json(),
            Err(problems) => panic!("{text}\n{:#?}", problems.items),
        }
    }

    /// Rule, line, column and message of everything that is wrong.
    fn problems(text: &str) -> Vec<String> {
        let (_, found) = read_with_findings(Arc::new(Source::new("template.yaml", text)));
        let place = |span: Option<crate::template::Span>| {
            span.map_or("-".to_owned(), |span| found.source.position(span.start as usize).to_string())
        };
        found.items.iter().map(|item| format!("{} {} {}", place(item.span), item.rule, item.message)).collect()
    }

    #[test]
    fn short_tags_are_read_into_their_long_form() {
        let text = "
a: !Ref X
b: !GetAtt Table.Arn
c: !GetAtt [Table, Arn]
d: !GetAtt Nested.Outputs.Url
e: !Sub '${X}-y'
f: !Sub ['${v}', {v: !Ref X}]
g: !If [C, !Ref 'AWS::NoValue', {Fn::Sub: z}]
h: !Join
- ','
- - !Ref 010
  - !Sub on
i: !Base64
  Fn::Sub: |
    text
j: !Condition Other
k: !GetAZs ''
l: !GetAZs
m: !Transform {Name: AWS::Include, Parameters: {Location: here}}
";
        assert_eq!(
            value(text),
            json!({
                "a": {"Ref": "X"},
                "b": {"Fn::GetAtt": ["Table", "Arn"]},
                "c": {"Fn::GetAtt": ["Table", "Arn"]},
                "d": {"Fn::GetAtt": ["Nested", "Outputs.Url"]},
                "e": {"Fn::Sub": "${X}-y"},
                "f": {"Fn::Sub": ["${v}", {"v": {"Ref": "X"}}]},
                "g": {"Fn::If": ["C", {"Ref": "AWS::NoValue"}, {"Fn::Sub": "z"}]},
                "h": {"Fn::Join": [",", [{"Ref": "010"}, {"Fn::Sub": "on"}]]},
                "i": {"Fn::Base64": {"Fn::Sub": "text\n"}},
                "j": {"Condition": "Other"},
                "k": {"Fn::GetAZs": ""},
                "l": {"Fn::GetAZs": ""},
                "m": {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "here"}}},
            })
        );
    }

    #[test]
    fn nodes_know_where_they_stand() {
        let text = "Resources:\n  F:\n    Arn: !GetAtt Table.Arn\n    List:\n      - a\n      - b: [1,\n          2]\n    Text: |\n      x\n      y\n\n  G: 1\n";
        let source = Arc::new(Source::new("t", text));
        let template = read(Arc::clone(&source)).unwrap();
        let slice = |path: &[&str]| &text[template.root.path(path).unwrap().span.unwrap().range()];
        assert_eq!(slice(&["Resources", "F", "Arn"]), "!GetAtt Table.Arn");
        assert_eq!(slice(&["Resources", "F", "Arn", "Fn::GetAtt"]), "Table.Arn");
        assert_eq!(slice(&["Resources", "F", "List"]), "- a\n      - b: [1,\n          2]");
        assert_eq!(slice(&["Resources", "F", "Text"]), "x\n      y");
        assert!(slice(&["Resources", "F"]).starts_with("Arn:"));
        let parts = template.root.path(&["Resources", "F", "Arn", "Fn::GetAtt"]).unwrap().as_list().unwrap();
        assert_eq!(&text[parts[1].span.unwrap().range()], "Arn");
        let key = template.root.get("Resources").unwrap().as_map().unwrap().key_span("G").unwrap();
        assert_eq!(source.position(key.start as usize).to_string(), "12:3");
    }

    #[test]
    fn a_lone_dash_in_a_flow_list_is_text_as_in_yaml_1_1() {
        assert_eq!(
            value("a: !Join [-, [x, -, '-,']]\nb: |\n  [-, y]\nc: {d: -}\n"),
            json!({"a": {"Fn::Join": ["-", ["x", "-", "-,"]]}, "b": "[-, y]\n", "c": {"d": "-"}})
        );
        assert_eq!(problems(&format!("a: [{}]", "-,".repeat(100))).len(), 1);
    }

    #[test]
    fn keys_are_text_and_merges_are_those_of_pyyaml() {
        assert_eq!(
            value("200: a\non: b\n~: c\n'on': d\n1.5: e\n"),
            json!({"200": "a", "true": "b", "null": "c", "on": "d", "1.5": "e"})
        );
        let text = "base: &base {a: 1, b: 2}\nother: &other {b: 3, c: 4}\nx: {<<: *base, b: 9}\ny: {<<: [*base, *other], d: 5}\nz: {'<<': 1}\n";
        let read = value(text);
        assert_eq!(read["x"].to_string(), r#"{"a":1,"b":9}"#);
        assert_eq!(read["y"].to_string(), r#"{"b":2,"c":4,"a":1,"d":5}"#);
        assert_eq!(read["z"], json!({"<<": 1}));
    }

    #[test]
    fn yaml_types_and_anchors() {
        assert_eq!(
            value("a: !!str 1\nb: !!int '2'\nc: ! yes\nd: &x [1]\ne: *x\nf: &k key\n*k : v\n"),
            json!({"a": "1", "b": 2, "c": "yes", "d": [1], "e": [1], "f": "key", "key": "v"})
        );
    }

    #[test]
    fn every_problem_of_a_readable_file_is_found_at_once() {
        let text = "a: 1\na: 2\nb: !Reff x\nc: .nan\nd: 99999999999999999999\n!Ref k: v\n? [x]\n: y\ne: {<<: 7}\nf: !!binary aGk=\ng: !!seq {}\n";
        insta::assert_snapshot!(problems(text).join("\n"), @"
        2:1 yaml/duplicate-key the key `a` is there twice
        3:4 yaml/unknown-tag there is no short tag `!Reff`
        4:4 yaml/number `.nan` is not a number that a template can hold
        5:4 yaml/number the number 99999999999999999999 is beyond 64 bits
        6:1 yaml/misplaced-tag a key is plain text: `Ref` cannot be one
        7:3 yaml/key a key is text, and this is a list
        9:9 yaml/merge `<<` merges a map or a list of maps
        10:4 yaml/unknown-tag CloudFormation does not know the YAML type `!!binary`
        11:10 yaml/misplaced-tag this tag does not fit the value behind it
        ");
    }

    #[test]
    fn what_is_not_yaml_is_said_at_its_place() {
        for text in [
            "a: b: c\n",
            "a:\n\tb: 1\n",
            "a: \"x\n",
            "a: 'x\n",
            "a: [1, 2\n",
            "a: {x: 1\nb: 2\n",
            "a: 1\n b: 2\n",
            "a:\n  - 1\n - 2\n",
            "a: @x\n",
            "a: `x`\n",
            "a: %x\n",
            "a: *nobody\n",
            "a: !Base64 !Sub x\n",
            "a: \"\\q\"\n",
            "a: 1\nb\nc: 2\n",
            "a: &x [*x]\n",
            "a: &x {b: *x}\n",
            "a: 1\n---\nb: 2\n",
            "",
            "# nothing\n",
            "- a\n- b\n",
            "text",
            "a: \0\n",
            "a: \u{1b}[31m\n",
        ] {
            let found = problems(text);
            assert_eq!(found.len(), 1, "{text:?}: {found:?}");
        }
        insta::assert_snapshot!(problems("a:\n\tb: 1\n")[0], @"2:2 yaml/syntax YAML does not allow tabs as indentation");
        insta::assert_snapshot!(problems("a: b: c\n")[0], @"1:5 yaml/syntax a `:` is not allowed here");
        insta::assert_snapshot!(problems("a: !Base64 !Sub x\n")[0], @"1:12 yaml/syntax a value can have only one tag");
        insta::assert_snapshot!(problems("a: \"x\nb: 1\n")[0], @"1:4 yaml/syntax a quote is opened and never closed");
        insta::assert_snapshot!(problems("a: 1\nb\nc: 2\n")[0], @"2:1 yaml/syntax this line is neither `key: value` nor part of the value above it");
        insta::assert_snapshot!(problems("a: &x {b: *x}\n")[0], @"1:11 yaml/recursive-alias this alias stands inside the value that it names");
    }
}
