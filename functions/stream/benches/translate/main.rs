//! What it costs to translate between a client's format and a provider's, for each pair: the request from the client's
//! bytes to the provider's, and a streamed answer from the provider's bytes to the client's. No I/O, no pipeline, one
//! thread. Prints a table; `--quick` measures less.
#![expect(clippy::print_stdout, reason = "its result is what it prints")]

mod median;
mod provider;
mod requests;
mod stream;

use std::{error::Error, time::Duration};

use bytes::Bytes;
use lmo_bench::standin::{self, Standin, StandinOptions};
use lmo_shared::{
    answer::Ask,
    clock::Clock,
    error::Result as Read,
    http::sse::Encoder,
    id::RequestId,
    llm::{self, Call, OutputLimitField, Prompt, ProviderError, WireFormat, format::WireRequest},
    money::Tokens,
};
use lmo_stream::translate;
use median::{Effort, micros};
use requests::CHUNKS;
use stream::{Written, decode};

const MODEL: &str = "small";

type Problem = Box<dyn Error>;

fn main() -> Result<(), Problem> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let standin = Standin::start(StandinOptions { remember: 0, ..StandinOptions::default() })?;
    let bench = Bench {
        standin,
        runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        id: RequestId::new(Clock::System.now()),
        rounds: if quick { 25 } else { 501 },
    };
    println!(
        "| client → provider | read | write | whole request (µs) | decode | encode | whole chunk (µs) |\n\
         |---|---:|---:|---:|---:|---:|---:|"
    );
    bench.client("chat completions", &requests::chat_completions(), translate::chat_completions)?;
    bench.client("Messages", &requests::messages(), translate::messages)?;
    bench.client("Responses", &requests::responses(), translate::responses)
}

struct Bench {
    standin: Standin,
    runtime: tokio::runtime::Runtime,
    id: RequestId,
    rounds: usize,
}

impl Bench {
    /// Prints a row for each provider's format.
    fn client<E, R>(&self, client: &str, body: &[u8], read: R) -> Result<(), Problem>
    where
        E: Encoder,
        R: Fn(&[u8], RequestId, &str) -> Read<(Ask, E)>,
    {
        let read = || read(body, self.id, MODEL);
        for (format, provider) in provider::FORMATS {
            let request = self.request(format, read)?;
            let chunk = self.chunk(format, read)?;
            let [read, write, whole] = request.map(|micros| format!("{micros:.1}"));
            print!("| {client} → {provider} | {read} | {write} | {whole} |");
            let [decode, encode, whole] = chunk.map(|micros| format!("{micros:.2}"));
            println!(" {decode} | {encode} | {whole} |");
        }
        Ok(())
    }

    /// Microseconds to read the client's body, to write the provider's, and for both.
    fn request<E>(&self, format: WireFormat, read: impl Fn() -> Read<(Ask, E)>) -> Result<[f64; 3], Problem> {
        let effort = Effort { rounds: self.rounds, repeats: 20 };
        let (asked, _) = read()?;
        write(format, &asked.prompt)?;
        Ok([
            micros(effort, || (), |()| read()),
            micros(effort, || (), |()| write(format, &asked.prompt)),
            micros(effort, || (), |()| read().ok().map(|(ask, encoder)| (write(format, &ask.prompt), encoder))),
        ])
    }

    /// Microseconds per chunk of text to decode the provider's stream, to encode the client's, and for both. What begins
    /// and ends a stream counts for its chunks.
    fn chunk<E: Encoder>(&self, format: WireFormat, read: impl Fn() -> Read<(Ask, E)>) -> Result<[f64; 3], Problem> {
        let effort = Effort { rounds: self.rounds, repeats: 1 };
        let request = write(format, &read()?.0.prompt)?;
        let pieces = self.runtime.block_on(provider::answer(&self.standin, format, request))?;
        let mut arrivals = Vec::new();
        decode(format, &pieces, |events| arrivals.push(events))?;
        let client = || read().map(|(_, encoder)| Written::by(encoder));
        check(client()?, &arrivals)?;
        let streams = [
            micros(effort, || (), |()| decode(format, &pieces, drop)),
            micros(
                effort,
                || client().map(|client| (client, arrivals.clone())),
                |prepared| prepared.map(|(client, arrivals)| encode(client, arrivals, drop)),
            ),
            micros(effort, client, |client| {
                let mut client = client.ok()?;
                decode(format, &pieces, |events| drop(client.events(events))).ok()?;
                Some(client.end())
            }),
        ];
        Ok(streams.map(|micros| micros / f64::from(CHUNKS)))
    }
}

fn encode<E: Encoder>(mut client: Written<E>, arrivals: Vec<Vec<llm::Event>>, mut each: impl FnMut(Bytes)) {
    for events in arrivals {
        each(client.events(events));
    }
    each(client.end());
}

/// Fails unless the client gets every word.
fn check<E: Encoder>(client: Written<E>, arrivals: &[Vec<llm::Event>]) -> Result<(), Problem> {
    let mut text = Vec::new();
    encode(client, arrivals.to_vec(), |bytes| text.extend(bytes));
    let text = String::from_utf8(text)?;
    match standin::words(usize::from(CHUNKS)).iter().find(|word| !text.contains(*word)) {
        Some(word) => Err(format!("`{word}` is lost in {text}").into()),
        None => Ok(()),
    }
}

fn write(format: WireFormat, prompt: &Prompt) -> Result<WireRequest, ProviderError> {
    let max_output = Tokens(prompt.max_output.unwrap_or_default());
    let call = Call { model: MODEL, prompt, max_output, stream: true, time_left: Duration::from_mins(1) };
    format.request(&call, OutputLimitField::MaxCompletionTokens)
}
