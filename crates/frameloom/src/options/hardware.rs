//! Devices that decode, encode and filter (ffmpeg(1), `-hwaccel` and `-init_hw_device`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::specifier::{PerStream, Specifier, StreamPlace};
use crate::av::{DeviceKind, PixFmt, listing};
use crate::error::{Error, Hint, Result, Setting};
use crate::image::device::{DeviceOrigin, DeviceSpec};

/// By what pictures are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecodeBy {
    /// By the processor.
    Processor,
    /// By a device that can, or else by the processor.
    Any,
    /// By a device of this kind, and nothing else.
    Kind(DeviceKind),
}

/// FFmpeg's older names, which say where the pictures stay too.
const OLD_NAMES: [(&str, &str, Option<&str>); 3] =
    [("nvdec", "cuda", None), ("cuvid", "cuda", Some("cuda")), ("qsv", "qsv", Some("qsv"))];

/// The devices that an input's pictures are decoded by.
#[derive(Clone, Debug, Default)]
pub(crate) struct HardwareDecoding {
    by: PerStream<DecodeBy>,
    device: PerStream<String>,
    output: PerStream<PixFmt>,
    /// Those that were made by name.
    pub(crate) devices: HardwareDevices,
    /// That the processor decodes, though a device was asked for, was said.
    said: Arc<AtomicBool>,
}

/// How a stream is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamDecoding {
    pub(crate) by: DecodeBy,
    /// The name of one of the devices, or what opens one.
    device: Option<String>,
    /// The pixel format that filters get.
    pub(crate) output: Option<PixFmt>,
}

impl HardwareDecoding {
    /// `-hwaccel`.
    pub(super) fn decode_by(&mut self, streams: Specifier, value: &str) -> Result<()> {
        let by = match value {
            "none" => DecodeBy::Processor,
            "auto" => DecodeBy::Any,
            name => {
                let old = OLD_NAMES.iter().find(|(old, _, _)| *old == name);
                let (kind, output) = old.map_or((name, None), |(_, kind, output)| (*kind, *output));
                let kind = device_kind(kind, &["auto", "none"])?;
                if let Some(format) = output.and_then(PixFmt::named)
                    && self.output.is_empty()
                {
                    self.output.set(streams.clone(), format);
                }
                DecodeBy::Kind(kind)
            }
        };
        self.by.set(streams, by);
        Ok(())
    }

    /// `-hwaccel_device`.
    pub(super) fn decode_on(&mut self, streams: Specifier, value: &str) {
        self.device.set(streams, value.to_owned());
    }

    /// `-hwaccel_output_format`.
    pub(super) fn decode_to(&mut self, streams: Specifier, format: PixFmt) {
        self.output.set(streams, format);
    }

    /// How a stream is decoded.
    pub(crate) fn of(&self, stream: StreamPlace<'_>) -> StreamDecoding {
        StreamDecoding {
            by: self.by.of(stream).copied().unwrap_or(DecodeBy::Processor),
            device: self.device.of(stream).cloned(),
            output: self.output.of(stream).copied(),
        }
    }

    /// Those that were made by name, and behind them the one that decodes a stream.
    pub(crate) fn devices_for(&self, stream: StreamPlace<'_>) -> HardwareDevices {
        let mut devices = self.devices.clone();
        let decoding = self.of(stream);
        if let DecodeBy::Kind(kind) = decoding.by {
            devices.offer(decoding.device(kind, &self.devices));
        }
        devices
    }

    /// Whether it was not said yet that the processor decodes, though a device was asked for.
    pub(crate) fn is_first_fallback(&self) -> bool {
        !self.said.swap(true, Ordering::Relaxed)
    }
}

impl StreamDecoding {
    /// The device of a kind that decodes it.
    pub(crate) fn device(&self, kind: DeviceKind, devices: &HardwareDevices) -> DeviceSpec {
        let named = self.device.as_deref().and_then(|name| devices.named(name));
        match (named, &self.device) {
            (Some(spec), _) if spec.kind == kind => spec.clone(),
            (_, Some(name)) => DeviceSpec::named(kind, Some(name)),
            (_, None) => {
                devices.of_kind(kind).cloned().unwrap_or_else(|| DeviceSpec::named(kind, None))
            }
        }
    }
}

