//! Writing answers and arguments back into the configuration, comments and order kept.

use std::io::Write as _;
use std::path::Path;

use toml_edit::{DocumentMut, Item, Table};

use super::{Error, Format, parse};
use crate::template::{Map, Node, Value};

/// What is to be written for one environment. Values are plain: text, numbers, truth values, lists
/// of them and tables of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// The environment, such as `default`.
    pub env: String,
    /// The command, such as `deploy`.
    pub command: String,
    /// Keys of the command's own section.
    pub parameters: Map,
    /// Keys of the global section, such as `region`.
    pub global: Map,
}

/// Writes an update into a file, which is made when it is not there. The file is replaced as a
/// whole, so that an interruption leaves either the old or the new one.
///
/// # Errors
/// The file is there and no configuration; it cannot be written; it is YAML and has comments.
pub fn save(path: &Path, update: &Update) -> Result<(), Error> {
    let format = Format::of(path)?;
    let old = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(Error::Unreadable { path: path.to_owned(), source }),
    };
    // Refuse to touch what could not be read either.
    let name = path.display().to_string();
    parse(&name, &old, format)?;
    let text = String::from_utf8_lossy(&old);
    let new = match format {
        Format::Toml => toml(&name, &text, update)?,
        Format::Yaml => yaml(path, &text, update)?,
    };
    replace(path, &new).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Replaces a file in one step. A link is followed: what it points to is replaced.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let dir = target.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(text.as_bytes())?;
    let permissions = match std::fs::metadata(&target) {
        Ok(metadata) => metadata.permissions(),
        Err(_) => default_permissions(),
    };
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    Ok(())
}

/// A temporary file is readable by its owner alone; a configuration is there to be shared.
fn default_permissions() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}

/// The text of a TOML file with the update in it.
///
/// # Errors
/// `text` is no TOML, or has something else than a table where a section has to be.
pub fn toml(name: &str, text: &str, update: &Update) -> Result<String, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| Error::Write {
        path: name.into(),
        source: std::io::Error::other(error.message().to_owned()),
    })?;
    if !document.contains_key("version") {
        document.insert("version", toml_edit::value(super::VERSION));
    }
    for (section, values) in [("global", &update.global), (update.command.as_str(), &update.parameters)] {
        if values.is_empty() {
            continue;
        }
        let table = [&update.env, section, "parameters"]
            .into_iter()
            .try_fold(document.as_item_mut(), |item, key| sub_table(item, key))
            .and_then(Item::as_table_like_mut)
            .ok_or_else(|| Error::Write {
                path: name.into(),
                source: std::io::Error::other(format!("{}.{section}.parameters is not a table", update.env)),
            })?;
        for (key, node) in values.iter() {
            let Some(mut value) = toml_value(node) else {
                table.remove(key);
                continue;
            };
            match table.get_mut(key) {
                // The comments above the key and behind the value belong to the line, not to the old value.
                Some(old) => {
                    if let Some(decor) = old.as_value().map(toml_edit::Value::decor) {
                        *value.decor_mut() = decor.clone();
                    }
                    *old = Item::Value(value);
                }
                None => {
                    table.insert(key, Item::Value(value));
                }
            }
        }
    }
    Ok(document.to_string())
}

/// The table of `key`, made when it is not there; `None` when something else is.
fn sub_table<'a>(item: &'a mut Item, key: &str) -> Option<&'a mut Item> {
    let table = item.as_table_like_mut()?;
    if !table.contains_key(key) {
        let mut new = Table::new();
        // `[default.deploy.parameters]` alone, not `[default]` and `[default.deploy]` above it.
        new.set_implicit(key != "parameters");
        table.insert(key, Item::Table(new));
    }
    table.get_mut(key).filter(|item| item.is_table_like())
}

/// As TOML; `None` for null, which TOML does not have.
fn toml_value(node: &Node) -> Option<toml_edit::Value> {
    Some(match &node.value {
        Value::Null => return None,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64()?.into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::List(items) => toml_edit::Value::Array(items.iter().filter_map(toml_value).collect()),
        Value::Map(map) => {
            let mut table = toml_edit::InlineTable::new();
            for (key, value) in map.iter() {
                if let Some(value) = toml_value(value) {
                    table.insert(key, value);
                }
            }
            toml_edit::Value::InlineTable(table)
        }
    })
}

