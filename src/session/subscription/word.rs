//! How a link is, for people.

/// How the link is, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Nothing to connect with.
    Off,
    /// The first heartbeat is not there yet.
    Connecting,
    /// Heartbeats come in time.
    Connected,
    /// A heartbeat is missing.
    Late,
    /// Heartbeats come through a buffer, so they prove nothing.
    Buffered,
    /// No connection.
    Down,
}

impl Word {
    /// As it is shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Late => "late",
            Self::Buffered => "buffered",
            Self::Down => "down",
        }
    }
}
