"""Tools with the official Anthropic client: a loop by hand, the client's own runner, streamed arguments."""

import anthropic

WEATHER = '[[tool=weather args={"city":"Paris","days":3}]]'
CLOCK = '[[tool=clock args={"zone":"CET"}]]'
NATIVE = "standin/messages"


def tool(name):
    return {"name": name, "description": "A tool.", "input_schema": {"type": "object", "properties": {}}}


TOOLS = [tool("weather"), tool("clock")]


def ask(said, model=NATIVE):
    return {"model": model, "messages": [{"role": "user", "content": said}], "max_tokens": 200, "tools": TOOLS}


def test_a_loop_ends_with_the_answer(claude, model):
    asked, rounds = ask(WEATHER + " [[say=Sunny.]]", model), 0
    while True:
        answer, rounds = claude.messages.create(**asked), rounds + 1
        if answer.stop_reason != "tool_use":
            break
        calls = [block for block in answer.content if block.type == "tool_use"]
        assert [(call.name, call.input) for call in calls] == [("weather", {"city": "Paris", "days": 3})]
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "clear"} for call in calls]
        asked["messages"] += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    assert (rounds, answer.content[0].text, answer.stop_reason) == (2, "Sunny.", "end_turn")


def test_a_tool_that_failed_is_told_so(claude, model):
    asked = ask(WEATHER + " [[say=Sorry.]]", model)
    answer = claude.messages.create(**asked)
    call = next(block for block in answer.content if block.type == "tool_use")
    content = [{"type": "text", "text": "no connection"}]
    result = {"type": "tool_result", "tool_use_id": call.id, "is_error": True, "content": content}
    asked["messages"] += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    assert claude.messages.create(**asked).content[0].text == "Sorry."


def test_parallel_calls_have_ids_of_their_own(claude, model):
    answer = claude.messages.create(**ask(WEATHER + CLOCK, model))
    calls = [block for block in answer.content if block.type == "tool_use"]
    assert [(call.name, call.input) for call in calls] == [
        ("weather", {"city": "Paris", "days": 3}),
        ("clock", {"zone": "CET"}),
    ]
    assert len({call.id for call in calls}) == 2


def test_streamed_arguments_add_up(claude, model):
    with claude.messages.stream(**ask(WEATHER + CLOCK, model)) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        final = stream.get_final_message()
    calls = [block for block in final.content if block.type == "tool_use"]
    assert [call.input for call in calls] == [{"city": "Paris", "days": 3}, {"zone": "CET"}]
    assert "".join(pieces).replace(" ", "") == '{"city":"Paris","days":3}{"zone":"CET"}'
    assert final.stop_reason == "tool_use"


def test_the_runner_calls_functions(claude):
    asked_for = []

    @anthropic.beta_tool
    def weather(city: str, days: int) -> str:
        """What the sky looks like.

        Args:
            city: Where.
            days: For how long.
        """
        asked_for.append((city, days))
        return "clear"

    messages = [{"role": "user", "content": WEATHER + " [[say=Sunny.]]"}]
    runner = claude.beta.messages.tool_runner(model=NATIVE, max_tokens=200, tools=[weather], messages=messages)
    final = runner.until_done()
    assert asked_for == [("Paris", 3)]
    assert final.content[0].text == "Sunny."


def test_a_choice_of_tools_is_passed_on(claude, model):
    answer = claude.messages.create(**ask(WEATHER, model), tool_choice={"type": "tool", "name": "weather"})
    assert next(block for block in answer.content if block.type == "tool_use").name == "weather"


def test_one_call_at_a_time_may_be_asked_for(claude):
    choice = {"type": "any", "disable_parallel_tool_use": True}
    answer = claude.messages.create(**ask(WEATHER), tool_choice=choice)
    assert answer.stop_reason == "tool_use"
