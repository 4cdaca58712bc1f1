//! `samconfig.toml` (or `.yaml`, `.yml`): which file is meant, what it says for a command, and what is
//! wrong with it. The rules are SAM CLI's, so that one file serves both; where SAM CLI is silent
//! about a mistake (a misspelt key, an environment that is not there), a warning says so.

mod keys;
pub mod write;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::hint::Hint;
use crate::template::{Map, Node, Source, Span, Value};

/// The names that are looked for, in this order.
pub const NAMES: [&str; 3] = ["samconfig.toml", "samconfig.yaml", "samconfig.yml"];
/// The environment that is read when none is named.
pub const DEFAULT_ENV: &str = "default";
/// What `version` has to say; there has never been another.
pub const VERSION: f64 = 0.1;
/// A configuration that a person wrote is far smaller; `serde_yaml` needs minutes for megabytes of
/// nested flow maps.
const MAX_BYTES: usize = 256 * 1024;

/// What one file says for one environment. An absent file is an empty `Config`.
#[derive(Clone, Debug)]
pub struct Config {
    path: Option<PathBuf>,
    source: Arc<Source>,
    env: String,
    env_is_explicit: bool,
    root: Map,
    others: Vec<PathBuf>,
}

/// What a file says for one command: the global section with the command's own over it.
#[derive(Clone, Debug)]
pub struct Section {
    source: Arc<Source>,
    values: Map,
    warnings: Vec<Diagnostic>,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file that was named is not there.
    #[error("config file {path} does not exist or could not be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Neither TOML nor YAML by its name.
    #[error("config file {path} has none of the extensions .toml, .yaml and .yml")]
    Extension {
        /// The file.
        path: PathBuf,
    },
    /// The file says something that cannot be.
    #[error("{}", Located(.0))]
    Findings(Diagnostics),
    /// The file cannot be written.
    #[error("cannot write the config file {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A YAML file with comments, which would be lost.
    #[error("{path} has comments that writing it would lose")]
    WouldLoseComments {
        /// The file.
        path: PathBuf,
        /// What should be put into it by hand.
        lines: String,
    },
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Unreadable { .. } => {
                vec!["A relative --config-file is looked for beside the template.".to_owned()]
            }
            Self::Extension { .. } => vec!["samconfig.toml is the name that samara and sam look for.".to_owned()],
            Self::Findings(findings) => findings.items.iter().filter_map(|item| item.help.clone()).collect(),
            Self::Write { .. } => Vec::new(),
            Self::WouldLoseComments { lines, .. } => vec![
                format!("Put this into it by hand:\n{lines}"),
                "Or name a TOML file with --config-file: its comments are kept.".to_owned(),
            ],
        }
    }
}

/// Findings as `file:line:column: message`, for where nobody renders them with their source line.
struct Located<'a>(&'a Diagnostics);

impl fmt::Display for Located<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.items.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:", self.0.source.name())?;
            if let Some(span) = item.span {
                write!(f, "{}:", self.0.source.position(span.start as usize))?;
            }
            write!(f, " {}", item.message)?;
        }
        Ok(())
    }
}

/// Reads the configuration that belongs to a template.
///
/// `template_dir` is the folder of the template (the current one when there is none); a template
/// under `.aws-sam/build` belongs to the folder above it. `config_file` is `--config-file`, relative
/// to that folder; `config_env` is `--config-env`.
///
/// # Errors
/// A named file that is not there, another extension than TOML's and YAML's, no TOML or YAML, no
/// `version`. A default file that is not there is no error.
pub fn load(template_dir: &Path, config_file: Option<&str>, config_env: Option<&str>) -> Result<Config, Error> {
    let dir = original_dir(template_dir);
    let (path, others) = match config_file {
        Some(name) => (Some(dir.join(name)), Vec::new()),
        None => {
            let mut present = NAMES.iter().map(|name| dir.join(name)).filter(|path| path.exists());
            (present.next(), present.collect())
        }
    };
    let Some(path) = path else {
        return Ok(Config::empty(config_env));
    };
    let format = Format::of(&path)?;
    let bytes = std::fs::read(&path).map_err(|source| Error::Unreadable { path: path.clone(), source })?;
    let shown = path.strip_prefix(".").unwrap_or(&path).display().to_string();
    let (source, root) = parse(&shown, &bytes, format)?;
    Ok(Config {
        path: Some(path),
        source,
        env: config_env.unwrap_or(DEFAULT_ENV).to_owned(),
        env_is_explicit: config_env.is_some(),
        root,
        others,
    })
}

