import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import fc from "fast-check";
import { defaultMaxPixels } from "../src/config/limits.ts";
import { DEFAULT_PRESETS, parsePresets } from "../src/config/presets.ts";
import { parseDuration, parseSize } from "../src/config/values.ts";
import { type Config, ConfigError, type ConfigSource, parseConfig, requireClosed } from "../src/config.ts";

const noFile = (path: string): string => {
  throw new Error(`ENOENT: no such file, open '${path}'`);
};
const parse = (env: ConfigSource["env"] = {}, source: Partial<ConfigSource> = {}): Config =>
  parseConfig({ readFile: noFile, ...source, env });

function problemsOf(env: ConfigSource["env"], source: Partial<ConfigSource> = {}): readonly string[] {
  try {
    parse(env, source);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const digest = createHash("sha256").update("a key").digest("hex");
const linkSecret = createHash("sha256").update("a link key").digest("base64url");

describe("default configuration", () => {
  test("serves ./data to this machine only", () => {
    expect(parse()).toEqual({
      host: "127.0.0.1",
      port: 8080,
      dataFolder: "./data",
      catalog: { kind: "sqlite", path: "data/catalog.sqlite" },
      catalogPool: 10,
      blobs: { kind: "file", path: "data/blobs" },
      originalsCache: { folder: "data/originals", maxBytes: 2 ** 30 },
      kafka: undefined,
      outbound: {
        http: false,
        ports: [
          [80, 80],
          [443, 443],
          [8080, 8080],
          [8443, 8443],
        ],
        allowed: { hosts: [], networks: [] },
      },
      publicUrl: undefined,
      apiKeys: [],
      linkKeys: [],
      tokens: undefined,
      login: undefined,
      page: true,
      cacheTags: false,
      publicRead: false,
      publicOriginals: "whole",
      insecure: false,
      corsOrigins: [],
      allowedHosts: [],
      trustedProxies: [],
      limits: {
        maxUpload: 100 * 2 ** 20,
        maxPixels: defaultMaxPixels(Math.max(1, availableParallelism() - 1)),
        maxJson: 256 * 2 ** 10,
        maxFiles: 1000,
        maxMultipart: 2 ** 30,
        maxUploadsInFlight: 256,
        uploadMemory: 96 * 1024 * 1024,
        minUploadRate: 32 * 2 ** 10,
        acceptTiff: true,
      },
      describe: true,
      exposeLocation: false,
      renderers: Math.max(1, availableParallelism() - 1),
      presets: parsePresets(DEFAULT_PRESETS),
      variantCache: { folder: "data/variants", maxBytes: 2 ** 30 },
      grace: 3_600_000,
      sweepShare: 0.1,
      tombstone: 7 * 86_400_000,
      minFree: undefined,
      smallImage: 1024 * 1024,
      segmentSize: 128 * 1024 * 1024,
      imageCache: 64 * 1024 * 1024,
      eventsRetention: 30 * 86_400_000,
      eventsMaxBytes: undefined,
      log: { level: "info", format: "json" },
      startTimeout: 60_000,
      shutdownTimeout: 10_000,
    });
  });

  test("limits the longest upload to less than the grace period", () => {
    const { limits, grace } = parse();
    expect(limits.maxUpload / limits.minUploadRate).toBeLessThan(grace / 1000);
  });

  test("logs for people on a terminal unless the format is set", () => {
    expect(parse({}, { isTerminal: true }).log.format).toBe("pretty");
    expect(parse({ IMAGE_STORE_LOG_FORMAT: "json" }, { isTerminal: true }).log.format).toBe("json");
  });

  test("treats an empty variable as not set", () => {
    expect(parse({ IMAGE_STORE_PORT: "", IMAGE_STORE_KAFKA_URL: "" })).toEqual(parse());
  });
});

describe("configuration values", () => {
  test("the data folder contains catalog and blobs unless they have URLs", () => {
    const moved = parse({ IMAGE_STORE_DATA: "/srv/images", IMAGE_STORE_BLOBS_URL: "file:///mnt/blobs" });
    expect(moved.catalog).toEqual({ kind: "sqlite", path: "/srv/images/catalog.sqlite" });
    expect(moved.blobs).toEqual({ kind: "file", path: "/mnt/blobs" });
    expect(parse({ IMAGE_STORE_CATALOG_URL: "sqlite:elsewhere.sqlite" }).catalog).toEqual({
      kind: "sqlite",
      path: "elsewhere.sqlite",
    });
  });

  test("catalog, blobs and events may have URLs", () => {
    const url = "postgres://user:password@host:5432/images?sslmode=verify-full";
    expect(parse({ IMAGE_STORE_CATALOG_URL: url }).catalog).toEqual({ kind: "postgres", url });
    const s3 = { kind: "s3", endpoint: undefined, region: undefined, forcePathStyle: false };
    const blobs = (text: string) => parse({ IMAGE_STORE_BLOBS_URL: text }).blobs as unknown;
    expect(blobs("s3://images")).toEqual({ ...s3, bucket: "images", prefix: "" });
    expect(blobs("s3://images/a%20b/c/")).toEqual({ ...s3, bucket: "images", prefix: "a b/c/" });
    const options = "endpoint=http%3A%2F%2F127.0.0.1%3A9000&region=eu-west-1&forcePathStyle=true";
    expect(blobs(`s3://images/p?${options}`)).toEqual({
      kind: "s3",
      bucket: "images",
      prefix: "p/",
      endpoint: "http://127.0.0.1:9000",
      region: "eu-west-1",
      forcePathStyle: true,
    });
  });

  test("a flag takes precedence over its variable", () => {
    expect(parse({ IMAGE_STORE_PORT: "9000" }, { flags: { port: "9001" } }).port).toBe(9001);
  });

  test("every unit of size and time is read", () => {
    expect(["7", "7B", "2KiB", "1.5MiB", "3 GiB", "1TiB"].map(parseSize)).toEqual([
      7,
      7,
      2048,
      1_572_864,
      3 * 2 ** 30,
      2 ** 40,
    ]);
    expect(["250ms", "30s", "1.5m", "1h", "30 d"].map(parseDuration)).toEqual([
      250,
      30_000,
      90_000,
      3_600_000,
      30 * 86_400_000,
    ]);
  });

  test("an invalid size or time is refused", () => {
    const units = /^(\d+(\.\d+)?) ?([KMGT]iB|B|ms|s|m|h|d)?$/;
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!units.test(text));
        expect(() => parseSize(text)).toThrow("must be a size");
        expect(() => parseDuration(text)).toThrow("must be a time");
      }),
    );
    expect(() => parseDuration("30")).toThrow("must be a time");
    expect(() => parseSize("99999999999999999999")).toThrow("must be a size");
  });

  test("retention may be unlimited, and origins are a list", () => {
    expect(parse({ IMAGE_STORE_EVENTS_RETENTION: "forever" }).eventsRetention).toBe("forever");
    const { corsOrigins, publicUrl } = parse({
      IMAGE_STORE_CORS_ORIGINS: "https://a.example, http://b.example:8080",
      IMAGE_STORE_PUBLIC_URL: "https://images.example/",
    });
    expect(corsOrigins).toEqual(["https://a.example", "http://b.example:8080"]);
    expect(publicUrl).toBe("https://images.example");
  });

  test("hosts of the operator's own are names, addresses and networks, and ports have ranges", () => {
    const { outbound } = parse({
      IMAGE_STORE_OUTBOUND_ALLOW: "Hooks.internal, 10.1.0.0/16, ::1",
      IMAGE_STORE_OUTBOUND_PORTS: "443, 8000-8999",
      IMAGE_STORE_OUTBOUND_HTTP: "true",
    });
    expect(outbound).toEqual({
      http: true,
      ports: [
        [443, 443],
        [8000, 8999],
      ],
      allowed: {
        hosts: ["hooks.internal"],
        networks: [
          { address: "10.1.0.0", prefix: 16, family: "ipv4" },
          { address: "::1", prefix: 128, family: "ipv6" },
        ],
      },
    });
  });
});

