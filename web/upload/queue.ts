import { computed, signal } from "@preact/signals";
import { type Album, StoreError } from "../../client/src/index.ts";
import { me } from "../shared/session.ts";
import { isAfterEnd, sessionEnded } from "../shared/store.ts";
import { texts } from "../texts.ts";
import { createItem, type IfTaken, isOver, type UploadItem } from "./item.ts";
import { passes, sendItem } from "./send-item.ts";
import { forgetUnsent, keepUnsent, type Unsent } from "./unsent.ts";

const AT_ONCE = 3;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 10_000;

export const items = signal<readonly UploadItem[]>([]);
export const isPaused = signal(false);
/** The store can't be reached: everything waits and is tried again. */
export const isOffline = signal(false);
/** What the person has decided for all names that are taken. */
let decided: IfTaken | undefined;
let running = 0;
let failures = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

export const taken = computed(() => items.value.filter(({ status }) => status.value === "taken"));
export const isActive = computed(() => items.value.some((item) => !isOver(item)));

export function enqueue(files: readonly File[], album: Pick<Album, "id" | "name">): void {
  if (!isActive.value) {
    decided = undefined;
    items.value = items.value.filter(({ status }) => status.value === "failed");
  }
  forgetUnsent(album);
  const added = files.map((file) => createItem(file, album));
  const limit = me.value?.limits.maxUploadBytes ?? Number.POSITIVE_INFINITY;
  for (const item of added) refuseAtOnce(item, limit);
  items.value = [...items.value, ...added];
  pump();
}

/** What the store would refuse for sure is not sent. */
function refuseAtOnce(item: UploadItem, limit: number): void {
  const { size, type } = item.file;
  const reason =
    size > limit
      ? texts.upload.tooLarge(limit)
      : size === 0
        ? texts.upload.empty
        : type !== "" && !type.startsWith("image/")
          ? texts.upload.noPicture
          : undefined;
  if (reason === undefined) return;
  item.error.value = reason;
  item.status.value = "failed";
}

function pump(): void {
  while (running < AT_ONCE && !isPaused.value && !isOffline.value && !sessionEnded.value) {
    const next = items.value.find(({ status }) => status.value === "waiting");
    if (next === undefined) return;
    running += 1;
    next.status.value = "checking";
    void run(next).finally(() => {
      running -= 1;
      pump();
    });
  }
}

async function run(item: UploadItem): Promise<void> {
  const stopper = new AbortController();
  item.cancel = stopper;
  try {
    item.status.value = await sendItem(item, item.ifTaken ?? decided, stopper.signal);
    failures = 0;
  } catch (error) {
    // The code that aborted the upload has set its status.
    if (stopper.signal.aborted) return;
    item.sent.value = 0;
    // Without the session the store refuses everything. Once the person has signed in again, it goes on.
    if (await isAfterEnd(error)) item.status.value = "waiting";
    else if (error instanceof StoreError && passes(error)) {
      item.status.value = "waiting";
      waitForStore();
    } else {
      item.error.value = error;
      item.status.value = "failed";
    }
  } finally {
    item.cancel = undefined;
  }
}

/** Nothing is sent until the store answers again. */
function waitForStore(): void {
  isOffline.value = true;
  clearTimeout(timer);
  timer = setTimeout(goOn, Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures));
  failures += 1;
}

function goOn(): void {
  isOffline.value = false;
  pump();
}

addEventListener("online", goOn);
sessionEnded.subscribe(() => pump());
addEventListener("beforeunload", (event) => {
  if (isActive.value) event.preventDefault();
});
addEventListener("pagehide", () => keepUnsent(unsentNow()));

function unsentNow(): readonly Unsent[] {
  const albums = Map.groupBy(items.value, ({ album }) => album.id);
  return [...albums.values()].flatMap((queued) => {
    const left = queued.filter((item) => !isOver(item));
    const [first] = left;
    return first === undefined ? [] : [{ album: first.album, count: left.length, total: queued.length }];
  });
}

function stop(item: UploadItem, status: "waiting" | "skipped"): void {
  item.status.value = status;
  item.sent.value = 0;
  item.cancel?.abort();
}

export function pause(): void {
  isPaused.value = true;
  for (const item of items.value)
    if (item.status.value === "sending" || item.status.value === "checking") stop(item, "waiting");
}

export function resume(): void {
  isPaused.value = false;
  goOn();
}

export function cancel(item: UploadItem): void {
  stop(item, "skipped");
  items.value = items.value.filter((one) => one !== item);
}

/** What is done stays done. */
export function cancelAll(): void {
  for (const item of items.value) if (!isOver(item)) stop(item, "skipped");
  isPaused.value = false;
  items.value = [];
}

export function retry(chosen: readonly UploadItem[]): void {
  for (const item of chosen) {
    item.error.value = undefined;
    item.status.value = "waiting";
  }
  goOn();
}

/** For all names that are taken, now and later in this queue. */
export function decide(ifTaken: IfTaken): void {
  decided = ifTaken;
  for (const item of taken.value) item.status.value = ifTaken === "keep" ? "skipped" : "waiting";
  pump();
}
