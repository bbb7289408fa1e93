//! Rules of files made for the case: what linkers may write, but those at hand did not.

use unwind::{
    BaseAddresses, FP_LOST, Kind, Registers, Row, Rule, Step, Table, rule_at, step, table,
};

const RSP: u8 = 7;
const RBP: u8 = 6;
const RA: u8 = 16;

// Call frame instructions.
const REMEMBER: u8 = 0x0a;
const RESTORE: u8 = 0x0b;
const DEF_CFA: u8 = 0x0c;
const DEF_CFA_OFFSET: u8 = 0x0e;
const DEF_CFA_EXPRESSION: u8 = 0x0f;
const UNDEFINED: u8 = 0x07;
const REGISTER: u8 = 0x09;
const NO_SUCH_INSTRUCTION: u8 = 0x3f;
const fn advance(bytes: u8) -> u8 {
    0x40 | bytes
}
const fn saved(register: u8) -> u8 {
    0x80 | register
}

/// Where things are in the file; addresses are offsets.
const HEADER: usize = 0x200;
const FRAMES: usize = 0x800;
const CODE: u32 = 0x1000;
const END: usize = 0x3000;

fn entry(id: u32, body: &[u8]) -> Vec<u8> {
    let mut entry = [&id.to_le_bytes(), body].concat();
    entry.resize(entry.len().next_multiple_of(8) + 4, 0);
    [&(entry.len() as u32).to_le_bytes(), entry.as_slice()].concat()
}

/// A file with one common part and functions of begin, length and instructions.
fn file(common: &[u8], functions: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut frames = entry(0, common);
    let mut entries = Vec::new();
    for (start, length, instructions) in functions {
        entries.push((*start, FRAMES + frames.len()));
        let at = (FRAMES + frames.len() + 8) as u32;
        let body = [&start.wrapping_sub(at).to_le_bytes(), &length.to_le_bytes(), &[0][..]];
        frames.extend(entry(frames.len() as u32 + 4, &[&body.concat(), *instructions].concat()));
    }
    let mut file = vec![0; END];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &[3, 0, 62, 0, 1]);
    put(32, &64_u64.to_le_bytes());
    put(52, &[64, 0, 56, 0, 2]);
    let mut segment = |at: usize, kind: u32, flags: u32, start: usize, size: usize| {
        put(at, &[kind.to_le_bytes(), flags.to_le_bytes()].concat());
        let [start, size] = [start, size].map(|value| (value as u64).to_le_bytes());
        put(at + 8, &[start, start, start, size, size].concat());
    };
    segment(64, 1, 5, 0, END);
    segment(120, 0x6474_e550, 4, HEADER, FRAMES - HEADER);
    put(HEADER, &[1, 0x1b, 3, 0x3b]);
    put(HEADER + 4, &((FRAMES - HEADER - 4) as u32).to_le_bytes());
    put(HEADER + 8, &(entries.len() as u32).to_le_bytes());
    for (index, (start, fde)) in entries.iter().enumerate() {
        put(HEADER + 12 + index * 8, &(start.wrapping_sub(HEADER as u32)).to_le_bytes());
        put(HEADER + 16 + index * 8, &((fde - HEADER) as u32).to_le_bytes());
    }
    put(FRAMES, &frames);
    file
}

/// As compilers write it: pc-relative addresses, CFA = rsp + 8, return address below.
fn usual() -> Vec<u8> {
    common(RA, &[DEF_CFA, RSP, 8, saved(RA), 1])
}

fn common(return_address: u8, instructions: &[u8]) -> Vec<u8> {
    [b"\x01zR\0\x01\x78", &[return_address, 1, 0x1b][..], instructions].concat()
}

fn of(file: &[u8]) -> Table {
    table(file).expect("an ELF file")
}

/// Rows of a table, with offsets from the beginning of the code.
fn rows(table: &Table) -> Vec<(u32, Rule)> {
    table.rows.iter().map(|row: &Row| (row.offset - CODE, row.rule())).collect()
}

fn sp(cfa_offset: i16) -> Rule {
    Rule { kind: Kind::SP, cfa_offset, fp_offset: 0 }
}

