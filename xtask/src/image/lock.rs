//! Lock files: which version of which package, with its hash, an image is made of.
