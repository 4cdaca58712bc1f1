//! What Lambda remembers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Everything, by `account:region:name`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub(super) functions: BTreeMap<String, Function>,
    pub(super) layers: BTreeMap<String, Layer>,
    /// By `account:region:uuid`.
    pub(super) mappings: BTreeMap<String, Mapping>,
}

/// A function with everything that hangs on it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Function {
    pub(super) latest: Version,
    pub(super) versions: BTreeMap<u64, Version>,
    pub(super) last_version: u64,
    pub(super) aliases: BTreeMap<String, Alias>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) reserved: Option<u64>,
    /// By version or alias.
    pub(super) provisioned: BTreeMap<String, Provisioned>,
    /// By qualifier, empty for the function itself.
    pub(super) policies: BTreeMap<String, Policy>,
    /// By alias, empty for the function itself.
    pub(super) urls: BTreeMap<String, Value>,
    /// By qualifier.
    pub(super) event_invoke: BTreeMap<String, EventInvoke>,
}

/// `$LATEST` or a published version: code and configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Version {
    /// `$LATEST` or a number.
    pub(super) version: String,
    /// The settings as the API shows them.
    pub(super) settings: Map<String, Value>,
    /// Base64 SHA-256 of the zip.
    pub(super) code_sha256: String,
    pub(super) code_size: u64,
    pub(super) last_modified: String,
    pub(super) revision_id: String,
    pub(super) pending: Option<Pending>,
    /// What it was published from: when it equals `$LATEST`'s, nothing has changed since.
    pub(super) fingerprint: String,
}

/// A change that is still under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) until_ms: i64,
    /// Made anew (`State: Pending`), not changed (`LastUpdateStatus: InProgress`).
    pub(super) creating: bool,
}

/// The share of what served before while Lambda shifts by itself. How it falls is not documented.
const OWN_SHARE: f64 = 0.5;

/// A name for one version, or for two with a share.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Alias {
    pub(super) function_version: String,
    pub(super) description: String,
    pub(super) revision_id: String,
    /// The additional version and its share of the requests, 0 to 1.
    pub(super) additional: Option<(String, f64)>,
}

/// Provisioned concurrency: a record with its delay; environments start on demand all the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Provisioned {
    pub(super) requested: u64,
    pub(super) ready_at_ms: i64,
    pub(super) last_modified: String,
    /// Of an alias: the version that served before, which keeps a share until the new one is allocated.
    #[serde(default)]
    pub(super) moving_from: Option<String>,
}

/// Allocation takes longer than a change of configuration, of an environment as of thousands.
const ALLOCATION_MS: i64 = 10_000;

impl Provisioned {
    /// Wanted at `now_ms`.
    pub(super) fn new(requested: u64, now_ms: i64, last_modified: String) -> Self {
        Self { requested, ready_at_ms: now_ms + ALLOCATION_MS, last_modified, moving_from: None }
    }

    pub(super) fn is_ready(&self, now_ms: i64) -> bool {
        self.ready_at_ms <= now_ms
    }

    /// Allocates anew for what the alias points to now.
    fn reallocate(&mut self, now_ms: i64, moving_from: Option<String>) {
        self.ready_at_ms = now_ms + ALLOCATION_MS;
        self.moving_from = moving_from;
    }
}

/// A resource policy.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Policy {
    pub(super) revision_id: String,
    pub(super) statements: Vec<Value>,
}

/// What happens to asynchronous invocations.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct EventInvoke {
    pub(super) last_modified_ms: i64,
    pub(super) maximum_retry_attempts: Option<u64>,
    pub(super) maximum_event_age_s: Option<u64>,
    pub(super) destination_config: Option<Value>,
}

/// A layer and its versions.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Layer {
    pub(super) last_version: u64,
    pub(super) versions: BTreeMap<u64, LayerVersion>,
}

/// One version of a layer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct LayerVersion {
    pub(super) description: String,
    pub(super) created: String,
    pub(super) license: Option<String>,
    pub(super) runtimes: Option<Value>,
    pub(super) architectures: Option<Value>,
    pub(super) code_sha256: String,
    pub(super) code_size: u64,
    pub(super) policy: Policy,
    /// Not shown any more; functions that have it keep it.
    pub(super) deleted: bool,
}

/// An event source mapping: a record; no events are polled.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Mapping {
    pub(super) record: Map<String, Value>,
    pub(super) tags: BTreeMap<String, String>,
    /// The state that it goes to, and when; `None` as state is gone.
    pub(super) next: Option<(i64, Option<String>)>,
}

impl Function {
    /// The version behind a qualifier that names one.
    pub(super) fn version(&self, qualifier: &str) -> Option<&Version> {
        if qualifier == "$LATEST" {
            return Some(&self.latest);
        }
        self.versions.get(&qualifier.parse().ok()?)
    }

    /// The version behind a qualifier; of an alias the main one.
    pub(super) fn resolve(&self, qualifier: Option<&str>) -> Option<&Version> {
        let Some(qualifier) = qualifier else { return Some(&self.latest) };
        match self.aliases.get(qualifier) {
            Some(alias) => self.version(&alias.function_version),
            None => self.version(qualifier),
        }
    }

    /// An alias as it is read at `now_ms`: with provisioned concurrency Lambda shifts by itself, and what
    /// served before has a weight until the new version is allocated.
    pub(super) fn alias(&self, name: &str, now_ms: i64) -> Option<Alias> {
        let mut alias = self.aliases.get(name)?.clone();
        let moving = self.provisioned.get(name).filter(|config| !config.is_ready(now_ms));
        if let (None, Some(before)) = (&alias.additional, moving.and_then(|config| config.moving_from.clone())) {
            alias.additional = Some((before, OWN_SHARE));
        }
        Some(alias)
    }

