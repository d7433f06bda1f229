// The Responses API and embeddings with the official OpenAI client, unchanged but for base URL and key.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

import { MODELS, PIXEL, WEATHER, startPlatform } from "./harness.mjs";

const platform = await startPlatform();
const client = new OpenAI(platform.openai());

const City = z.object({ name: z.string(), people: z.number() });
const TOOL = {
  type: "function",
  name: "weather",
  description: "What the sky looks like.",
  parameters: {
    type: "object",
    properties: { city: { type: "string" }, days: { type: "integer" } },
    required: ["city", "days"],
    additionalProperties: false,
  },
  strict: true,
};

for (const model of MODELS) {
  describe(model, () => {
    test("an answer comes whole", async () => {
      const answer = await client.responses.create({ model, input: "[[say=It works.]]", instructions: "Be brief." });
      assert.equal(answer.status, "completed");
      assert.equal(answer.output_text, "It works.");
      assert.equal(answer.usage.output_tokens, 2);
    });

    test("a stream makes the same text", async () => {
      const whole = await client.responses.create({ model, input: "[[tokens=20]]" });
      const events = [];
      const stream = await client.responses.create({ model, input: "[[tokens=20]] [[flush]]", stream: true });
      for await (const event of stream) events.push(event);
      const deltas = events.filter((event) => event.type === "response.output_text.delta").map((event) => event.delta);
      assert.ok(deltas.length > 1);
      assert.equal(deltas.join(""), whole.output_text);
      assert.equal(events.at(0).type, "response.created");
      assert.equal(events.at(-1).type, "response.completed");
    });

    test("the stream helper accumulates", async () => {
      const stream = client.responses.stream({ model, input: "[[tokens=10]]" });
      const final = await stream.finalResponse();
      assert.ok(final.output_text.length > 0);
      assert.equal(final.usage.output_tokens, 10);
    });

    test("a loop with tools ends with the answer", async () => {
      const input = [{ role: "user", content: `${WEATHER} [[say=Sunny.]]` }];
      let answer;
      let rounds = 0;
      for (let calls = [null]; calls.length > 0; rounds += 1) {
        answer = await client.responses.create({ model, input, tools: [TOOL], store: false });
        calls = answer.output.filter((item) => item.type === "function_call");
        input.push(...answer.output);
        for (const call of calls) {
          assert.deepEqual(JSON.parse(call.arguments), { city: "Paris", days: 3 });
          input.push({ type: "function_call_output", call_id: call.call_id, output: "clear" });
        }
      }
      assert.deepEqual([rounds, answer.output_text], [2, "Sunny."]);
    });

    test("structured output is parsed", async () => {
      const text = { format: zodTextFormat(City, "city") };
      const answer = await client.responses.parse({ model, input: '[[say={"name": "Paris", "people": 1}]]', text });
      assert.deepEqual(answer.output_parsed, { name: "Paris", people: 1 });
    });

    test("an image is accepted", async () => {
      const content = [
        { type: "input_text", text: "[[say=A dot.]]" },
        { type: "input_image", image_url: `data:image/png;base64,${PIXEL}`, detail: "low" },
      ];
      const answer = await client.responses.create({ model, input: [{ role: "user", content }] });
      assert.equal(answer.output_text, "A dot.");
    });
  });
}

test("a model that does not exist", async () => {
  const asked = client.responses.create({ model: "gpt-none", input: "hello" });
  await assert.rejects(asked, OpenAI.NotFoundError);
});

for (const [model, dimensions] of [["lmo/hash-embed", 256], ["standin/embed", 1536]]) {
  test(`each text has its vector of ${model}`, async () => {
    const answer = await client.embeddings.create({ model, input: ["a cat", "a dog", "a cat"] });
    const [first, second, third] = answer.data.map((one) => one.embedding);
    assert.equal(first.length, dimensions);
    assert.deepEqual(first, third);
    assert.notDeepEqual(first, second);
    assert.ok(answer.usage.prompt_tokens > 0);
  });
}
