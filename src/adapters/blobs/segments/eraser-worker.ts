import { serveEraser } from "./eraser.ts";

serveEraser(globalThis);
