import { describe, expect, test } from "bun:test";
import { type CloudEventAttributes, cloudEventJson } from "../../src/domain/event.ts";

const attributes: CloudEventAttributes = {
  specversion: "1.0",
  id: "01a22c13-bad4-70c8-b2c0-2995d4e80ea4",
  source: "/image-store/01a22c13-bad4-70c8-b2c0-2995d4e80ea5",
  type: "imagestore.album.created",
  subject: "albums/01a22c13-bad4-70c8-b2c0-2995d4e80ea6",
  time: "2026-11-30T10:20:00.000Z",
  datacontenttype: "application/json",
  partitionkey: "01a22c13-bad4-70c8-b2c0-2995d4e80ea6",
  sequence: "00000001000000000001",
};

describe("the JSON of an event", () => {
  const withTrace = { ...attributes, traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
  const ofCursor = { ...attributes, subject: 'cursors/a "quoted" \\ name \n ü' };

  test.each([attributes, withTrace, ofCursor])("is what JSON.stringify makes of %p", (given) => {
    const data = '{"name":"Alps","reason":"user"}';
    expect(cloudEventJson({ attributes: given, data })).toBe(JSON.stringify({ ...given, data: JSON.parse(data) }));
  });
});
