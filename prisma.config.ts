// The configuration of the prisma command.
import { defineConfig } from 'prisma/config';

// The client is generated from the schema alone; migrations are applied by `npm run db:migrate`.
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
});
