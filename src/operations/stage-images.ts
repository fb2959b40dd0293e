import { requireTextBounds } from "../domain/album.ts";
import { type Caller, visibleAlbums } from "../domain/caller.ts";
import type { Idempotency, Preconditions, PutImages } from "../domain/change.ts";
import { imageExists, StoreError } from "../domain/errors.ts";
import type { ContentType } from "../domain/formats.ts";
import { EMPTY_IMAGE_FIELDS, type ImageFields, type ImageInfo } from "../domain/image.ts";
import type { BlobStore, Catalog, Prober, StagedBlob } from "../ports.ts";
import { isRefusal, type RefusedImage } from "./refused-images.ts";

export interface StageDeps {
  readonly catalog: Pick<Catalog, "image">;
  readonly blobs: Pick<BlobStore, "stage" | "discard">;
  readonly prober: Pick<Prober, "probe">;
  readonly limits: { readonly maxUpload: number; readonly maxFiles: number };
}

/** An image of a request. Its bytes are read once, before the next image is asked for. */
export interface IncomingImage {
  readonly name: string;
  /** Whether a later part of the form may rename it. */
  readonly mayBeRenamed?: boolean;
  readonly fields?: ImageFields;
  /** The media type that the client declares; undefined when it declares none. */
  readonly declaredType: ContentType | undefined;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** In bytes, as the client declares it; undefined when it declares none. */
  readonly size?: number | undefined;
  /** Its position among the parts of a form, from 0. */
  readonly part?: number;
  /** Set when the image is refused whatever its bytes are. */
  readonly refusal?: StoreError;
}

/** An image whose bytes are staged and probed. */
export interface StagedImage {
  readonly name: string;
  readonly fields?: ImageFields;
  readonly part?: number;
  readonly mayBeRenamed?: boolean;
  readonly blob: StagedBlob;
  readonly info: ImageInfo;
}

/** Both in the order in which the images arrived. */
export interface StagedImages {
  readonly images: readonly StagedImage[];
  readonly refused: readonly RefusedImage[];
}

/** What decides whether an image may have its name. */
export interface NameRules {
  readonly caller: Caller;
  readonly album: string;
  readonly mode: PutImages["mode"];
  readonly preconditions?: Preconditions<string> | undefined;
  /** With a key the request may be a repetition, so that an image of that name may be its own. */
  readonly idempotency?: Pick<Idempotency, "scope" | "key"> | undefined;
  /** With an upload ticket it may be one too. */
  readonly ticket?: string;
}

export interface StageOptions extends NameRules {
  readonly images: AsyncIterable<IncomingImage> | Iterable<IncomingImage>;
  /**
   * What to do after a refused image. `stop`, the default: store none and read no further. `read on`: store none, but find
   * out what is wrong with the others too. `store others`: store those that are not refused.
   */
  readonly onRefusal?: "stop" | "read on" | "store others";
}

/**
 * Stages and probes each image as it arrives: one is probed while the next is received. Nothing of a refused image stays.
 * @throws StoreError from the images or the stores, unless it refuses one image of a form; then nothing stays
 */
export async function stageImages(deps: StageDeps, options: StageOptions): Promise<StagedImages> {
  const { blobs, limits, prober } = deps;
  const { onRefusal = "stop" } = options;
  const staged: StagedBlob[] = [];
  const images: StagedImage[] = [];
  const refused: RefusedImage[] = [];
  const names = new Set<string>();
  let count = 0;
  let probing: Promise<unknown> = Promise.resolve();
  const refuse = ({ name, part }: IncomingImage, error: StoreError) => {
    refused.push({ name, ...(part === undefined ? {} : { part }), error });
  };
  try {
    for await (const image of options.images) {
      if (count++ === limits.maxFiles) {
        throw new StoreError("too_large", `At most ${limits.maxFiles} images can be uploaded at once.`);
      }
      const blob = await stageOne(deps, options, image, names);
      if (!(blob instanceof StoreError)) staged.push(blob);
      await probing;
      if (blob instanceof StoreError) refuse(image, blob);
      else {
        probing = probe(prober, image, blob).then(
          (probed) => images.push(probed),
          (error: unknown) => {
            if (!isRefusal(error)) throw error;
            refuse(image, error);
          },
        );
        // Awaited later; until then a rejection must not count as unhandled.
        probing.catch(() => undefined);
      }
      if (refused.length > 0 && onRefusal === "stop") break;
    }
    await probing;
    const kept = new Set(images.map(({ blob }) => blob));
    await discardAll(
      blobs,
      staged.filter((blob) => !kept.has(blob)),
    );
    return { images, refused };
  } catch (error) {
    // A child process may still be reading the file.
    await probing.catch(() => undefined);
    await discardAll(blobs, staged);
    throw error;
  }
}

