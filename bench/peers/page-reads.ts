/** Reads random pages of a file in this thread until the time is over, and prints how many. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const [path = "", seconds = "1"] = process.argv.slice(2);
const PAGE_BYTES = 4096;
const page = Buffer.alloc(PAGE_BYTES);
const file = openSync(path, "r");
const pages = Math.floor(fstatSync(file).size / PAGE_BYTES);
const end = performance.now() + Number(seconds) * 1000;
let read = 0;
for (; performance.now() < end; read++)
  readSync(file, page, 0, PAGE_BYTES, Math.floor(Math.random() * pages) * PAGE_BYTES);
closeSync(file);
console.log(read);
