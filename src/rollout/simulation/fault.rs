//! What can go wrong: with one call, with a process, with a service, and what others do meanwhile.

use crate::rollout::names::Weight;
use crate::rollout::state::Purpose;

/// Something that goes wrong at a call, counted over all processes of a run from 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Injection {
    /// The call's number.
    pub call: usize,
    /// What happens.
    pub fault: Fault,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The call never arrives; the caller hears nothing.
    Lost,
    /// It takes effect, and its answer is lost.
    Unanswered,
    /// The caller gives up, and it takes effect so many seconds later all the same.
    Late(u16),
    /// It is answered only after so many seconds.
    Slow(u16),
    /// It arrives twice; the caller hears of the second.
    Twice,
    /// 429: it has no effect.
    Throttled,
    /// 403: it has no effect.
    Denied,
    /// The process dies.
    Dies(Moment),
    /// The process is suspended for so many seconds, at this moment.
    Sleeps(Moment, u16),
    /// A service is out of reach for so many seconds from here on.
    Outage(Service, u16),
    /// Another process takes the rollout over at this moment, whether this one lives or not.
    Another(Purpose),
    /// A second `start` at the same moment.
    Rival,
    /// The process is told something.
    Told(Signal),
    /// The process's clock is set by so many seconds.
    Clock(i16),
    /// A person is at the console, at this moment, with this of the set's aliases.
    Person(Moment, Deed, u8),
}

/// When, in the life of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before it is sent.
    Before,
    /// When it is on its way: it takes effect without the process.
    Sent,
    /// When it has taken effect and nobody has heard of it.
    After,
}

impl Moment {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Before, Self::Sent, Self::After];
}

/// What can be out of reach as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The alias.
    Lambda,
    /// The journal.
    S3,
    /// Metrics and alarms.
    CloudWatch,
    /// Deployments and the stack.
    CodeDeploy,
    /// Everything but Lambda.
    AllButLambda,
}

/// What a process is told by a signal or a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Go back.
    Back,
    /// Leave it as it is, and end.
    Hold,
    /// Wait here.
    Pause,
    /// Go on now.
    Promote,
    /// Go to the whole traffic now.
    PromoteFully,
    /// Do what is due, and leave it for a later `resume`.
    Leave,
    /// `--timeout` is over.
    TimedOut,
}

/// What a person does at the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Edits the alias's description: a new revision, the same content.
    Describes,
    /// Gives the new version this share.
    Weighs(Weight),
    /// Points the alias wholly to the old version.
    PointsToOld,
    /// Points it wholly to the new version.
    PointsToNew,
    /// Points it to a version that is neither.
    PointsElsewhere,
    /// Gives a third version a weight beside the main one.
    AddsThird,
    /// Deletes the alias.
    DeletesAlias,
    /// Deletes the new version; Lambda refuses while an alias routes to it.
    DeletesNew,
    /// Deletes the old version; Lambda refuses while an alias routes to it.
    DeletesOld,
    /// Deletes the journal's object.
    DeletesJournal,
    /// Stops CodeDeploy's deployment.
    StopsDeployment,
}

impl Fault {
    /// Whether it ends the process in whose call it happens.
    pub fn kills(self) -> bool {
        matches!(self, Self::Dies(_))
    }
}
