//! Types of which the sandbox keeps only the record: APIs, schedules and tables stand in the stack with the values that `Ref` and `Fn::GetAtt` give on AWS, and carry no traffic.

use serde_json::{Map, Value};

use super::{Context, Doing, Made, Properties, Provider, Refusal, Spec, plain, text};

/// How a type's physical ID comes about.
#[derive(Clone, Copy, Debug)]
enum Id {
    /// The property, or a generated name of at most so many characters.
    Name(&'static str, usize),
    /// Random lower-case letters and digits.
    Random(usize),
    /// A generated name.
    Generated,
    /// A pattern, as for attributes.
    Pattern(&'static str),
}

/// One type.
#[derive(Debug)]
struct Record {
    kind: &'static str,
    id: Id,
    spec: Spec,
    /// Attribute and pattern: `{id}`, `{region}`, `{account}`, `{partition}`, `{suffix}`, `{stack-id}`
    /// and, in `{Property}` or `{Property|default}`, what a property says.
    patterns: &'static [(&'static str, &'static str)],
}

macro_rules! record {
    ($kind:literal, $id:expr, fixed $fixed:expr, mutable $mutable:expr, required $required:expr, { $($attribute:literal: $pattern:literal),* $(,)? }) => {
        Record {
            kind: $kind,
            id: $id,
            spec: Spec { mutable: &$mutable, fixed: &$fixed, required: &$required, attributes: &[$($attribute),*], tagged: false },
            patterns: &[$(($attribute, $pattern)),*],
        }
    };
}

static RECORDS: &[Record] = &[
    record!("AWS::ApiGateway::RestApi", Id::Random(10), fixed [],
        mutable ["ApiKeySourceType", "BinaryMediaTypes", "Body", "BodyS3Location", "CloneFrom", "Description", "DisableExecuteApiEndpoint", "EndpointAccessMode", "EndpointConfiguration", "FailOnWarnings", "MinimumCompressionSize", "Mode", "Name", "Parameters", "Policy", "SecurityPolicy", "Tags"],
        required [], {"RestApiId": "{id}", "RootResourceId": "{id}"}),
    record!("AWS::ApiGateway::Deployment", Id::Random(6), fixed ["RestApiId", "DeploymentCanarySettings"],
        mutable ["Description", "StageDescription", "StageName"], required ["RestApiId"], {"DeploymentId": "{id}"}),
    record!("AWS::ApiGateway::Stage", Id::Name("StageName", 128), fixed ["RestApiId", "StageName"],
        mutable ["AccessLogSetting", "CacheClusterEnabled", "CacheClusterSize", "CanarySetting", "ClientCertificateId", "DeploymentId", "Description", "DocumentationVersion", "MethodSettings", "Tags", "TracingEnabled", "Variables"],
        required ["RestApiId"], {}),
    record!("AWS::ApiGateway::Resource", Id::Random(6), fixed ["ParentId", "PathPart", "RestApiId"], mutable [],
        required ["ParentId", "PathPart", "RestApiId"], {"ResourceId": "{id}"}),
    record!("AWS::ApiGateway::Method", Id::Generated, fixed ["HttpMethod", "ResourceId", "RestApiId"],
        mutable ["ApiKeyRequired", "AuthorizationScopes", "AuthorizationType", "AuthorizerId", "Integration", "MethodResponses", "OperationName", "RequestModels", "RequestParameters", "RequestValidatorId"],
        required ["HttpMethod", "ResourceId", "RestApiId"], {}),
    record!("AWS::ApiGateway::Account", Id::Generated, fixed [], mutable ["CloudWatchRoleArn"], required [], {"Id": "{id}"}),
    record!("AWS::ApiGateway::Authorizer", Id::Random(6), fixed ["RestApiId"],
        mutable ["AuthType", "AuthorizerCredentials", "AuthorizerResultTtlInSeconds", "AuthorizerUri", "IdentitySource", "IdentityValidationExpression", "Name", "ProviderARNs", "Type"],
        required ["RestApiId", "Name", "Type"], {"AuthorizerId": "{id}"}),
    record!("AWS::ApiGateway::UsagePlan", Id::Random(6), fixed [],
        mutable ["ApiStages", "Description", "Quota", "Tags", "Throttle", "UsagePlanName"], required [], {"Id": "{id}"}),
    record!("AWS::ApiGateway::ApiKey", Id::Random(10), fixed ["GenerateDistinctId", "Name", "Value"],
        mutable ["CustomerId", "Description", "Enabled", "StageKeys", "Tags"], required [], {"APIKeyId": "{id}"}),
    record!("AWS::ApiGateway::UsagePlanKey", Id::Pattern("{KeyId}:{UsagePlanId}"), fixed ["KeyId", "KeyType", "UsagePlanId"],
        mutable [], required ["KeyId", "KeyType", "UsagePlanId"], {"Id": "{id}"}),
    record!("AWS::ApiGateway::GatewayResponse", Id::Random(6), fixed ["ResponseType", "RestApiId"],
        mutable ["ResponseParameters", "ResponseTemplates", "StatusCode"], required ["ResponseType", "RestApiId"], {"Id": "{id}"}),
    record!("AWS::ApiGatewayV2::Api", Id::Random(10), fixed ["ProtocolType"],
        mutable ["ApiKeySelectionExpression", "BasePath", "Body", "BodyS3Location", "CorsConfiguration", "CredentialsArn", "Description", "DisableExecuteApiEndpoint", "DisableSchemaValidation", "FailOnWarnings", "IpAddressType", "Name", "RouteKey", "RouteSelectionExpression", "Tags", "Target", "Version"],
        required [], {"ApiId": "{id}", "ApiEndpoint": "https://{id}.execute-api.{region}.{suffix}"}),
    record!("AWS::ApiGatewayV2::Stage", Id::Name("StageName", 128), fixed ["ApiId", "StageName"],
        mutable ["AccessLogSettings", "AccessPolicyId", "AutoDeploy", "ClientCertificateId", "DefaultRouteSettings", "DeploymentId", "Description", "RouteSettings", "StageVariables", "Tags"],
        required ["ApiId", "StageName"], {}),
    record!("AWS::ApiGatewayV2::Integration", Id::Random(7), fixed ["ApiId"],
        mutable ["ConnectionId", "ConnectionType", "ContentHandlingStrategy", "CredentialsArn", "Description", "IntegrationMethod", "IntegrationSubtype", "IntegrationType", "IntegrationUri", "PassthroughBehavior", "PayloadFormatVersion", "RequestParameters", "RequestTemplates", "ResponseParameters", "TemplateSelectionExpression", "TimeoutInMillis", "TlsConfig"],
        required ["ApiId", "IntegrationType"], {"IntegrationId": "{id}"}),
    record!("AWS::ApiGatewayV2::Route", Id::Random(7), fixed ["ApiId"],
        mutable ["ApiKeyRequired", "AuthorizationScopes", "AuthorizationType", "AuthorizerId", "ModelSelectionExpression", "OperationName", "RequestModels", "RequestParameters", "RouteKey", "RouteResponseSelectionExpression", "Target"],
        required ["ApiId", "RouteKey"], {"RouteId": "{id}"}),
    record!("AWS::ApiGatewayV2::Deployment", Id::Random(6), fixed ["ApiId"], mutable ["Description", "StageName"],
        required ["ApiId"], {"DeploymentId": "{id}"}),
    record!("AWS::ApiGatewayV2::Authorizer", Id::Random(6), fixed ["ApiId"],
        mutable ["AuthorizerCredentialsArn", "AuthorizerPayloadFormatVersion", "AuthorizerResultTtlInSeconds", "AuthorizerType", "AuthorizerUri", "EnableSimpleResponses", "IdentitySource", "IdentityValidationExpression", "JwtConfiguration", "Name"],
        required ["ApiId", "AuthorizerType", "Name"], {"AuthorizerId": "{id}"}),
    record!("AWS::Events::Rule", Id::Name("Name", 64), fixed ["Name", "EventBusName"],
        mutable ["Description", "EventPattern", "RoleArn", "ScheduleExpression", "State", "Tags", "Targets"],
        required [], {"Arn": "arn:{partition}:events:{region}:{account}:rule/{id}"}),
    record!("AWS::Events::EventBus", Id::Name("Name", 256), fixed ["Name", "EventSourceName"],
        mutable ["DeadLetterConfig", "Description", "KmsKeyIdentifier", "LogConfig", "Policy", "Tags"],
        required ["Name"], {"Arn": "arn:{partition}:events:{region}:{account}:event-bus/{id}", "Name": "{id}"}),
    record!("AWS::Scheduler::Schedule", Id::Name("Name", 64), fixed ["Name"],
        mutable ["Description", "EndDate", "FlexibleTimeWindow", "GroupName", "KmsKeyArn", "ScheduleExpression", "ScheduleExpressionTimezone", "StartDate", "State", "Target"],
        required ["FlexibleTimeWindow", "ScheduleExpression", "Target"],
        {"Arn": "arn:{partition}:scheduler:{region}:{account}:schedule/{GroupName|default}/{id}"}),
    record!("AWS::Scheduler::ScheduleGroup", Id::Name("Name", 64), fixed ["Name"], mutable ["Tags"], required [],
        {"Arn": "arn:{partition}:scheduler:{region}:{account}:schedule-group/{id}", "State": "ACTIVE"}),
    record!("AWS::DynamoDB::Table", Id::Name("TableName", 255), fixed ["TableName", "KeySchema", "ImportSourceSpecification"],
        mutable ["AttributeDefinitions", "BillingMode", "ContributorInsightsSpecification", "DeletionProtectionEnabled", "GlobalSecondaryIndexes", "KinesisStreamSpecification", "LocalSecondaryIndexes", "OnDemandThroughput", "PointInTimeRecoverySpecification", "ProvisionedThroughput", "ResourcePolicy", "SSESpecification", "StreamSpecification", "TableClass", "Tags", "TimeToLiveSpecification", "WarmThroughput"],
        required ["KeySchema"],
        {"Arn": "arn:{partition}:dynamodb:{region}:{account}:table/{id}", "StreamArn": "arn:{partition}:dynamodb:{region}:{account}:table/{id}/stream/2026-01-01T00:00:00.000"}),
    record!("AWS::CloudFormation::WaitConditionHandle", Id::Pattern("https://cloudformation-waitcondition-{region}.s3.{suffix}/{stack-id}/{logical-id}"),
        fixed [], mutable [], required [], {}),
    record!("AWS::CDK::Metadata", Id::Generated, fixed [], mutable ["Analytics"], required [], {}),
];

/// The record-only provider of a type.
pub(super) fn provider(kind: &str) -> Option<&'static dyn Provider> {
    RECORDS.iter().find(|record| record.kind == kind).map(|record| record as &dyn Provider)
}

impl Record {
    fn made(&self, context: &Context, id: &str, properties: &Properties) -> Made {
        let attributes: Map<String, Value> = self
            .patterns
            .iter()
            .map(|(name, pattern)| ((*name).to_owned(), filled(pattern, context, id, properties).into()))
            .collect();
        Made { physical_id: id.to_owned(), attributes }
    }
}

/// Fills a pattern's braces.
fn filled(pattern: &str, context: &Context, id: &str, properties: &Properties) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        match name {
            "id" => out.push_str(id),
            "region" => out.push_str(&context.pseudo.region),
            "account" => out.push_str(&context.pseudo.account),
            "partition" => out.push_str(context.pseudo.partition()),
            "suffix" => out.push_str(context.pseudo.url_suffix()),
            "stack-id" => out.push_str(&context.pseudo.stack_id),
            "logical-id" => out.push_str(&context.logical_id),
            property => {
                let (property, default) = property.split_once('|').unwrap_or((property, ""));
                let said = properties.get(property).and_then(plain);
                out.push_str(said.as_deref().unwrap_or(default));
            }
        }
        rest = after;
    }
    out + rest
}

