//! What is public: a pipeline's parts without threads.

mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;
