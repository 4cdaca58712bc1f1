//! What differs between the partitions of AWS: the rows of `data/partitions.txt`.

use std::sync::LazyLock;

/// A partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// Its name, as ARNs have it.
    pub(crate) name: &'static str,
    /// How the names of its regions begin; the first partition has all others.
    prefix: &'static str,
    /// Whether APIs have edge-optimised endpoints when nobody says anything.
    pub(crate) edge: bool,
    /// The managed policy of functions that are traced.
    pub(crate) tracing_policy: &'static str,
    /// The managed policy of CodeDeploy's role.
    pub(crate) deployment_policy: &'static str,
}

static ALL: LazyLock<Vec<Partition>> = LazyLock::new(|| {
    let rows = include_str!("data/partitions.txt").lines().filter(|line| !line.starts_with('#'));
    let row = |line: &'static str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let &[name, prefix, endpoints, tracing_policy, deployment_policy] = columns.as_slice() else { return None };
        Some(Partition { name, prefix, edge: endpoints == "EDGE", tracing_policy, deployment_policy })
    };
    rows.filter_map(row).collect()
});

/// The partition of a region.
pub(crate) fn of_region(region: &str) -> &'static Partition {
    let region = region.to_lowercase();
    ALL.iter().find(|partition| region.starts_with(partition.prefix)).unwrap_or(&ALL[0])
}

/// The partition called `name`.
pub(crate) fn named(name: &str) -> &'static Partition {
    ALL.iter().find(|partition| partition.name == name).unwrap_or(&ALL[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_and_regions_find_theirs() {
        let rows = include_str!("data/partitions.txt").lines().filter(|line| !line.starts_with('#'));
        assert_eq!(ALL.len(), rows.count());
        for (region, name) in [
            ("eu-central-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("US-GOV-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("us-isof-south-1", "aws-iso-f"),
            ("", "aws"),
        ] {
            assert_eq!(of_region(region).name, name, "{region}");
        }
        assert!(named("aws").edge && !named("aws-cn").edge && !named("aws-iso").edge);
    }
}
