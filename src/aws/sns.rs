//! SNS: `Publish`, the one call that samara makes of it. It goes the way of STS's SDK, which speaks the
//! same protocol (AWS Query): credentials, signing, retries, proxies and errors are the SDK's, and a
//! whole crate of a service for one call is none.

use aws_sdk_sts::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::body::SdkBody;
use aws_types::SigningName;

use super::{Aws, Error};

/// SNS's API (docs.aws.amazon.com/sns/latest/api/API_Publish.html).
const VERSION: &str = "2010-03-31";
/// A subject is ASCII and shorter than this.
const LONGEST_SUBJECT: usize = 99;
/// What the carrier takes for an answer.
const WELL: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult/></GetCallerIdentityResponse>";

impl Aws {
    /// `Publish` to a topic.
    ///
    /// # Errors
    /// The call failed. After a lost answer the message may come twice.
    pub async fn publish(&self, topic: &str, subject: &str, message: &str) -> Result<(), Error> {
        let endpoint = self
            .endpoint_of("SNS")
            .unwrap_or_else(|| format!("https://sns.{}.{}", self.region(), suffix(self.region())));
        let config = aws_sdk_sts::config::Builder::from(self.sdk()).endpoint_url(endpoint).build();
        aws_sdk_sts::Client::from_conf(config)
            .get_caller_identity()
            .customize()
            .interceptor(Publish { body: body(topic, subject, message) })
            .send()
            .await
            .map(drop)
            .map_err(|error| Error::from_sdk("sns", "Publish", topic, &error))
    }
}

/// What stands behind the service and the region in a host's name.
fn suffix(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "amazonaws.com.cn",
        Some("eusc") => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

fn body(topic: &str, subject: &str, message: &str) -> String {
    let subject: String = subject.chars().filter(|letter| (' '..='~').contains(letter)).take(LONGEST_SUBJECT).collect();
    form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", "Publish")
        .append_pair("Version", VERSION)
        .append_pair("TopicArn", topic)
        .append_pair("Subject", &subject)
        .append_pair("Message", message)
        .finish()
}

/// Puts `Publish` in the carrier's place, before it is signed.
#[derive(Debug)]
struct Publish {
    body: String,
}

impl Intercept for Publish {
    fn name(&self) -> &'static str {
        "Publish"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        request.headers_mut().insert("content-length", self.body.len().to_string());
        *request.body_mut() = SdkBody::from(self.body.as_str());
        config.interceptor_state().store_put(SigningName::from_static("sns"));
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        if response.status().is_success() {
            *response.body_mut() = SdkBody::from(WELL);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use hyper::body::Bytes;

    use super::*;
    use crate::aws::{Settings, Wire, WireFuture};
    use crate::pace::Pace;

    /// Answers everything with one answer, and keeps what it was asked.
    #[derive(Debug)]
    struct Told {
        status: u16,
        answer: &'static str,
        asked: Mutex<Vec<(String, String, String)>>,
    }

    impl Wire for Told {
        fn send(&self, request: hyper::Request<Bytes>) -> WireFuture {
            let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
            let seen = (
                request.uri().to_string(),
                header("authorization").unwrap_or_default().to_owned(),
                String::from_utf8_lossy(request.body()).into_owned(),
            );
            self.asked.lock().unwrap().push(seen);
            let answer = hyper::Response::builder().status(self.status).body(Bytes::from(self.answer)).unwrap();
            Box::pin(async move { Ok(answer) })
        }

        fn pace(&self) -> Pace {
            Pace::default()
        }
    }

    async fn publish(status: u16, answer: &'static str, region: &str) -> (Result<(), Error>, (String, String, String)) {
        let wire = Arc::new(Told { status, answer, asked: Mutex::default() });
        let settings = Settings {
            region: Some(region.to_owned()),
            static_credentials: Some(("AKID".to_owned(), "secret".to_owned())),
            wire: Some(wire.clone()),
            ..Settings::default()
        };
        let aws = Aws::connect(&settings).await.unwrap();
        let topic = format!("arn:aws:sns:{region}:000000000000:releases");
        let result = aws.publish(&topic, "it\u{202e} is\nout", "a & b = c").await;
        let asked = wire.asked.lock().unwrap().remove(0);
        (result, asked)
    }

    #[tokio::test]
    async fn a_message_is_signed_for_sns_and_goes_to_it() {
        let answer = "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult>\
                      <MessageId>1</MessageId></PublishResult></PublishResponse>";
        let (result, (uri, authorization, body)) = publish(200, answer, "eu-central-1").await;
        result.unwrap();
        assert_eq!(uri, "https://sns.eu-central-1.amazonaws.com/");
        assert!(authorization.contains("/eu-central-1/sns/aws4_request"), "{authorization}");
        assert_eq!(
            body,
            "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-central-1%3A000000000000%3Areleases&\
             Subject=it+isout&Message=a+%26+b+%3D+c"
        );
        assert_eq!(publish(200, answer, "cn-north-1").await.1.0, "https://sns.cn-north-1.amazonaws.com.cn/");
    }

    #[tokio::test]
    async fn what_sns_refuses_is_told_in_its_own_words() {
        let answer = "<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code><Message>Topic does not exist\
                      </Message></Error><RequestId>r-1</RequestId></ErrorResponse>";
        let error = publish(404, answer, "eu-central-1").await.0.unwrap_err();
        assert!(error.is_not_found(), "{error:?}");
        assert!(error.to_string().starts_with("sns Publish arn:aws:sns:"), "{error}");
        assert!(error.to_string().contains("NotFound: Topic does not exist"), "{error}");
    }
}
