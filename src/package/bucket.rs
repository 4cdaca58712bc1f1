//! The managed bucket: one an account and region, made on first use through a CloudFormation stack of
//! its own. It holds the packages and the rollouts' journals.
//!
//! Its name is in the account's regional namespace, where only this account can ever own a bucket
//! (docs.aws.amazon.com/AmazonS3/latest/userguide/gpbucketnamespaces.html); in the two regions that
//! have none, CloudFormation's random suffix keeps it from being guessed. It is never found by its
//! name: the stack's tag and output say which one it is, and every call names the expected owner.

use std::time::Duration;

use indexmap::IndexMap;

use super::{Event, Sink};
use crate::aws::cloudformation::{CloudFormation, CreateStack, Stack};
use crate::aws::{self, Aws, ErrorKind};
use crate::hint::Hint;
use crate::template::{Node, write};

/// The stack's name.
pub const STACK: &str = "samara-managed-bucket";

/// The tag that only our stack has.
pub const TAG: (&str, &str) = ("ManagedStackSource", "samara");

/// The output with the bucket's name.
const OUTPUT: &str = "BucketName";

/// Regions without account-regional namespaces (the guide above, November 2026).
const WITHOUT_NAMESPACE: &[&str] = &["me-south-1", "me-central-1"];

/// A bucket takes seconds; the first look comes soon and the later ones less often.
const FIRST_WAIT: Duration = Duration::from_millis(300);
const LONGEST_WAIT: Duration = Duration::from_secs(3);
const LONGEST_TOTAL: Duration = Duration::from_secs(10 * 60);

/// The managed bucket of an account and region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedBucket {
    /// Its name.
    pub name: String,
    /// The account that owns it.
    pub account: String,
    /// Its region.
    pub region: String,
}

/// Why there is no managed bucket.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to AWS failed.
    #[error(transparent)]
    Aws(#[from] aws::Error),
    /// There is a stack of that name, and it is not ours.
    #[error("the stack {STACK} in {region} was not made by samara: {reason}")]
    Foreign {
        /// The region.
        region: String,
        /// What is missing.
        reason: String,
    },
    /// The stack is there and the bucket is not, or it belongs to another account.
    #[error("the stack {STACK} names the bucket {bucket}, which is not there")]
    Gone {
        /// The bucket.
        bucket: String,
    },
    /// The stack could not be made.
    #[error("the stack {STACK} is {status}: {reason}")]
    Failed {
        /// Its status.
        status: String,
        /// The first resource's reason.
        reason: String,
    },
    /// It takes longer than any bucket takes.
    #[error("the stack {STACK} is still {status} after {} minutes", LONGEST_TOTAL.as_secs() / 60)]
    Slow {
        /// Its status.
        status: String,
    },
}

impl Hint for Error {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Aws(error) => return error.hints(),
            Self::Foreign { .. } => {
                "Name a bucket of your own with --s3-bucket, or delete that stack if nobody needs it.".to_owned()
            }
            Self::Gone { .. } => {
                format!("Delete the stack {STACK} and run the same command again, or use --s3-bucket.")
            }
            Self::Failed { .. } => {
                "Name a bucket of your own with --s3-bucket, or mend the reason and try again.".to_owned()
            }
            Self::Slow { .. } => {
                "Look at the stack's events in the console; the same command goes on waiting.".to_owned()
            }
        };
        vec![hint]
    }
}

/// How the bucket gets its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    AccountRegional,
    Random,
}

/// The managed bucket, if it is there. Creates and changes nothing.
///
/// # Errors
/// A stack of its name that is not ours; a bucket that is gone; a failed call.
pub async fn find(aws: &Aws) -> Result<Option<ManagedBucket>, Error> {
    let Some(stack) = aws.cloudformation().stack(STACK).await? else { return Ok(None) };
    if is_dead(&stack) || stack.status.is_in_progress() {
        check_tag(&stack, aws.region())?;
        return Ok(None);
    }
    accept(aws, &stack).await.map(Some)
}

/// The managed bucket; made when it is not there.
///
/// # Errors
/// As [`find`]; the stack cannot be made.
pub async fn ensure(aws: &Aws, sink: Sink<'_>) -> Result<ManagedBucket, Error> {
    let client = aws.cloudformation();
    let mut stack = client.stack(STACK).await?;
    if let Some(present) = &stack {
        check_tag(present, aws.region())?;
        stack = settled(&client, present.clone()).await?;
    }
    if let Some(dead) = stack.as_ref().filter(|stack| is_dead(stack)) {
        // What is left of a creation that failed: it holds nothing and cannot be updated.
        remove(&client, dead).await?;
        stack = None;
    }
    let stack = match stack {
        Some(stack) => stack,
        None => create(aws, &client, sink).await?,
    };
    let bucket = accept(aws, &stack).await?;
    sink(Event::Bucket { name: bucket.name.clone() });
    Ok(bucket)
}

