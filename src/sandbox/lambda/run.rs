//! From a version to the environments that run it.

use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use serde_json::Value;

use super::fault::{Answer, Fault};
use super::invoke::Target;
use super::model::Version;
use super::{Call, PoolKey};
use crate::runtime::{Credentials, Function, LogSink, Pool, layers};
use crate::sandbox::logs::Owner;
use crate::sandbox::state::World;

/// An environment that nobody has used for so long, in real time, ends.
pub(super) const IDLE: Duration = Duration::from_secs(300);

impl Call<'_> {
    /// The environments of what is invoked, made when they are first needed. Those that are provisioned
    /// are others than those on demand, and made when they are first needed all the same.
    pub(super) async fn pool(&self, target: &Target) -> Answer<Arc<Pool>> {
        let Target { name, version, .. } = target;
        let provisioned = self.read(name, None, |function| Ok(function.is_provisioned(target.qualifier.as_deref())))?;
        let key = PoolKey { function: self.key(name), version: version.clone(), provisioned };
        loop {
            let known = self.lambda.pools.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
            if let Some(pool) = known {
                return Ok(pool);
            }
            let record = self.version(name, version)?;
            let fingerprint = record.fingerprint_now();
            let layers_root = self.merge_layers(&record).await?;
            let function = Function { provisioned, ..self.runnable(name, &record, layers_root) };
            let sink = self.sink(&function.log_group);
            let pool = Pool::new(Arc::clone(&self.lambda.host), function, sink);
            let mut pools = self.lambda.pools.lock().unwrap_or_else(PoisonError::into_inner);
            // A change retires the pools after it has changed the record: so an unchanged record under
            // this lock means that the pool is of today.
            if self.version(name, version)?.fingerprint_now() == fingerprint {
                return Ok(Arc::clone(pools.entry(key).or_insert(pool)));
            }
        }
    }

    fn version(&self, name: &str, version: &str) -> Answer<Version> {
        self.read(name, Some(version), |function| {
            function.version(version).cloned().ok_or_else(|| Fault::no_function(&self.arn(name, Some(version))))
        })
    }

    async fn merge_layers(&self, record: &Version) -> Answer<Option<std::path::PathBuf>> {
        let arns = record.settings.get("Layers").and_then(Value::as_array).cloned().unwrap_or_default();
        let arns: Vec<&str> = arns.iter().filter_map(|layer| layer["Arn"].as_str()).collect();
        if arns.is_empty() {
            return Ok(None);
        }
        let mut files = Vec::new();
        for arn in arns {
            let sha256 = super::layer::code_of(*self, arn)?;
            files.push((sha256.clone(), self.lambda.store.zip(&sha256)));
        }
        let cache = self.lambda.layers_dir.clone();
        let merged =
            tokio::task::spawn_blocking(move || layers::merge(&cache, &files, super::code::MAX_UNZIPPED)).await;
        let merged = merged.map_err(|error| Fault::internal(&error))?;
        Ok(Some(merged.map_err(|error| Fault::internal(&error))?))
    }

    fn runnable(&self, name: &str, record: &Version, layers_root: Option<std::path::PathBuf>) -> Function {
        let variables = record.settings.get("Environment").and_then(|environment| environment["Variables"].as_object());
        let variables = variables.map(|variables| {
            variables
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect()
        });
        let logging = record.settings.get("LoggingConfig").cloned().unwrap_or_default();
        let text = |key: &str| logging[key].as_str().map(str::to_owned);
        let endpoint = self.world.endpoint_url();
        Function {
            name: name.to_owned(),
            version: record.version.clone(),
            runtime: record.text("Runtime").unwrap_or_default().to_owned(),
            handler: record.text("Handler").unwrap_or_default().to_owned(),
            provisioned: false,
            timeout: Duration::from_secs(record.number("Timeout")),
            memory_mb: u32::try_from(record.number("MemorySize")).unwrap_or(u32::MAX),
            task_root: self.lambda.store.folder(&record.code_sha256),
            layers_root,
            variables: variables.unwrap_or_default(),
            region: self.request.region.clone(),
            // The key names the account, so that what the function calls here is in its own account.
            credentials: Credentials {
                access_key_id: self.request.account.clone(),
                secret_access_key: "sandbox".to_owned(),
                session_token: "sandbox".to_owned(),
            },
            endpoint_url: (!endpoint.is_empty()).then(|| endpoint.to_owned()),
            log_group: text("LogGroup").unwrap_or_else(|| format!("/aws/lambda/{name}")),
            json_logs: text("LogFormat").as_deref() == Some("JSON"),
            log_level: text("ApplicationLogLevel"),
        }
    }

    /// Where the version's output goes: its log group, at the sandbox's time.
    fn sink(&self, group: &str) -> LogSink {
        // The world has the pools, so the pools must not keep the world.
        let world: Weak<World> = Arc::downgrade(self.world);
        let (account, region) = (self.request.account.clone(), self.request.region.clone());
        let group = group.to_owned();
        LogSink::new(move |stream, line| {
            if let Some(world) = world.upgrade() {
                let owner = Owner { account: &account, region: &region };
                world.logs.append(owner, &group, stream, world.clock.now_ms(), line);
            }
        })
    }
}
