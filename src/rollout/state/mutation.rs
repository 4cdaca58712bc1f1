//! Deliberate mistakes, chosen at run time, to show that the simulation finds such. Nothing but the
//! simulation ever chooses one.

/// A mistake that the machine can be told to make.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Raises without waiting for the journal.
    SkipFence,
    /// Writes the journal when it has acted.
    JournalAfterActing,
    /// Believes the revision of the preflight for ever.
    TrustStaleRevision,
    /// Leaves the weight on the alias when it promotes.
    ForgetWeights,
    /// Raises although nothing can be read.
    RaiseBlind,
    /// Overwrites what somebody else made of the alias on the way back.
    OverwriteOnTheWayBack,
    /// Carries a raise out although it was decided to go back.
    RiseAfterDecision,
    /// Goes on from the journal without reading the aliases.
    ResumeUnread,
    /// Takes back only the alias that was worse.
    TakeBackOnlyTheWorst,
    /// Says that it is back without looking.
    FinishUnverified,
    /// Waits for the journal on the way back.
    BackWaitsForJournal,
    /// Takes a lost answer for a failure and sends the write again, blindly.
    ResendBlindly,
    /// Goes on when the fence is lost.
    IgnoreLostFence,
    /// Skips a step.
    SkipStep,
    /// Takes back the worst of a set last.
    WorstLast,
    /// Mends an alias while CodeDeploy or the stack still moves it.
    MendEarly,
    /// Does not ask CodeDeploy to stop what is to be taken back.
    ForgetStop,
    /// Mends an alias over whatever somebody else made of it.
    MendOverStrangers,
}

impl Mutation {
    /// All of them, with the name that they have on the command line.
    pub const ALL: [(Self, &'static str); 18] = [
        (Self::SkipFence, "skip-fence"),
        (Self::JournalAfterActing, "journal-after-acting"),
        (Self::TrustStaleRevision, "trust-stale-revision"),
        (Self::ForgetWeights, "forget-weights"),
        (Self::RaiseBlind, "raise-blind"),
        (Self::OverwriteOnTheWayBack, "overwrite-on-the-way-back"),
        (Self::RiseAfterDecision, "rise-after-decision"),
        (Self::ResumeUnread, "resume-unread"),
        (Self::TakeBackOnlyTheWorst, "take-back-only-the-worst"),
        (Self::FinishUnverified, "finish-unverified"),
        (Self::BackWaitsForJournal, "back-waits-for-journal"),
        (Self::ResendBlindly, "resend-blindly"),
        (Self::IgnoreLostFence, "ignore-lost-fence"),
        (Self::SkipStep, "skip-step"),
        (Self::WorstLast, "worst-last"),
        (Self::MendEarly, "mend-early"),
        (Self::ForgetStop, "forget-stop"),
        (Self::MendOverStrangers, "mend-over-strangers"),
    ];
}
