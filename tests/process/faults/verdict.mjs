// What is looked at when all troubles have ended.
import assert from 'node:assert/strict';
import { ask } from './calls.mjs';
import { check, explain } from './checker.mjs';
import { collection, dimension, vectorOf } from './clients.mjs';
import { randomSource } from '../support.mjs';

async function scrollAll(server) {
  const items = [];
  for (let cursor; ;) {
    const page = await ask(server, 'vector_scroll', { collection, limit: 200, cursor });
    items.push(...page.items);
    cursor = page.next_cursor;
    if (cursor === undefined) return items;
  }
}

/// I7 and I8 as far as clients see them: every server lists the same points, each once, and counts
/// as many. The values by key.
export async function sameEverywhere(servers) {
  let first;
  for (const server of servers) {
    const items = await scrollAll(server);
    const values = new Map(items.map(({ id, metadata }) => [id, metadata.value]));
    assert.equal(values.size, items.length, `I8: ${server.label} lists a point twice`);
    const { count } = await ask(server, 'vector_scroll', { collection, count_only: true });
    assert.equal(count, items.length, `I8: ${server.label} counts otherwise than it lists`);
    first ??= values;
    const sorted = (map) => [...map].sort();
    assert.deepEqual(sorted(values), sorted(first), `I7: ${server.label} lists something else`);
  }
  return first;
}

const distance = (a, b) => a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0);

/// I11: the share of the ten nearest that searches without `exact` find, by brute force over
/// `values`; and I3 for vectors: each hit's is that of its value.
export async function recall(servers, values, { seed = 1, queries = 50 } = {}) {
  const { next } = randomSource(seed);
  const stored = [...values].map(([id, value]) => ({ id, vector: vectorOf(value) }));
  const limit = Math.min(10, stored.length);
  let found = 0;
  for (let i = 0; i < queries; ++i) {
    const vector = Array.from({ length: dimension }, () => Math.fround(next() - 0.5));
    const nearest = stored
      .map(({ id, vector: own }) => ({ id, far: distance(own, vector) }))
      .sort((a, b) => a.far - b.far)
      .slice(0, limit);
    const server = servers[i % servers.length];
    const asked = { collection, vector, limit, include_vector: true, consistency: 'linearizable' };
    const { hits } = await ask(server, 'vector_search', asked);
    for (const hit of hits) {
      const own = vectorOf(values.get(hit.id));
      assert.ok(distance(hit.vector, own) < 1e-6, `I3: the vector of ${hit.id} is another`);
    }
    const ids = new Set(hits.map(({ id }) => id));
    found += nearest.filter(({ id }) => ids.has(id)).length;
  }
  return found / (queries * limit);
}

/// Fails with the story of each violation.
export function assertRight(clients, where) {
  const result = check(clients.history);
  const story = `${where}:\n${explain(result, clients.history)}`;
  assert.deepEqual(result.violations.map(({ invariant }) => invariant), [], story);
  assert.deepEqual(result.undecided, [], `${where}: keys that the checker cannot decide`);
  return result;
}

/// All of it, after the last fault has healed: final reads, equal lists, recall, and the history.
export async function allIsRight(t, cluster, clients, where) {
  const { servers } = cluster;
  await clients.readAll(servers);
  const values = await sameEverywhere(servers);
  for (const { key, kind, value, node } of clients.history.slice(-clients.keys.length)) {
    if (kind === 'read') assert.equal(values.get(key) ?? null, value, `${key} through ${node}`);
  }
  const share = values.size > 0 ? await recall(servers, values) : 1;
  assert.ok(share >= 0.99, `I11: recall is ${share}`);
  const { operations } = assertRight(clients, where);
  const { ok, refused, unknown } = clients.counts();
  t.diagnostic(`${where}: ${operations} operations, ${ok} acknowledged, ${refused} refused, ` +
    `${unknown} unknown; ${values.size} points, recall ${share.toFixed(3)}; 0 violations`);
}
