// The official MCP TypeScript clients, v1 and v2, behind one face: connect, call a tool, close.
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as HttpV2,
} from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';

const info = { name: 'quiver-test', version: '1.0.0' };

/// How each kind of client is made. `v1` and `v2-legacy` shake hands with `initialize`; `v2-auto`
/// probes with `server/discover`; `v2-modern` speaks 2026-07-28 or fails.
const kinds = {
  v1: { make: () => new ClientV1(info), Stdio: StdioV1, Http: HttpV1, Sse: SseV1 },
  'v2-legacy': { make: () => new ClientV2(info), Stdio: StdioV2, Http: HttpV2 },
  'v2-auto': {
    make: () => new ClientV2(info, { versionNegotiation: { mode: 'auto' } }),
    Stdio: StdioV2,
    Http: HttpV2,
  },
  'v2-modern': {
    make: () => new ClientV2(info, { versionNegotiation: { mode: { pin: '2026-07-28' } } }),
    Stdio: StdioV2,
    Http: HttpV2,
  },
};

export const clientKinds = Object.keys(kinds);

function transportTo(where, { Stdio, Http, Sse }) {
  if (where.url) return new Http(new URL(where.url));
  if (where.sse) return new Sse(new URL(where.sse));
  return new Stdio({ ...where, stderr: where.stderr ?? 'ignore' });
}

/// A connected client. `where` is {command, args, env} of a server to start, or of one that runs
/// already {url}, or, in the older form with two addresses, {sse}.
export async function connect(kind, where) {
  const { make } = kinds[kind];
  const client = make();
  const transport = transportTo(where, kinds[kind]);
  await client.connect(transport);
  const callTool =
    kind === 'v1'
      ? (params, options) => client.callTool(params, undefined, options)
      : (params, options) => client.callTool(params, options);
  const call = (name, args = {}, options = { timeout: 60_000 }) =>
    callTool({ name, arguments: args }, options);
  return {
    client,
    call,
    /// The structured content; an error of the tool is thrown.
    async get(name, args, options) {
      const result = await call(name, args, options);
      if (result.isError) throw new Error(`${name}: ${result.content[0].text}`);
      return result.structuredContent;
    },
    get pid() {
      return transport.pid;
    },
    close: () => client.close(),
  };
}
