import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import packageJson from "../../package.json" with { type: "json" };
import { run } from "../../src/cli/run.ts";
import type { Surroundings } from "../../src/cli/surroundings.ts";
import { PREFIX, SETTINGS } from "../../src/config/settings.ts";

async function runWith(argv: readonly string[], env: Surroundings["env"] = {}) {
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

describe("help and version", () => {
  test.each(["help", "--help", "-h", "key --help"])("%s", async (command) => {
    const { code, out, err } = await runWith(command.split(" "));
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const name of Object.keys(SETTINGS)) expect(out).toContain(PREFIX + name);
    for (const known of ["serve", "check", "backup", "restore", "epoch", "key", "openapi", "version"])
      expect(out).toContain(`image-store ${known}`.replace(" serve", " [serve]"));
  });

  test.each(["version", "--version", "-v"])("%s", async (argument) => {
    expect(await runWith([argument])).toEqual({ code: 0, out: `${packageJson.version}\n`, err: "" });
  });

  test("need no sound configuration", async () => {
    expect((await runWith(["help"], { IMAGE_STORE_PORT: "x" })).code).toBe(0);
  });
});

describe("key", () => {
  test("prints a key of 256 bits and the line that lets it in", async () => {
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

  test("no two are alike", async () => {
    const [one, two] = await Promise.all([1, 2].map(() => runWith(["key", "app", "--rights", "read"])));
    expect(one?.out).not.toBe(two?.out as string);
  });

  test.each([
    [["key"], "needs a name"],
    [["key", "a b", "--rights", "read"], "needs a name"],
    [["key", "app"], "needs rights"],
    [["key", "app", "--rights", "read,destroy"], "read, write, transform, admin"],
  ])("%j is refused", async (argv, message) => {
    const { code, out, err } = await runWith(argv);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
  });
});

describe("usage", () => {
  test.each([
    [["explode"], 'no command "explode"'],
    [["serve", "now"], '"now" is one argument too many'],
    [["key", "app", "more"], '"more" is one argument too many'],
    [["--colour"], "--colour"],
    [["--port"], "--port"],
    [["serve", "--rights", "read"], "belongs to the command key"],
    [["backup"], "image-store backup needs a folder"],
    [["restore"], "image-store restore needs a folder"],
    [["backup", "a", "b"], '"b" is one argument too many'],
    [["epoch", "1"], '"1" is one argument too many'],
    [["serve", "--renew"], "--renew belongs to the command epoch"],
    [["backup", "a", "--partial"], "--partial belongs to the command restore"],
    [["backup", "a", "--repair"], "--repair belongs to the command check"],
    [["restore", "a", "--verify"], "--verify belongs to the command backup"],
  ])("%j is refused with exit code 2", async (argv, message) => {
    const { code, out, err } = await runWith(argv);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
  });

  test("every problem of the configuration is told, with exit code 2", async () => {
    const { code, err } = await runWith(["--port", "x", "--insecure"], {
      IMAGE_STORE_GRACE: "x",
      IMAGE_STORE_PROT: "1",
    });
    expect(code).toBe(2);
    expect(err).toStartWith("The configuration has 3 problems.\n");
    for (const name of ["PORT (--port)", "GRACE", "PROT"]) expect(err).toContain(`- IMAGE_STORE_${name}`);
  });

  test("check reads the same configuration", async () => {
    expect((await runWith(["check", "--port", "x"])).code).toBe(2);
  });
});
