import { isIP } from "node:net";
import { join } from "node:path";
import { parseApiKeys } from "./config/api-keys.ts";
import { readKafkaSettings } from "./config/kafka.ts";
import { parseLinkKeys } from "./config/link-keys.ts";
import { DEFAULT_PRESETS, parsePresets } from "./config/presets.ts";
import { PREFIX, SETTINGS, type Setting, type SettingName, type SettingValues } from "./config/settings.ts";
import type { BlobsPlace, CatalogPlace } from "./config/urls.ts";
import type { ApiKey } from "./domain/access.ts";
import type { Limits } from "./domain/limits.ts";
import type { LinkKey } from "./domain/link.ts";
import type { Presets } from "./domain/variant-presets.ts";

/** How the store is to run. Nothing else reads the environment. Sizes in bytes, times in milliseconds. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataFolder: string;
  readonly catalog: CatalogPlace;
  /** Most connections to PostgreSQL. */
  readonly catalogPool: number;
  readonly blobs: BlobsPlace;
  /** Of originals on this node, where blobs are elsewhere. `maxBytes` 0: none. */
  readonly originalsCache: { readonly folder: string; readonly maxBytes: number };
  readonly kafka: KafkaConfig | undefined;
  /** Origin under which clients reach the store, without a trailing slash, where it differs from host and port. */
  readonly publicUrl: string | undefined;
  readonly apiKeys: readonly ApiKey[];
  /** The first signs links, all verify them; empty: one that the store makes and keeps. */
  readonly linkKeys: readonly LinkKey[];
  readonly publicRead: boolean;
  /** Serve other addresses than loopback without keys. */
  readonly insecure: boolean;
  /** Origins that browsers may call from; empty: none. */
  readonly corsOrigins: readonly string[];
  readonly limits: Limits;
  readonly presets: Presets;
  /** Whether images are described after their upload. */
  readonly describe: boolean;
  /** Whether a description says where. */
  readonly exposeLocation: boolean;
  /** Child processes that make variants; undefined: as many as there are cores but one, at least one. */
  readonly renderers: number | undefined;
  /** `maxBytes` 0: no variant is kept. */
  readonly variantCache: { readonly folder: string; readonly maxBytes: number };
  readonly grace: number;
  /** How long bytes that were sent to a shared store and never recorded are looked for. */
  readonly tombstone: number;
  /** Uploads are refused below this much free space; undefined: max(256 MiB, 1 % of the file system). */
  readonly minFree: number | undefined;
  /** Images up to so many bytes share files; 0: each has one of its own. */
  readonly smallImage: number;
  /** Of the files that they share. */
  readonly segmentSize: number;
  /** Memory for images that are read often. */
  readonly imageCache: number;
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

/** What is wrong with the configuration: all of it, so that nobody has to start ten times. Never holds a secret. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}.`);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

export interface ConfigSource {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By flag name without dashes; a flag goes before its variable. */
  readonly flags?: Readonly<Record<string, string | undefined>>;
  /** Whether a person reads the log. */
  readonly isTerminal?: boolean;
  readonly readFile: (path: string) => string;
}

