import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  AclOperations,
  type AclOperationValue,
  AclPermissionTypes,
  Producer,
  ResourcePatternTypes,
  ResourceTypes,
} from "@platformatic/kafka";
import { createKafkaPublisher, type KafkaOptions } from "../../src/adapters/publisher/kafka.ts";
import { asReceived, decodeRecord, makeEvent } from "../cloud-events.ts";
import { publisherContract } from "../contracts/publisher.ts";
import { createAdmin, KAFKA_USER, type KafkaBroker, kafkaIsMissing, startKafka, useKafka } from "./kafka-broker.ts";
import { consumeTopic } from "./kafka-consumer.ts";

const missing = kafkaIsMissing();
const newTopic = () => `image-store-test-${crypto.randomUUID()}`;

const optionsOf = (address: string, more: Partial<KafkaOptions> = {}): KafkaOptions => ({
  brokers: [address],
  topic: newTopic(),
  mode: "binary",
  tls: undefined,
  sasl: undefined,
  ...more,
});

/** What publishing one event with these options says. */
async function failure(options: KafkaOptions): Promise<string> {
  await using publisher = createKafkaPublisher(options);
  return await publisher.publish([makeEvent("a")]).then(
    () => "published",
    (error: Error) => error.message,
  );
}

describe.skipIf(missing)("the Kafka publisher on a real broker", () => {
  let kafka: Awaited<ReturnType<typeof useKafka>>;
  beforeAll(async () => {
    kafka = await useKafka();
  });
  afterAll(() => kafka[Symbol.asyncDispose]());

  describe.each(["binary", "structured"] as const)("the Kafka publisher, %s", (mode) => {
    publisherContract(async () => {
      const options = optionsOf(kafka.address, { mode });
      const publisher = createKafkaPublisher(options);
      return {
        publisher,
        consume: () => consumeTopic(kafka.address, options.topic),
        [Symbol.asyncDispose]: () => publisher[Symbol.asyncDispose](),
      };
    });
  });

  test("creates a missing topic with several partitions and spreads albums over them", async () => {
    const options = optionsOf(kafka.address);
    await using publisher = createKafkaPublisher(options);
    await publisher.publish(Array.from({ length: 100 }, (_, index) => makeEvent(`album ${index}`)));
    const records = await consumeTopic(kafka.address, options.topic);
    expect(new Set(records.map(({ partition }) => partition))).toEqual(new Set([0, 1, 2, 3, 4, 5]));
  });

  test("the library's idempotent producer gives concurrent sends an offset each (platformatic/kafka#326)", async () => {
    const topic = newTopic();
    const admin = createAdmin(kafka.address);
    await admin.createTopics({ topics: [topic], partitions: 1 });
    await admin.close();
    const producer = new Producer({
      clientId: "test",
      bootstrapBrokers: [kafka.address],
      idempotent: true,
      retries: 5,
    });
    const value = Buffer.from("x");
    const sends = Array.from({ length: 20 }, () => producer.send({ messages: [{ topic, partition: 0, value }] }));
    const results = await Promise.all(sends);
    await producer.close();
    expect(new Set(results.map(({ offsets }) => offsets?.[0]?.offset)).size).toBe(20);
  });
});

