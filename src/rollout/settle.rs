//! Bringing a stack's template in line once the traffic is where it belongs: one stack update, whose
//! template `deploy` left in the managed bucket. For the alias it changes nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::plan::SettlePlan;
use super::run::Settle;
use crate::aws::Aws;
use crate::aws::cloudformation::TemplateSource;
use crate::deploy::{self, Event, StackChange, upload};

/// Settles stacks of one account and region.
#[derive(Clone)]
pub struct StackSettle {
    aws: Aws,
    bucket: String,
    sink: Arc<dyn Fn(Event) + Send + Sync>,
}

impl std::fmt::Debug for StackSettle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StackSettle").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

impl StackSettle {
    /// With the templates of this bucket; `sink` hears of the stack's events.
    pub fn new(aws: Aws, bucket: impl Into<String>, sink: Arc<dyn Fn(Event) + Send + Sync>) -> Self {
        Self { aws, bucket: bucket.into(), sink }
    }

    /// Settles. A stack that is settled already stays as it is.
    ///
    /// # Errors
    /// The change set cannot be made or executed.
    pub async fn apply(&self, plan: &SettlePlan) -> Result<(), deploy::Error> {
        let url = upload::url(&self.aws, &self.bucket, &plan.template_key);
        let change = StackChange {
            declared: plan.parameters.clone(),
            capabilities: plan.capabilities.clone(),
            role_arn: plan.role_arn.clone(),
            notification_arns: Some(plan.notification_arns.clone()).filter(|arns| !arns.is_empty()),
            ..StackChange::new(&plan.stack, TemplateSource::Url(url))
        };
        deploy::apply(&self.aws, &change, &*self.sink).await.map(|_| ())
    }
}

impl Settle for StackSettle {
    fn settle<'a>(&'a self, plan: &'a SettlePlan) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move { self.apply(plan).await.map_err(|error| error.to_string()) })
    }
}
