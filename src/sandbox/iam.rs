//! IAM: roles and their policies, as records. Nobody is refused anything by them: the sandbox
//! checks no permissions.

use std::collections::BTreeMap;
use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Error;
use super::http::{Request, Response};
use super::query::{self, Fault, Parameters};
use super::state::{Persisted, World};
use super::xml::Writer;

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// The service.
#[derive(Debug)]
pub struct Iam {
    accounts: Persisted<BTreeMap<String, Account>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Account {
    roles: BTreeMap<String, Role>,
    /// Customer-managed policies by ARN.
    #[serde(default)]
    policies: BTreeMap<String, Policy>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Policy {
    name: String,
    id: String,
    arn: String,
    path: String,
    created_ms: i64,
    description: Option<String>,
    /// By their number.
    versions: BTreeMap<u32, String>,
    default: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Role {
    name: String,
    id: String,
    arn: String,
    path: String,
    created_ms: i64,
    trust: String,
    description: Option<String>,
    max_session_s: u32,
    permissions_boundary: Option<String>,
    tags: BTreeMap<String, String>,
    inline: BTreeMap<String, String>,
    attached: Vec<String>,
}

type Answer = Result<Response, Fault>;

impl Iam {
    /// Opens what is kept under `dir`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        Ok(Self { accounts: Persisted::open(dir.join("iam.json"))? })
    }

    /// Writes what has changed.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn flush(&self) -> Result<(), Error> {
        self.accounts.flush()
    }

    /// Answers one request.
    pub async fn handle(&self, world: &World, request: Request) -> Response {
        let parameters = Parameters::read(&request);
        let call = Call { iam: self, request: &request, parameters: &parameters, now_ms: world.clock.now_ms() };
        call.answer().unwrap_or_else(|fault| query::fault(&request, NAMESPACE, &fault))
    }
}

struct Call<'a> {
    iam: &'a Iam,
    request: &'a Request,
    parameters: &'a Parameters,
    now_ms: i64,
}

