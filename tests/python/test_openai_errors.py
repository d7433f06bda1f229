"""What the official client raises, retries and gives up, and that none of it is billed twice."""

import asyncio
import time

import openai
import pytest

MODEL = "standin/small"


def ask(text, **more):
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 20, **more}


def test_a_wrong_key(platform):
    client = openai.OpenAI(base_url=f"{platform.base}/v1", api_key="sk-wrong")
    with pytest.raises(openai.AuthenticationError) as raised:
        client.chat.completions.create(**ask("hello"))
    assert raised.value.code == "unauthenticated" and raised.value.type == "authentication_error"
    assert raised.value.request_id


def test_a_model_that_does_not_exist(client):
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(**ask("hello", model="gpt-none"))
    assert raised.value.code == "model_not_found" and raised.value.param == "model"


def test_a_bad_request(client):
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(**ask("hello", temperature=3))
    assert raised.value.param == "temperature" and raised.value.type == "invalid_request_error"


def test_a_prompt_that_is_too_long(client):
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(**ask("word " * 400, model="standin/tiny"))
    assert raised.value.code == "context_length_exceeded"


def test_an_error_of_the_provider_keeps_its_code(client):
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(**ask("[[fail=400 code=odd_request]]"))
    assert raised.value.code == "odd_request"


def test_a_limit_of_requests(platform):
    client = openai.OpenAI(**platform.openai("slow"), max_retries=0)
    with pytest.raises(openai.RateLimitError) as raised:
        for _ in range(6):
            client.chat.completions.create(**ask("hello"))
    assert raised.value.code == "rate_limited"
    assert 1 <= int(raised.value.response.headers["retry-after"]) <= 60


def test_a_cap_is_not_retried(platform):
    client, began = openai.OpenAI(**platform.openai("poor")), time.monotonic()
    with pytest.raises(openai.APIStatusError) as raised:
        for _ in range(20):
            client.chat.completions.create(**ask("hello"))
    assert raised.value.status_code == 402 and raised.value.code == "quota_exhausted"
    assert raised.value.type == "insufficient_quota"
    assert time.monotonic() - began < 10


def test_the_client_retries_what_may_pass(platform):
    # The gateway itself tries three times; the client's second request is the fourth attempt.
    client = openai.OpenAI(**platform.openai("patient"), max_retries=2)
    answer = client.chat.completions.with_raw_response.create(**ask("[[fail=503 times=3 id=patient]] [[tokens=5]]"))
    assert answer.retries_taken == 1
    assert answer.parse().usage.completion_tokens == 5
    usage = platform.usage("patient", 2)
    assert (usage["failed"], usage["output_tokens"]) == (1, 5)


def test_a_failure_in_a_stream_is_raised(client):
    stream = client.chat.completions.create(**ask("[[tokens=10]] [[error_in_stream=3]]"), stream=True)
    with pytest.raises(openai.APIError):
        list(stream)


def test_each_attempt_of_an_impatient_client_is_a_request_of_its_own(platform):
    client = openai.OpenAI(**platform.openai("counted"), timeout=0.5, max_retries=1)
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(**ask("[[tokens=5]] [[delay=1500ms]]"))
    # An answer that is not streamed is finished, because its provider charges it; both are, and each once.
    usage = platform.usage("counted", 2)
    assert (usage["output_tokens"], usage["failed"]) == (10, 0)


def test_a_stream_that_is_closed_early_is_charged_as_far_as_it_came(platform):
    client = openai.OpenAI(**platform.openai("leaver"))
    with client.chat.completions.create(**ask("[[tokens=20]] [[flush]] [[chunk_delay=100ms]]"), stream=True) as stream:
        for seen, _ in enumerate(stream):
            if seen == 3:
                break
    usage = platform.usage("leaver", 1)
    assert 3 <= usage["output_tokens"] < 20


def test_a_task_that_is_cancelled_ends_its_stream(platform):
    async def cancelled():
        async with openai.AsyncOpenAI(**platform.openai("canceller")) as client:
            started = asyncio.Event()

            async def read():
                text = "[[tokens=50]] [[flush]] [[chunk_delay=100ms]]"
                async for chunk in await client.chat.completions.create(**ask(text, max_tokens=50), stream=True):
                    if chunk.choices[0].delta.content:
                        started.set()

            task = asyncio.create_task(read())
            await asyncio.wait_for(started.wait(), 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancelled())
    usage = platform.usage("canceller", 1)
    assert 1 <= usage["output_tokens"] < 50


def test_a_stream_that_falls_silent_times_out_in_the_client(platform):
    client = openai.OpenAI(**platform.openai(), timeout=0.5, max_retries=0)
    with pytest.raises(openai.APITimeoutError):
        list(client.chat.completions.create(**ask("[[tokens=10]] [[flush]] [[stall_after=3]]"), stream=True))
