//! What `deploy --guided` asks, in SAM CLI's order, as values: a question goes out, an answer comes
//! in, and at the end there are settings. Who asks (a terminal, a test) is not known here.

use indexmap::IndexMap;

use crate::aws::cloudformation::Redacted;
use crate::template::parameters::{Parameter, declared};
use crate::template::{Map, Node, Template};

use super::options::{self, Pairs};
use super::samconfig::{DEFAULT_ENV, NAMES, write::Update};

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What is asked, without the default.
    pub prompt: String,
    /// A line above it that explains.
    pub explanation: Option<String>,
    /// What kind of answer is wanted.
    pub kind: Kind,
}

/// What kind of answer a question wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text, with what an empty answer means.
    Text {
        /// The default.
        default: Option<String>,
    },
    /// Text that is not shown while it is typed.
    Secret,
    /// Yes or no.
    YesNo {
        /// What an empty answer means.
        default: bool,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Kind::Text`] and [`Kind::Secret`].
    Text(String),
    /// To [`Kind::YesNo`].
    YesNo(bool),
}

/// What is known before the first question; every field is a default of one.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// Stack name.
    pub stack_name: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Values of parameters.
    pub overrides: Pairs,
    /// Whether to ask before executing.
    pub confirm_changeset: bool,
    /// Capabilities.
    pub capabilities: Vec<String>,
    /// Whether to leave what was made when something fails.
    pub disable_rollback: bool,
    /// The configuration file.
    pub config_file: Option<String>,
    /// The environment in it.
    pub config_env: Option<String>,
}

/// What was answered.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Stack name.
    pub stack_name: String,
    /// Region.
    pub region: String,
    /// Values of parameters; secrets are among them.
    pub overrides: IndexMap<String, Redacted>,
    /// The names of those that are secrets.
    pub secrets: Vec<String>,
    /// Whether to ask before executing.
    pub confirm_changeset: bool,
    /// Capabilities.
    pub capabilities: Vec<String>,
    /// Whether to leave what was made when something fails.
    pub disable_rollback: bool,
    /// Where to save the answers; `None` for nowhere.
    pub save: Option<Save>,
}

/// Where answers are saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Save {
    /// The file, relative to the template's folder.
    pub file: String,
    /// The environment in it.
    pub env: String,
}

/// Why the questions end early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// An answer that cannot be; the same question is to be asked again.
    #[error("{0}")]
    Again(String),
    /// A person does not want what the template does.
    #[error("security constraints not satisfied: {function} has no authentication")]
    NoAuthentication {
        /// The function.
        function: String,
    },
}

/// The questions, one after the other.
#[derive(Clone, Debug)]
pub struct Guide {
    defaults: Defaults,
    template: Template,
    open_functions: Vec<String>,
    step: Step,
    answers: Answers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    StackName,
    Region,
    Parameter(usize),
    Confirm,
    IamRoles,
    Capabilities,
    DisableRollback,
    OpenFunction(usize),
    Save,
    File,
    Env,
    Done,
}

impl Guide {
    /// The questions for a template.
    pub fn new(defaults: Defaults, template: &Template) -> Self {
        Self {
            defaults,
            template: template.clone(),
            open_functions: without_authentication(template),
            step: Step::StackName,
            answers: Answers::default(),
        }
    }

    /// What to ask next; `None` when all is said.
    pub fn question(&self) -> Option<Question> {
        let text = |prompt: &str, default: Option<&str>| Question {
            prompt: prompt.to_owned(),
            explanation: None,
            kind: Kind::Text { default: default.map(str::to_owned) },
        };
        let yes_no = |prompt: String, default: bool, explanation: Option<&str>| Question {
            prompt,
            explanation: explanation.map(str::to_owned),
            kind: Kind::YesNo { default },
        };
        Some(match self.step {
            Step::StackName => text("Stack Name", Some(self.defaults.stack_name.as_deref().unwrap_or("sam-app"))),
            Step::Region => text("AWS Region", Some(self.defaults.region.as_deref().unwrap_or("us-east-1"))),
            Step::Parameter(index) => self.parameter_question(declared(&self.template).get(index)?),
            Step::Confirm => yes_no(
                "Confirm changes before deploy".to_owned(),
                self.defaults.confirm_changeset,
                Some("Shows what would change, and asks before it is deployed"),
            ),
            Step::IamRoles => yes_no(
                "Allow the creation of IAM roles".to_owned(),
                true,
                Some("The roles of the functions in your template are created with it"),
            ),
            Step::Capabilities => text("Capabilities", Some("CAPABILITY_IAM")),
            Step::DisableRollback => yes_no(
                "Disable rollback".to_owned(),
                self.defaults.disable_rollback,
                Some("Leaves what was made when something fails, to look at it"),
            ),
            Step::OpenFunction(index) => {
                let function = self.open_functions.get(index)?;
                yes_no(format!("{function} has no authentication. Is this okay?"), false, None)
            }
            Step::Save => yes_no("Save arguments to configuration file".to_owned(), true, None),
            Step::File => text("Configuration file", Some(self.defaults.config_file.as_deref().unwrap_or(NAMES[0]))),
            Step::Env => {
                text("Configuration environment", Some(self.defaults.config_env.as_deref().unwrap_or(DEFAULT_ENV)))
            }
            Step::Done => return None,
        })
    }

    fn parameter_question(&self, parameter: &Parameter<'_>) -> Question {
        let description = parameter.description.map(str::to_owned);
        let one_of = parameter.allowed_values().map(|values| format!("One of {}", values.join(", ")));
        let kind = if parameter.no_echo {
            Kind::Secret
        } else {
            let given = self.defaults.overrides.get(parameter.name).cloned();
            Kind::Text { default: given.or_else(|| parameter.default.clone()) }
        };
        Question { prompt: format!("Parameter {}", parameter.name), explanation: description.or(one_of), kind }
    }

    /// Takes the answer to [`Guide::question`].
    ///
    /// # Errors
    /// The answer cannot be, or ends everything.
    pub fn answer(&mut self, answer: Answer) -> Result<(), Refused> {
        let (text, yes) = match answer {
            Answer::Text(text) => (text.trim().to_owned(), false),
            Answer::YesNo(yes) => (String::new(), yes),
        };
        match self.step {
            Step::StackName => {
                check_stack_name(&text).map_err(Refused::Again)?;
                self.answers.stack_name = text;
            }
            Step::Region => {
                if !crate::aws::is_region(&text) {
                    return Err(Refused::Again(format!("{text:?} is not a region; one looks like eu-central-1")));
                }
                self.answers.region = text;
            }
            Step::Parameter(index) => self.parameter_answer(index, text)?,
            Step::Confirm => self.answers.confirm_changeset = yes,
            Step::IamRoles => {
                if yes {
                    let mut capabilities = self.defaults.capabilities.clone();
                    if !capabilities.iter().any(|name| name.ends_with("IAM")) {
                        capabilities.insert(0, "CAPABILITY_IAM".to_owned());
                    }
                    self.answers.capabilities = capabilities;
                    self.step = Step::Capabilities;
                }
            }
            Step::Capabilities => {
                self.answers.capabilities =
                    options::capabilities(&[text]).map_err(|error| Refused::Again(error.to_string()))?;
            }
            Step::DisableRollback => self.answers.disable_rollback = yes,
            Step::OpenFunction(index) => {
                if let (false, Some(function)) = (yes, self.open_functions.get(index)) {
                    return Err(Refused::NoAuthentication { function: function.clone() });
                }
            }
            Step::Save => {
                if !yes {
                    self.step = Step::Env;
                }
            }
            Step::File => {
                super::samconfig::Format::of(text.as_ref()).map_err(|error| Refused::Again(error.to_string()))?;
                self.answers.save = Some(Save { file: text, env: String::new() });
            }
            Step::Env => {
                if text.is_empty() || text == "version" || text.contains(char::is_whitespace) {
                    return Err(Refused::Again(format!("{text:?} cannot be the name of an environment")));
                }
                if let Some(save) = &mut self.answers.save {
                    save.env = text;
                }
            }
            Step::Done => {}
        }
        self.advance();
        Ok(())
    }

    fn parameter_answer(&mut self, index: usize, text: String) -> Result<(), Refused> {
        let parameters = declared(&self.template);
        let Some(parameter) = parameters.get(index) else { return Ok(()) };
        let name = parameter.name.to_owned();
        // Nothing typed for a secret keeps what is there: the value given so far, the stack's, the default.
        let kept =
            if parameter.no_echo && text.is_empty() { self.defaults.overrides.get(&name).cloned() } else { None };
        let is_kept = parameter.no_echo && text.is_empty();
        if !is_kept && let Some(problem) = parameter.problem(&text) {
            let problem = if parameter.no_echo { "is not one that its declaration allows".to_owned() } else { problem };
            return Err(Refused::Again(format!("The value of {name} {problem}")));
        }
        if parameter.no_echo {
            self.answers.secrets.push(name.clone());
        }
        match (is_kept, kept) {
            (true, None) => {}
            (true, Some(value)) => drop(self.answers.overrides.insert(name, Redacted::new(value))),
            (false, _) => drop(self.answers.overrides.insert(name, Redacted::new(text))),
        }
        Ok(())
    }

    fn advance(&mut self) {
        let count = declared(&self.template).len();
        let parameter = |index: usize| if index < count { Step::Parameter(index) } else { Step::Confirm };
        let open =
            |index: usize| if index < self.open_functions.len() { Step::OpenFunction(index) } else { Step::Save };
        self.step = match self.step {
            Step::StackName => Step::Region,
            Step::Region => parameter(0),
            Step::Parameter(index) => parameter(index + 1),
            Step::Confirm => Step::IamRoles,
            Step::IamRoles => Step::Capabilities,
            Step::Capabilities => Step::DisableRollback,
            Step::DisableRollback => open(0),
            Step::OpenFunction(index) => open(index + 1),
            Step::Save => Step::File,
            Step::File => Step::Env,
            Step::Env | Step::Done => Step::Done,
        };
    }

    /// What was answered, once there is no further question.
    pub fn answers(self) -> Answers {
        self.answers
    }
}

impl Answers {
    /// What is saved of them: what is said and true, never a secret.
    pub fn update(&self) -> Option<Update> {
        let save = self.save.as_ref()?;
        let mut parameters = Map::new();
        parameters.insert("stack_name", self.stack_name.as_str());
        parameters.insert("resolve_s3", true);
        parameters.insert("s3_prefix", self.stack_name.as_str());
        if self.confirm_changeset {
            parameters.insert("confirm_changeset", true);
        } else {
            // A file that said true before has to stop saying so.
            parameters.insert("confirm_changeset", Node::default());
        }
        if !self.capabilities.is_empty() {
            parameters.insert("capabilities", self.capabilities.join(" "));
        }
        parameters.insert("disable_rollback", if self.disable_rollback { Node::from(true) } else { Node::default() });
        let overrides: Pairs = self
            .overrides
            .iter()
            .filter(|(name, _)| !self.secrets.contains(name))
            .map(|(name, value)| (name.clone(), value.expose().to_owned()))
            .collect();
        if !overrides.is_empty() {
            parameters.insert("parameter_overrides", options::overrides_node(&overrides));
        }
        let global = Map::from_iter([("region", self.region.as_str())]);
        Some(Update { env: save.env.clone(), command: "deploy".to_owned(), parameters, global })
    }
}

/// A stack's name: letters, digits and hyphens, a letter first, at most 128.
///
/// # Errors
/// What is wrong with it.
pub fn check_stack_name(name: &str) -> Result<(), String> {
    let good = name.len() <= 128
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '-');
    if good {
        return Ok(());
    }
    Err(format!("{name:?} cannot be a stack's name: letters, digits and hyphens, a letter first, at most 128 of them"))
}

/// The functions that anybody may call: an API event or a function URL without authentication.
pub fn without_authentication(template: &Template) -> Vec<String> {
    let Some(resources) = template.section("Resources") else { return Vec::new() };
    let is_open = |node: &Node| {
        let url = node.path(&["Properties", "FunctionUrlConfig"]);
        let open_url = url.is_some_and(|url| url.get("AuthType").and_then(Node::as_str) == Some("NONE"));
        let events = node.path(&["Properties", "Events"]).and_then(Node::as_map);
        open_url || events.is_some_and(|events| events.iter().any(|(_, event)| is_open_event(template, event)))
    };
    resources
        .iter()
        .filter(|(_, node)| {
            node.get("Type").and_then(Node::as_str) == Some("AWS::Serverless::Function") && is_open(node)
        })
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn is_open_event(template: &Template, event: &Node) -> bool {
    let (kind, reference) = match event.get("Type").and_then(Node::as_str) {
        Some("Api") => ("Api", "RestApiId"),
        Some("HttpApi") => ("HttpApi", "ApiId"),
        _ => return false,
    };
    let own = event.path(&["Properties", "Auth"]);
    if own.is_some_and(|auth| auth.get("Authorizer").and_then(Node::as_str) == Some("NONE")) {
        return true;
    }
    if own.and_then(Node::as_map).is_some_and(|auth| !auth.is_empty()) {
        return false;
    }
    let api = event
        .path(&["Properties", reference])
        .and_then(|node| node.get("Ref").unwrap_or(node).as_str())
        .and_then(|name| template.root.path(&["Resources", name, "Properties"]));
    // An API with a definition of its own says there who may call.
    let defined = api.is_some_and(|api| api.get("DefinitionBody").is_some() || api.get("DefinitionUri").is_some());
    let protects = |node: Option<&Node>| {
        node.and_then(|node| node.get("Auth")).is_some_and(|auth| {
            ["DefaultAuthorizer", "ApiKeyRequired", "ResourcePolicy"].iter().any(|key| auth.get(key).is_some())
        })
    };
    !(defined || protects(api) || protects(template.root.path(&["Globals", kind])))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::template::Source;

    fn template() -> Template {
        Template {
            source: Arc::new(Source::new("template.yaml", "")),
            root: Node::from(json!({
                "Parameters": {
                    "Stage": { "Type": "String", "Default": "dev", "AllowedValues": ["dev", "prod"] },
                    "Password": { "Type": "String", "NoEcho": true }
                },
                "Resources": {
                    "Open": { "Type": "AWS::Serverless::Function", "Properties": { "Events": { "A": { "Type": "Api" } } } },
                    "Url": { "Type": "AWS::Serverless::Function", "Properties": { "FunctionUrlConfig": { "AuthType": "AWS_IAM" } } },
                    "Closed": { "Type": "AWS::Serverless::Function", "Properties": { "Events": { "A": {
                        "Type": "HttpApi", "Properties": { "ApiId": { "Ref": "HttpApi" } } } } } },
                    "HttpApi": { "Type": "AWS::Serverless::HttpApi", "Properties": { "Auth": { "DefaultAuthorizer": "X" } } }
                }
            })),
        }
    }

    /// Answers questions by the beginning of their prompt; an empty text takes the default.
    fn ask(guide: &mut Guide, answers: &[(&str, &str)]) -> Vec<String> {
        let mut asked = Vec::new();
        while let Some(question) = guide.question() {
            let given =
                answers.iter().find(|(prompt, _)| question.prompt.starts_with(prompt)).map(|(_, answer)| *answer);
            let answer = match (&question.kind, given) {
                (Kind::YesNo { default }, None) => Answer::YesNo(*default),
                (Kind::YesNo { .. }, Some(answer)) => Answer::YesNo(answer == "y"),
                (Kind::Text { default }, None) => Answer::Text(default.clone().unwrap_or_default()),
                (Kind::Secret, None) => Answer::Text(String::new()),
                (_, Some(answer)) => Answer::Text(answer.to_owned()),
            };
            asked.push(format!("{} {:?}", question.prompt, question.kind));
            guide.answer(answer).unwrap();
        }
        asked
    }

    #[test]
    fn the_questions_are_sams_and_secrets_are_not_saved() {
        let defaults = Defaults { region: Some("eu-west-1".to_owned()), ..Defaults::default() };
        let mut guide = Guide::new(defaults, &template());
        let asked =
            ask(&mut guide, &[("Parameter Password", "hunter2"), ("Parameter Stage", "prod"), ("Open has", "y")]);
        insta::assert_snapshot!(asked.join("\n"), @r#"
        Stack Name Text { default: Some("sam-app") }
        AWS Region Text { default: Some("eu-west-1") }
        Parameter Stage Text { default: Some("dev") }
        Parameter Password Secret
        Confirm changes before deploy YesNo { default: false }
        Allow the creation of IAM roles YesNo { default: true }
        Disable rollback YesNo { default: false }
        Open has no authentication. Is this okay? YesNo { default: false }
        Save arguments to configuration file YesNo { default: true }
        Configuration file Text { default: Some("samconfig.toml") }
        Configuration environment Text { default: Some("default") }
        "#);
        let answers = guide.answers();
        assert_eq!(answers.overrides["Password"].expose(), "hunter2");
        assert!(!format!("{answers:?}").contains("hunter2"));
        let update = answers.update().unwrap();
        let text = super::super::samconfig::write::toml("samconfig.toml", "", &update).unwrap();
        insta::assert_snapshot!(text, @r#"
        version = 0.1

        [default.global.parameters]
        region = "eu-west-1"

        [default.deploy.parameters]
        stack_name = "sam-app"
        resolve_s3 = true
        s3_prefix = "sam-app"
        capabilities = "CAPABILITY_IAM"
        parameter_overrides = 'Stage="prod"'
        "#);
    }

    #[test]
    fn an_answer_that_cannot_be_is_asked_again_and_a_no_to_openness_ends_it() {
        let mut guide = Guide::new(Defaults::default(), &template());
        assert!(matches!(guide.answer(Answer::Text("1bad".to_owned())), Err(Refused::Again(_))));
        guide.answer(Answer::Text("good".to_owned())).unwrap();
        assert!(matches!(guide.answer(Answer::Text("mars".to_owned())), Err(Refused::Again(_))));
        guide.answer(Answer::Text("eu-west-1".to_owned())).unwrap();
        assert!(matches!(guide.answer(Answer::Text("staging".to_owned())), Err(Refused::Again(_))));
        guide.answer(Answer::Text("prod".to_owned())).unwrap();
        guide.answer(Answer::Text(String::new())).unwrap();
        guide.answer(Answer::YesNo(true)).unwrap();
        guide.answer(Answer::YesNo(false)).unwrap();
        assert_eq!(guide.question().unwrap().prompt, "Capabilities");
        guide.answer(Answer::Text("CAPABILITY_NAMED_IAM".to_owned())).unwrap();
        guide.answer(Answer::YesNo(false)).unwrap();
        assert_eq!(guide.answer(Answer::YesNo(false)), Err(Refused::NoAuthentication { function: "Open".to_owned() }));
    }

    #[test]
    fn without_saving_nothing_more_is_asked() {
        let mut guide = Guide::new(Defaults::default(), &template());
        let asked = ask(&mut guide, &[("Open has", "y"), ("Save", "n")]);
        assert!(asked.last().unwrap().starts_with("Save"));
        assert_eq!(guide.answers().update(), None);
    }
}
