import { join } from "node:path";
import { Admin } from "@platformatic/kafka";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { freePorts } from "./free-ports.ts";
import { kafkaCommand, missingForKafka } from "./kafka-jars.ts";
import { run } from "./run.ts";
import { createServerProcess } from "./server-process.ts";

export const KAFKA_USER = { username: "writer", password: "writer-secret" };

export interface KafkaBroker extends AsyncDisposable {
  /** `host:port` of the plain listener. A client of this listener is a super user. */
  readonly address: string;
  /** SASL without TLS, and SASL over TLS, for {@link KAFKA_USER}; TLS alone. */
  readonly secure: { readonly sasl: string; readonly saslTls: string; readonly tls: string; readonly caFile: string };
  /** Resolves when it answers. Data, ports and certificates are those of before. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** As a crash would: SIGKILL. */
  kill(): Promise<void>;
  createTopic(topic: string, options?: { partitions?: number; configs?: Record<string, string> }): Promise<void>;
}

/**
 * Why there is no Kafka to test against, told to the person who runs the tests: skipping in silence looks like a pass.
 * In CI that is a failure.
 */
export function kafkaIsMissing(): boolean {
  const missing = missingForKafka();
  if (missing === undefined) return false;
  const message = `The tests against Apache Kafka need ${missing}.`;
  if (process.env["CI"] === "true") throw new Error(message);
  console.warn(`SKIPPED: ${message}`);
  return true;
}

/**
 * For tests that neither stop it nor need its users: the broker that `IMAGE_STORE_TEST_KAFKA` (`host:port`) names, else
 * one of our own.
 */
export async function useKafka(): Promise<Pick<KafkaBroker, "address"> & AsyncDisposable> {
  const address = process.env["IMAGE_STORE_TEST_KAFKA"];
  return address === undefined ? startKafka() : { address, async [Symbol.asyncDispose]() {} };
}

/**
 * A real Apache Kafka, one node of KRaft, on free ports, in a temporary folder. `KAFKA_USER` may do only what an access
 * list grants, and none grants the creation of topics.
 */
export async function startKafka(options: { properties?: Record<string, string> } = {}): Promise<KafkaBroker> {
  const folder = await newFolder("kafka");
  const [plain, controller, sasl, saslTls, tls] = await freePorts(5);
  const caFile = await makeCertificate(folder);
  const configFile = join(folder, "server.properties");
  const { username, password } = KAFKA_USER;
  const plainLogin = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${password}";`;
  const scramLogin = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
  const properties: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@127.0.0.1:${controller}`,
    listeners: [
      `PLAIN://127.0.0.1:${plain}`,
      `CONTROLLER://127.0.0.1:${controller}`,
      `SASL://127.0.0.1:${sasl}`,
      `SASLTLS://127.0.0.1:${saslTls}`,
      `TLS://127.0.0.1:${tls}`,
    ].join(","),
    // A name, so that the certificate's is checked; the certificate has no address in it.
    "advertised.listeners": [
      `PLAIN://127.0.0.1:${plain}`,
      `SASL://127.0.0.1:${sasl}`,
      `SASLTLS://localhost:${saslTls}`,
      `TLS://localhost:${tls}`,
    ].join(","),
    "listener.security.protocol.map":
      "PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,SASLTLS:SASL_SSL,TLS:SSL",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAIN",
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    "ssl.keystore.location": join(folder, "keystore.p12"),
    "ssl.keystore.password": KEYSTORE_PASSWORD,
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    "log.dirs": join(folder, "data"),
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    // A node that was killed may register again only once its former self has lapsed; by default after 9 s.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "2",
  };
  for (const listener of ["sasl", "sasltls"]) {
    properties[`listener.name.${listener}.plain.sasl.jaas.config`] = plainLogin;
    properties[`listener.name.${listener}.scram-sha-256.sasl.jaas.config`] = scramLogin;
    properties[`listener.name.${listener}.scram-sha-512.sasl.jaas.config`] = scramLogin;
  }
  Object.assign(properties, options.properties);
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}`);
  await Bun.write(configFile, lines.join("\n"));

  const scramUsers = ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
    "--add-scram",
    `${mechanism}=[name=${username},password=${password}]`,
  ]);
  const address = `127.0.0.1:${plain}`;
  const command = await kafkaCommand("kafka.Kafka", [configFile]);
  const broker = createServerProcess({
    name: "Kafka",
    // The second compiler pays off in a broker.
    command: command.filter((argument) => argument !== "-XX:TieredStopAtLevel=1"),
    logFile: join(folder, "server.log"),
    answers: () => answers(address),
  });

  const kafka: KafkaBroker = {
    address,
    secure: { sasl: `127.0.0.1:${sasl}`, saslTls: `localhost:${saslTls}`, tls: `localhost:${tls}`, caFile },
    start: () => broker.start(),
    stop: () => broker.end("SIGTERM"),
    kill: () => broker.end("SIGKILL"),
    createTopic: (topic, topicOptions) => createTopic(address, topic, topicOptions),
    async [Symbol.asyncDispose]() {
      await broker.end("SIGKILL");
      await removeFolder(folder);
    },
  };
  try {
    const format = ["format", "-t", CLUSTER_ID, "-c", configFile, ...scramUsers];
    await run(await kafkaCommand("kafka.tools.StorageTool", format));
    await broker.start();
  } catch (error) {
    await kafka[Symbol.asyncDispose]();
    throw error;
  }
  return kafka;
}

export async function createTopic(
  address: string,
  topic: string,
  { partitions = 3, configs = {} }: { partitions?: number; configs?: Record<string, string> } = {},
): Promise<void> {
  const admin = createAdmin(address);
  try {
    await admin.createTopics({
      topics: [topic],
      partitions,
      configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
    });
  } finally {
    await admin.close();
  }
}

export const createAdmin = (address: string): Admin =>
  new Admin({ clientId: "image-store-test", bootstrapBrokers: [address], retries: 10, retryDelay: 200 });

/** Until the node has a leader for its metadata it accepts connections and fails what is asked. */
async function answers(address: string): Promise<boolean> {
  const admin = new Admin({
    clientId: "image-store-test",
    bootstrapBrokers: [address],
    retries: 0,
    connectTimeout: 500,
    // A broker that starts on a busy machine takes requests that it never answers.
    requestTimeout: 5000,
  });
  try {
    await admin.listTopics({});
    return true;
  } catch {
    return false;
  } finally {
    await admin.close();
  }
}

const CLUSTER_ID = Buffer.alloc(16, "image-store").toString("base64url");
const KEYSTORE_PASSWORD = "changeit";

/** @returns the file of the certificate as PEM; being its own signer, it is the authority too */
async function makeCertificate(folder: string): Promise<string> {
  const store = ["-keystore", join(folder, "keystore.p12"), "-storepass", KEYSTORE_PASSWORD, "-alias", "broker"];
  await run([
    "keytool",
    "-genkeypair",
    ...store,
    "-keyalg",
    "EC",
    "-dname",
    "CN=localhost",
    "-ext",
    "SAN=dns:localhost",
  ]);
  const caFile = join(folder, "ca.pem");
  await run(["keytool", "-exportcert", "-rfc", ...store, "-file", caFile]);
  return caFile;
}