/// The folder of the template that a person wrote: `sam build` leaves a copy in `.aws-sam/build`.
pub fn original_dir(template_dir: &Path) -> PathBuf {
    if template_dir.ends_with(".aws-sam/build")
        && let Some(project) = template_dir.parent().and_then(Path::parent)
    {
        return project.to_owned();
    }
    template_dir.to_owned()
}

/// The two forms of a configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.toml`
    Toml,
    /// `.yaml` and `.yml`
    Yaml,
}

impl Format {
    /// By the file's name.
    ///
    /// # Errors
    /// Another extension, or none.
    pub fn of(path: &Path) -> Result<Self, Error> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => Ok(Self::Toml),
            Some("yaml" | "yml") => Ok(Self::Yaml),
            _ => Err(Error::Extension { path: path.to_owned() }),
        }
    }
}

/// Text to tree, with the checks that hold for the whole file.
fn parse(name: &str, bytes: &[u8], format: Format) -> Result<(Arc<Source>, Map), Error> {
    let fail =
        |source: &Arc<Source>, item: Diagnostic| Err(Error::Findings(Diagnostics::new(source.clone(), vec![item])));
    if bytes.len() > MAX_BYTES {
        let message = format!("the configuration is larger than {} KiB", MAX_BYTES / 1024);
        return fail(&Arc::new(Source::new(name, "")), Diagnostic::error("samconfig/too-large", message));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
            let end = good.len();
            return fail(
                &Arc::new(Source::new(name, good)),
                Diagnostic::error("samconfig/encoding", "the configuration is not UTF-8 from here on")
                    .at(Span::new(end, end))
                    .help("Save the file as UTF-8."),
            );
        }
    };
    let source = Arc::new(Source::new(name, text));
    let root = match format {
        Format::Toml => parse_toml(text),
        Format::Yaml => parse_yaml(text),
    };
    let root = match root {
        Ok(root) => root,
        Err(item) => return fail(&source, *item),
    };
    if !root.is_empty()
        && let Err(item) = check_version(&root)
    {
        return fail(&source, *item);
    }
    Ok((source, root))
}

fn check_version(root: &Map) -> Result<(), Box<Diagnostic>> {
    let help = "Write `version = 0.1` (in YAML `version: 0.1`) at the top of the file.";
    let Some(version) = root.get("version") else {
        let item = Diagnostic::error("samconfig/version", "the configuration does not say its `version`");
        return Err(Box::new(item.at(Span::new(0, 0)).help(help)));
    };
    match &version.value {
        Value::Number(number) if number.is_f64() && number.as_f64() == Some(VERSION) => Ok(()),
        _ => {
            let found = version.to_json();
            let message = format!("`version` is {found}, and samara knows version 0.1 of the configuration");
            Err(Box::new(Diagnostic::error("samconfig/version", message).at(version.span).help(help)))
        }
    }
}

fn parse_toml(text: &str) -> Result<Map, Box<Diagnostic>> {
    let document = toml_edit::Document::parse(text).map_err(|error| {
        let span = error.span().map(|range| Span::new(range.start, range.end));
        Box::new(
            Diagnostic::error("samconfig/toml", format!("this is not TOML: {}", error.message().trim_end())).at(span),
        )
    })?;
    Ok(toml_table(document.as_table()))
}

fn span_of(range: Option<std::ops::Range<usize>>) -> Option<Span> {
    range.map(|range| Span::new(range.start, range.end))
}

