import { finishDeletions } from "./album/deletions.ts";
import { Icon, type IconName } from "./shared/icons.tsx";
import { Menu } from "./shared/menu.tsx";
import { navigate, route, urlOf } from "./shared/router.ts";
import { isGuest, isLocal, may, me, signOut } from "./shared/session.ts";
import { showError } from "./shared/toast.tsx";
import { texts } from "./texts.ts";

interface Tab {
  readonly url: string;
  readonly text: string;
  readonly icon: IconName;
  readonly isCurrent: boolean;
}

/** Only what the caller may use. */
function tabs(): readonly Tab[] {
  const { view } = route.value;
  const shown: Tab[] = [
    {
      url: urlOf.albums(),
      text: texts.nav.albums,
      icon: "albums",
      isCurrent: view === "albums" || view === "album",
    },
  ];
  if (may("events"))
    shown.push({ url: urlOf.events(), text: texts.nav.events, icon: "events", isCurrent: view === "events" });
  if (may("admin"))
    shown.push({ url: urlOf.admin(), text: texts.nav.admin, icon: "admin", isCurrent: view === "admin" });
  return shown;
}

export const Tabs = () => (
  <nav class="tabs" aria-label={texts.nav.label}>
    {tabs().map(({ url, text, icon, isCurrent }) => (
      <a key={url} href={url} data-view aria-current={isCurrent ? "page" : undefined}>
        <Icon name={icon} size={18} />
        {text}
      </a>
    ))}
  </nav>
);

export function Account() {
  if (isLocal.value || me.value === undefined || route.value.view === "sign-in") return null;
  if (isGuest.value)
    return (
      <a class="button" href={urlOf.signIn()} data-view>
        {texts.signIn.open}
      </a>
    );
  return (
    <>
      <bdi class="who">{me.value.caller.name ?? me.value.caller.kind}</bdi>
      <Menu
        label={texts.signIn.account}
        icon="person"
        items={[
          {
            text: texts.signIn.out,
            icon: "close",
            onSelect: () => void leaveStore(),
          },
        ]}
      />
    </>
  );
}

async function leaveStore(): Promise<void> {
  try {
    await finishDeletions();
    await signOut();
    navigate(urlOf.albums());
  } catch (error) {
    showError(error);
  }
}
