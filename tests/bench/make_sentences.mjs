// Real sentences to embed: what Debian says about its packages. The long description is what is
// stored, the one-line synopsis of some of them is what is asked. Without apt, the paragraphs of the
// project's own docs take their place; they are few, and the table says how many.
// Usage: make_sentences.mjs OUT COUNT QUERIES  ->  OUT.base.txt, OUT.query.txt, a text a line
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { randomSource } from '../process/support.mjs';

const [out, count, queryCount] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const textBytes = 400;
const oneLine = (text) => text.replace(/\s+/g, ' ').trim();

/// [synopsis, description] of each package, out of package lists fetched beside `out`.
function packageTexts() {
  const lists = resolve(dirname(out), 'apt-lists');
  mkdirSync(join(lists, 'partial'), { recursive: true });
  spawnSync('apt-get', [
    '-q',
    'update',
    '-o',
    'Acquire::Languages=en',
    '-o',
    `Dir::State::Lists=${lists}`,
  ]);
  const pairs = new Map();
  for (const name of readdirSync(lists)
    .filter((file) => /_Translation-en/.test(file))
    .sort()) {
    const { stdout } = spawnSync('/usr/lib/apt/apt-helper', ['cat-file', join(lists, name)], {
      maxBuffer: 2 ** 30,
    });
    for (const stanza of stdout.toString().split('\n\n')) {
      const found = /^Description-en: (.*)\n((?: .*\n?)*)/m.exec(stanza);
      if (!found) continue;
      const body = oneLine(found[2].replace(/^ \.$/gm, ''));
      if (body.length >= 100 && found[1].length >= 20) {
        pairs.set(body.slice(0, textBytes), oneLine(found[1]));
      }
    }
  }
  return [...pairs].map(([body, synopsis]) => [synopsis, body]);
}

/// [first sentence, paragraph] of the docs.
function docTexts() {
  const docs = resolve(import.meta.dirname, '../../docs');
  return readdirSync(docs, { recursive: true })
    .filter((file) => file.endsWith('.md'))
    .sort()
    .flatMap((file) => readFileSync(join(docs, file), 'utf8').split(/\n\s*\n/))
    .map(oneLine)
    .filter((text) => text.length >= 100)
    .map((text) => [text.split(/[.:] /)[0], text.slice(0, textBytes)]);
}

let pairs = packageTexts();
if (pairs.length < 100) pairs = docTexts();
const random = randomSource(7);
for (let i = pairs.length - 1; i > 0; --i) {
  const j = random.below(i + 1);
  [pairs[i], pairs[j]] = [pairs[j], pairs[i]];
}
pairs = pairs.slice(0, count);
const synopses = [...new Set(pairs.map(([synopsis]) => synopsis))].slice(0, queryCount);
writeFileSync(`${out}.base.txt`, pairs.map(([, body]) => `${body}\n`).join(''));
writeFileSync(`${out}.query.txt`, synopses.map((synopsis) => `${synopsis}\n`).join(''));
console.error(`${pairs.length} texts and ${synopses.length} questions`);
