//! The streams of an input, each under a number that it keeps on every connection.

use crate::av::{MediaKind, StreamInfo};
use crate::error::{Result, Stage};
use crate::options::SpecifiedStream;

/// One stream of one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InputStreamId {
    /// Inputs are numbered from 0, in their order.
    pub(crate) input: usize,
    /// Its number among the input's streams.
    pub(crate) stream: usize,
}

/// The streams of an input. On the first connection they are numbered in the container's order.
#[derive(Default)]
pub(crate) struct InputStreams {
    all: Vec<NumberedStream>,
    video: Option<usize>,
    audio: Option<usize>,
}

struct NumberedStream {
    /// As it was last.
    info: StreamInfo,
    /// This connection has it.
    is_there: bool,
    is_read: bool,
}

impl InputStreams {
    /// Of a container's streams. Where no output says otherwise, `video` and `audio` are read, which
    /// are among `streams` by their indices.
    pub(crate) fn new(
        streams: Vec<StreamInfo>,
        video: Option<StreamInfo>,
        audio: Option<StreamInfo>,
    ) -> InputStreams {
        let mut new = InputStreams::default();
        let (mut video, mut audio) = (video, audio);
        for stream in streams {
            let is = |main: &Option<StreamInfo>| {
                main.as_ref().is_some_and(|main| main.index == stream.index)
            };
            let info = match (is(&video), is(&audio)) {
                (true, _) => video.take().unwrap_or(stream),
                (_, true) => audio.take().unwrap_or(stream),
                _ => {
                    new.all.push(NumberedStream { info: stream, is_there: true, is_read: false });
                    continue;
                }
            };
            new.add(info);
        }
        // What only a packet told of.
        for stream in video.into_iter().chain(audio) {
            new.add(stream);
        }
        new
    }

    /// Adds a stream that is the input's main one of its kind. Gives its number, which it may have had
    /// on a connection before.
    pub(crate) fn add(&mut self, info: StreamInfo) -> usize {
        let kind = info.kind;
        let before = self.main(kind).filter(|number| self.get(*number).is_none());
        let new = NumberedStream { info, is_there: true, is_read: true };
        let place = before.and_then(|number| Some((number, self.all.get_mut(number)?)));
        let number = match place {
            Some((number, place)) => {
                *place = new;
                number
            }
            None => {
                self.all.push(new);
                self.all.len() - 1
            }
        };
        self.set_main(kind, Some(number));
        number
    }

    fn set_main(&mut self, kind: MediaKind, number: Option<usize>) {
        match kind {
            MediaKind::Video => self.video = number,
            MediaKind::Audio => self.audio = number,
            _ => {}
        }
    }

    /// The number of the main stream of a kind: the one that code gets, that is shown while the input
    /// is lost, and that an output has where it doesn't say which one it wants.
    pub(crate) fn main(&self, kind: MediaKind) -> Option<usize> {
        match kind {
            MediaKind::Video => self.video,
            MediaKind::Audio => self.audio,
            _ => None,
        }
    }

    /// The main video, if this connection has it.
    pub(crate) fn video(&self) -> Option<&StreamInfo> {
        self.get(self.video?)
    }

    /// The main audio, if this connection has it.
    pub(crate) fn audio(&self) -> Option<&StreamInfo> {
        self.get(self.audio?)
    }

    /// A stream that this connection has.
    pub(crate) fn get(&self, number: usize) -> Option<&StreamInfo> {
        self.all.get(number).filter(|stream| stream.is_there).map(|stream| &stream.info)
    }

    pub(crate) fn get_mut(&mut self, number: usize) -> Option<&mut StreamInfo> {
        self.all.get_mut(number).filter(|stream| stream.is_there).map(|stream| &mut stream.info)
    }

