import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { SETTINGS } from "../src/config/settings.ts";
import { parseDuration, parseSize } from "../src/config/values.ts";
import { OF_CLIENTS, parseConfig } from "../src/config.ts";
import { PROBLEMS } from "../src/http/problem.ts";
import { createMetrics } from "../src/observe/metrics.ts";

const root = join(import.meta.dir, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const filesOf = (folder: string) => readdirSync(join(root, folder)).map((name) => join(folder, name));

const serviceSchema = z.object({
  environment: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  volumes: z.array(z.string()).default([]),
  depends_on: z.union([z.array(z.string()), z.record(z.string(), z.unknown())]).default([]),
  read_only: z.boolean().default(false),
  cap_drop: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
  stop_grace_period: z.string().optional(),
  networks: z.record(z.string(), z.object({ ipv4_address: z.string() })).default({}),
  extra_hosts: z.array(z.string()).default([]),
});
const composeSchema = z.object({
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.unknown()),
});
const compose = composeSchema.parse(Bun.YAML.parse(read("deploy/compose.yaml")));
const services = Object.entries(compose.services);
const nodes = services.filter(([name]) => name.startsWith("node-"));
const example = [...read("deploy/.env.example").matchAll(/^(\w+)=/gm)].map(([, name = ""]) => name);

/** As compose does it: `${NAME:?}` must be given, `${NAME:-default}` may be. */
const interpolate = (text: string, given: Readonly<Record<string, string>>) =>
  text.replaceAll(
    /\$\{(\w+)(?::(?:\?|-(\w*)))\}/g,
    (_, name: string, fallback?: string) => given[name] ?? fallback ?? "",
  );

test("every setting that deploy/ and the docs name exists", () => {
  const files = [
    "Dockerfile",
    "README.md",
    ...filesOf("deploy"),
    ...filesOf("docs").filter((path) => path.endsWith(".md")),
  ];
  const named = files.flatMap((path) =>
    [...read(path).matchAll(/\bIMAGE_STORE_(\w*[A-Z])\b/g)].map(([, name = ""]) => ({ path, name })),
  );
  expect(named.length).toBeGreaterThan(50);
  const unknown = named.filter(({ name }) => !Object.hasOwn(SETTINGS, name) && !OF_CLIENTS.has(`IMAGE_STORE_${name}`));
  expect(unknown).toEqual([]);
});

test("the nodes in compose.yaml have a valid configuration and a volume each", () => {
  expect(nodes.map(([name]) => name)).toEqual(["node-1", "node-2", "node-3"]);
  const key = `app:read+write:${"0".repeat(64)}`;
  const given = { POSTGRES_PASSWORD: "secret", S3_SECRET_KEY: "secret", IMAGE_STORE_API_KEYS: key };
  const image = Object.fromEntries(
    [...read("Dockerfile").matchAll(/\b(IMAGE_STORE_\w+)=(\S+)/g)].map(([, name, value]) => [name, value]),
  );
  for (const [, { environment, stop_grace_period: patience = "" }] of nodes) {
    const own = Object.entries(environment).map(([name, value]) => [name, interpolate(String(value), given)]);
    const config = parseConfig({ env: { ...image, ...Object.fromEntries(own) }, readFile: () => "" });
    expect(config).toMatchObject({ host: "0.0.0.0", port: 8080, dataFolder: "/data", insecure: false });
    expect(config.catalog.kind).toBe("postgres");
    expect(config.blobs.kind).toBe("s3");
    expect(config.kafka?.brokers).toEqual(["kafka:9092"]);
    expect(config.apiKeys).toHaveLength(1);
    expect(parseDuration(patience)).toBeGreaterThan(config.shutdownTimeout);
  }
  expect(new Set(nodes.flatMap(([, { volumes }]) => volumes)).size).toBe(nodes.length);
});

test("compose.yaml mounts the volumes that it declares and restricts its services", () => {
  const mounted = services.flatMap(([, { volumes }]) => volumes.map((volume) => volume.split(":")[0] ?? ""));
  expect([...new Set(mounted.filter((name) => !name.startsWith(".")))].sort()).toEqual(
    Object.keys(compose.volumes).sort(),
  );
  for (const [name, service] of services) {
    expect([name, service.cap_drop, service.security_opt]).toEqual([name, ["ALL"], ["no-new-privileges:true"]]);
    expect([name, service.read_only]).toEqual([name, name !== "kafka"]);
    const dependencies = Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on);
    expect(dependencies.filter((other) => !Object.hasOwn(compose.services, other))).toEqual([]);
  }
});

