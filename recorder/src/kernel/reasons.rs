//! The kernel's words for why it drops packets: they differ from one kernel to the next, and are in its
//! description of types.

/// Numbers and names, without those that mean that nothing was dropped or nobody says why.
pub fn drop_reasons() -> Vec<(u32, String)> {
    let types = std::fs::read("/sys/kernel/btf/vmlinux").unwrap_or_default();
    let names = enumeration(&types, b"skb_drop_reason").unwrap_or_default();
    let word = |name: String| name.strip_prefix("SKB_DROP_REASON_").map(str::to_string);
    names
        .into_iter()
        .filter_map(|(number, name)| Some((number, word(name)?)))
        .filter(|(_, word)| !matches!(&**word, "NOT_SPECIFIED" | "MAX" | "SUBSYS_MASK"))
        .collect()
}

/// The names of an enumeration in BTF, which has a header, the types one after the other, and strings.
fn enumeration(btf: &[u8], wanted: &[u8]) -> Option<Vec<(u32, String)>> {
    const ENUM: u32 = 6;
    let word = |bytes: &[u8], at: usize| {
        let bytes = bytes.get(at..at.checked_add(4)?)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    };
    let head = |index: usize| word(btf, 4 * index).map(|value| value as usize);
    let (length, types_at, types_length) = (head(1)?, head(2)?, head(3)?);
    let (strings_at, strings_length) = (head(4)?, head(5)?);
    let part = |at: usize, size: usize| btf.get(length + at..length + at + size);
    let (types, strings) = (part(types_at, types_length)?, part(strings_at, strings_length)?);
    let name = |at: u32| strings.get(at as usize..)?.split(|byte| *byte == 0).next();
    let mut at = 0;
    while let (Some(name_at), Some(info)) = (word(types, at), word(types, at + 4)) {
        let (count, kind) = ((info & 0xffff) as usize, info >> 24 & 0x1f);
        let members = at + 12;
        if kind == ENUM && name(name_at)? == wanted {
            let member = |index: usize| {
                let at = members + 8 * index;
                let name = name(word(types, at)?)?;
                Some((word(types, at + 4)?, String::from_utf8_lossy(name).into_owned()))
            };
            return (0..count).map(member).collect();
        }
        // What follows a type, by its kind.
        at = members
            + match kind {
                1 | 14 | 17 => 4,
                3 => 12,
                4 | 5 | 15 | 19 => 12 * count,
                6 | 13 => 8 * count,
                _ => 0,
            };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enumeration_is_found_behind_other_types() {
        let strings = b"\0other\0skb_drop_reason\0SKB_DROP_REASON_A\0";
        let words = |words: &[u32]| words.iter().flat_map(|w| w.to_ne_bytes()).collect::<Vec<u8>>();
        // A number, a structure of one member, the enumeration.
        let types =
            words(&[1, 1 << 24, 4, 0, 1, 4 << 24 | 1, 4, 1, 1, 0, 7, 6 << 24 | 1, 4, 23, 5]);
        let head = words(&[0x1eb9f, 24, 0, types.len() as u32, types.len() as u32, 41]);
        let btf = [&head, &types, &strings[..]].concat();
        let found = enumeration(&btf, b"skb_drop_reason");
        assert_eq!(found, Some(vec![(5, "SKB_DROP_REASON_A".to_string())]));
        assert_eq!(enumeration(&btf, b"other"), None);
        for length in 0..btf.len() {
            let _ = enumeration(&btf[..length], b"skb_drop_reason");
        }
    }
}
