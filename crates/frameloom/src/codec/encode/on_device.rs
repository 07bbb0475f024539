//! How pictures get to an encoder that works on a device.

use std::sync::Arc;

use crate::av::{
    AvError, AvFrame, Device, DeviceKind, EncoderInput, EncoderSetup, PixFmt, Surfaces,
};
use crate::codec::encode::plan::VideoPlan;
use crate::error::{Error, Result, Stage};
use crate::image::Frame;
use crate::image::device::{DeviceSpec, with_lack};

/// How encoders end that hand their work to a device of Linux's video interface, which libav knows as none
/// of its kinds.
const V4L2: &str = "_v4l2m2m";

/// How an encoder gets its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It takes them from memory.
    Memory,
    /// It takes them from memory, and may be told which device encodes.
    MemoryTo(DeviceKind),
    /// They are put on a device of this kind, in this format.
    Upload(DeviceKind, PixFmt),
}

/// `takes_memory`: it lists pixel formats in memory. `surfaces` are those that it takes from a device, and
/// `device` is the kind that it may be told.
fn way(
    takes_memory: bool,
    surfaces: Option<(DeviceKind, PixFmt)>,
    device: Option<DeviceKind>,
) -> Way {
    match (surfaces, device) {
        (Some((kind, format)), _) if !takes_memory => Way::Upload(kind, format),
        (_, Some(kind)) => Way::MemoryTo(kind),
        _ => Way::Memory,
    }
}

/// The device that an encoder works on.
pub(super) struct EncodingDevice {
    device: Arc<Device>,
    /// The format of pictures on it, where they are put there for the encoder.
    surface: Option<PixFmt>,
}

impl EncodingDevice {
    /// The device for an encoder; `None` where it needs none, or finds its own.
    ///
    /// # Errors
    /// Where it can't be opened.
    pub(super) fn choose(setup: &EncoderSetup, plan: &VideoPlan) -> Result<Option<EncodingDevice>> {
        let takes_memory = !setup.pixel_formats().is_empty();
        let open = |spec: &DeviceSpec| {
            let cause = |error: Error| {
                let cause = format!("{} needs a device: {}", setup.name(), error.cause());
                error.reworded(cause)
            };
            spec.open(Stage::Encode).map_err(cause)
        };
        match way(takes_memory, setup.surfaces(), setup.device_kind()) {
            Way::Memory => Ok(None),
            Way::MemoryTo(kind) => {
                let Some(spec) = plan.devices.of_kind(kind) else { return Ok(None) };
                Ok(Some(EncodingDevice { device: open(spec)?, surface: None }))
            }
            Way::Upload(kind, format) => {
                let usual = DeviceSpec::named(kind, None);
                let device = open(plan.devices.of_kind(kind).unwrap_or(&usual))?;
                Ok(Some(EncodingDevice { device, surface: Some(format) }))
            }
        }
    }

    /// The error of an encoder that can't be opened; of one that works on a device of its own finding, with
    /// what that lacks.
    pub(super) fn told(setup: &EncoderSetup, error: Error) -> Error {
        let takes_memory = !setup.pixel_formats().is_empty();
        match way(takes_memory, setup.surfaces(), setup.device_kind()) {
            Way::MemoryTo(kind) => with_lack(kind.name(), error),
            Way::Memory if setup.name().ends_with(V4L2) => with_lack(&V4L2[1..], error),
            Way::Memory | Way::Upload(..) => error,
        }
    }

    /// The pixel formats that pictures may have for the encoder of a codec, where they are put on the
    /// device; empty where they aren't.
    pub(super) fn contents(&self, codec: &str) -> Vec<PixFmt> {
        match self.surface {
            Some(_) => contents(codec, &self.device.contents()),
            None => Vec::new(),
        }
    }
}

/// The pixel formats of which one is taken to put pictures on a device: what its encoders take. Others are
/// converted first.
fn contents(codec: &str, of_device: &[PixFmt]) -> Vec<PixFmt> {
    let ten_bits = matches!(codec, "hevc" | "av1" | "vp9");
    let named = ["nv12", "p010le"].into_iter().filter(|name| *name == "nv12" || ten_bits);
    let taken = |format: &PixFmt| of_device.is_empty() || of_device.contains(format);
    named.filter_map(PixFmt::named).filter(taken).collect()
}

/// Where an open encoder takes its pictures.
pub(super) struct PicturePlace {
    /// Where those are put that aren't there; `None` where the encoder takes them from memory.
    surfaces: Option<Surfaces>,
    /// Pictures of these surfaces are taken as they are; 0 for none.
    taken: usize,
}

