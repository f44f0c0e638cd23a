//! Where a session is kept on a machine without a keyring, said before the person signs in.

use oam_wire::message::StoreChoice;

/// Seconds for which the kernel remembers a persistent keyring that nobody asks for; kernels without such keyrings
/// do not have it.
const EXPIRY: &str = "/proc/sys/kernel/keys/persistent_keyring_expiry";

/// What is kept instead of in the system's keyring, and until when; none where that is what keeps it.
pub(super) fn instead(kept_in: StoreChoice) -> Option<String> {
    let expiry = std::fs::read_to_string(EXPIRY).ok();
    sentence(kept_in, expiry.and_then(|text| text.trim().parse().ok()))
}

fn sentence(kept_in: StoreChoice, expiry_s: Option<u64>) -> Option<String> {
    match (kept_in, expiry_s) {
        (StoreChoice::Keyring, _) => None,
        (StoreChoice::Kernel, Some(s)) => Some(format!(
            "no keyring service here: the session is kept in the kernel's keyring, until the machine restarts or {} pass without use",
            span(s)
        )),
        (StoreChoice::Kernel, None) => Some(
            "no keyring service here: the session is kept in the kernel's keyring, until you log out of this machine or it restarts"
                .to_owned(),
        ),
        (StoreChoice::Memory, _) => Some(
            "no keyring service here, and the kernel's keyring can't be used: the session is kept in memory, until the agent ends"
                .to_owned(),
        ),
    }
}

fn span(s: u64) -> String {
    match s.div_ceil(3600) {
        hours @ 0..48 => format!("{hours} hours"),
        hours => format!("{} days", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::sentence;
    use oam_wire::message::StoreChoice;

    #[test]
    fn only_what_is_not_the_systems_keyring_is_said_with_its_end() {
        assert_eq!(sentence(StoreChoice::Keyring, Some(259_200)), None);
        for (kept_in, expiry_s, end) in [
            (
                StoreChoice::Kernel,
                Some(259_200),
                "3 days pass without use",
            ),
            (StoreChoice::Kernel, Some(7200), "2 hours pass without use"),
            (StoreChoice::Kernel, None, "until you log out"),
            (StoreChoice::Memory, Some(259_200), "until the agent ends"),
        ] {
            let said = sentence(kept_in, expiry_s).unwrap();
            assert!(said.contains("no keyring service here"), "{said}");
            assert!(said.contains(end), "{said}");
        }
    }
}
