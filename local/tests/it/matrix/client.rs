//! The client formats: how each asks, and where each has what it is told.

use crate::support::{Response, Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    Query,
    Stream,
    Chat,
    Messages,
    Responses,
}

impl Client {
    pub fn path(self) -> &'static str {
        match self {
            Self::Query => "/api/mcp/query",
            Self::Stream => "/api/mcp/stream",
            Self::Chat => "/v1/chat/completions",
            Self::Messages => "/v1/messages",
            Self::Responses => "/v1/responses",
        }
    }

    /// Whether it can be asked for a whole answer, for a stream, or for both.
    pub fn modes(self) -> &'static [bool] {
        match self {
            Self::Query => &[false],
            Self::Stream => &[true],
            Self::Chat | Self::Messages | Self::Responses => &[false, true],
        }
    }

    pub fn body(self, model: &str, text: &str, stream: bool) -> Value {
        match self {
            Self::Query | Self::Stream => json!({"model": model, "query": text, "max_tokens": 100}),
            Self::Chat | Self::Messages => json!({"model": model, "max_tokens": 100, "stream": stream,
                "messages": [{"role": "user", "content": text}]}),
            Self::Responses => json!({"model": model, "max_output_tokens": 100, "stream": stream, "input": text}),
        }
    }

    /// A question with a picture, as PNG in base64.
    pub fn with_image(self, model: &str, text: &str, png: &str) -> Value {
        let mut body = self.body(model, text, false);
        let url = format!("data:image/png;base64,{png}");
        let chat = json!([{"role": "user", "content": [
            {"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]}]);
        match self {
            Self::Query | Self::Stream => {
                body["messages"] = chat;
                body.as_object_mut().unwrap().shift_remove("query");
            }
            Self::Chat => body["messages"] = chat,
            Self::Messages => {
                let source = json!({"type": "base64", "media_type": "image/png", "data": png});
                body["messages"][0]["content"] =
                    json!([{"type": "image", "source": source}, {"type": "text", "text": text}]);
            }
            Self::Responses => {
                body["input"] = json!([{"role": "user", "content": [
                    {"type": "input_text", "text": text}, {"type": "input_image", "image_url": url}]}]);
            }
        }
        body
    }

    /// Offers tools without parameters of note.
    pub fn offer(self, body: &mut Value, names: &[&str]) {
        let schema = json!({"type": "object", "properties": {}});
        let tool = |name: &&str| match self {
            Self::Query | Self::Stream | Self::Chat => {
                json!({"type": "function", "function": {"name": name, "description": "d", "parameters": schema}})
            }
            Self::Messages => json!({"name": name, "description": "d", "input_schema": schema}),
            Self::Responses => {
                json!({"type": "function", "name": name, "description": "d", "parameters": schema, "strict": false})
            }
        };
        body["tools"] = names.iter().map(tool).collect();
    }

    /// The text of an answer.
    pub fn text(self, answer: &Response) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match self {
            Self::Query => text(&answer.json()["content"]),
            Self::Stream => pieces(answer, "delta", |data| &data["text"]),
            Self::Chat if is_stream(answer) => answer.streamed_text(),
            Self::Chat => text(&answer.json()["choices"][0]["message"]["content"]),
            Self::Messages if is_stream(answer) => pieces(answer, "content_block_delta", |data| &data["delta"]["text"]),
            Self::Messages => list(&answer.json()["content"]).map(|block| text(&block["text"])).collect(),
            Self::Responses if is_stream(answer) => pieces(answer, "response.output_text.delta", |data| &data["delta"]),
            Self::Responses => {
                let items = answer.json()["output"].clone();
                list(&items).flat_map(|item| list(&item["content"]).map(|part| text(&part["text"]))).collect()
            }
        }
    }

    /// Names and arguments of the tool calls of an answer.
    pub fn calls(self, answer: &Response) -> Vec<(String, Value)> {
        let parsed = |name: &Value, arguments: &str| {
            (name.as_str().unwrap_or_default().to_owned(), serde_json::from_str(arguments).unwrap_or(Value::Null))
        };
        let function = |call: &Value| {
            parsed(&call["function"]["name"], call["function"]["arguments"].as_str().unwrap_or_default())
        };
        match self {
            Self::Query => list(&answer.json()["tool_calls"]).map(|call| function(&call)).collect(),
            Self::Chat if !is_stream(answer) => {
                list(&answer.json()["choices"][0]["message"]["tool_calls"]).map(|call| function(&call)).collect()
            }
            Self::Stream => {
                put_together(answer.events().iter().filter(|event| event["event"] == "tool_call").map(|event| {
                    let data = &event["data"];
                    (data["index"].clone(), data["name"].clone(), data["arguments"].clone())
                }))
            }
            Self::Chat => put_together(answer.events().iter().flat_map(|event| {
                list(&event["data"]["choices"][0]["delta"]["tool_calls"])
                    .map(|call| {
                        (call["index"].clone(), call["function"]["name"].clone(), call["function"]["arguments"].clone())
                    })
                    .collect::<Vec<_>>()
            })),
            Self::Messages if is_stream(answer) => put_together(answer.events().iter().filter_map(|event| {
                let data = &event["data"];
                let is_call =
                    data["content_block"]["type"] == "tool_use" || data["delta"]["type"] == "input_json_delta";
                is_call.then(|| {
                    (
                        data["index"].clone(),
                        data["content_block"]["name"].clone(),
                        data["delta"]["partial_json"].clone(),
                    )
                })
            })),
            Self::Messages => {
                let blocks = answer.json()["content"].clone();
                let uses = list(&blocks).filter(|block| block["type"] == "tool_use");
                uses.map(|block| (block["name"].as_str().unwrap().to_owned(), block["input"].clone())).collect()
            }
            Self::Responses => {
                let whole = if is_stream(answer) {
                    answer.events().last().unwrap()["data"]["response"].clone()
                } else {
                    answer.json()
                };
                let items = list(&whole["output"]).filter(|item| item["type"] == "function_call");
                items.map(|item| parsed(&item["name"], item["arguments"].as_str().unwrap_or_default())).collect()
            }
        }
    }

    /// Why the answer ended, in the format's word.
    pub fn finish(self, answer: &Response) -> String {
        let word = match self {
            Self::Query => answer.json()["finish_reason"].clone(),
            Self::Chat if !is_stream(answer) => answer.json()["choices"][0]["finish_reason"].clone(),
            Self::Stream => last(answer, |data| &data["finish_reason"]),
            Self::Chat => last(answer, |data| &data["choices"][0]["finish_reason"]),
            Self::Messages if is_stream(answer) => last(answer, |data| &data["delta"]["stop_reason"]),
            Self::Messages => answer.json()["stop_reason"].clone(),
            Self::Responses if is_stream(answer) => last(answer, |data| &data["response"]["status"]),
            Self::Responses => answer.json()["status"].clone(),
        };
        word.as_str().unwrap_or_default().to_owned()
    }

    /// The word for an answer that came to its end.
    pub fn done(self) -> &'static str {
        match self {
            Self::Query | Self::Stream | Self::Chat => "stop",
            Self::Messages => "end_turn",
            Self::Responses => "completed",
        }
    }

    /// The word for an answer that wants tools to be called.
    pub fn calls_tools(self) -> &'static str {
        match self {
            Self::Query | Self::Stream | Self::Chat => "tool_calls",
            Self::Messages => "tool_use",
            Self::Responses => "completed",
        }
    }

    pub fn assert_rate_limited(self, refused: &Response) {
        let body = refused.json();
        match self {
            Self::Query | Self::Stream => assert_eq!(body["code"], "provider_rate_limited"),
            Self::Chat | Self::Responses => assert_eq!(body["error"]["code"], "provider_rate_limited"),
            Self::Messages => {
                assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!("rate_limit_error")));
            }
        }
    }

    /// A stream that broke off ends with one error, and nothing that looks like an end.
    pub fn assert_cut(self, broken: &Response) {
        let events = broken.events();
        let error = &events.last().unwrap()["data"];
        match self {
            Self::Query => unreachable!("it has no stream"),
            Self::Stream | Self::Responses => assert_eq!(error["code"], "provider_cut", "{}", broken.body),
            Self::Chat => assert_eq!(error["error"]["code"], "provider_cut", "{}", broken.body),
            Self::Messages => assert_eq!(error["type"], "error", "{}", broken.body),
        }
        for end in ["[DONE]", "message_stop", "response.completed", "event: done"] {
            assert!(!broken.body.contains(end), "{}", broken.body);
        }
    }
}

