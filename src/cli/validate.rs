//! `samara validate`: every problem of a template at once, offline.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;

use super::context::Context;
use super::exit::{Error, Status};
use super::template_file;
use crate::deploy::samconfig::write::{self, Update};
use crate::deploy::samconfig::{self, Section};
use crate::template::Template;
use crate::template::read;
use crate::ui::diagnostic;
use crate::validate::rules::files;
use crate::validate::{self, Entry, Listing, Options};

/// Check a template without AWS: every problem at once, each with its line and how to mend it.
///
/// Ends with status 1 when there is an error; warnings and remarks do not count. With --output json
/// the findings are an array of {file, line, column, severity, rule, message, help} on standard
/// output.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
Examples:
  samara validate
  samara validate --template-file packaged.yaml --no-files
  samara validate --output json | jq '.[] | select(.severity == \"error\")'")]
pub struct ValidateArgs {
    /// The template [default: template.yaml, template.yml or template.json]
    #[arg(short = 't', long, visible_alias = "template", value_name = "FILE", env = "SAM_TEMPLATE_FILE")]
    template_file: Option<String>,
    /// Check the template alone, without the folders and files that it names
    #[arg(long, overrides_with = "files")]
    no_files: bool,
    #[arg(long, hide = true)]
    files: bool,
    /// Accepted as `sam` has it: every rule is always on
    #[arg(long)]
    lint: bool,
    /// Configuration file, relative to the template's folder [default: samconfig.toml]
    #[arg(long, value_name = "FILE")]
    config_file: Option<String>,
    /// Environment in the configuration file [default: default]
    #[arg(long, value_name = "NAME")]
    config_env: Option<String>,
    #[arg(long, hide = true, overrides_with = "no_language_extensions")]
    language_extensions: bool,
    #[arg(long, hide = true)]
    no_language_extensions: bool,
    #[arg(long, hide = true, overrides_with = "no_beta_features")]
    beta_features: bool,
    #[arg(long, hide = true)]
    no_beta_features: bool,
    /// Save the options of this command line to the configuration file
    #[arg(long)]
    save_params: bool,
}

/// What is done, after flags, environment and configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether the folders that the template names are looked at.
    files: bool,
}

/// The names that are looked for: unlike `package` and `deploy`, what `sam build` left is no source.
const NAMES: [&str; 3] = ["template.yaml", "template.yml", "template.json"];

/// Names of one folder that are looked at; a handler is not among the rest of a hundred thousand.
const MAX_NAMES: usize = 50_000;

/// Flag before file before default.
fn resolve(args: &ValidateArgs, file: &Section) -> Result<Settings, Error> {
    let no_files = if args.files { false } else { args.no_files || file.boolean("no_files")?.unwrap_or(false) };
    Ok(Settings { files: !no_files })
}

/// Checks, and shows what was found.
///
/// # Errors
/// There is no template, it cannot be read, or it has errors.
pub fn run(context: &Context, args: &ValidateArgs) -> Result<Status, Error> {
    let named = args.template_file.as_deref();
    let base = template_file::folder(&context.cwd, Path::new(named.unwrap_or(NAMES[0])));
    let config = samconfig::load(&base, args.config_file.as_deref(), args.config_env.as_deref())?;
    let section = config.section("validate");
    context.findings(&section.warnings());
    let configured = section.string("template_file")?;
    let path = find(&context.cwd, named.or(configured.as_deref()))?;
    let base = template_file::folder(&context.cwd, &path);
    let settings = resolve(args, &section)?;
    if args.save_params {
        save(context, args, &base, config.env())?;
    }
    let bytes = bytes(&context.cwd, &path)?;
    let name = path.display().to_string();
    let source = match read::decode(&name, &bytes) {
        Ok(source) => source,
        Err(found) => return Err(context.failed("validate", &found)),
    };
    let (template, mut found) = read::read_with_findings(source);
    if let Some(template) = template {
        let listing = settings.files.then(|| listing(&template, &base));
        let options = Options { today: today(), files: listing.as_ref() };
        found.items.extend(validate::validate(&template, options).items);
        found.sort();
    }
    if found.has_errors() {
        return Err(context.failed("validate", &found));
    }
    if context.terminal.is_json() {
        context.terminal.json(&diagnostic::json(&found));
        return Ok(Status::Done);
    }
    context.findings(&found);
    let (_, warnings, _) = validate::count(&found);
    let warnings = match warnings {
        0 => String::new(),
        1 => " (1 warning)".to_owned(),
        more => format!(" ({more} warnings)"),
    };
    context.terminal.data(format_args!("{} is valid{warnings}", crate::ui::sanitize::sanitize(&name)));
    Ok(Status::Done)
}

