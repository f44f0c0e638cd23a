//! Who may be connected at once (R27): a bounded number of permits, the idle ones given up in turn.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// All permits. One thread only: the agent has no other.
#[derive(Clone, Default)]
pub(super) struct ConnectionQuota {
    room: Rc<RefCell<Room>>,
    freed: Rc<Notify>,
}

#[derive(Default)]
struct Room {
    /// Grows with every event, so it is a clock that needs no system call.
    turn: u64,
    taken: BTreeMap<u64, Taken>,
}

struct Taken {
    task: Option<AbortHandle>,
    /// Turn since which its connection waits for a request; none: a request is being answered.
    idle_since: Option<u64>,
}

/// One connection's permit; free again when dropped.
pub(super) struct ConnectionPermit {
    number: u64,
    quota: ConnectionQuota,
}

impl ConnectionQuota {
    pub(super) fn count(&self) -> usize {
        self.room.borrow().taken.len()
    }

    /// A permit whose connection is idle.
    pub(super) fn take(&self) -> ConnectionPermit {
        let mut room = self.room.borrow_mut();
        room.turn += 1;
        let number = room.turn;
        let idle_since = Some(number);
        room.taken.insert(
            number,
            Taken {
                task: None,
                idle_since,
            },
        );
        ConnectionPermit {
            number,
            quota: self.clone(),
        }
    }

    /// Sends the connection away that has been idle for longest. `false`: none is idle.
    pub(super) fn free_one(&self) -> bool {
        let mut room = self.room.borrow_mut();
        let idle = room
            .taken
            .iter()
            .filter_map(|(number, taken)| Some((taken.idle_since?, *number)));
        let Some((_, number)) = idle.min() else {
            return false;
        };
        if let Some(Taken {
            task: Some(task), ..
        }) = room.taken.remove(&number)
        {
            task.abort();
        }
        true
    }

    /// Resolves when a permit was freed.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }
}

impl ConnectionPermit {
    /// The task to end when the permit is needed.
    pub(super) fn belongs_to(quota: &ConnectionQuota, number: u64, task: AbortHandle) {
        if let Some(taken) = quota.room.borrow_mut().taken.get_mut(&number) {
            taken.task = Some(task);
        }
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Waits for a request from now on.
    pub(super) fn idle(&self) {
        let mut room = self.quota.room.borrow_mut();
        room.turn += 1;
        let turn = room.turn;
        if let Some(taken) = room.taken.get_mut(&self.number) {
            taken.idle_since = Some(turn);
        }
    }

    /// Answers a request from now on: not sent away.
    pub(super) fn busy(&self) {
        if let Some(taken) = self.quota.room.borrow_mut().taken.get_mut(&self.number) {
            taken.idle_since = None;
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.quota.room.borrow_mut().taken.remove(&self.number);
        self.quota.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::ConnectionQuota;

    #[test]
    fn the_longest_idle_goes_first_and_a_busy_one_never() {
        let quota = ConnectionQuota::default();
        let (first, second, third) = (quota.take(), quota.take(), quota.take());
        first.busy();
        second.busy();
        second.idle();
        // Third has been idle since before second became so again.
        assert!(quota.free_one());
        assert_eq!(quota.count(), 2);
        drop(third);
        assert_eq!(quota.count(), 2);
        assert!(quota.free_one());
        assert!(!quota.free_one());
        drop((first, second));
        assert_eq!(quota.count(), 0);
    }
}
