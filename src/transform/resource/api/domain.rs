//! Custom domains of APIs: the domain, what it leads to, and its records in Route 53.

use crate::template::{Map, Node};
use crate::transform::build::{Read, get_att, list, map, reference, text};
use crate::transform::context::Context;
use crate::transform::generated::Generated;
use crate::transform::logical_id;
use crate::transform::openapi::python::{Dict, Py};
use crate::transform::refusal::Refusal;
use crate::transform::resource::Resource;

/// The hosted zone of every CloudFront distribution.
const CLOUDFRONT_ZONE: &str = "Z2FDTNDATAQYW2";

/// The custom domain of a REST API. What is found out about it is noted in `domain`: a deployment's
/// hash takes it in.
pub(super) fn expand(
    resource: &Resource,
    domain: Option<&mut Py>,
    context: &mut Context,
) -> Result<Vec<Generated>, Refusal> {
    let (Some(domain), Some(given)) = (domain.and_then(Py::as_dict_mut), resource.get("Domain")) else {
        return Ok(Vec::new());
    };
    for part in ["DomainName", "CertificateArn"] {
        if given.given(part).is_none() {
            return resource.refuse(format!("Property 'Domain.{part}' is required."));
        }
    }
    if given.get("EndpointConfiguration").and_then(Node::as_str) == Some("PRIVATE") {
        return private(resource, given, context);
    }
    let name = given.get("DomainName").cloned().unwrap_or_default();
    let id = logical_id::of_node("ApiGatewayDomainName", &name);
    domain.insert("ApiDomainName", id.as_str());
    let attributes = resource.passed_through();
    let mut made = Generated::new(id.as_str(), "AWS::ApiGateway::DomainName", &attributes)?;
    made.set("DomainName", name);
    let endpoint = match given.given("EndpointConfiguration").map(|endpoint| endpoint.as_str()) {
        None => {
            domain.insert("EndpointConfiguration", "REGIONAL");
            "REGIONAL"
        }
        Some(Some(endpoint @ ("EDGE" | "REGIONAL"))) => endpoint,
        Some(_) => {
            return resource
                .refuse("EndpointConfiguration for Custom Domains must be one of ['EDGE', 'REGIONAL', 'PRIVATE'].");
        }
    };
    let certificate = if endpoint == "REGIONAL" { "RegionalCertificateArn" } else { "CertificateArn" };
    made.set(certificate, given.get("CertificateArn").cloned());
    made.set("EndpointConfiguration", endpoint_configuration(given, endpoint));
    made.set("MutualTlsAuthentication", mutual_tls(resource, given, "Domain.")?);
    for name in ["SecurityPolicy", "EndpointAccessMode", "OwnershipVerificationCertificateArn"] {
        made.set(name, given.get(name).filter(|value| value.truthy()).cloned());
    }
    if given.get("Policy").is_some_and(Read::truthy) {
        return resource.refuse("property Policy not defined for resource of type AWS::ApiGateway::DomainName");
    }
    let mut all = vec![made];
    all.extend(mappings(resource, given, ("AWS::ApiGateway::BasePathMapping", "DomainName"), &id)?);
    if let Some(route53) = given.given("Route53") {
        let target = alias_target(&id, endpoint, route53);
        if endpoint == "EDGE"
            && route53.given("DistributionDomainName").is_none()
            && let Some(noted) = domain.get_mut("Route53").and_then(Py::as_dict_mut)
        {
            let name = vec![id.as_str().into(), "DistributionDomainName".into()];
            noted.insert("DistributionDomainName", Dict::plain_of([("Fn::GetAtt", name.into())]));
        }
        all.push(record_set_group(resource, given, route53, target, context)?);
    }
    Ok(all)
}

fn endpoint_configuration(domain: &Node, endpoint: &str) -> Node {
    let mut configuration = Map::new();
    configuration.insert("Types", list([text(endpoint)]));
    if let Some(kind) = domain.get("IpAddressType").filter(|kind| kind.truthy()) {
        configuration.insert("IpAddressType", kind.clone());
    }
    Node::from(configuration)
}

