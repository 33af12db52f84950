//! Node.js: `package.json`.

use serde_json::Value;

use super::generated::{GeneratedDockerfile, Lines, shell};
use super::{fault, version};
use crate::port::BuildError;
use crate::source::SourceTree;

/// The version that is used when nothing names one.
const VERSION_DEFAULT: u32 = 22;

pub(super) fn plan(tree: &SourceTree) -> Result<Option<GeneratedDockerfile>, BuildError> {
    let Some(text) = tree.text("package.json") else { return Ok(None) };
    let package: Value =
        serde_json::from_str(&text).map_err(|error| fault(format!("`package.json` is no JSON: {error}")))?;
    let base = format!("node:{}-bookworm-slim", version_of(tree, &package));
    let web = web(tree, &package);
    let manager = Manager::of(tree, &package);
    let build = package.pointer("/scripts/build").is_some_and(Value::is_string);
    let installs = ["dependencies", "devDependencies", "optionalDependencies", "workspaces"]
        .iter()
        .any(|key| package.get(key).is_some_and(|value| !value.as_object().is_some_and(serde_json::Map::is_empty)));

    let mut lines = Lines::default();
    if installs || build {
        stage_build(&mut lines, tree, &base, &manager, installs, build);
    }
    lines.add(format!("FROM {base}")).add("ENV NODE_ENV=production PATH=/app/node_modules/.bin:$PATH").user_made();
    lines.copied(if installs || build { "--from=build /app ./" } else { ". ./" });
    Ok(Some(GeneratedDockerfile {
        language: "Node.js",
        text: lines.finish(web.as_deref()),
        web: shell(web.as_deref()),
        leaves_out: ".git\nnode_modules\n**/node_modules\n",
    }))
}

/// The stage that installs and builds; what is for development only is dropped at its end.
fn stage_build(lines: &mut Lines, tree: &SourceTree, base: &str, manager: &Manager, installs: bool, build: bool) {
    // The full image has the compilers that native modules need.
    let full = base.trim_end_matches("-slim");
    lines.add(format!("FROM {full} AS build")).add("WORKDIR /app");
    if let Some(setup) = manager.setup {
        lines.add(format!("RUN {setup}"));
    }
    if installs {
        let manifests: Vec<&str> = ["package.json", manager.lock, ".npmrc", ".yarnrc.yml", "pnpm-workspace.yaml"]
            .into_iter()
            .filter(|file| tree.has_file(file))
            .collect();
        // Workspaces and local packages need more than the manifests at the root.
        let whole = tree.has_file("pnpm-workspace.yaml")
            || tree
                .text("package.json")
                .is_some_and(|text| text.contains("\"workspaces\"") || text.contains("\"file:"));
        let from = if whole { ".".to_owned() } else { manifests.join(" ") };
        lines.add(format!("COPY {from} ./")).run_cached(&[manager.cache], manager.install);
    }
    lines.add("COPY . .");
    if build {
        lines.add(format!("RUN {} run build", manager.name));
    }
    if installs {
        lines.add(format!("RUN {}", manager.prune));
    }
}

/// A package manager's words.
struct Manager {
    name: &'static str,
    lock: &'static str,
    setup: Option<&'static str>,
    cache: &'static str,
    install: &'static str,
    prune: &'static str,
}

impl Manager {
    fn of(tree: &SourceTree, package: &Value) -> Self {
        let pinned = package.get("packageManager").and_then(Value::as_str).unwrap_or_default();
        if tree.has_file("pnpm-lock.yaml") {
            let setup = if pinned.starts_with("pnpm@") { "corepack enable" } else { "npm install --global pnpm" };
            return Self {
                name: "pnpm",
                lock: "pnpm-lock.yaml",
                setup: Some(setup),
                cache: "/root/.local/share/pnpm/store",
                install: "pnpm install --frozen-lockfile --store-dir /root/.local/share/pnpm/store",
                prune: "CI=true pnpm prune --prod --ignore-scripts",
            };
        }
        if tree.has_file("yarn.lock") {
            return if pinned.starts_with("yarn@") && !pinned.starts_with("yarn@1.") {
                Self {
                    name: "yarn",
                    lock: "yarn.lock",
                    setup: Some("corepack enable"),
                    cache: "/root/.yarn/berry/cache",
                    install: "YARN_NODE_LINKER=node-modules yarn install --immutable",
                    prune: "YARN_NODE_LINKER=node-modules yarn workspaces focus --all --production",
                }
            } else {
                Self {
                    name: "yarn",
                    lock: "yarn.lock",
                    setup: None,
                    cache: "/usr/local/share/.cache/yarn",
                    install: "yarn install --frozen-lockfile",
                    prune: "yarn install --frozen-lockfile --production --ignore-scripts --prefer-offline",
                }
            };
        }
        let install = if tree.has_file("package-lock.json") || tree.has_file("npm-shrinkwrap.json") {
            "npm ci"
        } else {
            "npm install"
        };
        let lock = if tree.has_file("npm-shrinkwrap.json") { "npm-shrinkwrap.json" } else { "package-lock.json" };
        Self { name: "npm", lock, setup: None, cache: "/root/.npm", install, prune: "npm prune --omit=dev" }
    }
}

/// What runs the app: the start script itself, so that signals reach it, unless npm has to prepare something for it.
fn web(tree: &SourceTree, package: &Value) -> Option<String> {
    let script = |name: &str| package.pointer(&format!("/scripts/{name}")).and_then(Value::as_str);
    if let Some(start) = script("start") {
        let needs_npm = start.contains("npm_") || script("prestart").is_some() || script("poststart").is_some();
        return Some(if needs_npm { "npm start".to_owned() } else { start.to_owned() });
    }
    let main = package.get("main").and_then(Value::as_str).filter(|main| tree.has_file(main.trim_start_matches("./")));
    let file = ["server.js"].into_iter().filter(|file| tree.has_file(file)).chain(main).next();
    let file = file.or_else(|| ["index.js", "app.js"].into_iter().find(|file| tree.has_file(file)))?;
    let plain = file.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    plain.then(|| format!("node {file}"))
}

fn version_of(tree: &SourceTree, package: &Value) -> String {
    let file = [".nvmrc", ".node-version"].into_iter().find_map(|file| tree.text(file));
    if let Some(line) = file.as_deref().and_then(version::first_line) {
        let named = match line.to_ascii_lowercase().as_str() {
            "lts/gallium" => Some("16".to_owned()),
            "lts/hydrogen" => Some("18".to_owned()),
            "lts/iron" => Some("20".to_owned()),
            "lts/jod" => Some("22".to_owned()),
            "lts/krypton" => Some("24".to_owned()),
            line => version::plain(line),
        };
        return named.unwrap_or_else(|| VERSION_DEFAULT.to_string());
    }
    if let Some(version) = tree.text(".tool-versions").and_then(|text| version::tool(&text, "nodejs")) {
        return version;
    }
    let range = package.pointer("/engines/node").and_then(Value::as_str).unwrap_or_default();
    let exact = version::plain(range).filter(|version| version.matches('.').count() == 2);
    exact.unwrap_or_else(|| version::major(range, VERSION_DEFAULT).unwrap_or(VERSION_DEFAULT).to_string())
}