/// Devices that were made by name, for decoders, encoders and filters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HardwareDevices {
    all: Vec<NamedDevice>,
    /// The name of the one that filters are given.
    for_filters: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct NamedDevice {
    name: String,
    spec: DeviceSpec,
}

impl HardwareDevices {
    /// `-init_hw_device`: `TYPE[=NAME][:DEVICE[,KEY=VALUE...]]`, or `TYPE[=NAME]@NAME` for one that is
    /// another one, as devices of this kind see it.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage).
    pub(super) fn add(&mut self, text: &str) -> Result<()> {
        let end = text.find([':', '=', '@']).unwrap_or(text.len());
        let (kind, rest) = text.split_at(end);
        let kind = device_kind(kind, &[])?;
        let (name, rest) = match rest.strip_prefix('=') {
            Some(rest) => {
                let end = rest.find([':', '@', ',']).unwrap_or(rest.len());
                let (name, rest) = rest.split_at(end);
                if name.is_empty() {
                    return Err(Error::usage("the device's name is empty"));
                }
                if self.named(name).is_some() {
                    return Err(Error::usage(format!("there is a device '{name}' already")));
                }
                (name.to_owned(), rest)
            }
            None => (self.free_name(kind), rest),
        };
        let origin = match rest.chars().next() {
            Some('@') => DeviceOrigin::Derived(Box::new(self.source(&rest[1..])?)),
            Some(',') => DeviceOrigin::Opened { name: None, options: pairs(&rest[1..])? },
            _ => {
                let rest = rest.strip_prefix(':').unwrap_or_default();
                let (device, options) = rest.split_once(',').unwrap_or((rest, ""));
                let device = (!device.is_empty()).then(|| device.to_owned());
                DeviceOrigin::Opened { name: device, options: pairs(options)? }
            }
        };
        self.all.push(NamedDevice { name, spec: DeviceSpec { kind, origin } });
        Ok(())
    }

    /// `-vaapi_device` and `-qsv_device`: one of this kind, which filters are given too.
    pub(super) fn add_for_filters(&mut self, text: &str) -> Result<()> {
        self.add(text)?;
        self.for_filters = self.all.last().map(|device| device.name.clone());
        Ok(())
    }

    /// `-filter_hw_device`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a name that no device has.
    pub(super) fn give_to_filters(&mut self, name: &str) -> Result<()> {
        self.source(name)?;
        self.for_filters = Some(name.to_owned());
        Ok(())
    }

    /// Adds one without a name, unless it is there.
    fn offer(&mut self, spec: DeviceSpec) {
        if self.all.iter().all(|device| device.spec != spec) {
            self.all.push(NamedDevice { name: String::new(), spec });
        }
    }

    /// Adds those that are not there.
    pub(crate) fn join(&mut self, other: HardwareDevices) {
        for device in other.all {
            if self.all.iter().all(|own| own.spec != device.spec) {
                self.all.push(device);
            }
        }
        self.for_filters = self.for_filters.take().or(other.for_filters);
    }

    fn named(&self, name: &str) -> Option<&DeviceSpec> {
        let named = self.all.iter().find(|device| device.name == name);
        named.filter(|_| !name.is_empty()).map(|device| &device.spec)
    }

    fn source(&self, name: &str) -> Result<DeviceSpec> {
        self.named(name).cloned().ok_or_else(|| {
            let error = Error::usage(format!("there is no device '{name}'"));
            let names: Vec<&str> = self.all.iter().map(|device| device.name.as_str()).collect();
            match names.is_empty() {
                true => error.hint(Hint::Use(vec![Setting::ffmpeg("init_hw_device")])),
                false => error.hint(Hint::one_of(name, names)),
            }
        })
    }

    /// What FFmpeg calls a device that nobody named.
    fn free_name(&self, kind: DeviceKind) -> String {
        let taken = |name: &String| self.named(name).is_some();
        let mut names = (0..).map(|n| format!("{}{n}", kind.name()));
        names.find(|name| !taken(name)).unwrap_or_default()
    }

    /// The device of a kind: the filters' where it is of it, else the first.
    pub(crate) fn of_kind(&self, kind: DeviceKind) -> Option<&DeviceSpec> {
        let mut all = self.all.iter().map(|device| &device.spec);
        let of_filters = self.for_filters().filter(|spec| spec.kind == kind);
        of_filters.or_else(|| all.find(|spec| spec.kind == kind))
    }

