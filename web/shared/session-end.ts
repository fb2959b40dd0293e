import { computed } from "@preact/signals";
import { route } from "./router.ts";
import { sessionEnded } from "./store.ts";

/** Whether a line above the view says that the session has ended. Where the person signs in there is none. */
export const isEndSaid = computed(() => sessionEnded.value && route.value.view !== "sign-in");
