//! The codec's pictures and the user's views of them: by the `yuv` crate where it can, by swscale
//! for everything else.

use std::cell::RefCell;

use crate::av::{AvError, AvFrame, ColorTags, PixFmt, Scaler};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::image::convert::{
    ColorSpec, Matrix, Range, YuvImage, YuvImageMut, YuvLayout, packed_to_yuv, repack, supports,
    yuv_to_packed,
};
use crate::image::{Image, ImageMut, PixelFormat};

/// From this height on, pictures that come from RGB are coded by BT.709, below by BT.601: what
/// players assume of streams that don't say.
const HD_HEIGHT: u32 = 720;

thread_local! {
    // Making a context costs more than converting a small picture; a thread converts one stream.
    static SCALER: RefCell<Scaler> = RefCell::new(Scaler::new());
}

/// From a row to behind another.
type Rows = std::ops::Range<u32>;

/// The layout of a picture that the `yuv` crate can read; yuvj formats are their namesakes with
/// full range.
fn layout(format: PixFmt) -> Option<YuvLayout> {
    Some(match format.name() {
        "yuv420p" | "yuvj420p" => YuvLayout::Yuv420p,
        "yuv422p" | "yuvj422p" => YuvLayout::Yuv422p,
        "yuv444p" | "yuvj444p" => YuvLayout::Yuv444p,
        "nv12" => YuvLayout::Nv12,
        "nv21" => YuvLayout::Nv21,
        "nv16" => YuvLayout::Nv16,
        "nv24" => YuvLayout::Nv24,
        "gray" => YuvLayout::Gray,
        _ => return None,
    })
}

/// The view format with the same bytes as a picture's own format.
fn view_format(format: PixFmt) -> Option<PixelFormat> {
    match layout(format) {
        Some(layout) => Some(layout.format()),
        None => PixelFormat::from_name(format.name()),
    }
}

/// What the samples of a YUV picture mean. Untagged pictures are taken for BT.601, limited range,
/// as swscale takes them.
pub(crate) fn color_of(tags: ColorTags, format: PixFmt) -> ColorSpec {
    let matrix = match tags.space {
        ColorTags::BT709 => Matrix::Bt709,
        ColorTags::BT2020_NCL => Matrix::Bt2020,
        ColorTags::SMPTE240M => Matrix::Smpte240m,
        ColorTags::FCC => Matrix::Fcc,
        _ => Matrix::Bt601,
    };
    // Gray is of full range in FFmpeg, whatever it is tagged.
    let full = tags.range == ColorTags::FULL || format.is_full_range_by_name() || format.is_gray();
    ColorSpec { matrix, range: if full { Range::Full } else { Range::Limited } }
}

/// Whether the picture itself is a view in `format`, with nothing to convert.
pub(crate) fn is_view(picture: &AvFrame, format: PixelFormat) -> bool {
    picture.format().and_then(view_format) == Some(format) && picture.is_plain()
}

/// The picture's own planes as an image; `None` where [`is_view`] says no.
pub(crate) fn as_image(picture: &AvFrame, format: PixelFormat) -> Option<Image<'_>> {
    if !is_view(picture, format) {
        return None;
    }
    let planes: Vec<_> = (0..format.plane_count()).map_while(|i| picture.plane(i)).collect();
    Image::new(format, picture.width(), picture.height(), &planes).ok()
}

/// The picture's own planes as a writable image, copied first where a decoder still needs them.
pub(crate) fn as_image_mut(picture: &mut AvFrame, format: PixelFormat) -> Result<ImageMut<'_>> {
    let (width, height) = (picture.width(), picture.height());
    let planes = picture.planes_mut().map_err(failed)?;
    ImageMut::new(format, width, height, planes.into_iter().take(format.plane_count()))
        .map_err(unconverted)
}

