import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { DEFAULT_PRESETS, parsePresets } from "../../src/config/presets.ts";
import { parseDuration, parseSize } from "../../src/config/values.ts";
import { type Config, ConfigError, type ConfigSource, parseConfig } from "../../src/config.ts";

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

describe("defaults", () => {
  test("serve a folder beside the program, to this machine only", () => {
    expect(parse()).toEqual({
      host: "127.0.0.1",
      port: 8080,
      dataFolder: "./data",
      catalog: { kind: "sqlite", path: "data/catalog.sqlite" },
      catalogPool: 10,
      blobs: { kind: "file", path: "data/blobs" },
      originalsCache: { folder: "data/originals", maxBytes: 2 ** 30 },
      kafka: undefined,
      publicUrl: undefined,
      apiKeys: [],
      linkKeys: [],
      publicRead: false,
      insecure: false,
      corsOrigins: [],
      limits: {
        maxUpload: 100 * 2 ** 20,
        maxPixels: 50_000_000,
        maxJson: 256 * 2 ** 10,
        maxFiles: 1000,
        maxMultipart: 2 ** 30,
        maxUploadsInFlight: 256,
        minUploadRate: 32 * 2 ** 10,
        acceptTiff: true,
      },
      describe: true,
      exposeLocation: false,
      renderers: undefined,
      presets: parsePresets(DEFAULT_PRESETS),
      variantCache: { folder: "data/variants", maxBytes: 2 ** 30 },
      grace: 3_600_000,
      tombstone: 7 * 86_400_000,
      minFree: undefined,
      smallImage: 1024 * 1024,
      segmentSize: 128 * 1024 * 1024,
      imageCache: 64 * 1024 * 1024,
      eventsRetention: 30 * 86_400_000,
      eventsMaxBytes: undefined,
      log: { level: "info", format: "json" },
      shutdownTimeout: 10_000,
    });
  });

  test("the longest upload ends within the grace", () => {
    const { limits, grace } = parse();
    expect(limits.maxUpload / limits.minUploadRate).toBeLessThan(grace / 1000);
  });

  test("logs are pretty where a person reads them, unless told otherwise", () => {
    expect(parse({}, { isTerminal: true }).log.format).toBe("pretty");
    expect(parse({ IMAGE_STORE_LOG_FORMAT: "json" }, { isTerminal: true }).log.format).toBe("json");
  });

  test("an empty variable counts as not set", () => {
    expect(parse({ IMAGE_STORE_PORT: "", IMAGE_STORE_KAFKA_URL: "" })).toEqual(parse());
  });
});

