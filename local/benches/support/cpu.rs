//! Processor time of this process.

/// Seconds that this process has used of all cores. Linux counts them in hundredths.
pub struct Cpu {
    /// The embedded database's; in the cloud they are somebody else's.
    pub database: f64,
    pub others: f64,
}

impl Cpu {
    /// So far.
    pub fn used() -> Self {
        let (mut database, mut others) = (0, 0);
        for thread in std::fs::read_dir("/proc/self/task").expect("Linux").flatten() {
            let Ok(stat) = std::fs::read_to_string(thread.path().join("stat")) else { continue };
            let (name, fields) = stat.rsplit_once(") ").expect("fields");
            let used = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u32>().expect("ticks"));
            if name.ends_with("(dynamo") { database += used.sum::<u32>() } else { others += used.sum::<u32>() }
        }
        Self { database: f64::from(database) / 100.0, others: f64::from(others) / 100.0 }
    }
}
