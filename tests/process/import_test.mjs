// `quiver import` and `export`: a second run changes nothing, a changed file replaces what came of
// it, and a bad line writes nothing.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { environment, run, startServer, tempDir } from './support.mjs';

const paragraph = (topic) => `${topic} is the matter of this paragraph. `.repeat(12).trim();

async function import_into(env, collection, ...paths) {
  const ended = await run(['import', ...paths, '--collection', collection, '--create'], env);
  assert.equal(ended.code, 0, ended.stderr);
  return ended;
}

/// Every point of a collection, in order of id, times aside.
async function contents(t, env, collection) {
  const server = startServer(t, env);
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
  await server.close();
  return items;
}

test('folders of text and Markdown', async (t) => {
  const dir = tempDir(t);
  const env = environment(dir);
  const docs = join(dir, 'docs');
  mkdirSync(join(docs, 'deep'), { recursive: true });
  writeFileSync(
    join(docs, 'guide.md'),
    `# Guide\n\n${paragraph('Sailing')}\n\n## Knots\n\n${paragraph('Tying knots')}\n`,
  );
  writeFileSync(
    join(docs, 'deep', 'plain.txt'),
    `${paragraph('Weather')}\n\n${paragraph('Tides')}\n`,
  );
  writeFileSync(join(docs, 'picture.png'), Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 3]));
  await import_into(env, 'docs', docs);
  const first = await contents(t, env, 'docs');
  assert.ok(first.length >= 3);
  for (const item of first) {
    assert.match(item.metadata.source, /guide\.md|plain\.txt/);
    assert.ok(item.text.length > 0);
  }

  await t.test('a second run changes nothing', async () => {
    await import_into(env, 'docs', docs);
    assert.deepEqual(await contents(t, env, 'docs'), first);
  });

  await t.test('a changed file replaces what came of it', async () => {
    writeFileSync(join(docs, 'guide.md'), `# Guide\n\n${paragraph('Rowing')}\n`);
    await import_into(env, 'docs', docs);
    const now = await contents(t, env, 'docs');
    const of = (items, file) => items.filter((item) => item.metadata.source.endsWith(file));
    assert.ok(of(now, 'guide.md').length > 0);
    for (const item of of(now, 'guide.md')) assert.doesNotMatch(item.text, /Sailing|knots/i);
    assert.ok(of(now, 'guide.md').some((item) => item.text.includes('Rowing')));
    assert.deepEqual(of(now, 'plain.txt'), of(first, 'plain.txt'));
  });

  await t.test('a server that owns the directory is written through', async () => {
    const server = startServer(t, env);
    const before = await server.count('docs');
    writeFileSync(join(docs, 'new.md'), `# New\n\n${paragraph('Anchors')}\n`);
    await import_into(env, 'docs', docs);
    assert.ok((await server.count('docs')) > before);
    const { hits } = await server.ok('memory_search', { collection: 'docs', query: 'anchors' });
    assert.match(hits[0].text, /Anchors/);
  });
});

test('JSONL', async (t) => {
  const dir = tempDir(t);
  const env = environment(dir);
  const file = join(dir, 'facts.jsonl');
  const lines = [
    { id: 'a', text: 'Water boils at 100 degrees.', metadata: { n: 1 } },
    { id: 'b', text: 'Lead melts at 327 degrees.', metadata: { n: 2 } },
    { text: 'A fact without an id.' },
  ];
  const write = (rows) =>
    writeFileSync(
      file,
      rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n') + '\n',
    );
  write(lines);
  await import_into(env, 'facts', file);
  const first = await contents(t, env, 'facts');
  assert.equal(first.length, 3);

  await t.test('a second run changes nothing', async () => {
    await import_into(env, 'facts', file);
    assert.deepEqual(await contents(t, env, 'facts'), first);
  });

  for (const [name, line] of Object.entries({
    'a line that is no JSON': '{"id":"c","text":',
    'a line without text': '{"id":"c"}',
    'an unknown field': '{"id":"c","text":"x","colour":"red"}',
  })) {
    await t.test(`${name} is named and nothing is written`, async () => {
      write([{ id: 'd', text: 'Good.' }, line, { id: 'e', text: 'Good too.' }]);
      const ended = await run(['import', file, '--collection', 'facts'], env);
      assert.notEqual(ended.code, 0);
      assert.match(ended.stderr, /facts\.jsonl:2/);
      assert.deepEqual(await contents(t, env, 'facts'), first);
    });
  }

  await t.test('an export can be imported elsewhere', async () => {
    const exported = join(dir, 'out.jsonl');
    const ended = await run(['export', '--collection', 'facts', '--vectors'], env);
    assert.equal(ended.code, 0, ended.stderr);
    writeFileSync(exported, ended.stdout);
    const other = environment(join(dir, 'other'));
    await import_into(other, 'facts', exported);
    const known = ({ id, text, metadata }) => ({ id, text, metadata });
    assert.deepEqual((await contents(t, other, 'facts')).map(known), first.map(known));
    const again = await run(['import', exported, '--collection', 'facts'], other);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stdout + again.stderr, /0 added, 0 replaced, 3 unchanged/);
  });
});

test('what cannot be imported', async (t) => {
  const dir = tempDir(t);
  const env = environment(dir);
  const missing = await run(['import', join(dir, 'nowhere'), '--collection', 'x'], env);
  assert.notEqual(missing.code, 0);
  assert.match(missing.stderr, /nowhere/);
  writeFileSync(join(dir, 'latin1.txt'), Buffer.from([0x47, 0x72, 0xfc, 0xdf, 0x65]));
  const latin = await run(['import', join(dir, 'latin1.txt'), '--collection', 'x'], env);
  assert.notEqual(latin.code, 0);
  assert.match(latin.stderr, /latin1\.txt.*UTF-8/s);
  rmSync(join(dir, 'latin1.txt'));
});