describe("values", () => {
  test("the data folder moves catalog and blobs along, unless they have URLs", () => {
    const moved = parse({ IMAGE_STORE_DATA: "/srv/images", IMAGE_STORE_BLOBS_URL: "file:///mnt/blobs" });
    expect(moved.catalog).toEqual({ kind: "sqlite", path: "/srv/images/catalog.sqlite" });
    expect(moved.blobs).toEqual({ kind: "file", path: "/mnt/blobs" });
    expect(parse({ IMAGE_STORE_CATALOG_URL: "sqlite:elsewhere.sqlite" }).catalog).toEqual({
      kind: "sqlite",
      path: "elsewhere.sqlite",
    });
  });

  test("URLs lead out of the machine", () => {
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

  test("a flag goes before its variable", () => {
    expect(parse({ IMAGE_STORE_PORT: "9000" }, { flags: { port: "9001" } }).port).toBe(9001);
  });

  test("every size and time unit", () => {
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

  test("what is no size or time is refused, whatever it is", () => {
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

  test("retention for ever, and lists of origins", () => {
    expect(parse({ IMAGE_STORE_EVENTS_RETENTION: "forever" }).eventsRetention).toBe("forever");
    const { corsOrigins, publicUrl } = parse({
      IMAGE_STORE_CORS_ORIGINS: "https://a.example, http://b.example:8080",
      IMAGE_STORE_PUBLIC_URL: "https://images.example/",
    });
    expect(corsOrigins).toEqual(["https://a.example", "http://b.example:8080"]);
    expect(publicUrl).toBe("https://images.example");
  });
});

describe("problems", () => {
  test.each([
    ["HOST", "0.0.0.0", "IMAGE_STORE_API_KEYS"],
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
    ["CATALOG_URL", "mysql://host/db", "must be sqlite:"],
    ["BLOBS_URL", "s3://B/prefix", "s3://bucket/prefix"],
    ["BLOBS_URL", "s3://bucket?acl=x", "unknown parameter; known are endpoint, region, forcePathStyle"],
    ["BLOBS_URL", "s3://bucket?endpoint=minio:9000", "must be an origin"],
    ["BLOBS_URL", "file:", "must be file:"],
    ["BLOBS_URL", "file://host/path", "must be file:"],
    ["PUBLIC_URL", "https://images.example/store", "without a path"],
    ["PUBLIC_URL", "ftp://images.example", "must be an origin"],
    ["CORS_ORIGINS", "https://a.example,*", "must be an origin"],
    ["PUBLIC_READ", "yes", "true or false"],
    ["MAX_UPLOAD", "100MB", "must be a size"],
    ["MAX_UPLOAD", "0", "at least one byte"],
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
    ["KAFKA_URL", "http://broker:9092/topic", "must be of the form kafka://"],
    ["KAFKA_URL", "kafka://broker:99999/topic", "has a broker"],
    ["KAFKA_URL", "kafka://a:1,/topic", "has a broker"],
    ["KAFKA_URL", "kafka://broker/to pic", "does not allow"],
    ["KAFKA_URL", "kafka://broker/..", "does not allow"],
    ["KAFKA_URL", "kafka://broker/topic?acks=0", "unknown parameter"],
    ["KAFKA_URL", "kafka://broker/topic?mode=avro", "one of binary, structured"],
    ["KAFKA_URL", "kafka://user@broker/topic", "needs a user and a password"],
    ["KAFKA_URL", "kafka://us%er:x@broker/topic", "percent escape"],
    ["KAFKA_URL", "kafka://broker/topic?mechanism=PLAIN", "no user"],
    ["KAFKA_URL", "kafka://broker/topic?cert=c.pem", "certificate and its key"],
    ["KAFKA_URL", "kafka://broker/topic?ca=c.pem&tls=false", "TLS off"],
  ])("%s=%s", (name, value, expected) => {
    const problems = problemsOf({ [`IMAGE_STORE_${name}`]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`IMAGE_STORE_${name}`);
    expect(problems[0]).toContain(expected);
  });

  test("are all told at once, with the flags' names, and misspelt variables", () => {
    const problems = problemsOf(
      { IMAGE_STORE_MAX_UPLAOD: "1GiB", IMAGE_STORE_GRACE: "soon", IMAGE_STORE_toString: "x", PATH: "/bin" },
      { flags: { port: "none" } },
    );
    expect(problems).toEqual([
      "IMAGE_STORE_MAX_UPLAOD is no setting of this store; image-store help lists them",
      "IMAGE_STORE_toString is no setting of this store; image-store help lists them",
      'IMAGE_STORE_PORT (--port) must be a whole number from 0 to 65535, not "none"',
      'IMAGE_STORE_GRACE must be a time such as 30s, 15m, 1h or 30d, not "soon"',
    ]);
  });

  test("never repeat a secret", () => {
    const secret = "hunter2";
    const told = [
      problemsOf({ IMAGE_STORE_KAFKA_URL: `kafka://user:${secret}@broker:x/topic` }),
      problemsOf({ IMAGE_STORE_KAFKA_URL: `kafka://broker/t?password=${secret}` }),
      problemsOf({ IMAGE_STORE_API_KEYS: secret }),
      problemsOf({ IMAGE_STORE_LINK_KEYS: secret }),
      problemsOf({ IMAGE_STORE_LINK_KEYS: `id:${secret}` }),
      problemsOf({ IMAGE_STORE_CATALOG_URL: `postgres://user:${secret}@host` }),
      problemsOf({ IMAGE_STORE_KAFKA_PASSWORD: secret, IMAGE_STORE_KAFKA_URL: "kafka://broker" }),
    ];
    expect(told.every((problems) => problems.length === 1)).toBe(true);
    expect(JSON.stringify(told)).not.toContain(secret);
  });
});

describe("who is let in", () => {
  test.each(["127.0.0.1", "127.9.9.9", "localhost", "::1", "[::1]"])("%s needs no key", (host) => {
    expect(problemsOf({ IMAGE_STORE_HOST: host })).toEqual([]);
  });

  test.each(["0.0.0.0", "::", "[::]", "127.example.org", "10.0.0.1", "localhost.example.org"])(
    "%s needs one",
    (host) => {
      expect(problemsOf({ IMAGE_STORE_HOST: host })).toHaveLength(1);
      expect(problemsOf({ IMAGE_STORE_HOST: host, IMAGE_STORE_INSECURE: "true" })).toEqual([]);
      expect(problemsOf({ IMAGE_STORE_HOST: host, IMAGE_STORE_API_KEYS: `app:read:${digest}` })).toEqual([]);
    },
  );

  test("keys come from the variable and from the file, with comments", () => {
    const { apiKeys } = parse(
      { IMAGE_STORE_API_KEYS: `app:read+write:${digest.toUpperCase()}`, IMAGE_STORE_API_KEYS_FILE: "keys" },
      { readFile: (path) => `# ${path}, for people\n\nroot:admin:${digest}\r\n` },
    );
    expect(apiKeys).toEqual([
      { name: "app", rights: new Set(["read", "write"] as const), sha256: digest },
      { name: "root", rights: new Set(["admin"] as const), sha256: digest },
    ]);
  });

  test("link keys come in their order, those of the variable first", () => {
    const [one, two, three] = ["one", "two", "three"].map((id) => ({ id, secret: linkSecret + id }));
    const { linkKeys } = parse(
      { IMAGE_STORE_LINK_KEYS: `one:${one?.secret},two:${two?.secret}`, IMAGE_STORE_LINK_KEYS_FILE: "keys" },
      { readFile: (path) => `# ${path}, for links\nthree:${three?.secret}\r\n` },
    );
    expect(linkKeys).toEqual([one, two, three] as typeof linkKeys);
    expect(parse({}).linkKeys).toEqual([]);
  });

  test("an empty file of keys opens nothing to others", () => {
    const problems = problemsOf(
      { IMAGE_STORE_HOST: "0.0.0.0", IMAGE_STORE_API_KEYS_FILE: "keys" },
      { readFile: () => "# none yet\n" },
    );
    expect(problems).toHaveLength(1);
  });
});

describe("presets", () => {
  const card = { kind: "resized", width: 640, height: 480, fit: "cover", crop: "attention", format: "auto" } as const;
  const text = JSON.stringify({ card: { w: 320, h: "240", dpr: 2, crop: "attention", format: "auto" } });

  test.each(["PRESETS", "PRESETS_FILE"])("come from %s, instead of the default ones", (name) => {
    const value = name === "PRESETS" ? text : "presets.json";
    const { presets } = parse({ [`IMAGE_STORE_${name}`]: value }, { readFile: () => text });
    expect([...presets.keys()]).toEqual(["card"]);
    expect(presets.get("card")).toMatchObject(card);
  });

  test("may be none", () => {
    expect(parse({ IMAGE_STORE_PRESETS: "{}" }).presets.size).toBe(0);
  });

  test("have one source", () => {
    const both = { IMAGE_STORE_PRESETS: text, IMAGE_STORE_PRESETS_FILE: "presets.json" };
    expect(problemsOf(both, { readFile: () => text })).toEqual([expect.stringContaining("both set")]);
  });
});

describe("Kafka", () => {
  test("by URL alone", () => {
    expect(parse({ IMAGE_STORE_KAFKA_URL: "kafka://one,two:9093,[::1]:9094" }).kafka).toEqual({
      brokers: ["one:9092", "two:9093", "[::1]:9094"],
      topic: "image-store.events",
      tls: undefined,
      sasl: undefined,
      mode: "binary",
    });
    const query = "mechanism=scram-sha-256&ca=ca.pem&cert=c.pem&key=k.pem&mode=structured";
    expect(parse({ IMAGE_STORE_KAFKA_URL: `kafka://us%40er:p%3Ass:w@broker:1/topic?${query}` }).kafka).toEqual({
      brokers: ["broker:1"],
      topic: "topic",
      tls: { caFile: "ca.pem", certFile: "c.pem", keyFile: "k.pem" },
      sasl: { mechanism: "SCRAM-SHA-256", username: "us@er", password: "p:ss:w" },
      mode: "structured",
    });
  });

  test("variables go before the URL", () => {
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

  test("a user without a mechanism gets the strongest", () => {
    expect(parse({ IMAGE_STORE_KAFKA_URL: "kafka://u:p@broker" }).kafka?.sasl?.mechanism).toBe("SCRAM-SHA-512");
  });
});
