//! `AWS::Serverless::GraphQLApi`: an API of AppSync with its schema, data sources, functions and
//! resolvers.

mod auth;
mod schema;
mod source;

use super::Resource;
use crate::template::{Map, Node};
use crate::transform::build::{Read, get_att, list, map, reference, sub, tag_list, text};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::policies::trust;
use crate::transform::property::{Kind, Property, optional, required};
use crate::transform::refusal::Refusal;
use crate::transform::schema::read_one;

/// Its type.
pub(super) const KIND: &str = "AWS::Serverless::GraphQLApi";

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    optional("Name", Kind::Any),
    optional("Tags", Kind::Map).literal(),
    optional("XrayEnabled", Kind::Any),
    required("Auth", Kind::Map).literal(),
    optional("SchemaInline", Kind::Text).literal(),
    optional("SchemaUri", Kind::Text).literal(),
    optional("Logging", Kind::BoolOrMap).literal(),
    optional("DataSources", Kind::Map).literal(),
    optional("Functions", Kind::Map).literal(),
    optional("Resolvers", Kind::Map).literal(),
    optional("ApiKeys", Kind::Map).literal(),
    optional("DomainName", Kind::Map).literal(),
    optional("Cache", Kind::Map).literal(),
    optional("Visibility", Kind::Any).passed(),
    optional("OwnerContact", Kind::Any).passed(),
    optional("IntrospectionConfig", Kind::Any).passed(),
    optional("QueryDepthLimit", Kind::Any).passed(),
    optional("ResolverCountLimit", Kind::Any).passed(),
];

/// What a resolver does that has no code of its own: it hands on what its functions gave.
const DEFAULT_CODE: &str = "
export function request(ctx) {
    return {};
}

export function response(ctx) {
    return ctx.prev.result;
}
";

/// An API while it is expanded.
struct Api<'a> {
    resource: &'a Resource,
    /// Its properties, made to fit.
    read: Node,
    /// Data sources and functions by their names in the template: how they are referred to.
    sources: Vec<(String, Node)>,
    functions: Vec<(String, Node)>,
    /// The source that leads nowhere, when something uses it.
    none: Option<Generated>,
}

/// The API and everything that comes with it.
pub(super) fn expand(resource: &mut Resource, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let read = read_one(&resource.id, &resource.properties, schema::SCHEMA)?;
    let mut api = Api { resource, read, sources: Vec::new(), functions: Vec::new(), none: None };
    let (made, links) = api.api(context)?;
    let logging = api.logging(made)?;
    let mut all = vec![logging.0, api.schema()?];
    all.extend(links);
    all.extend(logging.1);
    all.extend(api.keys()?);
    all.extend(api.cache()?);
    all.extend(source::expand(&mut api, context)?);
    all.extend(api.domain()?);
    all.extend(api.functions()?);
    all.extend(api.resolvers()?);
    all.extend(api.none);
    Ok(all)
}