/// Converts the picture into a view of the same size.
pub(crate) fn to_view(picture: &AvFrame, view: &mut ImageMut<'_>) -> Result<()> {
    if !picture.is_plain() {
        return to_view(&picture.to_plain().map_err(failed)?, view);
    }
    let own = picture.format().ok_or_else(|| mismatch("unknown pixel format"))?;
    if let Some(layout) = layout(own).filter(|l| supports(*l, view.format())) {
        return yuv_to_packed(&yuv_image(picture, own, layout)?, view).map_err(unconverted);
    }
    let wanted = PixFmt::named(view.format().name()).ok_or_else(|| mismatch("no such view"))?;
    let same =
        if own == wanted { picture.share().map_err(failed)? } else { scaled(picture, wanted)? };
    let image = as_image(&same, view.format()).ok_or_else(|| mismatch("unexpected planes"))?;
    copy_rows(&image, view);
    Ok(())
}

/// Whether any band of the picture looks the same in a view of `format`, and the way back, converted by
/// itself as it does with all others.
pub(crate) fn converts_by_band(picture: &AvFrame, format: PixelFormat) -> bool {
    let layout = picture.format().and_then(layout);
    layout.is_some_and(|layout| supports(layout, format)) && picture.is_plain()
}

/// Some rows of the picture, whose pixels are shared.
fn band(picture: &AvFrame, rows: &Rows) -> Result<AvFrame> {
    let size = (picture.width(), rows.end - rows.start);
    picture.cropped((0, rows.start), size).map_err(failed)
}

/// Converts some rows of the picture into a view that has no others. Only where [`converts_by_band`].
pub(crate) fn to_view_rows(picture: &AvFrame, rows: &Rows, view: &mut ImageMut<'_>) -> Result<()> {
    to_view(&band(picture, rows)?, view)
}

/// The picture with some rows of a view of the same size in place of its own. Only where
/// [`converts_by_band`].
pub(crate) fn with_rows(picture: &AvFrame, view: &Image<'_>, rows: &[Rows]) -> Result<AvFrame> {
    let format = picture.format().ok_or_else(|| mismatch("unknown pixel format"))?;
    let mut made = picture.share().map_err(failed)?;
    for rows in rows {
        let part = from_view(&view.band(rows.clone()), format, &band(picture, rows)?)?;
        for (n, (to, stride)) in made.planes_mut().map_err(failed)?.into_iter().enumerate() {
            let (from, from_stride) = part.plane(n).ok_or_else(|| mismatch("unexpected planes"))?;
            let above = if rows.start == 0 {
                (0, 0)
            } else {
                format.plane_size(n, 1, rows.start).unwrap_or((0, 0))
            };
            let (bytes, lines) =
                format.plane_size(n, picture.width(), part.height()).unwrap_or((0, 0));
            let target = to.chunks_mut(stride).skip(above.1).take(lines);
            for (out, row) in target.zip(from.chunks(from_stride)) {
                let pair = out.get_mut(..bytes).zip(row.get(..bytes));
                pair.into_iter().for_each(|(out, row)| out.copy_from_slice(row));
            }
        }
    }
    Ok(made)
}

/// Makes a picture in `format` of an edited view; times and tags come from `original`.
pub(crate) fn from_view(view: &Image<'_>, format: PixFmt, original: &AvFrame) -> Result<AvFrame> {
    let tags = target_tags(original, format);
    if let Some(layout) = layout(format).filter(|l| supports(*l, view.format())) {
        let mut picture = blank(format, view, original, tags)?;
        let color = color_of(tags, format);
        let (width, height) = (view.width(), view.height());
        let planes = picture.planes_mut().map_err(failed)?;
        let mut target = YuvImageMut::new(
            layout,
            color,
            width,
            height,
            planes.into_iter().take(layout.format().plane_count()),
        )
        .map_err(unconverted)?;
        packed_to_yuv(view, &mut target).map_err(unconverted)?;
        return Ok(picture);
    }
    let plain = packed_picture(view, original)?;
    if plain.format() == Some(format) { Ok(plain) } else { scaled_with(&plain, format, tags) }
}

