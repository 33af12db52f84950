//! The engines that build: one, or those of several machines.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use ambo_engine_docker::{Engine, EngineError};
use async_trait::async_trait;

/// Where builds run.
#[async_trait]
pub trait BuildEngines: fmt::Debug + Send + Sync + 'static {
    /// The engine for the next build that goes to `repository`.
    ///
    /// # Errors
    /// When there is none now.
    async fn lease(&self, repository: &str) -> Result<EngineLease, EngineError>;

    /// The engines that may have images of ours, those that answer.
    ///
    /// # Errors
    /// When nobody can say which there are.
    async fn all(&self) -> Result<Vec<Engine>, EngineError>;
}

/// An engine, for as long as a build lasts.
pub struct EngineLease {
    /// The engine.
    pub engine: Engine,
    /// Its machine, where that is worth telling.
    pub node: Option<String>,
    /// What its end sets free.
    pub held: Option<Box<dyn Any + Send + Sync>>,
}

impl fmt::Debug for EngineLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineLease").field("node", &self.node).finish_non_exhaustive()
    }
}

/// One engine for all builds.
#[async_trait]
impl BuildEngines for Engine {
    async fn lease(&self, _: &str) -> Result<EngineLease, EngineError> {
        Ok(EngineLease { engine: self.clone(), node: None, held: None })
    }

    async fn all(&self) -> Result<Vec<Engine>, EngineError> {
        Ok(vec![self.clone()])
    }
}

/// Chooses among machines, which are given with the number of builds under way on each: one of the least busy, and of those
/// always the same for a repository, since what its last build left in the cache is there. A machine that comes or goes moves
/// none but the repositories that it gets or had (rendezvous hashing).
#[must_use]
pub fn choose<'a>(repository: &str, busy: &'a BTreeMap<String, usize>) -> Option<&'a str> {
    let least = busy.values().min()?;
    let idle = busy.iter().filter(|(_, count)| *count == least).map(|(machine, _)| machine.as_str());
    idle.max_by_key(|machine| {
        let mut hasher = DefaultHasher::new();
        (repository, machine).hash(&mut hasher);
        hasher.finish()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machines(busy: &[(&str, usize)]) -> BTreeMap<String, usize> {
        busy.iter().map(|(machine, count)| ((*machine).to_owned(), *count)).collect()
    }

    #[test]
    fn a_repository_is_built_where_it_was_built_before_unless_that_machine_is_busier() {
        let idle = machines(&[("n1", 0), ("n2", 0), ("n3", 0)]);
        let home = choose("shop", &idle).expect("there are machines");
        assert_eq!(choose("shop", &idle), Some(home));
        let mut busy = idle.clone();
        busy.insert(home.to_owned(), 1);
        let other = choose("shop", &busy).expect("there are others");
        assert_ne!(other, home);
        busy.values_mut().for_each(|count| *count = 1);
        assert_eq!(choose("shop", &busy), Some(home), "all are as busy");
        assert_eq!(choose("shop", &machines(&[])), None);
    }

    #[test]
    fn repositories_are_spread_and_a_machine_that_goes_moves_only_its_own() {
        let (three, two) = (machines(&[("n1", 0), ("n2", 0), ("n3", 0)]), machines(&[("n1", 0), ("n2", 0)]));
        let mut built = BTreeMap::new();
        for number in 0..300 {
            let repository = format!("app-{number}");
            let machine = choose(&repository, &three).expect("there are machines");
            *built.entry(machine).or_insert(0) += 1;
            if machine != "n3" {
                assert_eq!(choose(&repository, &two), Some(machine));
            }
        }
        assert!(built.len() == 3 && built.values().all(|count| *count > 50), "{built:?}");
    }
}
