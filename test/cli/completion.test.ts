import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { COMMAND_NAMES, COMMANDS, GROUPS, optionsOf } from "../../src/cli/commands.ts";
import { complete } from "../../src/cli/completion/complete.ts";
import { slotOf } from "../../src/cli/completion/slots.ts";
import { startStore, type TestStore } from "../http/harness.ts";
import { newPng } from "../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { cliOf } from "./remote/run-remote.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");

let store: TestStore;
let home: string;
beforeAll(async () => {
  store = await startStore();
  home = await newFolder("completion");
  const [bin, photos] = [join(home, "bin"), join(home, "photos")];
  await mkdir(bin);
  await mkdir(photos);
  await Bun.write(join(bin, "image-store"), `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
  await chmod(join(bin, "image-store"), 0o755);
  const cli = cliOf(store.url, home);
  for (const name of ["lake é.png", "dawn.png"]) await Bun.write(join(photos, name), newPng());
  for (const album of ["Summer 26", "Spring:one"])
    await cli("put", join(photos, "lake é.png"), join(photos, "dawn.png"), album);
});
afterAll(async () => {
  await removeFolder(home);
  await store[Symbol.asyncDispose]();
});

const environment = () => ({
  PATH: `${join(home, "bin")}:${process.env["PATH"]}`,
  HOME: home,
  LANG: "C.UTF-8",
  TERM: "dumb",
  IMAGE_STORE_URL: store.url,
});

const noNames = () => Promise.resolve([]);
const valuesOf = async (...words: readonly string[]): Promise<readonly string[]> =>
  (await complete(words, noNames)).candidates.map(({ value }) => value);

describe("completion knows", () => {
  test("every command, group and option of the command table", async () => {
    const words = COMMAND_NAMES.filter((name) => !name.includes(" ") && name !== "complete");
    expect(await valuesOf("")).toEqual([...words, ...Object.keys(GROUPS)]);
    for (const name of COMMAND_NAMES)
      expect(await valuesOf(...name.split(" "), "--")).toEqual(
        Object.keys(optionsOf(name)).map((option) => `--${option}`),
      );
  });

  test("what every placeholder of the usage lines stands for, or that it is the user's to know", async () => {
    const free = new Set(["ID", "NAME", "TAG", "URL", "TOKEN", "WORD"]);
    const placeholders = COMMAND_NAMES.flatMap((name) => COMMANDS[name].operand?.split(/ \| | /) ?? []);
    for (const placeholder of new Set(placeholders)) {
      const isKnown = slotOf(placeholder) !== undefined || free.has(placeholder.replaceAll(/[[\]…]/g, ""));
      expect({ placeholder, isKnown }).toEqual({ placeholder, isKnown: true });
    }
  });

  test.each([
    [
      ["quota", "show", ""],
      ["store", "album", "key"],
    ],
    [["quota", "show", "store", ""], []],
    [["key", "create", "x", "--role", "v"], ["viewer"]],
    [
      ["put", "a.png", "A", "--if-exists", "keep"],
      ["keep", "keep-both"],
    ],
    [
      ["completion", ""],
      ["bash", "zsh", "fish"],
    ],
    [["ls", "--json", "--j"], []],
    [["nonsense", ""], []],
    [["nonsense", "--js"], ["--json"]],
    [["share", "re"], ["revoke"]],
    [["import", "s"], ["s3://"]],
    [["import", "s3://bucket"], []],
  ])("what may follow %j", async (words, values) => {
    expect(await valuesOf(...words)).toEqual(values);
  });

  test.each([
    [["put", ""], ["files"]],
    [["sync", ""], ["folders"]],
    [["get", "A", ""], ["folders"]],
    [["import", ""], ["folders"]],
    [["backup", "", ""], []],
    [["backup", ""], ["folders"]],
    [["serve", "--data", ""], ["folders"]],
    [["serve", "--api-keys-file", ""], ["files"]],
  ])("where %j takes files or folders", async (words, paths) => {
    expect((await complete(words, noNames)).paths).toEqual(paths as ("files" | "folders")[]);
  });

  test("names of the store, of the URL on the command line, and none without a store", async () => {
    const cli = cliOf(store.url, home);
    expect((await cli("complete", "--", "ls", "Su")).out).toBe("names\nSummer 26\t2 images\n");
    expect((await cli("complete", "--", "stat", "Summer 26/la")).out).toMatch(/^names\nSummer 26\/lake é\.png\t/);
    expect((await cli("complete", "--", "cp", "S")).out).toMatch(/^names nospace\nSpring:one\/\t.*\nSummer 26\/\t/);
    const elsewhere = { env: { HOME: home, IMAGE_STORE_URL: "http://127.0.0.1:1" } };
    const lost = cliOf("", home, elsewhere);
    expect(await lost("complete", "--", "ls", "--url", store.url, "Spr")).toMatchObject({
      out: "names\nSpring:one\t2 images\n",
    });
    expect(await lost("complete", "--", "ls", "Spr")).toEqual({ code: 0, out: "\n", err: "" });
    expect(await lost("complete", "--", "ls", "--url", "nonsense", "Spr")).toEqual({ code: 0, out: "\n", err: "" });
  });
});

/** Types text into a shell on a terminal, step by step: each waits for what the terminal then shows. Prints what it showed. */
const TYPE = `
import json, os, pty, select, sys, time
shell, steps = json.loads(sys.argv[1]), json.loads(sys.argv[2])
pid, fd = pty.fork()
if pid == 0:
    os.execvpe(shell[0], shell, os.environ)
shown = b""
def wait(text):
    global shown
    seen, end = b"", time.time() + 60
    while text.encode() not in seen:
        ready, _, _ = select.select([fd], [], [], max(0, end - time.time()))
        if not ready:
            print("waited for", repr(text), "and saw", seen.decode(errors="replace"))
            sys.exit(1)
        data = os.read(fd, 4096)
        seen += data
        shown += data
for text, expected in steps:
    os.write(fd, text.encode())
    wait(expected)
os.close(fd)
sys.stdout.buffer.write(shown)
`;

async function type(shell: readonly string[], steps: readonly (readonly [text: string, shown: string])[]) {
  const argv = ["python3", "-c", TYPE, JSON.stringify(shell), JSON.stringify(steps)];
  const child = Bun.spawn(argv, { env: environment(), cwd: home, stdout: "pipe", stderr: "pipe" });
  const [out, err] = [await child.stdout.text(), await child.stderr.text()];
  expect({ code: await child.exited, out, err }).toMatchObject({ code: 0, err: "" });
  return out;
}

/** The shell prints what it was completed to, in brackets. */
const SHOW = "printf '[%s]' ";
/** Typed text, with a tab for the key, and the words that a program then gets. */
const COMPLETED: readonly (readonly [typed: string, words: string])[] = [
  ["image-store quo\t sh\t al\t", "[image-store][quota][show][album]"],
  ["image-store ls Summ\t", "[image-store][ls][Summer 26]"],
  ["image-store stat 'Summer 26/la\t", "[image-store][stat][Summer 26/lake é.png]"],
  ["image-store ls Spring\t --js\t", "[image-store][ls][Spring:one][--json]"],
  ["image-store stat Spring:one/d\t", "[image-store][stat][Spring:one/dawn.png]"],
  ["image-store put photos/da\t", "[image-store][put][photos/dawn.png]"],
  ["image-store import s3\tbucket", "[image-store][import][s3://bucket]"],
];

describe.skipIf(Bun.which("python3") === null)("completion in a real shell", () => {
  // The line is completed as one of image-store, and then printed instead of run.
  const RUN = "\u0001 show \u0005\n";

  test.skipIf(Bun.which("bash") === null).each(COMPLETED)("bash: %j", async (typed, words) => {
    const show = `show() { ${SHOW}"$@"; echo; }`;
    await type(
      ["bash", "--norc", "--noprofile", "-i"],
      [
        [`PS1='re''ady>'; ${show}; source <(image-store completion bash); echo lo''aded\n`, "loaded"],
        ...stepsOf(typed),
        [RUN, words],
      ],
    );
  });

  test.skipIf(Bun.which("zsh") === null).each(COMPLETED)("zsh: %j", async (typed, words) => {
    const show = `show() { ${SHOW}"$@"; echo; }`;
    await type(
      ["zsh", "-f", "-i"],
      [
        [
          `PROMPT='re''ady>'; bindkey -e; autoload -Uz compinit; compinit -u -D; ${show}; source <(image-store completion zsh); echo lo''aded\n`,
          "loaded",
        ],
        ...stepsOf(typed),
        [RUN, words],
      ],
    );
  });

  const FISH: readonly (readonly [line: string, candidate: string])[] = [
    ["image-store quo", "quota\t"],
    ["image-store quota show al", "album"],
    ["image-store ls Summ", "Summer 26\t2 images"],
    ["image-store stat 'Summer 26/la", "Summer 26/lake é.png\t"],
    ["image-store ls Spring:one --js", "--json\t"],
    ["image-store put photos/da", "photos/dawn.png"],
    ["image-store import s3", "s3://"],
  ];
  test.skipIf(Bun.which("fish") === null).each(FISH)("fish: %j", async (line, candidate) => {
    const script = "image-store completion fish | source; complete -C $argv[1]";
    const child = Bun.spawn(["fish", "--no-config", "-c", script, line], {
      env: environment(),
      cwd: home,
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err] = [await child.stdout.text(), await child.stderr.text()];
    expect({ code: await child.exited, err }).toEqual({ code: 0, err: "" });
    expect(out.split("\n").some((found) => found.startsWith(candidate))).toBe(true);
  });
});

/** What is typed up to a tab, and its last character, which the terminal shows when it has taken it. */
function stepsOf(typed: string): readonly (readonly [string, string])[] {
  return typed.split(/(?<=\t)/).map((text) => [text, text.trimEnd().slice(-1)] as const);
}
