//! From a message's text to the frames of its answer: the same code wherever the connection is kept.

use lmo_shared::{
    answer::{Answer, Answers, Options},
    auth::{Authenticator, Caller, Proved},
    clock::Clock,
    error::{Error, Result},
    http::{AskRequest, OwnEvents, status},
    id::RequestId,
    telemetry::{Exchange, trace::Trace},
};
use tokio::sync::mpsc;

use crate::{
    frame::{FRAME_LIMIT, Frames},
    message::{Message, Wants},
    posts::Peer,
};

/// The route that all messages came by.
pub const PATH: &str = "/api/mcp/ws";
/// What stands for a method in logs.
const METHOD: &str = "MESSAGE";

/// Where frames go.
pub enum Outlet {
    /// To a connection of this process.
    Socket(mpsc::Sender<String>),
    /// To API Gateway, which keeps the connection.
    Post(Peer),
}

/// The client is gone, or can't be reached any more.
pub struct Gone;

impl Outlet {
    /// Sends a frame. Whoever sends the next one waits for it, so that they arrive in order and a slow client slows
    /// down its provider.
    pub async fn send(&self, frame: String) -> Result<(), Gone> {
        match self {
            Self::Socket(socket) => socket.send(frame).await.map_err(|_| Gone),
            Self::Post(peer) => peer.post(frame).await,
        }
    }

    /// Resolves when the client is gone.
    async fn gone(&self) {
        match self {
            Self::Socket(socket) => socket.closed().await,
            Self::Post(peer) => peer.gone().await,
        }
    }
}

/// Answers messages.
#[derive(Clone)]
pub struct Replies {
    authenticator: Authenticator,
    answers: Answers,
    clock: Clock,
}

impl Replies {
    /// Answers with this pipeline.
    pub fn new(authenticator: Authenticator, answers: Answers, clock: Clock) -> Self {
        Self { authenticator, answers, clock }
    }

    /// Answers a message of the caller that `opener` finds to have opened the connection; of none, if the message was
    /// answered before. Returns when everything about it is sent and settled.
    pub async fn reply(&self, text: &[u8], opener: impl Future<Output = Result<Option<Proved>>>, outlet: &Outlet) {
        let Message { id, wants } = Message::read(text);
        let mut frames = Frames::new(id);
        let request = match wants {
            Ok(Wants::Pong) => {
                // Who is gone needs none.
                let _ = outlet.send(frames.pong()).await;
                return;
            }
            Ok(Wants::Answer(request)) => Ok(*request),
            Err(error) => Err(error),
        };
        let name = RequestId::new(self.clock.now()).to_string();
        let exchange = Exchange::begin(&name, METHOD, PATH, Trace::begin());
        let answered = async {
            // In a box, because it is large.
            let answered = Box::pin(async { self.answer(request?, opener, &mut frames, outlet).await });
            if let Err(error) = answered.await {
                self.refuse(&error, &name, &mut frames, outlet).await;
            }
        };
        exchange.scope(answered).await;
        exchange.end().await;
    }

    /// Answers a message with an error, whatever it wants.
    pub async fn decline(&self, text: &[u8], error: &Error, outlet: &Outlet) {
        let name = RequestId::new(self.clock.now()).to_string();
        let exchange = Exchange::begin(&name, METHOD, PATH, Trace::begin());
        let mut frames = Frames::new(Message::read(text).id);
        exchange.scope(self.refuse(error, &name, &mut frames, outlet)).await;
        exchange.end().await;
    }

    async fn refuse(&self, error: &Error, name: &str, frames: &mut Frames, outlet: &Outlet) {
        if let Some(exchange) = Exchange::current() {
            exchange.failed(error);
            exchange.status(status(error).as_u16());
        }
        let _ = outlet.send(frames.error(error, name, self.clock.now())).await;
    }

    async fn answer(
        &self,
        request: AskRequest,
        opener: impl Future<Output = Result<Option<Proved>>>,
        frames: &mut Frames,
        outlet: &Outlet,
    ) -> Result<()> {
        let ask = request.into_ask(true, Options::default())?;
        let Some(opener) = opener.await? else {
            tracing::info!("a message came again and was not answered again");
            return Ok(());
        };
        let caller: Caller = self.authenticator.again(&opener).await?;
        if let Some(exchange) = Exchange::current() {
            exchange.sent_by(&caller);
        }
        match self.answers.answer_unless(&caller, ask, outlet.gone()).await? {
            Some(answer) => pass_on(answer, frames, outlet).await,
            None => Ok(()),
        }
    }
}

/// Passes an answer on. A piece never waits for a next one; those that arrive while a frame is on its way share one.
async fn pass_on(mut answer: Answer, frames: &mut Frames, outlet: &Outlet) -> Result<()> {
    let mut events = OwnEvents::of(&answer);
    loop {
        let next = tokio::select! {
            biased;
            next = answer.next() => next,
            () = outlet.gone() => {
                answer.leave().await;
                return Ok(());
            }
        };
        let Some(first) = next else { return Ok(()) };
        let mut batch = Vec::new();
        let mut step = Some(first);
        while let Some(event) = step {
            events.read(event?, |event| batch.push(event));
            step = answer.next_ready();
        }
        for frame in frames.events(batch) {
            if frame.len() > FRAME_LIMIT {
                let model = answer.model.clone();
                answer.leave().await;
                return Err(Error::Unsupported { model, feature: TOO_LARGE });
            }
            if outlet.send(frame).await.is_err() {
                answer.leave().await;
                return Ok(());
            }
        }
    }
}

/// What a model does that can't be passed on: an image in one piece, for one.
const TOO_LARGE: &str = "answers over a WebSocket if a piece of one has more than 128 KB";
