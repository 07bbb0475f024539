//! Limits in time, for a process that may itself have stood still.
//!
//! A server that was stopped and continued, or a machine that is overloaded, sees its timers run
//! out before it sees what came meanwhile. So a timer that is noticed much too late says nothing of
//! the peer, which is given a moment more: what waits in the socket is then read.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// A timer that is noticed so much too late was not looked at in between.
const LATE: Duration = Duration::from_millis(500);
/// How long a peer then has.
const GRACE: Duration = Duration::from_secs(2);

/// The deadline in place of one that is over at `now`: `None` where it was noticed in time, and
/// counts.
pub(crate) fn postponed(deadline: Instant, now: Instant) -> Option<Instant> {
    (now.saturating_duration_since(deadline) >= LATE).then(|| now + GRACE)
}

/// What `future` gives, or `None` where that takes longer than `limit`.
pub(crate) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    until(Instant::now() + limit, future).await
}

/// The same up to a point in time.
pub(crate) async fn until<T>(mut deadline: Instant, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    loop {
        if let Ok(value) = timeout_at(deadline, &mut future).await {
            return Some(value);
        }
        deadline = postponed(deadline, Instant::now())?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_timer_that_is_noticed_late_is_postponed() {
        let deadline = Instant::now();
        assert_eq!(postponed(deadline, deadline + LATE / 2), None);
        let now = deadline + Duration::from_secs(20);
        assert_eq!(postponed(deadline, now), Some(now + GRACE));
    }

    /// A runtime of one thread, which is held up as by a signal that stops the process.
    #[test]
    fn what_came_while_the_process_stood_still_counts() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let waits = tokio::spawn(within(Duration::from_millis(50), receiver));
            tokio::task::yield_now().await;
            std::thread::sleep(LATE * 2);
            // It is seen after the timer.
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                sender.send(7)
            });
            assert_eq!(waits.await.unwrap(), Some(Ok(7)));
        });
    }
}