    /// All of them as specifiers see them, by their numbers.
    pub(crate) fn specified(&self) -> Vec<SpecifiedStream<'_>> {
        self.all.iter().map(|stream| SpecifiedStream::of(&stream.info)).collect()
    }

    /// Every stream that this connection has, with its number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &StreamInfo)> {
        let there = self.all.iter().enumerate().filter(|(_, stream)| stream.is_there);
        there.map(|(number, stream)| (number, &stream.info))
    }

    /// The number of the stream that has this index in the container, where it is read.
    pub(crate) fn number_of(&self, index: usize) -> Option<usize> {
        self.all.iter().position(|s| s.is_there && s.is_read && s.info.index == index)
    }

    pub(crate) fn is_read(&self, number: usize) -> bool {
        self.all.get(number).is_some_and(|stream| stream.is_there && stream.is_read)
    }

    /// Marks these streams as the only ones that are read. A main stream that is not among them gives
    /// its place to the first of its kind that is.
    pub(crate) fn read_only(&mut self, numbers: &[usize]) {
        for (number, stream) in self.all.iter_mut().enumerate() {
            stream.is_read = numbers.contains(&number);
        }
        for kind in [MediaKind::Video, MediaKind::Audio] {
            let is_main = self.main(kind).is_some_and(|main| numbers.contains(&main));
            let is_of_kind = |n: &usize| self.all.get(*n).is_some_and(|s| s.info.kind == kind);
            if !is_main {
                let first = numbers.iter().copied().find(is_of_kind);
                self.set_main(kind, first);
            }
        }
    }

    /// The indices, in the container, of the streams that are read.
    pub(crate) fn indices_read(&self) -> Vec<usize> {
        let read = self.all.iter().filter(|stream| stream.is_there && stream.is_read);
        read.map(|stream| stream.info.index).collect()
    }

    /// The streams of another connection, under the numbers that they had on the one before: the first
    /// video is the first again, and so on. Where there are fewer of a kind, the main one is the
    /// first to be there.
    ///
    /// # Errors
    /// Where memory runs out.
    pub(crate) fn following(mut self, before: &InputStreams) -> Result<InputStreams> {
        let mut all = Vec::new();
        for (number, old) in before.all.iter().enumerate() {
            let place = self.place_for(number, before);
            let (info, is_there) = match place {
                Some(place) => {
                    let found = self.all.remove(place);
                    [&mut self.video, &mut self.audio].into_iter().for_each(|main| {
                        *main = main.filter(|m| *m != place).map(|m| m - usize::from(m > place));
                    });
                    (found.info, found.is_there)
                }
                None => (old.info.share().map_err(|e| e.in_stage(Stage::Source))?, false),
            };
            all.push(NumberedStream { info, is_there, is_read: old.is_read });
        }
        // What is left wasn't there before.
        let moved = |main: Option<usize>| main.map(|main| main + all.len());
        let (video, audio) =
            (before.video.or(moved(self.video)), before.audio.or(moved(self.audio)));
        all.extend(self.all);
        Ok(InputStreams { all, video, audio })
    }

    /// Where, among the streams that no other one has taken, the stream of this number is now.
    fn place_for(&self, number: usize, before: &InputStreams) -> Option<usize> {
        let kind = before.all.get(number)?.info.kind;
        let is_left = |place: &usize| self.all.get(*place).is_some_and(|s| s.info.kind == kind);
        let mut left = (0..self.all.len()).filter(is_left);
        let rest = before.all.iter().skip(number).filter(|s| s.info.kind == kind).count();
        let main = before.main(kind).filter(|main| *main > number);
        match main {
            // The main one is still to come, and there is not one for each.
            Some(_) if left.clone().count() < rest => {
                let own = self.main(kind).or(left.clone().next());
                left.find(|place| Some(*place) != own)
            }
            _ => left.next(),
        }
    }

    /// Another one that says the same.
    ///
    /// # Errors
    /// Where memory runs out.
    pub(crate) fn share(&self) -> Result<InputStreams> {
        let share = |stream: &NumberedStream| {
            let info = stream.info.share().map_err(|e| e.in_stage(Stage::Source))?;
            Ok(NumberedStream { info, ..*stream })
        };
        let all = self.all.iter().map(share).collect::<Result<Vec<_>>>()?;
        Ok(InputStreams { all, ..*self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::av::{CodecId, CodecParams};
    use crate::time::TimeBase;

    /// Streams by letters: `v` and `a` are of this connection's container; capitals are the main ones.
    fn streams(letters: &str) -> InputStreams {
        let stream = |(index, letter): (usize, char)| {
            let (kind, codec) = match letter.to_ascii_lowercase() {
                'v' => (MediaKind::Video, "h264"),
                'a' => (MediaKind::Audio, "aac"),
                _ => (MediaKind::Subtitle, "subrip"),
            };
            let params = CodecParams::of_codec(kind, CodecId::named(codec).unwrap(), &[]);
            StreamInfo::of_params(index, params.unwrap(), TimeBase::MILLIS)
        };
        let main =
            |letter: char| letters.chars().enumerate().find(|(_, l)| *l == letter).map(stream);
        let all = letters.chars().enumerate().map(stream).collect();
        InputStreams::new(all, main('V'), main('A'))
    }

    /// The container's index of each number, and the numbers of the main ones.
    fn shown(streams: &InputStreams) -> String {
        let index = |(number, s): (usize, &StreamInfo)| format!("{number}={}", s.index);
        let all: Vec<String> = streams.iter().map(index).collect();
        let main = |kind| streams.main(kind).map_or("-".to_owned(), |n| n.to_string());
        format!("{} {}/{}", all.join(" "), main(MediaKind::Video), main(MediaKind::Audio))
    }

    #[test]
    fn a_stream_keeps_its_number() {
        for (before, after, expected) in [
            ("VA", "VA", "0=0 1=1 0/1"),
            ("VA", "AV", "0=1 1=0 0/1"),
            ("VA", "V", "0=0 0/1"),
            ("A", "VA", "0=1 1=0 1/0"),
            ("vVaA", "VvAa", "0=0 1=1 2=2 3=3 1/3"),
            ("vVA", "VA", "1=0 2=1 1/2"),
            ("Vva", "sV", "0=1 3=0 0/-"),
            ("VAs", "sVA", "0=1 1=2 2=0 0/1"),
        ] {
            let followed = streams(after).following(&streams(before)).unwrap();
            assert_eq!(shown(&followed), expected, "{after} behind {before}");
        }
    }

    #[test]
    fn a_stream_that_comes_back_late_has_its_number_again() {
        let mut followed = streams("A").following(&streams("VA")).unwrap();
        assert_eq!(shown(&followed), "1=0 0/1");
        let video = streams("VA").get(0).unwrap().share().unwrap();
        assert_eq!(followed.add(StreamInfo { index: 7, ..video }), 0);
        assert_eq!(shown(&followed), "0=7 1=0 0/1");
        let video = streams("VA").get(0).unwrap().share().unwrap();
        assert_eq!(streams("A").add(video), 1, "it was never there");
    }

    #[test]
    fn what_is_read_decides_which_ones_are_the_main_ones() {
        let mut all = streams("VvAas");
        assert_eq!(all.indices_read(), [0, 2]);
        all.read_only(&[1, 4, 2, 3]);
        assert_eq!(shown(&all), "0=0 1=1 2=2 3=3 4=4 1/2");
        assert_eq!((all.number_of(0), all.number_of(4)), (None, Some(4)));
        all.read_only(&[4]);
        assert_eq!((all.main(MediaKind::Video), all.main(MediaKind::Audio)), (None, None));
    }
}
