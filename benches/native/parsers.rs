//! json_lines.c and texts.c behind the same functions, in Rust: every index is checked by the language.
//!
//! `unsafe` is only where arrays come in from outside. Numbers that the fast path cannot round go to the standard
//! library, which rounds all of them correctly.
#![deny(unsafe_op_in_unsafe_fn)]

use std::slice::{from_raw_parts, from_raw_parts_mut};

/// `struct member` of json_lines.c.
#[repr(C)]
pub struct Member {
    literal: *const u8,
    literal_bytes: u64,
    word: u64,
    mask: u64,
    kind: u64,
    numbers: *mut f64,
    starts: *mut u32,
    stops: *mut u32,
    present: *mut u8,
}

const NUMBER: u64 = 1;
const TEXT: u64 = 2;
const END: u64 = 3;

enum Target<'a> {
    Skip,
    Number { values: &'a mut [f64], present: &'a mut [u8] },
    Text { starts: &'a mut [u32], stops: &'a mut [u32], present: &'a mut [u8] },
}

struct Slot<'a> {
    literal: &'a [u8],
    target: Target<'a>,
}

const EACH_BYTE: u64 = 0x0101_0101_0101_0101;

fn zeros(word: u64) -> u64 {
    word.wrapping_sub(EACH_BYTE) & !word & (EACH_BYTE << 7)
}

/// Where the quote stands that ends a plain ASCII text; None where something else comes first.
fn quote(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    for chunk in bytes.chunks_exact(8) {
        let word = u64::from_le_bytes(chunk.try_into().ok()?);
        let control = (word.wrapping_sub(EACH_BYTE * b' ' as u64) & !word) | word;
        let marks = zeros(word ^ (EACH_BYTE * b'"' as u64)) | zeros(word ^ (EACH_BYTE * b'\\' as u64));
        let odd = marks | (control & (EACH_BYTE << 7));
        if odd != 0 {
            at += (odd.trailing_zeros() / 8) as usize;
            return (bytes[at] == b'"').then_some(at);
        }
        at += 8;
    }
    at += bytes[at..].iter().position(|&b| b == b'"' || b == b'\\' || !(b' '..0x80).contains(&b))?;
    (bytes[at] == b'"').then_some(at)
}

const MOST_EXACT_INTEGER: u64 = 1 << 53;
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
/// Bytes of a number that is read here; no double is written longer by a program.
const LONGEST_NUMBER: usize = 40;

fn digits(bytes: &[u8], mut at: usize, value: &mut u64) -> usize {
    while let Some(digit) = bytes.get(at).map(|b| b.wrapping_sub(b'0')).filter(|&d| d < 10) {
        *value = value.wrapping_mul(10).wrapping_add(digit as u64);
        at += 1;
    }
    at
}

/// A JSON number and its length; None for what is none, for long ones, and for integers beyond 2^53.
fn number(bytes: &[u8]) -> Option<(f64, usize)> {
    let negative = bytes.first() == Some(&b'-');
    let first = negative as usize;
    let (mut significand, mut power) = (0, 0i64);
    let whole = digits(bytes, first, &mut significand);
    if whole == first || (bytes[first] == b'0' && whole > first + 1) {
        return None;
    }
    let mut count = whole - first;
    let mut at = whole;
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, whole + 1, &mut significand);
        count += at - whole - 1;
        power = -((at - whole - 1) as i64);
        if power == 0 {
            return None;
        }
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let less = bytes.get(at + 1) == Some(&b'-');
        let from = at + 1 + (less || bytes.get(at + 1) == Some(&b'+')) as usize;
        let mut exponent = 0;
        at = digits(bytes, from, &mut exponent);
        if at == from || at - from > 4 {
            return None;
        }
        power += if less { -(exponent as i64) } else { exponent as i64 };
    }
    if at > LONGEST_NUMBER || (negative && at == whole && significand == 0) {
        return None;
    }
    if count <= 19 && significand <= MOST_EXACT_INTEGER && power.unsigned_abs() < POWERS.len() as u64 {
        let exact = significand as f64;
        let scale = POWERS[power.unsigned_abs() as usize];
        let value = if power < 0 { exact / scale } else { exact * scale };
        return Some((if negative { -value } else { value }, at));
    }
    if at == whole {
        return None;
    }
    let value: f64 = std::str::from_utf8(&bytes[..at]).ok()?.parse().ok()?;
    value.is_finite().then_some((value, at))
}

