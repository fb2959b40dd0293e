/** Something that went wrong outside the store, in words for the person. */
export class PlainError extends Error {
  readonly title: string;
  readonly advice: string;
  readonly detail: string | undefined;

  constructor(title: string, advice: string, detail?: string) {
    super(title);
    this.title = title;
    this.advice = advice;
    this.detail = detail;
  }
}
