// What the coordination store says of shards while a test runs: I9 and I10 as far as its records
// show them. Who is primary in a term stays so, terms do not go back, the primary is in sync, and
// who is in sync is a copy.

const encode = (text) => Buffer.from(text).toString('base64');
const decode = (text) => Buffer.from(text, 'base64').toString();

/// Reads the records again and again until stop(), which gives what was wrong.
export class RecordWatch {
  violations = [];
  seen = 0;
  #terms = new Map();
  #primaries = new Map();
  #stopped = false;

  constructor(stores, { everyMs = 200 } = {}) {
    this.stores = stores;
    this.everyMs = everyMs;
    this.done = this.#watch();
  }

  async #watch() {
    while (!this.#stopped) {
      for (const entry of await this.#records()) this.look(entry);
      await new Promise((done) => setTimeout(done, this.everyMs));
    }
  }

  /// Of a store that answers; nothing if none does. An answer that is outdated is left out below.
  async #records() {
    const body = JSON.stringify({ key: encode('/quiver/'), range_end: encode('/quiver0') });
    for (const { direct } of this.stores) {
      try {
        const signal = AbortSignal.timeout(2000);
        const reply = await fetch(`${direct}/v3/kv/range`, { method: 'POST', body, signal });
        const { kvs = [] } = await reply.json();
        return kvs
          .map(({ key, value = '', mod_revision }) =>
            ({ key: decode(key), value: decode(value), revision: Number(mod_revision) }))
          .filter(({ key }) => /\/shards\/[^/]+\/\d+$/.test(key));
      } catch {
        // Another one may.
      }
    }
    return [];
  }

  /// One record at one revision.
  look({ key, value, revision }) {
    const last = this.#terms.get(key);
    // etcd 3.4 may answer with what was, after its process stood still.
    if (last && last.revision >= revision) return;
    const { term, primary, in_sync: inSync, copies } = JSON.parse(value);
    const wrong = (invariant, what) =>
      this.violations.push(`${invariant}: ${key} at revision ${revision}: ${what}: ${value}`);
    if (last && term < last.term) wrong('I9', `its term was ${last.term}`);
    const name = `${key} ${term}`;
    const known = this.#primaries.get(name) ?? primary;
    if (known !== primary) wrong('I9', `in this term ${known} was the primary`);
    if (!inSync.includes(primary)) wrong('I10', 'the primary is not in sync');
    if (inSync.some((copy) => !(copy in copies))) wrong('I10', 'what is in sync is no copy');
    this.#primaries.set(name, known);
    this.#terms.set(key, { term, revision });
    this.seen += 1;
  }

  async stop() {
    this.#stopped = true;
    await this.done;
    return this.violations;
  }
}
