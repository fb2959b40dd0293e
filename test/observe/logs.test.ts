import { describe, expect, test } from "bun:test";
import { closeSync, openSync, readFileSync } from "node:fs";
import { StoreError } from "../../src/domain/errors.ts";
import { createLogSink } from "../../src/observe/log-sink.ts";
import { until } from "../waiting.ts";
import { useLogFile } from "./log-file.ts";

const { path, logged } = useLogFile();

describe("logs", () => {
  test("are one JSON object per line, in order", async () => {
    const text = await logged({}, ({ logger }) => {
      for (let index = 0; index < 2000; index++) logger.info({ index }, "counted");
    });
    const lines = text.trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { index: number }).index)).toEqual([...Array(2000).keys()]);
  });

  test("contain errors with their causes and no other properties", async () => {
    const inner = Object.assign(new Error("inside"), { code: "EIO", password: "hunter2" });
    const error = new StoreError("unavailable", "outside", { cause: new AggregateError([inner, "text"], "both") });
    const text = await logged({}, ({ logger }) => logger.error({ error }, "failed"));
    expect((JSON.parse(text) as { error: unknown }).error).toMatchObject({
      type: "StoreError",
      message: "outside",
      code: "unavailable",
      stack: expect.stringContaining("logs.test.ts"),
      cause: { type: "AggregateError", message: "both", errors: [{ message: "inside", code: "EIO" }, "text"] },
    });
    expect(text).not.toContain("hunter2");
  });

  test("contain nothing below the level", async () => {
    const text = await logged({ level: "warn" }, ({ logger }) => {
      logger.info("hidden");
      logger.warn("shown");
    });
    expect(text).toContain("shown");
    expect(text).not.toContain("hidden");
  });

  test("are text when configured, without colours in a file", async () => {
    const text = await logged({ format: "pretty" }, ({ logger }) => logger.info({ port: 1 }, "ready"));
    expect(text).toMatch(/INFO.*ready.*"port":1/);
    expect(text).not.toContain("\u001b");
  });

  test("that are buffered are written when the process must exit", async () => {
    await logged({}, ({ logger, sink }) => {
      logger.error("over");
      expect(readFileSync(path(), "utf8")).toBe("");
      sink.flushSync();
      expect(readFileSync(path(), "utf8")).toContain("over");
    });
  });

  test("are flushed soon", async () => {
    const fd = openSync(path(), "w");
    const sink = createLogSink(fd);
    sink.write("one\n");
    await until(() => readFileSync(path(), "utf8") === "one\n");
    sink.write("two\n");
    await until(() => readFileSync(path(), "utf8") === "one\ntwo\n");
    await sink[Symbol.asyncDispose]();
    closeSync(fd);
  });

  test("are dropped and counted when the reader is too slow", async () => {
    const fd = openSync(path(), "w");
    const sink = createLogSink(fd);
    const line = `${"x".repeat(2 ** 20 - 1)}\n`;
    for (let count = 0; count < 40; count++) sink.write(line);
    await sink[Symbol.asyncDispose]();
    closeSync(fd);
    const text = readFileSync(path(), "utf8");
    const told = JSON.parse(text.trimEnd().split("\n").at(-1) ?? "") as { dropped: number };
    const kept = text.split("\n").filter((each) => each.startsWith("x")).length;
    expect(told.dropped).toBeGreaterThan(0);
    expect(kept + told.dropped).toBe(40);
  });

  test("to a closed pipe are discarded", async () => {
    const fd = openSync("/dev/null", "r");
    const sink = createLogSink(fd);
    sink.write("nobody\n");
    sink.flushSync();
    sink.write("nobody\n");
    await sink[Symbol.asyncDispose]();
    closeSync(fd);
  });
});
