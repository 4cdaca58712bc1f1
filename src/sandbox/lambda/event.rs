//! Asynchronous invocations: their configuration, where their ends are told; and the event stream of
//! InvokeWithResponseStream.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};

use super::fault::{Answer, Fault};
use super::invoke::Target;
use super::model::{EventInvoke, Function};
use super::{Call, listed};
use crate::runtime::Outcome;
use crate::sandbox::http::{Request, Response};
use crate::sandbox::router::ServiceName;

pub(super) fn answer(call: Call<'_>, name: &str, method: &str) -> Answer {
    let id = call.identify(name)?;
    let qualifier = id.qualifier.clone().unwrap_or_else(|| "$LATEST".to_owned());
    let arn = call.arn(&id.name, Some(&qualifier));
    let none = || Fault::not_found(format!("The function {arn} doesn't have an EventInvokeConfig"));
    let shown = |config: &EventInvoke| Response::json(200, &describe(config, &arn));
    match method {
        "GET" | "DELETE" => {
            let key = call.key(&id.name);
            // Recorded: neither function nor version have to be there for this text.
            let found = call.lambda.state.read(|state| {
                state.functions.get(&key).and_then(|function| function.event_invoke.get(&qualifier).cloned())
            });
            let found = found.ok_or_else(none)?;
            if method == "GET" {
                return Ok(shown(&found));
            }
            call.write(&id.name, None, |function| {
                function.event_invoke.remove(&qualifier);
                Ok(())
            })?;
            Ok(Response::new(204))
        }
        "PUT" | "POST" => {
            let body = call.body()?;
            let number = |key: &str, least: u64, most: u64| -> Answer<Option<u64>> {
                match body.get(key).and_then(Value::as_i64) {
                    None => Ok(None),
                    Some(number) => match u64::try_from(number).ok().filter(|number| (least..=most).contains(number)) {
                        Some(number) => Ok(Some(number)),
                        None => {
                            let member = format!("{}{}", key[..1].to_lowercase(), &key[1..]);
                            let limit = if number > 0 && number.unsigned_abs() > most {
                                format!("Member must have value less than or equal to {most}")
                            } else {
                                format!("Member must have value greater than or equal to {least}")
                            };
                            Err(Fault::validation(&format!("'{number}'"), &member, &limit))
                        }
                    },
                }
            };
            let attempts = number("MaximumRetryAttempts", 0, 2)?;
            let age = number("MaximumEventAgeInSeconds", 60, 21_600)?;
            let destinations = body.get("DestinationConfig").filter(|value| value.is_object()).map(|wanted| {
                let part = |key: &str| wanted.get(key).cloned().unwrap_or_else(|| json!({}));
                json!({ "OnSuccess": part("OnSuccess"), "OnFailure": part("OnFailure") })
            });
            if attempts.is_none() && age.is_none() && destinations.is_none() {
                return Err(Fault::invalid("You must specify at least one of error handling or destination setting."));
            }
            let now_ms = call.now_ms();
            let config = call.write(&id.name, Some(&qualifier), |function| {
                known(function, &qualifier).then_some(()).ok_or_else(|| Fault::no_function(&arn))?;
                let old = function.event_invoke.get(&qualifier).cloned();
                if method == "POST" && old.is_none() {
                    return Err(none());
                }
                let old = old.filter(|_| method == "POST").unwrap_or_default();
                let config = EventInvoke {
                    last_modified_ms: now_ms,
                    maximum_retry_attempts: attempts.or(old.maximum_retry_attempts),
                    maximum_event_age_s: age.or(old.maximum_event_age_s),
                    destination_config: destinations.or(old.destination_config),
                };
                function.event_invoke.insert(qualifier.clone(), config.clone());
                Ok(config)
            })?;
            Ok(shown(&config))
        }
        other => Err(Fault::not_implemented(&format!("{other} {}", call.request.path))),
    }
}

fn known(function: &Function, qualifier: &str) -> bool {
    function.resolve(Some(qualifier)).is_some()
}

fn describe(config: &EventInvoke, arn: &str) -> Value {
    let mut all = json!({
        "FunctionArn": arn,
        "LastModified": config.last_modified_ms / 1000,
        "DestinationConfig": config.destination_config.clone()
            .unwrap_or_else(|| json!({ "OnSuccess": {}, "OnFailure": {} })),
    });
    if let Some(attempts) = config.maximum_retry_attempts {
        all["MaximumRetryAttempts"] = json!(attempts);
    }
    if let Some(age) = config.maximum_event_age_s {
        all["MaximumEventAgeInSeconds"] = json!(age);
    }
    all
}

pub(super) fn list(call: Call<'_>, name: &str) -> Answer {
    let id = call.identify(name)?;
    let items = call.read(&id.name, None, |function| {
        let all = function.event_invoke.iter();
        Ok(all
            .map(|(qualifier, config)| (qualifier.clone(), describe(config, &call.arn(&id.name, Some(qualifier)))))
            .collect())
    })?;
    let (page, next) = call.page(items)?;
    Ok(listed("FunctionEventInvokeConfigs", page, next))
}

