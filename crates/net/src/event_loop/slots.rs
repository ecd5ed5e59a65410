//! Numbered places for tasks and sources. A number is never given twice: one that is stale finds nothing.

/// A growing list of places, freed ones used first.
pub(super) struct Slots<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

struct Place<T> {
    /// How often the place was given before: the upper half of its token.
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// Puts a value into a free place; `make` is told the token of it.
    pub(super) fn insert(&mut self, make: impl FnOnce(u64) -> T) -> u64 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: 0, value: None });
            u32::try_from(self.places.len() - 1).expect("fewer tasks than 2^32 fit into memory")
        });
        let place = &mut self.places[index as usize];
        let token = u64::from(place.generation) << 32 | u64::from(index);
        place.value = Some(make(token));
        token
    }

    pub(super) fn get(&self, token: u64) -> Option<&T> {
        let place = self.places.get(index_of(token))?;
        if place.generation == generation_of(token) { place.value.as_ref() } else { None }
    }

    pub(super) fn get_mut(&mut self, token: u64) -> Option<&mut T> {
        let place = self.places.get_mut(index_of(token))?;
        if place.generation == generation_of(token) { place.value.as_mut() } else { None }
    }

    pub(super) fn remove(&mut self, token: u64) -> Option<T> {
        let place = self.places.get_mut(index_of(token))?;
        if place.generation != generation_of(token) {
            return None;
        }
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(token as u32);
        Some(value)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.places.len()
    }
}

fn index_of(token: u64) -> usize {
    token as u32 as usize
}

fn generation_of(token: u64) -> u32 {
    (token >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_token_finds_nothing() {
        let mut slots = Slots::default();
        let first = slots.insert(|_| 'a');
        assert_eq!(slots.get(first), Some(&'a'));
        assert_eq!(slots.remove(first), Some('a'));
        assert!(slots.is_empty());
        let second = slots.insert(|_| 'b');
        assert_eq!(index_of(first), index_of(second), "the place is used again");
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.get_mut(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get(second), Some(&'b'));
        assert!(!slots.is_empty());
    }
}
