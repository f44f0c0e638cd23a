//! Whether somebody is at the screen: logind says it on the system bus, the screen saver on the session bus. Both are
//! reached when the answer decides something and left again, as for a notice.

use oam_agent::ports::{LocalBoxFuture, Screen};
use oam_session::screen::ScreenState;

/// The desktop's word.
#[derive(Debug, Clone, Copy, Default)]
pub struct DesktopScreen;

impl Screen for DesktopScreen {
    fn state(&self, caller: Option<u32>) -> LocalBoxFuture<ScreenState> {
        Box::pin(state(caller))
    }

    fn person(&self) -> LocalBoxFuture<ScreenState> {
        Box::pin(person())
    }
}

#[cfg(target_os = "linux")]
mod buses;
#[cfg(target_os = "linux")]
use buses::{person, state};

#[cfg(not(target_os = "linux"))]
async fn state(_: Option<u32>) -> ScreenState {
    ScreenState::Unknown
}

#[cfg(not(target_os = "linux"))]
async fn person() -> ScreenState {
    ScreenState::Unknown
}
