//! How deeply a value is nested, and how values are dropped.
//!
//! While a script runs, its values may be nested as deeply as the large stack can bear. A value that leaves that stack
//! must be shallow, so that converting it works on any stack. `fits` and `shallow` must be called on the large stack.
//! A function may capture variables that grow after it has left, so whatever may hold a function is dropped with
//! `discard`, on a large stack.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ptr;

use rhai::{Array, Dynamic, FnPtr, Map};

use crate::bounds::stack;

/// The deepest nesting of a value that leaves a run. Python's own `repr`, `json` and `pickle` give up near 1,000.
pub const DEPTH: usize = 500;

thread_local! {
    /// Functions that wait to be dropped while another one is being dropped on this thread.
    static WAITING: RefCell<Option<Vec<FnPtr>>> = const { RefCell::new(None) };
}

/// Returns `value` if it is nested at most `DEPTH` levels deep; otherwise drops it.
pub fn shallow(value: Dynamic) -> Result<Dynamic, ()> {
    if fits(&value) { Ok(value) } else { Err(()) }
}

/// Whether `value` is nested at most `DEPTH` levels deep.
pub fn fits(value: &Dynamic) -> bool {
    Walk::default().fits(value, DEPTH)
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

/// Drops values that have left a run. Works on any stack.
pub fn discard(values: impl IntoIterator<Item = Dynamic>) {
    let held: Vec<_> = values.into_iter().filter(|value| value.is_shared() || holds_pointer(value)).collect();
    if !held.is_empty() {
        stack::on_large(|_| drop(held), |()| true);
    }
}

/// Drops a function that has left a run. Works on any stack.
///
/// What a function has captured may hold Python objects that hold the next function, and so on. So a function that is
/// dropped because of another one waits until that one is gone, instead of being dropped within it.
pub fn discard_pointer(pointer: FnPtr) {
    if !pointer.is_curried() {
        return;
    }
    let mut next = Some(pointer);
    let outermost = WAITING.try_with(|waiting| match &mut *waiting.borrow_mut() {
        Some(list) => {
            list.extend(next.take());
            false
        }
        none => {
            *none = Some(Vec::new());
            true
        }
    });
    while let Some(pointer) = next {
        stack::on_large(|_| drop(pointer), |()| true);
        next = WAITING.try_with(|waiting| waiting.borrow_mut().as_mut().and_then(Vec::pop)).ok().flatten();
    }
    if outermost == Ok(true) {
        let _ending = WAITING.try_with(|waiting| waiting.replace(None));
    }
}

/// A walk through a value. A script can share a captured variable in any number of places, so the walk remembers where
/// it was: without that, a hundred variables that each hold the next one twice would take it 2 ** 100 steps.
#[derive(Default)]
struct Walk {
    /// The levels that were left when a captured variable was found to fit, by its address.
    seen: HashMap<*const Dynamic, usize>,
}

impl Walk {
    fn fits(&mut self, value: &Dynamic, depth: usize) -> bool {
        if value.is_shared() {
            // Python does not see this as a level, but the drop does; counting it also ends a cycle of shared values.
            // A locked value is in use by a function that waits for this one, so this function will not drop it.
            let Some(inner) = value.read_lock::<Dynamic>() else {
                return true;
            };
            let place = ptr::from_ref(&*inner);
            if self.seen.get(&place).is_some_and(|enough| depth >= *enough) {
                return true;
            }
            if depth == 0 || !self.fits(&inner, depth - 1) {
                return false;
            }
            self.seen.insert(place, depth);
            return true;
        }
        if let Some(items) = value.read_lock::<Array>() {
            return items.is_empty() || (depth > 0 && items.iter().all(|item| self.fits(item, depth - 1)));
        }
        if let Some(items) = value.read_lock::<Map>() {
            return items.is_empty() || (depth > 0 && items.values().all(|item| self.fits(item, depth - 1)));
        }
        if let Some(pointer) = value.read_lock::<FnPtr>() {
            let curry = pointer.curry();
            return curry.is_empty() || (depth > 0 && curry.iter().all(|item| self.fits(item, depth - 1)));
        }
        true
    }
}
