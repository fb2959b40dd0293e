import { useSignal } from "@preact/signals";
import type { FunctionComponent } from "preact";
import { useEffect } from "preact/hooks";
import { texts } from "../texts.ts";
import { Problem } from "./problem.tsx";

/** A component whose code is fetched when it is shown first. */
export function lazy<Props extends object>(load: () => Promise<FunctionComponent<Props>>): FunctionComponent<Props> {
  let loaded: FunctionComponent<Props> | undefined;
  return (props: Props) => {
    const ready = useSignal(loaded !== undefined);
    const error = useSignal<unknown>(undefined);
    const start = () => {
      error.value = undefined;
      load().then(
        (component) => {
          loaded = component;
          ready.value = true;
        },
        (cause: unknown) => (error.value = cause),
      );
    };
    useEffect(() => {
      if (loaded === undefined) start();
    }, []);
    const Component = loaded;
    if (ready.value && Component !== undefined) return <Component {...props} />;
    if (error.value !== undefined) return <Problem error={error.value} onRetry={start} />;
    return <p class="muted">{texts.loading}</p>;
  };
}
