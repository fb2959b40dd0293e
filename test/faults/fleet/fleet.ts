import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../services/free-ports.ts";
import { type KafkaBroker, kafkaIsMissing, startKafka } from "../../services/kafka-broker.ts";
import { type PostgresServer, postgresIsMissing, startPostgres } from "../../services/postgres-server.ts";
import { type S3Server, s3IsMissing, startS3 } from "../../services/s3-server.ts";
import { startProxy, type TcpProxy, type TcpProxyOptions } from "../../services/tcp-proxy.ts";
import { type ServerOptions, type ServerProcess, startServer } from "../server-process.ts";
import { makeTemporaryFolder } from "../temporary-folder.ts";

/** The program as a process of its own, with a data folder of its own, on the catalog and the bucket of all. */
export interface FleetNode {
  readonly url: string;
  /** Its ways to the others; only with `proxies`. */
  readonly toPostgres: TcpProxy | undefined;
  readonly toS3: TcpProxy | undefined;
  /** Resolves when it is ready. Folder and port are those of before. */
  start(): Promise<void>;
  kill(): Promise<void>;
  /** SIGSTOP, as a machine that sleeps; and SIGCONT. */
  suspend(): void;
  wake(): void;
  /** Of the process that runs now. */
  readonly pid: number;
  /** Neither killed nor suspended, nor ended by itself: a load balancer would send requests to it. */
  readonly isServing: boolean;
  /** What all its processes wrote. */
  output(): string;
}

export interface Fleet extends AsyncDisposable {
  readonly nodes: readonly [FleetNode, FleetNode, FleetNode];
  readonly postgres: PostgresServer;
  readonly s3: S3Server;
  /** Only with `kafka`. */
  readonly kafka: KafkaBroker | undefined;
  readonly topic: string;
  /** For tests that look at the catalog, or change it, without a proxy. */
  readonly catalogUrl: string;
  readonly bucket: string;
  /** For a subcommand, without a proxy. */
  readonly options: ServerOptions;
  /** Of a node that serves, of another at each call. */
  anyUrl(): string;
}

export interface FleetOptions {
  readonly kafka?: boolean;
  /** Puts a TCP proxy between each node and PostgreSQL, and one between each node and S3. */
  readonly proxies?: boolean | { readonly onPostgresData: TcpProxyOptions["onData"] };
  readonly env?: Readonly<Record<string, string>>;
  readonly postgresSettings?: Record<string, string>;
}

const NODES = 3;
/** Of all keys in the bucket. */
export const PREFIX = "images/";

/** As `kafkaIsMissing`, for all that a fleet needs. */
export const fleetIsMissing = (): boolean => [postgresIsMissing(), s3IsMissing(), kafkaIsMissing()].includes(true);

export async function startFleet(options: FleetOptions = {}): Promise<Fleet> {
  await using starting = new AsyncDisposableStack();
  const [postgres, s3, kafka] = await Promise.all([
    startPostgres({ settings: options.postgresSettings ?? {} }).then((server) => starting.use(server)),
    startS3().then((server) => starting.use(server)),
    options.kafka === true ? startKafka().then((server) => starting.use(server)) : undefined,
  ]);
  const catalogUrl = await postgres.createDatabase();
  const bucket = await s3.createBucket();
  const topic = `image-store-test-${crypto.randomUUID()}`;
  const folder = makeTemporaryFolder();
  const common = {
    ...s3.env,
    ...(kafka === undefined ? {} : { IMAGE_STORE_KAFKA_URL: `kafka://${kafka.address}/${topic}` }),
    ...options.env,
  };
  const optionsOf = (name: string, throughPostgres = catalogUrl, endpoint = s3.endpoint): ServerOptions => {
    const dataFolder = join(folder, name);
    mkdirSync(dataFolder, { recursive: true });
    const urls = {
      IMAGE_STORE_CATALOG_URL: throughPostgres,
      IMAGE_STORE_BLOBS_URL: s3.blobsUrl(bucket, PREFIX, endpoint),
    };
    return { dataFolder, env: { ...common, ...urls } };
  };

  const startNode = async (index: number): Promise<FleetNode> => {
    const { proxies = false } = options;
    const onData = typeof proxies === "object" ? proxies.onPostgresData : undefined;
    const toPostgres =
      proxies === false ? undefined : starting.use(await startProxy(postgres.port, onData && { onData }));
    const toS3 = proxies === false ? undefined : starting.use(await startProxy(s3.port));
    const serverOptions = optionsOf(`node-${index}`, toPostgres?.through(catalogUrl), toS3?.through(s3.endpoint));
    const node = createNode({ ...serverOptions, port: await freePort() }, { toPostgres, toS3 });
    starting.defer(() => node.kill());
    await node.start();
    return node;
  };
  // At once, on an empty database: migrations and the registration of cursors must bear that.
  const nodes = await Promise.all(Array.from({ length: NODES }, (_, index) => startNode(index)));

  const stack = starting.move();
  let turn = 0;
  return {
    nodes: nodes as unknown as Fleet["nodes"],
    postgres,
    s3,
    kafka,
    topic,
    catalogUrl,
    bucket,
    options: optionsOf("beside"),
    anyUrl() {
      const serving = nodes.filter((node) => node.isServing);
      return serving[turn++ % serving.length]?.url ?? "";
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function createNode(
  options: ServerOptions & { readonly port: number },
  proxies: Pick<FleetNode, "toPostgres" | "toS3">,
): FleetNode {
  let server: ServerProcess | undefined;
  let isServing = false;
  const outputs: (() => string)[] = [];
  const running = (): ServerProcess => {
    if (server === undefined) throw new Error("The node does not run.");
    return server;
  };
  return {
    ...proxies,
    url: `http://127.0.0.1:${options.port}`,
    async start() {
      const started = await startServer(options);
      outputs.push(() => started.output());
      server = started;
      isServing = true;
      void started.exited.then(() => {
        if (server === started) isServing = false;
      });
    },
    async kill() {
      isServing = false;
      await server?.stop("SIGKILL");
    },
    suspend() {
      isServing = false;
      process.kill(running().pid, "SIGSTOP");
    },
    wake() {
      process.kill(running().pid, "SIGCONT");
      isServing = true;
    },
    get pid() {
      return running().pid;
    },
    get isServing() {
      return isServing;
    },
    output: () => outputs.map((output) => output()).join(""),
  };
}
