//! What passed a gateway for one command, summed when the command ended.

use super::name::Repository;
use serde::{Deserialize, Serialize};

/// Most repositories that are named; what is beyond is summed without a name.
pub const MOST_REPOSITORIES: usize = 64;
/// Most refs that are named, of all repositories together.
pub const MOST_REFS: usize = 32;
/// Longest name of a ref that is told, bytes.
pub const LONGEST_REF: usize = 200;

/// The sum of one command, as its gateway counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ServedTraffic {
    /// By repository.
    pub repositories: Vec<ServedRepository>,
    /// Requests and connections that were refused and did not reach the hub.
    #[serde(default)]
    pub turned_away: u64,
    /// Links and tokens for other hosts that the hub handed out: signed links to a store, Xet tokens. What is done with
    /// them passes no gateway.
    #[serde(default)]
    pub handed_out: u64,
    /// Unix seconds until which the last of them is good, where the hub said so. Nobody can take it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outstanding_until: Option<u64>,
    /// The gateway was killed before it could tell the sum: these are the counts that it told last, and more may have
    /// passed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

/// What passed for one repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ServedRepository {
    /// None: requests that named none, and those beyond [`MOST_REPOSITORIES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
    /// Requests with a token that reads.
    pub reads: u64,
    /// Requests with a token that writes.
    pub writes: u64,
    /// Bytes of bodies that went to the hub.
    pub sent: u64,
    /// Bytes of bodies that came back.
    pub received: u64,
    /// Refs that pushes and commits were about, whether the hub took them or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refs: Vec<String>,
}

impl ServedTraffic {
    /// Whether nothing happened at all.
    pub fn is_empty(&self) -> bool {
        self.repositories.is_empty() && self.turned_away == 0
    }

    /// Cut to what a record may hold.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let beyond = self
            .repositories
            .split_off(MOST_REPOSITORIES.min(self.repositories.len()));
        let mut rest = ServedRepository::default();
        for one in &beyond {
            rest.reads = rest.reads.saturating_add(one.reads);
            rest.writes = rest.writes.saturating_add(one.writes);
            rest.sent = rest.sent.saturating_add(one.sent);
            rest.received = rest.received.saturating_add(one.received);
        }
        if !beyond.is_empty() {
            self.repositories.push(rest);
        }
        let mut left = MOST_REFS;
        for one in &mut self.repositories {
            one.refs
                .retain(|name| name.len() <= LONGEST_REF && !name.contains(char::is_control));
            one.refs.truncate(left);
            left = left.saturating_sub(one.refs.len());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_REFS, MOST_REPOSITORIES, ServedRepository, ServedTraffic};

    #[test]
    fn a_record_is_bounded_and_nothing_is_left_out_of_its_sums() {
        let one = |n: usize| ServedRepository {
            repository: format!("acme/m{n}").parse().ok(),
            reads: 1,
            sent: 3,
            refs: vec![format!("refs/heads/{n}"), "x".repeat(500), "a\nb".into()],
            ..ServedRepository::default()
        };
        let served = ServedTraffic {
            repositories: (0..MOST_REPOSITORIES + 10).map(one).collect(),
            ..ServedTraffic::default()
        };
        assert!(!served.is_empty() && ServedTraffic::default().is_empty());
        let bounded = served.bounded();
        assert_eq!(bounded.repositories.len(), MOST_REPOSITORIES + 1);
        assert_eq!(
            bounded
                .repositories
                .iter()
                .map(|one| one.reads)
                .sum::<u64>(),
            74
        );
        let refs: Vec<&String> = bounded
            .repositories
            .iter()
            .flat_map(|one| &one.refs)
            .collect();
        assert_eq!(refs.len(), MOST_REFS);
        assert!(refs.iter().all(|name| name.starts_with("refs/heads/")));
        let text = serde_json::to_string(&bounded).unwrap();
        assert!(text.len() < 32 * 1024, "fits into one frame");
        // Cut once more it stays as it is.
        assert_eq!(
            bounded.clone().bounded().repositories.len(),
            MOST_REPOSITORIES + 1
        );
    }
}