/// Random letters and digits that depend only on the resource's own random end.
fn random(context: &Context, length: usize) -> String {
    let letters: String = context.suffix.to_lowercase();
    letters.chars().cycle().take(length).collect()
}

impl Provider for Record {
    fn spec(&self) -> Spec {
        self.spec
    }

    fn create<'a>(&'a self, context: &'a Context, properties: &'a Properties) -> Doing<'a, Made> {
        Box::pin(async move {
            let id = match self.id {
                Id::Name(property, longest) => context.name(properties, property, longest),
                Id::Random(length) => random(context, length),
                Id::Generated => context.generated_name(128),
                Id::Pattern(pattern) => filled(pattern, context, "", properties),
            };
            Ok(self.made(context, &id, properties))
        })
    }

    fn update<'a>(
        &'a self,
        context: &'a Context,
        physical_id: &'a str,
        _: &'a Properties,
        new: &'a Properties,
    ) -> Doing<'a, Made> {
        Box::pin(async move { Ok(self.made(context, physical_id, new)) })
    }

    fn delete<'a>(&'a self, _: &'a Context, _: &'a str, properties: &'a Properties) -> Doing<'a, ()> {
        Box::pin(async move {
            if text(properties, "DeletionProtectionEnabled").as_deref() == Some("true") {
                return Err(Refusal::invalid(
                    "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
                ));
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_type_stands_once_and_its_properties_in_one_list() {
        let mut kinds = BTreeSet::new();
        for record in RECORDS {
            assert!(kinds.insert(record.kind), "{} twice", record.kind);
            let mut properties = BTreeSet::new();
            for property in record.spec.mutable.iter().chain(record.spec.fixed) {
                assert!(properties.insert(property), "{}: {property} twice", record.kind);
            }
            assert!(record.spec.required.iter().all(|name| properties.contains(name)), "{}", record.kind);
        }
    }
}
