// Stripe's stand-in, as the official SDK sees it: host, port, protocol and key are all that is changed of it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import Stripe from "stripe";
import { Program } from "./harness.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const SECRET = "whsec_official";

const program = new Program("lmo-bench", ["stripe"], {});
const address = new URL(await program.waitFor(/(http:\/\/\S+)/));
after(() => program.stop());

const place = { host: address.hostname, port: address.port, protocol: "http" };
const stripe = new Stripe("sk_test_official", { ...place, maxNetworkRetries: 2 });

/** One of the routes that Stripe doesn't have. */
async function control(path, body, method = "POST") {
  const response = await fetch(new URL(path, address), { method, body: JSON.stringify(body) });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}

/** A customer with a card that is set up. */
async function buyer(token = "pm_card_visa") {
  const customer = await stripe.customers.create({ name: "Größe & Co", metadata: { tenant: "tnt_1" } });
  const card = await stripe.paymentMethods.attach(token, { customer: customer.id });
  return { customer: customer.id, payment_method: card.id, payment_method_types: ["card"] };
}

const charge = (who, metadata = {}, options = {}) =>
  stripe.paymentIntents.create(
    { amount: 1099, currency: "eur", ...who, off_session: true, confirm: true, metadata },
    options,
  );

test("a customer is charged, and has some of it back", async () => {
  const intent = await charge(await buyer());
  assert.equal(intent.status, "succeeded");
  const refund = await stripe.refunds.create({ payment_intent: intent.id, amount: 99 });
  assert.equal(refund.status, "succeeded");
  const whole = await stripe.paymentIntents.retrieve(intent.id, { expand: ["latest_charge"] });
  assert.equal(whole.latest_charge.amount_refunded, 99);
});

test("a decline is a card error", async () => {
  const who = await buyer("pm_card_chargeCustomerFail");
  await assert.rejects(charge(who), (error) => {
    assert.ok(error instanceof Stripe.errors.StripeCardError);
    assert.deepEqual([error.code, error.decline_code], ["card_declined", "generic_decline"]);
    return error.payment_intent.status === "requires_payment_method";
  });
});

test("a card that wants its holder waits for it", async () => {
  const { customer } = await buyer();
  const setup = await stripe.setupIntents.create({
    customer,
    payment_method: "pm_card_authenticationRequired",
    payment_method_types: ["card"],
    confirm: true,
    return_url: "https://shop.example/back",
  });
  assert.equal(setup.next_action.redirect_to_url.return_url, "https://shop.example/back");
  await control("/_authenticate", { intent: setup.id });
  assert.equal((await stripe.setupIntents.retrieve(setup.id)).status, "succeeded");
});

for (const fault of ["lost", "cut_body", "unreached", "locked"]) {
  test(`the SDK's retries pay once: ${fault}`, async () => {
    const who = await buyer();
    await control("/_faults", { fault, path: "/v1/payment_intents" });
    assert.equal((await charge(who, { invoice: `node_${fault}` })).status, "succeeded");
    assert.equal((await control("/_book", undefined, "GET"))[`node_${fault}`].intents, 1);
  });
}

test("a key is for one request", async () => {
  const who = await buyer();
  const first = await charge(who, {}, { idempotencyKey: "node_once" });
  assert.equal((await charge(who, {}, { idempotencyKey: "node_once" })).id, first.id);
  const other = charge(who, { another: "1" }, { idempotencyKey: "node_once" });
  await assert.rejects(other, Stripe.errors.StripeIdempotencyError);
});

test("two at once with one key are one", async () => {
  const who = await buyer();
  await control("/_faults", { fault: "slow", path: "/v1/payment_intents", ms: 1500 });
  const impatient = new Stripe("sk_test_official", { ...place, maxNetworkRetries: 0 });
  const ask = (client) =>
    client.paymentIntents.create(
      { amount: 500, currency: "eur", ...who, off_session: true, confirm: true },
      { idempotencyKey: "node_twice" },
    );
  const first = ask(stripe);
  await new Promise((wait) => setTimeout(wait, 300));
  await assert.rejects(ask(impatient), (error) => error.statusCode === 409 && error.code === "idempotency_key_in_use");
  const { id } = await first;
  assert.equal((await ask(impatient)).id, id);
});

