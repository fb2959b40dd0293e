/** Gives all who ask the same at the same time one answer. */
export interface SharedAnswers {
  /**
   * An answer that was begun after the call: it has all that was there then. Who comes while one is under way shares the
   * next, so that of one question two are under way or wait at most.
   * @throws what `ask` throws
   */
  share<Answer>(this: void, question: string, ask: () => Promise<Answer>): Promise<Answer>;
}

export function createSharedAnswers(): SharedAnswers {
  const running = new Map<string, Promise<unknown>>();
  const waiting = new Map<string, Promise<unknown>>();

  function start<Answer>(question: string, ask: () => Promise<Answer>): Promise<Answer> {
    // From now on it may lack what comes.
    waiting.delete(question);
    const answer = ask();
    running.set(question, answer);
    const end = () => {
      if (running.get(question) === answer) running.delete(question);
    };
    answer.then(end, end);
    return answer;
  }

  return {
    share(question, ask) {
      const current = running.get(question);
      if (current === undefined) return start(question, ask);
      const next = waiting.get(question) as ReturnType<typeof ask> | undefined;
      if (next !== undefined) return next;
      const begin = () => start(question, ask);
      const following = current.then(begin, begin);
      waiting.set(question, following);
      return following;
    },
  };
}
