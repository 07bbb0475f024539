//! What containers say beside their streams: tags, chapters, and what a stream is for.

use std::ptr;

use ffmpeg_sys_next as ff;

use super::dict::{self, Dict};
use super::{AvError, Demuxer, Muxer, c_string};
use crate::time::{TimeBase, Timestamp};

/// Names and values, in their order. A name stands once.
pub(crate) type Tags = Vec<(String, String)>;

/// A part of the whole that has a name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chapter {
    pub(crate) id: i64,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) tags: Tags,
}

/// What a container says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ContainerMetadata {
    pub(crate) tags: Tags,
    pub(crate) chapters: Vec<Chapter>,
}

/// What a container says of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StreamMetadata {
    pub(crate) tags: Tags,
    /// FFmpeg's bits of what it is for (AV_DISPOSITION).
    pub(crate) disposition: i32,
    /// What the container is to call the codec, where that is not its usual name.
    pub(crate) codec_tag: Option<u32>,
}

/// The bits of FFmpeg's word for what a stream is for.
pub(crate) fn disposition_named(name: &str) -> Option<i32> {
    let name = c_string(name);
    // SAFETY: looks up a static table; the string is NUL-terminated.
    Some(unsafe { ff::av_disposition_from_string(name.as_ptr()) }).filter(|bits| *bits > 0)
}

/// The bit of what is its kind's default.
pub(crate) const DEFAULT: i32 = ff::AV_DISPOSITION_DEFAULT;
/// The bit of a cover picture.
pub(crate) const ATTACHED_PICTURE: i32 = ff::AV_DISPOSITION_ATTACHED_PIC;

impl Demuxer {
    /// What the container says of itself.
    pub(crate) fn metadata(&self) -> ContainerMetadata {
        // SAFETY: an open context, whose metadata is null or a dictionary, and which has as many chapters
        // as it says.
        let (tags, chapters) = unsafe {
            let ctx = self.context();
            let chapter = |n: usize| &**ctx.chapters.add(n);
            (dict::pairs(ctx.metadata), (0..ctx.nb_chapters as usize).map(chapter))
        };
        let chapter = |chapter: &ff::AVChapter| {
            let base = super::time_base(chapter.time_base).unwrap_or(TimeBase::MICROS);
            Chapter {
                id: chapter.id,
                start: base.at(chapter.start),
                end: base.at(chapter.end),
                // SAFETY: null or a dictionary.
                tags: unsafe { dict::pairs(chapter.metadata) },
            }
        };
        ContainerMetadata { tags, chapters: chapters.map(chapter).collect() }
    }
}

impl Muxer {
    /// Says it of the container, before its header is written.
    pub(crate) fn describe(&mut self, metadata: &ContainerMetadata) -> Result<(), AvError> {
        let ctx = self.context_mut();
        replace(&mut ctx.metadata, &metadata.tags);
        for chapter in &metadata.chapters {
            add_chapter(ctx, chapter)?;
        }
        Ok(())
    }

    /// Says it of a stream, before the header is written.
    pub(crate) fn describe_stream(&mut self, index: usize, metadata: &StreamMetadata) {
        let ctx = self.context_mut();
        if index >= ctx.nb_streams as usize {
            return;
        }
        // SAFETY: `index` is within the array, whose entries are valid.
        let stream = unsafe { &mut **ctx.streams.add(index) };
        stream.disposition = metadata.disposition;
        if let Some(tag) = metadata.codec_tag {
            // SAFETY: a stream has parameters.
            unsafe { (*stream.codecpar).codec_tag = tag };
        }
        replace(&mut stream.metadata, &metadata.tags);
    }
}

/// Puts tags in the place of what a dictionary of libav's has.
fn replace(to: &mut *mut ff::AVDictionary, tags: &Tags) {
    let mut new = Dict::from_pairs(tags.iter().map(|(name, value)| (&**name, &**value)));
    // The old one is freed with `new`.
    new.exchange(to);
}

fn add_chapter(ctx: &mut ff::AVFormatContext, chapter: &Chapter) -> Result<(), AvError> {
    let base = chapter.start.base();
    let count = ctx.nb_chapters as usize;
    // SAFETY: libav frees the array and each chapter with the context; null is checked, and the new place
    // is within the array as it is now.
    unsafe {
        let all =
            ff::av_realloc_array(ctx.chapters.cast(), count + 1, size_of::<*mut ff::AVChapter>());
        if all.is_null() {
            return Err(AvError::no_memory());
        }
        ctx.chapters = all.cast();
        let new = ff::av_mallocz(size_of::<ff::AVChapter>()).cast::<ff::AVChapter>();
        if new.is_null() {
            return Err(AvError::no_memory());
        }
        ptr::write(ctx.chapters.add(count), new);
        ctx.nb_chapters += 1;
        (*new).id = chapter.id;
        (*new).time_base = super::rational(base);
        (*new).start = chapter.start.ticks();
        (*new).end = chapter.end.rescale(base).ticks();
        replace(&mut (*new).metadata, &chapter.tags);
    }
    Ok(())
}
