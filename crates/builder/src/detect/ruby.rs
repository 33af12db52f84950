//! Ruby: `Gemfile`.

use super::generated::{GeneratedDockerfile, Lines, shell};
use super::version;
use crate::port::BuildError;
use crate::source::SourceTree;

/// The version that is used when nothing names one.
const VERSION_DEFAULT: &str = "3.3";

pub(super) fn plan(tree: &SourceTree) -> Result<Option<GeneratedDockerfile>, BuildError> {
    let Some(gemfile) = tree.text("Gemfile") else { return Ok(None) };
    let version = version_of(tree, &gemfile);
    let rails = tree.has_file("bin/rails") && tree.has_file("config/application.rb");
    let web = if rails {
        Some("bin/rails server --binding 0.0.0.0 --port $PORT")
    } else if tree.has_file("config.ru") {
        Some("bundle exec rackup --host 0.0.0.0 --port $PORT")
    } else {
        tree.has_file("app.rb").then_some("bundle exec ruby app.rb")
    };
    let environment = "ENV RACK_ENV=production RAILS_ENV=production RAILS_LOG_TO_STDOUT=1 RAILS_SERVE_STATIC_FILES=1 BUNDLE_WITHOUT=development:test";
    let locked = tree.has_file("Gemfile.lock");

    let mut lines = Lines::default();
    lines
        .add(format!("FROM ruby:{version}-bookworm AS build"))
        .add(environment)
        .add("WORKDIR /app")
        .add(if locked { "COPY Gemfile Gemfile.lock ./" } else { "COPY Gemfile ./" })
        .run_cached(
            &["/usr/local/bundle/cache"],
            if locked { "BUNDLE_FROZEN=1 bundle install --jobs 4" } else { "bundle install --jobs 4" },
        )
        .add("COPY . .");
    if rails
        && ["sprockets", "propshaft"].iter().any(|gem| tree.text("Gemfile.lock").is_some_and(|lock| lock.contains(gem)))
    {
        lines.add("RUN SECRET_KEY_BASE_DUMMY=1 SECRET_KEY_BASE=unused bin/rails assets:precompile");
    }
    lines
        .add(format!("FROM ruby:{version}-slim-bookworm"))
        .add(environment)
        .user_made()
        .add("COPY --from=build /usr/local/bundle /usr/local/bundle")
        .copied("--from=build /app ./");
    Ok(Some(GeneratedDockerfile {
        language: "Ruby",
        text: lines.finish(web),
        web: shell(web),
        leaves_out: ".git\nvendor/bundle\nnode_modules\n",
    }))
}

fn version_of(tree: &SourceTree, gemfile: &str) -> String {
    let plain = |text: &str| version::plain(text.trim().trim_start_matches("ruby-").trim_start_matches("ruby "));
    let file = tree.text(".ruby-version").and_then(|text| version::first_line(&text).and_then(plain));
    let tool = || tree.text(".tool-versions").and_then(|text| version::tool(&text, "ruby"));
    // `ruby "3.2.2"` or `ruby '~> 3.2'`.
    let gem = || {
        gemfile.lines().find_map(|line| {
            let quoted = line.trim().strip_prefix("ruby ")?.trim().trim_matches(['"', '\'']);
            plain(quoted.trim_start_matches(['~', '>', '=', ' ']))
        })
    };
    file.or_else(tool).or_else(gem).unwrap_or_else(|| VERSION_DEFAULT.to_owned())
}
