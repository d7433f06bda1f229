"""Embeddings with the official OpenAI client, which asks for base64 unless it is told otherwise."""

import math

import openai
import pytest

EMBEDDERS = ["lmo/hash-embed", "standin/embed"]
DIMENSIONS = {"lmo/hash-embed": 256, "standin/embed": 1536}


@pytest.mark.parametrize("model", EMBEDDERS)
def test_each_text_has_its_vector(client, model):
    answer = client.embeddings.create(model=model, input=["a cat", "a dog", "a cat"])
    assert answer.object == "list" and answer.model == model
    assert [one.index for one in answer.data] == [0, 1, 2]
    first, second, third = (one.embedding for one in answer.data)
    assert len(first) == len(second) == DIMENSIONS[model]
    assert first == third and first != second
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 0


@pytest.mark.parametrize("model", EMBEDDERS)
def test_base64_and_floats_say_the_same(client, model):
    packed = client.embeddings.create(model=model, input="a cat")
    floats = client.embeddings.create(model=model, input="a cat", encoding_format="float")
    assert packed.data[0].embedding == pytest.approx(floats.data[0].embedding, rel=1e-6)


def test_a_hash_is_the_same_every_time_and_near_for_words_in_common(client):
    texts = ["the cat sat on the mat", "the cat lay on the mat", "quarterly revenue guidance"]
    first = [one.embedding for one in client.embeddings.create(model="lmo/hash-embed", input=texts).data]
    again = [one.embedding for one in client.embeddings.create(model="lmo/hash-embed", input=texts).data]
    assert first == again
    assert all(math.hypot(*vector) == pytest.approx(1, abs=1e-3) for vector in first)
    nearness = [sum(a * b for a, b in zip(first[0], other)) for other in first[1:]]
    assert nearness[0] > nearness[1]


def test_embeddings_are_counted(platform):
    client = openai.OpenAI(**platform.openai("embedder"))
    used = sum(client.embeddings.create(model="standin/embed", input=f"text {n}").usage.prompt_tokens for n in range(3))
    usage = platform.usage("embedder", 3)
    assert (usage["input_tokens"], usage["output_tokens"]) == (used, 0)


def test_a_model_that_only_talks_does_not_embed(client):
    with pytest.raises(openai.BadRequestError) as raised:
        client.embeddings.create(model="standin/small", input="a cat")
    assert raised.value.code == "unsupported"


def test_a_model_that_only_embeds_does_not_talk(client):
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="standin/embed", messages=[{"role": "user", "content": "hello"}])


def test_nothing_to_embed_is_a_bad_request(client):
    with pytest.raises(openai.BadRequestError) as raised:
        client.embeddings.create(model="standin/embed", input=[])
    assert raised.value.param == "input"


def test_a_model_that_does_not_exist(client):
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="no-such-embedder", input="a cat")
