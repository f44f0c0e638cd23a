//! Which grants cover an ask, narrowest first.

use super::pattern;
use oam_model::name::HubName;
use oam_model::policy::{Policy, PolicyRequest};
use oam_model::role::Action;
use std::collections::HashMap;

/// How wide a cover is: less is narrower. The action first, because a token that may do less is the better
/// one even where it reaches further; the agent orders its roles alike (`session::role`).
type Rank = (Action, (usize, usize, std::cmp::Reverse<usize>));

/// One pattern of one grant: indexes into the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cover {
    pub(super) role: usize,
    pub(super) grant: usize,
    pub(super) pattern: usize,
}

#[derive(Debug)]
struct Entry {
    rank: Rank,
    cover: Cover,
    /// The pattern behind its literal beginning.
    rest: String,
}

/// The patterns of one hub by their literal beginning.
#[derive(Debug, Default)]
struct OfHub {
    /// Narrowest first.
    by_beginning: HashMap<String, Vec<Entry>>,
    /// The lengths of the beginnings, in bytes, ascending.
    lengths: Vec<usize>,
    /// Patterns for everything: the only ones that cover an ask for the whole hub.
    whole: Vec<(Rank, Cover)>,
}

/// All grants, by hub.
#[derive(Debug)]
pub(super) struct GrantIndex {
    by_hub: HashMap<HubName, OfHub>,
}

impl GrantIndex {
    pub(super) fn new(policy: &Policy) -> Self {
        let mut by_hub: HashMap<HubName, OfHub> = HashMap::new();
        for (role, of_role) in policy.roles.iter().enumerate() {
            for (grant, granted) in of_role.grants.iter().enumerate() {
                let of_hub = by_hub.entry(granted.grant.hub.clone()).or_default();
                for (at, text) in granted.grant.repositories.iter().enumerate() {
                    let cover = Cover {
                        role,
                        grant,
                        pattern: at,
                    };
                    let rank = (granted.grant.action, pattern::width(text));
                    of_hub.add(text, rank, cover);
                }
            }
        }
        for of_hub in by_hub.values_mut() {
            of_hub.finish();
        }
        Self { by_hub }
    }

    /// The narrowest cover of `wanted` for each role that `allowed` lets pass and whose cover is as narrow as
    /// the narrowest: one, or rivals, in the order of the file.
    pub(super) fn narrowest(
        &self,
        wanted: &PolicyRequest,
        allowed: impl Fn(usize) -> bool,
    ) -> Vec<Cover> {
        let mut best = Best::default();
        let Some(of_hub) = self.by_hub.get(&wanted.hub) else {
            return Vec::new();
        };
        let Some(repository) = &wanted.repository else {
            for (rank, cover) in &of_hub.whole {
                if rank.0 >= wanted.action && allowed(cover.role) {
                    best.offer(*rank, cover);
                }
            }
            return best.roles();
        };
        let path = repository.as_str();
        for length in &of_hub.lengths {
            // A beginning that ends within a letter is none.
            let Some(beginning) = path.get(..*length) else {
                continue;
            };
            let entries = of_hub.by_beginning.get(beginning);
            for entry in entries.into_iter().flatten() {
                if best.is_narrower_than(entry.rank) {
                    break;
                }
                let covers = entry.rank.0 >= wanted.action
                    && allowed(entry.cover.role)
                    && pattern::matches(&entry.rest, &path[*length..]);
                if covers {
                    best.offer(entry.rank, &entry.cover);
                }
            }
        }
        best.roles()
    }
}

impl OfHub {
    fn add(&mut self, text: &str, rank: Rank, cover: Cover) {
        if text == "**" {
            self.whole.push((rank, cover.clone()));
        }
        let literal = text.find('*').unwrap_or(text.len());
        let (beginning, rest) = text.split_at(literal);
        let entries = self.by_beginning.entry(beginning.to_owned()).or_default();
        entries.push(Entry {
            rank,
            cover,
            rest: rest.to_owned(),
        });
    }

    fn finish(&mut self) {
        for entries in self.by_beginning.values_mut() {
            // Stable: among equals the order of the file stays.
            entries.sort_by_key(|entry| entry.rank);
        }
        self.lengths = self.by_beginning.keys().map(String::len).collect();
        self.lengths.sort_unstable();
        self.lengths.dedup();
    }
}

/// The narrowest covers so far.
#[derive(Default)]
struct Best<'e> {
    rank: Option<Rank>,
    covers: Vec<&'e Cover>,
}

impl<'e> Best<'e> {
    fn is_narrower_than(&self, rank: Rank) -> bool {
        self.rank.is_some_and(|best| best < rank)
    }

    fn offer(&mut self, rank: Rank, cover: &'e Cover) {
        if self.is_narrower_than(rank) {
            return;
        }
        if self.rank != Some(rank) {
            self.rank = Some(rank);
            self.covers.clear();
        }
        self.covers.push(cover);
    }

    /// One cover a role: the same role is no rival of itself.
    fn roles(mut self) -> Vec<Cover> {
        self.covers
            .sort_by_key(|cover| (cover.role, cover.grant, cover.pattern));
        self.covers.dedup_by_key(|cover| cover.role);
        self.covers.into_iter().cloned().collect()
    }
}
