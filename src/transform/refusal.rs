//! Why a template is refused. The sentences are those of the published transform, so that what users
//! find about them elsewhere helps here too.

use crate::diagnostic::Diagnostic;
use crate::template::span::Span;

/// Rule of what the published transform refuses too.
pub const INVALID: &str = "transform/invalid";
/// Rule of what is not covered natively.
pub const UNSUPPORTED: &str = "transform/unsupported";

/// What a cause is about.
#[derive(Clone, Debug, PartialEq)]
enum About {
    Resource(String),
    Event(String),
    Template,
    /// The whole sentence is in the message.
    Itself,
    /// The same, about a resource.
    ItselfOf(String),
    Unsupported,
}

/// One reason.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cause {
    about: About,
    message: String,
    span: Option<Span>,
}

impl Cause {
    /// The whole sentence.
    pub(crate) fn sentence(&self) -> String {
        match &self.about {
            About::Resource(id) => format!("Resource with id [{id}] is invalid. {}", self.message),
            About::Event(id) => format!("Event with id [{id}] is invalid. {}", self.message),
            About::Template => format!("Structure of the SAM template is invalid. {}", self.message),
            About::Itself | About::ItselfOf(_) | About::Unsupported => self.message.clone(),
        }
    }

    /// What the published transform's list of causes is sorted by.
    fn sort_key(&self) -> String {
        match &self.about {
            About::Resource(id) | About::Event(id) | About::ItselfOf(id) => id.clone(),
            About::Template | About::Itself | About::Unsupported => self.sentence(),
        }
    }

    /// As a finding; where the cause has no place of its own, it gets `fallback`.
    pub(crate) fn diagnostic(&self, fallback: Option<Span>) -> Diagnostic {
        let rule = if self.about == About::Unsupported { UNSUPPORTED } else { INVALID };
        let diagnostic = Diagnostic::error(rule, self.sentence()).at(self.span.or(fallback));
        if rule == UNSUPPORTED {
            return diagnostic.help("CloudFormation's own transform covers it: use --transform aws");
        }
        diagnostic
    }

    /// The logical ID that it is about.
    pub(crate) fn resource(&self) -> Option<&str> {
        match &self.about {
            About::Resource(id) | About::ItselfOf(id) => Some(id),
            _ => None,
        }
    }
}

/// Why a resource, or the whole template, cannot be transformed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refusal {
    /// One reason; the other resources are looked at all the same.
    One(Box<Cause>),
    /// Nothing else is looked at.
    Document(Vec<Cause>),
}

impl Refusal {
    fn one(about: About, message: impl Into<String>) -> Self {
        Self::One(Box::new(Cause { about, message: message.into(), span: None }))
    }

    /// A resource is invalid.
    pub(crate) fn resource(id: impl Into<String>, message: impl Into<String>) -> Self {
        Self::one(About::Resource(id.into()), message)
    }

    /// An event is invalid.
    pub(crate) fn event(id: impl Into<String>, message: impl Into<String>) -> Self {
        Self::one(About::Event(id.into()), message)
    }

    /// The structure of the template is invalid.
    pub(crate) fn template(message: impl Into<String>) -> Self {
        Self::one(About::Template, message)
    }

    /// The structure of the template is invalid, and that ends everything.
    pub(crate) fn document(message: impl Into<String>) -> Self {
        Self::template(message).fatal()
    }

    /// A whole sentence.
    pub(crate) fn sentence(message: impl Into<String>) -> Self {
        Self::one(About::Itself, message)
    }

    /// What is made of the resource `id` has a logical ID that is there already.
    pub(crate) fn duplicate(id: &str, made: &str, kind: &str) -> Self {
        let message = format!(
            "Transforming resource with id [{id}] attempts to create a new resource with id [{made}] and type \"{kind}\". \
             A resource with that id already exists within this template. Please use a different id for that resource."
        );
        Self::one(About::ItselfOf(id.to_owned()), message)
    }

    /// Not covered natively.
    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::one(About::Unsupported, message)
    }

    /// Whether it is only that samara does not cover it.
    pub(crate) fn is_unsupported(&self) -> bool {
        matches!(self, Self::One(cause) if cause.about == About::Unsupported)
    }

    /// Ends everything.
    #[must_use]
    pub(crate) fn fatal(self) -> Self {
        Self::Document(self.causes())
    }

    /// Ends everything, with a place.
    pub(crate) fn fatal_at(self, span: Option<Span>) -> Self {
        self.at(span).fatal()
    }

    /// With a place, where it has none yet.
    #[must_use]
    pub(crate) fn at(mut self, span: Option<Span>) -> Self {
        match &mut self {
            Self::One(cause) => cause.span = cause.span.or(span),
            Self::Document(causes) => causes.iter_mut().for_each(|cause| cause.span = cause.span.or(span)),
        }
        self
    }

    /// An event's refusal becomes its function's.
    #[must_use]
    pub(crate) fn of_resource(self, id: &str) -> Self {
        match self {
            Self::One(cause) if matches!(cause.about, About::Event(_)) => {
                let message = cause.sentence();
                Self::One(Box::new(Cause { about: About::Resource(id.to_owned()), message, span: cause.span }))
            }
            other => other,
        }
    }

    /// Its causes.
    pub(crate) fn causes(self) -> Vec<Cause> {
        match self {
            Self::One(cause) => vec![*cause],
            Self::Document(causes) => causes,
        }
    }
}

/// Each cause once, in the order in which the published transform's command prints them.
pub(crate) fn arrange(causes: Vec<Cause>) -> Vec<Cause> {
    let mut distinct: Vec<Cause> = Vec::with_capacity(causes.len());
    for cause in causes {
        if !distinct.iter().any(|other| other.sentence() == cause.sentence()) {
            distinct.push(cause);
        }
    }
    distinct.sort_by_key(Cause::sort_key);
    distinct
}

/// The published transform's message for these findings, in one piece.
pub fn published_message(findings: &[Diagnostic]) -> String {
    let sentences: Vec<&str> =
        findings.iter().filter(|finding| finding.rule == INVALID).map(|finding| finding.message.as_str()).collect();
    format!(
        "Invalid Serverless Application Specification document. Number of errors found: {}. {}",
        sentences.len(),
        sentences.join(" ")
    )
}
