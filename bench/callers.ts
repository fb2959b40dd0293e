import { createHash } from "node:crypto";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { createApp } from "../src/app.ts";
import { parseConfig } from "../src/config.ts";
import { type Benchmark, type Context, type Goal, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { runLoad } from "./load.ts";

const ALGORITHMS = ["ES256", "RS256", "EdDSA"] as const;
const AUDIENCE = "bench";
const KEY = "k".repeat(43);
const CONTENT = "/v1/albums/bench/images/one/content";
/** Requests of a run. A new token is one that no request had before. */
const REQUESTS = 2000;

export const callers: Benchmark = {
  name: "callers",
  about: "what it costs to find out who calls: processor time of GET with a key and with tokens, less that without",
  async run(context) {
    const signers = await Promise.all(ALGORITHMS.map(createSigner));
    await using app = await openApp(context, signers);
    const send = async (
      method: string,
      path: string,
      credentials: string | undefined,
      body?: Uint8Array<ArrayBuffer>,
    ) => {
      const headers = credentials === undefined ? {} : { authorization: `Bearer ${credentials}` };
      const request = new Request(`http://127.0.0.1${path}`, {
        method,
        headers: { host: "127.0.0.1", ...headers },
        ...(body === undefined ? {} : { body }),
      });
      return app.fetch(request);
    };
    const made = await makeKey(app.fetch);
    await send("PUT", "/v1/albums/bench", KEY);
    await send("PUT", CONTENT, KEY, await jpegOf(4096));

    const count = context.smoke ? 50 : REQUESTS;
    /** Mean microseconds of processor time of a request, in all threads. The tokens are signed off the clock. */
    const measure = async (credentialsOf: (n: number) => string | undefined) => {
      const all = Array.from({ length: count }, (_, n) => credentialsOf(n));
      const start = process.cpuUsage();
      for (const credentials of all) {
        const response = await send("GET", CONTENT, credentials);
        await response.bytes();
        if (response.status !== 200) throw new Error(`The store answered ${response.status}.`);
      }
      const { user, system } = process.cpuUsage(start);
      return (user + system) / count;
    };
    const seen = await Promise.all(signers.map((signer) => signer.sign()));
    const contenders: Record<string, () => Promise<number>> = {
      none: () => measure(() => undefined),
      key: () => measure(() => KEY),
      "run-time key": () => measure(() => made),
    };
    for (const [index, alg] of ALGORITHMS.entries()) {
      contenders[`seen ${alg}`] = () => measure(() => seen[index]);
      contenders[`new ${alg}`] = async () => {
        const fresh = await Promise.all(Array.from({ length: count }, () => (signers[index] as Signer).sign()));
        return measure((n) => fresh[n]);
      };
    }
    // One unmeasured call, for the compiler.
    for (const run of Object.values(contenders)) await run();
    const figures = await interleave(context.runs, contenders);
    const without = figures["none"] ?? [];
    const row = (work: string, name: string, most: number): Row => ({
      work,
      ours: { unit: "µs", runs: (figures[name] ?? []).map((with_, run) => with_ - (without[run] ?? Number.NaN)) },
      goal: { of: "ours", bound: "most", value: most } satisfies Goal,
    });
    const load = (credentials: string | undefined) => async () => {
      const headers: Record<string, string> =
        credentials === undefined ? {} : { authorization: `Bearer ${credentials}` };
      const seconds = context.seconds(3);
      const port = Number(new URL(app.url).port);
      return (await runLoad({ port, method: "GET", path: CONTENT, headers, connections: 16, seconds, expect: 200 }))
        .perSecond;
    };
    const served = await interleave(context.runs, { none: load(undefined), key: load(KEY), made: load(made) });
    const ratio = (work: string, runs: readonly number[]): Row => ({
      work,
      ours: { unit: "/s", runs },
      against: { name: "without a key", series: { unit: "/s", runs: served.none } },
      goal: { of: "ratio", bound: "least", value: 0.95 },
    });
    return [
      { work: "GET 4 KB without a key, where reading is public", ours: { unit: "µs", runs: without } },
      row("find out who calls: a key of the configuration", "key", 5),
      row("find out who calls: a key made at run time", "run-time key", 5),
      ratio("GET 4 KB over HTTP with a key of the configuration", served.key),
      ratio("GET 4 KB over HTTP with a key made at run time", served.made),
      ...ALGORITHMS.map((alg) => row(`find out who calls: a token seen before, ${alg}`, `seen ${alg}`, 30)),
      ...ALGORITHMS.map((alg) => row(`find out who calls: a new token, ${alg}`, `new ${alg}`, 300)),
    ];
  },
};

/** A key of the catalog that reads everything. */
async function makeKey(fetch: (request: Request) => Promise<Response>): Promise<string> {
  const response = await fetch(
    new Request("http://127.0.0.1/v1/keys", {
      method: "POST",
      headers: { host: "127.0.0.1", authorization: `Bearer ${KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ name: "bench", grants: [{ rights: ["read"], albums: "*" }] }),
    }),
  );
  const { secret } = (await response.json()) as { readonly secret: string };
  return secret;
}

interface Signer {
  readonly jwk: object;
  sign(): Promise<string>;
}

async function createSigner(alg: string): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return {
    jwk: { ...(await exportJWK(publicKey)), kid: alg, alg },
    sign: () =>
      new SignJWT({ scope: "openid images", name: "A person with a name", email: "person@example.org" })
        .setProtectedHeader({ alg, kid: alg, typ: "at+jwt" })
        .setAudience(AUDIENCE)
        .setSubject(crypto.randomUUID())
        .setIssuedAt()
        .setExpirationTime("1h")
        .sign(privateKey),
  };
}

function openApp(context: Context, signers: readonly Signer[]) {
  const env = {
    IMAGE_STORE_DATA: join(context.folder, "data"),
    IMAGE_STORE_PORT: "0",
    IMAGE_STORE_DESCRIBE: "false",
    IMAGE_STORE_PUBLIC_READ: "true",
    IMAGE_STORE_API_KEYS: `bench:read+write+admin:${createHash("sha256").update(KEY).digest("hex")}`,
    IMAGE_STORE_JWT_KEYS_FILE: "keys",
    IMAGE_STORE_JWT_AUDIENCE: AUDIENCE,
    IMAGE_STORE_JWT_RULES:
      '[{"claim":"scope","has":"images","rights":["read","write"],"albums":["u-{sub}-*","bench"]}]',
  };
  const readFile = () => JSON.stringify({ keys: signers.map(({ jwk }) => jwk) });
  return createApp(parseConfig({ env, readFile }));
}
