//! A root tree: an ordered map of path to node.
