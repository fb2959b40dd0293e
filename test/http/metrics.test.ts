import { expect, test } from "bun:test";
import { join } from "node:path";
import { startStore, type TestStore } from "./harness.ts";
import { BLOBS } from "./places.ts";

const photo = Bun.file(join(import.meta.dir, "../../docs/dusk.jpg"));

const digest = (key: string) => new Bun.CryptoHasher("sha256").update(key).digest("hex");

async function metricsOf(store: TestStore): Promise<Map<string, number>> {
  const text = await (await store.fetch("/metrics")).text();
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    samples.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

test("metrics report requests and contents of the store", async () => {
  await using store = await startStore();
  await store.send("POST", "/v1/albums", { name: "private" });
  const path = "/v1/albums/private/images/dusk.jpg/content";
  expect((await store.fetch(path, { method: "PUT", body: photo })).status).toBe(201);
  await (await store.fetch(path)).bytes();
  const stream = await store.fetch("/v1/events/stream");
  const reader = stream.body?.getReader();
  await reader?.read();

  const metrics = await metricsOf(store);
  const requests = "image_store_http_request_duration_seconds_count";
  expect(metrics.get(`${requests}{operation="createAlbum",status="201"}`)).toBe(1);
  expect(metrics.get(`${requests}{operation="putImageContent",status="201"}`)).toBe(1);
  expect(metrics.get('image_store_http_received_bytes_total{operation="putImageContent"}')).toBe(photo.size);
  expect(metrics.get('image_store_http_sent_bytes_total{operation="getImageContent"}')).toBe(photo.size);
  expect(metrics.get('image_store_catalog_operation_duration_seconds_count{operation="putImages",outcome="ok"}')).toBe(
    1,
  );
  expect(metrics.get('image_store_blob_operation_duration_seconds_count{operation="commit",outcome="ok"}')).toBe(1);
  expect(metrics.get('image_store_renderer_operation_duration_seconds_count{operation="probe",outcome="ok"}')).toBe(1);
  expect(metrics.get("image_store_catalog_commit_batch_size_count")).toBeGreaterThanOrEqual(2);
  expect(metrics.get("image_store_uploads_in_flight")).toBe(0);
  expect(metrics.get("image_store_sse_clients")).toBe(1);
  expect(metrics.get("image_store_albums")).toBe(1);
  expect(metrics.get("image_store_images")).toBe(1);
  expect(metrics.get("image_store_image_bytes")).toBe(photo.size);
  expect((metrics.get("image_store_blobs_free_bytes") ?? 0) > 0).toBe(BLOBS === "files");
  expect([...metrics.keys()].join()).not.toContain("private");
  await reader?.cancel();
});

test("the store works while Kafka is unavailable, and metrics report the relay's lag", async () => {
  await using store = await startStore({ KAFKA_URL: "kafka://127.0.0.1:1/topic" });
  for (const name of ["one", "two"]) expect((await store.send("POST", "/v1/albums", { name })).status).toBe(201);
  expect((await store.fetch("/readyz")).status).toBe(200);
  let metrics = await metricsOf(store);
  while (metrics.get("image_store_relay_failures_total") === 0 || metrics.get("image_store_relay_lag_events") !== 2)
    metrics = await metricsOf(store);
  expect(metrics.get("image_store_relay_lag_seconds")).toBeGreaterThan(0);
  expect(metrics.get("image_store_relay_events_total")).toBe(0);
});

test("with keys, metrics require the admin right", async () => {
  await using store = await startStore({ API_KEYS: `app:read+write:${digest("app")},root:admin:${digest("root")}` });
  const get = (key: string) => store.fetch("/metrics", { headers: { Authorization: `Bearer ${key}` } });
  expect([(await get("app")).status, (await get("root")).status]).toEqual([403, 200]);
  expect((await store.fetch("/readyz")).status).toBe(200);
});
