"""The official Anthropic client, unchanged but for base URL and key: answers, streams, images, documents, thinking."""

import asyncio
import base64
import concurrent.futures

import anthropic
import pydantic
import pytest

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
PDF = base64.b64encode(b"%PDF-1.4\n%%EOF\n").decode()
NATIVE = "standin/messages"


def ask(content, model=NATIVE, **more):
    return {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 200, **more}


def text(said):
    return {"type": "text", "text": said}


def test_an_answer_comes_whole(claude, model):
    answer = claude.messages.create(**ask("[[say=It works.]]", model, system="Be brief."))
    assert answer.type == "message" and answer.role == "assistant" and answer.model == model and answer.id
    assert [(block.type, block.text) for block in answer.content] == [("text", "It works.")]
    assert answer.stop_reason == "end_turn" and answer.stop_sequence is None
    assert answer.usage.output_tokens == 2 and answer.usage.input_tokens > 2


def test_the_limit_ends_an_answer(claude, model):
    # Responses want at least 16.
    answer = claude.messages.create(**{**ask("[[tokens=50]]", model), "max_tokens": 16})
    assert answer.stop_reason == "max_tokens" and answer.usage.output_tokens == 16


def test_a_stream_makes_the_same_text(claude, model):
    whole = claude.messages.create(**ask("[[tokens=20]]", model))
    events = list(claude.messages.create(**ask("[[tokens=20]] [[flush]]", model), stream=True))
    kinds = [event.type for event in events]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 1
    deltas = [event.delta.text for event in events if event.type == "content_block_delta"]
    assert len(deltas) > 1 and "".join(deltas) == whole.content[0].text
    assert events[-2].delta.stop_reason == "end_turn"
    assert events[-2].usage.output_tokens == whole.usage.output_tokens


def test_the_stream_helper_accumulates(claude, model):
    with claude.messages.stream(**ask("[[tokens=10]] [[flush]]", model)) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 1 and "".join(pieces) == final.content[0].text
    assert final.stop_reason == "end_turn" and final.usage.output_tokens == 10


def test_the_stream_helper_gives_snapshots(claude):
    with claude.messages.stream(**ask("[[tokens=5]] [[flush]]")) as stream:
        events = [event for event in stream if event.type == "text"]
        assert stream.get_final_text() == events[-1].snapshot == "".join(event.text for event in events)


def test_a_stream_in_odd_pieces_is_whole(claude, model):
    said = "Grüße, \N{ROCKET} 世界"
    with claude.messages.stream(**ask(f"[[say={said}]] [[drip]]", model)) as stream:
        assert stream.get_final_text() == said


def test_an_image_is_accepted(claude, model):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    assert claude.messages.create(**ask([image, text("[[say=A dot.]]")], model)).content[0].text == "A dot."


def test_a_document_is_accepted(claude, model):
    source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    document = {"type": "document", "source": source, "title": "empty.pdf"}
    assert claude.messages.create(**ask([document, text("[[say=Nothing.]]")], model)).content[0].text == "Nothing."


def test_a_document_of_plain_text_is_accepted(claude):
    source = {"type": "text", "media_type": "text/plain", "data": "Nothing at all."}
    asked = ask([{"type": "document", "source": source}, text("[[say=Nothing.]]")])
    assert claude.messages.create(**asked).content[0].text == "Nothing."


def test_thinking_comes_before_the_text(claude):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    answer = claude.messages.create(**{**ask("[[reason=5]] [[tokens=3]]", thinking=thinking), "max_tokens": 2000})
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.content[0].thinking and answer.content[0].signature
    assert answer.usage.output_tokens == 8


def test_thinking_is_streamed_and_may_be_sent_back(claude):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    asked = {**ask("[[reason=5]] [[tokens=3]]", thinking=thinking), "max_tokens": 2000}
    with claude.messages.stream(**asked) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_message()
    assert {"thinking", "signature", "text"} <= kinds
    assert final.content[0].thinking and final.content[0].signature
    asked["messages"] += [{"role": "assistant", "content": final.content}, {"role": "user", "content": "[[say=Yes.]]"}]
    assert claude.messages.create(**asked).content[-1].text == "Yes."


class City(pydantic.BaseModel):
    name: str
    people: int


def test_structured_output_is_parsed(claude, model):
    asked = ask('[[say={"name": "Paris", "people": 2100000}]]', model)
    assert claude.messages.parse(**asked, output_format=City).parsed_output == City(name="Paris", people=2_100_000)


def test_cached_tokens_are_told_apart(claude):
    system = [{"type": "text", "text": "Be brief. " * 20, "cache_control": {"type": "ephemeral"}}]
    answer = claude.messages.create(**ask("[[tokens=3]] [[cached=2]]", system=system))
    assert answer.usage.cache_read_input_tokens == 2 and answer.usage.input_tokens > 0


def test_tokens_are_counted_before_they_are_sent(claude, model):
    def count(said):
        asked = ask(said, model, system="Be brief.")
        del asked["max_tokens"]
        return claude.messages.count_tokens(**asked).input_tokens

    assert 0 < count("A word.") < count("A word. " * 50)


def test_counting_tokens_costs_nothing(platform):
    claude = anthropic.Anthropic(**platform.anthropic("counted_claude"))
    claude.messages.count_tokens(model=NATIVE, messages=[{"role": "user", "content": "hello"}])
    answer = claude.messages.create(**ask("[[tokens=5]]"))
    usage = platform.usage("counted_claude", 1)
    assert (usage["input_tokens"], usage["output_tokens"]) == (answer.usage.input_tokens, 5)


def test_headers_are_there(claude):
    raw = claude.messages.with_raw_response.create(**ask("hello"))
    assert raw.request_id and raw.request_id == raw.headers["request-id"] == raw.parse()._request_id


def test_the_async_client(platform):
    async def both():
        async with anthropic.AsyncAnthropic(**platform.anthropic()) as claude:
            whole = await claude.messages.create(**ask("[[tokens=5]]"))
            async with claude.messages.stream(**ask("[[tokens=5]]")) as stream:
                return whole.content[0].text, [piece async for piece in stream.text_stream]

    whole, pieces = asyncio.run(both())
    assert "".join(pieces) == whole


def test_twenty_at_once_each_get_their_own_answer(claude):
    def one(number):
        with claude.messages.stream(**ask(f"[[say=number {number} of twenty]]")) as stream:
            return stream.get_final_text()

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert list(pool.map(one, range(20))) == [f"number {number} of twenty" for number in range(20)]


@pytest.mark.parametrize("tool_type", ["web_search_20250305", "code_execution_20250825"])
def test_tools_that_the_provider_would_charge_for_are_refused(claude, tool_type):
    with pytest.raises(anthropic.BadRequestError):
        claude.messages.create(**ask("hello", tools=[{"type": tool_type, "name": tool_type.rpartition("_")[0]}]))
