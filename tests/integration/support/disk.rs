//! A file system of a size that a test can fill.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system at a folder, taken away at the end.
pub struct Small(PathBuf);

impl Small {
    /// Mounts one of this size, `64k`.
    pub fn mount(at: &Path, size: &str) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let done = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size},mode=700"),
                "none",
            ])
            .arg(at)
            .status()
            .expect("mount");
        assert!(done.success(), "a tmpfs can't be mounted here");
        Self(at.to_owned())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Leaves no room.
    pub fn fill(&self) {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.0.join("fill"))
            .unwrap();
        while file.write(&[0; 4096]).is_ok_and(|count| count == 4096) {}
    }

    /// Takes that away again.
    pub fn make_room(&self) {
        File::create(self.0.join("fill")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: somebody still has a file there open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
