//! Between the simulation's words and the machine's: plans from settings, actions as calls to the
//! world, and what a checker needs to know of a journal.

use super::fault::{Service, Signal};
use super::history::{Happened, Who};
use super::machine::{Ask, Machine, Told, looked};
use super::scenario::Scenario;
use super::world::{ALARM, World};
use crate::rollout::analysis::{ALPHA, Baseline, Criteria};
use crate::rollout::content::Content;
use crate::rollout::names::{AliasId, Time, Version};
use crate::rollout::plan::{AliasPlan, Engine, Hook, HookKind, HookTime, Plan, SettlePlan, WarmUp};
use crate::rollout::state::{
    Action, AliasReading, Event, Happening, Mutation, Purpose, Readiness, Reading, State, Stop, Task, TaskTrouble,
    What, Why, WriteTrouble, step,
};

/// Functions of the set, in their order; no scenario has more aliases.
const FUNCTIONS: [&str; 3] = ["first", "second", "third"];

/// The plan of a scenario.
pub fn plan(scenario: &Scenario) -> Plan {
    let setting = &scenario.setting;
    let baseline = Baseline { n: 36_000, errors: 180, phi: 1.0, longest_ms: 900, ..Baseline::default() };
    let aliases = FUNCTIONS.iter().zip(&setting.strategies).map(|(function, strategy)| AliasPlan {
        id: AliasId::new(known(function), known("live")),
        old: known("7"),
        new: known("8"),
        new_code_sha256: None,
        strategy: known(strategy),
        criteria: Criteria { functions: setting.strategies.len(), ..Criteria::new(ALPHA, baseline.clone(), 30) },
    });
    let hooks = setting.hooks.iter().map(|(before, alias)| Hook {
        alias: *alias,
        when: if *before { HookTime::BeforeTraffic } else { HookTime::AfterTraffic },
        what: HookKind::Function { name: "check".to_owned() },
    });
    Plan {
        engine: if scenario.conditions.update.is_some() { Engine::CodeDeploy } else { Engine::Alias },
        aliases: aliases.collect(),
        alarms: vec![ALARM.to_owned()],
        ignored_alarms: Vec::new(),
        bake_s: setting.bake_s,
        min_requests: setting.min_requests,
        max_hold_s: setting.max_hold_s,
        on_no_data: setting.on_no_data,
        outage_s: setting.outage_s,
        on_outage: setting.on_outage,
        observe_only: setting.observe_only,
        probe: setting.probe,
        warm_up: setting.warm_up.then(|| WarmUp { invocations: 3, event: serde_json::Value::Null }),
        hooks: hooks.collect(),
        triggers: Vec::new(),
        settle: setting.settles.then(|| SettlePlan {
            stack: "app".to_owned(),
            template_key: "settled".to_owned(),
            parameters: Vec::new(),
            capabilities: Vec::new(),
            role_arn: None,
            notification_arns: Vec::new(),
        }),
        created: Time(0),
    }
}

/// Reads what is written in this file, or drawn from the simulation's tables.
fn known<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    #[expect(clippy::unwrap_used, reason = "names and strategies of the simulation's own tables")]
    text.parse().unwrap()
}

/// The old and the new version of each alias.
pub fn versions(plan: &Plan) -> Vec<(Version, Version)> {
    plan.aliases.iter().map(|alias| (alias.old, alias.new)).collect()
}

/// What the journal says that aliases are going to have.
pub fn intents(state: &State) -> impl Iterator<Item = (usize, &Content)> {
    state.entries.iter().filter_map(|entry| match &entry.what {
        Happening::Intent { alias, content } => Some((*alias, content)),
        _ => None,
    })
}

/// Whether the journal says that it goes back.
pub fn is_decided(state: &State) -> bool {
    state.entries.iter().any(|entry| matches!(entry.what, Happening::Decided { .. }))
}

/// On which alias the journal says that the new version was found worse.
pub fn worse(state: &State) -> Option<usize> {
    state.entries.iter().find_map(|entry| match &entry.what {
        Happening::Decided { why: Why::Evidence { alias, .. } } => Some(*alias),
        _ => None,
    })
}

impl Machine for State {
    type What = What;
    type Action = Action;

    fn new(plan: &Plan, world: &World) -> Option<Self> {
        let seen: Option<Vec<_>> = (0..plan.aliases.len()).map(|alias| world.get_alias(alias)).collect();
        let seen = seen?;
        let whole = seen.iter().zip(&plan.aliases).all(|(seen, alias)| seen.content == Content::whole(alias.old));
        whole.then(|| Self::new(plan.clone(), seen))
    }

    fn of(state: State) -> Self {
        state
    }

    fn state(&self) -> &State {
        self
    }

    fn mistake(&mut self, mutation: Option<Mutation>) {
        self.live.mutation = mutation;
    }

    fn stop(&self) -> Option<Stop> {
        self.live.stop.clone()
    }

    fn step(self, at: Time, what: What) -> (Self, Vec<Action>) {
        step(self, Event { at, what })
    }