fn toml_table(table: &dyn toml_edit::TableLike) -> Map {
    let mut map = Map::new();
    for (name, item) in table.iter() {
        let key_span = table.key(name).and_then(|key| span_of(key.span()));
        map.insert_spanned(name, key_span, toml_item(item));
    }
    map
}

fn toml_item(item: &toml_edit::Item) -> Node {
    let span = span_of(item.span());
    let value = match item {
        toml_edit::Item::None => Value::Null,
        toml_edit::Item::Value(value) => return toml_value(value),
        toml_edit::Item::Table(table) => Value::Map(toml_table(table)),
        toml_edit::Item::ArrayOfTables(tables) => {
            Value::List(tables.iter().map(|table| Node::new(toml_table(table), span_of(table.span()))).collect())
        }
    };
    Node { value, span }
}

fn toml_value(value: &toml_edit::Value) -> Node {
    use toml_edit::Value as Toml;
    let span = span_of(value.span());
    let value = match value {
        Toml::String(text) => Value::String(text.value().clone()),
        Toml::Integer(number) => Value::Number((*number.value()).into()),
        // What JSON cannot say (nan, inf) becomes text and is then refused where a number is meant.
        Toml::Float(number) => serde_json::Number::from_f64(*number.value())
            .map_or_else(|| Value::String(number.value().to_string()), Value::Number),
        Toml::Boolean(flag) => Value::Bool(*flag.value()),
        Toml::Datetime(time) => Value::String(time.value().to_string()),
        Toml::Array(items) => Value::List(items.iter().map(toml_value).collect()),
        Toml::InlineTable(table) => Value::Map(toml_table(table)),
    };
    Node { value, span }
}

fn parse_yaml(text: &str) -> Result<Map, Box<Diagnostic>> {
    let value: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| {
        let span = error.location().map(|place| Span::new(place.index(), place.index()));
        Box::new(Diagnostic::error("samconfig/yaml", format!("this is not YAML: {error}")).at(span))
    })?;
    let wrong = |what: &str| Box::new(Diagnostic::error("samconfig/yaml", what.to_owned()).at(Span::new(0, 0)));
    if value.is_null() {
        return Ok(Map::new());
    }
    let json: serde_json::Value = serde_json::to_value(&value)
        .map_err(|_| wrong("the configuration has keys or values that are no plain text"))?;
    match Node::from(json).value {
        Value::Map(map) => Ok(map),
        _ => Err(wrong("the configuration is not a map of environments")),
    }
}

/// A file of plain values, such as included parameters; no `version` is asked for.
pub(super) fn plain(text: &str, format: Format) -> Result<Node, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("it is larger than {} KiB", MAX_BYTES / 1024));
    }
    match format {
        Format::Toml => parse_toml(text).map(Node::from).map_err(|item| item.message),
        Format::Yaml => {
            let value: serde_json::Value = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
            Ok(Node::from(value))
        }
    }
}

impl Config {
    /// The configuration of a project that has none.
    pub fn empty(config_env: Option<&str>) -> Self {
        Self {
            path: None,
            source: Arc::new(Source::new(NAMES[0], "")),
            env: config_env.unwrap_or(DEFAULT_ENV).to_owned(),
            env_is_explicit: config_env.is_some(),
            root: Map::new(),
            others: Vec::new(),
        }
    }

    /// From text, as if it stood in a file called `name`.
    ///
    /// # Errors
    /// As [`load`].
    pub fn from_text(name: &str, text: &str, config_env: Option<&str>) -> Result<Self, Error> {
        let format = Format::of(Path::new(name))?;
        let (source, root) = parse(name, text.as_bytes(), format)?;
        Ok(Self { source, root, path: Some(PathBuf::from(name)), ..Self::empty(config_env) })
    }

    /// The file that was read; `None` when there is none.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The environment that is read from it.
    pub fn env(&self) -> &str {
        &self.env
    }

    /// What the file says for a command: `deploy`, or `rollout start` (spaces and hyphens become
    /// `_`), the global section below it.
    pub fn section(&self, command: &str) -> Section {
        self.layers(&[command])
    }

