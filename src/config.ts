import { isIP } from "node:net";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type KafkaConfig, readKafkaSettings } from "./config/kafka.ts";
import { parseApiKeys, parseLinkKeys } from "./config/keys.ts";
import { readLimits } from "./config/limits.ts";
import { DEFAULT_PRESETS, parsePresets } from "./config/presets.ts";
import type { Setting } from "./config/setting.ts";
import { PREFIX, SETTINGS, type SettingName, type SettingValues } from "./config/settings.ts";
import { type LoginConfig, readLogin, readTokens, type TokensConfig } from "./config/tokens.ts";
import type { BlobsUrl, CatalogUrl } from "./config/urls.ts";
import type { ApiKey, Network } from "./domain/access.ts";
import type { Limits } from "./domain/limits.ts";
import type { LinkKey } from "./domain/link.ts";
import { nearest } from "./domain/nearest.ts";
import type { OutboundRules } from "./domain/outbound.ts";
import type { PublicOriginals } from "./domain/variant.ts";
import type { Presets } from "./domain/variant-presets.ts";

/** The store's configuration, parsed. Nothing else reads the environment. Sizes are in bytes, times in milliseconds. */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** Origin under which clients reach the store, without a trailing slash; undefined: host and port. */
  readonly publicUrl: string | undefined;
  /** Names that the Host header may have; empty: any if there are API keys. */
  readonly allowedHosts: readonly string[];
  /** Origins whose pages may call the API; empty: none. */
  readonly corsOrigins: readonly string[];
  /** Proxies whose X-Forwarded-For is trusted; empty: none. */
  readonly trustedProxies: readonly Network[];
  readonly apiKeys: readonly ApiKey[];
  /** The first signs links, all verify them; empty: the store generates and keeps one. */
  readonly linkKeys: readonly LinkKey[];
  /** JWTs of another login; undefined: none are accepted. */
  readonly tokens: TokensConfig | undefined;
  /** Whether content and variants have the tags that a CDN purges by. */
  readonly cacheTags: boolean;
  /** How people sign in to the page at the issuer of tokens; undefined: not at all. */
  readonly login: LoginConfig | undefined;
  /** Whether the store serves its page. */
  readonly page: boolean;
  readonly publicRead: boolean;
  /** Form in which clients without a key and signed links get originals. */
  readonly publicOriginals: PublicOriginals;
  /** Serve addresses other than loopback without keys. */
  readonly insecure: boolean;
  readonly dataFolder: string;
  readonly catalog: CatalogUrl;
  /** Maximum number of connections to PostgreSQL. */
  readonly catalogPool: number;
  readonly blobs: BlobsUrl;
  /** Cache of originals from S3 on this node. `maxBytes` 0: no cache. */
  readonly originalsCache: { readonly folder: string; readonly maxBytes: number };
  /** Maximum size of an image in a segment; 0: every image has its own file. */
  readonly smallImage: number;
  readonly segmentSize: number;
  /** Memory for small images that are read often, and as much again for variants. */
  readonly imageCache: number;
  /** Free space below which uploads are refused; undefined: max(256 MiB, 1 % of the file system). */
  readonly minFree: number | undefined;
  readonly limits: Limits;
  /** Whether images are described after their upload. */
  readonly describe: boolean;
  /** Whether a description includes the place. */
  readonly exposeLocation: boolean;
  /** Number of child processes that render variants; as many describe images. */
  readonly renderers: number;
  readonly presets: Presets;
  /** `maxBytes` 0: no variant is kept. */
  readonly variantCache: { readonly folder: string; readonly maxBytes: number };
  readonly eventsRetention: number | "forever";
  readonly eventsMaxBytes: number | undefined;
  readonly kafka: KafkaConfig | undefined;
  /** Where webhooks may go. */
  readonly outbound: OutboundRules;
  /** Time before deleted bytes, and bytes without a record, are removed. */
  readonly grace: number;
  /** Share of the store's blobs, from 0 to 1, above which a sweep refuses to remove blobs without a record. */
  readonly sweepShare: number;
  /** Time for which a shared store looks for late bytes of failed uploads. */
  readonly tombstone: number;
  readonly log: {
    readonly level: "trace" | "debug" | "info" | "warn" | "error" | "silent";
    readonly format: "json" | "pretty";
  };
  /** Time that a starting server waits for PostgreSQL and S3. */
  readonly startTimeout: number;
  /** Time that a stopping server waits for running requests. */
  readonly shutdownTimeout: number;
}