fn value(line: &[u8], at: usize, base: usize, target: &mut Target, row: usize) -> Option<usize> {
    let rest = &line[at..];
    match (*rest.first()?, target) {
        (b'"', Target::Skip) => Some(at + quote(&rest[1..])? + 2),
        (b'"', Target::Text { starts, stops, present }) => {
            let length = quote(&rest[1..])?;
            starts[row] = (base + at + 1) as u32;
            stops[row] = (base + at + 1 + length) as u32;
            present[row] = 1;
            Some(at + length + 2)
        }
        (b'n', _) => rest.starts_with(b"null").then_some(at + 4),
        (b't', Target::Skip) => rest.starts_with(b"true").then_some(at + 4),
        (b'f', Target::Skip) => rest.starts_with(b"false").then_some(at + 5),
        (_, Target::Skip) => Some(at + number(rest)?.1),
        (_, Target::Number { values, present }) => {
            let (found, length) = number(rest)?;
            values[row] = found;
            present[row] = 1;
            Some(at + length)
        }
        _ => None,
    }
}

fn read(line: &[u8], base: usize, slots: &mut [Slot], tail: &[u8], row: usize) -> Option<()> {
    let mut at = 0;
    for slot in slots {
        at += line[at..].starts_with(slot.literal).then_some(slot.literal.len())?;
        at = value(line, at, base, &mut slot.target, row)?;
    }
    (&line[at..] == tail).then_some(())
}

fn forget(slots: &mut [Slot], row: usize) {
    for slot in slots {
        if let Target::Number { present, .. } | Target::Text { present, .. } = &mut slot.target {
            present[row] = 0;
        }
    }
}

fn piece(data: &[u8], start: i64, end: i64) -> Option<&[u8]> {
    data.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

unsafe fn slots<'a>(members: *const Member, rows: usize) -> (Vec<Slot<'a>>, &'a [u8]) {
    let mut found = Vec::new();
    for place in 0.. {
        let m = unsafe { &*members.add(place) };
        let literal = unsafe { from_raw_parts(m.literal, m.literal_bytes as usize) };
        let target = match m.kind {
            END => return (found, literal),
            NUMBER => Target::Number {
                values: unsafe { from_raw_parts_mut(m.numbers, rows) },
                present: unsafe { from_raw_parts_mut(m.present, rows) },
            },
            TEXT => Target::Text {
                starts: unsafe { from_raw_parts_mut(m.starts, rows) },
                stops: unsafe { from_raw_parts_mut(m.stops, rows) },
                present: unsafe { from_raw_parts_mut(m.present, rows) },
            },
            _ => Target::Skip,
        };
        found.push(Slot { literal, target });
    }
    unreachable!()
}

/// # Safety
/// The arrays have the lengths that json_lines.c says.
#[no_mangle]
pub unsafe extern "C" fn json_lines_scan(
    data: *const u8,
    size: u64,
    starts: *const i64,
    ends: *const i64,
    rows: u64,
    members: *const Member,
    known: *mut u8,
) -> u64 {
    let rows = rows as usize;
    let data = unsafe { from_raw_parts(data, size as usize) };
    let (starts, ends) = unsafe { (from_raw_parts(starts, rows), from_raw_parts(ends, rows)) };
    let known = unsafe { from_raw_parts_mut(known, rows) };
    let (mut slots, tail) = unsafe { slots(members, rows) };
    for row in 0..rows {
        forget(&mut slots, row);
        let line = piece(data, starts[row], ends[row]);
        known[row] = line.and_then(|l| read(l, starts[row] as usize, &mut slots, tail, row)).is_some() as u8;
        if known[row] == 0 {
            forget(&mut slots, row);
        }
    }
    known.iter().map(|&k| k as u64).sum()
}

