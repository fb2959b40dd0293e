import type { Page } from "playwright-core";

export type Colours = "light" | "dark";

/** Shows the page in these colours, once none of them is on its way from what it was. */
export async function setColours(page: Page, colours: Colours): Promise<void> {
  await page.emulateMedia({ colorScheme: colours });
  await page.evaluate(
    `Promise.allSettled(document.getAnimations().flatMap((one) => one instanceof CSSTransition ? [one.finished] : []))`,
  );
}
