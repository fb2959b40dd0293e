import { useSignal } from "@preact/signals";
import type { CloudEvent } from "../../client/src/index.ts";
import { copyText } from "../shared/clipboard.ts";
import { formatTime } from "../shared/format.ts";
import { Icon } from "../shared/icons.tsx";
import { texts } from "../texts-admin.ts";

/** What has happened to what, by whom and when; opened, the whole event. */
export function EventRow({ event, cursor }: { readonly event: CloudEvent; readonly cursor: string }) {
  const isOpen = useSignal(false);
  const { type, data, time } = event;
  const [, kind = "", verb = ""] = type.split(".");
  const actor = "actor" in data ? data.actor : undefined;
  return (
    <li class="event">
      <button
        type="button"
        class="event-head"
        aria-expanded={isOpen.value}
        onClick={() => (isOpen.value = !isOpen.value)}
      >
        <span class={`chip ${verb}`}>{texts.events.what(kind, verb)}</span>
        <span class="event-name" dir="auto">
          {nameOf(event)}
        </span>
        <span class="small muted">
          <bdi>{actor === undefined ? "" : (actor.name ?? actor.kind)}</bdi>
        </span>
        <time class="small muted numbers" dateTime={time}>
          {formatTime(time)}
        </time>
      </button>
      {isOpen.value && (
        <div class="event-body">
          <pre tabIndex={0} aria-label={texts.events.whole}>
            {JSON.stringify(event, null, 2)}
          </pre>
          <button type="button" class="button" onClick={() => void copyText(cursor)}>
            <Icon name="link" size={18} />
            {texts.events.copyThis}
          </button>
        </div>
      )}
    </li>
  );
}

function nameOf({ data, subject }: CloudEvent): string {
  if ("album" in data && "name" in data && typeof data.name === "string") return `${data.album} / ${data.name}`;
  if ("name" in data && typeof data.name === "string") return data.name;
  if ("label" in data) return data.label ?? texts.shares.noLabel;
  return subject;
}
