import { expect, test } from "bun:test";
import { chmodSync, readdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "../../../client/src/index.ts";
import { receiveFile } from "../../../src/cli/remote/receive-file.ts";
import { newPng } from "../../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { rejectionOf } from "../../waiting.ts";

// The second is received in chunks.
test.each([2000, 3_000_000])(
  "a link in place of a file of %d bytes being received opens no other file to others",
  async (size) => {
    const home = await newFolder("receive-file");
    try {
      const [folder, secret] = [join(home, "shared"), join(home, "secret")];
      await mkdir(folder);
      await Bun.write(secret, "secret");
      chmodSync(secret, 0o600);
      const bytes = newPng(size);
      const image = {
        name: "a.png",
        size: bytes.length,
        sha256: new Bun.CryptoHasher("sha256").update(bytes).digest("hex"),
        links: { self: "/self", content: "/content" },
      };
      const client = createClient({ url: "http://store.example.com", fetch: async () => new Response(bytes) });
      const context = { argv: [], env: {}, isTerminal: false, umask: 0o022 };
      const unused = { out: () => {}, err: () => {}, readFile: () => "", onStop: () => () => {} };
      const call = { client, signal: new AbortController().signal, context: { ...context, ...unused } };
      const moved = () => {
        const [name = ""] = readdirSync(folder);
        rmSync(join(folder, name));
        symlinkSync(secret, join(folder, name));
      };
      expect(await rejectionOf(receiveFile(call, { moved }, image, folder))).toMatchObject({ code: "ELOOP" });
      expect(statSync(secret).mode & 0o777).toBe(0o600);
      expect(readdirSync(folder)).toEqual([]);
    } finally {
      await removeFolder(home);
    }
  },
);
