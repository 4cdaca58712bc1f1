//! A run as data: what is planned, how the world is, and what goes wrong when. It is drawn from a
//! seed, and can be made smaller while it still fails.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::fault::{Deed, Fault, Injection, Moment, Service, Signal};
use crate::rollout::names::Weight;
use crate::rollout::plan::{OnNoData, OnOutage};
use crate::rollout::state::{Mutation, Purpose};

/// Everything that a run depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// For the world's own small dice: latencies, when a minute's metrics come.
    pub seed: u64,
    /// What is to be done.
    pub setting: Setting,
    /// How the world is.
    pub conditions: Conditions,
    /// What goes wrong.
    pub injections: Vec<Injection>,
    /// A deliberate mistake of the machine.
    pub mutation: Option<Mutation>,
}

/// A plan, in short.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// A strategy for each alias.
    pub strategies: Vec<&'static str>,
    /// How long it is watched at 100 %.
    pub bake_s: u64,
    /// Requests that the new version has to serve.
    pub min_requests: u64,
    /// How much longer a step lasts for their want.
    pub max_hold_s: u64,
    /// And then?
    pub on_no_data: OnNoData,
    /// After so long without a reading …
    pub outage_s: u64,
    /// … then this.
    pub on_outage: OnOutage,
    /// Whether the stack follows at the end.
    pub settles: bool,
    /// Judge, and do not act.
    pub observe_only: bool,
    /// Write each alias as it is first.
    pub probe: bool,
    /// Invoke the new version first.
    pub warm_up: bool,
    /// Hooks: before the traffic or after it, and for which alias.
    pub hooks: Vec<(bool, usize)>,
}

/// How the world is.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    /// Errors per thousand of each alias's new version.
    pub new_errors: Vec<u64>,
    /// Requests of an alias in a minute.
    pub requests: u64,
    /// The alarm is in ALARM from this second of the run on.
    pub alarm_from_s: Option<u64>,
    /// The alarm is deleted from this second on, for three minutes.
    pub alarm_gone_s: Option<u64>,
    /// A minute's numbers come half at first.
    pub revised: bool,
    /// One minute in eight never comes.
    pub missing: bool,
    /// The new versions become active after so many seconds.
    pub pending_s: u64,
    /// A new version never becomes active.
    pub fails_to_start: bool,
    /// A hook fails.
    pub hook_fails: bool,
    /// What becomes of a settle.
    pub settle: SettleFate,
    /// The stack update in which CodeDeploy moves the alias; `None` where samara moves it.
    pub update: Option<UpdateFate>,
}

/// How a stack update goes in which CodeDeploy moves the alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateFate {
    /// The hook before the traffic takes so long.
    pub before_s: u64,
    /// The hook after it.
    pub after_s: u64,
    /// What the hooks say.
    pub hook: HookFate,
    /// Whether a deployment that failed or was stopped is rolled back by another one; else the alias stays
    /// as it is.
    pub rolls_back: bool,
    /// Whether CloudFormation writes the alias when it undoes the update.
    pub puts_back: bool,
    /// Whether something else of the stack fails when the deployment has succeeded.
    pub stack_fails: bool,
    /// Provisioned concurrency is allocated for so many seconds, and whether it can be had.
    pub provisioned: Option<(u64, bool)>,
    /// Whether CodeDeploy watches the alarm, too.
    pub has_alarm: bool,
}

/// What CodeDeploy's hooks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookFate {
    /// Both pass.
    Pass,
    /// The one before the traffic fails.
    FailsBefore,
    /// The one after it fails.
    FailsAfter,
}

/// In which everything works.
pub const GOOD_UPDATE: UpdateFate = UpdateFate {
    before_s: 5,
    after_s: 5,
    hook: HookFate::Pass,
    rolls_back: true,
    puts_back: true,
    stack_fails: false,
    provisioned: None,
    has_alarm: false,
};

/// What becomes of the first settle. Later ones work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettleFate {
    /// It works, and writes no alias.
    Works,
    /// It works, and writes the aliases with the content that they have.
    Writes,
    /// It fails, and the aliases stay as they are.
    Fails,
    /// It fails, and CloudFormation puts the aliases back.
    PutsBack,
    /// Another stack update points the first alias elsewhere meanwhile.
    Interferes,
}

