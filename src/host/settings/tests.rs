use super::SettingsFiles;
use std::fs;
use std::future::Future;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn company(&self) -> PathBuf {
        self.folder.path().join("etc/oam/config.toml")
    }

    fn user(&self) -> PathBuf {
        self.folder.path().join("home/oam/config.toml")
    }

    fn write(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
        chmod(path, 0o644);
        chmod(path.parent().unwrap(), 0o755);
    }

    fn files(&self) -> SettingsFiles {
        SettingsFiles::new(self.company(), Some(self.user()))
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn files_that_are_not_there_say_nothing() {
    let home = Home::new();
    assert!(home.files().load().is_ok());
    assert!(SettingsFiles::new(home.company(), None).load().is_ok());
    assert!(
        SettingsFiles::standard()
            .user_file()
            .is_none_or(|path| path.ends_with("oam/config.toml"))
    );
}

#[test]
fn a_file_or_folder_that_others_can_write_is_refused_with_the_command_that_mends_it() {
    let home = Home::new();
    Home::write(&home.user());
    assert!(home.files().load().is_ok());
    for (path, mode) in [
        (home.user(), 0o664),
        (home.user(), 0o646),
        (home.user().parent().unwrap().to_owned(), 0o777),
    ] {
        let before = fs::metadata(&path).unwrap().permissions();
        chmod(&path, mode);
        let said = home.files().load().unwrap_err();
        assert!(
            said.contains(&format!("chmod go-w {}", path.display())),
            "{said}"
        );
        fs::set_permissions(&path, before).unwrap();
    }
    assert!(home.files().load().is_ok());
}

#[test]
fn a_linked_file_is_read_and_judged_by_what_it_links_to() {
    let home = Home::new();
    let real = home.folder.path().join("dotfiles/oam.toml");
    Home::write(&real);
    Home::write(&home.user());
    fs::remove_file(home.user()).unwrap();
    symlink(&real, home.user()).unwrap();
    assert!(home.files().load().is_ok());
    chmod(&real, 0o666);
    assert!(home.files().load().is_err());
}

#[test]
fn what_is_no_readable_text_is_refused_and_a_pipe_holds_nobody_up() {
    let home = Home::new();
    Home::write(&home.user());
    fs::write(home.user(), [0xff, 0xfe]).unwrap();
    assert!(home.files().load().unwrap_err().contains("not UTF-8"));
    fs::write(home.user(), vec![b'#'; 1024 * 1024 + 1]).unwrap();
    assert!(
        home.files()
            .load()
            .unwrap_err()
            .contains("larger than 1 MiB")
    );
    fs::remove_file(home.user()).unwrap();
    fs::create_dir(home.user()).unwrap();
    assert!(home.files().load().unwrap_err().contains("is not a file"));
    fs::remove_dir(home.user()).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(home.user())
        .status();
    if made.is_ok_and(|status| status.success()) {
        assert!(home.files().load().unwrap_err().contains("is not a file"));
    }
}

#[test]
fn a_change_is_seen_by_looking() {
    let home = Home::new();
    let mut files = home.files();
    assert!(!files.changed(), "nothing was read yet");
    files.load().unwrap();
    assert!(!files.changed());
    Home::write(&home.user());
    assert!(files.changed());
    files.load().unwrap();
    assert!(!files.changed());
    chmod(&home.user(), 0o600);
    assert!(files.changed(), "a changed mode can make it readable");
}

/// Runs one step on `files` while somebody waits for a change, and tells whether they heard of it.
#[cfg(target_os = "linux")]
fn heard(files: &mut SettingsFiles, step: impl FnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    files.watch = None;
    files.load().unwrap();
    runtime.block_on(async {
        let mut change = pin!(files.next_change());
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(change.as_mut().poll(&mut context), Poll::Pending);
        step();
        // A guard for the test only; what is waited for comes from the kernel.
        tokio::time::timeout(std::time::Duration::from_secs(20), change)
            .await
            .unwrap();
    });
    files.load().unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn every_way_of_changing_a_file_is_heard_of() {
    let home = Home::new();
    let (user, company) = (home.user(), home.company());
    let folder = user.parent().unwrap().to_owned();
    let beside = folder.join("beside");
    let mut files = home.files();
    // The folder, and the one above it, are not there yet: made one after the other.
    heard(&mut files, || Home::write(&user));
    heard(&mut files, || {
        fs::write(&user, "# edited in place\n").unwrap();
    });
    heard(&mut files, || {
        fs::write(&beside, "# replaced\n").unwrap();
        fs::rename(&beside, &user).unwrap();
    });
    heard(&mut files, || chmod(&user, 0o600));
    heard(&mut files, || fs::remove_file(&user).unwrap());
    heard(&mut files, || fs::write(&user, "").unwrap());
    heard(&mut files, || fs::remove_dir_all(&folder).unwrap());
    heard(&mut files, || Home::write(&user));
    heard(&mut files, || Home::write(&company));
    let real = home.folder.path().join("dotfiles/oam.toml");
    Home::write(&real);
    heard(&mut files, || {
        fs::remove_file(&user).unwrap();
        symlink(&real, &user).unwrap();
    });
    heard(&mut files, || {
        fs::write(&real, "# behind the link\n").unwrap();
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_change_between_reading_and_waiting_is_not_missed_and_noise_beside_is_none() {
    let home = Home::new();
    Home::write(&home.user());
    let mut files = home.files();
    files.load().unwrap();
    fs::write(home.user(), "# at once\n").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        files.next_change().await;
        files.load().unwrap();
        let mut change = pin!(files.next_change());
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(change.as_mut().poll(&mut context), Poll::Pending);
        fs::write(home.user().with_file_name("other"), "x").unwrap();
        for _ in 0..5 {
            tokio::task::yield_now().await;
            assert_eq!(change.as_mut().poll(&mut context), Poll::Pending);
        }
    });
}
