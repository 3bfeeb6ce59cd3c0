import { postgresFolder } from './services/postgres.ts';
import { redisServerPath } from './services/redis.ts';

// npx tsx bin/services.ts redis       the path of a redis-server that runs here
// npx tsx bin/services.ts postgres    the folder with the programs of a PostgreSQL that has pgvector
const find = { redis: redisServerPath, postgres: postgresFolder };
const wanted = process.argv[2];
try {
  if (wanted !== 'redis' && wanted !== 'postgres') throw new Error(`Expected "redis" or "postgres" but received "${wanted ?? ''}"`);
  console.log(await find[wanted]());
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (error instanceof Error && error.cause) console.error(error.cause);
  process.exitCode = 1;
}
