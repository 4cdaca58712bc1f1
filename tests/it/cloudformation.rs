//! The sandbox's CloudFormation, asked through the real SDK.

use std::time::Duration;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::{
    Capability, ChangeAction, ChangeSetStatus, ChangeSetType, ExecutionStatus, Parameter, Replacement, ResourceStatus,
    StackStatus, Tag, TemplateStage,
};
use samara::sandbox::server::{self, Options, Server};

struct Sandbox {
    server: Option<Server>,
    client: Client,
    dir: tempfile::TempDir,
}

impl Sandbox {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("the sandbox answers");
        let server = server::start(Options { dir: dir.path().to_owned(), port: 0, speed: 20.0 })
            .await
            .expect("the sandbox answers");
        let client = client(&server);
        Self { server: Some(server), client, dir }
    }

    fn url(&self) -> String {
        self.server.as_ref().expect("the sandbox answers").endpoint_url()
    }

    async fn restart(&mut self) {
        self.server.take().expect("the sandbox answers").stop().await.expect("the sandbox answers");
        let options = Options { dir: self.dir.path().to_owned(), port: 0, speed: 20.0 };
        let server = server::start(options).await.expect("the sandbox answers");
        self.client = client(&server);
        self.server = Some(server);
    }

    /// The stack's status as soon as nothing is under way.
    async fn settled(&self, stack: &str) -> StackStatus {
        for _ in 0..600 {
            let answer = self.client.describe_stacks().stack_name(stack).send().await.expect("the sandbox answers");
            let status = answer.stacks()[0].stack_status().expect("the sandbox answers").clone();
            if !status.as_str().ends_with("_IN_PROGRESS") {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the stack does not come to rest: {:?}", self.history(stack).await);
    }

    async fn create(&self, stack: &str, template: &str) -> StackStatus {
        let call = self.client.create_stack().stack_name(stack).template_body(template);
        call.capabilities(Capability::CapabilityIam).send().await.expect("the sandbox answers");
        self.settled(stack).await
    }

    async fn update(&self, stack: &str, template: &str) -> StackStatus {
        let call = self.client.update_stack().stack_name(stack).template_body(template);
        call.capabilities(Capability::CapabilityIam).send().await.expect("the sandbox answers");
        self.settled(stack).await
    }

    /// Every event, oldest first: resource and status.
    async fn history(&self, stack: &str) -> Vec<String> {
        let mut all = Vec::new();
        let mut token = None;
        loop {
            let call = self.client.describe_stack_events().stack_name(stack).set_next_token(token);
            let page = call.send().await.expect("the sandbox answers");
            all.extend(page.stack_events().iter().map(|event| {
                format!(
                    "{} {}",
                    event.logical_resource_id().expect("the sandbox answers"),
                    event.resource_status().expect("the sandbox answers").as_str()
                )
            }));
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                all.reverse();
                return all;
            }
        }
    }

    /// The reason of the newest event of a resource with a status.
    async fn reason(&self, stack: &str, resource: &str, status: ResourceStatus) -> String {
        let page = self.client.describe_stack_events().stack_name(stack).send().await.expect("the sandbox answers");
        let found = page
            .stack_events()
            .iter()
            .find(|event| event.logical_resource_id() == Some(resource) && event.resource_status() == Some(&status));
        found.and_then(|event| event.resource_status_reason()).unwrap_or_default().to_owned()
    }

    async fn physical_id(&self, stack: &str, resource: &str) -> String {
        let call = self.client.describe_stack_resource().stack_name(stack).logical_resource_id(resource);
        let answer = call.send().await.expect("the sandbox answers");
        answer
            .stack_resource_detail()
            .expect("the sandbox answers")
            .physical_resource_id()
            .expect("the sandbox answers")
            .to_owned()
    }

    async fn output(&self, stack: &str, key: &str) -> String {
        let answer = self.client.describe_stacks().stack_name(stack).send().await.expect("the sandbox answers");
        let outputs = answer.stacks()[0].outputs();
        let found = outputs.iter().find(|output| output.output_key() == Some(key));
        found.expect("the sandbox answers").output_value().expect("the sandbox answers").to_owned()
    }

    fn lambda(&self) -> aws_sdk_lambda::Client {
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version(aws_sdk_lambda::config::BehaviorVersion::latest())
            .endpoint_url(self.url())
            .region(aws_sdk_lambda::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_lambda::config::Credentials::new("test", "test", None, None, "test"))
            .build();
        aws_sdk_lambda::Client::from_conf(config)
    }

    /// The version that the alias `live` of the function `fn` points to.
    async fn live(&self) -> String {
        let alias =
            self.lambda().get_alias().function_name("fn").name("live").send().await.expect("the sandbox answers");
        alias.function_version().expect("the sandbox answers").to_owned()
    }

    /// The published versions of the function `fn`.
    async fn versions(&self) -> Vec<String> {
        let answer =
            self.lambda().list_versions_by_function().function_name("fn").send().await.expect("the sandbox answers");
        answer.versions().iter().map(|version| version.version().expect("the sandbox answers").to_owned()).collect()
    }

    /// Which buckets there are.
    async fn buckets(&self) -> Vec<String> {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .endpoint_url(self.url())
            .force_path_style(true)
            .region(aws_sdk_s3::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_s3::config::Credentials::new("test", "test", None, None, "test"))
            .build();
        let answer = aws_sdk_s3::Client::from_conf(config).list_buckets().send().await.expect("the sandbox answers");
        answer.buckets().iter().map(|bucket| bucket.name().expect("the sandbox answers").to_owned()).collect()
    }
}

