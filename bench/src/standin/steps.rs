//! An answer as the steps of its body, with the fault that was asked for in its place.

use std::time::Duration;

use bytes::Bytes;

use super::directives::{Directives, Fault, Writes};
use super::events::Events;
use super::format::Format;

/// One thing that the body does next.
#[derive(Debug)]
pub(super) enum Step {
    Send(Bytes),
    /// Lets the connection write out what it has.
    Flush,
    Sleep(Duration),
    Stall,
    Cut,
}

/// The steps of a streamed answer.
pub(super) fn streamed(events: &Events, directives: &Directives, format: Format) -> Vec<Step> {
    if directives.fault.is_none() && directives.writes == Writes::Batched && directives.chunk_delay.is_zero() {
        return vec![Step::Send(events.bytes.clone())];
    }
    let fault = directives.fault.and_then(|fault| Some((at_event(fault, events)?, fault)));
    let mut steps = Vec::with_capacity(events.ends.len() * 2);
    let mut start = 0;
    for (index, end) in events.ends.iter().enumerate() {
        if let Some((at, fault)) = fault
            && at == index
        {
            match fault {
                Fault::Stall | Fault::StallAfter(_) => return ended(steps, Step::Stall),
                Fault::Cut | Fault::CutAfter(_) => return ended(steps, Step::Cut),
                Fault::MalformedAfter(_) => send(&mut steps, &format.malformed(), directives.writes),
                Fault::CorruptAfter(_) => send(&mut steps, &format.corrupt(), directives.writes),
                Fault::ErrorInStream(_) => {
                    let error = format.error(directives.error_code.as_deref(), index);
                    send(&mut steps, &error, directives.writes);
                    // A flush is not a last step: the body would end without its outcome.
                    steps.pop_if(|step| matches!(step, Step::Flush));
                    return steps;
                }
            }
        }
        if end.is_chunk && !directives.chunk_delay.is_zero() {
            steps.push(Step::Sleep(directives.chunk_delay));
        }
        send(&mut steps, &events.bytes.slice(start..end.at), directives.writes);
        start = end.at;
    }
    steps.pop_if(|step| matches!(step, Step::Flush));
    steps
}

/// The steps of a buffered answer.
pub(super) fn buffered(body: &Bytes, directives: &Directives) -> Vec<Step> {
    let mut steps = Vec::with_capacity(1);
    let half = body.slice(..body.len() / 2);
    match directives.fault {
        Some(Fault::Cut | Fault::CutAfter(_)) => {
            send(&mut steps, &half, directives.writes);
            return ended(steps, Step::Cut);
        }
        Some(Fault::Stall | Fault::StallAfter(_)) => {
            send(&mut steps, &half, directives.writes);
            return ended(steps, Step::Stall);
        }
        Some(Fault::MalformedAfter(_) | Fault::CorruptAfter(_)) => send(&mut steps, &half, directives.writes),
        Some(Fault::ErrorInStream(_)) | None => send(&mut steps, body, directives.writes),
    }
    steps.pop_if(|step| matches!(step, Step::Flush));
    steps
}

/// The length that a buffered answer announces.
pub(super) fn announced(body: &Bytes, directives: &Directives) -> usize {
    match directives.fault {
        Some(Fault::MalformedAfter(_) | Fault::CorruptAfter(_)) => body.len() / 2,
        Some(Fault::Stall | Fault::StallAfter(_) | Fault::Cut | Fault::CutAfter(_) | Fault::ErrorInStream(_))
        | None => body.len(),
    }
}

/// The event before which the fault happens.
fn at_event(fault: Fault, events: &Events) -> Option<usize> {
    match fault {
        Fault::Stall => None,
        Fault::StallAfter(chunks)
        | Fault::CutAfter(chunks)
        | Fault::MalformedAfter(chunks)
        | Fault::CorruptAfter(chunks)
        | Fault::ErrorInStream(Some(chunks)) => Some(events.after(chunks)),
        Fault::Cut | Fault::ErrorInStream(None) => Some(events.half()),
    }
}

fn ended(mut steps: Vec<Step>, last: Step) -> Vec<Step> {
    steps.extend([Step::Flush, last]);
    steps
}

fn send(steps: &mut Vec<Step>, bytes: &Bytes, writes: Writes) {
    match writes {
        Writes::Batched => steps.push(Step::Send(bytes.clone())),
        Writes::Flushed => steps.extend([Step::Send(bytes.clone()), Step::Flush]),
        Writes::Dripped => {
            let mut start = 0;
            for length in [1, 2, 3, 5, 1, 7, 4].into_iter().cycle() {
                if start >= bytes.len() {
                    return;
                }
                let wanted = &bytes[start..(start + length).min(bytes.len())];
                // Up to the first byte outside ASCII, which goes alone.
                let end = start + wanted.iter().position(|byte| !byte.is_ascii()).map_or(wanted.len(), |at| at.max(1));
                steps.extend([Step::Send(bytes.slice(start..end)), Step::Flush]);
                start = end;
            }
        }
    }
}
