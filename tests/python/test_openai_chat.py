"""The official client, unchanged but for base URL and key: answers, streams, structured output, models."""

import asyncio
import concurrent.futures

import openai
import pydantic

MODEL = "standin/small"


def ask(text):
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 200}


def test_an_answer_comes_whole(client):
    answer = client.chat.completions.create(**ask("[[say=It works.]]"))
    assert answer.object == "chat.completion" and answer.id.startswith("chatcmpl-") and answer.model == MODEL
    assert answer.choices[0].message.content == "It works."
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens == 2
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 2


def test_the_limit_ends_an_answer(client):
    answer = client.chat.completions.create(**{**ask("[[tokens=50]]"), "max_tokens": 5})
    assert answer.choices[0].finish_reason == "length" and answer.usage.completion_tokens == 5


def test_an_alias_names_its_model(client):
    assert client.chat.completions.create(**{**ask("hello"), "model": "fast"}).model == MODEL


def test_a_stream_makes_the_same_text(client):
    whole = client.chat.completions.create(**ask("[[tokens=20]]")).choices[0].message.content
    chunks = list(client.chat.completions.create(**ask("[[tokens=20]]"), stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_tells_its_usage_if_asked_to(client):
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(client.chat.completions.create(**ask("[[tokens=20]] [[cached=1]] [[reason=3]]"), **options))
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 23
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens == 1
    assert chunks[-1].usage.completion_tokens_details.reasoning_tokens == 3


def test_the_stream_helper_accumulates(client):
    with client.chat.completions.stream(**ask("[[tokens=10]]")) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert "".join(deltas) == final.choices[0].message.content
    assert final.choices[0].finish_reason == "stop"


def test_a_stream_in_odd_pieces_is_whole(client):
    text = "Grüße, \N{ROCKET} 世界"
    chunks = client.chat.completions.create(**ask(f"[[say={text}]] [[drip]]"), stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == text


class City(pydantic.BaseModel):
    name: str
    people: int


def test_structured_output_is_parsed(client):
    wanted = '[[say={"name": "Paris", "people": 2100000}]]'
    answer = client.chat.completions.parse(**ask(wanted), response_format=City)
    assert answer.choices[0].message.parsed == City(name="Paris", people=2_100_000)


def test_a_json_schema_is_accepted(client):
    schema = {"name": "city", "strict": True, "schema": City.model_json_schema()}
    wanted = {"type": "json_schema", "json_schema": schema}
    answer = client.chat.completions.create(**ask('[[say={"name": "Rome", "people": 1}]]'), response_format=wanted)
    assert City.model_validate_json(answer.choices[0].message.content).name == "Rome"


def test_structured_output_is_streamed(client):
    wanted = '[[say={"name": "Paris", "people": 2100000}]]'
    with client.chat.completions.stream(**ask(wanted), response_format=City) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == City(name="Paris", people=2_100_000)


def test_models_are_listed(client):
    models = {model.id: model for model in client.models.list()}
    assert {MODEL, "standin/tiny", "lmo/echo", "fast", "default"} <= models.keys()
    assert models[MODEL].object == "model" and models[MODEL].owned_by == "standin" and models[MODEL].created > 0


def test_fields_that_the_client_does_not_know_are_passed_on(client):
    answer = client.chat.completions.create(**ask("[[unknown]]"))
    assert answer.model_extra["x_envelope"] == {"later": [1, None, "two"]}
    assert answer.choices[0].model_extra["x_choice"] == 1
    assert answer.choices[0].message.model_extra["x_message"] == {"later": True}
    assert answer.usage.model_extra["x_usage"] == {"later": 0}


def test_fields_that_the_gateway_does_not_know_are_accepted(client):
    extra = {"extra_body": {"top_k": 5, "x_vendor": {"a": [1]}}, "seed": 7, "logit_bias": {"50256": -100}}
    assert client.chat.completions.create(**ask("[[say=yes]]"), **extra).choices[0].message.content == "yes"


def test_images_and_parts_are_accepted(client):
    parts = [
        {"type": "text", "text": "[[say=A cat.]]"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
    ]
    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}], max_tokens=9)
    assert answer.choices[0].message.content == "A cat."


def test_headers_are_there(platform):
    raw = openai.OpenAI(**platform.openai("limited")).chat.completions.with_raw_response.create(**ask("hello"))
    assert raw.headers["x-request-id"] and raw.request_id == raw.headers["x-request-id"]
    assert '"requests";q=1000;w=60' in raw.headers["ratelimit-policy"]
    assert '"requests";r=999' in raw.headers["ratelimit"]
    assert raw.parse()._request_id == raw.request_id


def test_a_raw_stream_has_headers_too(client):
    with client.chat.completions.with_streaming_response.create(**ask("[[tokens=3]]"), stream=True) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-request-id"]
        lines = [line for line in response.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"


def test_the_async_client(platform):
    async def both():
        async with openai.AsyncOpenAI(**platform.openai()) as client:
            whole = await client.chat.completions.create(**ask("[[tokens=5]]"))
            stream = await client.chat.completions.create(**ask("[[tokens=5]]"), stream=True)
            return whole.choices[0].message.content, [chunk.choices[0].delta.content or "" async for chunk in stream]

    whole, pieces = asyncio.run(both())
    assert "".join(pieces) == whole


def test_fifty_at_once_each_get_their_own_answer(platform):
    client = openai.OpenAI(**platform.openai("crowd"))

    def one(number):
        stream = client.chat.completions.create(**ask(f"[[say=number {number} of fifty]]"), stream=number % 2 == 0)
        if number % 2:
            return stream.choices[0].message.content
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(one, range(50)))
    assert answers == [f"number {number} of fifty" for number in range(50)]
    assert platform.usage("crowd", 50)["output_tokens"] == 200
