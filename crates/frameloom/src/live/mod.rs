//! What keeps a live pipeline going: trying again, holding, the slate.

pub(crate) mod burst;
pub(crate) mod frame_sync;
pub(crate) mod hold;
pub(crate) mod retry;
pub(crate) mod slate;
pub(crate) mod stand_in;
pub(crate) mod supervise;
