//! What the expansion of one template knows and changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Options;
use super::build::Read;
use super::deployment_preference::Collection;
use super::generated::Generated;
use super::openapi::Editor;
use super::openapi::python::{Keys, Py, Tables};
use super::refusal::Refusal;
use super::resolve::{Parameters, References};
use super::resolver::Resolver;
use super::resource::api::usage_plan::Shared;
use crate::template::{Map, Node};

/// What the expansion of one template knows and changes.
pub(crate) struct Context<'a> {
    /// Region, parameters and the like.
    pub(crate) options: &'a Options,
    /// Who knows what only AWS knows.
    pub(crate) resolver: &'a dyn Resolver,
    /// Templates of applications of the repository, by ID and version.
    pub(crate) applications: BTreeMap<(String, String), Result<String, Refusal>>,
    /// The region's partition.
    pub(crate) partition: &'static str,
    /// Values of parameters.
    pub(crate) parameters: Parameters,
    /// The template's resources, implicit APIs and Globals in them; events change buckets here.
    pub(crate) resources: Map,
    /// The resources of the finished template, as far as they are there.
    pub(crate) output: Map,
    /// Their order where a template has an API: the published transform walks through them in the
    /// order of a Python 2.7 dictionary, and an API's hash can depend on that.
    pub(crate) order: Option<Keys>,
    /// `Conditions`, with those that the transform adds.
    pub(crate) conditions: Option<Map>,
    /// `Mappings`.
    pub(crate) mappings: Option<Map>,
    /// The tables of dictionaries that Globals were merged into, by logical ID.
    pub(crate) tables: HashMap<String, Tables>,
    /// The bodies of APIs that events have added to, by logical ID.
    pub(crate) bodies: HashMap<String, Py>,
    /// APIs whose body the transform writes.
    pub(crate) managed: BTreeSet<String>,
    /// Implicit APIs that are there.
    pub(crate) implicit: BTreeSet<&'static str>,
    /// Deployment preferences of functions.
    pub(crate) preferences: Collection,
    /// What can be referred to, and what was renamed.
    pub(crate) references: References,
    /// The usage plan that several APIs share.
    pub(crate) usage_plan: Shared,
    /// Record sets of custom domains by logical ID; several APIs add to one.
    pub(crate) record_sets: BTreeMap<String, Generated>,
    /// What the rollout has to know of aliases.
    pub(crate) alias_preferences: Vec<super::AliasPreference>,
    /// Names of the functions that an API calls: a new name is a new deployment.
    pub(crate) function_names: BTreeMap<String, String>,
    /// What generated resources were made from.
    pub(crate) origins: BTreeMap<String, String>,
}

