import { texts } from "../texts.ts";
import { showToast } from "./toast.tsx";

/** The browser lets a page copy only on HTTPS and on its own machine. */
export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    showToast(texts.copied);
  } catch {
    showToast(`${texts.copyFailed} ${text}`);
  }
}
