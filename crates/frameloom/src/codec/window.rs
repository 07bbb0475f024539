//! The part of a stream that an output gets: `-ss`, `-t` and `-to` before it.

use crate::time::Timestamp;

/// Which part of the stream an output gets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Window {
    pub(crate) start: Option<Timestamp>,
    pub(crate) length: Option<Timestamp>,
}

/// How many pictures of a stream an output gets: `-frames:v` before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PictureLimit {
    pub(crate) count: u64,
    /// The output's other streams end with the last of them.
    pub(crate) ends_output: bool,
}

/// Where a timestamp lies in a [`Window`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum WindowPosition {
    Before,
    /// Inside; the timestamp counted from the window's start.
    Inside(Timestamp),
    After,
}

impl Window {
    pub(crate) fn place(&self, at: Timestamp) -> WindowPosition {
        let from_start = match self.start {
            Some(start) if at < start => return WindowPosition::Before,
            Some(start) => at.minus(start),
            None => at,
        };
        match self.length {
            Some(length) if from_start >= length => WindowPosition::After,
            _ => WindowPosition::Inside(from_start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_says_where_a_timestamp_lies() {
        let at = |ms: i64| Timestamp::from_micros(ms * 1000);
        let window = Window { start: Some(at(1000)), length: Some(at(500)) };
        for (ms, place) in [
            (999, WindowPosition::Before),
            (1000, WindowPosition::Inside(at(0))),
            (1499, WindowPosition::Inside(at(499))),
            (1500, WindowPosition::After),
        ] {
            assert_eq!(window.place(at(ms)), place, "{ms}");
        }
        assert_eq!(Window::default().place(at(-5)), WindowPosition::Inside(at(-5)));
    }
}
