import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { store } from "../shared/store.ts";
import { texts } from "../texts-admin.ts";

const TYPING_MS = 150;
const MAX_OFFERED = 8;

interface Props {
  /** A name, or nothing for all albums. */
  readonly onAlbum: (name: string) => void;
}

/**
 * Asks for the name of an album, and offers those that begin so, by the pattern of ARIA for a combobox. A `datalist` would be less,
 * but Chromium keeps Enter for itself while that is open.
 */
export function AlbumFilter({ onAlbum }: Props) {
  const text = useSignal("");
  const offered = useSignal<readonly string[]>([]);
  const active = useSignal(-1);
  const isOpen = useSignal(false);
  const chosen = useRef("");
  const id = useId();
  useEffect(() => {
    if (!isOpen.value) return undefined;
    const over = new AbortController();
    const timer = setTimeout(() => {
      void namesBeginning(text.value, over.signal).then((names) => {
        if (over.signal.aborted) return;
        offered.value = names;
        active.value = -1;
      });
    }, TYPING_MS);
    return () => {
      clearTimeout(timer);
      over.abort();
    };
  }, [text.value, isOpen.value]);

  function choose(name: string): void {
    isOpen.value = false;
    text.value = name;
    if (name === chosen.current) return;
    chosen.current = name;
    onAlbum(name);
  }

  function onKeyDown(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      isOpen.value = true;
      // Before the first one is the text itself.
      const places = offered.value.length + 1;
      active.value = ((active.value + 1 + step + places) % places) - 1;
    } else if (event.key === "Enter") choose(offered.value[active.value] ?? text.value);
    else if (event.key === "Escape" && isOpen.value) isOpen.value = false;
    else return;
    event.preventDefault();
  }

  const isShown = isOpen.value && offered.value.length > 0;
  return (
    <div class="suggest">
      <input
        class="input"
        type="search"
        dir="auto"
        role="combobox"
        list={undefined}
        autocomplete="off"
        aria-label={texts.events.album}
        aria-autocomplete="list"
        aria-expanded={isShown}
        aria-controls={isShown ? id : undefined}
        aria-activedescendant={isShown && active.value >= 0 ? `${id}-${active.value}` : undefined}
        placeholder={texts.events.allAlbums}
        value={text.value}
        onClick={() => (isOpen.value = true)}
        onInput={({ currentTarget }) => {
          text.value = currentTarget.value;
          isOpen.value = true;
          active.value = -1;
          if (text.value === "") choose("");
        }}
        onKeyDown={onKeyDown}
        onBlur={() => choose(text.value)}
      />
      {isShown && (
        <ul id={id} role="listbox" aria-label={texts.events.albums}>
          {offered.value.map((name, at) => (
            <li
              key={name}
              id={`${id}-${at}`}
              role="option"
              aria-selected={at === active.value}
              // The field keeps the focus, and with it the list.
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => choose(name)}
            >
              <bdi>{name}</bdi>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** The albums that were changed last. None where the caller may not see albums. */
async function namesBeginning(q: string, signal: AbortSignal): Promise<readonly string[]> {
  try {
    const query = { pageSize: MAX_OFFERED, orderBy: "-updatedAt", ...(q === "" ? {} : { q }) } as const;
    const { items } = await store.send("GET", "/v1/albums", { query, signal });
    return items.map(({ name }) => name);
  } catch {
    return [];
  }
}
