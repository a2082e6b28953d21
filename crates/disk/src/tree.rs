//! A root tree: an ordered map of absolute path to node, made from a tar or a file system, changed in memory, written
//! as file systems. What files hold stays where it was read from.

mod content;
mod tar;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

pub use self::content::{Content, Piece, Source};
pub use self::tar::Extensions;

/// All of a file system, or of a folder in it. Several paths may have one node: those are hard links.
#[derive(Debug, Clone)]
pub struct Tree {
    paths: BTreeMap<String, Id>,
    nodes: Vec<Node>,
}

/// A node of one tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(usize);

/// What a path leads to.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Permissions, without the type.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// When its content changed.
    pub modified: Time,
    /// When else something happened to it, where that is known: it is not in a tar.
    pub past: Option<Past>,
    /// Extended attributes by their full names, capabilities and access lists among them, as the kernel shows them.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A folder.
    Dir,
    /// A file with content.
    File(Content),
    /// A symbolic link.
    Symlink(String),
    /// A device that is read byte by byte.
    Char(Device),
    /// A device that is read block by block.
    Block(Device),
    /// A named pipe.
    Fifo,
    /// A socket that nobody listens on.
    Socket,
}

/// Numbers of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Its driver.
    pub major: u32,
    /// Which of the driver's.
    pub minor: u32,
}

/// A time stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds of the second.
    pub nanoseconds: u32,
}

/// What a file system knows beside the time of the last change of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// When it was read.
    pub accessed: Time,
    /// When anything of it changed.
    pub changed: Time,
    /// When it was made.
    pub born: Time,
}

impl Tree {
    /// A tree of one folder, `/`.
    pub fn new(root: Node) -> Tree {
        Tree { paths: BTreeMap::from([("/".to_owned(), Id(0))]), nodes: vec![root] }
    }

    /// What is at a path; symbolic links are not followed.
    pub fn get(&self, path: &str) -> Option<&Node> {
        Some(&self.nodes[self.id(path)?.0])
    }

    /// What is at a path, to be changed, under all of its names.
    pub fn get_mut(&mut self, path: &str) -> Option<&mut Node> {
        let id = self.id(path)?;
        Some(&mut self.nodes[id.0])
    }

    /// Which node is at a path: the same for two paths that are hard links of each other.
    pub fn id(&self, path: &str) -> Option<Id> {
        self.paths.get(path).copied()
    }

    /// Every path, folders before what is in them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Id, &Node)> {
        self.paths.iter().map(|(path, id)| (path.as_str(), *id, &self.nodes[id.0]))
    }

    /// What lies in a folder, however deep, without the folder itself.
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

    /// Puts a node into place, instead of what was there; a folder in the place of a folder keeps what is in it.
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

    /// Gives a node that is no folder one more name, instead of what was there.
    pub fn link(&mut self, path: &str, id: Id) -> Result<()> {
        ensure!(!matches!(self.nodes[id.0].kind, Kind::Dir), "`{path}`: is a hard link to a folder");
        self.make_room(path, false)?;
        self.paths.insert(path.to_owned(), id);
        Ok(())
    }

    /// Removes a path and what is below it; says whether there was something.
    pub fn remove(&mut self, path: &str) -> bool {
        let below: Vec<String> = self.below(path).map(|(path, ..)| path.to_owned()).collect();
        for path in &below {
            self.paths.remove(path);
        }
        path != "/" && self.paths.remove(path).is_some()
    }

    /// A folder as a tree of its own, its path `/`.
    pub fn subtree(&self, folder: &str) -> Result<Tree> {
        let root = self.get(folder).with_context(|| format!("`{folder}`: is not there"))?;
        ensure!(matches!(root.kind, Kind::Dir), "`{folder}`: is no folder");
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

    /// What a file holds.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        match self.get(path).map(|node| &node.kind) {
            Some(Kind::File(content)) => content.read().with_context(|| format!("`{path}`: cannot be read")),
            Some(_) => bail!("`{path}`: is no file"),
            None => bail!("`{path}`: is not there"),
        }
    }

    /// Makes sure that something may be put there, and removes what was.
    fn make_room(&mut self, path: &str, folder: bool) -> Result<()> {
        check(path)?;
        if path == "/" {
            ensure!(folder, "`/`: is not a folder");
            return Ok(());
        }
        let parent = parent(path);
        match self.get(parent).map(|node| &node.kind) {
            Some(Kind::Dir) => {}
            Some(_) => bail!("`{path}`: `{parent}` is no folder"),
            None => bail!("`{path}`: there is no folder `{parent}`"),
        }
        if !folder || !matches!(self.get(path).map(|node| &node.kind), Some(Kind::Dir)) {
            self.remove(path);
        }
        Ok(())
    }
}

impl Node {
    /// A node of root's, changed at that time.
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

/// The folder that a path is in.
pub fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

/// The last part of a path.
pub fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// What the paths in a folder begin with.
fn inside(folder: &str) -> String {
    if folder == "/" { folder.to_owned() } else { format!("{folder}/") }
}

/// A path that stays in its tree.
fn check(path: &str) -> Result<()> {
    let parts = path.strip_prefix('/').with_context(|| format!("`{path}`: is not absolute"))?;
    if path != "/" {
        for part in parts.split('/') {
            ensure!(!part.is_empty() && part != "." && part != "..", "`{path}`: leads out of its tree");
            ensure!(part.len() <= 255, "`{path}`: a name in it is longer than 255 bytes");
            ensure!(!part.contains('\0'), "`{path}`: a name in it has a zero byte");
        }
    }
    Ok(())
}