test(".env.example sets every variable that compose.yaml needs", () => {
  const asked = [...read("deploy/compose.yaml").matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, name = ""]) => name);
  expect([...new Set(asked)].sort()).toEqual(example.sort());
});

test("the proxy of compose.yaml knows each node by name and fixed address", () => {
  const upstream = /upstream image_store \{(.*?)\n {2}\}/s.exec(read("deploy/nginx.conf"))?.[1] ?? "";
  expect([...upstream.matchAll(/^\s*server (\S+):8080 max_fails=0;/gm)].map(([, name]) => name)).toEqual(
    nodes.map(([name]) => name),
  );
  expect(compose.services["proxy"]?.extra_hosts).toEqual(
    nodes.map(([name, { networks }]) => `${name}:${networks["default"]?.ipv4_address}`),
  );
});

test.each(["nginx.conf", "nginx-single.conf"])("limits and timeouts of %s allow what the store allows", (name) => {
  const conf = read(`deploy/${name}`);
  const directive = (directiveName: string, section = conf) =>
    new RegExp(`^\\s*${directiveName} (.+);$`, "m").exec(section)?.[1] ?? "";
  const upstream = /upstream image_store \{(.*?)\n *\}/s.exec(conf)?.[1] ?? "";
  const megabytes = Number(/^(\d+)m$/.exec(directive("client_max_body_size"))?.[1]);
  expect(megabytes * 1024 * 1024).toBeGreaterThan(parseSize(SETTINGS.MAX_MULTIPART.default));
  expect(megabytes * 1024 * 1024).toBeGreaterThan(parseSize(SETTINGS.MAX_UPLOAD.default));
  const longPoll = 30_000;
  expect(parseDuration(directive("proxy_read_timeout"))).toBeGreaterThan(longPoll);
  const idleTimeout = Number(/IDLE_TIMEOUT = (\d+);/.exec(read("src/http/server.ts"))?.[1]) * 1000;
  expect(parseDuration(directive("keepalive_timeout", upstream))).toBeLessThan(idleTimeout);
});

test("alerts use existing metrics and outcomes", async () => {
  const { registry } = createMetrics();
  const metrics = await registry.getMetricsAsJSON();
  // prom-client gives the type as its enum in the declarations, and as this word when it runs.
  const names = new Set(
    metrics.flatMap(({ name, type }) =>
      String(type) === "histogram" ? ["_count", "_sum", "_bucket"].map((suffix) => name + suffix) : [name],
    ),
  );
  const rules = z
    .object({ groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })) })
    .parse(Bun.YAML.parse(read("deploy/alerts.yaml")))
    .groups.flatMap((group) => group.rules);
  expect(rules.length).toBeGreaterThan(10);
  for (const { alert, expr } of rules) {
    const asked = expr.match(/\b(?!image_store_?\b)(?:image_store|nodejs|process)_\w+/g) ?? [];
    expect([alert, asked.filter((name) => !names.has(name))]).toEqual([alert, []]);
    expect([alert, asked.length > 0 || /\bup\b/.test(expr)]).toEqual([alert, true]);
    const outcomes = [...expr.matchAll(/outcome=~?"([^"]*)"/g)].flatMap(([, list = ""]) => list.split("|"));
    expect([alert, outcomes.filter((outcome) => !Object.hasOwn(PROBLEMS, outcome))]).toEqual([alert, []]);
  }
});

test("every metric that the docs name exists", async () => {
  const { registry } = createMetrics();
  const names = (await registry.getMetricsAsJSON()).map(({ name }) => name);
  const named = filesOf("docs")
    .filter((path) => path.endsWith(".md"))
    .flatMap((path) => [...read(path).matchAll(/\b(image_store_\w+|nodejs_\w+)/g)].map(([name]) => name));
  expect(named.length).toBeGreaterThan(5);
  const isKnown = (name: string) => names.includes(name) || names.includes(name.replace(/_(count|sum|bucket)$/, ""));
  expect(named.filter((name) => !isKnown(name))).toEqual([]);
});
