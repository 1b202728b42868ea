//! Chance that comes out the same each time, for what the bench invents. Never for a secret.

/// Numbers without end from one (SplitMix64: Steele, Lea and Flood, 2014).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub fn in_a_hundred(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    pub fn of<T: Copy + Default>(&mut self, some: &[T]) -> T {
        let place = self.below(some.len() as u64) as usize;
        some.get(place).copied().unwrap_or_default()
    }
}