    /// Whether environments are provisioned for what is called by this qualifier.
    pub(super) fn is_provisioned(&self, qualifier: Option<&str>) -> bool {
        qualifier.is_some_and(|qualifier| self.provisioned.contains_key(qualifier))
    }

    /// Points an alias elsewhere.
    pub(super) fn point(&mut self, name: &str, alias: Alias, now_ms: i64) {
        if let (Some(config), Some(before)) = (self.provisioned.get_mut(name), self.aliases.get(name)) {
            let moved = before.function_version != alias.function_version;
            if moved || before.additional != alias.additional {
                config.reallocate(now_ms, moved.then(|| before.function_version.clone()));
            }
        }
        self.aliases.insert(name.to_owned(), alias);
    }

    /// Ends what is due; whether anything was.
    pub(super) fn settle(&mut self, now_ms: i64) {
        for version in std::iter::once(&mut self.latest).chain(self.versions.values_mut()) {
            if version.due(now_ms) {
                version.pending = None;
                // Recorded: the change of state gives a new revision.
                version.revision_id = uuid();
            }
        }
    }

    /// Whether [`Self::settle`] has something to do.
    pub(super) fn due(&self, now_ms: i64) -> bool {
        self.latest.due(now_ms) || self.versions.values().any(|version| version.due(now_ms))
    }
}

impl Version {
    fn due(&self, now_ms: i64) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.until_ms <= now_ms)
    }

    /// A setting's text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.settings.get(name)?.as_str()
    }

    /// A setting's number.
    pub(super) fn number(&self, name: &str) -> u64 {
        self.settings.get(name).and_then(Value::as_u64).unwrap_or_default()
    }

    /// What decides whether publishing makes a new version.
    pub(super) fn fingerprint_now(&self) -> String {
        let mut sorted: Vec<_> = self.settings.iter().collect();
        sorted.sort_by_key(|(name, _)| name.as_str());
        json!([self.code_sha256, sorted]).to_string()
    }

    /// The configuration as the API gives it.
    pub(super) fn describe(&self, arn: &str, region: &str) -> Map<String, Value> {
        let mut all = self.listed(arn);
        let runtime = self.text("Runtime").unwrap_or_default();
        let partition = partition(region);
        let version =
            format!("arn:{partition}:lambda:{region}::runtime:{}", super::code::sha256_hex(runtime.as_bytes()));
        all.insert("RuntimeVersionConfig".to_owned(), json!({ "RuntimeVersionArn": version }));
        let reason = "The function is being created.";
        match &self.pending {
            Some(Pending { creating: true, .. }) => {
                all.insert("State".to_owned(), json!("Pending"));
                all.insert("StateReason".to_owned(), json!(reason));
                all.insert("StateReasonCode".to_owned(), json!("Creating"));
            }
            Some(Pending { creating: false, .. }) => {
                all.insert("State".to_owned(), json!("Active"));
                all.insert("LastUpdateStatus".to_owned(), json!("InProgress"));
                all.insert("LastUpdateStatusReason".to_owned(), json!(reason));
                all.insert("LastUpdateStatusReasonCode".to_owned(), json!("Creating"));
            }
            None => {
                all.insert("State".to_owned(), json!("Active"));
                all.insert("LastUpdateStatus".to_owned(), json!("Successful"));
            }
        }
        all
    }

    /// The same as lists give it: without states.
    pub(super) fn listed(&self, arn: &str) -> Map<String, Value> {
        let mut all = self.settings.clone();
        let name = arn.split(':').nth(6).unwrap_or_default();
        for (key, value) in [
            ("FunctionName", json!(name)),
            ("FunctionArn", json!(arn)),
            ("CodeSha256", json!(self.code_sha256)),
            ("CodeSize", json!(self.code_size)),
            ("LastModified", json!(self.last_modified)),
            ("RevisionId", json!(self.revision_id)),
            ("Version", json!(self.version)),
        ] {
            all.insert(key.to_owned(), value);
        }
        all
    }
}

impl Alias {
    /// As the API gives it.
    pub(super) fn describe(&self, name: &str, function_arn: &str) -> Value {
        let mut all = json!({
            "AliasArn": format!("{function_arn}:{name}"),
            "Name": name,
            "FunctionVersion": self.function_version,
            "Description": self.description,
            "RevisionId": self.revision_id,
        });
        if let Some((version, weight)) = &self.additional {
            all["RoutingConfig"] = json!({ "AdditionalVersionWeights": { version: weight } });
        }
        all
    }
}

/// A fresh UUID, version 4.
pub(super) fn uuid() -> String {
    let bits = rand::random::<u128>();
    let bits = (bits & !(0xf << 76) & !(0b11 << 62)) | (4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The partition of a region.
pub(super) fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_of_version_four() {
        let uuid = uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    }

    #[test]
    fn the_fingerprint_does_not_depend_on_the_order_of_settings() {
        let settings =
            |pairs: &[(&str, i32)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let one = Version { settings: settings(&[("A", 1), ("B", 2)]), ..Version::default() };
        let two = Version { settings: settings(&[("B", 2), ("A", 1)]), ..Version::default() };
        let three = Version { settings: settings(&[("A", 1), ("B", 3)]), ..Version::default() };
        assert_eq!(one.fingerprint_now(), two.fingerprint_now());
        assert_ne!(one.fingerprint_now(), three.fingerprint_now());
    }
}
