//! The process table of a build.

use ambo_model::{Command, ProcessTable, ProcessType, Procfile};

use crate::detect::{Plan, Recipe};
use crate::port::BuildError;

/// Decides what a built source runs. Pure.
///
/// - A Procfile's entries are run by the image's shell.
/// - With a Dockerfile whose last stage names a command and a Procfile without `web`, that command is `web` beside the
///   Procfile's entries. A command that only the base image names is not: a worker on a Python image has no `web`.
/// - A Dockerfile without Procfile: the image's own command is `web`.
/// - A generated Dockerfile without Procfile: the language's default is `web`.
///
/// # Errors
/// When nothing would run.
pub fn process_table(plan: &Plan) -> Result<ProcessTable, BuildError> {
    match (&plan.recipe, &plan.procfile) {
        (Recipe::Dockerfile(file), Some(procfile)) if file.has_command() => {
            Ok(with_web(procfile.process_table(), Command::Image))
        }
        (_, Some(procfile)) => Ok(procfile.process_table()),
        (Recipe::Dockerfile(_), None) => Ok(ProcessTable::image_as_web()),
        (Recipe::Generated(generated), None) => match &generated.web {
            Some(web) => Ok(with_web(ProcessTable::default(), web.clone())),
            None => Err(BuildError::Step(format!(
                "nothing says how to run this app ({}): add a Procfile with a line such as `web: <command that listens on $PORT>`",
                generated.language
            ))),
        },
    }
}

/// The table of an image with a Procfile that came beside it: its entries, and the image's own command as `web` unless
/// they name one.
#[must_use]
pub fn process_table_of_image(procfile: Option<&Procfile>) -> ProcessTable {
    procfile.map_or_else(ProcessTable::image_as_web, |procfile| with_web(procfile.process_table(), Command::Image))
}

fn with_web(table: ProcessTable, command: Command) -> ProcessTable {
    let web = (ProcessType::web(), command.into());
    std::iter::once(web).chain(table.iter().map(|(process, entry)| (process.clone(), entry.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::plan;
    use crate::source::SourceTree;

    fn table(files: &[(&'static str, &str)]) -> String {
        let table = process_table(&plan(&SourceTree::of(files)).unwrap());
        table.map_or_else(
            |error| error.to_string(),
            |table| {
                table
                    .iter()
                    .map(|(process, entry)| format!("{process}={}", entry.command))
                    .collect::<Vec<_>>()
                    .join(" ")
            },
        )
    }

    #[test]
    fn the_procfile_wins_and_a_dockerfiles_own_command_is_web_beside_it() {
        let own = ("Dockerfile", "FROM x\nCMD a");
        let base = ("Dockerfile", "FROM python:3.12\nRUN b");
        assert_eq!(table(&[own]), "web=(the image's own command)");
        assert_eq!(table(&[own, ("Procfile", "worker: w")]), "web=(the image's own command) worker=w");
        assert_eq!(table(&[own, ("Procfile", "web: s\nrelease: r")]), "release=r web=s");
        assert_eq!(table(&[base, ("Procfile", "worker: w")]), "worker=w");
        assert_eq!(table(&[("requirements.txt", ""), ("app.py", "")]), "web=python app.py");
        assert_eq!(table(&[("requirements.txt", ""), ("app.py", ""), ("Procfile", "worker: w")]), "worker=w");
        assert!(table(&[("requirements.txt", "")]).starts_with("nothing says how to run this app (Python)"));
    }

    #[test]
    fn an_image_runs_its_own_command_as_web_unless_a_procfile_names_one() {
        let procfile = Procfile::parse(b"worker: w").unwrap();
        assert_eq!(process_table_of_image(Some(&procfile)).iter().count(), 2);
        assert_eq!(process_table_of_image(None), ProcessTable::image_as_web());
    }
}
