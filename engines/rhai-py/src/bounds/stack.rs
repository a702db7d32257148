//! A large stack for the parser and the evaluator.
//!
//! The parser and the evaluator recurse as deeply as source and data are nested, and so do clone, comparison and drop
//! of a value. On a thread's own 8 MiB, a script such as `loop { a = [a] }` would end the process. So every evaluation
//! runs on a mapped stack of its own, which costs address space and only as much memory as the script touches.
//! `meter.rs` limits the depth of data to what that stack can bear. Python code goes back to the stack of its thread
//! (`at_home`), because CPython may check addresses against the bounds that it knows.
//! Invariant: no panic crosses a switch of stacks. Each is caught on the stack where it happens and resumed on the
//! other one.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;

/// Address space, not memory; `Room` says how it is used.
const STACK_BYTES: usize = 2 << 30;
/// Where address space is scarce (`ulimit -v`, strict overcommit), `map` tries smaller stacks down to this size.
const LEAST_BYTES: usize = 16 << 20;
/// What a thread's own stack is assumed to offer if no stack can be mapped.
const OWN_BYTES: usize = 1 << 20;
/// Lets the kernel count the mapping as a stack. As data it would use up a limit of data (RLIMIT_DATA, which `memory_max`
/// of an actor sets), although most of it is never touched.
const AS_STACK: libc::c_int = if cfg!(target_os = "linux") { 0x100 } else { 0 };
const GUARD_BYTES: usize = 64 << 10;
/// Memory at the top of the stack that is kept between two runs: as much as a usual script touches.
pub const WARM_BYTES: usize = 256 << 10;
/// Space left free below the stack pointer of the home stack; a red zone is 128 bytes.
const SLACK_BYTES: usize = 256;

thread_local! {
    static SPARE: RefCell<Option<Stack>> = const { RefCell::new(None) };
    /// The stack pointer of the thread's own stack while a large one is in use, otherwise 0.
    static HOME: Cell<usize> = const { Cell::new(0) };
    /// The large stack in use; null if there is none.
    static IN_USE: Cell<*const Stack> = const { Cell::new(ptr::null()) };
}

/// How a stack is divided.
#[derive(Clone, Copy)]
pub struct Room {
    /// The highest address; the stack grows down from here.
    pub top: usize,
    /// What nested evaluation and parsing may use.
    pub evaluation_bytes: usize,
    /// What recursion over nested data may use in addition.
    pub data_bytes: usize,
}

impl Room {
    fn of(top: usize, bytes: usize) -> Self {
        // A usual call takes 1 to 2 KiB, so this is enough for any sensible `call_levels`.
        let evaluation_bytes = (bytes / 4).min(256 << 20);
        Self { top, evaluation_bytes, data_bytes: bytes - evaluation_bytes - GUARD_BYTES }
    }
}

/// Approximately the current stack pointer.
#[inline(always)]
pub fn pointer() -> usize {
    let here = 0_u8;
    ptr::from_ref(std::hint::black_box(&here)) as usize
}

/// Whether a run of this thread is on its large stack, and not back at home in Python code.
pub fn is_large() -> bool {
    HOME.get() != 0
}

/// A mapped stack; its lowest pages are inaccessible.
struct Stack {
    base: Cell<*mut c_void>,
    bytes: Cell<usize>,
    /// Whether a part of it was given up.
    released: Cell<bool>,
}

impl Stack {
    fn map() -> Option<Self> {
        let mut bytes = STACK_BYTES;
        while bytes >= LEAST_BYTES {
            // SAFETY: a fresh private mapping at an address that the kernel picks.
            let base = unsafe {
                libc::mmap(
                    ptr::null_mut(),
                    bytes,
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | AS_STACK,
                    -1,
                    0,
                )
            };
            if base != libc::MAP_FAILED {
                // SAFETY: the lowest pages of the mapping just made.
                unsafe { libc::mprotect(base, GUARD_BYTES, libc::PROT_NONE) };
                return Some(Self { base: Cell::new(base), bytes: Cell::new(bytes), released: Cell::new(false) });
            }
            bytes /= 2;
        }
        None
    }

    fn top(&self) -> usize {
        self.base.get() as usize + self.bytes.get()
    }

    /// Unmaps all but the upper `bytes`. Neither allocates nor locks. Returns whether that was worth it.
    fn release(&self, bytes: usize) -> bool {
        let keep = bytes.saturating_add(GUARD_BYTES).next_multiple_of(GUARD_BYTES);
        let Some(unused) = self.bytes.get().checked_sub(keep).filter(|unused| *unused >= LEAST_BYTES) else {
            return false;
        };
        let base = self.base.get();
        // SAFETY: the lower part of the mapping, which nothing uses; the stack grows down from the other end.
        unsafe {
            libc::munmap(base, unused);
            self.base.set(base.byte_add(unused));
            libc::mprotect(self.base.get(), GUARD_BYTES, libc::PROT_NONE);
        }
        self.bytes.set(keep);
        self.released.set(true);
        true
    }

    /// Gives the touched pages back to the kernel, except for `WARM_BYTES` at the top.
    fn cool(&self) {
        let cold = self.bytes.get() - GUARD_BYTES - WARM_BYTES;
        // SAFETY: the range is inside of the mapping and above the guard; nothing runs on this stack.
        unsafe { libc::madvise(self.base.get().byte_add(GUARD_BYTES), cold, libc::MADV_DONTNEED) };
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: unmaps what `map` mapped; a stack is dropped only when nothing runs on it.
        unsafe { libc::munmap(self.base.get(), self.bytes.get()) };
    }
}

