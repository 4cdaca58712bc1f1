//! The managed bucket, made by the built binary in the sandbox and looked at with the SDK.

use aws_sdk_cloudformation::types::Tag;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, ExpirationStatus, ObjectOwnership,
    ServerSideEncryption,
};
use serde_json::Value;

use crate::support::Project;

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src}
";

const NAME: &str = "samara-000000000000-eu-central-1-an";

fn project() -> Project {
    let project = Project::with_template(TEMPLATE);
    project.write("src/app.py", "def handler(event, context): return 1\n");
    project
}

async fn clients(project: &Project) -> (aws_sdk_cloudformation::Client, aws_sdk_s3::Client) {
    let started = project.samara(["sandbox", "start", "--output", "json"]).run().expect(0).json();
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(started["endpoint_url"].as_str().expect("a URL"))
        .region("eu-central-1")
        .credentials_provider(aws_credential_types::Credentials::new("000000000000", "x", None, None, "test"))
        .load()
        .await;
    let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
    (aws_sdk_cloudformation::Client::new(&config), aws_sdk_s3::Client::from_conf(s3))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_private_keeps_what_is_current_and_is_made_once() {
    let project = project();
    let first = project.samara(["package", "--sandbox", "--output-template-file", "packaged.yaml"]).run().expect(0);
    first.says("Creating the managed bucket (stack samara-managed-bucket)").says(NAME);
    let (cloudformation, s3) = clients(&project).await;

    let answer = cloudformation.describe_stacks().stack_name("samara-managed-bucket").send().await.expect("the stack");
    let stack = &answer.stacks()[0];
    assert_eq!(stack.outputs()[0].output_value(), Some(NAME));
    assert_eq!((stack.tags()[0].key(), stack.tags()[0].value()), (Some("ManagedStackSource"), Some("samara")));
    let made = stack.creation_time().copied();

    let block = s3.get_public_access_block().bucket(NAME).send().await.expect("a block");
    let block = block.public_access_block_configuration().expect("its flags");
    let flags = [
        block.block_public_acls(),
        block.block_public_policy(),
        block.ignore_public_acls(),
        block.restrict_public_buckets(),
    ];
    assert_eq!(flags, [Some(true); 4]);

    let ownership = s3.get_bucket_ownership_controls().bucket(NAME).send().await.expect("controls");
    let rules = ownership.ownership_controls().expect("rules").rules();
    assert_eq!(rules[0].object_ownership(), &ObjectOwnership::BucketOwnerEnforced);

    let encryption = s3.get_bucket_encryption().bucket(NAME).send().await.expect("encryption");
    let rule = &encryption.server_side_encryption_configuration().expect("rules").rules()[0];
    let default = rule.apply_server_side_encryption_by_default().expect("a default");
    assert_eq!(default.sse_algorithm(), &ServerSideEncryption::Aes256);

    let versioning = s3.get_bucket_versioning().bucket(NAME).send().await.expect("versioning");
    assert_eq!(versioning.status(), Some(&BucketVersioningStatus::Enabled));

    let policy = s3.get_bucket_policy().bucket(NAME).send().await.expect("a policy");
    let policy: Value = serde_json::from_str(policy.policy().expect("a document")).expect("JSON");
    let [statement] = policy["Statement"].as_array().expect("statements").as_slice() else { panic!("{policy}") };
    assert_eq!((&statement["Effect"], &statement["Principal"]), (&"Deny".into(), &"*".into()));
    assert_eq!(statement["Condition"]["Bool"]["aws:SecureTransport"], "false");
    let arn = format!("arn:aws:s3:::{NAME}");
    assert_eq!(statement["Resource"], serde_json::json!([arn, format!("{arn}/*")]));

    let lifecycle = s3.get_bucket_lifecycle_configuration().bucket(NAME).send().await.expect("rules");
    assert!(lifecycle.rules().iter().all(|rule| rule.status() == &ExpirationStatus::Enabled));
    assert!(lifecycle.rules().iter().any(|rule| rule.abort_incomplete_multipart_upload().is_some()));
    assert!(lifecycle.rules().iter().any(|rule| rule.noncurrent_version_expiration().is_some()));
    let expires =
        |rule: &aws_sdk_s3::types::LifecycleRule| rule.expiration().is_some() || !rule.transitions().is_empty();
    assert!(!lifecycle.rules().iter().any(expires), "what is current must stay: {lifecycle:?}");

    project.write("src/app.py", "def handler(event, context): return 2\n");
    let second = project.samara(["package", "--sandbox", "--output-template-file", "packaged.yaml"]).run().expect(0);
    assert!(!second.stderr.contains("Creating the managed bucket"), "{}", second.stderr);
    let answer = cloudformation.describe_stacks().stack_name("samara-managed-bucket").send().await.expect("the stack");
    assert_eq!((answer.stacks().len(), answer.stacks()[0].creation_time().copied()), (1, made));
    assert_eq!(answer.stacks()[0].last_updated_time(), None);
    let buckets = s3.list_buckets().send().await.expect("buckets");
    assert_eq!(buckets.buckets().iter().filter_map(|bucket| bucket.name()).collect::<Vec<_>>(), [NAME]);
    let objects = s3.list_objects_v2().bucket(NAME).send().await.expect("objects");
    assert_eq!(objects.key_count(), Some(2), "{objects:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_without_our_tag_is_refused_and_left_as_it_is() {
    let project = project();
    let (cloudformation, s3) = clients(&project).await;
    let template = "Resources: {Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: squatted}}}\n\
        Outputs: {BucketName: {Value: squatted}}";
    let create = cloudformation.create_stack().stack_name("samara-managed-bucket").template_body(template);
    let other = Tag::builder().key("ManagedStackSource").value("AwsSamCli").build();
    create.tags(other).send().await.expect("a stack");
    while s3.head_bucket().bucket("squatted").send().await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let refused = project.samara(["package", "--sandbox", "--output-template-file", "packaged.yaml"]).run().expect(1);
    refused.says("was not made by samara").says("ManagedStackSource=samara").says("--s3-bucket");
    assert!(!project.path("packaged.yaml").exists());
    let objects = s3.list_objects_v2().bucket("squatted").send().await.expect("objects");
    assert_eq!(objects.key_count(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_that_name_that_no_stack_of_ours_made_is_never_adopted() {
    let project = project();
    let (_, s3) = clients(&project).await;
    let place = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::EuCentral1).build();
    s3.create_bucket().bucket(NAME).create_bucket_configuration(place).send().await.expect("a bucket");
    let refused = project.samara(["package", "--sandbox", "--output-template-file", "packaged.yaml"]).run().expect(1);
    refused.says("the stack samara-managed-bucket is").says("already").says("--s3-bucket");
    assert!(!project.path("packaged.yaml").exists());
    let objects = s3.list_objects_v2().bucket(NAME).send().await.expect("objects");
    assert_eq!(objects.key_count(), Some(0));
    // The same again: what is left of the first try is no obstacle to the same clear answer.
    project.samara(["package", "--sandbox"]).run().expect(1).says("the stack samara-managed-bucket is");
}
