//! One run: processes, their stream, their clock, and a seeded scheduler that decides at every moment who goes on, what
//! fails, who dies, and what happens meanwhile.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use lmo_shared::{
    clock::{Clock, Period},
    store::Table,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    process::{self, Ended, Process, Role},
    requests::Requests,
    stream::Batch,
    wire::{Cables, Wire},
    wrong::Wrong,
};

mod finale;
mod steps;

/// What goes on after the last request was sent.
const AFTERWARDS: u32 = 120;

/// How often calls fail.
#[derive(Clone, Copy, Default)]
struct Faults {
    refused: f64,
    unheard: f64,
    last: f64,
}

/// What happens next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Turn,
    Send,
    Deliver,
    DeliverAgain,
    Tick,
    Leap,
    Sweep,
    Upset,
}

/// A run.
pub struct World {
    rng: StdRng,
    clock: Clock,
    sweepers_clock: Clock,
    cables: Arc<Cables>,
    table: Table,
    processes: Vec<Process>,
    ended: Arc<Mutex<Vec<Ended>>>,
    requests: Requests,
    faults: Faults,
    /// Whether events may get lost for good. If not, totals are right without any sweep.
    lossy: bool,
    doomed: Option<usize>,
    delivering: Vec<Batch>,
    hours: BTreeSet<Period>,
    /// Whether the last sweep came to its end.
    swept: bool,
    steps: u64,
}

impl World {
    pub fn new(seed: u64, cables: Arc<Cables>) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let start = super::month(seed).end().before(Duration::from_secs(rng.random_range(0..9000)));
        let clock = Clock::manual(start);
        let early = if cables.wrong == Some(Wrong::ClosesEarly) { Duration::from_mins(45) } else { Duration::ZERO };
        let sweepers_clock = Clock::manual(start.after(early));
        let ended = Arc::default();
        let process = |(number, role)| {
            let wire = Wire { cables: Arc::clone(&cables), process: Some(number) };
            let clock = if role == Role::Sweeper { &sweepers_clock } else { &clock };
            Process::new(role, &wire, clock.clone(), Arc::clone(&ended))
        };
        let roles = [Role::Caller, Role::Caller, Role::Handler, Role::Handler, Role::Handler];
        let roles = roles.into_iter().chain([Role::Sweeper, Role::Sweeper]);
        let processes = roles.enumerate().map(process).collect();
        let rate = [0.0, 0.02, 0.1][rng.random_range(0..3)];
        let faults = Faults { refused: rate, unheard: rate, last: [0.0, 0.01, 0.04][rng.random_range(0..3)] };
        let table = process::table(&Wire { cables: Arc::clone(&cables), process: None });
        let requests = Requests::new(&mut rng, start);
        let lossy = rng.random_bool(0.5);
        let (doomed, delivering, hours, swept, steps) = (None, Vec::new(), BTreeSet::new(), false, 0);
        Self {
            rng,
            clock,
            sweepers_clock,
            cables,
            table,
            processes,
            ended,
            requests,
            faults,
            lossy,
            doomed,
            delivering,
            hours,
            swept,
            steps,
        }
    }

    /// Plays the run to its end; returns how many entries and steps it had.
    pub async fn play(mut self) -> Result<(u64, u64), String> {
        let mut afterwards = AFTERWARDS;
        while afterwards > 0 {
            if self.requests.left == 0 {
                afterwards -= 1;
            }
            self.settle_down().await?;
            let step = self.choose();
            self.take(step);
        }
        let entries = self.end().await?;
        match self.cables.watch.lock().expect("watch").went_back.take() {
            Some(wrong) => Err(wrong),
            None => Ok((entries, self.steps)),
        }
    }

    /// Waits until nothing moves by itself, and hears what has ended.
    async fn settle_down(&mut self) -> Result<(), String> {
        self.cables.turns.all_wait().await;
        self.steps += 1;
        if let Some(process) = self.doomed.take() {
            self.cables.turns.died(process);
            self.processes[process].die();
            self.requests.died(process);
        }
        let ended: Vec<_> = self.ended.lock().expect("ended").drain(..).collect();
        for ended in ended {
            match ended {
                Ended::Held(id) => self.requests.held(id),
                Ended::Request(id, published) => self.requests.ended(id, published),
                Ended::Batch(batch, failed) => {
                    self.cables.stream.lock().expect("stream").finished(batch, &failed, self.lossy);
                }
                Ended::Sweep(done) => self.swept = done,
                Ended::Panicked(problem) => return Err(problem),
            }
        }
        Ok(())
    }

    fn choose(&mut self) -> Step {
        let waiting = self.cables.turns.waiting().len();
        let chances = [
            (Step::Turn, if waiting == 0 { 0 } else { 120 }),
            (Step::Send, if self.requests.left == 0 { 0 } else { 16 }),
            (Step::Deliver, 12),
            (Step::DeliverAgain, 1),
            (Step::Tick, 8),
            (Step::Leap, 1),
            (Step::Sweep, 1),
            (Step::Upset, 1),
        ];
        let mut left = self.rng.random_range(0..chances.iter().map(|(_, chance)| chance).sum::<u32>());
        for (step, chance) in chances {
            if left < chance {
                return step;
            }
            left -= chance;
        }
        Step::Tick
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Turn => self.give_a_turn(),
            Step::Send => self.send(),
            Step::Deliver => self.deliver(None),
            Step::DeliverAgain => {
                let again = self.delivering.last().copied();
                self.deliver(again);
            }
            Step::Tick => {
                let by = Duration::from_millis(self.rng.random_range(0..20_000));
                self.advance(by);
            }
            Step::Leap => {
                let by = Duration::from_mins(self.rng.random_range(1..100));
                self.advance(by);
            }
            Step::Sweep => {
                if let Some(process) = self.free(Role::Sweeper) {
                    self.processes[process].sweep();
                }
            }
            Step::Upset => self.upset(),
        }
    }
}
