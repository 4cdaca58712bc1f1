//! Who else hears of a rollout: the HTML report, `--notify`, and GitHub Actions.

use crate::rollout::{QUIET, World};

/// A command that keeps what it hears, a line each, behind what its variables say.
fn listener(world: &World, file: &str) -> String {
    let script =
        format!("#!/bin/sh\nread -r json\necho \"$SAMARA_EVENT|$SAMARA_WEIGHT|$SAMARA_OUTCOME|$1|$json\" >> {file}\n");
    world.project.write("listen.sh", script);
    let path = world.project.path("listen.sh");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    format!("{} 'two words; $(date)'", path.display())
}

fn start<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let args = ["start", "--to-version", "2", "--strategy", "steps:10%:1m,50%:1m"];
    args.into_iter().chain(QUIET).chain(more.iter().copied()).collect()
}

#[test]
fn a_rollout_is_told_written_and_summarised() {
    let world = World::new("60");
    let heard = world.project.path("heard");
    let command = listener(&world, heard.to_str().unwrap());
    let summary = world.project.path("summary.md");
    std::fs::write(&summary, "before\n").unwrap();
    world
        .rollout(&start(&["--notify", &command, "--report", "page.html"]))
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &summary)
        .run()
        .expect(0)
        .says("::group::Rollout of hello:live, version 1 to 2\n")
        .says("\n::endgroup::\n")
        .says("\n::notice title=Succeeded%3A hello%3Alive%2C version 1 to 2::hello:live serves version 2");
    let heard = world.project.read("heard");
    let lines: Vec<Vec<&str>> = heard.lines().map(|line| line.splitn(5, '|').collect()).collect();
    let told: Vec<(&str, &str)> = lines.iter().map(|line| (line[0], line[1])).collect();
    assert_eq!(told.first(), Some(&("began", "")), "{heard}");
    let weights: Vec<&str> =
        told.iter().filter(|(event, _)| *event == "confirmed").map(|(_, weight)| *weight).collect();
    assert_eq!(weights, ["10%", "50%", "100%"], "{heard}");
    assert_eq!((lines.last().unwrap()[0], lines.last().unwrap()[2]), ("verdict", "succeeded"), "{heard}");
    for line in &lines {
        assert_eq!(line[3], "two words; $(date)", "split into words, and nothing expanded");
        let json: serde_json::Value =
            serde_json::from_str(line[4]).unwrap_or_else(|error| panic!("{error}: {}", line[4]));
        assert_eq!((&json["function"], &json["event"]), (&"hello".into(), &line[0].into()));
    }
    let page = world.project.read("page.html");
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    for text in ["Succeeded", "hello:live serves version 2 to everybody", "version 1 to 2", "10:", "50 %"] {
        assert!(text == "10:" || page.contains(text), "{text} is not in the page");
    }
    let left: Vec<String> = world.project.files().into_iter().filter(|file| file.contains(".samara-report")).collect();
    assert!(left.is_empty(), "{left:?}");
    let summary = world.project.read("summary.md");
    assert!(summary.starts_with("before\n## Succeeded: hello:live, version 1 to 2\n"), "{summary}");
    assert!(!summary.contains("CAUTION"), "{summary}");
}

#[test]
fn an_alias_left_on_two_versions_is_shouted_and_a_bad_listener_changes_nothing() {
    let world = World::new("60");
    let args = ["start", "--to-version", "2", "--strategy", "steps:10%:1m,pause,50%:1m"];
    let more = ["--report", "page.html", "--notify", "false"];
    let args: Vec<&str> = args.into_iter().chain(QUIET).chain(more).collect();
    let held = world.rollout(&args).env("GITHUB_ACTIONS", "true").run().expect(6);
    held.says("--notify: `false` ended with status 1")
        .says("::warning title=Held%3A hello")
        .says("::error title=An alias is left on two versions::hello:live is LEFT ON TWO VERSIONS");
    assert!(world.project.read("page.html").contains("hello:live is LEFT ON TWO VERSIONS"));
    // Taken back, the page says so, and stands in the old one's place.
    world.run(&["abort", "--report", "page.html"]).expect(4);
    let page = world.project.read("page.html");
    assert!(page.contains("Rolled back") && !page.contains("LEFT ON TWO"), "{page}");
    // What could not be written at the end is refused at the beginning.
    world.run(&start(&["--report", "no/such/folder/page.html"])).expect(2).says("is in a folder that is not there");
    world.run(&start(&["--notify", "'unclosed"])).expect(2).says("for example");
    world.run(&start(&["--notify", "/no/such/program"])).expect(2).says("is not a program on this machine");
    assert_eq!(world.alias().0, "1");
}

#[test]
fn race_35_what_nobody_drives_is_in_the_steps_summary() {
    let world = World::new("60");
    let mut driver = world.start_until("canary:10%:30m", 0.1);
    driver.kill().unwrap();
    driver.wait().unwrap();
    let summary = world.project.path("summary.md");
    let status = |actions: &str| {
        world.rollout(&["status"]).env("GITHUB_ACTIONS", actions).env("GITHUB_STEP_SUMMARY", &summary).run().expect(6)
    };
    let _ = status("true").says("::error title=An alias is left on two versions::ATTENTION: hello:live serves");
    assert!(world.project.read("summary.md").contains("> [!CAUTION]\n> **ATTENTION: hello:live serves two versions"));
    std::fs::remove_file(&summary).unwrap();
    let _ = status("");
    assert!(!summary.exists(), "only where it is shown");
}

#[test]
fn without_waiting_a_timer_carries_it_on() {
    let world = World::new("60");
    world.run(&start(&["--no-wait"])).expect(0).prints("samara rollout resume");
    assert_eq!(world.alias().1.get("2"), Some(&0.1), "the first step is set");
    let began = std::time::Instant::now();
    while world.alias().0 != "2" {
        world.run(&["resume", "--no-wait"]).expect(0);
        assert!(began.elapsed() < std::time::Duration::from_secs(180), "it never ends");
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
}

#[test]
fn a_check_that_says_no_keeps_all_traffic_where_it_is() {
    let world = World::new("60");
    let no = start(&["--pre-traffic", "cmd:sh -c 'echo version $SAMARA_NEW_VERSION is bad >&2; exit 3'"]);
    let refused = world.run(&no);
    assert!(refused.stdout.contains("version 2 is bad"), "{}\n{}", refused.stdout, refused.stderr);
    assert_ne!(refused.status, Some(0));
    assert_eq!(world.alias(), ("1".to_owned(), std::collections::HashMap::new()));
    assert!(!refused.stderr.contains("Shifted"), "{}", refused.stderr);
    // The function itself fails: so do recorded events, and a warm-up of which nothing comes back.
    world.project.write("checks/one.json", "{}");
    let events = format!("events:{}", world.project.path("checks").display());
    for check in [["--pre-traffic", events.as_str()], ["--warm-up", "3"]] {
        let outcome = world.run(&start(&check));
        assert_eq!(outcome.status, Some(4), "{}\n{}", outcome.stdout, outcome.stderr);
        assert_eq!(world.alias().0, "1");
    }
    world.run(&start(&["--pre-traffic", "events:no-such-folder"])).expect(2).says("a folder of events");
    let yes =
        start(&["--pre-traffic", "cmd:true", "--post-traffic", "cmd:true", "--probe-permission", "--observe-only"]);
    world.run(&yes).expect(0);
    assert_eq!(world.alias().0, "2");
}
