// What the official OpenAI client raises, retries and gives up, and that none of it is billed twice.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

import { startPlatform } from "./harness.mjs";

const platform = await startPlatform({
  slow: ["--requests-per-minute", "2"],
  poor: ["--monthly-tokens", "100"],
  patient: [],
  counted: [],
  leaver: [],
  responder: [],
});
const client = new OpenAI(platform.openai());
const ask = (content, more = {}) => ({
  model: "standin/small",
  messages: [{ role: "user", content }],
  max_tokens: 20,
  ...more,
});

test("a wrong key", async () => {
  const stranger = new OpenAI({ ...platform.openai(), apiKey: "sk-wrong" });
  await assert.rejects(stranger.chat.completions.create(ask("hello")), (error) => {
    assert.ok(error instanceof OpenAI.AuthenticationError);
    assert.equal(error.code, "unauthenticated");
    return Boolean(error.requestID);
  });
});

test("a model that does not exist", async () => {
  await assert.rejects(client.chat.completions.create(ask("hello", { model: "gpt-none" })), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    return error.code === "model_not_found" && error.param === "model";
  });
});

test("a bad request", async () => {
  await assert.rejects(client.chat.completions.create(ask("hello", { temperature: 3 })), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    return error.param === "temperature";
  });
});

test("a limit of requests", async () => {
  const slow = new OpenAI({ ...platform.openai("slow"), maxRetries: 0 });
  const six = async () => {
    for (let number = 0; number < 6; number += 1) await slow.chat.completions.create(ask("hello"));
  };
  await assert.rejects(six, (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError);
    return Number(error.headers.get("retry-after")) >= 1;
  });
});

test("a cap is not retried", async () => {
  const poor = new OpenAI(platform.openai("poor"));
  const twenty = async () => {
    for (let number = 0; number < 20; number += 1) await poor.chat.completions.create(ask("hello"));
  };
  await assert.rejects(twenty, (error) => error.status === 402 && error.code === "quota_exhausted");
});

test("the client retries what may pass", async () => {
  // The gateway itself tries three times; the client's second request is the fourth attempt.
  const patient = new OpenAI({ ...platform.openai("patient"), maxRetries: 2 });
  const answer = await patient.chat.completions.create(ask("[[fail=503 times=3 id=patient]] [[tokens=5]]"));
  assert.equal(answer.usage.completion_tokens, 5);
  const usage = await platform.usage("patient", 2);
  assert.deepEqual([usage.failed, usage.output_tokens], [1, 5]);
});

test("each attempt of an impatient client is a request of its own", async () => {
  const impatient = new OpenAI({ ...platform.openai("counted"), timeout: 500, maxRetries: 1 });
  const asked = impatient.chat.completions.create(ask("[[tokens=5]] [[delay=1500ms]]"));
  await assert.rejects(asked, OpenAI.APIConnectionTimeoutError);
  // An answer that is not streamed is finished, because its provider charges it; both are, and each once.
  const usage = await platform.usage("counted", 2);
  assert.deepEqual([usage.output_tokens, usage.failed], [10, 0]);
});

test("a failure in a stream is raised", async () => {
  const stream = await client.chat.completions.create(ask("[[tokens=10]] [[error_in_stream=3]]", { stream: true }));
  await assert.rejects(async () => {
    for await (const _ of stream);
  }, OpenAI.APIError);
});

test("a stream that is aborted is charged as far as it came", async () => {
  const leaver = new OpenAI(platform.openai("leaver"));
  const asked = ask("[[tokens=20]] [[flush]] [[chunk_delay=100ms]]", { stream: true });
  const stream = await leaver.chat.completions.create(asked);
  let seen = 0;
  for await (const chunk of stream) {
    seen += chunk.choices[0].delta.content ? 1 : 0;
    if (seen === 3) stream.controller.abort();
  }
  const usage = await platform.usage("leaver", 1);
  assert.ok(usage.output_tokens >= 3 && usage.output_tokens < 20, `${usage.output_tokens}`);
});

test("a stream of the Responses API that is left is charged as far as it came", async () => {
  const leaver = new OpenAI(platform.openai("responder"));
  const input = "[[tokens=20]] [[flush]] [[chunk_delay=100ms]]";
  let seen = 0;
  for await (const event of await leaver.responses.create({ model: "standin/responses", input, stream: true })) {
    seen += event.type === "response.output_text.delta" ? 1 : 0;
    if (seen === 3) break;
  }
  const usage = await platform.usage("responder", 1);
  assert.ok(usage.output_tokens >= 3 && usage.output_tokens < 20, `${usage.output_tokens}`);
});
