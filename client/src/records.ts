import type { components, operations } from "./schema.ts";

export type Album = components["schemas"]["Album"];
export type AlbumFields = components["schemas"]["AlbumFields"];
export type AlbumPatch = components["schemas"]["AlbumPatch"];
export type Image = components["schemas"]["Image"];
export type ImageFields = components["schemas"]["ImageFields"];
export type ImagePatch = components["schemas"]["ImagePatch"];
/** An operation of a batch: `type` is the `operationId` of its own request. */
export type BatchOperation = components["schemas"]["BatchOperation"];
/** What became of an operation: its status, and the record that is left or why it was refused. */
export type BatchOutcome = components["schemas"]["BatchOutcome"];
/** Where an image goes: an album, a name there (default: the one that it has), and what to do where that is taken (default: fail). */
export type ImageDestination = components["schemas"]["ImageMove"];
/** Bytes that the store has, by their digest, and the name and fields of the image that is made of them. */
export type ImageByDigest = components["schemas"]["ImageByDigest"];
export type KnownImage = components["schemas"]["KnownImage"];
export type CloudEvent = components["schemas"]["CloudEvent"];
export type EventType = components["schemas"]["EventType"];

type QueryOf<Operation extends keyof operations> = Omit<
  NonNullable<operations[Operation]["parameters"]["query"]>,
  "pageToken"
>;
export type AlbumFilter = QueryOf<"listAlbums">;
export type ImageFilter = QueryOf<"listImages">;

/** What a variant may be: a preset, or sizes and format. docs/images.md of the store explains each. */
export type Variant = Omit<NonNullable<operations["getImageContent"]["parameters"]["query"]>, "v">;