/// A domain that only a user's own networks see.
fn private(resource: &Resource, given: &Node, context: &mut Context) -> Result<Vec<Generated>, Refusal> {
    let truthy = |name: &str| given.get(name).filter(|value| value.truthy());
    let name = given.get("DomainName").cloned().unwrap_or_default();
    let id = logical_id::of_node("ApiGatewayDomainNameV2", &name);
    let mut made = Generated::new(id.as_str(), "AWS::ApiGateway::DomainNameV2", &resource.passed_through())?;
    made.set("DomainName", name);
    made.set("CertificateArn", given.get("CertificateArn").cloned());
    made.set("EndpointConfiguration", endpoint_configuration(given, "PRIVATE"));
    for property in ["SecurityPolicy", "EndpointAccessMode", "Policy"] {
        made.set(property, truthy(property).cloned());
    }
    if truthy("OwnershipVerificationCertificateArn").is_some() {
        return resource.refuse(
            "property OwnershipVerificationCertificateArn not defined for resource of type \
             AWS::ApiGateway::DomainNameV2",
        );
    }
    let mut all = vec![made];
    all.extend(mappings(resource, given, ("AWS::ApiGateway::BasePathMappingV2", "DomainNameArn"), &id)?);
    if let Some(association) = given.given("AccessAssociation") {
        all.push(access_association(resource, association, &id)?);
    }
    if let Some(route53) = given.given("Route53") {
        let mut target = Map::new();
        if let Some(health) = route53.given("EvaluateTargetHealth") {
            target.insert("EvaluateTargetHealth", health.clone());
        }
        for (from, to) in [("VpcEndpointHostedZoneId", "HostedZoneId"), ("VpcEndpointDomainName", "DNSName")] {
            target.insert(to, route53.get(from).cloned().unwrap_or_default());
        }
        all.push(record_set_group(resource, given, route53, target, context)?);
    }
    Ok(all)
}

/// Lets an endpoint of a network see the domain.
fn access_association(resource: &Resource, association: &Node, domain: &str) -> Result<Generated, Refusal> {
    if association.as_map().is_none() {
        return resource.refuse("Property 'Domain.AccessAssociation' should be a map.");
    }
    let endpoint = association.get("VpcEndpointId").cloned().unwrap_or_default();
    let id = logical_id::of_node("DomainNameAccessAssociation", &list([endpoint.clone(), text(domain)]));
    let kind = "AWS::ApiGateway::DomainNameAccessAssociation";
    let mut made = Generated::new(id, kind, &resource.passed_through())?;
    made.set("DomainNameArn", reference(domain));
    made.set("AccessAssociationSourceType", text("VPCE"));
    made.set("AccessAssociationSource", endpoint);
    Ok(made)
}

/// `MutualTlsAuthentication`; `place`: what its name begins with in messages.
pub(in crate::transform::resource) fn mutual_tls(
    resource: &Resource,
    domain: &Node,
    place: &str,
) -> Result<Option<Node>, Refusal> {
    let Some(given) = domain.get("MutualTlsAuthentication").filter(|given| given.truthy()) else {
        return Ok(None);
    };
    let Some(given) = given.as_map() else {
        return if place.is_empty() {
            resource.refuse(
                "MutualTlsAuthentication must be a map with at least one of the following fields ['TruststoreUri', \
                 'TruststoreVersion'].",
            )
        } else {
            resource.refuse(format!("Property '{place}MutualTlsAuthentication' should be a map."))
        };
    };
    let mut unknown: Vec<&str> =
        given.keys().filter(|key| !matches!(*key, "TruststoreUri" | "TruststoreVersion")).collect();
    if !unknown.is_empty() {
        unknown.sort_unstable();
        let message =
            format!("Available {place}MutualTlsAuthentication fields are ['TruststoreUri', 'TruststoreVersion'].");
        let id = if place.is_empty() { unknown.join(",") } else { resource.id.clone() };
        return Err(Refusal::resource(id, message));
    }
    let kept: Map =
        given.iter().filter(|(_, value)| value.truthy()).map(|(name, value)| (name, value.clone())).collect();
    Ok(Some(Node::from(kept)))
}

