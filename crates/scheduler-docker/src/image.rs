//! Images: on the engine, or pulled; and whether a program is in one.

use ambo_engine_docker::EngineError;
use ambo_engine_docker::bollard::Docker;
use ambo_engine_docker::bollard::auth::DockerCredentials;
use ambo_engine_docker::bollard::models::ImageConfig;
use ambo_engine_docker::bollard::query_parameters::{ContainerArchiveInfoOptions, CreateImageOptions};
use ambo_model::{Command, ImageReference};
use ambo_scheduler::SchedulerError;
use futures::TryStreamExt;

use crate::container::NewContainer;
use crate::failure::{failed, not_pulled};
use crate::settings::DockerSchedulerSettings;

/// Where programs are looked for when neither config nor image says.
const PATH_DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Most directories of a `PATH` that are looked into.
const PATH_ENTRIES_MAX: usize = 32;

/// Makes the image be on the engine; pulls it when it is not.
pub(crate) async fn image_ensure(
    docker: &Docker,
    image: &ImageReference,
    settings: &DockerSchedulerSettings,
) -> Result<(), SchedulerError> {
    match docker.inspect_image(image.as_str()).await.map_err(EngineError::from) {
        Ok(_) => return Ok(()),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(failed(format!("look for image {image}"))(error)),
    }
    let login = match &settings.logins {
        Some(logins) => logins.login(image).await,
        None => None,
    };
    let credentials = login.map(|login| DockerCredentials {
        username: Some(login.username),
        password: Some(login.password.reveal().to_owned()),
        serveraddress: image.as_str().split_once('/').map(|(registry, _)| registry.to_owned()),
        ..Default::default()
    });
    let options = CreateImageOptions { from_image: Some(pulled_name(image)), ..Default::default() };
    let progress = docker.create_image(Some(options), None, credentials);
    progress.try_for_each(|_| std::future::ready(Ok(()))).await.map_err(not_pulled(image))
}

/// The name to pull: without tag and digest Docker would pull every tag.
fn pulled_name(image: &ImageReference) -> String {
    let last = image.as_str().rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) { image.to_string() } else { format!("{image}:latest") }
}

/// What an image says of how it is run.
pub(crate) async fn image_config(docker: &Docker, image: &ImageReference) -> Result<ImageConfig, SchedulerError> {
    let inspected = docker.inspect_image(image.as_str()).await.map_err(failed(format!("look at image {image}")))?;
    Ok(inspected.config.unwrap_or_default())
}

/// Looks whether the program that a container starts is in it; gives the reason when it is not.
///
/// With an init program in front, the engine itself notices a missing program only when it is running already.
pub(crate) async fn program_missing(
    docker: &Docker,
    container: &str,
    new: &NewContainer<'_>,
    config: &ImageConfig,
) -> Option<String> {
    let program = match new.command {
        Command::Shell(_) => "/bin/sh",
        Command::Argv(words) => words.first()?,
        Command::Image => config.entrypoint.iter().flatten().chain(config.cmd.iter().flatten()).next()?,
    };
    for path in candidates(program, new, config) {
        let options = ContainerArchiveInfoOptions { path };
        match docker.get_container_archive_info(container, Some(options)).await.map_err(EngineError::from) {
            Err(error) if error.is_not_found() => {}
            // It is there, or the engine cannot tell: the start will.
            _ => return None,
        }
    }
    Some(match new.command {
        Command::Shell(_) => "the image has no shell: `/bin/sh` is not in it".to_owned(),
        _ => format!("`{program}` is not in the image"),
    })
}

/// Where a program may be, as `execvp` looks for it.
fn candidates(program: &str, new: &NewContainer<'_>, config: &ImageConfig) -> Vec<String> {
    let directory = config.working_dir.as_deref().filter(|directory| !directory.is_empty()).unwrap_or("/");
    let absolute = |path: &str| if path.starts_with('/') { path.to_owned() } else { format!("{directory}/{path}") };
    if program.contains('/') {
        return vec![absolute(program)];
    }
    let of_image = config.env.iter().flatten().find_map(|pair| pair.strip_prefix("PATH="));
    let path = new.env.get("PATH").map(ambo_model::Secret::reveal).or(of_image).unwrap_or(PATH_DEFAULT);
    path.split(':').take(PATH_ENTRIES_MAX).map(|entry| absolute(&format!("{entry}/{program}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_pulled_under_one_tag() {
        let name = |text| pulled_name(&ImageReference::parse(text).unwrap());
        assert_eq!(name("127.0.0.1:7050/app"), "127.0.0.1:7050/app:latest");
        assert_eq!(name("127.0.0.1:7050/app:v1"), "127.0.0.1:7050/app:v1");
        assert_eq!(name("app@sha256:ab"), "app@sha256:ab");
    }
}
