use proptest::prelude::*;

use super::*;
use crate::image::BufferPool;
use crate::image::convert::{ColorSpec, Matrix, Range};
use crate::image::tensor::tests::{noise, readable_formats};
use crate::time::TimeBase;
use crate::time::arrival::Arrival;

fn frame(format: &str, width: u32, height: u32) -> Frame {
    let picture = match format {
        "rgb565le" => {
            let format = PixFmt::named(format).unwrap();
            picture::convert(&noise("rgb24", width, height, 9), format).unwrap()
        }
        _ => noise(format, width, height, 9),
    };
    Frame::new(picture, TimeBase::new(1, 25).unwrap(), 0, Arrival::now(), BufferPool::new(1))
}

fn rgb(frame: &Frame) -> Vec<[u8; 3]> {
    let image = frame.image(PixelFormat::Rgb24).unwrap();
    let bytes = image.to_packed_vec();
    bytes.as_chunks::<3>().0.to_vec()
}

/// Asserts that no sample changed that belongs to pixels outside of a rectangle alone.
#[track_caller]
fn assert_same_outside(before: &Frame, after: &Frame, [left, top, right, bottom]: [usize; 4]) {
    let format = before.picture().format().unwrap();
    let (before_planes, after_planes) = (before.planes(), after.planes());
    for (n, component) in format.components().unwrap().into_iter().enumerate() {
        let is_chroma = (n == 1 || n == 2) && !format.is_rgb();
        let (across, down) = if is_chroma { format.chroma_shift() } else { (0, 0) };
        for y in 0..(before.height() as usize).div_ceil(1 << down) {
            for x in 0..(before.width() as usize).div_ceil(1 << across) {
                let (from, to) = ((x << across, y << down), ((x + 1) << across, (y + 1) << down));
                if from.0 < right && to.0 > left && from.1 < bottom && to.1 > top {
                    continue;
                }
                let sample = |planes: &[(&[u8], usize)]| {
                    let (data, stride) = planes[component.plane];
                    let at = y * stride + component.offset + x * component.step;
                    data[at..at + component.bytes()].to_vec()
                };
                let (was, is) = (sample(&before_planes), sample(&after_planes));
                assert_eq!(was, is, "{}: component {n} at {x},{y}", format.name());
            }
        }
    }
}

