import { afterAll, describe, expect, test } from "bun:test";
import { makeSecret } from "../../../src/operations/secrets.ts";
import { until } from "../../waiting.ts";
import { sendRaw } from "../harness.ts";
import { formOf, GIF, newPng, sha256, storedBlobs } from "../image-fixtures.ts";
import { bearer, clock, ORIGIN, refused, startTicketStore } from "./ticket-store.ts";

const { store, newAlbum, newTicket, upload, uploadForm, imagesIn, ticketsOf } = await startTicketStore();
afterAll(() => store[Symbol.asyncDispose]());

const head = (url: string, ...headers: string[]) =>
  [`PUT ${url} HTTP/1.1`, "Host: localhost", "Expect: 100-continue", ...headers, "", ""].join("\r\n");

describe("before the body", () => {
  test("a ticket that is unknown, used or expired, a type and a length are refused before the body is sent", async () => {
    const album = await newAlbum();
    const used = await newTicket(album);
    await upload(used.url, newPng());
    const limited = await newTicket(album, { maxBytes: 1000, contentTypes: ["image/png"] });
    for (const [url, length, type, code] of [
      [`/v1/uploads/${makeSecret("ticket").text}`, 500, "image/png", "ticket_not_found"],
      [used.url, 500, "image/png", "ticket_used"],
      [limited.url, 1001, "image/png", "too_large"],
      [limited.url, 500, "image/webp", "unsupported_image"],
    ] as const) {
      const { text } = await sendRaw(store.port, head(url, `Content-Length: ${length}`, `Content-Type: ${type}`));
      // The first line is the runtime's own.
      expect(text.replace(/^HTTP\/1.1 100[^]*?\r\n\r\n/, "")).toMatch(/^HTTP\/1.1 4/);
      expect(text).toContain(`"code":"${code}"`);
      expect(text.toLowerCase()).toContain("access-control-allow-origin: *");
    }
  });

  test("a preflight of any origin is allowed, for every path of a ticket", async () => {
    for (const path of [(await newTicket(await newAlbum())).url, "/v1/uploads/x", "/v1/uploads/x/y"]) {
      const response = await store.fetch(path, {
        method: "OPTIONS",
        headers: {
          ...ORIGIN,
          "Access-Control-Request-Method": "PUT",
          "Access-Control-Request-Headers": "content-type",
        },
      });
      const { headers } = response;
      expect(response.status).toBe(204);
      expect(headers.get("access-control-allow-origin")).toBe("*");
      expect(headers.get("access-control-allow-methods")).toContain("PUT");
      expect(headers.get("access-control-allow-headers")).toContain("Content-Type");
      expect(headers.has("access-control-allow-credentials")).toBeFalse();
    }
    const elsewhere = await store.fetch("/v1/albums", { method: "OPTIONS", headers: ORIGIN });
    expect(elsewhere.headers.has("access-control-allow-origin")).toBeFalse();
  });
});

describe("an upload ticket", () => {
  test("is used up by its last file", async () => {
    const album = await newAlbum();
    const { url } = await newTicket(album, { files: 2 });
    expect((await upload(`${url}?name=a`, newPng())).status).toBe(201);
    expect(await refused(await uploadForm(url, formOf({ b: newPng(), c: newPng() })))).toEqual([413, "too_large"]);
    expect((await upload(`${url}?name=d`, newPng())).status).toBe(201);
    expect(await refused(await upload(`${url}?name=e`, newPng(100)))).toEqual([410, "ticket_used"]);
    expect(await refused(await uploadForm(url, formOf({ f: newPng(900) })))).toEqual([410, "ticket_used"]);
    expect((await imagesIn(album)).map(({ name }) => name)).toEqual(["a", "d"]);
  });

  test("is as it was after an upload that failed", async () => {
    const album = await newAlbum();
    const { url } = await newTicket(album, { name: "me", maxBytes: 2000, contentTypes: ["image/png"] });
    const before = await storedBlobs(store);
    for (const [body, type, code] of [
      ["no image", "", [415, "unsupported_image"]],
      [GIF, "", [415, "unsupported_image"]],
      [newPng(), "image/webp", [415, "unsupported_image"]],
      [newPng(), "text/html", [415, "unsupported_media_type"]],
      [newPng().subarray(0, 40), "", [422, "invalid_image"]],
      [newPng(3000), "", [413, "too_large"]],
      [new Blob([newPng(3000)]).stream(), "", [413, "too_large"]],
      ["", "", [400, "empty_body"]],
    ] as const) {
      const headers = { "Content-Type": type || "application/octet-stream" };
      expect([type, ...(await refused(await upload(url, body, { headers })))]).toEqual([type, ...code]);
    }
    expect(await refused(await uploadForm(url, formOf({ x: newPng(3000) })))).toEqual([413, "too_large"]);
    expect(await refused(await uploadForm(url, formOf({ x: GIF })))).toEqual([415, "unsupported_image"]);
    expect(await refused(await uploadForm(url, formOf({ x: newPng(), y: newPng() })))).toEqual([413, "too_large"]);
    expect(await refused(await upload(url, newPng(), { method: "POST" }))).toEqual([415, "unsupported_media_type"]);
    expect(await storedBlobs(store)).toEqual(before);
    expect(await ticketsOf(album)).toMatchObject([{ filesLeft: 1 }]);
    expect((await upload(url, newPng())).status).toBe(201);
  });

  test("only creates: a name that is taken is 409, and the ticket remains", async () => {
    const album = await newAlbum();
    const { url } = await newTicket(album, { name: "taken" });
    const bytes = newPng();
    await store.fetch(`${album}/images/taken/content`, { method: "PUT", body: bytes, headers: bearer("boss") });
    expect(await refused(await upload(url, newPng()))).toEqual([409, "image_exists"]);
    expect(await refused(await upload(url, bytes))).toEqual([409, "image_exists"]);
    const free = await newTicket(album);
    expect(await refused(await uploadForm(free.url, formOf({ taken: newPng() })))).toEqual([409, "image_exists"]);
    expect(await imagesIn(album)).toMatchObject([{ sha256: sha256(bytes) }]);
    await store.fetch(`${album}/images/taken`, { method: "DELETE", headers: bearer("boss") });
    expect((await upload(url, bytes)).status).toBe(201);
  });

  test("is refused after its expiry, but an upload that began before it may end later", async () => {
    const album = await newAlbum();
    const { url, expiresAt } = await newTicket(album, { expiresIn: 60, files: 2 });
    const before = clock.now;
    try {
      const png = newPng(300_000);
      const asked = clock.asked;
      let sent = 0;
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          if (sent > 0) await until(() => clock.asked > asked);
          if (sent > 0) clock.now = Date.parse(expiresAt) + 1;
          controller.enqueue(png.subarray(sent, sent + 100_000));
          sent += 100_000;
          if (sent >= png.length) controller.close();
        },
      });
      expect((await upload(url, body)).status).toBe(201);
      expect(clock.now).toBeGreaterThan(Date.parse(expiresAt));
      expect(await refused(await upload(url, newPng()))).toEqual([410, "ticket_expired"]);
      expect(await refused(await upload(url, png))).toEqual([410, "ticket_expired"]);
      clock.now = Date.parse(expiresAt) - 1;
      expect((await upload(url, newPng())).status).toBe(201);
    } finally {
      clock.now = before;
    }
  });
});
