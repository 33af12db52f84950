//! What to sweep. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ambo_model::{ByteSize, Timestamp};

use super::inventory::{Holdings, Inventory};
use super::{Keep, KeepTags, Retained};
use crate::digest::Digest;
use crate::layout::Repository;
use crate::name::Tag;

/// One thing to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// A tag that need not be kept.
    Tag(Repository, Tag),
    /// The mark that a manifest refers to a subject.
    Referrer(Repository, Digest, Digest),
    /// A manifest that nothing needs, from its repository.
    Manifest(Repository, Digest),
    /// A blob that no manifest needs, from its repository.
    Blob(Repository, Digest),
    /// Content that no repository has, with its size.
    Content(Digest, u64),
}

/// What a collection will remove, in order. Prints as one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Only what is at least as old is removed, also when it is applied.
    pub cutoff: Timestamp,
    /// In order: tags, referrers, manifests, blobs, content.
    pub removals: Vec<Removal>,
    /// Manifests that all repositories had.
    pub manifests_found: u64,
    /// Content that the store had, in bytes.
    pub bytes_found: u64,
}

/// Decides what to remove: what is neither needed nor younger than `cutoff`. Pure.
#[must_use]
pub fn plan(inventory: &Inventory, retained: &Retained, cutoff: Timestamp) -> Plan {
    let mut steps = Steps::default();
    let mut linked = BTreeSet::new();
    for (repository, holdings) in &inventory.repositories {
        linked.extend(steps.repository(repository, holdings, retained.get(&repository.app), cutoff));
    }
    for (digest, content) in &inventory.contents {
        if !linked.contains(digest) && content.modified <= cutoff {
            steps.contents.push(Removal::Content(digest.clone(), content.size));
        }
    }
    let Steps { tags, referrers, manifests, blobs, contents } = steps;
    Plan {
        cutoff,
        removals: [tags, referrers, manifests, blobs, contents].concat(),
        manifests_found: inventory.repositories.values().map(|holdings| holdings.manifests.len() as u64).sum(),
        bytes_found: inventory.contents.values().map(|content| content.size).sum(),
    }
}

#[derive(Default)]
struct Steps {
    tags: Vec<Removal>,
    referrers: Vec<Removal>,
    manifests: Vec<Removal>,
    blobs: Vec<Removal>,
    contents: Vec<Removal>,
}

impl Steps {
    /// Plans one repository. Gives the content that it will still link to.
    fn repository(
        &mut self,
        repository: &Repository,
        holdings: &Holdings,
        keep: Option<&Keep>,
        cutoff: Timestamp,
    ) -> BTreeSet<Digest> {
        let mut roots: BTreeSet<Digest> =
            keep.map(|keep| keep.digests.iter().map(Digest::from).collect()).unwrap_or_default();
        for (tag, entry) in &holdings.tags {
            let wanted = keep.is_some_and(|keep| match &keep.tags {
                KeepTags::All => true,
                KeepTags::Only(tags) => tags.contains(tag.as_str()),
                KeepTags::AllBut(prefix) => !tag.as_str().starts_with(prefix.as_str()),
            });
            if wanted || entry.modified > cutoff {
                roots.extend(entry.target.clone());
            } else {
                self.tags.push(Removal::Tag(repository.clone(), tag.clone()));
            }
        }
        let young = holdings.manifests.iter().filter(|(_, entry)| entry.modified > cutoff);
        roots.extend(young.map(|(digest, _)| digest.clone()));
        let needed = needed(holdings, roots);

        let mut linked = BTreeSet::new();
        for (digest, entry) in &holdings.manifests {
            if needed.contains(digest) {
                linked.insert(digest.clone());
                continue;
            }
            if let Some(subject) = &entry.subject {
                self.referrers.push(Removal::Referrer(repository.clone(), subject.clone(), digest.clone()));
            }
            self.manifests.push(Removal::Manifest(repository.clone(), digest.clone()));
        }
        for ((subject, digest), modified) in &holdings.referrers {
            // Its manifest went in an earlier collection that was cut short, or was never linked.
            if !holdings.manifests.contains_key(digest) && *modified <= cutoff {
                self.referrers.push(Removal::Referrer(repository.clone(), subject.clone(), digest.clone()));
            }
        }
        for (digest, modified) in &holdings.blobs {
            if needed.contains(digest) || *modified > cutoff {
                linked.insert(digest.clone());
            } else {
                self.blobs.push(Removal::Blob(repository.clone(), digest.clone()));
            }
        }
        linked
    }
}