impl PicturePlace {
    /// For pictures like the first one, which have the pixel format `contents` and this size when they are
    /// encoded.
    pub(super) fn for_first(
        frame: &Frame,
        (setup, plan): (&EncoderSetup, &VideoPlan),
        device: Option<&EncodingDevice>,
        (contents, size): (PixFmt, (u32, u32)),
    ) -> Result<PicturePlace> {
        let failed = |e: AvError| {
            let cause = format!("{}: no room on its device: {}", setup.name(), e.cause());
            e.in_stage(Stage::Encode).reworded(cause)
        };
        let picture = frame.picture();
        let wanted = Needs {
            surface: setup.surfaces().map(|(_, format)| format),
            contents,
            size,
            may_be_edited: plan.is_edited,
        };
        let given = Given {
            format: picture.format(),
            contents: picture.contents(),
            size: (picture.width(), picture.height()),
            stays: frame.stays_on_device(),
        };
        if frame.is_on_device() && is_taken(&wanted, &given) {
            let theirs = Surfaces::of(picture).map(|theirs| theirs.beside(size));
            let surfaces = theirs.transpose().map_err(failed)?;
            return Ok(PicturePlace { surfaces, taken: picture.surfaces_id() });
        }
        let surfaces = device.and_then(|device| {
            let format = (device.surface?, contents);
            Some(Surfaces::new(&device.device, format, size))
        });
        Ok(PicturePlace { surfaces: surfaces.transpose().map_err(failed)?, taken: 0 })
    }

    /// What the encoder is told of it.
    pub(super) fn input<'a>(
        &'a self,
        first: &'a Option<Surfaces>,
        device: Option<&'a EncodingDevice>,
    ) -> EncoderInput<'a> {
        match (first, &self.surfaces, device) {
            (Some(theirs), _, _) => EncoderInput::Surfaces(theirs),
            (None, Some(own), _) => EncoderInput::Surfaces(own),
            (None, None, Some(device)) => EncoderInput::Device(&device.device),
            (None, None, None) => EncoderInput::Memory,
        }
    }

    /// The surfaces of the first picture, where it is taken as it is.
    pub(super) fn of_first(&self, frame: &Frame) -> Option<Surfaces> {
        if self.takes(frame) { Surfaces::of(frame.picture()) } else { None }
    }

    /// Whether a frame is taken as it is.
    pub(super) fn takes(&self, frame: &Frame) -> bool {
        self.taken != 0 && frame.is_on_device() && frame.picture().surfaces_id() == self.taken
    }

    /// A picture where the encoder takes it.
    pub(super) fn put(&self, picture: AvFrame) -> Result<AvFrame> {
        let Some(surfaces) = &self.surfaces else { return Ok(picture) };
        surfaces.upload(&picture).map_err(|e| {
            let cause = format!("a picture can't be put on the device: {}", e.cause());
            e.in_stage(Stage::Encode).reworded(cause)
        })
    }
}

/// The pictures that an encoder is to get.
struct Needs {
    /// The format of those that it takes from a device.
    surface: Option<PixFmt>,
    contents: PixFmt,
    size: (u32, u32),
    may_be_edited: bool,
}

/// A picture on a device.
struct Given {
    format: Option<PixFmt>,
    contents: Option<PixFmt>,
    size: (u32, u32),
    /// It was asked for that it stays there.
    stays: bool,
}

