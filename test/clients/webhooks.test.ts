import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { startStore, type TestStore } from "../http/harness.ts";
import { newPng } from "../http/image-fixtures.ts";
import { codeOf } from "../recipes/page.ts";
import { CACHE } from "../services/cached-folder.ts";
import { freePort } from "../services/free-ports.ts";
import { run } from "../services/run.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { until } from "../waiting.ts";
import { pythonFolder, toolsAreMissing } from "./tools.ts";

const root = join(import.meta.dir, "../..");
const code = codeOf("../webhooks");

interface Delivery {
  readonly id: string;
  readonly timestamp: string;
  readonly signatures: string;
  readonly body: string;
}
interface Webhook {
  readonly id: string;
  readonly secret: string;
}
/** A program that tells of each delivery, by a line, whether it verifies it with the secret. */
type Verifier = (secret: string, deliveries: readonly Delivery[]) => Promise<readonly boolean[]>;

/** Names and texts that a receiver could take apart, or write otherwise than they came. */
const NAMES = ["a.png", "Größe 🌄.png", 'quote " and \\ .png', "a.b.c 1.0.png", "<b> & 'x' %20.png"];
const ALBUM = "Été 北海道";

/** What goes to a verifier by its standard input, a line for each delivery. */
const asLines = (deliveries: readonly Delivery[]) =>
  deliveries
    .map(({ id, timestamp, signatures, body }) => [id, timestamp, signatures, Buffer.from(body).toString("base64")])
    .map((fields) => `${fields.join("\t")}\n`)
    .join("");

