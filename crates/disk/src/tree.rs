//! A root tree: a sorted map from absolute path to node. It is read from a tar or a file system, changed in
//! memory, and written to file systems. File contents stay where they were read from.

mod content;
mod tar;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

pub use self::content::{Content, Piece, Source};
pub use self::tar::Extensions;

/// A file system, or a folder of one. Several paths may share a node; those are hard links.
#[derive(Debug, Clone)]
pub struct Tree {
    paths: BTreeMap<String, Id>,
    nodes: Vec<Node>,
}

/// Identifies a node within its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(usize);

/// A file, folder, link or device.
#[derive(Debug, Clone)]
pub struct Node {
    /// Type and content.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u16,
    /// Owner's user ID.
    pub uid: u32,
    /// Group ID.
    pub gid: u32,
    /// Modification time of the content.
    pub modified: Time,
    /// Other timestamps, if known: a tar does not have them.
    pub past: Option<Past>,
    /// Extended attributes by their full names as the kernel shows them, including capabilities and ACLs.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// The type of a node.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A directory.
    Dir,
    /// A regular file.
    File(Content),
    /// A symbolic link with its target.
    Symlink(String),
    /// A character device.
    Char(Device),
    /// A block device.
    Block(Device),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// Device numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

/// A timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanoseconds: u32,
}

/// Timestamps other than the modification time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// Access time.
    pub accessed: Time,
    /// Change time.
    pub changed: Time,
    /// Creation time.
    pub born: Time,
}

impl Tree {
    /// Creates a tree with only the root folder.
    pub fn new(root: Node) -> Tree {
        Tree { paths: BTreeMap::from([("/".to_owned(), Id(0))]), nodes: vec![root] }
    }

    /// Returns the node at a path, without following symlinks.
    pub fn get(&self, path: &str) -> Option<&Node> {
        Some(&self.nodes[self.id(path)?.0])
    }

    /// Returns the node at a path for modification. The change affects all of its names.
    pub fn get_mut(&mut self, path: &str) -> Option<&mut Node> {
        let id = self.id(path)?;
        Some(&mut self.nodes[id.0])
    }

    /// Returns the ID of the node at a path; hard links share it.
    pub fn id(&self, path: &str) -> Option<Id> {
        self.paths.get(path).copied()
    }

    /// Iterates over all paths, parents first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Id, &Node)> {
        self.paths.iter().map(|(path, id)| (path.as_str(), *id, &self.nodes[id.0]))
    }

    /// Iterates over everything below a folder.
    pub fn below(&self, folder: &str) -> impl Iterator<Item = (&str, Id, &Node)> {
        let inside = inside(folder);
        let paths = self.paths.range(inside.clone()..);
        paths
            .skip_while({
                let inside = inside.clone();
                move |(path, _)| **path == inside
            })
            .take_while(move |(path, _)| path.starts_with(&inside))
            .map(|(path, id)| (path.as_str(), *id, &self.nodes[id.0]))
    }

    /// Inserts a node, replacing what is there; a folder that replaces a folder keeps its contents.
    pub fn insert(&mut self, path: &str, node: Node) -> Result<Id> {
        let folder = matches!(node.kind, Kind::Dir);
        self.make_room(path, folder)?;
        if folder && let Some(id) = self.id(path) {
            self.nodes[id.0] = node;
            return Ok(id);
        }
        let id = Id(self.nodes.len());
        self.nodes.push(node);
        self.paths.insert(path.to_owned(), id);
        Ok(id)
    }

    /// Adds a hard link to a node that is not a folder, replacing what is there.
    pub fn link(&mut self, path: &str, id: Id) -> Result<()> {
        ensure!(!matches!(self.nodes[id.0].kind, Kind::Dir), "`{path}`: hard link to a folder");
        self.make_room(path, false)?;
        self.paths.insert(path.to_owned(), id);
        Ok(())
    }

    /// Removes a path with everything below it; returns whether it existed.
    pub fn remove(&mut self, path: &str) -> bool {
        let below: Vec<String> = self.below(path).map(|(path, ..)| path.to_owned()).collect();
        for path in &below {
            self.paths.remove(path);
        }
        path != "/" && self.paths.remove(path).is_some()
    }

    /// Returns a folder as a tree of its own, with the folder as `/`.
    pub fn subtree(&self, folder: &str) -> Result<Tree> {
        let root = self.get(folder).with_context(|| format!("`{folder}`: no such folder"))?;
        ensure!(matches!(root.kind, Kind::Dir), "`{folder}`: not a folder");
        let mut tree = Tree::new(root.clone());
        let mut ids = BTreeMap::new();
        for (path, id, node) in self.below(folder) {
            let path = &path[inside(folder).len() - 1..];
            match ids.get(&id) {
                Some(known) => tree.link(path, *known)?,
                None => drop(ids.insert(id, tree.insert(path, node.clone())?)),
            }
        }
        Ok(tree)
    }

    /// Reads the content of a file.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        match self.get(path).map(|node| &node.kind) {
            Some(Kind::File(content)) => content.read().with_context(|| format!("cannot read `{path}`")),
            Some(_) => bail!("`{path}`: not a regular file"),
            None => bail!("`{path}`: no such file"),
        }
    }

    /// Checks that a node may be inserted there, and removes what it replaces.
    fn make_room(&mut self, path: &str, folder: bool) -> Result<()> {
        check(path)?;
        if path == "/" {
            ensure!(folder, "`/`: must be a folder");
            return Ok(());
        }
        let parent = parent(path);
        match self.get(parent).map(|node| &node.kind) {
            Some(Kind::Dir) => {}
            Some(_) => bail!("`{path}`: `{parent}` is not a folder"),
            None => bail!("`{path}`: no such folder `{parent}`"),
        }
        if !folder || !matches!(self.get(path).map(|node| &node.kind), Some(Kind::Dir)) {
            self.remove(path);
        }
        Ok(())
    }
}

impl Node {
    /// Creates a node owned by root with the given modification time.
    pub fn new(kind: Kind, mode: u16, modified: i64) -> Node {
        Node {
            kind,
            mode,
            uid: 0,
            gid: 0,
            modified: Time { seconds: modified, nanoseconds: 0 },
            past: None,
            xattrs: BTreeMap::new(),
        }
    }
}

/// Returns the parent folder of a path.
pub fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

/// Returns the last component of a path.
pub fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Returns the common prefix of all paths in a folder.
fn inside(folder: &str) -> String {
    if folder == "/" { folder.to_owned() } else { format!("{folder}/") }
}

/// Checks that a path is absolute and stays inside the tree.
fn check(path: &str) -> Result<()> {
    let parts = path.strip_prefix('/').with_context(|| format!("`{path}`: not an absolute path"))?;
    if path != "/" {
        for part in parts.split('/') {
            ensure!(!part.is_empty() && part != "." && part != "..", "`{path}`: leads out of its tree");
            ensure!(part.len() <= 255, "`{path}`: file name longer than 255 bytes");
            ensure!(!part.contains('\0'), "`{path}`: file name contains a zero byte");
        }
    }
    Ok(())
}