async fn create(aws: &Aws, client: &CloudFormation, sink: Sink<'_>) -> Result<Stack, Error> {
    sink(Event::CreatingBucket { stack: STACK.to_owned() });
    if WITHOUT_NAMESPACE.contains(&aws.region()) {
        return create_as(client, Naming::Random).await;
    }
    match create_as(client, Naming::AccountRegional).await {
        // A region or a CloudFormation that does not know the namespace says so at the resource.
        Err(Error::Failed { reason, .. }) if is_about_namespace(&reason) => {
            if let Some(dead) = client.stack(STACK).await? {
                remove(client, &dead).await?;
            }
            create_as(client, Naming::Random).await
        }
        result => result,
    }
}

fn is_about_namespace(reason: &str) -> bool {
    ["amespace", "BucketNamePrefix", "nsupported property", "extraneous key"].iter().any(|word| reason.contains(word))
}

/// By `CreateStack`: there is nothing to review, and one call less.
async fn create_as(client: &CloudFormation, naming: Naming) -> Result<Stack, Error> {
    let request = CreateStack {
        name: STACK.to_owned(),
        template_body: write::yaml(&template(naming)),
        parameters: Vec::new(),
        capabilities: Vec::new(),
        tags: IndexMap::from([(TAG.0.to_owned(), TAG.1.to_owned())]),
        termination_protection: false,
        token: format!("samara-{:032x}", rand::random::<u128>()),
    };
    match client.create_stack(&request).await {
        Ok(_) => {}
        // Another run of samara was faster; the tag tells whether it was one.
        Err(error) if error.kind == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.into()),
    }
    let stack = client.stack(STACK).await?.unwrap_or_default();
    let stack = settled(client, stack).await?.ok_or_else(|| failed("DELETED", "it was deleted meanwhile"))?;
    if is_dead(&stack) {
        let reason = root_cause(client).await.or_else(|| stack.status_reason.clone()).unwrap_or_default();
        return Err(failed(&stack.status.0, &reason));
    }
    Ok(stack)
}

/// The first resource that failed by itself, not because another did.
async fn root_cause(client: &CloudFormation) -> Option<String> {
    let events = client.events(STACK, None).await.ok()?;
    let mut failures: Vec<_> = events
        .iter()
        .filter(|event| event.status.is_failed() && !event.is_stack())
        .filter_map(|event| Some((event.time, event.logical_id.as_str(), event.reason.as_deref()?)))
        .filter(|(_, _, reason)| !reason.contains("cancelled"))
        .collect();
    failures.sort_by_key(|(time, ..)| *time);
    failures.first().map(|(_, id, reason)| format!("{id}: {reason}"))
}

fn failed(status: &str, reason: &str) -> Error {
    Error::Failed { status: status.to_owned(), reason: reason.to_owned() }
}

/// Waits until nothing is under way; `None` when the stack is gone then.
async fn settled(client: &CloudFormation, mut stack: Stack) -> Result<Option<Stack>, Error> {
    let mut wait = FIRST_WAIT;
    let mut total = Duration::ZERO;
    while stack.status.is_in_progress() || stack.status.0.is_empty() {
        if total > LONGEST_TOTAL {
            return Err(Error::Slow { status: stack.status.0 });
        }
        tokio::time::sleep(wait).await;
        total += wait;
        wait = (wait * 3 / 2).min(LONGEST_WAIT);
        match client.stack(STACK).await? {
            Some(now) => stack = now,
            None => return Ok(None),
        }
    }
    Ok((stack.status.0 != "DELETE_COMPLETE").then_some(stack))
}

async fn remove(client: &CloudFormation, stack: &Stack) -> Result<(), Error> {
    let token = format!("samara-{:032x}", rand::random::<u128>());
    client.delete_stack(STACK, None, &token).await?;
    match settled(client, Stack { status: Default::default(), ..stack.clone() }).await? {
        None => Ok(()),
        Some(left) => Err(failed(&left.status.0, left.status_reason.as_deref().unwrap_or("it cannot be deleted"))),
    }
}

/// Whether a creation failed, so that there is nothing to keep.
fn is_dead(stack: &Stack) -> bool {
    matches!(
        stack.status.0.as_str(),
        "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "DELETE_FAILED" | "REVIEW_IN_PROGRESS"
    )
}

fn check_tag(stack: &Stack, region: &str) -> Result<(), Error> {
    if stack.tags.get(TAG.0).map(String::as_str) == Some(TAG.1) {
        return Ok(());
    }
    let reason = format!("it lacks the tag {}={}", TAG.0, TAG.1);
    Err(Error::Foreign { region: region.to_owned(), reason })
}

/// The bucket that a stack of ours names, if it is really there and the caller's own.
async fn accept(aws: &Aws, stack: &Stack) -> Result<ManagedBucket, Error> {
    check_tag(stack, aws.region())?;
    let output = stack.outputs.iter().find(|output| output.key == OUTPUT && !output.value.is_empty());
    let name = match output {
        Some(output) => output.value.clone(),
        None => {
            let reason = format!("it has no output {OUTPUT}");
            return Err(Error::Foreign { region: aws.region().to_owned(), reason });
        }
    };
    if !aws.s3().bucket_exists(&name).await? {
        return Err(Error::Gone { bucket: name });
    }
    let account = aws.identity().await?.account.clone();
    Ok(ManagedBucket { name, account, region: aws.region().to_owned() })
}

