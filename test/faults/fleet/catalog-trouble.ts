import { Client } from "pg";

/** Of those that the store takes for a moment's trouble, and answers with 503. */
const ROLLBACK_CODE = "57P05";

/** In SQL, by what the test installs in the database: the store's own code is as it always is. */
export async function withCatalog<Result>(url: string, work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/**
 * Each transaction that appends an event sleeps for a random time after it has drawn the event's number and before it
 * commits, so that they commit in another order than they began in, and some are rolled back then.
 */
export const makeTransactionsSlow = (
  url: string,
  { milliseconds, rollbacks }: { milliseconds: number; rollbacks: number },
) =>
  withCatalog(url, (client) =>
    client.query(`
      create function test_stall() returns trigger language plpgsql as $$
      begin
        perform pg_sleep(random() * ${milliseconds / 1000});
        if tg_argv[0] = 'commit' and random() < ${rollbacks} then
          raise exception 'rolled back by a test' using errcode = '${ROLLBACK_CODE}';
        end if;
        return new;
      end $$;
      create trigger test_stall_at_insert before insert on events
        for each row execute function test_stall('insert');
      create constraint trigger test_stall_at_commit after insert on events deferrable initially deferred
        for each row execute function test_stall('commit');
    `),
  );

/**
 * As if events had a serial column: numbers are drawn at the insert, and the head is the highest that can be seen. The
 * store's own numbering has nothing left to do.
 */
export async function numberEventsAtInsert(url: string): Promise<AsyncDisposable> {
  await withCatalog(url, (client) =>
    client.query(`
      create sequence test_serial;
      select setval('test_serial', (select head from log_state) + 1000);
      create function test_number() returns trigger language plpgsql as $$
      begin
        new.seq := nextval('test_serial');
        return new;
      end $$;
      create trigger test_number before insert on events for each row execute function test_number();
    `),
  );
  const client = new Client({ connectionString: url });
  await client.connect();
  const stopping = new AbortController();
  const follow = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await client.query("update log_state set head = greatest(head, (select max(seq) from events))");
      await Bun.sleep(10);
    }
  };
  const following = follow();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await following;
      await client.end();
    },
  };
}

/** A transaction that somebody forgot, in another database of the same server: it holds back every horizon of xmin. */
export async function holdTransactionOpen(url: string): Promise<AsyncDisposable> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query("begin isolation level repeatable read");
  await client.query("create table test_forgotten (id integer)");
  return { [Symbol.asyncDispose]: () => client.end() };
}

/** Resolves when each event that is committed has its number; call it with nobody writing. */
export const awaitNumbers = (url: string): Promise<void> =>
  withCatalog(url, async (client) => {
    for (;;) {
      const { rowCount } = await client.query("select 1 from events where seq is null limit 1");
      if (rowCount === 0) return;
      await Bun.sleep(20);
    }
  });
