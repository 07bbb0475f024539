//! A picture in bands of a few rows: what of it was converted, and what may have changed.

use std::cell::OnceCell;
use std::ops::Range;

use crate::image::{Image, PixelBuffer, PixelFormat};

/// Rows in a band: even, so that no row of chroma lies in two.
pub(crate) const BAND_ROWS: u32 = 16;

/// Whether two pictures of one format and size have other pixels.
pub(crate) fn differ(one: &Image<'_>, other: &Image<'_>) -> bool {
    one.planes()
        .iter()
        .zip(other.planes())
        .any(|(one, other)| one.iter_rows().zip(other.iter_rows()).any(|(one, other)| one != other))
}

/// Some bands of a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BandSet {
    height: u32,
    has: Vec<bool>,
}

impl BandSet {
    /// None of a picture so many rows high.
    pub(crate) fn none(height: u32) -> BandSet {
        BandSet { height, has: vec![false; height.div_ceil(BAND_ROWS) as usize] }
    }

    /// All of it.
    pub(crate) fn all(height: u32) -> BandSet {
        BandSet { height, has: vec![true; height.div_ceil(BAND_ROWS) as usize] }
    }

    pub(crate) fn is_all(&self) -> bool {
        self.has.iter().all(|has| *has)
    }

    /// Adds the bands that some rows lie in.
    pub(crate) fn insert(&mut self, rows: &Range<u32>) {
        if rows.is_empty() {
            return;
        }
        let bands = (rows.start / BAND_ROWS) as usize..rows.end.div_ceil(BAND_ROWS) as usize;
        self.has.get_mut(bands).into_iter().flatten().for_each(|has| *has = true);
    }

    /// The rows of each band of a picture so many rows high.
    pub(crate) fn each(height: u32) -> impl Iterator<Item = Range<u32>> {
        (0..height).step_by(BAND_ROWS as usize).map(move |at| at..(at + BAND_ROWS).min(height))
    }

    /// The rows of bands that are in it, or that aren't; neighbours together.
    fn runs(&self, wanted: bool) -> Vec<Range<u32>> {
        let mut runs: Vec<Range<u32>> = Vec::new();
        let bands = (0u32..).zip(&self.has).filter(|(_, has)| **has == wanted);
        for (band, _) in bands {
            let rows = band * BAND_ROWS..((band + 1) * BAND_ROWS).min(self.height);
            match runs.last_mut().filter(|last| last.end == rows.start) {
                Some(last) => last.end = rows.end,
                None => runs.push(rows),
            }
        }
        runs
    }

    /// The rows of the bands in it; neighbours together.
    pub(crate) fn rows(&self) -> Vec<Range<u32>> {
        self.runs(true)
    }

    /// The rows of the bands that some rows lie in and that are not in it.
    pub(crate) fn missing(&self, rows: &Range<u32>) -> Vec<Range<u32>> {
        let mut wanted = BandSet::none(self.height);
        wanted.insert(rows);
        for (wanted, has) in wanted.has.iter_mut().zip(&self.has) {
            *wanted &= !has;
        }
        wanted.rows()
    }

    /// From the first row of all to behind the last.
    pub(crate) fn span(&self) -> Range<u32> {
        let rows = self.rows();
        match (rows.first(), rows.last()) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => 0..0,
        }
    }
}

/// Of a view that is newer than its picture.
#[derive(Clone, Debug, Default)]
pub(super) struct EditedBands {
    /// Converted, so that the view has them.
    pub(super) ready: BandSet,
    /// Handed out to be changed.
    pub(super) changed: BandSet,
}

/// Parts of a picture that were converted by themselves. They stay where they are, so that they can be
/// looked at while others are added.
#[derive(Default)]
pub(super) struct Parts(OnceCell<Box<Part>>);

/// Some rows of a picture in a format.
pub(super) struct Part {
    pub(super) first_row: u32,
    pub(super) pixels: PixelBuffer,
    next: Parts,
}

/// So many parts are kept; beyond that the picture is converted as a whole.
const MOST_PARTS: usize = 8;

impl Parts {
    fn iter(&self) -> impl Iterator<Item = &Part> {
        let mut at = self;
        std::iter::from_fn(move || {
            let part = at.0.get()?;
            at = &part.next;
            Some(&**part)
        })
    }

    /// A part that has these rows.
    pub(super) fn find(&self, format: PixelFormat, rows: &Range<u32>) -> Option<&Part> {
        self.iter().find(|part| {
            let end = part.first_row + part.pixels.height();
            part.pixels.format() == format && part.first_row <= rows.start && rows.end <= end
        })
    }

    pub(super) fn is_full(&self) -> bool {
        self.iter().count() >= MOST_PARTS
    }

    pub(super) fn add(&self, first_row: u32, pixels: PixelBuffer) -> &Part {
        let mut at = self;
        while let Some(part) = at.0.get() {
            at = &part.next;
        }
        at.0.get_or_init(|| Box::new(Part { first_row, pixels, next: Parts::default() }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_are_in_bands(
            height in 1u32..100,
            inserted in prop::collection::vec((0u32..100, 0u32..100), 0..6),
            asked in (0u32..100, 1u32..100),
        ) {
            let mut set = BandSet::none(height);
            let within = |(from, length): (u32, u32)| {
                let from = from.min(height);
                from..(from + length).min(height)
            };
            let inserted: Vec<_> = inserted.into_iter().map(within).collect();
            inserted.iter().for_each(|rows| set.insert(rows));
            let has = |row: u32| {
                let band = row / BAND_ROWS;
                inserted.iter().any(|rows| {
                    !rows.is_empty()
                        && rows.start / BAND_ROWS <= band
                        && band <= (rows.end - 1) / BAND_ROWS
                })
            };
            let listed = |runs: Vec<Range<u32>>| runs.into_iter().flatten().collect::<Vec<u32>>();
            let expected: Vec<u32> = (0..height).filter(|row| has(*row)).collect();
            prop_assert_eq!(&listed(set.rows()), &expected);
            prop_assert_eq!(set.is_all(), expected.len() == height as usize);
            let asked = within(asked);
            let missing = listed(set.missing(&asked));
            prop_assert!(missing.iter().all(|row| !has(*row)));
            prop_assert!(asked.clone().all(|row| has(row) || missing.contains(&row)));
            prop_assert_eq!(set.span().len(), match (expected.first(), expected.last()) {
                (Some(first), Some(last)) => (last - first + 1) as usize,
                _ => 0,
            });
        }
    }
}
