//! What a repository is where a bucket keeps it: one small object that names its refs and its packs. Pure.

use std::collections::BTreeMap;

use ambo_model::{CommitId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::refs::Branch;

/// The form that is written.
const FORMAT: u32 = 1;

/// Names and what they point at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refs {
    /// The branch that `HEAD` is, by its whole name; it need not exist.
    pub(crate) head: String,
    /// Whole names, and the objects that they point at.
    pub(crate) names: BTreeMap<String, CommitId>,
}

impl Refs {
    /// Those of a repository that nothing was pushed to.
    pub(crate) fn none() -> Self {
        Self { head: Branch::Main.full_name().to_owned(), names: BTreeMap::new() }
    }
}

/// A pack: an object of the bucket under a name that no other ever had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pack {
    pub(crate) name: Uuid,
    pub(crate) bytes: u64,
}

/// A pack whose content is in others, kept for those who read it at that time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Superseded {
    name: Uuid,
    at: Timestamp,
}

/// A repository at one moment. What its refs reach is in its packs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    /// Another one each time that a manifest is written.
    pub(crate) written: Uuid,
    pub(crate) refs: Refs,
    pub(crate) packs: Vec<Pack>,
    superseded: Vec<Superseded>,
}

/// Why an object is no manifest.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestFault {
    #[error("it is not JSON of a repository")]
    Malformed(#[from] serde_json::Error),
    #[error("its format is {0}, which a newer version of the platform writes")]
    Format(u32),
}

impl Manifest {
    /// A repository that is made of these.
    pub(crate) fn new(refs: Refs, packs: Vec<Pack>) -> Self {
        Self { format: FORMAT, written: Uuid::new_v4(), refs, packs, superseded: Vec::new() }
    }

    pub(crate) fn parse(content: &[u8]) -> Result<Self, ManifestFault> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_slice(content)?;
        if format != FORMAT {
            return Err(ManifestFault::Format(format));
        }
        Ok(serde_json::from_slice(content)?)
    }

    /// Where a branch is.
    pub(crate) fn branch(&self, branch: Branch) -> Option<&CommitId> {
        self.refs.names.get(branch.full_name())
    }

    /// The same after a push: the branch is the only one, and the one that a clone checks out.
    pub(crate) fn pushed(&self, branch: Branch, commit: &CommitId, packs: &[Pack]) -> Self {
        let mut next = self.rewritten();
        next.refs.names.remove(branch.other().full_name());
        next.refs.names.insert(branch.full_name().to_owned(), commit.clone());
        next.refs.head = branch.full_name().to_owned();
        next.packs.extend_from_slice(packs);
        next
    }

    /// Other refs and packs in the place of all that are there.
    pub(crate) fn replaced(&self, refs: Refs, packs: Vec<Pack>, now: Timestamp) -> Self {
        let mut next = self.rewritten();
        next.refs = refs;
        let old = std::mem::replace(&mut next.packs, packs);
        next.superseded.extend(old.into_iter().map(|pack| Superseded { name: pack.name, at: now }));
        next
    }

    /// The same, forgetting packs that were superseded before `cutoff`.
    pub(crate) fn swept(&self, cutoff: Timestamp) -> Self {
        let mut next = self.rewritten();
        next.superseded.retain(|pack| pack.at >= cutoff);
        next
    }

    /// The same content in a writing of its own.
    fn rewritten(&self) -> Self {
        Self { written: Uuid::new_v4(), ..self.clone() }
    }

    /// Whether nobody has needed a pack since `cutoff`. One that was never part of the repository was left by a push that
    /// failed; what counts then is when it was stored.
    pub(crate) fn is_idle_since(&self, cutoff: Timestamp, name: Uuid, stored: Timestamp) -> bool {
        let superseded = self.superseded.iter().find(|pack| pack.name == name).map(|pack| pack.at);
        !self.packs.iter().any(|pack| pack.name == name) && superseded.unwrap_or(stored) < cutoff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(digit: char) -> CommitId {
        CommitId::parse(&digit.to_string().repeat(40)).unwrap()
    }

    fn pack() -> Pack {
        Pack { name: Uuid::new_v4(), bytes: 1 }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_push_makes_its_branch_the_only_one() {
        let (one, two) = (pack(), pack());
        let first =
            Manifest::new(Refs::none(), Vec::new()).pushed(Branch::Main, &commit('a'), std::slice::from_ref(&one));
        let second = first.pushed(Branch::Master, &commit('b'), std::slice::from_ref(&two));
        assert_eq!((second.branch(Branch::Main), second.branch(Branch::Master)), (None, Some(&commit('b'))));
        assert_eq!(second.refs.head, "refs/heads/master");
        assert_eq!(second.packs, [one, two]);
        assert_ne!(first.written, second.written);
    }

    #[test]
    fn packs_are_idle_only_when_nobody_can_need_them() {
        let (old, new, stray) = (pack(), pack(), pack());
        let first = Manifest::new(Refs::none(), vec![old.clone()]);
        assert!(!first.is_idle_since(at(100), old.name, at(1)), "it is part of the repository");
        let second = first.replaced(Refs::none(), vec![new.clone()], at(50));
        assert!(!second.is_idle_since(at(50), old.name, at(1)), "its time counts from when it was superseded");
        assert!(second.is_idle_since(at(51), old.name, at(1)));
        assert!(!second.is_idle_since(at(10), stray.name, at(10)), "its push may be under way");
        assert!(second.is_idle_since(at(11), stray.name, at(10)));
        let swept = second.swept(at(51));
        assert!(swept.superseded.is_empty() && swept.packs == [new]);
    }

    #[test]
    fn a_manifest_of_another_format_is_not_guessed_at() {
        let manifest = Manifest::new(Refs::none(), vec![pack()]);
        let text = serde_json::to_string(&manifest).unwrap();
        assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), manifest);
        let newer = text.replace("\"format\":1", "\"format\":2");
        assert!(matches!(Manifest::parse(newer.as_bytes()), Err(ManifestFault::Format(2))));
        assert!(matches!(Manifest::parse(b"{}"), Err(ManifestFault::Malformed(_))));
    }
}
