//! The platform's registry as docker and skopeo use it.

use std::process::Command;

use ambo_e2e::{Platform, Source, run};

#[test]
fn each_releases_image_is_there_by_digest_for_those_who_may_see_the_app() {
    let platform = Platform::start();
    let (ann, eve) = (platform.user("ann"), platform.user("eve"));
    let source = Source::web(&ann, "shop", "hi");
    source.create_app("shop");
    source.push().ok();
    let token = |user: &ambo_e2e::User<'_>| user.ambo(&["tokens:create"]).ok().stdout.trim().to_owned();
    let digest = {
        let ids = platform.containers("shop", "web");
        let image = run(Command::new("docker").args(["inspect", "-f", "{{.Config.Image}}", &ids[0]])).ok().stdout;
        image.trim().split_once('@').expect("pinned by digest").1.to_owned()
    };
    let image = format!("docker://{}/shop@{digest}", platform.registry());
    let inspect = |credentials: Option<String>| {
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["inspect", "--tls-verify=false", "--override-os", "linux"]);
        match credentials {
            Some(credentials) => skopeo.args(["--creds", &credentials]),
            None => skopeo.arg("--no-creds"),
        };
        run(skopeo.arg(&image))
    };
    inspect(Some(format!("{}:{}", ann.email, token(&ann)))).ok().says(&digest);
    assert_ne!(inspect(Some(format!("{}:{}", eve.email, token(&eve)))).code, 0);
    assert_ne!(inspect(None).code, 0);

    let config = ann.home().join("docker");
    let docker = |arguments: &[&str]| run(Command::new("docker").arg("--config").arg(&config).args(arguments));
    docker(&["login", "-u", &ann.email, "-p", &token(&ann), &platform.registry()]).ok();
    let pushed = format!("{}/shop/extra:v1", platform.registry());
    docker(&["tag", "debian:bookworm-slim", &pushed]).ok();
    docker(&["push", "-q", &pushed]).ok();
    docker(&["rmi", &pushed]).ok();
    docker(&["pull", "-q", &pushed]).ok();
    docker(&["rmi", &pushed]).ok();
}
