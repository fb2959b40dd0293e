import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { type BaseOptions, GenericError } from "@platformatic/kafka";

/** Brokers, TLS and credentials. */
export interface ConnectionSettings {
  /** Each is `host:port`. */
  readonly brokers: readonly string[];
  /** PEM files, read at each connect, so a renewed certificate needs no restart. */
  readonly tls:
    | {
        readonly caFile: string | undefined;
        readonly certFile: string | undefined;
        readonly keyFile: string | undefined;
      }
    | undefined;
  readonly sasl:
    | {
        readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
        readonly username: string;
        readonly password: string;
      }
    | undefined;
}

export async function connectionOptions({ brokers, tls, sasl }: ConnectionSettings): Promise<BaseOptions> {
  return {
    clientId: "image-store",
    bootstrapBrokers: [...brokers],
    connectTimeout: 5000,
    timeout: 10_000,
    requestTimeout: 15_000,
    // Enough for a change of leader. Below two, an idempotent producer retries forever.
    retries: 2,
    retryDelay: 200,
    autocreateTopics: false,
    ...(sasl === undefined ? {} : { sasl: { ...sasl } }),
    ...(tls === undefined ? {} : { tls: await readTls(tls), ...serverName(brokers) }),
  };
}

async function readTls(tls: NonNullable<ConnectionSettings["tls"]>): Promise<NonNullable<BaseOptions["tls"]>> {
  const files = Object.entries({ ca: tls.caFile, cert: tls.certFile, key: tls.keyFile });
  const read = files.map(async ([name, file]) => (file === undefined ? [] : [[name, await readFile(file)]]));
  return Object.fromEntries((await Promise.all(read)).flat());
}

/** Brokers behind a shared address need SNI; an IP address must not be sent as a server name. */
const serverName = (brokers: readonly string[]): Pick<BaseOptions, "tlsServerName"> =>
  brokers.some((broker) => isIP(broker.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1")) !== 0)
    ? {}
    : { tlsServerName: true };

/** Returns the innermost message: the library wraps an error in several layers of "failed 3 times". */
export function explain(error: unknown): string {
  let reason = error;
  while (reason instanceof Error && GenericError.isGenericError(reason)) {
    const inner: unknown = reason instanceof AggregateError ? reason.errors.at(-1) : reason.cause;
    if (inner === undefined) break;
    reason = inner;
  }
  return reason instanceof Error ? reason.message : String(reason);
}
