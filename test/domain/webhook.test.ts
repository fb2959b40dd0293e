import { expect, test } from "bun:test";
import type { EventType, StoredEvent } from "../../src/domain/event.ts";
import { selectsEvent, subjectOfWebhook, type WebhookSelection, webhookOfSubject } from "../../src/domain/webhook.ts";

const eventOf = (type: EventType, more: Partial<StoredEvent> = {}, data: object = {}): StoredEvent => ({
  seq: 1,
  id: "e",
  type,
  albumId: "a1",
  imageId: null,
  subject: null,
  time: 0,
  traceparent: null,
  data: JSON.stringify(data),
  ...more,
});
const ALBUM = eventOf("imagestore.album.updated", {}, { name: "client-1", previousName: "old" });
const IMAGE = eventOf("imagestore.image.created", { imageId: "i1" }, { name: "x.jpg", album: "client-1" });
const KEY = eventOf("imagestore.key.created", { albumId: "", subject: "keys/k1" }, { name: "web" });

const selected = (selection: Partial<WebhookSelection>) =>
  [ALBUM, IMAGE, KEY].filter((event) => selectsEvent({ types: null, albums: "*", ...selection }, event));

test("a webhook without types gets the events of albums and images, and none of the audit trail", () => {
  expect(selected({})).toEqual([ALBUM, IMAGE]);
});

test("a webhook with types gets the events of these types, of the audit trail too", () => {
  expect(selected({ types: ["imagestore.image.created", "imagestore.key.created"] })).toEqual([IMAGE, KEY]);
  expect(selected({ types: ["imagestore.image.deleted"] })).toEqual([]);
});

test("a webhook with albums gets their events, by id or by the name in the event", () => {
  for (const albums of [
    { ids: ["a1"] },
    { names: ["client-1"] },
    { names: ["client-*"] },
    { ids: ["x"], names: ["c*"] },
  ])
    expect(selected({ albums })).toEqual([ALBUM, IMAGE]);
  for (const albums of [{ ids: ["a2"] }, { names: ["client"] }, { names: ["old", "x.jpg"] }, {}])
    expect(selected({ albums })).toEqual([]);
});

test("the events of the audit trail do not go by albums", () => {
  expect(selected({ types: ["imagestore.key.created"], albums: { ids: ["a2"] } })).toEqual([KEY]);
});

test("the subject of an event says which webhook it is about", () => {
  expect(webhookOfSubject(subjectOfWebhook("w1"))).toBe("w1");
  expect(webhookOfSubject("keys/k1")).toBeUndefined();
  expect(webhookOfSubject(null)).toBeUndefined();
});
