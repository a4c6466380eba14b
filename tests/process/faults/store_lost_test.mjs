// A majority of etcd loses its data, and the map comes back as docs/deployment/operations.md says.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { longMs } from '../cluster_support.mjs';
import { tempDir, until } from '../support.mjs';
import { leader } from '../shard_records.mjs';
import { Clients } from './clients.mjs';
import { allUp, idsOf, recordsOf, wholeAgain } from './fault_cluster.mjs';
import { everything, pond, seed, takesWrites, timeout } from './scenario.mjs';
import { allIsRight } from './verdict.mjs';

const etcdctl = process.env.ETCDCTL ?? 'etcdctl';
const missing = spawnSync(etcdctl, ['version']).status !== 0 && 'needs etcdctl (etcd-client)';

/// The arguments of `snapshot restore` for one of `stores`.
function restoreArguments(network, stores, member, file, more) {
  const at = (one) => `http://${network.address(one.host)}:${one.peer}`;
  const all = stores.map((one) => `${one.name}=${at(one)}`);
  return [
    ...['snapshot', 'restore', file, '--name', member.name, '--data-dir', member.directory],
    ...['--initial-cluster', all.join(','), '--initial-advertise-peer-urls', at(member), ...more],
  ];
}

function control(args) {
  const env = { ...process.env, ETCDCTL_API: '3' };
  const done = spawnSync(etcdctl, args, { env, encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
}

function restore(cluster, file, more = []) {
  const { network, stores } = cluster;
  for (const member of stores) {
    rmSync(member.directory, { recursive: true, force: true });
    control(restoreArguments(network, stores, member, file, more));
  }
}

/// In order, so that all that its log has is in its database.
async function end(program) {
  program.kill('SIGTERM');
  await program.exit();
}

/// What a server says of its map once it has seen that the store is older; it keeps waiting.
async function refusedRevision(server) {
  const said = /store is older than .* is of revision (\d+): shard pond\/\d+ is at epoch/;
  await until(() => said.test(server.program.stderr), `${server.label} refuses the store`, longMs);
  assert.ok(!(await server.isReady()), `${server.label} is not ready`);
  return Number(said.exec(server.program.stderr)[1]);
}

test('two of three etcds lose their data, the third one has the map',
  { timeout, skip: everything || missing }, async (t) => {
    const cluster = await pond(t, { stores: 3, copies: 2 });
    const { servers, stores } = cluster;
    const clients = new Clients(servers, { seed });
    clients.start(4);
    await clients.more(200);
    await clients.stop();
    const before = await recordsOf(cluster);
    for (const { program } of servers) await program.destroy();
    const [lost, , left] = stores;
    await lost.program.destroy();
    for (const { program } of stores.slice(1)) await end(program);
    const kept = join(tempDir(), 'map.db');
    copyFileSync(join(left.directory, 'member', 'snap', 'db'), kept);
    for (const member of stores) renameSync(member.directory, `${member.directory}.lost`);

    restore(cluster, kept, ['--skip-hash-check']);
    for (const store of stores) store.start();
    for (const server of servers) server.start();
    for (const server of servers) {
      await until(() => server.isReady(), `${server.label} is ready`, longMs);
    }
    await allUp(servers);
    const after = await wholeAgain(cluster);
    assert.deepEqual(
      after.map(({ copies }) => Object.keys(copies)).sort(),
      before.map(({ copies }) => Object.keys(copies)).sort(),
      'the same copies hold the shards',
    );
    clients.start(4);
    await clients.more(200);
    await clients.stop();
    await allIsRight(t, cluster, clients, `seed ${seed}`);
  });

test('all etcds lose their data, the snapshot is older than who leads',
  { timeout, skip: everything || missing }, async (t) => {
    const cluster = await pond(t, { stores: 3, copies: 2 });
    const { servers, stores } = cluster;
    const [a, b, c] = servers;
    const ids = await idsOf(b);
    const clients = new Clients(servers, { seed: seed + 1 });
    clients.start(4);
    await clients.more(200);
    await clients.stop();
    const old = join(tempDir(), 'old.db');
    control(['--endpoints', stores[0].direct, 'snapshot', 'save', old]);
    assert.ok((await recordsOf(cluster)).some((one) => leader(one) === ids.get(a.label)),
      `${a.label} leads a shard by the snapshot`);

    // Others lead its shards, and go on without it.
    await a.program.destroy();
    clients.servers = [b, c];
    await takesWrites(clients, [b, c]);
    for (const { program } of [b, c]) await program.destroy();
    for (const { program } of stores) await program.destroy();
    for (const member of stores) renameSync(member.directory, `${member.directory}.lost`);

    restore(cluster, old);
    for (const store of stores) store.start();
    for (const server of [b, c]) server.start();
    const revisions = [await refusedRevision(b), await refusedRevision(c)];
    for (const server of [b, c]) await end(server.program);
    const newest = revisions[0] >= revisions[1] ? b : c;
    const other = newest === b ? c : b;
    newest.start('--restore-map');
    await until(() => newest.isReady(), `${newest.label} is ready`, longMs);
    assert.match(newest.program.stderr, /map_restored/);
    for (const server of [other, a]) server.start();
    await until(() => other.isReady(), `${other.label} is ready`, longMs);
    await until(() => a.isReady(), `${a.label} is ready`, longMs);
    await allUp(servers);
    await wholeAgain(cluster);
    clients.servers = servers;
    clients.start(4);
    await clients.more(200);
    await clients.stop();
    await allIsRight(t, cluster, clients, `seed ${seed + 1}`);
  });
