//! What to do next, said beside the error case that it is for.

/// An error that knows the next step.
pub trait Hint {
    /// One or more complete sentences, each printed behind `hint:`; empty when there is nothing
    /// useful to say.
    fn hints(&self) -> Vec<String>;
}

/// What was probably meant: the candidate that is nearest to `name`, when it is near enough for a
/// slip of the finger. Letters that differ only in case count as one slip together.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer names are not typed by hand, and the distance costs the product of the lengths.
    const LONGEST: usize = 128;
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    let lower = name.to_lowercase();
    let allowed = (name.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST && *candidate != name)
        .map(|candidate| {
            let other = candidate.to_lowercase();
            (if other == lower { 0 } else { distance(&lower, &other) }, candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters have to be added, removed, replaced or swapped with their neighbour (optimal
/// string alignment).
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let replaced = row[j] + usize::from(a != b);
            let mut best = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(before[j - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_what_was_meant_and_something_else_does_not() {
        let names = ["Handler", "Runtime", "MemorySize", "Environment", "Events"];
        assert_eq!(closest("Handlr", names), Some("Handler"));
        assert_eq!(closest("memorysize", names), Some("MemorySize"));
        assert_eq!(closest("Enviroment", names), Some("Environment"));
        assert_eq!(closest("Evnets", names), Some("Events"));
        assert_eq!(closest("Timeout", names), None);
        assert_eq!(closest("", names), None);
        assert_eq!(closest(&"x".repeat(100_000), names), None);
    }
}
