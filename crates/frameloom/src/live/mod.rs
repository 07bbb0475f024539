//! What keeps a live pipeline going: trying again, holding, the slate.

pub(crate) mod backoff;
pub(crate) mod slate;
pub(crate) mod supervise;