/// # Safety
/// The arrays have the lengths that texts.c says.
#[no_mangle]
pub unsafe extern "C" fn texts_offsets(
    size: u64,
    starts: *const u32,
    stops: *const u32,
    present: *const u8,
    rows: u64,
    offsets: *mut i32,
) -> i64 {
    let rows = rows as usize;
    let (starts, stops) = unsafe { (from_raw_parts(starts, rows), from_raw_parts(stops, rows)) };
    let present = unsafe { from_raw_parts(present, rows) };
    let offsets = unsafe { from_raw_parts_mut(offsets, rows + 1) };
    let mut bytes = 0i32;
    offsets[0] = 0;
    for row in 0..rows {
        if present[row] != 0 {
            let length = stops[row].checked_sub(starts[row]).filter(|_| u64::from(stops[row]) <= size);
            match length.and_then(|l| bytes.checked_add_unsigned(l)) {
                Some(sum) => bytes = sum,
                None => return -1,
            }
        }
        offsets[row + 1] = bytes;
    }
    i64::from(bytes)
}

fn copy_texts(data: &[u8], starts: &[u32], offsets: &[i32], column: &mut [u8]) -> Option<()> {
    for (row, edges) in offsets.windows(2).enumerate() {
        let (to, stop) = (edges[0] as usize, edges[1] as usize);
        let from = starts[row] as usize;
        if stop > to {
            column.get_mut(to..stop)?.copy_from_slice(data.get(from..from + (stop - to))?);
        }
    }
    Some(())
}

/// # Safety
/// The arrays have the lengths that texts.c says.
#[no_mangle]
pub unsafe extern "C" fn texts_copy(
    data: *const u8,
    size: u64,
    starts: *const u32,
    offsets: *const i32,
    rows: u64,
    column: *mut u8,
    bytes: u64,
) -> bool {
    let data = unsafe { from_raw_parts(data, size as usize) };
    let (starts, offsets) =
        unsafe { (from_raw_parts(starts, rows as usize), from_raw_parts(offsets, rows as usize + 1)) };
    copy_texts(data, starts, offsets, unsafe { from_raw_parts_mut(column, bytes as usize) }).is_some()
}

fn copy_lines(lines: &[Option<&[u8]>], copy: &mut [u8], starts: &mut [i64], ends: &mut [i64]) -> Option<()> {
    let mut to = 0;
    for (place, line) in lines.iter().enumerate() {
        let line = (*line)?;
        copy.get_mut(to..to + line.len())?.copy_from_slice(line);
        *copy.get_mut(to + line.len())? = b'\n';
        (starts[place], ends[place]) = (to as i64, (to + line.len()) as i64);
        to += line.len() + 1;
    }
    Some(())
}

/// # Safety
/// The arrays have the lengths that texts.c says.
#[no_mangle]
pub unsafe extern "C" fn lines_copy(
    data: *const u8,
    size: u64,
    starts: *const i64,
    ends: *const i64,
    rows: *const i64,
    count: u64,
    copy: *mut u8,
    bytes: u64,
    copy_starts: *mut i64,
    copy_ends: *mut i64,
) -> u64 {
    let count = count as usize;
    let data = unsafe { from_raw_parts(data, size as usize) };
    let rows = unsafe { from_raw_parts(rows, count) };
    let lines: Vec<_> = rows
        .iter()
        .map(|&row| piece(data, unsafe { *starts.add(row as usize) }, unsafe { *ends.add(row as usize) }))
        .collect();
    if !copy.is_null() {
        let copy = unsafe { from_raw_parts_mut(copy, bytes as usize) };
        let (first, last) = unsafe { (from_raw_parts_mut(copy_starts, count), from_raw_parts_mut(copy_ends, count)) };
        if copy_lines(&lines, copy, first, last).is_none() {
            return 0;
        }
    }
    lines.iter().try_fold(0, |sum, line| line.map(|l| sum + l.len() as u64 + 1)).unwrap_or(0)
}
