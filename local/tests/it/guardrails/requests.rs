//! The way in.

use super::{CLIENTS, CONFIG, Matrix, guarded, set, ways};
use crate::{
    errors::param,
    matrix::{PROVIDERS, client::Client},
    support::{Running, Value, json},
};

const MAIL: &str = "ada@example.org";
const EMBED: &str = "/api/mcp/embed";

/// A conversation with an address at every place where the format has room for a text.
fn full(client: Client, model: &str) -> Value {
    let schema = json!({"type": "object", "properties": {"to": {"type": "string", "description": MAIL}}});
    let arguments = json!({"to": MAIL});
    let said = json!([
        {"role": "system", "content": MAIL},
        {"role": "user", "content": [{"type": "text", "text": MAIL}]},
        {"role": "assistant", "content": MAIL, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "send", "arguments": arguments.to_string()}}]},
        {"role": "tool", "tool_call_id": "c1", "content": MAIL},
        {"role": "user", "content": MAIL},
    ]);
    let tool = json!({"type": "function", "function": {"name": "send", "description": MAIL, "parameters": schema}});
    match client {
        Client::Query | Client::Stream => {
            json!({"model": model, "max_tokens": 40, "messages": said, "tools": [tool]})
        }
        Client::Chat => json!({"model": model, "max_tokens": 40, "messages": said, "tools": [tool], "user": MAIL,
            "metadata": {"who": MAIL}, "safety_identifier": MAIL, "prompt_cache_key": MAIL}),
        Client::Messages => json!({"model": model, "max_tokens": 40,
        "system": [{"type": "text", "text": MAIL, "cache_control": {"type": "ephemeral"}}],
        "metadata": {"user_id": MAIL},
        "tools": [{"name": "send", "description": MAIL, "input_schema": schema}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": MAIL},
                {"type": "document", "title": MAIL, "context": MAIL,
                    "source": {"type": "text", "media_type": "text/plain", "data": MAIL}}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": MAIL, "signature": "c2ln"},
                {"type": "text", "text": MAIL},
                {"type": "tool_use", "id": "c1", "name": "send", "input": arguments}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": MAIL}]},
                {"type": "text", "text": MAIL}]},
        ]}),
        Client::Responses => json!({"model": model, "max_output_tokens": 40, "instructions": MAIL, "user": MAIL,
        "metadata": {"who": MAIL}, "safety_identifier": MAIL, "prompt_cache_key": MAIL,
        "tools": [{"type": "function", "name": "send", "description": MAIL, "parameters": schema, "strict": false}],
        "input": [
            {"role": "developer", "content": MAIL},
            {"role": "user", "content": [{"type": "input_text", "text": MAIL}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": MAIL}]},
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": MAIL, "annotations": []}]},
            {"type": "function_call", "call_id": "c1", "name": "send", "arguments": arguments.to_string()},
            {"type": "function_call_output", "call_id": "c1", "output": MAIL},
            {"role": "user", "content": MAIL},
        ]}),
    }
}

#[tokio::test]
async fn a_denied_request_is_a_400_that_names_the_rule_in_each_formats_shape() {
    let matrix = guarded(json!({"deny": [{"name": "falcon", "pattern": "(?i)project falcon"}]})).await;
    for (client, stream) in ways() {
        let refused = matrix.ask(client, &client.body("openai", "Where is Project Falcon?", stream)).await;
        refused.assert_error(400, "guardrail_blocked");
        assert!(refused.body.contains("`falcon`"), "{client:?}: {}", refused.body);
        let (body, expected) = (refused.json(), json!("invalid_request_error"));
        match client {
            Client::Query | Client::Stream => assert_eq!(refused.header("content-type"), "application/problem+json"),
            Client::Chat | Client::Responses => assert_eq!(body["error"]["type"], expected),
            Client::Messages => assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &expected)),
        }
    }
}

#[tokio::test]
async fn a_denied_request_is_not_charged_and_no_provider_is_called() {
    let matrix = guarded(json!({"deny": [{"name": "falcon", "pattern": "falcon", "on": "input"}]})).await;
    for (client, stream) in ways() {
        matrix.ask(client, &client.body("openai", "falcon", stream)).await;
    }
    assert_eq!(matrix.standin.stats().requests, 0);
    let fine = matrix.ask(Client::Query, &Client::Query.body("openai", "hi", false)).await.json();
    // Whatever else had been charged would be in the books before it.
    let usage = matrix.lmo.usage_of(&matrix.lmo.key, 1).await;
    assert_eq!(usage["cost_nano_usd"], fine["cost"]["nano_usd"]);
    matrix.end();
}

