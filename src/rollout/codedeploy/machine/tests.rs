use super::*;
use crate::rollout::analysis::alarms::{AlarmReading, AlarmState};
use crate::rollout::names::Version;
use crate::rollout::plan::Engine;
use crate::rollout::plan::tests::plan;
use crate::rollout::state::AliasReading;

/// A watch over one alias that goes from version 7 to version 8, or whatever the plan says.
struct Story {
    watch: Watch,
    at: Time,
}

fn seen(content: Content, revision: &str) -> Seen {
    Seen { content, revision: RevisionId(revision.to_owned()) }
}

fn idle(updated: bool) -> Stack {
    let status = if updated { "UPDATE_COMPLETE" } else { "UPDATE_ROLLBACK_COMPLETE" };
    Stack::Idle { status: status.to_owned(), updated }
}

fn ended(settled: bool) -> Deployed {
    Deployed::Ended { reason: "deployment d-1 stopped".to_owned(), settled }
}

impl Story {
    fn new() -> Self {
        let mut plan = plan("linear:50%:2m");
        plan.engine = Engine::CodeDeploy;
        plan.bake_s = 0;
        let before = plan.aliases[0].before();
        let mut watch = Watch::new(State::new(plan, vec![seen(before, "r0")]));
        watch.watches(&[("d-1".to_owned(), "app".to_owned())], Time(1_000_000));
        let mut story = Self { watch, at: Time(1_000_000) };
        story.tell(What::Begin);
        story.tell(What::Journalled(1));
        story
    }

    fn tell(&mut self, what: What) -> Vec<Action> {
        self.at = self.at + Duration::from_secs(1);
        let (watch, actions) = step(self.watch.clone(), Event { at: self.at, what });
        self.watch = watch;
        actions
    }

    fn old(&self) -> Version {
        self.watch.state.plan.aliases[0].old
    }

    fn new_version(&self) -> Version {
        self.watch.state.plan.aliases[0].new
    }

    fn split(&self) -> Content {
        Content::split(self.old(), self.new_version(), "50%".parse().unwrap())
    }

    fn sees(&mut self, deployed: Deployed, stack: Stack, content: Content) -> Vec<Action> {
        self.sees_all(deployed, stack, Some(content), Provisioned::None)
    }

    fn sees_all(
        &mut self,
        deployed: Deployed,
        stack: Stack,
        content: Option<Content>,
        provisioned: Provisioned,
    ) -> Vec<Action> {
        let observation = Observation {
            deployments: vec![deployed],
            stack,
            aliases: vec![content.map(|content| seen(content, "r1"))],
            provisioned: vec![provisioned],
        };
        self.tell(What::Observed(Ok(observation)))
    }

    fn writes(actions: &[Action]) -> Vec<Content> {
        let write = |action: &Action| match action {
            Action::Write { content, .. } => Some(content.clone()),
            _ => None,
        };
        actions.iter().filter_map(write).collect()
    }
}

#[test]
fn a_good_version_is_followed_to_its_end_and_nothing_is_written() {
    let mut story = Story::new();
    let old = Content::whole(story.old());
    let mut all = story.sees(Deployed::Running, Stack::Busy, old);
    let split = story.split();
    all.extend(story.sees(Deployed::Running, Stack::Busy, split));
    assert!(matches!(story.watch.state.phase, Phase::Shifting { step: 0, .. }), "{:?}", story.watch.state.phase);
    let whole = Content::whole(story.new_version());
    all.extend(story.sees(Deployed::Succeeded, Stack::Busy, whole.clone()));
    assert_eq!(story.watch.state.phase, Phase::Promoting);
    all.extend(story.sees(Deployed::Succeeded, idle(true), whole));
    assert_eq!(story.watch.state.phase, Phase::Succeeded);
    assert!(Story::writes(&all).is_empty() && !all.contains(&Action::Stop(0)), "{all:?}");
}

