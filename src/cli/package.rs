//! `samara package`: uploads what the template names on this machine and writes the template that
//! names the uploads.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::context::Context;
use super::exit::{Error, Status};
use super::template_file;
use crate::aws::s3::Encryption;
use crate::deploy::options;
use crate::deploy::samconfig::{self, Section};
use crate::package::{self, Event, Options, Outcome, Packaged, Uploaded, bucket};
use crate::template::write;
use crate::ui::terminal::Terminal;

/// Upload the code that a template names and write a template that names the uploads.
///
/// Each code folder becomes a zip with the same bytes on any machine and day, named by the hash of
/// its paths, modes and contents, and is uploaded only if the bucket lacks it. A `.samignore` file,
/// in `.gitignore`'s syntax, says what stays out.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
Examples:
  samara package --output-template-file packaged.yaml
  samara package --s3-bucket my-bucket --s3-prefix my-app --output-template-file packaged.yaml
  samara package --dry-run --output json
  samara package --include '.env.production'")]
pub struct PackageArgs {
    /// The template [default: template.yaml, template.yml or template.json]
    #[arg(short = 't', long, visible_alias = "template", value_name = "FILE", env = "SAM_TEMPLATE_FILE")]
    template_file: Option<String>,
    /// Where the packaged template is written [default: standard output]
    #[arg(long, value_name = "FILE")]
    output_template_file: Option<PathBuf>,
    /// The bucket to upload to [default: samara's own, made on first use]
    #[arg(long, value_name = "BUCKET")]
    s3_bucket: Option<String>,
    /// What stands before every key
    #[arg(long, value_name = "PREFIX")]
    s3_prefix: Option<String>,
    /// Upload to samara's own bucket, as it does without --s3-bucket
    #[arg(long, overrides_with = "no_resolve_s3")]
    resolve_s3: bool,
    #[arg(long, hide = true)]
    no_resolve_s3: bool,
    /// KMS key that encrypts the uploads at rest [default: as the bucket has it]
    #[arg(long, value_name = "KEY")]
    kms_key_id: Option<String>,
    /// Write the packaged template as JSON
    #[arg(long)]
    use_json: bool,
    /// Upload also what the bucket has already
    #[arg(long)]
    force_upload: bool,
    /// Metadata of every upload: KEY=VALUE,… or a flat JSON object
    #[arg(long, value_name = "MAP")]
    metadata: Option<String>,
    /// Show no progress
    #[arg(long)]
    no_progressbar: bool,
    /// Do everything local and call nothing
    #[arg(long)]
    dry_run: bool,
    /// Pack what looks like a secret or would be left out: a pattern in .gitignore's syntax; repeatable
    #[arg(long, value_name = "PATTERN")]
    include: Vec<String>,
    /// Pack what links point at outside their code folder
    #[arg(long)]
    allow_external_links: bool,
    /// Configuration file, relative to the template's folder [default: samconfig.toml]
    #[arg(long, value_name = "FILE")]
    config_file: Option<String>,
    /// Environment in the configuration file [default: default]
    #[arg(long, value_name = "NAME")]
    config_env: Option<String>,
    #[arg(long, hide = true)]
    image_repository: Option<String>,
    #[arg(long, hide = true, num_args = 1..)]
    image_repositories: Vec<String>,
    #[arg(long, hide = true)]
    resolve_image_repos: bool,
    #[arg(long, hide = true, num_args = 1..)]
    signing_profiles: Vec<String>,
}

/// What is done, after flags, environment and configuration file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    output: Option<PathBuf>,
    /// `None` is the managed bucket.
    bucket: Option<String>,
    prefix: Option<String>,
    kms_key: Option<String>,
    use_json: bool,
    force_upload: bool,
    metadata: Vec<(String, String)>,
    progress: bool,
    dry_run: bool,
    include: Vec<String>,
    allow_external_links: bool,
    region: Option<String>,
    profile: Option<String>,
}

