//! Damaged and malicious disks: reading them gives a one-line error. Nothing panics, loops forever or fills
//! the memory.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use disk::ext4::Ext4;
use disk::tree::{Content, Kind, Node, Tree};
use disk::{fat, layout, mbr};
use flate2::Crc;
use proptest::collection::vec;
use proptest::prelude::{any, proptest};
use proptest::sample::Index;
use support::draw_cases;
use support::scratch::scratch;
use trial::card::Card;

use crate::debian::{EPOCH, layout, system};

const SECTOR: u64 = 512;
const BLOCK: usize = 4096;
const DISK: u64 = 4 << 20;

/// Numbers that break careless arithmetic.
const WORDS: [u32; 8] = [0, 1, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, u32::MAX];

/// Returns an error's text, which must be one line.
#[track_caller]
fn one_line<T>(result: Result<T>) -> Option<T> {
    result.map_err(|error| assert!(!format!("{error:#}").contains('\n'), "{error:#}")).ok()
}

#[test]
fn no_number_of_a_gpt_is_believed() {
    let dir = scratch("damage-gpt");
    let path = dir.join("disk");
    let last = DISK / SECTOR - 1;
    let powers = (0..64).map(|bit| 1 << bit);
    let numbers = powers.chain([0, 3, 33, 34, 100, last - 1, last, last + 1, u64::MAX / SECTOR, u64::MAX]);
    let (mut read, mut refused) = (0, 0);
    for number in numbers.flat_map(|number: u64| [number, number.wrapping_sub(1), number.wrapping_neg()]) {
        // Positions of the header, its backup and the entries, the usable range, and the bounds of each
        // partition.
        for field in [24, 32, 40, 48, 72, 512 + 32, 512 + 40, 512 + 128 + 32, 512 + 128 + 40] {
            let mut table = gpt();
            table[field..field + 8].copy_from_slice(&number.to_le_bytes());
            sign(&mut table);
            fs::write(&path, [&[0; 446][..], &protective(), &table].concat()).unwrap();
            let file = File::options().read(true).write(true).open(&path).unwrap();
            file.set_len(DISK).unwrap();
            let Some(mut table) = one_line(mbr::read(&file)) else {
                refused += 1;
                continue;
            };
            read += 1;
            assert!(table.partitions.iter().all(|partition| partition.end() > partition.at));
            let end = table.partitions.iter().map(mbr::Partition::end).max().unwrap();
            if end + table.tail() < DISK {
                let number = table.partitions.iter().find(|partition| partition.end() == end).unwrap().number;
                one_line(table.grow(&file, number, DISK - (1 << 20), DISK));
                assert_eq!(
                    file.metadata().unwrap().len(),
                    DISK,
                    "{field}: {number}: written beyond the disk"
                );
                let mut before = [0; 446];
                file.read_exact_at(&mut before, 0).unwrap();
                assert_eq!(before, [0; 446], "{field}: {number}: the boot loader is gone");
            }
        }
    }
    assert!(read > 100 && refused > 500, "{read} read, {refused} refused");
}

/// Header and entries of a disk with two partitions.
fn gpt() -> Vec<u8> {
    let mut table = vec![0; 512 + 128 * 128];
    let mut put = |at: usize, bytes: &[u8]| table[at..at + bytes.len()].copy_from_slice(bytes);
    let last = DISK / SECTOR - 1;
    put(0, b"EFI PART\0\0\x01\0\x5c\0\0\0");
    for (at, number) in [(24, 1), (32, last), (40, 34), (48, last - 33), (72, 2)] {
        put(at, &u64::to_le_bytes(number));
    }
    put(80, &128_u32.to_le_bytes());
    put(84, &128_u32.to_le_bytes());
    for (at, first, last) in [(512, 64, 127), (512 + 128, 128, 1023)] {
        put(at, &[7; 32]);
        put(at + 32, &u64::to_le_bytes(first));
        put(at + 40, &u64::to_le_bytes(last));
    }
    table
}

/// Updates the checksums, as an attacker would.
fn sign(table: &mut [u8]) {
    let sum = |bytes: &[u8]| {
        let mut crc = Crc::new();
        crc.update(bytes);
        crc.sum().to_le_bytes()
    };
    let entries = sum(&table[512..]);
    table[88..92].copy_from_slice(&entries);
    table[16..20].fill(0);
    let header = sum(&table[..92]);
    table[16..20].copy_from_slice(&header);
}

