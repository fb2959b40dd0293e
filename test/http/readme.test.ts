import { expect, test } from "bun:test";
import { join } from "node:path";
import { PREFIX, SETTINGS, type Setting } from "../../src/config/settings.ts";
import { startStore } from "./harness.ts";

const root = join(import.meta.dir, "../..");
const readme = await Bun.file(join(root, "README.md")).text();

test.skipIf(Bun.which("curl") === null)("the README's walk-through works when it is pasted", async () => {
  await using store = await startStore();
  const blocks = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
  const script = blocks.find((block) => block.includes("store=http://localhost:8080/v1")) ?? "";
  const pasted = script.replace("http://localhost:8080", store.url);
  const shell = Bun.spawn(["bash", "-c", pasted], { cwd: root, stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([new Response(shell.stdout).text(), new Response(shell.stderr).text()]);
  expect(err).toBe("");
  const lines = out.trimEnd().split("\n");
  expect(lines).toHaveLength(8);
  expect(lines[2]).toBe("byte for byte");
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

test("the README's table has every setting as it is", () => {
  const rows = Object.entries<Setting<unknown>>(SETTINGS).map(([name, setting]) => {
    const flag = setting.flag === undefined ? "" : ` (\`--${setting.flag}\`)`;
    return `| \`${PREFIX}${name}\`${flag} | ${setting.default || setting.defaultHelp || ""} | ${setting.help} |`;
  });
  expect(readme.split("\n").filter((line) => line.startsWith(`| \`${PREFIX}`))).toEqual(rows);
});
