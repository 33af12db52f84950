//! Cutting a release: what the newest good one says, with one change over it.

use ambo_model::{
    AccountId, AppId, AppName, Build, BuildSource, BuildStatus, CommitId, Config, ConfigChange, Release, ReleaseCause,
    ReleaseId, ReleaseStatus, ReleaseVersion, Timestamp,
};

/// What makes a new release.
#[derive(Debug)]
pub enum Change<'a> {
    /// The app was created: version one, without build or config.
    Created,
    /// A build succeeded.
    Built(&'a Build),
    /// A build that succeeded earlier is wanted, with the config of now.
    Chosen(&'a Build),
    /// Config was set or unset.
    Configured(&'a ConfigChange),
    /// An earlier release, build and config, is wanted again.
    RolledBack(&'a Release),
    /// What another app runs is wanted here, with the config of here.
    Promoted {
        /// Its release.
        from: &'a Release,
        /// The other app's name.
        name: &'a AppName,
    },
}

/// The next release of an app.
///
/// `base` is the newest release that has not failed: a change after a rollback builds on what the rollback restored.
#[must_use]
pub fn cut(
    app: AppId,
    version: ReleaseVersion,
    base: Option<&Release>,
    change: &Change<'_>,
    author: AccountId,
    now: Timestamp,
) -> Release {
    let mut release = Release {
        id: ReleaseId::new(),
        app,
        version,
        build: base.and_then(|base| base.build),
        artifact: base.and_then(|base| base.artifact.clone()),
        source_version: base.and_then(|base| base.source_version.clone()),
        config: base.map(|base| base.config.clone()).unwrap_or_default(),
        cause: ReleaseCause::Created,
        author,
        summary: String::new(),
        status: ReleaseStatus::Pending,
        created_at: now,
    };
    match change {
        Change::Created => release.summary = "Initial release".to_owned(),
        Change::Built(build) => apply_build(&mut release, build),
        Change::Chosen(build) => {
            apply_build(&mut release, build);
            release.cause = ReleaseCause::Chosen;
        }
        Change::Configured(change) => {
            release.cause = ReleaseCause::Config;
            release.summary = config_summary(&release.config, change);
            release.config = release.config.merged(change);
        }
        Change::RolledBack(to) => {
            release.cause = ReleaseCause::Rollback { to: to.version };
            release.summary = format!("Rollback to {}", to.version);
            release.build = to.build;
            release.artifact = to.artifact.clone();
            release.source_version = to.source_version.clone();
            release.config = to.config.clone();
        }
        Change::Promoted { from, name } => {
            release.cause = ReleaseCause::Promotion { from: from.app, version: from.version };
            release.summary = promotion_summary(from, name);
            release.build = from.build;
            release.artifact = from.artifact.clone();
            release.source_version = from.source_version.clone();
        }
    }
    if release.artifact.is_none() {
        release.status = ReleaseStatus::Succeeded; // Nothing to roll out yet.
    }
    release
}

/// `Promote shop-staging v12 1a2b3c4d`, in Heroku's words; what is no commit is left out.
fn promotion_summary(from: &Release, name: &AppName) -> String {
    let commit = from.source_version.as_deref().and_then(CommitId::parse);
    let commit = commit.map_or_else(String::new, |commit| format!(" {}", commit.short()));
    format!("Promote {name} {}{commit}", from.version)
}

fn apply_build(release: &mut Release, build: &Build) {
    release.cause = ReleaseCause::Build;
    release.build = Some(build.id);
    release.source_version = build.source.version().map(str::to_owned);
    release.artifact = match &build.status {
        BuildStatus::Succeeded { artifact } => Some(artifact.clone()),
        BuildStatus::Pending | BuildStatus::Failed { .. } => None,
    };
    release.summary = match &build.source {
        BuildSource::Push { commit } => format!("Deploy {}", commit.short()),
        BuildSource::Archive { version: Some(version) } | BuildSource::Url { version: Some(version), .. } => {
            format!("Deploy {}", version.chars().take(40).collect::<String>())
        }
        BuildSource::Archive { version: None } | BuildSource::Url { version: None, .. } => {
            "Deploy an archive".to_owned()
        }
        BuildSource::Image { reference } => format!("Deploy image {reference}"),
    };
}

/// `Set FOO, BAR; unset BAZ config vars`, in Heroku's words.
fn config_summary(before: &Config, change: &ConfigChange) -> String {
    let keys = |wanted: bool| {
        change
            .iter()
            .filter(|(key, value)| value.is_some() == wanted && (wanted || before.get(key.as_str()).is_some()))
            .map(|(key, _)| key.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (keys(true), keys(false)) {
        (set, unset) if set.is_empty() && unset.is_empty() => "Change no config vars".to_owned(),
        (set, unset) if unset.is_empty() => format!("Set {set} config vars"),
        (set, unset) if set.is_empty() => format!("Remove {unset} config vars"),
        (set, unset) => format!("Set {set}; remove {unset} config vars"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambo_model::{ConfigKey, Secret};

    fn set(key: &str, value: &str) -> ConfigChange {
        ConfigChange::from([(ConfigKey::parse(key).unwrap(), Some(Secret::new(value)))])
    }

    fn next(base: &Release, change: &Change<'_>) -> Release {
        cut(base.app, base.version.next(), Some(base), change, base.author, base.created_at)
    }

    fn first() -> Release {
        cut(AppId::new(), ReleaseVersion(1), None, &Change::Created, AccountId::new(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn config_set_after_a_rollback_builds_on_what_the_rollback_restored() {
        let v1 = first();
        let v2 = next(&v1, &Change::Configured(&set("A", "good")));
        let v3 = next(&v2, &Change::Configured(&set("A", "bad")));
        let v4 = next(&v3, &Change::RolledBack(&v2));
        let v5 = next(&v4, &Change::Configured(&set("B", "new")));
        assert_eq!(v5.config.get("A").unwrap().reveal(), "good");
        assert_eq!(v5.config.get("B").unwrap().reveal(), "new");
        assert_eq!(v4.summary, "Rollback to v2");
    }

    #[test]
    fn summaries_name_keys_and_never_values() {
        let v1 = first();
        let v2 = next(&v1, &Change::Configured(&set("TOKEN", "s3cret")));
        assert_eq!(v2.summary, "Set TOKEN config vars");
        let unset = ConfigChange::from([(ConfigKey::parse("TOKEN").unwrap(), None)]);
        assert_eq!(next(&v2, &Change::Configured(&unset)).summary, "Remove TOKEN config vars");
    }

    #[test]
    fn a_promotion_takes_the_build_and_leaves_the_config() {
        let target = next(&first(), &Change::Configured(&set("STAGE", "production")));
        let mut source = next(&first(), &Change::Configured(&set("STAGE", "staging")));
        source.source_version = Some("1a2b3c4d".repeat(5));
        source.build = Some(ambo_model::BuildId::new());
        let name = AppName::parse("shop-staging").unwrap();
        let promoted = next(&target, &Change::Promoted { from: &source, name: &name });
        assert_eq!(promoted.config.get("STAGE").unwrap().reveal(), "production");
        assert_eq!((promoted.build, &promoted.source_version), (source.build, &source.source_version));
        assert_eq!(promoted.summary, "Promote shop-staging v2 1a2b3c4d");
        assert_eq!((promoted.app, promoted.version), (target.app, ReleaseVersion(3)));
    }

    #[test]
    fn a_release_without_a_build_has_nothing_to_roll_out() {
        assert_eq!(first().status, ReleaseStatus::Succeeded);
    }
}
