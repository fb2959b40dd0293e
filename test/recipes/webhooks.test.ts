import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cp, symlink } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../services/free-ports.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { until } from "../waiting.ts";
import { codeOf, environmentOf, isUp } from "./page.ts";

const root = join(import.meta.dir, "../..");
const {
  sh: [start = "", make = "", upload = "", look = "", makeByCommand = "", lookByCommand = "", , replay = ""] = [],
  ts: [receiver = ""] = [],
} = codeOf("../webhooks");

let folder: string;
let url: string;
let receiverPort: string;
const running: Bun.Subprocess[] = [];

/** The code of the page as it stands, but for the ports. */
const withPorts = (code: string) =>
  code.replaceAll("localhost:8080", new URL(url).host).replaceAll("3000", receiverPort);

/** Runs commands of the page. What they start last takes the place of their shell, so that it can be ended. */
function run(commands: string) {
  const pasted = withPorts(commands)
    .replace(/^image-store$/m, `exec bun ${root}/src/main.ts`)
    .replace(/^bun receiver/m, "exec bun receiver");
  const path = `${root}/node_modules/.bin:${process.env["PATH"]}`;
  const child = Bun.spawn(
    ["bash", "-euo", "pipefail", "-c", `image-store() { bun ${root}/src/main.ts "$@"; }\n${pasted}`],
    {
      cwd: folder,
      env: { ...environmentOf(url), IMAGE_STORE_URL: url, PATH: path },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    },
  );
  running.push(child);
  return child;
}

async function outputOf(commands: string): Promise<string> {
  const child = run(commands);
  const text = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  return text;
}

/** Whether the receiver listens: an event that is refused a third time comes again after minutes only. */
const receives = async () => (await fetch(`http://127.0.0.1:${receiverPort}`).catch(() => undefined)) !== undefined;

/** What a program has written so far, by lines. */
function linesOf({ stdout }: { readonly stdout: ReadableStream<Uint8Array> }): readonly string[] {
  const lines: string[] = [];
  const read = async () => {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of stdout) {
      const [last = "", ...whole] = (rest + decoder.decode(chunk, { stream: true })).split("\n").toReversed();
      lines.push(...whole.toReversed());
      rest = last;
    }
  };
  void read();
  return lines;
}

describe("the first delivery of docs/webhooks.md", () => {
  beforeAll(async () => {
    folder = await newFolder("first-delivery");
    url = `http://localhost:${await freePort()}`;
    receiverPort = String(await freePort());
    await cp(join(root, "docs/dusk.jpg"), join(folder, "docs/dusk.jpg"));
    await symlink(join(root, "node_modules"), join(folder, "node_modules"));
    await Bun.write(join(folder, "receiver.ts"), withPorts(receiver));
    run(start);
    await until(() => isUp(`${url}/readyz`), 20);
  });
  afterAll(async () => {
    for (const child of running.toReversed()) child.kill();
    await Promise.all(running.map(({ exited }) => exited));
    await removeFolder(folder);
  });

  test("is printed by the receiver, and told by the store, after the commands of the page", async () => {
    const lines = linesOf(run(make));
    await until(() => lines.length > 0);
    const { id } = JSON.parse(lines[0] ?? "") as { id: string };

    await until(receives, 20);
    await outputOf(upload);
    const types = () => lines.slice(1).map((line) => line.split(" ")[0] ?? "");
    await until(() => types().length >= 3);
    expect(types()).toEqual(["imagestore.album.created", "imagestore.image.created", "imagestore.image.updated"]);

    interface Attempt {
      readonly type: string;
      readonly delivered: boolean;
      readonly status: number;
    }
    const attempts = async () =>
      (JSON.parse(await outputOf(`store=${url}/v1 id=${id}\n${look}`)) as { items: Attempt[] }).items;
    // They are saved a few times a second.
    await until(async () => (await attempts()).filter(({ delivered }) => delivered).length >= 3);
    const delivered = (await attempts()).filter((attempt) => attempt.delivered);
    expect(delivered.map(({ type, status }) => [type, status])).toEqual(
      types()
        .toReversed()
        .map((type) => [type, 204]),
    );

    // All that the webhook has had, on a machine of whatever date.
    const again = replay.replace(/(?<="from": ")[^"]+/, "2020-01-01T00:00:00Z");
    expect(again).not.toBe(replay);
    const had = types();
    expect(JSON.parse(await outputOf(`store=${url}/v1 id=${id}\n${again}`))).toMatchObject({ to: expect.any(String) });
    await until(() => types().length >= 2 * had.length);
    expect(types()).toEqual([...had, ...had]);
  });

  test("is the same with the commands of the command line", async () => {
    for (const receiving of running.splice(1)) {
      receiving.kill();
      await receiving.exited;
    }
    const webhooks = async () =>
      ((await (await fetch(`${url}/v1/webhooks`)).json()) as { items: { id: string }[] }).items;
    const before = await webhooks();
    const lines = linesOf(run(makeByCommand));
    await until(async () => (await webhooks()).length > before.length);
    const made = (await webhooks()).find(({ id }) => !before.some((one) => one.id === id));
    await until(receives, 20);
    const album = { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"name": "Winter"}' };
    expect((await fetch(`${url}/v1/albums`, album)).status).toBe(201);
    await until(() => lines.length > 0);
    expect(lines[0]).toMatch(/^imagestore\.album\.created albums\//);
    const [tested, ...attempts] = (await outputOf(`id=${made?.id}\n${lookByCommand}`)).trim().split("\n");
    expect(tested).toMatch(/^Delivered: 204 in \d+ ms$/);
    expect(attempts.length).toBeLessThan(10);
  });
});