/// The luma of a gray frame that was black, after something was drawn in white.
fn covered(width: u32, height: u32, draw: impl FnOnce(&mut Draw<'_>)) -> Vec<Vec<u8>> {
    let black = vec![0; (width * height) as usize];
    let image = Image::packed(PixelFormat::Gray, width, height, &black).unwrap();
    let pts = TimeBase::new(1, 25).unwrap().at(0);
    let mut frame = Frame::from_image(&image, pts).unwrap();
    draw(&mut frame.draw().unwrap());
    let image = frame.image(PixelFormat::Gray).unwrap();
    image.rows().map(<[u8]>::to_vec).collect()
}

#[test]
fn a_rectangle_has_its_colour_in_every_format_and_nothing_beside_it_changes() {
    // Bits that are no bytes of their own are drawn on in RGB.
    for format in readable_formats().into_iter().chain(["rgb565le"]) {
        let (before, mut frame) = (frame(format, 48, 32), frame(format, 48, 32));
        let color = Color::rgb(200, 60, 30);
        let across = PixFmt::named(format).unwrap().chroma_shift().0;
        frame.draw().unwrap().fill([8.0, 8.0, 40.0, 24.0], color);
        assert!(frame.is_edited() && frame.format_name() == format);
        if format != "rgb565le" {
            assert_same_outside(&before, &frame, [8, 8, 40, 24]);
        }
        // libswscale doesn't read it.
        if format == "nv20le" {
            continue;
        }
        let is_gray = PixFmt::named(format).unwrap().is_gray();
        let expected = if is_gray { [98; 3] } else { [200, 60, 30] };
        // Fewer bits hold a colour less well.
        let most = if format == "rgb565le" { 8 } else { 3 };
        for (n, seen) in rgb(&frame).iter().enumerate() {
            // libswscale mixes what lies beside into RGB, of 4:1:0 and 4:1:1 from far away.
            if across < 2 && (12..36).contains(&(n % 48)) && (12..20).contains(&(n / 48)) {
                let off = seen.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                assert!(off <= most, "{format}: {seen:?} for {expected:?}");
            }
        }
    }
}

#[test]
fn an_edge_within_a_pixel_covers_a_part_of_it() {
    let rows = covered(6, 4, |draw| draw.fill([1.25, 1.0, 4.5, 2.5], Color::WHITE));
    assert_eq!(rows[0], [0; 6]);
    assert_eq!(rows[1], [0, 191, 255, 255, 128, 0]);
    assert_eq!(rows[2], [0, 96, 128, 128, 64, 0]);
    let half = covered(2, 1, |draw| draw.fill([0.0, 0.0, 1.0, 1.0], Color::WHITE.with_alpha(128)));
    assert_eq!(half[0], [128, 0]);
}

#[test]
fn lines_circles_and_polygons_are_smooth_and_where_they_belong() {
    let rows = covered(16, 16, |draw| draw.line([2.0, 4.0], [14.0, 4.0], Color::WHITE, 2.0));
    assert!(rows[3][3..13].iter().chain(&rows[4][3..13]).all(|pixel| *pixel == 255), "{rows:?}");
    assert_eq!(rows[6], [0; 16]);

    let rows = covered(20, 20, |draw| draw.circle([10.0, 10.0], 6.0, Color::WHITE, None));
    let area: f64 = rows.iter().flatten().map(|pixel| f64::from(*pixel) / 255.0).sum();
    assert!((area - std::f64::consts::PI * 36.0).abs() < 3.0, "{area}");
    let rows = covered(20, 20, |draw| draw.circle([10.0, 10.0], 6.0, Color::WHITE, Some(2.0)));
    assert_eq!((rows[10][10], rows[10][4], rows[10][1]), (0, 255, 0));

    let corners = [[2.0, 2.0], [18.0, 2.0], [2.0, 18.0]];
    let rows = covered(20, 20, |draw| draw.polygon(&corners, Color::WHITE));
    let area: f64 = rows.iter().flatten().map(|pixel| f64::from(*pixel) / 255.0).sum();
    assert!((area - 128.0).abs() < 3.0, "{area}");
    assert_eq!((rows[3][3], rows[16][16]), (255, 0));

    let dot = covered(9, 9, |draw| draw.polyline(&[[4.5, 4.5]], Color::WHITE, 4.0));
    assert_eq!((dot[4][4], dot[0][0]), (255, 0));
}

proptest! {
    #[test]
    fn an_outline_is_the_outer_rectangle_without_the_inner(
        (left, top) in (-6.0..40.0f64, -6.0..40.0f64),
        (wide, high) in (0.0..60.0f64, 0.0..60.0f64),
        width in 0.5..9.0f64,
        format in prop::sample::select(vec![
            "yuv420p", "yuv410p", "yuv422p", "yuv440p", "yuv444p", "nv12", "yuyv422", "rgb24",
        ]),
    ) {
        let rectangle = [left, top, left + wide, top + high];
        let color = Color::rgb(10, 200, 90);
        let mut drawn = frame(format, 45, 39);
        let mut expected = frame(format, 45, 39);
        drawn.draw().unwrap().rectangle(rectangle, color, width);
        let half = width / 2.0;
        let part = |by: f64| [left - by, top - by, left + wide + by, top + high + by];
        {
            let mut draw = expected.draw().unwrap();
            let (outer, inner) = (part(half), part(-half));
            let overlap = |edges: [f64; 4], x: usize, y: usize| {
                let along = |from: f64, to: f64, n: usize| (to.min(n as f64 + 1.0) - from.max(n as f64)).max(0.0);
                (255.0 * along(edges[0], edges[2], x) * along(edges[1], edges[3], y)).round() as u8
            };
            if let Some(bounds) = draw.canvas.touched(outer) {
                draw.canvas.cover(bounds, color, |y, row| {
                    for (n, pixel) in row.iter_mut().enumerate() {
                        let x = bounds.left + n;
                        let free = if inner[0] < inner[2] && inner[1] < inner[3] { overlap(inner, x, y) } else { 0 };
                        *pixel = overlap(outer, x, y) - free;
                    }
                });
            }
        }
        for (a, b) in drawn.planes().iter().zip(expected.planes()) {
            let off = a.0.iter().zip(b.0).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            prop_assert!(off <= 1, "off by {off}");
        }
    }

    #[test]
    fn no_place_and_no_size_is_too_much(
        places in prop::collection::vec(wild(), 8),
        sizes in prop::collection::vec(wild(), 3),
        at in (any::<i64>(), any::<i64>(), -40..40i64, -40..40i64),
        format in prop::sample::select(readable_formats()),
        size in (1..40u32, 1..40u32),
    ) {
        let mut frame = frame(format, size.0, size.1);
        let mut draw = frame.draw().unwrap();
        let rectangle = [places[0], places[1], places[2], places[3]];
        let points = places.as_chunks::<2>().0;
        let color = Color::from([1, 2, 3, 200]);
        draw.fill(rectangle, color);
        draw.rectangle(rectangle, color, sizes[0]);
        let style = BoxStyle::new(color).width(sizes[0]).label("a label").label_size(sizes[1]);
        draw.bounding_box(rectangle, &style);
        draw.polyline(points, color, sizes[2]);
        draw.polygon(points, color);
        draw.circle(points[0], sizes[0], color, None);
        draw.circle(points[1], sizes[0], color, Some(sizes[1]));
        draw.text(points[2], "Ag\nj", &TextStyle::new(sizes[0].min(200.0)).background(color));
        draw.blur(rectangle, Some(sizes[1]));
        draw.pixelate(rectangle, Some(sizes[2]));
        let pixels = [7; 5 * 3 * 4];
        let image = Image::packed(PixelFormat::Rgba, 5, 3, &pixels).unwrap();
        let mask = Image::packed(PixelFormat::Gray, 20, 3, &pixels).unwrap();
        for at in [[at.0, at.1], [at.2, at.3]] {
            draw.image(at, &image, sizes[0]).unwrap();
            draw.mask(at, &mask, color).unwrap();
        }
    }
}

/// Numbers as they come out of a model that went wrong, and as they should.
fn wild() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -60.0..60.0f64,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, 0.0]),
    ]
}

