use super::*;

#[test]
fn names_are_ffmpegs_and_lead_back() {
    for &format in PixelFormat::ALL {
        assert_eq!(PixelFormat::from_name(format.name()), Some(format));
        assert_eq!(format.to_string(), format.name());
        assert_eq!(format.plane_size(format.plane_count(), 8, 8), (0, 0));
    }
    assert_eq!(PixelFormat::from_name("gray8"), Some(PixelFormat::Gray));
    assert_eq!(PixelFormat::from_name("yuv420p10le"), None);
    assert_eq!(PixelFormat::from_name(""), None);
    assert_eq!(format!("{:>8}", PixelFormat::Gray), "    gray");
}

#[test]
fn sizes_are_those_of_rawvideo() {
    use PixelFormat::*;
    let table = [
        (Rgb24, 960, 540, 960 * 540 * 3),
        (Bgra, 5, 7, 140),
        (Gray, 5, 7, 35),
        (Yuv420p, 1920, 1080, 1920 * 1080 * 3 / 2),
        (Yuv420p, 5, 7, 35 + 2 * 3 * 4),
        (Yuv420p, 1, 1, 3),
        (Yuv422p, 5, 7, 35 + 2 * 3 * 7),
        (Yuv444p, 5, 7, 35 * 3),
        (Nv12, 5, 7, 35 + 6 * 4),
        (Nv16, 5, 7, 35 + 6 * 7),
        (Nv24, 5, 7, 35 * 3),
    ];
    for (format, width, height, bytes) in table {
        assert_eq!(format.frame_bytes(width, height), bytes, "{format} {width}x{height}");
    }
    assert_eq!(Nv12.plane_size(1, 5, 7), (6, 4));
    assert_eq!(Yuv420p.plane_size(2, 5, 7), (3, 4));
    assert_eq!(Rgba.frame_bytes(u32::MAX, u32::MAX), usize::MAX);
}

#[test]
fn sizes_that_no_frame_has_are_refused() {
    let empty = ImageError::Empty { width: 0, height: 4 };
    assert_eq!(Image::packed(PixelFormat::Gray, 0, 4, &[]).unwrap_err(), empty);
    let too_large = ImageError::TooLarge { width: u32::MAX, height: u32::MAX };
    assert_eq!(PixelBuffer::new(PixelFormat::Rgba, u32::MAX, u32::MAX).unwrap_err(), too_large);
    let pool = BufferPool::new(1);
    assert_eq!(pool.take(PixelFormat::Rgba, u32::MAX, u32::MAX).unwrap_err(), too_large);
    let planes = [(&[][..], usize::MAX)];
    let error = Image::new(PixelFormat::Gray, u32::MAX, u32::MAX, &planes).unwrap_err();
    assert_eq!(error, too_large);
}

#[test]
fn planes_that_are_too_small_are_refused() {
    let format = PixelFormat::Yuv420p;
    let (y, u, v) = ([0; 22], [0; 7], [0; 7]);
    let new = |planes: &[(&[u8], usize)]| Image::new(format, 4, 3, planes).map(|_| ());
    assert_eq!(new(&[(&y, 6), (&u, 4), (&v, 4)]), Ok(()));
    assert_eq!(
        new(&[(&y, 6), (&u, 4)]),
        Err(ImageError::PlaneCount { format, expected: 3, actual: 2 })
    );
    assert_eq!(
        new(&[(&y, 3), (&u, 4), (&v, 4)]),
        Err(ImageError::Stride { plane: 0, stride: 3, row_bytes: 4 })
    );
    assert_eq!(
        new(&[(&y, 6), (&u, 4), (&v[..5], 4)]),
        Err(ImageError::PlaneLength { plane: 2, needed: 6, actual: 5 })
    );
    assert_eq!(
        new(&[(&y, usize::MAX), (&u, 4), (&v, 4)]),
        Err(ImageError::PlaneLength { plane: 0, needed: usize::MAX, actual: 22 })
    );

    let mut data = [0; 12];
    let planes = data.chunks_mut(4).map(|plane| (plane, 2));
    let error = ImageMut::new(PixelFormat::Nv12, 2, 2, planes).unwrap_err();
    let format = PixelFormat::Nv12;
    assert_eq!(error, ImageError::PlaneCount { format, expected: 2, actual: 3 });
    let error = ImageMut::new(format, 2, 2, []).unwrap_err();
    assert_eq!(error, ImageError::PlaneCount { format, expected: 2, actual: 0 });
    assert_eq!(
        ImageMut::packed(format, 2, 2, &mut data).unwrap_err(),
        ImageError::PackedLength { format, width: 2, height: 2, needed: 6, actual: 12 }
    );
}