/** Lists every problem of the configuration at once. Its messages never contain a secret. */
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
  /** By flag name without dashes. A flag overrides its variable. */
  readonly flags?: Readonly<Record<string, string | undefined>>;
  /** Whether the log goes to a terminal. */
  readonly isTerminal?: boolean;
  readonly readFile: (path: string) => string;
}

/** @throws ConfigError with every problem at once */
export function parseConfig(source: ConfigSource): Config {
  const problems = unknownVariables(source.env);
  const values = readSettings(source, problems);
  const files = readFiles(values, source, problems);
  const login = readLogin(values, (name, problem) => problems.push(`${titleOf(name)} ${problem}`));
  const kafka = attempt("KAFKA_URL", problems, () => readKafkaSettings(values));
  if (problems.length > 0) throw new ConfigError(problems);

  const renderers = values.RENDERERS ?? Math.max(1, availableParallelism() - 1);
  return {
    host: unbracketed(values.HOST),
    port: values.PORT,
    publicUrl: values.PUBLIC_URL,
    allowedHosts: values.ALLOWED_HOSTS,
    corsOrigins: values.CORS_ORIGINS,
    trustedProxies: values.TRUSTED_PROXIES,
    ...files,
    cacheTags: values.CACHE_TAGS,
    login,
    page: values.PAGE,
    publicRead: values.PUBLIC_READ,
    publicOriginals: values.PUBLIC_ORIGINALS,
    insecure: values.INSECURE,
    dataFolder: values.DATA,
    catalog: values.CATALOG_URL ?? { kind: "sqlite", path: join(values.DATA, "catalog.sqlite") },
    catalogPool: values.CATALOG_POOL,
    blobs: values.BLOBS_URL ?? { kind: "file", path: join(values.DATA, "blobs") },
    originalsCache: { folder: join(values.DATA, "originals"), maxBytes: values.ORIGINALS_CACHE },
    smallImage: values.SMALL_IMAGE,
    segmentSize: values.SEGMENT_SIZE,
    imageCache: values.IMAGE_CACHE,
    minFree: values.MIN_FREE,
    limits: readLimits(values, renderers),
    describe: values.DESCRIBE,
    exposeLocation: values.EXPOSE_LOCATION,
    renderers,
    variantCache: { folder: join(values.DATA, "variants"), maxBytes: values.VARIANT_CACHE },
    eventsRetention: values.EVENTS_RETENTION,
    eventsMaxBytes: values.EVENTS_MAX_BYTES,
    kafka,
    outbound: { http: values.OUTBOUND_HTTP, ports: values.OUTBOUND_PORTS, allowed: values.OUTBOUND_ALLOW },
    grace: values.GRACE,
    sweepShare: values.SWEEP_SHARE,
    tombstone: values.TOMBSTONE,
    log: { level: values.LOG_LEVEL, format: values.LOG_FORMAT ?? (source.isTerminal ? "pretty" : "json") },
    startTimeout: values.START_TIMEOUT,
    shutdownTimeout: values.SHUTDOWN_TIMEOUT,
  };
}

