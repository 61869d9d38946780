//! Every state that can be reached, breadth first: so the first trace to a broken promise is a
//! shortest one. It is our own because the crate made for this, `stateright`, brings an HTTP server
//! and a dozen crates with it, and has no "from every state a good end can still be reached", which
//! is what "nothing is lost" means as long as somebody may retry for ever.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};

/// What is explored.
pub trait Model {
    /// The world at a moment.
    type State: Clone + Hash;
    /// What somebody can do in it.
    type Action: Copy + Debug;

    /// How it begins.
    fn first(&self) -> Self::State;
    /// What can happen next; the order decides nothing.
    fn actions(&self, state: &Self::State) -> Vec<Self::Action>;
    /// What it leads to.
    fn step(&self, state: &Self::State, action: Self::Action) -> Self::State;
    /// A promise that this state breaks.
    fn broken(&self, state: &Self::State) -> Option<&'static str>;
    /// Whether everything that was to be done is done.
    fn is_done(&self, state: &Self::State) -> bool;
    /// Whether nobody may hope for it: what ends well must not need it.
    fn is_mishap(&self, state: &Self::State, action: Self::Action) -> bool;
}

/// What was found.
pub struct Explored<A> {
    /// Different states.
    pub states: usize,
    /// The shortest way to a broken promise, and which one it is.
    pub broken: Option<(&'static str, Vec<A>)>,
}

/// The promise of every model: nothing is lost, and nobody waits for ever.
pub const LOST: &str = "if nothing more goes wrong, everything gets done";

/// More are a mistake in the case, not patience.
const STATES_MAX: usize = 2_000_000;

/// Looks at everything, or until a promise is broken.
pub fn explore<M: Model>(model: &M) -> Explored<M::Action> {
    let mut seen = Seen::of(model.first());
    let mut at = 0;
    while at < seen.states.len() {
        let state = seen.states[at].clone();
        if let Some(promise) = model.broken(&state) {
            let broken = Some((promise, seen.way_to(at)));
            return Explored { states: seen.states.len(), broken };
        }
        for action in model.actions(&state) {
            let next = seen.number_of(model.step(&state, action), (at as u32, action));
            if !model.is_mishap(&state, action) {
                seen.calm.push((next, at as u32));
            }
        }
        assert!(seen.states.len() <= STATES_MAX, "the case is too large");
        at += 1;
    }
    let lost = seen.without_good_end(|state| model.is_done(state));
    let broken = lost.map(|at| (LOST, seen.way_to(at)));
    Explored { states: seen.states.len(), broken }
}

/// States by number, in the order in which they were found.
struct Seen<S, A> {
    states: Vec<S>,
    /// The state and the action that first led to each.
    came_by: Vec<Option<(u32, A)>>,
    /// By a hash of 64 bits: a million states share one in one run of thirty million.
    numbers: HashMap<u64, u32>,
    /// Steps that are no mishaps, backwards.
    calm: Vec<(u32, u32)>,
}

impl<S: Clone + Hash, A: Copy> Seen<S, A> {
    fn of(first: S) -> Self {
        let numbers = HashMap::from([(Folded::of(&first), 0)]);
        Seen { states: vec![first], came_by: vec![None], numbers, calm: Vec::new() }
    }

    fn number_of(&mut self, state: S, by: (u32, A)) -> u32 {
        match self.numbers.entry(Folded::of(&state)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let number = self.states.len() as u32;
                new.insert(number);
                self.states.push(state);
                self.came_by.push(Some(by));
                number
            }
        }
    }

    fn way_to(&self, at: usize) -> Vec<A> {
        let mut way = Vec::new();
        let mut at = at;
        while let Some((before, action)) = self.came_by[at] {
            way.push(action);
            at = before as usize;
        }
        way.reverse();
        way
    }

    /// The first state from which calm steps alone never lead to a good end.
    fn without_good_end(&mut self, is_done: impl Fn(&S) -> bool) -> Option<usize> {
        self.calm.sort_unstable();
        let mut good: Vec<bool> = self.states.iter().map(is_done).collect();
        let mut open: Vec<u32> = (0..good.len() as u32).filter(|&at| good[at as usize]).collect();
        while let Some(at) = open.pop() {
            let first = self.calm.partition_point(|&(to, _)| to < at);
            for &(_, from) in self.calm[first..].iter().take_while(|&&(to, _)| to == at) {
                if !std::mem::replace(&mut good[from as usize], true) {
                    open.push(from);
                }
            }
        }
        good.iter().position(|good| !good)
    }
}

/// A hash as good as the usual one and simpler: without optimization that one takes half the time.
struct Folded(u64);

impl Folded {
    fn of(state: &impl Hash) -> u64 {
        let mut folded = Folded(0x243f_6a88_85a3_08d3);
        state.hash(&mut folded);
        folded.0
    }
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u8(*byte));
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.0 ^ number) * 0x9e37_79b9_7f4a_7c15_u128;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
