// The npm packages of this directory, for tests that live elsewhere too.
import { fileURLToPath } from 'node:url';

export { createMCPClient } from '@ai-sdk/mcp';
export { StdioMCPTransport } from '@ai-sdk/mcp/mcp-stdio';
export { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
export { parse as parseYaml } from 'yaml';

const inside = (path) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url));

/// Programs that run under Node.js.
export const inspector = inside('@modelcontextprotocol/inspector/clients/launcher/build/index.js');
export const suite = inside('@modelcontextprotocol/conformance/dist/index.js');
export const requirements = inside('@modelcontextprotocol/conformance/requirements');