describe.skipIf(missing)("the Kafka publisher with broker limits and security", () => {
  let kafka: KafkaBroker;
  beforeAll(async () => {
    kafka = await startKafka();
  });
  afterAll(() => kafka[Symbol.asyncDispose]());

  async function allow(topic: string, operation: AclOperationValue): Promise<void> {
    const admin = createAdmin(kafka.address);
    const principal = `User:${KAFKA_USER.username}`;
    const resource = {
      resourceType: ResourceTypes.TOPIC,
      resourceName: topic,
      resourcePatternType: ResourcePatternTypes.LITERAL,
    };
    const rule = { ...resource, principal, host: "*", operation, permissionType: AclPermissionTypes.ALLOW };
    await admin.createAcls({ creations: [rule] });
    // The controller has taken it then; the broker goes by what it has heard from it.
    while ((await admin.describeAcls({ filter: rule })).length === 0) await Bun.sleep(10);
    await admin.close();
  }

  test("sends an event that is too large without its metadata, and the others whole and in order", async () => {
    const options = optionsOf(kafka.address);
    await kafka.createTopic(options.topic, { partitions: 2, configs: { "max.message.bytes": "6000" } });
    const large = makeEvent("a", { metadata: { note: "x".repeat(8000) } });
    const events = [...Array.from({ length: 60 }, () => makeEvent("a")), large, makeEvent("a"), makeEvent("b")];
    await using publisher = createKafkaPublisher(options);
    await publisher.publish(events);
    const seen = new Set<string>();
    // Halving a batch may send again what other partitions took: the documented rule drops it.
    const received = (await consumeTopic(kafka.address, options.topic)).map(decodeRecord).filter(({ id }) => {
      return !seen.has(id) && seen.add(id);
    });
    const ofA = received.filter(({ partitionkey }) => partitionkey === "a");
    const { metadata, ...rest } = asReceived(large).data;
    expect(metadata).toBeDefined();
    const truncated = { ...asReceived(large), data: { ...rest, truncated: true } };
    expect(ofA as unknown[]).toEqual(
      events
        .filter(({ attributes }) => attributes.partitionkey === "a")
        .map((event) => (event === large ? truncated : asReceived(event))),
    );
    expect(received.length).toBe(events.length);
  });

  test.each(["binary", "structured"] as const)(
    "sends an event that is still too large with ids and digest only, %s",
    async (mode) => {
      const options = optionsOf(kafka.address, { mode });
      await kafka.createTopic(options.topic, { partitions: 1, configs: { "max.message.bytes": "6000" } });
      const identifying = { albumId: "a", sha256: "0".repeat(64), revision: 7, reason: "user" };
      const large = makeEvent("a", {
        ...identifying,
        description: "d".repeat(4000),
        tags: Array.from({ length: 64 }, (_, index) => `${index}`.padEnd(100, "t")),
      });
      const events = [makeEvent("a"), large, makeEvent("a")];
      await using publisher = createKafkaPublisher(options);
      const refused: unknown[] = [];
      await publisher.publish(events, (one) => refused.push(one));
      await publisher.publish([makeEvent("a")]);
      const received = (await consumeTopic(kafka.address, options.topic)).map(decodeRecord);
      expect(received.slice(0, 3) as unknown[]).toEqual(
        events.map((event) => {
          const whole = asReceived(event);
          return event === large ? { ...whole, data: { id: "a", ...identifying, truncated: true } } : whole;
        }),
      );
      expect({ received: received.length, refused }).toEqual({ received: 4, refused: [] });
    },
  );

  test("reports and skips every event when the topic refuses all forms", async () => {
    const options = optionsOf(kafka.address);
    await kafka.createTopic(options.topic, { partitions: 1, configs: { "max.message.bytes": "100" } });
    await using publisher = createKafkaPublisher(options);
    const events = [makeEvent("a"), makeEvent("b"), makeEvent("a")];
    const refused: unknown[] = [];
    await publisher.publish(events, ({ event }) => refused.push(event));
    expect(refused).toEqual(events);
    expect(await consumeTopic(kafka.address, options.topic)).toEqual([]);
  });

  test.each(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const)(
    "connects with SASL %s and refuses a wrong password",
    async (mechanism) => {
      const options = optionsOf(kafka.secure.sasl, { sasl: { mechanism, ...KAFKA_USER } });
      await kafka.createTopic(options.topic);
      await allow(options.topic, AclOperations.WRITE);
      expect(await failure(options)).toBe("published");
      const wrong = { ...options, sasl: { mechanism, ...KAFKA_USER, password: "wrong" } };
      expect(await failure(wrong)).toContain("SASL authentication failed");
      expect((await consumeTopic(kafka.address, options.topic)).length).toBe(1);
    },
  );

  test("verifies the TLS authority and server name, and runs SASL inside TLS", async () => {
    const { caFile, tls, saslTls } = kafka.secure;
    const files = { caFile, certFile: undefined, keyFile: undefined };
    const options = optionsOf(tls, { tls: files });
    expect(await failure(options)).toBe("published");
    expect(await failure({ ...options, tls: { ...files, caFile: undefined } })).toMatch(/self.signed/i);
    expect(await failure({ ...options, brokers: [tls.replace("localhost", "127.0.0.1")] })).toContain("altnames");
    expect(await failure({ ...options, tls: undefined })).toContain("TLS");
    expect(await failure({ ...options, brokers: [kafka.address] })).toContain("TLS");
    await allow(options.topic, AclOperations.WRITE);
    const sasl = { mechanism: "SCRAM-SHA-512", ...KAFKA_USER } as const;
    expect(await failure({ ...options, brokers: [saslTls], sasl })).toBe("published");
    expect((await consumeTopic(kafka.address, options.topic)).length).toBe(2);
  });

  test("reports a missing topic until it is created", async () => {
    const options = optionsOf(kafka.secure.sasl, { sasl: { mechanism: "PLAIN", ...KAFKA_USER } });
    await allow(options.topic, AclOperations.WRITE);
    for (let attempt = 0; attempt < 2; attempt++) {
      const message = await failure(options);
      expect(message).toContain(`${options.topic}: The topic does not exist and could not be created`);
    }
    await kafka.createTopic(options.topic);
    expect(await failure(options)).toBe("published");
    expect((await consumeTopic(kafka.address, options.topic)).length).toBe(1);
  });
});
