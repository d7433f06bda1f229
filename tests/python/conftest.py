"""The official clients, nothing changed of them but base URL and key."""

import anthropic
import openai
import pytest


@pytest.fixture
def client(platform):
    return openai.OpenAI(**platform.openai())


@pytest.fixture
def claude(platform):
    return anthropic.Anthropic(**platform.anthropic())


@pytest.fixture(params=["small", "messages", "responses", "gemini", "bedrock"])
def model(request):
    """A model behind each of the wire formats that providers speak."""
    return f"standin/{request.param}"