/// Flag before file before default.
fn resolve(args: PackageArgs, file: &Section) -> Result<Settings, Error> {
    if args.image_repository.is_some() || !args.image_repositories.is_empty() || args.resolve_image_repos {
        return Err(Error::Usage("container images cannot be packaged yet; only zip packages can".to_owned()));
    }
    if !args.signing_profiles.is_empty() {
        return Err(Error::Usage("code signing is not there yet; leave --signing-profiles out".to_owned()));
    }
    if args.s3_bucket.is_some() && args.resolve_s3 {
        return Err(Error::Usage(
            "--s3-bucket names a bucket and --resolve-s3 takes samara's own: give one".to_owned(),
        ));
    }
    let bucket = match args.s3_bucket {
        Some(bucket) => Some(bucket),
        None if args.resolve_s3 => None,
        None => file.string("s3_bucket")?,
    };
    let metadata = match args.metadata {
        Some(text) => Some(text),
        None => file.string("metadata")?,
    };
    let metadata = match metadata {
        Some(text) => {
            let pairs = options::metadata(&text).map_err(|error| Error::Usage(format!("--metadata: {error}")))?;
            pairs.into_iter().collect()
        }
        None => Vec::new(),
    };
    let flag = |given: bool, key: &str| Ok::<_, Error>(given || file.boolean(key)?.unwrap_or(false));
    let text = |given: Option<String>, key: &str| {
        Ok::<_, Error>(given.map_or_else(|| file.string(key), |text| Ok(Some(text)))?)
    };
    Ok(Settings {
        output: match args.output_template_file {
            Some(path) => Some(path),
            None => file.string("output_template_file")?.map(PathBuf::from),
        },
        bucket,
        prefix: text(args.s3_prefix, "s3_prefix")?,
        kms_key: text(args.kms_key_id, "kms_key_id")?,
        use_json: flag(args.use_json, "use_json")?,
        force_upload: flag(args.force_upload, "force_upload")?,
        metadata,
        progress: !flag(args.no_progressbar, "no_progressbar")?,
        dry_run: args.dry_run,
        include: if args.include.is_empty() { file.list("include")?.unwrap_or_default() } else { args.include },
        allow_external_links: flag(args.allow_external_links, "allow_external_links")?,
        region: file.string("region")?,
        profile: file.string("profile")?,
    })
}

/// Packages, and writes the packaged template.
///
/// # Errors
/// Findings in the template or its folders; AWS's answers; files.
pub fn run(context: &Context, args: PackageArgs) -> Result<Status, Error> {
    let path = template_file::find(&context.cwd, args.template_file.as_deref())?;
    let base = template_file::folder(&context.cwd, &path);
    let config = samconfig::load(&base, args.config_file.as_deref(), args.config_env.as_deref())?;
    let section = config.section("package");
    context.findings(&section.warnings());
    let settings = resolve(args, &section)?;
    let template = template_file::read(context, &context.cwd, &path)?;
    let options = Options {
        prefix: settings.prefix.clone(),
        include: settings.include.clone(),
        allow_external_links: settings.allow_external_links,
        exclude: settings.output.iter().map(|path| context.cwd.join(path)).collect(),
        project: Some(context.cwd.clone()),
        force_upload: settings.force_upload,
        encryption: settings.kms_key.clone().map_or(Encryption::BucketDefault, Encryption::Kms),
        metadata: settings.metadata.clone(),
    };
    let progress = Progress::new(context.terminal, settings.progress);
    let sink = |event| progress.show(event);
    let prepared = package::prepare(&template, &base, &options, &sink).map_err(|error| located(context, error))?;
    let packaged = if settings.dry_run || !prepared.needs_bucket() {
        // The managed bucket's name is not known without asking for it.
        prepared.dry_run(settings.bucket.as_deref().unwrap_or("MANAGED-BUCKET"))
    } else {
        let upload = async {
            let aws = context.aws(settings.region.clone(), settings.profile.clone()).await?;
            let bucket = match &settings.bucket {
                Some(bucket) => bucket.clone(),
                None => bucket::ensure(&aws, &sink).await.map_err(package::Error::from)?.name,
            };
            Ok(prepared.upload(&aws.s3(), &bucket, &options, &sink).await?)
        };
        super::block_on_until_interrupted(
            upload,
            "interrupted: no template was written; what was uploaded stays in the bucket, and the same command goes on \
             from there",
        )?
    };
    progress.finish();
    finish(context, &settings, &packaged)
}

