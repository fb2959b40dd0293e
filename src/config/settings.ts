import { parseHosts, parseNetworks, parseOrigin, parseOrigins, parseOwnHosts, parsePorts } from "./addresses.ts";
import { parseApiKeys, parseLinkKeys } from "./keys.ts";
import { parsePresets } from "./presets.ts";
import type { Setting } from "./setting.ts";
import { TOKENS } from "./token-settings.ts";
import { parseBlobsUrl, parseCatalogUrl, parseKafkaUrl } from "./urls.ts";
import { integer, oneOf, parseBoolean, parseDuration, parsePercent, parseSize } from "./values.ts";

export const PREFIX = "IMAGE_STORE_";

type Settings = Readonly<Record<string, Setting<unknown>>>;

const text = (value: string): string => value;
const count = integer(1, 1_000_000);
const bytes = atLeast(1);
const pixels = integer(1, 10_000_000_000);

const LISTENING = {
  HOST: { parse: text, help: "Address to listen on.", default: "127.0.0.1", flag: "host" },
  PORT: {
    parse: integer(0, 65_535),
    help: "Port to listen on. 0 picks a free port.",
    default: "8080",
    flag: "port",
  },
  PUBLIC_URL: {
    parse: parseOrigin,
    help: "Origin under which clients reach the store, such as https://images.example.org.",
    flag: "public-url",
  },
  ALLOWED_HOSTS: {
    parse: parseHosts,
    help: "Host names that requests may use, separated by commas. localhost, loopback addresses and the host of PUBLIC_URL are always allowed. If this is set, all IP addresses are allowed too.",
    default: "",
    defaultHelp: "any host with API keys, no other host without",
  },
  CORS_ORIGINS: {
    parse: parseOrigins,
    help: "Origins whose pages may call the API, separated by commas. * allows all; on a store without API keys, for reads only.",
    default: "",
  },
  CACHE_TAGS: {
    parse: parseBoolean,
    help: "Send the ids of image and album in Cache-Tag and Surrogate-Key with content and variants, so that a CDN can purge by them.",
    default: "false",
  },
  PAGE: { parse: parseBoolean, help: "Serve the page at /, on which people see albums and images.", default: "true" },
  TRUSTED_PROXIES: {
    parse: parseNetworks,
    help: "Addresses or networks of proxies, separated by commas. The log takes the client's address from their X-Forwarded-For header.",
    default: "",
  },
} satisfies Settings;

const ACCESS = {
  API_KEYS: {
    parse: parseApiKeys,
    help: 'API keys as name:rights:sha256hex, one per line or separated by commas. "image-store key" makes one.',
  },
  API_KEYS_FILE: { parse: text, help: "File of additional API keys, one per line.", flag: "api-keys-file" },
  LINK_KEYS: {
    parse: parseLinkKeys,
    help: "Keys for signed links as id:secret, one per line or separated by commas. The first key signs; every key verifies.",
    defaultHelp: "a key that the store generates and keeps",
  },
  LINK_KEYS_FILE: { parse: text, help: "File of additional link keys, one per line." },
  PUBLIC_READ: {
    parse: parseBoolean,
    help: "Allow reads without an API key. Writes still need one.",
    default: "false",
    flag: "public-read",
  },
  PUBLIC_ORIGINALS: {
    parse: oneOf("whole", "without-location"),
    help: "Form of originals for clients without a key and for signed links: whole, or without-location to remove the GPS position.",
    default: "whole",
  },
  INSECURE: {
    parse: parseBoolean,
    help: "Allow an address other than loopback without API keys.",
    default: "false",
    flag: "insecure",
  },
} satisfies Settings;

const STORAGE = {
  DATA: { parse: text, help: "Folder of the embedded catalog and blobs.", default: "./data", flag: "data" },
  CATALOG_URL: {
    parse: parseCatalogUrl,
    help: "Location of records and events: sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE.",
    defaultHelp: "sqlite:DATA/catalog.sqlite",
  },
  CATALOG_POOL: { parse: count, help: "Maximum number of this node's connections to PostgreSQL.", default: "10" },
  BLOBS_URL: {
    parse: parseBlobsUrl,
    help: "Location of image bytes: file:PATH or s3://BUCKET/PREFIX (?endpoint=&region=&forcePathStyle=).",
    defaultHelp: "file:DATA/blobs",
  },
  ORIGINALS_CACHE: {
    parse: parseSize,
    help: "Maximum size of DATA/originals, the cache of originals from S3. 0 disables it.",
    default: "1GiB",
  },
  SMALL_IMAGE: {
    parse: atMost(1024 * 1024),
    help: "Maximum size of an image that is stored in a segment, a file that many small images share. At most 1MiB. 0 gives every image a file of its own, which is several times slower.",
    default: "1MiB",
  },
  SEGMENT_SIZE: { parse: atLeast(64 * 1024), help: "Size of a segment, at least 64KiB.", default: "128MiB" },
  IMAGE_CACHE: {
    parse: parseSize,
    help: "Memory for small images that are read often, and as much again for variants. 0 disables both.",
    default: "64MiB",
  },
  MIN_FREE: {
    parse: parseSize,
    help: "Free disk space below which uploads are refused.",
    defaultHelp: "256MiB or 1 % of the disk, whichever is larger",
  },
} satisfies Settings;

