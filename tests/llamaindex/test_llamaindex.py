"""LlamaIndex over the gateway, as any OpenAI-like server. Its client is an older major version of OpenAI's."""

import asyncio

import openai
import pydantic
import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.prompts import PromptTemplate
from llama_index.core.schema import TextNode
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

WEATHER = '[[tool=weather args={"city":"Paris","days":3}]]'
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="


def address(platform, tenant):
    found = platform.openai(tenant)
    return {"api_base": found["base_url"], "api_key": found["api_key"]}


def over(platform, tenant="demo", **options):
    abilities = {"is_chat_model": True, "is_function_calling_model": True, "context_window": 128_000}
    return OpenAILike(model="standin/small", max_tokens=200, **address(platform, tenant), **abilities, **options)


@pytest.fixture
def llm(platform):
    return over(platform)


@pytest.fixture
def embedder(platform):
    return OpenAILikeEmbedding(model_name="lmo/hash-embed", **address(platform, "demo"))


def weather(city: str, days: int) -> str:
    """What the sky looks like."""
    return f"clear over {city} for {days} days"


class City(pydantic.BaseModel):
    """A city."""

    name: str
    people: int


def user(text):
    return ChatMessage(role="user", content=text)


def test_complete(llm):
    assert llm.complete("[[say=It works.]]").text == "It works."


def test_stream_complete(llm):
    deltas = [chunk.delta for chunk in llm.stream_complete("[[tokens=20]] [[flush]]")]
    assert len(deltas) > 1 and "".join(deltas) == llm.complete("[[tokens=20]]").text


def test_chat(llm):
    answer = llm.chat([ChatMessage(role="system", content="Be brief."), user("[[say=It works.]]")])
    assert answer.message.content == "It works."
    assert answer.raw.usage.completion_tokens == 2


def test_stream_chat(llm):
    chunks = list(llm.stream_chat([user("[[tokens=20]] [[flush]]")]))
    assert len(chunks) > 1 and "".join(chunk.delta for chunk in chunks) == chunks[-1].message.content
    assert chunks[-1].message.content == llm.complete("[[tokens=20]]").text


def test_async(llm):
    async def both():
        whole = await llm.achat([user("[[tokens=5]]")])
        return whole.message.content, [chunk.delta async for chunk in await llm.astream_chat([user("[[tokens=5]]")])]

    whole, pieces = asyncio.run(both())
    assert "".join(pieces) == whole


def test_a_loop_with_functions(llm):
    functions, messages, rounds = [FunctionTool.from_defaults(weather)], [user(WEATHER + " [[say=Sunny.]]")], 0
    while True:
        answer, rounds = llm.chat_with_tools(functions, chat_history=messages), rounds + 1
        calls = llm.get_tool_calls_from_response(answer, error_on_no_tool_call=False)
        if not calls:
            break
        messages.append(answer.message)
        for call in calls:
            assert (call.tool_name, call.tool_kwargs) == ("weather", {"city": "Paris", "days": 3})
            result = functions[0].call(**call.tool_kwargs).content
            messages.append(ChatMessage(role="tool", content=result, additional_kwargs={"tool_call_id": call.tool_id}))
    assert (rounds, answer.message.content) == (2, "Sunny.")


def test_predict_and_call(llm):
    answer = llm.predict_and_call([FunctionTool.from_defaults(weather)], user_msg=WEATHER)
    assert answer.response == "clear over Paris for 3 days"


def test_streamed_calls_add_up(llm):
    stream = llm.stream_chat_with_tools([FunctionTool.from_defaults(weather)], user_msg=WEATHER)
    *_, last = stream
    calls = llm.get_tool_calls_from_response(last)
    assert [(call.tool_name, call.tool_kwargs) for call in calls] == [("weather", {"city": "Paris", "days": 3})]


def test_structured_output(llm):
    prompt = PromptTemplate("{wanted}")
    wanted = '[[tool=City args={"name":"Paris","people":1}]]'
    assert llm.structured_predict(City, prompt, wanted=wanted) == City(name="Paris", people=1)


def test_an_image(llm):
    image = ImageBlock(image=PIXEL.encode(), image_mimetype="image/png")
    message = ChatMessage(role="user", blocks=[TextBlock(text="[[say=A dot.]]"), image])
    assert llm.chat([message]).message.content == "A dot."


def test_embeddings(embedder):
    first, second = embedder.get_text_embedding_batch(["the cat sat on the mat", "quarterly revenue guidance"])
    assert len(first) == len(second) == 256 and first != second
    assert embedder.get_query_embedding("the cat sat on the mat") == pytest.approx(first)


def test_an_index_finds_and_the_model_answers(llm, embedder):
    texts = ["The cat sat on the mat.", "Quarterly revenue guidance was raised."]
    index = VectorStoreIndex([TextNode(text=text) for text in texts], embed_model=embedder)
    found = index.as_retriever(similarity_top_k=1).retrieve("where was the cat, on the mat?")
    assert [node.text for node in found] == texts[:1]
    engine = index.as_query_engine(llm=llm, similarity_top_k=1)
    assert str(engine.query("[[say=On the mat.]] Where is the cat?")) == "On the mat."


def test_an_error_is_the_clients_own(llm):
    with pytest.raises(openai.BadRequestError):
        llm.complete("[[fail=400]]")


def test_an_impatient_caller_gives_up(platform):
    with pytest.raises(openai.APITimeoutError):
        over(platform, timeout=0.5, max_retries=0).complete("[[delay=1500ms]]")


def test_what_may_pass_is_retried(platform):
    assert over(platform, max_retries=2).complete("[[fail=503 times=3 id=index]] [[say=Back.]]").text == "Back."


def test_a_stream_that_is_left_is_charged_as_far_as_it_came(platform):
    async def leave():
        stream = await over(platform, "index").astream_chat([user("[[tokens=20]] [[flush]] [[chunk_delay=100ms]]")])
        async for chunk in stream:
            if len(chunk.message.content.split()) == 3:
                break
        await stream.aclose()

    asyncio.run(leave())
    usage = platform.usage("index", 1)
    assert 3 <= usage["output_tokens"] < 20
