import { describe, expect, test } from "bun:test";
import { StoreError } from "../../src/domain/errors.ts";
import { createErrorReporter, createFailureReports } from "../../src/observe/errors.ts";
import { linesOf, useLogFile } from "./log-file.ts";

const { logged } = useLogFile();

/** As a client of Kafka throws it: an aggregate for each try, of one for each broker. */
const brokerAway = (port: number): StoreError => {
  const refused = Object.assign(new Error(`connect ECONNREFUSED 127.0.0.1:${port}`), { code: "ECONNREFUSED" });
  const tries = () => new AggregateError([refused, refused, refused], "Cannot connect to any broker.");
  const cause = new AggregateError([tries(), tries(), tries(), tries()], "Failed 4 times.");
  return new StoreError("unavailable", "Kafka did not take the events", { cause });
};

describe("the log of a repeated failure", () => {
  test("has the cause once, one short line per interval, and a line when it ends", async () => {
    let time = 0;
    const text = await logged({}, ({ logger }) => {
      const reports = createFailureReports(logger, { interval: 60_000, now: () => time });
      // Eleven minutes, a try each ten seconds.
      for (let tries = 0; tries < 66; tries++, time += 10_000)
        reports.failed("relay", brokerAway(9092 + (tries % 2)), "could not be sent", { attempts: tries });
      reports.recovered("relay", "are sent again");
      reports.recovered("relay", "are sent again");
    });
    const lines = linesOf(text);
    expect(lines[0]).toMatchObject({ msg: "could not be sent", error: { code: "unavailable" }, attempts: 0 });
    const repeated = lines.slice(1, -1);
    expect(repeated).toHaveLength(10);
    for (const [index, line] of repeated.entries()) {
      expect(line).toMatchObject({ failures: 7 + index * 6, seconds: 60 * (index + 1) });
      expect(line["reason"]).toContain("ECONNREFUSED");
      expect(JSON.stringify(line).length).toBeLessThan(400);
      expect(line).not.toHaveProperty("error");
    }
    expect(lines.at(-1)).toMatchObject({ level: 30, msg: "are sent again", failures: 66 });
    expect(text.length).toBeLessThan(8000);
  });

  test("has the cause again for another failure, and when it returns after it had ended", async () => {
    const text = await logged({}, ({ logger }) => {
      const reports = createFailureReports(logger);
      for (const message of ["refused 1", "refused 2", "timed out", "refused 3", "timed out"])
        reports.failed("one", new Error(message), "failed");
      reports.failed("other", new Error("refused 4"), "failed");
      reports.recovered("one", "works");
      reports.failed("one", new Error("refused 5"), "failed");
    });
    const told = linesOf(text).map(({ msg, error }) => (error as Error | undefined)?.message ?? msg);
    expect(told).toEqual(["refused 1", "timed out", "refused 4", "works", "refused 5"]);
  });

  test("starts over after two intervals without a failure", async () => {
    let time = 0;
    const text = await logged({}, ({ logger }) => {
      const reports = createFailureReports(logger, { interval: 1000, now: () => time });
      for (time of [0, 500, 3000]) reports.failed("one", new Error("refused"), "failed");
    });
    expect(linesOf(text)).toMatchObject([{ error: {} }, { error: {} }]);
  });

  test("of requests has the whole error once per interval and its reason for each request", () => {
    let time = 0;
    const report = createErrorReporter({ interval: 60_000, now: () => time });
    const first = brokerAway(9092);
    expect(report(first)).toEqual({ error: first });
    expect(report(brokerAway(9093))).toEqual({
      reason: expect.stringMatching(/^Kafka did not .*ECONNREFUSED.*:9093\)$/),
    });
    const other = new Error("something else");
    expect(report(other)).toEqual({ error: other });
    time = 60_000;
    expect(report(first)).toEqual({ error: first });
  });
});

test("an AggregateError is logged once per distinct error, with its outer and innermost stack", async () => {
  const text = await logged({}, ({ logger }) => logger.error({ error: brokerAway(9092) }, "failed"));
  const { error } = JSON.parse(text) as { error: { cause: unknown } };
  expect(error.cause).toEqual({
    type: "AggregateError",
    message: "Failed 4 times.",
    errors: [
      {
        type: "AggregateError",
        message: "Cannot connect to any broker.",
        errors: [
          {
            type: "Error",
            message: "connect ECONNREFUSED 127.0.0.1:9092",
            code: "ECONNREFUSED",
            stack: expect.stringContaining("brokerAway"),
          },
        ],
      },
    ],
  });
});
