//! An app's segment files: records in order, the oldest file goes when there are too many.
//!
//! All of this blocks. A file is named by its first cursor. A reader that meets a file which has just gone takes it
//! for empty; a record without its line end is not there yet.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::RangeInclusive;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ambo_model::AppId;
use ambo_model::log::LOG_LINE_BYTES_MAX;

use crate::record::{LogFilter, LogRecord, decode, decode_cursor, encode};

const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
const SUFFIX: &str = ".log";
/// How much of a file's end surely holds a whole record.
const TAIL_BYTES: u64 = 4 * LOG_LINE_BYTES_MAX as u64;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentLimits {
    /// Most files of an app.
    pub(crate) segments_max: usize,
    /// Most bytes of a file; one batch may go beyond.
    pub(crate) segment_bytes_max: u64,
}

/// The writing side. Opens its file when there is something to write.
#[derive(Debug)]
pub(crate) struct Segments {
    directory: PathBuf,
    open: Option<OpenSegment>,
}

#[derive(Debug)]
struct OpenSegment {
    file: File,
    bytes: u64,
}

impl Segments {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, open: None }
    }

    /// Appends records. On failure none of them is there.
    pub(crate) fn append(&mut self, records: &[Arc<LogRecord>], limits: &SegmentLimits) -> io::Result<()> {
        let Some(first) = records.first() else { return Ok(()) };
        let mut bytes = Vec::new();
        records.iter().for_each(|record| encode(record, &mut bytes));
        let segment = self.segment_for(first.cursor, bytes.len() as u64, limits)?;
        match segment.file.write_all(&bytes) {
            Ok(()) => {
                segment.bytes += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Cutting needs no space. If even that fails, opening the file again cuts what is torn.
                let cut = segment.file.set_len(segment.bytes);
                if cut.is_err() {
                    self.open = None;
                }
                Err(error)
            }
        }
    }

    /// Closes the file until there is something to write again.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    /// Removes everything.
    pub(crate) fn remove(&mut self) -> io::Result<()> {
        self.open = None;
        match std::fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn segment_for(&mut self, first: u64, more_bytes: u64, limits: &SegmentLimits) -> io::Result<&mut OpenSegment> {
        let open = match self.open.take() {
            Some(open) => Some(open),
            None => newest_open(&self.directory)?,
        };
        let fits = |open: &OpenSegment| open.bytes == 0 || open.bytes + more_bytes <= limits.segment_bytes_max;
        let segment = match open.filter(fits) {
            Some(open) => open,
            None => segment_make(&self.directory, first, limits)?,
        };
        Ok(self.open.insert(segment))
    }
}

/// The cursor of the newest record on the disk; zero when there is none.
pub(crate) fn newest_cursor(directory: &Path) -> io::Result<u64> {
    for first in starts(directory)?.into_iter().rev() {
        let mut file = File::open(segment_path(directory, first))?;
        let bytes = file.metadata()?.len();
        file.seek(SeekFrom::Start(bytes.saturating_sub(TAIL_BYTES)))?;
        let mut tail = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut tail)?;
        // An empty file is younger than its name, so its name is no record.
        if let Some(cursor) = records(&tail).rev().find_map(decode_cursor) {
            return Ok(cursor.max(first));
        }
    }
    Ok(0)
}

/// Reads the newest wanted records of a range, oldest first.
pub(crate) fn read_newest(
    directory: &Path,
    app: AppId,
    range: RangeInclusive<u64>,
    count: usize,
    filter: &LogFilter,
) -> io::Result<Vec<LogRecord>> {
    let mut found = Vec::new();
    for first in starts(directory)?.into_iter().rev() {
        if found.len() >= count {
            break;
        }
        if first > *range.end() {
            continue;
        }
        let bytes = segment_read(directory, first)?;
        let wanted = records(&bytes)
            .rev()
            .filter_map(|record| decode(app, record))
            .filter(|record| range.contains(&record.cursor) && filter.matches(&record.line));
        found.extend(wanted.take(count - found.len()));
    }
    found.reverse();
    Ok(found)
}