    /// Like [`Self::section`], for a command that reads what others are told too: each section goes
    /// before those that are named in front of it.
    pub fn layers(&self, commands: &[&str]) -> Section {
        let names: Vec<String> = commands.iter().map(|command| command.replace([' ', '-'], "_")).collect();
        let mut warnings = Vec::new();
        let environment = self.root.get(&self.env);
        if self.path.is_some() && !self.root.is_empty() && environment.is_none() {
            warnings.extend(self.missing_environment());
        }
        if let (Some(read), false) = (&self.path, self.others.is_empty()) {
            let ignored: Vec<String> =
                self.others.iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
            let read = read.file_name().unwrap_or_default().to_string_lossy();
            warnings.push(Diagnostic::info(
                "samconfig/several",
                format!("{read} is read; {} beside it is not", ignored.join(" and ")),
            ));
        }
        let mut values = Map::new();
        if let Some(environment) = environment {
            keys::check_commands(environment, &mut warnings);
            for section in std::iter::once("global").chain(names.iter().map(String::as_str)) {
                let Some(parameters) = environment.path(&[section, "parameters"]) else { continue };
                let Some(parameters) = parameters.as_map() else {
                    let message = format!("`{section}.parameters` has to be a table, and is {}", parameters.kind());
                    warnings.push(Diagnostic::warning("samconfig/type", message).at(parameters.span));
                    continue;
                };
                keys::check(section, parameters, &mut warnings);
                for (key, node) in parameters.iter() {
                    values.insert_spanned(key, parameters.key_span(key), node.clone());
                }
            }
        }
        Section { source: self.source.clone(), values, warnings }
    }

    fn missing_environment(&self) -> Option<Diagnostic> {
        let present: Vec<&str> = self
            .root
            .iter()
            .filter(|(name, node)| *name != "version" && node.as_map().is_some())
            .map(|(name, _)| name)
            .collect();
        if present.is_empty() {
            return None;
        }
        let message = format!("the configuration has no environment `{}`, so nothing is read from it", self.env);
        let help = match keys::nearest(&self.env, present.iter().copied()) {
            Some(near) if self.env_is_explicit => format!("Did you mean --config-env {near}?"),
            _ => format!("It has {}; choose one with --config-env.", present.join(", ")),
        };
        Some(Diagnostic::warning("samconfig/environment", message).help(help))
    }
}

impl Section {
    /// What is odd about the file: misspelt keys, an environment that is not there.
    pub fn warnings(&self) -> Diagnostics {
        Diagnostics::new(self.source.clone(), self.warnings.clone())
    }

