//! `ExactText`: text in a buffer of a chosen size.
//!
//! Strings of the crate copy any other text that they are made of, so such a text is in memory twice. And their buffers
//! grow by doubling only. So this buffer starts with a size that, doubled several times, gives just the wanted size.

use rhai::{Identifier, ImmutableString};

/// The least size of the first buffer; below it, a wrong size costs nothing.
const FIRST_BYTES: usize = 2048;
/// A longer text is in a buffer, a shorter one within the string itself.
const INLINE_BYTES: usize = 23;

/// A growing text.
#[derive(Default)]
pub struct ExactText {
    /// The first bytes, until they are more than `INLINE_BYTES`.
    seed: String,
    /// The size of the first buffer.
    first: usize,
    text: Option<Identifier>,
}

impl ExactText {
    /// A text that will have about `bytes` bytes.
    pub fn sized(bytes: usize) -> Self {
        let doublings = (bytes / FIRST_BYTES).checked_ilog2().unwrap_or(0);
        Self { first: bytes.div_ceil(1 << doublings), ..Self::default() }
    }

    /// Bytes of the text.
    pub fn len(&self) -> usize {
        self.text.as_ref().map_or(self.seed.len(), |text| text.len())
    }

    /// Bytes by which the buffer must grow to take `more` bytes.
    pub fn growth(&self, more: usize) -> usize {
        let capacity = self.text.as_ref().map_or(0, |text| text.capacity());
        let (need, mut grown) = (self.len().saturating_add(more), capacity.max(self.first).max(1));
        while grown < need {
            grown = grown.saturating_mul(2);
        }
        grown - capacity
    }

    /// Appends `part`.
    pub fn push(&mut self, part: &str) {
        if let Some(text) = &mut self.text {
            return text.push_str(part);
        }
        let mut end = part.len().min(INLINE_BYTES + 1);
        while !part.is_char_boundary(end) {
            end += 1;
        }
        self.seed.push_str(&part[..end]);
        if self.seed.len() > INLINE_BYTES {
            let mut sized = String::with_capacity(self.first.max(self.seed.len()));
            sized.push_str(&self.seed);
            let text = self.text.insert(Identifier::from(sized));
            text.push_str(&part[end..]);
        }
    }

    /// The text as a string of a script.
    pub fn into_text(self) -> ImmutableString {
        match self.text {
            Some(mut text) => {
                if text.capacity() > text.len() + text.len() / 8 {
                    text.shrink_to_fit();
                }
                text.into()
            }
            None => self.seed.into(),
        }
    }
}
