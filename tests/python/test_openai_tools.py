"""Tools with the official client: a loop with the tool's result, parallel calls, streamed calls."""

import json

import openai
import pydantic

MODEL = "standin/small"
WEATHER = '[[tool=weather args={"city":"Paris","days":3}]]'
CLOCK = '[[tool=clock args={"zone":"CET"}]]'


def tool(name):
    parameters = {"type": "object", "properties": {}, "additionalProperties": True}
    return {"type": "function", "function": {"name": name, "description": "A tool.", "parameters": parameters}}


TOOLS = [tool("weather"), tool("clock")]


def ask(text):
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 200, "tools": TOOLS}


def test_a_loop_ends_with_the_answer(client):
    messages = [{"role": "user", "content": WEATHER + " [[say=Sunny.]]"}]
    rounds = 0
    while True:
        answer = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS, max_tokens=100)
        message, rounds = answer.choices[0].message, rounds + 1
        if not message.tool_calls:
            break
        assert answer.choices[0].finish_reason == "tool_calls"
        messages.append(message)
        for call in message.tool_calls:
            assert json.loads(call.function.arguments) == {"city": "Paris", "days": 3}
            messages.append({"role": "tool", "tool_call_id": call.id, "content": '{"sky": "clear"}'})
    assert (rounds, message.content) == (2, "Sunny.")


def test_parallel_calls_have_ids_of_their_own(client):
    answer = client.chat.completions.create(**ask(WEATHER + CLOCK), parallel_tool_calls=True)
    calls = answer.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["weather", "clock"]
    assert len({call.id for call in calls}) == 2 and all(call.type == "function" for call in calls)
    assert json.loads(calls[1].function.arguments) == {"zone": "CET"}


def test_streamed_calls_add_up(client):
    calls = {}
    for chunk in client.chat.completions.create(**ask(WEATHER + CLOCK), stream=True):
        for piece in chunk.choices[0].delta.tool_calls or []:
            call = calls.setdefault(piece.index, {"id": piece.id, "name": piece.function.name, "arguments": ""})
            call["arguments"] += piece.function.arguments or ""
    assert [call["name"] for call in calls.values()] == ["weather", "clock"]
    assert all(call["id"] for call in calls.values())
    assert json.loads(calls[0]["arguments"]) == {"city": "Paris", "days": 3}


def test_the_stream_helper_accumulates_calls(client):
    snapshots, done = [], []
    with client.chat.completions.stream(**ask(WEATHER + CLOCK)) as stream:
        for event in stream:
            if event.type == "tool_calls.function.arguments.delta":
                snapshots.append(event.arguments)
            elif event.type == "tool_calls.function.arguments.done":
                done.append((event.name, json.loads(event.arguments)))
        final = stream.get_final_completion()
    assert len(snapshots) > 2
    assert done == [("weather", {"city": "Paris", "days": 3}), ("clock", {"zone": "CET"})]
    assert final.choices[0].finish_reason == "tool_calls"
    assert [call.function.name for call in final.choices[0].message.tool_calls] == ["weather", "clock"]


class weather(pydantic.BaseModel):
    """What the sky looks like."""

    city: str
    days: int


def test_arguments_are_parsed(client):
    tools = [openai.pydantic_function_tool(weather)]
    answer = client.chat.completions.parse(**{**ask(WEATHER), "tools": tools})
    assert answer.choices[0].message.tool_calls[0].function.parsed_arguments == weather(city="Paris", days=3)


def test_a_choice_of_tools_is_passed_on(client):
    choice = {"type": "function", "function": {"name": "weather"}}
    answer = client.chat.completions.create(**ask(WEATHER), tool_choice=choice)
    assert answer.choices[0].message.tool_calls[0].function.name == "weather"
