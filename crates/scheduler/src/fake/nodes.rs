//! The machines of the fake engine. Each new instance goes where the fewest are.

use std::collections::BTreeSet;

/// The name of the only one, unless there are more.
const ONLY: &str = "fake";

/// The machines, by their place in the list.
#[derive(Debug)]
pub(super) struct Nodes {
    names: Vec<String>,
    loads: Vec<usize>,
    /// Those that are up: how many instances each has, and which it is.
    up: BTreeSet<(usize, usize)>,
}

impl Default for Nodes {
    fn default() -> Self {
        Self::named(vec![ONLY.to_owned()])
    }
}

impl Nodes {
    /// `node-1` and so on.
    pub(super) fn new(count: usize) -> Self {
        Self::named((1..=count).map(|number| format!("node-{number}")).collect())
    }

    fn named(names: Vec<String>) -> Self {
        let up = (0..names.len()).map(|node| (0, node)).collect();
        Self { loads: vec![0; names.len()], names, up }
    }

    pub(super) fn name(&self, node: usize) -> &str {
        self.names.get(node).map_or("", String::as_str)
    }

    /// Finds a place; `None` when every node is lost.
    pub(super) fn take(&mut self) -> Option<usize> {
        let (load, node) = self.up.pop_first()?;
        self.loads[node] = load + 1;
        self.up.insert((load + 1, node));
        Some(node)
    }

    /// Gives a place back.
    pub(super) fn leave(&mut self, node: usize) {
        let Some(load) = self.loads.get_mut(node) else { return };
        let is_up = self.up.remove(&(*load, node));
        *load = load.saturating_sub(1);
        if is_up {
            self.up.insert((*load, node));
        }
    }

    /// Takes a node out for good; which it was, when it was up.
    pub(super) fn lose(&mut self, name: &str) -> Option<usize> {
        let node = self.names.iter().position(|known| known == name)?;
        self.up.remove(&(self.loads[node], node)).then_some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_where_the_fewest_are_and_never_on_a_lost_node() {
        let mut nodes = Nodes::new(3);
        assert_eq!([nodes.take(), nodes.take(), nodes.take()], [Some(0), Some(1), Some(2)]);
        nodes.leave(1);
        assert_eq!(nodes.take(), Some(1));
        assert_eq!(nodes.lose("node-1"), Some(0));
        assert_eq!(nodes.lose("node-1"), None, "it is lost already");
        nodes.leave(0);
        assert_eq!([nodes.take(), nodes.take()], [Some(1), Some(2)]);
        nodes.lose("node-2");
        nodes.lose("node-3");
        assert_eq!(nodes.take(), None);
    }
}