/** @throws ConfigError with every problem at once */
export function parseConfig(source: ConfigSource): Config {
  const problems = unknownVariables(source.env);
  const values = readSettings(source, problems);
  const attempt = <Value>(name: SettingName, work: () => Value): Value | undefined => {
    try {
      return work();
    } catch (error) {
      problems.push(`${describe(name)} ${(error as Error).message}`);
      return undefined;
    }
  };

  const inFile = <Value>(
    name: "API_KEYS_FILE" | "LINK_KEYS_FILE" | "PRESETS_FILE",
    parse: (text: string) => Value,
    otherwise: Value,
  ): Value | undefined => {
    const path = values[name];
    return path === undefined ? otherwise : attempt(name, () => parse(readSettingFile(path, source.readFile)));
  };
  const keysOfFile = inFile("API_KEYS_FILE", parseApiKeys, []);
  const apiKeys = [...(values.API_KEYS ?? []), ...(keysOfFile ?? [])];
  problems.push(
    ...repeated(apiKeys.map((key) => key.name)).map((name) => `${PREFIX}API_KEYS names "${name}" more than once`),
  );
  const linkKeys = [...(values.LINK_KEYS ?? []), ...(inFile("LINK_KEYS_FILE", parseLinkKeys, []) ?? [])];
  problems.push(
    ...repeated(linkKeys.map((key) => key.id)).map((id) => `${PREFIX}LINK_KEYS has the id "${id}" more than once`),
  );
  if (!isLoopback(values.HOST) && apiKeys.length === 0 && !values.INSECURE && keysOfFile !== undefined)
    problems.push(
      `${describe("HOST")} is "${values.HOST}", which others can reach: set ${PREFIX}API_KEYS or ${PREFIX}API_KEYS_FILE ` +
        `(image-store key NAME --rights read,write makes a key), or set ${PREFIX}INSECURE=true (--insecure) to serve anyone`,
    );
  const defaultPresets = parsePresets(DEFAULT_PRESETS);
  const presets = inFile("PRESETS_FILE", parsePresets, values.PRESETS ?? defaultPresets) ?? defaultPresets;
  if (values.PRESETS !== undefined && values.PRESETS_FILE !== undefined)
    problems.push(`${PREFIX}PRESETS and ${PREFIX}PRESETS_FILE are both set`);
  const kafka = attempt("KAFKA_URL", () => readKafkaSettings(values));
  if (problems.length > 0) throw new ConfigError(problems);

  return {
    host: unbracketed(values.HOST),
    port: values.PORT,
    dataFolder: values.DATA,
    catalog: values.CATALOG_URL ?? { kind: "sqlite", path: join(values.DATA, "catalog.sqlite") },
    catalogPool: values.CATALOG_POOL,
    blobs: values.BLOBS_URL ?? { kind: "file", path: join(values.DATA, "blobs") },
    originalsCache: { folder: join(values.DATA, "originals"), maxBytes: values.ORIGINALS_CACHE },
    kafka,
    publicUrl: values.PUBLIC_URL,
    apiKeys,
    linkKeys,
    publicRead: values.PUBLIC_READ,
    insecure: values.INSECURE,
    corsOrigins: values.CORS_ORIGINS,
    limits: {
      maxUpload: values.MAX_UPLOAD,
      maxPixels: values.MAX_PIXELS,
      maxJson: values.MAX_JSON,
      maxFiles: values.MAX_FILES,
      maxMultipart: values.MAX_MULTIPART,
      maxUploadsInFlight: values.MAX_UPLOADS,
      minUploadRate: values.MIN_UPLOAD_RATE,
      acceptTiff: values.ACCEPT_TIFF,
    },
    presets,
    describe: values.DESCRIBE,
    exposeLocation: values.EXPOSE_LOCATION,
    renderers: values.RENDERERS,
    variantCache: { folder: join(values.DATA, "variants"), maxBytes: values.VARIANT_CACHE },
    grace: values.GRACE,
    tombstone: values.TOMBSTONE,
    minFree: values.MIN_FREE,
    smallImage: values.SMALL_IMAGE,
    segmentSize: values.SEGMENT_SIZE,
    imageCache: values.IMAGE_CACHE,
    eventsRetention: values.EVENTS_RETENTION,
    eventsMaxBytes: values.EVENTS_MAX_BYTES,
    log: { level: values.LOG_LEVEL, format: values.LOG_FORMAT ?? (source.isTerminal ? "pretty" : "json") },
    shutdownTimeout: values.SHUTDOWN_TIMEOUT,
  };
}

/** A value with a problem reads as its default, so that the problems of the others are found too. */
function readSettings({ env, flags = {} }: ConfigSource, problems: string[]): SettingValues {
  const read = ([name, setting]: [string, Setting<unknown>]): [string, unknown] => {
    // Empty counts as not set: it is how compose files and shells leave a variable out.
    const text = (setting.flag && flags[setting.flag]) || env[PREFIX + name] || undefined;
    const parse = (value: string | undefined) => (value === undefined ? undefined : setting.parse(value));
    try {
      return [name, parse(text ?? setting.default)];
    } catch (error) {
      problems.push(`${describe(name as SettingName)} ${(error as Error).message}`);
      return [name, parse(setting.default)];
    }
  };
  return Object.fromEntries(Object.entries<Setting<unknown>>(SETTINGS).map(read)) as SettingValues;
}

const unknownVariables = (env: ConfigSource["env"]): string[] =>
  Object.keys(env)
    .filter((name) => name.startsWith(PREFIX) && !Object.hasOwn(SETTINGS, name.slice(PREFIX.length)))
    .map((name) => `${name} is no setting of this store; image-store help lists them`);

function describe(name: SettingName): string {
  const { flag }: Setting<unknown> = SETTINGS[name];
  return `${PREFIX}${name}${flag === undefined ? "" : ` (--${flag})`}`;
}

function readSettingFile(path: string, readFile: ConfigSource["readFile"]): string {
  try {
    return readFile(path);
  } catch (error) {
    throw new Error(`cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

const repeated = (names: readonly string[]): string[] => [
  ...new Set(names.filter((name, index) => names.indexOf(name) !== index)),
];

const unbracketed = (host: string): string => host.replace(/^\[(.*)\]$/, "$1");

function isLoopback(host: string): boolean {
  const address = unbracketed(host);
  return address === "localhost" || address === "::1" || (isIP(address) === 4 && address.startsWith("127."));
}