/// Whether an encoder takes a picture from the device that it is on. Of pictures that code may edit only
/// some would be there, so that they are all put there anew, unless it was asked for that they stay.
fn is_taken(needs: &Needs, given: &Given) -> bool {
    needs.surface.is_some()
        && needs.surface == given.format
        && given.contents == Some(needs.contents)
        && given.size == needs.size
        && (given.stays || !needs.may_be_edited)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(name: &str) -> PixFmt {
        PixFmt::named(name).unwrap()
    }

    #[test]
    fn an_encoder_gets_its_pictures_from_where_it_takes_them() {
        let kind = |name| DeviceKind::named(name).unwrap();
        let (vaapi, cuda) = (kind("vaapi"), kind("cuda"));
        let surfaces = |kind, name| Some((kind, format(name)));
        for (takes_memory, taken, device, expected) in [
            // libx264
            (true, None, None, Way::Memory),
            // gif, of which libav says nothing
            (false, None, None, Way::Memory),
            // h264_vaapi
            (false, surfaces(vaapi, "vaapi"), None, Way::Upload(vaapi, format("vaapi"))),
            // h264_nvenc
            (true, surfaces(cuda, "cuda"), Some(cuda), Way::MemoryTo(cuda)),
        ] {
            assert_eq!(way(takes_memory, taken, device), expected);
        }
        // Those of this libav, where it has them.
        for (name, expected) in [
            ("libx264", Way::Memory),
            ("h264_vaapi", Way::Upload(vaapi, format("vaapi"))),
            ("hevc_vaapi", Way::Upload(vaapi, format("vaapi"))),
            ("h264_vulkan", Way::Upload(kind("vulkan"), format("vulkan"))),
            ("h264_nvenc", Way::MemoryTo(cuda)),
            ("h264_qsv", Way::MemoryTo(kind("qsv"))),
        ] {
            let Some(setup) = EncoderSetup::find(name) else { continue };
            let takes_memory = !setup.pixel_formats().is_empty();
            let found = way(takes_memory, setup.surfaces(), setup.device_kind());
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn pictures_are_put_on_a_device_as_its_encoders_take_them() {
        let many = ["yuv420p", "nv12", "p010le", "bgra"].map(format);
        let names = |codec: &str, of_device: &[PixFmt]| {
            contents(codec, of_device).iter().map(|format| format.name()).collect::<Vec<_>>()
        };
        assert_eq!(names("h264", &many), ["nv12"]);
        assert_eq!(names("hevc", &many), ["nv12", "p010le"]);
        assert_eq!(names("hevc", &many[..2]), ["nv12"]);
        assert_eq!(names("h264", &[]), ["nv12"]);
    }

    #[test]
    fn pictures_on_the_device_are_taken_as_they_are() {
        let needs = |contents, may_be_edited| Needs {
            surface: Some(format("vaapi")),
            contents: format(contents),
            size: (64, 48),
            may_be_edited,
        };
        let given = |name, contents, size, stays| Given {
            format: Some(format(name)),
            contents: Some(format(contents)),
            size,
            stays,
        };
        let (size, other) = ((64, 48), (62, 48));
        for (needs, given, expected) in [
            (needs("nv12", false), given("vaapi", "nv12", size, false), true),
            (needs("nv12", true), given("vaapi", "nv12", size, false), false),
            (needs("nv12", true), given("vaapi", "nv12", size, true), true),
            (needs("nv12", false), given("vaapi", "p010le", size, false), false),
            (needs("nv12", false), given("vaapi", "nv12", other, false), false),
            (needs("nv12", false), given("cuda", "nv12", size, false), false),
        ] {
            assert_eq!(is_taken(&needs, &given), expected);
        }
        let software = Needs { surface: None, ..needs("nv12", false) };
        assert!(!is_taken(&software, &given("vaapi", "nv12", size, true)));
    }

    #[test]
    fn pictures_are_put_on_the_device_for_the_encoder() {
        use crate::image::device::tests::test_device;
        let Some((_, device)) = test_device() else { return };
        let (vulkan, nv12, size) = (format("vulkan"), format("nv12"), (64, 48));
        let surfaces = Surfaces::new(&device, (vulkan, nv12), size).unwrap();
        let mut picture = AvFrame::picture(nv12, 64, 48).unwrap();
        for (n, (plane, _)) in picture.planes_mut().unwrap().into_iter().enumerate() {
            plane.fill(90 + u8::try_from(n).unwrap());
        }
        picture.set_pts(Some(5));
        let theirs = surfaces.upload(&picture).unwrap();
        // As for an encoder that takes pictures of the first one's surfaces as they are.
        let beside = Surfaces::of(&theirs).unwrap().beside(size).unwrap();
        let place = PicturePlace { surfaces: Some(beside), taken: theirs.surfaces_id() };
        let (at, arrived) = (crate::time::TimeBase::MILLIS, crate::time::arrival::Arrival::now());
        let frame = |picture| Frame::new(picture, at, 0, arrived, crate::image::BufferPool::new(0));
        assert!(!place.takes(&frame(picture.share().unwrap())));
        let put = place.put(picture.share().unwrap()).unwrap();
        assert_eq!((put.format(), put.contents(), put.pts()), (Some(vulkan), Some(nv12), Some(5)));
        let back = put.download(None).unwrap();
        assert_eq!(back.plane(0).unwrap().0[..64], [90; 64]);
        assert_eq!(back.plane(1).unwrap().0[..64], [91; 64]);
        // Those of other surfaces are fetched and put there anew.
        assert!(!place.takes(&frame(put)));
        assert!(place.takes(&frame(theirs)));
        let in_memory = PicturePlace { surfaces: None, taken: 0 };
        assert!(!in_memory.put(picture).unwrap().is_on_device());
    }
}
