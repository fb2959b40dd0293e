import type { ApiKey } from "./domain/access.ts";
import type { Limits } from "./domain/limits.ts";

/** How the store is to run. Nothing else reads the environment. Sizes in bytes, times in milliseconds. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataFolder: string;
  readonly catalog: { readonly kind: "sqlite"; readonly path: string };
  readonly blobs: { readonly kind: "file"; readonly path: string };
  readonly kafka: KafkaConfig | undefined;
  /** Origin under which clients reach the store, without a trailing slash, where it differs from host and port. */
  readonly publicUrl: string | undefined;
  readonly apiKeys: readonly ApiKey[];
  readonly publicRead: boolean;
  /** Serve other addresses than loopback without keys. */
  readonly insecure: boolean;
  /** Origins that browsers may call from; empty: none. */
  readonly corsOrigins: readonly string[];
  readonly limits: Limits;
  readonly grace: number;
  /** Uploads are refused below this much free space; undefined: max(256 MiB, 1 % of the file system). */
  readonly minFree: number | undefined;
  readonly eventsRetention: number | "forever";
  readonly eventsMaxBytes: number | undefined;
  readonly log: {
    readonly level: "trace" | "debug" | "info" | "warn" | "error" | "silent";
    readonly format: "json" | "pretty";
  };
  /** How long a stopping server waits for what runs. */
  readonly shutdownTimeout: number;
}

export interface KafkaConfig {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly tls: KafkaTls | undefined;
  readonly sasl:
    | { mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512"; username: string; password: string }
    | undefined;
  readonly mode: "binary" | "structured";
}

export interface KafkaTls {
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}
