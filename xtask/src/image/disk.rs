//! A disk: takes a tree and a layout, writes an image file.
