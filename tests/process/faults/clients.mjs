// Clients that read and write single points through any server, and remember what they saw.
import { performance } from 'node:perf_hooks';
import { longMs } from '../cluster_support.mjs';
import { randomSource, until } from '../support.mjs';
import { attempt } from './calls.mjs';

/// Longer than a server waits for one that does not answer.
const patienceMs = 6000;

export const collection = 'pond';
export const dimension = 8;

/// A direction that only this value has, in float32.
export function vectorOf(value) {
  const { next } = randomSource(value * 2_654_435_761);
  return Array.from({ length: dimension }, () => Math.fround(next() - 0.5));
}

/// Beside the value something as long as the value makes it, which shows what is only half there.
export const metadataOf = (key, value) => ({
  value,
  of: key,
  padding: String(value).repeat(1 + (value % 40)),
});
const isWhole = (key, metadata) =>
  JSON.stringify(metadata, Object.keys(metadata).sort()) ===
  JSON.stringify(metadataOf(key, metadata.value), ['of', 'padding', 'value']);

export const point = (key, value) => ({
  collection,
  points: [{ id: key, vector: vectorOf(value), metadata: metadataOf(key, value) }],
});

/// Writes, deletes and reads of some keys, each call through a server of its choice.
export class Clients {
  history = [];
  /// Messages of errors and how often each came, numbers left out.
  problems = new Map();
  #next = 0;
  #running = [];
  #go = false;

  constructor(servers, { seed, keys = 60, writes = 0.5, deletes = 0.1, pauseMs = 0 }) {
    this.servers = [...servers];
    this.seed = seed;
    this.keys = Array.from({ length: keys }, (_, i) => `key-${i}`);
    Object.assign(this, { writes, deletes, pauseMs });
  }

  /// `count` more of them; `only` reads or writes if it says so.
  start(count, only) {
    this.#go = true;
    for (let i = 0; i < count; ++i) {
      const random = randomSource(this.seed + 7919 * (this.#running.length + 1));
      this.#running.push(this.#work(random, only));
    }
  }

  async #work(random, only) {
    while (this.#go) {
      const server = this.servers[random.below(this.servers.length)];
      const key = this.keys[random.below(this.keys.length)];
      const share = only === 'reads' ? 1 : random.next() * (only === 'writes' ? 0.6 : 1);
      if (share < this.deletes) await this.delete(server, key);
      else if (share < this.deletes + this.writes) await this.write(server, key);
      else await this.read(server, key);
      if (this.pauseMs > 0) await new Promise((done) => setTimeout(done, this.pauseMs));
    }
  }

  /// Lets those under way end.
  async stop() {
    this.#go = false;
    await Promise.all(this.#running);
    this.#running = [];
  }

  #note(kind, key, value, server, call, more) {
    const { outcome, start, end, code, message } = call;
    if (outcome !== 'ok') {
      const text = `${code}: ${message}`.replace(/[0-9a-f]{32}|\d+/g, '#').slice(0, 160);
      this.problems.set(text, (this.problems.get(text) ?? 0) + 1);
    }
    const node = server.label;
    this.history.push({ key, kind, value, outcome, start, end, node, code, ...more });
    return call;
  }

  async write(server, key) {
    const value = ++this.#next;
    const call = await attempt(server, 'vector_upsert', point(key, value), patienceMs);
    return this.#note('write', key, value, server, call);
  }

  async delete(server, key) {
    const call = await attempt(server, 'memory_delete', { collection, ids: [key] }, patienceMs);
    return this.#note('delete', key, null, server, call);
  }

  async read(server, key) {
    const call = await attempt(server, 'memory_get', { collection, ids: [key] }, patienceMs);
    const found = call.value?.items?.[0];
    const whole = !found || isWhole(key, found.metadata ?? {});
    return this.#note('read', key, found?.metadata?.value ?? null, server, call, { whole });
  }

  /// The number of operations with each outcome since `since`.
  counts(since = 0) {
    const counts = { ok: 0, refused: 0, unknown: 0 };
    for (const { outcome, end } of this.history) if (end >= since) counts[outcome] += 1;
    return counts;
  }

  /// Waits until as many more operations of a kind have been acknowledged.
  async more(count, { kind, ms = longMs } = {}) {
    const since = performance.now();
    let from = this.history.length;
    let seen = 0;
    await until(() => {
      for (; from < this.history.length; ++from) {
        const one = this.history[from];
        if (one.outcome === 'ok' && one.start >= since && (!kind || one.kind === kind)) seen += 1;
      }
      return seen >= count;
    }, `${count} more operations are acknowledged`, ms);
  }

  /// Reads every key through every server, until each has answered: the last word on all of them.
  async readAll(servers = this.servers) {
    for (const key of this.keys) {
      for (const server of servers) {
        await until(async () => (await this.read(server, key)).outcome === 'ok',
          `${key} is read through ${server.label}`, longMs);
      }
    }
  }
}
