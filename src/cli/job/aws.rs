//! A job or person at AWS: its own command line gives an ID token of the account's issuer, for the role that it has.

use oam_model::refusal::Refusal;
use oam_model::system_error::reason;
use std::process::{Command, Stdio};

/// Variables of which AWS sets some wherever there is a role, and people do where they have one.
const VARIABLES: [&str; 7] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/// What `oam help ci` says more of.
const SETTINGS: &str = "run `aws sts get-web-identity-token` by hand to see why: the account has to allow it once \
    (`aws iam enable-outbound-web-identity-federation`), the role needs `sts:GetWebIdentityToken`, AWS_REGION has to be \
    set, and the program has to know the command";

/// Whether this is a place with a role at AWS.
pub(super) fn is_here(get: &dyn Fn(&str) -> Option<String>) -> bool {
    VARIABLES.iter().any(|name| get(name).is_some())
}

/// The command that prints a token for this audience, good for five minutes.
fn command(audience: &str) -> Command {
    let mut command = Command::new("aws");
    command.args(["sts", "get-web-identity-token", "--audience", audience]);
    command.args(["--signing-algorithm", "ES384", "--duration-seconds", "300"]);
    command.args(["--query", "WebIdentityToken", "--output", "text"]);
    command.args(["--cli-connect-timeout", "5", "--cli-read-timeout", "10"]);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command
}

/// What it prints.
///
/// # Errors
/// It is not there, or gives none.
pub(super) fn token(audience: &str) -> Result<String, Refusal> {
    let output = command(audience).output().map_err(|error| {
        Refusal::unavailable(
            format!(
                "the program `aws`, which gives this role's ID token, can't be run: {}",
                reason(error.kind())
            ),
            "install the AWS command line, version 2, or set OAM_ID_TOKEN to a token of `sts:GetWebIdentityToken`",
        )
    })?;
    if !output.status.success() {
        return Err(Refusal::unavailable(
            "AWS gave no ID token for this role",
            SETTINGS,
        ));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| Refusal::unavailable("the program `aws` printed no token", SETTINGS))
}
