//! What the threads of a process share: the control memory, the file that announces the process,
//! and the page that tells a forked child from its parent.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use crate::layout::{self, Control, HEADER_BYTES, Header};
use crate::sys::{self, Errno, File};
use crate::{clock, modules, thread};

const NEW: u32 = 0;
const STARTING: u32 = 1;
const ON: u32 = 2;
const OFF: u32 = 3;

static STATE: AtomicU32 = AtomicU32::new(NEW);
static CONTROL: AtomicPtr<Control> = AtomicPtr::new(core::ptr::null_mut());
static PAGE: AtomicPtr<Page> = AtomicPtr::new(core::ptr::null_mut());
static ANNOUNCED: AtomicPtr<Header> = AtomicPtr::new(core::ptr::null_mut());
/// Processes that this memory has been in: raised in a forked child.
static INCARNATIONS: AtomicU32 = AtomicU32::new(0);
static SEED: AtomicU64 = AtomicU64::new(0);
/// Files made so far, for their names.
static FILES: AtomicU32 = AtomicU32::new(0);

/// Zero in a forked child, so that it finds out that it is one, however it was made.
struct Page {
    incarnation: AtomicU32,
    starting: AtomicU32,
}

/// How long a thread waits for another that sets things up, in turns.
const TURNS_MAX: u32 = 1000;

const FOLDER_BYTES_MAX: usize = 512;

struct Folder(UnsafeCell<([u8; FOLDER_BYTES_MAX], usize)>);
// SAFETY: written once, before the state says that it is there.
unsafe impl Sync for Folder {}
static FOLDER: Folder = Folder(UnsafeCell::new(([0; FOLDER_BYTES_MAX], 0)));

/// Whether nothing is recorded any more, or nothing ever was.
#[inline(always)]
pub fn is_off() -> bool {
    STATE.load(Ordering::Relaxed) == OFF
}

/// Ends recording in this process.
#[cold]
pub fn turn_off() {
    STATE.store(OFF, Ordering::Relaxed);
}

/// The incarnation that runs now; 0 when it has not been set up.
#[inline(always)]
pub fn incarnation() -> u32 {
    let page = PAGE.load(Ordering::Acquire);
    // SAFETY: mapped for good once it is not null.
    if page.is_null() { 0 } else { unsafe { (*page).incarnation.load(Ordering::Acquire) } }
}

/// The control memory. Only after [`incarnation`] was not 0.
#[inline(always)]
pub fn control() -> &'static Control {
    // SAFETY: mapped for good before the first incarnation begins.
    unsafe { &*CONTROL.load(Ordering::Relaxed) }
}

/// Begins the number of stacks of this incarnation.
#[inline(always)]
pub fn seed() -> u64 {
    SEED.load(Ordering::Relaxed)
}

/// Counts an event of a thread that has no ring. `kind` as in [`layout::KINDS`].
#[cold]
pub fn count_lost(kind: usize) {
    let header = ANNOUNCED.load(Ordering::Relaxed);
    if !header.is_null() {
        // SAFETY: mapped as long as the incarnation lives.
        unsafe { (*header).lost[kind].fetch_add(1, Ordering::Relaxed) };
    }
}

/// Sets up the process if that has not been done; 0 when it cannot be recorded.
#[cold]
pub fn set_up() -> u32 {
    if STATE.compare_exchange(NEW, STARTING, Ordering::Acquire, Ordering::Relaxed).is_ok() {
        let state = if start().is_some() { ON } else { OFF };
        STATE.store(state, Ordering::Release);
    }
    for _ in 0..TURNS_MAX {
        match STATE.load(Ordering::Acquire) {
            OFF => return 0,
            ON => break,
            _ => sys::yield_now(),
        }
    }
    let page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        return 0;
    }
    // SAFETY: mapped for good.
    let page = unsafe { &*page };
    for _ in 0..TURNS_MAX {
        let incarnation = page.incarnation.load(Ordering::Acquire);
        if incarnation != 0 {
            return incarnation;
        }
        let start = page.starting.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);
        if start.is_ok() {
            begin(page);
        } else {
            sys::yield_now();
        }
    }
    0
}

/// Lets the recorder know of this process.
pub fn announce() {
    if incarnation() == 0 && !is_off() {
        set_up();
    }
}

/// Finds the recorder. `None`: this program is not recorded, or not from here.
fn start() -> Option<()> {
    find_folder()?;
    let mut path = [0; PATH_BYTES];
    let file = File::open(path_of(layout::CONTROL_NAME.as_bytes(), &mut path)?).ok()?;
    if file.size().ok()? < HEADER_BYTES as u64 {
        return None;
    }
    let control = file.map(HEADER_BYTES, false).ok()?.cast::<Control>();
    // SAFETY: mapped, and large enough.
    let (magic, version) = unsafe { ((*control).magic, (*control).version) };
    if magic != layout::MAGIC || version != layout::VERSION {
        return None;
    }
    CONTROL.store(control, Ordering::Relaxed);
    let page = sys::map_anonymous(HEADER_BYTES).ok()?;
    // SAFETY: the page is ours.
    unsafe { sys::advise(page, HEADER_BYTES, sys::MADV_WIPEONFORK).ok()? };
    PAGE.store(page.cast(), Ordering::Release);
    Some(())
}

