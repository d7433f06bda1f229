// What the official Anthropic client raises, retries and gives up, and that none of it is billed twice.

import assert from "node:assert/strict";
import { test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";

import { startPlatform } from "./harness.mjs";

const platform = await startPlatform({
  slow: ["--requests-per-minute", "2"],
  poor: ["--monthly-tokens", "100"],
  patient: [],
  counted: [],
  leaver: [],
});
const client = new Anthropic(platform.anthropic());
const ask = (content, more = {}) => ({
  model: "standin/messages",
  messages: [{ role: "user", content }],
  max_tokens: 50,
  ...more,
});

/** Whether an error is of a class, and of a type in the shape that Anthropic documents. */
const is = (kind, type) => (error) => {
  assert.ok(error instanceof kind, `${error}`);
  assert.equal(error.error.type, "error");
  assert.equal(error.error.error.type, type);
  assert.ok(error.requestID && error.requestID === error.error.request_id);
  return true;
};

test("a wrong key", async () => {
  const stranger = new Anthropic({ ...platform.anthropic(), apiKey: "sk-ant-wrong" });
  const asked = stranger.messages.create(ask("hello"));
  await assert.rejects(asked, is(Anthropic.AuthenticationError, "authentication_error"));
});

test("a model that does not exist", async () => {
  const asked = client.messages.create(ask("hello", { model: "claude-none" }));
  await assert.rejects(asked, is(Anthropic.NotFoundError, "not_found_error"));
});

test("a bad request", async () => {
  const asked = client.messages.create(ask("hello", { temperature: 3 }));
  await assert.rejects(asked, is(Anthropic.BadRequestError, "invalid_request_error"));
});

test("a provider that is overloaded", async () => {
  const hasty = new Anthropic({ ...platform.anthropic(), maxRetries: 0 });
  const asked = hasty.messages.create(ask("[[fail=529]]"));
  await assert.rejects(asked, is(Anthropic.InternalServerError, "overloaded_error"));
});

test("a limit of requests", async () => {
  const slow = new Anthropic({ ...platform.anthropic("slow"), maxRetries: 0 });
  const six = async () => {
    for (let number = 0; number < 6; number += 1) await slow.messages.create(ask("hello"));
  };
  await assert.rejects(six, is(Anthropic.RateLimitError, "rate_limit_error"));
});

test("a cap is not retried", async () => {
  const poor = new Anthropic(platform.anthropic("poor"));
  const twenty = async () => {
    for (let number = 0; number < 20; number += 1) await poor.messages.create(ask("hello"));
  };
  await assert.rejects(twenty, is(Anthropic.PaymentRequiredError, "billing_error"));
});

test("the client retries what may pass", async () => {
  // The gateway itself tries three times; the client's second request is the fourth attempt.
  const patient = new Anthropic({ ...platform.anthropic("patient"), maxRetries: 2 });
  const answer = await patient.messages.create(ask("[[fail=529 times=3 id=patient]] [[tokens=5]]"));
  assert.equal(answer.usage.output_tokens, 5);
  const usage = await platform.usage("patient", 2);
  assert.deepEqual([usage.failed, usage.output_tokens], [1, 5]);
});

test("each attempt of an impatient client is a request of its own", async () => {
  const impatient = new Anthropic({ ...platform.anthropic("counted"), timeout: 500, maxRetries: 1 });
  const asked = impatient.messages.create(ask("[[tokens=5]] [[delay=1500ms]]"));
  await assert.rejects(asked, Anthropic.APIConnectionTimeoutError);
  // An answer that is not streamed is finished, because its provider charges it; both are, and each once.
  const usage = await platform.usage("counted", 2);
  assert.deepEqual([usage.output_tokens, usage.failed], [10, 0]);
});

test("a failure in a stream is raised", async () => {
  const stream = await client.messages.create(ask("[[tokens=10]] [[flush]] [[error_in_stream=5]]", { stream: true }));
  await assert.rejects(async () => {
    for await (const _ of stream);
  }, Anthropic.APIError);
});

test("a stream that is aborted is charged as far as it came", async () => {
  const leaver = new Anthropic(platform.anthropic("leaver"));
  const stream = leaver.messages.stream(ask("[[tokens=20]] [[flush]] [[chunk_delay=100ms]]"));
  let seen = 0;
  stream.on("text", () => {
    seen += 1;
    if (seen === 3) stream.abort();
  });
  await assert.rejects(stream.finalMessage(), Anthropic.APIUserAbortError);
  const usage = await platform.usage("leaver", 1);
  assert.ok(usage.output_tokens >= 3 && usage.output_tokens < 20, `${usage.output_tokens}`);
});
