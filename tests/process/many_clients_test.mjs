// One memory, many clients: three SDK clients, each with a `quiver mcp` of its own, on one data
// directory. The process that owns the directory is killed in the middle.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from '../clients/connect.mjs';
import {
  environment,
  packed,
  quiver,
  randomSource,
  startHttp,
  startServer,
  tempDir,
  until,
} from './support.mjs';

const writes = 1000;
const texts = 40;
const dimension = 384;

/// The calls of one client: texts spread among vectors, every id its own.
function* calls(name) {
  const random = randomSource(name.charCodeAt(0));
  for (let i = 0; i < writes; ++i) {
    const id = `${name}${i}`;
    if (i % (writes / texts) === 0) {
      yield [
        'memory_store',
        { collection: 'shared', items: [{ id, text: `Remark ${id}.` }] },
        'stored',
      ];
    } else {
      const vector = packed(Array.from({ length: dimension }, () => random.next() - 0.5));
      yield ['vector_upsert', { collection: 'shared', points: [{ id, vector }] }, 'upserted'];
    }
  }
}

/// A desktop client: starts its server anew if it dies, and repeats what was not answered.
class Desktop {
  constructor(kind, where) {
    this.kind = kind;
    this.where = where;
    this.done = 0;
    this.restarts = 0;
  }
  async open() {
    this.session = await connect(this.kind, this.where);
  }
  get pid() {
    return this.session.pid;
  }

  async write(name) {
    const queue = calls(name);
    const worker = async () => {
      for (const [tool, args, counter] of queue) {
        const result = await this.#call(tool, args);
        assert.equal(result[counter], 1);
        ++this.done;
      }
    };
    await Promise.all(Array.from({ length: 4 }, worker));
  }

  /// Only the client whose own server was killed may see a call fail, and only for that reason.
  async #call(tool, args) {
    const { session } = this;
    try {
      return await session.get(tool, args);
    } catch (error) {
      if (!this.killed) throw error;
      if (session === this.session && !this.reopening) {
        ++this.restarts;
        this.reopening = this.open().finally(() => {
          this.reopening = undefined;
        });
      }
      await this.reopening;
      return this.#call(tool, args);
    }
  }
}

async function everyIdOnce(t, env, names) {
  const reader = startServer(t, env);
  const ids = [];
  let cursor;
  do {
    const page = await reader.ok('vector_scroll', {
      collection: 'shared',
      limit: 200,
      ...(cursor && { cursor }),
    });
    ids.push(...page.items.map((item) => item.id));
    cursor = page.next_cursor;
  } while (cursor);
  const expected = names.flatMap((name) => Array.from({ length: writes }, (_, i) => `${name}${i}`));
  assert.deepEqual(ids.sort(), expected.sort());
  assert.equal(await reader.count('shared'), expected.length);
  for (const name of names) {
    const { hits } = await reader.ok('memory_search', {
      collection: 'shared',
      query: `Remark ${name}0.`,
    });
    assert.equal(hits[0].id, `${name}0`);
  }
}

test('three clients, 1,000 writes each, the owner killed in the middle', async (t) => {
  const where = { command: quiver, args: ['mcp'], env: environment(tempDir(t)) };
  const clients = ['v1', 'v2-modern', 'v2-auto'].map((kind) => new Desktop(kind, where));
  const [owner, ...others] = clients;
  await owner.open();
  // The first process to touch the directory owns it.
  await owner.session.get('collection_create', { name: 'shared', embedder: 'minilm' });
  await Promise.all(others.map((client) => client.open()));
  t.after(() => Promise.all(clients.map((client) => client.session.close())));

  const names = ['a', 'b', 'c'];
  const writing = Promise.all(clients.map((client, i) => client.write(names[i])));
  const kill = until(
    () => clients.every((client) => client.done > writes / 3),
    'a third is written',
  ).then(() => {
    owner.killed = true;
    process.kill(owner.pid, 'SIGKILL');
  });
  await Promise.all([writing, kill]);
  assert.equal(owner.restarts, 1, 'the killed server was not restarted once');
  for (const client of others) assert.equal(client.restarts, 0);
  await everyIdOnce(t, where.env, names);
});

test('clients of a killed `quiver serve` go on by themselves', async (t) => {
  const env = environment(tempDir(t));
  const where = { command: quiver, args: ['mcp'], env };
  const serve = await startHttp(t, env);
  const web = await connect('v2-modern', { url: serve.url });
  await web.get('collection_create', { name: 'shared', embedder: 'minilm' });
  const clients = ['v1', 'v2-auto'].map((kind) => new Desktop(kind, where));
  await Promise.all(clients.map((client) => client.open()));
  t.after(() => Promise.all(clients.map((client) => client.session.close())));

  const names = ['a', 'b'];
  const writing = Promise.all(clients.map((client, i) => client.write(names[i])));
  const kill = until(
    () => clients.every((client) => client.done > writes / 3),
    'a third is written',
  ).then(() => serve.kill('SIGKILL'));
  await Promise.all([writing, kill]);
  await everyIdOnce(t, env, names);
});

test('owner after owner is killed', async (t) => {
  const env = environment(tempDir(t));
  const where = { command: quiver, args: ['mcp'], env };
  const clients = ['v1', 'v2-modern', 'v1', 'v2-legacy'].map((kind) => new Desktop(kind, where));
  await clients[0].open();
  await clients[0].session.get('collection_create', { name: 'shared', embedder: 'minilm' });
  await Promise.all(clients.slice(1).map((client) => client.open()));
  t.after(() => Promise.all(clients.map((client) => client.session.close())));

  const names = ['a', 'b', 'c', 'd'];
  const written = () => clients.reduce((sum, client) => sum + client.done, 0);
  const owner = () => {
    const pid = Number(/^\d+/.exec(readFileSync(join(env.QV_DATA_DIR, 'lock'), 'utf8')));
    return clients.find((client) => client.pid === pid);
  };
  const kill = async () => {
    for (let round = 1; round <= 8; ++round) {
      await until(() => written() > round * 400, `${round * 400} writes`);
      const victim = await until(owner, 'an owner among the clients');
      victim.killed = true;
      process.kill(victim.pid, 'SIGKILL');
    }
  };
  await Promise.all([...clients.map((client, i) => client.write(names[i])), kill()]);
  assert.ok(clients.reduce((sum, client) => sum + client.restarts, 0) >= 8);
  await everyIdOnce(t, env, names);
});