/// What strategies are drawn from: up to three steps.
pub const STRATEGIES: [&str; 7] = [
    "AllAtOnce",
    "canary:10%:1m",
    "steps:10%:1m,50%:1m",
    "steps:1%:30s,10%:30s,50%:30s",
    "linear:40%:45s",
    "steps:5%:30s,pause,60%:1m",
    "canary:33.25%:2m",
];

impl Default for Setting {
    fn default() -> Self {
        Self {
            strategies: vec!["canary:10%:1m"],
            bake_s: 60,
            min_requests: 10,
            max_hold_s: 600,
            on_no_data: OnNoData::Hold,
            outage_s: 300,
            on_outage: OnOutage::Rollback,
            settles: false,
            observe_only: false,
            probe: false,
            warm_up: false,
            hooks: Vec::new(),
        }
    }
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            new_errors: Vec::new(),
            requests: 600,
            alarm_from_s: None,
            alarm_gone_s: None,
            revised: false,
            missing: false,
            pending_s: 0,
            fails_to_start: false,
            hook_fails: false,
            settle: SettleFate::Works,
            update: None,
        }
    }
}

impl Scenario {
    /// A plan in a world where nothing goes wrong.
    pub fn calm(strategies: &[&'static str]) -> Self {
        let setting = Setting { strategies: strategies.to_vec(), ..Setting::default() };
        Self { seed: 0, setting, conditions: Conditions::default(), injections: Vec::new(), mutation: None }
    }

    /// The scenario of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
        let setting = dice.setting();
        let conditions = dice.conditions(&setting);
        let injections = dice.injections(&setting);
        let mut scenario = Self { seed, setting, conditions, injections, mutation: None };
        // Last: what is drawn before stays what it was.
        if dice.one_in(5) {
            dice.update(&mut scenario);
        }
        scenario
    }

    /// Smaller scenarios, those that leave out most first.
    pub fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut offer = |change: &dyn Fn(&mut Self)| {
            let mut other = self.clone();
            change(&mut other);
            if other != *self {
                all.push(other);
            }
        };
        let count = self.injections.len();
        if count > 2 {
            offer(&|it| it.injections.truncate(count / 2));
            offer(&|it| drop(it.injections.drain(..count / 2)));
        }
        for index in 0..count {
            offer(&|it| {
                it.injections.remove(index);
            });
        }
        let aliases = self.setting.strategies.len();
        if aliases > 1 {
            for index in 0..aliases {
                offer(&|it| {
                    it.setting.strategies.remove(index);
                    it.setting.hooks.retain(|(_, alias)| *alias < aliases - 1);
                    if index < it.conditions.new_errors.len() {
                        it.conditions.new_errors.remove(index);
                    }
                });
            }
        }
        for index in 0..aliases {
            for simple in ["AllAtOnce", "canary:10%:1m"] {
                offer(&|it| it.setting.strategies[index] = simple);
            }
        }
        offer(&|it| it.setting = Setting { strategies: it.setting.strategies.clone(), ..Setting::default() });
        offer(&|it| it.conditions = Conditions { update: it.conditions.update, ..Conditions::default() });
        offer(&|it| it.conditions.update = it.conditions.update.map(|_| GOOD_UPDATE));
        offer(&|it| it.setting.settles = false);
        offer(&|it| it.setting.hooks.clear());
        offer(&|it| it.setting.warm_up = false);
        offer(&|it| it.setting.probe = false);
        offer(&|it| it.setting.bake_s = 0);
        offer(&|it| it.conditions.new_errors.clear());
        offer(&|it| it.conditions.alarm_from_s = None);
        offer(&|it| it.conditions.alarm_gone_s = None);
        offer(&|it| it.conditions.settle = SettleFate::Works);
        offer(&|it| it.conditions.missing = false);
        offer(&|it| it.conditions.revised = false);
        offer(&|it| it.conditions.pending_s = 0);
        offer(&|it| it.seed = 0);
        all
    }
}

