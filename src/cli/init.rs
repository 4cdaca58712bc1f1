//! `samara init`: an application from a template, in a folder of its own.

use std::path::PathBuf;

use clap::Args;
use dialoguer::{Input, Select};
use serde_json::json;

use super::context::Context;
use super::exit::{Error, Status};
use crate::init::{self, Name, TEMPLATES, Template};

/// What an application is called when nobody says.
const DEFAULT_NAME: &str = "samara-app";

/// Begin an application: a folder with template, code, unit test, event and README.
///
/// Asks for what is not given when it runs on a terminal. Never overwrites a file; needs no network.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
Templates:
  python-api           an HTTP API in Python
  node-api             a REST API in JavaScript
  rust-worker          a worker in Rust, fed by an SQS queue
  custom-runtime-job   a scheduled job in a runtime of its own

Examples:
  samara init
  samara init hello --template python-api
  samara init --name worker --template rust-worker --output-dir ~/projects --no-input")]
pub struct InitArgs {
    /// Name of the application, its folder and its stack
    #[arg(value_name = "NAME", conflicts_with = "name")]
    positional: Option<String>,
    /// The same as NAME
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    /// The template
    #[arg(short, long, visible_alias = "app-template", value_name = "TEMPLATE")]
    template: Option<String>,
    /// The folder in which the application's own is made
    #[arg(short, long, value_name = "FOLDER", default_value = ".")]
    output_dir: PathBuf,
    /// Ask nothing; what is not given is python-api and samara-app
    #[arg(long, visible_alias = "no-interactive")]
    no_input: bool,
}

/// What is still to be asked.
#[derive(Debug, PartialEq, Eq)]
enum Answer<T> {
    Given(T),
    Ask,
}

/// Begins an application.
///
/// # Errors
/// A name or template that is none, files that are there, an argument that is missing where nobody
/// can be asked.
pub fn run(context: &Context, args: InitArgs) -> Result<Status, Error> {
    let (template, name) = resolve(&args, context.may_ask())?;
    let template = match template {
        Answer::Given(template) => template,
        Answer::Ask => ask_template()?,
    };
    let name = match name {
        Answer::Given(name) => name,
        Answer::Ask => ask_name()?,
    };
    let folder = match args.output_dir.to_str() {
        Some(".") => PathBuf::from(name.as_str()),
        _ => args.output_dir.join(name.as_str()),
    };
    let files = init::render(template, &name)?;
    init::write(&context.cwd.join(&folder), &files).map_err(|error| shown(error, context, &folder))?;
    let mut next = vec![format!("cd {}", folder.display())];
    next.extend(template.build.map(str::to_owned));
    next.extend(["samara validate".to_owned(), "samara deploy --sandbox".to_owned()]);
    if context.terminal.is_json() {
        context.terminal.json(&json!({
            "name": name.as_str(),
            "template": template.name,
            "folder": folder,
            "files": files.iter().map(|file| file.path).collect::<Vec<_>>(),
            "next": next,
        }));
        return Ok(Status::Done);
    }
    context
        .terminal
        .status("Created", format_args!("{} from {} ({} files)", folder.display(), template.name, files.len()));
    context.terminal.line(format_args!("\nNext:"));
    for line in next {
        context.terminal.line(format_args!("  {}", crate::ui::sanitize::sanitize(&line)));
    }
    Ok(Status::Done)
}

/// The template and the name, as far as they are known without asking.
fn resolve(args: &InitArgs, may_ask: bool) -> Result<(Answer<&'static Template>, Answer<Name>), Error> {
    let missing = |what: &str| {
        Err(Error::Usage(format!(
            "{what} is missing and nobody can be asked: give NAME and --template, or take the defaults with --no-input"
        )))
    };
    let template = match (&args.template, args.no_input, may_ask) {
        (Some(name), ..) => Answer::Given(init::template(name)?),
        (None, true, _) => Answer::Given(&TEMPLATES[0]),
        (None, false, true) => Answer::Ask,
        (None, false, false) => return missing("the template"),
    };
    let name = match (args.positional.as_ref().or(args.name.as_ref()), args.no_input, may_ask) {
        (Some(name), ..) => Answer::Given(Name::new(name)?),
        (None, true, _) => Answer::Given(Name::new(DEFAULT_NAME)?),
        (None, false, true) => Answer::Ask,
        (None, false, false) => return missing("the name"),
    };
    Ok((template, name))
}

fn ask_template() -> Result<&'static Template, Error> {
    let items: Vec<String> =
        TEMPLATES.iter().map(|template| format!("{:20} {}", template.name, template.summary)).collect();
    let chosen = Select::new().with_prompt("Template").items(&items).default(0).interact().map_err(unasked)?;
    Ok(&TEMPLATES[chosen])
}

fn ask_name() -> Result<Name, Error> {
    let text: String = Input::new()
        .with_prompt("Name")
        .default(DEFAULT_NAME.to_owned())
        .validate_with(|text: &String| Name::new(text).map(|_| ()).map_err(|error| error.to_string()))
        .interact_text()
        .map_err(unasked)?;
    Ok(Name::new(&text)?)
}

fn unasked(error: dialoguer::Error) -> Error {
    let dialoguer::Error::IO(source) = error;
    Error::File { action: "read", path: "the answer".into(), source }
}

/// Paths in messages as the user gave them.
fn shown(error: init::Error, context: &Context, folder: &std::path::Path) -> Error {
    let error = match error {
        init::Error::Present { files, .. } => init::Error::Present { folder: folder.to_owned(), files },
        init::Error::Write { path, source } => {
            let path = path.strip_prefix(&context.cwd).map(std::path::Path::to_owned).unwrap_or(path);
            init::Error::Write { path, source }
        }
        other => other,
    };
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_asked_where_nobody_answers() {
        let error = resolve(&InitArgs::default(), false).unwrap_err();
        assert_eq!(error.status(), Status::Usage);
        let args = InitArgs { template: Some("node-api".to_owned()), ..InitArgs::default() };
        assert!(resolve(&args, false).is_err());
        assert!(matches!(resolve(&args, true).unwrap(), (Answer::Given(_), Answer::Ask)));
    }

    #[test]
    fn no_input_takes_the_defaults() {
        let args = InitArgs { no_input: true, ..InitArgs::default() };
        let (Answer::Given(template), Answer::Given(name)) = resolve(&args, true).unwrap() else { panic!("it asks") };
        assert_eq!((template.name, name.as_str()), ("python-api", DEFAULT_NAME));
    }
}
