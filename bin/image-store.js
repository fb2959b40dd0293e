#!/usr/bin/env node
// Starts src/main.ts on the Bun that was installed with this package, so that no Bun has to be on the PATH.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

function findBun() {
  const bun = dirname(require.resolve("bun/package.json"));
  // Its install script moves the program there. Where such scripts are not allowed to run, it is still in its own package.
  const platform = `@oven/bun-${process.platform}-${process.arch === "arm64" ? "aarch64" : process.arch}`;
  const packages = [platform, `${platform}-musl`].map((name) => {
    try {
      return join(dirname(createRequire(join(bun, "package.json")).resolve(`${name}/package.json`)), "bin/bun");
    } catch {
      return undefined;
    }
  });
  const installed = join(bun, "bin/bun.exe");
  return packages.find((path) => path !== undefined && existsSync(path)) ?? installed;
}

const bun = findBun();
const args = [join(import.meta.dirname, "../src/main.ts"), ...process.argv.slice(2)];
if (process.execve !== undefined) {
  // It becomes the server itself, which then gets every signal. The function warns that it is experimental.
  process.removeAllListeners("warning");
  process.execve(bun, [bun, ...args], process.env);
}
const child = spawn(bun, args, { stdio: "inherit" });
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  console.error(`image-store: cannot start ${bun}: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
