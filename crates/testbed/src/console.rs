//! Collects a machine's console output over all boots.

use std::io::{self, PipeReader, Read};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The text so far; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Console {
    text: Arc<Mutex<Vec<u8>>>,
}

impl Console {
    /// Returns handles for the standard output and error of a process.
    pub(crate) fn connect(&self) -> io::Result<[Stdio; 2]> {
        let (reader, writer) = io::pipe()?;
        let console = self.clone();
        // Ends when the last process closes the other end, so no join is needed.
        thread::Builder::new().name("console".to_owned()).spawn(move || console.collect(reader))?;
        Ok([writer.try_clone()?.into(), writer.into()])
    }

    fn collect(&self, mut reader: PipeReader) {
        let mut piece = [0; 4096];
        while let Ok(length) = reader.read(&mut piece) {
            if length == 0 {
                break;
            }
            self.bytes().extend_from_slice(&piece[..length]);
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).replace('\r', "")
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