impl Call<'_> {
    fn answer(&self) -> Answer {
        match self.parameters.action() {
            "CreateRole" => self.create_role(),
            "GetRole" => self.role(|result, role| {
                result.element("Role", |element| write_role(element, role, true));
            }),
            "ListRoles" => self.list_roles(),
            "DeleteRole" => self.delete_role(),
            "UpdateAssumeRolePolicy" => self.change(|role| {
                role.trust = self.document("PolicyDocument")?;
                Ok(())
            }),
            "UpdateRole" => self.change(|role| {
                role.max_session_s = self.max_session(role.max_session_s)?;
                if let Some(text) = self.parameters.get("Description") {
                    role.description = Some(text.to_owned());
                }
                Ok(())
            }),
            "PutRolePermissionsBoundary" => self.change(|role| {
                role.permissions_boundary = Some(self.required("PermissionsBoundary")?.to_owned());
                Ok(())
            }),
            "DeleteRolePermissionsBoundary" => self.change(|role| {
                role.permissions_boundary = None;
                Ok(())
            }),
            "PutRolePolicy" => self.change(|role| {
                role.inline.insert(self.required("PolicyName")?.to_owned(), self.document("PolicyDocument")?);
                Ok(())
            }),
            "GetRolePolicy" => self.get_role_policy(),
            "DeleteRolePolicy" => self.change(|role| {
                let name = self.required("PolicyName")?;
                role.inline.remove(name).map(drop).ok_or_else(|| no_role_policy(name))
            }),
            "ListRolePolicies" => self.role(|result, role| {
                result.list("PolicyNames", role.inline.keys(), |member, name| member.write(name));
                result.text("IsTruncated", "false");
            }),
            "AttachRolePolicy" => self.attach(),
            "DetachRolePolicy" => self.change(|role| {
                let arn = self.required("PolicyArn")?;
                let before = role.attached.len();
                role.attached.retain(|attached| attached != arn);
                if role.attached.len() == before {
                    return Err(Fault::new(404, "NoSuchEntity", format!("Policy {arn} was not found.")));
                }
                Ok(())
            }),
            "ListAttachedRolePolicies" => self.role(|result, role| {
                result.list("AttachedPolicies", &role.attached, |member, arn| {
                    let name = arn.rsplit('/').next().unwrap_or(arn);
                    member.text("PolicyName", name).text("PolicyArn", arn);
                });
                result.text("IsTruncated", "false");
            }),
            "TagRole" => self.change(|role| {
                role.tags.extend(self.tags()?);
                Ok(())
            }),
            "UntagRole" => self.change(|role| {
                for key in self.parameters.texts("TagKeys") {
                    role.tags.remove(&key);
                }
                Ok(())
            }),
            "ListRoleTags" => self.role(|result, role| {
                write_tags(result, &role.tags);
                result.text("IsTruncated", "false");
            }),
            "ListInstanceProfilesForRole" => self.role(|result, _| {
                result.list("InstanceProfiles", std::iter::empty::<()>(), |_, ()| {});
                result.text("IsTruncated", "false");
            }),
            "SimulatePrincipalPolicy" => self.simulate(),
            "CreatePolicy" => self.create_policy(),
            "GetPolicy" => {
                let (policy, attached) = self.policy()?;
                Ok(self.ok(|result| {
                    result.element("Policy", |element| write_policy(element, &policy, attached));
                }))
            }
            "GetPolicyVersion" => self.get_policy_version(),
            "CreatePolicyVersion" => self.create_policy_version(),
            "DeletePolicy" => self.delete_policy(),
            other => Err(Fault::not_implemented("IAM", other)),
        }
    }

    fn required(&self, name: &str) -> Result<&str, Fault> {
        self.parameters.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            let member = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
            let text = format!(
                "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
            );
            Fault::new(400, "ValidationError", text)
        })
    }

    fn document(&self, name: &str) -> Result<String, Fault> {
        let text = self.required(name)?;
        let is_policy =
            serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| !value["Statement"].is_null());
        if is_policy {
            return Ok(text.to_owned());
        }
        Err(Fault::new(400, "MalformedPolicyDocument", "Syntax errors in policy."))
    }

    fn max_session(&self, otherwise: u32) -> Result<u32, Fault> {
        let Some(text) = self.parameters.get("MaxSessionDuration") else { return Ok(otherwise) };
        let seconds = text.parse().ok().filter(|seconds| (3600..=43200).contains(seconds));
        seconds.ok_or_else(|| Fault::new(400, "ValidationError", "MaxSessionDuration must be between 3600 and 43200"))
    }

    fn tags(&self) -> Result<BTreeMap<String, String>, Fault> {
        let mut tags = BTreeMap::new();
        for tag in self.parameters.list("Tags") {
            let (Some(key), Some(value)) = (tag.get("Key"), tag.get("Value")) else {
                return Err(Fault::new(400, "ValidationError", "A tag has a Key and a Value"));
            };
            if tags.insert(key.to_owned(), value.to_owned()).is_some() {
                let text = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
                return Err(Fault::new(400, "InvalidInput", text));
            }
        }
        Ok(tags)
    }

    fn create_role(&self) -> Answer {
        let name = self.required("RoleName")?;
        let is_valid =
            name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte));
        if !is_valid {
            let text = "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-";
            return Err(Fault::new(400, "ValidationError", text));
        }
        let path = self.parameters.get("Path").unwrap_or("/");
        if !path.starts_with('/') || !path.ends_with('/') {
            let text = "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.";
            return Err(Fault::new(400, "ValidationError", text));
        }
        let role = Role {
            name: name.to_owned(),
            id: format!("AROA{}", new_id()),
            arn: format!("arn:aws:iam::{}:role{path}{name}", self.request.account),
            path: path.to_owned(),
            created_ms: self.now_ms,
            trust: self.document("AssumeRolePolicyDocument")?,
            description: self.parameters.get("Description").map(str::to_owned),
            max_session_s: self.max_session(3600)?,
            permissions_boundary: self.parameters.get("PermissionsBoundary").map(str::to_owned),
            tags: self.tags()?,
            inline: BTreeMap::new(),
            attached: Vec::new(),
        };
        self.iam.accounts.write(|accounts| {
            let roles = &mut accounts.entry(self.request.account.clone()).or_default().roles;
            if roles.contains_key(name) {
                return Err(Fault::new(409, "EntityAlreadyExists", format!("Role with name {name} already exists.")));
            }
            roles.insert(name.to_owned(), role.clone());
            Ok(())
        })?;
        Ok(self.ok(|result| {
            result.element("Role", |element| write_role(element, &role, true));
        }))
    }

    fn delete_role(&self) -> Answer {
        let name = self.required("RoleName")?;
        self.iam.accounts.write(|accounts| {
            let roles = accounts.get_mut(&self.request.account).map(|account| &mut account.roles);
            let roles = roles.ok_or_else(|| no_role(name))?;
            let role = roles.get(name).ok_or_else(|| no_role(name))?;
            if !role.attached.is_empty() {
                return Err(Fault::new(409, "DeleteConflict", "Cannot delete entity, must detach all policies first."));
            }
            if !role.inline.is_empty() {
                return Err(Fault::new(409, "DeleteConflict", "Cannot delete entity, must delete policies first."));
            }
            roles.remove(name);
            Ok(())
        })?;
        Ok(self.done())
    }

    fn list_roles(&self) -> Answer {
        let prefix = self.parameters.get("PathPrefix").unwrap_or("/");
        let roles: Vec<Role> = self.iam.accounts.read(|accounts| {
            let roles = accounts.get(&self.request.account).into_iter().flat_map(|account| account.roles.values());
            roles.filter(|role| role.path.starts_with(prefix)).cloned().collect()
        });
        Ok(self.ok(|result| {
            result.list("Roles", &roles, |member, role| write_role(member, role, false)).text("IsTruncated", "false");
        }))
    }

    fn get_role_policy(&self) -> Answer {
        let policy = self.required("PolicyName")?;
        let mut found = None;
        let _ = self.role(|_, role| found = Some((role.name.clone(), role.inline.get(policy).cloned())))?;
        let (role, document) = found.ok_or_else(|| no_role_policy(policy))?;
        let document = document.ok_or_else(|| no_role_policy(policy))?;
        Ok(self.ok(|result| {
            result.text("RoleName", role).text("PolicyName", policy).text("PolicyDocument", encode(&document));
        }))
    }

    fn attach(&self) -> Answer {
        let arn = self.required("PolicyArn")?;
        // The list of AWS's own policies is not here.
        let is_aws = arn.split(':').nth(4) == Some("aws") && arn.contains(":policy/");
        if !is_aws && self.policy().is_err() {
            let text = format!("Policy {arn} does not exist or is not attachable.");
            return Err(Fault::new(404, "NoSuchEntity", text));
        }
        self.change(|role| {
            if !role.attached.iter().any(|attached| attached == arn) {
                role.attached.push(arn.to_owned());
            }
            Ok(())
        })
    }

    fn create_policy(&self) -> Answer {
        let name = self.required("PolicyName")?;
        let path = self.parameters.get("Path").unwrap_or("/");
        let arn = format!("arn:aws:iam::{}:policy{path}{name}", self.request.account);
        let policy = Policy {
            name: name.to_owned(),
            id: format!("ANPA{}", new_id()),
            arn: arn.clone(),
            path: path.to_owned(),
            created_ms: self.now_ms,
            description: self.parameters.get("Description").map(str::to_owned),
            versions: BTreeMap::from([(1, self.document("PolicyDocument")?)]),
            default: 1,
        };
        self.iam.accounts.write(|accounts| {
            let policies = &mut accounts.entry(self.request.account.clone()).or_default().policies;
            if policies.contains_key(&arn) {
                let text = format!("A policy called {name} already exists. Duplicate names are not allowed.");
                return Err(Fault::new(409, "EntityAlreadyExists", text));
            }
            policies.insert(arn, policy.clone());
            Ok(())
        })?;
        Ok(self.ok(|result| {
            result.element("Policy", |element| write_policy(element, &policy, 0));
        }))
    }

    /// The policy that the request names, and how many roles have it.
    fn policy(&self) -> Result<(Policy, usize), Fault> {
        let arn = self.required("PolicyArn")?;
        let find = |accounts: &BTreeMap<String, Account>| {
            let account = accounts.get(&self.request.account)?;
            let has = |role: &&Role| role.attached.iter().any(|attached| attached == arn);
            Some((account.policies.get(arn)?.clone(), account.roles.values().filter(has).count()))
        };
        self.iam.accounts.read(find).ok_or_else(|| no_policy(arn))
    }

    fn get_policy_version(&self) -> Answer {
        let (policy, _) = self.policy()?;
        let id = self.required("VersionId")?;
        let number = id.strip_prefix('v').and_then(|number| number.parse().ok()).unwrap_or(0);
        let document = policy.versions.get(&number).ok_or_else(|| {
            Fault::new(
                404,
                "NoSuchEntity",
                format!("Policy {} version {id} does not exist or is not attachable.", policy.arn),
            )
        })?;
        Ok(self.ok(|result| {
            result.element("PolicyVersion", |version| {
                version
                    .text("Document", encode(document))
                    .text("VersionId", id)
                    .text("IsDefaultVersion", (number == policy.default).to_string());
            });
        }))
    }

    fn create_policy_version(&self) -> Answer {
        let arn = self.required("PolicyArn")?;
        let document = self.document("PolicyDocument")?;
        let becomes_default = self.parameters.is_true("SetAsDefault");
        let number = self.iam.accounts.write(|accounts| {
            let policy = accounts.get_mut(&self.request.account).and_then(|account| account.policies.get_mut(arn));
            let policy = policy.ok_or_else(|| no_policy(arn))?;
            let number = policy.versions.last_key_value().map_or(1, |(number, _)| number + 1);
            policy.versions.insert(number, document);
            if becomes_default {
                policy.default = number;
            }
            // AWS keeps five and refuses the sixth; here the oldest that is not the default makes room.
            let oldest = policy.versions.keys().copied().find(|number| *number != policy.default);
            if let Some(oldest) = oldest.filter(|_| policy.versions.len() > 5) {
                policy.versions.remove(&oldest);
            }
            Ok(number)
        })?;
        Ok(self.ok(|result| {
            result.element("PolicyVersion", |version| {
                version.text("VersionId", format!("v{number}")).text("IsDefaultVersion", becomes_default.to_string());
            });
        }))
    }

    fn delete_policy(&self) -> Answer {
        let (policy, attached) = self.policy()?;
        if attached > 0 {
            let text = "Cannot delete a policy attached to entities.";
            return Err(Fault::new(409, "DeleteConflict", text));
        }
        self.iam.accounts.write(|accounts| {
            if let Some(account) = accounts.get_mut(&self.request.account) {
                account.policies.remove(&policy.arn);
            }
        });
        Ok(self.done())
    }

    /// Every principal may do everything here, and says so.
    fn simulate(&self) -> Answer {
        let actions = self.parameters.texts("ActionNames");
        Ok(self.ok(|result| {
            result.list("EvaluationResults", &actions, |member, action| {
                member
                    .text("EvalActionName", action)
                    .text("EvalResourceName", "*")
                    .text("EvalDecision", "allowed")
                    .list("MatchedStatements", std::iter::empty::<()>(), |_, ()| {})
                    .list("MissingContextValues", std::iter::empty::<()>(), |_, ()| {});
            });
            result.text("IsTruncated", "false");
        }))
    }

    /// Answers with something of the role that the request names.
    fn role(&self, write: impl FnOnce(&mut Writer, &Role)) -> Answer {
        let name = self.required("RoleName")?;
        let role = self.iam.accounts.read(|accounts| accounts.get(&self.request.account)?.roles.get(name).cloned());
        let role = role.ok_or_else(|| no_role(name))?;
        Ok(self.ok(|result| write(result, &role)))
    }

    /// Changes the role that the request names.
    fn change(&self, change: impl FnOnce(&mut Role) -> Result<(), Fault>) -> Answer {
        let name = self.required("RoleName")?;
        self.iam.accounts.write(|accounts| {
            let role = accounts.get_mut(&self.request.account).and_then(|account| account.roles.get_mut(name));
            change(role.ok_or_else(|| no_role(name))?)
        })?;
        Ok(self.done())
    }

    fn ok(&self, result: impl FnOnce(&mut Writer)) -> Response {
        query::answer(self.request, NAMESPACE, self.parameters.action(), result)
    }

    fn done(&self) -> Response {
        self.ok(|_| {})
    }
}

