//! Python: `requirements.txt`, `pyproject.toml` (uv, Poetry or pip), `Pipfile`.

use toml::Table;

use super::generated::{GeneratedDockerfile, Lines, shell};
use super::{fault, version};
use crate::port::BuildError;
use crate::source::SourceTree;

/// The version that is used when nothing names one.
const VERSION_DEFAULT: u32 = 12;
const PIP_CACHE: &str = "/root/.cache/pip";
const UV_CACHE: &str = "/root/.cache/uv";
const POETRY_CACHE: &str = "/root/.cache/pypoetry";

pub(super) fn plan(tree: &SourceTree) -> Result<Option<GeneratedDockerfile>, BuildError> {
    if !["requirements.txt", "pyproject.toml", "Pipfile"].iter().any(|file| tree.has_file(file)) {
        return Ok(None);
    }
    let project = table(tree, "pyproject.toml")?;
    let pipfile = table(tree, "Pipfile")?;
    let version = version_of(tree, project.as_ref(), pipfile.as_ref());
    let install = install(tree, project.as_ref());
    let web = web(tree);

    let mut lines = Lines::default();
    if let Some(install) = &install {
        // The full image has the compilers and headers that packages without a wheel need.
        lines
            .add(format!("FROM python:{version}-bookworm AS build"))
            .add("ENV PIP_DISABLE_PIP_VERSION_CHECK=1 VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH")
            .add("RUN python -m venv /opt/venv")
            .add("WORKDIR /app");
        for tool in install.tool {
            lines.run_cached(&[PIP_CACHE], &format!("/usr/local/bin/pip install {tool}"));
        }
        lines.add(format!("COPY {} ./", install.needs)).run_cached(install.caches, install.command);
    }
    lines.add(format!("FROM python:{version}-slim-bookworm"));
    let path = if install.is_some() { " VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH" } else { "" };
    lines.add(format!("ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1{path}")).user_made();
    if install.is_some() {
        lines.add("COPY --from=build /opt/venv /opt/venv");
    }
    lines.copied(". ./");
    Ok(Some(GeneratedDockerfile {
        language: "Python",
        text: lines.finish(web.as_deref()),
        web: shell(web.as_deref()),
        leaves_out: ".git\n.venv\nvenv\n**/__pycache__\n",
    }))
}

/// How the packages are installed.
struct Install {
    /// What has to be there before, from pip.
    tool: &'static [&'static str],
    /// What of the source it looks at.
    needs: String,
    caches: &'static [&'static str],
    command: &'static str,
}

/// `None` if there is nothing to install.
fn install(tree: &SourceTree, project: Option<&Table>) -> Option<Install> {
    let needs = |files: &[&str]| files.iter().filter(|file| tree.has_file(file)).copied().collect::<Vec<_>>().join(" ");
    if tree.has_file("uv.lock") {
        let command = "UV_PROJECT_ENVIRONMENT=/opt/venv uv sync --frozen --no-dev --no-install-project";
        return Some(Install {
            tool: &["uv"],
            needs: needs(&["pyproject.toml", "uv.lock"]),
            caches: &[UV_CACHE],
            command,
        });
    }
    if tree.has_file("poetry.lock") {
        let command = "poetry install --only main --no-root --no-interaction";
        let needs = needs(&["pyproject.toml", "poetry.lock"]);
        return Some(Install { tool: &["poetry"], needs, caches: &[POETRY_CACHE], command });
    }
    if let Some(text) = tree.text("requirements.txt") {
        let wanted = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        wanted().next()?;
        // Other files and local packages: the whole source has to be there.
        let local =
            wanted().any(|line| line.starts_with(['-', '.', '/']) && !line.starts_with("--") || line.contains("file:"));
        let needs = if local { "." } else { "requirements.txt" }.to_owned();
        return Some(Install { tool: &[], needs, caches: &[PIP_CACHE], command: "pip install -r requirements.txt" });
    }
    if tree.has_file("Pipfile") {
        let command = if tree.has_file("Pipfile.lock") { "pipenv sync" } else { "pipenv install --skip-lock" };
        let needs = needs(&["Pipfile", "Pipfile.lock"]);
        return Some(Install { tool: &["pipenv"], needs, caches: &[PIP_CACHE], command });
    }
    project?.get("project")?;
    Some(Install { tool: &[], needs: ".".to_owned(), caches: &[PIP_CACHE], command: "pip install ." })
}