/// Begins an incarnation: the first, or that of a forked child.
fn begin(page: &Page) {
    let number = INCARNATIONS.fetch_add(1, Ordering::Relaxed) + 1;
    if number > 1 {
        thread::forget_parent();
        modules::forget_parent();
        ANNOUNCED.store(core::ptr::null_mut(), Ordering::Relaxed);
    }
    let pid = u64::from(sys::process_id());
    SEED.store(layout::mix(sys::random() ^ clock::now_ns() ^ (pid << 32)), Ordering::Relaxed);
    // For want of descriptors or memory: it may get a ring later on. Without the folder: never.
    match make_announcement() {
        Ok(()) | Err(sys::EMFILE | sys::ENFILE | sys::ENOMEM) => {}
        Err(_) => turn_off(),
    }
    page.incarnation.store(number, Ordering::Release);
}

fn make_announcement() -> Result<(), Errno> {
    let ids = thread::Ids::own();
    let header = make_file(layout::PROCESS_PREFIX, ids.pid, HEADER_BYTES, HEADER_BYTES)?;
    let header = header.cast::<Header>();
    // SAFETY: mapped, and ours until the magic is there.
    unsafe { fill_header(header, ids.pid, 0, 0) };
    ANNOUNCED.store(header, Ordering::Release);
    Ok(())
}

/// Tells the recorder what a file is.
///
/// # Safety
/// `header` is mapped, writable and zero.
pub unsafe fn fill_header(header: *mut Header, pid: u32, tid: u32, data_bytes: u32) {
    // SAFETY: by contract.
    let header = unsafe { &*header };
    header.version.store(layout::VERSION, Ordering::Relaxed);
    header.pid.store(pid, Ordering::Relaxed);
    header.tid.store(tid, Ordering::Relaxed);
    header.data_bytes.store(data_bytes, Ordering::Relaxed);
    header.created_ns.store(clock::now_ns(), Ordering::Relaxed);
    header.head.set(0);
    header.tail.set(0);
    header.magic.store(layout::MAGIC, Ordering::Release);
}

pub const PATH_BYTES: usize = FOLDER_BYTES_MAX + 64;

/// Makes a file in the folder, `bytes` long, and maps it; its first `reserved` bytes can be
/// written to whatever happens.
pub fn make_file(kind: u8, pid: u32, bytes: usize, reserved: usize) -> Result<*mut u8, Errno> {
    // Growing a file beyond the limit is answered with a signal that ends the program.
    if sys::file_size_limit() < bytes as u64 {
        return Err(sys::ENOMEM);
    }
    let mut name = [0u8; 48];
    let mut length = 1;
    name[0] = kind;
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    push_number(&mut name, &mut length, u64::from(pid), 10);
    push_number(&mut name, &mut length, u64::from(number), 10);
    push_number(&mut name, &mut length, sys::random() ^ seed(), 16);
    let mut path = [0; PATH_BYTES];
    let path = path_of(&name[..length], &mut path).ok_or(sys::ENOENT)?;
    let file = File::create(path)?;
    let made = file
        .truncate(bytes)
        .and_then(|()| file.reserve(reserved))
        .and_then(|()| file.map(bytes, true));
    if made.is_err() {
        sys::unlink(path);
    }
    made.map_err(|_| sys::ENOMEM)
}

fn push_number(name: &mut [u8], length: &mut usize, value: u64, base: u64) {
    if *length > 1 {
        name[*length] = b'-';
        *length += 1;
    }
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value;
    while at > 0 && (rest > 0 || at == digits.len()) {
        at -= 1;
        digits[at] = b"0123456789abcdef"[(rest % base) as usize];
        rest /= base;
    }
    let digits = &digits[at..];
    name[*length..*length + digits.len()].copy_from_slice(digits);
    *length += digits.len();
}

/// The path of a file in the folder, with a NUL.
pub fn path_of<'a>(name: &[u8], path: &'a mut [u8; PATH_BYTES]) -> Option<&'a [u8]> {
    // SAFETY: written before anybody asks.
    let (folder, length) = unsafe { &*FOLDER.0.get() };
    let end = length + 1 + name.len();
    if *length == 0 || end >= path.len() {
        return None;
    }
    path[..*length].copy_from_slice(&folder[..*length]);
    path[*length] = b'/';
    path[length + 1..end].copy_from_slice(name);
    path[end] = 0;
    Some(&path[..=end])
}

/// Reads the folder's path from the environment the process began with: the C library may not
/// have set its own up yet, or the program may have emptied it.
fn find_folder() -> Option<()> {
    let file = File::open(b"/proc/self/environ\0").ok()?;
    // SAFETY: the only writer, before the state says that it is there.
    let (folder, length) = unsafe { &mut *FOLDER.0.get() };
    let wanted = layout::ENVIRONMENT.as_bytes();
    let mut buffer = [0u8; 512];
    // Bytes of the name that have matched; more than all: its value is being copied.
    let mut matched = Some(0);
    let mut copied = 0;
    loop {
        let read = file.read(&mut buffer).ok()?;
        for byte in &buffer[..read] {
            match matched {
                Some(at) if at > wanted.len() => {
                    if *byte == 0 {
                        *length = copied;
                        return (copied > 0).then_some(());
                    }
                    *folder.get_mut(copied)? = *byte;
                    copied += 1;
                }
                _ if *byte == 0 => matched = Some(0),
                Some(at) if at == wanted.len() => matched = (*byte == b'=').then_some(at + 1),
                Some(at) => matched = (*byte == wanted[at]).then_some(at + 1),
                None => {}
            }
        }
        if read == 0 {
            return None;
        }
    }
}