const UPLOADS = {
  MAX_UPLOAD: { parse: bytes, help: "Maximum size of an image.", default: "100MiB", flag: "max-upload" },
  MAX_PIXELS: {
    parse: pixels,
    help: "Maximum number of pixels of an image, over all its frames.",
    defaultHelp: "120000000, or 64000000 with little memory",
  },
  MAX_JSON: { parse: bytes, help: "Maximum size of a JSON body.", default: "256KiB" },
  MAX_FILES: { parse: count, help: "Maximum number of files in a multipart request.", default: "1000" },
  MAX_MULTIPART: { parse: bytes, help: "Maximum size of a multipart request.", default: "1GiB" },
  MAX_UPLOADS: {
    parse: count,
    help: "Maximum number of concurrent uploads. Further uploads get 503 with Retry-After.",
    default: "256",
  },
  UPLOAD_MEMORY: {
    parse: bytes,
    help: "Memory for concurrent uploads. Each counts as up to 3 MiB. Further uploads get 503 with Retry-After.",
    default: "96MiB",
  },
  MIN_UPLOAD_RATE: {
    parse: parseSize,
    help: "Minimum bytes per second of an upload. A slower upload is cut off after 10 s.",
    default: "32KiB",
  },
  ACCEPT_TIFF: { parse: parseBoolean, help: "Accept TIFF images.", default: "true" },
} satisfies Settings;

const IMAGES = {
  DESCRIBE: {
    parse: parseBoolean,
    help: "Add the placeholder, dominant colour and camera data to each record after the upload.",
    default: "true",
  },
  EXPOSE_LOCATION: {
    parse: parseBoolean,
    help: "Include the GPS position of an image in its record.",
    default: "false",
  },
  RENDERERS: {
    parse: integer(1, 1024),
    help: "Number of child processes that render variants. The same number of processes describes images. Each uses up to 256 MiB and 24 bytes for each pixel of MAX_PIXELS.",
    defaultHelp: "cores − 1, at least 1",
  },
  PRESETS: {
    parse: parsePresets,
    help: 'Named variants for every client that may read, as JSON: {"card":{"w":640,"h":480,"format":"auto"}}.',
    defaultHelp: "thumb: 240 × 240; small, medium, large: 480, 960, 1920 wide",
  },
  PRESETS_FILE: { parse: text, help: "JSON file of presets, instead of PRESETS." },
  VARIANT_CACHE: {
    parse: parseSize,
    help: "Maximum size of DATA/variants, the cache of variants. 0 disables it.",
    default: "1GiB",
  },
} satisfies Settings;

