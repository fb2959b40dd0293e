import { afterEach, describe, expect, test } from "bun:test";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Glob } from "bun";
import { run } from "../../src/cli/run.ts";
import { openDatabaseFile } from "../open-database-file.ts";
import { rejectionOf, until } from "../waiting.ts";
import { newPng } from "./image-fixtures.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "image-store-start-"));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A server as its own process; resolves when it has said where it is. */
async function start(folder: string, env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../../src/main.ts"), "--port", "0"], {
    env: { PATH: process.env["PATH"], IMAGE_STORE_DATA: join(folder, "data"), ...env },
    cwd: folder,
    stdout: "pipe",
    stderr: "pipe",
  });
  cleanups.push(() => child.kill("SIGKILL"));
  const err = readerOf(child.stderr);
  await Promise.race([err.until("Data "), child.exited]);
  const url = /^API\s+(\S+)\/v1$/m.exec(err.text())?.[1] ?? "";
  const out = new Response(child.stdout).text();
  return { child, url, out, err };
}

function readerOf(stream: ReadableStream<Uint8Array>) {
  let text = "";
  const waiting = new Map<string, () => void>();
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      for (const [part, resolve] of waiting) if (text.includes(part)) resolve();
    }
  })();
  return {
    text: () => text,
    end: () => reading.then(() => text),
    until: (part: string) =>
      Promise.race([
        reading,
        new Promise<void>((resolve) => void (text.includes(part) ? resolve() : waiting.set(part, resolve))),
      ]),
  };
}

const fileOf = async (folder: string, sha256: string): Promise<string> =>
  (await Array.fromAsync(new Glob(`data/blobs/files/**/${sha256}*`).scan({ cwd: folder, absolute: true })))[0] ??
  "none";

/** A request whose body never comes to its end. */
async function beginUpload(url: string): Promise<Socket> {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  cleanups.push(() => socket.destroy());
  const headers = `Host: ${host}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n`;
  socket.write(`POST /v1/albums HTTP/1.1\r\n${headers}\r\n{`);
  await new Promise((resolve) => socket.once("connect", resolve));
  // Until the server has begun to read it, it has nothing to wait for: it reads in order of arrival, of each its part.
  for (let turn = 0; turn < 20; turn++) {
    await fetch(`${url}/healthz`);
    await Bun.sleep(10);
  }
  return socket;
}