#[test]
fn race_44_a_stop_waits_for_the_rollback_then_for_the_stack_and_only_then_reads_and_mends() {
    let mut story = Story::new();
    let split = story.split();
    story.sees(Deployed::Running, Stack::Busy, split.clone());
    story.tell(What::Back(Why::Aborted));
    let actions = story.sees(Deployed::Running, Stack::Busy, split.clone());
    let asked = actions.contains(&Action::Stop(0));
    assert!(asked || story.watch.asked[0] == Asked::Asking, "it is asked to stop: {actions:?}");
    // `Pending`, or over already: both are waited for.
    story.tell(What::Stopped(0, Ok(())));
    for (deployed, stack) in [
        (Deployed::Running, Stack::Busy),
        (ended(false), Stack::Busy),
        (ended(true), Stack::Busy),
        (ended(false), idle(false)),
    ] {
        let actions = story.sees(deployed.clone(), stack.clone(), split.clone());
        assert!(Story::writes(&actions).is_empty(), "not yet: {deployed:?}, {stack:?}");
        assert!(!actions.contains(&Action::Stop(0)), "asked once");
    }
    let actions = story.sees(ended(true), idle(false), split);
    assert_eq!(Story::writes(&actions), [Content::whole(story.old())]);
    story.tell(What::Written(0, Ok(RevisionId("r2".to_owned()))));
    let old = Content::whole(story.old());
    story.sees(ended(true), idle(false), old.clone());
    let left = vec![old];
    assert_eq!(story.watch.state.phase, Phase::RolledBack { why: Why::Aborted, left });
}

#[test]
fn race_44_a_deployment_that_was_over_before_the_stop_is_taken_back_by_one_write() {
    let mut story = Story::new();
    let split = story.split();
    story.sees(Deployed::Running, Stack::Busy, split);
    story.tell(What::Back(Why::Aborted));
    let whole = Content::whole(story.new_version());
    assert!(Story::writes(&story.sees(Deployed::Succeeded, Stack::Busy, whole.clone())).is_empty());
    let actions = story.sees(Deployed::Succeeded, idle(true), whole);
    assert_eq!(Story::writes(&actions), [Content::whole(story.old())]);
}

#[test]
fn race_23_weights_of_lambda_while_it_allocates_are_no_conflict_and_a_failed_allocation_goes_back() {
    let mut story = Story::new();
    let split = story.split();
    story.sees_all(Deployed::Running, Stack::Busy, Some(split.clone()), Provisioned::InProgress);
    story.sees_all(Deployed::Succeeded, idle(true), Some(split.clone()), Provisioned::InProgress);
    assert!(story.watch.state.may_go_back(), "a transition: {:?}", story.watch.state.phase);
    let mut failed = Story { watch: story.watch.clone(), at: story.at };
    failed.sees_all(
        Deployed::Succeeded,
        Stack::Busy,
        Some(split.clone()),
        Provisioned::Failed("no capacity".to_owned()),
    );
    assert!(matches!(failed.watch.state.phase, Phase::RollingBack { why: Why::Version { .. } }));
    let actions = failed.sees_all(ended(true), idle(false), Some(split), Provisioned::Failed(String::new()));
    assert_eq!(Story::writes(&actions), [Content::whole(failed.old())], "the weights are cleared");
    let whole = Content::whole(story.new_version());
    story.sees_all(Deployed::Succeeded, idle(true), Some(whole), Provisioned::Ready);
    assert_eq!(story.watch.state.phase, Phase::Succeeded);
}

/// A version that has arrived, in its bake of five minutes.
fn baking() -> Story {
    let mut story = Story::new();
    story.watch.state.plan.bake_s = 300;
    let split = story.split();
    story.sees(Deployed::Running, Stack::Busy, split);
    let whole = Content::whole(story.new_version());
    story.sees(Deployed::Succeeded, idle(true), whole);
    assert!(matches!(story.watch.state.phase, Phase::Baking { .. }), "{:?}", story.watch.state.phase);
    story
}

fn looks_well(story: &mut Story) {
    let alarm = AlarmReading { name: "errors".to_owned(), state: AlarmState::Ok, reason: String::new() };
    story.tell(What::Looked(Ok(Reading { aliases: vec![AliasReading::default()], alarms: vec![alarm] })));
}

#[test]
fn what_aws_has_brought_to_its_end_is_watched_for_the_bake() {
    let mut story = baking();
    let whole = Content::whole(story.new_version());
    looks_well(&mut story);
    // Neither the stack's next update nor its failure ends it.
    for stack in [Stack::Busy, idle(false), idle(true)] {
        story.sees(Deployed::Succeeded, stack, whole.clone());
        assert!(matches!(story.watch.state.phase, Phase::Baking { .. }), "{:?}", story.watch.state.phase);
    }
    story.at = story.at + Duration::from_secs(300);
    story.sees(Deployed::Succeeded, idle(true), whole.clone());
    assert!(matches!(story.watch.state.phase, Phase::Baking { .. }), "not before it was seen to the end");
    looks_well(&mut story);
    story.sees(Deployed::Succeeded, idle(true), whole);
    assert_eq!(story.watch.state.phase, Phase::Succeeded);
}

