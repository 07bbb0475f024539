//! An output that is opened before the pipeline runs: whoever names it hears at once of a server
//! that isn't there.

use crate::run::outputs::NewOutput;

/// An output of a pipeline that doesn't run yet. Dropped, it is given up.
pub struct Outgoing(pub(super) NewOutput);
