import { expect, test } from "bun:test";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { startStore } from "./harness.ts";

const root = join(import.meta.dir, "../..");
const readme = await Bun.file(join(root, "README.md")).text();

const shellBlocks = (page: string) => [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = ""]) => block);

test.skipIf(Bun.which("curl") === null)("the commands of README's walk-through work when pasted", async () => {
  await using store = await startStore();
  const blocks = shellBlocks(readme);
  const script = blocks.find((block) => block.includes("store=http://localhost:8080/v1")) ?? "";
  const pasted = script.replace("http://localhost:8080", store.url);
  const shell = Bun.spawn(["bash", "-c", pasted], { cwd: root, stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([new Response(shell.stdout).text(), new Response(shell.stderr).text()]);
  expect(err).toBe("");
  const lines = out.trimEnd().split("\n");
  expect(lines).toHaveLength(8);
  expect(lines[2]).toBe("identical");
  expect(Number(lines[3])).toBeWithin(100, Bun.file(join(root, "docs/dusk.jpg")).size);
  const [album, image, link, listing, created, deleted] = lines
    .filter((line) => line.startsWith("{"))
    .map(
      (line) =>
        JSON.parse(line) as {
          name: string;
          url: string;
          items: { name: string; type: string; data: { name: string } }[];
        },
    );
  expect(album?.name).toBe("Summer");
  expect(image?.name).toBe("dusk.jpg");
  expect(link?.url).toContain("&signature=");
  expect(listing?.items.map((item) => item.name)).toEqual(["dusk.jpg"]);
  expect(created?.items.map((item) => item.type)).toEqual(["imagestore.image.created"]);
  expect(deleted?.items.map((item) => item.type)).toEqual(["imagestore.image.deleted"]);
});

test.skipIf(Bun.which("curl") === null)(
  "the curl commands of the API's pages succeed, in the order of the pages",
  async () => {
    await using store = await startStore();
    const folder = await newFolder("pages");
    try {
      for (const name of ["lake.jpg", "one.jpg", "two.jpg", "dusk.jpg"])
        await copyFile(join(root, "docs/dusk.jpg"), join(folder, name));
      await writeFile(join(folder, "admin.key"), "none");
      const pages = ["uploads", "batches", "listings", "links", "images", "events", "access"].map(
        (name) => `docs/${name}.md`,
      );
      const texts = await Promise.all(pages.map((page) => Bun.file(join(root, page)).text()));
      const commands = texts
        .flatMap(shellBlocks)
        .filter((block) => block.includes("curl ") && !block.includes("curl -N"))
        // The first key would close the store to the others; the recipe of a team makes keys.
        .filter((block) => !block.includes("image-store key"))
        .map((block) => block.replaceAll("wait=30", "wait=0").replace(/^store=.*$/m, ""));
      expect(commands).toHaveLength(17);
      const api = `${store.url}/v1`;
      const json = { "Content-Type": "application/json" };
      for (const name of ["Summer", "avatars", "Wedding"])
        await fetch(`${api}/albums`, { method: "POST", headers: json, body: JSON.stringify({ name }) });
      for (const [name, file] of [
        ["boat.png", "docs/images/boat.png"],
        ["dusk.jpg", "docs/dusk.jpg"],
      ] as const)
        await fetch(`${api}/albums/Summer/images/${name}/content`, { method: "PUT", body: Bun.file(join(root, file)) });
      for (const command of commands) {
        const shell = Bun.spawn(["bash", "-c", command.replaceAll("curl ", "curl -sS --fail-with-body ")], {
          cwd: folder,
          env: { ...process.env, store: api, key: "none", cursor: "latest" },
          stdout: "pipe",
          stderr: "pipe",
        });
        const [out, err, code] = await Promise.all([
          new Response(shell.stdout).text(),
          new Response(shell.stderr).text(),
          shell.exited,
        ]);
        expect({ command, out, err, code }).toEqual({ command, out: expect.stringMatching(/^\{/), err: "", code: 0 });
      }
    } finally {
      await removeFolder(folder);
    }
  },
);
