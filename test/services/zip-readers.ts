import { expect } from "bun:test";

/** What three programs of others say of an archive: each reads all of it and compares the checksums. */
export async function expectReadable(path: string, names: readonly string[]): Promise<void> {
  // unzip has a warning for an archive without files.
  if (names.length > 0) await expectOutput([], "unzip", "-tqq", path);
  await expectReadableByPython(path, names);
  await expectOutput(names, "bsdtar", "-tf", path);
}

/** It is the fastest of them. */
export async function expectReadableByPython(path: string, names: readonly string[]): Promise<void> {
  const read = "z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print('\\n'.join(z.namelist()))";
  await expectOutput(names, "python3", "-X", "utf8", "-c", `import sys, zipfile; ${read}`, path);
}

/** The names, sizes and places of the files, as two programs of others find them without reading the bytes. */
export async function expectListed(path: string, files: readonly (readonly [string, number, number])[]): Promise<void> {
  const show = "f'{i.filename} {i.file_size} {i.compress_size} {i.header_offset}'";
  const read = `print('\\n'.join(${show} for i in z.infolist())); [z.open(i).read(1) for i in z.infolist()]`;
  const lines = files.map(([name, size, start]) => `${name} ${size} ${size} ${start}`);
  await expectOutput(lines, "python3", "-c", `import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); ${read}`, path);
  const names = files.map(([name]) => name);
  await expectOutput(names, "bsdtar", "-tf", path);
  // It takes a size of all ones for one that it has not found yet.
  if (files.every(([, size]) => size !== 2 ** 32 - 1)) await expectOutput(names, "unzip", "-Z1", path);
}

async function expectOutput(lines: readonly string[], ...command: readonly string[]): Promise<void> {
  const child = Bun.spawn([...command], {
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, LC_ALL: "C.UTF-8" },
  });
  const [out, errors, exitCode] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  const found = out.split("\n").filter((line) => line !== "");
  expect({ command, errors, exitCode, found }).toEqual({ command, errors: "", exitCode: 0, found: [...lines] });
}
