import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Album, components } from "../../client/src/index.ts";
import { copyText } from "../shared/clipboard.ts";
import { Dialog } from "../shared/dialog.tsx";
import { formatTime } from "../shared/format.ts";
import { Icon } from "../shared/icons.tsx";
import { Problem } from "../shared/problem.tsx";
import { mayAdd, mayGetOriginals } from "../shared/session.ts";
import { store } from "../shared/store.ts";
import { showError } from "../shared/toast.tsx";
import { texts } from "../texts-admin.ts";
import { NewShare } from "./new-share.tsx";

type Share = components["schemas"]["Share"];

interface Props {
  readonly album: Album;
  readonly onClose: () => void;
}

/** The links to an album: one for each person, with what it gives, how often it was used, and an end. */
export function ShareDialog({ album, onClose }: Props) {
  const shares = useSignal<readonly Share[] | undefined>(undefined);
  const problem = useSignal<unknown>(undefined);
  const made = useSignal<string | undefined>(undefined);

  async function load(): Promise<void> {
    try {
      const path = { album: album.name };
      const { items } = await store.send("GET", "/v1/albums/{album}/shares", { path, query: { pageSize: 1000 } });
      shares.value = items;
      problem.value = undefined;
    } catch (error) {
      problem.value = error;
    }
  }
  useEffect(() => {
    void load();
  }, [album.id]);

  async function revoke({ id }: Share): Promise<void> {
    try {
      await store.send("DELETE", "/v1/albums/{album}/shares/{share}", { path: { album: album.name, share: id } });
    } catch (error) {
      showError(error);
    }
    await load();
  }

  return (
    <Dialog title={texts.shares.title(album.title ?? album.name)} onClose={onClose} wide>
      <NewShare
        album={album.name}
        canAdd={mayAdd(album)}
        canGiveOriginals={mayGetOriginals(album)}
        onMade={(url) => {
          made.value = url;
          void load();
        }}
      />
      {made.value !== undefined && (
        <div class="made" role="status">
          <p>{texts.shares.made}</p>
          <div class="row">
            <input class="input grow" readOnly aria-label={texts.shares.link} value={made.value} />
            <button type="button" class="button primary" onClick={() => void copyText(made.value ?? "")}>
              <Icon name="link" size={18} />
              {texts.copy}
            </button>
          </div>
        </div>
      )}
      {problem.value !== undefined && <Problem error={problem.value} onRetry={() => void load()} />}
      {shares.value?.length === 0 && <p class="muted">{texts.shares.none}</p>}
      <ul class="list" aria-label={texts.shares.list}>
        {shares.value?.map((share) => (
          <li key={share.id} class="share">
            <div>
              <strong dir="auto">{share.label ?? texts.shares.noLabel}</strong>
              <p class="small muted">
                {texts.shares.gives(share.rights.includes("write"), share.originals)} ·{" "}
                {share.expiresAt === null ? texts.shares.never : texts.shares.until(formatTime(share.expiresAt))} ·{" "}
                {texts.shares.uses(share.uses)}
              </p>
            </div>
            <button
              type="button"
              class="button"
              aria-label={texts.shares.revokeOf(share.label ?? texts.shares.noLabel)}
              onClick={() => void revoke(share)}
            >
              {texts.shares.revoke}
            </button>
          </li>
        ))}
      </ul>
      <div class="form-end">
        <button type="button" class="button" onClick={onClose}>
          {texts.close}
        </button>
      </div>
    </Dialog>
  );
}