/// The picture in another format, of the same size.
pub(crate) fn convert(picture: &AvFrame, format: PixFmt) -> Result<AvFrame> {
    let own = picture.format().ok_or_else(|| mismatch("unknown pixel format"))?;
    if own == format {
        return picture.share().map_err(failed);
    }
    if !picture.is_plain() {
        return convert(&picture.to_plain().map_err(failed)?, format);
    }
    // From RGB: the picture is its own view.
    if let (Some(view), Some(_)) = (view_format(own).filter(|v| !v.is_yuv()), layout(format)) {
        let image = as_image(picture, view).ok_or_else(|| mismatch("unexpected planes"))?;
        return from_view(&image, format, picture);
    }
    // To RGB: the new picture is a view of the old one.
    if let (Some(_), Some(view)) = (layout(own), view_format(format).filter(|v| !v.is_yuv())) {
        let mut target =
            AvFrame::picture(format, picture.width(), picture.height()).map_err(failed)?;
        target.copy_props(picture).map_err(failed)?;
        let tags = target_tags(picture, format);
        target.set_matrix_and_range(tags.space, tags.range);
        to_view(picture, &mut as_image_mut(&mut target, view)?)?;
        return Ok(target);
    }
    // From one YUV layout to another: only the samples' places change, where their meaning stays.
    if let (Some(from), Some(to)) = (layout(own), layout(format)) {
        let source = yuv_image(picture, own, from)?;
        let tags = target_tags(picture, format);
        let color = color_of(tags, format);
        if source.color() == color && supports(from, to.format()) && from != YuvLayout::Gray {
            let mut target =
                AvFrame::picture(format, picture.width(), picture.height()).map_err(failed)?;
            target.copy_props(picture).map_err(failed)?;
            let planes = target.planes_mut().map_err(failed)?;
            let planes = planes.into_iter().take(to.format().plane_count());
            let mut image = YuvImageMut::new(to, color, picture.width(), picture.height(), planes)
                .map_err(unconverted)?;
            repack(&source, &mut image).map_err(unconverted)?;
            return Ok(target);
        }
    }
    scaled(picture, format)
}

/// A larger picture, filled up on the right and at the bottom by repeating the last column and row.
pub(crate) fn padded(picture: &AvFrame, width: u32, height: u32) -> Result<AvFrame> {
    if !picture.is_plain() {
        return padded(&picture.to_plain().map_err(failed)?, width, height);
    }
    let format = picture.format().ok_or_else(|| mismatch("unknown pixel format"))?;
    let mut target = AvFrame::picture(format, width, height).map_err(failed)?;
    target.copy_props(picture).map_err(failed)?;
    for (i, (to, to_stride)) in target.planes_mut().map_err(failed)?.into_iter().enumerate() {
        let (from, from_stride) = picture.plane(i).ok_or_else(|| mismatch("unexpected planes"))?;
        let size = |w, h| format.plane_size(i, w, h).unwrap_or((0, 0));
        let (row_bytes, rows) = size(picture.width(), picture.height());
        let (to_row_bytes, _) = size(width, height);
        let sample_bytes = size(1, 1).0.max(1);
        for (y, out) in to.chunks_mut(to_stride).enumerate() {
            let start = y.min(rows.saturating_sub(1)) * from_stride;
            let row = from.get(start..start + row_bytes).unwrap_or_default();
            let (body, rest) = out.split_at_mut(row_bytes.min(out.len()));
            body.copy_from_slice(row.get(..body.len()).unwrap_or_default());
            let last = row.get(row_bytes.saturating_sub(sample_bytes)..).unwrap_or_default();
            let pad = to_row_bytes.saturating_sub(row_bytes).min(rest.len());
            for sample in rest.get_mut(..pad).unwrap_or_default().chunks_mut(sample_bytes) {
                sample.copy_from_slice(last.get(..sample.len()).unwrap_or_default());
            }
        }
    }
    Ok(target)
}