fn is_stream(answer: &Response) -> bool {
    answer.header("content-type").starts_with("text/event-stream")
}

fn list(value: &Value) -> impl Iterator<Item = Value> + use<> {
    value.as_array().cloned().unwrap_or_default().into_iter()
}

/// The texts of the events of one name, joined.
fn pieces(answer: &Response, name: &str, text: fn(&Value) -> &Value) -> String {
    let events = answer.events();
    events.iter().filter(|event| event["event"] == name).filter_map(|event| text(&event["data"]).as_str()).collect()
}

/// The last value that isn't null.
fn last(answer: &Response, value: fn(&Value) -> &Value) -> Value {
    let events = answer.events();
    events.iter().map(|event| value(&event["data"]).clone()).rfind(|value| !value.is_null()).unwrap_or_default()
}

/// Calls from pieces of index, name and arguments.
fn put_together(pieces: impl Iterator<Item = (Value, Value, Value)>) -> Vec<(String, Value)> {
    let mut calls: Vec<(Value, String, String)> = Vec::new();
    for (index, name, arguments) in pieces {
        if calls.iter().all(|(known, ..)| *known != index) {
            calls.push((index.clone(), String::new(), String::new()));
        }
        let call = calls.iter_mut().find(|(known, ..)| *known == index).unwrap();
        call.1.push_str(name.as_str().unwrap_or_default());
        call.2.push_str(arguments.as_str().unwrap_or_default());
    }
    calls
        .into_iter()
        .map(|(_, name, arguments)| (name, serde_json::from_str(&arguments).unwrap_or(Value::Null)))
        .collect()
}
