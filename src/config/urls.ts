import { parseOrigin } from "./addresses.ts";
import { parseBoolean } from "./values.ts";

// A URL may hold a secret, so no message of this file repeats one.
const KAFKA_URL = /^kafka:\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
const KAFKA_QUERY = ["tls", "ca", "cert", "key", "mechanism", "mode"] as const;
const POSTGRES_URL = /^postgres(?:ql)?:\/\/(?:[^@/?#]*@)?([^@/?#]+)\/[^/?#]+(?:\?([^#]*))?$/;
const POSTGRES_QUERY = ["sslmode", "sslrootcert", "sslcert", "sslkey"] as const;
const SSL_MODES = ["disable", "require", "verify-ca", "verify-full"];
const DEFAULT_TOPIC = "image-store.events";

/** The parts of `kafka://user:password@host:9092,host:9092/topic?tls=true`. */
export interface KafkaUrl {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly options: Readonly<Partial<Record<(typeof KAFKA_QUERY)[number], string>>>;
}

export type CatalogUrl =
  | { readonly kind: "sqlite"; readonly path: string }
  | { readonly kind: "postgres"; readonly url: string };

export type BlobsUrl = { readonly kind: "file"; readonly path: string } | S3Url;

export interface S3Url {
  readonly kind: "s3";
  readonly bucket: string;
  /** Prefix of every key: empty, or ends with a slash. */
  readonly prefix: string;
  /** Undefined: AWS's endpoint of the region. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  readonly forcePathStyle: boolean;
}

/** `sqlite:catalog.sqlite`, `sqlite:/var/lib/catalog.sqlite` or `sqlite:///var/lib/catalog.sqlite`; or a PostgreSQL URL. */
export function parseCatalogUrl(url: string): CatalogUrl {
  if (/^postgres(ql)?:/.test(url)) return { kind: "postgres", url: requirePostgresUrl(url) };
  requireScheme(url, ["sqlite:"], "sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE");
  return { kind: "sqlite", path: parsePathUrl(url, "sqlite:") };
}

/** The message repeats only the scheme of the URL. */
function requireScheme(url: string, schemes: readonly string[], form: string): void {
  if (schemes.some((scheme) => url.startsWith(scheme))) return;
  const [scheme] = /^[a-z][a-z\d+.-]*:(?=\/\/|[^\d])/i.exec(url) ?? [];
  throw new Error(`must be ${form}${scheme === undefined ? "" : `, not ${scheme}`}`);
}

/** Refuses unknown parameters: ignoring one, such as a TLS option, could weaken what the operator asked for. */
function requirePostgresUrl(url: string): string {
  const [, host, query] = POSTGRES_URL.exec(url) ?? [];
  const parsed = URL.parse(url);
  if (host === undefined || parsed === null)
    throw new Error("must be of the form postgres://user:password@host:5432/database");
  for (const part of [parsed.username, parsed.password, parsed.pathname]) decode(part);
  const { sslmode = "disable", ...files } = parseQuery(query ?? "", POSTGRES_QUERY);
  if (!SSL_MODES.includes(sslmode)) throw new Error(`has an unknown sslmode; known are ${SSL_MODES.join(", ")}`);
  if (sslmode === "disable" && Object.keys(files).length > 0)
    throw new Error("names TLS files but has no sslmode that uses them");
  if (sslmode === "verify-ca" && files.sslrootcert === undefined)
    throw new Error("must name the trusted authority (sslrootcert) with sslmode=verify-ca");
  if ((files.sslcert === undefined) !== (files.sslkey === undefined))
    throw new Error("must have both sslcert and sslkey, or neither");
  return url;
}

/** `file:/var/lib/blobs`, or `s3://bucket/prefix?endpoint=…&region=…&forcePathStyle=true`. */
export function parseBlobsUrl(url: string): BlobsUrl {
  requireScheme(url, ["file:", "s3:"], "file:PATH or s3://BUCKET/PREFIX");
  if (url.startsWith("file:")) return { kind: "file", path: parsePathUrl(url, "file:") };
  const [, bucket, path, query] =
    /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(url) ?? [];
  if (bucket === undefined) throw new Error("must be of the form s3://bucket/prefix?endpoint=…&region=…");
  const options = parseQuery(query ?? "", ["endpoint", "region", "forcePathStyle"]);
  const prefix = decode(path ?? "").replace(/\/*$/, "/");
  return {
    kind: "s3",
    bucket,
    prefix: prefix === "/" ? "" : prefix,
    endpoint: options.endpoint === undefined ? undefined : parseOrigin(options.endpoint),
    region: options.region,
    forcePathStyle: options.forcePathStyle === undefined ? false : parseBoolean(options.forcePathStyle),
  };
}

function parsePathUrl(url: string, scheme: string): string {
  const path = url.slice(scheme.length).replace(/^\/\/(?=\/)/, "");
  if (path === "" || path.startsWith("//") || /[?#%]/.test(path))
    throw new Error(`must be ${scheme} and a path, such as ${scheme}/var/lib/image-store/…, without ?, # or %`);
  return path;
}

export function parseKafkaUrl(url: string): KafkaUrl {
  requireScheme(url, ["kafka:"], "kafka://HOST:PORT,HOST:PORT/TOPIC");
  // `new URL` allows one host only.
  const [, userinfo, hosts, path, query] = KAFKA_URL.exec(url) ?? [];
  if (hosts === undefined) throw new Error("must be of the form kafka://host:9092,host:9092/topic");
  const [username, password] = userinfo?.split(/:(.*)/s) ?? [];
  const topic = path || DEFAULT_TOPIC;
  if (!/^[\w.-]{1,249}$/.test(topic) || topic === "." || topic === "..")
    throw new Error("names a topic that Kafka does not allow (letters, digits, '.', '_' and '-', at most 249)");
  return {
    brokers: hosts.split(",").map(parseBroker),
    topic,
    username: username && decode(username),
    password: password && decode(password),
    options: parseQuery(query ?? "", KAFKA_QUERY),
  };
}

function parseBroker(text: string): string {
  const [, host, port] = /^(\[[\da-f:]+\]|[\w.-]+)(?::(\d{1,5}))?$/i.exec(text) ?? [];
  if (host === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535)
    throw new Error("has a broker that is not host or host:port");
  return `${host}:${port ?? 9092}`;
}

function parseQuery<Name extends string>(query: string, names: readonly Name[]): Partial<Record<Name, string>> {
  const options: Partial<Record<Name, string>> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    const option = names.find((known) => known === name);
    if (option === undefined) throw new Error(`has an unknown parameter; known are ${names.join(", ")}`);
    // The client library might use the other value.
    if (options[option] !== undefined) throw new Error(`has the parameter ${option} twice`);
    options[option] = value;
  }
  return options;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error("has a broken percent escape");
  }
}
