import { serveEraser } from "./eraser-thread.ts";

serveEraser(globalThis);
