import { describe, expect, test } from "bun:test";
import type { Catalog } from "../../../src/ports.ts";
import { until } from "../../waiting.ts";
import { type Publish, SILENT, topic, useRelayedCatalog } from "./relayed-catalog.ts";

const { catalog, createAlbum, loggedIds, withRelay, caughtUp } = useRelayedCatalog();

const rewindTo = async (seq: number) => {
  const { epoch } = await catalog().log();
  return catalog().write({ type: "rewindCursor", name: topic, to: { epoch, seq } });
};

test("after its cursor was rewound the relay publishes the events behind it again, in order and before later ones", async () => {
  for (const pollInterval of [5, 3_600_000])
    for (let round = 0; round < 10; round++) {
      const published: string[] = [];
      let rewound = 0;
      const publish: Publish = async (events) => {
        published.push(...events.map(({ attributes }) => attributes.id));
      };
      await createAlbum();
      await createAlbum();
      await withRelay(
        publish,
        async () => {
          await until(caughtUp);
          const { lastSequence } = await catalog().log();
          const replayed = (await loggedIds()).slice(-2);
          await rewindTo(lastSequence - 2);
          await Promise.all([createAlbum(), createAlbum()]);
          await until(async () => rewound > 0 && (await caughtUp()));
          const logged = await loggedIds();
          const begins = published.lastIndexOf(replayed[0] ?? "");
          expect(published.slice(begins)).toEqual(logged.slice(logged.indexOf(replayed[0] ?? "")));
        },
        { pollInterval, observer: { ...SILENT, rewound: () => rewound++ } },
      );
      expect(rewound).toBe(1);
    }
});

/** The relay's catalog(), whose saves wait at a gate: on their way to the catalog(), or on their way back. */
function gated(place: "before" | "after") {
  const arrived = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const write: Catalog["write"] = async (change) => {
    if (change.type !== "advanceCursor") return catalog().write(change);
    if (place === "before") {
      arrived.resolve();
      await gate.promise;
    }
    const result = await catalog().write(change);
    if (place === "after") {
      arrived.resolve();
      await gate.promise;
    }
    return result;
  };
  const slow: Catalog = Object.assign(Object.create(catalog()) as Catalog, { write });
  return { slow, arrived: arrived.promise, open: gate.resolve };
}

describe("a rewind while the relay saves its cursor", () => {
  test.each(["before", "after"] as const)("is not undone, when the save is committed %s it waits", async (place) => {
    const published: string[] = [];
    const publish: Publish = async (events) => {
      published.push(...events.map(({ attributes }) => attributes.id));
    };
    for (let number = 0; number < 4; number++) await createAlbum();
    const { slow, arrived, open } = gated(place);
    await withRelay(
      publish,
      async () => {
        await arrived;
        // Also where the position is that of the last save: what was published since must come again.
        const first = await rewindTo(0);
        expect(first.seq).toBe(0);
        open();
        await until(async () => published.length >= 8 && (await caughtUp()));
      },
      { catalog: slow },
    );
    const logged = await loggedIds();
    expect(published).toEqual([...logged, ...logged]);
  });

  test("comes before what the relay has read and not published", async () => {
    const published: string[] = [];
    const publish: Publish = async (events) => {
      published.push(...events.map(({ attributes }) => attributes.id));
    };
    for (let number = 0; number < 3; number++) await createAlbum();
    const rewound = Promise.withResolvers<void>();
    let saves = 0;
    const slow: Catalog = Object.assign(Object.create(catalog()) as Catalog, {
      write: (async (change) => {
        if (change.type !== "advanceCursor" || saves++ > 0) return catalog().write(change);
        await rewindTo(0);
        rewound.resolve();
        return catalog().write(change);
      }) satisfies Catalog["write"],
      cursors: async (name?: string) => {
        if (saves > 0) await rewound.promise;
        return catalog().cursors(name);
      },
    });
    await withRelay(publish, () => until(async () => published.length >= 5 && (await caughtUp())), {
      catalog: slow,
      batchSize: 2,
    });
    const logged = await loggedIds();
    expect(published).toEqual([...logged.slice(0, 2), ...logged]);
  });

  test("is not undone at any moment of a busy log", async () => {
    const published: string[] = [];
    const publish: Publish = async (events) => {
      published.push(...events.map(({ attributes }) => attributes.id));
    };
    await withRelay(
      publish,
      async () => {
        for (let round = 0; round < 40; round++) {
          for (let number = 0; number < 3; number++) await createAlbum();
          const { lastSequence } = await catalog().log();
          const before = published.length;
          const { seq } = await rewindTo(Math.max(0, lastSequence - 1 - (round % 5)));
          await until(caughtUp);
          // What was published before the rewind does not count.
          const owed = (await loggedIds()).slice(seq);
          await until(() => {
            const since = published.slice(before);
            return owed.every((id) => since.includes(id));
          });
        }
      },
      { batchSize: 2 },
    );
  });
});