describe("configuration problems", () => {
  test.each([
    ["PORT", "65536", "from 0 to 65535"],
    ["PORT", "8o8o", 'not "8o8o"'],
    ["CATALOG_URL", "postgres://host", "postgres://user:password@host:5432/database"],
    ["CATALOG_URL", "postgres://us%er@host/db", "broken percent escape"],
    ["CATALOG_URL", "postgres://host/db?sslmode=prefer", "known are disable, require, verify-ca, verify-full"],
    ["CATALOG_URL", "postgres://host/db?ssl=true", "known are sslmode, sslrootcert, sslcert, sslkey"],
    ["CATALOG_URL", "postgres://host/db?sslrootcert=ca.pem", "no sslmode"],
    ["CATALOG_URL", "postgres://host/db?sslmode=verify-ca", "sslrootcert"],
    ["CATALOG_URL", "postgres://host/db?sslmode=require&sslcert=c.pem", "sslkey"],
    ["CATALOG_URL", "postgres://host/db?sslmode=disable&sslmode=verify-full", "sslmode twice"],
    ["CATALOG_URL", "mysql://host/db", "must be sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE, not mysql:"],
    ["CATALOG_URL", "postgress://host/db", "or postgres://USER:PASSWORD@HOST/DATABASE, not postgress:"],
    ["CATALOG_URL", "data/catalog.sqlite", "must be sqlite:PATH or postgres:"],
    ["BLOBS_URL", "https://bucket.s3.amazonaws.com", "must be file:PATH or s3://BUCKET/PREFIX, not https:"],
    ["BLOBS_URL", "s3a://bucket", "must be file:PATH or s3://BUCKET/PREFIX, not s3a:"],
    ["BLOBS_URL", "/var/lib/blobs", "must be file:PATH or s3:"],
    ["KAFKA_URL", "localhost:9092", "must be kafka://HOST:PORT,HOST:PORT/TOPIC"],
    ["BLOBS_URL", "s3://B/prefix", "s3://bucket/prefix"],
    ["BLOBS_URL", "s3://bucket?acl=x", "unknown parameter; known are endpoint, region, forcePathStyle"],
    ["BLOBS_URL", "s3://bucket?endpoint=minio:9000", "must be an origin"],
    ["BLOBS_URL", "file:", "must be file:"],
    ["BLOBS_URL", "file://host/path", "must be file:"],
    ["PUBLIC_URL", "https://images.example/store", "without a path"],
    ["PUBLIC_URL", "ftp://images.example", "must be an origin"],
    ["CORS_ORIGINS", "https://a.example,*", "must be an origin"],
    ["CORS_ORIGINS", "https://*.example.org", 'without a wildcard, not "https://*.example.org"'],
    ["CORS_ORIGINS", "http://localhost:*", "must be an origin"],
    ["CORS_ORIGINS", "null", "must be an origin"],
    ["ALLOWED_HOSTS", "https://images.example", "must be host names without scheme and port"],
    ["ALLOWED_HOSTS", "images.example:8080", 'not "images.example:8080"'],
    ["ALLOWED_HOSTS", "*.example", "must be host names"],
    ["ALLOWED_HOSTS", "images.example/a", "must be host names"],
    ["ALLOWED_HOSTS", "bücher.example", "must be host names"],
    ["ALLOWED_HOSTS", "a.example,10.0.0.5", 'not the address "10.0.0.5": while this is set, all addresses are allowed'],
    ["ALLOWED_HOSTS", "0x7f.1", "must be host names"],
    ["TRUSTED_PROXIES", "nginx", 'such as 10.0.0.0/8 or ::1, not "nginx"'],
    ["TRUSTED_PROXIES", "10.0.0.0/33", "must be addresses or networks"],
    ["TRUSTED_PROXIES", "10.0.0.0/8/8", "must be addresses or networks"],
    ["TRUSTED_PROXIES", "10.0.0/8", "must be addresses or networks"],
    ["TRUSTED_PROXIES", "fe80::1%eth0", "must be addresses or networks"],
    ["TRUSTED_PROXIES", "10.0.0.1:80", "must be addresses or networks"],
    ["TRUSTED_PROXIES", "10.0.0.1,0.0.0.0/0", 'every address ("0.0.0.0/0")'],
    ["TRUSTED_PROXIES", "::/0", "every address"],
    ["OUTBOUND_ALLOW", "hooks.internal:80", "must be host names without scheme and port"],
    ["OUTBOUND_ALLOW", "10.0.0.0/33", "must be addresses or networks"],
    ["OUTBOUND_PORTS", ",", "must name at least one port"],
    ["OUTBOUND_PORTS", "0", "must be ports or ranges of ports"],
    ["OUTBOUND_PORTS", "90-80", "must be ports or ranges of ports"],
    ["OUTBOUND_PORTS", "65536", "must be ports or ranges of ports"],
    ["OUTBOUND_PORTS", "http", "must be ports or ranges of ports"],
    ["PUBLIC_URL", "https://*.example.org", "without a wildcard"],
    ["PUBLIC_READ", "yes", "true or false"],
    ["MAX_UPLOAD", "100MB", "must be a size"],
    ["MAX_UPLOAD", "0", "at least 1 byte"],
    ["MAX_FILES", "0", "from 1"],
    ["GRACE", "60", "must be a time"],
    ["LOG_LEVEL", "loud", "one of trace, debug"],
    ["API_KEYS_FILE", "/no/such/file", "cannot be read"],
    ["API_KEYS", `app:read:${digest},app:write:${digest}`, '"app" more than once'],
    ["API_KEYS", `app:read:${digest},broken`, "entry 2"],
    ["API_KEYS", `app:destroy:${digest}`, "rights must be of read"],
    ["API_KEYS", "app:read:abc", "64 hexadecimal"],
    ["API_KEYS", `a b:read:${digest}`, "name must be"],
    ["LINK_KEYS_FILE", "/no/such/file", "cannot be read"],
    ["PRESETS_FILE", "/no/such/file", "cannot be read"],
    ["PRESETS", "thumb", "must be JSON"],
    ["PRESETS", "[]", "must be a JSON object"],
    ["PRESETS", '{"a b":{"w":1}}', "has a name that is not"],
    ["PRESETS", '{"card":640}', "has card, which must be a JSON object"],
    ["PRESETS", '{"card":{"width":640}}', 'has card with "width"'],
    ["PRESETS", '{"card":{"v":"1"}}', 'has card with "v"'],
    ["PRESETS", '{"card":{"w":"wide"}}', "has card, in which w must be a whole number"],
    ["PRESETS", '{"card":{"dpr":2}}', "has card, which asks for nothing"],
    ["LINK_KEYS", `one:${linkSecret},one:${linkSecret}`, '"one" more than once'],
    ["LINK_KEYS", `one:${linkSecret},two`, "entry 2: must be id:secret"],
    ["LINK_KEYS", `one:${linkSecret}:x`, "must be id:secret"],
    ["LINK_KEYS", `o.e:${linkSecret}`, "id must be"],
    ["LINK_KEYS", `one:${linkSecret.slice(1)}`, "32 random bytes"],
    ["LINK_KEYS", `one:${linkSecret}%`, "32 random bytes"],
    ["KAFKA_URL", "http://broker:9092/topic", "must be kafka://HOST:PORT,HOST:PORT/TOPIC, not http:"],
    ["KAFKA_URL", "kafka://broker:99999/topic", "has a broker"],
    ["KAFKA_URL", "kafka://a:1,/topic", "has a broker"],
    ["KAFKA_URL", "kafka://broker/to pic", "does not allow"],
    ["KAFKA_URL", "kafka://broker/..", "does not allow"],
    ["KAFKA_URL", "kafka://broker/topic?acks=0", "unknown parameter"],
    ["KAFKA_URL", "kafka://broker/topic?mode=avro", "one of binary, structured"],
    ["KAFKA_URL", "kafka://user@broker/topic", "both a user and a password"],
    ["KAFKA_URL", "kafka://us%er:x@broker/topic", "percent escape"],
    ["KAFKA_URL", "kafka://broker/topic?mechanism=PLAIN", "no user"],
    ["KAFKA_URL", "kafka://broker/topic?cert=c.pem", "certificate and its key"],
    ["KAFKA_URL", "kafka://broker/topic?ca=c.pem&tls=false", "TLS off"],
  ])("%s=%s is refused", (name, value, expected) => {
    const problems = problemsOf({ [`IMAGE_STORE_${name}`]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`IMAGE_STORE_${name}`);
    expect(problems[0]).toContain(expected);
  });

  test("are reported all at once, with flag names and misspelt variables", () => {
    const problems = problemsOf(
      { IMAGE_STORE_MAX_UPLAOD: "1GiB", IMAGE_STORE_GRACE: "soon", IMAGE_STORE_toString: "x", PATH: "/bin" },
      { flags: { port: "none" } },
    );
    expect(problems).toEqual([
      'Unknown setting IMAGE_STORE_MAX_UPLAOD. Did you mean IMAGE_STORE_MAX_UPLOAD? Run "image-store help" to list them.',
      'Unknown setting IMAGE_STORE_toString. Run "image-store help" to list them.',
      'IMAGE_STORE_PORT (--port) must be a whole number from 0 to 65535, not "none"',
      'IMAGE_STORE_GRACE must be a time such as 30s, 15m, 1h or 30d, not "soon"',
    ]);
  });

  test("never contain a secret", () => {
    const secret = "hunter2";
    const told = [
      problemsOf({ IMAGE_STORE_KAFKA_URL: `kafka://user:${secret}@broker:x/topic` }),
      problemsOf({ IMAGE_STORE_KAFKA_URL: `kafka://broker/t?password=${secret}` }),
      problemsOf({ IMAGE_STORE_API_KEYS: secret }),
      problemsOf({ IMAGE_STORE_LINK_KEYS: secret }),
      problemsOf({ IMAGE_STORE_LINK_KEYS: `id:${secret}` }),
      problemsOf({ IMAGE_STORE_CATALOG_URL: `postgres://user:${secret}@host` }),
      problemsOf({ IMAGE_STORE_CATALOG_URL: `mysql://user:${secret}@host/database` }),
      problemsOf({ IMAGE_STORE_KAFKA_PASSWORD: secret, IMAGE_STORE_KAFKA_URL: "kafka://broker" }),
    ];
    expect(told.every((problems) => problems.length === 1)).toBe(true);
    expect(JSON.stringify(told)).not.toContain(secret);
  });
});

/** Why a store with this configuration must not start. */
function openProblemsOf(
  env: Record<string, string>,
  hasKeys = false,
  source: Partial<ConfigSource> = {},
): readonly string[] {
  try {
    requireClosed(parse(env, source), hasKeys);
    return [];
  } catch (error) {
    return (error as ConfigError).problems;
  }
}

describe("API keys", () => {
  test.each(["127.0.0.1", "127.9.9.9", "localhost", "::1", "[::1]"])("are not required for %s", (host) => {
    expect(openProblemsOf({ IMAGE_STORE_HOST: host })).toEqual([]);
  });

  test.each(["0.0.0.0", "::", "[::]", "127.example.org", "10.0.0.1", "localhost.example.org"])(
    "are required for %s",
    (host) => {
      expect(openProblemsOf({ IMAGE_STORE_HOST: host })).toHaveLength(1);
      expect(openProblemsOf({ IMAGE_STORE_HOST: host }, true)).toEqual([]);
      expect(openProblemsOf({ IMAGE_STORE_HOST: host, IMAGE_STORE_INSECURE: "true" })).toEqual([]);
      expect(openProblemsOf({ IMAGE_STORE_HOST: host, IMAGE_STORE_API_KEYS: `app:read:${digest}` })).toEqual([]);
    },
  );

  test("are read from the variable and the file, which may have comments", () => {
    const { apiKeys } = parse(
      { IMAGE_STORE_API_KEYS: `app:read+write:${digest.toUpperCase()}`, IMAGE_STORE_API_KEYS_FILE: "keys" },
      { readFile: (path) => `# ${path}, for people\n\nroot:admin:${digest}\r\n` },
    );
    expect(apiKeys).toEqual([
      { name: "app", rights: new Set(["read", "write"] as const), sha256: digest },
      { name: "root", rights: new Set(["admin"] as const), sha256: digest },
    ]);
  });

  test("for links keep their order, those of the variable first", () => {
    const [one, two, three] = ["one", "two", "three"].map((id) => ({ id, secret: linkSecret + id }));
    const { linkKeys } = parse(
      { IMAGE_STORE_LINK_KEYS: `one:${one?.secret},two:${two?.secret}`, IMAGE_STORE_LINK_KEYS_FILE: "keys" },
      { readFile: (path) => `# ${path}, for links\nthree:${three?.secret}\r\n` },
    );
    expect(linkKeys).toEqual([one, two, three] as typeof linkKeys);
    expect(parse({}).linkKeys).toEqual([]);
  });

  test("in an empty file grant nothing", () => {
    const problems = openProblemsOf({ IMAGE_STORE_HOST: "0.0.0.0", IMAGE_STORE_API_KEYS_FILE: "keys" }, false, {
      readFile: () => "# none yet\n",
    });
    expect(problems).toHaveLength(1);
  });
});

describe("variant presets", () => {
  const card = { kind: "resized", width: 640, height: 480, fit: "cover", crop: "attention", format: "auto" } as const;
  const text = JSON.stringify({ card: { w: 320, h: "240", dpr: 2, crop: "attention", format: "auto" } });

  test.each(["PRESETS", "PRESETS_FILE"])("from %s replace the defaults", (name) => {
    const value = name === "PRESETS" ? text : "presets.json";
    const { presets } = parse({ [`IMAGE_STORE_${name}`]: value }, { readFile: () => text });
    expect([...presets.keys()]).toEqual(["card"]);
    expect(presets.get("card")).toMatchObject(card);
  });

  test("may be empty", () => {
    expect(parse({ IMAGE_STORE_PRESETS: "{}" }).presets.size).toBe(0);
  });

  test("must come from one source", () => {
    const both = { IMAGE_STORE_PRESETS: text, IMAGE_STORE_PRESETS_FILE: "presets.json" };
    expect(problemsOf(both, { readFile: () => text })).toEqual([expect.stringContaining("both set")]);
  });
});

describe("Kafka settings", () => {
  test("may be a URL alone", () => {
    expect(parse({ IMAGE_STORE_KAFKA_URL: "kafka://one,two:9093,[::1]:9094" }).kafka).toEqual({
      brokers: ["one:9092", "two:9093", "[::1]:9094"],
      topic: "image-store.events",
      tls: undefined,
      sasl: undefined,
      mode: "binary",
      audit: false,
    });
    const query = "mechanism=scram-sha-256&ca=ca.pem&cert=c.pem&key=k.pem&mode=structured";
    expect(parse({ IMAGE_STORE_KAFKA_URL: `kafka://us%40er:p%3Ass:w@broker:1/topic?${query}` }).kafka).toEqual({
      brokers: ["broker:1"],
      topic: "topic",
      tls: { caFile: "ca.pem", certFile: "c.pem", keyFile: "k.pem" },
      sasl: { mechanism: "SCRAM-SHA-256", username: "us@er", password: "p:ss:w" },
      mode: "structured",
      audit: false,
    });
  });

  test("in variables take precedence over the URL", () => {
    const { kafka } = parse({
      IMAGE_STORE_KAFKA_URL: "kafka://user:old@broker/topic?tls=false&mode=binary",
      IMAGE_STORE_KAFKA_PASSWORD: "new",
      IMAGE_STORE_KAFKA_SASL_MECHANISM: "PLAIN",
      IMAGE_STORE_KAFKA_TLS: "true",
      IMAGE_STORE_KAFKA_MODE: "structured",
    });
    expect(kafka?.sasl).toEqual({ mechanism: "PLAIN", username: "user", password: "new" });
    expect(kafka?.tls).toEqual({ caFile: undefined, certFile: undefined, keyFile: undefined });
    expect(kafka?.mode).toBe("structured");
  });

  test("with a user but no mechanism use the strongest", () => {
    expect(parse({ IMAGE_STORE_KAFKA_URL: "kafka://u:p@broker" }).kafka?.sasl?.mechanism).toBe("SCRAM-SHA-512");
  });
});
