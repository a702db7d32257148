//! How deeply a value is nested.
//!
//! While a script runs, its values may be nested as deeply as the large stack can bear. A value that leaves that stack
//! must be shallow, so that converting and dropping it works on any stack. These functions must be called on the large
//! stack.

use rhai::{Array, Dynamic, FnPtr, Map};

/// The deepest nesting of a value that leaves a run. Python's own `repr`, `json` and `pickle` give up near 1,000.
pub const DEPTH: usize = 500;

/// Returns `value` if it is nested at most `DEPTH` levels deep; otherwise drops it.
pub fn shallow(value: Dynamic) -> Result<Dynamic, ()> {
    if fits(&value, DEPTH) { Ok(value) } else { Err(()) }
}

/// Whether `value` contains a function, which may hold captured variables.
pub fn holds_pointer(value: &Dynamic) -> bool {
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().any(holds_pointer);
    }
    if let Some(items) = value.read_lock::<Map>() {
        return items.values().any(holds_pointer);
    }
    value.is_fnptr()
}

fn fits(value: &Dynamic, depth: usize) -> bool {
    if value.is_shared() {
        // Python does not see this as a level, but the drop does; counting it also ends a cycle of shared values.
        // A locked value is in use by a function that waits for this one, so this function will not drop it.
        return depth > 0 && value.read_lock::<Dynamic>().is_none_or(|inner| fits(&inner, depth - 1));
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.is_empty() || (depth > 0 && items.iter().all(|item| fits(item, depth - 1)));
    }
    if let Some(items) = value.read_lock::<Map>() {
        return items.is_empty() || (depth > 0 && items.values().all(|item| fits(item, depth - 1)));
    }
    if let Some(pointer) = value.read_lock::<FnPtr>() {
        return pointer.curry().is_empty() || (depth > 0 && pointer.curry().iter().all(|item| fits(item, depth - 1)));
    }
    true
}
