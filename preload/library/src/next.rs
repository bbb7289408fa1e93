//! The real functions: the first after this library in the order of loading.
//!
//! `dlsym(RTLD_NEXT)` would not do: it allocates, sets an error text, and does not see a C++
//! library that came in with a plugin, whose calls of `new` come here all the same.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use crate::{clock, elf, sys};

macro_rules! functions {
    ($($name:ident = $symbol:literal,)+) => {
        /// A function that is stood in for.
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[allow(non_camel_case_types)]
        pub enum Function { $($name,)+ }

        const NAMES: &[&[u8]] = &[$(concat!($symbol, "\0").as_bytes(),)+];
    };
}

functions! {
    malloc = "malloc",
    free = "free",
    calloc = "calloc",
    realloc = "realloc",
    reallocarray = "reallocarray",
    posix_memalign = "posix_memalign",
    aligned_alloc = "aligned_alloc",
    memalign = "memalign",
    valloc = "valloc",
    pvalloc = "pvalloc",
    free_sized = "free_sized",
    free_aligned_sized = "free_aligned_sized",
    dlclose = "dlclose",
    new = "_Znwm",
    new_array = "_Znam",
    new_nothrow = "_ZnwmRKSt9nothrow_t",
    new_array_nothrow = "_ZnamRKSt9nothrow_t",
    new_aligned = "_ZnwmSt11align_val_t",
    new_array_aligned = "_ZnamSt11align_val_t",
    new_aligned_nothrow = "_ZnwmSt11align_val_tRKSt9nothrow_t",
    new_array_aligned_nothrow = "_ZnamSt11align_val_tRKSt9nothrow_t",
    delete = "_ZdlPv",
    delete_array = "_ZdaPv",
    delete_sized = "_ZdlPvm",
    delete_array_sized = "_ZdaPvm",
    delete_nothrow = "_ZdlPvRKSt9nothrow_t",
    delete_array_nothrow = "_ZdaPvRKSt9nothrow_t",
    delete_aligned = "_ZdlPvSt11align_val_t",
    delete_array_aligned = "_ZdaPvSt11align_val_t",
    delete_sized_aligned = "_ZdlPvmSt11align_val_t",
    delete_array_sized_aligned = "_ZdaPvmSt11align_val_t",
    delete_aligned_nothrow = "_ZdlPvSt11align_val_tRKSt9nothrow_t",
    delete_array_aligned_nothrow = "_ZdaPvSt11align_val_tRKSt9nothrow_t",
}

/// Functions from here on are of a C++ library, which may come and go with plugins.
const FIRST_OF_CXX: usize = Function::new as usize;

static FOUND: [AtomicUsize; NAMES.len()] = [const { AtomicUsize::new(0) }; NAMES.len()];
/// Thread that is looking for functions; 0 is none.
static LOOKING: AtomicU32 = AtomicU32::new(0);

/// The address of the real function; 0 when there is none, or while this thread looks for it.
#[inline(always)]
pub fn find(function: Function) -> usize {
    match FOUND[function as usize].load(Ordering::Relaxed) {
        0 => find_slowly(function),
        found => found,
    }
}

#[cold]
#[inline(never)]
fn find_slowly(function: Function) -> usize {
    resolve();
    FOUND[function as usize].load(Ordering::Relaxed)
}

/// Whether this thread is looking for functions right now.
pub fn is_looking() -> bool {
    LOOKING.load(Ordering::Relaxed) == sys::thread_id()
}

/// Looks for all functions that have not been found.
pub fn resolve() {
    let tid = sys::thread_id();
    if LOOKING.load(Ordering::Relaxed) == tid {
        return;
    }
    // Threads may look at the same time: they find the same.
    LOOKING.store(tid, Ordering::Relaxed);
    let own = (&raw const LOOKING) as u64;
    let mut is_after = false;
    elf::for_each_module(&mut |module| {
        let Some(symbols) = module.symbols() else { return true };
        if clock::GETTIME.load(Ordering::Relaxed) == 0
            && let Some(address) = symbols.find(clock::GETTIME_NAME)
        {
            clock::GETTIME.store(address, Ordering::Relaxed);
        }
        if is_after {
            for (name, found) in NAMES.iter().zip(&FOUND) {
                if found.load(Ordering::Relaxed) == 0
                    && let Some(address) = symbols.find(name)
                {
                    found.store(address, Ordering::Relaxed);
                }
            }
        }
        is_after |= module.has(own);
        true
    });
    LOOKING.store(0, Ordering::Relaxed);
}

/// Forgets what may have been unloaded.
pub fn forget_unloadable() {
    for found in &FOUND[FIRST_OF_CXX..] {
        found.store(0, Ordering::Relaxed);
    }
}
