//! What is published of a disk: compressed, with block map and checksum.