#[test]
fn rows_and_pixels_skip_the_padding() {
    let mut data: Vec<u8> = (0..27).collect();
    let image = Image::new(PixelFormat::Rgb24, 3, 3, &[(&data, 9)]).unwrap();
    assert_eq!(image.as_packed(), Some(&data[..]), "no padding: 3 pixels of 3 bytes");

    let image = Image::new(PixelFormat::Rgb24, 2, 3, &[(&data, 9)]).unwrap();
    assert_eq!(image.row(1), [9, 10, 11, 12, 13, 14]);
    assert_eq!(image.rows().len(), 3);
    assert_eq!(image.rows().last(), Some(&data[18..24]));
    assert_eq!(image.pixel(1, 2), Some(&data[21..24]));
    assert_eq!((image.pixel(2, 0), image.pixel(0, 3)), (None, None));
    assert_eq!(image.as_packed(), None);
    assert_eq!(image.to_packed_vec(), [&data[0..6], &data[9..15], &data[18..24]].concat());
    let (plane, copy) = (image.plane(0).unwrap(), image);
    assert_eq!((plane.stride(), plane.row_bytes(), plane.rows()), (9, 6, 3));
    assert!(copy.plane(1).is_none());

    let planes = [(&mut data[..], 9)];
    let mut image = ImageMut::new(PixelFormat::Rgb24, 2, 3, planes).unwrap();
    image.row_mut(0).fill(0);
    image.pixel_mut(1, 1).unwrap().fill(200);
    image.rows_mut().last().unwrap().fill(255);
    assert!(image.pixel_mut(2, 0).is_none() && image.pixel_mut(0, 3).is_none());
    assert_eq!(image.row(1), [9, 10, 11, 200, 200, 200]);
    assert_eq!(image.pixel(1, 1), Some(&[200; 3][..]));
    assert!(image.as_packed_mut().is_none());
    assert_eq!(data[6..9], [6, 7, 8]);
    assert_eq!(data[24..27], [24, 25, 26]);
}

#[test]
fn a_packed_picture_is_one_slice_and_its_planes() {
    let mut data: Vec<u8> = (0..11).collect();
    let image = Image::packed(PixelFormat::Yuv420p, 3, 1, &data[..7]).unwrap();
    assert_eq!(image.as_packed(), Some(&data[..7]));
    let planes: Vec<_> = image.planes().iter().map(Plane::data).collect();
    assert_eq!(planes, [&data[0..3], &data[3..5], &data[5..7]]);

    let mut image = ImageMut::packed(PixelFormat::Nv12, 3, 2, &mut data[..10]).unwrap();
    assert_eq!(image.as_packed_mut().unwrap().len(), 10);
    image.plane_mut(1).unwrap().row_mut(0).fill(128);
    assert!(image.plane_mut(2).is_none() && image.plane(2).is_none());
    image.reborrow().rows_mut().for_each(<[u8]>::reverse);
    assert_eq!(image.plane(1).unwrap().row(0), [128; 4]);
    assert_eq!(image.to_packed_vec(), [2, 1, 0, 5, 4, 3, 128, 128, 128, 128]);
    assert_eq!(image.as_packed(), Some(&[2, 1, 0, 5, 4, 3, 128, 128, 128, 128][..]));
    assert_eq!(data[10], 10);
}

#[test]
fn planes_given_apart_are_copied_together() {
    let (mut y, mut uv) = ([1, 2, 0, 3, 4], [5, 6]);
    let image = Image::new(PixelFormat::Nv12, 2, 2, &[(&y, 3), (&uv, 99)]).unwrap();
    assert_eq!((image.as_packed(), image.to_packed_vec()), (None, vec![1, 2, 3, 4, 5, 6]));
    let planes = [(&mut y[..], 3), (&mut uv[..], 99)];
    let mut image = ImageMut::new(PixelFormat::Nv12, 2, 2, planes).unwrap();
    image.reborrow().plane_mut(1).unwrap().row_mut(0)[0] = 9;
    assert_eq!((image.as_packed(), image.to_packed_vec()), (None, vec![1, 2, 3, 4, 9, 6]));
}

