//! FLV.
/// Why bytes are not FLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlvError {
    /// x
    #[error("x")]
    Truncated,
}
