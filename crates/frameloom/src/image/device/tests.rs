//! What can be shown on a device that needs no hardware: Mesa draws Vulkan by the processor.

use super::*;
use crate::av::{AvFrame, PixFmt, Surfaces};
use crate::edit::FilterGraph;
use crate::image::picture::from_image;
use crate::image::{BufferPool, Frame, PixelBuffer, PixelFormat};
use crate::time::TimeBase;
use crate::time::arrival::Arrival;

/// The device of these tests; `None` where there is none, which is said.
pub(crate) fn test_device() -> Option<(DeviceSpec, Arc<Device>)> {
    let named = DeviceKind::named("vulkan").filter(|kind| kind.is_built());
    let Some(kind) = named else {
        eprintln!("not tested: FFmpeg's libraries have no Vulkan");
        return None;
    };
    let spec = DeviceSpec::named(kind, None);
    match spec.open(Stage::Options) {
        Ok(device) => Some((spec, device)),
        Err(error) => {
            eprintln!("not tested: {error}");
            None
        }
    }
}

/// A picture of which no two pixels are alike.
fn painted(width: u32, height: u32) -> AvFrame {
    let mut pixels = PixelBuffer::new(PixelFormat::Rgb24, width, height).unwrap();
    let mut image = pixels.image_mut();
    for y in 0..height {
        for (x, value) in image.row_mut(y).iter_mut().enumerate() {
            *value = u8::try_from((x * 7 + y as usize * 13) % 251).unwrap();
        }
    }
    let rgb = from_image(&pixels.image()).unwrap();
    let mut picture = crate::image::picture::convert(&rgb, PixFmt::named("nv12").unwrap()).unwrap();
    picture.set_pts(Some(7));
    picture
}

/// The same picture in memory and on the device.
fn both(device: &Device) -> (AvFrame, AvFrame) {
    let picture = painted(64, 48);
    let formats = ["vulkan", "nv12"].map(|name| PixFmt::named(name).unwrap());
    let surfaces = Surfaces::new(device, (formats[0], formats[1]), (64, 48)).unwrap();
    let surface = surfaces.upload(&picture).unwrap();
    (picture, surface)
}

fn frame(picture: AvFrame) -> Frame {
    Frame::new(picture, TimeBase::MILLIS, 3, Arrival::now(), BufferPool::new(0))
}

fn rows(picture: &AvFrame) -> Vec<Vec<u8>> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let plane = |index: usize, rows: usize| {
        let (bytes, stride) = picture.plane(index).unwrap();
        (0..rows).map(move |row| bytes[row * stride..][..width].to_vec()).collect::<Vec<_>>()
    };
    [plane(0, height), plane(1, height / 2)].concat()
}

#[test]
fn a_picture_comes_back_from_a_device_as_it_was() {
    let Some((_, device)) = test_device() else { return };
    assert!(device.contents().contains(&PixFmt::named("nv12").unwrap()));
    let (picture, surface) = both(&device);
    assert!(surface.is_on_device() && !picture.is_on_device());
    assert_eq!(surface.format(), PixFmt::named("vulkan"));
    assert_eq!(surface.contents(), PixFmt::named("nv12"));
    let back = surface.download(None).unwrap();
    assert_eq!((back.format(), back.pts()), (PixFmt::named("nv12"), Some(7)));
    assert_eq!(rows(&back), rows(&picture));
    // A format that the device doesn't give.
    let other = surface.download(PixFmt::named("rgb565le")).unwrap();
    assert_eq!(rows(&other), rows(&picture));
}

#[test]
fn a_device_is_opened_once_and_closed_with_its_last_user() {
    let Some((spec, device)) = test_device() else { return };
    let again = spec.open(Stage::Decode).unwrap();
    assert!(Arc::ptr_eq(&device, &again));
    let other = DeviceOrigin::Opened {
        name: None,
        options: vec![("linear_images".to_owned(), "1".to_owned())],
    };
    let other = DeviceSpec { kind: spec.kind, origin: other }.open(Stage::Decode).unwrap();
    assert!(!Arc::ptr_eq(&device, &other));
    drop((device, again, other));
    // Other tests of this process may have it open.
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let is_ours = |(_, weak): &&(DeviceSpec, Weak<Device>)| weak.strong_count() > 0;
    assert!(open.iter().filter(is_ours).all(|(known, _)| *known == spec));
}