    /// The device that filters are given: the one that was named for them, else the last.
    pub(crate) fn for_filters(&self) -> Option<&DeviceSpec> {
        let named = self.for_filters.as_deref().and_then(|name| self.named(name));
        named.or_else(|| self.all.last().map(|device| &device.spec))
    }

    /// Every device.
    pub(crate) fn specs(&self) -> impl Iterator<Item = &DeviceSpec> {
        self.all.iter().map(|device| &device.spec)
    }
}

/// A kind of devices that this libav has; `others` are words that the option takes besides.
fn device_kind(name: &str, others: &[&str]) -> Result<DeviceKind> {
    let known = listing::device_types();
    let all = || known.iter().chain(others).copied();
    match DeviceKind::named(name) {
        Some(kind) if kind.is_built() => Ok(kind),
        Some(_) => {
            let cause = format!("the FFmpeg libraries of this machine were built without {name}");
            Err(Error::usage(cause).hint(Hint::one_of("", all())))
        }
        None => {
            let cause = format!("'{name}' is no kind of device");
            Err(Error::usage(cause).hint(Hint::one_of(name, all())))
        }
    }
}

/// `KEY=VALUE,KEY=VALUE`.
fn pairs(text: &str) -> Result<Vec<(String, String)>> {
    let pair = |text: &str| match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Error::usage(format!("'{text}' is no KEY=VALUE"))),
    };
    text.split(',').filter(|text| !text.is_empty()).map(pair).collect()
}

/// The pixel format of `-hwaccel_output_format`.
pub(super) fn output_format(name: &str) -> Result<PixFmt> {
    PixFmt::named(name).ok_or_else(|| {
        let error = Error::usage(format!("there is no pixel format '{name}'"));
        error.hint_near(name, PixFmt::all_names()).hint(Hint::UsualPixelFormats)
    })
}

#[cfg(test)]
mod tests {
    use super::super::specifier::SpecifiedStream;
    use super::*;
    use crate::av::MediaKind;
    use crate::error::ErrorKind;