    fn word(told: Told) -> Option<What> {
        Some(match told {
            Told::Begin => What::Begin,
            Told::TakeOver(purpose) => What::TakeOver(purpose),
            Told::Tick => What::Tick,
            Told::Signal(Signal::Back) => What::Back(Why::Interrupted),
            Told::Signal(Signal::TimedOut) => What::Back(Why::TimedOut),
            Told::Signal(Signal::Hold) => What::Hold,
            Told::Signal(Signal::Pause) => What::Pause,
            Told::Signal(Signal::Promote) => What::Promote,
            Told::Signal(Signal::PromoteFully) => What::PromoteFully,
            Told::Signal(Signal::Leave) => What::Leave,
            Told::Journalled(seq) => What::Journalled(seq),
            Told::JournalLost { paused } => What::JournalLost { holder: "another".to_owned(), paused },
            Told::JournalGone => What::JournalGone,
            Told::Retired => What::Retired,
        })
    }

    fn takes(_: Purpose) -> bool {
        true
    }

    fn asks(action: &Action) -> Ask {
        match action {
            Action::WriteJournal(seq) => Ask::Journal(*seq),
            Action::Retire => Ask::Retire,
            Action::Settle => Ask::Settle,
            Action::Look { .. } => Ask::Of(Service::CloudWatch),
            Action::ReadAlias { .. } | Action::WriteAlias { .. } | Action::CheckVersion { .. } | Action::Perform(_) => {
                Ask::Of(Service::Lambda)
            }
        }
    }

    fn writes(action: &Action) -> Option<(usize, &Content)> {
        match action {
            Action::WriteAlias { alias, content, .. } => Some((*alias, content)),
            _ => None,
        }
    }

    fn perform(world: &mut World, process: usize, action: &Action) -> What {
        let who = Who::Process(process);
        match action {
            Action::ReadAlias { alias, ticket } => What::AliasRead(*alias, *ticket, Ok(world.get_alias(*alias))),
            Action::WriteAlias { alias, expect, content } => {
                What::AliasWritten(*alias, world.update_alias(*alias, expect, content, who))
            }
            Action::CheckVersion { alias } => What::VersionIs(*alias, world.readiness(*alias)),
            Action::Look { from, .. } => What::Looked(Ok(reading(world, *from))),
            Action::Perform(task @ Task::WarmUp(_)) => What::Performed(*task, Ok(())),
            Action::Perform(task @ Task::Hook(hook)) => {
                let well = world.hook(*hook);
                world.note(who, Happened::Hooked(*hook, well));
                let answer = if well { Ok(()) } else { Err(TaskTrouble::Failed("wrong answer".to_owned())) };
                What::Performed(*task, answer)
            }
            Action::Settle => What::Settled(world.settle()),
            Action::WriteJournal(seq) => What::Journalled(*seq),
            Action::Retire => What::Retired,
        }
    }

    fn failed(action: &Action, error: String, trouble: WriteTrouble) -> What {
        match action {
            Action::WriteJournal(..) => What::JournalUnreachable,
            Action::ReadAlias { alias, ticket } => What::AliasRead(*alias, *ticket, Err(error)),
            Action::WriteAlias { alias, .. } => What::AliasWritten(*alias, Err(trouble)),
            Action::CheckVersion { alias } => What::VersionIs(*alias, Readiness::Pending),
            Action::Look { .. } => What::Looked(Err(error)),
            Action::Perform(task) => What::Performed(*task, Err(TaskTrouble::NotRun(error))),
            Action::Settle => What::Settled(Err(error)),
            Action::Retire => What::Retired,
        }
    }

    fn write_down(world: &mut World, who: Who, what: &What) {
        let told = match what {
            What::Looked(answer) => return looked(world, who, answer),
            What::AliasRead(alias, _, Ok(found)) => {
                let content = found.as_ref().map(|seen| seen.content.clone());
                Happened::Read { alias: *alias, content }
            }
            What::AliasWritten(alias, answer) => {
                let sure = !matches!(answer, Err(WriteTrouble::Unknown | WriteTrouble::Refused));
                Happened::Answered { alias: *alias, sure }
            }
            What::Settled(Err(_)) => Happened::SettleFailed,
            What::VersionIs(alias, Readiness::Active) => Happened::Active(*alias),
            What::Back(Why::TimedOut) => Happened::Told(Signal::TimedOut),
            What::Back(_) => Happened::Told(Signal::Back),
            What::Hold => Happened::Told(Signal::Hold),
            What::Pause => Happened::Told(Signal::Pause),
            What::Promote => Happened::Told(Signal::Promote),
            What::PromoteFully => Happened::Told(Signal::PromoteFully),
            What::Leave => Happened::Told(Signal::Leave),
            _ => return,
        };
        world.note(who, told);
    }
}

/// What CloudWatch says of every alias and alarm.
pub(super) fn reading(world: &World, from: i64) -> Reading {
    let alias = |index| AliasReading { minutes: world.minutes(index, from), longest_ms: 900 };
    Reading { aliases: (0..world.aliases().len()).map(alias).collect(), alarms: world.alarms() }
}
