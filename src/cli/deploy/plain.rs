//! From the packaged SAM template to plain CloudFormation, by either transform, and the aliases in it
//! whose traffic is to move step by step.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::Transformer;
use super::engine::choose;
use super::shifting::named_strategy;
use super::steps::Steps;
use crate::aws::Aws;
use crate::aws::cloudformation::Stage;
use crate::cli::context::now_s;
use crate::cli::exit::Error;
use crate::deploy::change_set::ReadyChangeSet;
use crate::deploy::live::{self, Live};
use crate::deploy::shift::{self, Shift};
use crate::deploy::values::Values;
use crate::deploy::{self, Prepared, prepare};
use crate::diagnostic::Diagnostics;
use crate::package::Packaged;
use crate::package::bucket::ManagedBucket;
use crate::rollout::plan::Engine;
use crate::rollout::strategy::Strategy;
use crate::template::{Node, Template, parameters};
use crate::transform;

/// What the stack should become, before anything is held.
pub(super) struct Plain {
    pub(super) template: Node,
    /// The aliases whose traffic is to move step by step.
    pub(super) shifts: Vec<Shift>,
    /// Who moves them.
    pub(super) engine: Engine,
    /// The change set that gave the template, where CloudFormation transformed it.
    pub(super) change_set: Option<ReadyChangeSet>,
}

impl Plain {
    /// How an alias is to move, as far as it can be told before the stack is updated; `None` where only
    /// the updated stack tells.
    ///
    /// # Errors
    /// What it says is no strategy.
    pub(super) async fn strategy(
        &self,
        steps: &Steps<'_>,
        aws: &Aws,
        shift: &Shift,
        live: &Live,
    ) -> Result<Option<Strategy>, Error> {
        if let Some(strategy) = &steps.settings.strategy {
            return strategy.read(aws).await.map(Some);
        }
        let cannot = |reason: String| deploy::Error::CannotShift { function: shift.function.clone(), reason };
        let node = shift.strategy.as_ref();
        let node = node.ok_or_else(|| cannot("its DeploymentPreference has no Type".to_owned()))?;
        let parameters = steps.parameter_values(Some(live));
        let Ok(text) = values(&self.template, &parameters, Some(live)).text(node) else { return Ok(None) };
        Ok(Some(named_strategy(aws, &shift.function, &text.unwrap_or_default()).await?))
    }
}

/// What the new template says, with the stack's resources as they are.
fn values<'a>(template: &'a Node, parameters: &'a IndexMap<String, String>, live: Option<&'a Live>) -> Values<'a> {
    Values {
        template,
        parameters,
        resources: live.map_or(&[], |live| live.resources.as_slice()),
        stack: live.map_or("", |live| live.stack.name.as_str()),
        stack_id: live.map_or("", |live| live.stack.id.as_str()),
    }
}

