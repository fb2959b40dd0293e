import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Image } from "../../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "../harness.ts";
import { codeOf, formOf, newAlbum, newPng, postForm, postImage } from "../image-fixtures.ts";
import { eventCount, newName } from "./upload-fixtures.ts";

let store: TestStore;
let album: string;
beforeAll(async () => {
  store = await startStore();
  album = await newAlbum(store, "uploads ✓");
});
afterAll(() => store[Symbol.asyncDispose]());

const key = () => ({ "Idempotency-Key": crypto.randomUUID() });

describe("an Idempotency-Key", () => {
  test("replays the first answer, even after the image changed", async () => {
    const headers = key();
    const name = newName();
    const png = newPng();
    const first = await postImage(store, album, name, png, headers);
    expect(first.headers.has("idempotent-replayed")).toBe(false);
    const image = await jsonOf<Image>(first);
    await store.send("PATCH", image.links.self, { title: "changed" });
    const events = await eventCount(store);
    const again = await postImage(store, album, name, png, headers);
    expect(again.status).toBe(201);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(again.headers.get("location")).toBe(first.headers.get("location"));
    expect(again.headers.get("etag")).toBe(first.headers.get("etag"));
    expect(await again.json()).toEqual(image);
    expect(await eventCount(store)).toBe(events);
  });

  test("replays the first answer, even after the album was renamed or deleted", async () => {
    const headers = key();
    const [path, name, png] = [`/v1/albums/${newName()}`, newName(), newPng()];
    const send = (bytes = png, more: Record<string, string> = headers) =>
      store.fetch(`${path}/images?name=${name}`, { method: "POST", body: bytes, headers: more });
    await store.send("PUT", path, {});
    const first = await send();
    const image = await jsonOf<Image>(first);
    const expectReplay = async () => {
      const again = await send();
      expect(again.status).toBe(201);
      expect(again.headers.get("idempotent-replayed")).toBe("true");
      expect(await again.json()).toEqual(image);
      expect(await codeOf(await send(newPng()))).toBe("idempotency_key_reused");
      expect(await eventCount(store)).toBe(events);
    };
    const renamed = `/v1/albums/${newName()}`;
    await store.send("PATCH", path, { name: renamed.slice("/v1/albums/".length) });
    let events = await eventCount(store);
    await expectReplay();
    expect(await codeOf(await send(png, key()))).toBe("album_not_found");
    await store.fetch(`${renamed}?recursive=true`, { method: "DELETE" });
    events = await eventCount(store);
    await expectReplay();
  });

  test("with other content or another name is refused", async () => {
    const headers = key();
    const name = newName();
    const png = newPng();
    expect((await postImage(store, album, name, png, headers)).status).toBe(201);
    for (const response of [
      await postImage(store, album, name, newPng(), headers),
      await postImage(store, album, newName(), png, headers),
    ]) {
      expect(response.status).toBe(422);
      expect(await codeOf(response)).toBe("idempotency_key_reused");
    }
  });

  test("covers a form: its files and records in order, whatever its boundary", async () => {
    const headers = key();
    const [one, two] = [newPng(), newPng()];
    const names = [newName(), newName()] as const;
    const files = { [names[0]]: one, [names[1]]: two };
    const first = await postForm(store, album, formOf(files), headers);
    const again = await postForm(store, album, formOf(files), headers);
    expect(again.status).toBe(201);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(await again.json()).toEqual(await first.json());
    const reversed = await postForm(store, album, formOf({ [names[1]]: two, [names[0]]: one }), headers);
    expect(await codeOf(reversed)).toBe("idempotency_key_reused");
    const titled = new FormData();
    titled.append("record", '{"title":"other"}');
    for (const [name, bytes] of Object.entries(files)) titled.append("file", new File([bytes], name));
    expect(await codeOf(await postForm(store, album, titled, headers))).toBe("idempotency_key_reused");
  });

  test("used concurrently stores once; the others are replayed or 409 request_in_progress", async () => {
    const headers = key();
    const name = newName();
    const png = newPng(50_000);
    const before = await eventCount(store);
    const answers = await Promise.all(Array.from({ length: 10 }, () => postImage(store, album, name, png, headers)));
    const bodies = new Set<string>();
    for (const answer of answers) {
      if (answer.status === 201) bodies.add(await answer.text());
      else expect(await codeOf(answer)).toBe("request_in_progress");
    }
    expect(bodies.size).toBe(1);
    expect(await eventCount(store)).toBe(before + 1);
  });

  test("is free again after a refusal", async () => {
    const headers = key();
    const name = newName();
    expect((await postImage(store, album, name, Buffer.from("no image"), headers)).status).toBe(415);
    expect((await postImage(store, album, name, newPng(), headers)).status).toBe(201);
  });

  test("must be well-formed", async () => {
    const response = await postImage(store, album, newName(), newPng(), { "Idempotency-Key": "with space" });
    expect(await codeOf(response)).toBe("invalid_request");
  });
});