    /// The value of a key as it stands.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.values.get(key).filter(|node| !node.is_null())
    }

    /// Text; a number or a truth value is taken as the text that it is written as.
    ///
    /// # Errors
    /// A list or a table.
    pub fn string(&self, key: &str) -> Result<Option<String>, Error> {
        self.get(key).map(|node| scalar(node).ok_or_else(|| self.wrong(key, node, "text"))).transpose()
    }

    /// A truth value; `"true"` and `"false"` as text will do.
    ///
    /// # Errors
    /// Anything else.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, Error> {
        self.get(key)
            .map(|node| match &node.value {
                Value::Bool(value) => Ok(*value),
                Value::String(text) => match text.to_ascii_lowercase().as_str() {
                    "true" | "1" | "yes" | "y" | "on" | "t" => Ok(true),
                    "false" | "0" | "no" | "n" | "off" | "f" => Ok(false),
                    _ => Err(self.wrong(key, node, "true or false")),
                },
                _ => Err(self.wrong(key, node, "true or false")),
            })
            .transpose()
    }

    /// A whole number that is not negative; as text it will do.
    ///
    /// # Errors
    /// Anything else.
    pub fn integer(&self, key: &str) -> Result<Option<u64>, Error> {
        self.get(key)
            .map(|node| {
                scalar(node).and_then(|text| text.parse().ok()).ok_or_else(|| self.wrong(key, node, "a whole number"))
            })
            .transpose()
    }

    /// A list of text; a scalar is a list of one.
    ///
    /// # Errors
    /// A table, or a list that holds something else than scalars.
    pub fn list(&self, key: &str) -> Result<Option<Vec<String>>, Error> {
        self.get(key)
            .map(|node| match &node.value {
                Value::List(items) => items
                    .iter()
                    .map(|item| scalar(item).ok_or_else(|| self.wrong(key, item, "text")))
                    .collect::<Result<Vec<_>, _>>(),
                _ => scalar(node).map(|text| vec![text]).ok_or_else(|| self.wrong(key, node, "a list of text")),
            })
            .transpose()
    }

    /// A list of words: text is split at white space (`capabilities = "CAPABILITY_IAM …"`).
    ///
    /// # Errors
    /// As [`Section::list`].
    pub fn words(&self, key: &str) -> Result<Option<Vec<String>>, Error> {
        let list = self.list(key)?;
        Ok(list.map(|items| items.iter().flat_map(|item| item.split_whitespace()).map(str::to_owned).collect()))
    }

    /// An error that points at the value of `key`.
    pub fn error_at(&self, key: &str, message: impl Into<String>) -> Error {
        let item = Diagnostic::error("samconfig/value", message).at(self.get(key).and_then(|node| node.span));
        Error::Findings(Diagnostics::new(self.source.clone(), vec![item]))
    }

    fn wrong(&self, key: &str, node: &Node, expected: &str) -> Error {
        let message = format!("`{key}` has to be {expected}, and is {}", node.kind());
        let item = Diagnostic::error("samconfig/type", message).at(node.span);
        Error::Findings(Diagnostics::new(self.source.clone(), vec![item]))
    }
}

/// Text, numbers and truth values as text.
pub(super) fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_ENVS: &str = r#"version = 0.1
[default.global.parameters]
region = "eu-west-1"
stack_name = "shared"

[default.deploy.parameters]
stack_name = "mine"
confirm_changeset = true
max_wait_duration = 5
capabilities = "CAPABILITY_IAM CAPABILITY_NAMED_IAM"
notification_arns = "arn:one"

