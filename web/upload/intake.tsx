import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Album } from "../../client/src/index.ts";
import { Icon } from "../shared/icons.tsx";
import { lazy } from "../shared/lazy.tsx";
import { may, mayAdd } from "../shared/session.ts";
import { showError, showToast } from "../shared/toast.tsx";
import { texts } from "../texts.ts";
import type { Dropped } from "./files.ts";
import { unsent } from "./unsent.ts";

/** The album that is open: files go there. */
export const target = signal<Album | undefined>(undefined);
const isDragging = signal(false);
/** Whether the code of uploads is there, and so the queue. */
const isNeeded = signal(unsent.peek().length > 0);

const UploadPanel = lazy(async () => (await import("../later.ts")).UploadPanel);

async function take(
  dropped: readonly Dropped[],
  album: Pick<Album, "id" | "name"> | undefined = target.value,
): Promise<void> {
  if (dropped.length === 0) return;
  if (album === undefined ? !may("write") : !mayAdd(album)) return void showToast(texts.upload.notAllowed);
  try {
    const { receive } = await import("../later.ts");
    isNeeded.value = true;
    await receive(dropped, album);
  } catch (error) {
    showError(error);
  }
}

/** Asks for files, or for a folder with all that is in it. They go into the album, or the one that is open. */
export function pickFiles(kind: "files" | "folder", album?: Pick<Album, "id" | "name">): void {
  const input = document.createElement("input");
  input.type = "file";
  input.multiple = true;
  if (kind === "files") input.accept = "image/*";
  else input.webkitdirectory = true;
  input.addEventListener("change", () => void take([...(input.files ?? [])], album));
  input.click();
}

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") === true;

function onDrop(event: DragEvent): void {
  isDragging.value = false;
  if (!hasFiles(event)) return;
  event.preventDefault();
  // Entries can be asked for within the event only.
  const items = [...(event.dataTransfer?.items ?? [])].filter(({ kind }) => kind === "file");
  const dropped = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  void take(dropped.filter((one) => one !== null));
}

function onDrag(event: DragEvent): void {
  if (!hasFiles(event)) return;
  event.preventDefault();
  isDragging.value = true;
}

function onPaste(event: ClipboardEvent): void {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length === 0) return;
  event.preventDefault();
  void take(files);
}

/** Takes what is dropped or pasted anywhere on the page. */
export function Intake() {
  useEffect(() => {
    const over = new AbortController();
    const { signal: ended } = over;
    document.addEventListener("dragenter", onDrag, { signal: ended });
    document.addEventListener("dragover", onDrag, { signal: ended });
    document.addEventListener("drop", onDrop, { signal: ended });
    document.addEventListener("paste", onPaste, { signal: ended });
    document.addEventListener(
      "dragleave",
      ({ relatedTarget }) => {
        if (relatedTarget === null) isDragging.value = false;
      },
      { signal: ended },
    );
    return () => over.abort();
  }, []);
  const album = target.value;
  return (
    <>
      {isDragging.value && (
        <div class="drop-zone">
          <div>
            <Icon name="upload" size={48} />
            <strong dir="auto">
              {album === undefined ? texts.upload.dropNew : texts.upload.dropInto(album.title ?? album.name)}
            </strong>
          </div>
        </div>
      )}
      {isNeeded.value && <UploadPanel />}
    </>
  );
}
