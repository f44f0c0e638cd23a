//! Reading a secret from where the configuration says it lies. Nothing here ever shows it.

use oam_model::issuer::SecretPlace;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_model::system_error::reason;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Longest secret that is read, bytes.
const CAP: u64 = 64 * 1024;

/// The variable in which systemd names the folder of a service's credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Reads the secret called `what` (`master_key`, `client_secret`, …) from its place; white space around
/// it does not count.
///
/// # Errors
/// It is not there, empty, not text, longer than 64 KiB, or in a file that others can read.
pub fn secret(place: &SecretPlace, what: &str) -> Result<Secret, Refusal> {
    let text = match place {
        SecretPlace::Variable(name) => variable(name, what)?,
        SecretPlace::File(path) => file(Path::new(path), what, true)?,
        // systemd makes these files and their folder for the service alone; their mode may name a group.
        SecretPlace::Credential(name) => file(&credential(name, what)?, what, false)?,
    };
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Refusal::unavailable(
            format!("`{what}` is empty"),
            "put the secret there",
        ));
    }
    Ok(Secret::new(trimmed.to_owned()))
}

fn variable(name: &str, what: &str) -> Result<Zeroizing<String>, Refusal> {
    std::env::var(name).map(Zeroizing::new).map_err(|_| {
        Refusal::unavailable(
            format!(
                "`{what}` is to be read from the variable {name}, which is not set or not text"
            ),
            "set it for this process, or name another place",
        )
    })
}

fn credential(name: &str, what: &str) -> Result<PathBuf, Refusal> {
    let plain = !name.is_empty() && !name.contains(['/', '\\']) && name != "." && name != "..";
    let folder = std::env::var_os(CREDENTIALS).filter(|folder| !folder.is_empty());
    match folder {
        Some(folder) if plain => Ok(Path::new(&folder).join(name)),
        Some(_) => Err(Refusal::bad_request(
            format!("`{what}` names a credential that is no file name"),
            "write the name of LoadCredential= in the service, without a path",
        )),
        None => Err(Refusal::unavailable(
            format!("`{what}` is a systemd credential, and ${CREDENTIALS} is not set"),
            format!("add LoadCredential={name}:/path to the service, or name a file instead"),
        )),
    }
}

fn file(path: &Path, what: &str, private: bool) -> Result<Zeroizing<String>, Refusal> {
    let unread = |why: String| {
        Refusal::unavailable(
            format!("`{what}` can't be read from {}: {why}", path.display()),
            "look at the path and at who may read it",
        )
    };
    let kind = |e: std::io::Error| unread(reason(e.kind()).to_owned());
    // Opened first and looked at afterwards, so that what is judged is what is read.
    let file = File::open(path).map_err(kind)?;
    let about = file.metadata().map_err(kind)?;
    if !about.is_file() {
        return Err(unread("it is not a file".to_owned()));
    }
    if private && shared(&about) {
        return Err(Refusal::unavailable(
            format!("{} holds `{what}`, and others may read it", path.display()),
            format!(
                "run `chmod 600 {}`; if others had it, make a new one",
                path.display()
            ),
        ));
    }
    if about.len() > CAP {
        return Err(unread("it is longer than 64 KiB".to_owned()));
    }
    // Room for all of it: a buffer that grows leaves its old bytes behind.
    let room = usize::try_from(about.len()).unwrap_or(0) + 1;
    let mut text = Zeroizing::new(String::with_capacity(room));
    file.take(CAP).read_to_string(&mut text).map_err(kind)?;
    Ok(text)
}

/// Whether group or others have any right.
#[cfg(unix)]
fn shared(about: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    about.permissions().mode() & 0o077 != 0
}

/// Elsewhere the folder's access list decides, which `std` can't read.
#[cfg(not(unix))]
const fn shared(_about: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::secret;
    use oam_model::issuer::SecretPlace;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    fn put(text: &str, mode: u32) -> (tempfile::TempDir, SecretPlace) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let place = SecretPlace::File(path.to_string_lossy().into_owned());
        (folder, place)
    }

    #[test]
    fn a_private_file_gives_its_text_without_the_line_feed() {
        let (_folder, place) = put("s3cret\n", 0o600);
        assert_eq!(secret(&place, "x").ok().unwrap().expose(), "s3cret");
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_remedy() {
        for mode in [0o640, 0o604, 0o660, 0o644] {
            let (_folder, place) = put("s3cret", mode);
            let refusal = secret(&place, "master_key").err().unwrap();
            assert!(refusal.sentence.contains("others may read it"), "{mode:o}");
            assert!(refusal.next.contains("chmod 600"));
            assert!(!format!("{refusal:?}").contains("s3cret"));
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        let sentence = |place: SecretPlace| secret(&place, "master_key").err().unwrap().sentence;
        let (_folder, empty) = put(" \n", 0o600);
        assert_eq!(sentence(empty), "`master_key` is empty");
        assert!(sentence(SecretPlace::File("/nowhere/key".into())).contains("/nowhere/key"));
        assert!(sentence(SecretPlace::File("/".into())).contains("not a file"));
        let unset = SecretPlace::Variable("OAM_TEST_SURELY_UNSET".into());
        assert!(sentence(unset).contains("OAM_TEST_SURELY_UNSET"));
        let (_folder, binary) = put("", 0o600);
        if let SecretPlace::File(path) = &binary {
            fs::write(path, [0xff, 0xfe]).unwrap();
        }
        assert!(sentence(binary).contains("can't be read"));
        let (_folder, long) = put(&"x".repeat(70_000), 0o600);
        assert!(sentence(long).contains("64 KiB"));
    }
}