export const discardAll = (blobs: Pick<BlobStore, "discard">, staged: readonly StagedBlob[]) =>
  Promise.all(staged.map((blob) => blobs.discard(blob)));

/**
 * @returns the error, where it refuses this image of a form and says nothing of the others
 * @throws StoreError what fails the whole request
 */
async function stageOne(
  deps: StageDeps,
  options: StageOptions,
  image: IncomingImage,
  names: Set<string>,
): Promise<StagedBlob | StoreError> {
  const { blobs, limits } = deps;
  const source = image.part === undefined ? onlySource(image.bytes) : watch(image.bytes);
  try {
    await admit(deps, options, image, names);
    const size = image.size === undefined ? {} : { size: image.size };
    const blob = await blobs.stage(source.bytes, { maxBytes: limits.maxUpload, ...size });
    if (blob.size > 0) return blob;
    await blobs.discard(blob);
    throw new StoreError("empty_body", "An image has no bytes.");
  } catch (error) {
    if (source.failed() || !isRefusal(error)) throw error;
    return error;
  }
}

/** The source of a request with one image: any failure is the failure of the request. */
const onlySource = (bytes: AsyncIterable<Uint8Array>) => ({ bytes, failed: () => true });

/** Tells a failure of the source from a failure of the store. */
function watch(source: AsyncIterable<Uint8Array>) {
  let failed = false;
  async function* bytes(): AsyncGenerator<Uint8Array> {
    try {
      yield* source;
    } catch (error) {
      failed = true;
      throw error;
    }
  }
  return { bytes: bytes(), failed: () => failed };
}

/** @throws StoreError when the image is refused before its bytes are read */
async function admit(deps: StageDeps, rules: NameRules, image: IncomingImage, names: Set<string>) {
  if (image.refusal !== undefined) throw image.refusal;
  if (names.has(image.name)) {
    throw new StoreError("invalid_request", "Two images of one request have the same name.", {
      errors: [{ detail: `the name ${JSON.stringify(image.name)} comes twice` }],
    });
  }
  names.add(image.name);
  requireTextBounds(image.fields ?? EMPTY_IMAGE_FIELDS);
  if (image.mayBeRenamed !== true) await refuseEarly(deps.catalog, rules, image.name);
}

/**
 * Reports before the transfer what the change would report after it. Only the change decides: this is a hint that spares
 * both sides the bytes.
 */
export async function refuseEarly(catalog: StageDeps["catalog"], rules: NameRules, name: string): Promise<void> {
  const { ifMatch, ifNoneMatch } = rules.preconditions ?? {};
  const creates = rules.mode === "create" && rules.idempotency === undefined && rules.ticket === undefined;
  if (!creates && ifMatch === undefined && ifNoneMatch === undefined) return;
  const present = (await catalog.image(rules.album, name, visibleAlbums(rules.caller, "write")))?.image.sha256;
  if (creates && present !== undefined) throw imageExists();
  const names = (tags: "*" | readonly string[]) => present !== undefined && (tags === "*" || tags.includes(present));
  if ((ifMatch !== undefined && !names(ifMatch)) || (ifNoneMatch !== undefined && names(ifNoneMatch))) {
    throw new StoreError("precondition_failed", "The image is not in the state that the request asks for.");
  }
}

async function probe(prober: StageDeps["prober"], image: IncomingImage, blob: StagedBlob): Promise<StagedImage> {
  const info = await prober.probe(blob.source);
  if (image.declaredType !== undefined && image.declaredType !== info.contentType) {
    throw new StoreError(
      "unsupported_image",
      `The image is declared as ${image.declaredType}, but its bytes are ${info.contentType}.`,
    );
  }
  const { name, fields, part, mayBeRenamed = false } = image;
  return {
    name,
    mayBeRenamed,
    ...(part === undefined ? {} : { part }),
    ...(fields === undefined ? {} : { fields }),
    blob,
    info,
  };
}
