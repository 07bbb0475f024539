//! Devices by what names them. One that several ask for is opened once, and closed with the last of them.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::av::{AvError, Device, DeviceKind, has_library, silently};
use crate::error::{Error, ErrorKind, Hint, Result, Stage};

/// What names a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceSpec {
    pub(crate) kind: DeviceKind,
    pub(crate) origin: DeviceOrigin,
}

/// Where a device comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeviceOrigin {
    /// It is opened by its name, or is the kind's usual one.
    Opened { name: Option<String>, options: Vec<(String, String)> },
    /// It is another one, as devices of this kind see it.
    Derived(Box<DeviceSpec>),
}

/// The devices that are open.
static OPEN: Mutex<Vec<(DeviceSpec, Weak<Device>)>> = Mutex::new(Vec::new());

impl DeviceSpec {
    /// A device by its name; the kind's usual one without.
    pub(crate) fn named(kind: DeviceKind, name: Option<&str>) -> DeviceSpec {
        let origin = DeviceOrigin::Opened { name: name.map(str::to_owned), options: Vec::new() };
        DeviceSpec { kind, origin }
    }

    /// Opens it, or gives the one that is open.
    ///
    /// # Errors
    /// What keeps it from being opened, and what of it is missing.
    pub(crate) fn open(&self, stage: Stage) -> Result<Arc<Device>> {
        let source = match &self.origin {
            DeviceOrigin::Derived(source) => Some(source.open(stage)?),
            DeviceOrigin::Opened { .. } => None,
        };
        self.open_from(source.as_deref()).map_err(|e| self.failed(e, stage))
    }

    /// Opens it where it is there.
    pub(crate) fn open_if_there(&self) -> Option<Arc<Device>> {
        silently(|| self.open(Stage::Options)).ok()
    }

    fn open_from(&self, source: Option<&Device>) -> Result<Arc<Device>, AvError> {
        let mut all = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, device)| device.strong_count() > 0);
        let same = all.iter().find(|(spec, _)| spec == self);
        if let Some(device) = same.and_then(|(_, device)| device.upgrade()) {
            return Ok(device);
        }
        let device = match (&self.origin, source) {
            (DeviceOrigin::Derived(_), Some(source)) => Device::derive(self.kind, source)?,
            (DeviceOrigin::Opened { name, options }, _) => {
                Device::open(self.kind, name.as_deref(), options)?
            }
            (DeviceOrigin::Derived(_), None) => return Err(AvError::errno(libc::EINVAL)),
        };
        let device = Arc::new(device);
        all.push((self.clone(), Arc::downgrade(&device)));
        Ok(device)
    }

    fn failed(&self, e: AvError, stage: Stage) -> Error {
        let kind = self.kind.name();
        let (cause, lack) = match &self.origin {
            DeviceOrigin::Derived(source) => {
                let from = source.kind.name();
                let cause = format!("no {kind} device can be made of the {from} device");
                (cause, Lack::Driver)
            }
            DeviceOrigin::Opened { name, .. } => {
                let cause = match name {
                    Some(name) => format!("the {kind} device '{name}' can't be opened"),
                    None => format!("no {kind} device can be opened"),
                };
                (cause, lack(kind, name.as_deref(), &Machine::real()))
            }
        };
        let cause = format!("{cause}: {}", e.cause());
        lack.told(kind, e.in_stage(stage).reworded(cause))
    }
}

/// An encoder's error, with what its device lacks. Such an encoder finds a device of this kind by itself.
pub(crate) fn with_lack(kind: &str, error: Error) -> Error {
    lack(kind, None, &Machine::real()).told(kind, error)
}

/// What a device that can't be opened lacks.
#[derive(Debug, PartialEq, Eq)]
enum Lack {
    /// Its file.
    File(String),
    /// The right to open its file.
    Right(String),
    /// A library of its driver's.
    Library(&'static str),
    /// A driver that works.
    Driver,
}

impl Lack {
    /// The error, with this.
    fn told(self, device_kind: &str, error: Error) -> Error {
        let (kind, hint) = match self {
            Lack::File(path) => (Some(ErrorKind::NotFound), Hint::NoDeviceFile(path)),
            Lack::Right(path) => (Some(ErrorKind::PermissionDenied), Hint::ClosedDeviceFile(path)),
            Lack::Library(name) => {
                (Some(ErrorKind::NotFound), Hint::NoDriverLibrary(name.to_owned()))
            }
            Lack::Driver => (None, Hint::NoDriver(device_kind.to_owned())),
        };
        let error = error.hint(hint);
        kind.map_or(error.clone(), |kind| error.of_kind(kind))
    }
}

/// What can be asked of the machine.
struct Machine {
    has_file: fn(&Path) -> bool,
    opens_file: fn(&Path) -> bool,
    has_library: fn(&str) -> bool,
}

impl Machine {
    fn real() -> Machine {
        Machine {
            has_file: |path| path.exists(),
            opens_file: |path| OpenOptions::new().read(true).write(true).open(path).is_ok(),
            has_library,
        }
    }
}

/// The first device file of those that show nothing.
const RENDER_NODE: &str = "/dev/dri/renderD128";

/// The first device file of those that take pictures; only where there is none, there is no other.
const FIRST_VIDEO: &str = "/dev/video0";

fn lack(kind: &str, name: Option<&str>, machine: &Machine) -> Lack {
    let file = match (kind, name) {
        ("vaapi" | "drm", Some(name)) => name.starts_with('/').then_some(name),
        ("vaapi" | "drm" | "qsv", None) => Some(RENDER_NODE),
        ("v4l2m2m", None) => Some(FIRST_VIDEO),
        _ => None,
    };
    let library = match kind {
        "cuda" => Some("libcuda.so.1"),
        "vulkan" => Some("libvulkan.so.1"),
        "opencl" => Some("libOpenCL.so.1"),
        "vdpau" => Some("libvdpau.so.1"),
        _ => None,
    };
    if let Some(file) = file {
        let path = Path::new(file);
        if !(machine.has_file)(path) {
            return Lack::File(file.to_owned());
        }
        // Only of those that are opened by libav in any case.
        if path.starts_with("/dev/dri") && !(machine.opens_file)(path) {
            return Lack::Right(file.to_owned());
        }
    }
    match library.filter(|library| !(machine.has_library)(library)) {
        Some(library) => Lack::Library(library),
        None => Lack::Driver,
    }
}

#[cfg(test)]
pub(crate) mod tests;
