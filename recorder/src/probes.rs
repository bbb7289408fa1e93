//! Where to probe the allocator functions of a file.
//!
//! A probe on an instruction that the kernel can emulate costs a tenth of one that it has to step
//! through. So the first such instruction of a function is taken, as long as the function has
//! changed neither its arguments nor its stack pointer by then.

use std::collections::BTreeMap;

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, InstructionInfoFactory, Mnemonic, OpAccess,
    Register,
};
use object::read::elf::ElfFile64;
use object::{Architecture, Endianness, Object, ObjectSymbol, SymbolKind};
use schema::types::AllocationOperation as Operation;

/// Instructions looked at in each function.
const INSTRUCTIONS_MAX: usize = 8;

/// How the arguments of an allocator function are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signature {
    /// (size, ...)
    Size,
    /// (count, size)
    Calloc,
    /// (address, size, ...)
    Realloc,
    /// (address, count, size)
    Reallocarray,
    /// (alignment, size)
    Memalign,
    /// (where to, alignment, size)
    PosixMemalign,
    /// (address, ...)
    Free,
}

/// A place to probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Offset of the instruction in the file.
    pub offset: u64,
    /// What the function does.
    pub operation: Operation,
    /// What it is given.
    pub signature: Signature,
    /// Where the function returns, if it is an operator new that calls no function with a probe.
    pub returns: Vec<u64>,
}

/// What allocators put before the names of the standard functions when they do not replace them.
const PREFIXES: [&str; 6] = ["", "je_", "_rjem_", "_rjem_je_", "tc_", "mi_"];

/// The standard functions, and those of jemalloc's extended interface.
const FUNCTIONS: [(&str, Operation, Signature); 16] = [
    ("malloc", Operation::Malloc, Signature::Size),
    ("calloc", Operation::Calloc, Signature::Calloc),
    ("realloc", Operation::Realloc, Signature::Realloc),
    ("reallocarray", Operation::Reallocarray, Signature::Reallocarray),
    ("posix_memalign", Operation::PosixMemalign, Signature::PosixMemalign),
    ("aligned_alloc", Operation::AlignedAlloc, Signature::Memalign),
    ("memalign", Operation::Memalign, Signature::Memalign),
    ("valloc", Operation::Memalign, Signature::Size),
    ("pvalloc", Operation::Memalign, Signature::Size),
    ("free", Operation::Free, Signature::Free),
    ("free_sized", Operation::Free, Signature::Free),
    ("mallocx", Operation::Malloc, Signature::Size),
    ("rallocx", Operation::Realloc, Signature::Realloc),
    ("sdallocx", Operation::Free, Signature::Free),
    ("dallocx", Operation::Free, Signature::Free),
    ("cfree", Operation::Free, Signature::Free),
];

/// What a function of this name does, if it is an allocator's. The C++ operators are told by how
/// they are mangled: `_Zn` with `w` or `a` is new, `_Zd` with `l` or `a` delete; `m` and `j` are the
/// size.
fn function(name: &str) -> Option<(Operation, Signature)> {
    if ["_Znwm", "_Znam", "_Znwj", "_Znaj"].iter().any(|new| name.starts_with(new)) {
        return Some((Operation::New, Signature::Size));
    }
    if ["_ZdlPv", "_ZdaPv"].iter().any(|delete| name.starts_with(delete)) {
        return Some((Operation::Delete, Signature::Free));
    }
    FUNCTIONS
        .iter()
        .find(|(known, ..)| {
            let prefix = name.strip_suffix(known);
            prefix.is_some_and(|prefix| PREFIXES.contains(&prefix))
        })
        .map(|(_, operation, signature)| (*operation, *signature))
}

/// The places to probe in an ELF file; none if it is not one of this architecture or has no
/// allocator.
pub fn probes(file: &[u8]) -> Vec<Probe> {
    let Ok(elf) = ElfFile64::<Endianness>::parse(file) else { return Vec::new() };
    let is_ours = match elf.architecture() {
        Architecture::X86_64 => cfg!(target_arch = "x86_64"),
        Architecture::Aarch64 => cfg!(target_arch = "aarch64"),
        _ => false,
    };
    if !is_ours {
        return Vec::new();
    }
    // Names that mean the same function are probed once.
    let mut found = BTreeMap::new();
    for symbol in elf.dynamic_symbols().chain(elf.symbols()) {
        let is_code = symbol.is_definition() && symbol.kind() == SymbolKind::Text;
        let Some(function) = symbol.name().ok().filter(|_| is_code).and_then(function) else {
            continue;
        };
        let Some((offset, code)) = code_at(&elf, file, symbol.address()) else { continue };
        let code = &code[..code.len().min(symbol.size() as usize)];
        found.entry(offset).or_insert((function, code));
    }
    let defines_malloc = found.values().any(|((operation, _), _)| *operation == Operation::Malloc);
    // One operator new may call another.
    let known: Vec<u64> = found.keys().copied().collect();
    let probe = |(offset, ((operation, signature), code)): (u64, (_, &[u8]))| {
        let is_direct =
            operation == Operation::New && defines_malloc && !calls(code, offset, &known);
        Probe {
            offset: offset + cheap(code).unwrap_or(0),
            operation,
            signature,
            returns: if is_direct { returns(code, offset) } else { Vec::new() },
        }
    };
    found.into_iter().map(probe).collect()
}

