// Bad input over the wire: every call is refused with a message that helps, nothing is written, and
// the server lives on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environment, packed, startServer, tempDir } from './support.mjs';

const point = (vector, more = {}) => ({
  collection: 'v',
  points: [{ id: 'new', vector, ...more }],
});
const store = (item) => ({ items: [item] });

/// Handed out by a search; no other tool takes it.
let otherCursor;

/// Name, tool, arguments, what the message must say.
const cases = [
  ['a vector that is too short', 'vector_upsert', point([1, 2]), /2.*3|3.*2/],
  ['a vector that is too long', 'vector_upsert', point([1, 2, 3, 4]), /4.*3|3.*4/],
  ['an empty vector', 'vector_upsert', point([]), /vector/],
  ['a dimension beyond the largest', 'vector_upsert', point(Array(4097).fill(1)), /4096/],
  ['null in a vector', 'vector_upsert', point([1, null, 3]), /number/],
  ['a number beyond float32', 'vector_upsert', point([1, 1e300, 3]), /float|finite|range/],
  ['NaN in base64', 'vector_upsert', point(packed([1, NaN, 3])), /finite|NaN/],
  ['infinity in base64', 'vector_upsert', point(packed([1, Infinity, 3])), /finite|inf/i],
  ['base64 that is cut', 'vector_upsert', point(packed([1, 2, 3]).slice(0, -3)), /base64/],
  ['base64 of half a float', 'vector_upsert', point('AAAA'), /base64|float/],
  ['a zero vector under cosine', 'vector_upsert', point([0, 0, 0]), /zero|cosine/],
  [
    'an id that is empty',
    'vector_upsert',
    { collection: 'v', points: [{ id: '', vector: [1, 2, 3] }] },
    /id/,
  ],
  [
    'an id that is too long',
    'vector_upsert',
    { collection: 'v', points: [{ id: 'x'.repeat(513), vector: [1, 2, 3] }] },
    /512/,
  ],
  [
    'an id that is negative',
    'vector_upsert',
    { collection: 'v', points: [{ id: -1, vector: [1, 2, 3] }] },
    /id/,
  ],
  [
    'an id that is a fraction',
    'vector_upsert',
    { collection: 'v', points: [{ id: 1.5, vector: [1, 2, 3] }] },
    /id/,
  ],
  ['no points', 'vector_upsert', { collection: 'v', points: [] }, /points/],
  [
    'too many points',
    'vector_upsert',
    {
      collection: 'v',
      points: Array.from({ length: 1001 }, (_, i) => ({ id: `${i}`, vector: [1, 2, 3] })),
    },
    /1000/,
  ],
  [
    'an unknown field of a point',
    'vector_upsert',
    point([1, 2, 3], { metdata: {} }),
    /metdata.*metadata/s,
  ],
  ['metadata that is no object', 'vector_upsert', point([1, 2, 3], { metadata: [1] }), /object/],
  [
    'metadata that is too large',
    'vector_upsert',
    point([1, 2, 3], { metadata: { big: 'x'.repeat(2 << 20) } }),
    /bytes|KiB|MiB/,
  ],
  [
    'one bad point among good ones',
    'vector_upsert',
    {
      collection: 'v',
      points: [
        { id: 'good', vector: [1, 2, 3] },
        { id: 'bad', vector: [1, 2] },
      ],
    },
    /points\[1\]/,
  ],
  ['no text', 'memory_store', store({ id: 'new' }), /text/],
  ['an empty text', 'memory_store', store({ text: '' }), /text/],
  ['an oversized text', 'memory_store', store({ text: 'word '.repeat(20_000) }), /65536|64 KiB/],
  ['a text that is a number', 'memory_store', store({ text: 5 }), /string/],
  ['a ttl of zero', 'memory_store', { items: [{ text: 'x' }], ttl_seconds: 0 }, /ttl_seconds/],
  ['an empty query', 'memory_search', { query: '' }, /query/],
  ['an oversized query', 'memory_search', { query: 'x'.repeat(8193) }, /8192/],
  ['k of 0', 'vector_search', { collection: 'v', vector: [1, 0, 0], limit: 0 }, /limit.*1/],
  [
    'k of 100,000',
    'vector_search',
    { collection: 'v', vector: [1, 0, 0], limit: 100_000 },
    /limit.*\d/,
  ],
  [
    'k that is a text',
    'vector_search',
    { collection: 'v', vector: [1, 0, 0], limit: '5' },
    /limit/,
  ],
  [
    'k that is a fraction',
    'vector_search',
    { collection: 'v', vector: [1, 0, 0], limit: 2.5 },
    /limit/,
  ],
  ['neither vector nor like_id', 'vector_search', { collection: 'v' }, /vector.*like_id/],
  [
    'both vector and like_id',
    'vector_search',
    { collection: 'v', vector: [1, 0, 0], like_id: 'a' },
    /vector.*like_id/,
  ],
  ['like_id that is not there', 'vector_search', { collection: 'v', like_id: 'nobody' }, /nobody/],
  [
    'a query of the wrong dimension',
    'vector_search',
    { collection: 'v', vector: [1, 0] },
    /2.*3|3.*2/,
  ],
  [
    'a zero query under cosine',
    'vector_search',
    { collection: 'v', vector: [0, 0, 0] },
    /zero|cosine/,
  ],
  [
    'an ef beyond its bounds',
    'vector_search',
    { collection: 'v', vector: [1, 0, 0], ef: 1e9 },
    /ef/,
  ],
  [
    'an unknown collection',
    'vector_search',
    { collection: 'w', vector: [1, 0, 0] },
    /"?w"?.*collection_list|v/s,
  ],
  [
    'a collection name that no collection can have',
    'collection_create',
    { name: '../up', dimension: 3 },
    /name/,
  ],
  [
    'an unknown metric',
    'collection_create',
    { name: 'w', dimension: 3, metric: 'manhattan' },
    /cosine.*dot.*euclidean/,
  ],
  ['an unknown embedder', 'collection_create', { name: 'w', embedder: 'minilm-9000' }, /minilm/],
  [
    'an embedder and another dimension',
    'collection_create',
    { name: 'w', embedder: 'minilm', dimension: 3 },
    /384|dimension/,
  ],
  ['a dimension of 0', 'collection_create', { name: 'w', dimension: 0 }, /dimension/],
  ['a dimension of 5,000', 'collection_create', { name: 'w', dimension: 5000 }, /4096/],
  ['a collection that is there otherwise', 'collection_create', { name: 'v', dimension: 4 }, /3/],
  [
    'a deletion that is not confirmed',
    'collection_delete',
    { collection: 'v', confirm: 'V' },
    /confirm/,
  ],
  ['a deletion of nothing named', 'memory_delete', { collection: 'v' }, /ids.*filter/],
  [
    'a deletion of ids and a filter',
    'memory_delete',
    { collection: 'v', ids: ['a'], filter: { lang: 'en' } },
    /ids.*filter/,
  ],
  [
    'text for a collection of vectors',
    'memory_store',
    { collection: 'v', items: [{ text: 'x' }] },
    /embedder|vector_upsert/,
  ],
  ['a cursor out of nowhere', 'vector_scroll', { collection: 'v', cursor: 'bm9wZQ' }, /cursor/],
  [
    'a cursor that is no base64',
    'vector_search',
    { collection: 'v', vector: [1, 0, 0], cursor: '***' },
    /cursor/,
  ],
  ['a filter that is no object', 'vector_scroll', { collection: 'v', filter: [1] }, /filter/],
  [
    'an unknown operator',
    'vector_scroll',
    { collection: 'v', filter: { year: { $gtt: 1 } } },
    /\$gtt.*\$gt/s,
  ],
  ['an operator at the top', 'vector_scroll', { collection: 'v', filter: { $in: [1] } }, /\$in/],
  [
    '$in without a list',
    'vector_scroll',
    { collection: 'v', filter: { year: { $in: 1 } } },
    /\$in/,
  ],
  [
    'a filter of too many conditions',
    'vector_scroll',
    { collection: 'v', filter: { $or: Array.from({ length: 1100 }, (_, year) => ({ year })) } },
    /1,?024/,
  ],
  [
    'exact and ef',
    'vector_search',
    { collection: 'v', vector: [1, 0, 0], exact: true, ef: 50 },
    /ef/,
  ],
  [
    'a cursor of another request',
    'vector_scroll',
    () => ({ collection: 'v', cursor: otherCursor }),
    /cursor/,
  ],
  [
    'a filter on a field that no point has',
    'vector_scroll',
    { collection: 'v', filter: { yeer: 2024 } },
    /yeer.*year/s,
  ],
  [
    'a filter on such a field in a search',
    'vector_search',
    {
      collection: 'v',
      vector: [1, 0, 0],
      filter: { $and: [{ lang: 'en' }, { yeer: { $gt: 1 } }] },
    },
    /yeer.*year/s,
  ],
  ['an unknown argument', 'vector_scroll', { collection: 'v', count: true }, /count.*count_only/s],
  [
    'an argument of the wrong type',
    'vector_scroll',
    { collection: 'v', count_only: 'yes' },
    /count_only/,
  ],
];

