//! What can be the matter with a new version, or not.

/// Of lognormal durations with sigma 0.8, so many are slower than 1.2 times the 95th percentile.
const SLOW: f64 = 0.030_53;

/// One kind of traffic and of new version.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scenario {
    /// How it is called.
    pub name: &'static str,
    /// Requests a second.
    pub rate: f64,
    /// The old version's share of errors (or slow requests).
    pub base: f64,
    /// The new version's.
    pub bad: f64,
    /// The minute in which the harm begins.
    pub onset: i64,
    /// A dependency fails for both: first minute, minutes, share of errors.
    pub outage: Option<(i64, i64, f64)>,
    /// How far the rate of both wanders: the standard deviation of its logarithm.
    pub wobble: f64,
    /// Errors come so many at a time.
    pub cluster: u64,
    /// Whether slow requests are counted, not errors.
    pub latency: bool,
    /// Of new environments, so many more are slow in their first minute.
    pub cold: f64,
    /// Half of the new version's successes arrive a minute after its errors.
    pub late_successes: bool,
}

const PLAIN: Scenario = Scenario {
    name: "",
    rate: 0.0,
    base: 0.0,
    bad: 0.0,
    onset: 0,
    outage: None,
    wobble: 0.0,
    cluster: 1,
    latency: false,
    cold: 0.0,
    late_successes: false,
};

const fn same(name: &'static str, rate: f64, base: f64) -> Scenario {
    Scenario { name, rate, base, bad: base, ..PLAIN }
}

const fn worse(name: &'static str, rate: f64, base: f64, bad: f64) -> Scenario {
    Scenario { name, rate, base, bad, ..PLAIN }
}

/// Nothing is wrong, or what is tolerated: any rollback is a false one.
pub const HARMLESS: [Scenario; 15] = [
    same("null-0.05rps-0.5%", 0.05, 0.005),
    same("null-1rps-0%", 1.0, 0.0),
    same("null-1rps-2%", 1.0, 0.02),
    same("null-10rps-0.1%", 10.0, 0.001),
    same("null-10rps-2%", 10.0, 0.02),
    same("null-500rps-0.1%", 500.0, 0.001),
    same("null-500rps-2%", 500.0, 0.02),
    Scenario { outage: Some((3, 3, 0.3)), ..same("null-outage", 50.0, 0.002) },
    Scenario { wobble: 0.8, ..same("null-noisy", 50.0, 0.01) },
    Scenario { cluster: 3, ..same("null-clustered", 10.0, 0.01) },
    worse("worse-1.2x-500rps", 500.0, 0.005, 0.006),
    Scenario { latency: true, ..same("slow-null-10rps", 10.0, SLOW) },
    Scenario { latency: true, cold: 0.1, ..same("slow-cold-10rps", 10.0, SLOW) },
    Scenario { latency: true, ..worse("slow-p95+20%-100rps", 100.0, SLOW, 0.05) },
    Scenario { late_successes: true, ..same("late-successes-500rps", 500.0, 0.01) },
];

/// The new version is worse, and has to be found.
pub const HARMFUL: [Scenario; 10] = [
    worse("+5pt-10rps", 10.0, 0.005, 0.055),
    worse("dead-1rps", 1.0, 0.001, 1.0),
    worse("dead-0.05rps", 0.05, 0.0, 1.0),
    worse("+1pt-100rps", 100.0, 0.005, 0.015),
    worse("50x-10rps-0.1%", 10.0, 0.001, 0.05),
    Scenario { onset: 6, ..worse("late-5pt-10rps", 10.0, 0.005, 0.055) },
    Scenario { onset: 6, outage: Some((2, 2, 0.3)), ..worse("outage-then-5pt", 50.0, 0.002, 0.052) },
    worse("2x-500rps-0.5%", 500.0, 0.005, 0.01),
    // All durations twice as long.
    Scenario { latency: true, ..worse("slow-p95x2-10rps", 10.0, SLOW, 0.157_130_2) },
    worse("5x-100rps-0.1%", 100.0, 0.001, 0.005),
];

/// Weights below 100 %, and how many minutes each is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps {
    /// How it is called.
    pub name: &'static str,
    /// In percent.
    pub percent: &'static [u32],
    /// Each.
    pub minutes: i64,
}

const TENTHS: &[u32] = &[10, 20, 30, 40, 50, 60, 70, 80, 90];

/// The strategies that are measured.
pub const STRATEGIES: [Steps; 3] = [
    Steps { name: "canary 10 % 5 min", percent: &[10], minutes: 5 },
    Steps { name: "linear 10 % 1 min", percent: TENTHS, minutes: 1 },
    Steps { name: "linear 10 % 10 min", percent: TENTHS, minutes: 10 },
];
