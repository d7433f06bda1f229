//! Every client format over every provider's wire format: text, stream, tools, image, error and cut stream.

mod client;

use client::Client;

use crate::support::{Lmo, Response, Setup, Value, json, standin};

/// A catalogue kind, and what its base URL has behind the stand-in's address.
const PROVIDERS: [(&str, &str); 5] =
    [("openai", "/v1"), ("anthropic", "/v1"), ("responses", "/v1"), ("gemini", "/v1beta"), ("bedrock", "")];

/// Base64 of a picture of one pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

struct Matrix {
    lmo: Lmo,
    setup: Setup,
    standin: lmo_bench::standin::Standin,
}

impl Matrix {
    /// A platform with one model for each provider, named like its kind.
    fn start() -> Self {
        let standin = standin();
        let setup = Setup::new();
        let provider = |(kind, path): &(&str, &str)| {
            let region = if *kind == "bedrock" { "region = \"us-east-1\"\n" } else { "" };
            format!(
                "[providers.{kind}]\nkind = \"{kind}\"\nbase_url = \"http://{address}{path}\"\n{region}\
                 breaker = {{ failures = 1000000 }}\nidle_timeout_ms = 3000\n\
                 [models.{kind}]\nprovider = \"{kind}\"\nupstream = \"small\"\ncontext_window = 128000\n\
                 max_output_tokens = 4096\ncapabilities = [\"chat\", \"stream\", \"tools\", \"json\", \"images\"]\n\
                 price = {{ input = 1, output = 2 }}\noverhead_tokens = 8\n",
                address = standin.addr()
            )
        };
        setup.write_models(&PROVIDERS.iter().map(provider).collect::<String>());
        Self { lmo: setup.start(), setup, standin }
    }

    async fn ask(&self, client: Client, body: &Value) -> Response {
        self.lmo.post(client.path(), body).await
    }

    /// The latest request that the provider got, as text.
    fn upstream(&self) -> String {
        self.standin.stats().recent.last().unwrap().body.to_string()
    }

    /// Ends it and fails unless the books agree.
    fn end(self) {
        self.lmo.stop();
        self.setup.assert_books_agree();
    }
}

async fn text(client: Client) {
    let matrix = Matrix::start();
    for (model, _) in PROVIDERS {
        let answer = matrix.ask(client, &client.body(model, "[[tokens=5]]", false)).await;
        assert_eq!(answer.status, 200, "{client:?} over {model}: {}", answer.body);
        assert_eq!(client.text(&answer), lmo_bench::standin::text(5), "{client:?} over {model}: {}", answer.body);
        assert_eq!(client.finish(&answer), client.done(), "{client:?} over {model}");
    }
    matrix.end();
}

async fn stream(client: Client) {
    let matrix = Matrix::start();
    for (model, _) in PROVIDERS {
        let answer = matrix.ask(client, &client.body(model, "[[tokens=5]] [[drip]]", true)).await;
        assert_eq!(client.text(&answer), lmo_bench::standin::text(5), "{client:?} over {model}: {}", answer.body);
        assert_eq!(client.finish(&answer), client.done(), "{client:?} over {model}: {}", answer.body);
    }
    matrix.end();
}

async fn tools(client: Client) {
    const TWO: &str = "[[tool=weather args={\"city\":\"Paris\"}]] [[tool=clock args={\"zone\":\"CET\"}]]";
    let expected = [("weather", json!({"city": "Paris"})), ("clock", json!({"zone": "CET"}))]
        .map(|(name, args)| (name.to_owned(), args));
    let matrix = Matrix::start();
    for (model, _) in PROVIDERS {
        for streamed in client.modes() {
            let mut body = client.body(model, TWO, *streamed);
            client.offer(&mut body, &["weather", "clock"]);
            let answer = matrix.ask(client, &body).await;
            assert_eq!(client.calls(&answer), expected, "{client:?} over {model}: {}", answer.body);
            assert_eq!(client.finish(&answer), client.calls_tools(), "{client:?} over {model}: {}", answer.body);
        }
    }
    matrix.end();
}

async fn image(client: Client) {
    let matrix = Matrix::start();
    for (model, _) in PROVIDERS {
        let answer = matrix.ask(client, &client.with_image(model, "[[tokens=5]]", PIXEL)).await;
        assert_eq!(client.text(&answer), lmo_bench::standin::text(5), "{client:?} over {model}: {}", answer.body);
        assert!(matrix.upstream().contains(PIXEL), "{client:?} over {model}: {}", matrix.upstream());
    }
    matrix.end();
}

async fn error(client: Client) {
    let matrix = Matrix::start();
    for (model, _) in PROVIDERS {
        for streamed in client.modes() {
            let refused = matrix.ask(client, &client.body(model, "[[fail=429 retry_after=600]]", *streamed)).await;
            assert_eq!(refused.status, 429, "{client:?} over {model}: {}", refused.body);
            assert_eq!(refused.header("retry-after"), "600", "{client:?} over {model}");
            client.assert_rate_limited(&refused);
        }
    }
    matrix.end();
}

async fn cut(client: Client) {
    let matrix = Matrix::start();
    for (model, _) in PROVIDERS {
        if client.modes().contains(&true) {
            let broken = matrix.ask(client, &client.body(model, "[[tokens=9]] [[flush]] [[cut_after=3]]", true)).await;
            let text = client.text(&broken);
            assert!(
                lmo_bench::standin::text(9).starts_with(&text) && !text.is_empty(),
                "{client:?} over {model}: {text}"
            );
            client.assert_cut(&broken);
        } else {
            let broken = matrix.ask(client, &client.body(model, "[[tokens=9]] [[cut]]", false)).await;
            assert_eq!(broken.status, 502, "{client:?} over {model}: {}", broken.body);
        }
    }
    matrix.end();
}

macro_rules! cells {
    ($($client:ident: $($case:ident)*;)*) => {$(
        mod $client {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(super::Client::$client).await;
                }
            )*
        }
    )*};
}

#[expect(non_snake_case, reason = "modules are named like the clients")]
mod cells {
    use super::{Client, cut, error, image, stream, text, tools};

    cells! {
        Query: text tools image error cut;
        Stream: stream tools image error cut;
        Chat: text stream tools image error cut;
        Messages: text stream tools image error cut;
        Responses: text stream tools image error cut;
    }
}
