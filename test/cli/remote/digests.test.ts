import { expect, test } from "bun:test";
import { openStamped } from "../../../src/cli/remote/digests.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";

test("digests are written 5,000 at a time and when a run ends, in any order of the names, for later runs", async () => {
  const home = await newFolder("digests");
  try {
    const names = Array.from({ length: 6000 }, (_, index) => `${(index * 7919) % 6000}.png`);
    const found = async (folder = "/photos") => {
      using digests = await openStamped({ HOME: home }, folder);
      return names.filter((name) => digests.find(name, `stamp of ${name}`) === `digest of ${name}`).length;
    };
    {
      using digests = await openStamped({ HOME: home }, "/photos");
      for (const name of names) digests.keep(name, `stamp of ${name}`, `digest of ${name}`);
      expect(await found()).toBe(5000);
    }
    expect(await found()).toBe(6000);
    expect(await found("/others")).toBe(0);
    using digests = await openStamped({ HOME: home }, "/photos");
    expect(digests.find("7.png", "another stamp")).toBe(undefined);
  } finally {
    await removeFolder(home);
  }
});
