//! What a package may cost: how hard to compress, and on how many threads.

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

/// What a package may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) compression: Compression,
    pub(crate) threads: u32,
}

impl Compression {
    pub(crate) fn choose() -> Result<Compression> {
        match std::env::var(COMPRESSION).as_deref() {
            Err(_) | Ok("" | "best") => Ok(Compression::Best),
            Ok("quick") => Ok(Compression::Quick),
            Ok(other) => bail!("invalid {COMPRESSION} \"{other}\": expected `best` or `quick`"),
        }
    }
}