/// Writes what was given on the command line; the file's own name, and how to print, are not among it.
fn save(context: &Context, args: &ValidateArgs, base: &Path, env: &str) -> Result<(), Error> {
    let mut update = Update { env: env.to_owned(), command: "validate".to_owned(), ..Update::default() };
    if let Some(file) =
        args.template_file.as_deref().filter(|file| context.env("SAM_TEMPLATE_FILE").as_deref() != Some(*file))
    {
        update.parameters.insert("template_file", file);
    }
    for (name, given) in [("lint", args.lint), ("no_files", args.no_files)] {
        if given {
            update.parameters.insert(name, true);
        }
    }
    if let Some(region) = &context.global.region {
        update.global.insert("region", region.as_str());
    }
    let path = base.join(args.config_file.as_deref().unwrap_or(samconfig::NAMES[0]));
    write::save(&path, &update)?;
    context.terminal.status("Saved", format_args!("the options to {}", path.display()));
    Ok(())
}

fn find(cwd: &Path, named: Option<&str>) -> Result<PathBuf, Error> {
    if let Some(name) = named {
        return Ok(PathBuf::from(name));
    }
    NAMES.iter().map(PathBuf::from).find(|name| cwd.join(name).is_file()).ok_or_else(|| Error::File {
        action: "read",
        path: PathBuf::from(NAMES[0]),
        source: std::io::Error::other(
            "there is no template.yaml, template.yml or template.json here; name one with --template-file, or begin \
             with `samara init`",
        ),
    })
}

/// The file, up to one byte more than a template may have: a larger one is not read into memory.
fn bytes(cwd: &Path, path: &Path) -> Result<Vec<u8>, Error> {
    let read = || {
        let full = cwd.join(path);
        // Looked at before it is opened: opening a pipe would wait for its other end.
        if !std::fs::metadata(&full)?.is_file() {
            return Err(std::io::Error::other("it is not a file"));
        }
        let mut bytes = Vec::new();
        let limit = u64::try_from(read::MAX_BYTES).unwrap_or(u64::MAX) + 1;
        std::io::Read::read_to_end(&mut std::io::Read::take(std::fs::File::open(full)?, limit), &mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|source| Error::File { action: "read", path: path.to_owned(), source })
}

/// What is at the paths that the template names, and beside them for suggestions.
fn listing(template: &Template, base: &Path) -> Listing {
    let mut listing = Listing::default();
    for path in files::wanted(template) {
        let entry = entry(&base.join(&path));
        if entry == Entry::Missing {
            let (parent, _) = validate::listing::split(&path);
            if listing.get(&parent).is_none() {
                let beside = self::entry(&base.join(&parent));
                listing.insert(parent, beside);
            }
        }
        listing.insert(path, entry);
    }
    listing
}

fn entry(path: &Path) -> Entry {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Entry::Missing;
        }
        Err(_) => return Entry::Unreadable,
    };
    if !metadata.is_dir() {
        return Entry::File;
    }
    let Ok(names) = std::fs::read_dir(path) else { return Entry::Unreadable };
    let names: BTreeSet<String> =
        names.flatten().take(MAX_NAMES).map(|name| name.file_name().to_string_lossy().into_owned()).collect();
    Entry::Folder(names)
}

#[expect(clippy::disallowed_methods, reason = "the edge: rules take the day as a value")]
pub(super) fn today() -> time::Date {
    time::OffsetDateTime::now_utc().date()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::samconfig::Config;

    #[test]
    fn the_flag_goes_before_the_file() {
        let config = Config::from_text(
            "samconfig.toml",
            "version = 0.1\n[default.validate.parameters]\nno_files = true\n",
            None,
        );
        let section = config.unwrap().section("validate");
        let settings = |args: ValidateArgs| resolve(&args, &section).unwrap();
        assert!(!settings(ValidateArgs::default()).files);
        assert!(settings(ValidateArgs { files: true, ..ValidateArgs::default() }).files);
        let empty = Config::empty(None).section("validate");
        assert!(resolve(&ValidateArgs::default(), &empty).unwrap().files);
        assert!(!resolve(&ValidateArgs { no_files: true, ..ValidateArgs::default() }, &empty).unwrap().files);
    }
}
