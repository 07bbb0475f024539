//! Planes of pictures in another size: rows first, then columns, in numbers with a point, so that
//! nothing is rounded on the way.

mod axis;
mod columns;
mod kernels;
mod picture;
mod plane;

pub use axis::Scaling;
pub(crate) use picture::shrunk;
pub(crate) use plane::{PlaneComponent, PlaneScaler, PlaneSource, ROWS, Region};
