//! What backups and restores say to people.

use std::io::Write;
use std::time::Duration;

use ambo_backup::{Findings, Header, Restored};
use ambo_model::ByteSize;

/// Most faults that are named one by one.
const FAULTS_MAX: usize = 20;

/// What was not whole in the platform already.
pub(super) fn faults(findings: &Findings) -> Vec<String> {
    let missing = findings.missing.iter().map(|missing| match missing.image.to_string() == missing.lacks.to_string() {
        true => format!("app {} has no image {}", missing.app, missing.image),
        false => format!("app {}: its image {} lacks {}", missing.app, missing.image, missing.lacks),
    });
    let damaged = findings.damaged.iter().map(|digest| format!("the registry's content {digest} was damaged"));
    let mut faults: Vec<String> = missing.chain(damaged).collect();
    if faults.len() > FAULTS_MAX {
        let more = faults.len() - FAULTS_MAX;
        faults.truncate(FAULTS_MAX);
        faults.push(format!("and {more} more"));
    }
    faults
}

/// A size to one digit behind the point.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => ByteSize::bytes(bytes).to_string(),
    }
}

/// What is in an archive.
pub(super) fn contents(findings: &Findings) -> String {
    let held = &findings.contents;
    format!(
        "{} apps, {} releases, {} images, {} repositories, {} keys of the state, {} keys of the platform; {} unpacked",
        held.app_count,
        held.release_count,
        held.image_count,
        held.repository_count,
        held.state_count,
        held.key_count,
        size(held.size.as_u64())
    )
}

/// Of a backup.
pub(super) fn backed_up(
    to: &str,
    bytes: u64,
    took: Duration,
    findings: &Findings,
    out: &mut impl Write,
) -> std::io::Result<()> {
    writeln!(out, "wrote {to}: {} in {:.1} s", size(bytes), took.as_secs_f32())?;
    held(findings, out)
}

/// Of an archive that was read to its end.
pub(super) fn verified(
    archive: &str,
    header: &Header,
    took: Duration,
    findings: &Findings,
    out: &mut impl Write,
) -> std::io::Result<()> {
    writeln!(out, "{archive} is whole, read in {:.1} s", took.as_secs_f32())?;
    writeln!(out, "of platform {}, made at {} by {}", header.platform, header.made_at, header.made_by)?;
    held(findings, out)
}

/// Of a restore.
pub(super) fn restored(restored: &Restored, out: &mut impl Write) -> std::io::Result<()> {
    let Restored { header, findings, keys_left_out, duration } = restored;
    writeln!(
        out,
        "restored platform {} as it was at {}, in {:.1} s",
        header.platform,
        header.made_at,
        duration.as_secs_f32()
    )?;
    held(findings, out)?;
    for key in keys_left_out {
        writeln!(out, "left out, as it is of no use here: {key}")?;
    }
    Ok(())
}

fn held(findings: &Findings, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "{}", contents(findings))?;
    for fault in faults(findings) {
        writeln!(out, "warning: {fault}; it was so in the platform already")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_to_one_digit() {
        assert_eq!(size(3 << 30), "3.0 GiB");
        assert_eq!(size((5 << 20) + (1 << 19)), "5.5 MiB");
        assert_eq!(size(2047), "1.9 KiB");
        assert_eq!(size(7), "7B");
    }
}
