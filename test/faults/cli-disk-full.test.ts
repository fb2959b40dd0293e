import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { cliOf, treeOf } from "../cli/remote/run-remote.ts";
import { startStore } from "../http/harness.ts";
import { newPng } from "../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { canMakeFaults } from "./requirements.ts";

const IMAGES = 40;

describe.skipIf(!canMakeFaults("mount", "umount"))("a full disk of a client that downloads", () => {
  let home: string;
  let disk: string;
  beforeEach(async () => {
    home = await newFolder("disk-full");
    disk = join(home, "disk");
    await mkdir(disk);
    run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk);
  });
  afterEach(async () => {
    run("umount", disk);
    await removeFolder(home);
  });

  test.each([
    ["get", (): readonly string[] => ["get", "Full", join(disk, "Full")]],
    ["sync", (): readonly string[] => ["sync", "Full", join(disk, "Full")]],
    ["export", (): readonly string[] => ["export", "Full", disk]],
  ])(
    "ends %s with a sentence and without half a file, and a second run completes it once there is space",
    async (_, argv) => {
      await using store = await startStore();
      const photos = join(home, "photos");
      await mkdir(photos);
      // Some are small, which are received at once, and some are large, which are received in pieces.
      for (let number = 0; number < IMAGES; number++)
        await Bun.write(join(photos, `${number}.png`), newPng(number === 0 ? 3_000_000 : 100_000));
      const cli = cliOf(store.url, home);
      expect(await cli("sync", photos, "Full")).toMatchObject({ code: 0 });

      const full = await cli(...argv());
      expect(full).toMatchObject({ code: 1, out: "" });
      expect(full.err).toMatch(/^image-store: .*\/Full\/\d+\.png: the disk is full\n$/);
      const arrived = await treeOf(join(disk, "Full"));
      const whole = await treeOf(photos);
      expect(Object.entries(arrived).filter(([name, digest]) => whole[name] !== digest)).toEqual([]);
      expect(Object.keys(arrived).length).toBeLessThan(IMAGES);

      run("mount", "-o", "remount,size=64m", disk);
      expect(await cli(...argv())).toMatchObject({ code: 0, err: "" });
      expect(await treeOf(join(disk, "Full"))).toEqual(whole);
      expect((await readdir(disk)).toSorted()).toEqual(["Full"]);
    },
  );
});

function run(...argv: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([...argv], { stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`${argv.join(" ")}: ${stderr.toString()}`);
}