/// Tells the end of an asynchronous invocation to the destination, or a failed event to the dead-letter
/// queue.
pub(super) async fn deliver(
    call: Call<'_>,
    target: &Target,
    config: &EventInvoke,
    event: &[u8],
    condition: &str,
    attempts: u64,
    outcome: Option<&Outcome>,
) {
    let succeeded = condition == "Success";
    let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    let side = if succeeded { "OnSuccess" } else { "OnFailure" };
    let destination = config.destination_config.as_ref().and_then(|all| all[side]["Destination"].as_str());
    if let Some(arn) = destination {
        let now = call.world.clock.now();
        let (hour, minute, second, milli) = now.to_hms_milli();
        let mut record = json!({
            "version": "1.0",
            "timestamp": format!("{}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z", now.date()),
            "requestContext": {
                "requestId": call.request.request_id,
                "functionArn": call.arn(&target.name, Some(target.qualifier.as_deref().unwrap_or("$LATEST"))),
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "requestPayload": parse(event),
        });
        if let Some(outcome) = outcome {
            record["responseContext"] = json!({ "statusCode": 200, "executedVersion": target.version });
            if outcome.function_error {
                record["responseContext"]["functionError"] = json!("Unhandled");
            }
            record["responsePayload"] = parse(&outcome.payload);
        }
        send(call, arn, &record.to_string()).await;
    }
    if succeeded {
        return;
    }
    let queue = call.read(&target.name, None, |function| {
        let version = function.version(&target.version);
        Ok(version
            .and_then(|version| version.settings.get("DeadLetterConfig")?["TargetArn"].as_str().map(str::to_owned)))
    });
    if let Some(arn) = queue.ok().flatten() {
        send(call, &arn, &String::from_utf8_lossy(event)).await;
    }
}

/// Sends a text to a queue, topic or function.
async fn send(call: Call<'_>, arn: &str, text: &str) {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, service, region, account, name] = parts.as_slice() else { return };
    let request = |path: &str| Request::new(Method::POST, path, account, region);
    let (service, request) = match *service {
        "sqs" => {
            let mut send = request("/");
            let url = format!("{}/{account}/{name}", call.world.endpoint_url());
            send.body = json!({ "QueueUrl": url, "MessageBody": text }).to_string().into();
            set(&mut send, "x-amz-target", "AmazonSQS.SendMessage");
            set(&mut send, "content-type", "application/x-amz-json-1.0");
            (ServiceName::Sqs, send)
        }
        "sns" => {
            let mut publish = request("/");
            let form = form_urlencoded::Serializer::new(String::new())
                .extend_pairs([("Action", "Publish"), ("Version", "2010-03-31"), ("TopicArn", arn), ("Message", text)])
                .finish();
            publish.body = form.into();
            set(&mut publish, "content-type", "application/x-www-form-urlencoded");
            (ServiceName::Sns, publish)
        }
        "lambda" => {
            let mut invoke = request(&format!("/2015-03-31/functions/{arn}/invocations"));
            invoke.body = text.to_owned().into();
            set(&mut invoke, "x-amz-invocation-type", "Event");
            (ServiceName::Lambda, invoke)
        }
        _ => {
            tracing::warn!("an event for {arn} is lost: the sandbox does not deliver there");
            return;
        }
    };
    let world = Arc::clone(call.world);
    let answer = world.call(service, request).await;
    if !answer.status.is_success() {
        tracing::warn!(%arn, status = %answer.status, "a destination did not take an event");
    }
}

fn set(request: &mut Request, name: &'static str, value: &'static str) {
    request.headers.insert(name, hyper::header::HeaderValue::from_static(value));
}

/// One message of an event stream
/// (<https://smithy.io/2.0/aws/amazon-eventstream.html>).
pub(super) fn frame(into: &mut Vec<u8>, event_type: &str, content_type: &str, payload: &[u8]) {
    let mut headers = Vec::new();
    for (name, value) in [(":event-type", event_type), (":content-type", content_type), (":message-type", "event")] {
        headers.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let crc = |bytes: &[u8]| {
        let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, bytes);
        u32::try_from(sum).unwrap_or_default().to_be_bytes()
    };
    let mut message = Vec::with_capacity(16 + headers.len() + payload.len());
    message.extend_from_slice(&size(16 + headers.len() + payload.len()));
    message.extend_from_slice(&size(headers.len()));
    let prelude = crc(&message);
    message.extend_from_slice(&prelude);
    message.extend_from_slice(&headers);
    message.extend_from_slice(payload);
    let whole = crc(&message);
    message.extend_from_slice(&whole);
    into.extend_from_slice(&message);
}
