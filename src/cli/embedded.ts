import type { Config } from "../config.ts";

/** A store that is all on this machine's disk. */
export interface EmbeddedConfig extends Config {
  readonly catalog: Extract<Config["catalog"], { kind: "sqlite" }>;
  readonly blobs: Extract<Config["blobs"], { kind: "file" }>;
}

/** @throws Error for a store elsewhere: `command` does not know it */
export function requireEmbedded(config: Config, command: string): EmbeddedConfig {
  const { catalog, blobs } = config;
  if (catalog.kind === "sqlite" && blobs.kind === "file") return { ...config, catalog, blobs };
  throw new Error(
    `${command} is for a store whose catalog is SQLite and whose blobs are files. ` +
      "PostgreSQL and object storage have their own ways: docs/operations.md tells them.",
  );
}
