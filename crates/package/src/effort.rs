//! The effort for a package: how hard to compress, and on how many threads.

use anyhow::{Result, bail};
use serde::Serialize;

/// Variable that makes packages quickly: they are a fifth larger. Tests set it, because they make many.
const COMPRESSION: &str = "ROVI_COMPRESSION";

/// How hard to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compression {
    Best,
    Quick,
}

/// The effort for a package.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) compression: Compression,
    pub(crate) threads: u32,
}

impl Compression {
    /// Returns the setting for this compression.
    pub(crate) fn pick<T>(self, best: T, quick: T) -> T {
        match self {
            Compression::Best => best,
            Compression::Quick => quick,
        }
    }

    pub(crate) fn choose() -> Result<Compression> {
        match std::env::var(COMPRESSION).as_deref() {
            Err(_) | Ok("" | "best") => Ok(Compression::Best),
            Ok("quick") => Ok(Compression::Quick),
            Ok(other) => bail!("invalid {COMPRESSION} \"{other}\": expected `best` or `quick`"),
        }
    }
}
