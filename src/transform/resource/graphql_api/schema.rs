//! What stands within the properties of a GraphQL API.

use crate::transform::schema::{Field, MAP, Shape, TEXT, may, must};

const ANY: Shape = Shape::Anything;

const LAMBDA_AUTHORIZER: Shape = Shape::Fields(&[
    may("AuthorizerResultTtlInSeconds", ANY),
    must("AuthorizerUri", ANY),
    may("IdentityValidationExpression", ANY),
]);

const OPEN_ID: Shape =
    Shape::Fields(&[may("AuthTTL", ANY), may("ClientId", ANY), may("IatTTL", ANY), may("Issuer", ANY)]);

const USER_POOL: Shape = Shape::Fields(&[
    may("AppIdClientRegex", ANY),
    may("AwsRegion", ANY),
    may("DefaultAction", ANY),
    must("UserPoolId", ANY),
]);

const AUTH_TYPES: Shape =
    Shape::Words(&["AWS_IAM", "API_KEY", "AWS_LAMBDA", "OPENID_CONNECT", "AMAZON_COGNITO_USER_POOLS"]);

const AUTHORIZER: Shape = Shape::Fields(&[
    must("Type", AUTH_TYPES),
    may("LambdaAuthorizer", LAMBDA_AUTHORIZER),
    may("OpenIDConnect", OPEN_ID),
    may("UserPool", USER_POOL),
]);

const AUTH: Shape = Shape::Fields(&[
    must("Type", AUTH_TYPES),
    may("LambdaAuthorizer", LAMBDA_AUTHORIZER),
    may("OpenIDConnect", OPEN_ID),
    may("UserPool", USER_POOL),
    may("Additional", Shape::List(&AUTHORIZER)),
]);

const LOGGING: Shape =
    Shape::Fields(&[may("CloudWatchLogsRoleArn", ANY), may("ExcludeVerboseContent", ANY), may("FieldLogLevel", ANY)]);

const DYNAMO_DB: Shape = Shape::Fields(&[
    must("TableName", ANY),
    may("ServiceRoleArn", ANY),
    may("TableArn", ANY),
    may("Permissions", Shape::List(&Shape::Words(&["Read", "Write"]))),
    may("Name", ANY),
    may("Description", ANY),
    may("Region", ANY),
    may(
        "DeltaSync",
        Shape::Fields(&[must("BaseTableTTL", ANY), must("DeltaSyncTableName", ANY), must("DeltaSyncTableTTL", ANY)]),
    ),
    may("UseCallerCredentials", ANY),
    may("Versioned", ANY),
]);

const LAMBDA: Shape =
    Shape::Fields(&[must("FunctionArn", ANY), may("ServiceRoleArn", ANY), may("Name", ANY), may("Description", ANY)]);

const RUNTIME: Shape = Shape::Fields(&[must("Name", ANY), must("Version", ANY)]);

const SYNC: Shape = Shape::Fields(&[
    must("ConflictDetection", ANY),
    may("ConflictHandler", ANY),
    may("LambdaConflictHandlerConfig", Shape::Fields(&[must("LambdaConflictHandlerArn", ANY)])),
]);

const FUNCTION: Shape = Shape::Fields(&[
    may("DataSource", TEXT),
    may("Runtime", RUNTIME),
    may("InlineCode", ANY),
    may("CodeUri", ANY),
    may("Description", ANY),
    may("MaxBatchSize", ANY),
    may("Name", Shape::Text),
    may("Id", ANY),
    may("Sync", SYNC),
]);

const RESOLVER: Shape = Shape::Fields(&[
    may("FieldName", Shape::Text),
    may("Caching", Shape::Fields(&[must("Ttl", ANY), may("CachingKeys", Shape::List(&ANY))])),
    may("InlineCode", ANY),
    may("CodeUri", ANY),
    may("MaxBatchSize", ANY),
    may("Pipeline", Shape::List(&Shape::Text)),
    may("Runtime", RUNTIME),
    may("Sync", SYNC),
]);

/// The properties.
pub(super) const SCHEMA: &[Field] = &[
    must("Auth", AUTH),
    may("Tags", MAP),
    may("Name", ANY),
    may("XrayEnabled", Shape::Bool),
    may("SchemaInline", ANY),
    may("SchemaUri", ANY),
    may("Logging", Shape::Either(&LOGGING, &Shape::Bool)),
    may(
        "DataSources",
        Shape::Fields(&[may("DynamoDb", Shape::MapOf(&DYNAMO_DB)), may("Lambda", Shape::MapOf(&LAMBDA))]),
    ),
    may("Functions", Shape::MapOf(&FUNCTION)),
    may("Resolvers", Shape::MapOf(&Shape::MapOf(&RESOLVER))),
    may(
        "ApiKeys",
        Shape::MapOf(&Shape::Fields(&[may("ApiKeyId", ANY), may("Description", ANY), may("ExpiresOn", ANY)])),
    ),
    may("DomainName", Shape::Fields(&[must("CertificateArn", ANY), must("DomainName", ANY), may("Description", ANY)])),
    may(
        "Cache",
        Shape::Fields(&[
            must("ApiCachingBehavior", ANY),
            must("Ttl", ANY),
            must("Type", ANY),
            may("AtRestEncryptionEnabled", ANY),
            may("TransitEncryptionEnabled", ANY),
        ]),
    ),
    may("Visibility", ANY),
    may("OwnerContact", ANY),
    may("IntrospectionConfig", ANY),
    may("QueryDepthLimit", ANY),
    may("ResolverCountLimit", ANY),
];
