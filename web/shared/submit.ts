import { type Signal, useSignal } from "@preact/signals";

export interface Submit {
  readonly busy: Signal<boolean>;
  readonly error: Signal<unknown>;
  readonly submit: () => Promise<void>;
  readonly onSubmit: (event: Event) => void;
}

/** State of a form or a button that asks the store: while it runs it can't be pressed again, and its error stays to be read. */
export function useSubmit(run: () => Promise<void>): Submit {
  const busy = useSignal(false);
  const error = useSignal<unknown>(undefined);
  async function submit(): Promise<void> {
    if (busy.value) return;
    busy.value = true;
    error.value = undefined;
    try {
      await run();
    } catch (cause) {
      error.value = cause;
    } finally {
      busy.value = false;
    }
  }
  return {
    busy,
    error,
    submit,
    onSubmit: (event: Event) => {
      event.preventDefault();
      void submit();
    },
  };
}
