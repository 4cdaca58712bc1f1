//! The bodies of APIs: OpenAPI 2 (Swagger) for REST APIs, OpenAPI 3 for HTTP APIs.

pub(crate) mod authorizer;
pub(crate) mod http;
pub(crate) mod policy;
pub(crate) mod python;
pub(crate) mod swagger;

use super::refusal::Refusal;
use python::{Dict, Py, Text};

pub(crate) const INTEGRATION: &str = "x-amazon-apigateway-integration";
pub(crate) const ANY_METHOD: &str = "x-amazon-apigateway-any-method";

/// What the paths of both kinds of bodies have in common.
pub(crate) struct Paths {
    /// The `paths` section.
    pub(crate) dict: Dict,
}

/// An editor of a body.
pub(crate) trait Editor: Sized {
    /// Whether a body can be edited.
    fn check(body: &Py) -> Result<(), Refusal>;
    /// Starts to edit a body that [`Editor::check`] has let pass: a deep copy of it.
    fn open(body: Py) -> Self;
    /// The body's paths.
    fn paths(&mut self) -> &mut Paths;
    /// The body as edited: a deep copy again.
    fn finish(self) -> Py;

    /// Starts to edit a body.
    fn new(body: Py) -> Result<Self, Refusal> {
        Self::check(&body)?;
        Ok(Self::open(body))
    }
}

/// Takes a section that is something out of a body; an empty one stands for any other.
pub(crate) fn take_section(doc: &mut Dict, key: &str) -> Py {
    match doc.get_mut(key) {
        Some(section) if section.truthy() => std::mem::replace(section, Py::None),
        _ => Dict::hashed().into(),
    }
}

/// Branches of an `Fn::If` that are something, or the value itself.
pub(crate) fn branches(item: &Py) -> Result<Vec<&Py>, Refusal> {
    match item.as_dict().and_then(|dict| dict.get("Fn::If")) {
        None => Ok(vec![item]),
        Some(Py::List(arguments)) => Ok(arguments.iter().skip(1).filter(|branch| !branch.is_no_value()).collect()),
        Some(_) => Err(Refusal::document("Value of Fn::If must be a list.")),
    }
}

/// The same, to change them.
pub(crate) fn branches_mut(item: &mut Py) -> Result<Vec<&mut Py>, Refusal> {
    if item.as_dict().is_none_or(|dict| !dict.contains("Fn::If")) {
        return Ok(vec![item]);
    }
    match item.as_dict_mut().and_then(|dict| dict.get_mut("Fn::If")) {
        Some(Py::List(arguments)) => Ok(arguments.iter_mut().skip(1).filter(|branch| !branch.is_no_value()).collect()),
        _ => Err(Refusal::document("Value of Fn::If must be a list.")),
    }
}

/// A method's name as paths have it.
pub(crate) fn normalize(method: &Text) -> Text {
    let lower = method.text.to_lowercase();
    if lower == "any" { ANY_METHOD.into() } else { Text { text: lower, unicode: method.unicode } }
}

/// Whether a version is 3.x or 3.x.y.
pub(crate) fn is_version_3(version: &Py) -> bool {
    version_digits(version).is_some_and(|first| first == '3')
}

/// Whether a version is one that `OpenApiVersion` takes.
pub(crate) fn is_supported_version(version: &Py) -> bool {
    version_digits(version).is_some_and(|first| first == '2' || first == '3')
}

fn version_digits(version: &Py) -> Option<char> {
    let version = version.display();
    let version = version.strip_suffix('\n').unwrap_or(&version);
    let parts: Vec<&str> = version.split('.').collect();
    let digit = |part: &&str| part.len() == 1 && part.bytes().all(|byte| byte.is_ascii_digit());
    ((2..=3).contains(&parts.len()) && parts.iter().all(digit)).then(|| parts[0].chars().next()).flatten()
}

/// `Fn::If` in a body.
pub(crate) fn conditional(condition: &Py, then: Py) -> Py {
    let nothing = Dict::plain_of([("Ref", "AWS::NoValue".into())]);
    Dict::plain_of([("Fn::If", vec![condition.clone(), then, nothing.into()].into())]).into()
}

/// A map is wanted here.
pub(crate) fn dict<'a>(item: &'a Py, message: &str) -> Result<&'a Dict, Refusal> {
    item.as_dict().ok_or_else(|| Refusal::document(message))
}

fn path_message(path: &str) -> String {
    format!("Value of '{path}' path must be a dictionary according to Swagger spec.")
}

/// A path's item has to be a map.
pub(crate) fn path_item<'a>(item: &'a mut Py, path: &str) -> Result<&'a mut Dict, Refusal> {
    item.as_dict_mut().ok_or_else(|| Refusal::document(path_message(path)))
}

/// A method's definition has to be a map.
pub(crate) fn definition<'a>(item: &'a mut Py, path: &str, method: &str) -> Result<&'a mut Dict, Refusal> {
    item.as_dict_mut()
        .ok_or_else(|| Refusal::document(format!("Definition of method '{method}' for path '{path}' should be a map.")))
}

/// Whether a method's definition has an integration.
pub(crate) fn has_integration(definition: &Dict) -> bool {
    definition.get(INTEGRATION).is_some_and(Py::truthy)
}

