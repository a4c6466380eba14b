// `make demo`: the official MCP clients, v1 and v2, start `quiver mcp`, the project's own docs are
// imported beside them, and five questions in plain language are answered from what was stored.
// Usage: demo.mjs BINARY DOCS
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { connect } from './connect.mjs';

/// Each question with words that only a passage that answers it has.
const questions = [
  [
    'What happens to a write when the power fails right after it was acknowledged?',
    /survives the kill of the process/,
  ],
  ['How does a second program find the process that has the data open?', /Unix socket/],
  ['What may the id of a point look like?', /512 bytes/],
  ['Which environment variable sets the port?', /QV_SERVER_PORT/],
  ['How do I back up the data?', /Back up/],
];

const [binary, docs] = process.argv.slice(2).map((path) => resolve(path));
if (!docs) {
  console.error('usage: demo.mjs BINARY DOCS');
  process.exit(2);
}
const scratch = mkdtempSync(join(tmpdir(), 'quiver-demo-'));
const env = { ...process.env, QV_DATA_DIR: join(scratch, 'data'), QV_LOG_LEVEL: 'error' };

function importDocs() {
  const args = ['import', docs, '--collection', 'docs', '--create'];
  console.log(`$ quiver ${args.join(' ')}`);
  const ended = spawnSync(binary, args, { env, stdio: ['ignore', 'inherit', 'inherit'] });
  if (ended.status !== 0) throw new Error(`import ended with ${ended.status ?? ended.signal}`);
}

function show(hit) {
  const { source, ...position } = hit.metadata ?? {};
  const passage = hit.text
    .trim()
    .replace(/\n{2,}/g, '\n')
    .split('\n')
    .map((line) => `    ${line}`);
  console.log(`  score ${hit.score.toFixed(3)}  ${source ?? hit.id}  ${JSON.stringify(position)}`);
  console.log(passage.join('\n'));
}

/// Whether the first passage answers the question.
async function ask(session, question, expected) {
  const { hits } = await session.get('memory_search', {
    collection: 'docs',
    query: question,
    limit: 1,
    response_format: 'detailed',
  });
  console.log(`\n? ${question}`);
  if (hits.length > 0) show(hits[0]);
  const answered = hits.length > 0 && expected.test(hits[0].text.replace(/\s+/g, ' '));
  if (!answered) console.log(`  NOT ANSWERED: expected ${expected}`);
  return answered;
}

const sessions = [];
let wrong = 0;
try {
  for (const [kind, title] of [
    ['v1', 'TypeScript SDK v1'],
    ['v2-auto', 'TypeScript SDK v2'],
  ]) {
    const session = await connect(kind, { command: binary, args: ['mcp'], env, stderr: 'inherit' });
    sessions.push(session);
    const { name, version } = session.client.getServerVersion();
    console.log(`\n== ${title}: connected to ${name} ${version}`);
    // The first client's server owns the data by now; the import and the second client go through
    // it without noticing.
    await session.get('collection_list');
    if (sessions.length === 1) importDocs();
    for (const [question, expected] of questions) {
      if (!(await ask(session, question, expected))) ++wrong;
    }
  }
} finally {
  await Promise.all(sessions.map((session) => session.close()));
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`\n${2 * questions.length - wrong} of ${2 * questions.length} questions answered`);
process.exitCode = wrong === 0 ? 0 : 1;
