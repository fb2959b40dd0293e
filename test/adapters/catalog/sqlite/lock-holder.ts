/** Takes a folder's lock and keeps it until it is killed. */
import { lockFolder } from "../../../../src/adapters/catalog/sqlite/lock.ts";

const lock = lockFolder(process.argv[2] as string);
console.log("locked");
setInterval(() => lock, 1000);
