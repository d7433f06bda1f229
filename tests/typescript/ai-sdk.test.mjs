// The Vercel AI SDK over the gateway, in each of the three formats that it speaks.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embedMany, generateObject, generateText, stepCountIs, streamObject, streamText, tool } from "ai";
import { z } from "zod";

import { PDF, PIXEL, WEATHER, startPlatform } from "./harness.mjs";

const platform = await startPlatform({ compatible: [], chat: [], responses: [], messages: [] });

const compatible = (tenant) =>
  createOpenAICompatible({
    name: "lmo",
    includeUsage: true,
    supportsStructuredOutputs: true,
    ...platform.openai(tenant),
  });
const anthropic = (tenant) => {
  const { baseURL, apiKey } = platform.anthropic(tenant);
  return createAnthropic({ baseURL: `${baseURL}/v1`, apiKey });
};

/** A model by the tenant who asks. */
const CLIENTS = {
  compatible: (tenant) => compatible(tenant)("standin/small"),
  chat: (tenant) => createOpenAI(platform.openai(tenant)).chat("standin/small"),
  responses: (tenant) => createOpenAI(platform.openai(tenant))("standin/responses"),
  messages: (tenant) => anthropic(tenant)("standin/messages"),
};

/** The gateway keeps no responses, so the client must send the items of a loop again instead of naming them. */
const providerOptions = { openai: { store: false } };

const City = z.object({ name: z.string(), people: z.number() });

function weather(askedFor) {
  return tool({
    description: "What the sky looks like.",
    inputSchema: z.object({ city: z.string(), days: z.number() }),
    execute: (place) => {
      askedFor.push(place);
      return "clear";
    },
  });
}

for (const [name, make] of Object.entries(CLIENTS)) {
  const model = make("demo");

  describe(name, () => {
    test("generateText", async () => {
      const answer = await generateText({ model, system: "Be brief.", prompt: "[[say=It works.]]" });
      assert.deepEqual([answer.text, answer.finishReason, answer.usage.outputTokens], ["It works.", "stop", 2]);
    });

    test("streamText", async () => {
      const whole = await generateText({ model, prompt: "[[tokens=20]]" });
      const stream = streamText({ model, prompt: "[[tokens=20]] [[flush]]" });
      const pieces = [];
      for await (const piece of stream.textStream) pieces.push(piece);
      assert.ok(pieces.length > 1);
      assert.equal(pieces.join(""), whole.text);
      assert.deepEqual([await stream.finishReason, (await stream.usage).outputTokens], ["stop", 20]);
    });

    test("a loop with tools ends with the answer", async () => {
      const askedFor = [];
      const tools = { weather: weather(askedFor) };
      const asked = { model, providerOptions, tools, stopWhen: stepCountIs(5), prompt: `${WEATHER} [[say=Sunny.]]` };
      const { text, steps } = await generateText(asked);
      assert.deepEqual([text, steps.length], ["Sunny.", 2]);
      assert.deepEqual(askedFor, [{ city: "Paris", days: 3 }]);
    });

    test("a streamed loop with tools ends with the answer", async () => {
      const askedFor = [];
      const tools = { weather: weather(askedFor) };
      const asked = { model, providerOptions, tools, stopWhen: stepCountIs(5), prompt: `${WEATHER} [[say=Sunny.]]` };
      const stream = streamText(asked);
      assert.equal(await stream.text, "Sunny.");
      assert.equal((await stream.steps).length, 2);
      assert.deepEqual(askedFor, [{ city: "Paris", days: 3 }]);
    });

    test("generateObject", async () => {
      const { object } = await generateObject({ model, schema: City, prompt: wanted(name) });
      assert.deepEqual(object, { name: "Paris", people: 1 });
    });

    test("streamObject", async () => {
      const stream = streamObject({ model, schema: City, prompt: wanted(name) });
      for await (const part of stream.partialObjectStream) assert.ok(typeof part === "object");
      assert.deepEqual(await stream.object, { name: "Paris", people: 1 });
    });

    test("an image and a document", async () => {
      const content = [
        { type: "text", text: "[[say=A dot.]]" },
        { type: "image", image: PIXEL, mediaType: "image/png" },
        { type: "file", data: PDF, mediaType: "application/pdf", filename: "empty.pdf" },
      ];
      const { text } = await generateText({ model, messages: [{ role: "user", content }] });
      assert.equal(text, "A dot.");
    });

    test("a request that is refused is not retried", async () => {
      await assert.rejects(generateText({ model, prompt: "[[fail=400]]" }), (error) => {
        assert.ok(APICallError.isInstance(error), `${error}`);
        return error.statusCode === 400 && !error.isRetryable;
      });
    });

    test("what may pass is retried", async () => {
      const prompt = `[[fail=503 times=3 id=ai_${name}]] [[say=Back.]]`;
      assert.equal((await generateText({ model, prompt })).text, "Back.");
    });

    test("an impatient caller gives up", async () => {
      const asked = generateText({ model, prompt: "[[delay=3s]]", abortSignal: AbortSignal.timeout(500) });
      await assert.rejects(asked, (error) => ["TimeoutError", "AbortError"].includes(error.name));
    });

    test("a failure in a stream is told", async () => {
      const errors = [];
      const onError = ({ error }) => errors.push(error);
      const prompt = "[[tokens=10]] [[flush]] [[error_in_stream=6]]";
      const stream = streamText({ model, prompt, maxRetries: 0, onError });
      let text = "";
      for await (const piece of stream.textStream) text += piece;
      assert.ok(text.length > 0);
      assert.equal(errors.length, 1);
    });

    test("a stream that is aborted is charged as far as it came", async () => {
      const abort = new AbortController();
      const prompt = "[[tokens=20]] [[flush]] [[chunk_delay=100ms]]";
      const stream = streamText({ model: make(name), prompt, abortSignal: abort.signal });
      let seen = 0;
      for await (const part of stream.fullStream) {
        seen += part.type === "text-delta" ? 1 : 0;
        if (seen === 3) abort.abort();
      }
      const usage = await platform.usage(name, 1);
      assert.ok(usage.output_tokens >= 3 && usage.output_tokens < 20, `${usage.output_tokens}`);
    });
  });
}

/** A client that has no words for a schema offers a tool that is called `json`; the others ask for JSON. */
function wanted(name) {
  const city = '{"name":"Paris","people":1}';
  return name === "messages" ? `[[tool=json args=${city}]]` : `[[say=${city}]]`;
}

for (const [name, make] of Object.entries({
  compatible: () => compatible("demo").textEmbeddingModel("lmo/hash-embed"),
  openai: () => createOpenAI(platform.openai()).textEmbeddingModel("lmo/hash-embed"),
})) {
  test(`embedMany with ${name}`, async () => {
    const { embeddings, usage } = await embedMany({ model: make(), values: ["a cat", "a dog", "a cat"] });
    assert.deepEqual(embeddings[0], embeddings[2]);
    assert.equal(embeddings[1].length, 256);
    assert.ok(usage.tokens > 0);
  });
}
