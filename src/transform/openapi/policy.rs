//! `Auth.ResourcePolicy`: who may call a REST API.

use super::python::{Dict, Py, Text};
use super::swagger::Swagger;
use super::{ANY_METHOD, path_with_stars};
use crate::transform::refusal::Refusal;

impl Swagger {
    /// Adds what a policy says of one path.
    pub(crate) fn add_resource_policy(&mut self, policy: &Py, path: &Text, stage: &Py) -> Result<(), Refusal> {
        if policy.as_dict().is_none() {
            return Err(Refusal::document("Resource Policy is not a valid dictionary."));
        }
        let resources = self.method_arns(path, stage)?;
        for (key, effect) in [("AwsAccountWhitelist", "Allow"), ("AwsAccountBlacklist", "Deny")] {
            if let Some(accounts) = policy.get(key) {
                self.allow_accounts(accounts, effect, &resources)?;
            }
        }
        for (key, condition) in [("IpRangeWhitelist", "NotIpAddress"), ("IpRangeBlacklist", "IpAddress")] {
            if let Some(ranges) = policy.get(key).filter(|ranges| ranges.truthy()) {
                let ranges = if ranges.as_list().is_some() { ranges.clone() } else { vec![ranges.clone()].into() };
                let source = Dict::plain_of([("aws:SourceIp", ranges)]);
                self.deny_unless(Dict::plain_of([(condition, source.into())]), &resources);
            }
        }
        for (list, condition) in [("Blacklist", "StringEquals"), ("Whitelist", "StringNotEquals")] {
            let endpoints = endpoints(policy, list)?;
            if endpoints.iter().any(|(_, value)| value.truthy()) {
                self.deny_unless(Dict::plain_of([(condition, endpoints.into())]), &resources);
            }
        }
        self.keep_policy();
        Ok(())
    }

    /// Adds statements as they are.
    pub(crate) fn add_custom_statements(&mut self, statements: &Py) {
        if let Some(policy) = self.policy.as_dict_mut() {
            policy.insert("Version", "2012-10-17");
        }
        if self.policy.get("Statement").is_none() {
            self.set_statement(statements.clone());
        } else {
            let statements = match statements {
                Py::List(items) => items.clone(),
                one => vec![one.clone()],
            };
            self.add_statements(statements);
        }
        self.keep_policy();
    }

    fn method_arns(&self, path: &Text, stage: &Py) -> Result<Py, Refusal> {
        let stars = path_with_stars(&path.text, true);
        let mut arns = Vec::new();
        for method in self.method_names(&path.text)? {
            let lower = method.text.to_lowercase();
            let any = lower == ANY_METHOD || lower == "any";
            let name = if any { "*".to_owned() } else { method.text.to_uppercase() };
            let arn = Text {
                text: format!("execute-api:/${{__Stage__}}/{name}{stars}"),
                unicode: path.unicode || (!any && method.unicode),
            };
            let variables = Dict::plain_of([("__Stage__", stage.clone())]);
            arns.push(Dict::plain_of([("Fn::Sub", vec![arn.into(), variables.into()].into())]).into());
        }
        Ok(arns.into())
    }

    fn allow_accounts(&mut self, accounts: &Py, effect: &str, resources: &Py) -> Result<(), Refusal> {
        if !accounts.truthy() {
            return Ok(());
        }
        let accounts = match accounts {
            Py::List(_) => accounts.clone(),
            Py::Dict(_) => vec![accounts.clone()].into(),
            other => {
                let message = format!("Type of '{}' must be a list or dictionary", other.display());
                return Err(Refusal::document(message));
            }
        };
        let principal = Dict::hashed_of([("AWS", accounts)]);
        let statement = statement(effect, resources, principal.into());
        if let Some(policy) = self.policy.as_dict_mut() {
            policy.insert("Version", "2012-10-17");
        }
        if self.policy.get("Statement").is_none() {
            self.set_statement(statement.into());
        } else {
            let mut all = self.statements();
            all.push(statement.into());
            self.set_statement(all.into());
        }
        Ok(())
    }

    fn deny_unless(&mut self, condition: Dict, resources: &Py) {
        let allow = statement("Allow", resources, "*".into());
        let mut deny = statement("Deny", resources, "*".into());
        deny.insert("Condition", condition);
        if let Some(policy) = self.policy.as_dict_mut() {
            policy.insert("Version", "2012-10-17");
        }
        if self.policy.get("Statement").is_none() {
            self.set_statement(vec![allow.into(), deny.into()].into());
        } else {
            self.add_statements(vec![allow.into(), deny.into()]);
        }
    }

    /// Takes out what is there.
    fn statements(&mut self) -> Vec<Py> {
        match self.policy.as_dict_mut().and_then(|policy| policy.get_mut("Statement")) {
            Some(Py::List(items)) => std::mem::take(items),
            None | Some(Py::None) => Vec::new(),
            Some(one) => vec![std::mem::replace(one, Py::None)],
        }
    }

    fn add_statements(&mut self, added: Vec<Py>) {
        let mut all = self.statements();
        for statement in added {
            if !all.contains(&statement) {
                all.push(statement);
            }
        }
        self.set_statement(all.into());
    }

    fn set_statement(&mut self, statement: Py) {
        if let Some(policy) = self.policy.as_dict_mut() {
            policy.insert("Statement", statement);
        }
    }
}

fn statement(effect: &str, resources: &Py, principal: Py) -> Dict {
    Dict::hashed_of([
        ("Effect", effect.into()),
        ("Action", "execute-api:Invoke".into()),
        ("Resource", resources.clone()),
        ("Principal", principal),
    ])
}

/// VPCs and endpoints of a list, by the condition key that they go under.
fn endpoints(policy: &Py, list: &str) -> Result<Dict, Refusal> {
    let mut found = Dict::hashed();
    let add = |found: &mut Dict, key: &str, values: &[Py]| {
        if let Py::List(items) = found.or_insert(key, Vec::new()) {
            items.extend(values.iter().cloned());
        }
    };
    if let Some(ids) = policy.get(&format!("SourceVpc{list}")) {
        let texts = ids.as_list().filter(|ids| ids.iter().all(|id| id.as_str().is_some()));
        let Some(ids) = texts else {
            return Err(Refusal::document(format!(
                "SourceVpc{list} must be a list of strings. Use IntrinsicVpc{list} instead for values that use Intrinsic \
                 Functions"
            )));
        };
        for (key, prefix) in [("aws:SourceVpc", "vpc-"), ("aws:SourceVpce", "vpce-")] {
            let of_kind: Vec<Py> =
                ids.iter().filter(|id| id.as_str().is_some_and(|id| id.starts_with(prefix))).cloned().collect();
            if !of_kind.is_empty() {
                add(&mut found, key, &of_kind);
            }
        }
    }
    for (key, property) in [("aws:SourceVpc", "IntrinsicVpc"), ("aws:SourceVpce", "IntrinsicVpce")] {
        if let Some(ids) = policy.get(&format!("{property}{list}")) {
            add(&mut found, key, ids.as_list().unwrap_or_default());
        }
    }
    Ok(found)
}
