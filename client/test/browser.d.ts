/** What the client uses of a browser's XMLHttpRequest. The tests are compiled without the types of the DOM, which contradict Bun's. */
declare class XMLHttpRequest {
  readonly status: number;
  readonly statusText: string;
  readonly responseText: string;
  readonly responseURL: string;
  readonly upload: { addEventListener(type: "progress", listener: (event: { readonly loaded: number }) => void): void };
  addEventListener(type: "loadend", listener: () => void): void;
  open(method: string, url: string): void;
  setRequestHeader(name: string, value: string): void;
  getResponseHeader(name: string): string | null;
  send(body: unknown): void;
  abort(): void;
}
