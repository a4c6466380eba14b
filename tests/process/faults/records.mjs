// What the coordination store says of shards while a test runs: I9 and I10 as far as its records
// show them. Who is primary in a term stays so, terms do not go back, the primary is in sync, and
// who is in sync is a copy.
import { shardRecords } from '../shard_records.mjs';

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
    for (const { direct } of this.stores) {
      try {
        return await shardRecords(direct);
      } catch {
        // Another one may.
      }
    }
    return [];
  }

  /// One record at one revision.
  look({ key, revision, term, primary, in_sync: inSync, copies }) {
    const last = this.#terms.get(key);
    // etcd 3.4 may answer with what was, after its process stood still.
    if (last && last.revision >= revision) return;
    const value = JSON.stringify({ term, primary, in_sync: inSync, copies });
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
