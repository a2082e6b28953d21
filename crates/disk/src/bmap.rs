//! Writes block maps, by which bmaptool flashes only the used blocks. Blocks that must be zero count as used:
//! a card is not empty, and old bytes in a journal or a table could be taken for valid data.

use std::fmt::Write;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use common::checksum::sha256;
use common::parallel;

use super::ext4::{self, Ext4};
use crate::layout::Draft;
use crate::{fat, mbr, pack};

const BLOCK: u64 = 4096;
/// Placeholder for the map's own checksum while that is computed.
const NO_CHECKSUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Ranges of blocks, end included.
type Ranges = Vec<(u64, u64)>;

/// Writes the block map of a disk image.
pub fn write(image: &Path, out: &Path) -> Result<()> {
    let display = image.display();
    let file = Arc::new(File::open(image).with_context(|| format!("cannot read `{display}`"))?);
    let size = file.metadata()?.len();
    let ranges = ranges(&file, size).with_context(|| format!("`{display}`"))?;
    let sums = sums(&file, size, &ranges).with_context(|| format!("cannot read `{display}`"))?;
    let draft = Draft::new(out, 0)?;
    draft.file.write_all_at(text(size, &ranges, &sums).as_bytes(), 0)?;
    draft.keep()
}

/// Returns the used blocks of a disk: everything outside the partitions, and what the file systems in them
/// use.
fn ranges(file: &Arc<File>, size: u64) -> Result<Ranges> {
    let mut partitions = mbr::read(file)?.partitions;
    partitions.sort_by_key(|partition| partition.at);
    let mut used: Vec<(u64, u64)> = Vec::new();
    let mut at = 0;
    for partition in &partitions {
        used.push((at, partition.at));
        used.extend(
            inside(file, partition)?.iter().map(|(from, to)| (partition.at + from, partition.at + to)),
        );
        at = partition.end();
    }
    used.push((at, size));
    let mut ranges = Ranges::new();
    for (from, to) in used.into_iter().filter(|(from, to)| from < to) {
        let (from, to) = (from / BLOCK, (to - 1) / BLOCK);
        match ranges.last_mut() {
            Some((_, end)) if from <= *end + 1 => *end = to.max(*end),
            _ => ranges.push((from, to)),
        }
    }
    Ok(ranges)
}

/// Returns the used blocks of a partition; all of them if its file system is unknown.
fn inside(file: &Arc<File>, partition: &mbr::Partition) -> Result<Vec<(u64, u64)>> {
    if ext4::is_there(file, partition.at) {
        return Ext4::open(file.clone(), partition.at, partition.size)?.used();
    }
    Ok(fat::used(file, partition.at, partition.size)?.unwrap_or_else(|| vec![(0, partition.size)]))
}

/// Computes a checksum for each range, in parallel.
fn sums(file: &File, size: u64, ranges: &Ranges) -> io::Result<Vec<String>> {
    let next = AtomicUsize::new(0);
    let mut sums = vec![String::new(); ranges.len()];
    let checksums: io::Result<Vec<Vec<(usize, String)>>> = std::thread::scope(|scope| {
        let work = || {
            let mut checksums = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some((from, to)) = ranges.get(number) else { return Ok(checksums) };
                checksums
                    .push((number, pack::Sum::of_part(file, from * BLOCK, ((to + 1) * BLOCK).min(size))?));
            }
        };
        let threads: Vec<_> = (0..parallel::processors()).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a checksum does not panic")).collect()
    });
    for (number, sum) in checksums?.into_iter().flatten() {
        sums[number] = sum;
    }
    Ok(sums)
}

/// Formats the map for bmaptool, version 2.0.
fn text(size: u64, ranges: &Ranges, sums: &[String]) -> String {
    let mapped: u64 = ranges.iter().map(|(from, to)| to - from + 1).sum();
    let mut text = format!(
        "<?xml version=\"1.0\" ?>\n<bmap version=\"2.0\">\n    <ImageSize> {size} </ImageSize>\n    \
         <BlockSize> {BLOCK} </BlockSize>\n    <BlocksCount> {} </BlocksCount>\n    \
         <MappedBlocksCount> {mapped} </MappedBlocksCount>\n    <ChecksumType> sha256 </ChecksumType>\n    \
         <BmapFileChecksum> {NO_CHECKSUM} </BmapFileChecksum>\n    <BlockMap>\n",
        size.div_ceil(BLOCK)
    );
    for ((from, to), sum) in ranges.iter().zip(sums) {
        let range = if from == to { from.to_string() } else { format!("{from}-{to}") };
        let _ = writeln!(text, "        <Range chksum=\"{sum}\"> {range} </Range>");
    }
    text.push_str("    </BlockMap>\n</bmap>\n");
    let own = sha256(text.as_bytes());
    text.replacen(NO_CHECKSUM, &own, 1)
}