/// Records in order after a cursor.
#[derive(Debug)]
pub(crate) struct Found {
    /// What is wanted.
    pub(crate) records: Vec<LogRecord>,
    /// The last cursor that was looked at; `None` when there is nothing after the one asked for.
    pub(crate) last: Option<u64>,
    /// Whether files that held records after the cursor are gone.
    pub(crate) missed: bool,
}

/// Reads the wanted records after a cursor, oldest first, no more than one file holds.
pub(crate) fn read_after(directory: &Path, app: AppId, cursor: u64, filter: &LogFilter) -> io::Result<Found> {
    let starts = starts(directory)?;
    let missed = cursor > 0 && starts.first().is_some_and(|oldest| *oldest > cursor.saturating_add(1));
    // The file that may hold the next record, and all after it.
    let from = starts.partition_point(|first| *first <= cursor.saturating_add(1)).saturating_sub(1);
    for first in &starts[from..] {
        let bytes = segment_read(directory, *first)?;
        let after: Vec<LogRecord> = records(&bytes)
            .filter(|record| decode_cursor(record).is_some_and(|at| at > cursor))
            .filter_map(|record| decode(app, record))
            .collect();
        if let Some(last) = after.last().map(|record| record.cursor) {
            let records = after.into_iter().filter(|record| filter.matches(&record.line)).collect();
            return Ok(Found { records, last: Some(last), missed });
        }
    }
    Ok(Found { records: Vec::new(), last: None, missed })
}

/// The whole records in what was read, without their line ends.
fn records(bytes: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    bytes[..end].split(|byte| *byte == b'\n')
}

/// Reads a file as long as it is now, and no further.
fn segment_read(directory: &Path, first: u64) -> io::Result<Vec<u8>> {
    let file = match File::open(segment_path(directory, first)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let mut bytes = Vec::new();
    let length = file.metadata()?.len();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn segment_path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}{SUFFIX}"))
}

/// The first cursors of the files, in order.
fn starts(directory: &Path) -> io::Result<Vec<u64>> {
    let files = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        files => files?,
    };
    let mut starts = Vec::new();
    for file in files {
        let name = file?.file_name();
        starts.extend(
            name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).and_then(|first| first.parse::<u64>().ok()),
        );
    }
    starts.sort_unstable();
    Ok(starts)
}

/// Opens the newest file, without a torn record at its end.
fn newest_open(directory: &Path) -> io::Result<Option<OpenSegment>> {
    let Some(first) = starts(directory)?.pop() else { return Ok(None) };
    let mut file = OpenOptions::new().read(true).append(true).open(segment_path(directory, first))?;
    let bytes = file.metadata()?.len();
    let start = bytes.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    (&file).take(TAIL_BYTES).read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end as u64 + 1);
    let kept = if whole == 0 && start > 0 { bytes } else { start + whole };
    if kept < bytes {
        file.set_len(kept)?;
    }
    Ok(Some(OpenSegment { file, bytes: kept }))
}

/// Makes a file for records from `first` on, and room for it.
fn segment_make(directory: &Path, first: u64, limits: &SegmentLimits) -> io::Result<OpenSegment> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
    let starts = starts(directory)?;
    let surplus = (starts.len() + 1).saturating_sub(limits.segments_max.max(1));
    for oldest in starts.iter().take(surplus) {
        std::fs::remove_file(segment_path(directory, *oldest))?;
    }
    let file = OpenOptions::new().create(true).append(true).mode(FILE_MODE).open(segment_path(directory, first))?;
    let bytes = file.metadata()?.len();
    Ok(OpenSegment { file, bytes })
}

#[cfg(test)]
mod tests {
    use ambo_model::{LogLine, LogSource, Timestamp};

    use super::*;

    const LIMITS: SegmentLimits = SegmentLimits { segments_max: 3, segment_bytes_max: 600 };

    fn record(app: AppId, cursor: u64) -> Arc<LogRecord> {
        let at = Timestamp::UNIX_EPOCH;
        let name = format!("web.{}", cursor % 2);
        let line = LogLine { app, at, source: LogSource::App, name, text: format!("line {cursor}") };
        Arc::new(LogRecord { cursor, line })
    }

    struct Fixture {
        app: AppId,
        segments: Segments,
        directory: tempfile::TempDir,
    }

