//! A CI job in the place of a person: who it is, and its exchange with the issuer. No agent, no
//! stored secret.

mod aws;
mod expiry;
#[cfg(test)]
mod tests;

use super::args::JobArgs;
use super::when;
use oam_config::organization::issuer_url;
use oam_model::job::{ActionsRequest, JobFault, JobOrder, JobOutside, JobToken};
use oam_model::organization::{OrgHub, Organization};
use oam_model::refusal::Refusal;
use oam_model::report::HubRow;
use oam_model::role::Action;
use oam_model::secret::Secret;
use oam_model::system_error::reason;
use oam_model::token_request::{HubRef, Intent, TokenRequest, repository_of_path};
use std::env;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroize;

/// The variable that holds the ID token unless another is named.
const ID_TOKEN: &str = "OAM_ID_TOKEN";
/// The variable that stands for `--issuer`.
const ISSUER: &str = "OAM_ISSUER";
/// Longest ID token, bytes.
const LONGEST: u64 = 64 * 1024;

/// Where the job's ID token comes from; asked or read anew for each exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Identity {
    /// A file: Kubernetes puts a new token there before the old one ends.
    File(PathBuf),
    Variable(String),
    /// GitHub, asked with the runner's own token.
    Actions,
    /// AWS, asked by its own program with the role that is there.
    Aws,
}

/// A job at its organization's issuer.
pub struct JobClient {
    outside: &'static dyn JobOutside,
    organization: Organization,
    identity: Identity,
}

impl JobClient {
    /// The job, when an issuer is named; none: the agent is to be asked.
    ///
    /// # Errors
    /// No identity of the job is found, or the issuer can't be used.
    pub fn find(outside: &'static dyn JobOutside, args: &JobArgs) -> Result<Option<Self>, Refusal> {
        let set = || variable(ISSUER);
        let Some(issuer) = args.issuer.clone().or_else(set) else {
            if args.id_token_env.is_some() || args.id_token_file.is_some() {
                return Err(Refusal::bad_request(
                    "an ID token is named, and no issuer to take it to",
                    "add --issuer URL, or set OAM_ISSUER",
                ));
            }
            return Ok(None);
        };
        let issuer = issuer_url(&issuer)?;
        let identity = identity(args, &|name| variable(name))?;
        let organization = outside.organization(&issuer)?;
        Ok(Some(Self {
            outside,
            organization,
            identity,
        }))
    }

    /// The organization's hubs.
    pub fn hubs(&self) -> Vec<HubRow> {
        let row = |hub: &OrgHub| HubRow {
            hub: hub.name.clone(),
            url: hub.url.clone(),
            kind: hub.kind.clone(),
        };
        self.organization.hubs.iter().map(row).collect()
    }

    /// What to order for an ask.
    ///
    /// # Errors
    /// The ask names no hub or repository that can be meant.
    pub fn order(&self, ask: &TokenRequest) -> Result<JobOrder, Refusal> {
        order(&self.organization, ask)
    }

    /// One token.
    ///
    /// # Errors
    /// The job's identity is not there, or the issuer gave no token.
    pub fn mint(&self, order: &JobOrder) -> Result<JobToken, JobFault> {
        let subject = self.subject()?;
        self.outside.exchange(order, &subject)
    }

    fn subject(&self) -> Result<Secret, Refusal> {
        let audience = &self.organization.job_audience;
        match &self.identity {
            Identity::File(path) => from_file(path),
            Identity::Variable(name) => {
                let text = env::var(name).unwrap_or_default();
                id_token(text, &format!("the variable {name}"), audience)
            }
            Identity::Actions => {
                let request = ActionsRequest {
                    url: variable("ACTIONS_ID_TOKEN_REQUEST_URL").unwrap_or_default(),
                    token: Secret::new(
                        variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN").unwrap_or_default(),
                    ),
                };
                self.outside.actions_token(&request, audience)
            }
            Identity::Aws => id_token(aws::token(audience)?, "the answer of `aws`", audience),
        }
    }
}

/// The variables that hold the job's ID token and are for nobody but us: a child must not inherit them.
/// Whoever has that token can get any role of this job, and the child is to have the one that was asked
/// for.
///
/// What GitHub gives its jobs (`ACTIONS_ID_TOKEN_REQUEST_URL` and `_TOKEN`) is not among them, although it
/// brings such tokens, too: it is the job's own, other tools in a step take it for other audiences (signing,
/// clouds), and each step of the job has it without us. To take it away would break them and close
/// nothing. A job that must not be able to ask runs without `id-token: write`.
pub fn secrets(args: &JobArgs) -> impl Iterator<Item = &str> {
    args.id_token_env.as_deref().into_iter().chain([ID_TOKEN])
}

/// What is named wins; then the variable that is for nobody but us; then what GitHub offers; then a role at AWS.
fn identity(args: &JobArgs, get: &dyn Fn(&str) -> Option<String>) -> Result<Identity, Refusal> {
    if let Some(path) = &args.id_token_file {
        return Ok(Identity::File(path.clone()));
    }
    if let Some(name) = &args.id_token_env {
        if get(name).is_none() {
            return Err(Refusal::bad_request(
                format!("the variable {name} is not set in this job"),
                "have the CI system set it to an ID token for the issuer",
            ));
        }
        return Ok(Identity::Variable(name.clone()));
    }
    if get(ID_TOKEN).is_some() {
        return Ok(Identity::Variable(ID_TOKEN.to_owned()));
    }
    if get("ACTIONS_ID_TOKEN_REQUEST_URL").is_some()
        && get("ACTIONS_ID_TOKEN_REQUEST_TOKEN").is_some()
    {
        return Ok(Identity::Actions);
    }
    // A job of another system has that one's identity: it can hold a role at AWS besides.
    if !is_of_ci(get) && aws::is_here(get) {
        return Ok(Identity::Aws);
    }
    Err(nobody(get))
}