#[test]
#[should_panic(expected = "range")]
fn a_row_below_the_picture_panics_as_a_slice_does() {
    let data = [0; 12];
    // Chroma follows the luma here, and must not pass for a third row.
    let image = Image::packed(PixelFormat::Nv24, 2, 2, &data).unwrap();
    let _ = image.row(2);
}

#[test]
#[should_panic(expected = "range")]
fn a_writable_row_below_the_picture_panics_as_a_slice_does() {
    let mut data = [0; 12];
    let mut image = ImageMut::packed(PixelFormat::Nv24, 2, 2, &mut data).unwrap();
    image.row_mut(u32::MAX);
}

#[test]
fn the_pool_gives_back_what_was_dropped() {
    let pool = BufferPool::new(2);
    let mut first = pool.take(PixelFormat::Rgb24, 4, 4).unwrap();
    assert!(first.as_slice().iter().all(|&byte| byte == 0));
    first.as_mut_slice().fill(7);
    let address = first.as_slice().as_ptr();
    drop(first);
    assert_eq!(pool.clone().idle(), 1);

    // Another format of the same size takes it as well.
    let again = pool.take(PixelFormat::Yuv444p, 4, 4).unwrap();
    assert_eq!(again.as_slice().as_ptr(), address);
    assert_eq!((again.format(), again.width(), again.height()), (PixelFormat::Yuv444p, 4, 4));
    assert!(again.as_slice().iter().all(|&byte| byte == 7));
    assert_eq!(pool.idle(), 0);
    let taken = again.into_vec();
    assert_eq!(taken.as_ptr(), address);
    drop(taken);
    assert_eq!(pool.idle(), 0, "taken out for good");
}

#[test]
fn the_pool_is_bounded_and_forgets_old_sizes() {
    let pool = BufferPool::new(2);
    let lent: Vec<_> = (0..3).map(|_| pool.take(PixelFormat::Gray, 4, 4).unwrap()).collect();
    drop(lent);
    assert_eq!(pool.idle(), 2);
    let larger: Vec<_> = (0..3).map(|_| pool.take(PixelFormat::Gray, 8, 8).unwrap()).collect();
    assert_eq!(pool.idle(), 2);
    drop(larger);
    assert_eq!(pool.idle(), 2);
    let _both = [(); 2].map(|()| pool.take(PixelFormat::Gray, 8, 8).unwrap());
    assert_eq!(pool.idle(), 0, "the old size made way for the new");

    let none = BufferPool::new(0);
    drop(none.take(PixelFormat::Gray, 4, 4).unwrap());
    assert_eq!(none.idle(), 0);
}

#[test]
fn owned_pictures_check_their_bytes() {
    let error = PixelBuffer::from_vec(PixelFormat::Gray, 2, 2, vec![0; 5]).unwrap_err();
    assert!(matches!(error, ImageError::PackedLength { needed: 4, actual: 5, .. }));
    assert_eq!(error.to_string(), "gray 2x2 takes exactly 4 bytes, 5 given");
    let mut buffer = PixelBuffer::from_vec(PixelFormat::Gray, 2, 2, vec![1, 2, 3, 4]).unwrap();
    buffer.image_mut().row_mut(1)[0] = 9;
    assert_eq!(buffer.image().row(1), [9, 4]);
    assert_eq!(buffer.into_vec(), [1, 2, 9, 4]);
}

#[test]
fn debug_output_shows_no_pixels() {
    let mut buffer = PixelBuffer::new(PixelFormat::Yuv420p, 640, 480).unwrap();
    let lengths = [
        format!("{buffer:?}").len(),
        format!("{:?}", buffer.image()).len(),
        format!("{:?}", buffer.image_mut()).len(),
        format!("{:?}", buffer.image_mut().planes_mut()).len(),
    ];
    assert!(lengths.into_iter().all(|length| length < 400), "{lengths:?}");
}

mod in_bands {
    use proptest::prelude::*;

    use super::super::*;
    use crate::av::PixFmt;
    use crate::image::bands::BAND_ROWS;
    use crate::time::TimeBase;

    const WIDTH: u32 = 6;
    const HEIGHT: u32 = 70;

    /// A picture of noise in the codec's format.
    fn frame(format: PixelFormat) -> Frame {
        let bytes: Vec<u8> = (0..format.frame_bytes(WIDTH, HEIGHT))
            .map(|n| ((n * 2_654_435_761) >> 7) as u8)
            .collect();
        let image = Image::packed(format, WIDTH, HEIGHT, &bytes).unwrap();
        Frame::from_image(&image, TimeBase::MICROS.at(0)).unwrap()
    }