fn client(server: &Server) -> Client {
    let config = aws_sdk_cloudformation::Config::builder()
        .behavior_version(aws_sdk_cloudformation::config::BehaviorVersion::latest())
        .endpoint_url(server.endpoint_url())
        .region(aws_sdk_cloudformation::config::Region::new("us-east-1"))
        .credentials_provider(aws_sdk_cloudformation::config::Credentials::new("test", "test", None, None, "test"))
        .build();
    Client::from_conf(config)
}

/// Code and message of an error answer.
fn said<T, E: ProvideErrorMetadata, R>(
    result: Result<T, aws_sdk_cloudformation::error::SdkError<E, R>>,
) -> (String, String) {
    let Err(error) = result else { panic!("an error was expected") };
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

const ROLE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

fn basic(retention: u32) -> String {
    format!(
        "
Description: a <stack> & more
Parameters:
  Days: {{Type: Number, Default: {retention}}}
  Secret: {{Type: String, Default: hush, NoEcho: true}}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      VersioningConfiguration: {{Status: Enabled}}
      NotificationConfiguration: {{QueueConfigurations: [{{Event: 's3:ObjectCreated:*', Queue: 'arn:aws:sqs:us-east-1:000000000000:q'}}]}}
      Tags: [{{Key: secret, Value: !Ref Secret}}]
  Group:
    Type: AWS::Logs::LogGroup
    Properties:
      LogGroupName: !Sub /app/${{Bucket}}
      RetentionInDays: !Ref Days
  Role:
    Type: AWS::IAM::Role
    DependsOn: Group
    Properties:
      AssumeRolePolicyDocument: {ROLE}
Outputs:
  BucketArn: {{Value: !GetAtt Bucket.Arn}}
  Role: {{Value: !GetAtt Role.Arn, Description: the role}}
"
    )
}

#[tokio::test]
async fn a_change_set_creates_a_stack_in_order_with_outputs() {
    let sandbox = Sandbox::new().await;
    let stack = sandbox.client.describe_stacks().stack_name("app").send().await;
    assert_eq!(said(stack), ("ValidationError".into(), "Stack with id app does not exist".into()));
    let refused = sandbox.client.create_change_set().stack_name("app").change_set_name("first");
    let refused = refused.change_set_type(ChangeSetType::Create).template_body(basic(7)).send().await;
    assert_eq!(
        said(refused),
        ("InsufficientCapabilitiesException".into(), "Requires capabilities : [CAPABILITY_IAM]".into())
    );
    let made = sandbox
        .client
        .create_change_set()
        .stack_name("app")
        .change_set_name("first")
        .change_set_type(ChangeSetType::Create)
        .template_body(basic(7))
        .capabilities(Capability::CapabilityIam)
        .tags(Tag::builder().key("team").value("maple").build())
        .send()
        .await
        .unwrap();
    assert_eq!(sandbox.history("app").await, ["app REVIEW_IN_PROGRESS"]);
    let set = sandbox.client.describe_change_set().change_set_name(made.id().unwrap()).send().await.unwrap();
    assert_eq!(set.status(), Some(&ChangeSetStatus::CreateComplete));
    assert_eq!(set.execution_status(), Some(&ExecutionStatus::Available));
    let added: Vec<_> = set
        .changes()
        .iter()
        .map(|change| change.resource_change().unwrap())
        .map(|change| (change.action().unwrap().clone(), change.logical_resource_id().unwrap()))
        .collect();
    assert_eq!(added, [(ChangeAction::Add, "Bucket"), (ChangeAction::Add, "Group"), (ChangeAction::Add, "Role")]);
    let execute = sandbox.client.execute_change_set().change_set_name(made.id().unwrap());
    execute.client_request_token("token-1").send().await.unwrap();
    assert_eq!(sandbox.settled("app").await, StackStatus::CreateComplete);
    assert_eq!(
        sandbox.history("app").await,
        [
            "app REVIEW_IN_PROGRESS",
            "app CREATE_IN_PROGRESS",
            "Bucket CREATE_IN_PROGRESS",
            "Bucket CREATE_IN_PROGRESS",
            "Bucket CREATE_COMPLETE",
            "Group CREATE_IN_PROGRESS",
            "Group CREATE_IN_PROGRESS",
            "Group CREATE_COMPLETE",
            "Role CREATE_IN_PROGRESS",
            "Role CREATE_IN_PROGRESS",
            "Role CREATE_COMPLETE",
            "app CREATE_COMPLETE",
        ]
    );
    let answer = sandbox.client.describe_stacks().stack_name("app").send().await.unwrap();
    let stack = &answer.stacks()[0];
    assert_eq!(stack.description(), Some("a <stack> & more"));
    assert_eq!(stack.change_set_id(), made.id());
    assert_eq!(stack.tags()[0].key(), Some("team"));
    let shown: Vec<_> = stack.parameters().iter().map(|p| p.parameter_value().unwrap()).collect();
    assert_eq!(shown, ["7", "****"]);
    let bucket = sandbox.physical_id("app", "Bucket").await;
    assert_eq!(sandbox.buckets().await, std::slice::from_ref(&bucket));
    assert_eq!(sandbox.output("app", "BucketArn").await, format!("arn:aws:s3:::{bucket}"));
    assert_eq!(sandbox.physical_id("app", "Group").await, format!("/app/{bucket}"));
    let events = sandbox.client.describe_stack_events().stack_name("app").send().await.unwrap();
    assert_eq!(events.stack_events()[0].client_request_token(), Some("token-1"));
    let properties: Vec<&str> = events.stack_events().iter().filter_map(|e| e.resource_properties()).collect();
    assert!(
        properties.iter().any(|text| text.contains("****")) && !properties.iter().any(|text| text.contains("hush"))
    );
    let template = sandbox.client.get_template().stack_name("app").template_stage(TemplateStage::Processed);
    assert_eq!(template.send().await.unwrap().template_body(), Some(basic(7).as_str()));
}

async fn change_set(
    sandbox: &Sandbox,
    name: &str,
    template: &str,
) -> aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput {
    let create = sandbox.client.create_change_set().stack_name("app").change_set_name(name);
    let create = create
        .template_body(template)
        .capabilities(Capability::CapabilityIam)
        .send()
        .await
        .expect("the sandbox answers");
    sandbox
        .client
        .describe_change_set()
        .change_set_name(create.id().expect("the sandbox answers"))
        .send()
        .await
        .expect("the sandbox answers")
}

#[tokio::test]
async fn an_update_shows_and_makes_only_what_changes() {
    let sandbox = Sandbox::new().await;
    assert_eq!(sandbox.create("app", &basic(7)).await, StackStatus::CreateComplete);
    let same = change_set(&sandbox, "same", &basic(7)).await;
    assert_eq!(same.status(), Some(&ChangeSetStatus::Failed));
    assert_eq!(
        same.status_reason(),
        Some("The submitted information didn't contain changes. Submit different information to create a change set.")
    );
    let refused = sandbox.client.execute_change_set().change_set_name(same.change_set_id().unwrap()).send().await;
    let (code, message) = said(refused);
    assert_eq!(code, "InvalidChangeSetStatus");
    assert!(message.ends_with("cannot be executed in its current status of [FAILED]"), "{message}");
    let comment = basic(7).replace("a <stack> & more", "described otherwise");
    let other_words = change_set(&sandbox, "words", &comment).await;
    assert_eq!(other_words.status_reason(), Some("No updates are to be performed."));
    let update = sandbox.client.update_stack().stack_name("app").template_body(basic(7));
    let update = update.capabilities(Capability::CapabilityIam).send().await;
    assert_eq!(said(update), ("ValidationError".into(), "No updates are to be performed.".into()));

    let set = change_set(&sandbox, "days", &basic(14)).await;
    assert_eq!(set.changes().len(), 1);
    let change = set.changes()[0].resource_change().unwrap();
    assert_eq!(change.logical_resource_id(), Some("Group"));
    assert_eq!(change.replacement(), Some(&Replacement::False));
    let details: Vec<_> = change
        .details()
        .iter()
        .map(|detail| {
            (detail.change_source().unwrap().as_str(), detail.evaluation().unwrap().as_str(), detail.causing_entity())
        })
        .collect();
    assert_eq!(details, [("ParameterReference", "Static", Some("Days")), ("DirectModification", "Dynamic", None)]);
    sandbox.client.execute_change_set().change_set_name(set.change_set_id().unwrap()).send().await.unwrap();
    assert_eq!(sandbox.settled("app").await, StackStatus::UpdateComplete);
    let history = sandbox.history("app").await;
    assert_eq!(
        history[history.len() - 5..],
        [
            "app UPDATE_IN_PROGRESS",
            "Group UPDATE_IN_PROGRESS",
            "Group UPDATE_COMPLETE",
            "app UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "app UPDATE_COMPLETE",
        ]
    );
}

#[tokio::test]
async fn a_replacement_is_made_before_the_old_one_goes() {
    let sandbox = Sandbox::new().await;
    let named = |name: &str| {
        format!(
            "Resources: {{Bucket: {{Type: AWS::S3::Bucket, Properties: {{BucketName: {name}}}}}, \
             Group: {{Type: AWS::Logs::LogGroup, Properties: {{LogGroupName: !Ref Bucket}}}}}}"
        )
    };
    assert_eq!(sandbox.create("app", &named("first-bucket")).await, StackStatus::CreateComplete);
    let set = change_set(&sandbox, "rename", &named("second-bucket")).await;
    let changes: Vec<_> = set
        .changes()
        .iter()
        .map(|change| change.resource_change().unwrap())
        .map(|change| (change.logical_resource_id().unwrap(), change.replacement().unwrap().clone()))
        .collect();
    assert_eq!(changes, [("Bucket", Replacement::True), ("Group", Replacement::True)]);
    assert_eq!(sandbox.update("app", &named("second-bucket")).await, StackStatus::UpdateComplete);
    assert_eq!(sandbox.buckets().await, ["second-bucket"]);
    assert_eq!(sandbox.physical_id("app", "Group").await, "second-bucket");
    let history = sandbox.history("app").await;
    let at = |event: &str| history.iter().position(|other| other == event).unwrap();
    assert!(at("Bucket UPDATE_COMPLETE") < at("app UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"));
    assert!(at("app UPDATE_COMPLETE_CLEANUP_IN_PROGRESS") < at("Group DELETE_IN_PROGRESS"));
    assert!(at("Group DELETE_COMPLETE") < at("Bucket DELETE_IN_PROGRESS"));
}

#[tokio::test]
async fn a_failed_update_puts_everything_back() {
    let sandbox = Sandbox::new().await;
    assert_eq!(sandbox.create("app", &basic(7)).await, StackStatus::CreateComplete);
    let group = sandbox.physical_id("app", "Group").await;
    // The group changes, a bucket is new, and what depends on both cannot be made.
    let broken = basic(14).replace(
        "  Role:\n",
        "  More: {Type: AWS::S3::Bucket}\n  Kept: {Type: AWS::S3::Bucket, DeletionPolicy: Retain}\n  Bad:\n    Type: AWS::Logs::LogGroup\n    DependsOn: [Group, More, Kept]\n    Properties: {LogGroupName: !Ref Group}\n  Role:\n",
    );
    assert_eq!(sandbox.update("app", &broken).await, StackStatus::UpdateRollbackComplete);
    let reason = sandbox.reason("app", "Bad", ResourceStatus::CreateFailed).await;
    assert!(reason.contains("HandlerErrorCode: AlreadyExists"), "{reason}");
    let answer = sandbox.client.describe_stacks().stack_name("app").send().await.unwrap();
    let shown: Vec<_> =
        answer.stacks()[0].parameters().iter().map(|p| p.parameter_value().unwrap().to_owned()).collect();
    assert_eq!(shown, ["7", "****"]);
    let history = sandbox.history("app").await;
    let started = history.iter().position(|event| event == "app UPDATE_ROLLBACK_IN_PROGRESS").unwrap();
    assert_eq!(
        history[started..started + 4],
        [
            "app UPDATE_ROLLBACK_IN_PROGRESS",
            "Group UPDATE_IN_PROGRESS",
            "Group UPDATE_COMPLETE",
            "app UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        ]
    );
    assert!(
        history.contains(&"More DELETE_COMPLETE".to_owned()) && history.contains(&"Kept DELETE_SKIPPED".to_owned())
    );
    // The bucket with Retain stays without the stack; the group is the one of before.
    assert_eq!(sandbox.buckets().await.len(), 2);
    assert_eq!(sandbox.physical_id("app", "Group").await, group);
    // Back at the old state there is nothing to change.
    let same = change_set(&sandbox, "same", &basic(7)).await;
    assert_eq!(same.status(), Some(&ChangeSetStatus::Failed));
}

#[tokio::test]
async fn a_failed_creation_is_rolled_back_or_left_as_asked() {
    let sandbox = Sandbox::new().await;
    let broken = "Resources: {Bucket: {Type: AWS::S3::Bucket}, Bad: {Type: AWS::S3::Bucket, DependsOn: Bucket, Properties: {Odd: 1}}}";
    assert_eq!(sandbox.create("app", broken).await, StackStatus::RollbackComplete);
    let reason = sandbox.reason("app", "Bad", ResourceStatus::CreateFailed).await;
    assert!(reason.contains("Encountered unsupported property Odd"), "{reason}");
    let answer = sandbox.client.describe_stacks().stack_name("app").send().await.unwrap();
    let events = sandbox.client.describe_stack_events().stack_name("app").send().await.unwrap();
    let rollback =
        events.stack_events().iter().find(|e| e.resource_status() == Some(&ResourceStatus::RollbackInProgress));
    assert_eq!(
        rollback.unwrap().resource_status_reason(),
        Some("The following resource(s) failed to create: [Bad]. Rollback requested by user.")
    );
    assert_eq!(sandbox.buckets().await, [""; 0]);
    let update = sandbox.client.update_stack().stack_name("app").template_body(broken).send().await;
    let id = answer.stacks()[0].stack_id().unwrap();
    assert_eq!(said(update).1, format!("Stack:{id} is in ROLLBACK_COMPLETE state and can not be updated."));

    let left = sandbox.client.create_stack().stack_name("left").template_body(broken).disable_rollback(true);
    left.send().await.unwrap();
    assert_eq!(sandbox.settled("left").await, StackStatus::CreateFailed);
    assert_eq!(sandbox.buckets().await.len(), 1);
    let mended = broken.replace("{Odd: 1}", "{}");
    assert_eq!(sandbox.update("left", &mended).await, StackStatus::UpdateComplete);
    assert_eq!(sandbox.buckets().await.len(), 2);
}

#[tokio::test]
async fn an_update_left_failed_can_be_rolled_back_later() {
    let sandbox = Sandbox::new().await;
    assert_eq!(sandbox.create("app", &basic(7)).await, StackStatus::CreateComplete);
    let broken = basic(14)
        .replace("  Role:\n", "  Bad: {Type: AWS::S3::Bucket, DependsOn: Group, Properties: {Odd: 1}}\n  Role:\n");
    let update = sandbox.client.update_stack().stack_name("app").template_body(&broken).disable_rollback(true);
    update.capabilities(Capability::CapabilityIam).send().await.unwrap();
    assert_eq!(sandbox.settled("app").await, StackStatus::UpdateFailed);
    sandbox.client.rollback_stack().stack_name("app").send().await.unwrap();
    assert_eq!(sandbox.settled("app").await, StackStatus::UpdateRollbackComplete);
    let again = sandbox.client.rollback_stack().stack_name("app").send().await;
    assert!(said(again).1.contains("can not be rolled back"));
}

#[tokio::test]
async fn deletion_takes_what_depends_first_and_keeps_what_is_retained() {
    let sandbox = Sandbox::new().await;
    let template =
        basic(7).replace("  Bucket:\n", "  Kept: {Type: AWS::S3::Bucket, DeletionPolicy: Retain}\n  Bucket:\n");
    assert_eq!(sandbox.create("app", &template).await, StackStatus::CreateComplete);
    let answer = sandbox.client.describe_stacks().stack_name("app").send().await.unwrap();
    let id = answer.stacks()[0].stack_id().unwrap().to_owned();
    sandbox
        .client
        .update_termination_protection()
        .stack_name("app")
        .enable_termination_protection(true)
        .send()
        .await
        .unwrap();
    let refused = sandbox.client.delete_stack().stack_name("app").send().await;
    assert_eq!(said(refused).1, "Stack [app] cannot be deleted while TerminationProtection is enabled");
    sandbox
        .client
        .update_termination_protection()
        .stack_name("app")
        .enable_termination_protection(false)
        .send()
        .await
        .unwrap();
    sandbox.client.delete_stack().stack_name("app").send().await.unwrap();
    assert_eq!(sandbox.settled(&id).await, StackStatus::DeleteComplete);
    let history = sandbox.history(&id).await;
    let at = |event: &str| history.iter().position(|other| other == event).unwrap();
    assert!(at("Role DELETE_COMPLETE") < at("Group DELETE_IN_PROGRESS"));
    assert!(at("Group DELETE_COMPLETE") < at("Bucket DELETE_IN_PROGRESS"));
    assert!(history.contains(&"Kept DELETE_SKIPPED".to_owned()));
    assert_eq!(sandbox.buckets().await.len(), 1);
    let gone = sandbox.client.describe_stacks().stack_name("app").send().await;
    assert_eq!(said(gone).1, "Stack with id app does not exist");
    // Deleting what is not there is no error.
    sandbox.client.delete_stack().stack_name("app").send().await.unwrap();
    let events = sandbox.client.describe_stack_events().stack_name("app").send().await;
    assert_eq!(said(events).1, "Stack [app] does not exist");
}

#[tokio::test]
async fn exports_are_imported_and_cannot_go_while_they_are() {
    let sandbox = Sandbox::new().await;
    let exporter =
        "Resources: {Bucket: {Type: AWS::S3::Bucket}}\nOutputs: {O: {Value: !Ref Bucket, Export: {Name: shared}}}";
    let importer = "Resources: {Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !ImportValue shared}}}";
    assert_eq!(sandbox.create("early", importer).await, StackStatus::RollbackComplete);
    assert!(
        sandbox
            .reason("early", "Group", ResourceStatus::CreateFailed)
            .await
            .starts_with("No export named shared found.")
    );
    assert_eq!(sandbox.create("exporter", exporter).await, StackStatus::CreateComplete);
    assert_eq!(sandbox.create("importer", importer).await, StackStatus::CreateComplete);
    assert_eq!(sandbox.physical_id("importer", "Group").await, sandbox.physical_id("exporter", "Bucket").await);
    let exports = sandbox.client.list_exports().send().await.unwrap();
    assert_eq!(exports.exports()[0].name(), Some("shared"));
    sandbox.client.delete_stack().stack_name("exporter").send().await.unwrap();
    assert_eq!(sandbox.settled("exporter").await, StackStatus::DeleteFailed);
    assert_eq!(sandbox.buckets().await.len(), 1);
}

#[tokio::test]
async fn stacks_survive_a_restart_and_parameters_keep_their_values() {
    let mut sandbox = Sandbox::new().await;
    assert_eq!(sandbox.create("app", &basic(7)).await, StackStatus::CreateComplete);
    sandbox.restart().await;
    let update = sandbox
        .client
        .update_stack()
        .stack_name("app")
        .use_previous_template(true)
        .capabilities(Capability::CapabilityIam)
        .parameters(Parameter::builder().parameter_key("Days").parameter_value("30").build())
        .parameters(Parameter::builder().parameter_key("Secret").use_previous_value(true).build());
    update.send().await.unwrap();
    assert_eq!(sandbox.settled("app").await, StackStatus::UpdateComplete);
    let history = sandbox.history("app").await;
    assert!(!history.contains(&"Bucket UPDATE_IN_PROGRESS".to_owned()), "{history:?}");
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let sandbox = Sandbox::new().await;
    let unknown = "Resources: {R: {Type: AWS::Nuclear::Reactor}}";
    let refused = sandbox.client.create_stack().stack_name("app").template_body(unknown).send().await;
    let (code, message) = said(refused);
    assert_eq!(code, "ValidationError");
    assert!(message.contains("Unrecognized resource types: [AWS::Nuclear::Reactor]"), "{message}");
    let drift = sandbox.client.detect_stack_drift().stack_name("app").send().await;
    let (code, message) = said(drift);
    assert_eq!(code, "NotImplemented");
    assert!(message.contains("DetectStackDrift"), "{message}");
    let bad = sandbox.client.validate_template().template_body("{\"Resources\": {,}}").send().await;
    assert!(said(bad).1.starts_with("Template format error: JSON not well-formed. (line 1, column"));
    let name = sandbox.client.create_stack().stack_name("*@da591fa3_$").template_body(unknown).send().await;
    assert!(said(name).1.starts_with("1 validation error detected: Value '*@da591fa3_$' at 'stackName' failed"));
    let nothing = sandbox.client.create_stack().stack_name("app").send().await;
    assert_eq!(said(nothing).1, "Either Template URL or Template Body must be specified.");
}

/// A function whose version `V<n>` serves behind the alias `live`.
fn function(n: u32) -> String {
    format!(
        "
Resources:
  Role: {{Type: AWS::IAM::Role, Properties: {{AssumeRolePolicyDocument: {ROLE}}}}}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: fn
      Runtime: python3.13
      Handler: index.handler
      MemorySize: '256'
      Role: !GetAtt Role.Arn
      Code: {{ZipFile: 'def handler(event, context): return {n}'}}
  V{n}:
    Type: AWS::Lambda::Version
    DeletionPolicy: Retain
    Properties: {{FunctionName: !Ref Function}}
  Alias:
    Type: AWS::Lambda::Alias
    Properties: {{FunctionName: !Ref Function, FunctionVersion: !GetAtt V{n}.Version, Name: live}}
  Permission:
    Type: AWS::Lambda::Permission
    Properties: {{FunctionName: !Ref Alias, Action: 'lambda:InvokeFunction', Principal: events.amazonaws.com}}
Outputs:
  Alias: {{Value: !Ref Alias}}
  Version: {{Value: !Ref V{n}}}
"
    )
}

#[tokio::test]
async fn a_new_version_is_published_and_the_alias_follows() {
    let sandbox = Sandbox::new().await;
    assert_eq!(sandbox.create("app", &function(1)).await, StackStatus::CreateComplete);
    assert_eq!(sandbox.output("app", "Alias").await, "arn:aws:lambda:us-east-1:000000000000:function:fn:live");
    assert_eq!(sandbox.output("app", "Version").await, "arn:aws:lambda:us-east-1:000000000000:function:fn:1");
    assert_eq!(sandbox.live().await, "1");
    let set = change_set(&sandbox, "second", &function(2)).await;
    let changes: Vec<_> = set
        .changes()
        .iter()
        .map(|change| change.resource_change().unwrap())
        .map(|change| format!("{} {}", change.action().unwrap().as_str(), change.logical_resource_id().unwrap()))
        .collect();
    assert_eq!(changes, ["Modify Alias", "Modify Function", "Remove V1", "Add V2"]);
    sandbox.client.execute_change_set().change_set_name(set.change_set_id().unwrap()).send().await.unwrap();
    assert_eq!(sandbox.settled("app").await, StackStatus::UpdateComplete);
    assert_eq!(sandbox.live().await, "2");
    // The old version is retained.
    assert_eq!(sandbox.versions().await, ["$LATEST", "1", "2"]);
    assert!(sandbox.history("app").await.contains(&"V1 DELETE_SKIPPED".to_owned()));
}

#[tokio::test]
async fn a_rollback_puts_the_alias_back_to_what_the_last_template_said() {
    let sandbox = Sandbox::new().await;
    assert_eq!(sandbox.create("app", &function(1)).await, StackStatus::CreateComplete);
    let bad = "  Bad: {Type: AWS::S3::Bucket, DependsOn: Alias, Properties: {Odd: 1}}\nOutputs:";
    let broken = function(2).replace("Outputs:", bad);
    assert_eq!(sandbox.update("app", &broken).await, StackStatus::UpdateRollbackComplete);
    assert_eq!(sandbox.live().await, "1");
    let history = sandbox.history("app").await;
    assert!(history.contains(&"V2 DELETE_SKIPPED".to_owned()), "{history:?}");
    // The retained version is now in the way of the same code.
    assert_eq!(sandbox.versions().await, ["$LATEST", "1", "2"]);
    let again = function(2).replace("V2", "V3");
    assert_eq!(sandbox.update("app", &again).await, StackStatus::UpdateRollbackComplete);
    let reason = sandbox.reason("app", "V3", ResourceStatus::CreateFailed).await;
    let expected = "A version for this Lambda function exists ( 2 ). Modify the function to create a new version.";
    assert!(reason.contains(expected) && reason.contains("AlreadyExists"), "{reason}");
    assert_eq!(sandbox.live().await, "1");
}

#[tokio::test]
async fn retain_except_on_create_leaves_no_orphan_version() {
    let sandbox = Sandbox::new().await;
    assert_eq!(sandbox.create("app", &function(1)).await, StackStatus::CreateComplete);
    let bad = "  Bad: {Type: AWS::S3::Bucket, DependsOn: Alias, Properties: {Odd: 1}}\nOutputs:";
    let set = change_set(&sandbox, "bad", &function(2).replace("Outputs:", bad)).await;
    let execute = sandbox.client.execute_change_set().change_set_name(set.change_set_id().unwrap());
    execute.retain_except_on_create(true).send().await.unwrap();
    assert_eq!(sandbox.settled("app").await, StackStatus::UpdateRollbackComplete);
    assert_eq!(sandbox.versions().await, ["$LATEST", "1"]);
    assert_eq!(sandbox.update("app", &function(2)).await, StackStatus::UpdateComplete);
    assert_eq!(sandbox.live().await, "3");
}

#[tokio::test]
async fn saying_the_same_version_otherwise_leaves_the_alias_alone() {
    let sandbox = Sandbox::new().await;
    let held = function(1).replace("!GetAtt V1.Version", "'1'");
    assert_eq!(sandbox.create("app", &held).await, StackStatus::RollbackComplete, "nothing waits for the version");
    sandbox.client.delete_stack().stack_name("app").send().await.unwrap();
    assert_eq!(sandbox.create("app2", &function(1)).await, StackStatus::CreateComplete);
    let call = || async { sandbox.lambda().get_alias().function_name("fn").name("live").send().await.unwrap() };
    let before = call().await;
    assert_eq!(sandbox.update("app2", &held).await, StackStatus::UpdateComplete);
    let settle = sandbox.client.create_change_set().stack_name("app2").change_set_name("settle");
    let settle = settle.template_body(function(1)).capabilities(Capability::CapabilityIam).send().await.unwrap();
    let set = sandbox.client.describe_change_set().change_set_name(settle.id().unwrap()).send().await.unwrap();
    assert_eq!(set.changes().len(), 1, "the template says it differently");
    sandbox.client.execute_change_set().change_set_name(settle.id().unwrap()).send().await.unwrap();
    assert_eq!(sandbox.settled("app2").await, StackStatus::UpdateComplete);
    assert_eq!(call().await.revision_id(), before.revision_id());
    assert!(!sandbox.history("app2").await.contains(&"Alias UPDATE_IN_PROGRESS".to_owned()));
}

const SERVERLESS: &str = "
Transform: AWS::Serverless-2016-10-31
Parameters: {Greeting: {Type: String, Default: hello}}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      InlineCode: 'def handler(event, context): return 1'
      AutoPublishAlias: live
      Environment: {Variables: {GREETING: !Ref Greeting}}
      Events:
        Get: {Type: HttpApi, Properties: {Path: /hello, Method: get}}
        Nightly: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
  Errors:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/Lambda
      MetricName: Errors
      Dimensions: [{Name: FunctionName, Value: !Ref Hello}]
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: '1'
      ComparisonOperator: GreaterThanOrEqualToThreshold
Outputs:
  Version: {Value: !Ref Hello.Version}
";

#[tokio::test]
async fn a_serverless_template_is_transformed_and_read_back() {
    let sandbox = Sandbox::new().await;
    let direct = sandbox.client.create_stack().stack_name("app").template_body(SERVERLESS).send().await;
    assert_eq!(said(direct).1, "Requires capabilities : [CAPABILITY_AUTO_EXPAND]");
    let create = |name: &'static str, template: &str| {
        let call = sandbox.client.create_change_set().stack_name("app").change_set_name(name);
        call.change_set_type(ChangeSetType::Create).template_body(template)
    };
    let late = create("late", SERVERLESS).send().await.unwrap();
    let set = sandbox.client.describe_change_set().change_set_name(late.id().unwrap()).send().await.unwrap();
    assert_eq!(set.status_reason(), Some("Requires capabilities : [CAPABILITY_IAM]"));
    let wrong = create("wrong", &SERVERLESS.replace("InlineCode", "Odd")).capabilities(Capability::CapabilityIam);
    let wrong = wrong.send().await.unwrap();
    let set = sandbox.client.describe_change_set().change_set_name(wrong.id().unwrap()).send().await.unwrap();
    let reason = set.status_reason().unwrap_or_default();
    assert!(reason.starts_with("Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless"), "{reason}");
    let made = create("made", SERVERLESS).capabilities(Capability::CapabilityIam).send().await.unwrap();
    sandbox.client.execute_change_set().change_set_name(made.id().unwrap()).send().await.unwrap();
    assert_eq!(sandbox.settled("app").await, StackStatus::CreateComplete);
    assert!(sandbox.output("app", "Version").await.ends_with(":1"));
    let processed = sandbox.client.get_template().stack_name("app").template_stage(TemplateStage::Processed);
    let processed = processed.send().await.unwrap();
    let processed: serde_json::Value = serde_json::from_str(processed.template_body().unwrap()).unwrap();
    assert_eq!(processed["Resources"]["Hello"]["Type"], "AWS::Lambda::Function");
    let original = sandbox.client.get_template().stack_name("app").send().await.unwrap();
    assert_eq!(original.template_body(), Some(SERVERLESS));
    // The same again is no change, in the words that a transformed template gets.
    let call = sandbox.client.create_change_set().stack_name("app").change_set_name("same").template_body(SERVERLESS);
    let same = call.capabilities(Capability::CapabilityIam).send().await.unwrap();
    let set = sandbox.client.describe_change_set().change_set_name(same.id().unwrap()).send().await.unwrap();
    assert_eq!(set.status_reason(), Some("No updates are to be performed."));
    sandbox.client.delete_stack().stack_name("app").send().await.unwrap();
    let id = made.stack_id().unwrap();
    assert_eq!(sandbox.settled(id).await, StackStatus::DeleteComplete);
}
