import { parseApiKeys } from "./api-keys.ts";
import { parseLinkKeys } from "./link-keys.ts";
import { parsePresets } from "./presets.ts";
import { parseBlobsUrl, parseCatalogUrl, parseKafkaUrl } from "./urls.ts";
import { integer, oneOf, parseBoolean, parseDuration, parseOrigin, parseOrigins, parseSize } from "./values.ts";

export const PREFIX = "IMAGE_STORE_";

/** One variable: how its text is read, what holds without it, and what `--help` says of it. */
export interface Setting<Value> {
  readonly parse: (text: string) => Value;
  readonly help: string;
  readonly default?: string;
  /** What `--help` shows where the default is worked out from others. */
  readonly defaultHelp?: string;
  /** The command line's name for it, where it has one. */
  readonly flag?: string;
}

const text = (value: string): string => value;
const count = integer(1, 1_000_000);
const bytes = (value: string): number => atLeastOne(parseSize(value));
const pixels = integer(1, 10_000_000_000);

/** Every variable, without its prefix, in the order in which `--help` lists them. */
export const SETTINGS = {
  HOST: { parse: text, help: "address to listen on", default: "127.0.0.1", flag: "host" },
  PORT: { parse: integer(0, 65_535), help: "port to listen on; 0 takes a free one", default: "8080", flag: "port" },
  DATA: { parse: text, help: "folder of the embedded catalog and blobs", default: "./data", flag: "data" },
  CATALOG_URL: {
    parse: parseCatalogUrl,
    help: "where records and events are: sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE",
    defaultHelp: "sqlite:DATA/catalog.sqlite",
  },
  CATALOG_POOL: { parse: count, help: "most connections of this node to PostgreSQL", default: "10" },
  BLOBS_URL: {
    parse: parseBlobsUrl,
    help: "where bytes are: file:PATH or s3://BUCKET/PREFIX (?endpoint=&region=&forcePathStyle=)",
    defaultHelp: "file:DATA/blobs",
  },
  ORIGINALS_CACHE: {
    parse: parseSize,
    help: "bytes of originals from S3 that DATA/originals may hold; 0 keeps none",
    default: "1GiB",
  },
  KAFKA_URL: {
    parse: parseKafkaUrl,
    help: "send events to kafka://HOST:PORT,HOST:PORT/TOPIC (?tls=true&ca=&cert=&key=&mechanism=&mode=)",
    flag: "kafka-url",
  },
  KAFKA_USERNAME: { parse: text, help: "SASL user; goes before the one in the URL" },
  KAFKA_PASSWORD: { parse: text, help: "SASL password; goes before the one in the URL" },
  KAFKA_SASL_MECHANISM: {
    parse: oneOf("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
    help: "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
    defaultHelp: "SCRAM-SHA-512 where there is a user",
  },
  KAFKA_TLS: { parse: parseBoolean, help: "speak TLS to the brokers", defaultHelp: "true where a file is named" },
  KAFKA_CA_FILE: { parse: text, help: "PEM file of the authority that signed the brokers' certificates" },
  KAFKA_CERT_FILE: { parse: text, help: "PEM file of the client's certificate" },
  KAFKA_KEY_FILE: { parse: text, help: "PEM file of the client's key" },
  KAFKA_MODE: {
    parse: oneOf("binary", "structured"),
    help: "CloudEvents mode: binary or structured",
    defaultHelp: "binary",
  },
  PUBLIC_URL: {
    parse: parseOrigin,
    help: "origin under which clients reach the store, such as https://images.example.org",
    flag: "public-url",
  },
  API_KEYS: { parse: parseApiKeys, help: "name:rights:sha256hex by line or comma; `image-store key` makes one" },
  API_KEYS_FILE: { parse: text, help: "file with more of them, one a line", flag: "api-keys-file" },
  LINK_KEYS: {
    parse: parseLinkKeys,
    help: "id:secret by line or comma, to sign links with; the first signs, all verify",
    defaultHelp: "one that the store makes and keeps",
  },
  LINK_KEYS_FILE: { parse: text, help: "file with more of them, one a line" },
  PUBLIC_READ: {
    parse: parseBoolean,
    help: "let anyone read; writing still needs a key",
    default: "false",
    flag: "public-read",
  },
  INSECURE: {
    parse: parseBoolean,
    help: "serve other addresses than loopback without keys",
    default: "false",
    flag: "insecure",
  },
  CORS_ORIGINS: { parse: parseOrigins, help: "origins that browsers may call from, by comma", default: "" },
  MAX_UPLOAD: { parse: bytes, help: "largest image", default: "100MiB", flag: "max-upload" },
  MAX_PIXELS: { parse: pixels, help: "most pixels of an image, over all its frames", default: "50000000" },
  MAX_JSON: { parse: bytes, help: "largest JSON body", default: "256KiB" },
  MAX_FILES: { parse: count, help: "most files of a multipart request", default: "1000" },
  MAX_MULTIPART: { parse: bytes, help: "largest multipart request", default: "1GiB" },
  MAX_UPLOADS: { parse: count, help: "most uploads at a time; more get 503 and may try again", default: "256" },
  MIN_UPLOAD_RATE: {
    parse: parseSize,
    help: "bytes a second below which an upload is cut off after 10 s",
    default: "32KiB",
  },
  ACCEPT_TIFF: { parse: parseBoolean, help: "accept TIFF images", default: "true" },
  DESCRIBE: {
    parse: parseBoolean,
    help: "find out what pixels and EXIF tell of each image, some time after its upload",
    default: "true",
  },
  EXPOSE_LOCATION: { parse: parseBoolean, help: "say in records where an image was taken", default: "false" },
  RENDERERS: {
    parse: integer(1, 1024),
    help: "child processes that make variants, each of at most 256 MiB and 24 bytes a pixel of MAX_PIXELS",
    defaultHelp: "cores − 1, at least 1",
  },
  PRESETS: {
    parse: parsePresets,
    help: 'variants by name, for anyone who may read: JSON such as {"card":{"w":640,"h":480,"format":"auto"}}',
    defaultHelp: "thumb: 240 × 240; small, medium, large: 480, 960, 1920 wide",
  },
  PRESETS_FILE: { parse: text, help: "file with them instead" },
  VARIANT_CACHE: {
    parse: parseSize,
    help: "bytes of variants that DATA/variants may hold; 0 keeps none",
    default: "1GiB",
  },
  GRACE: {
    parse: parseDuration,
    help: "how long deleted and unrecorded bytes stay; longer than the longest upload",
    default: "1h",
  },
  TOMBSTONE: {
    parse: parseDuration,
    help: "how long bytes that were sent to S3 and never recorded are looked for",
    default: "7d",
  },
  MIN_FREE: {
    parse: parseSize,
    help: "free space below which uploads are refused",
    defaultHelp: "256MiB or 1 %, the larger",
  },
  SMALL_IMAGE: {
    parse: atMost(1024 * 1024),
    help: "images up to this size share files, which is several times faster; 0: a file each",
    default: "1MiB",
  },
  SEGMENT_SIZE: { parse: atLeast(64 * 1024), help: "size of the files that small images share", default: "128MiB" },
  IMAGE_CACHE: {
    parse: parseSize,
    help: "memory for small images that are read often, and as much for variants; 0: none",
    default: "64MiB",
  },
  EVENTS_RETENTION: { parse: parseRetention, help: "how long events are kept: a time, or forever", default: "30d" },
  EVENTS_MAX_BYTES: {
    parse: bytes,
    help: "size of the log past which readers that lag are given up",
    defaultHelp: "no limit",
  },
  LOG_LEVEL: {
    parse: oneOf("trace", "debug", "info", "warn", "error", "silent"),
    help: "trace, debug, info, warn, error or silent",
    default: "info",
    flag: "log-level",
  },
  LOG_FORMAT: {
    parse: oneOf("json", "pretty"),
    help: "json or pretty",
    defaultHelp: "pretty on a terminal, else json",
    flag: "log-format",
  },
  SHUTDOWN_TIMEOUT: { parse: parseDuration, help: "how long a stopping server waits for what runs", default: "10s" },
} satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof SETTINGS;

/** Undefined where it was not set and has no default. */
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
    if (size > most) throw new Error(`must be at most ${most} bytes`);
    return size;
  };
}

function atLeast(least: number): (value: string) => number {
  return (value) => {
    const size = parseSize(value);
    if (size < least) throw new Error(`must be at least ${least} bytes`);
    return size;
  };
}

function atLeastOne(value: number): number {
  if (value < 1) throw new Error("must be at least one byte");
  return value;
}
