//! The hash table of a Python 2.7 dictionary, for the order of its keys.

/// Below this many entries a table grows by four, above it by two.
const LARGE: usize = 50_000;

/// A slot that never held a key.
const FREE: u32 = u32::MAX;
/// A slot that held one.
const REMOVED: u32 = u32::MAX - 1;

/// The keys of a Python 2.7 dictionary in their hash table (`Objects/dictobject.c` of 2.7.18).
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// Every key that was ever added, with its hash.
    names: Vec<(u64, String)>,
    /// Which of `names` a slot holds.
    slots: Vec<u32>,
    /// Slots that hold a key.
    used: usize,
    /// Slots that hold or held one.
    filled: usize,
    /// Whether it is known that a copy has the same table.
    stable: bool,
}

impl Default for Keys {
    fn default() -> Self {
        Self { names: Vec::new(), slots: vec![FREE; 8], used: 0, filled: 0, stable: false }
    }
}

impl Keys {
    /// The keys in the order of the table.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().filter_map(|slot| self.names.get(*slot as usize)).map(|(_, name)| name.as_str())
    }

    /// Adds a key.
    pub(crate) fn add(&mut self, key: &str) {
        let hash = hash(key);
        let index = self.slot(hash, key);
        match self.slots[index] {
            FREE => self.filled += 1,
            REMOVED => {}
            _ => return,
        }
        let Some(name) = u32::try_from(self.names.len()).ok().filter(|name| *name < REMOVED) else { return };
        self.names.push((hash, key.to_owned()));
        self.slots[index] = name;
        self.grow();
    }

    /// Takes a key out; its slot is remembered.
    pub(crate) fn remove(&mut self, key: &str) {
        let index = self.slot(hash(key), key);
        if self.slots[index] < REMOVED {
            self.slots[index] = REMOVED;
            self.used -= 1;
            self.stable = false;
        }
    }

    /// Makes room for as many more keys, as `dict.update` does at once.
    pub(crate) fn reserve(&mut self, more: usize) {
        if more > 0 && (self.filled + more) * 3 >= self.slots.len() * 2 {
            self.resize((self.used + more) * 2);
        }
    }

    /// Becomes what copies of copies are, each filled in the order of the one before.
    pub(crate) fn become_copy(&mut self, times: u32) {
        // Copies repeat themselves sooner or later, mostly at once: a state to compare with is kept
        // for twice as many copies each time (Brent's algorithm).
        let (mut left, mut since, mut limit) = (times, 0, 1);
        let mut mark: Option<Vec<u32>> = None;
        while left > 0 && !self.stable {
            let before = self.copy();
            self.stable = before == self.slots;
            left -= 1;
            since += 1;
            if mark.as_ref() == Some(&self.slots) {
                left %= since;
            } else if since == limit {
                mark = Some(self.slots.clone());
                (since, limit) = (0, limit * 2);
            }
        }
    }

    /// Becomes a copy and gives the slots from before.
    fn copy(&mut self) -> Vec<u32> {
        let before = std::mem::replace(&mut self.slots, vec![FREE; 8]);
        (self.used, self.filled) = (0, 0);
        for name in before.iter().copied().filter(|name| *name < REMOVED) {
            self.put(name);
            self.grow();
        }
        before
    }

    fn grow(&mut self) {
        self.used += 1;
        self.stable = false;
        if self.filled * 3 >= self.slots.len() * 2 {
            self.resize(self.used * if self.used > LARGE { 2 } else { 4 });
        }
    }

    fn resize(&mut self, request: usize) {
        let mut size = 8;
        while size <= request {
            size <<= 1;
        }
        let old = std::mem::replace(&mut self.slots, vec![FREE; size]);
        self.filled = 0;
        self.stable = false;
        for name in old.into_iter().filter(|name| *name < REMOVED) {
            self.put(name);
        }
    }

    /// Puts a key into a table that neither has it nor had one removed.
    fn put(&mut self, name: u32) {
        let mut probe = Probe::new(self.names[name as usize].0, self.slots.len());
        while self.slots[probe.index] != FREE {
            probe.next();
        }
        self.slots[probe.index] = name;
        self.filled += 1;
    }

    /// Where `key` is, or where it would go.
    fn slot(&self, hash: u64, key: &str) -> usize {
        let mut probe = Probe::new(hash, self.slots.len());
        let mut removed = None;
        loop {
            match self.slots[probe.index] {
                FREE => return removed.unwrap_or(probe.index),
                REMOVED => removed = removed.or(Some(probe.index)),
                name => {
                    let (other, text) = &self.names[name as usize];
                    if *other == hash && text == key {
                        return probe.index;
                    }
                }
            }
            probe.next();
        }
    }
}

/// The slots that a key may be in, one after the other.
struct Probe {
    mask: u64,
    walker: u64,
    perturb: u64,
    index: usize,
}

impl Probe {
    fn new(hash: u64, slots: usize) -> Self {
        let mask = slots as u64 - 1;
        let mut probe = Self { mask, walker: hash & mask, perturb: hash, index: 0 };
        probe.settle();
        probe
    }

    fn next(&mut self) {
        self.walker = (self.walker << 2).wrapping_add(self.walker).wrapping_add(self.perturb).wrapping_add(1);
        self.perturb >>= 5;
        self.settle();
    }

    #[expect(clippy::cast_possible_truncation, reason = "masked by the length of a vector")]
    fn settle(&mut self) {
        self.index = (self.walker & self.mask) as usize;
    }
}

/// Python 2.7's hash of a text on a 64-bit machine.
fn hash(text: &str) -> u64 {
    let Some(first) = text.chars().next() else {
        return 0;
    };
    let mut hash = u64::from(u32::from(first)) << 7;
    let mut length = 0;
    for c in text.chars() {
        hash = hash.wrapping_mul(1_000_003) ^ u64::from(u32::from(c));
        length += 1;
    }
    hash ^ length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(names: &[String]) -> Keys {
        let mut keys = Keys::default();
        for (index, name) in names.iter().enumerate() {
            match index % 5 {
                4 => keys.remove(name),
                _ => keys.add(name),
            }
        }
        keys
    }

    proptest::proptest! {
        #[test]
        fn many_copies_at_once_are_as_many_one_by_one(
            names in proptest::collection::vec("[a-d/{}]{1,3}", 0..80),
            times in 0u32..40,
        ) {
            let mut at_once = filled(&names);
            at_once.become_copy(times);
            let mut one_by_one = filled(&names);
            for _ in 0..times {
                let mut copy = Keys::default();
                one_by_one.iter().for_each(|key| copy.add(key));
                one_by_one = copy;
            }
            proptest::prop_assert!(at_once.iter().eq(one_by_one.iter()));
        }
    }
}