/// The text of a YAML file with the update in it. `serde_yaml` keeps no comments, so a file that
/// has some is left alone.
fn yaml(path: &Path, text: &str, update: &Update) -> Result<String, Error> {
    let invalid = |reason: String| Error::Write { path: path.to_owned(), source: std::io::Error::other(reason) };
    let old: serde_json::Value = if text.trim().is_empty() {
        serde_json::Value::Null
    } else {
        serde_yaml::from_str(text).map_err(|error| invalid(error.to_string()))?
    };
    let mut root = match Node::from(old).value {
        Value::Map(map) => map,
        _ => Map::new(),
    };
    let mut addition = Map::new();
    if !root.contains_key("version") {
        addition
            .insert("version", Value::Number(serde_json::Number::from_f64(super::VERSION).unwrap_or_else(|| 0.into())));
    }
    let mut sections = Map::new();
    for (section, values) in [("global", &update.global), (update.command.as_str(), &update.parameters)] {
        if !values.is_empty() {
            sections.insert(section, Map::from_iter([("parameters", values.clone())]));
        }
    }
    addition.insert(update.env.as_str(), sections);
    let show = |map: &Map| {
        serde_yaml::to_string(&Node::from(map.clone()).to_json()).map_err(|error| invalid(error.to_string()))
    };
    if text.lines().any(|line| line.trim_start().starts_with('#') || line.contains(" #")) {
        return Err(Error::WouldLoseComments { path: path.to_owned(), lines: show(&addition)? });
    }
    merge(&mut root, addition);
    show(&root)
}

/// Puts `addition` over `map`, table by table.
fn merge(map: &mut Map, addition: Map) {
    for (key, node) in addition {
        match (map.get_mut(&key).and_then(Node::as_map_mut), node.value) {
            (Some(old), Value::Map(new)) if key != "parameter_overrides" => merge(old, new),
            (_, Value::Null) => {
                map.remove(&key);
            }
            (_, value) => {
                map.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update() -> Update {
        Update {
            env: "default".to_owned(),
            command: "deploy".to_owned(),
            parameters: Map::from_iter([
                ("stack_name", Value::from("new")),
                ("confirm_changeset", Value::from(true)),
                ("image_repositories", Value::from(vec![Node::from("F=uri")])),
            ]),
            global: Map::from_iter([("region", Value::from("eu-west-1"))]),
        }
    }

    #[test]
    fn a_new_file_has_only_what_was_said() {
        insta::assert_snapshot!(toml("samconfig.toml", "", &update()).unwrap(), @r#"
        version = 0.1

        [default.global.parameters]
        region = "eu-west-1"

        [default.deploy.parameters]
        stack_name = "new"
        confirm_changeset = true
        image_repositories = ["F=uri"]
        "#);
    }

    #[test]
    fn comments_order_and_what_belongs_to_others_stay() {
        let old = r#"# Our deployments. Ask Ada before touching prod.
version = 0.1

[prod.deploy.parameters]
stack_name = "prod"   # the real one

[default.deploy.parameters]
# what the team calls it
stack_name = "old" # a name
tags = 'a=b'
"#;
        insta::assert_snapshot!(toml("samconfig.toml", old, &update()).unwrap(), @r#"
        # Our deployments. Ask Ada before touching prod.
        version = 0.1

        [prod.deploy.parameters]
        stack_name = "prod"   # the real one

        [default.deploy.parameters]
        # what the team calls it
        stack_name = "new" # a name
        tags = 'a=b'
        confirm_changeset = true
        image_repositories = ["F=uri"]

        [default.global.parameters]
        region = "eu-west-1"
        "#);
    }

    #[test]
    fn what_is_written_is_read_again_and_a_second_time_changes_nothing() {
        let once = toml("samconfig.toml", "", &update()).unwrap();
        assert_eq!(toml("samconfig.toml", &once, &update()).unwrap(), once);
        let section = super::super::Config::from_text("samconfig.toml", &once, None).unwrap().section("deploy");
        assert_eq!(section.string("stack_name").unwrap().as_deref(), Some("new"));
        assert_eq!(section.string("region").unwrap().as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn a_yaml_file_is_written_unless_it_has_comments() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("samconfig.yaml");
        save(&path, &update()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        insta::assert_snapshot!(text, @r"
        version: 0.1
        default:
          global:
            parameters:
              region: eu-west-1
          deploy:
            parameters:
              stack_name: new
              confirm_changeset: true
              image_repositories:
              - F=uri
        ");
        std::fs::write(&path, "version: 0.1 # ours\n").unwrap();
        let refused = save(&path, &update()).unwrap_err();
        assert!(
            matches!(&refused, Error::WouldLoseComments { lines, .. } if lines.contains("stack_name: new")),
            "{refused}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "version: 0.1 # ours\n");
    }

    #[test]
    fn a_file_that_is_no_configuration_is_left_alone() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("samconfig.toml");
        std::fs::write(&path, "[broken\n").unwrap();
        assert!(matches!(save(&path, &update()), Err(Error::Findings(_))));
        std::fs::write(&path, "version = 0.1\ndefault = 3\n").unwrap();
        assert!(matches!(save(&path, &update()), Err(Error::Write { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "version = 0.1\ndefault = 3\n");
    }
}
