//! What `deploy` was told: arguments over environment over samconfig over defaults, and nothing else.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::context::Context;
use crate::cli::exit::Error;
use crate::cli::rollout::audience::TellArgs;
use crate::cli::rollout::options::{OnInterrupt, StrategyArg, choice, name_of};
use crate::deploy::options::{self, Pairs};
use crate::deploy::samconfig::{Section, write::Update};
use crate::deploy::{OnFailure, change_set, guided};
use crate::rollout;
use crate::template::{Map, Node, Value};

use super::{DeployArgs, EngineChoice, Transformer};

/// Everything that a deploy needs to know from outside.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// The template's file.
    pub(super) template: PathBuf,
    /// The stack's name; asked for by `--guided`, needed otherwise.
    pub(super) stack_name: Option<String>,
    /// Region of samconfig.toml; the flag is the context's.
    pub(super) region: Option<String>,
    /// Region that was answered to `--guided`.
    pub(super) guided_region: Option<String>,
    /// Profile of samconfig.toml; the flag is the context's.
    pub(super) profile: Option<String>,
    /// Parameter values.
    pub(super) overrides: Pairs,
    /// Capabilities.
    pub(super) capabilities: Vec<String>,
    /// Tags of the stack; `None` leaves them.
    pub(super) tags: Option<Pairs>,
    /// Topics; `None` leaves them.
    pub(super) notification_arns: Option<Vec<String>>,
    /// CloudFormation's role.
    pub(super) role_arn: Option<String>,
    /// A bucket of the user's own.
    pub(super) s3_bucket: Option<String>,
    /// In front of the artifacts' keys.
    pub(super) s3_prefix: Option<String>,
    /// Key that artifacts are encrypted with.
    pub(super) kms_key_id: Option<String>,
    /// Metadata of uploads.
    pub(super) metadata: Pairs,
    /// Upload what is there already.
    pub(super) force_upload: bool,
    /// Whether to ask before executing; `None`: on a terminal no, as in SAM CLI.
    pub(super) confirm_changeset: bool,
    /// Whether the change set is executed.
    pub(super) execute: bool,
    /// Whether an empty change set is status 3.
    pub(super) fail_on_empty: bool,
    /// What to do when it fails.
    pub(super) on_failure: OnFailure,
    /// How long to wait.
    pub(super) max_wait: Duration,
    /// Express mode.
    pub(super) express: bool,
    /// Ask everything first.
    pub(super) guided: bool,
    /// Check only.
    pub(super) dry_run: bool,
    /// Who transforms.
    pub(super) transform: Transformer,
    /// Who moves the traffic.
    pub(super) engine: EngineChoice,
    /// A strategy that goes before the template's.
    pub(super) strategy: Option<StrategyArg>,
    /// By what the rollout is judged.
    pub(super) rollout: rollout::Options,
    /// What a signal does during the rollout.
    pub(super) on_interrupt: Option<OnInterrupt>,
    /// Who else hears of the rollout.
    pub(super) tell: TellArgs,
    /// Never shift traffic slowly.
    pub(super) no_rollout: bool,
    /// Deploy what was rolled back before.
    pub(super) force: bool,
    /// Change what the version that serves still uses.
    pub(super) accept_changes_in_use: bool,
    /// Delete a version that is in the way and that nobody has.
    pub(super) delete_orphan_version: bool,
    /// Whether everything that would be asked is allowed.
    pub(super) yes: bool,
    /// Write the arguments into samconfig.toml.
    pub(super) save_params: bool,
    /// Links that leave a code folder are followed.
    pub(super) allow_external_links: bool,
    /// Files that look like secrets and are meant to be packed.
    pub(super) include: Vec<String>,
}

impl Settings {
    /// The region as far as it is known without asking the profile.
    pub(super) fn region_for(&self, context: &Context) -> Option<String> {
        self.guided_region
            .clone()
            .or_else(|| context.global.region.clone())
            .or_else(|| context.env("AWS_REGION"))
            .or_else(|| self.region.clone())
    }
}

