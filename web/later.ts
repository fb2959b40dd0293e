/**
 * What the first view does not need, in one file: each further one would make the bundler split what both use into files of its own,
 * which browsers would all load at first.
 */
export { AdminView } from "./admin/admin-view.tsx";
export { zipImages } from "./album/zip-images.ts";
export { EventsView } from "./events/events-view.tsx";
export { Lightbox } from "./lightbox/lightbox.tsx";
export { ShareDialog } from "./shares/share-dialog.tsx";
export { receive } from "./upload/receive.ts";
export { UploadPanel } from "./upload/upload-panel.tsx";
