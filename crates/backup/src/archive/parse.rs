//! Reading frames, and checking each.

use std::io::{self, Read};

use bytes::Bytes;

use super::frame::{BEGIN, DATA, END, Manifest, OpenEntry, TRAILER};
use super::{HEADER_BYTES_MAX, Header, Kind, MAGIC, NAME_BYTES_MAX, PIECE_BYTES_MAX, VERSION};

/// A frame that was read and is in order.
pub(super) enum Frame {
    Begin {
        kind: Kind,
        name: String,
    },
    Data(Bytes),
    /// The entry is whole.
    End {
        sha256: [u8; 32],
    },
    /// So is the archive.
    Trailer,
}

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// What lies below failed: source, encryption or compression.
    #[error(transparent)]
    Below(#[from] io::Error),
    /// Something else than an archive.
    #[error("it does not begin as an archive does")]
    NoArchive,
    /// A later version's.
    #[error("version {0} of the format is not known here")]
    Version(u16),
    /// Not what the format says.
    #[error("{0}")]
    Shape(&'static str),
}

const OUT_OF_ORDER: Fault = Fault::Shape("a frame is not of the kind that comes here");

/// Reads frames.
pub(super) struct FrameReader<R> {
    input: R,
    manifest: Manifest,
    open: Option<OpenEntry>,
    /// The last entry that was whole, for whoever wants to know where something else begins.
    last: Option<String>,
}

impl<R: Read> FrameReader<R> {
    pub(super) fn new(mut input: R) -> Result<(Self, Header), Fault> {
        let magic: [u8; 12] = array(&mut input)?;
        if magic != MAGIC {
            return Err(Fault::NoArchive);
        }
        let version = u16::from_be_bytes(array(&mut input)?);
        if version != VERSION {
            return Err(Fault::Version(version));
        }
        let header_bytes = length(u32::from_be_bytes(array(&mut input)?), HEADER_BYTES_MAX)?;
        let header = bytes(&mut input, header_bytes)?;
        let parsed = serde_json::from_slice(&header).map_err(|_| Fault::Shape("the header cannot be read"))?;
        Ok((Self { input, manifest: Manifest::new(&header), open: None, last: None }, parsed))
    }

    /// The next frame.
    pub(super) fn next(&mut self) -> Result<Frame, Fault> {
        let [mark] = array(&mut self.input)?;
        match (mark, &mut self.open) {
            (BEGIN, None) => self.begin(),
            (DATA, Some(entry)) => data(&mut self.input, entry),
            (END, Some(_)) => self.end(),
            (TRAILER, None) => self.trailer(),
            _ => Err(OUT_OF_ORDER),
        }
    }

    /// Where we are, in words.
    pub(super) fn place(&self) -> String {
        match (&self.open, &self.last) {
            (Some(entry), _) => named(self.manifest.entries + 1, entry),
            (None, Some(last)) => format!("what follows {last}"),
            (None, None) => "its beginning".to_owned(),
        }
    }

    fn begin(&mut self) -> Result<Frame, Fault> {
        let [code] = array(&mut self.input)?;
        let name = u32::from(u16::from_be_bytes(array(&mut self.input)?));
        let name = bytes(&mut self.input, length(name, NAME_BYTES_MAX)?)?;
        let name = String::from_utf8(name).map_err(|_| Fault::Shape("the name of an entry is no text"))?;
        let kind = Kind::of(code).ok_or(Fault::Shape("an entry is of no known kind"))?;
        self.open = Some(OpenEntry::new(kind, name.clone()));
        Ok(Frame::Begin { kind, name })
    }

    fn end(&mut self) -> Result<Frame, Fault> {
        let Some(entry) = &self.open else { return Err(OUT_OF_ORDER) };
        let (count, sha256) = (u64::from_be_bytes(array(&mut self.input)?), array(&mut self.input)?);
        if (count, sha256) != (entry.bytes, entry.sha256()) {
            return Err(Fault::Shape("an entry is not what was written"));
        }
        self.last = Some(named(self.manifest.entries + 1, entry));
        self.manifest.add(entry, &sha256);
        self.open = None;
        Ok(Frame::End { sha256 })
    }

    fn trailer(&mut self) -> Result<Frame, Fault> {
        let entries = u64::from_be_bytes(array(&mut self.input)?);
        let count = u64::from_be_bytes(array(&mut self.input)?);
        let sha256: [u8; 32] = array(&mut self.input)?;
        if (entries, count, sha256) != (self.manifest.entries, self.manifest.bytes, self.manifest.sha256()) {
            return Err(Fault::Shape("the entries are not those that were written"));
        }
        match self.input.read(&mut [0])? {
            0 => Ok(Frame::Trailer),
            _ => Err(Fault::Shape("something follows the end")),
        }
    }
}

fn data(input: &mut impl Read, entry: &mut OpenEntry) -> Result<Frame, Fault> {
    let count = length(u32::from_be_bytes(array(input)?), PIECE_BYTES_MAX)?;
    let piece = bytes(input, count)?;
    entry.add(&piece);
    Ok(Frame::Data(piece.into()))
}

fn named(number: u64, entry: &OpenEntry) -> String {
    format!("entry {number}, {} `{}`", entry.kind, entry.name)
}

fn length(count: u32, max: usize) -> Result<usize, Fault> {
    usize::try_from(count).ok().filter(|count| *count <= max).ok_or(Fault::Shape("a frame is too long"))
}

fn bytes(input: &mut impl Read, count: usize) -> io::Result<Vec<u8>> {
    let mut content = vec![0; count];
    input.read_exact(&mut content)?;
    Ok(content)
}

fn array<const COUNT: usize>(input: &mut impl Read) -> io::Result<[u8; COUNT]> {
    let mut content = [0; COUNT];
    input.read_exact(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::super::frame::FrameWriter;
    use super::*;

    fn header() -> Header {
        Header { platform: "p".into(), made_at: ambo_model::Timestamp::UNIX_EPOCH, made_by: "test".into() }
    }

    fn written() -> Vec<u8> {
        let mut writer = FrameWriter::new(Vec::new(), &header()).unwrap();
        for (kind, name, content) in
            [(Kind::Key, "master.key", &b"secret"[..]), (Kind::State, "apps/1", b""), (Kind::Object, "o", &[7; 3000])]
        {
            writer.begin(kind, name.into()).unwrap();
            content.chunks(1000).for_each(|piece| writer.data(piece).unwrap());
            writer.end().unwrap();
        }
        writer.finish().unwrap()
    }

    /// Reads to the end; gives how many entries were whole, or where that stopped.
    fn read(content: &[u8]) -> Result<u64, String> {
        let (mut reader, found) = FrameReader::new(content).map_err(|fault| fault.to_string())?;
        assert_eq!(found, header());
        loop {
            match reader.next() {
                Ok(Frame::Trailer) => return Ok(reader.manifest.entries),
                Ok(_) => {}
                Err(_) => return Err(reader.place()),
            }
        }
    }

    #[test]
    fn what_was_written_is_read_back() {
        assert_eq!(read(&written()), Ok(3));
    }

    #[test]
    fn a_frame_that_was_changed_or_cut_off_anywhere_is_noticed() {
        let whole = written();
        let names_end = 12 + 2 + 4 + serde_json::to_vec(&header()).unwrap().len();
        for position in names_end..whole.len() {
            let mut changed = whole.clone();
            changed[position] ^= 1;
            read(&changed).unwrap_err();
            read(&whole[..position]).unwrap_err();
        }
        read(&[&whole[..], b"more"].concat()).unwrap_err();
    }

    #[test]
    fn the_entry_that_is_damaged_is_named() {
        let mut whole = written();
        let place = whole.windows(2).rposition(|pair| pair == [7, 7]).unwrap();
        whole[place] = 8;
        assert_eq!(read(&whole), Err("entry 3, object `o`".to_owned()));
    }

    #[test]
    fn what_is_no_archive_or_a_later_one_is_told_apart() {
        assert_eq!(read(&[0; 100]), Err("it does not begin as an archive does".to_owned()));
        let mut later = written();
        later[13] = 2;
        assert_eq!(read(&later), Err("version 2 of the format is not known here".to_owned()));
    }
}