/// The rule of a function of which these are the instructions, from the table and by lookup.
fn only(common: &[u8], instructions: &[u8]) -> Rule {
    let file = file(common, &[(CODE, 16, instructions)]);
    let table = of(&file);
    assert_eq!(table.corrupt, None);
    let rule = table.rule(CODE);
    let (header, frames) = (&file[HEADER..], &file[FRAMES..]);
    let bases = BaseAddresses::default();
    let found = rule_at(header, HEADER as u64, frames, FRAMES as u64, &bases, CODE.into());
    assert_eq!(found, Some(rule));
    rule
}

#[test]
fn equal_neighbours_are_one_row_and_gaps_have_one() {
    let push: &[u8] = &[advance(1), DEF_CFA_OFFSET, 16, advance(8), DEF_CFA_OFFSET, 8];
    let functions =
        [(CODE + 32, 16, &[][..]), (CODE, 16, push), (CODE + 16, 8, &[]), (CODE + 20, 0, push)];
    let table = of(&file(&usual(), &functions));
    let expected =
        [(0, sp(1)), (1, sp(2)), (9, sp(1)), (24, Rule::NONE), (32, sp(1)), (48, Rule::NONE)];
    assert_eq!((rows(&table).as_slice(), table.corrupt), (&expected[..], None));
}

#[test]
fn of_functions_that_overlap_the_first_counts() {
    let deep: &[u8] = &[DEF_CFA_OFFSET, 24];
    let grows: &[u8] = &[advance(8), DEF_CFA_OFFSET, 32, advance(8), DEF_CFA_OFFSET, 40];
    let functions = [(CODE + 12, 20, grows), (CODE, 16, &[]), (CODE, 8, deep), (CODE + 4, 2, deep)];
    let table = of(&file(&usual(), &functions));
    let expected = [(0, sp(1)), (20, sp(4)), (28, sp(5)), (32, Rule::NONE)];
    assert_eq!(rows(&table), expected);
}

#[test]
fn a_corrupt_function_leaves_the_others() {
    let broken: &[u8] = &[advance(4), DEF_CFA_OFFSET, 16, advance(4), NO_SUCH_INSTRUCTION];
    let functions = [(CODE, 16, &[][..]), (CODE + 16, 16, broken), (CODE + 32, 16, &[])];
    let table = of(&file(&usual(), &functions));
    let expected = [(0, sp(1)), (20, sp(2)), (24, Rule::NONE), (32, sp(1)), (48, Rule::NONE)];
    assert_eq!(rows(&table), expected);
    assert!(table.corrupt.is_some_and(|text| text.contains("of .eh_frame")));
}

#[test]
fn long_common_parts_are_refused() {
    let common = [usual(), vec![0; 1024]].concat();
    let table = of(&file(&common, &[(CODE, 16, &[])]));
    assert!(table.rows.is_empty() && table.corrupt.is_some());
}

#[test]
fn descriptions_that_overlap_take_no_more_time_than_their_bytes() {
    let long = vec![0; 2000];
    let functions = [(CODE, 16, long.as_slice()), (CODE + 16, 16, &[])];
    let mut file = file(&usual(), &functions);
    assert_eq!(of(&file).corrupt, None);
    let entries: Vec<u8> = [&file[HEADER + 12..][..8]; 20].concat();
    file[HEADER + 8] = 20;
    file[HEADER + 12..][..entries.len()].copy_from_slice(&entries);
    let table = of(&file);
    assert_eq!(rows(&table), [(0, sp(1)), (16, Rule::NONE)]);
    assert!(table.corrupt.is_some());
}

#[test]
fn functions_outside_of_the_code_have_no_rows() {
    let functions = [(END as u32, 16, &[][..]), (END as u32 - 8, 16, &[])];
    let table = of(&file(&usual(), &functions));
    assert_eq!(rows(&table), [(END as u32 - 8 - CODE, sp(1)), (END as u32 - CODE, Rule::NONE)]);
}

