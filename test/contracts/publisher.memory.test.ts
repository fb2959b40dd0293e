import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectionOptions } from "../../src/adapters/publisher/connection.ts";
import { createKafkaPublisher, type KafkaOptions } from "../../src/adapters/publisher/kafka.ts";
import { StoreError } from "../../src/domain/errors.ts";
import { createMemoryBroker, type MemoryBroker } from "./memory-broker.ts";
import { asReceived, decodeRecord, makeEvent, publisherContract } from "./publisher.ts";

const options: KafkaOptions = { brokers: [], topic: "events", mode: "binary", tls: undefined, sasl: undefined };

const publisherOn = (broker: MemoryBroker, more: { deadline?: number; mode?: KafkaOptions["mode"] } = {}) =>
  createKafkaPublisher(
    { ...options, mode: more.mode ?? "binary" },
    { createClient: broker.createClient, ...(more.deadline === undefined ? {} : { deadline: more.deadline }) },
  );

describe.each(["binary", "structured"] as const)("the Kafka publisher, %s, on a broker in memory", (mode) => {
  publisherContract(async () => {
    const broker = createMemoryBroker();
    const publisher = publisherOn(broker, { mode });
    return {
      publisher,
      consume: async () => broker.records,
      [Symbol.asyncDispose]: () => publisher[Symbol.asyncDispose](),
    };
  });
});

const failure = (publishing: Promise<void>): Promise<unknown> =>
  publishing.then(
    () => "published",
    (error: unknown) => (error instanceof StoreError ? error.code : error),
  );

const receivedIds = (broker: MemoryBroker) => broker.records.map((record) => decodeRecord(record).id);

describe("what a broker may do", () => {
  test("it takes batches of 512 KiB at most", async () => {
    const broker = createMemoryBroker();
    await using publisher = publisherOn(broker);
    const events = Array.from({ length: 100 }, () => makeEvent("a", { description: "x".repeat(20_000) }));
    await publisher.publish(events);
    expect(broker.records.length).toBe(100);
    expect(Math.max(...broker.requests)).toBeLessThanOrEqual(26);
    expect(Math.max(...broker.requests)).toBeGreaterThan(20);
  });

  test("it takes less than that: batches are halved until they fit, in order", async () => {
    const broker = createMemoryBroker(1);
    broker.maxBatchBytes = 1000;
    await using publisher = publisherOn(broker);
    const events = Array.from({ length: 100 }, () => makeEvent("a"));
    await publisher.publish(events);
    expect(receivedIds(broker)).toEqual(events.map(({ attributes }) => attributes.id));
    expect(broker.opened).toBe(1);
  });

  test("it takes an event only without its metadata: the event says so, and the others are whole", async () => {
    const broker = createMemoryBroker(1);
    broker.maxBatchBytes = 1000;
    await using publisher = publisherOn(broker);
    const large = makeEvent("a", { metadata: { note: "x".repeat(2000) } });
    const events = [makeEvent("a"), large, makeEvent("a")];
    await publisher.publish(events);
    const [first, truncated, last] = broker.records.map(decodeRecord);
    expect([first, last]).toEqual([events[0], events[2]].map((event) => event && asReceived(event)));
    const { metadata, ...rest } = asReceived(large).data;
    expect(metadata).toEqual({ note: "x".repeat(2000) });
    expect(truncated as unknown).toEqual({ ...asReceived(large), data: { ...rest, truncated: true } });
  });

  test("it takes not even that: the batch fails and is not left out", async () => {
    const broker = createMemoryBroker();
    broker.maxBatchBytes = 10;
    await using publisher = publisherOn(broker);
    expect(await failure(publisher.publish([makeEvent("a")]))).toBe("unavailable");
    expect(broker.records).toEqual([]);
  });

  test.each<[string, (offset: bigint) => bigint | undefined]>([
    ["the offset of the batch before", () => 0n],
    ["no offset", () => undefined],
    ["an offset that is none", () => -1n],
  ])("it acknowledges with %s: that is a failure, and the next call begins anew", async (_, acknowledge) => {
    const broker = createMemoryBroker();
    await using publisher = publisherOn(broker);
    await publisher.publish([makeEvent("a")]);
    broker.acknowledge = acknowledge;
    expect(await failure(publisher.publish([makeEvent("a")]))).toBe("unavailable");
    expect([broker.opened, broker.open]).toEqual([1, 0]);
    broker.acknowledge = (offset) => offset;
    await publisher.publish([makeEvent("a")]);
    expect([broker.opened, broker.open]).toEqual([2, 1]);
  });

  test("it never answers: the call fails at the deadline, and the next one begins anew", async () => {
    const broker = createMemoryBroker();
    await using publisher = publisherOn(broker, { deadline: 20 });
    broker.beforeAcknowledgement = () => Promise.withResolvers<void>().promise;
    const waiting = publisher.publish([makeEvent("a")]);
    const behind = publisher.publish([makeEvent("b")]);
    expect([await failure(waiting), await failure(behind)]).toEqual(["unavailable", "unavailable"]);
    broker.beforeAcknowledgement = async () => undefined;
    await publisher.publish([makeEvent("a")]);
    expect([broker.opened, broker.open]).toEqual([3, 1]);
  });

  test("it is not there: the call says why", async () => {
    const gone = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    const address = `127.0.0.1:${gone.port}`;
    gone.stop(true);
    await using publisher = createKafkaPublisher({ ...options, brokers: [address] });
    const error: unknown = await publisher.publish([makeEvent("a")]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: "unavailable", message: expect.stringContaining("ECONNREFUSED") });
  });
});

test("certificates are read from their files, and the brokers' name is told to them unless it is an address", async () => {
  const folder = await mkdtemp(join(tmpdir(), "image-store-tls-"));
  try {
    const caFile = join(folder, "ca.pem");
    await Bun.write(caFile, "PEM");
    const tls = { caFile, certFile: undefined, keyFile: undefined };
    const named = await connectionOptions({ brokers: ["kafka.example:9093"], tls, sasl: undefined });
    expect(named).toMatchObject({ tls: { ca: Buffer.from("PEM") }, tlsServerName: true });
    for (const address of ["10.0.0.1:9093", "[::1]:9093"]) {
      const numbered = await connectionOptions({ brokers: [address], tls, sasl: undefined });
      expect(numbered).not.toHaveProperty("tlsServerName");
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a user and a password go to the brokers as they are", async () => {
  const sasl = { mechanism: "SCRAM-SHA-512", username: "writer", password: "secret" } as const;
  expect(await connectionOptions({ brokers: ["kafka:9092"], tls: undefined, sasl })).toMatchObject({ sasl });
});
