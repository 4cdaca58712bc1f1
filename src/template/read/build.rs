//! From parser events to nodes, without recursion: types, short tags, anchors, merge keys, duplicate
//! keys, and the budgets that keep a hostile file small.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, StructureStyle, Tag};

use super::scalar::{self, Problem};
use super::{MAX_DEPTH, syntax};
use crate::diagnostic::Diagnostic;
use crate::hint::closest;
use crate::template::span::{Source, Span};
use crate::template::{Map, Node, Value, tags};

/// Whose rules hold for scalars without quotes, and whether `<<` merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Yaml,
    Json,
}

/// What anchors and aliases may copy, in bytes of text plus [`NODE_WEIGHT`] a node: eight times the
/// largest template, which is far from any real one and far from filling the memory.
const COPY_BUDGET: usize = 8 * super::MAX_BYTES;

/// What a node weighs beside its text.
const NODE_WEIGHT: usize = 32;

/// After so many problems the rest is not worth reading; the file is probably not a template at all.
const MAX_PROBLEMS: usize = 100;

/// YAML 1.1 lets a lone `-` stand in a flow list (`!Join [-, […]]`, which people do write), the parser
/// does not. So many of them are mended by reading again; each costs one more pass over the file.
const MAX_LONE_DASHES: usize = 32;

/// What stands in for such a dash: one byte, so that no place moves.
const DASH_STAND_IN: &str = "_";

/// Reads one document; `None` when it ends too early to be looked at any further.
pub(super) fn build(source: &Source, language: Language) -> (Option<Node>, Vec<Diagnostic>) {
    let mut text = Cow::Borrowed(source.text());
    let mut lone_dashes = Vec::new();
    loop {
        let mut builder = Builder {
            source,
            language,
            lone_dashes: &lone_dashes,
            stack: Vec::new(),
            depth: 0,
            anchors: HashMap::new(),
            copied: 0,
            problems: Vec::new(),
            root: None,
            documents: 0,
        };
        let whole = builder.run(&text);
        let Builder { mut problems, root, .. } = builder;
        match whole {
            Ok(()) => return (Some(root.unwrap_or_default()), problems),
            Err(Stop::LoneDash(offset)) if lone_dashes.len() < MAX_LONE_DASHES => {
                text.to_mut().replace_range(offset..=offset, DASH_STAND_IN);
                lone_dashes.push(offset);
            }
            Err(Stop::LoneDash(offset)) => {
                let problem = Diagnostic::error("yaml/syntax", "too many dashes without quotes in flow lists");
                problems.push(problem.at(character_at(source.text(), offset)).help("Write '-' in quotes."));
                return (None, problems);
            }
            Err(Stop::Problem(problem)) => {
                problems.push(*problem);
                return (None, problems);
            }
        }
    }
}

/// The character that begins at or before `offset`; empty at the end of the text.
pub(super) fn character_at(text: &str, offset: usize) -> Span {
    let mut start = offset.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let length =
        text[start..].chars().next().filter(|character| !matches!(character, '\n' | '\r')).map_or(0, char::len_utf8);
    Span::new(start, start + length)
}

struct Builder<'s> {
    source: &'s Source,
    language: Language,
    /// Offsets at which [`DASH_STAND_IN`] stands for a dash.
    lone_dashes: &'s [usize],
    stack: Vec<Open>,
    /// How deep the tree is at the top of the stack; a tagged collection counts twice.
    depth: usize,
    anchors: HashMap<usize, Built>,
    copied: usize,
    problems: Vec<Diagnostic>,
    root: Option<Node>,
    documents: usize,
}

/// A node with what it costs to copy it and how deep it is.
#[derive(Clone)]
struct Built {
    node: Node,
    height: usize,
    weight: usize,
}

/// A list or map that is still being read.
struct Open {
    content: Content,
    tag: Tagged,
    anchor: usize,
    span: Span,
    height: usize,
    weight: usize,
}

enum Content {
    List(Vec<Node>),
    Map { map: Map, key: Option<Key>, merges: Vec<Node> },
}

enum Key {
    Named {
        name: String,
        span: Span,
    },
    Merge,
    /// Something that cannot be a key; reported already, its value is read and dropped.
    Unusable,
}

