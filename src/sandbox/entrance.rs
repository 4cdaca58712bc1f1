//! How a request finds its service and how its answer leaves: the same for the server, which listens,
//! and for a client in the same process, which has no socket.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::http::{Request, Response, new_request_id};
use super::router::{self, ServiceName};
use super::state::World;
use super::{chunked, query};

/// How HTTP writes times.
pub(super) const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// Answers a request as the server would, without one: nothing listens, and nothing goes to disk but
/// what S3 keeps.
pub async fn answer(world: &Arc<World>, request: hyper::Request<Bytes>) -> hyper::Response<Bytes> {
    let (parts, body) = request.into_parts();
    let request_id = new_request_id();
    let response = Arrival::new(parts, request_id.clone()).answer(world, body, false).await;
    finish(response, &request_id, world)
}

/// A request's head.
#[derive(Debug)]
pub(super) struct Arrival {
    method: hyper::Method,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    request_id: String,
}

impl Arrival {
    pub(super) fn new(parts: Parts, request_id: String) -> Self {
        let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        Self { method: parts.method, path: parts.uri.path().to_owned(), query, headers: parts.headers, request_id }
    }

    fn route(&self, body: &[u8]) -> router::Route {
        router::route(&self.path, &self.query, &self.headers, body)
    }

    /// Its body is larger than any that is taken.
    pub(super) fn too_large(self) -> Response {
        let text = "Your proposed upload exceeds the maximum allowed size";
        let route = self.route(b"");
        self.refused(&route, &query::Fault::new(400, "EntityTooLarge", text))
    }

    /// Asks its service. What it changed is on disk before the answer where `commits` says so.
    pub(super) async fn answer(mut self, world: &Arc<World>, body: Bytes, commits: bool) -> Response {
        let body =
            if chunked::is_chunked(&self.headers) { chunked::decode(&mut self.headers, &body) } else { Some(body) };
        let route = self.route(body.as_deref().unwrap_or_default());
        let Some(body) = body else {
            let text = "The request body terminated unexpectedly";
            return self.refused(&route, &query::Fault::new(400, "IncompleteBody", text));
        };
        let service = match &route.service {
            Ok(service) => *service,
            Err(name) => {
                let fault = query::Fault::new(501, "NotImplemented", format!("The sandbox has no service {name}"));
                return self.refused(&route, &fault);
            }
        };
        let Self { method, query, headers, request_id, .. } = self;
        let router::Route { account, region, path, .. } = route;
        tracing::debug!(%method, %path, ?service, "request");
        let changes = !matches!(method.as_str(), "GET" | "HEAD");
        let request = Request { method, path, query, headers, body, account, region, request_id };
        // In a task of its own: a call that a client no longer waits for still ends as it would in AWS,
        // and a panic is one request's, not the connection's.
        let own = world.clone();
        let answered = tokio::spawn(async move { own.call(service, request).await }).await;
        let Ok(response) = answered else {
            return Response::json(
                500,
                &serde_json::json!({"__type": "InternalFailure", "message": "The sandbox failed; see its log."}),
            );
        };
        if commits
            && changes
            && let Err(error) = world.commit(service)
        {
            return Response::json(
                500,
                &serde_json::json!({"__type": "InternalFailure", "message": error.to_string()}),
            );
        }
        response
    }

    /// An error that is found before a service is asked, in the form that most clients can read.
    fn refused(self, route: &router::Route, fault: &query::Fault) -> Response {
        let Self { method, request_id, .. } = self;
        let request = Request { request_id, ..Request::new(method, &route.path, &route.account, &route.region) };
        match route.service {
            Ok(ServiceName::S3) => super::s3::error_response(&request, fault.status, &fault.code, &fault.message),
            Ok(ServiceName::CloudFormation | ServiceName::Sts | ServiceName::Iam | ServiceName::Sns) => {
                query::fault(&request, "", fault)
            }
            _ => Response::json(fault.status, &serde_json::json!({"__type": fault.code, "message": fault.message}))
                .header("x-amzn-errortype", &fault.code),
        }
    }
}

/// What every answer has: its date, by the sandbox's clock, and its request id.
pub(super) fn finish(response: Response, request_id: &str, world: &World) -> hyper::Response<Bytes> {
    let date = world.clock.now().format(HTTP_DATE).unwrap_or_default();
    let mut response = response.header("date", &date).header("server", "samara");
    for name in ["x-amzn-requestid", "x-amz-request-id"] {
        if !response.headers.contains_key(name) {
            response = response.header(name, request_id);
        }
    }
    let mut answer = hyper::Response::new(response.body);
    *answer.status_mut() = response.status;
    *answer.headers_mut() = response.headers;
    answer
}
