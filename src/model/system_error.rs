//! What the system says of a failed call, in words for people. Its own ("entity not found") are for programmers.

use std::io::ErrorKind;

/// Fit for the end of a sentence, after a colon or in brackets; nothing of what was read or written is in it.
pub fn reason(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "it is not there",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::AlreadyExists => "it is there already",
        ErrorKind::StorageFull => "the disk is full",
        ErrorKind::QuotaExceeded => "the disk quota is used up",
        ErrorKind::FileTooLarge => "the file would be too large",
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        ErrorKind::NotADirectory => "a part of its path is not a folder",
        ErrorKind::IsADirectory => "it is a folder",
        ErrorKind::DirectoryNotEmpty => "the folder is not empty",
        ErrorKind::InvalidData => "it is no text in UTF-8",
        ErrorKind::AddrInUse => "another program has this address",
        ErrorKind::AddrNotAvailable => "this machine has no such address",
        ErrorKind::ConnectionRefused => "the connection was refused",
        ErrorKind::TimedOut => "no answer in time",
        ErrorKind::OutOfMemory => "there is no memory left",
        ErrorKind::Unsupported => "this system can't do that",
        _ => "the system reports an input or output error",
    }
}

#[cfg(test)]
mod tests {
    use super::reason;
    use std::io::ErrorKind;

    #[test]
    fn no_reason_is_the_systems_own_word() {
        for kind in [
            ErrorKind::NotFound,
            ErrorKind::InvalidData,
            ErrorKind::Other,
        ] {
            assert_ne!(reason(kind), kind.to_string());
        }
    }
}
