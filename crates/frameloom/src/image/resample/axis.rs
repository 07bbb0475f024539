//! Which samples make one of another size, along one axis.

use std::ops::Range;

/// How pixels of another size are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scaling {
    /// The mean of what a pixel of the result covers, weighted by how much of each sample it covers
    /// (OpenCV's `INTER_AREA`). Along an axis on which the picture grows, as [`Scaling::Bilinear`].
    #[default]
    Area,
    /// Between the two nearest samples of each axis, where pixels are points at their centres
    /// (OpenCV's `INTER_LINEAR`): what most models were trained with, and rougher than the mean where
    /// the picture shrinks.
    Bilinear,
}

impl Scaling {
    /// Every way, in declaration order.
    pub const ALL: [Scaling; 2] = [Scaling::Area, Scaling::Bilinear];

    /// `area` or `bilinear`.
    pub const fn name(self) -> &'static str {
        match self {
            Scaling::Area => "area",
            Scaling::Bilinear => "bilinear",
        }
    }
}

/// One axis of a component: what there is, and what is to come of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AxisSpec {
    /// Pixels of the picture.
    pub(crate) pixels: usize,
    /// Pixels that share a sample of the component, as a power of two.
    pub(crate) log2: u32,
    /// The part of the axis that is taken, in pixels.
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// Samples of the result.
    pub(crate) outputs: usize,
    pub(crate) scaling: Scaling,
}

impl AxisSpec {
    /// Samples of the component.
    pub(crate) fn samples(&self) -> usize {
        self.pixels.div_ceil(1 << self.log2)
    }
}

/// The samples that make one of the result, and their weights, whose sum is 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Taps {
    pub(crate) first: usize,
    pub(crate) weights: Vec<f32>,
}

impl Taps {
    pub(crate) fn range(&self) -> Range<usize> {
        self.first..self.first + self.weights.len()
    }
}

/// What makes each sample of the result.
pub(crate) fn taps(spec: &AxisSpec) -> Vec<Taps> {
    let step = (spec.to - spec.from) / spec.outputs as f64;
    (0..spec.outputs)
        .map(|n| {
            let from = spec.from + step * n as f64;
            match spec.scaling {
                Scaling::Area if step >= 1.0 => covered(spec, from, from + step),
                _ => nearest_two(spec, from + step / 2.0),
            }
        })
        .collect()
}

/// The samples that lie between two places.
fn covered(spec: &AxisSpec, from: f64, to: f64) -> Taps {
    let (pixels, unit) = (spec.pixels as f64, f64::from(1 << spec.log2));
    let last = spec.samples().saturating_sub(1);
    let (from, to) = (from.clamp(0.0, pixels), to.clamp(0.0, pixels));
    // A sample is taken from where a ten-thousandth of it is covered: less is an error of rounding.
    let first = ((from / unit + 1e-4) as usize).min(last);
    let end = ((to / unit - 1e-4).ceil().max(0.0) as usize).clamp(first + 1, last + 1);
    let overlap = |sample: usize| {
        let (begin, end) = (sample as f64 * unit, ((sample + 1) as f64 * unit).min(pixels));
        (end.min(to) - begin.max(from)).max(0.0)
    };
    let overlaps: Vec<f64> = (first..end).map(overlap).collect();
    let whole: f64 = overlaps.iter().sum();
    let weight = |part: &f64| if whole > 0.0 { (part / whole) as f32 } else { 1.0 };
    Taps { first, weights: overlaps.iter().map(weight).collect() }
}

/// The two samples beside a place.
fn nearest_two(spec: &AxisSpec, centre: f64) -> Taps {
    let last = spec.samples().saturating_sub(1);
    let at = (centre / f64::from(1 << spec.log2) - 0.5).clamp(0.0, last as f64);
    let first = (at as usize).min(last);
    let part = at - first as f64;
    let weights = if part < 1e-6 || first == last {
        vec![1.0]
    } else {
        vec![(1.0 - part) as f32, part as f32]
    };
    Taps { first, weights }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spec(pixels: usize, log2: u32, outputs: usize, scaling: Scaling) -> AxisSpec {
        AxisSpec { pixels, log2, from: 0.0, to: pixels as f64, outputs, scaling }
    }

    fn shown(spec: &AxisSpec) -> Vec<(usize, Vec<f32>)> {
        taps(spec).into_iter().map(|taps| (taps.first, taps.weights)).collect()
    }

    #[test]
    fn a_pixel_is_the_mean_of_what_it_covers() {
        let third = 1.0 / 3.0;
        assert_eq!(
            shown(&spec(6, 0, 2, Scaling::Area)),
            [(0, vec![third; 3]), (3, vec![third; 3])]
        );
        let (two, one) = (2.0 / 3.0, third);
        assert_eq!(
            shown(&spec(3, 0, 2, Scaling::Area)),
            [(0, vec![two, one]), (1, vec![one, two])]
        );
        // Of the same size it is the sample itself, and each of two pixels the chroma they share.
        assert_eq!(shown(&spec(2, 0, 2, Scaling::Area)), [(0, vec![1.0]), (1, vec![1.0])]);
        let shared = [(0, vec![1.0]), (0, vec![1.0]), (1, vec![1.0])];
        assert_eq!(shown(&spec(3, 1, 3, Scaling::Area)), shared);
        // The last chroma sample of an odd width stands for one pixel.
        assert_eq!(shown(&spec(3, 1, 1, Scaling::Area)), [(0, vec![two, one])]);
    }

    #[test]
    fn bilinear_goes_by_the_centres_of_pixels() {
        assert_eq!(
            shown(&spec(4, 0, 2, Scaling::Bilinear)),
            [(0, vec![0.5, 0.5]), (2, vec![0.5, 0.5])]
        );
        assert_eq!(
            shown(&spec(2, 0, 4, Scaling::Area)),
            [(0, vec![1.0]), (0, vec![0.75, 0.25]), (0, vec![0.25, 0.75]), (1, vec![1.0])]
        );
        assert_eq!(shown(&spec(1, 0, 2, Scaling::Bilinear)), [(0, vec![1.0]), (0, vec![1.0])]);
    }

    proptest! {
        #[test]
        fn weights_are_of_samples_that_are_there_and_make_one(
            (pixels, log2, outputs) in (1..200usize, 0..3u32, 1..200usize),
            part in (0.0..1.0f64, 0.0..1.0f64),
            bilinear: bool,
        ) {
            let whole = pixels as f64;
            let (from, to) = (part.0.min(part.1) * whole, part.0.max(part.1) * whole);
            let scaling = if bilinear { Scaling::Bilinear } else { Scaling::Area };
            let spec = AxisSpec { pixels, log2, from, to, outputs, scaling };
            let made = taps(&spec);
            prop_assert_eq!(made.len(), outputs);
            for taps in made {
                prop_assert!(!taps.weights.is_empty() && taps.range().end <= spec.samples());
                let sum: f32 = taps.weights.iter().sum();
                prop_assert!((sum - 1.0).abs() < 1e-4, "{} in {:?}", sum, taps);
                prop_assert!(taps.weights.iter().all(|weight| *weight >= 0.0));
            }
        }
    }
}
