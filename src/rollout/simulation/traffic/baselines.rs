//! What others do with the same counts: an alarm as SAM's documentation has it, a test that is looked
//! at every minute, and the test of Kayenta's judge.

use super::random::ln_factorial;
use super::world::{Pair, World};

/// `Errors > 0` on the alias in two of two minutes.
pub(super) fn alarm(world: &World<'_>, halves: i64) -> bool {
    let newest = (0..halves / 2).rev().filter_map(|minute| world.seen(minute, halves)).take(2);
    newest.filter(|pair| pair.old.x + pair.new.x > 0).count() == 2
}

fn both(world: &World<'_>, halves: i64, last: i64) -> Vec<Pair> {
    let minutes = (halves / 2 - last).max(0)..halves / 2;
    let seen = minutes.filter_map(|minute| world.seen(minute, halves));
    seen.filter(|pair| pair.old.n > 0).collect()
}

/// Fisher's exact test of all counts so far, one-sided, at 1 %.
pub(super) fn fisher(world: &World<'_>, halves: i64) -> bool {
    let mut all = Pair::default();
    for pair in both(world, halves, i64::MAX / 4) {
        all.old.n += pair.old.n;
        all.old.x += pair.old.x;
        all.new.n += pair.new.n;
        all.new.x += pair.new.x;
    }
    let (m, total) = (all.old.x + all.new.x, all.old.n + all.new.n);
    if all.new.x == 0 || all.new.n == 0 || all.old.n == 0 {
        return false;
    }
    let choose = |n: u64, k: u64| ln_factorial(n as f64) - ln_factorial(k as f64) - ln_factorial((n - k) as f64);
    let of_all = choose(total, m);
    let most = all.new.n.min(m);
    let mut p = 0.0;
    for k in all.new.x..=most {
        if m - k > all.old.n {
            continue;
        }
        let term = (choose(all.new.n, k) + choose(all.old.n, m - k) - of_all).exp();
        p += term;
        // The terms fall from the mean on; what is left cannot matter.
        if p >= 0.01 || term < 1e-12 && k as f64 > m as f64 * all.new.n as f64 / total as f64 {
            break;
        }
    }
    p < 0.01
}

/// Mann-Whitney over the minutes' error rates, confidence 98 %, tolerance a quarter of the
/// Hodges-Lehmann estimate; it needs four minutes.
pub(super) fn mann_whitney(world: &World<'_>, halves: i64) -> bool {
    let pairs = both(world, halves, 30).into_iter().filter(|pair| pair.new.n > 0);
    let (old, new): (Vec<f64>, Vec<f64>) = pairs.map(|pair| (pair.old.rate(), pair.new.rate())).unzip();
    if old.len() < 4 {
        return false;
    }
    let mut differences: Vec<f64> = new.iter().flat_map(|new| old.iter().map(move |old| new - old)).collect();
    differences.sort_by(f64::total_cmp);
    let low = differences[quantile(old.len(), 0.01).saturating_sub(1)];
    let middle = differences.len() / 2;
    let estimate = if differences.len().is_multiple_of(2) {
        f64::midpoint(differences[middle - 1], differences[middle])
    } else {
        differences[middle]
    };
    let mean = |rates: &[f64]| rates.iter().sum::<f64>();
    low > 0.25 * estimate.abs() && mean(&new) > mean(&old)
}

/// The smallest k with `P(U <= k) >= p` for two samples of this size, exactly.
fn quantile(size: usize, p: f64) -> usize {
    let mut ways = vec![0.0; size * size + 1];
    ways[0] = 1.0;
    for j in 1..=size {
        // Times (1 - q^(size + j)) / (1 - q^j).
        for at in (size + j..ways.len()).rev() {
            ways[at] -= ways[at - size - j];
        }
        for at in j..ways.len() {
            ways[at] += ways[at - j];
        }
    }
    let all: f64 = ways.iter().sum();
    let mut sum = 0.0;
    ways.iter()
        .position(|ways| {
            sum += ways / all;
            sum >= p
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_quantile_is_that_of_the_tables() {
        // One-sided critical values of U at 1 %: 1 for two samples of 5, 19 for 10: the largest k with
        // P(U <= k) <= 0.01, one less than the smallest that reaches it.
        assert_eq!([5, 10].map(|size| super::quantile(size, 0.01)), [2, 20]);
    }
}
