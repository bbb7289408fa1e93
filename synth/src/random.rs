//! Random numbers that depend on a seed and nothing else: whole numbers only, so that every machine
//! makes the same of them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A source of random numbers.
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// The one of `seed` for the part called `name`: parts do not disturb each other.
    pub fn new(seed: u64, name: &str) -> Random {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(hash(name));
        Random(generator)
    }

    /// A number from 0 on, below `end`; 0 if that is 0.
    pub fn below(&mut self, end: i64) -> i64 {
        let product = u128::from(self.0.next_u64()) * u128::from(end.max(0).unsigned_abs());
        (product >> 64) as i64
    }

    /// A number from `from` on, below `to`.
    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below(to - from)
    }

    /// True once in `count` times.
    pub fn one_in(&mut self, count: i64) -> bool {
        self.below(count) == 0
    }

    /// One of `items`.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as i64) as usize]
    }

    /// The place of one of `weights`, heavy ones more often.
    pub fn weighted(&mut self, weights: &[i64]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (at, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0 {
                return at;
            }
        }
        0
    }

    /// About `least`, often twice or four times as much, seldom a thousand times.
    pub fn skewed(&mut self, least: i64) -> i64 {
        let doublings = (self.0.next_u32() | 1 << 9).trailing_zeros();
        let least = least << doublings;
        least + self.below(least)
    }

    /// 32 random bits.
    pub fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }
}

/// FNV-1a: a number for a name, the same everywhere.
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
