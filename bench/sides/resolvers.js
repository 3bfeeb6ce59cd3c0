import process from 'node:process';
import { openApp } from '../../dist/app.js';
import { readConfig } from '../../dist/config.js';
import { schema } from '../../dist/graphql/schema.js';
import { createLog } from '../../dist/log.js';

/** Darkroom's schema with its Prisma resolvers, for another server to serve. */
export const port = Number(process.env.PORT);
const app = await openApp(readConfig(process.env), createLog('warn'), () => `http://127.0.0.1:${port}`);
const viewer = { id: 'local', kind: 'LOCAL' };
let requests = 0;
export const context = async () => ({ app, viewer, requestId: String(++requests) });
export { schema };