    /// A kind that this libav has.
    fn kind() -> &'static str {
        listing::device_types().first().copied().unwrap()
    }

    fn opened(name: Option<&str>, options: &[(&str, &str)]) -> DeviceOrigin {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let options = options.iter().map(owned).collect();
        DeviceOrigin::Opened { name: name.map(str::to_owned), options }
    }

    #[test]
    fn devices_are_described_as_in_ffmpeg() {
        let kind = kind();
        for (text, name, origin) in [
            ("KIND", "KIND0", opened(None, &[])),
            ("KIND=gpu", "gpu", opened(None, &[])),
            ("KIND:0", "KIND0", opened(Some("0"), &[])),
            ("KIND=gpu:/dev/dri/renderD128", "gpu", opened(Some("/dev/dri/renderD128"), &[])),
            ("KIND=gpu:,driver=iHD", "gpu", opened(None, &[("driver", "iHD")])),
            ("KIND=gpu,driver=iHD", "gpu", opened(None, &[("driver", "iHD")])),
            (
                "KIND=gpu:1,connection_type=drm,driver=iHD",
                "gpu",
                opened(Some("1"), &[("connection_type", "drm"), ("driver", "iHD")]),
            ),
            ("KIND:", "KIND0", opened(None, &[])),
        ] {
            let mut devices = HardwareDevices::default();
            devices.add(&text.replace("KIND", kind)).unwrap();
            let spec = devices.named(&name.replace("KIND", kind)).unwrap();
            assert_eq!((spec.kind.name(), &spec.origin), (kind, &origin), "{text}");
        }
        for (text, mentions) in [
            ("", "'' is no kind of device (it takes"),
            ("gpu", "'gpu' is no kind of device"),
            ("KIND,driver=iHD", "is no kind of device"),
            ("KIND=", "name is empty"),
            ("KIND=a@b", "there is no device 'b' (use -init_hw_device)"),
            ("KIND:0,driver", "'driver' is no KEY=VALUE"),
            ("d3d11va", "were built without d3d11va"),
        ] {
            let mut devices = HardwareDevices::default();
            let error = devices.add(&text.replace("KIND", kind)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{text}");
            assert!(error.to_string().contains(mentions), "{text}: {error}");
        }
    }

    #[test]
    fn names_are_taken_once_and_counted() {
        let kind = kind();
        let mut devices = HardwareDevices::default();
        for text in ["KIND", "KIND:1", "KIND=a:2", "KIND=b@a"] {
            devices.add(&text.replace("KIND", kind)).unwrap();
        }
        let again = devices.add(&format!("{kind}=a")).unwrap_err().to_string();
        assert!(again.contains("there is a device 'a' already"), "{again}");
        assert_eq!(devices.named(&format!("{kind}1")).unwrap().origin, opened(Some("1"), &[]));
        let a = devices.named("a").unwrap().clone();
        assert_eq!(devices.named("b").unwrap().origin, DeviceOrigin::Derived(Box::new(a.clone())));
        // Filters get the last one, unless another is named for them.
        assert_eq!(devices.for_filters(), devices.named("b"));
        let of_kind = DeviceKind::named(kind).unwrap();
        assert_eq!(devices.of_kind(of_kind), devices.named("b"));
        devices.give_to_filters("a").unwrap();
        assert_eq!((devices.for_filters(), devices.of_kind(of_kind)), (Some(&a), Some(&a)));
        let error = devices.give_to_filters("c").unwrap_err().to_string();
        assert!(error.contains("there is no device 'c'"), "{error}");
    }

    #[test]
    fn the_device_that_decodes_is_one_with_a_name_or_is_opened() {
        let (kind, video) = (kind(), StreamPlace::only(MediaKind::Video));
        let of_kind = DeviceKind::named(kind).unwrap();
        let decoding = |device: Option<&str>| {
            let mut hardware = HardwareDecoding::default();
            hardware.devices.add(&format!("{kind}=gpu:7")).unwrap();
            hardware.decode_by(Specifier::video(), kind).unwrap();
            if let Some(device) = device {
                hardware.decode_on(Specifier::video(), device);
            }
            assert_eq!(hardware.of(video).by, DecodeBy::Kind(of_kind));
            hardware.of(video).device(of_kind, &hardware.devices).origin
        };
        assert_eq!(decoding(Some("gpu")), opened(Some("7"), &[]));
        assert_eq!(decoding(Some("3")), opened(Some("3"), &[]));
        assert_eq!(decoding(None), opened(Some("7"), &[]));
        let hardware = HardwareDecoding::default();
        assert_eq!(hardware.of(video).by, DecodeBy::Processor);
        assert_eq!(hardware.devices_for(video), HardwareDevices::default());
    }

    #[test]
    fn values_are_for_the_streams_that_a_specifier_names() {
        let mut hardware = HardwareDecoding::default();
        hardware.decode_by(Specifier::video(), "auto").unwrap();
        hardware.decode_by(Specifier::parse("v:1").unwrap(), "none").unwrap();
        let streams = [MediaKind::Video, MediaKind::Audio, MediaKind::Video];
        let streams = streams.map(SpecifiedStream::of_kind);
        let places = StreamPlace::all(&streams);
        assert_eq!(hardware.of(places[0]).by, DecodeBy::Any);
        assert_eq!(hardware.of(places[2]).by, DecodeBy::Processor);
    }

    #[test]
    fn older_names_say_where_pictures_stay() {
        if !listing::device_types().contains(&"cuda") {
            return;
        }
        let video = StreamPlace::only(MediaKind::Video);
        for (name, output) in [("cuda", None), ("nvdec", None), ("cuvid", Some("cuda"))] {
            let mut hardware = HardwareDecoding::default();
            hardware.decode_by(Specifier::video(), name).unwrap();
            let StreamDecoding { by, output: found, .. } = hardware.of(video);
            assert_eq!(by, DecodeBy::Kind(DeviceKind::named("cuda").unwrap()), "{name}");
            assert_eq!(found.map(PixFmt::name), output, "{name}");
        }
    }

    #[test]
    fn that_the_processor_decodes_is_said_once() {
        let hardware = HardwareDecoding::default();
        assert!(hardware.clone().is_first_fallback() && !hardware.is_first_fallback());
    }
}
