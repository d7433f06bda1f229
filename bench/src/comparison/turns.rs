//! One measurement: the same load directly and through the gateway, in turns.

use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{CompareError, Effort, Pair};
use crate::children::{Gateway, SMALL};
use crate::load::{self, Expected, LoadOptions, Mode, Report, Until};
use crate::process;
use crate::standin;

const STREAM_CHUNKS: usize = 50;
const PACE: Duration = Duration::from_millis(5);

/// What is asked for.
pub(super) enum Shape {
    Buffered,
    Stream,
    Paced,
}

impl Shape {
    fn body(&self, model: &str) -> String {
        let (stream, asked) = match self {
            Self::Buffered => ("", String::new()),
            Self::Stream => (STREAM, format!("[[tokens={STREAM_CHUNKS}]]")),
            Self::Paced => {
                (STREAM, format!("[[tokens={STREAM_CHUNKS}]] [[flush]] [[chunk_delay={}ms]]", PACE.as_millis()))
            }
        };
        format!(
            r#"{{"model":"{model}"{stream},"max_tokens":64,"messages":[{{"role":"user","content":"@n@ Name a colour. {asked}"}}]}}"#
        )
    }

    fn mode(&self) -> Mode {
        let deltas = || standin::words(STREAM_CHUNKS).into();
        match self {
            Self::Buffered => Mode::Buffered,
            Self::Stream => Mode::Stream(Expected { deltas: deltas(), longest_gap: None }),
            Self::Paced => Mode::Stream(Expected { deltas: deltas(), longest_gap: Some(PACE * 5) }),
        }
    }
}

const STREAM: &str = r#","stream":true,"stream_options":{"include_usage":true}"#;

/// Direct and gateway take turns.
pub(super) struct Turns<'a> {
    pub standin: &'a str,
    pub gateway: &'a Gateway,
    pub effort: Effort,
}

impl Turns<'_> {
    pub(super) async fn pair(&self, connections: usize, until: Until, shape: &Shape) -> Result<Pair, CompareError> {
        let direct = LoadOptions {
            url: format!("{}/chat/completions", self.standin),
            headers: HeaderMap::new(),
            body: shape.body("small"),
            connections,
            until,
            mode: shape.mode(),
            status: StatusCode::OK,
        };
        let through = LoadOptions {
            url: format!("{}/v1/chat/completions", self.gateway.base_url()),
            headers: authorized(self.gateway)?,
            body: shape.body(SMALL),
            ..direct.clone()
        };
        let (mut directs, mut throughs) = (Vec::new(), Vec::new());
        for _ in 0..self.effort.rounds {
            directs.push((self.measured(&direct).await?, 0.0));
            self.warm(&through).await?;
            let before = process::cpu_time(self.gateway.pid())?;
            let report = succeeded(&through).await?;
            let cpu = report.cpu_per_request(process::cpu_time(self.gateway.pid())?.saturating_sub(before));
            throughs.push((report, cpu));
        }
        let ((direct, _), (gateway, cpu_per_request)) = (median(directs), median(throughs));
        Ok(Pair { direct, gateway, cpu_per_request, memory: process::memory(self.gateway.pid())? })
    }

    async fn measured(&self, options: &LoadOptions) -> Result<Report, CompareError> {
        self.warm(options).await?;
        succeeded(options).await
    }

    async fn warm(&self, options: &LoadOptions) -> Result<(), CompareError> {
        let until = Until::Elapsed(Duration::from_secs_f64(self.effort.warmup));
        load::run(LoadOptions { until, ..options.clone() }).await?;
        Ok(())
    }
}

/// Header fields with the gateway's key.
pub(super) fn authorized(gateway: &Gateway) -> Result<HeaderMap, CompareError> {
    let key = HeaderValue::from_str(&format!("Bearer {}", gateway.key()))?;
    Ok(HeaderMap::from_iter([(AUTHORIZATION, key)]))
}

pub(super) async fn succeeded(options: &LoadOptions) -> Result<Report, CompareError> {
    let report = load::run(options.clone()).await?;
    if report.requests == 0 {
        return Err(CompareError::AllFailed { url: options.url.clone(), errors: format!("{:?}", report.errors) });
    }
    Ok(report)
}

/// The turn whose median latency is the median. Every turn's flaws are kept: one lost chunk in any of them counts.
fn median(mut turns: Vec<(Report, f64)>) -> (Report, f64) {
    turns.sort_by(|(a, _), (b, _)| a.latency.p50.total_cmp(&b.latency.p50));
    let flaws = turns.iter().fold([0; 4], |sum, (turn, _)| {
        [sum[0] + turn.lost, sum[1] + turn.reordered, sum[2] + turn.foreign, sum[3] + turn.held_back]
    });
    let mut turn = turns.swap_remove(turns.len() / 2);
    [turn.0.lost, turn.0.reordered, turn.0.foreign, turn.0.held_back] = flaws;
    for (name, count) in turns.iter().flat_map(|(other, _)| &other.errors) {
        *turn.0.errors.entry(name.clone()).or_default() += count;
    }
    turn
}