/// Whether a CI system whose identity is another one runs this.
fn is_of_ci(get: &dyn Fn(&str) -> Option<String>) -> bool {
    let systems = [
        "GITHUB_ACTIONS",
        "GITLAB_CI",
        "CIRCLECI",
        "BUILDKITE",
        "BITBUCKET_BUILD_NUMBER",
    ];
    systems.iter().any(|name| get(name).is_some())
}

fn nobody(get: &dyn Fn(&str) -> Option<String>) -> Refusal {
    let next = if get("GITHUB_ACTIONS").is_some() {
        "add `permissions: id-token: write` to the job; a pull request from a fork never gets it"
    } else if get("GITLAB_CI").is_some() {
        "add `id_tokens: OAM_ID_TOKEN: aud: URL-OF-THE-ISSUER` to the job"
    } else if get("CIRCLECI").is_some() {
        "set OAM_ID_TOKEN to what `circleci run oidc get --claims '{\"aud\":\"URL-OF-THE-ISSUER\"}'` prints"
    } else if get("BUILDKITE").is_some() {
        "set OAM_ID_TOKEN to what `buildkite-agent oidc request-token --audience URL-OF-THE-ISSUER` prints"
    } else if get("BITBUCKET_BUILD_NUMBER").is_some() {
        "add `oidc: true` to the step, and run this with --id-token-env BITBUCKET_STEP_OIDC_TOKEN"
    } else {
        "set OAM_ID_TOKEN to the job's OIDC token, or name its place with --id-token-env or --id-token-file"
    };
    Refusal::bad_request("this job has no identity to show to the issuer", next)
}

fn from_file(path: &Path) -> Result<Secret, Refusal> {
    let failed = |error: std::io::Error| {
        Refusal::bad_request(
            format!(
                "the ID token in {} could not be read: {}",
                path.display(),
                reason(error.kind())
            ),
            "check the path; in Kubernetes: a projected `serviceAccountToken` volume",
        )
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = String::with_capacity(8 * 1024);
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(failed)?;
    id_token(text, &format!("the file {}", path.display()), "")
}

/// Looks only at the form: whose it is and how long it lives is the issuer's to say.
fn id_token(mut text: String, place: &str, audience: &str) -> Result<Secret, Refusal> {
    let token = text.trim();
    let jwt = token.bytes().filter(|byte| *byte == b'.').count() == 2
        && token.bytes().all(|byte| byte.is_ascii_graphic());
    let over = expiry::over(token, place, when::now(), &|name| variable(name));
    let secret = jwt.then(|| Secret::new(token.to_owned()));
    text.zeroize();
    if let Some(refusal) = over {
        return Err(refusal);
    }
    secret.ok_or_else(|| {
        let audience = if audience.is_empty() {
            String::new()
        } else {
            format!(" made for the audience {audience}")
        };
        Refusal::bad_request(
            format!("{place} holds no ID token"),
            format!("have the CI system put a signed OIDC token{audience} there"),
        )
    })
}

/// A variable; an empty one counts as unset, which is how CI systems leave out what they can't give.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}

fn order(organization: &Organization, ask: &TokenRequest) -> Result<JobOrder, Refusal> {
    let hub = hub(&organization.hubs, ask, organization)?;
    let repository = ask.path_at(&hub.url).map(repository_of_path).transpose();
    let repository = repository.map_err(|fault| {
        Refusal::bad_request(fault.to_string(), "give the repository as `acme/model`")
    })?;
    Ok(JobOrder {
        org: organization.org.clone(),
        token_endpoint: organization.token_endpoint.clone(),
        hub: hub.clone(),
        repository: repository.flatten(),
        action: match ask.intent {
            Intent::Write => Action::Write,
            Intent::Read | Intent::Unknown => Action::Read,
        },
        role: ask.role.clone(),
    })
}

fn hub<'a>(
    hubs: &'a [OrgHub],
    ask: &TokenRequest,
    organization: &Organization,
) -> Result<&'a OrgHub, Refusal> {
    let names: Vec<&str> = hubs.iter().map(|hub| hub.name.as_str()).collect();
    let names = names.join(", ");
    let org = &organization.org;
    let (found, what) = match &ask.hub {
        HubRef::Name(name) => (
            hubs.iter().find(|hub| hub.name == *name),
            format!("{org} has no hub named {name}"),
        ),
        HubRef::Url { .. } => (
            hubs.iter().find(|hub| ask.is_at(&hub.url)),
            format!("no hub of {org} owns this address"),
        ),
        HubRef::Only | HubRef::Kind(_) => {
            let fits = |hub: &&OrgHub| match &ask.hub {
                HubRef::Kind(kind) => hub.kind == kind.word(),
                _ => true,
            };
            let mut found = hubs.iter().filter(fits);
            match (found.next(), found.next()) {
                (Some(hub), None) => (Some(hub), String::new()),
                (None, _) => (None, format!("{org} has no such hub")),
                _ => (None, format!("{org} has more than one hub")),
            }
        }
    };
    found.ok_or_else(|| Refusal::bad_request(what, format!("name one with --hub: {names}")))
}
