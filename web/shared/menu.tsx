import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Icon, type IconName } from "./icons.tsx";

export interface MenuItem {
  readonly text: string;
  readonly icon: IconName;
  readonly danger?: boolean;
  readonly onSelect: () => void;
}

interface Props {
  readonly label: string;
  readonly icon?: IconName;
  readonly items: readonly MenuItem[];
}

/** A button with a menu, by the pattern of ARIA: arrows move, Escape and a click elsewhere close. */
export function Menu({ label, icon = "more", items }: Props) {
  const open = useSignal(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    if (!open.value) return undefined;
    root.current?.querySelector<HTMLElement>('[role="menuitem"]')?.focus();
    root.current?.querySelector('[role="menu"]')?.scrollIntoView({ block: "nearest" });
    const onPointer = ({ target }: PointerEvent) => {
      if (!root.current?.contains(target as Node)) open.value = false;
    };
    document.addEventListener("pointerdown", onPointer);
    return () => document.removeEventListener("pointerdown", onPointer);
  }, [open.value]);

  function onKeyDown(event: KeyboardEvent): void {
    if (!open.value) return;
    const all = [...(root.current?.querySelectorAll<HTMLElement>('[role="menuitem"]') ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    event.stopPropagation();
    if (step !== undefined) all[(at + step + all.length) % all.length]?.focus();
    else if (event.key === "Home") all[0]?.focus();
    else if (event.key === "End") all.at(-1)?.focus();
    else if (event.key === "Escape" || event.key === "Tab") open.value = false;
    else return;
    if (event.key === "Escape") button.current?.focus();
    if (event.key !== "Tab") event.preventDefault();
  }

  return (
    <div class="menu" ref={root} onKeyDown={onKeyDown}>
      <button
        ref={button}
        type="button"
        class="button plain icon"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open.value}
        onClick={() => (open.value = !open.value)}
      >
        <Icon name={icon} />
      </button>
      {open.value && (
        <div role="menu" aria-label={label}>
          {items.map((item) => (
            <button
              key={item.text}
              type="button"
              role="menuitem"
              class={item.danger ? "danger" : ""}
              onClick={() => {
                open.value = false;
                button.current?.focus();
                item.onSelect();
              }}
            >
              <Icon name={item.icon} size={18} />
              {item.text}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
