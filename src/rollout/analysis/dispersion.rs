//! How clumped a version's errors are: one sick execution environment fails many times in a row.

/// The variance of neighbouring minutes' differences against what independent errors would give
/// (von Neumann's ratio, so that a slow drift does not count), within 1 and 4. `minutes` are
/// invocations and errors, one after the other; 1 where there is too little to tell.
pub fn dispersion(minutes: &[(u64, u64)]) -> f64 {
    const FEWEST_ERRORS: u64 = 10;
    const FEWEST_PAIRS: usize = 20;
    let n: u64 = minutes.iter().map(|minute| minute.0).sum();
    let x: u64 = minutes.iter().map(|minute| minute.1).sum();
    let pairs: Vec<_> = minutes.windows(2).filter(|pair| pair.iter().all(|minute| minute.0 > 0)).collect();
    if x < FEWEST_ERRORS || pairs.len() < FEWEST_PAIRS {
        return 1.0;
    }
    let p = x as f64 / n as f64;
    let variance = (p * (1.0 - p)).max(1e-12);
    let sum: f64 = pairs
        .iter()
        .map(|pair| {
            let [(n, x), (next_n, next_x)] = [pair[0], pair[1]].map(|(n, x)| (n as f64, x as f64));
            (next_x / next_n - x / n).powi(2) / (variance * (1.0 / next_n + 1.0 / n))
        })
        .sum();
    (sum / pairs.len() as f64).clamp(1.0, 4.0)
}

#[cfg(test)]
mod tests {
    use super::dispersion;

    #[test]
    fn clumps_count_and_drift_does_not() {
        let clumped: Vec<_> = (0..60).map(|minute| (600, if minute % 4 == 0 { 24 } else { 0 })).collect();
        let drifting: Vec<_> = (0..60).map(|minute| (600, 3 + minute / 10)).collect();
        let rare: Vec<_> = (0..60).map(|minute| (600, u64::from(minute == 7) * 9)).collect();
        assert_eq!((dispersion(&clumped), dispersion(&drifting), dispersion(&rare)), (4.0, 1.0, 1.0));
    }
}
