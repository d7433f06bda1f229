// Chat completions with the official OpenAI client, unchanged but for base URL and key.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

import { MODELS, PDF, PIXEL, WEATHER, startPlatform } from "./harness.mjs";

const platform = await startPlatform();
const client = new OpenAI(platform.openai());

const City = z.object({ name: z.string(), people: z.number() });
const Weather = z.object({ city: z.string(), days: z.number() });
const TOOLS = [zodFunction({ name: "weather", parameters: Weather, description: "What the sky looks like." })];

for (const model of MODELS) {
  const ask = (content, more = {}) => ({ model, messages: [{ role: "user", content }], max_tokens: 200, ...more });

  describe(model, () => {
    test("an answer comes whole", async () => {
      const answer = await client.chat.completions.create(ask("[[say=It works.]]"));
      assert.equal(answer.model, model);
      assert.equal(answer.choices[0].message.content, "It works.");
      assert.equal(answer.choices[0].finish_reason, "stop");
      assert.equal(answer.usage.completion_tokens, 2);
    });

    test("a stream makes the same text", async () => {
      const whole = await client.chat.completions.create(ask("[[tokens=20]]"));
      const stream = await client.chat.completions.create(ask("[[tokens=20]] [[flush]]", { stream: true }));
      const pieces = [];
      for await (const chunk of stream) pieces.push(chunk.choices[0].delta.content ?? "");
      assert.ok(pieces.length > 2);
      assert.equal(pieces.join(""), whole.choices[0].message.content);
    });

    test("the stream helper accumulates", async () => {
      const options = { stream_options: { include_usage: true } };
      const stream = client.chat.completions.stream(ask("[[tokens=10]] [[flush]]", options));
      let text = "";
      stream.on("content", (delta) => (text += delta));
      const final = await stream.finalChatCompletion();
      assert.equal(text, final.choices[0].message.content);
      assert.equal((await stream.totalUsage()).completion_tokens, 10);
    });

    test("the client's own loop calls a function and ends with the answer", async () => {
      const askedFor = [];
      const weather = (place) => {
        askedFor.push(place);
        return "clear";
      };
      const tool = zodFunction({ name: "weather", parameters: Weather, function: weather });
      const runner = client.chat.completions.runTools(ask(`${WEATHER} [[say=Sunny.]]`, { tools: [tool] }));
      assert.equal(await runner.finalContent(), "Sunny.");
      assert.deepEqual(askedFor, [{ city: "Paris", days: 3 }]);
    });

    test("streamed calls add up", async () => {
      const stream = client.chat.completions.stream(ask(WEATHER, { tools: TOOLS }));
      const { message, finish_reason } = (await stream.finalChatCompletion()).choices[0];
      assert.equal(finish_reason, "tool_calls");
      assert.deepEqual(message.tool_calls[0].function.parsed_arguments, { city: "Paris", days: 3 });
    });

    test("structured output is parsed", async () => {
      const format = { response_format: zodResponseFormat(City, "city") };
      const answer = await client.chat.completions.parse(ask('[[say={"name": "Paris", "people": 1}]]', format));
      assert.deepEqual(answer.choices[0].message.parsed, { name: "Paris", people: 1 });
    });

    test("an image and a document are accepted", async () => {
      const parts = [
        { type: "text", text: "[[say=A dot.]]" },
        { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } },
        { type: "file", file: { filename: "empty.pdf", file_data: `data:application/pdf;base64,${PDF}` } },
      ];
      const answer = await client.chat.completions.create(ask(parts));
      assert.equal(answer.choices[0].message.content, "A dot.");
    });
  });
}

test("models are listed", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  for (const model of MODELS) assert.ok(names.includes(model), `${model} is missing`);
});