/// Arguments over samconfig over defaults.
///
/// # Errors
/// Options that do not fit together, or whose text has no meaning.
pub(super) fn resolve(args: &DeployArgs, section: &Section, template: PathBuf) -> Result<Settings, Error> {
    let text = |flag: &Option<String>, key: &str| -> Result<Option<String>, Error> {
        Ok(match flag {
            Some(value) => Some(value.clone()),
            None => section.string(key)?.filter(|value| !value.is_empty()),
        })
    };
    let flag = |yes: bool, no: bool, key: &str, default: bool| -> Result<bool, Error> {
        Ok(match (yes, no) {
            (true, _) => true,
            (_, true) => false,
            _ => section.boolean(key)?.unwrap_or(default),
        })
    };
    let read = |file: &str| std::fs::read_to_string(file).map_err(|error| error.to_string());
    let overrides = match (args.parameter_overrides.is_empty(), section.get("parameter_overrides")) {
        (true, None) => Pairs::new(),
        (true, Some(node)) => options::overrides_from(node, &read)
            .map_err(|error| section.error_at("parameter_overrides", error.to_string()))?,
        (false, _) => options::overrides(&args.parameter_overrides, &read)
            .map_err(|error| usage("--parameter-overrides", &error))?,
    };
    let tags = match (args.tags.is_empty(), section.get("tags")) {
        (true, None) => None,
        (true, Some(node)) => {
            Some(options::tags_from(node).map_err(|error| section.error_at("tags", error.to_string()))?)
        }
        (false, _) => Some(options::tags(&args.tags).map_err(|error| usage("--tags", &error))?),
    };
    let capabilities = match args.capabilities.is_empty() {
        true => options::capabilities(&section.words("capabilities")?.unwrap_or_default())
            .map_err(|error| section.error_at("capabilities", error.to_string()))?,
        false => options::capabilities(&args.capabilities).map_err(|error| usage("--capabilities", &error))?,
    };
    let metadata = match text(&args.metadata, "metadata")? {
        Some(text) => options::metadata(&text).map_err(|error| usage("--metadata", &error))?,
        None => Pairs::new(),
    };
    let notification_arns = match args.notification_arns.is_empty() {
        true => section.words("notification_arns")?,
        false => Some(args.notification_arns.clone()),
    };
    let role_arn = text(&args.role_arn, "role_arn")?;
    let bad_arn = role_arn
        .iter()
        .map(|arn| ("--role-arn", arn))
        .chain(notification_arns.iter().flatten().map(|arn| ("--notification-arns", arn)))
        .find(|(_, arn)| !is_arn(arn));
    if let Some((option, arn)) = bad_arn {
        return Err(Error::Usage(format!(
            "{option}: {arn:?} is not an ARN; one looks like arn:aws:iam::123456789012:role/name"
        )));
    }
    let s3_bucket = text(&args.s3_bucket, "s3_bucket")?;
    let resolve_s3 = flag(args.resolve_s3, args.no_resolve_s3, "resolve_s3", s3_bucket.is_none())?;
    if args.s3_bucket.is_some() && args.resolve_s3 {
        return Err(Error::Usage("--s3-bucket and --resolve-s3 exclude each other".to_owned()));
    }
    if s3_bucket.is_some() && resolve_s3 && args.s3_bucket.is_none() {
        return Err(section.error_at("s3_bucket", "s3_bucket and resolve_s3 exclude each other").into());
    }
    let on_failure = on_failure(args, section)?;
    let max_wait = match args.max_wait_duration {
        Some(minutes) => Some(minutes),
        None => section.integer("max_wait_duration")?,
    };
    if max_wait.is_some_and(|minutes| !(1..=LONGEST_WAIT).contains(&minutes)) {
        return Err(Error::Usage(format!("--max-wait-duration goes from 1 to {LONGEST_WAIT} minutes")));
    }
    let no_execute = args.no_execute_changeset || section.boolean("no_execute_changeset")?.unwrap_or(false);
    let transform = match (&args.transform, section.string("transform")?) {
        (Some(transform), _) => *transform,
        (None, None) => Transformer::Native,
        (None, Some(name)) => <Transformer as clap::ValueEnum>::from_str(&name, false)
            .map_err(|_| section.error_at("transform", "`transform` has to be \"native\" or \"aws\""))?,
    };
    let engine = match (&args.engine, section.string("engine")?) {
        (Some(engine), _) => *engine,
        (None, None) => EngineChoice::Auto,
        (None, Some(name)) => <EngineChoice as clap::ValueEnum>::from_str(&name, false)
            .map_err(|_| section.error_at("engine", "`engine` has to be \"auto\", \"alias\" or \"codedeploy\""))?,
    };
    let rollout = args.rollout.over(section)?;
    let on_interrupt = match args.on_interrupt {
        Some(what) => Some(what),
        None => choice(section, "on_interrupt")?,
    };
    let tell = args.tell.over(section)?;
    let stack_name = text(&args.stack_name, "stack_name")?;
    if let Some(name) = &stack_name {
        guided::check_stack_name(name).map_err(Error::Usage)?;
    }
    let confirm_changeset = flag(args.confirm_changeset, args.no_confirm_changeset, "confirm_changeset", false)?;
    Ok(Settings {
        template,
        stack_name,
        region: section.string("region")?,
        guided_region: None,
        profile: section.string("profile")?,
        overrides,
        capabilities,
        tags,
        notification_arns,
        role_arn,
        s3_bucket,
        s3_prefix: text(&args.s3_prefix, "s3_prefix")?,
        kms_key_id: text(&args.kms_key_id, "kms_key_id")?,
        metadata,
        force_upload: args.force_upload || section.boolean("force_upload")?.unwrap_or(false),
        confirm_changeset,
        execute: !no_execute,
        fail_on_empty: flag(
            args.fail_on_empty_changeset,
            args.no_fail_on_empty_changeset,
            "fail_on_empty_changeset",
            true,
        )?,
        on_failure,
        max_wait: max_wait.map_or(change_set::MAX_WAIT, |minutes| Duration::from_secs(minutes.saturating_mul(60))),
        express: flag(args.express, args.no_express, "express", false)?,
        guided: args.guided,
        dry_run: args.dry_run || section.boolean("dry_run")?.unwrap_or(false),
        transform,
        engine,
        strategy: rollout.strategy.clone(),
        rollout: rollout.options(),
        on_interrupt,
        tell,
        no_rollout: args.no_rollout || section.boolean("no_rollout")?.unwrap_or(false),
        yes: args.yes || section.boolean("yes")?.unwrap_or(false),
        force: args.force,
        accept_changes_in_use: args.accept_changes_in_use || section.boolean("accept_changes_in_use")?.unwrap_or(false),
        delete_orphan_version: args.delete_orphan_version || section.boolean("delete_orphan_version")?.unwrap_or(false),
        save_params: args.save_params,
        allow_external_links: args.allow_external_links || section.boolean("allow_external_links")?.unwrap_or(false),
        include: if args.include.is_empty() {
            section.list("include")?.unwrap_or_default()
        } else {
            args.include.clone()
        },
    })
}

