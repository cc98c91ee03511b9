//! Chance with a seed, so that what was tried can be tried again.

/// `SplitMix64`.
#[derive(Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another stream, for another lane.
    #[must_use]
    pub fn branch(&self, nth: u64) -> Self {
        let mut branch = Self(self.0 ^ nth.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        branch.draw();
        branch
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    /// From 0 to `end`, without it.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.draw() % end).unwrap_or(0)
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_and_another_seed_or_branch_another() {
        let draw = |mut it: Chance| (0..8).map(|_| it.draw()).collect::<Vec<_>>();
        assert_eq!(draw(Chance::new(7)), draw(Chance::new(7)));
        assert_ne!(draw(Chance::new(7)), draw(Chance::new(8)));
        assert_ne!(draw(Chance::new(7).branch(0)), draw(Chance::new(7).branch(1)));
        let mut list: Vec<usize> = (0..50).collect();
        Chance::new(7).shuffle(&mut list);
        assert_ne!(list, (0..50).collect::<Vec<_>>());
        list.sort_unstable();
        assert_eq!(list, (0..50).collect::<Vec<_>>());
    }
}
