import { pick } from "../random.ts";
import { randomImage } from "../random-image.ts";
import type { Operation } from "./album-world.ts";
import type { Pictures, Race } from "./race.ts";

/** Two nodes, the first and the second of which race; any other judges them. */
export type RaceKind = (nodes: readonly [string, string], judge: string) => Race;

const pictures = Array.from({ length: 40 }, () => randomImage(Math.floor(Math.random() ** 4 * 100_000)));

export const PICTURES: Pictures = new Map(pictures.map(({ bytes, sha256 }) => [sha256, bytes]));

const picture = (): string => pick(pictures).sha256;
const chance = (probability: number): boolean => Math.random() < probability;

const createAlbum: Operation = { kind: "createAlbum" };
const deleteAlbum: Operation = { kind: "deleteAlbum" };
const deleteImage: Operation = { kind: "deleteImage" };
const readContent: Operation = { kind: "readContent" };
const createImage = (key?: string): Operation => ({
  kind: "createImage",
  sha256: picture(),
  ...(key === undefined ? {} : { key }),
});
const putImage = (): Operation => ({ kind: "putImage", sha256: picture() });
const upload = (): Operation => (chance(0.5) ? createImage() : putImage());
const anything = (): Operation =>
  pick([createAlbum, deleteAlbum, { kind: "deleteEmptyAlbum" }, deleteImage, readContent, upload(), upload()]);

export const RACE_KINDS: Readonly<Record<string, RaceKind>> = {
  "the same name": ([one, other], judge) =>
    chance(0.25)
      ? { judge, prepared: [], racers: [one, other].map((url) => ({ url, operations: [createAlbum, upload()] })) }
      : {
          judge,
          prepared: [createAlbum, ...(chance(0.2) ? [upload()] : [])],
          racers: [one, other].map((url) => ({ url, operations: [upload(), readContent] })),
        },

  "the same key": ([one, other], judge) => {
    const keyed = createImage(crypto.randomUUID());
    const reused: Operation = chance(0.2) ? { ...keyed, kind: "createImage", sha256: picture() } : keyed;
    const racers = [
      { url: one, operations: [keyed] },
      { url: other, operations: [reused] },
    ];
    // Whatever became of the image since, the key has its answer.
    if (chance(0.3)) racers.push({ url: judge, operations: [pick([deleteImage, deleteAlbum])] });
    return { judge, prepared: [createAlbum], racers };
  },

  "delete and upload": ([one, other], judge) => ({
    judge,
    prepared: [createAlbum, upload()],
    racers: [
      { url: one, operations: chance(0.3) ? [deleteImage, upload()] : [deleteImage] },
      { url: other, operations: [upload()] },
      ...(chance(0.5) ? [{ url: judge, operations: [readContent] }] : []),
    ],
  }),

  "an album's delete, upload and re-creation": ([one, other], judge) => ({
    judge,
    prepared: [createAlbum, ...(chance(0.5) ? [upload()] : [])],
    racers: [
      { url: one, operations: [deleteAlbum, createAlbum] },
      { url: other, operations: chance(0.5) ? [upload(), upload()] : [upload()] },
      ...(chance(0.3) ? [{ url: judge, operations: [createAlbum] }] : []),
    ],
  }),

  anything: ([one, other], judge) => ({
    judge,
    prepared: chance(0.8) ? [createAlbum, ...(chance(0.5) ? [upload()] : [])] : [],
    racers: [one, other, judge].map((url) => ({ url, operations: [anything(), anything()] })),
  }),
};
