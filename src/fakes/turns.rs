//! A stand-in's turns: a queue of prompts of which one at a time is being worked on. Pure; the real and the simulated
//! stand-in carry out what it says.

use std::collections::VecDeque;

/// The turns of one run.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    waiting: VecDeque<String>,
    open: Option<FakeTurn>,
    begun: u64,
}

/// A turn that is being worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FakeTurn {
    /// Its number, from 1.
    pub number: u64,
    /// Its prompt, as it arrived.
    pub prompt: String,
}

impl Turns {
    /// Takes a prompt in. Gives the turn that opens with it, or `None` where it has to wait.
    pub(crate) fn take(&mut self, prompt: String) -> Option<FakeTurn> {
        self.waiting.push_back(prompt);
        self.next()
    }

    /// The number of the open turn.
    pub(crate) fn open_number(&self) -> Option<u64> {
        self.open.as_ref().map(|turn| turn.number)
    }

    /// Whether no turn is open and none waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.open.is_none() && self.waiting.is_empty()
    }

    /// Closes the open turn, if that is its number. A release of another turn is for later, or too late.
    pub(crate) fn close(&mut self, number: u64) -> Option<FakeTurn> {
        if self.open.as_ref().is_some_and(|turn| turn.number == number) { self.open.take() } else { None }
    }

    /// Opens the next turn, where none is open and a prompt waits.
    pub(crate) fn next(&mut self) -> Option<FakeTurn> {
        if self.open.is_some() {
            return None;
        }
        let prompt = self.waiting.pop_front()?;
        self.begun += 1;
        self.open = Some(FakeTurn { number: self.begun, prompt });
        self.open.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_that_comes_during_a_turn_opens_the_next() {
        let mut turns = Turns::default();
        assert_eq!(turns.take("a".into()), Some(FakeTurn { number: 1, prompt: "a".into() }));
        assert_eq!(turns.take("b".into()), None);
        assert_eq!(turns.close(2), None);
        assert_eq!(turns.close(1).unwrap().prompt, "a");
        assert_eq!(turns.next(), Some(FakeTurn { number: 2, prompt: "b".into() }));
    }
}
