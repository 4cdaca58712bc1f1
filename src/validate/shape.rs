//! Walking over a template: every function in the parts that CloudFormation evaluates.

use super::Subject;
use crate::template::{Map, Node, Value};

/// The parts of a template in which functions are evaluated: resources, outputs, Globals. Conditions
/// are apart, since other functions are allowed there.
pub(super) fn evaluated<'t>(subject: &Subject<'t>) -> Vec<&'t Node> {
    let template = subject.template;
    let mut parts = Vec::new();
    for resource in &subject.resources {
        for name in
            ["Properties", "UpdatePolicy", "CreationPolicy", "Connectors", "DeletionPolicy", "UpdateReplacePolicy"]
        {
            parts.extend(resource.body.get(name));
        }
    }
    parts.extend(template.root.get("Globals"));
    for (_, output) in template.section("Outputs").into_iter().flat_map(Map::iter) {
        parts.extend(output.get("Value"));
        parts.extend(output.get("Export"));
    }
    parts
}

/// Calls `visit` with every map of a tree that is a function or has the keys of one, from the outside
/// to the inside. `Condition` counts only where `conditions` says so: elsewhere it is a key of IAM's.
pub(super) fn functions<'t>(node: &'t Node, conditions: bool, visit: &mut dyn FnMut(&'t Node, &'t str, &'t Node)) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| functions(item, conditions, visit)),
        Value::Map(map) => {
            for (key, argument) in map.iter() {
                if key == "Ref" && map.len() == 1
                    || key.starts_with("Fn::")
                    || conditions && key == "Condition" && map.len() == 1
                {
                    visit(node, key, argument);
                }
                functions(argument, conditions, visit);
            }
        }
        _ => {}
    }
}