/// Everything that the roots lead to: what manifests need, and who refers to them, again and again.
fn needed(holdings: &Holdings, roots: BTreeSet<Digest>) -> BTreeSet<Digest> {
    let mut referrers: BTreeMap<&Digest, Vec<&Digest>> = BTreeMap::new();
    for (digest, entry) in &holdings.manifests {
        if let Some(subject) = &entry.subject {
            referrers.entry(subject).or_default().push(digest);
        }
    }
    let mut needed = BTreeSet::new();
    let mut waiting: Vec<Digest> = roots.into_iter().collect();
    while let Some(digest) = waiting.pop() {
        waiting.extend(
            referrers
                .get(&digest)
                .into_iter()
                .flatten()
                .map(|digest| (*digest).clone())
                .filter(|to| !needed.contains(to)),
        );
        if let Some(entry) = holdings.manifests.get(&digest) {
            waiting.extend(entry.needs.iter().filter(|to| !needed.contains(*to)).cloned());
        }
        needed.insert(digest);
    }
    needed
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.removals.is_empty() {
            return writeln!(f, "nothing to remove");
        }
        self.removals.iter().try_for_each(|removal| writeln!(f, "{removal}"))
    }
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(repository, tag) => write!(f, "remove tag {tag} of {repository}"),
            Self::Referrer(repository, subject, digest) => {
                write!(f, "remove referrer {digest} to {subject} of {repository}")
            }
            Self::Manifest(repository, digest) => write!(f, "remove manifest {digest} of {repository}"),
            Self::Blob(repository, digest) => write!(f, "remove blob {digest} of {repository}"),
            Self::Content(digest, size) => write!(f, "free {} of {digest}", ByteSize::bytes(*size)),
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.path.is_empty() { "" } else { "/" };
        write!(f, "app {}{slash}{}", self.app, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::super::inventory::{ContentEntry, ManifestEntry, TagEntry};
    use super::*;
    use crate::digest::Algorithm;
    use ambo_model::{AppId, ImageDigest};
    use proptest::prelude::*;

    const CUTOFF: i64 = 1000;

    fn digest(name: &str) -> Digest {
        Digest::of(Algorithm::Sha256, name.as_bytes())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// An app's repository with old manifests, each as `name -> what it needs`, all linked and stored.
    fn holdings(manifests: &[(&str, &[&str], Option<&str>)]) -> Holdings {
        let mut holdings = Holdings::default();
        for (name, needs, subject) in manifests {
            let entry = ManifestEntry {
                modified: at(0),
                needs: needs.iter().map(|name| digest(name)).collect(),
                subject: subject.map(digest),
            };
            for blob in needs.iter().filter(|name| name.starts_with("blob")) {
                holdings.blobs.insert(digest(blob), at(0));
            }
            if let Some(subject) = subject {
                holdings.referrers.insert((digest(subject), digest(name)), at(0));
            }
            holdings.manifests.insert(digest(name), entry);
        }
        holdings
    }

    fn inventory(app: AppId, holdings: Holdings) -> Inventory {
        let stored = holdings.manifests.keys().chain(holdings.blobs.keys());
        let contents = stored.map(|digest| (digest.clone(), ContentEntry { modified: at(0), size: 1 })).collect();
        let repository = Repository { app, path: String::new() };
        Inventory { repositories: BTreeMap::from([(repository, holdings)]), contents }
    }

    fn keep(names: &[&str]) -> Keep {
        let digests = names.iter().map(|name| ImageDigest::parse(&digest(name).to_string()).unwrap()).collect();
        Keep { digests, tags: KeepTags::Only(BTreeSet::new()) }
    }

    fn removed(plan: &Plan, name: &str) -> bool {
        let is = digest(name);
        plan.removals.iter().any(|removal| match removal {
            Removal::Manifest(_, digest) | Removal::Blob(_, digest) => *digest == is,
            _ => false,
        })
    }

    #[test]
    fn what_a_kept_release_leads_to_stays_and_the_rest_goes() {
        let app = AppId::new();
        let holdings = holdings(&[
            ("index", &["image"], None),
            ("image", &["blob-shared", "blob-kept"], None),
            ("old", &["blob-shared", "blob-old"], None),
            ("signature", &["blob-signature"], Some("image")),
            ("old-signature", &["blob-old-signature"], Some("old")),
        ]);
        let plan = plan(&inventory(app, holdings), &Retained::from([(app, keep(&["index"]))]), at(CUTOFF));
        for kept in ["index", "image", "blob-shared", "blob-kept", "signature", "blob-signature"] {
            assert!(!removed(&plan, kept), "{kept}\n{plan}");
        }
        for gone in ["old", "blob-old", "old-signature", "blob-old-signature"] {
            assert!(removed(&plan, gone), "{gone}\n{plan}");
        }
        assert_eq!(plan.to_string().lines().filter(|line| line.starts_with("free 1")).count(), 4, "{plan}");
        assert_eq!(plan.to_string().lines().filter(|line| line.starts_with("remove referrer")).count(), 1, "{plan}");
    }

    #[test]
    fn what_is_young_stays_with_all_it_needs() {
        let app = AppId::new();
        let mut holdings = holdings(&[("image", &["blob-a"], None)]);
        holdings.manifests.get_mut(&digest("image")).unwrap().modified = at(CUTOFF + 1);
        holdings.blobs.insert(digest("blob-uploaded"), at(CUTOFF + 1));
        let plan = plan(&inventory(app, holdings), &Retained::from([(app, Keep::default())]), at(CUTOFF));
        assert_eq!(plan.to_string(), "nothing to remove\n");
    }

    #[test]
    fn a_kept_tag_keeps_its_image_and_a_dropped_one_goes_before_it() {
        let app = AppId::new();
        let mut holdings = holdings(&[("a", &["blob-a"], None), ("b", &["blob-b"], None)]);
        for name in ["a", "b"] {
            let entry = TagEntry { modified: at(0), target: Some(digest(name)) };
            holdings.tags.insert(Tag::parse(name).unwrap(), entry);
        }
        let inventory = inventory(app, holdings);
        let only = Keep { tags: KeepTags::Only(BTreeSet::from(["a".to_owned()])), ..Keep::default() };
        let swept = plan(&inventory, &Retained::from([(app, only)]), at(CUTOFF));
        assert!(!removed(&swept, "a") && removed(&swept, "b") && removed(&swept, "blob-b"), "{swept}");
        assert!(matches!(&swept.removals[0], Removal::Tag(_, tag) if tag.as_str() == "b"), "{swept}");
        let all = plan(&inventory, &Retained::from([(app, Keep::default())]), at(CUTOFF));
        assert!(all.removals.is_empty(), "{all}");
    }

    #[test]
    fn an_app_that_is_gone_keeps_nothing() {
        let inventory = inventory(AppId::new(), holdings(&[("image", &["blob-a"], None)]));
        let plan = plan(&inventory, &Retained::new(), at(CUTOFF));
        assert!(removed(&plan, "image") && removed(&plan, "blob-a"));
        assert_eq!(plan.removals.iter().filter(|removal| matches!(removal, Removal::Content(..))).count(), 2);
    }

    proptest! {
        #[test]
        fn nothing_that_stays_ever_needs_what_goes(
            edges in proptest::collection::vec((0usize..12, 0usize..12), 0..40),
            subjects in proptest::collection::vec((0usize..12, 0usize..12), 0..6),
            young in proptest::collection::btree_set(0usize..12, 0..4),
            kept in proptest::collection::btree_set(0usize..12, 0..4),
        ) {
            let name = |number: usize| format!("manifest-{number}");
            let app = AppId::new();
            let mut holdings = Holdings::default();
            for number in 0..12 {
                let needs: Vec<Digest> = edges.iter().filter(|(from, _)| *from == number)
                    .flat_map(|(_, to)| [digest(&name(*to)), digest(&format!("blob-{to}"))]).collect();
                for blob in 0..12 {
                    holdings.blobs.insert(digest(&format!("blob-{blob}")), at(0));
                }
                let subject = subjects.iter().find(|(from, _)| *from == number).map(|(_, to)| digest(&name(*to)));
                let modified = if young.contains(&number) { at(CUTOFF + 1) } else { at(0) };
                holdings.manifests.insert(digest(&name(number)), ManifestEntry { modified, needs, subject });
            }
            let names: Vec<String> = kept.iter().map(|number| name(*number)).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let inventory = inventory(app, holdings.clone());
            let plan = plan(&inventory, &Retained::from([(app, keep(&names))]), at(CUTOFF));
            let gone: BTreeSet<&Digest> = plan.removals.iter().filter_map(|removal| match removal {
                Removal::Manifest(_, digest) | Removal::Blob(_, digest) | Removal::Content(digest, _) => Some(digest),
                _ => None,
            }).collect();
            for number in kept.iter().chain(&young) {
                prop_assert!(!gone.contains(&digest(&name(*number))));
            }
            for (digest, entry) in holdings.manifests.iter().filter(|(digest, _)| !gone.contains(digest)) {
                for need in &entry.needs {
                    prop_assert!(!gone.contains(need), "{} stays and needs {}", digest, need);
                }
            }
        }
    }
}
