import { afterAll, describe, expect, test } from "bun:test";
import type { UploadedImage } from "../../../src/domain/ticket.ts";
import { jsonOf } from "../harness.ts";
import { formOf, newPng, storedBlobs } from "../image-fixtures.ts";
import { startTicketStore } from "./ticket-store.ts";

const { store, newAlbum, newTicket, upload, uploadForm, imagesIn, ticketsOf, eventsOf } = await startTicketStore();
afterAll(() => store[Symbol.asyncDispose]());

describe("an upload ticket", () => {
  test.each([
    ["with a name", { name: "me" }, ""],
    ["without one", {}, ""],
    ["for several files", { files: 3 }, ""],
    ["whose uploader names the image", { files: 2 }, "?name=mine"],
  ])(
    "%s answers the same bytes again with the same image, since the response may have been lost",
    async (_, wish, query) => {
      const album = await newAlbum();
      const { url, id } = await newTicket(album, wish);
      const png = newPng(3000);
      const first = await upload(url + query, png);
      expect(first.status).toBe(201);
      const image = await jsonOf<UploadedImage>(first);
      for (let time = 0; time < 2; time++) {
        const again = await upload(url + query, png);
        expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([200, "true"]);
        expect(await jsonOf<UploadedImage>(again)).toEqual(image);
      }
      expect(await imagesIn(album)).toHaveLength(1);
      expect(await eventsOf(album)).toHaveLength(1);
      expect((await ticketsOf(album)).map(({ files, filesLeft }) => files - filesLeft)).toEqual([1]);
      const kept = (await storedBlobs(store)).filter((key) => key.startsWith(image.sha256));
      expect([id, kept.length]).toEqual([id, 1]);
    },
  );

  test("answers a repeated form with the same images again", async () => {
    const album = await newAlbum();
    const { url } = await newTicket(album, { files: 2 });
    const files = { "one.png": newPng(100), "two.png": newPng(200) };
    const first = await jsonOf<unknown>(await uploadForm(url, formOf(files)));
    const again = await uploadForm(url, formOf(files));
    expect([again.status, await again.json()]).toEqual([200, first as never]);
    expect(await imagesIn(album)).toHaveLength(2);
  });

  test("gives one image and one event to many uploads at once, whatever their bytes are", async () => {
    const album = await newAlbum();
    for (const name of ["me", undefined]) {
      const { url } = await newTicket(album, { ...(name && { name }) });
      const same = newPng();
      const statuses = await Promise.all(
        Array.from({ length: 40 }, async (_, index) => (await upload(url, index % 2 === 0 ? same : newPng())).status),
      );
      expect(statuses.filter((status) => status === 201)).toHaveLength(1);
      expect(statuses.filter((status) => ![200, 201, 409, 410].includes(status))).toEqual([]);
    }
    expect(await imagesIn(album)).toHaveLength(2);
    expect(await eventsOf(album)).toHaveLength(2);
  });
});
