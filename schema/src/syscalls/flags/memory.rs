//! Flags of calls on memory.
use super::{Names, Table, names};
use crate::syscalls::{Arch, Kind};

pub(super) fn table(kind: Kind, arch: Arch) -> Option<&'static Table> {
    Some(match (kind, arch) {
        (Kind::MmapProt, Arch::X86_64) => &PROT_X86,
        (Kind::MmapProt, Arch::Aarch64) => &PROT_ARM,
        (Kind::MmapFlags, Arch::X86_64) => &MAP_X86,
        (Kind::MmapFlags, Arch::Aarch64) => &MAP_ARM,
        (Kind::MremapFlags, _) => &MREMAP,
        (Kind::MsyncFlags, _) => &MSYNC,
        (Kind::Mlock2Flags, _) => &MLOCK2,
        (Kind::MlockallFlags, _) => &MLOCKALL,
        (Kind::Madvise, _) => &MADVISE,
        (Kind::NumaPolicy, _) => &NUMA_POLICY,
        _ => return None,
    })
}

static PROT_X86: Table = Table::any_of(names! {
    PROT_NONE = 0, PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4, PROT_SEM = 8,
    PROT_GROWSDOWN = 0x1000000, PROT_GROWSUP = 0x2000000,
});

static PROT_ARM: Table = Table::any_of(names! {
    PROT_NONE = 0, PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4, PROT_SEM = 8, PROT_BTI = 0x10,
    PROT_MTE = 0x20, PROT_GROWSDOWN = 0x1000000, PROT_GROWSUP = 0x2000000,
});

const MAP_TYPE: Names =
    names! { MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_SHARED_VALIDATE = 3, MAP_DROPPABLE = 8 };

static MAP_X86: Table = Table::mixed(
    0xf,
    MAP_TYPE,
    names! {
        MAP_HUGE_1GB = 0x78000000, MAP_HUGE_2MB = 0x54000000, MAP_FIXED = 0x10,
        MAP_ANONYMOUS = 0x20, MAP_32BIT = 0x40, MAP_ABOVE4G = 0x80, MAP_GROWSDOWN = 0x100,
        MAP_DENYWRITE = 0x800, MAP_EXECUTABLE = 0x1000, MAP_LOCKED = 0x2000, MAP_NORESERVE = 0x4000,
        MAP_POPULATE = 0x8000, MAP_NONBLOCK = 0x10000, MAP_STACK = 0x20000, MAP_HUGETLB = 0x40000,
        MAP_SYNC = 0x80000, MAP_FIXED_NOREPLACE = 0x100000,
    },
);

static MAP_ARM: Table = Table::mixed(
    0xf,
    MAP_TYPE,
    names! {
        MAP_HUGE_1GB = 0x78000000, MAP_HUGE_2MB = 0x54000000, MAP_FIXED = 0x10,
        MAP_ANONYMOUS = 0x20, MAP_GROWSDOWN = 0x100, MAP_DENYWRITE = 0x800, MAP_EXECUTABLE = 0x1000,
        MAP_LOCKED = 0x2000, MAP_NORESERVE = 0x4000, MAP_POPULATE = 0x8000, MAP_NONBLOCK = 0x10000,
        MAP_STACK = 0x20000, MAP_HUGETLB = 0x40000, MAP_SYNC = 0x80000,
        MAP_FIXED_NOREPLACE = 0x100000,
    },
);

static MREMAP: Table = Table::any_of(names! {
    MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2, MREMAP_DONTUNMAP = 4,
});

static MSYNC: Table = Table::any_of(names! { MS_ASYNC = 1, MS_INVALIDATE = 2, MS_SYNC = 4 });
static MLOCK2: Table = Table::any_of(names! { MLOCK_ONFAULT = 1 });

static MLOCKALL: Table = Table::any_of(names! { MCL_CURRENT = 1, MCL_FUTURE = 2, MCL_ONFAULT = 4 });

static MADVISE: Table = Table::one_of(names! {
    MADV_NORMAL = 0, MADV_RANDOM = 1, MADV_SEQUENTIAL = 2, MADV_WILLNEED = 3, MADV_DONTNEED = 4,
    MADV_FREE = 8, MADV_REMOVE = 9, MADV_DONTFORK = 10, MADV_DOFORK = 11, MADV_MERGEABLE = 12,
    MADV_UNMERGEABLE = 13, MADV_HUGEPAGE = 14, MADV_NOHUGEPAGE = 15, MADV_DONTDUMP = 16,
    MADV_DODUMP = 17, MADV_WIPEONFORK = 18, MADV_KEEPONFORK = 19, MADV_COLD = 20,
    MADV_PAGEOUT = 21, MADV_POPULATE_READ = 22, MADV_POPULATE_WRITE = 23,
    MADV_DONTNEED_LOCKED = 24, MADV_COLLAPSE = 25, MADV_HWPOISON = 100,
    MADV_SOFT_OFFLINE = 101, MADV_GUARD_INSTALL = 102, MADV_GUARD_REMOVE = 103,
});

static NUMA_POLICY: Table = Table::mixed(
    0xfff,
    names! {
        MPOL_DEFAULT = 0, MPOL_PREFERRED = 1, MPOL_BIND = 2, MPOL_INTERLEAVE = 3, MPOL_LOCAL = 4,
        MPOL_PREFERRED_MANY = 5, MPOL_WEIGHTED_INTERLEAVE = 6,
    },
    names! {
        MPOL_F_NUMA_BALANCING = 0x2000, MPOL_F_RELATIVE_NODES = 0x4000,
        MPOL_F_STATIC_NODES = 0x8000,
    },
);