async function told(
  command: readonly string[],
  deliveries: readonly Delivery[],
  env: Readonly<Record<string, string>> = {},
): Promise<readonly boolean[]> {
  const child = Bun.spawn([...command], {
    env: { ...process.env, ...env },
    stdin: Buffer.from(asLines(deliveries)),
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = (await new Response(child.stdout).text()).trim().split("\n");
  expect(await child.exited).toBe(0);
  return lines.map((line) => line === "true");
}

const sign = (secret: string, { id, timestamp, body }: Omit<Delivery, "signatures">): string =>
  `v1,${createHmac("sha256", Buffer.from(secret.slice(6), "base64"))
    .update(`${id}.${timestamp}.${body}`)
    .digest("base64")}`;

/** Of a real delivery: what a receiver must refuse. */
function forgeriesOf(secret: string, real: Delivery): readonly Delivery[] {
  const other = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
  const at = (seconds: number) => {
    const moved = { ...real, timestamp: String(Number(real.timestamp) + seconds) };
    return { ...moved, signatures: sign(secret, moved) };
  };
  return [
    { ...real, body: real.body.replace("imagestore", "imageStore") },
    { ...real, body: `${real.body} ` },
    { ...real, id: `${real.id}0` },
    { ...real, timestamp: String(Number(real.timestamp) + 1) },
    { ...real, timestamp: "now" },
    { ...real, signatures: sign(other, real) },
    { ...real, signatures: real.signatures.replaceAll("v1,", "v2,") },
    { ...real, signatures: "v1," },
    // Signed by the secret, but sent again an hour later, or by a clock that is an hour ahead.
    at(-3600),
    at(3600),
  ];
}

if (!toolsAreMissing()) {
  describe("the page about webhooks", () => {
    let folder: string;
    let store: TestStore;
    let receiverPort: number;
    let webhook: Webhook;
    const received: Delivery[] = [];
    let recorder: ReturnType<typeof Bun.serve>;
    const verifiers = new Map<string, Verifier>();

    const send = async (method: string, path: string, body: unknown) =>
      (await (await store.send(method, path, body)).json()) as Webhook;
    const upload = async (names: readonly string[]) => {
      for (const name of names) {
        const path = `/v1/albums/${encodeURIComponent(ALBUM)}/images/${encodeURIComponent(name)}/content`;
        expect((await store.fetch(path, { method: "PUT", body: newPng(500) })).ok).toBe(true);
      }
    };

    beforeAll(async () => {
      folder = await newFolder("verify-webhooks");
      // What is compiled is ready before the deliveries come: they are to be fresh.
      verifiers.set("TypeScript", await buildTypeScript(folder));
      verifiers.set("Go", await buildGo(folder));
      verifiers.set("Java", await buildJava(folder));
      verifiers.set("shell", await buildShell(folder));
      const PYTHONPATH = await pythonFolder();
      receiverPort = await freePort();
      recorder = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        async fetch(request) {
          const header = (name: string) => request.headers.get(name) ?? "";
          received.push({
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signatures: header("webhook-signature"),
            body: await request.text(),
          });
          return new Response(null, { status: 204 });
        },
      });
      verifiers.set("Python", (secret, deliveries) =>
        told(["python3", "-c", PYTHON_CHECK], deliveries, { PYTHONPATH, WEBHOOK_SECRET: secret }),
      );
      store = await startStore({
        OUTBOUND_ALLOW: "127.0.0.1",
        OUTBOUND_HTTP: "true",
        OUTBOUND_PORTS: `${recorder.port},${receiverPort}`,
      });
      webhook = await send("POST", "/v1/webhooks", { url: recorder.url.href });
      await send("POST", "/v1/albums", { name: ALBUM });
      await upload(NAMES);
      await until(() => received.length >= NAMES.length + 1);
    });
    afterAll(async () => {
      await store?.[Symbol.asyncDispose]();
      await recorder?.stop(true);
      await removeFolder(folder);
    });

    test.each(["TypeScript", "Python", "Go", "Java", "shell"])(
      "has code in %s that verifies every delivery, and refuses forged and stale ones",
      async (language) => {
        const verify = verifiers.get(language) as Verifier;
        const { secret } = webhook;
        await send("POST", `/v1/albums`, { name: `Fresh ${language}` });
        await until(() => received.some(({ body }) => body.includes(`Fresh ${language}`)));
        const fresh = received.slice(-NAMES.length);
        expect(await verify(secret, fresh)).toEqual(fresh.map(() => true));
        const forgeries = forgeriesOf(secret, fresh.at(-1) as Delivery);
        expect(await verify(secret, forgeries)).toEqual(forgeries.map(() => false));
      },
    );

    test("has code that verifies by the former and by the new secret while they rotate", async () => {
      const { secret: former } = webhook;
      webhook = await send("POST", `/v1/webhooks/${webhook.id}/rotate-secret`, {});
      expect(webhook.secret).not.toBe(former);
      await send("POST", "/v1/albums", { name: "Rotated" });
      await until(() => received.some(({ body }) => body.includes("Rotated")));
      const rotated = received.filter(({ body }) => body.includes("Rotated"));
      expect(rotated[0]?.signatures.split(" ")).toHaveLength(2);
      for (const [language, verify] of verifiers)
        for (const secret of [former, webhook.secret])
          expect([language, await verify(secret, rotated)]).toEqual([language, rotated.map(() => true)]);
    });

    test.each([
      ["TypeScript", "receiver.ts", [process.execPath], code["ts"]?.[0]],
      ["Python", "receiver.py", ["python3"], code["python"]?.[0]],
    ] as const)(
      "has a receiver in %s with the reference library that accepts all deliveries of a store",
      async (_, file, runtime, program = "") => {
        const home = join(folder, file.split(".").toReversed().join("-"));
        await mkdir(home);
        await symlink(join(root, "node_modules"), join(home, "node_modules"));
        await Bun.write(join(home, file), program.replaceAll("3000", String(receiverPort)));
        const made = await send("POST", "/v1/webhooks", { url: `http://127.0.0.1:${receiverPort}/` });
        await using child = Bun.spawn([...runtime, join(home, file)], {
          env: { ...process.env, PYTHONPATH: await pythonFolder(), WEBHOOK_SECRET: made.secret },
          stdin: "ignore",
          stdout: "ignore",
          stderr: "inherit",
        });
        // It refuses what it cannot verify, and answers before it is sent an event.
        await until(async () => (await statusOf(receiverPort)) === 401, 50);
        await upload(NAMES.map((name) => `${file} ${name}`));
        await send("POST", "/v1/webhooks/" + made.id + "/rotate-secret", {});
        await upload(NAMES.map((name) => `rotated ${file} ${name}`));

        interface Attempt {
          readonly status: number | null;
          readonly delivered: boolean;
        }
        const attempts = async () => {
          const response = await store.fetch(`/v1/webhooks/${made.id}/deliveries?pageSize=1000`);
          return ((await response.json()) as { items: Attempt[] }).items;
        };
        await until(async () => (await attempts()).filter(({ delivered }) => delivered).length >= 2 * NAMES.length);
        expect((await attempts()).filter(({ status }) => status !== 204)).toEqual([]);
        await store.fetch(`/v1/webhooks/${made.id}`, { method: "DELETE" });
        child.kill();
        await child.exited;
      },
    );
  });
}

