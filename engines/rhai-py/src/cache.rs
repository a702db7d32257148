//! Compiled scripts by their source, bounded in number and size.
//!
//! Two generations: a hit in the old one moves the entry to the young one, and when the young one is full it becomes
//! the old one and the former old one is dropped. That keeps what is used within the last half of the capacity, in
//! constant time and without a list to maintain. Invariant: at most `capacity` entries and `MAX_SOURCE_BYTES` of
//! source are held; a script larger than half of that is compiled each time instead of emptying the cache.

use std::collections::HashMap;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::program::Program;

/// Together with the compiled form (3 to 10 times the source) this bounds the cache to some tens of megabytes.
const MAX_SOURCE_BYTES: usize = 4 * 1024 * 1024;

#[derive(Default)]
struct Generations {
    young: HashMap<Arc<str>, Arc<Program>>,
    young_bytes: usize,
    old: HashMap<Arc<str>, Arc<Program>>,
}

/// What `Engine.cache_info()` reports.
pub struct CacheInfo {
    /// Lookups that found a compiled script.
    pub hits: u64,
    /// Lookups that did not.
    pub misses: u64,
    /// Scripts held now.
    pub size: usize,
    /// Scripts held at most.
    pub capacity: usize,
}

/// A bounded map from source text to compiled script.
pub struct Cache {
    generations: Mutex<Generations>,
    capacity: usize,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Cache {
    /// A cache for `capacity` scripts; 0 turns it off.
    pub fn new(capacity: usize) -> Self {
        Self { generations: Mutex::default(), capacity, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// The compiled script of `source`, compiling it with `compile` if it is not held.
    pub fn get_or_compile<E>(
        &self,
        source: &str,
        compile: impl FnOnce() -> Result<Arc<Program>, E>,
    ) -> Result<Arc<Program>, E> {
        if let Some(program) = self.find(source) {
            self.hits.fetch_add(1, Relaxed);
            return Ok(program);
        }
        self.misses.fetch_add(1, Relaxed);
        // Compiled outside of the lock: two threads may compile the same script once, none waits for another's parse.
        let program = compile()?;
        if self.capacity > 0 && source.len() <= MAX_SOURCE_BYTES / 2 {
            self.lock().keep(program.source.clone(), program.clone(), self.capacity);
        }
        Ok(program)
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

    /// Forgets every script.
    pub fn clear(&self) {
        let dropped = mem::take(&mut *self.lock());
        drop(dropped);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, source: &str) -> Option<Arc<Program>> {
        let mut held = self.lock();
        if let Some(program) = held.young.get(source) {
            return Some(program.clone());
        }
        let (key, program) = held.old.remove_entry(source)?;
        held.keep(key, program.clone(), self.capacity);
        Some(program)
    }
}

impl Generations {
    fn keep(&mut self, key: Arc<str>, program: Arc<Program>, capacity: usize) {
        if self.young.len() >= capacity.div_ceil(2) || self.young_bytes + key.len() > MAX_SOURCE_BYTES / 2 {
            self.old = mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        let bytes = key.len();
        if self.young.insert(key, program).is_none() {
            self.young_bytes += bytes;
        }
    }
}
