import { expect, test } from "bun:test";
import { appendFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "../../../client/src/index.ts";
import { readLocalFile } from "../../../src/cli/remote/local-file.ts";
import { sendFile } from "../../../src/cli/remote/send-file.ts";
import { startStore } from "../../http/harness.ts";
import { newPng } from "../../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { rejectionOf } from "../../waiting.ts";

test.each([false, true])(
  "a large file that changes or vanishes after it was read fails, and a small one is sent as it was read, with its progress shown: %p",
  async (isShown) => {
    let moved = 0;
    const progress = { isShown, moved: (bytes: number) => void (moved += bytes) };
    await using store = await startStore();
    const client = createClient({ url: store.url });
    await client.albums.create({ name: "Changing" });
    const folder = await newFolder("changing");
    try {
      const { signal } = new AbortController();
      const write = async (name: string, bytes: number) => {
        const path = join(folder, name);
        await Bun.write(path, newPng(bytes));
        return readLocalFile(path);
      };
      const send = (file: Awaited<ReturnType<typeof write>>) =>
        sendFile({ client, signal }, progress, file, "Changing", { name: "a.png" });
      const large = await write("large.png", 3 * 1024 * 1024);
      expect(await send(large)).toMatchObject({ sha256: large.sha256 });
      expect(moved).toBe(large.size);
      const other = await write("other.png", 3 * 1024 * 1024);
      await Bun.write(other.path, newPng(3 * 1024 * 1024));
      expect((await rejectionOf(send(other))).message).toBe("it changed while it was read");
      await rm(other.path);
      expect(await rejectionOf(send(other))).toBeInstanceOf(Error);
      const small = await write("small.png", 1000);
      await appendFile(small.path, "more");
      expect(await send(small)).toMatchObject({ sha256: small.sha256 });
    } finally {
      await removeFolder(folder);
    }
  },
);

test("16 files are sent at a time, and the store was asked for the bytes of all that wait", async () => {
  await using store = await startStore();
  const client = createClient({ url: store.url });
  await client.albums.create({ name: "Many" });
  let [sending, most] = [0, 0];
  let digests = 0;
  const enough = Promise.withResolvers<void>();
  const fetching = async (request: Request) => {
    const isUpload = request.method === "PUT";
    if (!isUpload) digests += ((await request.clone().json()) as { sha256: readonly string[] }).sha256.length;
    if (digests === FILES) enough.resolve();
    sending += Number(isUpload);
    most = Math.max(most, sending);
    if (isUpload) await enough.promise;
    return fetch(request).finally(() => {
      sending -= Number(isUpload);
    });
  };
  const watched = createClient({ url: store.url, fetch: fetching });
  const folder = await newFolder("many");
  try {
    const { signal } = new AbortController();
    const progress = { isShown: false, moved: () => undefined };
    const sent = Array.from({ length: FILES }, async (_, index) => {
      const path = join(folder, `${index}.png`);
      await Bun.write(path, newPng(100));
      const name = `${index}.png`;
      return sendFile({ client: watched, signal }, progress, await readLocalFile(path), "Many", { name });
    });
    expect(await Promise.all(sent)).toHaveLength(FILES);
    expect(most).toBe(16);
  } finally {
    await removeFolder(folder);
  }
});
const FILES = 40;