[prod.deploy.parameters]
stack_name = "prod"
"#;

    fn config(text: &str) -> Config {
        Config::from_text("samconfig.toml", text, None).unwrap()
    }

    fn message(result: Result<impl fmt::Debug, Error>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn the_commands_own_section_goes_before_the_global_one() {
        let section = config(TWO_ENVS).section("deploy");
        assert_eq!(section.string("stack_name").unwrap().as_deref(), Some("mine"));
        assert_eq!(section.string("region").unwrap().as_deref(), Some("eu-west-1"));
        assert_eq!(section.boolean("confirm_changeset").unwrap(), Some(true));
        assert_eq!(section.integer("max_wait_duration").unwrap(), Some(5));
        assert_eq!(section.words("capabilities").unwrap().unwrap(), ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]);
        assert_eq!(section.list("notification_arns").unwrap().unwrap(), ["arn:one"]);
        assert_eq!(section.string("s3_prefix").unwrap(), None);
        assert_eq!(section.warnings().items, []);
        let prod = Config::from_text("samconfig.toml", TWO_ENVS, Some("prod")).unwrap().section("deploy");
        assert_eq!(prod.string("stack_name").unwrap().as_deref(), Some("prod"));
        assert_eq!(prod.string("region").unwrap(), None);
    }

    #[test]
    fn yaml_says_the_same() {
        let text =
            "version: 0.1\ndefault:\n  deploy:\n    parameters:\n      stack_name: mine\n      capabilities: [A, B]\n";
        let section = Config::from_text("samconfig.yaml", text, None).unwrap().section("deploy");
        assert_eq!(section.string("stack_name").unwrap().as_deref(), Some("mine"));
        assert_eq!(section.list("capabilities").unwrap().unwrap(), ["A", "B"]);
    }

    #[test]
    fn a_missing_or_odd_version_is_one_located_error() {
        insta::assert_snapshot!(message(Config::from_text("samconfig.toml", "\n[default.deploy.parameters]\na = 1\n", None)),
            @"samconfig.toml:1:1: the configuration does not say its `version`");
        insta::assert_snapshot!(message(Config::from_text("samconfig.toml", "version = \"0.1\"\n", None)),
            @r#"samconfig.toml:1:11: `version` is "0.1", and samara knows version 0.1 of the configuration"#);
        insta::assert_snapshot!(message(Config::from_text("samconfig.yml", "version: 1\n", None)),
            @"samconfig.yml: `version` is 1, and samara knows version 0.1 of the configuration");
        assert!(
            Config::from_text("samconfig.toml", "# nothing yet\n", None).unwrap().section("deploy").get("x").is_none()
        );
        assert!(Config::from_text("samconfig.yaml", "", None).is_ok());
    }

    #[test]
    fn what_is_no_toml_or_yaml_is_said_with_its_place() {
        let toml = message(Config::from_text("samconfig.toml", "version = 0.1\n[default.deploy\n", None));
        assert!(toml.starts_with("samconfig.toml:2:"), "{toml}");
        let yaml = message(Config::from_text("samconfig.yaml", "version: 0.1\ndefault: [\n", None));
        assert!(yaml.starts_with("samconfig.yaml:"), "{yaml}");
        let list = message(Config::from_text("samconfig.yaml", "- a\n", None));
        assert!(list.contains("not a map"), "{list}");
        let wrong = message(
            config("version = 0.1\n[default.deploy.parameters]\nstack_name = [1]\n")
                .section("deploy")
                .string("stack_name"),
        );
        insta::assert_snapshot!(wrong, @"samconfig.toml:3:14: `stack_name` has to be text, and is a list");
    }

    #[test]
    fn misspelt_keys_commands_and_environments_are_warned_of() {
        let text = "version = 0.1\n[default.deploy.parameters]\nstack-name = 'a'\ncapabilites = 'b'\n[default.deplyo.parameters]\nx = 1\n";
        let section = config(text).section("deploy");
        let shown = Located(&section.warnings()).to_string();
        insta::assert_snapshot!(shown, @r"
        samconfig.toml:5:10: no command is called `deplyo`
        samconfig.toml:3:1: `deploy` has no option `stack-name`
        samconfig.toml:4:1: `deploy` has no option `capabilites`
        ");
        let helps: Vec<_> = section.warnings().items.into_iter().filter_map(|item| item.help).collect();
        assert_eq!(helps, ["Did you mean `deploy`?", "Did you mean `stack_name`?", "Did you mean `capabilities`?"]);

        let absent = Config::from_text("samconfig.toml", TWO_ENVS, Some("prdo")).unwrap().section("deploy");
        let warnings = absent.warnings();
        assert_eq!(warnings.items.len(), 1);
        assert_eq!(warnings.items[0].help.as_deref(), Some("Did you mean --config-env prod?"));
    }

    #[test]
    fn the_file_is_looked_for_beside_the_original_template() {
        let root = tempfile::TempDir::new().unwrap();
        let build = root.path().join(".aws-sam/build");
        std::fs::create_dir_all(&build).unwrap();
        std::fs::write(root.path().join("samconfig.yaml"), "version: 0.1\n").unwrap();
        assert!(load(&build, None, None).unwrap().path().unwrap().ends_with("samconfig.yaml"));
        std::fs::write(root.path().join("samconfig.toml"), TWO_ENVS).unwrap();
        let both = load(root.path(), None, None).unwrap();
        assert!(both.path().unwrap().ends_with("samconfig.toml"));
        assert_eq!(both.section("deploy").warnings().items[0].rule, "samconfig/several");
        assert!(load(&build.join("nowhere"), None, None).unwrap().path().is_none());
        assert!(message(load(root.path(), Some("other.toml"), None)).contains("does not exist"));
        assert!(message(load(root.path(), Some("samconfig.json"), None)).contains("extensions"));
    }
}
