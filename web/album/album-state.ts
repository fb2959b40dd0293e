import { type Signal, signal } from "@preact/signals";
import type { Album, ImageFilter } from "../../client/src/index.ts";
import { afterOpening } from "../shared/opening.ts";
import { store } from "../shared/store.ts";
import type { Chosen } from "./chosen.ts";
import { AT_ONCE, Columns } from "./columns.ts";
import { Hidden } from "./hidden.ts";

export type ImageOrder = NonNullable<ImageFilter["orderBy"]>;
/** A screen or two, so that it comes soon. */
const FIRST_PAGE = 100;
/** As many as a page takes apart within a frame. With more, the browser collects their garbage in longer pauses. */
const PAGE = 2000;
const ORDER_KEY = "image-store.order";
const ORDERS: readonly ImageOrder[] = ["-createdAt", "createdAt", "-takenAt", "takenAt", "name"];

/** An album as the page holds it: its record, and of each image what a layout needs. */
export class AlbumState {
  readonly name: string;
  readonly album: Signal<Album | undefined> = signal(undefined);
  readonly order: Signal<ImageOrder> = signal(rememberedOrder());
  readonly tag: Signal<string | undefined> = signal(undefined);
  readonly problem: Signal<unknown> = signal(undefined);
  /** Grows whenever {@link columns} has more images, or others. */
  readonly version = signal(0);
  readonly isComplete = signal(false);
  /** Others have changed a large album, which is read again when the person says so. */
  readonly isStale = signal(false);
  columns = new Columns(0);
  watermark: string | undefined;
  readonly #hidden = new Hidden();
  /** With what is hidden. */
  #all = this.columns;
  #turn = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** How many pictures there are or will be. */
  get expected(): number {
    const { columns, isComplete, album, tag } = this;
    if (isComplete.value || tag.value !== undefined) return columns.count;
    return Math.max(columns.count, album.value?.imageCount ?? 0);
  }

  setOrder(order: ImageOrder): void {
    this.order.value = order;
    localStorage.setItem(ORDER_KEY, order);
    void this.load();
  }

  setTag(tag: string | undefined): void {
    this.tag.value = tag;
    void this.load();
  }

  /**
   * Reads the album and its layout from the start. What is shown stays until the new first page is there, or all that had been
   * there of an album that is not too large.
   */
  async load(): Promise<void> {
    this.#turn += 1;
    this.isStale.value = false;
    const turn = this.#turn;
    const isCurrent = () => turn === this.#turn;
    try {
      const [album, first] = await Promise.all([store.albums.get(this.name), this.#page(FIRST_PAGE, undefined)]);
      await this.#hidden.leaveColumns();
      const columns = new Columns(album.imageCount);
      columns.append(first);
      let token = first.nextPageToken;
      while (token !== undefined && isCurrent()) {
        const isGrowing = this.columns.count === 0 || !this.isComplete.value || album.imageCount > AT_ONCE;
        if (isGrowing) this.#show(columns, album, first.watermark, false);
        await afterOpening();
        const page = await this.#page(PAGE, token);
        columns.append(page);
        token = page.nextPageToken;
      }
      if (isCurrent()) this.#show(columns, album, first.watermark, true);
    } catch (error) {
      if (isCurrent()) this.problem.value = error;
    }
  }

  /** What the person deletes is gone at once, also from what is read while the store still has it. */
  hide(chosen: Chosen): void {
    this.#hidden.add(chosen);
    this.#showRest();
  }

  unhide(chosen: Chosen): void {
    this.#hidden.delete(chosen);
    this.#showRest();
  }

  #showRest(): void {
    this.columns = this.#hidden.restOf(this.#all);
    this.version.value += 1;
  }

  #show(columns: Columns, album: Album, watermark: string, isComplete: boolean): void {
    this.#all = columns;
    this.watermark = watermark;
    this.album.value = album;
    this.isComplete.value = isComplete;
    this.problem.value = undefined;
    this.#showRest();
  }

  #page(pageSize: number, pageToken: string | undefined) {
    const tag = this.tag.value;
    return store.send("GET", "/v1/albums/{album}/layout", {
      path: { album: this.name },
      query: {
        pageSize,
        orderBy: this.order.value,
        ...(tag === undefined ? {} : { tag }),
        ...(pageToken === undefined ? {} : { pageToken }),
      },
    });
  }
}

function rememberedOrder(): ImageOrder {
  const text = localStorage.getItem(ORDER_KEY);
  return ORDERS.find((order) => order === text) ?? "-createdAt";
}