fn usage(option: &str, error: &options::Error) -> Error {
    Error::Usage(format!("{option}: {error}"))
}

/// `--disable-rollback` and `--on-failure` say the same thing in two ways.
fn on_failure(args: &DeployArgs, section: &Section) -> Result<OnFailure, Error> {
    if args.disable_rollback && args.on_failure.is_some() {
        return Err(Error::Usage("--disable-rollback and --on-failure exclude each other".to_owned()));
    }
    if let Some(on_failure) = args.on_failure {
        return Ok(on_failure.into());
    }
    if args.disable_rollback {
        return Ok(OnFailure::DoNothing);
    }
    if args.no_disable_rollback {
        return Ok(OnFailure::Rollback);
    }
    match section.string("on_failure")?.as_deref() {
        Some("ROLLBACK") => Ok(OnFailure::Rollback),
        Some("DELETE") => Ok(OnFailure::Delete),
        Some("DO_NOTHING") => Ok(OnFailure::DoNothing),
        Some(_) => Err(section.error_at("on_failure", "`on_failure` has to be ROLLBACK, DELETE or DO_NOTHING").into()),
        None if section.boolean("disable_rollback")?.unwrap_or(false) => Ok(OnFailure::DoNothing),
        None => Ok(OnFailure::Rollback),
    }
}