impl Paths {
    /// Every path is a map.
    pub(crate) fn check(paths: &Dict) -> Result<(), Refusal> {
        let plain = |item: &Py| item.as_dict().is_some_and(|item| !item.contains("Fn::If"));
        if paths.values().all(plain) {
            return Ok(());
        }
        let copy = Py::from(paths.clone()).deep_copied();
        for (path, item) in copy.as_dict().into_iter().flat_map(Dict::iter) {
            for branch in branches(item)? {
                dict(branch, &path_message(&path.text))?;
            }
        }
        Ok(())
    }

    /// Makes a path what it was.
    pub(crate) fn restore(&mut self, path: &str, item: Option<Py>) {
        match item {
            Some(item) => self.dict.insert(path, item),
            None => {
                self.dict.remove(path);
            }
        }
    }

    /// Whether a path has an integration for a method, on every branch.
    pub(crate) fn has_integration(&self, path: &str, method: &Text) -> Result<bool, Refusal> {
        let method = normalize(method);
        let Some(item) = self.dict.get(path) else {
            return Ok(false);
        };
        for branch in branches(item)? {
            if branch.as_dict().is_none_or(|item| !item.contains(&method.text)) {
                return Ok(false);
            }
        }
        for branch in branches(item)? {
            let Some(definition @ Py::Dict(_)) = branch.as_dict().and_then(|item| item.get(&method.text)) else {
                return Ok(false);
            };
            let mut found = false;
            for branch in branches(definition)? {
                let message = format!("Definition of method '{}' for path '{path}' should be a map.", method.text);
                found |= has_integration(dict(branch, &message)?);
            }
            if !found {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts a path and a method there, when they are not.
    pub(crate) fn add(&mut self, path: &Text, method: &Text) -> Result<(), Refusal> {
        let method = normalize(method);
        let item = self.dict.or_insert(path.clone(), Dict::hashed());
        path_item(item, &path.text)?;
        for branch in branches_mut(item)? {
            path_item(branch, &path.text)?.or_insert(method.clone(), Dict::hashed());
        }
        Ok(())
    }

    /// Makes a path depend on a condition.
    pub(crate) fn make_conditional(&mut self, path: &str, condition: &Py) {
        if let Some(item) = self.dict.get_mut(path) {
            *item = conditional(condition, std::mem::replace(item, Py::None));
        }
    }

    /// Calls `change` for every definition of a method of a path that has an integration.
    pub(crate) fn each_definition(
        &mut self,
        path: &str,
        method: &Text,
        change: &mut dyn FnMut(&mut Dict) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let normalized = normalize(method);
        let Some(item) = self.dict.get_mut(path) else {
            return Err(Refusal::document(path_message(path)));
        };
        for branch in branches_mut(item)? {
            let item = path_item(branch, path)?;
            let Some(found) = item.get_mut(&normalized.text) else {
                let message = format!("Definition of method '{}' for path '{path}' should be a map.", method.text);
                return Err(Refusal::document(message));
            };
            for branch in branches_mut(found)? {
                let definition = definition(branch, path, &method.text)?;
                if has_integration(definition) {
                    change(definition)?;
                }
            }
        }
        Ok(())
    }

    /// Limits the time of an integration.
    pub(crate) fn add_timeout(&mut self, path: &str, method: &Text, timeout: &Py) -> Result<(), Refusal> {
        self.each_definition(path, method, &mut |definition| {
            if let Some(integration) = definition.get_mut(INTEGRATION).and_then(Py::as_dict_mut) {
                integration.insert("timeoutInMillis", timeout.clone());
            }
            Ok(())
        })
    }
}

/// The list under `security`, or a refusal.
pub(crate) fn security(definition: &Dict, path: &str, method: &str) -> Result<Vec<Py>, Refusal> {
    match definition.get("security") {
        None => Ok(Vec::new()),
        Some(Py::List(items)) => Ok(items.clone()),
        Some(_) => Err(Refusal::document(format!("Type of security for path {path} method {method} must be a list"))),
    }
}

/// A path with its parameters as stars, for the ARNs of permissions; `greedy`: whether `{name+}` is a
/// parameter too.
pub(crate) fn path_with_stars(path: &str, greedy: bool) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        let parameter = after.split_once('}').filter(|(name, _)| {
            let bare = if greedy || *name == "proxy+" { name.strip_suffix('+').unwrap_or(name) } else { name };
            !bare.is_empty()
                && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
        });
        match parameter {
            Some((_, behind)) => {
                out.push('*');
                rest = behind;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_a_path_become_stars() {
        assert_eq!(path_with_stars("/a/{id}/{proxy+}", true), "/a/*/*");
        assert_eq!(path_with_stars("/a/{rest+}", false), "/a/{rest+}");
        assert_eq!(path_with_stars("/a/{rest+}", true), "/a/*");
        assert_eq!(path_with_stars("/{}/{a b}", true), "/{}/{a b}");
    }

    #[test]
    fn versions_have_two_or_three_digits() {
        assert!(is_version_3(&"3.0.1".into()));
        assert!(is_version_3(&"3.0".into()));
        assert!(!is_version_3(&"3".into()));
        assert!(!is_version_3(&"2.0".into()));
        assert!(is_supported_version(&"2.0".into()));
        assert!(!is_supported_version(&"3.0.10".into()));
    }
}
