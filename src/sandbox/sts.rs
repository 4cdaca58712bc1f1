//! STS: who the caller is.

use super::http::{Request, Response};
use super::query::{self, Fault, Parameters};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Answers one request.
pub(super) fn handle(request: &Request) -> Response {
    let parameters = Parameters::read(request);
    match parameters.action() {
        "GetCallerIdentity" => query::answer(request, NAMESPACE, "GetCallerIdentity", |result| {
            result
                .text("Arn", format!("arn:aws:iam::{}:user/sandbox", request.account))
                .text("UserId", "AIDASANDBOXSANDBOXSA")
                .text("Account", &request.account);
        }),
        other => query::fault(request, NAMESPACE, &Fault::not_implemented("STS", other)),
    }
}