/// The base paths of a domain, when it names some.
pub(in crate::transform::resource) fn base_paths(domain: &Node) -> Option<Vec<Node>> {
    let given = domain.get("BasePath").filter(|given| given.truthy())?;
    match given.as_list() {
        Some(paths) => Some(paths.to_vec()),
        None => given.as_str().map(|_| vec![given.clone()]),
    }
}

/// What the domain leads to; `(kind, property)`: the mappings' type, and what they call the domain.
fn mappings(
    resource: &Resource,
    domain: &Node,
    (kind, property): (&'static str, &str),
    id: &str,
) -> Result<Vec<Generated>, Refusal> {
    let mapping = |logical_id: String, path: Option<Node>| -> Result<Generated, Refusal> {
        let mut mapping = Generated::new(logical_id, kind, &resource.passed_through())?;
        mapping.set(property, reference(id));
        mapping.set("RestApiId", reference(&resource.id));
        mapping.set("Stage", reference(&format!("{}.Stage", resource.id)));
        mapping.set("BasePath", path);
        Ok(mapping)
    };
    let Some(paths) = base_paths(domain) else {
        return Ok(vec![mapping(format!("{}BasePathMapping", resource.id), None)?]);
    };
    let normalize = domain.get("NormalizeBasePath").is_none_or(Read::truthy);
    let mut made = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let Some(path) = path.as_str() else {
            return resource.refuse(format!("Property 'Domain.BasePath[{index}]' should be a string."));
        };
        let plain: String = path.chars().filter(|c| c.is_alphanumeric()).collect();
        let logical_id = format!("{}{plain}BasePathMapping", resource.id);
        made.push(mapping(logical_id, Some(text(if normalize { plain.as_str() } else { path })))?);
    }
    Ok(made)
}

fn alias_target(id: &str, endpoint: &str, route53: &Node) -> Map {
    let mut target = Map::new();
    if let Some(health) = route53.given("EvaluateTargetHealth") {
        target.insert("EvaluateTargetHealth", health.clone());
    }
    if endpoint == "REGIONAL" {
        target.insert("HostedZoneId", get_att(id, "RegionalHostedZoneId"));
        target.insert("DNSName", get_att(id, "RegionalDomainName"));
    } else {
        let name = route53.given("DistributionDomainName").cloned();
        target.insert("HostedZoneId", CLOUDFRONT_ZONE);
        target.insert("DNSName", name.unwrap_or_else(|| get_att(id, "DistributionDomainName")));
    }
    target
}

/// The records of a domain; domains of one hosted zone share a group unless they do not want to.
pub(in crate::transform::resource) fn record_set_group(
    resource: &Resource,
    domain: &Node,
    route53: &Node,
    target: Map,
    context: &mut Context,
) -> Result<Generated, Refusal> {
    if route53.as_map().is_none() {
        return resource.refuse("Property 'Domain.Route53' should be a map.");
    }
    let (zone, zone_name) = (route53.given("HostedZoneId"), route53.given("HostedZoneName"));
    let Some(hashed) = zone.filter(|zone| zone.truthy()).or(zone_name).or(zone) else {
        return resource
            .refuse("HostedZoneId or HostedZoneName is required to enable Route53 support on Custom Domains.");
    };
    let separate = route53.get("SeparateRecordSetGroup").filter(|separate| separate.truthy());
    if separate.is_some_and(|separate| separate.as_bool().is_none()) {
        return resource.refuse("Property 'Domain.Route53.SeparateRecordSetGroup' should be a boolean.");
    }
    let name = domain.get("DomainName").cloned().unwrap_or_default();
    let id = match separate {
        Some(_) => logical_id::of_node("RecordSetGroup", &list([hashed.clone(), name.clone()])),
        None => logical_id::of_node("RecordSetGroup", hashed),
    };
    let mut group = match context.record_sets.get(&id).filter(|_| separate.is_none()) {
        Some(group) => group.clone(),
        None => {
            let mut group = Generated::new(id.as_str(), "AWS::Route53::RecordSetGroup", &resource.passed_through())?;
            group.copy(route53.as_map().expect("it is a map, as seen above"), &["HostedZoneId", "HostedZoneName"]);
            group
        }
    };
    let mut sets = group.properties.get("RecordSets").and_then(Node::as_list).map(<[Node]>::to_vec).unwrap_or_default();
    let six = route53.get("IpV6").and_then(Node::as_bool) == Some(true);
    for kind in ["A", "AAAA"].into_iter().take(if six { 2 } else { 1 }) {
        let mut set = Map::new();
        set.insert("Name", name.clone());
        set.insert("Type", kind);
        set.insert("AliasTarget", Node::from(target.clone()));
        for property in ["Region", "SetIdentifier"] {
            if let Some(value) = route53.given(property) {
                set.insert(property, value.clone());
            }
        }
        sets.push(Node::from(set));
    }
    group.set("RecordSets", Node::from(sets));
    if separate.is_none() {
        context.record_sets.insert(id, group.clone());
    }
    Ok(group)
}

