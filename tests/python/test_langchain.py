"""LangChain over the gateway, with its OpenAI and its Anthropic chat model, and its OpenAI embeddings."""

import asyncio

import anthropic
import openai
import pydantic
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

WEATHER = '[[tool=weather args={"city":"Paris","days":3}]]'
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="


@tool
def weather(city: str, days: int) -> str:
    """What the sky looks like."""
    return f"clear over {city} for {days} days"


class City(pydantic.BaseModel):
    """A city."""

    name: str
    people: int


def over_chat(platform, tenant="demo", **options):
    address = platform.openai(tenant)
    return ChatOpenAI(model="standin/small", max_tokens=200, stream_usage=True, **address, **options)


def over_responses(platform, tenant="demo", **options):
    address = platform.openai(tenant)
    return ChatOpenAI(model="standin/responses", max_tokens=200, use_responses_api=True, **address, **options)


def over_messages(platform, tenant="demo", **options):
    return ChatAnthropic(model="standin/messages", max_tokens=200, **platform.anthropic(tenant), **options)


@pytest.fixture(params=[over_chat, over_responses, over_messages], ids=["chat", "responses", "messages"])
def make(request, platform):
    return lambda *arguments, **options: request.param(platform, *arguments, **options)


@pytest.fixture
def chat(make):
    return make()


@pytest.fixture(scope="module")
def runner():
    """One event loop for all: LangChain keeps connections from one to the next."""
    with asyncio.Runner() as runner:
        yield runner


def test_invoke(chat):
    answer = chat.invoke([SystemMessage("Be brief."), HumanMessage("[[say=It works.]]")])
    assert answer.text == "It works."
    assert answer.usage_metadata["output_tokens"] == 2
    assert answer.usage_metadata["total_tokens"] == answer.usage_metadata["input_tokens"] + 2


def test_stream(chat):
    chunks = list(chat.stream("[[tokens=20]] [[flush]]"))
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    assert sum(chunk.text != "" for chunk in chunks) > 1
    assert total.text == chat.invoke("[[tokens=20]]").text
    assert total.usage_metadata["output_tokens"] == 20


def test_a_chain_with_a_template_in_batches(chat):
    chain = ChatPromptTemplate.from_messages([("user", "[[say=number {number}]]")]) | chat
    answers = chain.batch([{"number": number} for number in range(8)])
    assert [answer.text for answer in answers] == [f"number {number}" for number in range(8)]


def test_async(chat, runner):
    async def both():
        whole = await chat.ainvoke("[[tokens=5]]")
        return whole.text, [chunk.text async for chunk in chat.astream("[[tokens=5]]")]

    whole, pieces = runner.run(both())
    assert "".join(pieces) == whole


def test_a_loop_with_tools(chat):
    bound, messages, rounds = chat.bind_tools([weather]), [HumanMessage(WEATHER + " [[say=Sunny.]]")], 0
    while True:
        answer, rounds = bound.invoke(messages), rounds + 1
        messages.append(answer)
        if not answer.tool_calls:
            break
        calls = [(call["name"], call["args"]) for call in answer.tool_calls]
        assert calls == [("weather", {"city": "Paris", "days": 3})]
        results = [weather.invoke(call) for call in answer.tool_calls]
        assert all(isinstance(result, ToolMessage) for result in results)
        messages += results
    assert (rounds, answer.text) == (2, "Sunny.")


def test_streamed_tool_calls_add_up(chat):
    total = None
    for chunk in chat.bind_tools([weather]).stream(WEATHER):
        total = chunk if total is None else total + chunk
    assert [(call["name"], call["args"]) for call in total.tool_calls] == [("weather", {"city": "Paris", "days": 3})]


def test_structured_output_by_schema(chat):
    structured = chat.with_structured_output(City, method="json_schema")
    assert structured.invoke('[[say={"name": "Paris", "people": 1}]]') == City(name="Paris", people=1)


def test_structured_output_by_tool(chat):
    structured = chat.with_structured_output(City, method="function_calling")
    assert structured.invoke('[[tool=City args={"name":"Paris","people":1}]]') == City(name="Paris", people=1)


def test_an_image(chat):
    image = {"type": "image", "base64": PIXEL, "mime_type": "image/png"}
    message = HumanMessage([{"type": "text", "text": "[[say=A dot.]]"}, image])
    assert chat.invoke([message]).text == "A dot."


def test_an_error_is_the_clients_own(chat):
    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)):
        chat.invoke("[[fail=400]]")


def test_an_impatient_chain_gives_up(make):
    with pytest.raises((openai.APITimeoutError, anthropic.APITimeoutError)):
        make(timeout=0.5, max_retries=0).invoke("[[delay=1500ms]]")


def test_what_may_pass_is_retried(make, request):
    case = request.node.callspec.id
    answer = make(max_retries=2).invoke(f"[[fail=503 times=3 id=chain_{case}]] [[say=Back.]]")
    assert answer.text == "Back."


def test_a_stream_that_is_left_is_charged_as_far_as_it_came(make, platform, request):
    tenant = f"chain_{request.node.callspec.id}"
    stream = make(tenant).stream("[[tokens=20]] [[flush]] [[chunk_delay=100ms]]")
    seen = 0
    for chunk in stream:
        seen += chunk.text != ""
        if seen == 3:
            break
    stream.close()
    usage = platform.usage(tenant, 1)
    assert 3 <= usage["output_tokens"] < 20


def test_embeddings(platform):
    # Without its own counting, for which it would fetch a tokenizer.
    address = platform.openai()
    embeddings = OpenAIEmbeddings(model="lmo/hash-embed", check_embedding_ctx_length=False, **address)
    first, second = embeddings.embed_documents(["the cat sat", "quarterly revenue"])
    assert len(first) == len(second) == 256 and first != second
    assert embeddings.embed_query("the cat sat") == pytest.approx(first)
