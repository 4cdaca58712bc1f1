//! The machine that watches CodeDeploy, in the simulation's words; and what has to hold of it, judged from
//! the world's history: it only ever puts an alias back, when nothing else moves, over nobody's doing; and
//! who is to take it back asks CodeDeploy to stop.

use std::time::Duration;

use super::fault::{Service, Signal};
use super::history::{Happened, Line, Who};
use super::machine::{Ask, Machine, Told, looked};
use super::setting::reading;
use super::world::World;
use crate::rollout::codedeploy::machine::{Action, Event, StopTrouble, Watch, What, step};
use crate::rollout::content::{Content, Seen};
use crate::rollout::names::Time;
use crate::rollout::plan::Plan;
use crate::rollout::state::{Mutation, Purpose, State, Stop, Why, WriteTrouble};

/// Within two looks and their patience whoever is told to take it back has asked CodeDeploy to stop.
const STOPS_IN: Duration = Duration::from_secs(60);

impl Machine for Watch {
    type What = What;
    type Action = Action;

    fn new(plan: &Plan, world: &World) -> Option<Self> {
        // It was read before the stack's update began.
        let before = plan.aliases.first()?.before();
        let revision = world.get_alias(0)?.revision;
        let mut watch = Self::new(State::new(plan.clone(), vec![Seen { content: before, revision }]));
        watch.watches(&[("d-1".to_owned(), "app".to_owned())], world.now);
        Some(watch)
    }

    fn of(state: State) -> Self {
        Self::new(state)
    }

    fn state(&self) -> &State {
        &self.state
    }

    fn mistake(&mut self, mutation: Option<Mutation>) {
        self.state.live.mutation = mutation;
    }

    fn stop(&self) -> Option<Stop> {
        self.stop.clone()
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
            Told::Signal(Signal::Hold | Signal::Leave) => What::Hold,
            // AWS waits for nobody.
            Told::Signal(Signal::Pause | Signal::Promote | Signal::PromoteFully) => return None,
            Told::Journalled(seq) => What::Journalled(seq),
            Told::JournalLost { .. } => What::JournalLost { holder: "another".to_owned() },
            Told::JournalGone => What::JournalGone,
            Told::Retired => What::Retired,
        })
    }

    fn takes(purpose: Purpose) -> bool {
        purpose == Purpose::Resume || purpose.goes_back()
    }

    fn asks(action: &Action) -> Ask {
        match action {
            Action::WriteJournal(seq) => Ask::Journal(*seq),
            Action::Retire => Ask::Retire,
            Action::Observe | Action::Stop(_) => Ask::Of(Service::CodeDeploy),
            Action::Write { .. } => Ask::Of(Service::Lambda),
            Action::Look { .. } => Ask::Of(Service::CloudWatch),
        }
    }

    fn writes(action: &Action) -> Option<(usize, &Content)> {
        match action {
            Action::Write { alias, content, .. } => Some((*alias, content)),
            _ => None,
        }
    }

    fn perform(world: &mut World, process: usize, action: &Action) -> What {
        let who = Who::Process(process);
        match action {
            Action::Observe if world.is_out(Service::Lambda) => {
                Self::failed(action, "503".to_owned(), WriteTrouble::Busy)
            }
            Action::Observe => What::Observed(world.observe().ok_or_else(|| "there is no deployment".to_owned())),
            Action::Stop(alias) => {
                world.stop_deployment(who);
                What::Stopped(*alias, Ok(()))
            }
            Action::Write { alias, expect, content } => {
                What::Written(*alias, world.update_alias(*alias, expect, content, who))
            }
            Action::Look { from, .. } => What::Looked(Ok(reading(world, *from))),
            Action::WriteJournal(seq) => What::Journalled(*seq),
            Action::Retire => What::Retired,
        }
    }

    fn failed(action: &Action, error: String, trouble: WriteTrouble) -> What {
        match action {
            Action::WriteJournal(_) => What::JournalUnreachable,
            Action::Retire => What::Retired,
            Action::Observe => What::Observed(Err(error)),
            Action::Look { .. } => What::Looked(Err(error)),
            Action::Write { alias, .. } => What::Written(*alias, Err(trouble)),
            Action::Stop(alias) => {
                let trouble = match trouble {
                    WriteTrouble::Denied(reason) => StopTrouble::Denied(reason),
                    _ => StopTrouble::Other(error),
                };
                What::Stopped(*alias, Err(trouble))
            }
        }
    }

    fn write_down(world: &mut World, who: Who, what: &What) {
        match what {
            What::Looked(answer) => looked(world, who, answer),
            What::Back(Why::TimedOut) => world.note(who, Happened::Told(Signal::TimedOut)),
            What::Back(_) => world.note(who, Happened::Told(Signal::Back)),
            What::Hold => world.note(who, Happened::Told(Signal::Hold)),
            _ => {}
        }
    }
}

/// Judges a whole history.
///
/// # Errors
/// The first thing that is broken, in words.
pub fn check(world: &World) -> Result<(), String> {
    let Some(alias) = world.aliases().first() else { return Ok(()) };
    let (old, new) = (alias.old.to_string(), alias.new.to_string());
    let ours = |content: &Content| {
        let mut versions = std::iter::once(&content.version).chain(content.weights.keys());
        versions.all(|version| *version == old || *version == new)
    };
    let mut rests = false;
    for (at, line) in world.lines.iter().enumerate() {
        let Who::Process(process) = line.who else {
            rests |= line.what == Happened::Rests;
            continue;
        };
        match &line.what {
            Happened::Sent { content, .. } if *content != Content::whole(alias.old) => {
                return Err(format!("2: process {process} only watches, and asks for {content}"));
            }
            Happened::Sent { .. } if !rests => {
                return Err(format!(
                    "6: process {process} writes the alias while CodeDeploy or the stack still moves it"
                ));
            }
            Happened::Written { before: Some(before), .. } if !ours(before) => {
                return Err(format!("6: the alias had {before} of somebody else, and was overwritten"));
            }
            Happened::Came(Some(purpose)) if purpose.goes_back() && is_calm(&world.lines[..at]) => {
                stops(&world.lines, at, process)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_calm(lines: &[Line]) -> bool {
    lines.iter().any(|line| line.what == Happened::Calm)
}

/// Who comes to take it back while the deployment goes on asks for a stop at once.
fn stops(lines: &[Line], at: usize, process: usize) -> Result<(), String> {
    let settled = |line: &Line| matches!(line.what, Happened::StopAsked | Happened::DeploymentOver(_));
    let came = lines[at].at;
    let soon = lines[at..].iter().take_while(|line| line.at.since(came) <= STOPS_IN);
    if lines[..at].iter().chain(soon).any(settled) {
        return Ok(());
    }
    Err(format!("4: process {process} was to take it back, and did not ask CodeDeploy to stop"))
}