fn no_role(name: &str) -> Fault {
    Fault::new(404, "NoSuchEntity", format!("The role with name {name} cannot be found."))
}

fn no_role_policy(name: &str) -> Fault {
    Fault::new(404, "NoSuchEntity", format!("The role policy with name {name} cannot be found."))
}

fn no_policy(arn: &str) -> Fault {
    Fault::new(404, "NoSuchEntity", format!("Policy {arn} was not found."))
}

fn write_policy(element: &mut Writer, policy: &Policy, attached: usize) {
    element
        .text("PolicyName", &policy.name)
        .text("PolicyId", &policy.id)
        .text("Arn", &policy.arn)
        .text("Path", &policy.path)
        .text("DefaultVersionId", format!("v{}", policy.default))
        .text("AttachmentCount", attached.to_string())
        .text("IsAttachable", "true")
        .optional("Description", policy.description.as_ref())
        .text("CreateDate", iso_time(policy.created_ms));
}

fn iso_time(milliseconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(milliseconds / 1000).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

/// Seventeen characters as in IAM's unique ids.
fn new_id() -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    rand::random::<[u8; 17]>().iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}

/// Policies come back URL-encoded.
fn encode(document: &str) -> String {
    utf8_percent_encode(document, NON_ALPHANUMERIC).to_string()
}

fn write_role(element: &mut Writer, role: &Role, whole: bool) {
    element
        .text("Path", &role.path)
        .text("RoleName", &role.name)
        .text("RoleId", &role.id)
        .text("Arn", &role.arn)
        .text("CreateDate", iso_time(role.created_ms))
        .text("AssumeRolePolicyDocument", encode(&role.trust))
        .optional("Description", role.description.as_ref())
        .text("MaxSessionDuration", role.max_session_s.to_string());
    if !whole {
        return;
    }
    if let Some(arn) = &role.permissions_boundary {
        element.element("PermissionsBoundary", |boundary| {
            boundary.text("PermissionsBoundaryType", "Policy").text("PermissionsBoundaryArn", arn);
        });
    }
    if !role.tags.is_empty() {
        write_tags(element, &role.tags);
    }
}

fn write_tags(element: &mut Writer, tags: &BTreeMap<String, String>) {
    element.list("Tags", tags, |member, (key, value)| {
        member.text("Key", key).text("Value", value);
    });
}
