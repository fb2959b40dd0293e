import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import packageJson from "../../package.json" with { type: "json" };
import { parseArguments } from "../../src/cli/arguments.ts";
import { COMMAND_NAMES, optionsOf } from "../../src/cli/commands.ts";
import type { CliContext } from "../../src/cli/context.ts";
import { run } from "../../src/cli/run.ts";
import type { Setting } from "../../src/config/setting.ts";
import { PREFIX, SETTINGS } from "../../src/config/settings.ts";
import { RIGHTS } from "../../src/domain/access.ts";

async function runWith(argv: readonly string[], env: CliContext["env"] = {}) {
  let out = "";
  let err = "";
  const code = await run({
    argv,
    env,
    isTerminal: false,
    out: (text) => (out += text),
    err: (text) => (err += text),
    readFile: () => "",
    onStop: () => () => {},
  });
  return { code, out, err };
}

describe("image-store help and version", () => {
  test.each(["help", "--help", "-h"])("%s lists every command and every setting", async (command) => {
    const { code, out, err } = await runWith([command]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const name of Object.keys(SETTINGS)) expect(out).toContain(PREFIX + name);
    for (const known of COMMAND_NAMES) {
      const [word = "", action] = known.split(" ");
      expect(out).toMatch(new RegExp(`^ {2}image-store ${word}\\b`, "m"));
      if (action !== undefined)
        expect(out.replaceAll(/\s+/g, " ")).toMatch(new RegExp(`${word} COMMAND [^()]*\\([^)]*\\b${action}\\b`));
    }
  });

  test.each(COMMAND_NAMES)("%s --help lists each option of that command and two examples that parse", async (name) => {
    const { code, out, err } = await runWith([...name.split(" "), "--help"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toStartWith(`Usage: image-store ${name}`);
    const told = [...out.matchAll(/^  (?:-h, )?--([\w-]+)/gm)].map((match) => match[1] ?? "");
    expect(told).toEqual(Object.keys(optionsOf(name)));
    const examples = [...out.matchAll(/^  image-store (.*)$/gm)].map((match) => match[1] ?? "");
    expect(examples.length).toBeGreaterThanOrEqual(2);
    for (const example of examples) {
      const argv = example.replace(/ [|<>].*/, "").split(" ");
      const { command, topic } = parseArguments(argv.filter((word) => word !== "" && !word.startsWith("$")));
      expect([command, topic]).toContain(name);
    }
    expect(await runWith(["help", ...name.split(" ")])).toEqual({ code, out, err });
    for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
  });

  test("serve has an option for every setting with a flag", () => {
    const flags = Object.values<Setting<unknown>>(SETTINGS).flatMap(({ flag }) => flag ?? []);
    expect(Object.keys(optionsOf("serve"))).toEqual(expect.arrayContaining(flags));
  });

  test.each(["version", "--version", "-v"])("%s", async (argument) => {
    expect(await runWith([argument])).toEqual({ code: 0, out: `${packageJson.version}\n`, err: "" });
  });

  test("work with an invalid configuration", async () => {
    expect((await runWith(["help"], { IMAGE_STORE_PORT: "x" })).code).toBe(0);
  });
});

describe("image-store key", () => {
  test("prints a 256-bit key and its line for the key file", async () => {
    const { code, out } = await runWith(["key", "app", "--rights", "read,write"]);
    const [key = "", line, ...rest] = out.trimEnd().split("\n");
    expect(code).toBe(0);
    expect(rest).toEqual([]);
    expect(Buffer.from(key, "base64url")).toHaveLength(32);
    expect(line).toBe(`app:read+write:${createHash("sha256").update(key).digest("hex")}`);
    // Its own line is good configuration: only the port is complained of.
    const { err } = await runWith(["serve", "--host", "0.0.0.0", "--port", "x"], { IMAGE_STORE_API_KEYS: line });
    expect(err).toContain("a problem.\n- IMAGE_STORE_PORT");
  });

  test("takes roles for rights", async () => {
    const { out } = await runWith(["key", "app", "--rights", "editor,admin,read"]);
    expect(out.split("\n")[1]).toStartWith("app:read+write+delete+transform+share+events+admin:");
    expect((await runWith(["key", "app", "--rights", "constructor"])).code).toBe(2);
  });

  test("prints a different key each time", async () => {
    const [one, two] = await Promise.all([1, 2].map(() => runWith(["key", "app", "--rights", "read"])));
    expect(one?.out).not.toBe(two?.out as string);
  });

  test.each([
    [["key"], "needs a name"],
    [["key", "a b", "--rights", "read"], "needs a name"],
    [["key", "app"], "needs rights"],
    [["key", "app", "--rights", "read,destroy"], RIGHTS.join(", ")],
  ])("refuses %j", async (argv, message) => {
    const { code, out, err } = await runWith(argv);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
  });
});

describe("command line usage", () => {
  test.each([
    [["explode"], 'Unknown command "explode". Run "image-store --help"'],
    [["chekc"], 'Unknown command "chekc". Did you mean "check"?'],
    [["help", "explode"], 'Unknown command "explode".'],
    [["serve", "now"], '"serve" takes no argument, not "now". Run "image-store serve --help"'],
    [["key", "app", "more"], '"key entry" takes one argument, not "more"'],
    [["cursor"], '"cursor" needs one of list, show, rewind, delete. Run "image-store cursor --help"'],
    [["cursor", "lsit"], 'Unknown command "cursor lsit". Did you mean "list"?'],
    [["quoat"], 'Unknown command "quoat". Did you mean "quota"?'],
    [["help", "cursor", "lsit"], 'Unknown command "cursor lsit".'],
    [["--colour"], "Unknown option --colour. Run"],
    [["--prot", "80"], "Unknown option --prot. Did you mean --port?"],
    [["check", "--reapir"], "Unknown option --reapir. Did you mean --repair?"],
    [["-x"], "Unknown option -x."],
    [["--port"], "Option --port needs a value: --port PORT"],
    [["--port", "--insecure"], "Option --port needs a value: --port PORT"],
    [["check", "--repair=yes"], "Option --repair takes no value."],
    [["serve", "--rights", "read"], '"serve" has no option --rights, which belongs to "key create", '],
    [["key", "app", "--port", "80"], '"key entry" has no option --port, which belongs to "serve"'],
    [["check", "--port", "80"], '"check" has no option --port'],
    [["backup"], '"backup" needs a folder: image-store backup DIR. Run "image-store backup --help"'],
    [["restore"], '"restore" needs a folder'],
    [["backup", "a", "b"], '"backup" takes one argument, not "b"'],
    [["epoch", "1"], '"epoch" takes no argument, not "1"'],
    [["serve", "--renew"], '"serve" has no option --renew, which belongs to "epoch". Run "image-store epoch --help"'],
    [["backup", "a", "--partial"], '"backup" has no option --partial, which belongs to "restore"'],
    [["backup", "a", "--repair"], '"backup" has no option --repair, which belongs to "check"'],
    [["restore", "a", "--verify"], '"restore" has no option --verify, which belongs to "backup"'],
  ])("%j is refused with exit code 2", async (argv, message) => {
    const { code, out, err } = await runWith(argv);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
  });

  test("all configuration problems are reported at once, with exit code 2", async () => {
    const { code, err } = await runWith(["--port", "x", "--insecure"], {
      IMAGE_STORE_GRACE: "x",
      IMAGE_STORE_PROT: "1",
    });
    expect(code).toBe(2);
    expect(err).toStartWith("The configuration has 3 problems.\n");
    expect(err).toContain("- Unknown setting IMAGE_STORE_PROT. Did you mean IMAGE_STORE_PORT?");
    for (const name of ["PORT (--port)", "GRACE"]) expect(err).toContain(`- IMAGE_STORE_${name} must be`);
  });

  test("check validates the same configuration", async () => {
    const { code, err } = await runWith(["check"], { IMAGE_STORE_PORT: "x" });
    expect(code).toBe(2);
    expect(err).toContain("IMAGE_STORE_PORT");
  });
});
