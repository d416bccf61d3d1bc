//! The frame that is on its way out.

use super::message::Message;

/// One frame of at most `N` bytes, and how much of it the line has taken.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Outbox<const N: usize> {
    bytes: [u8; N],
    length: usize,
    taken: usize,
}

impl<const N: usize> Outbox<N> {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; N], length: 0, taken: 0 }
    }

    /// Puts a message in. It fits: `N` is the size of the longest frame of its direction.
    pub(super) fn put<M: Message>(&mut self, message: &M) {
        self.taken = 0;
        self.length = message.encode(&mut self.bytes).map_or(0, <[u8]>::len);
    }

    /// Puts in the bytes of a frame that was encoded before.
    pub(super) fn put_bytes(&mut self, frame: &[u8]) {
        self.taken = 0;
        self.length = 0;
        if let Some(front) = self.bytes.get_mut(..frame.len()) {
            front.copy_from_slice(frame);
            self.length = frame.len();
        }
    }

    /// What the line has not taken yet.
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.taken..self.length).unwrap_or_default()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.taken >= self.length
    }

    pub(super) fn take(&mut self, bytes: usize) {
        self.taken = self.taken.saturating_add(bytes).min(self.length);
    }

    pub(super) const fn clear(&mut self) {
        self.length = 0;
    }
}
