//! What is still open when Python ends: it may never be told of the end otherwise.

use std::sync::{Arc, Mutex, Weak};

use pyo3::prelude::*;

use crate::lock::lock;

/// Something that must not be left unfinished.
pub(crate) trait Finish: Send + Sync {
    /// Finishes its outputs and ends its threads. Called with the GIL released.
    fn finish(&self);
}

static OPEN: Mutex<Vec<Weak<dyn Finish>>> = Mutex::new(Vec::new());

/// Finishes it when Python ends, if it is still there then.
pub(crate) fn remember<T: Finish + 'static>(open: &Arc<T>) {
    let mut all = lock(&OPEN);
    all.retain(|open| open.strong_count() > 0);
    let weak: Weak<T> = Arc::downgrade(open);
    all.push(weak);
}

/// Finishes all that is still open.
#[pyfunction]
pub(crate) fn finish_all(py: Python<'_>) {
    py.detach(|| {
        let all = std::mem::take(&mut *lock(&OPEN));
        for open in all.iter().filter_map(Weak::upgrade) {
            open.finish();
        }
    });
}
