//! A body that plays the steps of its answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::Sleep;

use super::steps::Step;
use super::watch::{Outcome, Watch};

/// Breaks the connection off.
#[derive(Debug, thiserror::Error)]
#[error("the stand-in was asked to cut the connection")]
pub(super) struct CutOff;

/// A body that plays its steps.
#[derive(Debug)]
pub(super) struct Script {
    steps: vec::IntoIter<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
    watch: Option<Watch>,
    outcome: Outcome,
}

impl Script {
    /// `watch` ends with `outcome` when the last step has been played.
    pub(super) fn new(steps: Vec<Step>, watch: Option<Watch>, outcome: Outcome) -> Self {
        Self { steps: steps.into_iter(), sleep: None, watch, outcome }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        if let Some(sleep) = &mut self.sleep {
            std::task::ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        loop {
            match self.steps.next() {
                None => return Poll::Ready(None),
                Some(Step::Send(bytes)) => {
                    let (is_last, outcome) = (self.is_end_stream(), self.outcome);
                    if let Some(watch) = &mut self.watch {
                        watch.parts += 1;
                        if is_last {
                            watch.end(outcome);
                        }
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Step::Flush) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Sleep(time)) => {
                    let mut sleep = Box::pin(tokio::time::sleep(time));
                    if sleep.as_mut().poll(cx).is_pending() {
                        self.sleep = Some(sleep);
                        return Poll::Pending;
                    }
                }
                // No waker is kept: the connection notices by itself when the client goes away.
                Some(Step::Stall) => {
                    self.steps = vec![Step::Stall].into_iter();
                    return Poll::Pending;
                }
                Some(Step::Cut) => {
                    if let Some(watch) = &mut self.watch {
                        watch.end(Outcome::Broken);
                    }
                    return Poll::Ready(Some(Err(CutOff)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.as_slice().is_empty()
    }
}
