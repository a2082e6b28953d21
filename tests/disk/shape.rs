//! Random trees for property tests.

use std::collections::BTreeMap;

use disk::tree::{Content, Device, Kind, Node, Piece, Source, Time, Tree};
use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::Index;

const BLOCK: u64 = 4096;

/// A node: its parent among the earlier folders, and its name.
#[derive(Debug, Clone)]
pub(crate) struct Thing {
    folder: Index,
    name: String,
    what: What,
    mode: u16,
    owner: (u32, u32),
    modified: (i64, u32),
    xattrs: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, Clone)]
enum What {
    Dir,
    File(Vec<u8>),
    /// Numbers of the blocks with data, and the number of all blocks.
    Sparse(Vec<u64>, u64),
    Symlink(String),
    Hard(Index),
    Char(u32, u32),
    Block(u32, u32),
    Fifo,
    Socket,
}

pub(crate) fn things(most: usize) -> impl Strategy<Value = Vec<Thing>> {
    vec(thing(), 1..most)
}

fn thing() -> impl Strategy<Value = Thing> {
    let xattr = prop_oneof![
        "user\\.[a-z]{1,12}",
        "trusted\\.[a-z]{1,12}",
        Just("security.capability".to_owned()),
        Just("security.selinux".to_owned())
    ];
    (
        any::<Index>(),
        // Any characters except a slash and a zero byte.
        "[^/\\x00]{1,40}",
        what(),
        0_u16..0o10000,
        (prop_oneof![0_u32..2000, Just(65534), Just(4_000_000_000)], prop_oneof![0_u32..2000, Just(70_000)]),
        (0_i64..4_000_000_000, 0_u32..1_000_000_000),
        btree_map(xattr, vec(any::<u8>(), 0..200), 0..3),
    )
        .prop_map(|(folder, name, what, mode, owner, modified, xattrs)| Thing {
            folder,
            name,
            what,
            mode,
            owner,
            modified,
            xattrs,
        })
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        3 => Just(What::Dir),
        4 => vec(any::<u8>(), 0..9000).prop_map(What::File),
        1 => (vec(0..40_000_u64, 0..12), 0..40_000_u64).prop_map(|(blocks, size)| What::Sparse(blocks, size)),
        2 => "[a-z/.]{1,150}".prop_map(What::Symlink),
        2 => any::<Index>().prop_map(What::Hard),
        1 => (0..4096_u32, 0..1_048_576_u32).prop_map(|(major, minor)| What::Char(major, minor)),
        1 => (0..4096_u32, 0..1_048_576_u32).prop_map(|(major, minor)| What::Block(major, minor)),
        1 => Just(What::Fifo),
        1 => Just(What::Socket),
    ]
}

/// Builds the tree, without nodes whose names are taken or invalid.
pub(crate) fn tree(things: &[Thing]) -> Tree {
    let mut tree = Tree::new(Node::new(Kind::Dir, 0o755, 1_700_000_000));
    let (mut folders, mut files) = (vec!["/".to_owned()], Vec::<String>::new());
    for thing in things {
        let folder = thing.folder.get(&folders);
        let path = format!("{}/{}", folder.trim_end_matches('/'), thing.name);
        if thing.name == "." || thing.name == ".." || thing.name.len() > 255 || tree.get(&path).is_some() {
            continue;
        }
        let kind = match &thing.what {
            What::Hard(_) if files.is_empty() => continue,
            What::Hard(other) => {
                let id = tree.id(other.get(&files).as_str()).unwrap();
                tree.link(&path, id).unwrap();
                continue;
            }
            What::Dir => Kind::Dir,
            What::File(bytes) => Kind::File(Content::bytes(bytes.clone())),
            What::Sparse(blocks, size) => Kind::File(sparse(blocks, *size)),
            What::Symlink(target) => Kind::Symlink(target.clone()),
            What::Char(major, minor) => Kind::Char(Device { major: *major, minor: *minor }),
            What::Block(major, minor) => Kind::Block(Device { major: *major, minor: *minor }),
            What::Fifo => Kind::Fifo,
            What::Socket => Kind::Socket,
        };
        let plain = matches!(kind, Kind::File(_) | Kind::Dir);
        match kind {
            Kind::Dir => folders.push(path.clone()),
            Kind::Symlink(_) => {}
            _ => files.push(path.clone()),
        }
        let mut node = Node::new(kind, thing.mode, 0);
        (node.uid, node.gid) = thing.owner;
        node.modified = Time { seconds: thing.modified.0, nanoseconds: thing.modified.1 };
        if plain {
            node.xattrs = thing.xattrs.clone();
        }
        tree.insert(&path, node).unwrap();
    }
    tree
}

fn sparse(blocks: &[u64], size: u64) -> Content {
    let mut blocks: Vec<u64> = blocks.iter().copied().filter(|block| *block < size).collect();
    blocks.sort_unstable();
    blocks.dedup();
    let block = |number: u64| Piece {
        at: number * BLOCK,
        size: BLOCK,
        source: Source::Memory(vec![(number % 255) as u8 + 1; BLOCK as usize].into()),
    };
    Content::sparse(size * BLOCK, blocks.into_iter().map(block).collect())
}
