// One write that is sent more than once, by whichever server and whatever happened in between.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { longMs } from '../cluster_support.mjs';
import { until } from '../support.mjs';
import { ask, restWrite } from './calls.mjs';
import { collection, point } from './clients.mjs';
import { allUp, operationEnded, placement } from './fault_cluster.mjs';
import { pond, timeout } from './scenario.mjs';

const path = `/collections/${collection}/points`;
/// The collection is named by the path.
const body = (key, value) => ({ points: point(key, value).points });

async function valueOf(server, key) {
  const { items } = await ask(server, 'memory_get', { collection, ids: [key] });
  return items?.[0]?.metadata.value ?? null;
}

/// Sends a write under its key until it is acknowledged.
const write = (server, { id, value, key }) =>
  until(async () => (await restWrite(server, path, body(id, value), key)).status === 200,
    `${id} is written through ${server.label}`, longMs);

test('a write that is repeated takes effect once', { timeout }, async (t) => {
  const cluster = await pond(t);
  const { network, servers: [a, b, c] } = cluster;
  const writes = Array.from({ length: 12 }, (_, i) =>
    ({ id: `once-${i}`, value: i + 1, key: randomUUID() }));

  // The answers of b are lost: whoever asked a does not know whether b has written.
  network.cut(b.host, a.host);
  const first = await Promise.all(
    writes.map(({ id, value, key }) => restWrite(a, path, body(id, value), key)));
  const unanswered = first.filter(({ status }) => status !== 200).length;
  network.heal();
  await allUp(cluster.servers);
  for (const one of writes) await write(c, one);
  for (const { id, value } of writes) assert.equal(await valueOf(b, id), value);

  // Somebody writes something newer: the old write comes again, by another server, and is no news.
  for (const { id, value } of writes) {
    await write(b, { id, value: value + 1000, key: randomUUID() });
  }
  const again = async (server) => {
    for (const one of writes) await write(server, one);
    for (const { id, value } of writes) {
      for (const asked of cluster.servers) assert.equal(await valueOf(asked, id), value + 1000, id);
    }
  };
  for (const server of cluster.servers) await again(server);

  // Nor behind a crash of all who may remember it, nor where its shard has moved to.
  for (const server of cluster.servers) await server.program.destroy();
  for (const server of cluster.servers) server.start();
  for (const server of cluster.servers) {
    await until(() => server.isReady(), `${server.label} is ready`, longMs);
  }
  await allUp(cluster.servers);
  await again(b);
  const owners = await placement(cluster.servers, collection);
  for (const [shard, owner] of owners.entries()) {
    const to = owner === a.label ? c.label : a.label;
    const { operation_id: id } = await ask(b, 'cluster_move_shard', { collection, shard, to });
    assert.equal((await operationEnded(b, id)).state, 'done');
  }
  await again(c);

  // What was deleted since stays so.
  const ids = writes.map(({ id }) => id);
  await ask(a, 'memory_delete', { collection, ids });
  for (const one of writes) await write(b, one);
  const { count } = await ask(c, 'vector_scroll', { collection, count_only: true });
  assert.equal(count, 0);
  t.diagnostic(`${writes.length} writes, ${unanswered} of them without an answer at first`);
});
