//! Lambda's runtimes and their dates.

use time::Date;
use time::macros::date;

/// A runtime that Lambda has or had.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runtime {
    /// Its identifier.
    pub(super) name: &'static str,
    /// When it loses, or lost, its support.
    pub(super) deprecated: Date,
    /// From when on no function can be created with it.
    pub(super) create_blocked: Date,
    /// From when on no function with it can be updated.
    pub(super) update_blocked: Date,
}

const fn row(name: &'static str, deprecated: Date, create_blocked: Date, update_blocked: Date) -> Runtime {
    Runtime { name, deprecated, create_blocked, update_blocked }
}

/// As AWS lists them, November 2026; dates to come are AWS's forecast.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html>
pub(super) const RUNTIMES: &[Runtime] = &[
    row("dotnet10", date!(2028 - 11 - 14), date!(2028 - 12 - 14), date!(2029 - 01 - 15)),
    row("dotnet6", date!(2024 - 12 - 20), date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    row("dotnet8", date!(2026 - 11 - 10), date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    row("dotnetcore1.0", date!(2019 - 06 - 27), date!(2019 - 06 - 30), date!(2019 - 07 - 30)),
    row("dotnetcore2.0", date!(2019 - 05 - 30), date!(2019 - 04 - 30), date!(2019 - 05 - 30)),
    row("dotnetcore2.1", date!(2022 - 01 - 05), date!(2022 - 01 - 05), date!(2022 - 04 - 13)),
    row("dotnetcore3.1", date!(2023 - 04 - 03), date!(2023 - 04 - 03), date!(2023 - 05 - 03)),
    row("go1.x", date!(2024 - 01 - 08), date!(2024 - 02 - 08), date!(2027 - 03 - 03)),
    row("java11", date!(2027 - 06 - 30), date!(2027 - 07 - 31), date!(2027 - 08 - 31)),
    row("java17", date!(2027 - 06 - 30), date!(2027 - 07 - 31), date!(2027 - 08 - 31)),
    row("java21", date!(2029 - 06 - 30), date!(2029 - 07 - 31), date!(2029 - 08 - 31)),
    row("java25", date!(2029 - 06 - 30), date!(2029 - 07 - 31), date!(2029 - 08 - 31)),
    row("java8", date!(2024 - 01 - 08), date!(2024 - 02 - 08), date!(2027 - 03 - 03)),
    row("java8.al2", date!(2027 - 06 - 30), date!(2027 - 07 - 31), date!(2027 - 08 - 31)),
    row("nodejs", date!(2016 - 08 - 30), date!(2016 - 09 - 30), date!(2016 - 10 - 31)),
    row("nodejs10.x", date!(2021 - 07 - 30), date!(2021 - 07 - 30), date!(2022 - 02 - 14)),
    row("nodejs12.x", date!(2023 - 03 - 31), date!(2023 - 03 - 31), date!(2023 - 04 - 30)),
    row("nodejs14.x", date!(2023 - 12 - 04), date!(2024 - 01 - 09), date!(2027 - 03 - 03)),
    row("nodejs16.x", date!(2024 - 06 - 12), date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    row("nodejs18.x", date!(2025 - 09 - 01), date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    row("nodejs20.x", date!(2026 - 04 - 30), date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    row("nodejs22.x", date!(2027 - 04 - 30), date!(2027 - 06 - 01), date!(2027 - 07 - 01)),
    row("nodejs24.x", date!(2028 - 04 - 30), date!(2028 - 06 - 01), date!(2028 - 07 - 01)),
    row("nodejs4.3", date!(2020 - 03 - 05), date!(2020 - 02 - 03), date!(2020 - 03 - 05)),
    row("nodejs4.3-edge", date!(2020 - 03 - 05), date!(2019 - 03 - 31), date!(2019 - 04 - 30)),
    row("nodejs6.10", date!(2019 - 08 - 12), date!(2019 - 07 - 12), date!(2019 - 08 - 12)),
    row("nodejs8.10", date!(2020 - 03 - 06), date!(2020 - 02 - 04), date!(2020 - 03 - 06)),
    row("provided", date!(2024 - 01 - 08), date!(2024 - 02 - 08), date!(2027 - 03 - 03)),
    row("provided.al2", date!(2026 - 07 - 31), date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    row("provided.al2023", date!(2029 - 06 - 30), date!(2029 - 07 - 31), date!(2029 - 08 - 31)),
    row("python2.7", date!(2021 - 07 - 15), date!(2021 - 07 - 15), date!(2022 - 05 - 30)),
    row("python3.10", date!(2026 - 10 - 31), date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    row("python3.11", date!(2027 - 06 - 30), date!(2027 - 07 - 31), date!(2027 - 08 - 31)),
    row("python3.12", date!(2028 - 10 - 31), date!(2028 - 11 - 30), date!(2029 - 01 - 10)),
    row("python3.13", date!(2029 - 06 - 30), date!(2029 - 07 - 31), date!(2029 - 08 - 31)),
    row("python3.14", date!(2029 - 06 - 30), date!(2029 - 07 - 31), date!(2029 - 08 - 31)),
    row("python3.6", date!(2022 - 07 - 18), date!(2022 - 07 - 18), date!(2022 - 08 - 29)),
    row("python3.7", date!(2023 - 12 - 04), date!(2024 - 01 - 09), date!(2027 - 03 - 03)),
    row("python3.8", date!(2024 - 10 - 14), date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    row("python3.9", date!(2025 - 12 - 15), date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    row("ruby2.5", date!(2021 - 07 - 30), date!(2021 - 07 - 30), date!(2022 - 03 - 31)),
    row("ruby2.7", date!(2023 - 12 - 07), date!(2024 - 01 - 09), date!(2027 - 03 - 03)),
    row("ruby3.2", date!(2026 - 03 - 31), date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    row("ruby3.3", date!(2027 - 03 - 31), date!(2027 - 04 - 30), date!(2027 - 05 - 31)),
    row("ruby3.4", date!(2028 - 03 - 31), date!(2028 - 04 - 30), date!(2028 - 05 - 31)),
    row("ruby4.0", date!(2029 - 03 - 31), date!(2029 - 04 - 30), date!(2029 - 05 - 31)),
];

/// The runtime called `name`.
pub(super) fn find(name: &str) -> Option<&'static Runtime> {
    RUNTIMES.iter().find(|runtime| runtime.name == name)
}

/// What to move to: the runtime of the same language that lives longest, with `provided.al2023` for
/// Go, which has none of its own any more.
pub(super) fn successor(runtime: &Runtime) -> Option<&'static str> {
    let language = |name: &'static str| name.split(|c: char| c.is_ascii_digit() || c == '.').next().unwrap_or(name);
    let family = |name: &'static str| match language(name) {
        "go" => "provided",
        "dotnetcore" => "dotnet",
        other => other,
    };
    let newest = RUNTIMES
        .iter()
        .filter(|other| family(other.name) == family(runtime.name))
        .max_by_key(|other| (other.deprecated, version(other.name)))?;
    (newest.name != runtime.name).then_some(newest.name)
}

/// Compares `python3.9` and `python3.14` as people do.
fn version(name: &str) -> Vec<u32> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dates_follow_each_other_and_the_newest_is_the_successor() {
        for runtime in RUNTIMES {
            // Two of the oldest were closed to new functions before they were called deprecated.
            assert!(runtime.create_blocked <= runtime.update_blocked, "{}", runtime.name);
        }
        for (old, new) in [
            ("python3.9", Some("python3.14")),
            ("nodejs4.3-edge", Some("nodejs24.x")),
            ("java8.al2", Some("java25")),
            ("go1.x", Some("provided.al2023")),
            ("dotnetcore3.1", Some("dotnet10")),
            ("ruby2.7", Some("ruby4.0")),
            ("provided.al2", Some("provided.al2023")),
            ("python3.14", None),
        ] {
            assert_eq!(successor(find(old).unwrap()), new, "{old}");
        }
    }
}