/// A picture of the user's own pixels.
pub(crate) fn from_image(image: &Image<'_>) -> Result<AvFrame> {
    let blank = AvFrame::empty().map_err(failed)?;
    packed_picture(image, &blank)
}

fn packed_picture(image: &Image<'_>, original: &AvFrame) -> Result<AvFrame> {
    let format = PixFmt::named(image.format().name()).ok_or_else(|| mismatch("no such view"))?;
    let tags = ColorTags {
        space: if image.format().is_yuv() { original.colors().space } else { 0 },
        ..original.colors()
    };
    let mut picture = blank(format, image, original, tags)?;
    copy_rows(image, &mut as_image_mut(&mut picture, image.format())?);
    Ok(picture)
}

fn blank(format: PixFmt, size: &Image<'_>, original: &AvFrame, tags: ColorTags) -> Result<AvFrame> {
    let mut picture = AvFrame::picture(format, size.width(), size.height()).map_err(failed)?;
    picture.copy_props(original).map_err(failed)?;
    picture.set_matrix_and_range(tags.space, tags.range);
    Ok(picture)
}

fn yuv_image(picture: &AvFrame, format: PixFmt, layout: YuvLayout) -> Result<YuvImage<'_>> {
    let planes: Vec<_> =
        (0..layout.format().plane_count()).map_while(|i| picture.plane(i)).collect();
    YuvImage::new(
        layout,
        color_of(picture.colors(), format),
        picture.width(),
        picture.height(),
        &planes,
    )
    .map_err(unconverted)
}

fn copy_rows(from: &Image<'_>, to: &mut ImageMut<'_>) {
    let planes = from.planes();
    for (source, mut target) in planes.iter().zip(to.planes_mut()) {
        for (row, out) in source.iter_rows().zip(target.iter_rows_mut()) {
            out.copy_from_slice(row);
        }
    }
}

/// The tags that a picture made from `original` carries in `format`.
pub(crate) fn tags_in(original: &AvFrame, format: PixFmt) -> ColorTags {
    match original.contents() {
        Some(own) if own == format => original.colors(),
        _ => target_tags(original, format),
    }
}

fn target_tags(original: &AvFrame, format: PixFmt) -> ColorTags {
    let mut tags = original.colors();
    let from_rgb = original.contents().is_some_and(|f| f.is_rgb() || f.is_paletted());
    if format.is_rgb() || format.is_paletted() {
        tags.space = 0;
        tags.range = ColorTags::FULL;
    } else if from_rgb || tags.space == 0 {
        tags.space =
            if original.height() >= HD_HEIGHT { ColorTags::BT709 } else { ColorTags::SMPTE170M };
        tags.range = ColorTags::LIMITED;
    }
    if format.is_full_range_by_name() {
        tags.range = ColorTags::FULL;
    }
    tags
}

fn scaled(picture: &AvFrame, format: PixFmt) -> Result<AvFrame> {
    scaled_with(picture, format, target_tags(picture, format))
}

fn scaled_with(picture: &AvFrame, format: PixFmt, tags: ColorTags) -> Result<AvFrame> {
    let mut target = AvFrame::picture(format, picture.width(), picture.height()).map_err(failed)?;
    target.copy_props(picture).map_err(failed)?;
    target.set_matrix_and_range(tags.space, tags.range);
    SCALER
        .with(|scaler| match scaler.try_borrow_mut() {
            Ok(mut scaler) => scaler.convert(picture, &mut target),
            Err(_) => Scaler::new().convert(picture, &mut target),
        })
        .map_err(failed)?;
    Ok(target)
}

fn failed(e: AvError) -> Error {
    e.in_stage(Stage::Convert)
}

fn unconverted(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    mismatch(&error.to_string()).because(error)
}

fn mismatch(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, Stage::Convert, what)
}
