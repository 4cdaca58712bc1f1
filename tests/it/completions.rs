//! `completions/` and the README are what the command line really is. With `SAMARA_UPDATE=1` the
//! files are written anew.

use std::path::Path;

use clap_complete::Shell;

const SHELLS: [(Shell, &str); 5] = [
    (Shell::Bash, "samara.bash"),
    (Shell::Zsh, "_samara"),
    (Shell::Fish, "samara.fish"),
    (Shell::PowerShell, "_samara.ps1"),
    (Shell::Elvish, "samara.elv"),
];

#[test]
fn the_completions_are_fresh() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    let mut stale = Vec::new();
    for (shell, name) in SHELLS {
        let path = dir.join(name);
        let fresh = samara::cli::completions::script(shell);
        if std::env::var_os("SAMARA_UPDATE").is_some() {
            std::fs::write(&path, &fresh).expect("completions/ can be written");
        }
        if std::fs::read_to_string(&path).ok().as_deref() != Some(fresh.as_str()) {
            stale.push(name);
        }
    }
    assert!(stale.is_empty(), "completions/ is stale: {stale:?}; run SAMARA_UPDATE=1 cargo test --test it completions");
}

#[test]
fn the_readme_has_a_row_for_every_command_and_for_no_other() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md");
    let mut real = Vec::new();
    for command in samara::cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let children: Vec<_> = command.get_subcommands().filter(|child| child.get_name() != "help").collect();
        if children.is_empty() {
            real.push(command.get_name().to_owned());
        }
        real.extend(children.iter().map(|child| format!("{} {}", command.get_name(), child.get_name())));
    }
    let mut documented: Vec<String> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `samara ")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect();
    real.sort();
    documented.sort();
    assert_eq!(real, documented, "the README's table of commands is not what samara has");
}

#[test]
fn every_command_explains_itself_with_an_example() {
    fn check(command: &clap::Command, path: &str, without: &mut Vec<String>) {
        let children: Vec<_> = command.get_subcommands().filter(|child| child.get_name() != "help").collect();
        let after = [command.get_after_help(), command.get_after_long_help()];
        if children.is_empty() && !after.into_iter().flatten().any(|text| text.to_string().contains("samara ")) {
            without.push(path.to_owned());
        }
        for child in children {
            check(child, &format!("{path} {}", child.get_name()), without);
        }
    }
    let mut without = Vec::new();
    check(&samara::cli::command(), "samara", &mut without);
    assert!(without.is_empty(), "no example in the help of: {without:?}");
}
