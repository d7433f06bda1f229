//! What an answer says, read from every format into one form, so that the formats can be compared.

use serde_json::Value;

use crate::standin::format::Format;

/// What an answer says, whatever its format.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heard {
    pub words: Vec<String>,
    pub thoughts: String,
    /// Names and arguments.
    pub calls: Vec<(String, String)>,
    pub finish: Option<String>,
    /// Tokens of the prompt, those read from the cache, those written to it, those of the answer.
    pub usage: Option<[u64; 4]>,
    pub error: Option<String>,
    /// Whether the last event that every complete stream has was there.
    pub ended: bool,
    /// Events that could not be read.
    pub broken: usize,
}

/// Adds one event of a stream.
pub(super) fn hear(format: Format, name: &str, event: &Value, heard: &mut Heard) {
    match format {
        Format::Chat => hear_chat(event, heard),
        Format::Messages => hear_message(name, event, heard),
        Format::Responses => hear_response(name, event, heard),
        Format::Gemini => hear_gemini(event, heard),
        Format::Converse => hear_converse(name, event, heard),
    }
}

fn hear_chat(event: &Value, heard: &mut Heard) {
    let choice = &event["choices"][0];
    heard.words.extend(string(&choice["delta"]["content"]).filter(|text| !text.is_empty()));
    for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
        match string(&call["function"]["name"]) {
            Some(name) => heard.calls.push((name, String::new())),
            None => extend_call(heard, &call["function"]["arguments"]),
        }
    }
    heard.finish = string(&choice["finish_reason"]).or(heard.finish.take());
    heard.usage = chat_usage(&event["usage"]).or(heard.usage);
    heard.error = string(&event["error"]["type"]);
}

fn hear_message(name: &str, event: &Value, heard: &mut Heard) {
    assert_eq!(event["type"], name);
    let delta = &event["delta"];
    match name {
        "content_block_start" => {
            heard.calls.extend(string(&event["content_block"]["name"]).map(|name| (name, String::new())));
        }
        "content_block_delta" => match delta["type"].as_str().unwrap() {
            "text_delta" => heard.words.extend(string(&delta["text"])),
            "thinking_delta" => heard.thoughts.push_str(delta["thinking"].as_str().unwrap()),
            "input_json_delta" => extend_call(heard, &delta["partial_json"]),
            other => assert_eq!(other, "signature_delta"),
        },
        "message_delta" => {
            heard.finish = string(&delta["stop_reason"]);
            heard.usage = message_usage(&event["usage"]);
        }
        "message_stop" => heard.ended = true,
        "error" => heard.error = string(&event["error"]["type"]),
        _ => {}
    }
}

fn hear_response(name: &str, event: &Value, heard: &mut Heard) {
    assert_eq!(event["type"], name);
    match name {
        "response.output_item.added" => {
            heard.calls.extend(string(&event["item"]["name"]).map(|name| (name, String::new())));
        }
        "response.output_text.delta" => heard.words.extend(string(&event["delta"])),
        "response.reasoning_summary_text.delta" => heard.thoughts.push_str(event["delta"].as_str().unwrap()),
        "response.function_call_arguments.delta" => extend_call(heard, &event["delta"]),
        "response.completed" | "response.incomplete" | "response.failed" => {
            heard.ended = true;
            heard.finish = response_finish(&event["response"]);
            heard.usage = response_usage(&event["response"]["usage"]);
        }
        "error" => heard.error = string(&event["code"]),
        _ => {}
    }
}

fn hear_gemini(event: &Value, heard: &mut Heard) {
    let candidate = &event["candidates"][0];
    for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
        if let Some(name) = string(&part["functionCall"]["name"]) {
            heard.calls.push((name, part["functionCall"]["args"].to_string()));
        } else if part["thought"] == true {
            heard.thoughts.push_str(part["text"].as_str().unwrap());
        } else {
            heard.words.extend(string(&part["text"]).filter(|text| !text.is_empty()));
        }
    }
    heard.finish = string(&candidate["finishReason"]);
    heard.ended = heard.finish.is_some();
    heard.usage = gemini_usage(&event["usageMetadata"]);
    heard.error = string(&event["error"]["status"]);
}

