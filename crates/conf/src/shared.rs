//! A value that many parts of a tree have in common, until one of them changes its own.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A value shared with whoever has a clone. Changing it makes a copy first where it is shared: ten thousand locations
/// that say nothing of their own have the settings of their server, and not a copy each.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    /// The value to keep where the tree is not.
    pub fn to_arc(&self) -> Arc<T> {
        Arc::clone(&self.0)
    }

    /// Whether both are one value, and not only like each other.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}