/// Runs `f` on a large stack. `f` gets the division of that stack; `deep` says whether `f` may have used much of it.
///
/// # Panics
/// Resumes a panic of `f`.
pub fn on_large<R>(f: impl FnOnce(Room) -> R, deep: impl FnOnce(&R) -> bool) -> R {
    // A nested run takes a second stack, because the first is in use beneath it.
    // `try_with`, because a thread that is ending no longer has a spare.
    let spare = SPARE.try_with(RefCell::take).ok().flatten();
    let Some(stack) = spare.or_else(Stack::map) else {
        return f(Room::of(pointer(), OWN_BYTES));
    };
    let home = HOME.get();
    let outer = IN_USE.replace(&raw const stack);
    let result = run_at(stack.top(), |here| {
        HOME.set(here);
        f(Room::of(stack.top(), stack.bytes.get()))
    });
    HOME.set(home);
    IN_USE.set(outer);
    match result {
        Ok(result) => {
            if deep(&result) {
                stack.cool();
            }
            if !stack.released.get() {
                let _ending = SPARE.try_with(|spare| spare.replace(Some(stack)));
            }
            result
        }
        Err(panic) => resume_unwind(panic),
    }
}

/// Gives up the part of the stack in use that a run does not need, whose data needs `data_bytes` for recursion.
/// Returns whether there was such a part. The allocator calls it.
pub fn release(data_bytes: usize) -> bool {
    let stack = IN_USE.get();
    // SAFETY: non-null only while `on_large` waits for its call and keeps the stack.
    unsafe { stack.as_ref() }.is_some_and(|stack| {
        let evaluation_bytes = Room::of(stack.top(), stack.bytes.get()).evaluation_bytes;
        stack.release(evaluation_bytes.saturating_add(data_bytes))
    })
}

/// Runs `f` on the thread's own stack, whether or not the caller is inside of `on_large`.
///
/// # Panics
/// Resumes a panic of `f`.
pub fn at_home<R>(f: impl FnOnce() -> R) -> R {
    let home = HOME.replace(0);
    if home == 0 {
        return f();
    }
    let result = run_at((home - SLACK_BYTES) & !15, |_| f());
    HOME.set(home);
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

struct Call<F, R> {
    body: Option<F>,
    result: MaybeUninit<Result<R, Box<dyn Any + Send>>>,
}

/// Calls `f` with the stack pointer at `top`. `f` gets the stack pointer from before.
fn run_at<R>(top: usize, f: impl FnOnce(usize) -> R) -> Result<R, Box<dyn Any + Send>> {
    unsafe extern "C" fn enter<F: FnOnce(usize) -> R, R>(data: *mut c_void, from: usize) {
        // SAFETY: `data` is the `Call` of the frame that called `switch` and waits for this function.
        let call = unsafe { &mut *data.cast::<Call<F, R>>() };
        if let Some(body) = call.body.take() {
            call.result.write(catch_unwind(AssertUnwindSafe(|| body(from))));
        }
    }
    fn enter_of<F: FnOnce(usize) -> R, R>(_: &Call<F, R>) -> Enter {
        enter::<F, R>
    }
    let mut call = Call { body: Some(f), result: MaybeUninit::uninit() };
    let enter = enter_of(&call);
    // SAFETY: `top` is the aligned top of an unused part of a stack, `enter` fits `data` and does not unwind.
    unsafe { switch(top, ptr::from_mut(&mut call).cast(), enter) };
    // SAFETY: `enter` has written the result.
    unsafe { call.result.assume_init() }
}

/// Gets the data and the stack pointer from before the switch.
type Enter = unsafe extern "C" fn(*mut c_void, usize);

unsafe extern "C" {
    /// Calls `enter(data, from)` with the stack pointer at `top`; `from` is the stack pointer from before.
    #[link_name = "rhai_py_switch_stack"]
    fn switch(top: usize, data: *mut c_void, enter: Enter);
}

// A naked function would say the same, but needs Rust 1.88; Debian 13 has 1.85. Each is in a section of its own and
// hidden, as the compiler would do it, so that no other library can take its place.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".pushsection .text.rhai_py_switch_stack, \"ax\", @progbits",
    ".balign 16",
    ".globl rhai_py_switch_stack",
    ".hidden rhai_py_switch_stack",
    ".type rhai_py_switch_stack, @function",
    "rhai_py_switch_stack:",
    "push rbp",
    "mov rbp, rsp",
    "mov rsp, rdi",
    "mov rdi, rsi",
    "mov rsi, rbp",
    "call rdx",
    "mov rsp, rbp",
    "pop rbp",
    "ret",
    ".size rhai_py_switch_stack, . - rhai_py_switch_stack",
    ".popsection",
);

#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".pushsection .text.rhai_py_switch_stack, \"ax\", @progbits",
    ".balign 4",
    ".globl rhai_py_switch_stack",
    ".hidden rhai_py_switch_stack",
    ".type rhai_py_switch_stack, @function",
    "rhai_py_switch_stack:",
    "stp x29, x30, [sp, #-16]!",
    "mov x29, sp",
    "mov sp, x0",
    "mov x0, x1",
    "mov x1, x29",
    "blr x2",
    "mov sp, x29",
    "ldp x29, x30, [sp], #16",
    "ret",
    ".size rhai_py_switch_stack, . - rhai_py_switch_stack",
    ".popsection",
);
