//! Decides how a source becomes an image: by its own Dockerfile, else by one that is generated for its language.

mod generated;
mod go;
mod node;
mod python;
mod ruby;
mod rust;
mod static_site;
mod version;

use ambo_model::Procfile;

use crate::dockerfile::Dockerfile;
use crate::port::BuildError;
use crate::source::{Ignore, SourceTree};

pub use generated::GeneratedDockerfile;

/// How a source is built.
#[derive(Debug, Clone)]
pub struct Plan {
    /// From what.
    pub recipe: Recipe,
    /// The source's Procfile.
    pub procfile: Option<Procfile>,
}

/// What describes the image.
#[derive(Debug, Clone)]
pub enum Recipe {
    /// The source's own Dockerfile.
    Dockerfile(Dockerfile),
    /// One that we made.
    Generated(GeneratedDockerfile),
}

/// A language: what it is recognised by, and how it is built.
struct Language {
    known_as: &'static str,
    plan: fn(&SourceTree) -> Result<Option<GeneratedDockerfile>, BuildError>,
}

/// In this order: what serves requests comes before what is often there for assets only.
const LANGUAGES: [Language; 6] = [
    Language { known_as: "Ruby (Gemfile)", plan: ruby::plan },
    Language { known_as: "Go (go.mod)", plan: go::plan },
    Language { known_as: "Rust (Cargo.toml)", plan: rust::plan },
    Language { known_as: "Python (requirements.txt, pyproject.toml, Pipfile)", plan: python::plan },
    Language { known_as: "Node.js (package.json)", plan: node::plan },
    Language { known_as: "static site (index.html, public/index.html, static.json)", plan: static_site::plan },
];

/// Decides how the source is built. Pure.
///
/// # Errors
/// When the Procfile or a file that names versions is malformed, or nothing is recognised.
pub fn plan(tree: &SourceTree) -> Result<Plan, BuildError> {
    let procfile = tree.bytes("Procfile").map(Procfile::parse).transpose()?;
    if tree.has_file("Dockerfile") {
        let text = tree.text("Dockerfile").ok_or_else(|| fault("`Dockerfile` is a link to no file of the source"))?;
        return Ok(Plan { recipe: Recipe::Dockerfile(Dockerfile::parse(&text)), procfile });
    }
    Ok(Plan { recipe: Recipe::Generated(generated(tree)?), procfile })
}

/// The Dockerfile that is generated for the source, for its owner to keep: put it beside the source as `Dockerfile`.
///
/// # Errors
/// When the source has a Dockerfile already, or nothing is recognised.
pub fn eject(tree: &SourceTree) -> Result<String, BuildError> {
    if tree.has_file("Dockerfile") {
        return Err(fault("the source has a Dockerfile already: it is used as it stands"));
    }
    generated(tree).map(|generated| generated.text)
}

/// What stays out of the build context: the source's `.dockerignore`, else what the language makes anew anyway.
#[must_use]
pub fn ignored(tree: &SourceTree, plan: &Plan) -> Ignore {
    let text = tree.text("Dockerfile.dockerignore").or_else(|| tree.text(".dockerignore"));
    match (text, &plan.recipe) {
        (Some(text), _) => Ignore::parse(&text),
        (None, Recipe::Generated(generated)) => Ignore::parse(generated.leaves_out),
        (None, Recipe::Dockerfile(_)) => Ignore::default(),
    }
}

fn generated(tree: &SourceTree) -> Result<GeneratedDockerfile, BuildError> {
    for language in &LANGUAGES {
        if let Some(generated) = (language.plan)(tree)? {
            return Ok(generated);
        }
    }
    Err(BuildError::Undetected { known: LANGUAGES.map(|language| language.known_as).join(", ") })
}

/// A fault of the user's source.
fn fault(text: impl Into<String>) -> BuildError {
    BuildError::Step(text.into())
}

#[cfg(test)]
#[path = "detect/detect_tests.rs"]
mod tests;
