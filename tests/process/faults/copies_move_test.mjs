// Copies that move to another server while one of those that take part is killed, or the operation
// is cancelled. The network of the primary is made so slow that it lasts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { longMs } from '../cluster_support.mjs';
import { until } from '../support.mjs';
import { counted, slowKbit, stones } from './ballast.mjs';
import { ask, attempt } from './calls.mjs';
import { Clients, collection } from './clients.mjs';
import { allUp, leaderOf, operationEnded, wholeAgain } from './fault_cluster.mjs';
import { everything, pond, seed, timeout } from './scenario.mjs';
import { allIsRight } from './verdict.mjs';

/// Who holds shard 0 of `name`: {primary, copy, free}, servers.
async function roles({ servers }, name) {
  const args = { collection: name };
  const [shard] = (await ask(servers[0], 'cluster_get_shard_distribution', args)).shards;
  const holders = shard.copies.map(({ node }) => node);
  const primary = servers.find(({ label }) => label === leaderOf(shard));
  const copy = servers.find((one) => one !== primary && holders.includes(one.label));
  const free = servers.find(({ label }) => !holders.includes(label));
  return { primary, copy, free };
}

/// Begins to move the primary or the other copy of shard 0 of `stones` to the server without one.
async function begin(cluster, which) {
  const who = await roles(cluster, 'stones');
  cluster.network.rate(who.primary.host, slowKbit);
  const args = { collection: 'stones', shard: 0, from: who[which].label, to: who.free.label };
  const { operation_id: id } = await ask(who.free, 'cluster_move_shard', args);
  return { id, ...who };
}

/// The operation has ended, all copies are in sync, and all of the ballast is there.
async function assertWhole(cluster, id) {
  await allUp(cluster.servers);
  const report = await operationEnded(cluster.servers[0], id);
  await wholeAgain(cluster, { ms: 3 * longMs });
  for (const server of cluster.servers) {
    const { count } = await ask(server, 'vector_scroll', counted);
    assert.equal(count, cluster.ballast.length, `I8 through ${server.label}`);
  }
  return report.state;
}

test('one that takes part in a move is killed', { timeout, skip: everything }, async (t) => {
  const cluster = await stones(t, { copies: 2 });
  const clients = new Clients(cluster.servers, { seed, pauseMs: 5 });
  clients.start(3);
  for (const [which, dies] of [
    ['copy', 'copy'], ['copy', 'free'], ['copy', 'primary'], ['primary', 'free'],
    ['primary', 'primary'], ['primary', 'copy'],
  ]) {
    const move = await begin(cluster, which);
    await clients.more(20);
    await move[dies].program.destroy();
    cluster.network.heal();
    move[dies].start();
    await until(() => move[dies].isReady(), `${move[dies].label} is ready`, longMs);
    const state = await assertWhole(cluster, move.id);
    t.diagnostic(`the ${which} moves, ${dies} is killed: ${state}`);
  }
  await clients.stop();
  await allIsRight(t, cluster, clients, `seed ${seed}`);
});

test('a move is cancelled', { timeout, skip: everything }, async (t) => {
  const cluster = await stones(t, { copies: 2 });
  for (const which of ['copy', 'primary']) {
    const move = await begin(cluster, which);
    const args = { operation_id: move.id };
    const answer = await attempt(move.primary, 'cluster_cancel_operation', args);
    if (answer.outcome !== 'ok') assert.equal(answer.code, 'failed_precondition', answer.message);
    cluster.network.heal();
    t.diagnostic(`the ${which} moves, cancelled: ${await assertWhole(cluster, move.id)}`);
  }
});

test('every copy moves under load', { timeout, skip: everything }, async (t) => {
  const cluster = await pond(t, { copies: 2, shards: 3 });
  const { servers } = cluster;
  const clients = new Clients(servers, { seed: seed + 1, pauseMs: 2 });
  clients.start(4);
  await clients.more(100);
  let moves = 0;
  for (let round = 0; round < 2; ++round) {
    for (let shard = 0; shard < cluster.shards; ++shard) {
      const args = { collection };
      const { shards } = await ask(servers[0], 'cluster_get_shard_distribution', args);
      const holders = shards[shard].copies.map(({ node }) => node);
      const from = round === 0 ? leaderOf(shards[shard])
        : holders.find((one) => one !== leaderOf(shards[shard]));
      const to = servers.find(({ label }) => !holders.includes(label)).label;
      const move = { collection, shard, from, to };
      const { operation_id: id } = await ask(servers[1], 'cluster_move_shard', move);
      const report = await operationEnded(servers[1], id);
      assert.equal(report.state, 'done', JSON.stringify(report));
      moves += 1;
    }
  }
  await wholeAgain(cluster);
  await clients.stop();
  for (const [text, n] of clients.problems) t.diagnostic(`${n} times ${text}`);
  t.diagnostic(`${moves} moves beside ${clients.counts().ok} operations`);
  await allIsRight(t, cluster, clients, `seed ${seed + 1}`);
});
