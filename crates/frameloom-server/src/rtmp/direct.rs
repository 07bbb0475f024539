//! Media straight from the publisher's turn to a player's socket.
//!
//! To wake a player's task for each packet, to queue it and to find it again costs about as much as
//! all the rest that is done for the packet here. So where a player waits for nothing but media,
//! whoever publishes writes it. Whatever is unusual is left to the task.

use std::io::IoSlice;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};

use super::connection::Connection;
use super::role::{PullEnd, Role};
use crate::io::Io;
use crate::lock::lock;
use crate::outgoing::try_write;
use crate::relay::wake::Direct;

/// A connection that its own task and publishers have a part in.
pub(super) struct SharedConnection(Arc<Mutex<Connection>>);

impl SharedConnection {
    /// `new` is given what publishers may have of it.
    pub(super) fn new(new: impl FnOnce(Weak<dyn Direct>) -> Connection) -> Self {
        SharedConnection(Arc::new_cyclic(|this: &Weak<Mutex<Connection>>| {
            Mutex::new(new(this.clone()))
        }))
    }

    pub(super) fn with<T>(&self, run: impl FnOnce(&mut Connection) -> T) -> T {
        run(&mut lock(&self.0))
    }
}

impl Drop for SharedConnection {
    /// A publisher may hold the connection a moment longer, and while it walks through the players
    /// none may leave.
    fn drop(&mut self) {
        self.with(|connection| drop(connection.leave()));
    }
}

impl Direct for Mutex<Connection> {
    fn take_media(&self) -> bool {
        // The task has it now, or a publisher that plays its own stream.
        self.try_lock().is_ok_and(|mut connection| connection.take_media())
    }
}

impl Connection {
    fn take_media(&mut self) -> bool {
        let is_free = self.closing.is_none() && !self.draining && self.failed.is_none();
        if !is_free || self.session.output_bytes() > 0 {
            return false;
        }
        // With more than one message stream their order would be the publishers'.
        let [(_, Role::Play(_))] = self.roles[..] else {
            return false;
        };
        match self.pull_one(0) {
            Ok(PullEnd::All) => {}
            // To end it here would be to leave the list that the publisher walks through.
            Ok(PullEnd::Enough | PullEnd::Ended) => return false,
            Err(end) => {
                self.failed = Some(end);
                return false;
            }
        }
        let Io::Plain(stream) = &self.io else {
            return false;
        };
        let socket = socket2::SockRef::from(stream);
        let send = |slices: &[IoSlice<'_>]| match slices {
            [slice] => socket.send(slice),
            _ => socket.send_vectored(slices),
        };
        while self.session.output_bytes() > 0 {
            // An error meets the task again, which knows what to do.
            let Ok(count) = try_write(self.session.output(), send) else {
                return false;
            };
            self.shared.counters.sent_bytes.fetch_add(count as u64, Ordering::Relaxed);
        }
        true
    }
}