/// What `--save-params` writes: only what stood on the command line, and never a secret.
pub(super) fn saved(
    args: &DeployArgs,
    settings: &Settings,
    region: Option<&str>,
    env: &str,
    secrets: &[String],
) -> Update {
    let mut parameters = Map::new();
    let mut text = |key: &str, value: &Option<String>| {
        if let Some(value) = value {
            parameters.insert(key, value.as_str());
        }
    };
    text("stack_name", &args.stack_name);
    text("s3_bucket", &args.s3_bucket);
    text("s3_prefix", &args.s3_prefix);
    text("kms_key_id", &args.kms_key_id);
    text("role_arn", &args.role_arn);
    text("metadata", &args.metadata);
    text("template_file", &args.template_file);
    let on_failure = args.on_failure.map(|on_failure| match OnFailure::from(on_failure) {
        OnFailure::Rollback => "ROLLBACK".to_owned(),
        OnFailure::Delete => "DELETE".to_owned(),
        OnFailure::DoNothing => "DO_NOTHING".to_owned(),
    });
    text("on_failure", &on_failure);
    let transform = args.transform.map(|transform| match transform {
        Transformer::Native => "native".to_owned(),
        Transformer::Aws => "aws".to_owned(),
    });
    text("transform", &transform);
    text("on_interrupt", &args.on_interrupt.as_ref().map(name_of));
    args.rollout.save(&mut parameters);
    args.tell.save(&mut parameters);
    for (key, yes, no) in [
        ("confirm_changeset", args.confirm_changeset, args.no_confirm_changeset),
        ("fail_on_empty_changeset", args.fail_on_empty_changeset, args.no_fail_on_empty_changeset),
        ("disable_rollback", args.disable_rollback, args.no_disable_rollback),
        ("resolve_s3", args.resolve_s3, args.no_resolve_s3),
        ("express", args.express, args.no_express),
        ("force_upload", args.force_upload, false),
        ("no_execute_changeset", args.no_execute_changeset, false),
        ("no_rollout", args.no_rollout, false),
        ("accept_changes_in_use", args.accept_changes_in_use, false),
        ("delete_orphan_version", args.delete_orphan_version, false),
    ] {
        if yes || no {
            parameters.insert(key, yes);
        }
    }
    if let Some(minutes) = args.max_wait_duration.and_then(|minutes| i64::try_from(minutes).ok()) {
        parameters.insert("max_wait_duration", minutes);
    }
    if !args.capabilities.is_empty() {
        parameters.insert("capabilities", settings.capabilities.join(" "));
    }
    if !args.notification_arns.is_empty() {
        let arns = args.notification_arns.iter().map(|arn| Node::from(arn.as_str())).collect();
        parameters.insert("notification_arns", Value::List(arns));
    }
    if !args.tags.is_empty() {
        parameters.insert("tags", options::overrides_node(settings.tags.as_ref().unwrap_or(&Pairs::new())));
    }
    if !args.parameter_overrides.is_empty() {
        let mut overrides = settings.overrides.clone();
        overrides.retain(|name, _| !secrets.contains(name));
        parameters.insert("parameter_overrides", options::overrides_node(&overrides));
    }
    let mut global = Map::new();
    if let Some(region) = region {
        global.insert("region", region);
    }
    Update { env: env.to_owned(), command: "deploy".to_owned(), parameters, global }
}

