"""The official OpenAI client in front of each kind of provider, whose answers all read the same."""

import base64
import json

import openai
import pydantic
import pytest

WEATHER = '[[tool=weather args={"city":"Paris","days":3}]]'
CLOCK = '[[tool=clock args={"zone":"CET"}]]'
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
PDF = base64.b64encode(b"%PDF-1.4\n%%EOF\n").decode()


def tool(name):
    parameters = {"type": "object", "properties": {}, "additionalProperties": True}
    return {"type": "function", "function": {"name": name, "description": "A tool.", "parameters": parameters}}


def user(content):
    return {"role": "user", "content": content}


class City(pydantic.BaseModel):
    name: str
    people: int


def test_an_answer_comes_whole(client, model):
    system = {"role": "system", "content": "Be brief."}
    answer = client.chat.completions.create(model=model, messages=[system, user("[[say=It works.]]")], max_tokens=50)
    assert answer.model == model and answer.object == "chat.completion"
    assert answer.choices[0].message.content == "It works."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens == 2 and answer.usage.prompt_tokens > 2
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 2


def test_the_limit_ends_an_answer(client, model):
    # Responses want at least 16.
    answer = client.chat.completions.create(model=model, messages=[user("[[tokens=50]]")], max_completion_tokens=16)
    assert answer.choices[0].finish_reason == "length" and answer.usage.completion_tokens == 16


def test_a_stream_makes_the_same_text(client, model):
    asked = {"model": model, "messages": [user("[[tokens=20]] [[flush]]")], "max_tokens": 100}
    whole = client.chat.completions.create(**asked)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = client.chat.completions.create(**asked, **options)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert last.choices == [] and last.usage.completion_tokens == whole.usage.completion_tokens


def test_a_loop_with_tools_ends_with_the_answer(client, model):
    messages, rounds = [user(WEATHER + CLOCK + " [[say=Sunny.]]")], 0
    while True:
        asked = {"model": model, "messages": messages, "tools": [tool("weather"), tool("clock")], "max_tokens": 100}
        answer = client.chat.completions.create(**asked)
        message, rounds = answer.choices[0].message, rounds + 1
        if not message.tool_calls:
            break
        assert answer.choices[0].finish_reason == "tool_calls"
        assert [call.function.name for call in message.tool_calls] == ["weather", "clock"]
        assert len({call.id for call in message.tool_calls}) == 2
        messages.append(message)
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "clear"} for call in message.tool_calls]
    assert (rounds, message.content, answer.choices[0].finish_reason) == (2, "Sunny.", "stop")


def test_streamed_calls_add_up(client, model):
    asked = {"model": model, "messages": [user(WEATHER + CLOCK)], "max_tokens": 100}
    with client.chat.completions.stream(**asked, tools=[tool("weather"), tool("clock")]) as stream:
        final = stream.get_final_completion()
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in final.choices[0].message.tool_calls]
    assert calls == [("weather", {"city": "Paris", "days": 3}), ("clock", {"zone": "CET"})]
    assert final.choices[0].finish_reason == "tool_calls"


def test_structured_output_is_parsed(client, model):
    asked = {"model": model, "messages": [user('[[say={"name": "Paris", "people": 2100000}]]')], "max_tokens": 100}
    answer = client.chat.completions.parse(**asked, response_format=City)
    assert answer.choices[0].message.parsed == City(name="Paris", people=2_100_000)


def test_an_image_is_accepted(client, model):
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    asked = {"model": model, "messages": [user([{"type": "text", "text": "[[say=A dot.]]"}, image])], "max_tokens": 20}
    assert client.chat.completions.create(**asked).choices[0].message.content == "A dot."


def test_a_document_is_accepted(client, model):
    file = {"filename": "empty.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
    parts = [{"type": "text", "text": "[[say=Nothing.]]"}, {"type": "file", "file": file}]
    asked = {"model": model, "messages": [user(parts)], "max_tokens": 20}
    assert client.chat.completions.create(**asked).choices[0].message.content == "Nothing."


def test_a_request_that_the_provider_refuses_is_a_bad_request(client, model):
    asked = {"model": model, "messages": [user("[[fail=400]]")], "max_tokens": 20}
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(**asked)


def test_a_failure_in_a_stream_is_raised(client, model):
    asked = {"model": model, "messages": [user("[[tokens=10]] [[error_in_stream=3]]")], "max_tokens": 20}
    stream = client.chat.completions.create(**asked, stream=True)
    with pytest.raises(openai.APIError):
        list(stream)


def test_a_stream_that_is_cut_off_is_raised(client, model):
    asked = {"model": model, "messages": [user("[[tokens=10]] [[flush]] [[cut_after=3]]")], "max_tokens": 20}
    stream = client.chat.completions.create(**asked, stream=True)
    with pytest.raises(openai.APIError):
        list(stream)
