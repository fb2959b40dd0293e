import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { connectionOptions } from "../../../src/adapters/publisher/connection.ts";
import { createKafkaPublisher, type KafkaOptions } from "../../../src/adapters/publisher/kafka.ts";
import { StoreError } from "../../../src/domain/errors.ts";
import { asReceived, decodeRecord, makeEvent } from "../../cloud-events.ts";
import { publisherContract } from "../../contracts/publisher.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { createMemoryBroker, type MemoryBroker } from "./memory-broker.ts";

const options: KafkaOptions = { brokers: [], topic: "events", mode: "binary", tls: undefined, sasl: undefined };

const publisherOn = (broker: MemoryBroker, more: { deadline?: number; mode?: KafkaOptions["mode"] } = {}) =>
  createKafkaPublisher(
    { ...options, mode: more.mode ?? "binary" },
    { createClient: broker.createClient, ...(more.deadline === undefined ? {} : { deadline: more.deadline }) },
  );

describe.each(["binary", "structured"] as const)("Kafka publisher, %s mode, on a broker in memory", (mode) => {
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

const makeSmall = () => makeEvent("a", { name: "n", metadata: {} });

const receivedIds = (broker: MemoryBroker) => broker.records.map((record) => decodeRecord(record).id);

describe("Kafka publisher and size limits of the broker", () => {
  test("a request is at most 512 KiB", async () => {
    const broker = createMemoryBroker();
    await using publisher = publisherOn(broker);
    const events = Array.from({ length: 100 }, () => makeEvent("a", { description: "x".repeat(20_000) }));
    await publisher.publish(events);
    expect(broker.records.length).toBe(100);
    expect(Math.max(...broker.requests)).toBeLessThanOrEqual(26);
    expect(Math.max(...broker.requests)).toBeGreaterThan(20);
  });

  test("a batch that is too large is halved until it fits, in order", async () => {
    const broker = createMemoryBroker(1);
    broker.maxBatchBytes = 1000;
    await using publisher = publisherOn(broker);
    const events = Array.from({ length: 100 }, () => makeEvent("a"));
    await publisher.publish(events);
    expect(receivedIds(broker)).toEqual(events.map(({ attributes }) => attributes.id));
    expect(broker.opened).toBe(1);
  });

  test("an event that is too large is sent without its metadata and says so; the others are sent whole", async () => {
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

  test("an event that is still too large is sent with ids and digest only", async () => {
    const broker = createMemoryBroker(1);
    broker.maxBatchBytes = 200;
    await using publisher = publisherOn(broker);
    const bytes = { albumId: "b", sha256: "0".repeat(64), revision: 7, tags: ["t"], description: "x".repeat(500) };
    const large = makeEvent("a", bytes);
    await publisher.publish([large]);
    const { albumId, sha256, revision } = bytes;
    expect(broker.records.map(decodeRecord) as unknown[]).toEqual([
      { ...asReceived(large), data: { id: "a", albumId, sha256, revision, reason: "user", truncated: true } },
    ]);
  });

  test("an event that the broker refuses in every form is reported and skipped", async () => {
    const broker = createMemoryBroker(1);
    broker.maxBatchBytes = 200;
    await using publisher = publisherOn(broker);
    const large = makeEvent("a", { sha256: "0".repeat(200) });
    const events = [makeSmall(), large, makeSmall()];
    const refused: unknown[] = [];
    await publisher.publish(events, ({ event, reason }) => refused.push(event, reason));
    expect(refused).toEqual([large, expect.stringContaining("bytes")]);
    expect(receivedIds(broker)).toEqual([events[0], events[2]].map((event) => event?.attributes.id ?? ""));
    expect(broker.opened).toBe(1);
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

  test("a call that gets no answer fails at its deadline, and the next call reconnects", async () => {
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

  test("a call without a reachable broker fails with the reason", async () => {
    const gone = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    const address = `127.0.0.1:${gone.port}`;
    gone.stop(true);
    await using publisher = createKafkaPublisher({ ...options, brokers: [address] });
    const error: unknown = await publisher.publish([makeEvent("a")]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: "unavailable", message: expect.stringContaining("ECONNREFUSED") });
  });
});

test("TLS files are read, and the server name is sent unless it is an IP address", async () => {
  const folder = await newFolder("tls");
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
    await removeFolder(folder);
  }
});

test("SASL user and password are sent unchanged", async () => {
  const sasl = { mechanism: "SCRAM-SHA-512", username: "writer", password: "secret" } as const;
  expect(await connectionOptions({ brokers: ["kafka:9092"], tls: undefined, sasl })).toMatchObject({ sasl });
});
