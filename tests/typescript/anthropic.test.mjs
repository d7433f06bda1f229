// The official Anthropic client, unchanged but for base URL and key.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { z } from "zod";

import { MODELS, PDF, PIXEL, WEATHER, startPlatform } from "./harness.mjs";

const platform = await startPlatform();
const client = new Anthropic(platform.anthropic());
const NATIVE = "standin/messages";

const City = z.object({ name: z.string(), people: z.number() });
const TOOL = {
  name: "weather",
  description: "What the sky looks like.",
  input_schema: { type: "object", properties: { city: { type: "string" }, days: { type: "integer" } } },
};

for (const model of MODELS) {
  const ask = (content, more = {}) => ({ model, messages: [{ role: "user", content }], max_tokens: 200, ...more });

  describe(model, () => {
    test("an answer comes whole", async () => {
      const answer = await client.messages.create(ask("[[say=It works.]]", { system: "Be brief." }));
      assert.equal(answer.model, model);
      assert.deepEqual(answer.content.map((block) => [block.type, block.text]), [["text", "It works."]]);
      assert.equal(answer.stop_reason, "end_turn");
      assert.equal(answer.usage.output_tokens, 2);
    });

    test("a stream makes the same text", async () => {
      const whole = await client.messages.create(ask("[[tokens=20]]"));
      const kinds = [];
      let text = "";
      for await (const event of await client.messages.create(ask("[[tokens=20]] [[flush]]", { stream: true }))) {
        kinds.push(event.type);
        if (event.type === "content_block_delta") text += event.delta.text;
      }
      assert.equal(text, whole.content[0].text);
      assert.equal(kinds.at(0), "message_start");
      assert.deepEqual(kinds.slice(-2), ["message_delta", "message_stop"]);
    });

    test("the stream helper accumulates", async () => {
      const stream = client.messages.stream(ask("[[tokens=10]] [[flush]]"));
      let text = "";
      stream.on("text", (delta) => (text += delta));
      const final = await stream.finalMessage();
      assert.equal(text, final.content[0].text);
      assert.equal(final.usage.output_tokens, 10);
    });

    test("a loop with tools ends with the answer", async () => {
      const asked = ask(`${WEATHER} [[say=Sunny.]]`, { tools: [TOOL] });
      let answer = await client.messages.create(asked);
      assert.equal(answer.stop_reason, "tool_use");
      const call = answer.content.find((block) => block.type === "tool_use");
      assert.deepEqual([call.name, call.input], ["weather", { city: "Paris", days: 3 }]);
      const result = { type: "tool_result", tool_use_id: call.id, content: "clear" };
      asked.messages.push({ role: "assistant", content: answer.content }, { role: "user", content: [result] });
      answer = await client.messages.create(asked);
      assert.deepEqual([answer.stop_reason, answer.content[0].text], ["end_turn", "Sunny."]);
    });

    test("streamed arguments add up", async () => {
      const stream = client.messages.stream(ask(WEATHER, { tools: [TOOL] }));
      let json = "";
      stream.on("inputJson", (delta) => (json += delta));
      const call = (await stream.finalMessage()).content.find((block) => block.type === "tool_use");
      assert.deepEqual(call.input, { city: "Paris", days: 3 });
      assert.deepEqual(JSON.parse(json), call.input);
    });

    test("structured output is parsed", async () => {
      const format = { output_config: { format: zodOutputFormat(City) } };
      const answer = await client.messages.parse(ask('[[say={"name": "Paris", "people": 1}]]', format));
      assert.deepEqual(answer.parsed_output, { name: "Paris", people: 1 });
    });

    test("an image and a document are accepted", async () => {
      const base64 = (media_type, data) => ({ type: "base64", media_type, data });
      const content = [
        { type: "image", source: base64("image/png", PIXEL) },
        { type: "document", source: base64("application/pdf", PDF) },
        { type: "text", text: "[[say=A dot.]]" },
      ];
      assert.equal((await client.messages.create(ask(content))).content[0].text, "A dot.");
    });

    test("tokens are counted before they are sent", async () => {
      const messages = [{ role: "user", content: "How many tokens are these?" }];
      assert.ok((await client.messages.countTokens({ model, messages })).input_tokens > 0);
    });
  });
}

test("the client's own loop calls a function", async () => {
  const askedFor = [];
  const weather = betaZodTool({
    name: "weather",
    description: "What the sky looks like.",
    inputSchema: z.object({ city: z.string(), days: z.number() }),
    run: (place) => {
      askedFor.push(place);
      return "clear";
    },
  });
  const messages = [{ role: "user", content: `${WEATHER} [[say=Sunny.]]` }];
  const final = await client.beta.messages.toolRunner({ model: NATIVE, max_tokens: 200, messages, tools: [weather] });
  assert.equal(final.content[0].text, "Sunny.");
  assert.deepEqual(askedFor, [{ city: "Paris", days: 3 }]);
});

test("thinking is streamed before the text", async () => {
  const thinking = { type: "enabled", budget_tokens: 1024 };
  const messages = [{ role: "user", content: "[[reason=5]] [[tokens=3]]" }];
  const stream = client.messages.stream({ model: NATIVE, max_tokens: 2000, messages, thinking });
  let thought = "";
  stream.on("thinking", (delta) => (thought += delta));
  const [first, second] = (await stream.finalMessage()).content;
  assert.deepEqual([first.type, second.type], ["thinking", "text"]);
  assert.ok(thought.length > 0 && first.thinking === thought && first.signature);
});
