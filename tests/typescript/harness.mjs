// Starts the platform with the provider's stand-in behind it, once for each file of tests.
//
// The binaries are those that `cargo build -p lmo -p lmo-bench` leaves in target/debug; LMO_TARGET_DIR names another
// folder.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const BINARIES = resolve(process.env.LMO_TARGET_DIR ?? join(HERE, "../../target/debug"));

/** The models behind each of the wire formats that providers speak. */
export const MODELS = ["small", "messages", "responses", "gemini", "bedrock"].map((name) => `standin/${name}`);

/** A PNG of one pixel, and a PDF without a page, in base64. */
export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
export const PDF = Buffer.from("%PDF-1.4\n%%EOF\n").toString("base64");

/** Makes the stand-in call a tool. */
export const WEATHER = '[[tool=weather args={"city":"Paris","days":3}]]';

/**
 * A platform that runs until the file's tests are through, when its books must agree.
 * `tenants` are names with the limits that they are created with; `demo` is always there.
 */
export async function startPlatform(tenants = {}) {
  const folder = mkdtempSync(join(tmpdir(), "lmo-"));
  const standin = new Program("standin", [], {});
  const address = await standin.waitFor(/(http:\/\/[^/\s]+)/);
  const catalogue = readFileSync(join(HERE, "../models.toml"), "utf8").replaceAll("{standin}", address);
  writeFileSync(join(folder, "models.toml"), catalogue);
  const env = {
    LMO_DATA_DIR: join(folder, "data"),
    LMO_MODELS: join(folder, "models.toml"),
    OLLAMA_HOST: "127.0.0.1:9",
    STANDIN_KEY: "any",
  };
  const place = { cwd: folder, env };
  const keys = {};
  for (const [name, limits] of Object.entries(tenants)) {
    const made = execFileSync(join(BINARIES, "lmo"), ["tenant", "create", "--name", name, ...limits], place);
    keys[name] = JSON.parse(made.toString().trim().split("\n").at(-1)).api_key;
  }
  const lmo = new Program("lmo", ["--port", "0"], place);
  const base = await lmo.waitFor(/on (http:\/\/\S+)/);
  keys.demo = await lmo.waitFor(/(lmo_\S+)/);
  after(async () => {
    await lmo.stop();
    await standin.stop();
    execFileSync(join(BINARIES, "lmo"), ["books"], place);
    rmSync(folder, { recursive: true });
  });
  return new Platform(base, keys);
}

class Platform {
  constructor(base, keys) {
    this.base = base;
    this.keys = keys;
  }

  /** Address and key, as OpenAI's clients take them: all that is changed of them. */
  openai(tenant = "demo") {
    return { baseURL: `${this.base}/v1`, apiKey: this.keys[tenant] };
  }

  /** Address and key, as Anthropic's client takes them: all that is changed of it. */
  anthropic(tenant = "demo") {
    return { baseURL: this.base, apiKey: this.keys[tenant] };
  }

  /** This month's usage of a tenant, once it counts so many requests. */
  async usage(tenant, requests) {
    const url = `${this.base}/api/tenant/usage?granularity=month`;
    let total;
    for (const end = Date.now() + 15_000; Date.now() < end; await sleep(100)) {
      const response = await fetch(url, { headers: { authorization: `Bearer ${this.keys[tenant]}` } });
      total = (await response.json()).total;
      if (total.requests === requests) return total;
    }
    throw new Error(`${requests} requests were not counted: ${JSON.stringify(total)}`);
  }
}

/** A running program, and what it printed. */
export class Program {
  constructor(name, args, options) {
    this.seen = "";
    this.process = spawn(join(BINARIES, name), args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    this.exit = once(this.process, "exit");
    for (const output of [this.process.stdout, this.process.stderr]) {
      output.setEncoding("utf8").on("data", (text) => (this.seen += text));
    }
  }

  /** The first match of a pattern in what it prints. */
  async waitFor(pattern) {
    for (const end = Date.now() + 60_000; Date.now() < end; await sleep(20)) {
      const match = this.seen.match(pattern);
      if (match) return match[1];
      if (this.process.exitCode !== null) break;
    }
    throw new Error(`${pattern} was not printed: ${this.seen}`);
  }

  async stop() {
    this.process.kill("SIGTERM");
    await this.exit;
  }
}
