import { effect, signal } from "@preact/signals";
import { route } from "./router.ts";
import { contentUrl, store } from "./store.ts";

/** Width of the variant that is shown of a picture until one as sharp as the screen is there. */
export const FIRST_WIDTH = 480;

/** The picture that is open. */
function openPicture(): string | undefined {
  const { value } = route;
  return value.view === "album" ? value.image : undefined;
}

/**
 * True while a page that was opened at the address of a picture loads that picture. What the picture covers is not asked for until
 * then, so that nothing shares the connection with it.
 */
export const isOpening = signal(openPicture() !== undefined);

/** The picture is shown, or cannot be. */
export function endOpening(): void {
  isOpening.value = false;
}

export const afterOpening = (): Promise<void> =>
  new Promise((resolve) => {
    isOpening.subscribe((isStill) => {
      if (!isStill) resolve();
    });
  });

effect(() => {
  if (openPicture() === undefined) endOpening();
});

/** Asks for the picture that is open before the code and the album are there that are needed to show it. */
export async function askForPicture(id: string): Promise<void> {
  // The view reads the record again, and says what is wrong.
  const record = await store.imageById(id).catch(() => undefined);
  if (record !== undefined) new Image().src = contentUrl(record, FIRST_WIDTH);
}
