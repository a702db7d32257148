//! Cutting text that is too long.

/// The longest prefix of `text` that has at most `max_bytes` and ends between two characters.
pub fn prefix(text: &str, max_bytes: usize) -> &str {
    let mut end = max_bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
