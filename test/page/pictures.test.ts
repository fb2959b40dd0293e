import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";

/** The tests take a picture of each main view on each screen, in light and dark colours, so that a change of its looks can be seen. */

const MAIN_VIEWS = [
  "start",
  "sign-in",
  "sign-in-issuer",
  "albums",
  "album-new",
  "album",
  "album-empty",
  "shared-album",
  "month",
  "picture",
  "details",
  "uploads",
  "refused",
  "undo",
  "share",
  "events",
  "admin",
  "variant-cache",
  "webhooks",
  "webhook-new",
  "webhook-deliveries",
];

/** What only one of the screens has, and states whose like is taken on both. */
const OF_ONE_SCREEN = ["chosen", "rectangle", "long-press", "conflict", "ended-uploads"];

/** The names of pictures, and whether tests take them on each screen. `picture` takes both schemes of colours. */
function* picturesOf(source: string): Generator<readonly [name: string, isOnEach: boolean]> {
  for (const block of source.split(/^(?=describe)/m))
    for (const [, name = ""] of block.matchAll(/\bpicture\("([^"]+)"\)/g))
      yield [name, /^describe.*\.each\(SIZE_NAMES\)/.test(block)];
}

const taken = new Map(
  [...new Glob("*.test.ts").scanSync(import.meta.dir)].flatMap((file) => [
    ...picturesOf(readFileSync(join(import.meta.dir, file), "utf8")),
  ]),
);

describe("pictures of the page", () => {
  test.each(MAIN_VIEWS)("show the view: %s", (name) => expect(taken.has(name)).toBe(true));

  test.each([...taken.keys()].filter((name) => !OF_ONE_SCREEN.includes(name)))("are taken on each screen: %s", (name) =>
    expect(taken.get(name)).toBe(true),
  );
});