test("lists and searches are paged to their end", async () => {
  const who = await buyer();
  const made = [];
  for (let i = 0; i < 3; i++) made.push((await charge(who, { run: "node" })).id);
  const listed = await stripe.paymentIntents.list({ customer: who.customer, limit: 2 }).autoPagingToArray({ limit: 9 });
  assert.deepEqual(listed.map((intent) => intent.id), made.toReversed());
  const query = { query: "metadata['run']:'node'", limit: 2 };
  const found = await stripe.paymentIntents.search(query).autoPagingToArray({ limit: 9 });
  assert.deepEqual(found.map((intent) => intent.id), made.toReversed());
});

test("events verify", async () => {
  const came = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request.setEncoding("utf8")) body += piece;
    came.push([body, request.headers["stripe-signature"]]);
    response.end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  await control("/_hook", { url: `http://127.0.0.1:${server.address().port}/hook`, secret: SECRET });
  await control("/_faults", { fault: "webhook_first", path: "/v1/payment_intents" });
  const intent = await charge(await buyer());
  const paid = stripe.webhooks.constructEvent(...came.at(-1), SECRET);
  assert.deepEqual([paid.type, paid.data.object.id], ["payment_intent.succeeded", intent.id]);
  await control("/_deliver", { event: paid.id, signature: "wrong" });
  assert.throws(() => stripe.webhooks.constructEvent(...came.at(-1), SECRET), Stripe.errors.StripeSignatureVerificationError);
  await control("/_hook", null);
  server.close();
  server.closeAllConnections();
});

// The types are made from Stripe's own description of its API: an object that lacks a field, has one too many, or null
// where there is none, is no literal of them.
test("objects have the types of the official SDK", async () => {
  const who = await buyer();
  const debit = await stripe.paymentMethods.create({
    type: "sepa_debit",
    sepa_debit: { iban: "DE89370400440532013000" },
  });
  await stripe.paymentMethods.attach(debit.id, { customer: who.customer });
  const mandate = { customer: who.customer, payment_method: debit.id, payment_method_types: ["sepa_debit"] };
  await stripe.setupIntents.create({ ...mandate, confirm: true });
  await stripe.setupIntents.create({ ...who, payment_method: "pm_card_authenticationRequired", confirm: true });
  await stripe.setupIntents.create({ ...who, payment_method: "pm_card_chargeDeclined", confirm: true }).catch(() => {});
  await charge({ ...who, payment_method: "pm_card_chargeCustomerFail" }).catch(() => {});
  await charge(who);
  await stripe.paymentIntents.create({ amount: 500, currency: "eur", ...mandate, confirm: true });
  const paid = await stripe.paymentIntents.create({
    amount: 500,
    currency: "eur",
    ...who,
    payment_method: "pm_card_authenticationRequired",
    confirm: true,
  });
  await control("/_authenticate", { intent: paid.id });
  await stripe.refunds.create({ payment_intent: paid.id });
  const everything = {
    Customer: (await stripe.customers.list({ limit: 100 })).data,
    PaymentMethod: (await stripe.customers.listPaymentMethods(who.customer)).data,
    SetupIntent: (await stripe.setupIntents.list({ limit: 100 })).data,
    PaymentIntent: (await stripe.paymentIntents.list({ limit: 100 })).data,
    Charge: (await stripe.charges.list({ limit: 100 })).data,
    Refund: (await stripe.refunds.list({ limit: 100 })).data,
    Event: (await stripe.events.list({ limit: 100 })).data,
    Balance: [await stripe.balance.retrieve()],
  };
  const literals = Object.entries(everything).flatMap(([type, objects]) =>
    objects.map((object, i) => `export const ${type}${i}: Stripe.${type} = ${JSON.stringify(object, null, 1)};`),
  );
  assert.ok(literals.length > 60);
  const folder = mkdtempSync(join(HERE, "types-"));
  try {
    writeFileSync(join(folder, "objects.mts"), `import type { Stripe } from "stripe";\n${literals.join("\n")}\n`);
    const options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022", "--types", ""];
    const compiler = join(HERE, "node_modules/typescript/bin/tsc");
    const run = promisify(execFile)(process.execPath, [compiler, ...options, join(folder, "objects.mts")]);
    await run.catch((error) => assert.fail(error.stdout));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
