//! A clock for tests.

use oam_agent::ports::Clock;
use oam_model::time::Moment;
use std::cell::Cell;
use std::rc::Rc;

/// A clock that stands where the test puts it.
pub struct Still(Cell<Moment>);

impl Still {
    /// At this Unix time, seconds.
    pub fn at(unix: u64) -> Rc<Self> {
        let moment = Moment::new(1_000_000, unix * 1000);
        Rc::new(Self(Cell::new(moment)))
    }

    /// Goes on by so many seconds.
    pub fn pass(&self, seconds: u64) {
        self.0.set(self.0.get().plus(seconds * 1000));
    }
}

impl Clock for Still {
    fn now(&self) -> Moment {
        self.0.get()
    }
}
