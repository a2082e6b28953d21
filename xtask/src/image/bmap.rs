//! Block maps, by which bmaptool flashes only what is used.
