//! One conversation as each client format says it: ten messages, one of them a call and one its result, two tools, about
//! 4 KB. The last message asks the provider's stand-in for an answer of [`CHUNKS`] pieces.

use serde_json::{Value, json};

/// The pieces of text in each streamed answer.
pub const CHUNKS: u8 = 200;

/// The most tokens of the answer.
const LIMIT: usize = 1024;

const SYSTEM: &str = "You are the support assistant of a company that ships parcels across Europe. Answer in the \
    language of the customer, briefly and politely. Look up a parcel before you say anything about it, and never guess \
    where it is. Refunds over 50 euros are decided by a person: say so, and open a ticket. Do not promise a delivery \
    date that the tracking system does not give. If the customer is angry, apologise once and then solve the problem.";
const COMPLAINT: &str = "Hello, I ordered a pair of hiking boots on the 3rd and was told they would be here by the 9th. \
    Today is the 14th, and the last thing that the website shows is \"arrived at sorting centre\". I leave for a trip \
    on the 17th and need them by then. Can you please find out what is going on?";
const WHICH: &str = "I am sorry that your boots are late. I will find out where they are. Could you tell me the tracking \
    number, please? It begins with two letters and stands in the e-mail that confirmed the shipment.";
const NUMBER: &str = "It is \"LX 4471 0932 8 DE\". The shop says that it was handed over to you on the 5th, so the delay \
    is not on their side. Here is what they wrote:\n\n> Picked up 05/06, 16:42, weight 1.9 kg, service \"standard\".";
const CALL_ID: &str = "call_9f86d081884c7d65";
const ARGUMENTS: &str = r#"{"tracking_number":"LX447109328DE","with_history":true}"#;
const RESULT: &str = r#"{"status":"in_transit","service":"standard","weight_kg":1.9,"history":[{"at":"2026-06-05T16:42:00Z","place":"Leipzig","event":"picked up"},{"at":"2026-06-06T03:10:00Z","place":"Leipzig","event":"departed"},{"at":"2026-06-07T11:55:00Z","place":"Wien","event":"arrived at sorting centre"},{"at":"2026-06-13T19:30:00Z","place":"Wien","event":"label damaged, relabelled"}],"estimated_delivery":null}"#;
const FOUND: &str = "Thank you. Your parcel has been in our sorting centre in Vienna since the 7th: its label was \
    damaged, so that no machine could read it. It got a new label yesterday evening and moves on today. The system gives \
    no delivery date yet, and I don't want to promise you one that nobody can keep.";
const WORRY: &str = "Thanks for being honest. But I really can't leave without them – is there any way to collect the \
    parcel in Vienna myself? I live half an hour from there. And what happens to the 12.90 € that I paid for shipping?";
const OFFER: &str = "You can collect it. Bring an identity card and the tracking number to the counter of the sorting \
    centre, which is open from 7:00 to 19:00. I can have it held there for you, and since the service was not kept I can \
    refund the 12.90 € at once. Shall I do both?";

/// A body of `POST /v1/chat/completions`.
pub fn chat_completions() -> Vec<u8> {
    let tool = |(name, description, parameters): (&str, &str, Value)| json!({"type": "function", "function": {"name": name, "description": description, "parameters": parameters}});
    let call = json!({"id": CALL_ID, "type": "function", "function": {"name": "track_parcel", "arguments": ARGUMENTS}});
    body(&json!({
        "model": "small",
        "stream": true,
        "stream_options": {"include_usage": true},
        "max_completion_tokens": LIMIT,
        "temperature": 0.3,
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": COMPLAINT},
            {"role": "assistant", "content": WHICH},
            {"role": "user", "content": NUMBER},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": CALL_ID, "content": RESULT},
            {"role": "assistant", "content": FOUND},
            {"role": "user", "content": WORRY},
            {"role": "assistant", "content": OFFER},
            {"role": "user", "content": last()},
        ],
        "tools": tools().map(tool),
        "tool_choice": "auto",
    }))
}

/// A body of `POST /v1/messages`.
pub fn messages() -> Vec<u8> {
    let tool = |(name, description, schema): (&str, &str, Value)| json!({"name": name, "description": description, "input_schema": schema});
    let input = json!({"tracking_number": "LX447109328DE", "with_history": true});
    body(&json!({
        "model": "small",
        "stream": true,
        "max_tokens": LIMIT,
        "temperature": 0.3,
        "system": [{"type": "text", "text": SYSTEM}],
        "messages": [
            {"role": "user", "content": COMPLAINT},
            {"role": "assistant", "content": [{"type": "text", "text": WHICH}]},
            {"role": "user", "content": NUMBER},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": CALL_ID, "name": "track_parcel", "input": input},
            ]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": CALL_ID, "content": RESULT}]},
            {"role": "assistant", "content": [{"type": "text", "text": FOUND}]},
            {"role": "user", "content": WORRY},
            {"role": "assistant", "content": [{"type": "text", "text": OFFER}]},
            {"role": "user", "content": last()},
        ],
        "tools": tools().map(tool),
        "tool_choice": {"type": "auto"},
    }))
}

/// A body of `POST /v1/responses`.
pub fn responses() -> Vec<u8> {
    let tool = |(name, description, parameters): (&str, &str, Value)| json!({"type": "function", "name": name, "description": description, "parameters": parameters, "strict": false});
    let said = |text: &str| json!({"role": "assistant", "content": [{"type": "output_text", "text": text}]});
    body(&json!({
        "model": "small",
        "stream": true,
        "store": false,
        "max_output_tokens": LIMIT,
        "temperature": 0.3,
        "instructions": SYSTEM,
        "input": [
            {"role": "user", "content": COMPLAINT},
            said(WHICH),
            {"role": "user", "content": NUMBER},
            {"type": "function_call", "call_id": CALL_ID, "name": "track_parcel", "arguments": ARGUMENTS},
            {"type": "function_call_output", "call_id": CALL_ID, "output": RESULT},
            said(FOUND),
            {"role": "user", "content": WORRY},
            said(OFFER),
            {"role": "user", "content": last()},
        ],
        "tools": tools().map(tool),
        "tool_choice": "auto",
    }))
}

fn body(request: &Value) -> Vec<u8> {
    request.to_string().into_bytes()
}

fn last() -> String {
    format!("Yes, please do both. And write me everything that I have to bring, with the address. [[tokens={CHUNKS}]]")
}

/// Names, descriptions and parameters.
fn tools() -> [(&'static str, &'static str, Value); 2] {
    let track = json!({
        "type": "object",
        "properties": {
            "tracking_number": {"type": "string", "description": "Two letters, nine digits, two letters, no spaces"},
            "with_history": {"type": "boolean", "description": "Whether to list all events, oldest first"},
        },
        "required": ["tracking_number"],
        "additionalProperties": false,
    });
    let ticket = json!({
        "type": "object",
        "properties": {
            "kind": {"type": "string", "enum": ["refund", "hold_for_collection", "complaint"]},
            "tracking_number": {"type": "string"},
            "amount_cents": {"type": "integer", "description": "For refunds"},
            "note": {"type": "string", "description": "What a colleague has to know, in English"},
        },
        "required": ["kind", "tracking_number", "note"],
        "additionalProperties": false,
    });
    [
        ("track_parcel", "Says where a parcel is and what has happened to it.", track),
        ("open_ticket", "Has something done by a person: a refund, a parcel held, a complaint.", ticket),
    ]
}
