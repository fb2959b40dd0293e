import { signal } from "@preact/signals";
import { explainShortly } from "./problem.tsx";

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly action: { readonly text: string; readonly run: () => void } | undefined;
}

const toasts = signal<readonly Toast[]>([]);
let last = 0;
const SHOWN_MS = 6000;

const dismiss = (id: number) => {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
};

/** A line for some seconds, read out by screen readers. */
export function showToast(text: string, action?: Toast["action"]): void {
  const id = ++last;
  toasts.value = [...toasts.value.slice(-2), { id, text, action }];
  setTimeout(() => dismiss(id), SHOWN_MS);
}

export const showError = (error: unknown): void => showToast(explainShortly(error));

export const Toasts = () => (
  <div class="toasts" role="status" aria-live="polite">
    {toasts.value.map(({ id, text, action }) => (
      <div key={id} class="toast">
        <span dir="auto">{text}</span>
        {action !== undefined && (
          <button
            type="button"
            class="button"
            onClick={() => {
              dismiss(id);
              action.run();
            }}
          >
            {action.text}
          </button>
        )}
      </div>
    ))}
  </div>
);
