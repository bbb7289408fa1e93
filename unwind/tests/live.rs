//! Walks of the test's own stack, against `backtrace(3)` of the C library.
#![cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]

use std::arch::asm;
use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::slice;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use unwind::{BaseAddresses, Kind, Registers, Rule, Step, eh_frame_address, rule_at, step};

/// A loaded file: its frame descriptions, as far as they are mapped.
struct Module {
    /// Segments as mapped: begin and end.
    segments: Vec<(u64, u64)>,
    header: (u64, &'static [u8]),
    frames: (u64, &'static [u8]),
}

fn modules() -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    // SAFETY: the callback matches, and `data` is the vector it expects.
    unsafe { libc::dl_iterate_phdr(Some(add_module), (&raw mut modules).cast()) };
    modules
}

unsafe extern "C" fn add_module(
    info: *mut libc::dl_phdr_info,
    _: libc::size_t,
    data: *mut c_void,
) -> c_int {
    // SAFETY: `dl_iterate_phdr` passes its argument, and headers that stay while the module does.
    let (modules, info) = unsafe { (&mut *data.cast::<Vec<Module>>(), &*info) };
    // SAFETY: as above.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let range = |header: &libc::Elf64_Phdr| {
        let start = info.dlpi_addr.wrapping_add(header.p_vaddr);
        (start, start + header.p_memsz)
    };
    let loads = headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
    let segments: Vec<(u64, u64)> = loads.map(range).collect();
    let mapped = |at: u64| {
        let (_, end) = segments.iter().find(|(start, end)| (start..end).contains(&&at))?;
        // SAFETY: a mapped segment, which the tests do not unload.
        Some(unsafe { slice::from_raw_parts(at as *const u8, (end - at) as usize) })
    };
    let found = headers.iter().find(|header| header.p_type == libc::PT_GNU_EH_FRAME);
    if let Some((at, _)) = found.map(range)
        && let Some(header) = mapped(at)
        && let Some(frames_at) = eh_frame_address(header, at)
        && let Some(frames) = mapped(frames_at)
    {
        modules.push(Module { header: (at, header), frames: (frames_at, frames), segments });
    }
    0
}

fn rule_of(modules: &[Module], pc: u64) -> Option<Rule> {
    let module = modules
        .iter()
        .find(|module| module.segments.iter().any(|(start, end)| (start..end).contains(&&pc)))?;
    let ((header_at, header), (frames_at, frames)) = (module.header, module.frames);
    rule_at(header, header_at, frames, frames_at, &BaseAddresses::default(), pc)
}

#[inline(always)]
fn registers() -> Registers {
    let (pc, sp, fp);
    // SAFETY: reads registers.
    unsafe {
        asm!("lea {}, [rip]", "mov {}, rsp", "mov {}, rbp", out(reg) pc, out(reg) sp, out(reg) fp, options(nomem, nostack))
    };
    Registers { pc, sp, fp }
}

/// A walk: the frames, and the kinds of their rules.
struct Walk {
    frames: Vec<u64>,
    kinds: Vec<Kind>,
    end: Step,
}

fn walk(modules: &[Module], mut registers: Registers) -> Walk {
    let mut walk = Walk { frames: vec![registers.pc], kinds: vec![], end: Step::Stuck };
    let mut exact = true;
    while walk.frames.len() < 200 {
        let pc = registers.pc - u64::from(!exact);
        let Some(rule) = rule_of(modules, pc) else { break };
        walk.kinds.push(rule.kind);
        exact = rule.kind == Kind::SIGNAL;
        // SAFETY: sound rules lead to the own stack only.
        match step(rule, registers, |at| Some(unsafe { *(at as *const u64) })) {
            Step::Next(next) => registers = next,
            end => {
                walk.end = end;
                break;
            }
        }
        walk.frames.push(registers.pc);
    }
    walk
}

fn backtrace() -> Vec<u64> {
    let mut frames = [std::ptr::null_mut(); 200];
    // SAFETY: as many as there is place for.
    let count = unsafe { libc::backtrace(frames.as_mut_ptr(), 200) };
    frames[..count as usize].iter().map(|frame| *frame as u64).collect()
}

/// Both walks from one function, without the frames that differ: the innermost ones, up to this.
macro_rules! both_walks {
    () => {{
        let mine = walk(&modules(), registers());
        let theirs = backtrace();
        let caller = theirs.iter().position(|pc| *pc == mine.frames[1]).expect("the caller");
        assert_eq!(mine.frames[1..], theirs[caller..]);
        assert_eq!(mine.end, Step::End, "{:x?} {:?}", mine.frames, mine.kinds);
        mine
    }};
}

thread_local!(static FOUND: RefCell<Option<Walk>> = const { RefCell::new(None) });

/// Signal handlers and their stacks are of the process.
static SIGNALS: Mutex<()> = Mutex::new(());

