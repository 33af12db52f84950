//! A static site: `index.html`, `public/index.html`, or `static.json` that names the directory. Served by nginx.

use ambo_model::Command;
use serde_json::Value;

use super::fault;
use super::generated::{GeneratedDockerfile, Lines};
use crate::port::BuildError;
use crate::source::SourceTree;

/// Directories that hold a built site, in this order; the last is the source itself.
const ROOTS: [&str; 6] = ["public", "public_html", "dist", "build", "_site", "."];

/// What `static.json` says: the part of it that has a meaning here.
struct Settings {
    root: String,
    clean_urls: bool,
    error_page: Option<String>,
    fallback: Option<String>,
}

pub(super) fn plan(tree: &SourceTree) -> Result<Option<GeneratedDockerfile>, BuildError> {
    let Some(settings) = settings(tree)? else { return Ok(None) };
    let command =
        "sed \"s/@PORT@/${PORT:-8080}/\" /etc/ambo-site.conf > /tmp/nginx.conf && exec nginx -c /tmp/nginx.conf";
    let mut lines = Lines::default();
    let quoted: Vec<String> = configuration(&settings).lines().map(|line| format!("'{line}'")).collect();
    lines
        .add("FROM nginx:stable")
        .user_made()
        .add(format!("RUN printf '%s\\n' {} > /etc/ambo-site.conf", quoted.join(" ")))
        .add("ENTRYPOINT []")
        .copied(&format!("{} /app/site/", settings.root));
    Ok(Some(GeneratedDockerfile {
        language: "Static site",
        text: lines.finish(Some(command)),
        web: Some(Command::Image),
        leaves_out: ".git\nProcfile\nstatic.json\n",
    }))
}

/// nginx's configuration without a quote, so that it can stand between quotes.
fn configuration(settings: &Settings) -> String {
    let html = if settings.clean_urls { " $uri.html" } else { "" };
    let last = settings.fallback.as_ref().map_or("=404".to_owned(), |page| format!("/{page}"));
    let error = settings.error_page.as_ref().map(|page| format!("    error_page 404 /{page};\n")).unwrap_or_default();
    format!(
        "daemon off;\npid /tmp/nginx.pid;\nerror_log /dev/stderr warn;\nevents {{ worker_connections 1024; }}\nhttp {{\n  \
         include /etc/nginx/mime.types;\n  default_type application/octet-stream;\n  access_log off;\n  sendfile on;\n  \
         gzip on;\n  gzip_types text/css text/plain application/javascript application/json image/svg+xml;\n  \
         server_tokens off;\n  absolute_redirect off;\n  client_body_temp_path /tmp/client;\n  proxy_temp_path /tmp/proxy;\n  \
         fastcgi_temp_path /tmp/fastcgi;\n  uwsgi_temp_path /tmp/uwsgi;\n  scgi_temp_path /tmp/scgi;\n  server {{\n    \
         listen @PORT@;\n    root /app/site;\n    index index.html;\n{error}    \
         location ~ /[.](?!well-known/) {{ return 404; }}\n    location / {{ try_files $uri{html} $uri/ {last}; }}\n  }}\n}}\n"
    )
}

fn settings(tree: &SourceTree) -> Result<Option<Settings>, BuildError> {
    let Some(text) = tree.text("static.json") else {
        let found = ROOTS.iter().find(|root| tree.has_file(format!("{root}/index.html").trim_start_matches("./")));
        return Ok(found.map(|root| Settings {
            root: (*root).to_owned(),
            clean_urls: false,
            error_page: tree
                .has_file(format!("{root}/404.html").trim_start_matches("./"))
                .then(|| "404.html".to_owned()),
            fallback: None,
        }));
    };
    let json: Value =
        serde_json::from_str(&text).map_err(|error| fault(format!("`static.json` is no JSON: {error}")))?;
    let path = |value: Option<&Value>| value.and_then(Value::as_str).map(plain_path).transpose();
    let root = path(json.get("root"))?.unwrap_or_else(|| "public_html".to_owned());
    if root != "." && !tree.has_directory(&root) {
        return Err(fault(format!(
            "`static.json` says that the site is in `{root}`, which is no directory of the source"
        )));
    }
    Ok(Some(Settings {
        root,
        clean_urls: json.get("clean_urls").and_then(Value::as_bool).unwrap_or(false),
        error_page: path(json.get("error_page"))?,
        fallback: path(json.pointer("/routes/~1**"))?,
    }))
}

/// A path within the site, of characters that mean nothing to a shell, to nginx or to a Dockerfile.
fn plain_path(text: &str) -> Result<String, BuildError> {
    let path = text.trim_start_matches(['.', '/']).trim_end_matches('/');
    let path = if path.is_empty() { "." } else { path };
    let ok = !path.contains("..") && path.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    if ok {
        Ok(path.to_owned())
    } else {
        Err(fault(format!("`static.json` names `{text}`: use letters, digits, `.`, `_`, `-` and `/`")))
    }
}