#[test]
fn text_has_the_letters_of_europe_and_its_size() {
    for text in ["Agj", "Größe Żółć", "Ελληνικά", "Привет", "שלום", "one\ntwo"]
    {
        let style = TextStyle::new(20.0);
        let (width, height) = Draw::text_size(text, &style);
        let rows = covered(200, 80, |draw| draw.text([4.0, 4.0], text, &style));
        let is_drawn = |x: usize, y: usize| rows[y][x] > 0;
        let places = (0..80).flat_map(|y| (0..200).map(move |x| (x, y)));
        let drawn: Vec<(usize, usize)> = places.filter(|&(x, y)| is_drawn(x, y)).collect();
        assert!(drawn.len() > 60, "{text} has {} pixels", drawn.len());
        let right = drawn.iter().map(|(x, _)| *x).max().unwrap() as f64;
        let bottom = drawn.iter().map(|(_, y)| *y).max().unwrap() as f64;
        assert!(right <= 5.0 + width && right > width * 0.7, "{text}: {right} of {width}");
        assert!(bottom <= 5.0 + height && height > 20.0, "{text}: {bottom} of {height}");
    }
    let (one, two) = (TextStyle::new(20.0), TextStyle::new(20.0).background(Color::BLACK));
    assert!(Draw::text_size("x", &two).0 > Draw::text_size("x", &one).0);
}

#[test]
fn a_label_keeps_inside_the_picture() {
    for rectangle in [
        [10.0, 40.0, 60.0, 80.0],
        [150.0, 2.0, 250.0, 60.0],
        [-30.0, -20.0, 20.0, 30.0],
        [140.0, 95.0, 158.0, 140.0],
        [-500.0, -500.0, 900.0, 900.0],
    ] {
        let style =
            BoxStyle::new(Color::rgb(1, 1, 1)).label("person 0.93").label_size(14.0).width(2.0);
        let rows = covered(160, 100, |draw| draw.bounding_box(rectangle, &style));
        // Its letters are white on the box's colour.
        let white = rows.iter().flatten().filter(|pixel| **pixel > 200).count();
        let alone = covered(160, 100, |draw| {
            draw.text([20.0, 20.0], "person 0.93", &TextStyle::new(14.0));
        });
        let whole = alone.iter().flatten().filter(|pixel| **pixel > 200).count();
        assert!(white.abs_diff(whole) <= whole / 4, "{rectangle:?}: {white} of {whole} pixels");
    }
}

#[test]
fn a_long_text_and_a_file_that_is_no_font_are_no_trouble() {
    let long = "W".repeat(100_000);
    let rows = covered(64, 32, |draw| draw.text([0.0, 0.0], &long, &TextStyle::new(12.0)));
    assert!(rows.iter().flatten().any(|pixel| *pixel > 0));
    let lines = "W\n".repeat(100_000);
    covered(64, 32, |draw| draw.text([0.0, 0.0], &lines, &TextStyle::new(12.0)));
    let error = Font::from_bytes(*b"not a font").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("font.ttf");
    assert_eq!(Font::open(&path).unwrap_err().kind(), ErrorKind::NotFound);
    std::fs::write(&path, b"\0\x01\0\0garbage").unwrap();
    let error = Font::open(&path).unwrap_err();
    assert!(error.to_string().contains("font.ttf"), "{error}");
}