fn hear_converse(name: &str, event: &Value, heard: &mut Heard) {
    let delta = &event["delta"];
    match name {
        "contentBlockStart" => {
            heard.calls.extend(string(&event["start"]["toolUse"]["name"]).map(|name| (name, String::new())));
        }
        "contentBlockDelta" => {
            heard.words.extend(string(&delta["text"]));
            heard.thoughts.extend(string(&delta["reasoningContent"]["text"]));
            if !delta["toolUse"].is_null() {
                extend_call(heard, &delta["toolUse"]["input"]);
            }
        }
        "messageStop" => heard.finish = string(&event["stopReason"]),
        "metadata" => {
            heard.ended = true;
            heard.usage = converse_usage(&event["usage"]);
        }
        name => heard.error = name.strip_prefix('!').map(str::to_owned),
    }
}

/// Adds a whole answer.
pub(super) fn hear_whole(format: Format, body: &Value, heard: &mut Heard) {
    match format {
        Format::Chat => {
            let message = &body["choices"][0]["message"];
            heard.words.extend(string(&message["content"]));
            for call in message["tool_calls"].as_array().into_iter().flatten() {
                let call = &call["function"];
                heard.calls.push((string(&call["name"]).unwrap(), string(&call["arguments"]).unwrap()));
            }
            heard.finish = string(&body["choices"][0]["finish_reason"]);
            heard.usage = chat_usage(&body["usage"]);
        }
        Format::Messages => {
            for block in body["content"].as_array().unwrap() {
                heard.words.extend(string(&block["text"]));
                heard.thoughts.extend(string(&block["thinking"]));
                heard.calls.extend(string(&block["name"]).map(|name| (name, block["input"].to_string())));
            }
            heard.finish = string(&body["stop_reason"]);
            heard.usage = message_usage(&body["usage"]);
        }
        Format::Responses => {
            for item in body["output"].as_array().unwrap() {
                heard.words.extend(string(&item["content"][0]["text"]));
                heard.thoughts.extend(string(&item["summary"][0]["text"]));
                heard.calls.extend(string(&item["name"]).map(|name| (name, string(&item["arguments"]).unwrap())));
            }
            heard.finish = response_finish(body);
            heard.usage = response_usage(&body["usage"]);
        }
        Format::Gemini => hear_gemini(body, heard),
        Format::Converse => {
            for block in body["output"]["message"]["content"].as_array().unwrap() {
                heard.words.extend(string(&block["text"]));
                heard.thoughts.extend(string(&block["reasoningContent"]["reasoningText"]["text"]));
                let call = &block["toolUse"];
                heard.calls.extend(string(&call["name"]).map(|name| (name, call["input"].to_string())));
            }
            heard.finish = string(&body["stopReason"]);
            heard.usage = converse_usage(&body["usage"]);
        }
    }
}

fn chat_usage(usage: &Value) -> Option<[u64; 4]> {
    let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64();
    Some([usage["prompt_tokens"].as_u64()?, cached?, 0, usage["completion_tokens"].as_u64()?])
}

fn message_usage(usage: &Value) -> Option<[u64; 4]> {
    let (cached, written) =
        (usage["cache_read_input_tokens"].as_u64()?, usage["cache_creation_input_tokens"].as_u64()?);
    Some([usage["input_tokens"].as_u64()? + cached + written, cached, written, usage["output_tokens"].as_u64()?])
}

fn response_usage(usage: &Value) -> Option<[u64; 4]> {
    let details = &usage["input_tokens_details"];
    let (cached, written) = (details["cached_tokens"].as_u64()?, details["cache_write_tokens"].as_u64()?);
    Some([usage["input_tokens"].as_u64()?, cached, written, usage["output_tokens"].as_u64()?])
}

fn gemini_usage(usage: &Value) -> Option<[u64; 4]> {
    let count = |name: &str| usage[name].as_u64();
    let answered = count("candidatesTokenCount").unwrap_or(0) + count("thoughtsTokenCount").unwrap_or(0);
    assert_eq!(count("totalTokenCount"), count("promptTokenCount").map(|prompt| prompt + answered));
    Some([count("promptTokenCount")?, count("cachedContentTokenCount").unwrap_or(0), 0, answered])
}

fn converse_usage(usage: &Value) -> Option<[u64; 4]> {
    let (cached, written) = (usage["cacheReadInputTokens"].as_u64()?, usage["cacheWriteInputTokens"].as_u64()?);
    let (input, output) = (usage["inputTokens"].as_u64()? + cached + written, usage["outputTokens"].as_u64()?);
    assert_eq!(usage["totalTokens"], input + output);
    Some([input, cached, written, output])
}

fn response_finish(response: &Value) -> Option<String> {
    string(&response["incomplete_details"]["reason"]).or(string(&response["status"]))
}

fn extend_call(heard: &mut Heard, arguments: &Value) {
    heard.calls.last_mut().unwrap().1.push_str(arguments.as_str().unwrap());
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