impl Context<'_> {
    /// The logical IDs in the order in which the published transform meets them.
    pub(crate) fn ordered_ids(&self) -> Vec<String> {
        match &self.order {
            Some(keys) => keys.iter().map(str::to_owned).collect(),
            None => self.resources.keys().map(str::to_owned).collect(),
        }
    }

    /// What the property `name` of the resource `id` is to Python.
    pub(crate) fn python(&self, id: &str, name: &str, property: &Node) -> Py {
        match self.tables.get(id) {
            Some(tables) => Py::with_tables(property, name, tables),
            None => Py::from(property),
        }
    }

    /// Adds or replaces a resource.
    pub(crate) fn put(&mut self, id: &str, node: Node) {
        self.resources.insert(id, node);
        if let Some(keys) = &mut self.order {
            keys.add(id);
        }
    }

    /// Takes a resource out.
    pub(crate) fn take(&mut self, id: &str) {
        self.resources.remove(id);
        if let Some(keys) = &mut self.order {
            keys.remove(id);
        }
    }

    /// A resource's type.
    pub(crate) fn kind_of(&self, id: &str) -> Option<&str> {
        self.resources.get(id)?.get("Type")?.as_str()
    }

    /// A resource's properties.
    pub(crate) fn properties_of(&self, id: &str) -> Option<&Map> {
        self.resources.get(id)?.get("Properties")?.as_map()
    }

    /// An API's body as it stands now.
    pub(crate) fn body(&self, api: &str) -> Option<Py> {
        if let Some(body) = self.bodies.get(api) {
            return Some(body.clone());
        }
        self.properties_of(api)?.get("DefinitionBody").filter(|body| !body.is_null()).map(Py::from)
    }

    /// Whether an API's body is something, where there is one.
    pub(crate) fn has_body(&self, api: &str) -> Option<bool> {
        if let Some(body) = self.bodies.get(api) {
            return Some(body.truthy());
        }
        let body = self.properties_of(api)?.get("DefinitionBody").filter(|body| !body.is_null());
        body.map(Read::truthy)
    }

    /// Edits an API's body, where it has one: `change` gets an editor and may touch `path` only. When it
    /// fails, the body stays as it was.
    ///
    /// # Errors
    /// What `change` says, or that the body is not one to edit.
    pub(crate) fn edit<E: Editor>(
        &mut self,
        api: &str,
        path: &str,
        change: impl FnOnce(&mut E, &mut Self) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let Some(body) = self.bodies.remove(api).or_else(|| self.body(api)) else {
            return Ok(());
        };
        if let Err(refusal) = E::check(&body) {
            self.bodies.insert(api.to_owned(), body);
            return Err(refusal);
        }
        let mut editor = E::open(body);
        let before = editor.paths().dict.get(path).cloned();
        let changed = change(&mut editor, self);
        if changed.is_err() {
            editor.paths().restore(path, before);
        }
        self.bodies.insert(api.to_owned(), editor.finish());
        changed
    }

    /// The name of an API's stage, as the published transform has it: that of the implicit API is its
    /// own word, any other one of the template's.
    pub(crate) fn stage_of(&self, api: &str) -> Py {
        let name = self.properties_of(api).and_then(|properties| properties.get("StageName"));
        match (Py::from(name.unwrap_or(&Node::default())), self.implicit.contains(api)) {
            (Py::Text(name), true) => Py::from(name.text),
            (name, _) => name,
        }
    }

    /// Adds a condition to the template.
    pub(crate) fn add_condition(&mut self, id: &str, name: &str, definition: Node) -> Result<(), Refusal> {
        match &mut self.conditions {
            Some(conditions) => {
                conditions.insert(name, definition);
                Ok(())
            }
            None => Err(Refusal::resource(id, "A condition is used, but the template has no 'Conditions' section.")),
        }
    }

    /// Resolves parameters and mappings, as a few properties allow.
    pub(crate) fn resolve_with_mappings(&self, node: &Node) -> Result<Node, Refusal> {
        let resolved = self.parameters.resolve(&mut node.clone())?;
        super::resolve::find_in_map(&resolved, self.mappings.as_ref())
    }

    /// Notes the functions that the APIs of `node`'s events call.
    pub(crate) fn note_function_names(&mut self, node: &Node) -> Result<(), Refusal> {
        if node.get("Type").and_then(Node::as_str).map(str::trim) != Some("AWS::Serverless::Function") {
            return Ok(());
        }
        let Some(properties) = node.get("Properties").and_then(Node::as_map) else {
            return Ok(());
        };
        let name = properties.get("FunctionName").filter(|name| !name.is_null()).cloned();
        for (_, event) in properties.get("Events").and_then(Node::as_map).into_iter().flat_map(Map::iter) {
            let api = event.path(&["Properties", "RestApiId"]).filter(|api| api.truthy());
            let api = api.map(|api| api.get("Ref").unwrap_or(api)).and_then(Node::as_str);
            let (Some("Api"), Some(api), Some(name)) = (event.get("Type").and_then(Node::as_str), api, &name) else {
                continue;
            };
            let resolved = self.parameters.resolve(&mut name.clone())?;
            if resolved.truthy() {
                let resolved = resolved.as_str().map_or_else(|| Py::from(&resolved).repr(), str::to_owned);
                self.function_names.entry(api.to_owned()).or_default().push_str(&resolved);
            }
        }
        Ok(())
    }
}
