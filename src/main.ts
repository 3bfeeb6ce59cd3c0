import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ConfigError, needsCredential, readConfig, secretsOf, type Config } from './config.ts';
import { openDatabase } from './database/open.ts';
import { startDarkroom } from './darkroom.ts';
import { createLog } from './log.ts';

if (existsSync('.env')) process.loadEnvFile('.env');
try {
  const [command, ...others] = parseArgs({ allowPositionals: true }).positionals;
  if (others.length > 0 || (command && command !== 'migrate')) throw new Error(`Expected nothing or "migrate" after the program's name but received "${[command, ...others].join(' ')}"`);
  await (command === 'migrate' ? migrate : main)(readConfig(process.env));
} catch (error) {
  // A start that cannot work says why in a sentence; a stack would hide it.
  process.stderr.write(`${error instanceof ConfigError ? error.message : !(error instanceof Error) ? String(error) : `Darkroom cannot start: ${error.message}`}\n`);
  process.exit(1);
}

/** Brings the database to its newest migration and ends; every start does the same, this one before there are many. */
async function migrate(config: Config): Promise<void> {
  const log = createLog(config.LOG_LEVEL, { secrets: secretsOf(config) });
  const database = await openDatabase(config, log);
  await database.close();
  log.info('The database is at its newest migration');
}

async function main(config: Config): Promise<void> {
  const log = createLog(config.LOG_LEVEL, { secrets: secretsOf(config) });
  const darkroom = await startDarkroom(config, log);
  log.info({ role: config.ROLE, database: darkroom.app.database.kind, queue: config.REDIS_URL ? 'redis' : 'in process', data: config.DATA_DIR }, darkroom.url ? `Darkroom listens at ${darkroom.url}/graphql` : 'Darkroom works');
  if (darkroom.url && !needsCredential(config)) log.warn('There is no JWT_SECRET, JWT_JWKS_URL or API_KEYS: everybody who reaches this address is the one local viewer. It is open on loopback only');

  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) {
      log.warn({ signal }, 'Stopping at once; jobs that ran go back to the queue when their lease ends');
      process.exit(1);
    }
    stopping = true;
    log.info({ signal }, 'Stopping: requests and jobs may end');
    darkroom.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'The stop did not go as it should');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
