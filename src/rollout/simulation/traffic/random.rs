//! Random numbers from a seed, the same on every machine: xoshiro256++ (Blackman and Vigna), and
//! counts drawn exactly.

/// A generator.
#[derive(Clone, Debug)]
pub struct Random([u64; 4]);

impl Random {
    /// From a seed and a number of its own: neighbouring ones have nothing in common.
    pub fn new(seed: u64, number: u64) -> Self {
        let mut state = seed ^ number.wrapping_mul(0xd134_2543_de82_ef95);
        Self(std::array::from_fn(|_| {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }))
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// At least 0, below 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Mean 0, variance 1.
    pub fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// How many of independent rare events, of which so many are expected.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean < 30.0 {
            let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
            while product > limit {
                product *= self.unit();
                count += 1;
            }
            return count;
        }
        // Hörmann's PTRS (1993): transformed rejection.
        let (b, log) = (0.931 + 2.53 * mean.sqrt(), mean.ln());
        let (a, inverse) = (-0.059 + 0.02483 * b, 1.1239 + 1.1328 / (b - 3.4));
        let squeeze = 0.9277 - 3.6224 / (b - 2.0);
        loop {
            let (u, v) = (self.unit() - 0.5, self.unit());
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + mean + 0.43).floor();
            if us >= 0.07 && v <= squeeze {
                return count(k);
            }
            if k < 0.0 || us < 0.013 && v > us {
                continue;
            }
            if (v * inverse / (a / (us * us) + b)).ln() <= k * log - mean - ln_factorial(k) {
                return count(k);
            }
        }
    }

    /// How many of `n`, each with this chance.
    pub fn binomial(&mut self, n: u64, chance: f64) -> u64 {
        if chance > 0.5 {
            return n - self.binomial(n, 1.0 - chance);
        }
        if n == 0 || chance <= 0.0 {
            return 0;
        }
        let (total, odds) = (n as f64, chance / (1.0 - chance));
        if total * chance < 10.0 {
            // By inversion, term after term.
            let (mut term, mut u, mut k) = ((total * (-chance).ln_1p()).exp(), self.unit(), 0);
            while u > term && k < n {
                u -= term;
                k += 1;
                term *= odds * (total - k as f64 + 1.0) / k as f64;
            }
            return k;
        }
        // Hörmann's BTRS (1993).
        let spread = (total * chance * (1.0 - chance)).sqrt();
        let b = 1.15 + 2.53 * spread;
        let (a, c) = (-0.0873 + 0.0248 * b + 0.01 * chance, total * chance + 0.5);
        let (v_r, alpha) = (0.92 - 4.2 / b, (2.83 + 5.1 / b) * spread);
        let mode = ((total + 1.0) * chance).floor();
        loop {
            let (u, mut v) = (self.unit() - 0.5, self.unit());
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + c).floor();
            if us >= 0.07 && v <= v_r {
                return count(k).min(n);
            }
            if k < 0.0 || k > total {
                continue;
            }
            v = (v * alpha / (a / (us * us) + b)).ln();
            let ln = ln_factorial(mode) + ln_factorial(total - mode) - ln_factorial(k) - ln_factorial(total - k);
            if v <= ln + (k - mode) * odds.ln() {
                return count(k);
            }
        }
    }
}

fn count(value: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and far below 2^53")]
    let count = value.max(0.0) as u64;
    count
}

/// `ln(n!)`: exact sums for small numbers, Stirling's series for others.
pub(super) fn ln_factorial(n: f64) -> f64 {
    if n < 16.0 {
        return (2..=count(n)).map(|k| (k as f64).ln()).sum();
    }
    let inverse = 1.0 / n;
    let series = inverse * (1.0 / 12.0 - inverse * inverse * (1.0 / 360.0 - inverse * inverse / 1260.0));
    n * n.ln() - n + 0.5 * (std::f64::consts::TAU * n).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_mean_and_the_variance_that_they_should() {
        let mut random = Random::new(1, 2);
        let mut check = |mean: f64, variance: f64, draw: &mut dyn FnMut(&mut Random) -> f64| {
            let draws: Vec<f64> = (0..40_000).map(|_| draw(&mut random)).collect();
            let found = draws.iter().sum::<f64>() / 40_000.0;
            let spread = draws.iter().map(|draw| (draw - found).powi(2)).sum::<f64>() / 40_000.0;
            assert!((found - mean).abs() < 5.0 * (variance / 40_000.0).sqrt(), "{found}, not {mean}");
            assert!((spread / variance - 1.0).abs() < 0.06, "variance {spread}, not {variance}");
        };
        for mean in [0.5, 12.0, 80.0, 15_000.0] {
            check(mean, mean, &mut |random| random.poisson(mean) as f64);
        }
        for (n, p) in [(20, 0.1), (300, 0.01), (300, 0.4), (30_000, 0.005), (50, 0.9)] {
            let mean = n as f64 * p;
            check(mean, mean * (1.0 - p), &mut |random| random.binomial(n, p) as f64);
        }
        check(0.0, 1.0, &mut Random::normal);
        assert!((ln_factorial(20.0) - 42.335_616_460_753_485).abs() < 1e-9);
    }
}