async function statusOf(port: number): Promise<number | undefined> {
  const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: "{}" }).catch(() => undefined);
  return response?.status;
}

async function buildTypeScript(folder: string): Promise<Verifier> {
  const home = join(folder, "typescript");
  const page = (code["ts"]?.[1] ?? "").replace("image-store-client", join(root, "client/src/index.ts"));
  await Bun.write(join(home, "receive.ts"), page);
  const check = `import { receive } from "./receive.ts";
console.log = () => {};
for (const line of (await Bun.stdin.text()).trimEnd().split("\\n")) {
  const [id = "", timestamp = "", signatures = "", body = ""] = line.split("\\t");
  const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures };
  const request = new Request("http://receiver/", { method: "POST", headers, body: Buffer.from(body, "base64") });
  process.stdout.write(\`\${(await receive(request)).status === 204}\\n\`);
}
`;
  await Bun.write(join(home, "check.ts"), check);
  return (secret, deliveries) =>
    told([process.execPath, join(home, "check.ts")], deliveries, { WEBHOOK_SECRET: secret });
}

/** As the page's receiver verifies: the receiver itself runs in a test of its own. */
const PYTHON_CHECK = `
import base64, os, sys
from standardwebhooks import Webhook, WebhookVerificationError
webhook = Webhook(os.environ["WEBHOOK_SECRET"])
for line in sys.stdin:
    names = ("Webhook-Id", "Webhook-Timestamp", "Webhook-Signature")
    *headers, body = line.rstrip("\\n").split("\\t")
    try:
        webhook.verify(base64.b64decode(body), dict(zip(names, headers)))
        print("true")
    except (WebhookVerificationError, ValueError):
        print("false")
`;

async function buildGo(folder: string): Promise<Verifier> {
  const home = join(folder, "go");
  await Bun.write(join(home, "go.mod"), "module example.com/check\n\ngo 1.19\n");
  await Bun.write(join(home, "webhook/webhook.go"), code["go"]?.[0] ?? "");
  const main = `package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strings"

	"example.com/check/webhook"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\\t")
		body, _ := base64.StdEncoding.DecodeString(fields[3])
		header := http.Header{}
		for i, name := range []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"} {
			header.Set(name, fields[i])
		}
		fmt.Println(webhook.Verify(os.Args[1], header, body))
	}
}
`;
  await Bun.write(join(home, "main.go"), main);
  await run(["go", "build", "-o", "check", "."], { cwd: home, env: { GOCACHE: join(CACHE, "go-build") } });
  return (secret, deliveries) => told([join(home, "check"), secret], deliveries);
}

async function buildJava(folder: string): Promise<Verifier> {
  const home = join(folder, "java");
  await Bun.write(join(home, "Webhooks.java"), code["java"]?.[0] ?? "");
  const check = `import java.util.Base64;

class Check {
  public static void main(String[] args) throws Exception {
    for (var line : new String(System.in.readAllBytes(), "UTF-8").split("\\n")) {
      var fields = line.split("\\t", -1);
      System.out.println(
          Webhooks.verify(args[0], fields[0], fields[1], fields[2], Base64.getDecoder().decode(fields[3])));
    }
  }
}
`;
  await Bun.write(join(home, "Check.java"), check);
  await run(["javac", "-d", home, join(home, "Webhooks.java"), join(home, "Check.java")]);
  const java = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", home, "Check"];
  return (secret, deliveries) => told([...java, secret], deliveries);
}

async function buildShell(folder: string): Promise<Verifier> {
  const home = join(folder, "shell");
  const verify = code["sh"]?.find((block) => block.includes("verify()")) ?? "";
  const check = `
while IFS="$(printf '\\t')" read -r id timestamp signatures body; do
  printf %s "$body" | base64 -d > "$2"
  if verify "$1" "$id" "$timestamp" "$signatures" "$2"; then echo true; else echo false; fi
done
`;
  await Bun.write(join(home, "check.sh"), verify + check);
  return (secret, deliveries) => told(["sh", join(home, "check.sh"), secret, join(home, "body")], deliveries);
}
