"""Conversations that begin with a model of one provider and go on with one of another, as after a fallback.

Each is a loop with an image, thinking and two calls of tools at once; what the models thought goes along.
"""

import json

import pytest

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
SAID = '[[reason=5]] [[tool=weather args={"city":"Paris"}]] [[tool=clock args={}]] [[say=Sunny.]]'
SCHEMA = {"type": "object", "properties": {}}
TOOLS = ["weather", "clock"]
CALLS = [("weather", {"city": "Paris"}), ("clock", {})]


@pytest.fixture(params=["small", "messages", "responses", "gemini", "bedrock"])
def other(request):
    """Whom the conversation goes on with."""
    return f"standin/{request.param}"


def test_messages(claude, model, other):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    messages = [{"role": "user", "content": [image, {"type": "text", "text": SAID}]}]
    asked = {
        "messages": messages,
        "max_tokens": 3000,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tools": [{"name": name, "input_schema": SCHEMA} for name in TOOLS],
    }
    answer = claude.messages.create(model=model, **asked)
    calls = [block for block in answer.content if block.type == "tool_use"]
    assert [(call.name, call.input) for call in calls] == CALLS
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "clear"} for call in calls]
    messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    answer = claude.messages.create(model=other, **asked)
    assert answer.content[-1].text == "Sunny."
    messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": "[[say=Bye.]]"}]
    assert claude.messages.create(model=model, **asked).content[-1].text == "Bye."


def test_chat_completions(client, model, other):
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    messages = [{"role": "user", "content": [image, {"type": "text", "text": SAID}]}]
    asked = {
        "messages": messages,
        "max_tokens": 3000,
        "reasoning_effort": "low",
        "tools": [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in TOOLS],
    }
    answer = client.chat.completions.create(model=model, **asked).choices[0].message
    assert [(call.function.name, json.loads(call.function.arguments)) for call in answer.tool_calls] == CALLS
    messages.append(answer.model_dump(exclude_none=True))
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "clear"} for call in answer.tool_calls]
    answer = client.chat.completions.create(model=other, **asked).choices[0].message
    assert answer.content == "Sunny."
    messages += [answer.model_dump(exclude_none=True), {"role": "user", "content": "[[say=Bye.]]"}]
    assert client.chat.completions.create(model=model, **asked).choices[0].message.content == "Bye."


def test_responses(client, model, other):
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}
    items = [{"role": "user", "content": [image, {"type": "input_text", "text": SAID}]}]
    asked = {
        "input": items,
        "store": False,
        "reasoning": {"effort": "low"},
        "include": ["reasoning.encrypted_content"],
        "tools": [{"type": "function", "name": name, "parameters": SCHEMA, "strict": False} for name in TOOLS],
    }
    answer = client.responses.create(model=model, **asked)
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == CALLS
    items += [item.model_dump(exclude_none=True) for item in answer.output]
    items += [{"type": "function_call_output", "call_id": call.call_id, "output": "clear"} for call in calls]
    answer = client.responses.create(model=other, **asked)
    assert answer.output_text == "Sunny."
    items += [item.model_dump(exclude_none=True) for item in answer.output]
    items.append({"role": "user", "content": "[[say=Bye.]]"})
    assert client.responses.create(model=model, **asked).output_text == "Bye."
