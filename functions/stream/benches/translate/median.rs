//! The time of short work.

use std::{hint::black_box, time::Instant};

/// How often to measure, and how much at once.
#[derive(Clone, Copy)]
pub struct Effort {
    /// The median of so many rounds counts.
    pub rounds: usize,
    /// How often a round repeats what is too short for the clock.
    pub repeats: u32,
}

/// The microseconds that `work` takes, with what `prepare` makes for each time, which isn't measured.
pub fn micros<T, R>(effort: Effort, mut prepare: impl FnMut() -> T, mut work: impl FnMut(T) -> R) -> f64 {
    let mut rounds: Vec<f64> = (0..effort.rounds)
        .map(|_| {
            let prepared: Vec<T> = (0..effort.repeats).map(|_| prepare()).collect();
            let began = Instant::now();
            for input in prepared {
                black_box(work(black_box(input)));
            }
            began.elapsed().as_secs_f64() * 1e6 / f64::from(effort.repeats)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds.get(rounds.len() / 2).copied().unwrap_or_default()
}