#[test]
fn a_picture_is_drawn_by_its_opacity_and_a_mask_by_its_values() {
    let pixels =
        [[255, 0, 0, 255], [0, 255, 0, 0], [0, 0, 255, 128], [255, 255, 255, 255]].concat();
    let image = Image::packed(PixelFormat::Rgba, 2, 2, &pixels).unwrap();
    let mut frame = frame("rgb24", 4, 4);
    frame.draw().unwrap().fill([0.0, 0.0, 4.0, 4.0], Color::BLACK);
    frame.draw().unwrap().image([1, 1], &image, 1.0).unwrap();
    let seen = rgb(&frame);
    assert_eq!((seen[5], seen[6], seen[9], seen[10]), ([255, 0, 0], [0; 3], [0, 0, 128], [255; 3]));
    frame.draw().unwrap().image([3, 3], &image, 0.5).unwrap();
    assert_eq!(rgb(&frame)[15], [127, 0, 0]);

    let mask = Image::packed(PixelFormat::Gray, 2, 1, &[255, 0]).unwrap();
    frame.draw().unwrap().mask([0, 0], &mask, Color::rgb(9, 8, 7)).unwrap();
    assert_eq!((rgb(&frame)[0], rgb(&frame)[1]), ([9, 8, 7], [0; 3]));
    let yuv = Image::packed(PixelFormat::Yuv444p, 1, 1, &[1, 2, 3]).unwrap();
    let mut draw = frame.draw().unwrap();
    assert_eq!(draw.image([0, 0], &yuv, 1.0).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(draw.mask([0, 0], &yuv, Color::BLACK).unwrap_err().kind(), ErrorKind::Usage);
}

/// In 4:2:0 the four pixels of a chroma sample share the colour of those that are covered.
#[test]
fn chroma_is_covered_as_far_as_its_pixels_are() {
    let spec = ColorSpec::new(Matrix::Bt601, Range::Full);
    let mut planes = [vec![100u8; 4 * 2], vec![50u8; 2], vec![200u8; 2]];
    let [y, u, v] = &mut planes;
    let format = PixFmt::named("yuv420p").unwrap();
    let listed = vec![(&mut y[..], 4), (&mut u[..], 2), (&mut v[..], 2)];
    let mut canvas = Canvas::new(format, spec, (4, 2), listed).unwrap();
    shape::fill_rectangle(&mut canvas, [0.0, 0.0, 1.0, 2.0], Color::rgb(255, 255, 255));
    assert_eq!(y, &[255, 100, 100, 100, 255, 100, 100, 100]);
    // White has the chroma 128: half of the way.
    assert_eq!((u[0], u[1], v[0], v[1]), (89, 50, 164, 200));
}

#[test]
fn what_is_blurred_or_pixelated_is_not_recognised_and_nothing_beside_it_changes() {
    for format in ["yuv420p", "p010le", "rgb24"] {
        for blurs in [true, false] {
            let (still, mut frame) = (frame(format, 64, 48), frame(format, 64, 48));
            let before = rgb(&frame);
            let rectangle = [16.0, 8.0, 48.0, 40.0];
            match blurs {
                true => frame.draw().unwrap().blur(rectangle, None),
                false => frame.draw().unwrap().pixelate(rectangle, Some(8.0)),
            }
            let after = rgb(&frame);
            let spread = |pixels: &[[u8; 3]]| {
                let rows = (12..36).flat_map(|y| (20..43).map(move |x| y * 64 + x));
                let steps = rows.map(|n| u64::from(pixels[n][1].abs_diff(pixels[n + 1][1])));
                steps.sum::<u64>()
            };
            assert!(
                spread(&after) * 3 < spread(&before),
                "{format}: {} of {}",
                spread(&after),
                spread(&before)
            );
            assert_same_outside(&still, &frame, [16, 8, 48, 40]);
        }
    }
}

#[test]
fn a_view_that_was_edited_is_drawn_on() {
    let mut frame = frame("yuv420p", 16, 16);
    frame.image_mut(PixelFormat::Rgb24).unwrap().as_packed_mut().unwrap().fill(77);
    frame.draw().unwrap().fill([0.0, 0.0, 8.0, 16.0], Color::rgb(1, 2, 3));
    let seen = rgb(&frame);
    assert_eq!((seen[0], seen[15]), ([1, 2, 3], [77; 3]));
}
