//! Files: how long, how named, nothing left open.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

/// A file is one thing. Tests do not count.
const LINES_MAX: usize = 450;
/// Drawers: names that say nothing.
const DRAWERS: [&str; 6] = ["util", "utils", "common", "helpers", "misc", "manager"];

pub(crate) fn faults() -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for path in rust_files()? {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        faults.extend(file_faults(&path, &text));
    }
    Ok(faults)
}

fn rust_files() -> anyhow::Result<Vec<PathBuf>> {
    let listed = Command::new("git").args(["ls-files", "-z", "*.rs"]).output().context("run git ls-files")?;
    let names = String::from_utf8(listed.stdout).context("read git's list")?;
    Ok(names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).filter(|path| path.exists()).collect())
}

fn file_faults(path: &Path, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let shown = path.display();
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if DRAWERS.contains(&stem) {
        faults.push(format!("{shown}: `{stem}` names a drawer; name what the code does"));
    }
    let production = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let lines = production.lines().count();
    let is_test = path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "examples")));
    if !is_test && lines > LINES_MAX {
        faults.push(format!("{shown}: {lines} lines; at most {LINES_MAX}, so split it by what it does"));
    }
    for (number, line) in text.lines().enumerate() {
        if ["TODO", "FIXME", "XXX"].iter().any(|mark| line.contains(&format!("// {mark}"))) {
            faults.push(format!("{shown}:{}: something is left open: do it or write an issue", number + 1));
        }
    }
    faults
}
