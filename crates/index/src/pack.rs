//! Writes an index: takes a [`List`] and the published compressed forms, and makes the text and its new compressed
//! forms. Only pieces that changed are compressed again.

use std::collections::HashMap;
use std::ops::Range;
use std::{io, thread};

use crate::list::{Entry, List};
use crate::{gz, xz};

/// A compression format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// gzip.
    Gz,
    /// xz.
    Xz,
}

/// An index that is ready to publish.
#[derive(Debug)]
pub struct Packed {
    /// The plain index.
    pub text: Vec<u8>,
    /// The compressed forms, in the requested order.
    pub forms: Vec<Vec<u8>>,
    /// For each form, the number of pieces and how many of them were compressed again.
    pub pieces: Vec<[usize; 2]>,
}

struct Piece {
    range: Range<usize>,
    /// The same bytes in the published text, if they were contiguous there.
    published: Option<(usize, usize)>,
}

impl List {
    /// Returns the text between `head` and `tail`, and its compressed forms. `forms` has the published bytes of each
    /// form, or an empty slice.
    pub fn pack(&self, head: &[u8], tail: &[u8], forms: &[(Form, &[u8])]) -> io::Result<Packed> {
        let length: usize = self.entries.iter().map(|entry| self.bytes(entry).len()).sum();
        let mut text = Vec::with_capacity(head.len() + length + tail.len());
        let mut pieces = Vec::new();
        text.extend_from_slice(head);
        end_piece(&mut pieces, &text, None);
        let mut published = None;
        for (i, entry) in self.entries.iter().enumerate() {
            let bytes = self.bytes(entry);
            text.extend_from_slice(bytes);
            // A piece is unchanged as long as its entries were adjacent in the published text.
            let is_first =
                pieces.last().map_or(0, |piece: &Piece| piece.range.end) + bytes.len() == text.len();
            published = match (entry, published) {
                (Entry::Published { start, end }, None) if is_first => Some((*start, *end)),
                (Entry::Published { start, end }, Some((first, last))) if *start == last => {
                    Some((first, *end))
                }
                _ => None,
            };
            if self.kind.is_edge(bytes) || i + 1 == self.len() {
                end_piece(&mut pieces, &text, published);
                published = None;
            }
        }
        text.extend_from_slice(tail);
        end_piece(&mut pieces, &text, None);
        let results: Vec<io::Result<_>> = thread::scope(|scope| {
            let jobs: Vec<_> = forms
                .iter()
                .map(|(form, before)| {
                    let (text, pieces) = (&text, &pieces);
                    scope.spawn(move || self.compress(*form, before, text, pieces))
                })
                .collect();
            let panicked = || Err(io::Error::other("a compressing thread panicked"));
            jobs.into_iter().map(|job| job.join().unwrap_or_else(|_| panicked())).collect()
        });
        let (forms, pieces) = results.into_iter().collect::<io::Result<Vec<_>>>()?.into_iter().unzip();
        Ok(Packed { text, forms, pieces })
    }

    fn compress(
        &self,
        form: Form,
        before: &[u8],
        text: &[u8],
        pieces: &[Piece],
    ) -> io::Result<(Vec<u8>, [usize; 2])> {
        // Of each published piece: its range, its length without padding, and the length of its content.
        let published: Vec<(Range<usize>, usize, usize)> = match form {
            Form::Gz => {
                gz::find_members(before).into_iter().map(|(range, length)| (range, 0, length)).collect()
            }
            Form::Xz => {
                xz::find_blocks(before).into_iter().map(|b| (b.range, b.unpadded, b.length)).collect()
            }
        };
        let mut known = HashMap::new();
        let mut start = 0;
        for (range, unpadded, length) in published {
            known.insert((start, start + length), (range, unpadded));
            start += length;
        }
        if start != self.text.len() {
            known.clear();
        }
        let (mut out, mut lengths, mut fresh) = (Vec::with_capacity(before.len() + 4096), Vec::new(), 0);
        for piece in pieces {
            let known = piece.published.and_then(|published| known.get(&published));
            fresh += usize::from(known.is_none());
            let content = &text[piece.range.clone()];
            let unpadded = match (known, form) {
                (Some((range, unpadded)), _) => {
                    out.extend_from_slice(&before[range.clone()]);
                    *unpadded
                }
                (None, Form::Gz) => {
                    out.extend(gz::compress(content)?);
                    0
                }
                (None, Form::Xz) => {
                    let block = xz::compress(content)?;
                    out.extend(block.bytes);
                    block.unpadded
                }
            };
            lengths.push((unpadded, content.len()));
        }
        match form {
            Form::Gz if pieces.is_empty() => out = gz::compress(b"")?,
            Form::Gz => {}
            Form::Xz => out = xz::join(&out, &lengths)?,
        }
        Ok((out, [pieces.len(), fresh]))
    }
}

/// Ends a piece at the end of the text, unless the piece is empty.
fn end_piece(pieces: &mut Vec<Piece>, text: &[u8], published: Option<(usize, usize)>) {
    let start = pieces.last().map_or(0, |piece| piece.range.end);
    if text.len() > start {
        pieces.push(Piece { range: start..text.len(), published });
    }
}
