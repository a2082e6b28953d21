//! Computes an MBR in which the last partition extends to the end of the card.
//!
//! This changes only twelve bytes of one entry. The disk signature, by which the kernel finds its root, stays
//! the same.

/// Size of the table and of every sector.
pub const SECTOR: usize = 512;

/// Partitions are aligned to this number of sectors, which is also the erase block size of cards.
const ALIGNMENT: u64 = 2048;
/// Types of extended partitions.
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
const PROTECTIVE: u8 = 0xee;

/// The result of [`grown`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The partition already extends to the end.
    Full,
    /// The table is not changed, for this reason.
    Refused(String),
    /// The new table, and the new length of the partition in sectors.
    Grown(Box<[u8; SECTOR]>, u64),
}

/// Computes the new table. `number` is the partition, from 1; `begin` its first sector if known; `sectors`
/// the size of the card.
pub fn grown(table: &[u8; SECTOR], number: usize, begin: Option<u64>, sectors: u64) -> Verdict {
    let refused = |why: String| Verdict::Refused(why);
    if table[510..] != [0x55, 0xaa] {
        return refused("no MBR partition table".to_owned());
    }
    let entries: Vec<Entry> = (0..4).map(|i| Entry::read(&table[446 + 16 * i..][..16])).collect();
    if entries.iter().any(|e| e.kind == PROTECTIVE) {
        return refused("GPT partition table: use systemd-repart".to_owned());
    }
    let Some(entry) = number.checked_sub(1).and_then(|i| entries.get(i)).filter(|e| e.kind != 0) else {
        return refused(format!("partition {number} is not in the table"));
    };
    if EXTENDED.contains(&entry.kind) {
        return refused(format!("partition {number} is an extended partition"));
    }
    if begin.is_some_and(|begin| begin != entry.begin) {
        return refused(format!("the kernel and the table disagree about the start of partition {number}"));
    }
    if entry.begin == 0 || entry.end() > sectors {
        return refused(format!(
            "partition {number} ends beyond the end of the card: the card is smaller than the image"
        ));
    }
    if let Some(after) = entries.iter().position(|e| e.kind != 0 && e.begin > entry.begin) {
        return refused(format!("partition {} follows partition {number}", after + 1));
    }
    // An MBR cannot address more sectors.
    let end = sectors.min(u64::from(u32::MAX)) / ALIGNMENT * ALIGNMENT;
    if end < entry.end() + ALIGNMENT {
        return Verdict::Full;
    }
    let length = end - entry.begin;
    let mut new = Box::new(*table);
    let at = 446 + 16 * (number - 1);
    // Cylinder, head and sector numbers cannot express this: use the highest ones.
    new[at + 5..at + 8].copy_from_slice(&[0xfe, 0xff, 0xff]);
    let short = u32::try_from(length).unwrap_or(u32::MAX);
    new[at + 12..at + 16].copy_from_slice(&short.to_le_bytes());
    Verdict::Grown(new, length)
}

struct Entry {
    kind: u8,
    begin: u64,
    length: u64,
}

impl Entry {
    fn read(bytes: &[u8]) -> Entry {
        let number = |at: usize| (0..4).fold(0, |sum, i| sum | u64::from(bytes[at + i]) << (8 * i));
        Entry { kind: bytes[4], begin: number(8), length: number(12) }
    }

    fn end(&self) -> u64 {
        self.begin + self.length
    }
}

#[cfg(test)]
mod tests {
    use super::{SECTOR, Verdict, grown};

    fn table(entries: &[(u8, u32, u32)]) -> [u8; SECTOR] {
        let mut table = [0; SECTOR];
        table[440..444].copy_from_slice(b"SIGN");
        for (i, (kind, begin, length)) in entries.iter().enumerate() {
            let at = 446 + 16 * i;
            table[at + 4] = *kind;
            table[at + 8..at + 12].copy_from_slice(&begin.to_le_bytes());
            table[at + 12..at + 16].copy_from_slice(&length.to_le_bytes());
        }
        table[510..].copy_from_slice(&[0x55, 0xaa]);
        table
    }

    const BOOT: (u8, u32, u32) = (0x0c, 8192, 8192);

    #[test]
    fn the_last_partition_reaches_the_end() {
        let old = table(&[BOOT, (0x83, 16384, 4096)]);
        let Verdict::Grown(new, length) = grown(&old, 2, Some(16384), 100_000) else { panic!("not grown") };
        assert_eq!(length, 98_304 - 16384);
        let changed: Vec<usize> = (0..SECTOR).filter(|i| old[*i] != new[*i]).collect();
        assert!(changed.iter().all(|i| (462..478).contains(i)), "{changed:?}");
        assert_eq!(grown(&new, 2, Some(16384), 100_000), Verdict::Full);
        // Two terabytes are the end of such a table.
        assert!(matches!(grown(&old, 2, None, 1 << 40), Verdict::Grown(_, l) if l < 1 << 32));
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let refused =
            |table: &[u8; SECTOR], number, begin, sectors| match grown(table, number, begin, sectors) {
                Verdict::Refused(why) => why,
                other => panic!("{other:?}"),
            };
        let card = 100_000;
        assert!(refused(&[0; SECTOR], 2, None, card).contains("no MBR partition table"));
        assert!(refused(&table(&[(0xee, 1, u32::MAX)]), 1, None, card).contains("GPT"));
        assert!(refused(&table(&[BOOT]), 2, None, card).contains("partition 2 is not"));
        assert!(refused(&table(&[BOOT]), 0, None, card).contains("partition 0 is not"));
        assert!(refused(&table(&[BOOT]), 7, None, card).contains("partition 7 is not"));
        assert!(refused(&table(&[BOOT, (5, 16384, 4096)]), 2, None, card).contains("extended"));
        let old = table(&[BOOT, (0x83, 16384, 4096), (0x83, 20480, 10)]);
        assert!(refused(&old, 2, None, card).contains("partition 3 follows"));
        assert!(refused(&old, 3, Some(1), card).contains("disagree"));
        assert!(refused(&table(&[BOOT, (0x83, 16384, 4096)]), 2, None, 20_000).contains("smaller"));
        assert!(refused(&table(&[BOOT, (0x83, u32::MAX, u32::MAX)]), 2, None, card).contains("smaller"));
    }
}
