// A majority of etcd loses its data, and the map comes back as docs/deployment/operations.md says.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { longMs } from '../cluster_support.mjs';
import { tempDir, until } from '../support.mjs';
import { Clients } from './clients.mjs';
import { allUp, recordsOf, wholeAgain } from './fault_cluster.mjs';
import { everything, pond, seed, timeout } from './scenario.mjs';
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

function restore(cluster, file, more) {
  const { network, stores } = cluster;
  for (const member of stores) {
    rmSync(member.directory, { recursive: true, force: true });
    const args = restoreArguments(network, stores, member, file, more);
    const env = { ...process.env, ETCDCTL_API: '3' };
    const done = spawnSync(etcdctl, args, { env, encoding: 'utf8' });
    assert.equal(done.status, 0, done.stderr);
  }
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
    // In order, so that all that its log has is in its database.
    for (const { program } of stores.slice(1)) {
      program.kill('SIGTERM');
      await program.exit();
    }
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