    /// Segments with records 1 to 100.
    fn fixture() -> Fixture {
        let directory = tempfile::tempdir().expect("a directory");
        let app = AppId::new();
        let mut segments = Segments::new(directory.path().join("app"));
        for cursor in 1..=100 {
            segments.append(&[record(app, cursor)], &LIMITS).expect("appends");
        }
        Fixture { app, segments, directory }
    }

    impl Fixture {
        fn path(&self) -> PathBuf {
            self.directory.path().join("app")
        }

        fn all(&self) -> Vec<u64> {
            let newest = read_newest(&self.path(), self.app, 0..=u64::MAX, 1000, &LogFilter::default()).expect("reads");
            newest.into_iter().map(|record| record.cursor).collect()
        }
    }

    #[test]
    fn the_oldest_files_go_and_the_newest_records_stay() {
        let fixture = fixture();
        let kept = fixture.all();
        assert_eq!(starts(&fixture.path()).expect("lists").len(), 3);
        assert_eq!(kept.last(), Some(&100));
        assert!(kept.len() > 30 && kept.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{kept:?}");
        assert_eq!(newest_cursor(&fixture.path()).expect("reads"), 100);
    }

    #[test]
    fn the_newest_of_a_range_are_found_through_files() {
        let fixture = fixture();
        let filter = LogFilter { name: Some("web.1".to_owned()), ..LogFilter::default() };
        let found = read_newest(&fixture.path(), fixture.app, 0..=98, 15, &filter).expect("reads");
        let expected: Vec<u64> = (69..=97).step_by(2).collect();
        assert_eq!(found.iter().map(|record| record.cursor).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn reading_on_covers_all_after_a_cursor_once() {
        let fixture = fixture();
        let (mut cursor, mut read) = (70, Vec::new());
        loop {
            let found = read_after(&fixture.path(), fixture.app, cursor, &LogFilter::default()).expect("reads");
            assert!(!found.missed);
            read.extend(found.records.iter().map(|record| record.cursor));
            let Some(last) = found.last else { break };
            cursor = last;
        }
        assert_eq!(read, (71..=100).collect::<Vec<_>>());
        assert!(read_after(&fixture.path(), fixture.app, 1, &LogFilter::default()).expect("reads").missed);
        assert!(!read_after(&fixture.path(), fixture.app, 0, &LogFilter::default()).expect("reads").missed);
    }

    #[test]
    fn a_torn_record_is_not_read_and_is_cut_before_the_next_is_appended() {
        let mut fixture = fixture();
        fixture.segments.close();
        let newest = *starts(&fixture.path()).expect("lists").last().expect("a file");
        let path = segment_path(&fixture.path(), newest);
        let mut bytes = std::fs::read(&path).expect("reads");
        bytes.extend_from_slice(b"101 0 app web.1 torn");
        std::fs::write(&path, bytes).expect("writes");
        assert_eq!(newest_cursor(&fixture.path()).expect("reads"), 100);
        assert_eq!(fixture.all().last(), Some(&100));
        fixture.segments.append(&[record(fixture.app, 200)], &LIMITS).expect("appends");
        let kept = fixture.all();
        assert_eq!(&kept[kept.len() - 2..], [100, 200]);
        assert!(!String::from_utf8(std::fs::read(&path).expect("reads")).expect("text").contains("torn"));
    }

    #[test]
    fn a_file_that_is_torn_whole_begins_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(segment_path(directory.path(), 7), "7 0 app w").expect("writes");
        assert_eq!(newest_cursor(directory.path()).expect("reads"), 0);
        let app = AppId::new();
        let mut segments = Segments::new(directory.path().to_owned());
        segments.append(&[record(app, 9)], &LIMITS).expect("appends");
        let found = read_newest(directory.path(), app, 0..=u64::MAX, 9, &LogFilter::default()).expect("reads");
        assert_eq!(found, [(*record(app, 9)).clone()]);
    }

    #[test]
    fn other_files_do_no_harm() {
        let fixture = fixture();
        std::fs::write(fixture.path().join("notes.txt"), "hello").expect("writes");
        std::fs::write(fixture.path().join("x.log"), "hello").expect("writes");
        assert_eq!(fixture.all().last(), Some(&100));
    }
}
