import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { StoreError } from "../../client/src/index.ts";
import { explainShortly } from "./problem.tsx";
import { isEndSaid } from "./session-end.ts";

interface ToastOptions {
  readonly action?: { readonly text: string; readonly run: () => void } | undefined;
  /** Called once it is gone without its action. */
  readonly onGone?: (() => void) | undefined;
}

interface Toast extends ToastOptions {
  readonly id: number;
  readonly text: string;
}

const toasts = signal<readonly Toast[]>([]);
/** A modal dialog shows them: what is outside of it can't be seen or pressed. */
const isInDialog = signal(false);
const timers = new Map<number, ReturnType<typeof setTimeout>>();
let last = 0;
const MAX_SHOWN = 3;
const SHOWN_MS = 6000;
/** With something to press. */
const OFFERED_MS = 9000;

/** A line for some seconds, read out by screen readers. While it is pointed at or has the focus, it stays. Returns what takes it away. */
export function showToast(text: string, options: ToastOptions = {}): () => void {
  last += 1;
  const toast = { id: last, text, ...options };
  for (const old of toasts.value.slice(0, Math.max(0, toasts.value.length + 1 - MAX_SHOWN))) dismiss(old);
  toasts.value = [...toasts.value, toast];
  startTimer(toast);
  return () => dismiss(toast);
}

function startTimer(toast: Toast): void {
  clearTimeout(timers.get(toast.id));
  timers.set(
    toast.id,
    setTimeout(() => dismiss(toast), toast.action === undefined ? SHOWN_MS : OFFERED_MS),
  );
}

function remove({ id }: Toast): boolean {
  clearTimeout(timers.get(id));
  timers.delete(id);
  const isThere = toasts.value.some((toast) => toast.id === id);
  if (isThere) toasts.value = toasts.value.filter((toast) => toast.id !== id);
  return isThere;
}

function dismiss(toast: Toast): void {
  if (remove(toast)) toast.onGone?.();
}

export function showError(error: unknown): void {
  if (isEndSaid.value && !isInDialog.value && error instanceof StoreError && error.status === 401) return;
  showToast(explainShortly(error));
}

/** In an open modal dialog, instead of in the page. */
export function DialogToasts() {
  useEffect(() => {
    isInDialog.value = true;
    return () => {
      isInDialog.value = false;
    };
  }, []);
  return <List />;
}

export const Toasts = () => (isInDialog.value ? null : <List />);

const List = () => (
  <div class="toasts" role="status" aria-live="polite">
    {toasts.value.map((toast) => (
      <div
        key={toast.id}
        class="toast"
        onPointerEnter={() => clearTimeout(timers.get(toast.id))}
        onPointerLeave={() => startTimer(toast)}
        onFocusCapture={() => clearTimeout(timers.get(toast.id))}
        onBlurCapture={() => startTimer(toast)}
      >
        <span dir="auto">{toast.text}</span>
        {toast.action !== undefined && (
          <button
            type="button"
            class="button"
            onClick={() => {
              if (remove(toast)) toast.action?.run();
            }}
          >
            {toast.action.text}
          </button>
        )}
      </div>
    ))}
  </div>
);
