//! `AWS::Serverless::Application`: a nested stack from a template or the Serverless Application Repository. Its table only: what it expands to is not covered yet.

use crate::transform::property::{Kind, Property, optional, required};

/// What it takes.
pub const PROPERTIES: &[Property] = &[
    required("Location", Kind::TextOrMap),
    optional("TemplateUrl", Kind::Text),
    optional("Parameters", Kind::Map),
    optional("NotificationARNs", Kind::ListOfTextOrMap),
    optional("Tags", Kind::Map),
    optional("TimeoutInMinutes", Kind::Integer),
];
