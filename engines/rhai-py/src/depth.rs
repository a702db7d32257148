//! How deeply a value is nested.
//!
//! Values are nested up to what the large stack bears while a script runs. What leaves that stack must be shallow,
//! so that converting and dropping it works on any stack. Called on the large stack only.

use rhai::{Array, Dynamic, FnPtr, Map};

/// Deepest nesting that leaves a run. Python's own `repr`, `json` and `pickle` give up near 1,000.
pub const DEPTH: usize = 500;

/// Gives `value` back if it is nested at most `DEPTH` levels, else drops it.
pub fn shallow(value: Dynamic) -> Result<Dynamic, ()> {
    if fits(&value, DEPTH) { Ok(value) } else { Err(()) }
}

/// Whether a function is part of `value`, which may hold captured variables.
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
        // Not a level to Python, but one to the drop; a cycle of them ends here too. A locked one is in use by a
        // function that waits for us, so it is not ours to drop.
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
