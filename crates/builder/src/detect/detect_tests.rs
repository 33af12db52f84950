use insta::assert_snapshot;

use super::*;

fn text(files: &[(&'static str, &str)]) -> String {
    let Recipe::Generated(generated) = plan(&SourceTree::of(files)).unwrap().recipe else { panic!("a Dockerfile") };
    assert!(!generated.text.contains("syntax="), "it must build without a frontend from a registry");
    let web = generated.web.map_or_else(|| "none".to_owned(), |web| web.to_string());
    format!("{}# {}; web: {web}\n", generated.text, generated.language)
}

fn fault_of(files: &[(&'static str, &str)]) -> String {
    plan(&SourceTree::of(files)).unwrap_err().to_string()
}

#[test]
fn node_with_a_lock_file_and_a_build_script() {
    let package = r#"{"scripts":{"build":"vite build","start":"node dist/server.js"},"dependencies":{"a":"1"},"engines":{"node":">=18 <21"}}"#;
    assert_snapshot!(text(&[("package.json", package), ("package-lock.json", "{}")]));
}

#[test]
fn node_without_packages_installs_nothing() {
    assert_snapshot!(text(&[
        ("package.json", r#"{"scripts":{"start":"node server.js"}}"#),
        (".nvmrc", "v18\n"),
        ("server.js", "")
    ]));
}

#[test]
fn node_with_pnpm_and_yarn() {
    let package = r#"{"dependencies":{"a":"1"},"main":"./index.js","scripts":{"prestart":"x","start":"y"}}"#;
    assert_snapshot!(text(&[
        ("package.json", package),
        ("pnpm-lock.yaml", ""),
        (".tool-versions", "nodejs 20.11.1\n")
    ]));
    assert_snapshot!(text(&[("package.json", package), ("yarn.lock", "")]));
    let berry = r#"{"dependencies":{"a":"1"},"packageManager":"yarn@4.1.0"}"#;
    assert_snapshot!(text(&[("package.json", berry), ("yarn.lock", ""), ("server.js", "")]));
}

#[test]
fn python_with_packages() {
    let files =
        [("requirements.txt", "flask\ngunicorn\n"), ("runtime.txt", "python-3.11.9\n"), ("app.py", "app = Flask()")];
    assert_snapshot!(text(&files));
}

#[test]
fn python_without_packages_installs_nothing() {
    assert_snapshot!(text(&[("requirements.txt", "# none\n"), (".python-version", "3.11\n"), ("app.py", "")]));
}

#[test]
fn python_with_uv_poetry_pipenv_and_pip() {
    let project = "[project]\nname = \"x\"\nrequires-python = \">=3.10,<3.12\"\ndependencies = [\"uvicorn\"]\n";
    assert_snapshot!(text(&[("pyproject.toml", project), ("uv.lock", ""), ("main.py", "app = x()")]));
    assert_snapshot!(text(&[
        ("pyproject.toml", "[tool.poetry.dependencies]\npython = \"^3.10\""),
        ("poetry.lock", "")
    ]));
    assert_snapshot!(text(&[("Pipfile", "[requires]\npython_version = \"3.10\""), ("Pipfile.lock", "")]));
    assert_snapshot!(text(&[("pyproject.toml", project)]));
    assert_snapshot!(text(&[("requirements.txt", "-r base.txt\n")]));
}

#[test]
fn go_programs_at_the_root_and_below_cmd() {
    assert_snapshot!(text(&[
        ("go.mod", "module example.com/team/shop/v2\n\ngo 1.22\n"),
        ("go.sum", ""),
        ("main.go", "")
    ]));
    assert_snapshot!(text(&[
        ("go.mod", "module x\ntoolchain go1.23.4\n"),
        ("cmd/serve/main.go", ""),
        ("vendor/m.txt", "")
    ]));
}

#[test]
fn ruby_with_rails_and_with_rack() {
    let rails = [
        ("Gemfile", "ruby \"3.2.2\"\ngem \"rails\""),
        ("Gemfile.lock", "sprockets"),
        ("bin/rails", ""),
        ("config/application.rb", ""),
        ("package.json", "{}"),
    ];
    assert_snapshot!(text(&rails));
    assert_snapshot!(text(&[("Gemfile", ""), (".ruby-version", "ruby-3.1.4"), ("config.ru", "")]));
}

#[test]
fn rust_with_one_program() {
    let files = [
        ("Cargo.toml", "[package]\nname = \"shop\""),
        ("Cargo.lock", ""),
        ("src/main.rs", ""),
        ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.85.0\""),
    ];
    assert_snapshot!(text(&files));
}

#[test]
fn static_sites_with_and_without_settings() {
    assert_snapshot!(text(&[("index.html", "")]));
    let json = r#"{"root":"dist/","clean_urls":true,"error_page":"404.html","routes":{"/**":"index.html"}}"#;
    assert_snapshot!(text(&[("static.json", json), ("dist/index.html", "")]));
}

#[test]
fn caches_belong_to_one_app() {
    let Recipe::Generated(generated) = plan(&SourceTree::of(&[("go.mod", "module x")])).unwrap().recipe else {
        panic!()
    };
    let text = generated.text_scoped("shop");
    assert!(text.contains("--mount=type=cache,id=shop-go-pkg-mod,target=/go/pkg/mod go mod download"), "{text}");
    assert_eq!(text.matches("type=cache,id=shop").count(), generated.text.matches("type=cache").count());
}

#[test]
fn a_dockerfile_comes_first_and_can_not_be_ejected() {
    let tree = SourceTree::of(&[("Dockerfile", "FROM x"), ("package.json", "{}")]);
    assert!(matches!(plan(&tree).unwrap().recipe, Recipe::Dockerfile(_)));
    assert!(eject(&tree).unwrap_err().to_string().contains("has a Dockerfile already"));
    assert!(eject(&SourceTree::of(&[("package.json", "{}")])).unwrap().starts_with("FROM node:22"));
}

#[test]
fn faults_of_the_source_are_named() {
    let faults = [
        fault_of(&[("README.md", "")]),
        fault_of(&[("Procfile", "web: ok\nnothing here"), ("Dockerfile", "FROM x")]),
        fault_of(&[("package.json", "{")]),
        fault_of(&[("Cargo.toml", "[")]),
        fault_of(&[("static.json", r#"{"root":"$(x)"}"#)]),
        fault_of(&[("static.json", r#"{"root":"missing"}"#)]),
    ];
    assert_snapshot!(faults.join("\n"));
}

#[test]
fn without_a_dockerignore_a_generated_build_leaves_out_what_it_makes_anew() {
    let ignore = |files: &[(&'static str, &str)]| {
        let tree = SourceTree::of(files);
        ignored(&tree, &plan(&tree).unwrap())
    };
    let path = std::path::Path::new("node_modules/a");
    assert!(ignore(&[("package.json", "{}")]).excludes(path));
    assert!(!ignore(&[("package.json", "{}"), (".dockerignore", "x")]).excludes(path));
    assert!(!ignore(&[("Dockerfile", "FROM x")]).excludes(path));
}
