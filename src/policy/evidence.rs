//! Which groups of somebody count, when several speak of them: one table for every part of the issuer.
//!
//! A directory (SCIM) is the company's own word on who is in which group, told when it changes; a token repeats what
//! was so when it was made. So what a directory said of somebody counts, whatever their tokens say, from the moment
//! at which it said anything of their groups. Before that, and for people whom it does not know, the token counts, or a
//! signal that is later than the token. Groups are never added up: nobody is in a group only because two sources
//! disagree.

/// How the company's directory comes to be known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EvidenceKind {
    /// It pushes what changes (SCIM).
    #[default]
    Scim,
    /// The issuer reads it now and then.
    Poll,
}

/// What a directory says of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEvidence {
    /// How it is known.
    pub kind: EvidenceKind,
    /// Whether it calls the account active.
    pub active: bool,
    /// Their groups as the policy names them, in order; none: it never said anything of their groups.
    pub groups: Option<Vec<String>>,
    /// Pushed: when it last changed what it says. Read: when the last reading began that was whole. Unix milliseconds.
    pub at_ms: u64,
}

/// Who says which groups somebody is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroupOrigin {
    /// The company's directory.
    Directory(EvidenceKind),
    /// A signal of the provider.
    Signal,
    /// The token, or what was kept of the last one.
    Token,
}

/// As the origin of a group is called that is a team at GitHub.
pub const TEAM: &str = "team";
/// Why such a group counts, for people.
pub const TEAM_BECAUSE: &str = "GitHub says this team, which counts beside other groups";

/// What is known of somebody's groups besides their token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ToldGroups {
    /// The directory said which groups they are in.
    pub by_directory: Option<EvidenceKind>,
    /// A signal that is later than the token said that the groups changed.
    pub by_signal: bool,
}

/// The table: whose word on the groups counts.
pub const fn deciding(told: ToldGroups) -> GroupOrigin {
    match told {
        ToldGroups {
            by_directory: Some(kind),
            ..
        } => GroupOrigin::Directory(kind),
        ToldGroups {
            by_directory: None,
            by_signal: true,
        } => GroupOrigin::Signal,
        ToldGroups {
            by_directory: None,
            by_signal: false,
        } => GroupOrigin::Token,
    }
}

impl EvidenceKind {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Scim, Self::Poll];

    /// As it is kept.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Scim => "scim",
            Self::Poll => "poll",
        }
    }

    /// As the origin of groups is called.
    const fn origin(self) -> &'static str {
        match self {
            Self::Scim => "directory",
            Self::Poll => "poll",
        }
    }
}

impl GroupOrigin {
    /// In one word, for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Directory(kind) => kind.origin(),
            Self::Signal => "signal",
            Self::Token => "token",
        }
    }

    /// Why this word counts, for people.
    pub const fn because(self) -> &'static str {
        match self {
            Self::Directory(EvidenceKind::Poll) => {
                "the directory, which is read now and then, says this person's groups, so those of tokens do not count"
            }
            Self::Directory(EvidenceKind::Scim) => {
                "the directory says this person's groups, so those of tokens do not count"
            }
            Self::Signal => "the provider said that the groups changed, later than the last token",
            Self::Token => "the last token says them, and no directory does",
        }
    }
}