#[tokio::test]
async fn what_is_masked_reaches_no_provider_from_any_place_of_a_request() {
    let matrix = guarded(json!({"mask": [{"kind": "email", "on": "input"}]})).await;
    for client in CLIENTS {
        for (model, _) in PROVIDERS {
            let answer = matrix.ask(client, &full(client, model)).await;
            assert_eq!(answer.status, 200, "{client:?} over {model}: {}", answer.body);
            let seen = matrix.upstream();
            assert!(!seen.contains("example.org"), "{client:?} over {model}: {seen}");
            // The system prompt, two turns of the user, what the model said, the call, its result, and what the tool is.
            assert!(seen.matches("[EMAIL]").count() >= 8, "{client:?} over {model}: {seen}");
        }
    }
    matrix.end();
}

/// What a same-format provider would get word by word, though the pipeline has no words for it.
#[tokio::test]
async fn what_is_masked_does_not_pass_with_the_clients_own_words() {
    let matrix = guarded(json!({"mask": [{"kind": "email", "on": "input"}]})).await;
    let mut messages = Client::Messages.body("anthropic", "hi", false);
    messages["tools"] = json!([{"name": "send", "input_schema": {"type": "object"}, "input_examples": [{"to": MAIL}]}]);
    let mut hints = Client::Messages.body("anthropic", "hi", false);
    hints["metadata"] = json!({"user_id": MAIL});
    let mut responses = Client::Responses.body("responses", "hi", false);
    responses["metadata"] = json!({"who": MAIL});
    for (client, body) in [(Client::Messages, messages), (Client::Messages, hints), (Client::Responses, responses)] {
        let before = matrix.standin.stats().requests;
        let answer = matrix.ask(client, &body).await;
        if answer.status == 200 {
            assert!(!matrix.upstream().contains(MAIL), "{client:?}: {}", matrix.upstream());
        } else {
            assert_eq!((answer.status, matrix.standin.stats().requests), (400, before), "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn a_request_without_anything_to_mask_is_passed_through_as_it_was() {
    let matrix = guarded(json!({"mask": [{"kind": "email", "on": "input"}], "max_messages": 5})).await;
    let mut body = Client::Messages.body("anthropic", "hi", false);
    body["system"] =
        json!([{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
    assert_eq!(matrix.ask(Client::Messages, &body).await.status, 200);
    let seen: Value = serde_json::from_str(&matrix.upstream()).unwrap();
    assert_eq!((&seen["system"], &seen["messages"]), (&body["system"], &body["messages"]));
}

#[tokio::test]
async fn the_last_message_must_match_what_is_allowed() {
    let matrix = guarded(json!({"allow": ["(?i)invoice"]})).await;
    for (client, stream) in ways() {
        let refused = matrix.ask(client, &client.body("openai", "Tell a joke", stream)).await;
        refused.assert_error(400, "guardrail_blocked");
        let fine = matrix.ask(client, &client.body("openai", "Where is my Invoice?", stream)).await;
        assert_eq!(fine.status, 200, "{client:?}: {}", fine.body);
    }
}

#[tokio::test]
async fn a_blocked_tool_is_not_offered() {
    let matrix = guarded(json!({"blocked_tools": ["delete_*"]})).await;
    for (client, stream) in ways() {
        let mut body = client.body("openai", "hi", stream);
        client.offer(&mut body, &["weather", "delete_all"]);
        let refused = matrix.ask(client, &body).await;
        refused.assert_error(400, "invalid_request");
        assert!(refused.body.contains("tools[1]") && refused.body.contains("`delete_all`"), "{}", refused.body);
    }
    assert_eq!(matrix.standin.stats().requests, 0);
}

#[tokio::test]
async fn a_request_has_a_largest_size() {
    let matrix = guarded(json!({"max_input_bytes": 20, "max_messages": 2})).await;
    for (client, stream) in ways() {
        let fine = matrix.ask(client, &client.body("openai", "12345678901234567890", stream)).await;
        assert_eq!(fine.status, 200, "{client:?}: {}", fine.body);
        let refused = matrix.ask(client, &client.body("openai", "123456789012345678901", stream)).await;
        refused.assert_error(400, "invalid_request");
        assert!(refused.body.contains("20 bytes"), "{client:?}: {}", refused.body);
    }
    let three = json!([{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"},
        {"role": "user", "content": "3"}]);
    let body = json!({"model": "openai", "max_tokens": 40, "messages": three});
    for client in [Client::Query, Client::Chat, Client::Messages] {
        let refused = matrix.ask(client, &body).await;
        refused.assert_error(400, "invalid_request");
        assert!(refused.body.contains("at most 2 messages"), "{client:?}: {}", refused.body);
    }
}

#[tokio::test]
async fn what_is_wrong_with_guardrails_is_named() {
    let run = Running::start();
    for (guardrails, named) in [
        (json!({"deny": [{"name": "a", "pattern": "x"}, {"name": "b", "pattern": "("}]}), "guardrails.deny[1].pattern"),
        (json!({"deny": [{"name": "a", "pattern": "(?=x)"}]}), "guardrails.deny[0].pattern"),
        (json!({"deny": [{"name": "a", "pattern": "x*"}]}), "guardrails.deny[0].pattern"),
        (json!({"deny": [{"name": "a b", "pattern": "x"}]}), "guardrails.deny[0].name"),
        (json!({"deny": [{"name": "a", "pattern": "x".repeat(1_001)}]}), "guardrails.deny[0].pattern"),
        (json!({"deny": [{"name": "a", "pattern": "(\\w{999}){999}"}]}), "guardrails.deny[0].pattern"),
        (json!({"allow": ["fine", "["]}), "guardrails.allow[1]"),
        (json!({"mask": [{"pattern": "x"}]}), "guardrails.mask[0].name"),
        (json!({"mask": [{"name": "x"}]}), "guardrails.mask[0]"),
        (json!({"blocked_tools": ["a*b"]}), "guardrails.blocked_tools[0]"),
        (json!({"max_output_bytes": 0}), "guardrails.max_output_bytes"),
        (json!({"max_messages": -1}), "guardrails.max_messages"),
        (json!({"mask": [{"kind": "horoscope"}]}), "guardrails.mask[0].kind"),
        (json!({"deny": [{"name": "a", "pattern": "x", "on": "sunday"}]}), "guardrails.deny[0].on"),
        (json!({"forbid": []}), "guardrails.forbid"),
    ] {
        let config = json!({"guardrails": guardrails});
        let refused = run.lmo.send("PUT", CONFIG, &run.lmo.key, Some(&config)).await;
        refused.assert_error(400, "invalid_request");
        assert_eq!(param(&refused), named, "{}", refused.body);
    }
    assert_eq!(run.lmo.get(CONFIG).await.json(), json!({}));
}

#[tokio::test]
async fn guardrails_take_effect_at_the_next_request() {
    let matrix = Matrix::start();
    let body = Client::Query.body("openai", "falcon", false);
    assert_eq!(matrix.ask(Client::Query, &body).await.status, 200);
    set(&matrix.lmo, json!({"deny": [{"name": "falcon", "pattern": "falcon"}]})).await;
    matrix.ask(Client::Query, &body).await.assert_error(400, "guardrail_blocked");
    set(&matrix.lmo, json!({})).await;
    assert_eq!(matrix.ask(Client::Query, &body).await.status, 200);
}

/// A platform whose model embeds in the process.
fn embedding() -> Running {
    Running::with_models(|catalogue| {
        format!(
            "{catalogue}embed = \"lmo/hash-embed\"\n[models.\"lmo/hash-embed\"]\nprovider = \"lmo\"\n\
             context_window = 1000\ncapabilities = [\"embed\"]\nprice = {{ input = 0 }}\noverhead_tokens = 0\n"
        )
    })
}

#[tokio::test]
async fn texts_to_embed_are_masked_and_denied() {
    let run = embedding();
    let vector = async |text: &str| run.lmo.post(EMBED, &json!({"input": text})).await.json()["embeddings"][0].clone();
    let masked = vector("Write to [EMAIL]").await;
    assert_ne!(vector("Write to ada@example.org").await, masked);
    let deny = json!([{"name": "falcon", "pattern": "falcon", "on": "input"}]);
    set(&run.lmo, json!({"mask": [{"kind": "email"}], "deny": deny, "max_input_bytes": 30})).await;
    assert_eq!(vector("Write to ada@example.org").await, masked);
    for (path, name) in [(EMBED, "inputs"), ("/v1/embeddings", "input")] {
        let refused = run.lmo.post(path, &json!({name: ["fine", "project falcon"]})).await;
        refused.assert_error(400, "guardrail_blocked");
        let refused = run.lmo.post(path, &json!({name: ["x".repeat(20), "x".repeat(20)]})).await;
        refused.assert_error(400, "invalid_request");
        assert!(refused.body.contains("30 bytes"), "{}", refused.body);
    }
}

#[tokio::test]
async fn tokens_to_embed_are_refused_if_they_would_have_to_be_read() {
    let run = embedding();
    set(&run.lmo, json!({"mask": [{"kind": "email", "on": "output"}], "allow": ["invoice"]})).await;
    let body = json!({"input": [1, 2, 3]});
    let told = run.lmo.post("/v1/embeddings", &body).await;
    assert!(!told.body.contains("guardrails"), "{}", told.body);
    set(&run.lmo, json!({"mask": [{"kind": "email"}]})).await;
    let refused = run.lmo.post("/v1/embeddings", &body).await;
    refused.assert_error(400, "invalid_request");
    assert!(refused.body.contains("guardrails") && param(&refused) == "input", "{}", refused.body);
}