/// The stack's template.
fn template(naming: Naming) -> Node {
    let mut properties = serde_json::json!({
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": true,
            "BlockPublicPolicy": true,
            "IgnorePublicAcls": true,
            "RestrictPublicBuckets": true
        },
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
        "VersioningConfiguration": {"Status": "Enabled"},
        // Age does not know what a stack still uses, so nothing current ever expires.
        "LifecycleConfiguration": {"Rules": [
            {
                "Id": "aborted-uploads",
                "Status": "Enabled",
                "Prefix": "",
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}
            },
            {
                "Id": "non-current-versions",
                "Status": "Enabled",
                "Prefix": "",
                "NoncurrentVersionExpiration": {"NoncurrentDays": 90}
            }
        ]},
        "Tags": [{"Key": TAG.0, "Value": TAG.1}]
    });
    if let (Naming::AccountRegional, Some(map)) = (naming, properties.as_object_mut()) {
        map.insert("BucketNamePrefix".to_owned(), "samara".into());
        map.insert("BucketNamespace".to_owned(), "account-regional".into());
    }
    Node::from(serde_json::json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Packages and rollout journals of samara. Delete it only when no stack needs them.",
        "Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": properties},
            "BucketPolicy": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {
                    "Bucket": {"Ref": "Bucket"},
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [{
                            "Sid": "TlsOnly",
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": [
                                {"Fn::Sub": "arn:${AWS::Partition}:s3:::${Bucket}"},
                                {"Fn::Sub": "arn:${AWS::Partition}:s3:::${Bucket}/*"}
                            ],
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}}
                        }]
                    }
                }
            }
        },
        "Outputs": {OUTPUT: {"Description": "The bucket", "Value": {"Ref": "Bucket"}}}
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_is_private_and_its_name_is_the_accounts_own() {
        insta::assert_snapshot!(write::yaml(&template(Naming::AccountRegional)), @r"
        AWSTemplateFormatVersion: '2010-09-09'
        Description: Packages and rollout journals of samara. Delete it only when no stack needs them.
        Resources:
          Bucket:
            Type: AWS::S3::Bucket
            Properties:
              PublicAccessBlockConfiguration:
                BlockPublicAcls: true
                BlockPublicPolicy: true
                IgnorePublicAcls: true
                RestrictPublicBuckets: true
              OwnershipControls:
                Rules:
                  - ObjectOwnership: BucketOwnerEnforced
              BucketEncryption:
                ServerSideEncryptionConfiguration:
                  - ServerSideEncryptionByDefault:
                      SSEAlgorithm: AES256
              VersioningConfiguration:
                Status: Enabled
              LifecycleConfiguration:
                Rules:
                  - Id: aborted-uploads
                    Status: Enabled
                    Prefix: ''
                    AbortIncompleteMultipartUpload:
                      DaysAfterInitiation: 7
                  - Id: non-current-versions
                    Status: Enabled
                    Prefix: ''
                    NoncurrentVersionExpiration:
                      NoncurrentDays: 90
              Tags:
                - Key: ManagedStackSource
                  Value: samara
              BucketNamePrefix: samara
              BucketNamespace: account-regional
          BucketPolicy:
            Type: AWS::S3::BucketPolicy
            Properties:
              Bucket: !Ref Bucket
              PolicyDocument:
                Version: '2012-10-17'
                Statement:
                  - Sid: TlsOnly
                    Effect: Deny
                    Principal: '*'
                    Action: s3:*
                    Resource:
                      - !Sub arn:${AWS::Partition}:s3:::${Bucket}
                      - !Sub arn:${AWS::Partition}:s3:::${Bucket}/*
                    Condition:
                      Bool:
                        aws:SecureTransport: 'false'
        Outputs:
          BucketName:
            Description: The bucket
            Value: !Ref Bucket
        ");
    }

    #[test]
    fn without_namespaces_cloudformation_chooses_the_name() {
        let node = template(Naming::Random);
        let properties = node.path(&["Resources", "Bucket", "Properties"]).unwrap();
        for name in ["BucketName", "BucketNamePrefix", "BucketNamespace"] {
            assert!(properties.get(name).is_none(), "{name}");
        }
    }

    #[test]
    fn only_what_is_about_the_namespace_is_tried_without_it() {
        assert!(is_about_namespace("Bucket: Encountered unsupported property BucketNamespace"));
        assert!(is_about_namespace("The account regional namespace is not supported in this Region"));
        assert!(!is_about_namespace("Bucket: API: s3:CreateBucket Access Denied"));
        assert!(!is_about_namespace("Bucket: samara-1-x-an already exists"));
    }
}
