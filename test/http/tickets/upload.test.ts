import { afterAll, describe, expect, test } from "bun:test";
import type { UploadedImage } from "../../../src/domain/ticket.ts";
import { jsonOf } from "../harness.ts";
import { formOf, GIF, newPng, sha256 } from "../image-fixtures.ts";
import { startTicketStore } from "./ticket-store.ts";

const { store, send, newAlbum, newTicket, upload, uploadForm, imagesIn, ticketsOf, eventsOf } =
  await startTicketStore();
afterAll(() => store[Symbol.asyncDispose]());
describe("an upload ticket", () => {
  test("stores one image from a page of any origin, which learns what it sent and no more", async () => {
    const album = await newAlbum();
    const fields = {
      title: "An avatar",
      tags: ["avatar"],
      metadata: { user: "user-42" },
      focalPoint: { x: 0.5, y: 0.25 },
    };
    const ticket = await newTicket(album, { name: "me.png", maxBytes: 100_000, contentTypes: ["image/png"], fields });
    expect(ticket).toMatchObject({ files: 1, filesLeft: 1, createdBy: { kind: "key", id: "boss" } });
    expect(ticket.url).toStartWith(`/v1/uploads/imgtk_${ticket.id}_`);
    const png = newPng(5000);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const response = await upload(ticket.url, png, { headers: { traceparent, "Content-Type": "image/png" } });
    expect(response.status).toBe(201);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ name: "me.png", size: png.length, sha256: sha256(png), width: 4 });
    for (const hidden of ["An avatar", "user-42", album.split("/").at(-1) as string, ticket.url])
      expect(text).not.toContain(hidden);

    const [image, ...others] = await imagesIn(album);
    expect(others).toEqual([]);
    expect(image).toMatchObject({ name: "me.png", description: null, ...fields });
    const [event, ...more] = await eventsOf(album);
    expect(more).toEqual([]);
    expect(event).toMatchObject({
      traceparent,
      data: { name: "me.png", actor: { kind: "ticket", id: ticket.id, name: null } },
    });
    expect(JSON.stringify(event)).not.toContain(ticket.url.split("/").at(-1) as string);
    expect(await ticketsOf(album)).toMatchObject([{ id: ticket.id, filesLeft: 0 }]);
  });

  test("stores the file of a form under its own name, and ignores the text of the form", async () => {
    const album = await newAlbum();
    const { url } = await newTicket(album, { name: "me.png", fields: { tags: ["theirs"] } });
    const form = formOf({ "some/../IMG 1.png": newPng() });
    form.append("title", "mine");
    form.append("tags", "mine");
    form.append("name", "mine.png");
    form.append("csrf", "x");
    expect((await uploadForm(url, form)).status).toBe(201);
    expect(await imagesIn(album)).toMatchObject([{ name: "me.png", title: null, tags: ["theirs"] }]);
  });

  test("without a name lets the uploader name the images, or names bytes by its id", async () => {
    const album = await newAlbum();
    const byId = await newTicket(album);
    const png = newPng();
    expect(await jsonOf<UploadedImage>(await upload(byId.url, png))).toMatchObject({ name: `${byId.id}.png` });
    const byQuery = await newTicket(album);
    expect((await upload(`${byQuery.url}?name=lake.png`, newPng())).status).toBe(201);
    const byForm = await newTicket(album, { files: 2 });
    const form = formOf({ "one.png": newPng(), "two.png": newPng() });
    expect((await jsonOf<{ items: UploadedImage[] }>(await uploadForm(byForm.url, form))).items).toMatchObject([
      { name: "one.png" },
      { name: "two.png" },
    ]);
    const many = await newTicket(album, { files: 3 });
    for (const bytes of [png, GIF, newPng()]) expect((await upload(many.url, bytes)).status).toBe(201);
    const names = (await imagesIn(album)).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([`${byId.id}.png`, "lake.png", "one.png", "two.png"]));
    expect(names.filter((name) => name.startsWith(many.id))).toHaveLength(3);
    expect(names).toContain(`${many.id}-${sha256(GIF).slice(0, 16)}.gif`);
  });

  test("is for the album by its id: a new name does not end it, and a new album of the name does not get its image", async () => {
    const album = await newAlbum();
    const { url } = await newTicket(album, { name: "me" });
    const moved = `${album}-moved`;
    expect((await send("PATCH", album, { name: moved.slice("/v1/albums/".length) })).status).toBe(200);
    expect((await send("PUT", album)).status).toBe(201);
    expect((await upload(url, newPng())).status).toBe(201);
    expect(await imagesIn(album)).toEqual([]);
    expect(await imagesIn(moved)).toHaveLength(1);
  });
});
