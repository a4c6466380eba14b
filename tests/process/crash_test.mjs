// kill -9 in the middle of writes, again and again on one data directory. After each restart every
// acknowledged write is there with its payload and every acknowledged delete is gone; a write that
// was not answered may have happened or not, and nothing in between.
//
// The model holds for each id what may be stored: one version when the last call was answered, two
// when the kill cut it off. QUIVER_CRASH_SEED repeats a run's choices, QUIVER_CRASH_ROUNDS its length.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environment, randomSource, sanitized, Server, tempDir } from './support.mjs';

const seed = Number(process.env.QUIVER_CRASH_SEED ?? Date.now() % 2 ** 31);
const rounds = Number(process.env.QUIVER_CRASH_ROUNDS ?? (sanitized ? 40 : 200));
const dimension = 8;
const vectorIds = Array.from({ length: 300 }, (_, i) => `p${i}`);
const textIds = Array.from({ length: 20 }, (_, i) => `t${i}`);
const gone = 0;

/// A direction that only this id and version have.
function vectorOf(id, version) {
  const { next } = randomSource(Number(id.slice(1)) * 1_000_003 + version);
  return Array.from({ length: dimension }, () => next() - 0.5);
}
const metadataOf = (id, version) => ({
  version,
  tags: [id, `v${version}`],
  padding: 'x'.repeat(version % 500),
});
const textOf = (id, version) => `Note ${id} in version ${version}.`;

/// What may be stored under each id of one collection.
class Model {
  constructor(ids) {
    this.possible = new Map(ids.map((id) => [id, new Set([gone])]));
    this.busy = new Set();
    this.version = 0;
  }
  /// Up to `most` ids that no unanswered call is about.
  pick(random, most) {
    const free = [...this.possible.keys()].filter((id) => !this.busy.has(id));
    const chosen = new Set();
    for (let i = 0; i < most && free.length > 0; ++i) chosen.add(free[random.below(free.length)]);
    return [...chosen];
  }
  begin(ids, version) {
    for (const id of ids) {
      this.busy.add(id);
      this.possible.get(id).add(version);
    }
  }
  acknowledge(ids, version) {
    for (const id of ids) {
      this.busy.delete(id);
      this.possible.set(id, new Set([version]));
    }
  }
  /// After a restart: `stored` maps ids to the version found.
  settle(stored, where) {
    for (const id of stored.keys())
      assert.ok(this.possible.has(id), `${where}: ${id} was never written`);
    for (const [id, possible] of this.possible) {
      const version = stored.get(id) ?? gone;
      assert.ok(
        possible.has(version),
        `${where}: ${id} is in version ${version} (0: gone), expected ${[...possible].join(' or ')}`,
      );
      this.possible.set(id, new Set([version]));
    }
    this.busy.clear();
  }
}

async function scrollAll(server, collection) {
  const items = [];
  let cursor;
  do {
    const page = await server.ok('vector_scroll', {
      collection,
      limit: 200,
      ...(cursor && { cursor }),
    });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return items;
}

async function verifyVectors(server, model, random, where) {
  const stored = new Map();
  for (const item of await scrollAll(server, 'vectors')) {
    assert.ok(!stored.has(item.id), `${where}: ${item.id} twice`);
    assert.deepEqual(item.metadata, metadataOf(item.id, item.metadata.version), where);
    stored.set(item.id, item.metadata.version);
  }
  model.settle(stored, where);
  assert.equal(await server.count('vectors'), stored.size, where);
  for (const [id, version] of [...stored].filter(() => random.next() < 0.03)) {
    const { hits } = await server.ok('vector_search', {
      collection: 'vectors',
      vector: vectorOf(id, version),
      limit: 1,
    });
    assert.equal(hits[0].id, id, `${where}: the vector of ${id} version ${version} is not found`);
    assert.ok(hits[0].score > 0.999, where);
  }
}

async function verifyTexts(server, model, where) {
  const stored = new Map();
  for (const item of await scrollAll(server, 'texts')) {
    assert.equal(item.text, textOf(item.id, item.metadata.version), where);
    stored.set(item.id, item.metadata.version);
  }
  model.settle(stored, where);
  const absent = textIds.filter((id) => !stored.has(id));
  const { missing } = await server.ok('memory_get', { collection: 'texts', ids: textIds });
  assert.deepEqual((missing ?? []).sort(), absent.sort(), where);
}

/// One call of random kind; returns once it is acknowledged.
async function writeOnce(server, models, random, withText) {
  const aboutText = withText && random.next() < 0.1;
  const [collection, model] = aboutText ? ['texts', models.texts] : ['vectors', models.vectors];
  const ids = model.pick(random, 1 + random.below(aboutText ? 2 : 12));
  assert.ok(ids.length > 0, 'more writers than ids');
  if (random.next() < 0.25) {
    model.begin(ids, gone);
    await server.ok('memory_delete', { collection, ids });
    model.acknowledge(ids, gone);
    return;
  }
  const version = ++model.version;
  model.begin(ids, version);
  if (aboutText) {
    await server.ok('memory_store', {
      collection,
      items: ids.map((id) => ({ id, text: textOf(id, version), metadata: { version } })),
    });
  } else {
    await server.ok('vector_upsert', {
      collection,
      points: ids.map((id) => ({
        id,
        vector: vectorOf(id, version),
        metadata: metadataOf(id, version),
      })),
    });
  }
  model.acknowledge(ids, version);
}

/// Several calls at a time until the kill; the number that was acknowledged.
async function writeUntilKilled(server, models, random, withText) {
  let acknowledged = 0;
  let killed = false;
  const writer = async () => {
    while (!killed) {
      try {
        await writeOnce(server, models, random, withText);
        ++acknowledged;
      } catch (error) {
        if (!killed) throw error;
      }
    }
  };
  const writers = Array.from({ length: 6 }, writer);
  await new Promise((moment) => setTimeout(moment, 5 + random.below(150)));
  killed = true;
  server.kill('SIGKILL');
  await Promise.all(writers);
  assert.equal((await server.exit()).signal, 'SIGKILL');
  return acknowledged;
}

test(`${rounds} kills during writes lose nothing (seed ${seed})`, async (t) => {
  const random = randomSource(seed);
  const env = environment(tempDir(t), { QV_STORAGE_EXACT_SEARCH_POINTS: '100' });
  const models = { vectors: new Model(vectorIds), texts: new Model(textIds) };
  let acknowledged = 0;
  let server = new Server(env);
  t.after(() => server.kill('SIGKILL'));
  await server.ok('collection_create', { name: 'vectors', dimension });
  await server.ok('collection_create', { name: 'texts' });
  for (let round = 0; round <= rounds; ++round) {
    const where = `seed ${seed}, round ${round}`;
    await verifyVectors(server, models.vectors, random, where);
    await verifyTexts(server, models.texts, where);
    if (round === rounds) break;
    acknowledged += await writeUntilKilled(server, models, random, round % 4 === 0);
    server = new Server(env);
  }
  assert.deepEqual(await server.close(), { code: 0, signal: null });
  t.diagnostic(`seed ${seed}: ${rounds} kills, ${acknowledged} acknowledged calls`);
  assert.ok(acknowledged > rounds, 'too little was written for the kills to matter');
});
