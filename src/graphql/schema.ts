import '../access/admin-schema.ts';
import '../access/schema.ts';
import '../access/limits/schema.ts';
import '../assets/archive-schema.ts';
import '../assets/public-schema.ts';
import '../assets/rendition-schema.ts';
import '../assets/audio-schema.ts';
import '../assets/model-schema.ts';
import '../assets/schema.ts';
import '../jobs/mutations.ts';
import '../jobs/schema.ts';
import '../jobs/subscriptions.ts';
import '../operations/analyze/schema.ts';
import '../operations/clone-voice/schema.ts';
import '../operations/generate/schema.ts';
import '../operations/model-3d/schema.ts';
import '../operations/remove-background/schema.ts';
import '../search/schema.ts';
import '../search/similar-schema.ts';
import '../uploads/direct-schema.ts';
import '../uploads/audio-schema.ts';
import '../uploads/delete-schema.ts';
import '../uploads/schema.ts';
import '../webhooks/schema.ts';
import { builder } from './builder.ts';
import './job-result.ts';

/** The whole graph: importing a noun's `schema.ts` adds it. */
export const schema = builder.toSchema();
