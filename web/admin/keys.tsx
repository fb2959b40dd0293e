import { useSignal } from "@preact/signals";
import type { components } from "../../client/src/index.ts";
import { ConfirmDialog } from "../shared/form-dialog.tsx";
import { formatTime } from "../shared/format.ts";
import { Icon } from "../shared/icons.tsx";
import { isLocal, signIn } from "../shared/session.ts";
import { store } from "../shared/store.ts";
import { showError } from "../shared/toast.tsx";
import { texts } from "../texts-admin.ts";
import { NewKey } from "./new-key.tsx";
import { SecretDialog } from "./secret-dialog.tsx";
import { Section, useLoaded } from "./section.tsx";

type Key = components["schemas"]["Key"];

export function Keys() {
  const loaded = useLoaded(async () => (await store.send("GET", "/v1/keys", { query: { pageSize: 1000 } })).items);
  const isMaking = useSignal(false);
  const secret = useSignal<string | undefined>(undefined);
  const revoked = useSignal<Key | undefined>(undefined);
  return (
    <Section
      title={texts.keys.title}
      loaded={loaded}
      action={
        <button type="button" class="button" onClick={() => (isMaking.value = true)}>
          <Icon name="plus" size={18} />
          {texts.keys.create}
        </button>
      }
    >
      {loaded.data.value?.length === 0 && <p class="muted">{texts.keys.none}</p>}
      <ul class="list" aria-label={texts.keys.title}>
        {loaded.data.value?.map((key) => (
          <li key={key.id} class="share">
            <div>
              <strong dir="auto">{key.name}</strong>{" "}
              {key.id !== key.name && <span class="mono small muted">{key.id}</span>}
              <p class="small muted">{key.grants.map(describeGrant).join("; ")}</p>
              <p class="small muted">{describeLife(key)}</p>
            </div>
            {key.editable && key.revokedAt === null && (
              <button
                type="button"
                class="button"
                aria-label={texts.keys.revokeOf(key.name)}
                onClick={() => (revoked.value = key)}
              >
                {texts.keys.revoke}
              </button>
            )}
          </li>
        ))}
      </ul>
      {isMaking.value && (
        <NewKey
          onClose={() => (isMaking.value = false)}
          onMade={(made) => {
            isMaking.value = false;
            secret.value = made;
            void loaded.load();
          }}
        />
      )}
      {secret.value !== undefined && (
        <SecretDialog
          title={texts.keys.secretTitle}
          text={texts.keys.secretText}
          secret={secret.value}
          onClose={() => (secret.value = undefined)}
        >
          {isLocal.value && (
            <button type="button" class="button" onClick={() => void signIn(secret.value ?? "").catch(showError)}>
              {texts.keys.use}
            </button>
          )}
        </SecretDialog>
      )}
      {revoked.value !== undefined && (
        <ConfirmDialog
          title={texts.keys.revokeTitle(revoked.value.name)}
          text={texts.keys.revokeText}
          action={texts.keys.revoke}
          onClose={() => (revoked.value = undefined)}
          onConfirm={async () => {
            await store.send("DELETE", "/v1/keys/{key}", { path: { key: revoked.value?.id ?? "" } });
            revoked.value = undefined;
            void loaded.load();
          }}
        />
      )}
    </Section>
  );
}

function describeGrant({ rights, albums }: Key["grants"][number]): string {
  if (albums === "*") return texts.keys.onAll(rights.join(", "));
  const named = [...(albums.names ?? []), ...(albums.ids ?? [])];
  return texts.keys.on(rights.join(", "), named.join(", "));
}

function describeLife({ expiresAt, lastUsedAt, revokedAt, editable }: Key): string {
  const parts = [
    revokedAt === null ? undefined : texts.keys.revokedAt(formatTime(revokedAt)),
    editable || revokedAt !== null ? undefined : texts.keys.fixed,
    expiresAt === null ? undefined : texts.keys.expires(formatTime(expiresAt)),
    lastUsedAt === null ? undefined : texts.keys.used(formatTime(lastUsedAt)),
  ];
  return parts.filter((part) => part !== undefined).join(" · ");
}
