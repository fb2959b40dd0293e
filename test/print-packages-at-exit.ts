/** For `bun --preload`: at its end, a process writes the packages that it has loaded to `LOADED_PACKAGES`, as JSON. */
import { writeFileSync } from "node:fs";
import { loadedPackages } from "./loaded-packages.ts";

process.on("exit", () => writeFileSync(process.env["LOADED_PACKAGES"] ?? "", JSON.stringify(loadedPackages())));