#[inline(never)]
extern "C" fn compare(_: *const c_void, _: *const c_void) -> c_int {
    let walk = both_walks!();
    FOUND.set(Some(walk));
    0
}

#[inline(never)]
fn nested(depth: u64) -> u64 {
    if depth > 0 {
        return std::hint::black_box(nested(depth - 1)) + 1;
    }
    let mut values = [2_u64, 1];
    // SAFETY: two elements of eight bytes, and a comparison that does not touch them.
    unsafe { libc::qsort(values.as_mut_ptr().cast(), 2, 8, Some(compare)) };
    0
}

#[test]
fn a_walk_through_qsort_finds_the_frames_of_backtrace() {
    assert_eq!(nested(10), 10);
    let walk = FOUND.take().expect("a comparison");
    println!("{} frames, kinds {:?}", walk.frames.len(), walk.kinds);
    assert!(walk.frames.len() > 14);
    assert!(walk.kinds.iter().filter(|kind| **kind == Kind::SP).count() > 12);
}

#[inline(never)]
extern "C" fn on_signal(_: c_int) {
    let walk = both_walks!();
    FOUND.set(Some(walk));
}

fn raise_on_alternate_stack(signal: c_int, handler: extern "C" fn(c_int), stack: &mut [u64]) {
    let stack = libc::stack_t {
        ss_sp: stack.as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: size_of_val(stack),
    };
    // SAFETY: plain data, zero is a valid value of each field.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_ONSTACK;
    // SAFETY: the stack outlives its use, which ends before it is replaced below.
    unsafe {
        assert_eq!(libc::sigaltstack(&stack, std::ptr::null_mut()), 0);
        assert_eq!(libc::sigaction(signal, &action, std::ptr::null_mut()), 0);
        assert_eq!(libc::raise(signal), 0);
        let none = libc::stack_t { ss_flags: libc::SS_DISABLE, ..stack };
        assert_eq!(libc::sigaltstack(&none, std::ptr::null_mut()), 0);
    }
}

#[test]
fn a_walk_from_a_signal_handler_leads_to_what_was_interrupted() {
    let _guard = SIGNALS.lock();
    let mut stack = vec![0; 1 << 17];
    raise_on_alternate_stack(libc::SIGUSR1, on_signal, &mut stack);
    let walk = FOUND.take().expect("a signal");
    assert_eq!(walk.kinds.iter().filter(|kind| **kind == Kind::SIGNAL).count(), 1);
    assert!(walk.frames.len() > 8);
}

static LOOKED_UP_BELOW: AtomicU64 = AtomicU64::new(0);
static PAINTED: Mutex<Option<Module>> = Mutex::new(None);
const PAINT: u64 = 0x5a5a_a5a5_1234_4321;

#[inline(never)]
extern "C" fn look_up_once(_: c_int) {
    let registers = registers();
    LOOKED_UP_BELOW.store(registers.sp, Ordering::Relaxed);
    let guard = PAINTED.lock().expect("unlocked");
    let module = slice::from_ref(guard.as_ref().expect("set"));
    std::hint::black_box(rule_of(module, registers.pc).expect("a rule"));
}

#[test]
fn a_lookup_needs_little_stack() {
    let _guard = SIGNALS.lock();
    let own = look_up_once as *const () as u64;
    let holds = |module: &Module| module.segments.iter().any(|(a, b)| (a..b).contains(&&own));
    *PAINTED.lock().expect("unlocked") = modules().into_iter().find(holds);
    let mut stack = vec![PAINT; 1 << 17];
    raise_on_alternate_stack(libc::SIGUSR2, look_up_once, &mut stack);
    let untouched = stack.iter().position(|word| *word != PAINT).expect("used");
    let lowest = stack.as_ptr() as u64 + untouched as u64 * 8;
    let used = LOOKED_UP_BELOW.load(Ordering::Relaxed) - lowest;
    println!("a lookup uses {used} bytes of stack");
    assert!(used < 32 << 10, "{used}");
}

/// Prints the cost of lookups; run with `--release --nocapture`.
#[test]
fn lookups_are_quick() {
    let modules = modules();
    let start = Instant::now();
    std::hint::black_box(rule_of(&modules, libc::getenv as *const () as u64 + 8));
    let cold = start.elapsed();
    let module = modules.iter().max_by_key(|module| module.header.1.len()).expect("a module");
    let (start_at, end_at) = module.segments[1];
    let (rounds, mut found) = (10_000, 0);
    let start = Instant::now();
    for round in 0..rounds {
        let pc = start_at + (end_at - start_at) / rounds * round;
        found += usize::from(rule_of(slice::from_ref(module), pc).is_some());
    }
    let each = start.elapsed() / rounds as u32;
    println!("the first lookup took {cold:?}, those spread over a module {each:?} ({found} found)");
    assert!(found > 0 && each.as_millis() < 1);
}
