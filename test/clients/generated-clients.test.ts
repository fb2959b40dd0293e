import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { cp, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { describeApi } from "../../src/app.ts";
import { startStore, type TestStore } from "../http/harness.ts";
import { newPng } from "../http/image-fixtures.ts";
import { CACHE } from "../services/cached-folder.ts";
import { classpathOf } from "../services/maven-jars.ts";
import { run } from "../services/run.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import {
  JAVA_LIBRARIES,
  type JavaLibrary,
  npmFolder,
  openApiGenerator,
  pythonFolder,
  runNpmProgram,
  toolsAreMissing,
} from "./tools.ts";

/** What each program does with its client, in this order; it ends at the first that fails. */
const STEPS = [
  "createAlbum",
  "uploadRaw",
  "uploadForm",
  "list",
  "page",
  "download",
  "patch",
  "events",
  "stream",
  "delete",
];
const KEY = "k".repeat(40);
const PROGRAMS = import.meta.dir;
const TSC = join(PROGRAMS, "../../node_modules/.bin/tsc");

const GENERATORS: Readonly<Record<string, object>> = {
  python: { generatorName: "python", additionalProperties: { packageName: "image_store" } },
  "java-native": { generatorName: "java", library: "native" },
  "java-okhttp-gson": { generatorName: "java", library: "okhttp-gson" },
  "java-restclient": { generatorName: "java", library: "restclient" },
  go: { generatorName: "go" },
  "typescript-fetch": { generatorName: "typescript-fetch" },
};

if (!toolsAreMissing()) {
  describe("clients generated from openapi.json", () => {
    let folder: string;
    let images: string;
    let store: TestStore;
    beforeAll(async () => {
      folder = await newFolder("clients");
      images = join(folder, "images");
      for (const name of ["a lake.png", "b.png", "c.png"]) await Bun.write(join(images, name), newPng(3000));
      const digest = createHash("sha256").update(KEY).digest("hex");
      store = await startStore({ API_KEYS: `all:read+write+delete+transform+share+events+admin:${digest}` });
      await generate(folder);
    });
    afterAll(async () => {
      await store?.[Symbol.asyncDispose]();
      await removeFolder(folder);
    });
    const stepsOf = async (command: string[], env: Record<string, string> = {}): Promise<string[]> =>
      (await run([...command, store.url, KEY, images], { env })).trim().split("\n");

    test("in Python complete the scenario", async () => {
      const PYTHONPATH = `${join(folder, "python")}:${await pythonFolder()}`;
      expect(await stepsOf(["python3", join(PROGRAMS, "python/use_client.py")], { PYTHONPATH })).toEqual(STEPS);
    });

    // Its native library reads every answer as JSON, so it has the events by pages only.
    test.each([
      ["native", STEPS.filter((step) => step !== "stream")],
      ["okhttp-gson", STEPS],
    ] as const)("in Java with %s compile and complete the scenario", async (library, steps) => {
      const programs = [join(PROGRAMS, "java/UseClient.java"), join(PROGRAMS, `java/${library}/Connection.java`)];
      const classes = await compileJava(folder, library, programs);
      const classpath = `${classes}:${await classpathOf(JAVA_LIBRARIES[library])}`;
      const java = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classpath, "UseClient"];
      expect(await stepsOf(java)).toEqual([...steps]);
    });

    test("in Java with restclient compile", async () => {
      await compileJava(folder, "restclient", []);
    });

    test("in Go compile", async () => {
      await run(["go", "build", "./..."], {
        cwd: join(folder, "go"),
        env: { GOCACHE: join(CACHE, "go-build"), GOFLAGS: "-mod=mod" },
      });
    });

    test("in TypeScript (three generators) compile under --strict and complete the scenario", async () => {
      const typescript = await prepareTypeScript(folder);
      await run([TSC, "-p", typescript]);
      for (const client of ["openapi-fetch", "hey-api", "typescript-fetch"]) {
        const steps = await stepsOf([process.execPath, join(typescript, `use-${client}.ts`)]);
        expect([client, ...steps]).toEqual([client, ...STEPS]);
      }
    });
  });
}

/** All that openapi-generator makes, by one process. */
async function generate(folder: string): Promise<void> {
  const document = join(folder, "openapi.json");
  await Bun.write(document, describeApi());
  const files: string[] = [];
  for (const [name, generator] of Object.entries(GENERATORS)) {
    const file = join(folder, "generators", `${name}.json`);
    await Bun.write(file, JSON.stringify({ ...generator, inputSpec: document, outputDir: join(folder, name) }));
    files.push(file);
  }
  await openApiGenerator("batch", "--fail-fast", "--threads", "2", ...files);
}

/** @returns the folder with the classes of the client and of the programs that use it */
async function compileJava(folder: string, library: JavaLibrary, programs: readonly string[]): Promise<string> {
  const source = join(folder, `java-${library}`, "src/main/java");
  const files = await Array.fromAsync(new Bun.Glob("**/*.java").scan({ cwd: source, absolute: true }));
  expect(files.length).toBeGreaterThan(30);
  const classes = join(folder, "classes", library);
  const options = ["-parameters", "-nowarn", "-proc:none", "-d", classes];
  await run(["javac", ...options, "-cp", await classpathOf(JAVA_LIBRARIES[library]), ...files, ...programs]);
  return classes;
}

/** @returns a folder with the programs, the three clients, and a tsconfig.json */
async function prepareTypeScript(folder: string): Promise<string> {
  const typescript = join(folder, "typescript");
  const document = join(folder, "openapi.json");
  await mkdir(typescript);
  await cp(join(PROGRAMS, "typescript"), typescript, { recursive: true });
  await cp(join(folder, "typescript-fetch"), join(typescript, "typescript-fetch"), { recursive: true });
  await symlink(join(await npmFolder(), "node_modules"), join(typescript, "node_modules"));
  await runNpmProgram("openapi-typescript/bin/cli.js", [document, "-o", join(typescript, "schema.d.ts")]);
  await runNpmProgram("@hey-api/openapi-ts/bin/run.js", ["-i", document, "-o", join(typescript, "hey-api")], {
    cwd: folder,
  });
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: "ES2022",
    module: "preserve",
    moduleResolution: "bundler",
    lib: ["ES2022", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
    typeRoots: [join(PROGRAMS, "../../node_modules/@types")],
    types: ["bun"],
    allowImportingTsExtensions: true,
  };
  await Bun.write(join(typescript, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["."] }));
  return typescript;
}
