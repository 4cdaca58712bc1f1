//! What a rollback by one write of the alias leaves in the journal's history, so that the version that
//! it took back is known as rejected.

use super::analysis::{Baseline, Criteria};
use super::content::{Content, Seen};
use super::names::{AliasId, RevisionId, Time, Version};
use super::plan::{AliasPlan, Defaults, Engine, OnNoData, OnOutage, Plan};
use super::run::Services;
use super::state::{Entry, Happening, Phase, State, Why};
use super::strategy::Strategy;
use super::{Error, RolledBack};

/// Puts it into the history. `None` where there is nothing to say: the alias routed to no published
/// version that was taken back.
///
/// # Errors
/// S3 cannot be reached.
pub async fn record(services: &Services, id: &AliasId, done: &RolledBack) -> Result<Option<Version>, Error> {
    let Some((old, new)) = versions(done) else { return Ok(None) };
    // Only to know the code again; the record does without.
    let code = services.driver(id).code_sha256(new).await.ok().flatten();
    let state = state(id, (old, new), code, services.clock.now());
    services.store.note(&state).await?;
    Ok(Some(new))
}

/// The version that serves now, and the one that was taken back.
fn versions(done: &RolledBack) -> Option<(Version, Version)> {
    let old = &done.to.version;
    let new = std::iter::once(&done.from.version).chain(done.from.weights.keys()).find(|version| *version != old)?;
    Some((old.parse().ok()?, new.parse().ok()?))
}

fn state(id: &AliasId, (old, new): (Version, Version), new_code_sha256: Option<String>, now: Time) -> State {
    let plan = Plan {
        engine: Engine::Alias,
        aliases: vec![AliasPlan {
            id: id.clone(),
            old,
            new,
            new_code_sha256,
            strategy: Strategy::AllAtOnce,
            criteria: Criteria::new(Defaults::ALPHA, Baseline::default(), 0),
        }],
        alarms: Vec::new(),
        ignored_alarms: Vec::new(),
        bake_s: 0,
        min_requests: 0,
        max_hold_s: 0,
        on_no_data: OnNoData::default(),
        outage_s: Defaults::OUTAGE.as_secs(),
        on_outage: OnOutage::default(),
        observe_only: false,
        probe: false,
        warm_up: None,
        hooks: Vec::new(),
        triggers: Vec::new(),
        settle: None,
        created: now,
    };
    let left = Content::whole(old);
    let seen = Seen { content: left.clone(), revision: RevisionId(String::new()) };
    let mut state = State::new(plan, vec![seen]);
    state.phase = Phase::RolledBack { why: Why::ByHand, left: vec![left] };
    state.entries.push_back(Entry { at: now, what: Happening::RolledBack });
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_was_taken_back_is_the_one_that_serves_no_more() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        let (one, two) = (version("1"), version("2"));
        let split = Content::split(one, two, crate::rollout::names::Weight::percent(10));
        let done = |from: Content, to| RolledBack { from, to: Content::whole(to) };
        assert_eq!(versions(&done(Content::whole(two), one)), Some((one, two)));
        assert_eq!(versions(&done(split.clone(), one)), Some((one, two)));
        assert_eq!(versions(&done(split, two)), Some((two, one)));
        assert_eq!(versions(&done(Content::whole(one), one)), None);
        let latest = Content { version: "$LATEST".to_owned(), weights: Default::default() };
        assert_eq!(versions(&done(latest, one)), None);
    }
}
