"""What the official Anthropic client raises, retries and gives up, and that none of it is billed twice."""

import asyncio
import time

import anthropic
import httpx2
import pytest

MODEL = "standin/messages"


def ask(said, **more):
    return {"model": MODEL, "messages": [{"role": "user", "content": said}], "max_tokens": 50, **more}


def kind(raised):
    """The error's type, in the shape that Anthropic documents."""
    body = raised.value.body
    assert body["type"] == "error" and body["error"]["message"] and body["request_id"] == raised.value.request_id
    return body["error"]["type"]


def test_a_wrong_key(platform):
    claude = anthropic.Anthropic(base_url=platform.base, api_key="sk-ant-wrong")
    with pytest.raises(anthropic.AuthenticationError) as raised:
        claude.messages.create(**ask("hello"))
    assert kind(raised) == "authentication_error"


def test_a_model_that_does_not_exist(claude):
    with pytest.raises(anthropic.NotFoundError) as raised:
        claude.messages.create(**ask("hello", model="claude-none"))
    assert kind(raised) == "not_found_error"


def test_a_bad_request(claude):
    with pytest.raises(anthropic.BadRequestError) as raised:
        claude.messages.create(**ask("hello"), extra_body={"temperature": 3})
    assert kind(raised) == "invalid_request_error" and "temperature" in raised.value.message


def test_a_request_without_an_output_limit(claude):
    with pytest.raises(anthropic.BadRequestError) as raised:
        claude.messages.create(**ask("hello", max_tokens=0))
    assert "max_tokens" in raised.value.message


def test_a_prompt_that_is_too_long(claude):
    with pytest.raises(anthropic.BadRequestError) as raised:
        claude.messages.create(**ask("word " * 400, model="standin/tiny"))
    assert kind(raised) == "invalid_request_error"


def test_a_request_that_the_provider_refuses(claude):
    with pytest.raises(anthropic.BadRequestError) as raised:
        claude.messages.create(**ask("[[fail=400]]"))
    assert kind(raised) == "invalid_request_error"


def test_a_provider_that_is_overloaded(platform):
    claude = anthropic.Anthropic(**platform.anthropic(), max_retries=0)
    with pytest.raises(anthropic.InternalServerError) as raised:
        claude.messages.create(**ask("[[fail=529]]"))
    assert kind(raised) == "overloaded_error"


def test_a_rate_limit_of_the_provider(platform):
    claude = anthropic.Anthropic(**platform.anthropic(), max_retries=0)
    with pytest.raises(anthropic.RateLimitError) as raised:
        claude.messages.create(**ask("[[fail=429]]"))
    assert kind(raised) == "rate_limit_error"


def test_a_limit_of_requests(platform):
    claude = anthropic.Anthropic(**platform.anthropic("slow_claude"), max_retries=0)
    with pytest.raises(anthropic.RateLimitError) as raised:
        for _ in range(6):
            claude.messages.create(**ask("hello"))
    assert kind(raised) == "rate_limit_error"
    assert 1 <= int(raised.value.response.headers["retry-after"]) <= 60


def test_a_cap_is_not_retried(platform):
    claude, began = anthropic.Anthropic(**platform.anthropic("poor_claude")), time.monotonic()
    with pytest.raises(anthropic.APIStatusError) as raised:
        for _ in range(20):
            claude.messages.create(**ask("hello"))
    assert raised.value.status_code == 402 and kind(raised) == "billing_error"
    assert time.monotonic() - began < 10


def test_the_client_retries_what_may_pass(platform):
    # The gateway itself tries three times; the client's second request is the fourth attempt.
    claude = anthropic.Anthropic(**platform.anthropic("patient_claude"), max_retries=2)
    answer = claude.messages.with_raw_response.create(**ask("[[fail=529 times=3 id=patient_claude]] [[tokens=5]]"))
    assert answer.retries_taken == 1 and answer.parse().usage.output_tokens == 5
    usage = platform.usage("patient_claude", 2)
    assert (usage["failed"], usage["output_tokens"]) == (1, 5)


def test_a_failure_in_a_stream_is_raised(claude):
    asked = ask("[[tokens=10]] [[error_in_stream=3]]")
    with claude.messages.stream(**asked) as stream, pytest.raises(anthropic.APIStatusError):
        stream.until_done()


def test_a_stream_that_is_cut_off_is_raised(claude):
    asked = ask("[[tokens=10]] [[flush]] [[cut_after=5]]")
    with claude.messages.stream(**asked) as stream, pytest.raises(anthropic.APIError):
        stream.until_done()


def test_a_client_that_waits_no_longer_gives_up(platform):
    claude = anthropic.Anthropic(**platform.anthropic("impatient_claude"), timeout=0.5, max_retries=1)
    with pytest.raises(anthropic.APITimeoutError):
        claude.messages.create(**ask("[[tokens=5]] [[delay=1500ms]]"))
    # An answer that is not streamed is finished, because its provider charges it; both are, and each once.
    usage = platform.usage("impatient_claude", 2)
    assert (usage["output_tokens"], usage["failed"]) == (10, 0)


def test_a_stream_that_falls_silent_times_out_in_the_client(platform):
    # In a stream this client lets the error of its transport through.
    claude = anthropic.Anthropic(**platform.anthropic(), timeout=0.5, max_retries=0)
    asked = ask("[[tokens=10]] [[flush]] [[stall_after=5]]")
    with claude.messages.stream(**asked) as stream, pytest.raises(httpx2.ReadTimeout):
        stream.until_done()


def test_a_stream_that_is_closed_early_is_charged_as_far_as_it_came(platform):
    claude = anthropic.Anthropic(**platform.anthropic("leaving_claude"))
    with claude.messages.stream(**ask("[[tokens=20]] [[flush]] [[chunk_delay=100ms]]")) as stream:
        for seen, _ in enumerate(stream.text_stream):
            if seen == 3:
                break
    usage = platform.usage("leaving_claude", 1)
    assert 3 <= usage["output_tokens"] < 20


def test_a_task_that_is_cancelled_ends_its_stream(platform):
    async def cancelled():
        async with anthropic.AsyncAnthropic(**platform.anthropic("cancelling_claude")) as claude:
            started = asyncio.Event()

            async def read():
                async with claude.messages.stream(**ask("[[tokens=50]] [[flush]] [[chunk_delay=100ms]]")) as stream:
                    async for _ in stream.text_stream:
                        started.set()

            task = asyncio.create_task(read())
            await asyncio.wait_for(started.wait(), 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancelled())
    usage = platform.usage("cancelling_claude", 1)
    assert 1 <= usage["output_tokens"] < 50
