//! A list that only grows, read without a lock.

use std::sync::{Arc, OnceLock};

/// Readers follow links that are set once; a value never moves and never leaves.
pub(crate) struct List<T> {
    first: Link<T>,
}

type Link<T> = OnceLock<Box<Node<T>>>;

struct Node<T> {
    value: Arc<T>,
    next: Link<T>,
}

impl<T> List<T> {
    pub(crate) const fn new() -> Self {
        Self { first: OnceLock::new() }
    }

    pub(crate) fn push(&self, value: T) -> Arc<T> {
        let value = Arc::new(value);
        let mut node = Box::new(Node { value: Arc::clone(&value), next: OnceLock::new() });
        let mut link = &self.first;
        loop {
            match link.set(node) {
                Ok(()) => return value,
                Err(refused) => {
                    node = refused;
                    link = &link.get().expect("a link that refuses a node has one").next;
                }
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        let mut link = &self.first;
        std::iter::from_fn(move || {
            let node = link.get()?;
            link = &node.next;
            Some(&node.value)
        })
    }
}

impl<T> Drop for List<T> {
    /// In a loop: nested drops would overflow the stack with some ten thousand nodes.
    fn drop(&mut self) {
        let mut link = self.first.take();
        while let Some(mut node) = link {
            link = node.next.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_push_without_losing_any() {
        let list = List::new();
        std::thread::scope(|scope| {
            for worker in 0..4 {
                let list = &list;
                scope.spawn(move || (0..100).for_each(|i| drop(list.push(worker * 100 + i))));
            }
        });
        let mut values: Vec<i32> = list.iter().map(|value| **value).collect();
        values.sort_unstable();
        assert_eq!(values, (0..400).collect::<Vec<_>>());
    }

    #[test]
    fn a_long_list_drops_without_recursion() {
        let list = List::new();
        // Built back to front, because `push` walks the list.
        let mut first = OnceLock::new();
        for i in 0..1_000_000 {
            let node = Box::new(Node { value: Arc::new(i), next: first });
            first = OnceLock::from(node);
        }
        drop(List { first });
        list.push(1);
    }
}