/// Findings are shown with their lines; everything else is an error like any other.
pub(super) fn located(context: &Context, error: package::Error) -> Error {
    match error {
        package::Error::Findings(findings) => context.failed("package", &findings),
        error => error.into(),
    }
}

fn finish(context: &Context, settings: &Settings, packaged: &Packaged) -> Result<Status, Error> {
    let terminal = context.terminal;
    let is_json = settings.use_json
        || settings.output.as_ref().is_some_and(|path| path.extension().is_some_and(|extension| extension == "json"));
    let text = if is_json { write::json(&packaged.template) } else { write::yaml(&packaged.template) };
    if let Some(path) = &settings.output {
        replace(&context.cwd.join(path), text.as_bytes()).map_err(|source| Error::File {
            action: "write",
            path: path.clone(),
            source,
        })?;
    }
    if terminal.is_json() {
        let mut result = json!({
            "dry_run": settings.dry_run,
            "output_template_file": settings.output,
            "artifacts": packaged.uploads.iter().map(artifact).collect::<Vec<_>>(),
        });
        if settings.output.is_none() {
            result["template"] = packaged.template.to_json();
        }
        terminal.json(&result);
        return Ok(Status::Done);
    }
    summary(terminal, settings, packaged);
    if settings.output.is_none() {
        terminal.data(text.trim_end_matches('\n'));
    }
    Ok(Status::Done)
}

fn artifact(upload: &Uploaded) -> serde_json::Value {
    json!({
        "path": upload.path,
        "used_by": upload.used_by.iter().map(|(resource, property)| json!({"resource": resource, "property": property})).collect::<Vec<_>>(),
        "bucket": upload.bucket,
        "key": upload.key,
        "version_id": upload.version_id,
        "size_bytes": upload.size_bytes,
        "sha256_base64": upload.sha256_base64,
        "outcome": upload.outcome,
    })
}

fn summary(terminal: Terminal, settings: &Settings, packaged: &Packaged) {
    let count = |outcome| packaged.uploads.iter().filter(|upload| upload.outcome == outcome).count();
    if settings.dry_run {
        for upload in &packaged.uploads {
            terminal.status("Would name", format_args!("{} {}", upload.path.display(), upload.key));
        }
        let bucket = if settings.bucket.is_none() && !packaged.uploads.is_empty() {
            "; MANAGED-BUCKET stands for samara's own bucket"
        } else {
            ""
        };
        terminal.status("Dry run", format_args!("{} to upload, nothing was called{bucket}", packaged.uploads.len()));
    } else {
        let (new, old) = (count(Outcome::Uploaded), count(Outcome::Present));
        terminal.status("Packaged", format_args!("{new} uploaded, {old} already there"));
    }
    if let Some(path) = &settings.output {
        terminal.status("Wrote", path.display());
        if !settings.dry_run {
            terminal.line(format_args!(
                "\nDeploy it with:\n  samara deploy --template-file {} --stack-name <YOUR STACK NAME>",
                crate::ui::sanitize::sanitize(&path.display().to_string())
            ));
        }
    }
}

