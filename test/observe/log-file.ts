import { afterAll, beforeAll } from "bun:test";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type LoggerOptions, openLogger } from "../../src/observe/logger.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";

export const request = {
  operationId: "getImage",
  method: "GET",
  path: "/v1/albums/a/images/b",
  status: 200,
  seconds: 0.0012345,
  requestBytes: undefined,
  responseBytes: 1234,
  requestId: "request-1",
  principal: "app",
  client: "203.0.113.7",
};

export const linesOf = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** A file to which the tests log. */
export function useLogFile() {
  let folder: string;
  let path: string;
  beforeAll(async () => {
    folder = await newFolder("observe");
    path = join(folder, "log");
  });
  afterAll(() => removeFolder(folder));

  async function logged(
    options: Partial<LoggerOptions>,
    use: (logger: Awaited<ReturnType<typeof openLogger>>) => void,
  ) {
    const fd = openSync(path, "w");
    try {
      const opened = await openLogger({ level: "info", format: "json", fd, ...options });
      use(opened);
      await opened.sink[Symbol.asyncDispose]();
      return readFileSync(path, "utf8");
    } finally {
      closeSync(fd);
    }
  }

  return { path: () => path, logged };
}