#[test]
fn what_the_bake_finds_is_taken_back_by_one_write() {
    let mut story = baking();
    let alarm = AlarmReading { name: "errors".to_owned(), state: AlarmState::Alarm, reason: String::new() };
    let reading = Reading { aliases: vec![AliasReading::default()], alarms: vec![alarm] };
    let actions = story.tell(What::Looked(Ok(reading)));
    assert_eq!(Story::writes(&actions), [Content::whole(story.old())]);
    assert!(!actions.contains(&Action::Stop(0)), "there is nothing to stop");
}

#[test]
fn what_somebody_else_makes_of_the_alias_in_the_bake_is_left_alone() {
    let mut story = baking();
    let actions = story.sees(Deployed::Succeeded, idle(true), Content::whole("99".parse().unwrap()));
    assert!(Story::writes(&actions).is_empty(), "{actions:?}");
    assert!(matches!(story.watch.state.phase, Phase::Conflicted { .. }), "{:?}", story.watch.state.phase);
}

#[test]
fn what_somebody_else_made_of_the_alias_is_never_overwritten() {
    for found in [None, Some(Content::whole("99".parse().unwrap()))] {
        let mut story = Story::new();
        story.tell(What::Back(Why::Interrupted));
        let actions = story.sees_all(ended(true), idle(false), found.clone(), Provisioned::None);
        assert!(Story::writes(&actions).is_empty(), "{actions:?}");
        assert!(matches!(story.watch.state.phase, Phase::Conflicted { .. }), "{found:?}");
    }
}

#[test]
fn codedeploys_own_failure_and_a_failed_stack_go_back_with_their_words() {
    for (deployed, stack, words) in [
        (ended(true), idle(false), "deployment d-1 stopped"),
        (Deployed::Succeeded, idle(false), "UPDATE_ROLLBACK_COMPLETE"),
    ] {
        let mut story = Story::new();
        let old = Content::whole(story.old());
        story.sees(deployed, stack, old);
        let Phase::RolledBack { why: Why::Check { reason, .. }, .. } = &story.watch.state.phase else {
            panic!("{:?}", story.watch.state.phase);
        };
        assert!(reason.contains(words), "{reason}");
    }
}

#[test]
fn race_06_who_was_asleep_asks_the_journal_before_it_writes_an_alias() {
    let mut story = Story::new();
    let split = story.split();
    story.tell(What::Back(Why::Aborted));
    story.tell(What::Journalled(9));
    story.at = story.at + GAP + GAP;
    let actions = story.sees(ended(true), idle(false), split);
    assert!(Story::writes(&actions).is_empty(), "{actions:?}");
    assert!(actions.iter().any(|action| matches!(action, Action::WriteJournal(_))), "{actions:?}");
    let mut overtaken = Story { watch: story.watch.clone(), at: story.at };
    let actions = overtaken.tell(What::JournalLost { holder: "another".to_owned() });
    assert!(actions.is_empty() && matches!(overtaken.watch.stop, Some(Stop::LostFence { .. })), "{actions:?}");
    let actions = story.tell(What::Journalled(9));
    assert_eq!(Story::writes(&actions), [Content::whole(story.old())]);
}

#[test]
fn going_back_needs_no_journal_and_no_metrics() {
    let mut story = Story::new();
    story.tell(What::JournalUnreachable);
    story.tell(What::Back(Why::Aborted));
    story.tell(What::Looked(Err("CloudWatch is down".to_owned())));
    let split = story.split();
    let actions = story.sees(ended(true), idle(false), split);
    assert_eq!(Story::writes(&actions), [Content::whole(story.old())]);
}

#[test]
fn a_stop_that_is_denied_again_and_again_needs_a_person() {
    let mut story = Story::new();
    story.tell(What::Back(Why::Aborted));
    for _ in 0..DENIALS {
        assert_eq!(story.watch.stop, None);
        story.tell(What::Stopped(0, Err(StopTrouble::Denied("AccessDenied".to_owned()))));
    }
    assert!(matches!(story.watch.stop, Some(Stop::Stuck { .. })));
}