/// The rest of the first sector, with a protective MBR.
fn protective() -> Vec<u8> {
    let mut rest = vec![0; 66];
    rest[4] = 0xee;
    rest[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    rest[64..].copy_from_slice(&[0x55, 0xaa]);
    rest
}

/// An image with both file systems without checksums, and its non-zero ranges.
struct Image {
    path: PathBuf,
    file: File,
    boot: mbr::Partition,
    root: mbr::Partition,
    used: Vec<u64>,
}

fn image() -> &'static Image {
    static MADE: OnceLock<Image> = OnceLock::new();
    MADE.get_or_init(|| {
        // Shared by all tests of this run; cargo removes the folder with the next build.
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("damage-{}.img", std::process::id()));
        layout::write(&system(), &layout(), &path).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let [boot, root] = mbr::read(&file).unwrap().partitions.try_into().unwrap();
        without_checksums(&file, root.at);
        let bytes = fs::read(&path).unwrap();
        let used = (446..bytes.len() as u64).filter(|at| bytes[*at as usize] != 0).collect();
        let _ = fs::remove_file(&path);
        fs::write(&path, bytes).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        Image { path, file, boot, root, used }
    })
}

fn without_checksums(file: &File, at: u64) {
    let mut features = [0];
    file.read_exact_at(&mut features, at + 1024 + 0x65).unwrap();
    file.write_all_at(&[features[0] & !4], at + 1024 + 0x65).unwrap();
}

impl Image {
    /// Changes some bytes, reads everything in every way, and restores the bytes.
    fn changed(&self, at: u64, bytes: &[u8]) {
        // One change at a time, from any test.
        static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _turn = TURN.lock().unwrap();
        let mut before = vec![0; bytes.len()];
        if self.file.read_exact_at(&mut before, at).is_err() {
            return;
        }
        self.file.write_all_at(bytes, at).unwrap();
        self.read();
        self.file.write_all_at(&before, at).unwrap();
    }

    fn read(&self) {
        let file = Arc::new(File::open(&self.path).unwrap());
        let size = file.metadata().unwrap().len();
        if let Some(table) = one_line(mbr::read(&file)) {
            for partition in table.partitions.iter().filter(|partition| partition.end() <= size) {
                if let Ok(Some(used)) = fat::used(&file, partition.at, partition.size) {
                    assert!(used.iter().all(|(from, to)| from <= to && *to <= partition.size), "{used:?}");
                }
                one_line(everything(file.clone(), partition.at, partition.size));
            }
        }
        let Some(card) = one_line(Card::open(&self.path)) else { return };
        if let Some(volume) = one_line(card.boot()) {
            for name in volume.names() {
                one_line(volume.read(name));
            }
        }
        if let Some(root) = one_line(card.root()) {
            for path in ["/etc/passwd", "/usr/bin/tool", "/var/lib/dpkg/status"] {
                one_line(root.read(path));
            }
            one_line(root.names("/etc"));
        }
    }
}

/// Reads an ext4 with all file contents.
fn everything(file: Arc<File>, at: u64, size: u64) -> Result<Tree> {
    let fs = Ext4::open(file, at, size)?;
    let (_, _, _, _) = (fs.identity()?, fs.used()?, fs.free(), fs.has("/var/lib/dpkg/status"));
    let tree = fs.tree()?;
    for (_, _, node) in tree.iter() {
        if let Kind::File(content) = &node.kind
            && content.size() < 1 << 24
        {
            let _ = content.read();
        }
    }
    Ok(tree)
}

#[test]
fn no_number_of_a_file_systems_first_block_is_believed() {
    let image = image();
    image.read();
    let fields = (image.boot.at + 11..image.boot.at + 52).chain((446..510).step_by(4));
    let root = image.root.at + 1024;
    for at in fields.chain((root..root + 0x178).step_by(4)) {
        for word in WORDS {
            image.changed(at, &word.to_le_bytes());
        }
    }
}