/// A week, in minutes.
const LONGEST_WAIT: u64 = 7 * 24 * 60;

/// `arn:partition:service:region:account:resource`, without looking into the parts.
fn is_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    matches!(parts[..], ["arn", partition, service, _, _, resource] if !partition.is_empty() && !service.is_empty() && !resource.is_empty())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::deploy::samconfig::Config;
    use crate::rollout::plan::{OnNoData, OnOutage};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        deploy: DeployArgs,
    }

    fn settings(line: &str, config: &str) -> Result<Settings, Error> {
        let args = Line::try_parse_from(std::iter::once("deploy").chain(line.split_whitespace())).unwrap().deploy;
        let section = Config::from_text("samconfig.toml", config, None).unwrap().section("deploy");
        resolve(&args, &section, PathBuf::from("template.yaml"))
    }

    const CONFIG: &str = r#"version = 0.1
[default.deploy.parameters]
stack_name = "configured"
capabilities = "CAPABILITY_IAM"
confirm_changeset = true
parameter_overrides = 'A="one two" B=3'
tags = "team=a"
disable_rollback = true
max_wait_duration = 7
"#;

    #[test]
    fn the_command_line_goes_before_the_file_and_the_file_before_the_defaults() {
        let found = settings("", CONFIG).unwrap();
        assert_eq!(found.stack_name.as_deref(), Some("configured"));
        assert_eq!(found.overrides["A"], "one two");
        assert!(found.confirm_changeset && found.fail_on_empty && found.execute);
        assert_eq!(found.on_failure, OnFailure::DoNothing);
        assert_eq!(found.max_wait, Duration::from_secs(420));
        let line = "--stack-name mine --no-confirm-changeset --capabilities CAPABILITY_NAMED_IAM CAPABILITY_AUTO_EXPAND \
                    --parameter-overrides A=1 C=2 --tags x=y --no-disable-rollback --no-fail-on-empty-changeset";
        let found = settings(line, CONFIG).unwrap();
        assert_eq!(found.stack_name.as_deref(), Some("mine"));
        assert_eq!(found.overrides.keys().map(String::as_str).collect::<Vec<_>>(), ["A", "C"]);
        assert_eq!(found.capabilities, ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]);
        assert_eq!(found.tags.unwrap()["x"], "y");
        assert!(!found.confirm_changeset && !found.fail_on_empty);
        assert_eq!(found.on_failure, OnFailure::Rollback);
    }

    #[test]
    fn options_that_exclude_each_other_or_mean_nothing_are_refused() {
        let message = |line: &str, config: &str| settings(line, config).unwrap_err().to_string();
        assert!(message("--s3-bucket b --resolve-s3", "").contains("exclude each other"));
        assert!(message("--disable-rollback --on-failure DELETE", "").contains("exclude each other"));
        assert!(message("--capabilities NONSENSE", "").contains("is not a capability"));
        assert!(message("--stack-name 1x", "").contains("cannot be a stack's name"));
        let config = "version = 0.1\n[default.deploy.parameters]\ncapabilities = 'X'\n";
        assert!(message("", config).starts_with("samconfig.toml:3:16:"), "{}", message("", config));
    }

    #[test]
    fn the_rollouts_options_are_read_as_lists_and_scalars() {
        let config = "version = 0.1\n[default.deploy.parameters]\nalarm = ['one', 'two']\nlimit = 'errors=1%'\n\
            bake = '15m'\non_interrupt = 'hold'\ntimeout = '2h'\nmin_requests = 7\nmax_hold = '10m'\n\
            on_no_data = 'rollback'\non_metrics_outage = 'hold'\nignore_alarm = 'three'\nstrategy = 'canary:5%:10m'\n";
        let found = settings("", config).unwrap();
        let options = &found.rollout;
        assert_eq!(options.alarms, ["one", "two", "three"]);
        assert_eq!(options.ignored_alarms, ["three"]);
        assert_eq!(options.limits, ["errors=1%".parse().unwrap()]);
        assert_eq!([options.bake, options.max_hold].map(|time| time.as_secs()), [900, 600]);
        assert_eq!((options.timeout, options.min_requests), (Some(Duration::from_secs(7200)), 7));
        assert_eq!((options.on_no_data, options.on_outage), (Some(OnNoData::Rollback), OnOutage::Hold));
        assert_eq!(found.on_interrupt, Some(OnInterrupt::Hold));
        assert_eq!(found.strategy, Some("canary:5%:10m".parse().unwrap()));
        let section = Config::from_text("samconfig.toml", config, None).unwrap().section("deploy");
        assert_eq!(section.warnings().items, []);

        let found = settings("--alarm mine --no-bake --on-interrupt rollback --min-requests 0", config).unwrap();
        assert_eq!(found.rollout.alarms, ["mine", "three"]);
        assert_eq!((found.rollout.bake, found.rollout.min_requests), (Duration::ZERO, 0));
        assert_eq!(found.on_interrupt, Some(OnInterrupt::Rollback));

        let message = |line: &str| {
            let config = format!("version = 0.1\n[default.deploy.parameters]\n{line}\n");
            settings("", &config).unwrap_err().to_string()
        };
        insta::assert_snapshot!(message("bake = 15"), @r#"samconfig.toml:3:8: "15" is not a duration of at most 24 h, in whole h, m and s; for example 5m"#);
        insta::assert_snapshot!(message("limit = ['errors=1%', 'speed']"), @r#"samconfig.toml:3:9: "speed" is not a limit (errors=SHARE, throttles=SHARE, spillover=SHARE, async-dropped=SHARE, dead-letter-errors=SHARE, slower:DURATION=SHARE, iterator-age:DURATION=SHARE or NAMESPACE/METRIC?DIMENSION=VALUE=SHARE); for example errors=1%"#);
        insta::assert_snapshot!(message("on_interrupt = 'stop'"), @r#"samconfig.toml:3:16: `on_interrupt` has to be one of rollback, hold, ask, and is "stop""#);
        insta::assert_snapshot!(message("bake = '5m'\nno_bake = true"), @"samconfig.toml:4:11: bake and no_bake exclude each other");
        insta::assert_snapshot!(message("alarm = { name = 'x' }"), @"samconfig.toml:3:9: `alarm` has to be a list of text, and is a map");
    }

    #[test]
    fn the_rollouts_options_are_saved_as_they_are_read() {
        let line = "--alarm one --alarm two --limit errors=1% --bake 1m30s --on-no-data continue --on-interrupt hold";
        let args = Line::try_parse_from(std::iter::once("deploy").chain(line.split_whitespace())).unwrap().deploy;
        let found = settings(line, "").unwrap();
        let update = saved(&args, &found, None, "default", &[]);
        let text = crate::deploy::samconfig::write::toml("samconfig.toml", "", &update).unwrap();
        let again = settings("", &text).unwrap();
        assert_eq!((again.rollout, again.on_interrupt), (found.rollout, found.on_interrupt), "{text}");
    }

    #[test]
    fn only_what_stood_on_the_command_line_is_saved() {
        let line = "--stack-name mine --parameter-overrides A=1 Secret=hunter2 --no-confirm-changeset";
        let args = Line::try_parse_from(std::iter::once("deploy").chain(line.split_whitespace())).unwrap().deploy;
        let found = settings(line, CONFIG).unwrap();
        let update = saved(&args, &found, Some("eu-west-1"), "default", &["Secret".to_owned()]);
        let text = crate::deploy::samconfig::write::toml("samconfig.toml", "", &update).unwrap();
        insta::assert_snapshot!(text, @r#"
        version = 0.1

        [default.global.parameters]
        region = "eu-west-1"

        [default.deploy.parameters]
        stack_name = "mine"
        confirm_changeset = false
        parameter_overrides = 'A="1"'
        "#);
    }
}
