//! A cache of what is compiled from source text, bounded in number and size.
//!
//! It has two generations. A hit in the old generation moves the entry to the young one. When the young generation is
//! full, it becomes the old one and the former old one is dropped. So the cache keeps everything that was used within
//! the last half of the capacity, in constant time and without a linked list. Invariant: it holds at most `capacity`
//! entries and `MAX_SOURCE_BYTES` of source. A source larger than half of that is compiled each time, so that it does
//! not empty the cache.

use std::collections::HashMap;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Together with the compiled form (3 to 10 times the source) this bounds the cache to some tens of megabytes.
const MAX_SOURCE_BYTES: usize = 4 * 1024 * 1024;

/// What `Engine.cache_info()` reports.
pub struct CacheInfo {
    /// Lookups that found an entry.
    pub hits: u64,
    /// Lookups that did not.
    pub misses: u64,
    /// Entries now.
    pub size: usize,
    /// The most entries.
    pub capacity: usize,
}

struct Generations<T> {
    young: HashMap<Arc<str>, Arc<T>>,
    young_bytes: usize,
    old: HashMap<Arc<str>, Arc<T>>,
}

/// A bounded map from source text to what was compiled from it. Threads share it.
pub struct Cache<T> {
    generations: Mutex<Generations<T>>,
    capacity: usize,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl<T> Cache<T> {
    /// A cache for `capacity` entries; 0 turns it off.
    pub fn new(capacity: usize) -> Self {
        Self {
            generations: Mutex::new(Generations::empty()),
            capacity,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// The entry of `source`. If there is none, calls `compile`, which returns the entry and the text to keep it by.
    pub fn get_or_compile<E>(
        &self,
        source: &str,
        compile: impl FnOnce() -> Result<(Arc<str>, Arc<T>), E>,
    ) -> Result<Arc<T>, E> {
        if let Some(compiled) = self.find(source) {
            self.hits.fetch_add(1, Relaxed);
            return Ok(compiled);
        }
        self.misses.fetch_add(1, Relaxed);
        // Compiles outside of the lock: two threads may compile the same source, but no thread waits for another.
        let (key, compiled) = compile()?;
        if self.capacity > 0 && source.len() <= MAX_SOURCE_BYTES / 2 {
            self.lock().keep(key, compiled.clone(), self.capacity);
        }
        Ok(compiled)
    }

    /// Counters and size.
    pub fn info(&self) -> CacheInfo {
        let held = self.lock();
        CacheInfo {
            hits: self.hits.load(Relaxed),
            misses: self.misses.load(Relaxed),
            size: held.young.len() + held.old.len(),
            capacity: self.capacity,
        }
    }

    /// Removes every entry.
    pub fn clear(&self) {
        // Dropping compiled scripts takes long, so it happens after the lock is released.
        let dropped = mem::replace(&mut *self.lock(), Generations::empty());
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Generations<T>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, source: &str) -> Option<Arc<T>> {
        let mut held = self.lock();
        if let Some(compiled) = held.young.get(source) {
            return Some(compiled.clone());
        }
        let (key, compiled) = held.old.remove_entry(source)?;
        held.keep(key, compiled.clone(), self.capacity);
        Some(compiled)
    }
}

impl<T> Generations<T> {
    fn empty() -> Self {
        Self { young: HashMap::new(), young_bytes: 0, old: HashMap::new() }
    }

    fn keep(&mut self, key: Arc<str>, compiled: Arc<T>, capacity: usize) {
        if self.young.len() >= capacity.div_ceil(2) || self.young_bytes + key.len() > MAX_SOURCE_BYTES / 2 {
            self.old = mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        let bytes = key.len();
        if self.young.insert(key, compiled).is_none() {
            self.young_bytes += bytes;
        }
    }
}