/// The domain of an HTTP or WebSocket API; `created_by` is the name of SAM's own tag.
pub(in crate::transform::resource) fn expand_http(
    resource: &Resource,
    created_by: &str,
    context: &mut Context,
) -> Result<Vec<Generated>, Refusal> {
    let Some(given) = resource.get("Domain") else {
        return Ok(Vec::new());
    };
    let (Some(name), Some(certificate)) = (given.given("DomainName"), given.given("CertificateArn")) else {
        return resource.refuse("Custom Domains only works if both DomainName and CertificateArn are provided.");
    };
    let id = logical_id::of_node("ApiGatewayDomainNameV2", name);
    let mut domain = Generated::new(id.as_str(), "AWS::ApiGatewayV2::DomainName", &resource.passed_through())?;
    domain.set("DomainName", name.clone());
    domain.set("Tags", map([(created_by, text("SAM"))]));
    if given.given("EndpointConfiguration").is_some_and(|endpoint| endpoint.as_str() != Some("REGIONAL")) {
        return resource.refuse("EndpointConfiguration for Custom Domains must be one of ['REGIONAL'].");
    }
    let mut configuration = Map::new();
    configuration.insert("CertificateArn", certificate.clone());
    configuration.insert("EndpointType", "REGIONAL");
    for property in ["OwnershipVerificationCertificateArn", "SecurityPolicy"] {
        if let Some(value) = given.get(property).filter(|value| value.truthy()) {
            configuration.insert(property, value.clone());
        }
    }
    domain.set("DomainNameConfigurations", list([Node::from(configuration)]));
    domain.set("MutualTlsAuthentication", mutual_tls(resource, given, "")?);
    let mut all = vec![domain];
    let mapping = |logical_id: String, key: Option<Node>| -> Result<Generated, Refusal> {
        let mut mapping = Generated::new(logical_id, "AWS::ApiGatewayV2::ApiMapping", &resource.passed_through())?;
        mapping.set("DomainName", reference(&id));
        mapping.set("ApiId", reference(&resource.id));
        mapping.set("Stage", reference(&format!("{}.Stage", resource.id)));
        mapping.set("ApiMappingKey", key);
        Ok(mapping)
    };
    match base_paths(given) {
        None => all.push(mapping(format!("{}ApiMapping", resource.id), None)?),
        Some(paths) => {
            for path in paths {
                let Some(path) = path.as_str() else {
                    return resource.refuse("Basepath must be a string.");
                };
                let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_');
                if !path.chars().all(allowed) {
                    return resource.refuse("Invalid Basepath name provided.");
                }
                let plain: String = path.chars().filter(char::is_ascii_alphanumeric).collect();
                all.push(mapping(format!("{}{plain}ApiMapping", resource.id), Some(text(path.trim_matches('/'))))?);
            }
        }
    }
    if let Some(route53) = given.given("Route53") {
        let target = alias_target(&id, "REGIONAL", route53);
        all.push(record_set_group(resource, given, route53, target, context)?);
    }
    Ok(all)
}