proptest! {
    #![proptest_config(draw_cases(200))]

    #[test]
    fn a_damaged_disk_is_an_error_and_no_panic(at in any::<Index>(), bytes in vec(any::<u8>(), 1..24)) {
        image().changed(*at.get(&image().used), &bytes);
    }

    #[test]
    fn a_damaged_tar_is_an_error_and_no_panic(at in any::<Index>(), bytes in vec(any::<u8>(), 1..24), signed in any::<bool>()) {
        let mut tar = tar().to_vec();
        let used: Vec<usize> = (0..tar.len()).filter(|at| tar[*at] != 0).collect();
        let at = *at.get(&used);
        let end = (at + bytes.len()).min(tar.len());
        tar[at..end].copy_from_slice(&bytes[..end - at]);
        if signed {
            tar.chunks_mut(512).filter(|block| &block[257..262] == b"ustar").for_each(sign_header);
        }
        let dir = scratch("damage-tar");
        let path = dir.join("tar");
        fs::write(&path, tar).unwrap();
        // Error texts quote names from the tar.
        if let Ok(tree) = Tree::from_tar(&path) {
            let length = fs::metadata(&path).unwrap().len();
            for (_, _, node) in tree.iter() {
                if let Kind::File(content) = &node.kind {
                    assert!(content.size() <= length);
                }
            }
        }
    }
}

/// A tar with paths and numbers in every encoding: in the header, and in both kinds of extensions.
fn tar() -> &'static [u8] {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = scratch("damage-tar-made");
        let script = "mkdir -p root/etc; echo text >root/etc/short; ln -s short root/etc/link; ln root/etc/short root/etc/other
            mkfifo root/pipe; long=$(printf %0200d 7); echo long >root/$long; ln -s $long root/to
            setfattr -n user.name -v value root/etc/short
            for format in posix gnu; do
                tar --create --directory=root --sort=name --format=$format --xattrs --xattrs-include='*' --file=$format.tar .
            done
            tar --concatenate --file=posix.tar gnu.tar; cat posix.tar";
        let output = crate::others::command("sh").current_dir(&*dir).args(["-euc", script]).output().unwrap();
        assert!(output.status.success(), "{}", crate::others::both(&output));
        output.stdout
    })
}

fn sign_header(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// Blocks that refer to each other 340 times each expand to billions of extents.
#[test]
fn extents_that_lead_to_the_same_blocks_again_and_again_come_to_an_end() {
    let dir = scratch("damage-extents");
    let path = dir.join("disk.img");
    let mut tree = system();
    let marks: Vec<String> =
        (0..5).map(|number| format!("the block of the number {number} {}", "x".repeat(500))).collect();
    for (number, mark) in marks.iter().enumerate() {
        let file = Kind::File(Content::bytes(mark.as_bytes()));
        tree.insert(&format!("/etc/block-{number}"), Node::new(file, 0o644, EPOCH)).unwrap();
    }
    layout::write(&tree, &layout(), &path).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let root = mbr::read(&file).unwrap().partitions[1];
    without_checksums(&file, root.at);
    let bytes = fs::read(&path).unwrap()[root.at as usize..].to_vec();
    let find =
        |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).position(|window| window == text).unwrap();
    let places: Vec<usize> = marks.iter().map(|mark| find(&bytes, mark.as_bytes()) / BLOCK).collect();
    // Turns the first file's only extent into the root of the extents.
    let extent = [[0, 0, 0, 0, 1, 0, 0, 0].as_slice(), &(places[0] as u32).to_le_bytes()].concat();
    let inode = find(&bytes, &extent) - 12;
    let head = |entries: u16, most: u16, depth: u16| {
        [0xf30a, entries, most, depth, 0, 0]
            .iter()
            .flat_map(|number: &u16| number.to_le_bytes())
            .collect::<Vec<_>>()
    };
    let leads_to = |place: usize| [[0; 4], (place as u32).to_le_bytes(), [0; 4]].concat();
    let at = |place: usize| root.at + (place * BLOCK) as u64;
    file.write_all_at(&[head(1, 4, 5), leads_to(places[0])].concat(), root.at + inode as u64).unwrap();
    for (number, place) in places.iter().enumerate() {
        let entry = match places.get(number + 1) {
            Some(next) => leads_to(*next),
            None => [[0, 0, 0, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0]].concat()[..12].to_vec(),
        };
        file.write_all_at(&[head(340, 340, 4 - number as u16), entry.repeat(340)].concat(), at(*place))
            .unwrap();
    }
    let (tell, answer) = mpsc::channel();
    thread::spawn(move || {
        let read = everything(Arc::new(file), root.at, root.size);
        let _ = tell.send(read.map(drop).map_err(|error| format!("{error:#}")));
    });
    let answer = answer.recv_timeout(Duration::from_secs(30)).expect("it comes to no end");
    assert_eq!(answer.unwrap_err(), "`/etc/block-0`: shares blocks with other files: run `e2fsck -f` on it");
}
