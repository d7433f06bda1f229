"""Chat, streams, embeddings, cancellation and accounting over a real inference server."""

import asyncio
import time

import openai
import pytest


# A temperature of 0 makes the same noise every time, and would make the gateway keep answers.
FRESH = {"default_headers": {"X-LMO-Cache": "no-store"}}


def ask(text="Hello", **more):
    return {"model": "llama/noise", "messages": [{"role": "user", "content": text}], "temperature": 0, **more}


@pytest.fixture
def client(platform):
    return openai.OpenAI(**platform.openai(), **FRESH)


def test_an_answer_comes_whole_and_is_the_same_every_time(client):
    first, again = (client.chat.completions.create(**ask(max_tokens=40)) for _ in range(2))
    assert len(first.choices[0].message.content) == 40
    assert first.choices[0].message.content == again.choices[0].message.content
    assert first.choices[0].finish_reason == "length" and first.model == "llama/noise"
    assert first.usage.completion_tokens == 40 and first.usage.prompt_tokens > len("Hello")


def test_a_stop_sequence_ends_an_answer(client):
    whole = client.chat.completions.create(**ask(max_tokens=40)).choices[0].message.content
    ended = client.chat.completions.create(**ask(max_tokens=40, stop=[whole[10:14]])).choices[0]
    assert (ended.message.content, ended.finish_reason) == (whole[:10], "stop")


def test_a_stream_makes_the_same_text(client):
    whole = client.chat.completions.create(**ask(max_tokens=40)).choices[0].message.content
    chunks = list(client.chat.completions.create(**ask(max_tokens=40), stream=True))
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert "".join(pieces) == whole and sum(piece != "" for piece in pieces) > 10
    assert chunks[-1].choices[0].finish_reason == "length"


def test_a_conversation_is_read_whole(client):
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Grüße \N{ROCKET}"},
        {"role": "assistant", "content": "Noise."},
        {"role": "user", "content": "More."},
    ]
    longer = client.chat.completions.create(**{**ask(max_tokens=5), "messages": turns})
    shorter = client.chat.completions.create(**{**ask(max_tokens=5), "messages": turns[-1:]})
    assert longer.usage.prompt_tokens > shorter.usage.prompt_tokens + 30


def test_what_the_server_counts_is_charged(platform):
    client = openai.OpenAI(**platform.openai("counted"), **FRESH)
    answers = [client.chat.completions.create(**ask(f"Number {n}", max_tokens=10 + n)) for n in range(3)]
    usage = platform.usage("counted", 3)
    assert usage["input_tokens"] == sum(answer.usage.prompt_tokens for answer in answers)
    assert usage["output_tokens"] == 10 + 11 + 12
    assert usage["estimated"] == 0 and usage["cost_nano_usd"] > 0


def test_a_stream_without_counts_is_estimated(platform):
    # This server tells no usage in streams.
    client = openai.OpenAI(**platform.openai("streamer"), **FRESH)
    list(client.chat.completions.create(**ask(max_tokens=30), stream=True))
    usage = platform.usage("streamer", 1)
    assert usage["estimated"] == 1 and usage["output_tokens"] > 0 and usage["input_tokens"] > 0


def test_a_client_that_leaves_frees_the_server(platform, llama, client):
    leaver, began = openai.OpenAI(**platform.openai("leaver"), **FRESH), time.monotonic()
    # It would speak for half a minute, and has room for one request.
    with leaver.chat.completions.create(**ask(max_tokens=6000), stream=True) as stream:
        for seen, _ in enumerate(stream):
            if seen == 5:
                break
    assert client.chat.completions.create(**ask(max_tokens=5)).usage.completion_tokens == 5
    assert time.monotonic() - began < 10
    assert llama.wait_for(r"(Disconnected from client)", seconds=10)
    usage = platform.usage("leaver", 1)
    assert 1 <= usage["output_tokens"] < 1000


def test_requests_that_wait_for_each_other_are_all_answered(platform):
    async def several():
        async with openai.AsyncOpenAI(**platform.openai(), **FRESH) as client:
            asked = [client.chat.completions.create(**ask(f"Number {n}", max_tokens=20)) for n in range(6)]
            return await asyncio.gather(*asked)

    assert [answer.usage.completion_tokens for answer in asyncio.run(several())] == [20] * 6


def test_a_prompt_that_is_too_long_does_not_reach_the_server(client):
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(**ask("word " * 2000))
    assert raised.value.code == "context_length_exceeded"


def test_each_text_has_its_vector(client):
    answer = client.embeddings.create(model="llama/noise-embed", input=["a cat", "a dog", "a cat"])
    first, second, third = (one.embedding for one in answer.data)
    assert len(first) == 64 and first == pytest.approx(third) and first != second
    floats = client.embeddings.create(model="llama/noise-embed", input="a cat", encoding_format="float")
    assert floats.data[0].embedding == pytest.approx(first, rel=1e-6)


def test_embeddings_are_charged(platform):
    client = openai.OpenAI(**platform.openai("embedder"), **FRESH)
    used = client.embeddings.create(model="llama/noise-embed", input=["a cat", "a dog"]).usage.prompt_tokens
    usage = platform.usage("embedder", 1)
    assert (usage["input_tokens"], usage["output_tokens"]) == (used, 0)