const EVENTS = {
  EVENTS_RETENTION: {
    parse: parseRetention,
    help: "Time for which events are kept, or forever.",
    default: "30d",
  },
  EVENTS_MAX_BYTES: {
    parse: bytes,
    help: "Size of the event log above which lagging cursors are dropped. Their readers miss events.",
    defaultHelp: "no limit",
  },
  KAFKA_URL: {
    parse: parseKafkaUrl,
    help: "Kafka topic that gets every event: kafka://HOST:PORT,HOST:PORT/TOPIC (?tls=true&ca=&cert=&key=&mechanism=&mode=).",
    flag: "kafka-url",
  },
  KAFKA_USERNAME: { parse: text, help: "SASL user. Overrides the user in KAFKA_URL." },
  KAFKA_PASSWORD: { parse: text, help: "SASL password. Overrides the password in KAFKA_URL." },
  KAFKA_SASL_MECHANISM: {
    parse: oneOf("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
    help: "SASL mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.",
    defaultHelp: "SCRAM-SHA-512 if there is a user",
  },
  KAFKA_TLS: {
    parse: parseBoolean,
    help: "Connect to the brokers by TLS.",
    defaultHelp: "true if a PEM file is named",
  },
  KAFKA_CA_FILE: { parse: text, help: "PEM file of the authority that signed the brokers' certificates." },
  KAFKA_CERT_FILE: { parse: text, help: "PEM file of the client's certificate." },
  KAFKA_KEY_FILE: { parse: text, help: "PEM file of the client's private key." },
  KAFKA_MODE: {
    parse: oneOf("binary", "structured"),
    help: "CloudEvents content mode: binary or structured.",
    defaultHelp: "binary",
  },
  KAFKA_AUDIT: {
    parse: parseBoolean,
    help: "Also send the events of the audit trail: changes of keys, tickets, shares and quotas.",
    default: "false",
  },
} satisfies Settings;

const OUTBOUND = {
  OUTBOUND_ALLOW: {
    parse: parseOwnHosts,
    help: "Hosts, addresses and networks of your own to which webhooks may go, separated by commas, such as hooks.internal,10.1.0.0/16. All other addresses must be on the public internet.",
    default: "",
    defaultHelp: "none",
  },
  OUTBOUND_HTTP: {
    parse: parseBoolean,
    help: "Allow webhooks with http URLs. Anyone on the way can read and change what they carry.",
    default: "false",
  },
  OUTBOUND_PORTS: {
    parse: parsePorts,
    help: "Ports and ranges of ports to which webhooks may go, separated by commas.",
    default: "80,443,8080,8443",
  },
} satisfies Settings;

const DELETION = {
  GRACE: {
    parse: parseDuration,
    help: "Time before the bytes of a deleted image, or bytes without a record, are removed. It must be longer than the longest upload.",
    default: "1h",
  },
  SWEEP_SHARE: {
    parse: parsePercent,
    help: "Maximum share of the store's blobs that one sweep removes because they have no record. Above it, the sweep stops.",
    default: "10%",
  },
  TOMBSTONE: {
    parse: parseDuration,
    help: "Time for which the store checks S3 for late bytes of failed uploads, to delete them.",
    default: "7d",
  },
} satisfies Settings;

const PROCESS = {
  LOG_LEVEL: {
    parse: oneOf("trace", "debug", "info", "warn", "error", "silent"),
    help: "Lowest level that is logged: trace, debug, info, warn, error or silent.",
    default: "info",
    flag: "log-level",
  },
  LOG_FORMAT: {
    parse: oneOf("json", "pretty"),
    help: "Format of log lines: json or pretty.",
    defaultHelp: "pretty on a terminal, else json",
    flag: "log-format",
  },
  START_TIMEOUT: {
    parse: parseDuration,
    help: "Time that a starting server waits for PostgreSQL and S3.",
    default: "1m",
  },
  SHUTDOWN_TIMEOUT: {
    parse: parseDuration,
    help: "Time that a stopping server waits for running requests.",
    default: "10s",
  },
} satisfies Settings;

/** The sections of `--help` and of docs/configuration.md, in their order. */
export const SETTING_GROUPS: Readonly<Record<string, Settings>> = {
  "Address and clients": LISTENING,
  Access: ACCESS,
  "Tokens of your own login": TOKENS,
  Storage: STORAGE,
  Uploads: UPLOADS,
  "Images and variants": IMAGES,
  "Events and Kafka": EVENTS,
  Webhooks: OUTBOUND,
  Deletion: DELETION,
  "Logs, start and stop": PROCESS,
};

/** Every setting, by its variable's name without the prefix. */
export const SETTINGS = {
  ...LISTENING,
  ...ACCESS,
  ...TOKENS,
  ...STORAGE,
  ...UPLOADS,
  ...IMAGES,
  ...EVENTS,
  ...OUTBOUND,
  ...DELETION,
  ...PROCESS,
};

export type SettingName = keyof typeof SETTINGS;

/** Parsed values; undefined for a setting that has neither a value nor a default. */
export type SettingValues = {
  readonly [Name in SettingName]:
    | ReturnType<(typeof SETTINGS)[Name]["parse"]>
    | ((typeof SETTINGS)[Name] extends { default: string } ? never : undefined);
};

function parseRetention(value: string): number | "forever" {
  return value === "forever" ? value : parseDuration(value);
}

function atMost(most: number): (value: string) => number {
  return (value) => {
    const size = parseSize(value);
    if (size > most) throw new Error(`must be at most ${most} bytes, not "${value}"`);
    return size;
  };
}

function atLeast(least: number): (value: string) => number {
  return (value) => {
    const size = parseSize(value);
    if (size < least) throw new Error(`must be at least ${least} ${least === 1 ? "byte" : "bytes"}, not "${value}"`);
    return size;
  };
}
