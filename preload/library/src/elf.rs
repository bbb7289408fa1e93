//! Symbols of modules that the dynamic linker has loaded.

use core::ffi::{c_char, c_int, c_void};

/// A program header.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Segment {
    pub kind: u32,
    pub flags: u32,
    pub offset: u64,
    pub address: u64,
    pub physical: u64,
    pub file_bytes: u64,
    pub memory_bytes: u64,
    pub align: u64,
}

pub const PT_LOAD: u32 = 1;
pub const PT_DYNAMIC: u32 = 2;
pub const PT_NOTE: u32 = 4;
pub const PT_GNU_EH_FRAME: u32 = 0x6474_e550;

/// What `dl_iterate_phdr` says of a module; longer in newer C libraries.
#[repr(C)]
struct Info {
    base: u64,
    name: *const c_char,
    segments: *const Segment,
    segment_count: u16,
}

unsafe extern "C" {
    fn dl_iterate_phdr(
        callback: unsafe extern "C" fn(*const Info, usize, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
}

/// A loaded module.
pub struct Module {
    base: u64,
    segments: &'static [Segment],
}

/// Calls `visit` for every loaded module in their order, until it returns false.
pub fn for_each_module(visit: &mut dyn FnMut(&Module) -> bool) {
    unsafe extern "C" fn callback(info: *const Info, _: usize, data: *mut c_void) -> c_int {
        // SAFETY: `data` is the reference below; the linker describes a loaded module.
        unsafe {
            let visit = &mut *data.cast::<&mut dyn FnMut(&Module) -> bool>();
            let info = &*info;
            if info.segments.is_null() {
                return 0;
            }
            let segments =
                core::slice::from_raw_parts(info.segments, usize::from(info.segment_count));
            c_int::from(!visit(&Module { base: info.base, segments }))
        }
    }
    let mut visit = visit;
    // SAFETY: the callback gets what it expects; the linker holds its lock meanwhile.
    unsafe { dl_iterate_phdr(callback, (&raw mut visit).cast()) };
}

/// The tables of a module's dynamic symbols.
#[derive(Default)]
pub struct Symbols {
    base: u64,
    names: u64,
    symbols: u64,
    versions: u64,
    gnu_hash: u64,
    hash: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Symbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: u64,
    size: u64,
}

impl Module {
    /// Whether `address` is in it.
    pub fn has(&self, address: u64) -> bool {
        self.segments.iter().any(|segment| {
            segment.kind == PT_LOAD
                && address.wrapping_sub(self.base.wrapping_add(segment.address))
                    < segment.memory_bytes
        })
    }

    /// Its dynamic symbols.
    pub fn symbols(&self) -> Option<Symbols> {
        let dynamic = self.segments.iter().find(|segment| segment.kind == PT_DYNAMIC)?;
        let mut entry = self.base.wrapping_add(dynamic.address) as *const [u64; 2];
        let mut found = Symbols { base: self.base, ..Symbols::default() };
        for _ in 0..dynamic.memory_bytes / 16 {
            // SAFETY: inside the dynamic segment of a loaded module.
            let [tag, value] = unsafe { entry.read() };
            // Some linkers have made addresses of the offsets, some (and the vDSO) have not.
            let address = if value < self.base { self.base.wrapping_add(value) } else { value };
            match tag {
                0 => break,
                4 => found.hash = address,
                5 => found.names = address,
                6 => found.symbols = address,
                0x6fff_fef5 => found.gnu_hash = address,
                0x6fff_fff0 => found.versions = address,
                _ => {}
            }
            // SAFETY: at most one behind the segment, which is not read.
            entry = unsafe { entry.add(1) };
        }
        (found.names != 0 && found.symbols != 0).then_some(found)
    }
}

impl Symbols {
    /// The address of a function by its name with a NUL: its default version, else any.
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        let mut best = None;
        let mut consider = |index: u32| {
            if best.is_none_or(|(_, hidden)| hidden)
                && let Some(found) = self.at(index, name)
            {
                best = Some(found);
            }
        };
        if self.gnu_hash != 0 {
            self.chain_gnu(name, &mut consider);
        } else if self.hash != 0 {
            self.chain(name, &mut consider);
        }
        best.map(|(address, _)| address)
    }

    /// The function at `index` if it has this name, and whether its version is not the default.
    fn at(&self, index: u32, name: &[u8]) -> Option<(usize, bool)> {
        // SAFETY: hash chains lead to symbols of the table only.
        let symbol = unsafe { (self.symbols as *const Symbol).add(index as usize).read() };
        const STT_NOTYPE: u8 = 0;
        const STT_FUNC: u8 = 2;
        const STT_GNU_IFUNC: u8 = 10;
        let kind = symbol.info & 15;
        if symbol.section == 0 || ![STT_NOTYPE, STT_FUNC, STT_GNU_IFUNC].contains(&kind) {
            return None;
        }
        let at = (self.names + u64::from(symbol.name)) as *const u8;
        // SAFETY: names end with a NUL, at which the comparison ends at the latest.
        let same = (0..name.len()).all(|byte| unsafe { at.add(byte).read() } == name[byte]);
        if !same {
            return None;
        }
        let address = self.base.wrapping_add(symbol.value) as usize;
        let address = if kind == STT_GNU_IFUNC {
            // SAFETY: such a symbol is a function that returns the function.
            unsafe { core::mem::transmute::<usize, extern "C" fn() -> usize>(address)() }
        } else {
            address
        };
        // SAFETY: one version for each symbol.
        let hidden = self.versions != 0
            && unsafe { (self.versions as *const u16).add(index as usize).read() } & 0x8000 != 0;
        Some((address, hidden))
    }

    fn chain_gnu(&self, name: &[u8], consider: &mut dyn FnMut(u32)) {
        let hash = name[..name.len() - 1]
            .iter()
            .fold(5381u32, |hash, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)));
        // SAFETY: the table as the linker of the module wrote it.
        unsafe {
            let table = self.gnu_hash as *const u32;
            let (buckets, first, bloom) = (table.read(), table.add(1).read(), table.add(2).read());
            let buckets_at = table.add(4 + 2 * bloom as usize);
            if buckets == 0 {
                return;
            }
            let mut index = buckets_at.add((hash % buckets) as usize).read();
            if index < first {
                return;
            }
            let chain = buckets_at.add(buckets as usize);
            loop {
                let entry = chain.add((index - first) as usize).read();
                if entry | 1 == hash | 1 {
                    consider(index);
                }
                if entry & 1 != 0 {
                    return;
                }
                index += 1;
            }
        }
    }

    fn chain(&self, name: &[u8], consider: &mut dyn FnMut(u32)) {
        let hash = name[..name.len() - 1].iter().fold(0u32, |hash, byte| {
            let hash = (hash << 4).wrapping_add(u32::from(*byte));
            let high = hash & 0xf000_0000;
            (hash ^ (high >> 24)) & !high
        });
        // SAFETY: the table as the linker of the module wrote it.
        unsafe {
            let table = self.hash as *const u32;
            let buckets = table.read();
            if buckets == 0 {
                return;
            }
            let mut index = table.add(2 + (hash % buckets) as usize).read();
            while index != 0 {
                consider(index);
                index = table.add(2 + (buckets + index) as usize).read();
            }
        }
    }
}