struct Dice(ChaCha8Rng);

impl Dice {
    fn one_in(&mut self, n: u32) -> bool {
        self.0.random_range(0..n) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.0.random_range(0..all.len())]
    }

    fn seconds(&mut self, most: u16) -> u16 {
        self.0.random_range(1..=most)
    }

    fn setting(&mut self) -> Setting {
        let aliases = self.of(&[1, 1, 1, 2, 2, 3]);
        let strategies = if self.one_in(3) {
            (0..aliases).map(|_| self.of(&STRATEGIES)).collect()
        } else {
            vec![self.of(&STRATEGIES); aliases]
        };
        let hooks = if self.one_in(4) {
            (0..self.0.random_range(1..=2)).map(|_| (self.one_in(2), self.0.random_range(0..aliases))).collect()
        } else {
            Vec::new()
        };
        Setting {
            strategies,
            bake_s: self.of(&[0, 60, 120]),
            min_requests: self.of(&[0, 10, 30, 2000]),
            max_hold_s: self.of(&[0, 120, 600]),
            on_no_data: self.of(&[OnNoData::Hold, OnNoData::Continue, OnNoData::Rollback]),
            outage_s: self.of(&[120, 300, 900]),
            on_outage: self.of(&[OnOutage::Rollback, OnOutage::Rollback, OnOutage::Hold, OnOutage::Continue]),
            settles: self.one_in(2),
            observe_only: self.one_in(12),
            probe: self.one_in(8),
            warm_up: self.one_in(8),
            hooks,
        }
    }

    fn conditions(&mut self, setting: &Setting) -> Conditions {
        let sick = self.one_in(3);
        let new_errors = setting.strategies.iter().map(|_| if sick { self.of(&[0, 5, 30, 500]) } else { 5 }).collect();
        let fates = [SettleFate::Writes, SettleFate::Fails, SettleFate::PutsBack, SettleFate::Interferes];
        Conditions {
            new_errors,
            requests: self.of(&[600, 600, 600, 6000, 6, 0]),
            alarm_from_s: self.one_in(5).then(|| self.0.random_range(1..600)),
            alarm_gone_s: self.one_in(10).then(|| self.0.random_range(1..400)),
            revised: self.one_in(3),
            missing: self.one_in(4),
            pending_s: if self.one_in(6) { 90 } else { 0 },
            fails_to_start: self.one_in(40),
            hook_fails: self.one_in(6),
            settle: if self.one_in(2) { SettleFate::Works } else { self.of(&fates) },
            update: None,
        }
    }

    /// CodeDeploy moves the alias, by what it can be told; a person may stop it.
    fn update(&mut self, scenario: &mut Scenario) {
        scenario.setting = Setting {
            strategies: vec![self.of(&["AllAtOnce", "canary:10%:1m", "linear:40%:1m", "canary:33.25%:2m"])],
            outage_s: scenario.setting.outage_s,
            on_outage: scenario.setting.on_outage,
            observe_only: scenario.setting.observe_only,
            ..Setting::default()
        };
        let hook =
            if self.one_in(4) { self.of(&[HookFate::FailsBefore, HookFate::FailsAfter]) } else { HookFate::Pass };
        scenario.conditions.update = Some(UpdateFate {
            before_s: self.of(&[0, 5, 60]),
            after_s: self.of(&[0, 5, 60]),
            hook,
            rolls_back: self.one_in(2),
            puts_back: self.one_in(2),
            stack_fails: self.one_in(6),
            provisioned: if self.one_in(3) { Some((self.of(&[20, 90]), !self.one_in(3))) } else { None },
            has_alarm: self.one_in(2),
        });
        let most = 80;
        if self.one_in(6) {
            let fault = Fault::Person(self.of(&Moment::ALL), Deed::StopsDeployment, 0);
            scenario.injections.push(Injection { call: self.0.random_range(0..most), fault });
        }
        if self.one_in(6) {
            let fault = Fault::Outage(Service::CodeDeploy, self.of(&[15, 60, 200]));
            scenario.injections.push(Injection { call: self.0.random_range(0..most), fault });
        }
        // The calls of these are fewer.
        for injection in &mut scenario.injections {
            injection.call %= most;
        }
        scenario.injections.sort_by_key(|injection| injection.call);
    }

    fn injections(&mut self, setting: &Setting) -> Vec<Injection> {
        let count = self.of(&[0, 1, 2, 3, 4, 5, 6, 8, 12]);
        let aliases = setting.strategies.len();
        // Most runs have some hundred calls; faults crowd where there is most to go wrong: a few
        // calls apart as often as anywhere.
        let most = 60 + 30 * aliases;
        let mut call = self.0.random_range(0..most);
        let mut injections = Vec::new();
        for _ in 0..count {
            injections.push(Injection { call, fault: self.fault(aliases) });
            call = if self.one_in(2) { call + self.0.random_range(1..8) } else { self.0.random_range(0..most) };
        }
        if self.one_in(6) {
            // The way back when nothing but Lambda can be reached.
            let service = self.of(&[Service::S3, Service::AllButLambda]);
            let call = self.0.random_range(0..most);
            injections.push(Injection { call, fault: Fault::Outage(service, self.of(&[200, 700])) });
            let call = call + self.0.random_range(1..12);
            injections.push(Injection { call, fault: Fault::Told(Signal::Back) });
        }
        injections.sort_by_key(|injection| injection.call);
        injections
    }

    fn fault(&mut self, aliases: usize) -> Fault {
        match self.0.random_range(0..100) {
            0..12 => Fault::Lost,
            12..24 => Fault::Unanswered,
            24..34 => {
                let late_s = self.seconds(90);
                Fault::Late(late_s)
            }
            34..40 => {
                let slow_s = self.seconds(25);
                Fault::Slow(slow_s)
            }
            40..44 => Fault::Twice,
            44..49 => Fault::Throttled,
            49..52 => Fault::Denied,
            52..62 => Fault::Dies(self.of(&Moment::ALL)),
            62..68 => {
                let length_s = self.of(&[5, 30, 50, 120, 600]);
                Fault::Sleeps(self.of(&Moment::ALL), length_s)
            }
            68..75 => {
                let service = self.of(&[Service::Lambda, Service::S3, Service::CloudWatch, Service::AllButLambda]);
                Fault::Outage(service, self.of(&[15, 60, 200, 700]))
            }
            75..83 => Fault::Another(self.of(&[
                Purpose::Resume,
                Purpose::Resume,
                Purpose::Abort,
                Purpose::Promote,
                Purpose::PromoteFully,
                Purpose::Pause,
            ])),
            83..84 => Fault::Rival,
            84..90 => Fault::Told(self.of(&[
                Signal::Back,
                Signal::Hold,
                Signal::Pause,
                Signal::Promote,
                Signal::PromoteFully,
                Signal::Leave,
                Signal::TimedOut,
            ])),
            90..92 => Fault::Clock(self.of(&[-5, -2, 3, 5])),
            _ => {
                let deed = match self.0.random_range(0..16) {
                    0..5 => Deed::Describes,
                    5..7 => Deed::Weighs(self.of(&[Weight::percent(10), Weight::percent(50), Weight::percent(77)])),
                    7..9 => Deed::PointsToOld,
                    9 => Deed::PointsToNew,
                    10 => Deed::PointsElsewhere,
                    11 => Deed::AddsThird,
                    12 => Deed::DeletesAlias,
                    13 => Deed::DeletesNew,
                    14 => Deed::DeletesOld,
                    _ => Deed::DeletesJournal,
                };
                let which = u8::try_from(self.0.random_range(0..aliases)).unwrap_or(0);
                Fault::Person(self.of(&Moment::ALL), deed, which)
            }
        }
    }
}

/// A number below `n` that depends on nothing but its arguments (SplitMix64): the world's small
/// dice stay the same wherever else something changes.
pub fn small_dice(seed: u64, salt: u64, number: u64, n: u64) -> u64 {
    let mut z = seed
        .wrapping_add(salt.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .wrapping_add(number.wrapping_mul(0xD1B5_4A32_D192_ED03));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) % n.max(1)
}
