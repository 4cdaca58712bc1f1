//! In which order things happen: what does not depend on each other happens side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use tokio::task::JoinSet;

/// What each thing waits for.
pub(super) type Graph = BTreeMap<String, BTreeSet<String>>;

/// How many resources are worked on at once.
const SIDE_BY_SIDE: usize = 16;

/// The other way round: what has to go before a thing can.
pub(super) fn reversed(graph: &Graph) -> Graph {
    let mut reversed: Graph = graph.keys().map(|name| (name.clone(), BTreeSet::new())).collect();
    for (name, needs) in graph {
        for need in needs {
            if let Some(waiting) = reversed.get_mut(need) {
                waiting.insert(name.clone());
            }
        }
    }
    reversed
}

/// The things that cannot be put in order: those in a circle, and those between circles.
pub(super) fn circle(graph: &Graph) -> Vec<String> {
    let mut left = graph.clone();
    // First from below, what needs nothing that is left, then from above, what nothing needs.
    for _ in 0..2 {
        loop {
            let free: Vec<String> = left
                .iter()
                .filter(|(_, needs)| !needs.iter().any(|need| left.contains_key(need)))
                .map(|(name, _)| name.clone())
                .collect();
            if free.is_empty() {
                break;
            }
            free.iter().for_each(|name| drop(left.remove(name)));
        }
        left = reversed(&left);
    }
    left.into_keys().collect()
}

/// Starts each thing when what it waits for has succeeded, and gives the failures in their order.
/// After a failure nothing new starts, unless `go_on`: then only what needs the failed one does not.
pub(super) async fn in_order<W>(graph: Graph, go_on: bool, start: impl Fn(String) -> W) -> Vec<String>
where
    W: Future<Output = bool> + Send + 'static,
{
    let mut waiting = graph;
    let names: BTreeSet<String> = waiting.keys().cloned().collect();
    for needs in waiting.values_mut() {
        needs.retain(|need| names.contains(need));
    }
    let mut failures: Vec<String> = Vec::new();
    let mut running = JoinSet::new();
    loop {
        while running.len() < SIDE_BY_SIDE && (go_on || failures.is_empty()) {
            let Some(name) = waiting.iter().find(|(_, needs)| needs.is_empty()).map(|(name, _)| name.clone()) else {
                break;
            };
            waiting.remove(&name);
            let work = start(name.clone());
            running.spawn(async move { (name, work.await) });
        }
        match running.join_next().await {
            None => return failures,
            Some(Ok((name, true))) => {
                for needs in waiting.values_mut() {
                    needs.remove(&name);
                }
            }
            Some(Ok((name, false))) => failures.push(name),
            // Only a panic in a provider comes here; what waits for it never starts.
            Some(Err(error)) => failures.push(format!("{error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::{Arc, Mutex};

    fn graph(edges: &[(&str, &[&str])]) -> Graph {
        edges
            .iter()
            .map(|(name, needs)| ((*name).to_owned(), needs.iter().map(|need| (*need).to_owned()).collect()))
            .collect()
    }

    async fn run(graph: Graph, fails: &'static str, go_on: bool) -> (Vec<String>, Vec<String>) {
        let log = Arc::new(Mutex::new(Vec::new()));
        let failures = in_order(graph, go_on, |name| {
            let log = Arc::clone(&log);
            async move {
                tokio::task::yield_now().await;
                log.lock().unwrap().push(name.clone());
                name != fails
            }
        })
        .await;
        (Arc::into_inner(log).unwrap().into_inner().unwrap(), failures)
    }

    #[test]
    fn only_what_is_in_a_circle_is_named() {
        let graph = graph(&[("A", &["B"]), ("B", &["C"]), ("C", &["B"]), ("D", &[]), ("E", &["D", "A"])]);
        assert_eq!(circle(&graph), ["B", "C"]);
    }

    #[tokio::test]
    async fn a_failure_stops_what_needs_it_or_everything() {
        // One that fails, one that needs it, and more others than go side by side.
        let mut graph = graph(&[("A", &[]), ("B", &["A"])]);
        graph.extend((0..40).map(|name| (format!("other-{name}"), BTreeSet::new())));
        let (done, failures) = run(graph.clone(), "A", true).await;
        assert_eq!((done.len(), failures), (41, vec!["A".to_owned()]));
        let (done, _) = run(graph, "A", false).await;
        assert!(done.len() < 41 && !done.contains(&"B".to_owned()), "{done:?}");
    }

    proptest! {
        #[test]
        fn everything_happens_once_and_after_what_it_needs(edges in prop::collection::vec((0u8..12, 0u8..12), 0..30)) {
            // Edges from higher to lower numbers: no circle.
            let mut graph: Graph = (0..12u8).map(|name| (name.to_string(), BTreeSet::new())).collect();
            for (a, b) in edges.into_iter().filter(|(a, b)| a != b) {
                graph.get_mut(&a.max(b).to_string()).unwrap().insert(a.min(b).to_string());
            }
            prop_assert!(circle(&graph).is_empty());
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (order, failures) = runtime.block_on(run(graph.clone(), "", false));
            prop_assert!(failures.is_empty());
            prop_assert_eq!(order.len(), graph.len());
            for (name, needs) in &graph {
                let at = |name: &String| order.iter().position(|other| other == name).unwrap();
                prop_assert!(needs.iter().all(|need| at(need) < at(name)));
            }
            prop_assert_eq!(reversed(&reversed(&graph)), graph);
        }
    }
}
