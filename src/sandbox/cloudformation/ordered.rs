//! Maps that keep their order on disk: lists of pairs. (`indexmap`'s own `serde` feature would have
//! every crate above it compiled anew, the SDK's among them.)

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(super) fn serialize<S: Serializer, V: Serialize>(
    map: &IndexMap<String, V>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(map.iter())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>, V: Deserialize<'de>>(
    deserializer: D,
) -> Result<IndexMap<String, V>, D::Error> {
    Ok(Vec::<(String, V)>::deserialize(deserializer)?.into_iter().collect())
}