    fn all_of(frame: &Frame, format: PixelFormat) -> Vec<u8> {
        frame.image(format).unwrap().to_packed_vec()
    }

    /// What is encoded.
    fn encoded(frame: &mut Frame, format: PixelFormat) -> Vec<u8> {
        let mut shared = frame.share().unwrap();
        shared.settle().unwrap();
        let picture = shared.into_picture().unwrap();
        assert_eq!(picture.format(), PixFmt::named(format.name()));
        picture::as_image(&picture, format).unwrap().to_packed_vec()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Read(u32, u32),
        Write(u32, u32, u8),
        ReadAll,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let rows = (0..HEIGHT, 1..HEIGHT);
        let even = |(from, length): (u32, u32)| {
            let from = from & !1;
            (from, ((from + length + 1) & !1).min(HEIGHT).max(from + 2))
        };
        let step = prop_oneof![
            rows.clone().prop_map(even).prop_map(|(a, b)| Step::Read(a, b)),
            (rows, any::<u8>()).prop_map(move |(rows, value)| {
                let (a, b) = even(rows);
                Step::Write(a, b, value)
            }),
            Just(Step::ReadAll),
        ];
        prop::collection::vec(step, 1..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn rows_are_those_of_the_whole_and_what_was_not_touched_stays(
            steps in steps(),
            own in prop::sample::select(&[PixelFormat::Yuv420p, PixelFormat::Nv12, PixelFormat::Yuv444p,
                PixelFormat::Gray, PixelFormat::Rgba][..]),
            view in prop::sample::select(&[PixelFormat::Rgb24, PixelFormat::Bgra, PixelFormat::Gray][..]),
        ) {
            let mut frame = frame(own);
            let original = encoded(&mut frame, own);
            let row_bytes = view.frame_bytes(WIDTH, 1);
            let mut model = all_of(&frame, view);
            let mut touched = vec![false; HEIGHT.div_ceil(BAND_ROWS) as usize];
            let mut frame = self::frame(own);
            for step in steps {
                match step {
                    Step::Read(from, to) => {
                        let rows = frame.rows(view, from..to).unwrap().to_packed_vec();
                        let expected = &model[from as usize * row_bytes..to as usize * row_bytes];
                        prop_assert_eq!(rows, expected);
                    }
                    Step::ReadAll => prop_assert_eq!(&all_of(&frame, view), &model),
                    Step::Write(from, to, value) => {
                        let mut rows = frame.rows_mut(view, from..to).unwrap();
                        let before = rows.row(0).to_vec();
                        prop_assert_eq!(&before[..], &model[from as usize * row_bytes..][..row_bytes]);
                        rows.row_mut(0).fill(value);
                        model[from as usize * row_bytes..][..row_bytes].fill(value);
                        for band in from / BAND_ROWS..to.div_ceil(BAND_ROWS) {
                            touched[band as usize] = true;
                        }
                    }
                }
            }
            // A picture that has the edit as a whole is the same where it was touched.
            let mut whole = self::frame(own);
            whole.image_mut(view).unwrap();
            let image = Image::packed(view, WIDTH, HEIGHT, &model).unwrap();
            whole.set_image(&image).unwrap();
            let (made, whole) = (encoded(&mut frame, own), encoded(&mut whole, own));
            let as_image = |bytes: &[u8], row: u32, plane: usize| {
                let image = Image::packed(own, WIDTH, HEIGHT, bytes).unwrap();
                let shift = if plane > 0 && own.rows_a_chroma_row() == 2 { 1 } else { 0 };
                image.plane(plane).unwrap().row((row >> shift) as usize).to_vec()
            };
            let is_a_view = own == view;
            // Other formats are converted as a whole.
            let is_whole = own == PixelFormat::Rgba && touched.contains(&true);
            for row in 0..HEIGHT {
                let expected = match (touched[(row / BAND_ROWS) as usize] || is_whole) && !is_a_view {
                    true => &whole,
                    false if is_a_view => &model,
                    false => &original,
                };
                for plane in 0..own.plane_count() {
                    prop_assert_eq!(as_image(&made, row, plane), as_image(expected, row, plane), "row {}", row);
                }
            }
        }
    }
}