test('bad input is refused and changes nothing', async (t) => {
  const server = startServer(t, environment(tempDir(t)));
  await server.ok('collection_create', { name: 'v', dimension: 3, metric: 'cosine' });
  await server.ok('vector_upsert', {
    collection: 'v',
    points: [
      { id: 'a', vector: [1, 0, 0], metadata: { lang: 'en', year: 2024 } },
      { id: 'b', vector: [0, 1, 0], metadata: { lang: 'de', year: 2020 } },
    ],
  });
  await server.ok('memory_store', { items: [{ id: 'm', text: 'A memory.' }] });
  const everything = async () => ({
    v: (await server.ok('vector_scroll', { collection: 'v' })).items,
    memory: (await server.ok('vector_scroll', { collection: 'memory' })).items,
    names: (await server.ok('collection_list')).collections.map((one) => one.name),
  });
  const before = await everything();
  assert.deepEqual([before.v.length, before.memory.length, before.names], [2, 1, ['memory', 'v']]);

  otherCursor = (await server.ok('vector_search', { collection: 'v', vector: [1, 0, 0], limit: 1 }))
    .next_cursor;
  assert.ok(otherCursor);

  for (const [name, tool, args, pattern] of cases) {
    await t.test(name, async () => {
      const result = await server.tool(tool, typeof args === 'function' ? args() : args);
      assert.ok(
        result.isError,
        `accepted: ${JSON.stringify(result.structuredContent)?.slice(0, 300)}`,
      );
      assert.equal(result.structuredContent, undefined);
      const said = result.content[0].text;
      assert.match(said, pattern);
      assert.ok(said.length < 4000, `${said.length} characters are too many`);
      assert.deepEqual(await everything(), before);
    });
  }

  await t.test('a number that no double holds', async () => {
    const reply = server.message((message) => message.id === 'huge' || message.error, 'an answer');
    server.sendLine(
      '{"jsonrpc":"2.0","id":"huge","method":"tools/call","params":{"name":' +
        '"vector_upsert","arguments":{"collection":"v","points":[{"id":"n","vector":[1e999,0,0]}]},' +
        '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",' +
        '"io.modelcontextprotocol/clientCapabilities":{}}}}',
    );
    const message = await reply;
    assert.ok(message.error ?? message.result.isError, JSON.stringify(message));
    assert.deepEqual(await everything(), before);
  });

  await t.test('a filter on a field that some point has is no mistake', async () => {
    assert.equal(
      (
        await server.ok('vector_scroll', {
          collection: 'v',
          filter: { year: 1900 },
          count_only: true,
        })
      ).count,
      0,
    );
  });
});