#[test]
fn what_is_not_expressible_has_no_rule() {
    let none = |instructions: &[u8]| assert_eq!(only(&usual(), instructions), Rule::NONE);
    none(&[DEF_CFA, 10, 8]);
    none(&[DEF_CFA_OFFSET, 12]);
    // 32768 words.
    none(&[DEF_CFA_OFFSET, 0x80, 0x80, 0x10]);
    // rbp - 8, dereferenced.
    none(&[DEF_CFA_EXPRESSION, 3, 0x76, 0x78, 0x06]);
    // The return address elsewhere, or in a register; the stack pointer in a register.
    none(&[saved(RA), 2]);
    none(&[REGISTER, RA, 10]);
    none(&[REGISTER, RSP, 10]);
    assert_eq!(only(&common(RA, &[DEF_CFA, RSP, 8]), &[]), Rule::NONE);
    assert_eq!(only(&common(15, &[DEF_CFA, RSP, 8, saved(15), 1]), &[]), Rule::NONE);
    // 32767 words.
    assert_eq!(only(&usual(), &[DEF_CFA_OFFSET, 0xf8, 0xff, 0x0f]), sp(i16::MAX));
    assert_eq!(only(&usual(), &[UNDEFINED, RA]).kind, Kind::END);
}

#[test]
fn a_frame_pointer_may_be_lost() {
    let fp = |instructions: &[u8]| only(&usual(), instructions).fp_offset;
    assert_eq!(fp(&[]), 0);
    assert_eq!(fp(&[saved(RBP), 2]), -2);
    assert_eq!(fp(&[saved(RBP), 127]), -127);
    assert_eq!(fp(&[saved(RBP), 0x80, 1]), FP_LOST);
    assert_eq!(fp(&[saved(RBP), 0]), FP_LOST);
    assert_eq!(fp(&[UNDEFINED, RBP]), FP_LOST);
    assert_eq!(fp(&[REGISTER, RBP, 10]), FP_LOST);
    assert_eq!(fp(&[REMEMBER, saved(RBP), 2, RESTORE]), 0);
}

#[test]
fn the_procedure_linkage_table_has_two_forms() {
    let plt = |from: u8| {
        let bytes = [0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x30 + from, 0x2a, 0x33, 0x24, 0x22];
        only(&usual(), &[&[DEF_CFA_EXPRESSION, 11], &bytes[..]].concat()).kind
    };
    assert_eq!([9, 10, 11].map(plt), [Kind::NONE, Kind::PLT10, Kind::PLT]);
}

#[test]
fn steps_lead_up_the_stack_or_nowhere() {
    let regs = Registers { pc: 0x40a, sp: 0x1000, fp: 0x1100 };
    // Each word holds its own address.
    let go = |rule| step(rule, regs, Some);
    let next = |pc, sp, fp| Step::Next(Registers { pc, sp, fp });
    let rule = |kind, cfa_offset, fp_offset| Rule { kind, cfa_offset, fp_offset };
    assert_eq!(go(rule(Kind::SP, 4, 0)), next(0x1018, 0x1020, 0x1100));
    assert_eq!(go(rule(Kind::SP, 4, -2)), next(0x1018, 0x1020, 0x1010));
    assert_eq!(go(rule(Kind::SP, 4, FP_LOST)), next(0x1018, 0x1020, 0));
    assert_eq!(go(rule(Kind::FP, 2, -2)), next(0x1108, 0x1110, 0x1100));
    assert_eq!(go(rule(Kind::PLT, 0, 0)), next(0x1000, 0x1008, 0x1100));
    assert_eq!(go(rule(Kind::PLT10, 0, 0)), next(0x1008, 0x1010, 0x1100));
    assert_eq!(go(rule(Kind::SIGNAL, 0, 0)), next(0x10a8, 0x10a0, 0x1078));
    assert_eq!(go(rule(Kind::END, 0, 0)), Step::End);
    for stuck in [rule(Kind::NONE, 0, 0), rule(Kind(99), 1, 0), rule(Kind::SP, 0, 0)] {
        assert_eq!(go(stuck), Step::Stuck);
    }
    assert_eq!(go(rule(Kind::FP, -64, 0)), Step::Stuck);
    assert_eq!(step(rule(Kind::SP, 1, 0), regs, |_| None), Step::Stuck);
    assert_eq!(step(rule(Kind::SP, 1, 0), regs, |_| Some(0)), Step::Stuck);
    // A signal handler on a stack above the one that was interrupted.
    let down = step(rule(Kind::SIGNAL, 0, 0), regs, |_| Some(0x800));
    assert_eq!(down, next(0x800, 0x800, 0x800));
    let top = Registers { pc: u64::MAX, sp: u64::MAX, fp: u64::MAX };
    assert_eq!(step(rule(Kind::SP, 4, 0), top, Some), Step::Stuck);
}
