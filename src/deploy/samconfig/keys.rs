//! The words that a configuration may use: commands and their options, so that a misspelt one is
//! told from one that is meant for `sam` alone.

use crate::diagnostic::Diagnostic;
use crate::template::{Map, Node};

/// Commands of `sam` and samara as they are written in a configuration.
const COMMANDS: &[&str] = &[
    "build",
    "delete",
    "deploy",
    "global",
    "init",
    "list_endpoints",
    "list_resources",
    "list_stack_outputs",
    "local_callback_fail",
    "local_callback_heartbeat",
    "local_callback_succeed",
    "local_execution_get",
    "local_execution_history",
    "local_execution_stop",
    "local_generate_event",
    "local_invoke",
    "local_start_api",
    "local_start_function_urls",
    "local_start_lambda",
    "logs",
    "package",
    "pipeline_bootstrap",
    "pipeline_init",
    "publish",
    "rehearse",
    "remote_callback_fail",
    "remote_callback_heartbeat",
    "remote_callback_succeed",
    "remote_execution_get",
    "remote_execution_history",
    "remote_execution_stop",
    "remote_invoke",
    "remote_test_event_delete",
    "remote_test_event_get",
    "remote_test_event_list",
    "remote_test_event_put",
    "rollout",
    "rollout_abort",
    "rollout_history",
    "rollout_pause",
    "rollout_plan",
    "rollout_promote",
    "rollout_resume",
    "rollout_retry",
    "rollout_rollback",
    "rollout_start",
    "rollout_status",
    "rollout_watch",
    "sandbox_start",
    "sync",
    "traces",
    "validate",
];

/// What every command has.
const EVERY: &[&str] = &[
    "beta_features",
    "color",
    "config_env",
    "config_file",
    "debug",
    "output",
    "profile",
    "region",
    "sandbox",
    "save_params",
];

/// What `package` and `deploy` have in common.
const UPLOADING: &[&str] = &[
    "allow_external_links",
    "force_upload",
    "image_repositories",
    "image_repository",
    "include",
    "kms_key_id",
    "language_extensions",
    "metadata",
    "no_progressbar",
    "resolve_image_repos",
    "resolve_s3",
    "s3_bucket",
    "s3_prefix",
    "signing_profiles",
    "template",
    "template_file",
    "use_json",
];

/// What only `deploy` has.
const DEPLOYING: &[&str] = &[
    "accept_changes_in_use",
    "capabilities",
    "confirm_changeset",
    "delete_orphan_version",
    "disable_rollback",
    "dry_run",
    "engine",
    "execute_changeset",
    "express",
    "fail_on_empty_changeset",
    "guided",
    "max_wait_duration",
    "no_execute_changeset",
    "no_rollout",
    "notification_arns",
    "on_failure",
    "parameter_overrides",
    "role_arn",
    "stack_name",
    "tags",
    "transform",
    "yes",
];

/// How a rollout is shifted and judged, and who hears of it: for a deploy's rollout and any other.
const SHIFTING: &[&str] = &[
    "alarm",
    "bake",
    "ignore_alarm",
    "limit",
    "max_hold",
    "metric",
    "min_requests",
    "no_bake",
    "notify",
    "observe_only",
    "on_interrupt",
    "on_metrics_outage",
    "on_no_data",
    "post_traffic",
    "pre_traffic",
    "probe_permission",
    "report",
    "strategy",
    "timeout",
    "warm_up",
    "warm_up_event",
];

/// What only the rollout commands have: which alias.
const ROLLING: &[&str] = &["alias", "function", "journal_bucket", "stack_name", "yes"];

const PACKAGING: &[&str] = &["dry_run", "output_template_file", "template_file", "template"];

const VALIDATING: &[&str] = &["files", "lint", "no_files", "template", "template_file"];

/// The options of a command whose list is known here; `None` leaves its keys alone.
fn options(command: &str) -> Option<[&'static [&'static str]; 4]> {
    match command {
        "deploy" => Some([EVERY, UPLOADING, DEPLOYING, SHIFTING]),
        "package" => Some([EVERY, UPLOADING, PACKAGING, &[]]),
        "validate" => Some([EVERY, VALIDATING, &[], &[]]),
        name if name == "rollout" || name.starts_with("rollout_") => Some([EVERY, ROLLING, SHIFTING, &[]]),
        _ => None,
    }
}

/// Warns of sections that belong to no command.
pub(super) fn check_commands(environment: &Node, warnings: &mut Vec<Diagnostic>) {
    let Some(sections) = environment.as_map() else {
        let message = format!("an environment has to be a table, and is {}", environment.kind());
        warnings.push(Diagnostic::warning("samconfig/type", message).at(environment.span));
        return;
    };
    for name in sections.keys().filter(|name| !COMMANDS.contains(name)) {
        let warning = Diagnostic::warning("samconfig/command", format!("no command is called `{name}`"))
            .at(sections.key_span(name));
        warnings.push(suggest(warning, nearest(name, COMMANDS.iter().copied())));
    }
}

/// Warns of keys that the command does not know.
pub(super) fn check(command: &str, parameters: &Map, warnings: &mut Vec<Diagnostic>) {
    let Some(options) = options(command) else { return };
    for name in parameters.keys().filter(|name| !options.iter().any(|group| group.contains(name))) {
        let warning = Diagnostic::warning("samconfig/key", format!("`{command}` has no option `{name}`"))
            .at(parameters.key_span(name));
        warnings.push(suggest(warning, nearest(name, options.iter().copied().flatten().copied())));
    }
}

fn suggest(warning: Diagnostic, near: Option<&str>) -> Diagnostic {
    match near {
        Some(near) => warning.help(format!("Did you mean `{near}`?")),
        None => warning.help("It is ignored."),
    }
}

/// The candidate that a typist most likely meant.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before = vec![0; right.len() + 1];
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, a) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in right.iter().enumerate() {
            let mut best = (last[column] + usize::from(a != b)).min(last[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && left[row - 1] == *b && right[column - 1] == *a {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_another_word_is_not() {
        assert_eq!(distance("deplyo", "deploy"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(nearest("capabilites", ["capabilities", "tags"].into_iter()), Some("capabilities"));
        assert_eq!(nearest("quux", ["capabilities", "tags"].into_iter()), None);
    }
}
