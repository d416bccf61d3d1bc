//! Memory that starts at a cache line, without `unsafe`: a vector with some room before its first used element.

use alloc::vec::Vec;

const LINE: usize = 64;

/// `len` elements, the first of which lies at a multiple of 64 bytes.
#[derive(Debug)]
pub(super) struct Aligned<T> {
    all: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default> Aligned<T> {
    pub(super) fn new(len: usize) -> Self {
        let all = alloc::vec![T::default(); len + LINE / size_of::<T>().max(1)];
        let start = all.as_ptr().align_offset(LINE).min(all.len() - len);
        Self { all, start, len }
    }

    pub(super) fn from_slice(values: &[T]) -> Self {
        let mut aligned = Self::new(values.len());
        aligned.as_mut_slice().copy_from_slice(values);
        aligned
    }

    pub(super) fn as_slice(&self) -> &[T] {
        &self.all[self.start..][..self.len]
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.all[self.start..][..self.len]
    }
}