describe("a server process", () => {
  test("prints its addresses, answers, and stops on a signal", async () => {
    const folder = await newFolder();
    const { child, url, out, err } = await start(folder);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect((await fetch(`${url}/docs`)).status).toBe(200);
    const poll = fetch(`${url}/v1/events?wait=30`);
    const stream = await fetch(`${url}/v1/events/stream`);
    await Bun.sleep(100);
    child.kill("SIGTERM");
    expect((await poll).status).toBe(200);
    expect(await stream.text()).toContain("heartbeat");
    expect(await child.exited).toBe(0);

    expect((await err.end()).trimEnd().split("\n")).toEqual([
      `Page           ${url}/`,
      `API            ${url}/v1`,
      `Documentation  ${url}/docs`,
      `Data           ${join(folder, "data")}`,
    ]);
    const lines = (await out)
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const told = lines.map((line) => line["operation"] ?? line["msg"]);
    expect([told[0], told.at(-1)]).toEqual(["ready", "stopped"]);
    expect(told.slice(1, -1)).toEqual(
      expect.arrayContaining(["getHealth", "getReadiness", "getDocs", "stopping", "listEvents"]),
    );
  });

  test("that listens on all addresses prints one of this machine, which browsers can open", async () => {
    const { url, child, err } = await start(await newFolder(), {
      IMAGE_STORE_HOST: "0.0.0.0",
      IMAGE_STORE_INSECURE: "true",
    });
    expect(new URL(url).hostname).toBe("127.0.0.1");
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    child.kill("SIGTERM");
    expect(await err.end()).toStartWith(`Page           ${url}/\nAPI            ${url}/v1\n`);
  });

  test("writes nothing but its log when a download is cut off", async () => {
    const folder = await newFolder();
    const { child, url, out, err } = await start(folder, {
      IMAGE_STORE_SMALL_IMAGE: "0",
      IMAGE_STORE_DESCRIBE: "false",
    });
    await fetch(`${url}/v1/albums/A`, { method: "PUT", body: "{}", headers: { "content-type": "application/json" } });
    for (const name of ["1.png", "2.png"]) {
      const put = await fetch(`${url}/v1/albums/A/images/${name}/content`, { method: "PUT", body: newPng(3_000_000) });
      const { sha256 } = (await put.json()) as { sha256: string };
      if (name === "2.png") await rm(await fileOf(folder, sha256));
    }
    expect(await rejectionOf(fetch(`${url}/v1/albums/A/zip`).then((response) => response.bytes()))).toBeInstanceOf(
      Error,
    );
    child.kill("SIGTERM");
    expect((await err.end()).trimEnd().split("\n")).toHaveLength(4);
    expect(await out).toContain("download of an album was cut off");
  });

  test("keeps its data over a restart", async () => {
    const folder = await newFolder();
    const first = await start(folder);
    const body = JSON.stringify({ name: "Summer" });
    const created = await fetch(`${first.url}/v1/albums`, {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    expect(created.status).toBe(201);
    first.child.kill("SIGINT");
    expect(await first.child.exited).toBe(0);
    const second = await start(folder);
    expect(await (await fetch(`${second.url}/v1/albums/Summer`)).json()).toEqual(await created.json());
  });

  test("stops after its deadline even with running requests", async () => {
    const folder = await newFolder();
    const { child, url, out } = await start(folder, { IMAGE_STORE_SHUTDOWN_TIMEOUT: "300ms" });
    await beginUpload(url);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    expect(await out).toContain("cut off");
  });

  test("ends at once on a second signal", async () => {
    const folder = await newFolder();
    const { child, url } = await start(folder, { IMAGE_STORE_SHUTDOWN_TIMEOUT: "1h" });
    await beginUpload(url);
    child.kill("SIGINT");
    // As npm passes on what the terminal has sent already: not a second request.
    child.kill("SIGINT");
    await Bun.sleep(1000);
    expect(child.exitCode).toBeNull();
    // It may have seen the first signal late, and then takes this for the same request.
    await until(() => {
      child.kill("SIGTERM");
      return child.exitCode !== null;
    }, 100);
    expect(await child.exited).toBe(143);
  });

  test("is refused a folder that another server uses, with the reason", async () => {
    const folder = await newFolder();
    const first = await start(folder);
    const second = await start(folder);
    expect(await second.child.exited).toBe(1);
    expect(await second.err.end()).toContain(`Another server uses this folder: ${join(folder, "data")}`);
    expect((await fetch(`${first.url}/readyz`)).status).toBe(200);
  });

  test("is refused blobs that another server uses, whatever its catalog", async () => {
    const folder = await newFolder();
    await start(folder);
    // Of the same store, as a copy of a data folder has it.
    await cp(join(folder, "data"), join(folder, "other"), { recursive: true });
    const second = await start(folder, {
      IMAGE_STORE_DATA: join(folder, "other"),
      IMAGE_STORE_BLOBS_URL: `file:${join(folder, "data", "blobs")}`,
    });
    expect(await second.child.exited).toBe(1);
    expect(await second.err.end()).toContain("Another server uses this folder");
  });

  test("refuses a catalog of a newer version with exit code 2 and does not change it", async () => {
    const folder = await newFolder();
    const { child } = await start(folder);
    child.kill("SIGTERM");
    await child.exited;
    const db = openDatabaseFile(join(folder, "data", "catalog.sqlite"));
    db.run("pragma user_version = 9999");
    db.close();
    const late = await start(folder);
    expect(await late.child.exited).toBe(2);
    expect(await late.err.end()).toContain("newer version");
  });

  test("refuses a port in use", async () => {
    const folder = await newFolder();
    const { url } = await start(folder);
    const second = await start(folder, {
      IMAGE_STORE_DATA: join(folder, "other"),
      IMAGE_STORE_PORT: new URL(url).port,
    });
    // The flag goes before the variable, so this one runs; without it, it does not.
    expect(second.url).not.toBe("");
    const code = await runHere(["--port", new URL(url).port, "--data", join(folder, "third")]).code;
    expect(code).toBe(1);
  });
});

/** The whole command line in this process. */
function runHere(argv: readonly string[], env: Record<string, string> = {}) {
  let text = "";
  const stoppable = Promise.withResolvers<() => void>();
  const said = Promise.withResolvers<string>();
  const tell = (part: string) => {
    text += part;
    const url = /^API\s+(\S+)\/v1$/m.exec(text)?.[1];
    if (url !== undefined) said.resolve(url);
  };
  const code = run({
    argv,
    env: { IMAGE_STORE_LOG_LEVEL: "silent", ...env },
    isTerminal: false,
    out: tell,
    err: tell,
    readFile: () => "",
    onStop(listener) {
      stoppable.resolve(listener);
      return () => {};
    },
  });
  return { code, url: said.promise, text: () => text, stop: async () => (await stoppable.promise)() };
}

describe("main() in this process", () => {
  test.each(["json", "pretty"])("serves until it is stopped, with %s logs", async (format) => {
    const folder = await newFolder();
    const server = runHere(["--port", "0", "--data", folder, "--log-format", format]);
    const url = await server.url;
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    await server.stop();
    expect(await server.code).toBe(0);
    expect(await fetch(`${url}/healthz`).catch(() => "refused")).toBe("refused");
  });

  test("handles a stop during start", async () => {
    const folder = await newFolder();
    const server = runHere(["--port", "0", "--data", folder]);
    await server.stop();
    expect(await server.code).toBe(0);
  });

  test("prints the committed openapi.json", async () => {
    const printed = runHere(["openapi"]);
    expect(await printed.code).toBe(0);
    expect(JSON.parse(printed.text())).toMatchObject({ openapi: "3.1.0", info: { title: "Image Store" } });
  });
});