fn instructions(code: &[u8], offset: u64) -> impl Iterator<Item = iced_x86::Instruction> {
    let decoder = Decoder::with_ip(64, code, offset, DecoderOptions::NONE);
    let all: Vec<_> =
        if cfg!(target_arch = "x86_64") { decoder.into_iter().collect() } else { Vec::new() };
    all.into_iter()
}

/// Whether code at a file offset calls, or ends in, one of the functions.
fn calls(code: &[u8], offset: u64, functions: &[u64]) -> bool {
    instructions(code, offset).any(|instruction| {
        let goes = matches!(
            instruction.flow_control(),
            FlowControl::Call | FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch
        );
        goes && functions.contains(&instruction.near_branch_target())
    })
}

/// File offsets of the return instructions of code at a file offset.
fn returns(code: &[u8], offset: u64) -> Vec<u64> {
    let is_return =
        |instruction: &iced_x86::Instruction| instruction.flow_control() == FlowControl::Return;
    instructions(code, offset).filter(is_return).map(|instruction| instruction.ip()).collect()
}

/// The file offset of an address, and the code from there on.
fn code_at<'a>(
    elf: &ElfFile64<'a, Endianness>,
    file: &'a [u8],
    address: u64,
) -> Option<(u64, &'a [u8])> {
    use object::read::elf::ProgramHeader;
    let endian = elf.endian();
    let segment = elf.elf_program_headers().iter().find(|header| {
        let start = header.p_vaddr(endian);
        header.p_type(endian) == object::elf::PT_LOAD
            && header.p_flags(endian) & object::elf::PF_X != 0
            && (start..start.saturating_add(header.p_filesz(endian))).contains(&address)
    })?;
    let offset = (address - segment.p_vaddr(endian)).checked_add(segment.p_offset(endian))?;
    Some((offset, file.get(usize::try_from(offset).ok()?..)?))
}

/// Where the first instruction of a function is that the kernel emulates, if the function has not
/// touched what a probe there has to see.
fn cheap(code: &[u8]) -> Option<u64> {
    const SEEN: [Register; 5] =
        [Register::RDI, Register::RSI, Register::RDX, Register::RCX, Register::RSP];
    if !cfg!(target_arch = "x86_64") {
        return None;
    }
    let mut info = InstructionInfoFactory::new();
    for instruction in
        Decoder::with_ip(64, code, 0, DecoderOptions::NONE).iter().take(INSTRUCTIONS_MAX)
    {
        if instruction.is_invalid() {
            return None;
        }
        let is_push = matches!(instruction.code(), Code::Push_r64);
        let is_jump = instruction.is_jcc_short_or_near() || instruction.is_jmp_short_or_near();
        if is_push || is_jump || instruction.code() == Code::Nopd {
            return Some(instruction.ip());
        }
        let changes = |register: Register| {
            info.info(&instruction).used_registers().iter().any(|used| {
                used.register().full_register() == register
                    && !matches!(
                        used.access(),
                        OpAccess::Read | OpAccess::CondRead | OpAccess::None
                    )
            })
        };
        // A branch target marker changes nothing.
        let is_marker = instruction.mnemonic() == Mnemonic::Endbr64;
        let goes_on = instruction.flow_control() == FlowControl::Next;
        if !is_marker && (!goes_on || SEEN.into_iter().any(changes)) {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_by_what_they_do() {
        let check = |name: &str, expected| {
            assert_eq!(function(name).map(|found| found.0), expected, "{name}")
        };
        check("malloc", Some(Operation::Malloc));
        check("_rjem_mallocx", Some(Operation::Malloc));
        check("_ZnwmRKSt9nothrow_t", Some(Operation::New));
        check("_ZdaPvmSt11align_val_t", Some(Operation::Delete));
        check("mi_free", Some(Operation::Free));
        check("my_malloc", None);
        check("mallocer", None);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_first_emulated_instruction_that_sees_the_arguments_is_taken() {
        let check = |code: &[u8], expected| assert_eq!(cheap(code), expected, "{code:02x?}");
        // push r12
        check(&[0x41, 0x54, 0x55], Some(0));
        // test rdi, rdi; je
        check(&[0x48, 0x85, 0xff, 0x74, 0x10], Some(3));
        // endbr64; push rbp
        check(&[0xf3, 0x0f, 0x1e, 0xfa, 0x55], Some(4));
        // mov rdi, rsi; push rbp: the argument is gone
        check(&[0x48, 0x89, 0xf7, 0x55], None);
        // sub rsp, 8; push rbp: the stack has moved
        check(&[0x48, 0x83, 0xec, 0x08, 0x55], None);
        check(&[], None);
    }

    #[test]
    fn the_c_library_has_its_functions() {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
        let path = maps
            .lines()
            .filter_map(|line| line.split_whitespace().nth(5))
            .find(|path| path.contains("libc.so"));
        let Some(path) = path else {
            return eprintln!("skipped: this test runs without a libc.so");
        };
        let found = probes(&std::fs::read(path).expect("the library"));
        for operation in [Operation::Malloc, Operation::Free, Operation::Calloc, Operation::Realloc]
        {
            assert!(
                found.iter().any(|probe| probe.operation == operation),
                "{operation:?}: {found:?}"
            );
        }
        assert!(probes(b"\x7fELF nothing else").is_empty());
    }
}
