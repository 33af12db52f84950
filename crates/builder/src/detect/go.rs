//! Go: `go.mod`.

use super::generated::{GeneratedDockerfile, Lines, shell};
use super::version;
use crate::port::BuildError;
use crate::source::SourceTree;

/// The version that is used when `go.mod` names none.
const VERSION_DEFAULT: &str = "1.24";

pub(super) fn plan(tree: &SourceTree) -> Result<Option<GeneratedDockerfile>, BuildError> {
    let Some(module) = tree.text("go.mod") else { return Ok(None) };
    let word = |name: &str| {
        module
            .lines()
            .find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(' ').map(|rest| rest.trim().to_owned()))
    };
    let toolchain = word("toolchain").and_then(|text| version::plain(text.trim_start_matches("go")));
    let version = toolchain
        .or_else(|| word("go").and_then(|text| version::plain(&text)))
        .unwrap_or_else(|| VERSION_DEFAULT.to_owned());
    let web = program(tree, word("module").as_deref()).map(|program| format!("bin/{program}"));

    let mut lines = Lines::default();
    lines.add(format!("FROM golang:{version}-bookworm AS build")).add("WORKDIR /src").add("ENV CGO_ENABLED=0");
    if !tree.has_directory("vendor") {
        lines.add(if tree.has_file("go.sum") { "COPY go.mod go.sum ./" } else { "COPY go.mod ./" });
        lines.run_cached(&["/go/pkg/mod"], "go mod download");
    }
    lines
        .add("COPY . .")
        .run_cached(&["/go/pkg/mod", "/root/.cache/go-build"], "mkdir /out && go build -trimpath -o /out/ ./...")
        .add("FROM debian:bookworm-slim")
        .add("COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/")
        .add("COPY --from=build /usr/local/go/lib/time/zoneinfo.zip /usr/local/lib/")
        .add("ENV ZONEINFO=/usr/local/lib/zoneinfo.zip")
        .user_made()
        .copied(". ./")
        .copied("--from=build /out/ bin/");
    Ok(Some(GeneratedDockerfile {
        language: "Go",
        text: lines.finish(web.as_deref()),
        web: shell(web.as_deref()),
        leaves_out: ".git\nbin\n",
    }))
}

/// The program's name: the module's at the root, else the only one below `cmd/`.
fn program(tree: &SourceTree, module: Option<&str>) -> Option<String> {
    let at_root = tree
        .iter()
        .any(|(path, _)| path.components().count() == 1 && path.extension().is_some_and(|kind| kind == "go"));
    let name = if at_root {
        let mut parts = module?.trim_matches('"').rsplit('/');
        let last = parts.next()?;
        let is_version = last
            .strip_prefix('v')
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
        if is_version { parts.next().unwrap_or(last).to_owned() } else { last.to_owned() }
    } else {
        let mut commands = tree.iter().filter_map(|(path, _)| {
            let mut parts = path.to_str()?.split('/');
            let found = (parts.next()?, parts.next()?.to_owned(), parts.next()?, parts.next());
            (found.0 == "cmd" && found.2 == "main.go" && found.3.is_none()).then_some(found.1)
        });
        let only = commands.next()?;
        if commands.next().is_some() {
            return None;
        }
        only
    };
    name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)).then_some(name)
}
