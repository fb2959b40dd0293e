import { PREFIX, SETTINGS, type Setting } from "../config/settings.ts";

const INTRODUCTION = `Image Store: albums and images behind a REST API, with an event for every change.

image-store [serve]                     serve the store
image-store check [--repair]            verify that records and bytes agree: exit 0, or 1 and what is wrong; --repair heals
                                        what has sound bytes anywhere, and copies what can't be trusted to quarantine
image-store backup DIR [--verify]       copy the store, also a running one, into a folder that may hold an earlier backup
                                        of it; --verify reads what is there already, too
image-store restore DIR [--partial]     make a store of a backup, in an empty data folder; --partial also where the backup
                                        is damaged
image-store epoch [--renew]             print the epoch of the log; --renew begins a new one, before a node starts on a catalog
                                        that was brought back to an earlier point
image-store key NAME --rights read,write
                                        make an API key; rights are of read, write, transform, admin
image-store openapi                     print the API's description
image-store help, --help, -h            print this
image-store version, --version, -v      print the version

Sizes: 1048576, 256KiB, 100MiB, 1GiB. Times: 500ms, 30s, 15m, 1h, 30d.
Exit codes: 0 done, 1 failed or found something, 2 usage or configuration, 70 the catalog failed beyond repair.

`;

export function helpText(): string {
  const rows = Object.entries<Setting<unknown>>(SETTINGS).map(([name, setting]) => {
    const flag = setting.flag === undefined ? "" : `, --${setting.flag}`;
    const fallback = setting.default || setting.defaultHelp;
    return `${PREFIX}${name}${flag}\n    ${setting.help}${fallback === undefined ? "" : ` [${fallback}]`}\n`;
  });
  return INTRODUCTION + rows.join("");
}