impl Api<'_> {
    fn id(&self) -> &str {
        &self.resource.id
    }

    fn api_id(&self) -> Node {
        get_att(self.id(), "ApiId")
    }

    fn given(&self, name: &str) -> Option<&Node> {
        self.read.get(name).filter(|value| value.truthy())
    }

    /// Everything that is made has all attributes of the API.
    fn generated(&self, id: impl Into<String>, kind: &'static str) -> Result<Generated, Refusal> {
        self.resource.main(&id.into(), kind)
    }

    fn entries(&self, name: &str) -> Map {
        self.given(name).and_then(Node::as_map).cloned().unwrap_or_default()
    }

    fn api(&self, context: &mut Context) -> Result<(Generated, Vec<Generated>), Refusal> {
        let mut api = self.generated(self.id(), "AWS::AppSync::GraphQLApi")?;
        api.set("Name", self.given("Name").cloned().unwrap_or_else(|| text(self.id())));
        api.set("XrayEnabled", self.read.get("XrayEnabled").cloned());
        for property in PROPERTIES.iter().filter(|property| property.passed) {
            api.set(property.name, self.given(property.name).cloned());
        }
        let links = auth::set(self, &mut api, context)?;
        let mut tags = self.entries("Tags");
        tags.insert("graphqlapi:createdBy", "SAM");
        api.set("Tags", Node::from(tag_list(tags.iter())));
        Ok((api, links))
    }

    /// Logging is on unless it is off by name; the role for it, when none is given.
    fn logging(&self, mut api: Generated) -> Result<(Generated, Option<Generated>), Refusal> {
        let logging = self.read.get("Logging");
        if logging.and_then(Node::as_bool) == Some(false) {
            return Ok((api, None));
        }
        let given = |name: &str| logging.and_then(|logging| logging.get(name)).filter(|value| value.truthy()).cloned();
        let mut config = Map::new();
        if let Some(exclude) = given("ExcludeVerboseContent") {
            config.insert("ExcludeVerboseContent", exclude);
        }
        config.insert("FieldLogLevel", given("FieldLogLevel").unwrap_or_else(|| text("ALL")));
        let (arn, role) = match given("CloudWatchLogsRoleArn") {
            Some(arn) => (arn, None),
            None => {
                let mut role = self.generated(format!("{}CloudWatchRole", self.id()), "AWS::IAM::Role")?;
                role.set("AssumeRolePolicyDocument", trust("appsync.amazonaws.com"));
                let policy = "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSAppSyncPushToCloudWatchLogs";
                role.set("ManagedPolicyArns", list([sub(policy, [])]));
                (role.arn(), Some(role))
            }
        };
        config.insert("CloudWatchLogsRoleArn", arn);
        api.set("LogConfig", Node::from(config));
        Ok((api, role))
    }

    fn schema_id(&self) -> String {
        format!("{}Schema", self.id())
    }

    fn schema(&self) -> Result<Generated, Refusal> {
        match (self.given("SchemaInline"), self.given("SchemaUri")) {
            (None, None) => return self.resource.refuse("One of 'SchemaInline' or 'SchemaUri' must be set."),
            (Some(_), Some(_)) => {
                return self.resource.refuse("Both 'SchemaInline' and 'SchemaUri' cannot be defined at the same time.");
            }
            _ => {}
        }
        let mut schema = self.generated(self.schema_id(), "AWS::AppSync::GraphQLSchema")?;
        schema.set("ApiId", self.api_id());
        schema.set("Definition", self.read.get("SchemaInline").cloned());
        schema.set("DefinitionS3Location", self.read.get("SchemaUri").cloned());
        Ok(schema)
    }

    fn keys(&self) -> Result<Vec<Generated>, Refusal> {
        let mut all = Vec::new();
        for (name, given) in self.entries("ApiKeys").iter() {
            let mut key = self.generated(format!("{}{name}", self.id()), "AWS::AppSync::ApiKey")?;
            key.set("ApiId", self.api_id());
            for (from, to) in [("ApiKeyId", "ApiKeyId"), ("Description", "Description"), ("ExpiresOn", "Expires")] {
                key.set(to, given.get(from).cloned());
            }
            all.push(key);
        }
        Ok(all)
    }

    fn cache(&self) -> Result<Option<Generated>, Refusal> {
        let Some(given) = self.given("Cache").and_then(Node::as_map) else {
            return Ok(None);
        };
        let mut cache = self.generated(format!("{}ApiCache", self.id()), "AWS::AppSync::ApiCache")?;
        cache.set("ApiId", self.api_id());
        let names = ["ApiCachingBehavior", "Type", "Ttl", "AtRestEncryptionEnabled", "TransitEncryptionEnabled"];
        cache.copy(given, &names);
        Ok(Some(cache))
    }

    fn domain(&self) -> Result<Vec<Generated>, Refusal> {
        let Some(given) = self.given("DomainName").and_then(Node::as_map) else {
            return Ok(Vec::new());
        };
        let mut domain = self.generated(format!("{}DomainName", self.id()), "AWS::AppSync::DomainName")?;
        domain.copy(given, &["CertificateArn", "DomainName", "Description"]);
        let id = format!("{}DomainNameApiAssociation", self.id());
        let mut association = self.generated(id, "AWS::AppSync::DomainNameApiAssociation")?;
        association.set("ApiId", self.api_id());
        association.set("DomainName", reference(&domain.id));
        Ok(vec![domain, association])
    }

    fn functions(&mut self) -> Result<Vec<Generated>, Refusal> {
        let mut all = Vec::new();
        for (name, given) in self.entries("Functions").iter() {
            if let Some(id) = given.get("Id").filter(|id| id.truthy()) {
                if given.as_map().is_some_and(|given| given.len() > 1) {
                    let message = "'Id' cannot be defined with other properties in Function.";
                    return Err(Refusal::resource(name, message).at(given.span));
                }
                self.functions.push((name.to_owned(), id.clone()));
                continue;
            }
            let function = self.function(name, given).map_err(|refusal| refusal.at(given.span))?;
            self.functions.push((name.to_owned(), get_att(&function.id, "FunctionId")));
            all.push(function);
        }
        Ok(all)
    }

    fn function(&mut self, name: &str, given: &Node) -> Result<Generated, Refusal> {
        let truthy = |name: &str| given.get(name).filter(|value| value.truthy());
        let mut function = self.generated(format!("{}{name}", self.id()), "AWS::AppSync::FunctionConfiguration")?;
        function.set("ApiId", self.api_id());
        function.set("Name", truthy("Name").cloned().unwrap_or_else(|| text(name)));
        match (truthy("InlineCode"), truthy("CodeUri")) {
            (Some(_), Some(_)) => return Err(both(name)),
            (None, None) => {
                return Err(Refusal::resource(name, "One of 'InlineCode' or 'CodeUri' must be set."));
            }
            (code, location) => {
                function.set("Code", code.cloned());
                function.set("CodeS3Location", location.cloned());
            }
        }
        function.set("DataSourceName", source::name_of(self, name, given.get("DataSource"))?);
        function.set("MaxBatchSize", given.get("MaxBatchSize").cloned());
        function.set("Description", given.get("Description").cloned());
        function.set("Runtime", runtime(name, given)?);
        function.set("SyncConfig", given.get("Sync").cloned());
        Ok(function)
    }

    fn resolvers(&self) -> Result<Vec<Generated>, Refusal> {
        let mut all = Vec::new();
        for (kind, fields) in self.entries("Resolvers").iter() {
            for (name, given) in fields.as_map().into_iter().flat_map(Map::iter) {
                all.push(self.resolver(kind, name, given).map_err(|refusal| refusal.at(given.span))?);
            }
        }
        Ok(all)
    }

    fn resolver(&self, kind: &str, name: &str, given: &Node) -> Result<Generated, Refusal> {
        let truthy = |name: &str| given.get(name).filter(|value| value.truthy());
        let mut resolver = self.generated(format!("{}{kind}{name}", self.id()), "AWS::AppSync::Resolver")?;
        let schema = self.schema_id();
        resolver.depend_on([schema.as_str()]);
        let (code, location) = (truthy("InlineCode"), truthy("CodeUri"));
        if code.is_some() && location.is_some() {
            return Err(both(name));
        }
        if code.is_none() && location.is_none() {
            resolver.set("Code", text(DEFAULT_CODE));
            resolver.set("Runtime", map([("Name", text("APPSYNC_JS")), ("RuntimeVersion", text("1.0.0"))]));
        } else {
            resolver.set("Code", given.get("InlineCode").cloned());
            resolver.set("CodeS3Location", given.get("CodeUri").cloned());
            resolver.set("Runtime", runtime(name, given)?);
        }
        resolver.set("ApiId", self.api_id());
        resolver.set("FieldName", truthy("FieldName").cloned().unwrap_or_else(|| text(name)));
        resolver.set("TypeName", text(kind));
        let Some(pipeline) = truthy("Pipeline").and_then(Node::as_list) else {
            return Err(Refusal::resource(
                name,
                format!(
                    "Resolver '{name}' must have Pipeline defined. Unit resolvers are not supported. If you need a \
                     Unit resolver you can use AppSync resource."
                ),
            ));
        };
        let mut functions = Vec::with_capacity(pipeline.len());
        for function in pipeline.iter().filter_map(Node::as_str) {
            match self.functions.iter().rfind(|(other, _)| other == function) {
                Some((_, id)) => functions.push(id.clone()),
                None => return Err(Refusal::resource(name, format!("Function '{function}' does not exist."))),
            }
        }
        resolver.set("Kind", text("PIPELINE"));
        resolver.set("PipelineConfig", map([("Functions", Node::from(functions))]));
        resolver.set("CachingConfig", given.get("Caching").cloned());
        resolver.set("MaxBatchSize", truthy("MaxBatchSize").cloned());
        Ok(resolver)
    }
}

fn both(name: &str) -> Refusal {
    Refusal::resource(name, "Both 'InlineCode' and 'CodeUri' cannot be defined at the same time.")
}

fn runtime(name: &str, given: &Node) -> Result<Node, Refusal> {
    let Some(runtime) = given.get("Runtime") else {
        return Err(Refusal::resource(name, format!("'Runtime' must be defined as a property in {name}.")));
    };
    let part = |name: &str| runtime.get(name).cloned().unwrap_or_default();
    Ok(map([("Name", part("Name")), ("RuntimeVersion", part("Version"))]))
}