impl Steps<'_> {
    /// The parameters' values after the update: what was given, else the stack's own, else the default.
    fn parameter_values(&self, live: Option<&Live>) -> IndexMap<String, String> {
        let given = self.settings.overrides.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut all: IndexMap<String, String> =
            parameters::effective(self.template, &given).values.into_iter().collect();
        for (name, value) in live.iter().flat_map(|live| &live.stack.parameters) {
            if !self.settings.overrides.contains_key(name) {
                all.insert(name.clone(), value.clone());
            }
        }
        all
    }

    /// Without those whose `Enabled` is a function that says no. One that cannot be told is a yes, as it
    /// is for SAM.
    fn enabled(&self, shifts: Vec<Shift>, template: &Node, live: Option<&Live>) -> Vec<Shift> {
        let parameters = self.parameter_values(live);
        let values = values(template, &parameters, live);
        let is_enabled = |shift: &Shift| shift.enabled.as_ref().is_none_or(|node| values.truth(node).unwrap_or(true));
        shifts.into_iter().filter(is_enabled).collect()
    }

    /// The template as plain CloudFormation, by either transform, with what is to be shifted.
    pub(super) async fn plain(
        &self,
        aws: &Aws,
        stack: &str,
        managed: &ManagedBucket,
        packaged: &Packaged,
        live: Option<&Live>,
        sink: deploy::Sink<'_>,
    ) -> Result<Plain, Error> {
        let mut plain = self.transformed(aws, stack, managed, packaged, live, sink).await?;
        plain.shifts = self.enabled(std::mem::take(&mut plain.shifts), &plain.template, live);
        Ok(plain)
    }

    async fn transformed(
        &self,
        aws: &Aws,
        stack: &str,
        managed: &ManagedBucket,
        packaged: &Packaged,
        live: Option<&Live>,
        sink: deploy::Sink<'_>,
    ) -> Result<Plain, Error> {
        match self.settings.transform {
            Transformer::Native => {
                // The stack's own values hold where none is given; those of secrets are masked there.
                let values = live.map(|live| live.stack.parameters.clone()).unwrap_or_default();
                let values = values.into_iter().filter(|(_, value)| value != "****").collect();
                self.native(&packaged.template, aws.region(), &values, live)
            }
            Transformer::Aws => {
                let sam = Template { source: self.template.source.clone(), root: packaged.template.clone() };
                let engine = choose(self.settings.engine, live.map(|live| &live.template), &packaged.template);
                self.check_engine(engine)?;
                let as_written = self.settings.no_rollout || engine == Engine::CodeDeploy;
                let given = if as_written { sam.root.clone() } else { shift::without_preferences(&sam) };
                let mut change = self.change(stack, self.upload_template(aws, managed, &given).await?, &given);
                if !change.capabilities.iter().any(|name| name == "CAPABILITY_AUTO_EXPAND") {
                    change.capabilities.push("CAPABILITY_AUTO_EXPAND".to_owned());
                }
                let Prepared::Ready(ready) = prepare(aws, &change, sink).await? else {
                    let template = live.map(|live| live.template.clone()).unwrap_or_default();
                    return Ok(Plain { template, shifts: Vec::new(), engine, change_set: None });
                };
                let text = aws.cloudformation().change_set_template(&ready.id, Stage::Processed).await?;
                let template = live::parse("the change set", &text)?;
                let shifts = self.shifts(&template);
                Ok(Plain { template, shifts, engine, change_set: Some(ready) })
            }
        }
    }

    /// samara's own transform. `values` are the stack's parameters, which hold where none is given.
    pub(super) fn native(
        &self,
        packaged: &Node,
        region: &str,
        values: &BTreeMap<String, String>,
        live: Option<&Live>,
    ) -> Result<Plain, Error> {
        let engine = choose(self.settings.engine, live.map(|live| &live.template), packaged);
        self.check_engine(engine)?;
        let template = Template { source: self.template.source.clone(), root: packaged.clone() };
        if !transform::is_needed(&template) {
            return Ok(Plain { template: template.root, shifts: Vec::new(), engine, change_set: None });
        }
        let mut parameters = values.clone();
        parameters.extend(self.settings.overrides.iter().map(|(name, value)| (name.clone(), value.clone())));
        let options = transform::Options {
            region: region.to_owned(),
            parameters,
            deployment_preference: match engine {
                Engine::CodeDeploy if !self.settings.no_rollout => transform::DeploymentPreference::AsWritten,
                Engine::CodeDeploy | Engine::Alias => transform::DeploymentPreference::Disabled,
            },
            now_s: Some(now_s()),
        };
        let transformed =
            transform::transform(&template, &options).map_err(|findings| self.not_transformed(&findings))?;
        let mut shifts: Vec<Shift> =
            transformed.preferences.into_iter().filter(|one| one.enabled).map(Shift::from).collect();
        shifts = shifts.into_iter().map(|shift| shift.with_enabled_of(&template.root)).collect();
        if self.settings.strategy.is_some() {
            let others = self.shifts(&transformed.template);
            shifts.extend(
                others
                    .into_iter()
                    .filter(|other| shifts.iter().all(|one| one.function != other.function))
                    .collect::<Vec<_>>(),
            );
        }
        if self.settings.no_rollout {
            shifts.clear();
        }
        Ok(Plain { template: transformed.template, shifts, engine, change_set: None })
    }

    /// What is wrong is shown with its line; what is only not covered here can be done by AWS.
    fn not_transformed(&self, findings: &Diagnostics) -> Error {
        let error = self.context.failed("transform", findings);
        if findings.items.iter().any(|item| item.rule == transform::UNSUPPORTED) {
            return Error::Unsupported(error.to_string());
        }
        error
    }

    fn shifts(&self, plain: &Node) -> Vec<Shift> {
        if self.settings.no_rollout {
            return Vec::new();
        }
        shift::find(&self.template.root, plain, self.settings.strategy.is_some())
    }
}
