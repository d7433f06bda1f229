"""The Responses API with the official OpenAI client: answers, streams, tools, structured output, errors."""

import asyncio
import json

import openai
import pydantic
import pytest

WEATHER = '[[tool=weather args={"city":"Paris","days":3}]]'
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
TOOL = {
    "type": "function",
    "name": "weather",
    "description": "What the sky looks like.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
    "strict": True,
}


class City(pydantic.BaseModel):
    name: str
    people: int


def test_an_answer_comes_whole(client, model):
    answer = client.responses.create(model=model, input="[[say=It works.]]", instructions="Be brief.", store=False)
    assert answer.object == "response" and answer.status == "completed" and answer.model == model
    assert answer.output_text == "It works."
    assert answer.output[-1].type == "message" and answer.output[-1].role == "assistant"
    assert answer.usage.output_tokens == 2
    assert answer.usage.total_tokens == answer.usage.input_tokens + 2


def test_the_limit_makes_an_answer_incomplete(client, model):
    answer = client.responses.create(model=model, input="[[tokens=50]]", max_output_tokens=16)
    assert answer.status == "incomplete" and answer.incomplete_details.reason == "max_output_tokens"
    assert answer.usage.output_tokens == 16


def test_a_stream_makes_the_same_text(client, model):
    whole = client.responses.create(model=model, input="[[tokens=20]]")
    events = list(client.responses.create(model=model, input="[[tokens=20]] [[flush]]", stream=True))
    assert events[0].type == "response.created" and events[-1].type == "response.completed"
    assert [event.sequence_number for event in events] == sorted({event.sequence_number for event in events})
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(deltas) > 1 and "".join(deltas) == whole.output_text == events[-1].response.output_text
    assert events[-1].response.usage.output_tokens == whole.usage.output_tokens


def test_the_stream_helper_accumulates(client, model):
    with client.responses.stream(model=model, input="[[tokens=10]]") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "".join(deltas) == final.output_text != ""


def test_a_loop_with_tools_ends_with_the_answer(client, model):
    items, rounds = [{"role": "user", "content": WEATHER + " [[say=Sunny.]]"}], 0
    while True:
        answer = client.responses.create(model=model, input=items, tools=[TOOL], max_output_tokens=100, store=False)
        rounds += 1
        calls = [item for item in answer.output if item.type == "function_call"]
        if not calls:
            break
        assert json.loads(calls[0].arguments) == {"city": "Paris", "days": 3}
        items += answer.output
        items += [{"type": "function_call_output", "call_id": call.call_id, "output": "clear"} for call in calls]
    assert (rounds, answer.output_text) == (2, "Sunny.")


def test_streamed_calls_add_up(client, model):
    with client.responses.stream(model=model, input=WEATHER, tools=[TOOL]) as stream:
        events = list(stream)
        final = stream.get_final_response()
    pieces = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    call = next(item for item in final.output if item.type == "function_call")
    assert "".join(pieces) == call.arguments and call.name == "weather" and call.call_id
    assert json.loads(call.arguments) == {"city": "Paris", "days": 3}


def test_structured_output_is_parsed(client, model):
    answer = client.responses.parse(model=model, input='[[say={"name": "Paris", "people": 1}]]', text_format=City)
    assert answer.output_parsed == City(name="Paris", people=1)


def test_an_image_is_accepted(client, model):
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "low"}
    parts = [{"type": "input_text", "text": "[[say=A dot.]]"}, image]
    answer = client.responses.create(model=model, input=[{"role": "user", "content": parts}])
    assert answer.output_text == "A dot."


def test_reasoning_is_counted_in_the_answer(client):
    answer = client.responses.create(model="standin/responses", input="[[tokens=5]] [[reason=3]]")
    assert answer.usage.output_tokens == 8 and answer.usage.output_tokens_details.reasoning_tokens == 3


def test_a_wrong_key(platform):
    client = openai.OpenAI(**{**platform.openai(), "api_key": "sk-wrong"})
    with pytest.raises(openai.AuthenticationError):
        client.responses.create(model="standin/small", input="hello")


def test_a_model_that_does_not_exist(client):
    with pytest.raises(openai.NotFoundError) as raised:
        client.responses.create(model="gpt-none", input="hello")
    assert raised.value.code == "model_not_found"


def test_a_request_that_the_provider_refuses_is_a_bad_request(client, model):
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=model, input="[[fail=400]]")


def test_a_failure_in_a_stream_is_told(client, model):
    events = []
    try:
        for event in client.responses.create(model=model, input="[[tokens=10]] [[error_in_stream=3]]", stream=True):
            events.append(event)
    except openai.APIError as error:
        assert events and error.message
    else:
        assert events[-1].type in ("error", "response.failed")


def test_the_client_retries_what_may_pass(platform):
    client = openai.OpenAI(**platform.openai("patient_responder"), max_retries=2)
    asked = {"model": "standin/responses", "input": "[[fail=503 times=3 id=responder]] [[tokens=5]]"}
    answer = client.responses.with_raw_response.create(**asked)
    assert answer.retries_taken == 1 and answer.parse().usage.output_tokens == 5
    usage = platform.usage("patient_responder", 2)
    assert (usage["failed"], usage["output_tokens"]) == (1, 5)


def test_a_client_that_waits_no_longer_gives_up(platform):
    client = openai.OpenAI(**platform.openai(), timeout=0.5, max_retries=0)
    with pytest.raises(openai.APITimeoutError):
        client.responses.create(model="standin/responses", input="[[tokens=5]] [[delay=1500ms]]")


def test_a_stream_that_is_closed_early_is_charged_as_far_as_it_came(platform):
    client = openai.OpenAI(**platform.openai("leaving_responder"))
    text, seen = "[[tokens=20]] [[flush]] [[chunk_delay=100ms]]", 0
    with client.responses.create(model="standin/responses", input=text, stream=True) as stream:
        for event in stream:
            seen += event.type == "response.output_text.delta"
            if seen == 3:
                break
    usage = platform.usage("leaving_responder", 1)
    assert 3 <= usage["output_tokens"] < 20


def test_the_async_client(platform):
    async def both():
        async with openai.AsyncOpenAI(**platform.openai()) as client:
            whole = await client.responses.create(model="standin/small", input="[[tokens=5]]")
            stream = await client.responses.create(model="standin/small", input="[[tokens=5]]", stream=True)
            return whole, [event async for event in stream]

    whole, events = asyncio.run(both())
    assert events[-1].response.output_text == whole.output_text
