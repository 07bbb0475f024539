//! The Python package's classes. They hold what the library has, and nothing that Rust users lack.
//!
//! Two rules keep it free of deadlocks. A lock round something of the library is taken only with
//! the GIL released, and never held while the GIL is waited for. And every wait is cut in slices,
//! between which Python looks at its signals.

mod arguments;
mod array;
mod audio;
mod data;
mod draw;
mod error;
mod events;
mod exit;
mod frame;
mod info;
mod lock;
mod opening;
mod output;
mod process;
mod samples;
mod settings;
mod shared;
mod state;
mod streams;
mod tensor;
mod video;
mod wait;
mod wording;
mod writer;

use std::ffi::OsString;

use frameloom_cli::CalledAs;
use pyo3::prelude::*;

/// Frameloom's compiled part: import `frameloom` instead.
#[pymodule]
mod _frameloom {
    #[pymodule_export]
    use super::command_line;
    use super::{Bound, PyAnyMethods, PyModule, PyResult, wrap_pyfunction};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        frameloom::internal::set_default_wording(&crate::wording::Keywords);
        let at_exit = wrap_pyfunction!(super::exit::finish_all, module)?;
        module.py().import("atexit")?.call_method1("register", (at_exit,))?;
        Ok(())
    }
    #[pymodule_export]
    use super::audio::{PyAudio, open_audio};
    #[pymodule_export]
    use super::draw::PyDraw;
    #[pymodule_export]
    use super::frame::PyFrame;
    #[pymodule_export]
    use super::opening::{concat, open, probe};
    #[pymodule_export]
    use super::output::PyOutput;
    #[pymodule_export]
    use super::samples::PyAudioFrame;
    #[pymodule_export]
    use super::state::{PyAudioPacket, PyEvent, PyOutputStats, PyStats};
    #[pymodule_export]
    use super::streams::{PyBatch, PyBatches, PyStream, PyStreamOutput, PyStreams, open_all};
    #[pymodule_export]
    use super::tensor::PyTransform;
    #[pymodule_export]
    use super::video::PyVideo;
    #[pymodule_export]
    use super::writer::{PyWriter, create};
}

/// Run the command line with these words, the first of which is the name that the program is called
/// by, and return its exit status.
#[pyfunction]
fn command_line(py: Python<'_>, mut words: Vec<OsString>) -> u8 {
    let words_behind = words.split_off(words.len().min(1));
    let (program, next) = (words.pop().unwrap_or_default(), words_behind.first());
    let variable = |name: &str| std::env::var_os(name);
    let called = CalledAs::of(&program, next.map(OsString::as_os_str), variable);
    py.detach(|| frameloom_cli::main(called, words_behind))
}