/** Keys, tokens and presets, of their variables and of the files that other variables name. */
function readFiles(
  values: SettingValues,
  { readFile }: ConfigSource,
  problems: string[],
): Pick<Config, "apiKeys" | "linkKeys" | "tokens" | "presets"> {
  const parseFile = <Value>(
    name: "API_KEYS_FILE" | "LINK_KEYS_FILE" | "PRESETS_FILE",
    parse: (text: string) => Value,
  ): Value | undefined => {
    const path = values[name];
    return path === undefined ? undefined : attempt(name, problems, () => parse(readSettingFile(path, readFile)));
  };
  const apiKeys = [...(values.API_KEYS ?? []), ...(parseFile("API_KEYS_FILE", parseApiKeys) ?? [])];
  const linkKeys = [...(values.LINK_KEYS ?? []), ...(parseFile("LINK_KEYS_FILE", parseLinkKeys) ?? [])];
  const tokens = readTokens(
    values,
    (path) => readSettingFile(path, readFile),
    (name, problem) => problems.push(`${titleOf(name)} ${problem}`),
  );
  const presets = parseFile("PRESETS_FILE", parsePresets) ?? values.PRESETS ?? parsePresets(DEFAULT_PRESETS);
  for (const name of repeated(apiKeys.map((key) => key.name)))
    problems.push(`${PREFIX}API_KEYS names "${name}" more than once`);
  for (const id of repeated(linkKeys.map((key) => key.id)))
    problems.push(`${PREFIX}LINK_KEYS has the id "${id}" more than once`);
  if (values.PRESETS !== undefined && values.PRESETS_FILE !== undefined)
    problems.push(`${PREFIX}PRESETS and ${PREFIX}PRESETS_FILE are both set`);
  return { apiKeys, linkKeys, tokens, presets };
}

/**
 * A store that other machines can reach must ask for keys.
 * @param hasKeys whether a key was ever made in the catalog
 * @throws ConfigError
 */
export function requireClosed({ host, apiKeys, tokens, insecure }: Config, hasKeys: boolean): void {
  if (isLoopback(host) || apiKeys.length > 0 || tokens !== undefined || hasKeys || insecure) return;
  throw new ConfigError([
    `${titleOf("HOST")} is "${host}", which other machines can reach. Make a key with ` +
      `"image-store key create admin --role admin", set ${PREFIX}API_KEYS or ${PREFIX}API_KEYS_FILE, or set ` +
      `${PREFIX}INSECURE=true (--insecure) to serve anyone without a key`,
  ]);
}

/** Adds the message of an error to the problems. */
function attempt<Value>(name: SettingName, problems: string[], work: () => Value): Value | undefined {
  try {
    return work();
  } catch (error) {
    problems.push(`${titleOf(name)} ${(error as Error).message}`);
    return undefined;
  }
}

/** A setting with a problem gets its default, so that the problems of the others are found too. */
function readSettings({ env, flags = {} }: ConfigSource, problems: string[]): SettingValues {
  const read = ([name, setting]: [string, Setting<unknown>]): [string, unknown] => {
    const parse = (text: string | undefined) => (text === undefined ? undefined : setting.parse(text));
    // An empty variable counts as unset: compose files and shells leave a variable out that way.
    const text = (setting.flag && flags[setting.flag]) || env[PREFIX + name] || undefined;
    const value = attempt(name as SettingName, problems, () => parse(text ?? setting.default));
    return [name, value ?? parse(setting.default)];
  };
  return Object.fromEntries(Object.entries<Setting<unknown>>(SETTINGS).map(read)) as SettingValues;
}

/** For commands that talk to a store; a server in the same environment ignores them. */
export const OF_CLIENTS: ReadonlySet<string> = new Set(["IMAGE_STORE_URL", "IMAGE_STORE_KEY", "IMAGE_STORE_TO_KEY"]);

const unknownVariables = (env: ConfigSource["env"]): string[] =>
  Object.keys(env)
    .filter(
      (name) => name.startsWith(PREFIX) && !Object.hasOwn(SETTINGS, name.slice(PREFIX.length)) && !OF_CLIENTS.has(name),
    )
    .map((name) => {
      const meant = nearest(name.slice(PREFIX.length), Object.keys(SETTINGS));
      const suggestion = meant === undefined ? "" : `Did you mean ${PREFIX}${meant}? `;
      return `Unknown setting ${name}. ${suggestion}Run "image-store help" to list them.`;
    });

/** The variable and, if it has one, its flag. */
function titleOf(name: SettingName): string {
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

/** The names that occur more than once. */
const repeated = (names: readonly string[]): string[] => [
  ...new Set(names.filter((name, index) => names.indexOf(name) !== index)),
];

const unbracketed = (host: string): string => host.replace(/^\[(.*)\]$/, "$1");

function isLoopback(host: string): boolean {
  const address = unbracketed(host);
  return address === "localhost" || address === "::1" || (isIP(address) === 4 && address.startsWith("127."));
}
