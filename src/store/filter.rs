//! Which lines of the audit log are meant.

use super::AuditFilter;
use memchr::memmem::Finder;
use serde_json::Result;

/// What a line has to hold. A line is JSON without white space, and in its texts every quotation mark is
/// escaped: a member as it is written stands there as that member only.
pub(super) struct LineFilter {
    members: Vec<Finder<'static>>,
    who: Option<Who>,
}

/// Whom a line has to be about: by the stable key, or by the name where it tells no key.
struct Who {
    keys: Vec<Finder<'static>>,
    names: Vec<Finder<'static>>,
    any_key: Finder<'static>,
}

impl LineFilter {
    /// `keys`: what a line may name the wanted person by, where one is wanted.
    pub(super) fn new(filter: &AuditFilter, keys: Option<&[String]>) -> Result<Self> {
        let members = [
            ("token_sha256", &filter.token_sha256),
            ("request_id", &filter.request_id),
            ("repository", &filter.repository),
            ("role", &filter.role),
        ];
        let members = members
            .into_iter()
            .filter_map(|(name, value)| Some(member(name, value.as_ref()?)));
        Ok(Self {
            members: members.collect::<Result<_>>()?,
            who: keys.map(Who::new).transpose()?,
        })
    }

    pub(super) fn is_in(&self, line: &[u8]) -> bool {
        self.members.iter().all(|one| one.find(line).is_some())
            && self.who.as_ref().is_none_or(|who| who.is_in(line))
    }
}

impl Who {
    fn new(known: &[String]) -> Result<Self> {
        let all = |name| known.iter().map(|key| member(name, key)).collect();
        let (keys, names): (Result<_>, Result<_>) = (all("person"), all("name"));
        Ok(Self {
            keys: keys?,
            names: names?,
            any_key: Finder::new("\"person\":"),
        })
    }

    fn is_in(&self, line: &[u8]) -> bool {
        let holds = |one: &Finder<'_>| one.find(line).is_some();
        self.keys.iter().any(holds) || (self.names.iter().any(holds) && !holds(&self.any_key))
    }
}

fn member(name: &str, value: &str) -> Result<Finder<'static>> {
    let text = format!("\"{name}\":{}", serde_json::to_string(value)?);
    Ok(Finder::new(&text).into_owned())
}