/// What a tag makes of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tagged {
    No,
    /// A short tag of CloudFormation: the long name, and where the tag stands.
    Function(&'static str, Span),
    /// A type of YAML itself, such as `!!str`.
    Type(CoreType),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CoreType {
    Str,
    /// `!!int`, `!!float`, `!!bool`, `!!null`: read as if it stood there without quotes.
    Plain,
    Map,
    Seq,
}

/// Boxed: it is returned by every step and almost never there.
type Fatal = Box<Diagnostic>;

/// Why the reading ended before the end.
enum Stop {
    Problem(Fatal),
    LoneDash(usize),
}

impl From<Fatal> for Stop {
    fn from(problem: Fatal) -> Self {
        Self::Problem(problem)
    }
}

impl Builder<'_> {
    fn run(&mut self, text: &str) -> Result<(), Stop> {
        let options = granit_parser::options! {
            emit_comments: false,
            // As PyYAML: the last line of a block scalar has a line end only if the file has.
            block_scalar_eof_without_line_feed: true,
            // The builder counts for itself; these only keep the parser from going much deeper.
            flow_nesting_limit: MAX_DEPTH + 8,
            block_nesting_limit: MAX_DEPTH + 8,
        };
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, place) = event.map_err(|error| self.stop(text, &error))?;
            if self.problems.len() >= MAX_PROBLEMS {
                let problem = Diagnostic::error("yaml/too-many", "too many problems; what follows was not read");
                return Err(Stop::Problem(Box::new(problem.at(self.span(&place)))));
            }
            self.event(event, &place)?;
        }
        Ok(())
    }

    fn stop(&self, text: &str, error: &ScanError) -> Stop {
        if let (ErrorKind::PlainScalarStartsWithDashFlowIndicator, Some(offset)) =
            (error.kind(), error.marker().byte_offset())
        {
            // The marker stands at the dash or right behind it.
            let dash = [Some(offset), offset.checked_sub(1)]
                .into_iter()
                .flatten()
                .find(|at| text.as_bytes().get(*at) == Some(&b'-'));
            if let Some(dash) = dash.filter(|dash| matches!(text.as_bytes().get(dash + 1), Some(b',' | b']' | b'}'))) {
                return Stop::LoneDash(dash);
            }
        }
        Stop::Problem(Box::new(syntax::diagnostic(self.source, error)))
    }

    fn event(&mut self, event: Event<'_>, place: &granit_parser::Span) -> Result<(), Fatal> {
        let span = self.span(place);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Box::new(
                        Diagnostic::error("yaml/documents", "a template is one document, and here begins a second one")
                            .at(span)
                            .help("Remove the `---` and what belongs to the other document."),
                    ));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let text = if self.lone_dashes.contains(&(span.start as usize)) { Cow::Borrowed("-") } else { text };
                let tag = self.tag(tag.as_deref(), place);
                if self.awaits_key() {
                    self.scalar_key(&text, style, anchor, tag, span);
                    return Ok(());
                }
                let span =
                    if style == ScalarStyle::Literal || style == ScalarStyle::Folded { self.trim(span) } else { span };
                let built = self.scalar(&text, style, tag, span)?;
                self.add(built, anchor)?;
            }
            Event::SequenceStart(style, anchor, tag) => {
                let tag = self.tag(tag.as_deref(), place);
                self.open(Content::List(Vec::new()), style, anchor, tag, span)?;
            }
            Event::MappingStart(style, anchor, tag) => {
                let tag = self.tag(tag.as_deref(), place);
                let content = Content::Map { map: Map::new(), key: None, merges: Vec::new() };
                self.open(content, style, anchor, tag, span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span)?,
            Event::Alias(anchor) => {
                let Some(built) = self.anchors.get(&anchor).cloned() else {
                    return Err(Box::new(
                        Diagnostic::error("yaml/recursive-alias", "this alias stands inside the value that it names")
                            .at(span)
                            .help("A value cannot contain itself; write out what is meant."),
                    ));
                };
                self.charge(built.weight, span)?;
                self.check_depth(built.height, span)?;
                if self.awaits_key() {
                    self.alias_key(&built.node, span);
                } else {
                    self.add(built, 0)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn open(
        &mut self,
        content: Content,
        style: StructureStyle,
        anchor: usize,
        tag: Tagged,
        span: Span,
    ) -> Result<(), Fatal> {
        let levels = 1 + usize::from(matches!(tag, Tagged::Function(..)));
        self.check_depth(levels, span)?;
        self.depth += levels;
        if let (Tagged::Type(CoreType::Seq), Content::Map { .. })
        | (Tagged::Type(CoreType::Map | CoreType::Plain | CoreType::Str), Content::List(_)) = (tag, &content)
        {
            self.misplaced("this tag does not fit the value behind it", span);
        }
        // A block collection has no bracket of its own: it begins where its first entry does.
        let span = if style == StructureStyle::Flow { span } else { Span { start: span.start, end: span.start } };
        self.stack.push(Open { content, tag, anchor, span, height: 0, weight: NODE_WEIGHT });
        Ok(())
    }

    fn close(&mut self, end: Span) -> Result<(), Fatal> {
        let Some(open) = self.stack.pop() else { return Ok(()) };
        self.depth -= 1 + usize::from(matches!(open.tag, Tagged::Function(..)));
        // The end event of a flow collection covers its bracket; that of a block collection is empty
        // and stands at the next token.
        let span = if end.start < end.end { open.span.to(end) } else { open.span };
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Map { map, merges, .. } if merges.is_empty() => Value::Map(map),
            Content::Map { map, merges, .. } => Value::Map(self.merge(map, merges)),
        };
        let built = Built { node: Node { value, span: Some(span) }, height: open.height + 1, weight: open.weight };
        self.add(tagged(built, open.tag), open.anchor)
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, built: Built, anchor: usize) -> Result<(), Fatal> {
        let span = built.node.span.unwrap_or_default();
        if anchor != 0 {
            // Nested anchors copy the same text again and again, so they count as well.
            self.charge(built.weight, span)?;
            self.anchors.insert(anchor, built.clone());
        }
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(built.node);
            return Ok(());
        };
        open.height = open.height.max(built.height);
        open.weight = open.weight.saturating_add(built.weight);
        // An alias brings the place of its anchor; its text is not part of this collection.
        if span.start >= open.span.start {
            open.span.end = open.span.end.max(span.end);
        }
        match &mut open.content {
            Content::List(items) => items.push(built.node),
            Content::Map { map, key: key @ Some(_), merges } => match key.take() {
                Some(Key::Named { name, span }) => {
                    map.insert_spanned(name, Some(span), built.node);
                }
                Some(Key::Merge) => merges.push(built.node),
                Some(Key::Unusable) | None => {}
            },
            Content::Map { key, .. } => {
                *key = Some(Key::Unusable);
                let kind = built.node.kind();
                self.problems.push(
                    Diagnostic::error("yaml/key", format!("a key is text, and this is {kind}"))
                        .at(span)
                        .help("A value that begins with `{` or `[` has to be in quotes."),
                );
            }
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(self.stack.last(), Some(Open { content: Content::Map { key: None, .. }, .. }))
    }

    fn scalar_key(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Tagged, span: Span) {
        let mut name = text.to_owned();
        if let Tagged::Function(long, tag_span) = tag {
            self.problems.push(
                Diagnostic::error("yaml/misplaced-tag", format!("a key is plain text: `{long}` cannot be one"))
                    .at(tag_span)
                    .help("Short tags belong to values."),
            );
            self.set_key(Key::Unusable, span);
            return;
        }
        let plain = style == ScalarStyle::Plain && tag == Tagged::No;
        if plain && text == "<<" && self.language == Language::Yaml {
            self.set_key(Key::Merge, span);
            return;
        }
        if plain && self.language == Language::Yaml {
            // `404:` is a number and `on:` a boolean for YAML 1.1; JSON's keys are their texts.
            match scalar::yaml(text) {
                Ok(Value::Null) => "null".clone_into(&mut name),
                Ok(Value::Bool(value)) => name = value.to_string(),
                Ok(Value::Number(number)) => name = number.to_string(),
                _ => {}
            }
        }
        if anchor != 0 {
            let weight = NODE_WEIGHT + name.len();
            let node = Node { value: name.as_str().into(), span: Some(span) };
            self.anchors.insert(anchor, Built { node, height: 0, weight });
        }
        self.set_key(Key::Named { name, span }, span);
    }

    fn alias_key(&mut self, node: &Node, span: Span) {
        let name = match &node.value {
            Value::String(text) => text.clone(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Null => "null".to_owned(),
            Value::List(_) | Value::Map(_) => {
                self.problems.push(
                    Diagnostic::error("yaml/key", format!("a key is text, and this alias stands for {}", node.kind()))
                        .at(span),
                );
                self.set_key(Key::Unusable, span);
                return;
            }
        };
        self.set_key(Key::Named { name, span }, span);
    }

    fn set_key(&mut self, new: Key, span: Span) {
        let Some(Open { content: Content::Map { map, key, .. }, span: whole, weight, .. }) = self.stack.last_mut()
        else {
            return;
        };
        whole.end = whole.end.max(span.end);
        if let Key::Named { name, .. } = &new {
            *weight = weight.saturating_add(name.len());
            if let Some(first) = map.key_span(name) {
                let problem = Diagnostic::error("yaml/duplicate-key", format!("the key `{name}` is there twice"))
                    .at(span)
                    .label(first, "first here")
                    .help("Remove one of them; readers that do not complain keep only the last.");
                self.problems.push(problem);
            }
        }
        *key = Some(new);
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Tagged, span: Span) -> Result<Built, Fatal> {
        let weight = NODE_WEIGHT + text.len();
        if let Tagged::Function(long, _) = tag {
            self.check_depth(1 + usize::from(long == "Fn::GetAtt"), span)?;
            // The argument of a short tag is text whatever it looks like: `!Ref 010` names `010`.
            let node =
                if long == "Fn::GetAtt" { self.attribute(text, style, span) } else { Node::new(text, Some(span)) };
            return Ok(tagged(Built { node, height: 1, weight }, tag));
        }
        let plain = style == ScalarStyle::Plain && tag == Tagged::No || tag == Tagged::Type(CoreType::Plain);
        if let Tagged::Type(CoreType::Map | CoreType::Seq) = tag {
            self.misplaced("this tag does not fit the value behind it", span);
        }
        let value = if plain {
            let read = match self.language {
                Language::Yaml => scalar::yaml(text),
                Language::Json => scalar::json(text),
            };
            read.unwrap_or_else(|problem| {
                self.problems.push(number_problem(problem, text, span));
                text.into()
            })
        } else {
            text.into()
        };
        Ok(Built { node: Node::new(value, Some(span)), height: 0, weight })
    }

    /// `Resource.Attribute` as the list of its two parts.
    fn attribute(&self, text: &str, style: ScalarStyle, span: Span) -> Node {
        let parts = text.split_once('.');
        let exact = style == ScalarStyle::Plain && self.source.text().get(span.range()) == Some(text);
        let part = |part: &str, from: usize| {
            let place = if exact {
                Span::new(span.start as usize + from, span.start as usize + from + part.len())
            } else {
                span
            };
            Node::new(part, Some(place))
        };
        let items = match parts {
            Some((resource, attribute)) => vec![part(resource, 0), part(attribute, resource.len() + 1)],
            None => vec![part(text, 0)],
        };
        Node::new(items, Some(span))
    }

    /// As PyYAML does it: what is merged comes first, what a map says itself beats it, and of several
    /// merged maps in one list the first wins.
    fn merge(&mut self, own: Map, merges: Vec<Node>) -> Map {
        let mut merged = Map::new();
        for node in merges {
            let span = node.span;
            let maps = match node.value {
                Value::Map(map) => vec![map],
                Value::List(items) if items.iter().all(|item| item.as_map().is_some()) => items
                    .into_iter()
                    .rev()
                    .filter_map(|item| if let Value::Map(map) = item.value { Some(map) } else { None })
                    .collect(),
                _ => {
                    self.problems.push(
                        Diagnostic::error("yaml/merge", "`<<` merges a map or a list of maps")
                            .at(span)
                            .help("Put `<<: *name` where the anchor `&name` stands on a map."),
                    );
                    continue;
                }
            };
            for map in maps {
                merged.extend(map);
            }
        }
        merged.extend(own);
        merged
    }

    fn tag(&mut self, tag: Option<&Tag>, place: &granit_parser::Span) -> Tagged {
        let Some(tag) = tag else { return Tagged::No };
        let span = place
            .tag_span()
            .and_then(|span| span.byte_range())
            .map_or_else(|| self.span(place), |range| Span::new(range.start, range.end));
        if let Some(core) = tag.suffix_in_namespace("tag:yaml.org,2002:") {
            return match &*core {
                "str" => Tagged::Type(CoreType::Str),
                "int" | "float" | "bool" | "null" => Tagged::Type(CoreType::Plain),
                "map" => Tagged::Type(CoreType::Map),
                "seq" => Tagged::Type(CoreType::Seq),
                // Dates are kept as text, tagged or not.
                "timestamp" => Tagged::Type(CoreType::Str),
                other => {
                    self.problems.push(
                        Diagnostic::error(
                            "yaml/unknown-tag",
                            format!("CloudFormation does not know the YAML type `!!{other}`"),
                        )
                        .at(span)
                        .help("Remove the tag."),
                    );
                    Tagged::No
                }
            };
        }
        // `!` alone says: text.
        if tag.suffix().is_empty() || tag.suffix() == "!" {
            return Tagged::Type(CoreType::Str);
        }
        if let Some(long) = tags::long_name(tag.suffix()).filter(|_| tag.handle() == "!") {
            return Tagged::Function(long, span);
        }
        let mut problem =
            Diagnostic::error("yaml/unknown-tag", format!("there is no short tag `{}`", tag.original())).at(span);
        problem = match tag.suffix().strip_prefix("Fn::").or_else(|| closest(tag.suffix(), tags::short_tags())) {
            Some(meant) => problem.help(format!("Did you mean `!{meant}`?")),
            None => problem
                .help("Short tags are those of CloudFormation's functions, such as `!Ref`, `!Sub` and `!GetAtt`."),
        };
        self.problems.push(problem);
        Tagged::No
    }

    fn misplaced(&mut self, message: &str, span: Span) {
        self.problems
            .push(Diagnostic::error("yaml/misplaced-tag", message).at(span).help("Remove the tag, or mend the value."));
    }

    fn charge(&mut self, weight: usize, span: Span) -> Result<(), Fatal> {
        self.copied = self.copied.saturating_add(weight);
        if self.copied <= COPY_BUDGET {
            return Ok(());
        }
        Err(Box::new(
            Diagnostic::error("yaml/alias-budget", "the aliases of this file multiply to more than any template needs")
                .at(span)
                .help("Aliases of aliases grow without bound; write the values out."),
        ))
    }

    fn check_depth(&self, levels: usize, span: Span) -> Result<(), Fatal> {
        if self.depth + levels <= MAX_DEPTH {
            return Ok(());
        }
        Err(Box::new(syntax::too_deep().at(span)))
    }

    fn span(&self, place: &granit_parser::Span) -> Span {
        let range = place.byte_range().unwrap_or(0..0);
        Span::new(range.start, range.end)
    }

    /// Without the white space at the end, which block scalars have.
    fn trim(&self, span: Span) -> Span {
        let text = self.source.text().get(span.range()).unwrap_or_default();
        Span::new(span.start as usize, span.start as usize + text.trim_end().len())
    }
}

/// The long form of a short tag: a map with one key, which stands where the tag stands.
fn tagged(built: Built, tag: Tagged) -> Built {
    let Tagged::Function(long, tag_span) = tag else { return built };
    let span = built.node.span.map(|span| tag_span.to(span)).or(Some(tag_span));
    let mut map = Map::new();
    map.insert_spanned(long, Some(tag_span), built.node);
    Built { node: Node { value: Value::Map(map), span }, height: built.height + 1, weight: built.weight + NODE_WEIGHT }
}

fn number_problem(problem: Problem, text: &str, span: Span) -> Diagnostic {
    let message = match problem {
        Problem::TooLarge => format!("the number {text} is beyond 64 bits"),
        Problem::NotFinite => format!("`{text}` is not a number that a template can hold"),
    };
    Diagnostic::error("yaml/number", message).at(span).help("Put it in quotes when text is meant.")
}
