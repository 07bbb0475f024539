//! What was written to an output, as FFmpeg reports it.

use crate::time::Timestamp;

/// What was written to an output so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Its streams of video, in the order of their numbers.
    pub videos: Vec<WrittenVideo>,
    /// Where it ends, on the output's clock; `None` before the first packet.
    pub end: Option<Timestamp>,
    /// The size of the file, or of what was sent, in bytes; `None` where nobody knows.
    pub size_bytes: Option<u64>,
    /// The size of what was written before it was opened again.
    before_bytes: u64,
    /// The size since then.
    current_bytes: u64,
}

/// What was written of a stream of video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenVideo {
    /// Its number in the output.
    pub stream: usize,
    /// How many frames.
    pub frames: u64,
    /// What the encoder says of the last one's quality, in libav's unit, and -1 where it says nothing;
    /// `None` for a stream that is copied.
    pub quality: Option<i32>,
}

impl Written {
    /// One more packet, which is shown until `end`. `video` is its stream's number and quality, where
    /// it is video.
    pub(super) fn add(&mut self, video: Option<(usize, Option<i32>)>, end: Timestamp) {
        self.end = self.end.max(Some(end));
        let Some((stream, quality)) = video else { return };
        let place = match self.videos.binary_search_by_key(&stream, |video| video.stream) {
            Ok(place) => place,
            Err(place) => {
                self.videos.insert(place, WrittenVideo { stream, frames: 0, quality: None });
                place
            }
        };
        if let Some(video) = self.videos.get_mut(place) {
            video.frames += 1;
            video.quality = quality;
        }
    }

    /// The output is so large now.
    pub(super) fn grow(&mut self, size_bytes: Option<u64>) {
        let Some(size_bytes) = size_bytes else { return };
        if size_bytes < self.current_bytes {
            // It was opened again, and begins anew.
            self.before_bytes += self.current_bytes;
        }
        self.current_bytes = size_bytes;
        self.size_bytes = Some(self.before_bytes + size_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_counted_each_and_sizes_go_on() {
        let mut written = Written::default();
        let ms = |ms: i64| Timestamp::from_micros(ms * 1000);
        written.add(Some((2, None)), ms(40));
        written.add(Some((0, Some(118))), ms(40));
        written.add(None, ms(60));
        written.add(Some((2, None)), ms(50));
        let video = |stream, frames, quality| WrittenVideo { stream, frames, quality };
        assert_eq!(written.videos, [video(0, 1, Some(118)), video(2, 2, None)]);
        assert_eq!(written.end, Some(ms(60)));
        assert_eq!(written.size_bytes, None);
        for (size, whole) in [(Some(10), 10), (Some(30), 30), (None, 30), (Some(5), 35)] {
            written.grow(size);
            assert_eq!(written.size_bytes, Some(whole));
        }
    }
}
