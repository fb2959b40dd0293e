/** A URL chooses an adapter. It may hold a secret, so no message here repeats it. */
const KAFKA_URL = /^kafka:\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
const KAFKA_QUERY = ["tls", "ca", "cert", "key", "mechanism", "mode"] as const;
const DEFAULT_TOPIC = "image-store.events";

/** What a `kafka://user:password@host:9092,host:9092/topic?tls=true` says, as far as it says it. */
export interface KafkaUrl {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly options: Readonly<Partial<Record<(typeof KAFKA_QUERY)[number], string>>>;
}

/** The path of `sqlite:catalog.sqlite`, `sqlite:/var/lib/catalog.sqlite` or `sqlite:///var/lib/catalog.sqlite`. */
export function parseCatalogUrl(url: string): string {
  if (/^postgres(ql)?:/.test(url)) throw new Error("names PostgreSQL, which is not in this version yet");
  return parsePathUrl(url, "sqlite:");
}

export function parseBlobsUrl(url: string): string {
  if (url.startsWith("s3:")) throw new Error("names an object store, which is not in this version yet");
  return parsePathUrl(url, "file:");
}

function parsePathUrl(url: string, scheme: string): string {
  const path = url.startsWith(scheme) ? url.slice(scheme.length).replace(/^\/\/(?=\/)/, "") : "";
  if (path === "" || path.startsWith("//") || /[?#%]/.test(path))
    throw new Error(`must be ${scheme} and a path, such as ${scheme}/var/lib/image-store/…, without ?, # or %`);
  return path;
}

export function parseKafkaUrl(url: string): KafkaUrl {
  // Not `new URL`: it knows one host only.
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
    options: parseKafkaQuery(query ?? ""),
  };
}

function parseBroker(text: string): string {
  const [, host, port] = /^(\[[\da-f:]+\]|[\w.-]+)(?::(\d{1,5}))?$/i.exec(text) ?? [];
  if (host === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535)
    throw new Error("has a broker that is not host or host:port");
  return `${host}:${port ?? 9092}`;
}

function parseKafkaQuery(query: string): KafkaUrl["options"] {
  const options: Partial<Record<(typeof KAFKA_QUERY)[number], string>> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    const option = KAFKA_QUERY.find((known) => known === name);
    if (option === undefined) throw new Error(`has an unknown parameter; known are ${KAFKA_QUERY.join(", ")}`);
    options[option] = value;
  }
  return options;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error("has a user or password with a broken percent escape");
  }
}
