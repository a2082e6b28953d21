//! Packs an index for publishing: takes a [`List`] and the previously published compressed forms, and returns
//! the text and its new compressed forms. Only changed pieces are compressed.

use std::collections::HashMap;
use std::ops::Range;
use std::{io, thread};

use crate::list::{Entry, List};
use crate::{gz, xz};

/// A compressed form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// gzip.
    Gz,
    /// xz.
    Xz,
}

/// A packed index.
#[derive(Debug)]
pub struct Packed {
    /// The uncompressed text.
    pub text: Vec<u8>,
    /// Its compressed forms, in the requested order.
    pub forms: Vec<Vec<u8>>,
    /// For each form, the number of pieces and how many of them were compressed now.
    pub pieces: Vec<[usize; 2]>,
}

/// A range of the text, and its range in the published text if it is unchanged.
struct Piece {
    range: Range<usize>,
    published: Option<(usize, usize)>,
}

impl List {
    /// Packs the text between a head and a tail. Each form comes with its previously published bytes.
    pub fn pack(&self, head: &[u8], tail: &[u8], forms: &[(Form, &[u8])]) -> io::Result<Packed> {
        let length: usize = self.entries.iter().map(|entry| self.bytes(entry).len()).sum();
        let mut text = Vec::with_capacity(head.len() + length + tail.len());
        let mut pieces = Vec::new();
        text.extend_from_slice(head);
        cut(&mut pieces, &text, None);
        let mut published = None;
        for (i, entry) in self.entries.iter().enumerate() {
            let bytes = self.bytes(entry);
            text.extend_from_slice(bytes);
            // A piece is unchanged if its entries were adjacent before.
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
                cut(&mut pieces, &text, published);
                published = None;
            }
        }
        text.extend_from_slice(tail);
        cut(&mut pieces, &text, None);
        let results: Vec<io::Result<_>> = thread::scope(|scope| {
            let jobs: Vec<_> = forms
                .iter()
                .map(|(form, before)| {
                    let (text, pieces) = (&text, &pieces);
                    scope.spawn(move || self.form(*form, before, text, pieces))
                })
                .collect();
            let died = || Err(io::Error::other("a compressor thread panicked"));
            jobs.into_iter().map(|job| job.join().unwrap_or_else(|_| died())).collect()
        });
        let (forms, pieces) = results.into_iter().collect::<io::Result<Vec<_>>>()?.into_iter().unzip();
        Ok(Packed { text, forms, pieces })
    }

    fn form(
        &self,
        form: Form,
        before: &[u8],
        text: &[u8],
        pieces: &[Piece],
    ) -> io::Result<(Vec<u8>, [usize; 2])> {
        // Range, unpadded size and uncompressed size of each compressed piece.
        let compressed: Vec<(Range<usize>, usize, usize)> = match form {
            Form::Gz => gz::members(before).into_iter().map(|(range, length)| (range, 0, length)).collect(),
            Form::Xz => xz::blocks(before).into_iter().map(|f| (f.range, f.unpadded, f.length)).collect(),
        };
        let mut known = HashMap::new();
        let mut start = 0;
        for (range, unpadded, length) in compressed {
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
                    out.extend(gz::member(content)?);
                    0
                }
                (None, Form::Xz) => {
                    let block = xz::block(content)?;
                    out.extend(block.bytes);
                    block.unpadded
                }
            };
            lengths.push((unpadded, content.len()));
        }
        match form {
            Form::Gz if pieces.is_empty() => out = gz::member(b"")?,
            Form::Gz => {}
            Form::Xz => out = xz::joined(&out, &lengths)?,
        }
        Ok((out, [pieces.len(), fresh]))
    }
}

/// Ends a piece at the end of the text, unless it is empty.
fn cut(pieces: &mut Vec<Piece>, text: &[u8], published: Option<(usize, usize)>) {
    let start = pieces.last().map_or(0, |piece| piece.range.end);
    if text.len() > start {
        pieces.push(Piece { range: start..text.len(), published });
    }
}