#[test]
fn pixels_are_fetched_when_they_are_asked_for() {
    let Some((_, device)) = test_device() else { return };
    let (picture, surface) = both(&device);
    let (memory, mut on_device) = (frame(picture), frame(surface));
    assert_eq!(on_device.format_name(), "nv12");
    assert_eq!((on_device.width(), on_device.height()), (64, 48));
    let read = on_device.image(PixelFormat::Rgb24).unwrap().to_packed_vec();
    assert_eq!(read, memory.image(PixelFormat::Rgb24).unwrap().to_packed_vec());
    let planes = |frame: &Frame| {
        let packed = |(bytes, stride): &(&[u8], usize)| {
            bytes.chunks(*stride).map(|row| row[..64].to_vec()).collect::<Vec<_>>()
        };
        frame.planes().iter().map(packed).collect::<Vec<_>>()
    };
    assert_eq!(planes(&on_device), planes(&memory));
    // A view that only reads leaves the picture on the device, and so does another reference to it.
    assert!(on_device.is_on_device() && !on_device.is_edited());
    let shared = on_device.share().unwrap();
    assert!(shared.is_on_device());
    assert_eq!(rows(&shared.into_picture_as(PixFmt::named("nv12").unwrap()).unwrap()), {
        rows(memory.picture())
    });
    // An edit brings it into memory.
    on_device.image_mut(PixelFormat::Nv12).unwrap().row_mut(0).fill(200);
    assert!(on_device.is_edited() && !on_device.is_on_device());
    let edited = on_device.into_picture().unwrap();
    assert_eq!(rows(&edited)[0], [200; 64]);
    assert_eq!(rows(&edited)[1..], rows(memory.picture())[1..]);
}

#[test]
fn an_edit_in_another_format_reaches_the_picture() {
    let Some((_, device)) = test_device() else { return };
    let (picture, surface) = both(&device);
    let edit = |mut frame: Frame| {
        frame.image_mut(PixelFormat::Rgb24).unwrap().row_mut(9).fill(90);
        rows(&frame.into_picture_as(PixFmt::named("nv12").unwrap()).unwrap())
    };
    assert_eq!(edit(frame(surface)), edit(frame(picture)));
    let (picture, surface) = both(&device);
    let replace = |mut frame: Frame| {
        let mut pixels = frame.take_packed(PixelFormat::Bgr24).unwrap();
        pixels.image_mut().row_mut(5).fill(17);
        let all = crate::image::bands::BandSet::all(frame.height());
        frame.replace(pixels, all);
        rows(&frame.into_picture().unwrap())
    };
    assert_eq!(replace(frame(surface)), replace(frame(picture)));
}

#[test]
fn graphs_take_pictures_from_a_device_where_they_are_to_stay() {
    let Some((spec, device)) = test_device() else { return };
    let through = |graph: &str, frame: Frame| {
        let mut graph = FilterGraph::new(graph, None).with_device(Some(&spec));
        graph.send(frame).unwrap();
        graph.drain().unwrap();
        graph.receive().unwrap().unwrap()
    };
    let flipped = |frame: Frame| rows(&through("hflip", frame).into_picture().unwrap());
    let (picture, surface) = both(&device);
    let expected = flipped(frame(picture));
    // A filter of the processor gets it in memory, whether or not it was to stay.
    let stays = frame(surface.share().unwrap()).staying_on_device();
    assert_eq!(flipped(frame(surface.share().unwrap())), expected);
    assert_eq!(flipped(stays), expected);
    // One that looks at no pixels lets it stay, where that was asked for.
    let stays = frame(surface.share().unwrap()).staying_on_device();
    assert!(through("setpts=PTS+1", stays).is_on_device());
    assert!(!through("setpts=PTS+1", frame(surface)).is_on_device());
    // What a graph puts on the device stays there for the next one.
    let (picture, _) = both(&device);
    let up = through("hwupload", frame(picture));
    assert!(up.is_on_device() && up.stays_on_device());
    assert_eq!(flipped(up), expected);
}

#[test]
fn what_a_device_lacks_is_told() {
    let nothing = Machine { has_file: |_| false, opens_file: |_| false, has_library: |_| false };
    let closed = Machine { has_file: |_| true, ..nothing };
    let open = Machine { opens_file: |_| true, ..closed };
    let all = Machine { has_library: |_| true, ..open };
    let file = |path: &str| Lack::File(path.to_owned());
    let right = |path: &str| Lack::Right(path.to_owned());
    for (kind, name, machine, expected) in [
        ("vaapi", None, &nothing, file("/dev/dri/renderD128")),
        ("vaapi", Some("/dev/dri/renderD129"), &nothing, file("/dev/dri/renderD129")),
        ("vaapi", Some("/dev/dri/renderD129"), &closed, right("/dev/dri/renderD129")),
        ("vaapi", Some("/dev/dri/renderD129"), &open, Lack::Driver),
        // An X display.
        ("vaapi", Some(":0"), &nothing, Lack::Driver),
        ("drm", Some("/dev/dri/card0"), &nothing, file("/dev/dri/card0")),
        // Nothing but what libav would open is opened.
        ("drm", Some("/dev/watchdog"), &closed, Lack::Driver),
        ("qsv", None, &nothing, file("/dev/dri/renderD128")),
        ("qsv", Some("hw2"), &nothing, Lack::Driver),
        ("cuda", None, &nothing, Lack::Library("libcuda.so.1")),
        ("cuda", Some("1"), &all, Lack::Driver),
        ("vulkan", None, &nothing, Lack::Library("libvulkan.so.1")),
        ("vulkan", None, &all, Lack::Driver),
        ("vdpau", None, &nothing, Lack::Library("libvdpau.so.1")),
    ] {
        assert_eq!(lack(kind, name, machine), expected, "{kind} {name:?}");
    }
}
