import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { describeApi } from "../../src/app.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { openApiGenerator, runNpmProgram, toolsAreMissing } from "./tools.ts";

const configuration = (name: string): string => join(import.meta.dir, name);

/** Each answers what it found. */
const LINTERS: Readonly<Record<string, (file: string) => Promise<unknown>>> = {
  async "openapi-generator"(file) {
    const output = await openApiGenerator("validate", "--recommend", "-i", file).catch(String);
    return output.includes("No validation issues detected.") ? [] : output;
  },
  async Redocly(file) {
    const args = ["lint", "--config", configuration("redocly.yaml"), "--format=json", file];
    const output = await runNpmProgram("@redocly/cli/bin/cli.js", args).catch((error: Error) => error.message);
    return (JSON.parse(/^\{.*^\}/ms.exec(output)?.[0] ?? "") as { problems: unknown }).problems;
  },
  async Spectral(file) {
    const args = ["lint", "-r", configuration("spectral.yaml"), "-f", "json", "-q", "--fail-severity=hint", file];
    const output = await runNpmProgram("@stoplight/spectral-cli/dist/index.js", args).catch((e: Error) => e.message);
    return JSON.parse(/^\[.*^\]|^\[\]/ms.exec(output)?.[0] ?? "");
  },
};

if (!toolsAreMissing()) {
  describe("openapi.json", () => {
    let folder: string;
    let sound: string;
    let planted: string;
    beforeAll(async () => {
      folder = await newFolder("lint");
      sound = join(folder, "openapi.json");
      planted = join(folder, "planted.json");
      await Bun.write(sound, describeApi());
      const document = JSON.parse(describeApi()) as { info: { license: object }; paths: Record<string, object> };
      document.info.license = { name: "Apache License 2.0" };
      delete (document.paths["/healthz"] as { get: { operationId?: string } }).get.operationId;
      await Bun.write(planted, JSON.stringify(document, null, 2));
    });
    afterAll(() => removeFolder(folder));

    test.each(Object.entries(LINTERS))("passes %s, which finds a planted fault", async (_name, lint) => {
      expect(await lint(sound)).toEqual([]);
      expect(await lint(planted)).not.toEqual([]);
    });
  });
}