/// What runs the app when no Procfile says it.
fn web(tree: &SourceTree) -> Option<String> {
    let packages =
        ["requirements.txt", "pyproject.toml", "Pipfile"].iter().filter_map(|file| tree.text(file)).collect::<String>();
    let packages = packages.to_ascii_lowercase();
    for file in ["app.py", "main.py", "wsgi.py"] {
        let Some(text) = tree.text(file) else { continue };
        let module = file.trim_end_matches(".py");
        let object = ["app", "application"]
            .into_iter()
            .find(|name| text.lines().any(|line| line.starts_with(&format!("{name} ="))));
        if let Some(object) = object {
            if packages.contains("uvicorn") || packages.contains("fastapi[standard]") {
                return Some(format!("uvicorn {module}:{object} --host 0.0.0.0 --port $PORT"));
            }
            if packages.contains("gunicorn") {
                return Some(format!("gunicorn --bind 0.0.0.0:$PORT {module}:{object}"));
            }
        }
        if file != "wsgi.py" {
            return Some(format!("python {file}"));
        }
    }
    None
}

fn version_of(tree: &SourceTree, project: Option<&Table>, pipfile: Option<&Table>) -> String {
    let named =
        |text: String| version::first_line(&text).and_then(|line| version::plain(line.trim_start_matches("python-")));
    let files = [".python-version", "runtime.txt"].into_iter().find_map(|file| tree.text(file).and_then(named));
    let tool = || tree.text(".tool-versions").and_then(|text| version::tool(&text, "python"));
    let pip = || pipfile?.get("requires")?.get("python_version")?.as_str().and_then(version::plain);
    let range = || {
        let project = project?;
        let standard = project.get("project").and_then(|table| table.get("requires-python"));
        let poetry = || project.get("tool")?.get("poetry")?.get("dependencies")?.get("python");
        standard.or_else(poetry)?.as_str().and_then(from_range)
    };
    files.or_else(tool).or_else(pip).or_else(range).unwrap_or_else(|| format!("3.{VERSION_DEFAULT}"))
}

/// `>=3.9,<3.12` as `3.11`: what comes after `3.` is a range like others; `^3.9` takes every later one.
fn from_range(range: &str) -> Option<String> {
    let range = range.replace("==", "").replace(".*", "").replace('^', ">=").replace("<4.0", "").replace("<4", "");
    if !range.contains("3.") {
        return None;
    }
    version::major(&range.replace("3.", ""), VERSION_DEFAULT).map(|minor| format!("3.{minor}"))
}

fn table(tree: &SourceTree, file: &str) -> Result<Option<Table>, BuildError> {
    let Some(text) = tree.text(file) else { return Ok(None) };
    text.parse().map(Some).map_err(|error: toml::de::Error| fault(format!("`{file}` is no TOML: {}", error.message())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_python_versions_mean_the_newest_that_they_take() {
        let cases = [
            (">=3.9", "3.12"),
            (">=3.9,<3.12", "3.11"),
            ("^3.10", "3.12"),
            ("==3.11.*", "3.11"),
            (">=3.13", "3.13"),
            ("~=3.10", "3.10"),
            (">=3.8,<4.0", "3.12"),
            ("3.11", "3.11"),
        ];
        for (range, wanted) in cases {
            assert_eq!(from_range(range).as_deref(), Some(wanted), "{range}");
        }
        assert_eq!(from_range("*"), None);
    }
}
