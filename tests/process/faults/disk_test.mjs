// Disks of servers of a cluster that become full, fail, or lose their power.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { longMs } from '../cluster_support.mjs';
import { sanitized, until } from '../support.mjs';
import { ask, attempt } from './calls.mjs';
import { Clients, collection } from './clients.mjs';
import { losableDisk, mounts, smallDisk } from './disks.mjs';
import { allUp } from './fault_cluster.mjs';
import { everything, pond, seed, timeout } from './scenario.mjs';
import { allIsRight } from './verdict.mjs';

test('the disk of one server is full', { timeout, skip: mounts.tmpfs || everything }, async (t) => {
  const disk = await smallDisk(t, 192);
  const cluster = await pond(t, { disks: { 'server-2': disk } });
  const { servers: [a, b, c] } = cluster;
  const clients = new Clients(cluster.servers, { seed });
  clients.start(4);
  await clients.more(100);
  disk.fill();
  await until(() => [...clients.problems.keys()].some((text) => /space|disk|full/i.test(text)),
    'writes are refused for want of room', longMs);
  // The others take writes, and all that is there is read, through the full one too.
  await clients.more(100, { kind: 'write' });
  for (const key of clients.keys) assert.equal((await clients.read(b, key)).outcome, 'ok');
  for (const { program } of [a, b, c]) assert.ok(program.running);
  disk.free();
  // Each shard goes on by itself.
  for (const key of clients.keys) {
    await until(async () => (await clients.write(c, key)).outcome === 'ok',
      `${key} is written again`, longMs);
  }
  await clients.stop();
  await allIsRight(t, cluster, clients, `seed ${seed}`);
});

test('all servers lose their power', { timeout, skip: mounts.image || everything }, async (t) => {
  const disks = {};
  for (const name of ['server-1', 'server-2', 'server-3']) disks[name] = await losableDisk(t, 192);
  const cluster = await pond(t, { disks });
  const clients = new Clients(cluster.servers, { seed: seed + 1 });
  clients.start(6);
  await clients.more(400);
  // What nobody has synced is lost with the power, or this test would show nothing.
  for (const { disk } of cluster.servers) {
    assert.ok(disk.run('sh', '-c', `echo unsynced > ${disk.directory}/unsynced`).ok);
  }
  // While nothing runs its image does not change under the copy: it is what was on the disk then.
  for (const { program } of cluster.servers) program.pause();
  const images = cluster.servers.map(({ disk }) => disk.copy());
  for (const { program } of cluster.servers) await program.destroy();
  await clients.stop();

  for (const [i, server] of cluster.servers.entries()) {
    server.disk = await server.disk.after(images[i]);
    const { ok } = server.disk.run('test', '-s', `${server.disk.directory}/unsynced`);
    assert.ok(!ok, 'the copy has what was never synced');
    server.start();
  }
  for (const server of cluster.servers) {
    await until(() => server.isReady(), `${server.label} is ready`, longMs);
  }
  await allUp(cluster.servers);
  clients.start(4);
  await clients.more(100);
  await clients.stop();
  await allIsRight(t, cluster, clients, `seed ${seed + 1}`);
});

const fiu = {
  run: '/usr/lib/fiu/fiu_run_preload.so',
  posix: '/usr/lib/fiu/fiu_posix_preload.so',
};
const noFiu = !existsSync(fiu.posix) ? 'libfiu is not installed (scripts/setup test)'
  : sanitized ? 'sanitizers and libfiu both want to be first' : '';

test('syncs of one server fail', { timeout, skip: noFiu || everything }, async (t) => {
  const cluster = await pond(t);
  const { servers: [a, b] } = cluster;
  const clients = new Clients(cluster.servers, { seed: seed + 2 });
  clients.start(4);
  await clients.more(200);
  await b.program.destroy();
  const healthy = b.start;
  const failing = await cluster.makeServer(b.host, {
    preload: {
      LD_PRELOAD: `${fiu.run}:${fiu.posix}`,
      FIU_ENABLE: ['posix/io/sync/fsync', 'posix/io/sync/fdatasync']
        .map((name) => `enable_random name=${name},probability=0.02\n`).join(''),
    },
  });
  Object.assign(failing, { home: b.home, settings: b.settings });
  failing.settings.data_dir = join(b.home, 'data');
  failing.url = b.url;
  failing.mcp_url = b.mcp_url;
  failing.start();
  // Sooner or later a sync fails: the shard refuses writes from then on, or the server does not
  // even begin; what was acknowledged is there.
  await until(() => !failing.program.running ||
    [...clients.problems.keys()].some((text) => /sync|input\/output|I\/O/i.test(text)),
  'a failed sync is told', longMs);
  for (const [text, n] of clients.problems) t.diagnostic(`${n} times ${text}`);
  await failing.program.destroy();
  healthy();
  await until(() => b.isReady(), `${b.label} is ready`, longMs);
  await allUp(cluster.servers);
  await clients.more(50, { kind: 'write' });
  await clients.stop();
  assert.equal((await attempt(a, 'collection_list')).outcome, 'ok');
  await ask(b, 'vector_scroll', { collection, count_only: true });
  await allIsRight(t, cluster, clients, `seed ${seed + 2}`);
});
