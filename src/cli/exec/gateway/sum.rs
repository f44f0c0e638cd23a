//! What passed a gateway, in words: where no agent puts it on record.

use crate::when;
use oam_model::served::{ServedRepository, ServedTraffic};

/// A line for each repository, and one for what else there is to tell.
pub(super) fn lines(served: &ServedTraffic) -> Vec<String> {
    let passed = served.repositories.iter().map(repository);
    let turned_away = (served.turned_away > 0).then(|| {
        format!(
            "the gateway turned away {}",
            counted(served.turned_away, "request")
        )
    });
    let handed_out = (served.handed_out > 0).then(|| {
        let until = served.outstanding_until.map_or(String::new(), |until| {
            format!(", the last of them good until {}", when::full(until))
        });
        let links = counted(served.handed_out, "link or token");
        format!("the hub handed out {links} for other hosts{until}")
    });
    passed.chain(turned_away).chain(handed_out).collect()
}

fn repository(one: &ServedRepository) -> String {
    let name = one.repository.as_ref().map(ToString::to_string);
    let name = name.unwrap_or_else(|| "no repository by name".to_owned());
    let refs = if one.refs.is_empty() {
        String::new()
    } else {
        format!(", about {}", one.refs.join(", "))
    };
    format!(
        "passed the gateway for {name}: {} and {}, {} sent, {} received{refs}",
        counted(one.reads, "read"),
        counted(one.writes, "write"),
        size(one.sent),
        size(one.received),
    )
}

/// Links are many or one, tokens too.
fn counted(count: u64, what: &str) -> String {
    match (count, what) {
        (1, what) => format!("1 {what}"),
        (_, "link or token") => format!("{count} links or tokens"),
        (_, what) => format!("{count} {what}s"),
    }
}

/// With one decimal from a thousand on.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    let unit = UNITS.iter().find(|(unit, _)| bytes >= *unit);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(unit, word)| format!("{}.{} {word}", bytes / unit, bytes % unit * 10 / unit),
    )
}

#[cfg(test)]
mod tests {
    use super::{lines, size};
    use oam_model::served::{ServedRepository, ServedTraffic};

    #[test]
    fn a_sum_is_told_by_repository_and_what_is_nothing_is_left_out() {
        assert!(lines(&ServedTraffic::default()).is_empty());
        let served = ServedTraffic {
            repositories: vec![ServedRepository {
                repository: "acme/model".parse().ok(),
                reads: 1,
                writes: 2,
                sent: 2_147_483_648,
                received: 999,
                refs: vec!["refs/heads/main".into()],
            }],
            turned_away: 1,
            handed_out: 2,
            ..ServedTraffic::default()
        };
        assert_eq!(
            lines(&served),
            [
                "passed the gateway for acme/model: 1 read and 2 writes, 2.1 GB sent, 999 B received, about refs/heads/main",
                "the gateway turned away 1 request",
                "the hub handed out 2 links or tokens for other hosts",
            ]
        );
    }

    #[test]
    fn a_size_has_the_largest_unit_that_it_fills() {
        for (bytes, told) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (999_999, "999.9 kB"),
            (1_950_000, "1.9 MB"),
            (u64::MAX, "18446744.0 TB"),
        ] {
            assert_eq!(size(bytes), told);
        }
    }
}