/// Replaces a file in one step, so that there is never half of one. A link is followed; what is not a
/// regular file (`/dev/stdout`, a fifo) is written to.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if std::fs::metadata(&target).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        return std::fs::OpenOptions::new().write(true).open(&target)?.write_all(bytes);
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.prefix(".samara-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    if let Ok(meta) = std::fs::metadata(&target) {
        file.as_file().set_permissions(meta.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    Ok(())
}

/// What is going on, on standard error.
pub(super) struct Progress {
    terminal: Terminal,
    spinner: Option<ProgressBar>,
    under_way: Mutex<Vec<String>>,
}

impl Progress {
    pub(super) fn new(terminal: Terminal, wanted: bool) -> Self {
        let spinner = (wanted && terminal.is_live() && !terminal.is_json()).then(|| {
            let spinner = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
                spinner.set_style(style);
            }
            spinner.enable_steady_tick(std::time::Duration::from_millis(120));
            spinner
        });
        Self { terminal, spinner, under_way: Mutex::new(Vec::new()) }
    }

    pub(super) fn show(&self, event: Event) {
        match event {
            Event::Reading { path } => self.begin(format!("Reading {}", path.display())),
            Event::Read { path, left_out, .. } => {
                self.end(&format!("Reading {}", path.display()));
                if !left_out.is_empty() {
                    let names = left_out.join(", ");
                    self.say("Left out", format_args!("{names} of {}", path.display()));
                }
            }
            Event::Present { key } => self.say("Present", key),
            Event::Zipping { path } => self.begin(format!("Zipping {}", path.display())),
            Event::Uploading { key, size_bytes } => self.begin(format!("Uploading {key} ({})", size(size_bytes))),
            Event::Uploaded { key, size_bytes } => {
                self.end(&format!("Uploading {key} ({})", size(size_bytes)));
                self.say("Uploaded", format_args!("{key} ({})", size(size_bytes)));
            }
            Event::CreatingBucket { stack } => {
                self.say("Creating", format_args!("the managed bucket (stack {stack})"));
            }
            Event::Bucket { name } => self.say("Bucket", name),
        }
    }

    fn begin(&self, what: String) {
        if let (Some(spinner), Ok(mut under_way)) = (&self.spinner, self.under_way.lock()) {
            spinner.set_message(crate::ui::sanitize::sanitize(&what).into_owned());
            under_way.push(what);
        }
    }

    fn end(&self, what: &str) {
        if let (Some(spinner), Ok(mut under_way)) = (&self.spinner, self.under_way.lock()) {
            under_way.retain(|other| other != what);
            let next = under_way.last().map(|text| crate::ui::sanitize::sanitize(text).into_owned());
            spinner.set_message(next.unwrap_or_default());
        }
    }

    fn say(&self, verb: &str, text: impl std::fmt::Display) {
        if self.terminal.is_json() {
            return;
        }
        match &self.spinner {
            Some(spinner) => spinner.suspend(|| self.terminal.status(verb, text)),
            None => self.terminal.status(verb, text),
        }
    }

    pub(super) fn finish(&self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::samconfig::Config;

    fn section(text: &str) -> Section {
        Config::from_text("samconfig.toml", text, None).unwrap().section("package")
    }

    #[test]
    fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
        let file = section("version = 0.1\n[default.package.parameters]\ns3_bucket = \"filed\"\nuse_json = true\n");
        let settings = resolve(PackageArgs::default(), &file).unwrap();
        assert_eq!((settings.bucket.as_deref(), settings.use_json), (Some("filed"), true));
        let args = PackageArgs { s3_bucket: Some("flagged".to_owned()), ..PackageArgs::default() };
        assert_eq!(resolve(args, &file).unwrap().bucket.as_deref(), Some("flagged"));
        let args = PackageArgs { resolve_s3: true, ..PackageArgs::default() };
        assert_eq!(resolve(args, &file).unwrap().bucket, None);
        assert_eq!(resolve(PackageArgs::default(), &section("version = 0.1\n")).unwrap().bucket, None);
    }

    #[test]
    fn two_buckets_are_one_too_many() {
        let args = PackageArgs { s3_bucket: Some("b".to_owned()), resolve_s3: true, ..PackageArgs::default() };
        let error = resolve(args, &section("version = 0.1\n")).unwrap_err();
        assert!(error.to_string().contains("--s3-bucket"), "{error}");
        assert_eq!(error.status(), Status::Usage);
    }
}
